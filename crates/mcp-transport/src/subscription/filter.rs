//! What a subscription tells of.

use serde::{Deserialize, Serialize};

use crate::protocol::handshake::ServerDescription;

/// What a subscription tells of.
///
/// # Examples
///
/// ```
/// use mcp_transport::subscription::SubscriptionFilter;
///
/// assert!(SubscriptionFilter::new().is_empty());
/// let filter = SubscriptionFilter::new().with_resources(["file:///notes.md"]);
/// assert_eq!(filter.resource_uris, ["file:///notes.md"]);
/// ```
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct SubscriptionFilter {
    /// `notifications/tools/list_changed`.
    #[serde(rename = "toolsListChanged", skip_serializing_if = "is_false")]
    pub tools: bool,
    /// `notifications/prompts/list_changed`.
    #[serde(rename = "promptsListChanged", skip_serializing_if = "is_false")]
    pub prompts: bool,
    /// `notifications/resources/list_changed`.
    #[serde(rename = "resourcesListChanged", skip_serializing_if = "is_false")]
    pub resources: bool,
    /// `notifications/resources/updated` for these resources.
    #[serde(rename = "resourceSubscriptions", skip_serializing_if = "Vec::is_empty")]
    pub resource_uris: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

impl SubscriptionFilter {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The changes of every list whose capability says that the server tells of them.
    pub fn list_changes(server: &ServerDescription) -> Self {
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "camelCase", default)]
        struct Settings {
            list_changed: bool,
        }
        let tells = |capability: &str| {
            let settings = server.capabilities.get(capability);
            settings.is_some_and(|raw| {
                serde_json::from_str::<Settings>(raw.get()).unwrap_or_default().list_changed
            })
        };
        let resource_uris = Vec::new();
        Self {
            tools: tells("tools"),
            prompts: tells("prompts"),
            resources: tells("resources"),
            resource_uris,
        }
    }

    /// With updates of these resources.
    #[must_use]
    pub fn with_resources<U: Into<String>>(mut self, uris: impl IntoIterator<Item = U>) -> Self {
        self.resource_uris.extend(uris.into_iter().map(Into::into));
        self
    }

    /// Those of these that `server` tells of: what a server of the legacy era is taken to agree to.
    pub(crate) fn supported_by(self, server: &ServerDescription) -> Self {
        let available = Self::list_changes(server);
        Self {
            tools: self.tools && available.tools,
            prompts: self.prompts && available.prompts,
            resources: self.resources && available.resources,
            ..self
        }
    }

    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_only_what_is_asked_for() {
        let filter = SubscriptionFilter { tools: true, ..SubscriptionFilter::new() };
        assert_eq!(serde_json::to_string(&filter).unwrap(), r#"{"toolsListChanged":true}"#);
        let filter = SubscriptionFilter::new().with_resources(["file:///a"]);
        assert_eq!(serde_json::to_string(&filter).unwrap(), r#"{"resourceSubscriptions":["file:///a"]}"#);
        assert!(!filter.is_empty() && SubscriptionFilter::new().is_empty());
    }
}
