//! What the bridge says it is: the server behind it, or as much of it as is known.

use mcp_transport::ServerDescription;
use mcp_transport::message::methods::LIST_CHANGES;
use mcp_transport::message::{Era, Object, ProtocolRevision, meta};
use serde_json::value::RawValue;

use crate::era::supported_versions;
use crate::for_host::{LEGACY_CAPABILITY, MODERN_CAPABILITY};
use crate::splice::{raw, string, with_members};

/// The capabilities of a server that has not been seen yet. Generous: a host asks for no more than it was offered,
/// and what the server turns out not to have is answered as empty.
const GENERIC: &str = r#"{"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"prompts":{"listChanged":true},"logging":{},"completions":{}}"#;

/// A server as its host is told about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Description<'a> {
    /// The name of the entry.
    pub(crate) name: &'a str,
    /// The version of this program.
    pub(crate) version: &'a str,
    /// What the server said about itself when it was last connected, in this process or an earlier one.
    pub(crate) known: Option<&'a ServerDescription>,
}

/// What a server says of itself, for a bridge that speaks to it over the connection of another one: the result of its
/// handshake, as far as it was understood.
pub fn as_is(server: &ServerDescription) -> Box<RawValue> {
    let mut capabilities = Object::new();
    for (name, settings) in &server.capabilities {
        capabilities.member(name, settings.get());
    }
    let capabilities = capabilities.finish();
    let described = Description { name: "", version: "", known: Some(server) };
    let info = server.identity.as_ref().map(|_| described.info());
    let mut result = Object::new();
    match server.revision.era() {
        Era::Legacy => {
            result.member("protocolVersion", &string(server.revision.as_str()));
            result.member("capabilities", capabilities.get());
            // The member is required, and a server that left it out has no name to tell.
            result.member("serverInfo", info.as_deref().map_or("null", RawValue::get));
        }
        Era::Modern => {
            result.member("resultType", "\"complete\"");
            result.member("supportedVersions", &format!("[{}]", string(server.revision.as_str())));
            result.member("capabilities", capabilities.get());
            if let Some(info) = info {
                let mut meta = Object::new();
                meta.member(meta::SERVER_INFO, info.get());
                result.member("_meta", meta.finish().get());
            }
        }
    }
    described.add_instructions(&mut result);
    result.finish()
}

