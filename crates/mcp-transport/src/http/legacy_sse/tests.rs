//! Against a scripted server on loopback.

use mcp_auth::{AuthFuture, AuthProvider, Capabilities, Credentials, Recovery, Rejection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::http::client::HttpClient;
use crate::inbound::tests::RecordingInbound;
use crate::options::{ClientInfo, ClientOptions};

/// Far longer than anything here takes; a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(60);

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 8\r\n\r\nAccepted";

/// One request as it arrived: its first line and headers, and its body. Each has a connection of its own, so
/// every answer must close it.
struct Request {
    head: String,
    body: String,
    socket: TcpStream,
}

impl Request {
    fn has(&self, line: &str) -> bool {
        self.head.lines().any(|have| have.eq_ignore_ascii_case(line))
    }

    async fn answer(&mut self, bytes: &str) {
        let _ = self.socket.write_all(bytes.as_bytes()).await;
    }
}

/// A server whose every request is handed to the test, which plays its part.
struct Fake {
    requests: mpsc::UnboundedReceiver<Request>,
    endpoint: Url,
}

impl Fake {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/base/sse", listener.local_addr().unwrap()).parse().unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let sender = sender.clone();
                tokio::spawn(async move {
                    if let Some(request) = read(socket).await {
                        let _ = sender.send(request);
                    }
                });
            }
        });
        Self { requests, endpoint }
    }

    async fn next(&mut self) -> Request {
        tokio::time::timeout(PATIENCE, self.requests.recv()).await.expect("a request in time").unwrap()
    }

    /// Plays the opening and returns both ends.
    async fn opened(
        &mut self,
        provider: Option<Arc<dyn AuthProvider>>,
    ) -> (LegacySse, Request, Arc<RecordingInbound>) {
        let recorder = Arc::new(RecordingInbound::default());
        let budget = budget();
        let opening = LegacySse::open(self.client(provider), &budget, recorder.clone());
        let script = async {
            let mut stream = self.next().await;
            stream.answer(&format!("{HEAD}: hi\n\nevent: endpoint\ndata: /messages?session=1\n\n")).await;
            stream
        };
        let (wire, stream) = tokio::join!(opening, script);
        (wire.unwrap(), stream, recorder)
    }

    fn client(&self, provider: Option<Arc<dyn AuthProvider>>) -> AuthedClient {
        let options = ClientOptions::new(ClientInfo::new("test", "1"));
        AuthedClient::new(HttpClient::new(options), self.endpoint.clone(), provider)
    }

    /// What opening ends with when the server answers with these bytes.
    async fn refused(&mut self, answer: &str) -> TransportError {
        let budget = budget();
        let opening = LegacySse::open(self.client(None), &budget, Arc::new(RecordingInbound::default()));
        let script = async {
            let mut request = self.next().await;
            request.answer(answer).await;
        };
        let (wire, ()) = tokio::join!(opening, script);
        wire.expect_err("no connection").error
    }
}

async fn read(mut socket: TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
                return Some(Request { head, body, socket });
            }
        }
        match socket.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
        }
    }
}

fn budget() -> Budget {
    let limits = Limits { result_bytes: 10_000, message_bytes: 10_000, ..Limits::default() };
    Budget::new(Arc::new(limits), Default::default())
}

fn allowance() -> Allowance {
    budget().limits.allowance("m")
}

/// Supplies `Bearer A`, and `Bearer B` once that was refused.
#[derive(Debug)]
struct RotatingProvider;

fn bearer(value: &'static str) -> Credentials {
    Credentials::new("rotating", [(header::AUTHORIZATION, HeaderValue::from_static(value))])
}

impl AuthProvider for RotatingProvider {
    fn name(&self) -> &str {
        "rotating"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        Box::pin(async { Ok(bearer("Bearer A")) })
    }

    fn on_rejected<'a>(&'a self, _: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        Box::pin(async { Ok(Recovery::Retry(bearer("Bearer B"))) })
    }
}

fn ping(id: i64) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#).into_bytes()
}

