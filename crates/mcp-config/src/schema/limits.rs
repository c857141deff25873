//! The `limits` block: what the server may cost.

use super::reader::Reader;
use crate::entry::EntryLimits;
use crate::{ProblemCode, suggest};

/// Each field, with its bounds and what it limits.
pub(super) const FIELDS: [(&str, u64, u64, &str); 11] = [
    ("handshakeBytes", 1 << 10, 256 << 20, "Most bytes of a handshake."),
    ("listBytes", 1 << 10, 256 << 20, "Most bytes of a list, all pages together."),
    ("resultBytes", 1 << 10, 2 << 30, "Most bytes of a result."),
    ("messageBytes", 1 << 10, 256 << 20, "Most bytes of any other message."),
    ("hostBytes", 1 << 10, 2 << 30, "Most bytes of a message of a host, in a bridge."),
    ("errorBytes", 1 << 10, 1 << 20, "Most bytes of the body of an error."),
    ("errorMs", 100, 60_000, "How long the body of an error is waited for, in milliseconds."),
    ("pages", 1, 100_000, "Most pages of a list."),
    ("serverRequests", 1, 1_000, "Most requests of the server that are open at a time."),
    ("exchanges", 1, 1_000, "Most HTTP requests that are under way at a time."),
    ("requests", 1, 100_000, "Most requests of a host that are under way at a time in a bridge."),
];

pub(super) fn read(reader: &mut Reader<'_, '_>) -> EntryLimits {
    let mut limits = EntryLimits::default();
    let Some(node) = reader.get("limits") else { return limits };
    let Some(object) = node.as_object() else {
        let message = format!("expected an object, found {}; it is ignored", node.kind());
        reader.warn(ProblemCode::IgnoredValue, &["limits"], node.span, message, None);
        return limits;
    };
    for member in object.iter().filter(|member| !member.node.is_null()) {
        let steps = ["limits", &*member.key];
        let Some((key, least, most, _)) = FIELDS.into_iter().find(|(key, ..)| **key == *member.key) else {
            let message = format!("unknown field {:?}; it is ignored", member.key);
            let near = suggest::nearest(&member.key, FIELDS.map(|(key, ..)| key));
            let hint = near.map(|near| format!("did you mean `{near}`?"));
            reader.warn(ProblemCode::UnknownField, &steps, member.key_span, message, hint.as_deref());
            continue;
        };
        let Some(value) = member.node.as_u64().filter(|value| (least..=most).contains(value)) else {
            let message = format!("expected a whole number from {least} to {most}; it is ignored");
            reader.warn(ProblemCode::IgnoredValue, &steps, member.node.span, message, None);
            continue;
        };
        reader.show_at(&steps, &member.node, value.to_string(), Vec::new());
        let place = match key {
            "handshakeBytes" => &mut limits.handshake_bytes,
            "listBytes" => &mut limits.list_bytes,
            "resultBytes" => &mut limits.result_bytes,
            "messageBytes" => &mut limits.message_bytes,
            "hostBytes" => &mut limits.host_bytes,
            "errorBytes" => &mut limits.error_bytes,
            "errorMs" => &mut limits.error_ms,
            "pages" => &mut limits.pages,
            "serverRequests" => &mut limits.server_requests,
            "exchanges" => &mut limits.exchanges,
            _ => &mut limits.requests,
        };
        *place = Some(value);
    }
    limits
}
