//! The server of a wrapped entry in our own file: put there before the host's file is changed, and out again where that fails.

use mcp_config::edit::Value;
use mcp_config::editor::{Editor, EntryPlace, FileEdit};
use mcp_config::hosts::{Input, KnownHost};
use mcp_config::import::Candidate;
use mcp_config::wrap::{WrapError, WrapFailure};

use super::refusal::refused;
use super::{WrapContext, WrapPlan};
use crate::app::App;
use crate::commands::change::ChangeFailure;
use crate::commands::import::{is_left_out, is_to_set, left_out};
use crate::commands::secrets;
use crate::error::CliError;
use crate::view::shown;

/// A server as it is put there.
pub(super) enum EntryMove {
    Imported(Box<Candidate>),
    /// An entry in our words.
    AsItIs(Value),
}

impl EntryMove {
    /// The server without the host's own switch, which stays in the host's file: whether the host starts it is for the host to say.
    pub(super) fn without_switch(self) -> Self {
        let is_switch = |key: &str| matches!(key, "disabled" | "enabled" | "isActive");
        let without = |value: &mut Value| {
            if let Value::Object(members) = value {
                members.retain(|(key, _)| !is_switch(key));
            }
        };
        match self {
            Self::Imported(mut one) => {
                without(&mut one.value);
                Self::Imported(one)
            }
            Self::AsItIs(mut value) => {
                without(&mut value);
                Self::AsItIs(value)
            }
        }
    }

    pub(super) fn value(&self) -> &Value {
        match self {
            Self::Imported(one) => &one.value,
            Self::AsItIs(value) => value,
        }
    }
}

/// Has a person type the secrets that the host asks for: the bridge cannot.
pub(super) async fn ask(app: &App, planned: &mut [WrapPlan]) -> Result<(), CliError> {
    let mut kept: Vec<(Input, String)> = Vec::new();
    for one in planned {
        let Some(EntryMove::Imported(server)) = &mut one.moves else { continue };
        for input in server.inputs.clone() {
            if !input.secret || !is_to_set(app, &input) {
                continue;
            }
            let known =
                kept.iter().find(|(known, _)| *known == input).map(|(_, reference)| reference.clone());
            let reference = match known {
                None => secrets::ask_for_input(app, &input).await?,
                known => known,
            };
            let Some(reference) = reference else { continue };
            server.answer_kept(&input, &reference);
            one.through.env_vars.retain(|name| *name != input.variable);
            kept.push((input, reference));
        }
    }
    Ok(())
}

/// The hosts that reach the server `name` of our own file by what `wrap` put there.
pub(super) fn hosts_that_reach(editor: &Editor, name: &str) -> Vec<&'static str> {
    let Ok(record) = editor.wrap_record() else { return Vec::new() };
    let hosts = record.hosts_of(name, None);
    hosts.into_iter().filter_map(|host| Some(KnownHost::named(host)?.title)).collect()
}

impl WrapContext<'_> {
    /// The name of a server that is given by its name or by its URL: that of the entry of the URL, or the one that it gets.
    pub(super) fn named_for(&mut self, word: &str) -> String {
        if !mcp_config::address::Address::is_one(word) {
            return word.to_owned();
        }
        if let Some(entry) = crate::loaded::with_address(&self.config, word) {
            return entry.name.clone();
        }
        let Some(name) = crate::commands::add::name_of_url(word) else { return word.to_owned() };
        let is_free = |name: &String| self.config.entry(name).is_none();
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let name = std::iter::once(name.clone()).chain(numbered).find(is_free).unwrap_or(name);
        let entry =
            [("type", "http"), ("url", word)].map(|(key, value)| (key.to_owned(), Value::from(value)));
        self.given.push((name.clone(), Value::Object(entry.into())));
        name
    }

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
