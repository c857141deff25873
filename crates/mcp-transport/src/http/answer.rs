//! Reading what came back for a request: JSON or an SSE stream, and in the legacy era its continuation.
//!
//! Longer than 500 lines because all forms that one answer may have are read here.

use std::borrow::Cow;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use mcp_status::{Limit, LimitSubject, Phase, classify};
use mcp_text::Secrets;
use tokio::time::Instant;
use url::Url;

use super::body::{Body, CollectedBody};
use super::charset::from_latin1;
use super::client::Answer;
use super::facts::shown_path;
use super::form::{BEGINNING, Form, described, essence, is_of_lines};
use super::frame;
use super::pace::{Pace, StreamYield};
use super::page;
use super::said::words;
use super::session::Session;
use super::streamable::{Core, PostRequest};
use super::trouble;
use crate::authed::{AcceptedAnswer, Outbound};
use crate::debts::FloodError;
use crate::error::{TimeoutStage, TransportError, TransportErrorKind};
use crate::limits::{EVENT_ID_BYTES, RETRY_WAIT};
use crate::message::envelope::{self, EnvelopeError, Incoming, Messages};
use crate::message::revision::Era;
use crate::message::{HEADER_MISMATCH, MISSING_CAPABILITY, Payload, RpcError, UNSUPPORTED_VERSION};
use crate::protocol::handshake;
use crate::sse_parser::SseParser;

pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How many turns of other tasks the end of a stream is given before it is waited for in the background.
const TURNS: usize = 3;
/// How long a stream whose answer has been read may take to end before its connection is given up.
const LINGER: Duration = Duration::from_secs(1);

/// How much of an event that is not a message is kept to be quoted, in bytes.
const QUOTED_EVENT: usize = 240;

/// What one body held for us.
enum BodyOutcome {
    /// The response.
    Answered(Payload),
    /// Its end, or the end of its connection, without a response; and whether it brought any message at all.
    Ended { brought: bool },
}

impl Core {
    /// Reads the answer to `call`; everything else in it is handed over.
    pub(super) async fn read(
        self: &Arc<Self>,
        mut answer: Answer,
        call: &PostRequest<'_>,
        session: &Session,
    ) -> Result<Payload, TransportError> {
        if !answer.status.is_success() {
            // Boxed, as what else hardly ever happens: it would make every request larger.
            return Err(Box::pin(self.failure(answer, session)).await);
        }
        let essence = essence(&answer.headers);
        let idle = IdleClock::new(call.limits.idle);
        let beginning = idle.bound(answer.body.beginning()).await??;
        match Form::of(&essence, beginning) {
            Form::Stream => Box::pin(self.read_stream(answer.body, call, session)).await,
            Form::Json => {
                let allowance = call.allowance;
                let mut meter = self.hub.budget.meter(allowance);
                let promised = |bytes| allowance.check(bytes);
                let collect = answer.body.collect(promised, |bytes| meter.admit(bytes));
                let CollectedBody { bytes, broken } = idle.bound(collect).await??;
                let beginning = bytes[..bytes.len().min(BEGINNING)].to_vec();
                let not_mcp = |what: &dyn fmt::Display| not_mcp(what, answer.status, &essence, &beginning);
                let messages = match (envelope::parse(from_latin1(bytes, &answer.headers)), broken) {
                    (Ok(messages), _) => messages,
                    // What broke off says why it is not a message.
                    (Err(_), Some(broken)) => return Err(broken),
                    (Err(_), None) if is_of_lines(&essence) => {
                        return Err(not_mcp(&"a message on each line, a form that MCP does not have"));
                    }
                    (Err(error), None) => return Err(not_mcp(&error)),
                };
                let mut stray = None;
                self.find_response(messages, call, session, &mut stray)?
                    .map(|result| result.with_lease(meter.take_lease()))
                    .ok_or_else(|| match stray {
                        Some(error) => TransportError::rpc(error),
                        None => not_mcp(&"no response to the request"),
                    })
            }
            Form::Other => {
                let beginning = beginning.to_vec();
                Err(not_mcp(&"neither JSON nor an event stream", answer.status, &essence, &beginning))
            }
        }
    }

