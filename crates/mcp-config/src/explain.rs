//! Where every part of an entry comes from, and what hides behind it: the data of `mcplink get`.

use std::path::PathBuf;

use serde::Serialize;

use crate::consent::Change;
use crate::entry::{Approval, EntryServer, Field, Gate, Scope, ServerEntry, Switch};
use crate::{Config, EntryTransport, Origin, Problem};

pub use crate::paths::PathReport;
pub use crate::precedence::ShadowedEntry;

/// An entry as it may be shown: no secret, no expanded value.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Explanation {
    /// Its name.
    pub name: String,
    /// Where it was defined.
    pub scope: Scope,
    /// The exact place.
    pub origin: Origin,
    /// How its server is reached.
    pub transport: EntryTransport,
    /// Whether it may be contacted, and if not, the first reason.
    pub gate: Gate,
    /// One sentence about the gate, where it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate_detail: Option<String>,
    /// What is not as it was when a person agreed to the entry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Each field with its place.
    pub fields: Vec<Field>,
    /// How its helper runs, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helper: Option<HelperFacts>,
    /// Whether the folder is trusted.
    pub trusted: bool,
    /// Definitions of the same name that are not in force.
    pub shadowed: Vec<HiddenDefinition>,
    /// What is wrong or odd about it.
    pub notes: Vec<Problem>,
}

/// How a helper runs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HelperFacts {
    /// Its working directory.
    pub cwd: PathBuf,
    /// Whether credential-like variables are kept from it.
    pub scrubbed: bool,
    /// Whether it may run.
    pub may_run: bool,
    /// Its limit in milliseconds.
    pub timeout_ms: u128,
    /// How long its output is good for, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u128>,
}

/// A definition that is not in force.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HiddenDefinition {
    /// Where it was defined.
    pub scope: Scope,
    /// The exact place.
    pub origin: Origin,
    /// Its URL or command, as it may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

impl Explanation {
    pub(crate) fn of(config: &Config, entry: &ServerEntry) -> Option<Self> {
        let helper = entry.remote().and_then(|remote| remote.helper.as_ref()).map(|helper| HelperFacts {
            cwd: helper.cwd.clone(),
            scrubbed: helper.scrubbed,
            may_run: helper.may_run,
            timeout_ms: helper.timeout.as_millis(),
            ttl_ms: helper.ttl.map(|ttl| ttl.as_millis()),
        });
        let hidden = config.shadowed.iter().map(|shadowed| &shadowed.entry);
        let hidden = hidden.filter(|other| other.name == entry.name).map(|other| HiddenDefinition {
            scope: other.scope,
            origin: other.origin.clone(),
            endpoint: other.display_endpoint(),
        });
        Some(Self {
            name: entry.name.clone(),
            scope: entry.scope,
            origin: entry.origin.clone(),
            transport: entry.transport(),
            gate: entry.gate(),
            gate_detail: entry.gate_detail(),
            changes: entry.changes().to_vec(),
            fields: entry.fields().to_vec(),
            helper,
            trusted: config.trust.is_trusted(),
            shadowed: hidden.collect(),
            notes: config.problems_of(&entry.name).cloned().collect(),
        })
    }
}

impl ServerEntry {
    /// Why the gate is closed, as a fragment that names the place of the decision.
    pub fn gate_detail(&self) -> Option<String> {
        match self.gate() {
            Gate::Ready => None,
            Gate::Blocked => self.blocked.as_ref().map(ToString::to_string),
            Gate::Disabled => match &self.switch {
                Switch::Off(lists) => {
                    lists.first().map(|list| format!("switched off by {} in {list}", list.field))
                }
                Switch::On => None,
            },
            Gate::Invalid if matches!(self.server, EntryServer::InProcess) => {
                Some("lives inside a host program; nothing outside can reach it".to_owned())
            }
            Gate::Invalid => Some(format!("the entry in {} is invalid", self.origin)),
            Gate::NotConfigured => Some(format!("no URL is configured in {}", self.origin)),
            Gate::SelfReference => self.self_reference.clone(),
            Gate::Rejected => match &self.approval {
                Approval::Rejected(by) => Some(format!("rejected by {} in {by}", by.field)),
                _ => None,
            },
            Gate::ChangedSinceApproval => match &self.approval {
                Approval::Changed(changed) => Some(changed.to_string()),
                _ => None,
            },
            Gate::AwaitingApproval if self.approval_not_kept().is_some() => self.approval_not_kept().map(|why| {
                format!(
                    "its name was approved in another program's settings, and what it says could not be kept, so no check would \
                     notice a change: {why}"
                )
            }),
            Gate::AwaitingApproval if self.foreign.is_some() => {
                Some(format!("{} belongs to another account; approve it yourself to use it", self.origin))
            }
            Gate::AwaitingApproval => {
                Some(format!("{} belongs to the project and is not approved yet", self.origin))
            }
        }
    }
}

impl Config {
    /// Where every part of an entry comes from, as it may be shown.
    pub fn explain(&self, name: &str) -> Option<Explanation> {
        Explanation::of(self, self.entry(name)?)
    }
}
