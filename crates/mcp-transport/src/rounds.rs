//! Requests that take several round trips: the server asks in its result, and the same request is sent again with
//! the answers (2026-07-28, basic, patterns, multi round-trip requests).
//!
//! What one request was asked stays in the frame of its call, so that it cannot reach another one.

use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::call::{Answer, Call};
use crate::connection::Connection;
use crate::error::{TransportError, TransportErrorKind};
use crate::message::methods::may_ask;
use crate::protocol::mrtr::{self, InputRequest};
use crate::retry::RetryPolicy;

/// How often one request is answered with questions before it is given up: more than a person would bear.
const MAX_ROUNDS: u32 = 16;

impl Connection {
    /// A request to its last word, whatever the server asks on the way.
    ///
    /// Its deadline is that of all round trips together; the time that an answer of ours takes is not counted.
    pub(crate) async fn unscreened(&self, call: &Call<'_>) -> Result<Answer, TransportError> {
        // Before 2026-07-28 a result had no type, and a member of this name would be the server's own.
        if call.options.relay.raw_result || !self.is_modern() {
            let result = self.round_trip(call, call.params, call.deadline).await?;
            return Ok(Answer::new(result, false));
        }
        let mut deadline = call.deadline;
        let mut pauses = RetryPolicy::connect().delays();
        let mut result = self.round_trip(call, call.params, deadline).await?;
        for round in 0..MAX_ROUNDS {
            let wanted = match mrtr::read(result.get()) {
                Ok(mrtr::Answer::Complete) => return Ok(Answer::new(result, round > 0)),
                Ok(mrtr::Answer::InputRequired(wanted)) => wanted,
                // It may be the only trace of what the server has begun, so it is not lost.
                Err(error) => return Err(error.with_result(result)),
            };
            if !may_ask(call.method) {
                let message = format!("the server asks for input where none is allowed, on {}", call.method);
                return Err(TransportError::new(TransportErrorKind::Protocol, message));
            }
            let responses = match &wanted.requests {
                Some(requests) => {
                    let asked = Instant::now();
                    let answers = self.answers(requests).await?;
                    deadline = deadline.map(|deadline| deadline.later_by(asked.elapsed()));
                    Some(answers)
                }
                None => {
                    // It only wants to be asked again, and need not be asked in a tight loop.
                    let pause = pauses.next().ok_or_else(|| unmet("the server never has an answer"))?;
                    tokio::time::sleep(deadline.map_or(pause, |deadline| pause.min(deadline.left()))).await;
                    None
                }
            };
            let retry = mrtr::retry_params(call.params, responses.as_deref(), wanted.state)?;
            let answered = self.round_trip(call, Some(&retry), deadline).await;
            result = answered.map_err(TransportError::in_later_round)?;
        }
        match mrtr::read(result.get()) {
            Ok(mrtr::Answer::Complete) => Ok(Answer::new(result, true)),
            Ok(mrtr::Answer::InputRequired(_)) => Err(unmet("the server asks again and again")),
            Err(error) => Err(error.with_result(result)),
        }
    }

    /// The answers to one round's questions, one after the other: most of them end up with one person.
    async fn answers(
        &self,
        requests: &[InputRequest<'_>],
    ) -> Result<Vec<(String, Box<RawValue>)>, TransportError> {
        let mut answers = Vec::with_capacity(requests.len());
        for InputRequest { key, method, params } in requests {
            if !self.accepts(method) {
                return Err(unmet(format!(
                    "the server asks for {method}, which this client does not answer"
                )));
            }
            let answer = self.answer(method, params.map(ToOwned::to_owned));
            let answer = tokio::select! {
                biased;
                () = self.gone() => {
                    let kind = TransportErrorKind::Cancelled;
                    return Err(TransportError::new(kind, "the connection was closed"));
                }
                answer = answer => answer,
            };
            let failed =
                |error| unmet(format!("{method}, which the server asks for, failed")).with_source(error);
            answers.push((key.clone(), answer.map_err(failed)?));
        }
        Ok(answers)
    }
}

fn unmet(message: impl Into<String>) -> TransportError {
    TransportError::new(TransportErrorKind::InputRequired, message)
}
