//! How other hosts write their servers: where each keeps them, in which format, and with which words.
//!
//! Everything that is known of a host is in one file, `hosts/known/HOST.rs`, as a value of [`KnownHost`]; what is common to
//! many is one table of words. Reading is pure: a text becomes a tree in our own form whose every value still knows its
//! place in the host's file, so whatever is said of an entry afterwards names the line that a person can open.
//!
//! | to add | write |
//! |---|---|
//! | a host | a file in `known/`, and its line in `known.rs` |
//! | a word that a host has for a field | a row in its `fields`, or in `words.rs` where several have it |
//! | a program that is a bridge to a remote server, or an option of one | a row in `lines/table.rs` |

mod draft;
pub(crate) mod elsewhere;
mod entry;
mod found;
mod known;
mod lines;
pub(crate) mod own_bridges;
mod place;
mod read;
mod shape;
pub(crate) mod shared;
#[cfg(test)]
mod tests;
mod toml;
mod variables;
mod whole;
pub(crate) mod words;
mod yaml;

use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) use found::written;
pub use found::{HostListing, HostServer, anchored};
pub use lines::AddressOption;
pub(crate) use lines::{CommandLine, OptionMeaning};
pub(crate) use place::{Base, Folder};
pub use variables::Input;
pub(crate) use variables::{EditorVariables, Form, required};
pub(crate) use words::FieldMeaning;
pub(crate) use yaml::parse as parse_yaml;

use crate::{Env, Platform, Project};

/// A program that has MCP servers in files of its own.
#[non_exhaustive]
pub struct KnownHost {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name as people write it.
    pub title: &'static str,
    /// Its files, the ones whose definitions win first.
    pub(crate) files: &'static [HostFile],
    /// Files of another host that it reads as well, after its own: they are listed and changed as that host's alone.
    pub(crate) files_of_others: &'static [HostFile],
    /// What a word means in it, where that is not the usual meaning.
    pub(crate) fields: &'static [(&'static str, FieldMeaning)],
    /// Its words for an address, the one first that counts where an entry has several.
    pub(crate) addresses: &'static [&'static str],
    /// The ways to write a reference to a variable that it has; what is written otherwise is a text to it.
    pub(crate) forms: &'static [Form],
    /// Words of `type` for what is built into it.
    pub(crate) built_in: &'static [&'static str],
    /// Where a file of it lists the names of servers that are off.
    pub(crate) off: &'static [&'static str],
    /// Where a file of it lists the names of servers that are on, all others being off.
    pub(crate) on: &'static [&'static str],
    /// Where a file of it has rules that refuse servers.
    pub(crate) rules: &'static [&'static str],
    /// What a file says of all its servers at once, outside of their entries.
    pub(crate) of_all: &'static [(&'static str, FieldMeaning)],
    /// Its files are those that are read anyway.
    pub(crate) is_native: bool,
    /// How it is told of a local server.
    pub(crate) local: LocalForm,
    /// It is started by a desktop, whose `PATH` is not that of a terminal.
    pub(crate) of_desktop: bool,
    /// The variables of its own that it hands to a local server, where those are not all: any other one has to be named in
    /// `env_vars` of the entry.
    pub(crate) hands_on: Option<&'static [&'static str]>,
    /// It starts local servers, and connects to no address that its file has.
    pub(crate) is_local_only: bool,
}

