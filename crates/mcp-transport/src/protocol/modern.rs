//! The modern era: every request carries version, identity and capabilities (2026-07-28, basic, `_meta`).

use super::legacy::identity;
use crate::message::{ProtocolRevision, meta};
use crate::options::ClientInfo;

/// The members of `_meta` that every request of a connection carries, without the braces.
pub(crate) fn request_meta(revision: ProtocolRevision, client: &ClientInfo, capabilities: &str) -> String {
    format!(
        "\"{}\":\"{revision}\",\"{}\":{},\"{}\":{capabilities}",
        meta::PROTOCOL_VERSION,
        meta::CLIENT_INFO,
        identity(client),
        meta::CLIENT_CAPABILITIES,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_says_who_sends_it_in_which_revision() {
        let client = ClientInfo::new("a \"quoted\" name", "1.0");
        let meta = request_meta(ProtocolRevision::V2026_07_28, &client, r#"{"roots":{}}"#);
        let parsed: serde_json::Value = serde_json::from_str(&format!("{{{meta}}}")).unwrap();
        assert_eq!(parsed["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
        assert_eq!(parsed["io.modelcontextprotocol/clientInfo"]["name"], "a \"quoted\" name");
        assert_eq!(parsed["io.modelcontextprotocol/clientInfo"]["version"], "1.0");
        assert!(parsed["io.modelcontextprotocol/clientCapabilities"]["roots"].is_object());
    }
}
