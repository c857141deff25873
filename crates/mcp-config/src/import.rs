//! What it would change to take servers over from other hosts: a value, before anything is written.
//!
//! Each server that the files of hosts define is met once, whichever host has it, and compared with what stands under its name in
//! our own files: by what the two entries do, not by how they are written. So a second import finds everything there.

use crate::consent::Terms;
use crate::edit::{self, Change, EditError, Value};
use crate::editor::EntryPlace;
use crate::entry::{EntryServer, ServerEntry};
use crate::hosts::{HostListing, HostServer, Input, KnownHost, required};
use crate::{Config, Origin, Problem, Scope};

/// The servers of other hosts, each with what stands in its way.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ImportPlan {
    /// In the order of the hosts and of their files, those of projects last.
    pub candidates: Vec<Candidate>,
}

/// A server that could be taken over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its entry in a file of ours. It may hold secrets.
    pub value: Value,
    /// Where it was found.
    pub sources: Vec<FoundPlace>,
    /// What stands under its name here.
    pub standing: CandidateState,
    /// What stands under its name in the file that would be written. It may hold secrets.
    pub before: Option<Value>,
    /// What could not be taken over, and what became of what was.
    pub problems: Vec<Problem>,
    /// What its hosts ask for, and it refers to.
    pub inputs: Vec<Input>,
    /// The entry as it is read from the first of the files.
    pub entry: ServerEntry,
    terms: Terms,
}

/// A place where a server was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FoundPlace {
    /// Whose file it is.
    pub host: &'static KnownHost,
    /// Whether a project brings it along.
    pub of_project: bool,
    /// Its place.
    pub origin: Origin,
}

/// What stands under the name of a candidate here.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CandidateState {
    /// Nothing.
    New,
    /// The same server, there.
    Same(Origin),
    /// Another server, there.
    Differs(Origin),
    /// Nothing, but a host before this one has another server of that name.
    DiffersFrom(&'static KnownHost),
    /// It cannot be used, for this reason.
    Unusable(String),
}

impl ImportPlan {
    /// Compares what was found with `config`; `text` is what is in the file that would be written, at `place`.
    ///
    /// # Errors
    ///
    /// `text` is not JSON.
    pub fn new(
        found: &[HostListing],
        config: &Config,
        place: &EntryPlace,
        text: &str,
    ) -> Result<Self, EditError> {
        let mut plan = Self::default();
        // What a project brings along takes no name from what this person has.
        let (of_projects, own): (Vec<_>, Vec<_>) = found.iter().partition(|file| file.of_project);
        for file in own.into_iter().chain(of_projects) {
            for carried in &file.servers {
                plan.add(file, carried, config, place, text)?;
            }
        }
        Ok(plan)
    }

    fn add(
        &mut self,
        file: &HostListing,
        carried: &HostServer,
        config: &Config,
        place: &EntryPlace,
        text: &str,
    ) -> Result<(), EditError> {
        let name = &carried.entry.name;
        let source =
            FoundPlace { host: file.host, of_project: file.of_project, origin: carried.entry.origin.clone() };
        let same_name = || self.candidates.iter().position(|known| known.name == *name);
        let same = self.candidates.iter().position(|known| {
            known.name == *name && known.terms.digest() == carried.terms.digest() && !is_unusable(known)
        });
        if let Some(known) = same {
            let known = &mut self.candidates[known];
            known.sources.push(source);
            known.problems.extend(carried.problems.iter().cloned());
            let missing: Vec<_> =
                carried.inputs.iter().filter(|input| !known.inputs.contains(input)).cloned().collect();
            known.inputs.extend(missing);
            return Ok(());
        }
        let before = edit::value_at(text, &place.path(text, name))?;
        let standing = match unusable(carried) {
            Some(why) => CandidateState::Unusable(why),
            None => match (standing(carried, config, place), same_name()) {
                (CandidateState::New, Some(first)) => {
                    let first = &self.candidates[first].sources[0];
                    CandidateState::DiffersFrom(first.host)
                }
                (standing, _) => standing,
            },
        };
        self.candidates.push(Candidate {
            name: name.clone(),
            value: carried.value.clone(),
            sources: vec![source],
            standing,
            before,
            problems: carried.problems.clone(),
            inputs: carried.inputs.clone(),
            entry: carried.entry.clone(),
            terms: carried.terms.clone(),
        });
        Ok(())
    }
}

