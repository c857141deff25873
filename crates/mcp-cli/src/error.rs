//! A failed command: what, why, next. Three lines for people, one JSON line for scripts.

use crate::exit::ExitStatus;
use crate::printed_step::PrintedStep;
use crate::view::shown::{self, line};
use crate::view::wrap::paragraph;

/// What a person does about a place that cannot be written, and that the reason names: the disk is full, it is read-only, or
/// it is another account's.
pub(crate) const SEE_TO_PLACE: &str = "see to the place that it names";

/// What a command failed with.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) exit: ExitStatus,
    /// A stable code for scripts, kebab-case.
    pub(crate) code: String,
    /// What failed: one line.
    pub(crate) message: String,
    /// The evidence, if there is more to say.
    pub(crate) why: Option<String>,
    /// The next command or step.
    pub(crate) next: Option<PrintedStep>,
}

impl CliError {
    pub(crate) fn new(exit: ExitStatus, code: &str, message: impl Into<String>) -> Self {
        Self { exit, code: code.to_owned(), message: message.into(), why: None, next: None }
    }

    pub(crate) fn usage(code: &str, message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Usage, code, message)
    }

    /// What was to be written is not: the disk is full, the place is read-only, or another program was faster.
    pub(crate) fn unwritten(code: &str, message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Internal, code, message)
    }

    /// A person has to agree, and did not or cannot be asked here: one exit code for everything that needs a yes.
    pub(crate) fn unagreed(code: &str, message: impl Into<String>) -> Self {
        Self::new(ExitStatus::NeedsAuth, code, message)
    }

    /// The failures of several names as one; nothing where there is none, and the error itself where one name was asked
    /// for. Each name is told, with its own reason.
    pub(crate) fn of_names(asked: usize, failed: Vec<(String, Self)>, what: &str) -> Option<Self> {
        let told = |name: &String, error: &Self| match error.message.contains(name.as_str()) {
            true => error.message.clone(),
            false => format!("{}: {}", shown::name(name), error.message),
        };
        // What went well was told, and one failure is told as if it had been asked for alone.
        if asked == 1 || failed.len() < 2 {
            let (name, error) = failed.into_iter().next()?;
            return Some(if asked == 1 { error } else { Self { message: told(&name, &error), ..error } });
        }
        let names = failed.iter().map(|(name, _)| shown::name(name)).collect::<Vec<_>>().join(", ");
        let why = failed.iter().map(|(name, error)| match &error.why {
            Some(why) => format!("{}: {why}", told(name, error)),
            None => told(name, error),
        });
        let why = why.collect::<Vec<_>>().join("; ");
        let exit = ExitStatus::combine(failed.iter().map(|(_, error)| error.exit));
        let (_, first) = failed.into_iter().next()?;
        Some(Self { exit, message: format!("{names}: {what}"), why: Some(why), ..first })
    }

    #[must_use]
    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<PrintedStep>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// At most three lines, as long as they have to be.
    pub(crate) fn to_text(&self) -> String {
        self.to_lines(None)
    }

    /// The same for a terminal of so many columns: wrapped at words, but for a command that comes next, which is to be copied.
    pub(crate) fn to_lines(&self, columns: Option<usize>) -> String {
        let mut text = paragraph(&format!("error: {}", line(&self.message)), columns);
        if let Some(why) = &self.why {
            text.push_str(&paragraph(&format!("  why: {}", line(why)), columns));
        }
        if let Some(next) = &self.next {
            let next = next.shown();
            let columns = columns.filter(|_| matches!(next, PrintedStep::Sentence(_)));
            text.push_str(&paragraph(&format!("  next: {next}"), columns));
        }
        text
    }

    /// One JSON line.
    pub(crate) fn to_json(&self) -> String {
        self.to_json_line("error")
    }

    /// The same as a warning: the command did what it was asked to do.
    pub(crate) fn to_json_warning(&self) -> String {
        self.to_json_line("warning")
    }

    fn to_json_line(&self, kind: &str) -> String {
        let line = serde_json::json!({ kind: self.to_value() });
        mcp_text::json(&line.to_string()).into_owned() + "\n"
    }

    /// The error as it is in a document.
    pub(crate) fn to_value(&self) -> serde_json::Value {
        let message = match &self.why {
            Some(why) => format!("{}: {}", line(&self.message), line(why)),
            None => line(&self.message),
        };
        serde_json::json!({ "code": self.code, "message": message, "next": self.next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_three_lines_and_scripts_get_one() {
        let error = CliError::usage("unknown-server", "no server is named \"intrenal\"")
            .why("did you mean\n\u{1b}[31m\"internal\"?")
            .next("mcplink list");
        assert_eq!(
            error.to_text(),
            "error: no server is named \"intrenal\"\n  why: did you mean \"internal\"?\n  next: mcplink list\n"
        );
        let json: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
        assert_eq!(json["error"]["code"], "unknown-server");
        assert_eq!(json["error"]["next"], "mcplink list");
        assert_eq!(error.to_json().lines().count(), 1);
    }

    #[test]
    fn fh_h13_an_error_wraps_at_words_and_its_next_step_does_not() {
        let words = CliError::usage("x", "y").next("answer y, or use --non-interactive");
        assert_eq!(words.to_lines(Some(24)), "error: y\n  next: answer y, or use\n    --non-interactive\n");
        let next = "mcplink get a-name-that-is-long --mcp-config /home/me/servers.json";
        let error =
            CliError::usage("x", "no server has that name here").why("did you mean another one?").next(next);
        assert_eq!(
            error.to_lines(Some(20)),
            format!(
                "error: no server has\n  that name here\n  why: did you mean\n    another one?\n  next: {next}\n"
            )
        );
    }
}
