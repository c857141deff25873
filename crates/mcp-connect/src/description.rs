//! What is shown of an entry, and where it is written.

use std::path::Path;

use mcp_auth::{AuthPlan, Target};
use mcp_config::entry::Stdio;
use mcp_config::{Config, ConfigSource, EntryTransport, Origin, ServerEntry};

/// What is shown of an entry. No part of it is a secret: addresses and commands are as they are displayed.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Description {
    /// Its name.
    pub name: String,
    /// The scope that defines it.
    pub scope: String,
    /// The file that defines it.
    pub source: String,
    /// The line in it, where it is a file that a person can edit: no argument of the command line, and no pipe.
    pub line: Option<usize>,
    /// How it is reached.
    pub transport: EntryTransport,
    /// The address of a remote server.
    pub url: Option<String>,
    /// The command of a local one.
    pub command: Option<String>,
    /// Which sign-in is used, where a person has several.
    pub account: Option<String>,
    /// The names of its providers of credentials, in order of precedence.
    pub chain: Vec<String>,
    /// It was given by its URL: it is there for one command, and no file has it.
    pub by_url: bool,
    /// It was read in place from a file of another host, which is never written here: it cannot be switched on or off.
    pub in_place: bool,
}

impl Description {
    /// An entry of this name, without address, command and credentials.
    pub fn new(
        name: impl Into<String>,
        scope: impl Into<String>,
        source: impl Into<String>,
        transport: EntryTransport,
    ) -> Self {
        let (name, scope, source) = (name.into(), scope.into(), source.into());
        Self {
            name,
            scope,
            source,
            line: None,
            transport,
            url: None,
            command: None,
            account: None,
            chain: Vec::new(),
            by_url: false,
            in_place: false,
        }
    }

    pub(crate) fn of(
        entry: &ServerEntry,
        config: &Config,
        target: Option<&Target>,
        plan: Option<&AuthPlan>,
    ) -> Self {
        Self {
            name: entry.name.clone(),
            scope: entry.scope.to_string(),
            source: entry.origin.place.to_string(),
            line: line(&entry.origin),
            transport: entry.transport(),
            url: entry.display_url(),
            command: entry.stdio().map(Stdio::display),
            account: target.and_then(|target| target.account.clone()),
            chain: plan.iter().flat_map(|plan| plan.chain_names()).map(str::to_owned).collect(),
            by_url: entry.origin.place == ConfigSource::Url,
            in_place: entry.origin.place != ConfigSource::Url && config.host().is_some(),
        }
    }
}

fn line(origin: &Origin) -> Option<usize> {
    let is_stream = |path: &Path| path.starts_with("/dev") || path.starts_with("/proc");
    origin.place.path().filter(|path| !is_stream(path)).map(|_| origin.line)
}

/// File, line and field of an entry.
pub(crate) fn at(entry: &ServerEntry) -> String {
    entry.origin.with_field()
}
