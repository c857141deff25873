//! A failed command: what, why, next. Three lines for people, one JSON line for scripts.

use serde::Serialize;

use crate::exit::ExitStatus;

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
    pub(crate) next: Option<String>,
}

impl CliError {
    pub(crate) fn new(exit: ExitStatus, code: &str, message: impl Into<String>) -> Self {
        Self { exit, code: code.to_owned(), message: message.into(), why: None, next: None }
    }

    pub(crate) fn usage(code: &str, message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Usage, code, message)
    }

    #[must_use]
    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// At most three lines.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("error: {}\n", one_line(&self.message));
        if let Some(why) = &self.why {
            text.push_str(&format!("  why: {}\n", one_line(why)));
        }
        if let Some(next) = &self.next {
            text.push_str(&format!("  next: {}\n", one_line(next)));
        }
        text
    }

    /// One JSON line.
    pub(crate) fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            error: Body<'a>,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            code: &'a str,
            message: String,
            next: Option<&'a str>,
        }
        let message = match &self.why {
            Some(why) => format!("{}: {}", one_line(&self.message), one_line(why)),
            None => one_line(&self.message),
        };
        let line = Line { error: Body { code: &self.code, message, next: self.next.as_deref() } };
        serde_json::to_string(&line).unwrap_or_default() + "\n"
    }
}

/// Text of a peer may hold line breaks and terminal controls; a line of ours holds neither.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}') {
        if !word.is_empty() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    line
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
            "error: no server is named \"intrenal\"\n  why: did you mean [31m\"internal\"?\n  next: mcplink list\n"
        );
        let json: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
        assert_eq!(json["error"]["code"], "unknown-server");
        assert_eq!(json["error"]["next"], "mcplink list");
        assert_eq!(error.to_json().lines().count(), 1);
    }
}
