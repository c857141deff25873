//! How people and programs are told what is wrong with the files.

use mcp_config::{ConfigSource, Problem, Severity};
use mcp_connect::ConfiguredServer;
use mcp_transport::supervisor::NoContact;

use crate::app::App;
use crate::loaded::LoadedConfig;
use crate::view::row::ProblemRow;
use crate::view::shown;
use crate::view::wrap::paragraph;

impl LoadedConfig {
    /// Tells people which files cannot be understood, and which ones anyone may change, whatever they asked for.
    pub(crate) fn note_broken(&self, app: &App) {
        for problem in self.config.broken_files().chain(self.config.files_open_to_all()) {
            note(app, problem);
        }
    }

    /// Tells why servers of this person are not there.
    pub(crate) fn note_barred(&self, app: &App) {
        if let Some(problem) = self.config.barred_by_administrator() {
            note(app, problem);
        }
    }

    /// Tells what is wrong with the environment, which is a matter of each connection.
    pub(crate) fn note_environment(&self, app: &App) {
        note_all(app, self.config.problems.iter().filter(|p| p.server.is_none() && p.file.is_none()));
    }

    /// Tells at each use of a server what is sent to it, or how it is reached, otherwise than was meant.
    pub(crate) fn note_use(&self, app: &App, name: &str) {
        note_all(app, self.config.problems_of(name).filter(|problem| problem.code.is_of_each_use()));
    }

    /// Tells people what is wrong with the files, but for what the rows of `configured` say themselves.
    pub(crate) fn note_problems(&self, app: &App, configured: &[ConfiguredServer]) {
        note_unsaid(app, self.config.problems.iter(), configured);
    }

    /// The same about these servers alone, and about the environment; about all where none is named. What another entry has
    /// wrong is no matter of this command, and files that cannot be understood have been named already.
    pub(crate) fn note_problems_of(&self, app: &App, names: &[String], configured: &[ConfiguredServer]) {
        if names.is_empty() {
            return self.note_problems(app, configured);
        }
        let said = rows_say(configured);
        self.note_environment(app);
        for name in names {
            let own = self.config.problems_of(name);
            note_all(app, own.filter(|problem| !said.contains(&problem_text(problem))));
        }
    }
}

/// What the rows of servers that are never contacted say.
fn rows_say(configured: &[ConfiguredServer]) -> Vec<String> {
    let reason = |configured: &ConfiguredServer| match &configured.state {
        Err(NoContact::Because(reason)) => Some(shown::line(&reason.message)),
        _ => None,
    };
    configured.iter().filter_map(reason).collect()
}

/// Tells people of `problems`, but for what the rows of `configured` say themselves.
pub(crate) fn note_unsaid<'p>(
    app: &App,
    problems: impl Iterator<Item = &'p Problem>,
    configured: &[ConfiguredServer],
) {
    let said = rows_say(configured);
    note_all(app, problems.filter(|problem| !said.contains(&problem_text(problem))));
}

fn note_all<'p>(app: &App, problems: impl Iterator<Item = &'p Problem>) {
    for problem in problems.filter(|problem| problem.severity > Severity::Note) {
        note(app, problem);
    }
}

pub(crate) fn note(app: &App, problem: &Problem) {
    let text = problem_text(problem);
    // A command may come to it by several ways.
    if app.output.quiet || !app.broken.is_news(&text) {
        return;
    }
    let text = format!("{}: {text}", severity(problem));
    app.output.note(&paragraph(&text, app.stderr_room()));
}

fn severity(problem: &Problem) -> &'static str {
    match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        _ => "note",
    }
}

/// What to do about a file that cannot be understood.
pub(crate) fn correct(problem: &Problem) -> String {
    let place = problem.file.as_ref().map(ToString::to_string).unwrap_or_default();
    let path = problem.file.as_ref().and_then(ConfigSource::path);
    if let Some(path) = path.filter(|path| mcp_files::is_withheld_from_owner(path)) {
        return format!("chmod u+r {}", mcp_text::shell_word(&path.to_string_lossy()));
    }
    match problem.line {
        Some(line) => format!("correct line {line} of {place}"),
        None => format!("correct {place}"),
    }
}

/// File, field, message and next step of a problem on one line.
pub(crate) fn problem_text(problem: &Problem) -> String {
    shown::line(&problem.to_line())
}

impl From<&Problem> for ProblemRow {
    fn from(problem: &Problem) -> Self {
        Self {
            severity: severity(problem),
            file: problem.file.as_ref().map(ToString::to_string),
            line: problem.line,
            column: problem.column,
            field: problem.field.clone(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }
    }
}
