//! The legacy era: one handshake, then messages without metadata (lifecycle, 2025-11-25).

use crate::message::{Object, ProtocolRevision, write_string};
use crate::options::ClientInfo;

/// The notification that ends the handshake.
pub(crate) const INITIALIZED: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// The parameters of an `initialize` that offers `revision`.
pub(crate) fn initialize_params(
    revision: ProtocolRevision,
    client: &ClientInfo,
    capabilities: &str,
) -> String {
    format!(
        r#"{{"protocolVersion":"{revision}","capabilities":{capabilities},"clientInfo":{}}}"#,
        identity(client),
    )
}

/// A notification that gives a request up. It is sent for every request but `initialize` (2025-11-25,
/// cancellation, behaviour requirements).
pub(crate) fn cancelled(id: i64, reason: &str) -> Vec<u8> {
    let mut out = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"#
    )
    .into_bytes();
    write_string(&mut out, reason);
    out.extend_from_slice(b"}}");
    out
}

/// `clientInfo`.
pub(super) fn identity(client: &ClientInfo) -> String {
    let mut object = Object::new();
    object.string("name", &client.name);
    if let Some(title) = &client.title {
        object.string("title", title);
    }
    object.string("version", &client.version);
    object.into_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_offers_the_newest_legacy_revision() {
        let params = initialize_params(ProtocolRevision::NEWEST_LEGACY, &ClientInfo::new("n", "v"), "{}");
        let parsed: serde_json::Value = serde_json::from_str(&params).unwrap();
        assert_eq!(parsed["protocolVersion"], "2025-11-25");
        assert_eq!(parsed["clientInfo"], serde_json::json!({"name": "n", "version": "v"}));
    }

    #[test]
    fn a_cancellation_names_its_request() {
        let parsed: serde_json::Value = serde_json::from_slice(&cancelled(7, "a \"reason\"")).unwrap();
        assert_eq!(parsed["params"]["requestId"], 7);
        assert_eq!(parsed["params"]["reason"], "a \"reason\"");
    }
}