    /// What an answer with an error status says.
    pub(super) async fn failure(&self, mut answer: Answer, session: &Session) -> TransportError {
        let status = answer.status;
        let body = answer.body.excerpt(&self.hub.budget.limits).await;
        // Later on, the same words are those of a tool.
        if let Some(header) = page::refused_address(status, &body).filter(|_| !session.is_agreed()) {
            let words = words(&answer.method, status, &answer.headers, &body);
            return TransportError::misaddressed(header, status, words);
        }
        let rpc = match envelope::parse_one(body.clone()) {
            Ok(Incoming::Response { outcome: Err(error), .. }) => Some(error),
            _ => None,
        };
        let error = if status == StatusCode::NOT_FOUND && session.id.is_some() {
            // 2025-11-25, session management, rule 4.
            TransportError::new(TransportErrorKind::SessionGone, "the server no longer knows the session")
        } else if let Some(rpc) = rpc.as_ref().filter(|rpc| status.is_client_error() && is_defined(rpc)) {
            return TransportError::rpc(rpc.clone());
        } else {
            let retry_after = mcp_auth::retry_after::of(&answer.headers, SystemTime::now());
            let kind = TransportErrorKind::Http { status: status.as_u16(), retry_after };
            TransportError::new(kind, format!("the server answered {status}"))
        };
        match rpc {
            Some(rpc) => error.with_rpc(rpc),
            None if self.http.endpoint.scheme() == "http" && trouble::wants_tls(&body) => {
                error.with_said(Some("this port wants TLS: its URL begins with https://".to_owned()))
            }
            // The page of a redirect only says again where it leads.
            None => {
                let words = words(&answer.method, status, &answer.headers, &body);
                error.with_said(match &answer.led_to {
                    Some(led_to) => Some(redirected(led_to, words.as_deref())),
                    None => words,
                })
            }
        }
    }

    /// Reads a stream to the response in it. In the legacy era a stream that ends early is continued where
    /// the server numbers its events (2025-11-25, resumability); nothing is sent twice by that.
    async fn read_stream(
        self: &Arc<Self>,
        mut body: Body,
        call: &PostRequest<'_>,
        session: &Session,
    ) -> Result<Payload, TransportError> {
        let mut pace = Pace::default();
        let mut cursor = Cursor::default();
        let mut idle = IdleClock::new(call.limits.idle);
        loop {
            let before = cursor.last_event_id.clone();
            let brought = match self.drain(body, call, session, &mut cursor, &mut idle).await? {
                BodyOutcome::Answered(result) => return Ok(result),
                BodyOutcome::Ended { .. } if cursor.stray.is_some() => return Err(no_answer(&mut cursor)),
                BodyOutcome::Ended { brought } => brought,
            };
            let Some(last) =
                cursor.last_event_id.clone().filter(|_| session.server.revision.era() == Era::Legacy)
            else {
                return Err(no_answer(&mut cursor));
            };
            let moved = before.as_deref() != Some(&last);
            let mut wait = pace
                .after(StreamYield { brought, moved }, cursor.retry)
                .ok_or_else(|| no_answer(&mut cursor))?;
            body = loop {
                idle.bound(tokio::time::sleep(wait)).await?;
                let refusal = match idle.bound(Box::pin(self.resume(&last, call, session))).await? {
                    Ok(resumed) => break resumed,
                    Err(refusal) => refusal,
                };
                // The result is still there: what may pass is waited for as with any other request.
                let verdict = classify(&refusal.evidence());
                let again =
                    verdict.is_retryable().then(|| pace.after_refusal(cursor.retry, verdict.retry_after()));
                wait = match again.flatten() {
                    Some(wait) => wait,
                    None => return Err(not_continued(&mut cursor, refusal)),
                };
                tracing::debug!(%refusal, "the stream could not be continued yet");
            };
        }
    }