impl Description<'_> {
    /// The result of `initialize`, for a host that asked for the version `requested`.
    pub(crate) fn initialize(&self, requested: Option<&str>) -> Box<RawValue> {
        let agreed = requested
            .and_then(ProtocolRevision::from_wire)
            .filter(|revision| revision.era() == Era::Legacy)
            .unwrap_or(ProtocolRevision::V2025_11_25);
        let mut result = Object::new();
        result.member("protocolVersion", &string(agreed.as_str()));
        result.member("capabilities", self.capabilities(Era::Legacy).get());
        result.member("serverInfo", self.info().get());
        self.add_instructions(&mut result);
        result.finish()
    }

    /// The result of `server/discover`. Good for no time at all: the server behind may come and go.
    pub(crate) fn discover(&self) -> Box<RawValue> {
        let mut meta = Object::new();
        meta.member(meta::SERVER_INFO, self.info().get());
        let mut result = Object::new();
        result.member("resultType", "\"complete\"");
        result.member("supportedVersions", &supported_versions());
        result.member("capabilities", self.capabilities(Era::Modern).get());
        self.add_instructions(&mut result);
        result.member("ttlMs", "0").member("cacheScope", "\"private\"");
        result.member("_meta", meta.finish().get());
        result.finish()
    }

    /// The capabilities as a host of this era is told them.
    pub(crate) fn capabilities(&self, host: Era) -> Box<RawValue> {
        let Some(known) = self.known else { return raw(GENERIC) };
        let foreign = match (known.revision.era(), host) {
            (Era::Modern, Era::Legacy) => Some(MODERN_CAPABILITY),
            (Era::Legacy, Era::Modern) => Some(LEGACY_CAPABILITY),
            _ => None,
        };
        let mut capabilities = Object::new();
        for (name, settings) in known.capabilities.iter().filter(|(name, _)| Some(name.as_str()) != foreign) {
            // They change by what happens to the connection, so the bridge itself tells that they did.
            if LIST_CHANGES.iter().any(|(kind, _)| kind == name) {
                let settings = with_members(Some(settings), &["listChanged"], &[("listChanged", "true")]);
                capabilities.member(name, settings.get());
            } else {
                capabilities.member(name, settings.get());
            }
        }
        capabilities.finish()
    }

    fn info(&self) -> Box<RawValue> {
        if let Some(known) = self.known.and_then(|known| known.identity.clone()) {
            return known;
        }
        let mut info = Object::new();
        info.member("name", &string(self.name)).member("version", &string(self.version));
        info.finish()
    }

    fn add_instructions(&self, result: &mut Object) {
        if let Some(instructions) = self.known.and_then(|known| known.instructions.as_ref()) {
            result.member("instructions", &string(instructions));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn value(raw: &RawValue) -> Value {
        serde_json::from_str(raw.get()).unwrap()
    }

    #[test]
    fn a_server_that_was_not_seen_is_described_by_its_name() {
        let description = Description { name: "internal", version: "1.2", known: None };
        let result = value(&description.initialize(Some("2025-06-18")));
        assert_eq!(result["protocolVersion"], "2025-06-18");
        assert_eq!(result["serverInfo"], json!({"name": "internal", "version": "1.2"}));
        assert_eq!(result["capabilities"]["tools"], json!({"listChanged": true}));
        let result = value(&description.discover());
        assert_eq!(result["supportedVersions"][0], "2026-07-28");
        assert_eq!(result["_meta"][meta::SERVER_INFO]["name"], "internal");
        assert_eq!((&result["resultType"], &result["ttlMs"]), (&json!("complete"), &json!(0)));
    }

    #[test]
    fn a_server_that_is_known_is_described_as_it_described_itself_in_the_terms_of_the_host() {
        let identity = r#"{"name":"s","title":"S","version":"3","icons":[{"src":"https://x/i.png"}]}"#;
        for (revision, mine, others) in [
            (ProtocolRevision::V2025_06_18, "tasks", "extensions"),
            (ProtocolRevision::V2026_07_28, "extensions", "tasks"),
        ] {
            let mut server = ServerDescription::new(revision).with_identity(Some(raw(identity)));
            for name in ["tools", "x-vendor", "tasks", "extensions"] {
                server.capabilities.insert(name.to_owned(), raw("{}"));
            }
            server.instructions = Some("read me".to_owned());
            let description = Description { name: "n", version: "1", known: Some(&server) };
            let legacy = value(&description.initialize(None));
            let modern = value(&description.discover());
            assert_eq!(legacy["serverInfo"], serde_json::from_str::<Value>(identity).unwrap());
            assert_eq!(modern["_meta"][meta::SERVER_INFO], legacy["serverInfo"]);
            for (result, era) in [(&legacy, Era::Legacy), (&modern, Era::Modern)] {
                let capabilities = &result["capabilities"];
                assert_eq!(result["instructions"], "read me");
                assert_eq!(
                    (&capabilities["tools"], &capabilities["x-vendor"]),
                    (&json!({"listChanged": true}), &json!({}))
                );
                let is_own = era == revision.era();
                assert_eq!(capabilities.get(mine).is_some(), is_own, "{revision} {era:?}");
                assert!(is_own || capabilities.get(others).is_some(), "only what the other era defines goes");
            }
        }
    }

    #[test]
    fn a_version_that_has_no_handshake_is_not_agreed_on() {
        let description = Description { name: "n", version: "1", known: None };
        for requested in [None, Some("2026-07-28"), Some("1999-01-01")] {
            assert_eq!(value(&description.initialize(requested))["protocolVersion"], "2025-11-25");
        }
    }
}