async fn ask(wire: &LegacySse, id: i64) -> Outcome {
    let request = wire.request(id, ping(id), allowance(), Phase::Session, PATIENCE, Patience::default());
    tokio::time::timeout(PATIENCE, request).await.expect("no wait is endless")
}

#[tokio::test]
async fn messages_go_by_post_and_come_by_the_stream() {
    let mut fake = Fake::start().await;
    let (wire, mut stream, recorder) = fake.opened(None).await;
    assert!(stream.head.starts_with("GET /base/sse HTTP/1.1") && stream.has("accept: text/event-stream"));

    let script = async {
        let mut post = fake.next().await;
        assert!(post.head.starts_with("POST /messages?session=1 HTTP/1.1"), "{}", post.head);
        assert!(post.has("content-type: application/json") && post.has("user-agent: test/1"));
        assert_eq!(post.body.as_bytes(), ping(1));
        stream.answer("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n").await;
        stream.answer("event: message\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\"result\":{}}\n\n").await;
        post.answer(ACCEPTED).await;
    };
    let (outcome, ()) = tokio::join!(ask(&wire, 1), script);
    assert_eq!(outcome.unwrap().get(), "{}");
    assert_eq!(*recorder.seen(), ["notifications/message"]);

    // A request of the server is answered by POST.
    stream.answer("data: {\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"roots/list\"}\n\n").await;
    let mut post = fake.next().await;
    assert_eq!(post.body, r#"{"jsonrpc":"2.0","id":"s","result":{}}"#);
    post.answer(ACCEPTED).await;

    // What is said in the background is still delivered when the connection is closed.
    wire.post_in_background(br#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#.to_vec());
    let script = async {
        let mut post = fake.next().await;
        assert!(post.body.contains("cancelled"));
        post.answer(ACCEPTED).await;
    };
    tokio::join!(wire.close(), script);
    assert_eq!(*ask(&wire, 2).await.unwrap_err().kind(), TransportErrorKind::Closed);
    // The stream ends with it.
    let read = tokio::time::timeout(PATIENCE, stream.socket.read(&mut [0; 16])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
    assert_eq!(*recorder.seen(), ["notifications/message"], "an end by the owner is no loss");
}

#[tokio::test]
async fn credentials_travel_on_both_ways_and_a_refused_post_is_replayed_once() {
    let mut fake = Fake::start().await;
    let (wire, mut stream, _) = fake.opened(Some(Arc::new(RotatingProvider))).await;
    assert!(stream.has("authorization: Bearer A"));
    let script = async {
        let mut refused = fake.next().await;
        assert!(refused.has("authorization: Bearer A"));
        refused.answer("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        let mut replayed = fake.next().await;
        assert!(replayed.has("authorization: Bearer B"));
        assert_eq!(replayed.body, refused.body);
        replayed.answer(ACCEPTED).await;
        stream.answer("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n\n").await;
    };
    let (outcome, ()) = tokio::join!(ask(&wire, 1), script);
    assert_eq!(outcome.unwrap().get(), "1");
}

#[tokio::test]
async fn the_endpoint_may_be_relative_and_must_keep_its_origin() {
    let mut fake = Fake::start().await;
    let opening = |data: &str| format!("{HEAD}event: endpoint\ndata: {data}\n\n");
    for elsewhere in ["http://127.0.0.1:1/messages", "https://example.com/", "//example.com/x", "data:,x"] {
        let error = fake.refused(&opening(elsewhere)).await;
        assert_eq!(*error.kind(), TransportErrorKind::Protocol, "{elsewhere}");
        assert_eq!(error.to_string(), "the stream names an endpoint of another origin");
    }
    assert_eq!(
        fake.refused(&opening("http://[")).await.to_string(),
        "the endpoint that the stream names is not a URL"
    );

    let stream = |url: &str| {
        let base: Url = "https://host/base/sse".parse().unwrap();
        base.join(url).unwrap().to_string()
    };
    assert_eq!(stream("messages?x=1"), "https://host/base/messages?x=1");
    assert_eq!(stream("?x=1"), "https://host/base/sse?x=1");
}

#[tokio::test]
async fn what_is_no_such_server_says_why() {
    let mut fake = Fake::start().await;
    let error =
        fake.refused("HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(*error.kind(), TransportErrorKind::Http { status: 404, retry_after: None });
    let error = fake
        .refused("HTTP/1.1 503 Busy\r\nconnection: close\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n")
        .await;
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(*error.kind(), TransportErrorKind::Http { status: 503, retry_after });
    let error = fake
        .refused(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        )
        .await;
    assert_eq!(error.to_string(), "the answer is not an event stream");
    let error = fake.refused(&format!("{HEAD}data: {{}}\n\n")).await;
    assert_eq!(error.to_string(), "the stream ended before it named its endpoint");
}

#[tokio::test]
async fn a_refused_message_fails_its_request_alone() {
    let mut fake = Fake::start().await;
    let (wire, mut stream, _) = fake.opened(None).await;
    let script = async {
        let mut post = fake.next().await;
        let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"bad"}}"#;
        post.answer(&format!(
            "HTTP/1.1 400 Bad\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
        let mut post = fake.next().await;
        post.answer(ACCEPTED).await;
        stream.answer("data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":2}\n\n").await;
    };
    let asking = async { (ask(&wire, 1).await, ask(&wire, 2).await) };
    let ((refused, answered), ()) = tokio::join!(asking, script);
    let error = refused.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Http { status: 400, retry_after: None });
    assert_eq!(error.rpc_error().unwrap().code, -32602);
    assert_eq!(answered.unwrap().get(), "2");
}

/// Field failure 105: a drop in the middle of an answer.
#[tokio::test]
async fn the_end_of_the_stream_fails_every_request_at_once() {
    let mut fake = Fake::start().await;
    let (wire, stream, recorder) = fake.opened(None).await;
    let script = async {
        for _ in 0..2 {
            fake.next().await.answer(ACCEPTED).await;
        }
        let mut stream = stream;
        stream.answer("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"resu").await;
        drop(stream);
    };
    let (one, two, ()) = tokio::join!(ask(&wire, 1), ask(&wire, 2), script);
    for outcome in [one, two, ask(&wire, 3).await] {
        assert_eq!(*outcome.unwrap_err().kind(), TransportErrorKind::Dropped);
    }
    assert!(wire.notify(Vec::new()).await.is_err());
    assert_eq!(*recorder.seen(), ["closed"]);
}

/// Field failure 106: a frame without an end.
#[tokio::test]
async fn an_endless_frame_ends_in_an_error() {
    let mut fake = Fake::start().await;
    let (wire, mut stream, _) = fake.opened(None).await;
    let script = async {
        fake.next().await.answer(ACCEPTED).await;
        stream.answer("data: ").await;
        for _ in 0..20 {
            stream.answer(&"x".repeat(1_000)).await;
        }
    };
    let (outcome, ()) = tokio::join!(ask(&wire, 1), script);
    assert_eq!(*outcome.unwrap_err().kind(), TransportErrorKind::TooLarge);
}

#[tokio::test]
async fn a_message_that_is_never_taken_fails_in_time() {
    let mut fake = Fake::start().await;
    let (wire, _stream, _) = fake.opened(None).await;
    let limit = Duration::from_millis(50);
    let request = wire.request(1, ping(1), allowance(), Phase::Session, limit, Patience::default());
    let (outcome, _held) = tokio::join!(request, fake.next());
    let kind = TransportErrorKind::Timeout { stage: crate::error::TimeoutStage::FirstByte };
    assert_eq!(*outcome.unwrap_err().kind(), kind);
}

#[tokio::test]
async fn the_url_for_messages_reaches_no_log() {
    let mut fake = Fake::start().await;
    let (wire, _stream, _) = fake.opened(None).await;
    assert!(!format!("{wire:?}").contains("session=1"));
}

#[test]
fn which_answers_make_it_likely() {
    let kind = |status| TransportErrorKind::Http { status, retry_after: None };
    for (status, likely) in [(400, true), (404, true), (405, true), (401, false), (410, false), (500, false)]
    {
        assert_eq!(is_likely(&TransportError::new(kind(status), "")), likely, "{status}");
    }
    assert!(!is_likely(&TransportError::new(TransportErrorKind::Unreachable, "")));
}
