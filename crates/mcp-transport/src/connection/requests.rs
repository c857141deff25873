//! One request of a connection, from its caller to one round trip over the wire.
//!
//! What a request of several round trips adds is in `rounds`, and what a tool adds in `tools`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mcp_status::{Limit, LimitSubject};
use serde_json::value::RawValue;

use crate::call::{Answer, Call};
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::error::{TimeoutStage, TransportError, TransportErrorKind};
use crate::limits::Purpose;
use crate::message::Payload;
use crate::message::methods::mirrored_parameter;
use crate::message::object::members;
use crate::options::RequestOptions;
use crate::trace::spans::RequestTrace;
#[cfg(feature = "http")]
use crate::waiting::WaitState;
use crate::wire::CancelOnDrop;
use crate::wire::request::WireRequest;

impl Connection {
    /// A request to its last word, with the headers that this wire wants to see.
    pub(crate) async fn answer_to(
        &self,
        method: &str,
        params: Option<&RawValue>,
        options: &RequestOptions,
    ) -> Result<Answer, TransportError> {
        let params = params.map(RawValue::get);
        let mirrors = self.mirrors_parameters();
        let call = Call::new(method, params, options);
        let deadline = call.deadline;
        match self.mirrored(call, mirrors).await {
            // The server went on in the modern era meanwhile, whose headers only this place knows.
            Err(error) if !mirrors && self.mirrors_parameters() && !error.may_have_been_sent() => {
                let call = Call { deadline, ..Call::new(method, params, options) };
                Box::pin(self.mirrored(call, true)).await
            }
            outcome => outcome,
        }
    }