    /// Reads one body until the response to `call` or its end.
    async fn drain(
        self: &Arc<Self>,
        mut body: Body,
        call: &PostRequest<'_>,
        session: &Session,
        cursor: &mut Cursor,
        idle: &mut IdleClock,
    ) -> Result<BodyOutcome, TransportError> {
        let mut parser = SseParser::new(call.allowance.left);
        let mut meter = self.hub.budget.meter(call.allowance);
        let mut brought = false;
        let mut ended = false;
        while !ended {
            match idle.bound(body.chunk()).await? {
                Ok(Some(chunk)) => parser.push(&chunk).map_err(|_| call.allowance.exceeded())?,
                Ok(None) => ended = true,
                Err(error) => {
                    tracing::debug!(%error, "a stream ended early");
                    ended = true;
                    cursor.broken = Some(error);
                }
            }
            if ended {
                parser.finish();
            } else {
                meter.admit(parser.held())?;
            }
            while let Some(event) = parser.next() {
                // A server that asks on and on is not listened to any further than it takes the answers.
                idle.bound(self.hub.budget.debts.room()).await?.map_err(flooded)?;
                // Only messages count as life: a comment every few seconds says nothing about the request.
                idle.restart();
                if !ended {
                    cursor.advance(&parser);
                }
                let beginning = beginning_of(&event.data).to_owned();
                let messages = match frame::messages(event) {
                    Ok(Some(messages)) => messages,
                    Ok(None) => {
                        cursor.passed_over(beginning);
                        continue;
                    }
                    // It ends in the middle of it.
                    Err(_) if ended => continue,
                    Err(error) => return Err(not_a_frame(&error, &beginning)),
                };
                brought = true;
                if let Some(result) = self.find_response(messages, call, session, &mut cursor.stray)? {
                    if !ended {
                        self.finish(body).await;
                    }
                    return Ok(BodyOutcome::Answered(result.with_lease(meter.take_lease())));
                }
            }
            if !ended {
                cursor.advance(&parser);
            }
        }
        // What is not HTTP is not continued.
        match cursor.broken.take_if(|error| *error.kind() == TransportErrorKind::Protocol) {
            Some(error) => Err(error),
            None => Ok(BodyOutcome::Ended { brought }),
        }
    }

    /// Reads the end of a stream that has nothing more for us, so that its connection can be used again.
    async fn finish(self: &Arc<Self>, mut body: Body) {
        // Nothing is owed any more.
        body.count(None);
        // The end usually arrives together with the response, but the task that reads the connection has to
        // get its turn to see it; only where it does not is a task of ours worth it.
        let mut ended = false;
        for _ in 0..TURNS {
            ended = {
                let mut chunk = pin!(body.chunk());
                std::future::poll_fn(|context| {
                    Poll::Ready(matches!(chunk.as_mut().poll(context), Poll::Ready(Ok(None) | Err(_))))
                })
                .await
            };
            if ended {
                return;
            }
            tokio::task::yield_now().await;
        }
        if !ended {
            self.spawn(tokio::time::timeout(
                LINGER,
                async move { while let Ok(Some(_)) = body.chunk().await {} },
            ));
        }
    }

    /// Finds the response to `call` among the messages of one frame and hands over the others. `stray` becomes an error that
    /// has the id of no request or of another: where no response comes, that was it.
    fn find_response(
        self: &Arc<Self>,
        messages: Messages,
        call: &PostRequest<'_>,
        session: &Session,
        stray: &mut Option<RpcError>,
    ) -> Result<Option<Payload>, TransportError> {
        admit(&messages, session)?;
        let mut found = None;
        for message in messages {
            match message.map_err(not_a_message)? {
                // An error without an id concerns the only request that this body can be about.
                Incoming::Response { id: None, outcome: Err(error) } => {
                    return Err(TransportError::rpc(error));
                }
                Incoming::Response { id: Some(of), outcome } if of.as_assigned() == Some(call.id) => {
                    found = Some(outcome.map_err(TransportError::rpc)?);
                }
                Incoming::Request { id, method, .. }
                    if id.as_assigned() == Some(call.id) && handshake::is_echo(&method) =>
                {
                    return Err(handshake::echoed());
                }
                Incoming::Response { outcome: Err(error), .. } => *stray = Some(error),
                other => self.dispatch(other, call.handler),
            }
        }
        Ok(found)
    }

