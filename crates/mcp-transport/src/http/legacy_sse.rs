//! The HTTP+SSE transport of 2024-11-05: a GET stream that brings every message of the server, and a URL on it
//! that takes every message of ours.
//!
//! Deprecated since 2025-03-26, still in the field. The stream is the session: when it ends, every request in
//! flight has failed, and a new connection begins with a new stream.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use mcp_status::Phase;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::body::{Body, CollectedBody};
use super::client::Answer;
use super::form::{BEGINNING, Form, described, essence};
use super::page;
use super::said::words;
use crate::authed::{AcceptedAnswer, AuthedClient, Outbound};
use crate::duplex::{CloseReason, Duplex, Gauge, Outcome, Patience, Reply};
use crate::error::{TransportError, TransportErrorKind};
use crate::inbound::Inbound;
use crate::lease::Lease;
use crate::limits::{Allowance, Budget, Limits};
use crate::message::envelope::{self, Incoming};
use crate::sse_parser::{SseEvent, SseParser};
use crate::waiting::WaitSubject;

/// How long the last messages may take when the connection is closed.
const SESSION_END: Duration = Duration::from_secs(2);

/// A connection over HTTP+SSE. Dropping it ends the stream.
pub(crate) struct LegacySse {
    duplex: Duplex,
    poster: Arc<Poster>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

/// The way to the server.
struct Poster {
    http: AuthedClient,
    /// Where the server wants messages; of the origin of the endpoint.
    url: Url,
    headers: HeaderMap,
    budget: Budget,
    /// The turns of messages of ours: each may be a socket.
    turns: Semaphore,
}

/// The way from the server.
struct Stream {
    body: Body,
    parser: SseParser,
    /// No message is longer, whatever it answers.
    longest: usize,
    /// Measures them, once there are requests that they may answer.
    gauge: Option<Gauge>,
}

impl LegacySse {
    /// What it is sent with.
    pub(crate) fn http(&self) -> &AuthedClient {
        &self.poster.http
    }

    /// Opens the stream and waits until the server has said where it takes messages.
    ///
    /// # Errors
    /// Why there is no such stream; a server of another transport ends up here too.
    pub(crate) async fn open(
        http: AuthedClient,
        budget: &Budget,
        inbound: Arc<dyn Inbound>,
    ) -> Result<Self, StreamRefusal> {
        let options = http.client.options().clone();
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Ok(agent) = HeaderValue::from_str(&options.user_agent) {
            headers.insert(header::USER_AGENT, agent);
        }
        let mut stream = Stream::open(&http, headers.clone(), &budget.limits).await?;
        http.waiting.begin(WaitSubject::Endpoint);
        let url = stream.endpoint(&http.endpoint).await.map_err(StreamRefusal::of_this_transport)?;
        http.waiting.begin(WaitSubject::Server);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // What is read is the body of an error; the messages come by the stream.
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));

