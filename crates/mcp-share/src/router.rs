//! What the server starts by itself, to the host that it is for.
//!
//! | it says | who hears it |
//! |---|---|
//! | something on the stream of one request | the host of that request |
//! | a question without such a stream (stdio) | the host whose request began last of those under way |
//! | `roots/list` | every host, and the server gets the roots of all: it is told of one client, and these are its roots |
//! | progress | the host whose token it names |
//! | a change of a list or a resource | each host that wants to hear of it |
//! | a log message | each host that wants messages of its level |
//! | anything else | every host |

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mcp_bridge::parts::{HostAnswer, raw, severity, text};
use mcp_transport::ClientInfo;
use mcp_transport::handler::{
    ClientCapabilities, HandlerFuture, ServerNotification, ServerRequest, ServerRequestHandler,
};
use mcp_transport::message::{INTERNAL_ERROR, Members, RpcError, methods};
use serde_json::value::RawValue;

use crate::hub::HubCore;
use crate::peer::Peer;

/// How long a host may take to say its roots, which it knows without asking: the others do not wait any longer
/// for one that hangs.
const ROOTS_LIMIT: Duration = Duration::from_secs(5);

/// The hosts as the server sees them: one client.
pub(crate) struct Router {
    core: Weak<HubCore>,
    /// Whose request it is that the server speaks about, where that is known.
    cause: Option<Arc<Peer>>,
}

impl Router {
    pub(crate) fn new(core: &Weak<HubCore>, cause: Option<Arc<Peer>>) -> Self {
        Self { core: core.clone(), cause }
    }

    async fn answer(&self, method: &str, params: Option<Box<RawValue>>) -> HostAnswer {
        let core =
            self.core.upgrade().ok_or_else(|| RpcError::new(INTERNAL_ERROR, "the client is closing"))?;
        if method == "roots/list" {
            // A server may ask as soon as hands are shaken, when the first host is still on its way.
            core.any_peer().await;
            return all_roots(core.peers(), params).await;
        }
        let asked = match &self.cause {
            Some(cause) => cause.clone(),
            None => core.likeliest_cause().await,
        };
        asked.ask(method, params.as_deref()).await
    }
}

impl ServerRequestHandler for Router {
    fn capabilities(&self) -> ClientCapabilities {
        self.core.upgrade().map(|core| core.host.capabilities.clone()).unwrap_or_default()
    }

    fn client_info(&self) -> Option<ClientInfo> {
        self.core.upgrade()?.host.client.clone()
    }

    fn accepts(&self, method: &str) -> bool {
        match method {
            // Whether this process is there; a host is not asked for that.
            "ping" => false,
            _ if methods::client_capability(method).is_some() => self.capabilities().allow(method),
            // The host, or the bridge in front of it, refuses what it does not know.
            _ => true,
        }
    }

    fn handle<'a>(&'a self, request: ServerRequest<'a>) -> HandlerFuture<'a> {
        let ServerRequest { method, params, .. } = request;
        Box::pin(self.answer(method, params))
    }

    fn notification(&self, notification: ServerNotification<'_>) {
        let ServerNotification { method, params, .. } = notification;
        let Some(core) = self.core.upgrade() else { return };
        match method {
            _ if methods::is_of_connection(method) => {}
            "notifications/progress" => {
                if let Some((peer, params)) = core.tokens.translate(params) {
                    peer.host.notify(method, Some(&params));
                }
            }
            _ if methods::is_change(method) => {
                core.peers().iter().for_each(|peer| peer.tell_change(method, params))
            }
            "notifications/message" => {
                let level = level_of(params);
                match &self.cause {
                    Some(cause) => cause.tell_message(level, params),
                    None => core.peers().iter().for_each(|peer| peer.tell_message(level, params)),
                }
            }
            _ => match &self.cause {
                Some(cause) => cause.host.notify(method, params),
                None => core.peers().iter().for_each(|peer| peer.tell(method, params)),
            },
        }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").finish_non_exhaustive()
    }
}

fn level_of(params: Option<&RawValue>) -> Option<u8> {
    let level = Members::read(params?.get())?.get("level").and_then(text)?;
    severity(&level)
}

/// The roots of every host, each once. A host that does not answer has none; only where no host answers is that the
/// answer.
async fn all_roots(peers: Vec<Arc<Peer>>, params: Option<Box<RawValue>>) -> HostAnswer {
    let mut asking = tokio::task::JoinSet::new();
    for (order, peer) in peers.into_iter().enumerate() {
        let params = params.clone();
        asking.spawn(async move {
            let answer = tokio::time::timeout(ROOTS_LIMIT, peer.ask("roots/list", params.as_deref())).await;
            (order, answer.unwrap_or_else(|_| Err(RpcError::new(INTERNAL_ERROR, "the host does not answer"))))
        });
    }
    let mut answers = asking.join_all().await;
    answers.sort_by_key(|(order, _)| *order);
    let mut answers: Vec<HostAnswer> = answers.into_iter().map(|(_, answer)| answer).collect();
    match answers.iter().filter(|answer| answer.is_ok()).count() {
        0 => Err(answers
            .pop()
            .and_then(Result::err)
            .unwrap_or_else(|| RpcError::new(INTERNAL_ERROR, "no host"))),
        1 => answers.into_iter().find(Result::is_ok).unwrap_or_else(|| Ok(raw("{}"))),
        _ => Ok(union_of_roots(&answers.into_iter().flatten().collect::<Vec<_>>())),
    }
}

fn union_of_roots(answers: &[Box<RawValue>]) -> Box<RawValue> {
    let (mut seen, mut roots) = (HashSet::new(), Vec::new());
    for answer in answers {
        let listed = Members::read(answer.get()).and_then(|members| members.get("roots"));
        let listed = listed.and_then(|roots| serde_json::from_str::<Vec<&RawValue>>(roots.get()).ok());
        for root in listed.unwrap_or_default() {
            let uri = Members::read(root.get()).and_then(|root| root.get("uri")).and_then(text);
            if seen.insert(uri.unwrap_or_else(|| root.get().to_owned())) {
                roots.push(root.get());
            }
        }
    }
    raw(format!(r#"{{"roots":[{}]}}"#, roots.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_root_is_told_once_and_as_its_host_wrote_it() {
        let answers = [
            raw(r#"{"roots":[{"uri":"file:///a","name":"A"},{"uri":"file:///b"}]}"#),
            raw(r#"{"roots":[{"uri":"file:///b","name":"again"},{ "uri":"file:///c" }]}"#),
            raw(r#"{"other":1}"#),
        ];
        assert_eq!(
            union_of_roots(&answers).get(),
            r#"{"roots":[{"uri":"file:///a","name":"A"},{"uri":"file:///b"},{ "uri":"file:///c" }]}"#
        );
    }
}
