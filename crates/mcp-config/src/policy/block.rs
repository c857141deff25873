//! Why a list forbids an entry, and who can change that.

use std::fmt;

use crate::{ConfigSource, Origin};

/// Which rule of the lists forbids an entry.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PolicyBlock {
    /// An entry of a deny list.
    Denied(PolicyRule),
    /// There are these allow lists, and no entry of them fits.
    NotAllowed(Vec<PolicyRule>),
    /// These settings of the administrator cannot be read, so what they allow is unknown.
    PolicyUnreadable(Vec<ConfigSource>),
}

/// A list, or an entry of one.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PolicyRule {
    /// Where it stands.
    pub origin: Origin,
    /// Whether it is in the administrator's settings.
    pub by_administrator: bool,
}

impl PolicyBlock {
    /// Whether the administrator's settings say so: no file of the person's lifts it.
    pub fn is_by_administrator(&self) -> bool {
        match self {
            Self::Denied(rule) => rule.by_administrator,
            Self::NotAllowed(lists) => lists.iter().any(|list| list.by_administrator),
            Self::PolicyUnreadable(_) => true,
        }
    }

    /// The rule and its place, as a fragment: `deniedMcpServers[0] in /etc/claude-code/managed-settings.json:3`.
    pub fn rule(&self) -> String {
        let of = |rule: &PolicyRule| format!("{} in {}", rule.origin.field, rule.origin);
        match self {
            Self::Denied(rule) => of(rule),
            Self::NotAllowed(lists) => {
                // The one that only the administrator can change is the one to know of.
                let first = lists.iter().find(|list| list.by_administrator).or(lists.first());
                first.map_or_else(|| "the list of allowed servers".to_owned(), of)
            }
            Self::PolicyUnreadable(places) => match places.first() {
                Some(place) => place.to_string(),
                None => "the administrator's settings".to_owned(),
            },
        }
    }
}

impl fmt::Display for PolicyBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.rule();
        match self {
            Self::Denied(_) => write!(f, "blocked by {rule}"),
            Self::NotAllowed(_) => write!(f, "not among {rule}"),
            Self::PolicyUnreadable(_) => {
                write!(f, "the administrator's settings cannot be read, so nothing is allowed: {rule}")
            }
        }
    }
}
