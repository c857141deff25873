//! Which revision a handshake offers, where the server refuses the one before instead of answering with its own.

use mcp_status::ChallengeKind;
use serde_json::value::RawValue;

use super::handshake::{refuses_version, wants_modern};
use crate::error::{TransportError, TransportErrorKind};
use crate::message::envelope::{INVALID_PARAMS, METHOD_NOT_FOUND};
use crate::message::revision::{Era, ProtocolRevision};

/// Which revision to offer next, after a handshake that offered each of `tried` was refused because of its version;
/// `None` where it was refused for another reason, or nothing is left.
///
/// The specification has a server answer with a version of its own instead (2025-11-25, lifecycle, version
/// negotiation). Servers in the field refuse, as HTTP 400 or the like, or with an error of any code; what they name is taken, else
/// the next older one.
pub(crate) fn next_offer(refusal: &TransportError, tried: &[ProtocolRevision]) -> Option<ProtocolRevision> {
    let words = RefusalTexts::of(refusal);
    // 426 is HTTP's own word for it (RFC 9110 section 15.5.22).
    let mut of_itself = refuses_version(refusal);
    let refused = match refusal.kind() {
        TransportErrorKind::Rpc { code } => *code != METHOD_NOT_FOUND,
        TransportErrorKind::Http { status: 426, .. } => {
            of_itself = true;
            true
        }
        TransportErrorKind::Http { status: 400 | 406 | 409 | 412 | 422, .. } => true,
        // A server whose check throws. Its page may name a version of anything, so it has to be a revision.
        TransportErrorKind::Http { status: 500 | 501 | 505, .. } => words.name_a_revision(),
        // Forbidden is the version, and no one's credentials.
        TransportErrorKind::Challenged { kind: ChallengeKind::Forbidden, .. } => {
            refusal.challenge_scheme().is_none() && words.name_a_revision()
        }
        _ => false,
    };
    if !refused || wants_modern(refusal) {
        return None;
    }
    let left = || not_among(tried);
    if let Some(named) = left().filter(|revision| words.names(revision.as_str())).max() {
        return Some(named);
    }
    // Invalid parameters are what many servers call it, without another word.
    let invalid_params = refusal.rpc_error().is_some_and(|rpc| rpc.code == INVALID_PARAMS);
    left().max().filter(|_| invalid_params || of_itself || words.names("version"))
}

/// Which revision to offer next, after a handshake whose answer was the end of the connection: some servers fall over a version
/// that they do not know, and say nothing.
pub(crate) fn offer_after_drop(
    failure: &TransportError,
    tried: &[ProtocolRevision],
) -> Option<ProtocolRevision> {
    not_among(tried).max().filter(|_| *failure.kind() == TransportErrorKind::Dropped)
}

/// What is left to offer.
fn not_among(tried: &[ProtocolRevision]) -> impl Iterator<Item = ProtocolRevision> {
    let legacy = |revision: &ProtocolRevision| revision.era() == Era::Legacy && !tried.contains(revision);
    ProtocolRevision::ALL.into_iter().filter(legacy)
}

/// Whether `refusal`, of a request after the handshake, is because of the revision that the handshake agreed on. It has to say
/// so: what else is refused with these statuses is no matter of versions.
#[cfg(feature = "http")]
pub(crate) fn refuses_agreed(refusal: &TransportError) -> bool {
    if refuses_version(refusal) && !wants_modern(refusal) {
        return true;
    }
    match refusal.kind() {
        TransportErrorKind::Http { status: 426, .. } => true,
        TransportErrorKind::Http { status: 400 | 406 | 409 | 412 | 422 | 500 | 501 | 505, .. } => {
            RefusalTexts::of(refusal).name_a_revision()
        }
        TransportErrorKind::Rpc { code } => {
            *code != METHOD_NOT_FOUND && !wants_modern(refusal) && RefusalTexts::of(refusal).name_a_revision()
        }
        _ => false,
    }
}

