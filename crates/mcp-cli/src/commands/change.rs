//! What commands that change files of configuration have in common: the place, the difference, the failure.

use mcp_config::edit::{self, Change, Value};
use mcp_config::editor::{Editor, EntryPlace};
use mcp_config::{Config, ConfigError, ConfigErrorKind, Scope};

use crate::error::{CliError, SEE_TO_PLACE};
use crate::view::shown;

/// Changes files under the locks of this person.
pub(super) fn editor(config: &Config) -> Result<Editor, CliError> {
    let directory = config.locations.state_dir.as_ref().ok_or_else(|| {
        CliError::usage("no-state-dir", "there is no home directory for the locks of files that are changed")
            .next("set MCPLINK_STATE_DIR to a directory")
    })?;
    Ok(Editor::new(directory))
}

/// Where entries of `scope` are written.
pub(super) fn place(config: &Config, scope: Scope) -> Result<EntryPlace, CliError> {
    config.place_of(scope).ok_or_else(|| match scope {
        Scope::Managed | Scope::Dynamic => {
            CliError::usage("usage", format!("no command writes {scope} servers"))
                .next("use --scope mcplink, user, local or project")
        }
        _ => {
            CliError::usage("no-home", format!("there is no home directory for the file of {scope} servers"))
                .next("set HOME, or MCPLINK_CONFIG to the file")
        }
    })
}

/// The same for a person who says no scope, or that it is for this project alone.
pub(super) fn place_for(
    config: &Config,
    scope: Option<Scope>,
    only_here: bool,
) -> Result<EntryPlace, CliError> {
    let wanted = scope.unwrap_or(Scope::Mcplink);
    if !only_here {
        return place(config, wanted);
    }
    if wanted != Scope::Mcplink {
        let why = match wanted {
            Scope::Local | Scope::Project => format!("{wanted} servers are of one project anyway"),
            _ => format!("{wanted} servers are of every project"),
        };
        let error = CliError::usage("usage", "--only-here is for the file of mcplink itself");
        return Err(error.why(why).next("leave --scope out, or --only-here"));
    }
    config.own_place_in_project().map_or_else(|| place(config, wanted), Ok)
}

/// A file that was not changed.
#[derive(Debug)]
pub(super) enum ChangeFailure {
    /// It cannot be.
    File(ConfigError),
    /// It must not be.
    Refused(CliError),
}

impl From<ConfigError> for ChangeFailure {
    fn from(error: ConfigError) -> Self {
        Self::File(error)
    }
}

impl From<ChangeFailure> for CliError {
    fn from(error: ChangeFailure) -> Self {
        match error {
            ChangeFailure::Refused(error) => error,
            ChangeFailure::File(error) => {
                let file = mcp_text::shell_word(&error.path().display().to_string());
                let (code, next) = match error.kind() {
                    ConfigErrorKind::Edit => {
                        ("invalid-config", format!("correct {file}; it is left as it is"))
                    }
                    ConfigErrorKind::Encoding => ("invalid-config", format!("save {file} as UTF-8")),
                    ConfigErrorKind::ReadOnly if cfg!(unix) => {
                        ("file-not-written", format!("chmod u+w {file}"))
                    }
                    ConfigErrorKind::Full => ("file-not-written", "make room on that disk".to_owned()),
                    ConfigErrorKind::Locked => ("file-busy", "try again".to_owned()),
                    ConfigErrorKind::Write => {
                        ("file-not-written", format!("{SEE_TO_PLACE}, or name another file with --scope"))
                    }
                    _ => ("file-not-written", format!("look at {file}, or name another file with --scope")),
                };
                let exit = crate::exit::of_file(error.kind());
                Self::new(exit, code, shown::line(&format!("could not {error}"))).next(next)
            }
        }
    }
}

/// An entry as it would stand in a file, without its secrets, each line behind `mark`.
pub(super) fn entry_lines(mark: char, name: &str, entry: &Value) -> String {
    let alone = edit::apply("{}", &[name], &Change::Set(entry.shown())).unwrap_or_default();
    let lines: Vec<&str> = alone.lines().collect();
    let inner = lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default();
    inner.iter().map(|line| format!("{mark} {}\n", mcp_text::block(line))).collect()
}