        let turns = Semaphore::new(budget.limits.exchanges);
        let poster = Arc::new(Poster { http, url, headers, budget: budget.clone(), turns });
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        let reply: Reply = Arc::new({
            let (poster, tasks) = (poster.clone(), tasks.clone());
            let limit = options.first_byte_timeout;
            move |frame, debt| {
                let poster = poster.clone();
                tasks.spawn(async move {
                    let _debt = debt;
                    if let Err(error) = poster.tell(frame, Phase::Session, Some(limit)).await {
                        tracing::debug!(%error, "the server did not take our answer");
                    }
                });
            }
        });
        let duplex = Duplex::new(inbound, budget, reply);
        tokio::spawn({
            let (duplex, closing) = (duplex.clone(), closing.clone());
            async move {
                let reason = tokio::select! {
                    reason = stream.follow(&duplex) => reason,
                    () = closing.cancelled() => CloseReason::by_owner(),
                };
                duplex.end(reason);
            }
        });
        Ok(Self { duplex, poster, tasks, closing })
    }

    /// Sends the request `id`, encoded as `frame`, and waits for its answer on the stream. The server must
    /// accept the message within `first_byte`. Dropping the future forgets the request but does not tell the
    /// server.
    ///
    /// # Errors
    /// The message was refused, or see [`Waiter::outcome`](crate::duplex::Waiter::outcome).
    pub(crate) async fn request(
        &self,
        id: i64,
        frame: Vec<u8>,
        allowance: Allowance,
        phase: Phase,
        first_byte: Duration,
        patience: Patience<'_>,
    ) -> Outcome {
        let waiter = self.duplex.register(id, allowance)?;
        let mut outcome = std::pin::pin!(waiter.outcome(patience));
        let post = async {
            let _turn = self.poster.turns.acquire().await;
            let mut answer = self.poster.post(frame, phase, Some(first_byte)).await?;
            self.poster.inline_answer(&mut answer, allowance).await
        };
        let outcome = tokio::select! {
            biased;
            // Many servers answer on the stream before they accept the message.
            outcome = &mut outcome => outcome,
            accepted = post => {
                if let Some((frame, lease)) = accepted?
                    && let Err(error) = self.duplex.deliver_text(frame, lease)
                {
                    tracing::debug!(%error, "ignored what came with the acceptance of a message");
                }
                if phase == Phase::Connect {
                    self.poster.http.waiting.begin(WaitSubject::Streamed);
                }
                outcome.await
            }
        };
        if phase == Phase::Connect {
            self.poster.http.waiting.begin(WaitSubject::Server);
        }
        outcome.map_err(|error| match error.kind() {
            TransportErrorKind::Dropped if phase == Phase::Connect => error
                .with_said(Some("the server ended its stream before it answered the handshake".to_owned())),
            _ => error,
        })
    }

    /// Sends a notification and waits until it is accepted.
    ///
    /// # Errors
    /// The message was refused, or the stream has ended.
    pub(crate) async fn notify(&self, frame: Vec<u8>) -> Result<(), TransportError> {
        if let Some(reason) = self.duplex.ended() {
            return Err(reason.to_error());
        }
        self.poster.tell(frame, Phase::Session, None).await
    }

    /// Sends a notification without waiting for it, so that it can be called while something is dropped.
    pub(crate) fn post_in_background(&self, frame: Vec<u8>) {
        if self.duplex.ended().is_none() {
            let poster = self.poster.clone();
            self.tasks.spawn(async move {
                let shutdown = async {
                    let _turn = poster.turns.acquire().await;
                    poster.tell(frame, Phase::Session, None).await
                };
                let _ = tokio::time::timeout(SESSION_END, shutdown).await;
            });
        }
    }

    /// Ends the stream once what was sent in the background is delivered, after two seconds at most. Requests
    /// in flight fail at once.
    pub(crate) async fn close(&self) {
        self.duplex.end(CloseReason::by_owner());
        self.tasks.close();
        let _ = tokio::time::timeout(SESSION_END, self.tasks.wait()).await;
        self.closing.cancel();
    }
}

impl fmt::Debug for LegacySse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: the URL for messages usually holds the session id.
        f.debug_struct("LegacySse").field("duplex", &self.duplex).finish_non_exhaustive()
    }
}

impl Drop for LegacySse {
    fn drop(&mut self) {
        self.duplex.end(CloseReason::by_owner());
        self.closing.cancel();
    }
}

/// Whether this outcome of a first POST is what a server of this transport would answer (2025-11-25 and
/// 2026-07-28, backward compatibility with HTTP+SSE).
pub(crate) fn is_likely(error: &TransportError) -> bool {
    matches!(error.kind(), TransportErrorKind::Http { status: 400 | 404 | 405, .. })
}

impl Poster {
    /// Sends a message that wants no response.
    async fn tell(
        &self,
        frame: Vec<u8>,
        phase: Phase,
        first_byte: Option<Duration>,
    ) -> Result<(), TransportError> {
        let mut answer = self.post(frame, phase, first_byte).await?;
        // Read to its end, so that the connection can be used again.
        answer.body.finish(&self.budget.limits).await;
        Ok(())
    }