    /// Where the wire `mirrors` parameters into headers, they are looked into.
    async fn mirrored(&self, call: Call<'_>, mirrors: bool) -> Result<Answer, TransportError> {
        let member = mirrored_parameter(call.method).filter(|_| mirrors);
        let members = member.and_then(|_| members(call.params?));
        let named = |members: &HashMap<Cow<'_, str>, &RawValue>| -> Option<String> {
            serde_json::from_str(members.get(member?)?.get()).ok()
        };
        let name = members.as_ref().and_then(named);
        let call = Call { name: name.as_deref(), ..call };
        match members {
            Some(members) if call.method == "tools/call" && call.name.is_some() => {
                let arguments = members.get("arguments").copied();
                let result = self.call_with_arguments(call, arguments).await?;
                // The result of a call is never kept.
                Ok(Answer::new(result, true))
            }
            _ if mirrors && call.method == "tools/list" => {
                // From before the request on: a change while it is under way may be missing in the answer.
                let changes = self.tool_changes();
                let answer = self.in_rounds(&call).await?;
                let result = self.passed_on(call.params, answer.result, changes);
                Ok(Answer::new(result, answer.asked))
            }
            _ => self.in_rounds(&call).await,
        }
    }

    /// One round trip. `params` take the place of those of the call, and `deadline` that of its deadline.
    pub(crate) async fn round_trip(
        &self,
        call: &Call<'_>,
        params: Option<&str>,
        deadline: Option<Deadline>,
    ) -> Result<Payload, TransportError> {
        self.ensure_open()?;
        if let Some(deadline) = deadline.filter(|deadline| deadline.is_over()) {
            return Err(over_unsent(deadline));
        }
        let (inner, options) = (self.inner(), call.options);
        let (id, method) = (inner.next_id.fetch_add(1, Ordering::Relaxed), call.method);
        let given = (inner.options.propagator.as_deref(), options.trace.as_ref());
        let traced = RequestTrace::begin(&inner.peer, || self.revision(), (id, method, params), given);
        let allowance = options.allowance.unwrap_or_else(|| inner.hub.budget.limits.allowance(method));
        let limit = match (deadline, allowance.purpose) {
            (Some(deadline), _) => Some(Limit::new(deadline.limit, LimitSubject::Caller)),
            // A list is what programs look at, and ends with an attempt to connect, whatever keeps its stream alive.
            (None, Purpose::List) => Some(Limit::new(inner.options.connect_timeout, LimitSubject::Attempt)),
            (None, _) => {
                let of_entry = inner.timeout.map(|limit| Limit::new(limit, LimitSubject::Entry));
                of_entry
                    .or(inner.options.request_timeout.map(|limit| Limit::new(limit, LimitSubject::Requests)))
            }
        };
        // A call takes as long as it takes: its silence tells a busy server from a dead one as little as the time does.
        let patient = method == "tools/call";
        let first_byte = inner.options.first_byte_timeout;
        let watched = options.progress.clone().map(|sink| inner.hub.watch(id, Some(sink)));
        #[cfg(feature = "http")]
        let waiting = WaitState::default();
        let request = WireRequest {
            id,
            method,
            params,
            name: call.name,
            mirrored: &call.mirrored,
            endless: false,
            own_metadata: options.relay.own_metadata,
            allowance,
            handler: options.relay.handler.as_ref(),
            limit: if patient { Some(Duration::MAX) } else { limit.as_ref().map(|limit| limit.length) },
            first_byte,
            watched: watched.as_ref(),
            trace: traced.context.as_deref(),
            #[cfg(feature = "http")]
            waiting: Some(&waiting),
        };
        let exchange = async {
            let mut cancel =
                CancelOnDrop { wire: Some(&inner.wire), id, reason: "the caller gave the request up" };
            // Boxed, and before anything is wrapped around it: it is by far the largest part of every future that makes
            // requests, and whatever wraps it would move it.
            let sent = Box::pin(inner.wire.request(request));
            let outcome = match limit {
                // Nothing else would end what is lost with a connection that was found again.
                None if patient => tokio::select! {
                    biased;
                    outcome = sent => outcome,
                    error = self.written_off() => {
                        cancel.reason = "the request timed out";
                        return Err(error);
                    }
                },
                None => sent.await,
                Some(limit) => match within(limit.length, deadline, sent).await {
                    Some(outcome) => outcome,
                    None => {
                        cancel.reason = "the request timed out";
                        #[cfg(feature = "http")]
                        if let Some(error) = waiting.given_up(inner.wire.provider(), limit.length) {
                            cancel.wire = None;
                            return Err(error.at_limit(limit));
                        }
                        let kind = TransportErrorKind::Timeout { stage: TimeoutStage::Total };
                        return Err(TransportError::new(kind, "the request took too long").at_limit(limit));
                    }
                },
            };
            // A limit of the wire leaves the server at work; every other outcome is its last word.
            match &outcome {
                Err(error) if matches!(error.kind(), TransportErrorKind::Timeout { .. }) => {
                    cancel.reason = "the request timed out";
                }
                _ => cancel.wire = None,
            }
            outcome
        };
        traced.run(exchange).await.map_err(|error| error.with_limit_named(&inner.options.limit_names))
    }

    /// How long the server may say nothing, not even to a question without effects, before its calls are given up: 4 min unless
    /// the limit of a first byte is another one, and that limit once more for what comes all the same. A network that is gone is
    /// found out sooner, by its sockets; what is left is a server that may be busy with the very call.
    pub(crate) fn patience_with_silence(&self) -> Duration {
        4 * self.first_byte_limit()
    }

    /// The limit of a first byte.
    pub(crate) fn first_byte_limit(&self) -> Duration {
        self.inner().options.first_byte_timeout
    }

    /// Returns when what the connection owes has been written off, because it fell silent as a whole, and was found again or was
    /// not for long, and has had time to come all the same. A connection that breaks says so by itself.
    async fn written_off(&self) -> TransportError {
        self.activity().written_off().await;
        let limit = self.inner().options.first_byte_timeout;
        tokio::time::sleep(limit).await;
        let kind = TransportErrorKind::Timeout { stage: TimeoutStage::Idle };
        let error = TransportError::new(kind, "the server stopped answering");
        error.at_limit(Limit::new(limit, LimitSubject::Silence))
    }
}

/// What `sent` comes to, unless the deadline is over first, or the limit of one request where there is none.
async fn within<T>(limit: Duration, deadline: Option<Deadline>, sent: impl Future<Output = T>) -> Option<T> {
    let outcome = match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.at, sent),
        None => tokio::time::timeout(limit, sent),
    };
    outcome.await.ok()
}

/// The time of the call was over before it could be sent.
fn over_unsent(deadline: Deadline) -> TransportError {
    let kind = TransportErrorKind::Timeout { stage: TimeoutStage::Unsent };
    let error = TransportError::new(kind, "the time of the call was over before it was sent");
    error.at_limit(Limit::new(deadline.limit, LimitSubject::Caller))
}
