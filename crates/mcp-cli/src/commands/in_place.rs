//! Commands that change entries do not go together with `--from`: the file of another host is read in place, and what would be
//! changed in its stead is another server.

use mcp_config::{Scope, ServerEntry};

use crate::app::App;
use crate::args::EntryChange;
use crate::error::CliError;
use crate::hosts::short;
use crate::printed_step::PrintedStep;
use crate::view::shown;

/// Refuses what changes entries where the files of a host are read in place, before anything is done.
///
/// # Errors
///
/// A usage error, which says where the entry stands, and what changes it.
pub(super) fn refuse(app: &App, change: Option<EntryChange<'_>>) -> Result<(), CliError> {
    let (Some(host), Some(change)) = (app.from(), change) else { return Ok(()) };
    let refused = || CliError::usage("read-in-place", format!("nothing of {} is changed here", host.title));
    let (EntryChange::Remove(names) | EntryChange::Switch(names, _)) = change else {
        return Err(refused()
            .why("--from reads its files in place, and what is added is in a file of ours")
            .next(format!("leave out --from {}", host.name)));
    };
    let (loaded, own) = (app.load_as_is()?, app.own_config()?);
    let Some((name, entry)) = names.iter().find_map(|name| Some((name, loaded.config.entry(name)?))) else {
        return Err(names.first().map_or_else(refused, |name| loaded.unknown(name)));
    };
    let (shown_name, place) = (shown::name(name), at(app, entry));
    let mut why = format!("{shown_name} is read in place from {place}");
    let ours = own.entry(name);
    let next = match ours.filter(|ours| ours.origin == entry.origin) {
        // A file that is read anyway.
        Some(ours) => PrintedStep::Command(command(change, ours)),
        None => {
            if let Some(ours) = ours {
                why.push_str(&format!("; without --from it is another server, of {}", at(app, ours)));
            }
            PrintedStep::Sentence(match change {
                EntryChange::Switch(_, on) => {
                    let word = if on { "on" } else { "off" };
                    format!("switch {shown_name} {word} in {}, or in {place}", host.title)
                }
                _ => format!("take {shown_name} out in {}, or out of {place}", host.title),
            })
        }
    };
    Err(refused().why(shown::line(&why)).next(next))
}

/// Where an entry stands, as a person of this home would write it.
pub(super) fn at(app: &App, entry: &ServerEntry) -> String {
    match entry.origin.place.path() {
        Some(path) => format!("{}:{}", short(app, &path.display().to_string()), entry.origin.line),
        None => entry.origin.place.to_string(),
    }
}

/// The same command about the file that has the entry.
fn command(change: EntryChange<'_>, entry: &ServerEntry) -> String {
    let word = mcp_text::shell_word(&entry.name);
    match change {
        EntryChange::Switch(_, on) => format!("mcplink {} {word}", if on { "enable" } else { "disable" }),
        _ if entry.scope == Scope::Mcplink => format!("mcplink remove {word}"),
        _ => format!("mcplink remove {word} --scope {}", entry.scope),
    }
}
