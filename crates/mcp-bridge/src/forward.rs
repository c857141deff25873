//! One request of the host, to the server and back, in the terms of both eras.

use std::sync::Arc;

use mcp_status::ReasonCode;
use mcp_transport::message::methods::{list_items, may_ask, server_capability};
use mcp_transport::message::{Era, METHOD_NOT_FOUND, Payload, RequestId, RpcError};
use mcp_transport::relay::RelayOptions;
use mcp_transport::supervisor::StatusSnapshot;
use mcp_transport::{RequestOptions, SupervisorHandle};
use serde_json::value::RawValue;

use crate::era::{RequestMeta, missing_in_legacy_result, params_for_legacy, params_for_modern};
use crate::failure::{Failure, UNAVAILABLE};
use crate::for_host::{
    error_for_legacy, error_for_modern, result_for_legacy, result_for_modern, visit_for_modern,
};
use crate::lists::nothing_of;
use crate::profile::read_capabilities;
use crate::questions::{Exchange, Step};
use crate::splice::{raw, string};
use crate::state::RunningBridge;

/// A request of the host.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: RequestId,
    pub(crate) method: String,
    pub(crate) params: Option<Box<RawValue>>,
    pub(crate) era: Era,
}

/// A result, and in the terms of which era.
type Answer = Result<(Payload, Era), RpcError>;

/// Answers the request. Dropping the future gives it up, on the wire too.
pub(crate) async fn serve(core: Arc<RunningBridge>, request: Request) {
    let answer = fulfil(&core, &request).await;
    match (answer, request.era) {
        (Ok((result, Era::Legacy)), Era::Modern) => {
            let result = result_for_modern(&request.method, result);
            let missing = missing_in_legacy_result(&request.method, result.get());
            core.host.pass(&request.id, result, missing);
        }
        (Ok((result, Era::Modern)), Era::Legacy) => {
            core.host.pass(&request.id, result_for_legacy(result), "");
        }
        (Ok((result, _)), _) => core.host.pass(&request.id, result, ""),
        (Err(error), era) => {
            let server = core.known_server().map(|server| server.revision.era());
            let error = match (server, era) {
                (Some(Era::Modern), Era::Legacy) => error_for_legacy(error),
                (Some(Era::Legacy), Era::Modern) => {
                    match visit_for_modern(&request.method, request.params.as_deref(), &error) {
                        Some(Ok(visit)) => return core.host.pass(&request.id, visit.into(), ""),
                        Some(Err(error)) => error,
                        None => error_for_modern(error),
                    }
                }
                _ => error,
            };
            core.host.respond(&request.id, Err(&error));
        }
    }
}

async fn fulfil(core: &Arc<RunningBridge>, request: &Request) -> Answer {
    let (method, params) = (request.method.as_str(), request.params.as_deref());
    if request.era == Era::Modern
        && let Some(resumed) = resumable(core, request)
    {
        return finish(resumed?.step().await);
    }
    let server =
        core.server().ok_or_else(|| RpcError::new(UNAVAILABLE, "the host has not introduced itself"))?;
    if let Some(before_request) = &core.config.before_request {
        before_request().await;
    }
    let sent = send(core, server, request);
    let outcome = if list_items(method).is_some() {
        // A list is not waited for any longer than an attempt takes: the last known one is better than a host that
        // waits, and the host hears when there is a newer one.
        tokio::select! {
            biased;
            outcome = sent => outcome,
            Some(snapshot) = attempt_failed(server) => Err(Failure::NotYet(Box::new(snapshot))),
        }
    } else {
        sent.await
    };
    match outcome {
        Ok(Ok((result, era))) => {
            core.lists.remember(method, params, &result, era);
            Ok((result, era))
        }
        Ok(Err(error)) => Err(error),
        Err(failure) => without_result(core, server, request, failure),
    }
}

/// What a request is answered with that has no result.
fn without_result(
    core: &RunningBridge,
    server: &SupervisorHandle,
    request: &Request,
    failure: Failure,
) -> Answer {
    let method = request.method.as_str();
    if let Some(error) = failure.answer_of_server() {
        let lacks = |name| core.known_server().is_some_and(|known| !known.has(name));
        // What was offered before the server was known, and what it then did not have, is empty.
        return match nothing_of(method).filter(|_| error.code == METHOD_NOT_FOUND) {
            Some(nothing) if server_capability(method).is_some_and(lacks) => Ok((nothing, Era::Legacy)),
            _ => Err(failure.explain(&core.config, server)),
        };
    }
    if let Some(report) = failure.wants_sign_in(&core.config, server) {
        core.ask_for_sign_in(&report);
    }
    core.lists.owe_news();
    if let Some(known) = core.lists.last_known(method, request.params.as_deref()) {
        tracing::debug!(method, ?failure, "answered from memory");
        return Ok(known);
    }
    Err(failure.explain(&core.config, server))
}

