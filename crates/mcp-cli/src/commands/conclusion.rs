//! Files that cannot be understood: every command that could have to do with one names it, once, and those that only tell
//! what there is end with 2. Files that are believed and that anyone may change are named in the same way, and change no end.

use mcp_config::Problem;

use crate::app::App;
use crate::args::Command;
use crate::broken::SeenFiles;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::menu;
use crate::printed_step::PrintedStep;
use crate::problems::{correct, note, problem_text};
use crate::view::shown;
use crate::view::wrap::paragraph;

/// What the configuration is to a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum FileUse {
    /// Nothing: it answers from itself, only takes something away, or judges files as its answer.
    None,
    /// Where it finds what it acts on. What it did is its result: a call is not made again because of another file.
    Means,
    /// What it tells of, which is not all there is where a file is broken.
    Answer,
}

impl FileUse {
    fn of(command: &Command) -> Self {
        match command {
            Command::Menu(_) => Self::Answer,
            Command::Reset(args) if args.names.is_empty() => Self::Answer,
            Command::Reconnect(args) if args.names.is_empty() => Self::Answer,
            Command::List
            | Command::Status(_)
            | Command::Doctor(_)
            | Command::Get(_)
            | Command::Ps
            | Command::Accounts(_)
            | Command::Headers(_)
            | Command::Logs(_)
            | Command::Hosts
            | Command::Paths => Self::Answer,
            Command::Wait(_)
            | Command::Reset(_)
            | Command::Reconnect(_)
            | Command::Login(_)
            | Command::Logout(_)
            | Command::SupportBundle(_)
            | Command::Trust(_)
            | Command::Approve(_)
            | Command::Reject(_)
            | Command::ApproveTools(_)
            | Command::Tools(_)
            | Command::Call(_)
            | Command::Resources(_)
            | Command::Read(_)
            | Command::Prompts(_)
            | Command::Prompt(_)
            | Command::Complete(_)
            | Command::Ping(_)
            | Command::Add(_)
            | Command::AddJson(_)
            | Command::Remove(_)
            | Command::Enable(_)
            | Command::Disable(_)
            | Command::Import(_)
            | Command::Wrap(_)
            | Command::Unwrap(_) => Self::Means,
            Command::Stop(_)
            | Command::Untrust(_)
            | Command::Bridge(_)
            | Command::Validate(_)
            | Command::Schema
            | Command::Secret(_)
            | Command::AuthPlugin(_)
            | Command::Demo(_)
            | Command::Completions(_)
            | Command::Candidates(_)
            | Command::Man(_)
            | Command::Version
            | Command::Help(_) => Self::None,
        }
    }
}

/// How a command ends that ended like this, and the names of the broken files that it has not named.
pub(super) struct Conclusion(FileUse);

impl Conclusion {
    /// That of a command that is about to run.
    pub(super) fn of(command: &Command, app: &App) -> Self {
        match command {
            // Its screen tells what is wrong as long as it is there.
            Command::Menu(_) if menu::can_be_shown(app) => Self(FileUse::None),
            _ => Self(FileUse::of(command)),
        }
    }

    /// The end of the command.
    ///
    /// # Errors
    ///
    /// That of the command; with `--json`, a broken file is one where a command that tells what there is succeeded. Beside the
    /// result of one that acts, it is a warning: a line of its own on standard error.
    pub(super) fn draw(self, app: &App, ended: Result<ExitStatus, CliError>) -> Result<ExitStatus, CliError> {
        if self.0 == FileUse::None || matches!(ended, Ok(ExitStatus::Interrupted | ExitStatus::Terminated)) {
            return ended;
        }
        let SeenFiles { broken, open_to_all } = match app.broken.seen() {
            Some(seen) => seen,
            None => SeenFiles::of(&app.load_as_is()?.config),
        };
        for problem in &open_to_all {
            match app.json {
                true if app.quiet => {}
                true => app.output.error(&open_file(problem).to_json_warning()),
                false => note(app, problem),
            }
        }
        let Some(first) = broken.first() else { return ended };
        let is_answer = self.0 == FileUse::Answer;
        let in_error = ended.as_ref().err().and_then(|error| error.why.clone()).unwrap_or_default();
        let is_in_error = |problem: &Problem, text: &str| {
            // A command that could not change a broken file has said why, and what to do.
            let file = || problem.file.as_ref().map(|file| shown::line(&file.to_string()));
            let is_failure = |error: &CliError| {
                let names_file = || file().is_some_and(|file| error.message.contains(&*file));
                error.message.contains(text) || error.code == "invalid-config" && names_file()
            };
            in_error.contains(text) || ended.as_ref().is_err_and(is_failure)
        };
        if app.json {
            // Its result is a document of its own, which may be a server's.
            for problem in broken.iter().filter(|_| self.0 == FileUse::Means && !app.quiet) {
                if !is_in_error(problem, &problem_text(problem)) {
                    app.output.error(&broken_file(problem).to_json_warning());
                }
            }
            return match ended {
                Ok(_) if is_answer => Err(broken_file(first)),
                _ => ended,
            };
        }
        for problem in &broken {
            let text = problem_text(problem);
            let is_said = is_in_error(problem, &text);
            // Where it decides how the command ends, it is the error of it, which is told whatever else is not.
            let is_error = is_answer && ended.is_ok();
            if is_said || (app.output.quiet && !is_error) || !app.broken.is_news(&text) {
                continue;
            }
            app.output.error(&paragraph(&format!("error: {text}"), app.stderr_room()));
        }
        match ended {
            Ok(_) if is_answer => Ok(ExitStatus::Usage),
            ended => ended,
        }
    }
}

/// A file that anyone may change, as a warning of a command.
fn open_file(problem: &Problem) -> CliError {
    let warning = CliError::usage("file-open-to-all", problem.to_string());
    match &problem.hint {
        Some(command) => warning.next(PrintedStep::Command(command.clone())),
        None => warning,
    }
}

/// A file that cannot be understood, as the failure of a command.
pub(super) fn broken_file(problem: &Problem) -> CliError {
    CliError::usage("invalid-config", problem_text(problem)).next(correct(problem))
}
