//! Servers of HTTP+SSE (revision 2024-11-05) as they are written: how they name where they take messages, how they take
//! them, and what else is on their stream.
//!
//! A test is named by its reports (`fb_…`: docs/field-failures.md).

use std::sync::Arc;
use std::time::Duration;

use mcp_transport::message::ProtocolRevision;
use mcp_transport::{Connection, Connector, RequestOptions, Server, TransportErrorKind};

use crate::field_server::{Bytes, FieldServer, OpenStream, http, until_closed};
use crate::support::{echo, options};

const STREAM: &str = "Content-Type: text/event-stream\r\n";

/// How a server writes what the transport has it say.
#[derive(Clone, Copy)]
struct Style {
    /// What its stream begins with; `{origin}` is its own.
    opening: &'static str,
    /// The status and the body with which it takes a message.
    taken: (&'static str, &'static str),
    /// What stands around each message on the stream, with `{}` in its place.
    event: &'static str,
}

const PLAIN: Style = Style {
    opening: "event: endpoint\ndata: /messages?id=1\n\n",
    taken: ("202 Accepted", "Accepted"),
    event: "event: message\ndata: {}\n\n",
};

/// A server of this style, and its stream. Only a POST to the endpoint that it named is answered.
fn start(style: Style) -> (FieldServer, Arc<OpenStream>) {
    let stream = Arc::new(OpenStream::default());
    let open = stream.clone();
    let server = FieldServer::start(move |asked| match &*asked.verb {
        "GET" => {
            let origin = format!("http://{}", asked.header("host").unwrap());
            let opening = style.opening.replace("{origin}", &origin);
            Some(Bytes::Stream(until_closed(STREAM, opening.as_bytes()), open.clone()))
        }
        _ if !asked.target().starts_with("/messages?id=1") => {
            Some(Bytes::End(http("405 Method Not Allowed", "", b"")))
        }
        _ => {
            if let Some(response) = asked.response() {
                open.write(style.event.replace("{}", &response.to_string()).as_bytes());
            }
            Some(Bytes::End(http(style.taken.0, "Content-Type: text/plain\r\n", style.taken.1.as_bytes())))
        }
    });
    (server, stream)
}

async fn connected(target: &Server, shown: &str) -> Connection {
    let mut options = options();
    options.connect_timeout = Duration::from_secs(10);
    options.idle_timeout = Some(Duration::from_secs(10));
    Connector::new(options).attempt(target).await.unwrap_or_else(|error| panic!("{shown}: {error:?}"))
}

/// A whole session: the handshake, a list and a call.
async fn works(style: Style, shown: &str) {
    let (server, _) = start(style);
    let connection = connected(&server.legacy_target(), shown).await;
    let tools = connection.list_tools(&RequestOptions::new()).await;
    assert_eq!(tools.unwrap_or_else(|error| panic!("{shown}: {error:?}")).tools.len(), 1, "{shown}");
    assert_eq!(echo(&connection, "grüße").await.unwrap(), "grüße", "{shown}");
    assert_eq!(server.count("tools/call"), 1, "{shown}");
}

#[tokio::test]
async fn fb_l0_l1_l2_l3_l4_the_endpoint_is_read_relative_and_absolute() {
    for (id, endpoint) in [
        ("L0: a path", "/messages?id=1"),
        ("L1: a URL of the same origin", "{origin}/messages?id=1"),
        ("L2: relative to the stream", "messages?id=1"),
        ("L3: with dots", "./deeper/../messages?id=1"),
        ("L4: with more in its query", "/messages?id=1&session_id=5f0e-%2F&x="),
    ] {
        let opening = format!("event: endpoint\ndata: {endpoint}\n\n");
        works(Style { opening: opening.leak(), ..PLAIN }, id).await;
    }
}

#[tokio::test]
async fn fb_l8_l9_l10_a_message_is_taken_with_any_success() {
    for (id, status, body) in [
        ("L8", "200 OK", "ok"),
        ("L9", "201 Created", "{\"accepted\":true}"),
        ("L10", "204 No Content", ""),
        ("with a page", "200 OK", "<html></html>"),
        ("with null", "202 Accepted", "null"),
    ] {
        works(Style { taken: (status, body), ..PLAIN }, id).await;
    }
}

