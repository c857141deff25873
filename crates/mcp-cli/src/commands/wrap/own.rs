//! The server of a wrapped entry in our own file: put there before the host's file is changed, and out again where that fails.

use mcp_config::edit::Value;
use mcp_config::editor::{EntryPlace, FileEdit};
use mcp_config::import::Candidate;
use mcp_config::wrap::{WrapError, WrapFailure};

use super::refusal::refused;
use super::{WrapContext, WrapPlan};
use crate::commands::change::ChangeFailure;
use crate::commands::import::{is_left_out, is_to_set, left_out};
use crate::error::CliError;
use crate::view::shown;

/// A server as it is put there.
pub(super) enum EntryMove {
    Imported(Box<Candidate>),
    /// An entry in our words.
    AsItIs(Value),
}

impl EntryMove {
    fn value(&self) -> &Value {
        match self {
            Self::Imported(one) => &one.value,
            Self::AsItIs(value) => value,
        }
    }
}

impl WrapContext<'_> {
    /// What is to be known before the servers are put there: what of them is not, and what they need then.
    pub(super) fn said(&self, planned: &[WrapPlan]) -> Vec<String> {
        let mut said = Vec::new();
        for one in planned {
            let Some(EntryMove::Imported(server)) = &one.moves else { continue };
            let lost = server.problems.iter().filter(|problem| is_left_out(problem));
            said.extend(lost.map(|problem| left_out(self.app, self.host, &one.name, problem)));
            let unset = server.inputs.iter().filter(|input| is_to_set(self.app, input));
            said.extend(unset.map(|input| {
                let what = input.description.as_deref().unwrap_or(&input.id);
                format!(
                    "set {} where {} runs ({what}); it is not asked for any more",
                    input.variable, self.host.title
                )
            }));
        }
        said.iter().map(|line| shown::line(line)).collect()
    }

    /// Does what is planned for one entry.
    pub(super) fn put(&self, one: &WrapPlan) -> Result<(), CliError> {
        let refused = |why| refused(self, &one.target, &one.name, Some(&one.through), true, why);
        let text = self.text(&one.target.place)?;
        if let Err(why @ WrapError::Name(_)) = one.target.wrapped(&text, &one.name, &one.through) {
            return Err(refused(WrapFailure::Refused(why)));
        }
        let stored = match &one.moves {
            Some(moves) => Some(self.store(&one.name, &one.own, moves)?),
            None => None,
        };
        let moved = one.moves.as_ref().map(EntryMove::value);
        let Err(why) = self.editor.wrap(&one.target, &one.name, &one.through, moved) else { return Ok(()) };
        // What a person is to paste has to lead somewhere.
        let is_pasted = matches!(why, WrapFailure::Refused(WrapError::NotEdited(_)));
        if let Some(stored) = stored.filter(|_| !is_pasted) {
            self.withdraw(&one.name, &one.own, &stored)?;
        }
        Err(refused(why))
    }

    fn store(&self, name: &str, place: &EntryPlace, moves: &EntryMove) -> Result<FileEdit, CliError> {
        let stored = self.editor.edit::<ChangeFailure>(place, |text| {
            let refused = |error| ChangeFailure::File(place.refused(error));
            let new = match moves {
                EntryMove::Imported(one) => one.apply(place, text).map_err(refused)?,
                EntryMove::AsItIs(value) => {
                    let path = place.path(text, name);
                    let set = mcp_config::edit::Change::Set(value.clone());
                    Some(mcp_config::edit::apply(text, &path, &set).map_err(refused)?)
                }
            };
            new.ok_or_else(|| {
                let message = format!("{} was changed meanwhile", shown::name(name));
                ChangeFailure::Refused(CliError::unwritten("file-busy", message).next("try again"))
            })
        })?;
        Ok(stored)
    }

    /// The host does not need it there; a file that was not there before is left as one without servers.
    fn withdraw(&self, name: &str, place: &EntryPlace, stored: &FileEdit) -> Result<(), CliError> {
        self.editor.edit::<ChangeFailure>(place, |text| match text == stored.after() && !stored.is_new {
            true => Ok(stored.before().to_owned()),
            false => place.without(text, name).map_err(|error| ChangeFailure::File(place.refused(error))),
        })?;
        Ok(())
    }
}
