//! How a simulated server is reached: HTTP and streams, with what a network does to them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use mcp_auth::{AuthError, AuthFuture, CredentialSource, Credentials, FetchReason};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader, ReadBuf};
use tokio::sync::mpsc;

use super::world::{Fault, Piece, Way, World, reset};
use crate::http::simulated::{Network, SimulatedExchange};
use crate::message::Era;
use crate::stream::{OpenFuture, Stream, StreamOpener};

/// What a request is answered with.
struct Answered {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

enum Body {
    Whole(Vec<u8>),
    Open(mpsc::UnboundedReceiver<Piece>),
}

impl World {
    /// The time on the way.
    async fn travel(&self, who: &str) {
        let millis = 1 + self.below(who, 30) as u64;
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    fn serve(&self, request: &http::Request<Bytes>) -> Answered {
        match self.fault() {
            Some(Fault::Http(status, headers, body)) => {
                let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
                return Answered { status, headers, body: Body::Whole(body.as_bytes().to_vec()) };
            }
            _ if !self.is_accepted(request.headers()) => return whole(401, "text/plain", "no such token"),
            _ => {}
        }
        let session = request.headers().get("mcp-session-id").and_then(|value| value.to_str().ok());
        match *request.method() {
            Method::GET if self.way == Way::HttpSse => {
                self.open("session", |name| Some(format!("event: endpoint\ndata: /messages?s={name}\n\n")))
            }
            Method::GET if self.way == Way::Events => self.open("own", |_| None),
            Method::DELETE => {
                if let Some(session) = session {
                    self.state().sessions.remove(session);
                }
                whole(200, "text/plain", "")
            }
            Method::POST => self.post(request, session),
            _ => whole(405, "text/plain", "no"),
        }
    }

    fn is_accepted(&self, headers: &HeaderMap) -> bool {
        let Some(number) = self.state().accepted else { return true };
        let wanted = format!("Bearer {number}");
        headers.get(header::AUTHORIZATION).is_some_and(|has| has.as_bytes() == wanted.as_bytes())
    }

    fn open(&self, what: &str, first: impl FnOnce(&str) -> Option<String>) -> Answered {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut state = self.state();
        state.next += 1;
        let name = format!("{what}-{}", state.next);
        if let Some(first) = first(&name) {
            let _ = sender.send(Ok(first.into()));
        }
        state.open.insert(name, sender);
        let headers = vec![("content-type", "text/event-stream".to_owned())];
        Answered { status: 200, headers, body: Body::Open(receiver) }
    }

    fn post(&self, request: &http::Request<Bytes>, session: Option<&str>) -> Answered {
        let Ok(message) = serde_json::from_slice::<Value>(request.body()) else {
            return whole(400, "text/plain", "no JSON");
        };
        let method = message["method"].as_str().unwrap_or_default();
        if self.way == Way::HttpSse {
            let stream = request.uri().query().and_then(|query| query.strip_prefix("s="));
            let Some(stream) = stream.and_then(|name| self.state().open.get(name).cloned()) else {
                // The URL that takes GET takes no POST; a stream that is gone takes nothing.
                return whole(404, "text/plain", "no such stream");
            };
            if let Some(answer) = self.answer(&message) {
                let _ = stream.send(Ok(format!("event: message\ndata: {answer}\n\n").into()));
            }
            return whole(202, "text/plain", "Accepted");
        }
        let mut headers = Vec::new();
        if self.way.era() == Era::Legacy {
            match method {
                "initialize" => {
                    let mut state = self.state();
                    state.next += 1;
                    let name = format!("s-{}", state.next);
                    headers.push(("mcp-session-id", name.clone()));
                    state.sessions.insert(name);
                }
                _ if session.is_none() => return whole(400, "text/plain", "no session"),
                _ if !session.is_some_and(|session| self.state().sessions.contains(session)) => {
                    return whole(404, "text/plain", "no such session");
                }
                _ => {}
            }
        }
        let Some(answer) = self.answer(&message) else {
            return Answered { status: 202, headers, body: Body::Whole(Vec::new()) };
        };
        let (content_type, body) = match self.way {
            Way::Events => ("text/event-stream", format!("event: message\ndata: {answer}\n\n")),
            _ => ("application/json", answer.to_string()),
        };
        headers.push(("content-type", content_type.to_owned()));
        Answered { status: 200, headers, body: Body::Whole(body.into_bytes()) }
    }

    /// The body as the network lets it through.
    fn deliver(&self, body: Body) -> mpsc::UnboundedReceiver<Piece> {
        let whole = match body {
            Body::Open(receiver) => return receiver,
            Body::Whole(whole) => whole,
        };
        let (sender, receiver) = mpsc::unbounded_channel();
        let limit = match self.fault() {
            Some(Fault::Cut(limit) | Fault::Stalled(limit)) => limit.min(whole.len()),
            _ => whole.len(),
        };
        let _ = sender.send(Ok(Bytes::copy_from_slice(&whole[..limit])));
        match self.fault() {
            Some(Fault::Cut(_)) => drop(sender.send(Err(reset()))),
            // What stalled stays stalled when the network is back.
            Some(Fault::Stalled(_)) if limit < whole.len() => {
                let mut state = self.state();
                state.next += 1;
                let name = format!("stalled-{}", state.next);
                state.open.insert(name, sender);
            }
            _ => {}
        }
        receiver
    }

    /// Serves one stream until an end of it is gone.
    async fn serve_stream(self: Arc<Self>, stream: tokio::io::DuplexStream) {
        let (input, mut output) = tokio::io::split(stream);
        let (sender, mut broken) = mpsc::unbounded_channel();
        let name = {
            let mut state = self.state();
            state.next += 1;
            let name = format!("line-{}", state.next);
            state.open.insert(name.clone(), sender);
            name
        };
        let mut lines = BufReader::new(input).lines();
        loop {
            let line = tokio::select! {
                biased;
                _ = broken.recv() => break,
                line = lines.next_line() => line,
            };
            let Ok(Some(line)) = line else { break };
            self.travel(&line).await;
            match self.fault() {
                Some(Fault::Silent | Fault::Stalled(_)) => continue,
                Some(Fault::Reset | Fault::Refused | Fault::Cut(_)) => break,
                Some(Fault::Http(_, _, body)) => {
                    let _ = output.write_all(format!("{body}\n").as_bytes()).await;
                    continue;
                }
                _ => {}
            }
            let answer = serde_json::from_str(&line).ok().and_then(|message| self.answer(&message));
            if let Some(answer) = answer
                && output.write_all(format!("{answer}\n").as_bytes()).await.is_err()
            {
                break;
            }
        }
        self.state().open.remove(&name);
    }
}

fn whole(status: u16, content_type: &str, body: &str) -> Answered {
    let headers = vec![("content-type", content_type.to_owned())];
    Answered { status, headers, body: Body::Whole(body.as_bytes().to_vec()) }
}

impl Network for World {
    fn exchange(&self, request: http::Request<Bytes>) -> SimulatedExchange<'_> {
        Box::pin(async move {
            let who = format!("{} {}", request.method(), String::from_utf8_lossy(request.body()));
            self.travel(&who).await;
            match self.fault() {
                Some(Fault::Refused) => {
                    return Err((io::Error::from(io::ErrorKind::ConnectionRefused).into(), true));
                }
                Some(Fault::Unresolved) => return Err((io::Error::other("name not known").into(), true)),
                Some(Fault::Tls) => {
                    let expired = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
                    return Err((expired.into(), true));
                }
                Some(Fault::Reset) => return Err((reset().into(), false)),
                Some(Fault::Silent) => std::future::pending().await,
                _ => {}
            }
            let answered = self.serve(&request);
            self.travel(&who).await;
            let mut response = http::Response::builder().status(answered.status);
            for (name, value) in answered.headers {
                response = response.header(name, value);
            }
            let pieces: Box<dyn AsyncRead + Send + Unpin> =
                Box::new(Pieces { coming: self.deliver(answered.body), rest: Bytes::new() });
            response.body(pieces).map_err(|error| (error.into(), false))
        })
    }
}

/// Pieces of a body, read as they come.
struct Pieces {
    coming: mpsc::UnboundedReceiver<Piece>,
    rest: Bytes,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match std::task::ready!(self.coming.poll_recv(cx)) {
                Some(Ok(piece)) => self.rest = piece,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest.split_to(count));
        Poll::Ready(Ok(()))
    }
}

