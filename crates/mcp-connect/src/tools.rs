//! Which tools of a server its entry lets be used, as every connection keeps it.

use std::sync::Arc;

use mcp_config::{ServerEntry, ToolPolicy};
use mcp_transport::ToolFilter;

/// What an entry says of its tools. Equal where the same ones may be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EntryTools {
    policy: ToolPolicy,
}

impl EntryTools {
    /// `None` where the entry says nothing, so that a connection looks into nothing for it.
    pub fn of(entry: &ServerEntry) -> Option<Arc<Self>> {
        (!entry.tools.is_empty()).then(|| Arc::new(Self { policy: entry.tools.clone() }))
    }
}

impl EntryTools {
    /// Where it is written, each time as field, file and line.
    pub fn places(&self) -> Vec<String> {
        self.policy.origins().map(|origin| format!("{} in {origin}", origin.field)).collect()
    }
}

impl ToolFilter for EntryTools {
    fn hides(&self, name: &str) -> Option<String> {
        self.policy.hides(name).map(|rule| rule.to_string())
    }
}