/// What a refusal says, wherever it says it.
pub(crate) struct RefusalTexts<'a>([&'a str; 3]);

impl<'a> RefusalTexts<'a> {
    pub(crate) fn of(refusal: &'a TransportError) -> Self {
        let rpc = refusal.rpc_error();
        let data = rpc.and_then(|rpc| rpc.data.as_deref()).map_or("", RawValue::get);
        Self([rpc.map_or("", |rpc| &rpc.message), data, refusal.said().unwrap_or_default()])
    }

    /// Whether the text is of a revision of ours, or of the version of the protocol.
    fn name_a_revision(&self) -> bool {
        let ours = |revision: ProtocolRevision| self.names(revision.as_str());
        ["protocol version", "protocolversion", "protocol-version"].into_iter().any(|word| self.names(word))
            || ProtocolRevision::ALL.into_iter().any(ours)
    }

    /// Whether it says `word`, which is in lower case.
    pub(crate) fn names(&self, word: &str) -> bool {
        self.0.iter().any(|text| text.to_ascii_lowercase().contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::RpcError;

    #[test]
    fn what_the_refusal_names_comes_before_the_next_older_one() {
        use ProtocolRevision as R;
        let next = |code, message: &str, tried: &[R]| {
            next_offer(&TransportError::rpc(RpcError::new(code, message)), tried)
        };
        let first = [R::V2025_11_25];
        assert_eq!(next(-32602, "", &first), Some(R::V2025_06_18));
        assert_eq!(next(-32602, "2024-11-05 only", &first), Some(R::V2024_11_05));
        assert_eq!(next(-32000, "Unsupported Version", &first), Some(R::V2025_06_18));
        assert_eq!(next(-32602, "", &[R::V2025_11_25, R::V2025_06_18]), Some(R::V2025_03_26));
        // What was refused already is not offered again, and a refusal for another reason is final.
        assert_eq!(next(-32000, "2025-11-25", &first), None);
        assert_eq!(next(-32000, "no tenant", &first), None);
        assert_eq!(next(METHOD_NOT_FOUND, "version", &first), None);
        let all: Vec<R> = R::ALL.into_iter().filter(|revision| revision.era() == Era::Legacy).collect();
        assert_eq!(next(-32602, "", &all), None);
    }

    #[test]
    fn fb_v0_v2_v4_a_version_is_also_refused_by_a_check_that_throws_and_by_426() {
        use ProtocolRevision as R;
        let next = |status, message: Option<&str>| {
            let kind = TransportErrorKind::Http { status, retry_after: None };
            let error = TransportError::new(kind, "");
            let error = match message {
                Some(message) => error.with_rpc(RpcError::new(-32603, message)),
                None => error,
            };
            next_offer(&error, &[R::V2025_11_25])
        };
        for status in [500, 501, 505] {
            assert_eq!(next(status, Some("expected 2025-03-26")), Some(R::V2025_03_26), "{status}");
            assert_eq!(next(status, Some("KeyError: protocolVersion")), Some(R::V2025_06_18), "{status}");
            // A page of a web server has a version as well.
            assert_eq!(next(status, Some("nginx version 1.27")), None, "{status}");
            assert_eq!(next(status, None), None, "{status}");
        }
        assert_eq!(next(426, None), Some(R::V2025_06_18));
        let forbidden = |said: &str| {
            let kind = TransportErrorKind::Challenged { kind: ChallengeKind::Forbidden, status: 403 };
            let refusal = TransportError::new(kind, "x").with_said(Some(said.to_owned()));
            next_offer(&refusal, &[R::V2025_11_25])
        };
        let said = "Unsupported MCP-Protocol-Version, supported: 2025-03-26";
        assert_eq!(forbidden(said), Some(R::V2025_03_26));
        assert_eq!(forbidden("your plan has no version with MCP"), None);
        assert_eq!(next(503, Some("expected 2025-03-26")), None);
    }
}