    /// Asks for what follows the event `last`.
    async fn resume(
        &self,
        last: &str,
        call: &PostRequest<'_>,
        session: &Session,
    ) -> Result<Body, TransportError> {
        let AcceptedAnswer { answer, sender } = self.get(session, Some(last), Some(call)).await?;
        if answer.status.is_success() && essence(&answer.headers) == "text/event-stream" {
            return Ok(answer.body);
        }
        Err(sender.describe(self.failure(answer, session).await))
    }

    /// Opens a stream by GET (legacy era only): that of the server, or what is left of the answer to `call`.
    pub(super) async fn get(
        &self,
        session: &Session,
        last: Option<&str>,
        call: Option<&PostRequest<'_>>,
    ) -> Result<AcceptedAnswer<'_>, TransportError> {
        let mut headers = session.headers.clone();
        headers.remove(header::CONTENT_TYPE);
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(last) = last.and_then(|last| HeaderValue::from_str(last).ok()) {
            headers.insert(LAST_EVENT_ID, last);
        }
        let out = Outbound {
            method: Method::GET,
            url: &self.http.endpoint,
            headers: Cow::Owned(headers),
            more: Vec::new(),
            body: bytes::Bytes::new(),
            phase: Phase::Session,
            expects_message: true,
            recover: true,
            first_byte: Some(self.options().first_byte_timeout),
            activity: call.and_then(|call| call.limits.idle).map(|_| self.hub.activity.clone()),
            waiting: call.and_then(|call| call.waiting),
        };
        self.http.send(&out).await
    }
}

/// Refuses a batch where the revision has none. Before the handshake is over there is none that it could be of.
///
/// # Errors
///
/// [`Protocol`](TransportErrorKind::Protocol).
pub(super) fn admit(messages: &Messages, session: &Session) -> Result<(), TransportError> {
    let revision = session.server.revision;
    match messages {
        Messages::Batch(_) if session.is_agreed() && !revision.has_batches() => {
            let what = format!("the server sent a batch, which revision {revision} does not have");
            Err(protocol(what.clone()).with_said(Some(what)))
        }
        _ => Ok(()),
    }
}

/// Where a stream can be continued, and how soon.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    pub(super) last_event_id: Option<String>,
    pub(super) retry: Option<Duration>,
    /// What it brought that was not a message, the first of it.
    passed_over: Option<String>,
    /// What broke it off.
    broken: Option<TransportError>,
    /// An error in it that was about another request, or about none that there is.
    stray: Option<RpcError>,
}

impl Cursor {
    /// Keeps what an event that was not a message held, for the case that no other comes.
    fn passed_over(&mut self, data: String) {
        if !data.trim().is_empty() {
            self.passed_over.get_or_insert(data);
        }
    }

    /// Takes over what the stream has said so far. Nothing said about the id leaves it as it is, also across streams; an
    /// empty one takes it back (WHATWG HTML, section 9.2.6).
    pub(super) fn advance(&mut self, parser: &SseParser) {
        if let Some(last) = parser.last_event_id()
            && last != self.last_event_id.as_deref().unwrap_or_default()
        {
            // One that is too long for a header is none that a stream could be continued from.
            let usable = !last.is_empty() && last.len() <= EVENT_ID_BYTES;
            self.last_event_id = usable.then(|| last.to_owned());
        }
        let (shortest, longest) = RETRY_WAIT;
        self.retry = parser.reconnection_time().map(|wait| wait.clamp(shortest, longest)).or(self.retry);
    }
}