/// Opens streams to a world.
pub(super) struct Opener(pub(super) Arc<World>);

impl StreamOpener for Opener {
    fn open(&self) -> OpenFuture<'_> {
        Box::pin(async move {
            self.0.travel("open").await;
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            tokio::spawn(self.0.clone().serve_stream(theirs));
            let (input, output) = tokio::io::split(ours);
            Ok(Stream::new(input, output))
        })
    }
}

/// Gets the token that the world takes, for one connection.
pub(super) struct Tokens {
    world: Arc<World>,
    is_fetching: AtomicBool,
}

impl Tokens {
    pub(super) fn of(world: &Arc<World>) -> Self {
        Self { world: world.clone(), is_fetching: AtomicBool::new(false) }
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl CredentialSource for Tokens {
    fn name(&self) -> &str {
        "tokens"
    }

    fn fetch<'a>(&'a self, _why: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(async move {
            self.world.state().fetches += 1;
            self.world.note("fetch");
            if self.is_fetching.swap(true, Ordering::Relaxed) {
                self.world.state().wrong.push("two fetches at a time".to_owned());
            }
            let _ended = Ended(&self.is_fetching);
            self.world.travel("fetch").await;
            self.world.travel("fetch").await;
            if let Some(Fault::Source(kind)) = self.world.fault() {
                return Err(AuthError::new(kind, "get a token"));
            }
            let number = self.world.state().accepted.unwrap_or_default();
            let value = HeaderValue::try_from(format!("Bearer {number}")).unwrap();
            Ok(Credentials::new("tokens", [(header::AUTHORIZATION, value)]))
        })
    }
}

struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
