//! What an embedder gives a connection: answers to the server's requests, and eyes for its notifications.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client_info::ClientInfo;
use crate::message::object::write_string;
use crate::message::{RpcError, methods};

pub use crate::hub::Notifications;
pub use crate::inbound::HandlerFuture;

/// Answers what a server asks of its client (2025-11-25, client features).
///
/// `ping` is answered without asking anyone. A method whose capability is not among
/// [`capabilities`](Self::capabilities) is refused with -32601, so what is advertised and what is answered
/// cannot drift apart.
pub trait ServerRequestHandler: fmt::Debug + Send + Sync + 'static {
    /// What the handshake advertises.
    fn capabilities(&self) -> ClientCapabilities;

    /// Answers one request. Runs on a task of its own, or, where a server of the modern era asks it in the result
    /// of a request, as part of that request; dropped when the connection closes or that request is given up.
    fn handle<'a>(&'a self, request: ServerRequest<'a>) -> HandlerFuture<'a>;

    /// Whether a request of this method is handed to [`handle`](Self::handle). Unless overridden: where its
    /// capability is advertised, and `ping` never.
    fn accepts(&self, method: &str) -> bool {
        self.capabilities().allow(method)
    }

    /// Sees every notification of the server, progress of requests that another program asked for included.
    ///
    /// Called from the task that reads the wire, before anything that the wire delivers later, so what it does
    /// keeps its place among the answers. It must not block.
    fn notification(&self, notification: ServerNotification<'_>) {
        let _ = notification;
    }

    /// Who the handshake says the client is, in place of [`ClientOptions::client_info`](crate::ClientOptions):
    /// for a program that connects on behalf of another one.
    fn client_info(&self) -> Option<ClientInfo> {
        None
    }
}

/// What a server asks of its client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerRequest<'a> {
    /// What is asked for, such as `elicitation/create`.
    pub method: &'a str,
    /// Its parameters, as sent.
    pub params: Option<Box<RawValue>>,
}

impl<'a> ServerRequest<'a> {
    /// A request of this method.
    #[must_use]
    pub const fn new(method: &'a str, params: Option<Box<RawValue>>) -> Self {
        Self { method, params }
    }
}

/// A notification of the server while it is passed on; [`Notification`] is one that is kept.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServerNotification<'a> {
    /// What is told, such as `notifications/tools/list_changed`.
    pub method: &'a str,
    /// Its parameters, as sent.
    pub params: Option<&'a RawValue>,
}

impl<'a> ServerNotification<'a> {
    /// A notification of this method.
    #[must_use]
    pub const fn new(method: &'a str, params: Option<&'a RawValue>) -> Self {
        Self { method, params }
    }
}

/// The client capabilities that a connection advertises.
#[derive(Clone, Debug, Default)]
pub struct ClientCapabilities(Vec<(String, Box<RawValue>)>);

impl ClientCapabilities {
    /// With a capability and its settings, a JSON object.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, settings: Box<RawValue>) -> Self {
        let name = name.into();
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, settings));
        self
    }

    /// Whether `name` is advertised.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Whether nothing is advertised.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a server may send a request of this method.
    pub fn allow(&self, method: &str) -> bool {
        methods::client_capability(method).is_some_and(|capability| self.has(capability))
    }

    pub(crate) fn to_json(&self) -> String {
        let mut out = vec![b'{'];
        for (index, (name, settings)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_string(&mut out, name);
            out.push(b':');
            out.extend_from_slice(settings.get().as_bytes());
        }
        out.push(b'}');
        String::from_utf8(out).unwrap_or_default()
    }
}

/// A notification from the server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Notification {
    /// What is told, such as `notifications/tools/list_changed`.
    pub method: String,
    /// Its parameters, as sent.
    pub params: Option<Box<RawValue>>,
}

/// How far a request has come (2025-11-25 and 2026-07-28, progress).
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Rises with every report.
    pub progress: f64,
    /// Where it ends, if the server knows.
    #[serde(default)]
    pub total: Option<f64>,
    /// What is being done, for people.
    #[serde(default)]
    pub message: Option<String>,
}

/// Receives the progress of one request. Called from the task that reads the wire, so it must not block.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;

pub(crate) fn method_not_found(method: &str) -> RpcError {
    RpcError::new(crate::message::envelope::METHOD_NOT_FOUND, format!("no handler for {method}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn capabilities_are_written_once_each() {
        let capabilities = ClientCapabilities::default()
            .with("roots", raw("{}"))
            .with("elicitation", raw(r#"{"form":{}}"#))
            .with("roots", raw(r#"{"listChanged":true}"#));
        assert_eq!(capabilities.to_json(), r#"{"elicitation":{"form":{}},"roots":{"listChanged":true}}"#);
        assert_eq!(ClientCapabilities::default().to_json(), "{}");
    }

    #[test]
    fn only_what_is_advertised_is_allowed() {
        let capabilities = ClientCapabilities::default().with("sampling", raw("{}"));
        assert!(capabilities.allow("sampling/createMessage"));
        assert!(!capabilities.allow("roots/list"));
        assert!(!capabilities.allow("tasks/list"));
    }
}
