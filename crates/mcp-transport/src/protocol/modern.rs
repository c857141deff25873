//! The modern era: every request carries version, identity and capabilities (2026-07-28, basic, `_meta`).

use super::legacy::identity;
use super::outgoing::write_string;
use super::revision::ProtocolRevision;
use crate::ClientInfo;

/// The members of `_meta` that every request of a connection carries, without the braces.
pub(crate) fn request_meta(revision: ProtocolRevision, client: &ClientInfo, capabilities: &str) -> String {
    format!(
        "\"io.modelcontextprotocol/protocolVersion\":\"{revision}\",\
         \"io.modelcontextprotocol/clientInfo\":{},\
         \"io.modelcontextprotocol/clientCapabilities\":{capabilities}",
        identity(client),
    )
}

/// The value that the `Mcp-Name` header mirrors (2026-07-28, standard request headers).
pub(crate) fn mirrored_member(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        _ => None,
    }
}

/// A JSON object with one string member per pair.
pub(crate) fn object(members: &[(&str, &str)]) -> String {
    let mut out = vec![b'{'];
    for (index, (key, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(&mut out, key);
        out.push(b':');
        write_string(&mut out, value);
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
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
