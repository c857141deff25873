//! What an event of a stream holds: messages, or one of the many things that servers send to keep a stream alive.

use crate::message::envelope::{self, EnvelopeError, Messages};
use crate::sse_parser::SseEvent;

/// The messages in an event; `None` where it is a sign of life: no data at all, `ping`, `[DONE]`, an object that is no
/// message. Under which name an event comes says nothing: the GET stream of some servers, and errors of others, have
/// names of their own.
///
/// # Errors
///
/// It begins like a message, or like a batch of them, and is none.
pub(super) fn messages(event: SseEvent) -> Result<Option<Messages>, EnvelopeError> {
    let named = event.event.is_some_and(|name| name != "message");
    if !begins_like_one(&event.data) {
        return Ok(None);
    }
    match envelope::parse_text(event.data) {
        Ok(messages) => Ok(Some(messages)),
        Err(error) if named || error.is_of_another_kind() => Ok(None),
        Err(error) => Err(error),
    }
}

fn begins_like_one(data: &str) -> bool {
    let data = data.strip_prefix('\u{feff}').unwrap_or(data).trim_ascii_start();
    let inner = data.strip_prefix('[').map_or(data, str::trim_ascii_start);
    inner.starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> SseEvent {
        let event = (!name.is_empty()).then(|| name.to_owned());
        SseEvent { event, data: data.to_owned(), ..SseEvent::default() }
    }

    #[test]
    fn fb_s12_s15_s16_signs_of_life_are_no_messages() {
        let message = r#"{"jsonrpc":"2.0","method":"n"}"#;
        for (name, data) in [
            ("", ""),
            ("", " "),
            ("", "ping"),
            ("", "[DONE]"),
            ("", "[]"),
            ("", "null"),
            ("", "{}"),
            ("", r#"{"type":"heartbeat","at":1}"#),
            ("", r#"{"jsonrpc":"2.0"}"#),
            ("", "2026-11-28T08:00:00Z"),
            ("", "\"keep-alive\""),
            ("ping", "{broken"),
            ("heartbeat", "1"),
            ("keepalive", "{}"),
            ("endpoint", "/messages"),
        ] {
            assert!(messages(event(name, data)).unwrap().is_none(), "{name} {data}");
        }
        for (name, data) in [
            ("", message.to_owned()),
            ("message", format!("\u{feff} {message}")),
            ("error", message.to_owned()),
            ("response", message.to_owned()),
            ("", format!("[ {message}]")),
        ] {
            assert!(messages(event(name, &data)).unwrap().is_some(), "{name} {data}");
        }
        for data in
            [r#"{"jsonrpc":"2.0","id":1,"result":"#, r#"{"jsonrpc":"2.0","id":1}"#, "{broken", "[{broken"]
        {
            assert!(messages(event("", data)).is_err(), "{data}");
        }
    }
}
