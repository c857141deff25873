//! How a server is switched on or off: which file says so afterwards, and with which words.
//!
//! An entry of this tool's own file says it itself. Of an entry in a file that others share, the own file says it, in
//! `overrides`: for this project where the entry is one of it, else by name.

use crate::edit::{self, Change, EditError, Value};
use crate::editor::{EntryPlace, place_in_own_file, removed_and_pruned};
use crate::entry::{Scope, ServerEntry, Switch};
use crate::{Config, Origin};

/// The members by which an entry can say that it is off.
const SWITCHES: [&str; 3] = ["disabled", "enabled", "isActive"];

/// What has to be written to switch one entry on or off.
#[derive(Clone, Debug)]
pub struct SwitchPlan {
    name: String,
    on: bool,
    /// The entry is in the file that is written.
    is_own: bool,
    /// Others than the file that is written say that it is off.
    off_elsewhere: bool,
    own: EntryPlace,
    /// Where the entry itself stands, if it is in the own file.
    entry: EntryPlace,
    project: EntryPlace,
    /// Where an override of it belongs.
    for_project: bool,
}

impl Config {
    /// How the entry in force under `name` is switched; `None` where there is no such entry, or no place for this tool's own
    /// file.
    pub fn switching(&self, name: &str, on: bool) -> Option<SwitchPlan> {
        let entry = self.entry(name)?;
        let own = self.place_of(Scope::Mcplink)?;
        let file = entry.origin.place.path();
        let is_own = entry.scope == Scope::Mcplink && file == Some(&own.file);
        let elsewhere = |at: &Origin| !(is_own && at.place.path() == Some(&own.file));
        let off_elsewhere = matches!(&entry.below, Switch::Off(all) if all.iter().any(elsewhere));
        Some(SwitchPlan {
            name: name.to_owned(),
            on,
            is_own,
            off_elsewhere,
            project: place_in_own_file(&self.locations, Some(&self.project.root))?,
            entry: self.place_of_entry(name, Scope::Mcplink)?,
            own,
            for_project: entry.is_of_one_project(),
        })
    }
}

impl ServerEntry {
    /// Whether a person switched it off, in whichever file that stands.
    pub fn is_switched_off(&self) -> bool {
        matches!(self.switch, Switch::Off(_))
    }
}

impl SwitchPlan {
    /// The same in this project alone: an entry that every project has stays as it is, and is overridden here.
    #[must_use]
    pub fn only_in_project(self) -> Self {
        let is_for_all = !self.for_project;
        Self {
            is_own: self.is_own && !is_for_all,
            // What the entry itself says is elsewhere now.
            off_elsewhere: self.off_elsewhere || self.is_own && is_for_all,
            for_project: true,
            ..self
        }
    }

    /// The file that is written.
    pub fn place(&self) -> &EntryPlace {
        &self.own
    }

    /// The path to what says it afterwards, in the file as it is then; `None` where nothing has to.
    pub fn says(&self, text: &str) -> Option<Vec<String>> {
        let [of_project, of_all] = self.overrides(text);
        let own = self.entry.path(text, &self.name);
        let paths = [of_project, of_all, own].map(|path| below(&path, "disabled"));
        paths.into_iter().find(|path| matches!(edit::value_at(text, path), Ok(Some(_))))
    }

    /// The text of the file with the switch set.
    ///
    /// # Errors
    ///
    /// See [`edit::apply`].
    pub fn apply(&self, text: &str) -> Result<String, EditError> {
        let [of_project, of_all] = self.overrides(text).map(|path| below(&path, "disabled"));
        let says_all = edit::value_at(text, &of_all)? == Some(Value::Bool(true));
        let mut text = text.to_owned();
        if self.for_project {
            // What is said of every project stays, and is overruled.
            let is_needed = if self.on { self.off_elsewhere || says_all } else { !self.is_own };
            text = overridden(&text, &of_project, is_needed.then_some(!self.on))?;
        } else {
            // The one of the project is the stronger: it must not say the opposite.
            text = overridden(&text, &of_project, None)?;
            let is_needed = if self.on { self.off_elsewhere } else { !self.is_own };
            text = overridden(&text, &of_all, is_needed.then_some(!self.on))?;
        }
        if self.is_own {
            let entry = self.entry.path(&text, &self.name);
            if self.on {
                for switch in SWITCHES {
                    text = without_switch(&text, &below(&entry, switch))?;
                }
            } else if !says_off(&text, &entry)? {
                text = set(&text, &below(&entry, "disabled"), true)?;
            }
        }
        Ok(text)
    }

    /// The overrides of this project, and of every one.
    fn overrides(&self, text: &str) -> [Vec<String>; 2] {
        [&self.project, &self.own].map(|place| place.path_of_override(text, &self.name))
    }
}

/// Has the override at `path` say this, or nothing.
fn overridden(text: &str, path: &[String], says: Option<bool>) -> Result<String, EditError> {
    match says {
        Some(value) => set(text, path, value),
        None => removed_and_pruned(text, path),
    }
}

/// Whether an entry says already that it is off.
fn says_off(text: &str, entry: &[String]) -> Result<bool, EditError> {
    let Some(entry) = edit::value_at(text, entry)? else { return Ok(false) };
    Ok(entry.get("disabled") == Some(&Value::Bool(true))
        || ["enabled", "isActive"].iter().any(|switch| entry.get(switch) == Some(&Value::Bool(false))))
}

fn set(text: &str, path: &[String], value: bool) -> Result<String, EditError> {
    if edit::value_at(text, path)? == Some(Value::Bool(value)) {
        return Ok(text.to_owned());
    }
    edit::apply(text, path, &Change::Set(Value::Bool(value)))
}

/// Takes a member away that says that its entry is off; one that says the opposite stays as it is written.
fn without_switch(text: &str, path: &[String]) -> Result<String, EditError> {
    let on = Value::Bool(path.last().is_some_and(|key| key != "disabled"));
    match edit::value_at(text, path)? {
        Some(value) if value != on && value != Value::Null => edit::apply(text, path, &Change::Remove),
        _ => Ok(text.to_owned()),
    }
}

fn below(path: &[String], key: &str) -> Vec<String> {
    path.iter().cloned().chain([key.to_owned()]).collect()
}