/// How a local server is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LocalForm {
    /// `command` and `args`, behind these members.
    Command(&'static [(&'static str, &'static str)]),
    /// The same, with the tools that may be used, which are all.
    CommandAndTools(&'static [(&'static str, &'static str)]),
    /// `type: local`, and one list of words as `command`.
    Words,
}

/// One file of a host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostFile {
    pub(crate) base: Base,
    /// Below the base; `/` between the parts on every platform.
    pub(crate) path: &'static str,
    pub(crate) format: Format,
    /// Where the servers are: keys from the outside in, the special ones first.
    pub(crate) keys: &'static [&'static [&'static str]],
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    /// With comments and trailing commas, in every host: who writes none has none.
    Json,
    Toml,
    Yaml,
}

/// What most hosts are like.
const PLAIN: KnownHost = KnownHost {
    name: "",
    title: "",
    files: &[],
    files_of_others: &[],
    fields: &[],
    addresses: &["url"],
    forms: &[],
    built_in: &[],
    off: &[],
    on: &[],
    rules: &[],
    of_all: &[],
    is_native: false,
    local: LocalForm::Command(&[]),
    of_desktop: false,
    hands_on: None,
    is_local_only: false,
};

/// How references are written in a file that several hosts read.
const PORTABLE: &[Form] = &[Form::Plain, Form::Default, Form::Env, Form::Editor, Form::Input];

/// The key that most hosts have.
const SERVERS: &[&[&str]] = &[&["mcpServers"]];

const fn json(base: Base, path: &'static str) -> HostFile {
    HostFile { base, path, format: Format::Json, keys: SERVERS }
}

impl HostFile {
    const fn under(self, keys: &'static [&'static [&'static str]]) -> Self {
        Self { keys, ..self }
    }

    const fn written_in(self, format: Format) -> Self {
        Self { format, ..self }
    }

    /// Whether a project brings it along.
    pub(crate) fn is_of_project(&self) -> bool {
        self.base == Base::Project
    }

    /// Whether there is nothing else in it than servers.
    fn is_for_servers(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.format == Format::Json && (name.contains("mcp") || name.contains("desktop"))
    }
}

impl KnownHost {
    /// Every host that is known, in the order in which people are told of them.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        known::ALL.iter().copied()
    }

    /// The host of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|host| host.name == name)
    }

    /// The name that is nearest to `name`, if one is near enough to be what was meant.
    pub fn nearest(name: &str) -> Option<&'static str> {
        crate::suggest::nearest(name, Self::all().map(|host| host.name))
    }

    /// Whether its files are read anyway, because they are Claude Code's.
    pub fn is_read_anyway(&self) -> bool {
        self.is_native
    }

    /// The variables of its own environment that a local server gets, where those are not all. Others are named in the entry.
    pub fn hands_on(&self) -> Option<&'static [&'static str]> {
        self.hands_on
    }

    /// Whether it starts local servers alone, so that an address in its file is of no use to it.
    pub fn is_local_only(&self) -> bool {
        self.is_local_only
    }

    /// Whether a desktop starts it, whose `PATH` is not that of a terminal.
    pub fn is_started_by_desktop(&self) -> bool {
        self.of_desktop
    }

    /// The files that a person of this environment, in this project, may have; nothing is looked at.
    pub(crate) fn places(
        &'static self,
        env: &Env,
        project: &Project,
        platform: Platform,
    ) -> Vec<(HostPlace, PathBuf)> {
        let mut places = self.places_that_are_read(env, project, platform);
        places.retain(|(place, _)| place.number < self.files.len());
        places
    }

    /// The same, with those of other hosts that it reads as well.
    pub(crate) fn places_that_are_read(
        &'static self,
        env: &Env,
        project: &Project,
        platform: Platform,
    ) -> Vec<(HostPlace, PathBuf)> {
        let folder = Folder { env, cwd: &project.cwd, platform };
        let files = || self.files.iter().chain(self.files_of_others).enumerate();
        let place = |number| HostPlace { host: self, number };
        let own: Vec<_> = files()
            .filter(|(_, file)| !file.is_of_project())
            .filter_map(|(number, file)| Some((place(number), below(&folder.of(file.base)?, file.path))))
            .collect();
        let up = || project.cwd.ancestors().take_while(|dir| dir.starts_with(&project.root));
        let mut places = Vec::new();
        for (number, file) in files().filter(|(_, file)| file.is_of_project()) {
            places.extend(up().map(|dir| (place(number), below(dir, file.path))));
        }
        // In the home directory both are one file, and it is the person's.
        places.retain(|(_, path)| !own.iter().any(|(_, other)| other == path));
        places.extend(own);
        places
    }
}

/// Where the servers of a file are.
pub(crate) fn servers_of(
    root: &crate::json::Object,
    keys: &'static [&'static [&'static str]],
) -> Option<&'static [&'static str]> {
    read::servers(root, keys).map(|servers| servers.keys)
}

/// What a text in TOML says; `None` where it is none.
pub(crate) fn toml_value(text: &str) -> Option<crate::edit::Value> {
    toml_tree(text).map(|node| written(&node))
}

/// A text in TOML as a tree; `None` where it is none.
pub(crate) fn toml_tree(text: &str) -> Option<crate::json::Node> {
    toml::parse(text).ok()
}

/// `path` in `dir`, with the separators of this system.
fn below(dir: &Path, path: &str) -> PathBuf {
    path.split('/').filter(|part| !part.is_empty()).fold(dir.to_owned(), |path, part| path.join(part))
}

/// Which file of which host.
#[derive(Clone, Copy)]
pub(crate) struct HostPlace {
    pub(crate) host: &'static KnownHost,
    number: usize,
}

impl HostPlace {
    pub(crate) fn file(self) -> &'static HostFile {
        let own = self.host.files;
        own.get(self.number).unwrap_or_else(|| &self.host.files_of_others[self.number - own.len()])
    }

    /// How references are written in it.
    pub(crate) fn forms(self) -> &'static [Form] {
        match self.host.files.get(self.number) {
            Some(_) => self.host.forms,
            None => PORTABLE,
        }
    }

    /// The folder whose project `path`, a file of this place, belongs to: where its relative paths begin.
    pub(crate) fn folder(self, path: &Path) -> Option<&Path> {
        let depth = self.file().path.split('/').filter(|part| !part.is_empty()).count();
        path.ancestors().nth(depth).filter(|_| self.file().is_of_project())
    }
}

impl PartialEq for HostPlace {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.host, other.host) && self.number == other.number
    }
}

impl Eq for HostPlace {}

impl fmt::Debug for HostPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.host.name, self.file().path)
    }
}

/// Each is defined once, by its name.
impl PartialEq for KnownHost {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for KnownHost {}

impl fmt::Debug for KnownHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