/// The parked call that this request continues. It may have outlived the era of the server; a state that looks like
/// ours and is not known is another bridge's where a modern server keeps such states itself.
fn resumable(core: &RunningBridge, request: &Request) -> Option<Result<Exchange, RpcError>> {
    if !may_ask(&request.method) {
        return None;
    }
    let resumed = core.exchanges.resume(request.params.as_deref())?;
    let keeps_states = || core.known_server().is_some_and(|known| known.revision.era() == Era::Modern);
    (resumed.is_ok() || !keeps_states()).then_some(resumed)
}

/// Sends it in the terms of the server. A server that refuses the version of a request has not acted on it, and may go on
/// in the other era, which is spoken to in other terms.
async fn send(
    core: &Arc<RunningBridge>,
    server: &SupervisorHandle,
    request: &Request,
) -> Result<Answer, Failure> {
    let era = server.lease().await?.revision().era();
    let outcome = send_as(core, server, request, era).await;
    if outcome.is_ok() {
        core.session_works();
    }
    match &outcome {
        // Where there was no connection, it was waited for as long as that is worth.
        Err(Failure::Request(error)) if error.is_of_transport() && !error.may_have_been_sent() => {}
        _ => return outcome,
    }
    let now = server.lease().await?.revision().era();
    if now == era { outcome } else { Box::pin(send_as(core, server, request, now)).await }
}

/// Sends it to a server of this era.
async fn send_as(
    core: &Arc<RunningBridge>,
    server: &SupervisorHandle,
    request: &Request,
    era: Era,
) -> Result<Answer, Failure> {
    let (method, params) = (request.method.as_str(), request.params.as_deref());
    let options = RequestOptions::new();
    let outcome = match (request.era, era) {
        (Era::Legacy, Era::Legacy) => server.request(method, params, options).await,
        (Era::Modern, Era::Modern) => {
            let options = RelayOptions::new(options).with_own_metadata().with_raw_result();
            server.request(method, params, options).await
        }
        (Era::Legacy, Era::Modern) => {
            // What the server asks by a result, the connection asks of `upstream::Side`, which asks the host.
            let params = params_for_modern(params, core.log.level().as_deref());
            server.request(method, params.as_deref(), options).await
        }
        (Era::Modern, Era::Legacy) => return carry_questions(core, server, request).await,
    };
    Ok(Ok((outcome?, era)))
}

/// What the next failure of an attempt to connect has shown; `None` when the supervisor has ended.
pub async fn attempt_failed(server: &SupervisorHandle) -> Option<StatusSnapshot> {
    let mut status = server.status();
    let failed = status.wait_for(|snapshot| snapshot.code == Some(ReasonCode::Retrying)).await;
    failed.map(|snapshot| snapshot.clone()).ok()
}

/// A modern host calls a legacy server: what the server asks by a request, the host is asked by a result.
async fn carry_questions(
    core: &Arc<RunningBridge>,
    server: &SupervisorHandle,
    request: &Request,
) -> Result<Answer, Failure> {
    let (method, params) = (request.method.as_str(), request.params.as_deref());
    let meta = RequestMeta::read(params);
    let level = meta.as_ref().and_then(|meta| meta.log_level.as_deref());
    let wish = level.and_then(|level| core.log.want(level));
    if let (Some((_, true)), Some(level)) = (&wish, level) {
        let set = raw(format!(r#"{{"level":{}}}"#, string(level)));
        if let Err(error) = server.request("logging/setLevel", Some(&set), &RequestOptions::new()).await {
            tracing::debug!(%error, "the server has no log levels");
        }
    }
    let sent = params_for_legacy(params);
    if !may_ask(method) {
        let result = server.request(method, Some(&sent), &RequestOptions::new()).await?;
        return Ok(Ok((result, Era::Legacy)));
    }
    let token = meta.as_ref().and_then(|meta| meta.progress_token);
    let capabilities = read_capabilities(meta.as_ref().and_then(|meta| meta.capabilities));
    let call = {
        let (core, server, method) = (core.clone(), server.clone(), method.to_owned());
        async move {
            let outcome = server.request(&method, Some(&sent), &RequestOptions::new()).await;
            outcome.map_err(|error| Failure::from(error).explain(&core.config, &server))
        }
    };
    Ok(finish(core.exchanges.start(capabilities, token, call).step().await))
}

fn finish(step: Step) -> Answer {
    match step {
        Step::Done(outcome) => outcome.map(|result| (result, Era::Legacy)),
        Step::Asked(result) => Ok((result.into(), Era::Modern)),
    }
}