fn is_unusable(candidate: &Candidate) -> bool {
    matches!(candidate.standing, CandidateState::Unusable(_))
}

/// Why an entry cannot be used anywhere but in its host.
fn unusable(carried: &HostServer) -> Option<String> {
    match carried.entry.server {
        EntryServer::Remote(_) | EntryServer::Stdio(_) => None,
        EntryServer::NotConfigured { .. } => Some("its address is empty".to_owned()),
        EntryServer::InProcess => Some("it lives in its host; nothing outside can reach it".to_owned()),
        EntryServer::Invalid => {
            let error = carried.problems.iter().find(|problem| problem.severity == crate::Severity::Error);
            let said = error.map(|problem| match &problem.field {
                Some(field) => format!("{field}: {}", problem.message),
                None => problem.message.clone(),
            });
            Some(said.unwrap_or_else(|| "its entry cannot be used".to_owned()))
        }
    }
}

/// The definitions in force come first, so that what is told is what counts. Those that an entry at `place` overrules are in
/// the way of none.
fn standing(carried: &HostServer, config: &Config, place: &EntryPlace) -> CandidateState {
    let digest = carried.terms.digest();
    let is_overruled = |entry: &&ServerEntry| {
        place.scope == Scope::Mcplink
            && place.folder().is_some()
            && entry.scope == Scope::Mcplink
            && !entry.is_of_one_project()
    };
    let ours = || config.definitions(&carried.entry.name).filter(|entry| !is_overruled(entry));
    // An entry of a file that is read anyway is itself, whatever is made of it elsewhere.
    let is_it = |entry: &&ServerEntry| entry.origin.place == carried.entry.origin.place;
    match ours().find(|entry| entry.terms().digest() == digest || is_it(entry)) {
        Some(same) => CandidateState::Same(same.origin.clone()),
        None => {
            ours().next().map_or(CandidateState::New, |entry| CandidateState::Differs(entry.origin.clone()))
        }
    }
}

impl Candidate {
    /// Whether only projects bring it along: nothing that this person keeps defines it.
    ///
    /// Security: who clones a project has agreed to nothing in it, and an entry of our own file needs no agreement.
    pub fn is_of_project(&self) -> bool {
        self.sources.iter().all(|source| source.of_project)
    }

    /// Whether it may be taken over without being named: it is new, and is in a file of this person.
    pub fn is_offered(&self) -> bool {
        self.standing == CandidateState::New && !self.is_of_project()
    }

    /// Whether it may be taken over by naming it.
    pub fn can_be_taken(&self) -> bool {
        !matches!(self.standing, CandidateState::Same(_) | CandidateState::Unusable(_))
    }

    /// `text`, what is in the file at `place`, with this server in it. `None` where something else stands under its name
    /// than when the plan was made.
    ///
    /// # Errors
    ///
    /// See [`edit::apply`].
    pub fn apply(&self, place: &EntryPlace, text: &str) -> Result<Option<String>, EditError> {
        let path = place.path(text, &self.name);
        let found = edit::value_at(text, &path)?;
        if found.as_ref() == Some(&self.value) {
            return Ok(Some(text.to_owned()));
        }
        if found != self.before {
            return Ok(None);
        }
        edit::apply(text, &path, &Change::Set(self.value.clone())).map(Some)
    }

    /// Has a reference to a secret that is kept stand in the place of the variable of an input.
    pub fn answer_kept(&mut self, input: &Input, reference: &str) {
        replace(&mut self.value, &required(&input.variable), reference);
        self.inputs.retain(|known| known.variable != input.variable);
    }

    /// Has the variable of a plain input be this value where it is not set. For what is not a secret only.
    pub fn answer(&mut self, input: &Input, value: &str) {
        if input.secret || value.contains('}') {
            return;
        }
        let filled = format!("${{{}:-{value}}}", input.variable);
        replace(&mut self.value, &required(&input.variable), &filled);
    }
}

fn replace(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) => *text = text.replace(from, to),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, from, to)),
        Value::Object(members) => members.iter_mut().for_each(|(_, value)| replace(value, from, to)),
        _ => {}
    }
}