/// What an event begins with, whole characters of it. Every event comes by here, so they are not counted.
fn beginning_of(data: &str) -> &str {
    let mut end = data.len().min(QUOTED_EVENT);
    while !data.is_char_boundary(end) {
        end -= 1;
    }
    &data[..end]
}

/// The limit between two signs of life.
struct IdleClock {
    limit: Option<Duration>,
    deadline: Option<Instant>,
}

impl IdleClock {
    fn new(limit: Option<Duration>) -> Self {
        let mut clock = Self { limit, deadline: None };
        clock.restart();
        clock
    }

    fn restart(&mut self) {
        // A limit past the end of time is none.
        self.deadline = self.limit.and_then(|limit| Instant::now().checked_add(limit));
    }

    async fn bound<T>(&self, future: impl Future<Output = T>) -> Result<T, TransportError> {
        let (Some(deadline), Some(limit)) = (self.deadline, self.limit) else { return Ok(future.await) };
        tokio::time::timeout_at(deadline, future).await.map_err(|_| idle_timeout(limit))
    }
}

/// Whether the meaning of an error code is defined by JSON-RPC or by MCP, so that it says more than the HTTP
/// status beside it (2026-07-28, error codes: nothing may be concluded from -32000 … -32019).
fn is_defined(rpc: &RpcError) -> bool {
    matches!(
        rpc.code,
        envelope::PARSE_ERROR
            | envelope::INVALID_REQUEST
            | envelope::METHOD_NOT_FOUND
            | envelope::INVALID_PARAMS
            | HEADER_MISMATCH
            | MISSING_CAPABILITY
            | UNSUPPORTED_VERSION
    )
}

fn protocol(message: impl Into<String>) -> TransportError {
    TransportError::new(TransportErrorKind::Protocol, message)
}

/// What answered is not MCP: what was due, and what came in its place.
fn not_mcp(what: &dyn fmt::Display, status: StatusCode, essence: &str, beginning: &[u8]) -> TransportError {
    // 200 goes without saying, and is what says that this was meant to be the answer.
    let said = match (status, beginning) {
        (StatusCode::ACCEPTED, []) => "the server took the request (202) and did not answer it".to_owned(),
        (status, []) => format!("the answer is empty ({})", status.as_u16()),
        (StatusCode::OK, _) => format!("{what}: {}", described(essence, beginning)),
        (status, _) => format!("{what}: {}, {}", status.as_u16(), described(essence, beginning)),
    };
    protocol("the answer is not a valid message").with_said(Some(said))
}

/// What an answer says that was not given at the URL of the endpoint.
fn redirected(led_to: &Url, words: Option<&str>) -> String {
    let path = Secrets::default().line(&shown_path(led_to), 80);
    match words {
        Some(words) => format!("it redirects to {path}, and what answers there says: {words}"),
        None => format!("it redirects to {path}, where this is the answer"),
    }
}

fn not_a_message(error: EnvelopeError) -> TransportError {
    protocol("the answer is not a valid message").with_said(Some(error.to_string()))
}

fn not_a_frame(error: &EnvelopeError, data: &str) -> TransportError {
    let quoted = mcp_text::line(data, 60);
    protocol("the answer is not a valid message")
        .with_said(Some(format!("{error}: an event that begins with \"{quoted}\"")))
}

pub(super) fn flooded(flooded: FloodError) -> TransportError {
    protocol(flooded.to_string()).with_said(Some(flooded.to_string()))
}

/// A stream that has ended, and can not be continued.
fn no_answer(cursor: &mut Cursor) -> TransportError {
    if let Some(error) = cursor.stray.take() {
        return TransportError::rpc(error);
    }
    let mut said = match &cursor.broken {
        None => "the stream ended without an answer".to_owned(),
        Some(broken) => format!("the stream broke off without an answer: {broken}"),
    };
    if let Some(data) = &cursor.passed_over {
        said.push_str(&format!("; it held \"{}\"", mcp_text::line(data, 60)));
    }
    TransportError::new(TransportErrorKind::Dropped, "the answer ended before the response")
        .with_said(Some(said))
}

