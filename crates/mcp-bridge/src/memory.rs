//! What a server said of itself when it was last connected, kept from one process to the next, so that a host is told it at
//! once, and also while the server is away. A description is not a status: it says nothing about whether the server is there.

use std::collections::BTreeMap;

use mcp_transport::ServerDescription;
use mcp_transport::message::ProtocolRevision;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The longest description that is kept, in bytes.
const MAX_BYTES: usize = 256 << 10;
/// What is written now; others are not read.
const SCHEMA: u32 = 1;

/// Where the description of one server is kept. Both are called where waiting is allowed.
pub trait Memory: Send + Sync {
    /// What was kept last, if anything.
    fn recall(&self) -> Option<String>;
    /// Keeps `description` in place of what was kept before.
    fn keep(&self, description: &str);
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredDescription {
    schema_version: u32,
    revision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_info: Option<Box<RawValue>>,
    capabilities: BTreeMap<String, Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
}

/// The description as it is kept; `None` where it is too long.
pub(crate) fn write(server: &ServerDescription) -> Option<String> {
    let kept = StoredDescription {
        schema_version: SCHEMA,
        revision: server.revision.as_str().to_owned(),
        server_info: server.identity.clone(),
        capabilities: server.capabilities.clone(),
        instructions: server.instructions.clone(),
    };
    serde_json::to_string(&kept).ok().filter(|text| text.len() <= MAX_BYTES)
}

/// The description that was kept as `text`; `None` where it is not one of ours.
pub(crate) fn read(text: &str) -> Option<ServerDescription> {
    let kept: StoredDescription =
        serde_json::from_str(text).ok().filter(|kept: &StoredDescription| kept.schema_version == SCHEMA)?;
    let revision = ProtocolRevision::from_wire(&kept.revision)?;
    let mut server = ServerDescription::new(revision).with_identity(kept.server_info);
    server.capabilities = kept.capabilities;
    server.instructions = kept.instructions;
    Some(server)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splice::raw;

    #[test]
    fn what_was_kept_is_what_was_said() {
        let identity = r#"{"name":"s","version":"1","icons":[{"src":"https://x/i.png"}]}"#;
        let mut server =
            ServerDescription::new(ProtocolRevision::V2025_06_18).with_identity(Some(raw(identity)));
        server.capabilities.insert("tools".to_owned(), raw(r#"{"listChanged":true,"x":1.0}"#));
        server.instructions = Some("use it\nwell".to_owned());
        let text = write(&server).unwrap();
        let known = read(&text).unwrap();
        assert_eq!(known.identity.as_deref().map(RawValue::get), Some(identity));
        assert_eq!((known.revision, &known.instructions), (server.revision, &server.instructions));
        assert_eq!(write(&known).unwrap(), text);
        for none in ["", "{}", &text.replace("2025-06-18", "1999"), &text.replace(":1,", ":2,")] {
            assert!(read(none).is_none(), "{none}");
        }
        server.instructions = Some("x".repeat(MAX_BYTES));
        assert!(write(&server).is_none());
    }
}
