//! The header names that are not for credentials: those that frame a message, and those in which the protocol speaks.
//!
//! Everything else may be set, also what identifies (`User-Agent`, `Origin`, `Cookie`) and `Host`, which people need in
//! front of tunnels and name-based proxies.

use std::fmt;

use http::HeaderName;

/// Why a name is not for credentials.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReservedReason {
    /// It says where a message ends, or is about one hop of its way (RFC 9110 section 7.6.1, RFC 9112 section 6). A wrong
    /// one makes two messages of one, so it is an error wherever it is written down.
    Framing,
    /// MCP says for each request what it must be. Entries that were written for another client carry such headers, with
    /// a value that is right there or does no harm, so it is left out and the request goes on.
    Protocol,
}

impl fmt::Display for ReservedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Framing => "it frames the message, which only the connection can do",
            Self::Protocol => "the protocol sets it for each request",
        })
    }
}

/// Whether a header of this name is not for credentials, and why.
pub(crate) fn reserved(name: &HeaderName) -> Option<ReservedReason> {
    match name.as_str() {
        "connection" | "content-length" | "http2-settings" | "keep-alive" | "proxy-connection" | "te"
        | "trailer" | "transfer-encoding" | "upgrade" => Some(ReservedReason::Framing),
        "accept"
        | "content-type"
        | "last-event-id"
        | "mcp-method"
        | "mcp-name"
        | "mcp-protocol-version"
        | "mcp-session-id" => Some(ReservedReason::Protocol),
        name if name.starts_with("mcp-param-") => Some(ReservedReason::Protocol),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_frames_or_speaks_the_protocol_is_reserved_and_nothing_else() {
        let of = |name: &str| reserved(&HeaderName::from_bytes(name.as_bytes()).unwrap());
        for name in ["Content-Length", "Transfer-Encoding", "CONNECTION", "TE", "Trailer", "Upgrade"] {
            assert_eq!(of(name), Some(ReservedReason::Framing), "{name}");
        }
        for name in ["Accept", "content-type", "MCP-Protocol-Version", "Mcp-Session-Id", "Mcp-Param-Region"] {
            assert_eq!(of(name), Some(ReservedReason::Protocol), "{name}");
        }
        for name in
            ["Authorization", "Host", "User-Agent", "Accept-Language", "Origin", "X-Mcp-Name", "Mcp-Team"]
        {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