/// A stream that has ended before the answer, and of which `refusal` keeps the rest. The server has seen the request.
fn not_continued(cursor: &mut Cursor, refusal: TransportError) -> TransportError {
    // What is missing is for a person to give, and more worth telling than that a stream ended.
    if matches!(refusal.kind(), TransportErrorKind::Challenged { .. } | TransportErrorKind::Credentials) {
        return refusal.in_later_round();
    }
    let error = no_answer(cursor);
    let why = refusal.said().map_or_else(String::new, |words| format!(": {words}"));
    let said = error.said().map(|said| format!("{said}, and cannot be continued: {refusal}{why}"));
    error.with_said(said).with_source(refusal)
}

fn idle_timeout(limit: Duration) -> TransportError {
    let kind = TransportErrorKind::Timeout { stage: TimeoutStage::Idle };
    let limit = Limit::new(limit, LimitSubject::Silence);
    TransportError::new(kind, "the server stopped answering").at_limit(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_n18_the_beginning_of_an_event_is_of_whole_characters() {
        assert_eq!(beginning_of("data"), "data");
        assert_eq!(beginning_of(&"é".repeat(QUOTED_EVENT)), "é".repeat(QUOTED_EVENT / 2));
        assert_eq!(beginning_of(&format!("x{}", "é".repeat(QUOTED_EVENT))).len(), QUOTED_EVENT - 1);
    }

    #[test]
    fn s_k11_a_limit_past_the_end_of_time_is_none() {
        assert_eq!(IdleClock::new(Some(Duration::MAX)).deadline, None);
        assert!(IdleClock::new(Some(Duration::from_secs(1))).deadline.is_some());
    }

    #[test]
    fn s_m07_the_wait_that_a_stream_asks_for_is_kept_in_bounds() {
        for (asked, wait) in [("0", 100), ("250", 250), ("18446744073709551615", 60_000)] {
            let mut parser = SseParser::new(1 << 10);
            parser.push(format!("retry: {asked}\ndata: a\n\n").as_bytes()).unwrap();
            let mut cursor = Cursor::default();
            cursor.advance(&parser);
            assert_eq!(cursor.retry, Some(Duration::from_millis(wait)), "{asked}");
        }
    }

    #[test]
    fn s_k2_an_id_that_fits_no_header_is_not_continued_from() {
        let mut cursor = Cursor::default();
        for (length, usable) in [(EVENT_ID_BYTES, true), (EVENT_ID_BYTES + 1, false)] {
            let mut parser = SseParser::new(1 << 20);
            parser.push(format!("id: {}\ndata: a\n\n", "i".repeat(length)).as_bytes()).unwrap();
            cursor.advance(&parser);
            assert_eq!(cursor.last_event_id.is_some(), usable, "{length}");
        }
    }

    #[test]
    fn an_empty_id_takes_the_cursor_back_and_none_leaves_it() {
        let mut cursor = Cursor::default();
        let mut after = |stream: &[u8]| {
            let mut parser = SseParser::new(1 << 10);
            parser.push(stream).unwrap();
            cursor.advance(&parser);
            (cursor.last_event_id.clone(), cursor.retry)
        };
        let (one, second) = (Some("1".to_owned()), Some(Duration::from_secs(1)));
        assert_eq!(after(b"id: 1\nretry: 1000\ndata: a\n\n"), (one.clone(), second));
        // Another stream, which numbers nothing; and a wait that is not a number.
        assert_eq!(after(b"retry: soon\ndata: b\n\n"), (one, second));
        assert_eq!(after(b"id: 2\ndata: c\n\nid:\ndata: d\n\n"), (None, second));
        assert_eq!(after(b"data: e\n\n"), (None, second));
    }
}