#[tokio::test]
async fn fb_l11_l12_l13_l15_marks_and_signs_of_life_are_passed_over() {
    let endpoint = "event: endpoint\ndata: /messages?id=1\n\n";
    for (id, opening, event) in [
        ("L11: a byte order mark", format!("\u{feff}{endpoint}"), PLAIN.event),
        (
            "L12: heartbeats before the endpoint",
            format!(": hi\n\nevent: ping\ndata: 1\n\n{endpoint}"),
            PLAIN.event,
        ),
        (
            "L13: heartbeats between messages",
            endpoint.to_owned(),
            ": ping\n\nevent: heartbeat\ndata: 1\n\nevent: message\ndata: {}\n\n: ping\n\n",
        ),
        (
            "L15: the line ends of Windows",
            endpoint.replace('\n', "\r\n"),
            "event: message\r\ndata: {}\r\n\r\n",
        ),
        ("no name on messages", endpoint.to_owned(), "data: {}\n\n"),
        ("a field more", format!("retry: 100\nid: 7\n{endpoint}"), "id: 8\nevent: message\ndata: {}\n\n"),
    ] {
        works(Style { opening: opening.leak(), event, ..PLAIN }, id).await;
    }
}

/// `type: http` for such a server: whatever it says to a POST at the address of its stream, the stream is tried.
#[tokio::test]
async fn fb_l14_fa_a94_a_server_of_the_older_transport_is_found_under_the_newer_type() {
    for status in ["405 Method Not Allowed", "404 Not Found", "400 Bad Request"] {
        let open = Arc::new(OpenStream::default());
        let server = FieldServer::start(move |asked| match &*asked.verb {
            "GET" => Some(Bytes::Stream(until_closed(STREAM, PLAIN.opening.as_bytes()), open.clone())),
            _ if asked.target() == "/mcp" => Some(Bytes::End(http(status, "", b""))),
            _ => {
                if let Some(response) = asked.response() {
                    open.write(PLAIN.event.replace("{}", &response.to_string()).as_bytes());
                }
                Some(Bytes::End(http("202 Accepted", "", b"")))
            }
        });
        let connection = connected(&server.target(), status).await;
        assert_eq!(connection.revision(), ProtocolRevision::V2025_06_18, "{status}: what it agreed to");
        assert_eq!(echo(&connection, "hello").await.unwrap(), "hello", "{status}");
    }
}

/// The answer cannot come any more: the call fails at once and is not sent again.
#[tokio::test]
async fn fb_l19_a_stream_that_ends_in_a_call_fails_that_call_at_once() {
    let stream = Arc::new(OpenStream::default());
    let open = stream.clone();
    let server = FieldServer::start(move |asked| match &*asked.verb {
        "GET" => Some(Bytes::Stream(until_closed(STREAM, PLAIN.opening.as_bytes()), open.clone())),
        _ if asked.rpc() == "tools/call" => {
            open.end();
            Some(Bytes::End(http("202 Accepted", "", b"")))
        }
        _ => {
            if let Some(response) = asked.response() {
                open.write(PLAIN.event.replace("{}", &response.to_string()).as_bytes());
            }
            Some(Bytes::End(http("202 Accepted", "", b"")))
        }
    });
    let connection = connected(&server.legacy_target(), "the handshake").await;
    let began = std::time::Instant::now();
    let error = echo(&connection, "lost").await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(!matches!(error.kind(), TransportErrorKind::Timeout { .. }), "{error:?}");
    assert_eq!(server.count("tools/call"), 1, "it may have run");
}

/// A server that answers, and then leaves a step out, is not one that does not answer.
#[tokio::test]
async fn a_limit_that_is_hit_on_a_stream_tells_which_step_is_missing() {
    // A name of another event, and a comment in place of each message.
    let nameless = Style { opening: "event: hello\ndata: /messages?id=1\n\n", ..PLAIN };
    let mute = Style { event: ": {}\n\n", ..PLAIN };
    for (style, missing) in [
        (nameless, "the server opened its stream and did not say on it where it takes messages (`endpoint`)"),
        (mute, "the server took the message of the handshake and did not answer it on its stream"),
    ] {
        let (server, _stream) = start(style);
        let mut options = options();
        options.connect_timeout = Duration::from_millis(300);
        options.limit_names.attempt = Some("PATIENCE".into());
        let error = Connector::new(options).attempt(&server.legacy_target()).await.unwrap_err();
        assert!(matches!(error.kind(), TransportErrorKind::Timeout { .. }), "{error:?}");
        assert_eq!(error.evidence().detail.as_deref(), Some(missing));
        assert_eq!(error.limit().and_then(|limit| limit.setting.as_deref()), Some("PATIENCE"));
    }
}

#[tokio::test]
async fn a_stream_that_ends_in_the_handshake_is_told_as_that() {
    let stream = Arc::new(OpenStream::default());
    let open = stream.clone();
    let server = FieldServer::start(move |asked| match &*asked.verb {
        "GET" => Some(Bytes::Stream(until_closed(STREAM, PLAIN.opening.as_bytes()), open.clone())),
        _ => {
            open.end();
            Some(Bytes::End(http("202 Accepted", "", b"")))
        }
    });
    let error = Connector::new(options()).attempt(&server.legacy_target()).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Dropped, "{error:?}");
    assert_eq!(
        error.evidence().detail.as_deref(),
        Some("the server ended its stream before it answered the handshake")
    );
}
