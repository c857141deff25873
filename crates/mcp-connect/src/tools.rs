//! Which tools of a server its entry lets be used, as every connection keeps it.

use std::sync::Arc;

use mcp_config::tool_pins::{PinStore, ToolApproval, ToolPins};
use mcp_config::tool_policy::ToolPolicy;
use mcp_config::{Config, ServerEntry};
use mcp_text::Secrets;
use mcp_transport::ToolFilter;
use mcp_transport::tools::Tool;

/// What an entry says of its tools. Equal where the same ones may be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EntryTools {
    policy: ToolPolicy,
    /// What a person approved, where the entry pins its tools.
    pins: Option<ToolPins>,
}

impl EntryTools {
    /// `None` where the entry says nothing, so that a connection looks into nothing for it.
    pub fn of(entry: &ServerEntry, config: &Config) -> Option<Arc<Self>> {
        let pins = entry.tools.pins().map(|_| match &config.locations.state_dir {
            Some(directory) => PinStore::new(directory).read(entry),
            // Nothing can have been approved.
            None => ToolPins::default(),
        });
        (!entry.tools.is_empty()).then(|| Arc::new(Self { policy: entry.tools.clone(), pins }))
    }

    /// The same without what was approved: what a person is shown who decides about that.
    #[must_use]
    pub fn without_pins(&self) -> Self {
        Self { pins: None, ..self.clone() }
    }

    /// What a person approved, where the entry pins its tools.
    pub fn pins(&self) -> Option<&ToolPins> {
        self.pins.as_ref()
    }

    /// Where it is written, each time as field, file and line.
    pub fn places(&self) -> Vec<String> {
        self.policy.origins().map(|origin| format!("{} in {origin}", origin.field)).collect()
    }
}

impl ToolFilter for EntryTools {
    fn hides(&self, name: &str) -> Option<String> {
        self.policy.hides(name).map(|rule| rule.to_string())
    }

    fn unmatched(&self, names: &mut dyn Iterator<Item = &str>) -> Vec<String> {
        self.policy.unmatched(names)
    }

    fn withholds(&self, tool: &Tool) -> Option<String> {
        let pins = self.pins.as_ref()?;
        if let Some(trouble) = pins.trouble() {
            return Some(format!("is not used, because what was approved cannot be read: {trouble}"));
        }
        match pins.approval_of(tool.raw.get(), &Secrets::default()) {
            ToolApproval::Approved => None,
            ToolApproval::New => Some("is not approved: no tool of this name was".to_owned()),
            ToolApproval::Changed(changes) => {
                // Security: no word of the definition, which the host would hand to a model.
                let mut members: Vec<&str> = changes.iter().map(|change| member(&change.field)).collect();
                members.dedup();
                Some(format!("is not what was approved any more: its {} changed", members.join(" and its ")))
            }
            _ => Some("is not used, because its definition cannot be read in one way only".to_owned()),
        }
    }

    fn reads_definitions(&self) -> bool {
        self.pins.is_some()
    }
}

/// The member of a definition that a field is in, by its name where the specification has one.
fn member(field: &str) -> &'static str {
    const MEMBERS: [&str; 6] =
        ["description", "inputSchema", "outputSchema", "annotations", "title", "_meta"];
    let first = field.split(['.', '[']).next().unwrap_or_default();
    MEMBERS.into_iter().find(|member| *member == first).unwrap_or("definition")
}
