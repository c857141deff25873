//! Who the host is, as it said itself. The server is told the same.

use std::sync::Mutex;
use std::sync::PoisonError;

use mcp_transport::ClientInfo;
use mcp_transport::handler::ClientCapabilities;
use mcp_transport::message::{Era, Members};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A host as it opened the conversation.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) era: Era,
    pub(crate) capabilities: ClientCapabilities,
    pub(crate) client: Option<ClientInfo>,
    /// Everything above that a server is told, in one spelling.
    pub(crate) canonical: String,
}

impl Profile {
    pub(crate) fn new(era: Era, capabilities: Option<&RawValue>, client: Option<&RawValue>) -> Self {
        Self {
            era,
            capabilities: read_capabilities(capabilities),
            client: client.and_then(read_client),
            canonical: canonical(capabilities, client),
        }
    }
}

/// What a server is told of a host, so that two hosts of which it is told the same are spelled the same.
fn canonical(capabilities: Option<&RawValue>, client: Option<&RawValue>) -> String {
    // A map of values has its members in their order, and no spaces.
    let sorted = |raw: Option<&RawValue>| -> serde_json::Value {
        let value = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
        sort(value.unwrap_or_else(|| serde_json::json!({})))
    };
    let client = sorted(client);
    let known = ["name", "title", "version"].map(|member| client.get(member).cloned());
    serde_json::json!({ "capabilities": sorted(capabilities), "client": known }).to_string()
}

/// The same value with the members of each object in alphabetical order, whatever the order that maps keep.
fn sort(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(members) => {
            let sorted: std::collections::BTreeMap<_, _> =
                members.into_iter().map(|(name, value)| (name, sort(value))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sort).collect()),
        other => other,
    }
}

/// Capabilities as a host declares them.
pub(crate) fn read_capabilities(declared: Option<&RawValue>) -> ClientCapabilities {
    let members = declared.and_then(|declared| Members::read(declared.get())).unwrap_or_default();
    members
        .iter()
        .fold(ClientCapabilities::default(), |known, (name, settings)| known.with(name, settings.to_owned()))
}

fn read_client(info: &RawValue) -> Option<ClientInfo> {
    #[derive(Deserialize)]
    struct Info {
        name: String,
        #[serde(default)]
        title: Option<String>,
        #[serde(default)]
        version: String,
    }
    let Info { name, title, version } = serde_json::from_str(info.get()).ok()?;
    let mut client = ClientInfo::new(name, version);
    client.title = title;
    Some(client)
}

/// The host, once it has said who it is.
#[derive(Debug, Default)]
pub(crate) struct Introduction(Mutex<Option<Profile>>);

impl Introduction {
    /// Takes in what the host says; whether it is the first time.
    ///
    /// A modern host says it with every request. What it says last counts for the next connection, and a legacy
    /// host that has shaken hands stays one.
    pub(crate) fn take(&self, profile: Profile) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(before) if before.era == Era::Legacy && profile.era == Era::Modern => false,
            before => {
                let is_first = before.is_none();
                *known = Some(profile);
                is_first
            }
        }
    }

    /// The era of what the host is told without having asked: that of its opening.
    pub(crate) fn era(&self) -> Era {
        self.with(|profile| profile.era).unwrap_or(Era::Legacy)
    }

    pub(crate) fn capabilities(&self) -> ClientCapabilities {
        self.with(|profile| profile.capabilities.clone()).unwrap_or_default()
    }

    pub(crate) fn client(&self) -> Option<ClientInfo> {
        self.with(|profile| profile.client.clone()).flatten()
    }

    /// What the server is told of the host, in one spelling.
    pub(crate) fn canonical(&self) -> String {
        self.with(|profile| profile.canonical.clone()).unwrap_or_default()
    }

    pub(crate) fn is_made(&self) -> bool {
        self.with(|_| ()).is_some()
    }

    fn with<T>(&self, read: impl FnOnce(&Profile) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splice::raw;

    #[test]
    fn a_legacy_host_stays_one_and_a_modern_one_may_change_its_mind() {
        let introduction = Introduction::default();
        let profile = |era, capabilities: &str| Profile::new(era, Some(&raw(capabilities)), None);
        assert!(introduction.take(profile(Era::Modern, "{}")));
        assert!(!introduction.take(profile(Era::Modern, r#"{"roots":{}}"#)));
        assert!(introduction.capabilities().has("roots"));
        assert!(!introduction.take(profile(Era::Legacy, r#"{"sampling":{}}"#)));
        assert!(!introduction.take(profile(Era::Modern, "{}")));
        assert_eq!(introduction.era(), Era::Legacy);
        assert!(introduction.capabilities().has("sampling"));
    }

    #[test]
    fn identity_is_passed_on_as_far_as_it_is_understood() {
        let info = raw(r#"{"name":"host","title":"A host","version":"3","icons":[]}"#);
        let client = Profile::new(Era::Legacy, None, Some(&info)).client.unwrap();
        assert_eq!(
            (client.name.as_str(), client.title.as_deref(), client.version.as_str()),
            ("host", Some("A host"), "3")
        );
        assert!(Profile::new(Era::Legacy, None, Some(&raw("{}"))).client.is_none());
    }

    #[test]
    fn what_a_server_is_told_is_equal_where_it_means_the_same_and_only_there() {
        let made_canonical = |capabilities: &str, client: &str| {
            Profile::new(Era::Legacy, Some(&raw(capabilities)), Some(&raw(client))).canonical
        };
        let usual = made_canonical(
            r#"{"roots":{"listChanged":true},"sampling":{}}"#,
            r#"{"name":"h","version":"1"}"#,
        );
        let other = made_canonical(
            r#"{ "sampling": {}, "roots": {"listChanged": true} }"#,
            r#"{"version":"1","name":"h","icons":[]}"#,
        );
        assert_eq!(usual, other);
        for (capabilities, client) in [
            (r#"{"roots":{},"sampling":{}}"#, r#"{"name":"h","version":"1"}"#),
            (r#"{"roots":{"listChanged":true}}"#, r#"{"name":"h","version":"1"}"#),
            (r#"{"roots":{"listChanged":true},"sampling":{}}"#, r#"{"name":"h","version":"2"}"#),
            (r#"{"roots":{"listChanged":true},"sampling":{}}"#, r#"{"name":"i","version":"1"}"#),
        ] {
            assert_ne!(made_canonical(capabilities, client), usual, "{capabilities} {client}");
        }
    }
}
