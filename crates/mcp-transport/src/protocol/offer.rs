//! Which revision a handshake offers, where the server refuses the one before instead of answering with its own.

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
    let refused = match refusal.kind() {
        TransportErrorKind::Rpc { code } => *code != METHOD_NOT_FOUND,
        TransportErrorKind::Http { status, .. } => matches!(status, 400 | 406 | 409 | 412 | 422 | 426),
        _ => false,
    };
    if !refused || wants_modern(refusal) {
        return None;
    }
    let words = RefusalTexts::of(refusal);
    let left = || {
        let legacy = |revision: &ProtocolRevision| revision.era() == Era::Legacy && !tried.contains(revision);
        ProtocolRevision::ALL.into_iter().filter(legacy)
    };
    if let Some(named) = left().filter(|revision| words.names(revision.as_str())).max() {
        return Some(named);
    }
    // Invalid parameters are what many servers call it, without another word.
    let invalid_params = refusal.rpc_error().is_some_and(|rpc| rpc.code == INVALID_PARAMS);
    left().max().filter(|_| invalid_params || refuses_version(refusal) || words.names("version"))
}

/// What a refusal says, wherever it says it.
struct RefusalTexts<'a>([&'a str; 3]);

impl<'a> RefusalTexts<'a> {
    fn of(refusal: &'a TransportError) -> Self {
        let rpc = refusal.rpc_error();
        let data = rpc.and_then(|rpc| rpc.data.as_deref()).map_or("", RawValue::get);
        Self([rpc.map_or("", |rpc| &rpc.message), data, refusal.said().unwrap_or_default()])
    }

    fn names(&self, word: &str) -> bool {
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
}
