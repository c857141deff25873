//! The configuration in force, as a value.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::decisions::Trust;
use crate::entry::ServerEntry;
use crate::hosts::KnownHost;
use crate::paths::PathReport;
use crate::pointer::Pointer;
use crate::precedence::ShadowedEntry;
use crate::redacted::RedactedText;
use crate::{Locations, Problem, ProblemCode, Project, Severity, suggest};

/// The configuration in force, what it shadows, and what is wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The entries in force, one per name: by scope, then in the order of the files.
    pub entries: Vec<ServerEntry>,
    /// The definitions that are not in force.
    pub shadowed: Vec<ShadowedEntry>,
    /// The entries that are how a host reaches a server, and no servers. None of them is in force or shadowed.
    pub pointers: Vec<Pointer>,
    /// Everything that is wrong or odd, in the order in which it was found.
    pub problems: Vec<Problem>,
    /// The project that it was loaded for.
    pub project: Project,
    /// The locations that do not depend on the project.
    pub locations: Locations,
    /// Whether the folder is trusted.
    pub trust: Trust,
    /// What the folder's own settings approve has been met.
    pub(crate) settled: bool,
    /// Which reading of the files it is of.
    pub(crate) reading: Arc<()>,
    /// The host whose files were read in the place of all others.
    pub(crate) host: Option<&'static KnownHost>,
    pub(crate) paths: Vec<PathReport>,
    pub(crate) watched: RedactedText<Vec<PathBuf>>,
    pub(crate) folders: RedactedText<Vec<PathBuf>>,
    /// The numbers of the problems of each name.
    pub(crate) problems_of: HashMap<String, Vec<usize>>,
}

impl Config {
    /// The entry in force under this name.
    pub fn entry(&self, name: &str) -> Option<&ServerEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The host whose files were read in the place of all others (`--from`): they are looked at, and never written.
    pub fn host(&self) -> Option<&'static KnownHost> {
        self.host
    }

    /// Whether `entry` is the person's own, or that of a folder that the person trusts.
    pub fn trusts(&self, entry: &ServerEntry) -> bool {
        !entry.scope.is_of_project() || self.trust.is_trusted()
    }

    /// Every definition of this name, the one in force first.
    pub fn definitions(&self, name: &str) -> impl Iterator<Item = &ServerEntry> {
        let shadowed = self.shadowed.iter().map(|shadowed| &shadowed.entry);
        self.entries.iter().chain(shadowed).filter(move |entry| entry.name == name)
    }

    /// The configured name that is nearest to `name`, if one is near enough to be what was meant.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        suggest::nearest(name, self.entries.iter().map(|entry| entry.name.as_str()))
    }

    /// What is wrong with whole files: what is in them is not known.
    pub fn broken_files(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.is_of_whole_file())
    }

    /// The files that are believed and that every account of this machine may change.
    pub fn files_open_to_all(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.code == ProblemCode::OpenToAll)
    }

    /// Why no file of a person or a project defines servers, where the administrator says so.
    pub fn barred_by_administrator(&self) -> Option<&Problem> {
        let says = |problem: &&Problem| {
            problem.code == ProblemCode::ManagedPolicy && problem.severity == Severity::Note
        };
        self.problems.iter().find(says)
    }

    /// What was asked for with the command (`--from`, `--mcp-config`, a URL), and the administrator does not allow. Nothing of it
    /// is read.
    pub fn refused_by_administrator(&self) -> Option<&Problem> {
        let says = |problem: &&Problem| {
            problem.code == ProblemCode::ManagedPolicy && problem.severity == Severity::Error
        };
        self.problems.iter().find(says)
    }

    /// The problems of the entries of this name.
    pub fn problems_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Problem> + use<'a> {
        let numbers = self.problems_of.get(name).into_iter().flatten();
        numbers.filter_map(|number| self.problems.get(*number))
    }

    /// The folders that the files of this person say something of (`projects`), as they are written there: where a server may
    /// be that is not found from here.
    pub fn folders(&self) -> &[PathBuf] {
        self.folders.expose()
    }

    /// The files and directories that could make this another configuration, whether they are there or not.
    pub fn watched(&self) -> &[PathBuf] {
        self.watched.expose()
    }

    /// Which reading of the files this is of: a copy is of the same one, and no other is as long as it is kept.
    pub fn reading(&self) -> &Arc<()> {
        &self.reading
    }

    /// Every location that was considered: whether it exists, and why it is or is not used.
    pub fn paths(&self) -> &[PathReport] {
        &self.paths
    }
}