    /// What a server that has accepted a request says with that. The response is due on the stream, and some servers
    /// write it here all the same.
    async fn inline_answer(
        &self,
        answer: &mut Answer,
        allowance: Allowance,
    ) -> Result<Option<(String, Option<Arc<Lease>>)>, TransportError> {
        let is_json = matches!(answer.body.beginning().await, Ok(beginning) if beginning.trim_ascii_start().starts_with(b"{"));
        if !is_json {
            answer.body.finish(&self.budget.limits).await;
            return Ok(None);
        }
        let mut meter = self.budget.meter(allowance);
        let CollectedBody { bytes, .. } =
            answer.body.collect(|bytes| allowance.check(bytes), |bytes| meter.admit(bytes)).await?;
        Ok(String::from_utf8(bytes).ok().map(|frame| (frame, meter.take_lease())))
    }

    /// Sends a message until it is accepted.
    async fn post(
        &self,
        frame: Vec<u8>,
        phase: Phase,
        first_byte: Option<Duration>,
    ) -> Result<Answer, TransportError> {
        let out = Outbound {
            method: Method::POST,
            url: &self.url,
            headers: Cow::Borrowed(&self.headers),
            more: Vec::new(),
            body: Bytes::from(frame),
            phase,
            // 202 with whatever text: the answer is on the stream.
            expects_message: false,
            recover: true,
            first_byte,
            activity: None,
            waiting: None,
        };
        let AcceptedAnswer { answer, sender } = self.http.send(&out).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(sender.describe(failure(answer, &self.budget.limits, phase).await))
    }
}

/// Why there is no stream.
#[derive(Debug)]
pub(crate) struct StreamRefusal {
    pub(super) error: TransportError,
    /// The server may speak Streamable HTTP: it takes no GET here, or answers it with something else.
    pub(super) may_be_streamable: bool,
}

impl StreamRefusal {
    fn of_this_transport(error: TransportError) -> Self {
        Self { error, may_be_streamable: false }
    }

    fn of_another(error: TransportError) -> Self {
        Self { error, may_be_streamable: true }
    }
}

