//! What is said where a file of a host is not changed.

use mcp_config::wrap::{BridgeCommand, HostTarget, WrapError, WrapFailure};

use super::WrapContext;
use crate::app::App;
use crate::commands::change::ChangeFailure;
use crate::error::CliError;
use crate::hosts::short;
use crate::view::shown;

/// No option names another file in the place of a host's.
pub(super) fn of_its_file(app: &App, failure: ChangeFailure) -> CliError {
    let file = match &failure {
        ChangeFailure::File(error) => Some(short(app, &error.path().display().to_string())),
        ChangeFailure::Refused(_) => None,
    };
    let error = CliError::from(failure);
    match (&error.next, file) {
        (Some(next), Some(file)) if next.as_str().contains("--scope") => {
            error.next(format!("look at {file}"))
        }
        _ => error,
    }
}

/// What to say of a file that is not changed.
pub(super) fn refused(
    around: &WrapContext<'_>,
    one: &HostTarget,
    name: &str,
    through: Option<&BridgeCommand>,
    wrote: bool,
    why: WrapFailure,
) -> CliError {
    match why {
        WrapFailure::File(error) => of_its_file(around.app, ChangeFailure::File(error)),
        WrapFailure::Refused(WrapError::Edit(error)) => {
            of_its_file(around.app, ChangeFailure::File(one.place.refused(error)))
        }
        WrapFailure::Refused(error) => {
            let file = short(around.app, &one.place.file.display().to_string());
            // Beside an entry that is there it would be the second of its name, and break the whole file.
            let is_there = around.found.iter().any(|file| {
                let is_it = file.place.path() == Some(&one.place.file);
                is_it && file.servers.iter().any(|server| server.entry.name == name)
            });
            let instead =
                if is_there { format!(", in the place of {}", shown::name(name)) } else { String::new() };
            if let (WrapError::NotEdited(_), Some(through)) = (&error, through) {
                let there = around.text(&one.place).unwrap_or_default();
                let text = one.shown(&there, name, through);
                let text = mcp_text::block(&text);
                around.app.output.out(&format!("put this into {file}{instead}:\n{text}"));
            }
            let next = match (&error, wrote) {
                (WrapError::NotEdited(_), true) => format!("paste it into {file}{instead}").into(),
                // Its server is taken over first, so that what is pasted leads somewhere.
                (WrapError::NotEdited(_), false) => {
                    let name = mcp_text::shell_word(name);
                    around.app.steps.step(format!("mcplink wrap {} {name} --yes", around.host.name))
                }
                (WrapError::Name(_), _) => {
                    format!("give it a name without $, {{env: and {{file: in {file}").into()
                }
                (WrapError::Renamed(now), _) => {
                    format!("call {} {} again in {file}", shown::name(now), shown::name(name)).into()
                }
                _ => format!("look at {file}").into(),
            };
            let why = match (&error, wrote) {
                (WrapError::NotEdited(why), true) => {
                    let out = mcp_text::shell_word(name);
                    format!(
                        "{why}; its server is in mcplink's own file now (mcplink remove {out} takes it out)"
                    )
                }
                _ => error.to_string(),
            };
            CliError::usage("not-edited", format!("{file} is not changed")).why(shown::line(&why)).next(next)
        }
        _ => CliError::usage("not-edited", "the file is not changed"),
    }
}