impl Stream {
    async fn open(
        http: &AuthedClient,
        mut headers: HeaderMap,
        limits: &Limits,
    ) -> Result<Self, StreamRefusal> {
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let out = Outbound {
            method: Method::GET,
            url: &http.endpoint,
            headers: Cow::Owned(headers),
            more: Vec::new(),
            body: Bytes::new(),
            phase: Phase::Connect,
            expects_message: true,
            recover: true,
            // The attempt as a whole has a limit.
            first_byte: None,
            activity: None,
            waiting: None,
        };
        let AcceptedAnswer { mut answer, sender } = http.send(&out).await.map_err(|error| StreamRefusal {
            // A web page.
            may_be_streamable: *error.kind() == TransportErrorKind::Protocol,
            error,
        })?;
        if !answer.status.is_success() {
            let may_be_streamable = takes_no_get(answer.status);
            let error = sender.describe(failure(answer, limits, Phase::Connect).await);
            return Err(StreamRefusal { error, may_be_streamable });
        }
        let essence = essence(&answer.headers);
        let beginning = match &*essence {
            // An event may be long in coming.
            "text/event-stream" => b"",
            _ => answer.body.beginning().await.map_err(StreamRefusal::of_this_transport)?,
        };
        if Form::of(&essence, beginning) != Form::Stream {
            let said = format!(
                "no event stream: {}",
                described(&essence, &beginning[..beginning.len().min(BEGINNING)])
            );
            let error =
                TransportError::new(TransportErrorKind::Protocol, "the answer is not an event stream");
            return Err(StreamRefusal::of_another(sender.describe(error.with_said(Some(said)))));
        }
        // Before the handshake, no message is due.
        let parser = SseParser::new(limits.handshake_bytes);
        Ok(Self { body: answer.body, parser, longest: limits.longest(), gauge: None })
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Result<Option<SseEvent>, TransportError> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Some(event));
            }
            match self.body.chunk().await? {
                Some(chunk) => self
                    .parser
                    .push(&chunk)
                    .map_err(|error| TransportError::new(TransportErrorKind::TooLarge, error.to_string()))?,
                None => {
                    self.parser.finish();
                    return Ok(self.parser.next());
                }
            }
            if let Some(gauge) = &mut self.gauge {
                gauge.admit(self.parser.held()).map_err(|reason| reason.to_error())?;
            }
        }
    }

    /// Where the server takes messages: its first event says so.
    async fn endpoint(&mut self, base: &Url) -> Result<Url, TransportError> {
        let protocol = |message| TransportError::new(TransportErrorKind::Protocol, message);
        loop {
            let Some(event) = self.next().await? else {
                let what = "the stream ended before it named its endpoint";
                return Err(protocol(what).with_said(Some(what.to_owned())));
            };
            if event.event.as_deref() != Some("endpoint") {
                continue;
            }
            let Ok(url) = base.join(&unquoted(event.data.trim())) else {
                let what = "the endpoint that the stream names is not a URL";
                return Err(protocol(what).with_said(Some(what.to_owned())));
            };
            // Security: messages carry credentials, and the server may have been told what to say here. Its path may hold
            // a session, and is not told.
            if url.origin() != base.origin() {
                let (named, own) = (url.origin().ascii_serialization(), base.origin().ascii_serialization());
                let what = format!("the stream names an endpoint of {named}, which is not {own}");
                return Err(protocol("the stream names an endpoint of another origin").with_said(Some(what)));
            }
            return Ok(url);
        }
    }

    /// Delivers messages until the stream ends.
    async fn follow(&mut self, duplex: &Duplex) -> CloseReason {
        self.gauge = Some(Gauge::new(duplex));
        self.parser.extend_limit(self.longest);
        loop {
            if let Err(reason) = duplex.room().await {
                return reason;
            }
            let event = match self.next().await {
                Ok(Some(event)) => event,
                Ok(None) => {
                    return CloseReason::new(TransportErrorKind::Dropped, "the server ended its stream");
                }
                Err(error) if *error.kind() == TransportErrorKind::TooLarge => {
                    return CloseReason::too_large(&error);
                }
                Err(error) => {
                    let broken =
                        CloseReason::new(TransportErrorKind::Dropped, "the server's stream broke off");
                    return broken.with_source(error);
                }
            };
            if event.data.is_empty() || event.event.is_some_and(|name| name != "message") {
                continue;
            }
            let measured =
                self.gauge.as_mut().map(|gauge| gauge.admit(event.data.len()).map(|()| gauge.take()));
            let lease = match measured.transpose() {
                Ok(lease) => lease.flatten(),
                Err(reason) => return reason,
            };
            if let Err(error) = duplex.deliver_text(event.data, lease) {
                tracing::debug!(%error, "ignored a frame");
            }
        }
    }
}

/// The text of a JSON string, where it is one: some servers write the URL in quotes.
fn unquoted(text: &str) -> Cow<'_, str> {
    match text.starts_with('"') {
        true => serde_json::from_str(text).map_or(Cow::Borrowed(text), Cow::Owned),
        false => Cow::Borrowed(text),
    }
}

/// Whether a server of Streamable HTTP alone answers so to the request for a stream (2025-11-25, backward compatibility):
/// it wants another method, a session, or another type, or falls over it.
fn takes_no_get(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 404 | 405 | 406 | 415 | 422 | 426 | 500 | 501)
}

/// What an answer with an error status says.
async fn failure(mut answer: Answer, limits: &Limits, phase: Phase) -> TransportError {
    let body = answer.body.excerpt(limits).await;
    if let Some(header) = page::refused_address(answer.status, &body).filter(|_| phase == Phase::Connect) {
        let words = words(&answer.method, answer.status, &answer.headers, &body);
        return TransportError::misaddressed(header, answer.status, words);
    }
    let retry_after = mcp_auth::retry_after::of(&answer.headers, SystemTime::now());
    let kind = TransportErrorKind::Http { status: answer.status.as_u16(), retry_after };
    let error = TransportError::new(kind, format!("the server answered {}", answer.status));
    match envelope::parse_one(body.clone()) {
        Ok(Incoming::Response { outcome: Err(rpc), .. }) => error.with_rpc(rpc),
        _ => error.with_said(words(&answer.method, answer.status, &answer.headers, &body)),
    }
}

#[cfg(test)]
mod tests;
