//! The wires behind a connection, and what differs between them.

pub(crate) mod request;

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "http")]
use http::HeaderName;
#[cfg(feature = "http")]
use mcp_auth::AuthProvider;
use mcp_text::Secrets;
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::duplex::Outcome;
use crate::error::{TransportError, TransportErrorKind};
use crate::message::envelope;
use crate::message::methods::mirrored_parameter;
use crate::message::revision::{Era, ProtocolRevision};
use crate::ordered::OrderedWire;
#[cfg(feature = "http")]
use crate::protocol::agree::Ordinal as _;
use crate::protocol::handshake::{ServerDescription, judge_refusal, refused_again, refuses_version};
#[cfg(feature = "http")]
use crate::wire::request::encode;
use crate::wire::request::{AgreementNumber, WireRequest};

#[cfg(feature = "http")]
use crate::http::streamable::{Limits, PostRequest, Streamable};
#[cfg(feature = "http")]
use crate::protocol::header_params::encode_value;

#[cfg(feature = "stdio")]
use crate::stdio::SideOutput;

#[cfg(feature = "http")]
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// How messages travel.
#[derive(Debug)]
pub(crate) enum Wire {
    #[cfg(feature = "http")]
    Http {
        streamable: Streamable,
        idle: Option<Duration>,
    },
    Ordered(Box<OrderedWire>),
}

impl Wire {
    pub(crate) fn server(&self) -> Arc<ServerDescription> {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => streamable.server(),
            Self::Ordered(ordered) => ordered.server(),
        }
    }

    /// Whether parts of a body are mirrored into headers, in the modern era.
    pub(crate) fn has_headers(&self) -> bool {
        match self {
            #[cfg(feature = "http")]
            Self::Http { .. } => true,
            Self::Ordered(_) => false,
        }
    }

    /// One request to its response.
    ///
    /// A server may refuse any request because of its version (2026-07-28, versioning). It has not acted on it, so it is
    /// sent again, once, in a revision that both speak.
    pub(crate) async fn request(&self, request: WireRequest<'_>) -> Outcome {
        let before = self.agreed();
        let refusal = match self.once(&request).await {
            Err(error) if refuses_version(&error) => error,
            // The session was forgotten, and is renewed in the other era.
            Err(error)
                if *error.kind() == TransportErrorKind::SessionGone && self.agreed().era != before.era =>
            {
                return Box::pin(self.resend(&request, before.era, error)).await;
            }
            outcome => return outcome,
        };
        let again = refused_again(&refusal);
        let revision = judge_refusal(refusal, before.era)?;
        // Boxed: a path that is hardly ever taken would make every request larger.
        Box::pin(self.renegotiate(revision, before.generation)).await?;
        Box::pin(self.resend(&request, before.era, again)).await
    }

    /// The same request after something else was agreed; `refusal` says why it was not carried out before.
    async fn resend(&self, request: &WireRequest<'_>, before: Era, refusal: TransportError) -> Outcome {
        // What its caller says about itself is in the terms of the other era, or it lacks what that one mirrors.
        if self.agreed().era != before && (request.own_metadata || self.lacks_name(request)) {
            return Err(refusal);
        }
        match self.once(request).await {
            Err(error) if refuses_version(&error) => Err(refused_again(&error)),
            outcome => outcome,
        }
    }

    /// Whether a request that was made in the legacy era would need a header that it does not have.
    fn lacks_name(&self, request: &WireRequest<'_>) -> bool {
        self.has_headers() && request.name.is_none() && mirrored_parameter(request.method).is_some()
    }

    async fn once(&self, request: &WireRequest<'_>) -> Outcome {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, idle } => {
                let session = streamable.session();
                let body = encode(request, session.meta())?;
                let mut mirrored = Vec::new();
                if session.server.revision.era() == Era::Modern {
                    mirrored.extend_from_slice(request.mirrored);
                    mirrored.extend(request.name.map(|name| (NAME, encode_value(name))));
                }
                let raised = |part: Duration| request.limit.map_or(part, |limit| part.max(limit));
                let limits = Limits {
                    first_byte: raised(request.first_byte),
                    idle: idle.filter(|_| !request.endless).map(raised),
                };
                let (id, method, handler) = (request.id, request.method, request.handler);
                let allowance = request.allowance;
                let body = body.into();
                let waiting = request.waiting;
                let call = PostRequest {
                    id,
                    method,
                    body,
                    mirrored,
                    limits,
                    allowance,
                    handler,
                    recover: true,
                    waiting,
                };
                streamable.request(&call, session).await
            }
            Self::Ordered(ordered) => ordered.request(request).await,
        }
    }

    /// Who supplies the credentials of its requests.
    #[cfg(feature = "http")]
    pub(crate) fn provider(&self) -> Option<&dyn AuthProvider> {
        match self {
            Self::Http { streamable, .. } => streamable.http().provider(),
            Self::Ordered(_) => None,
        }
    }

    fn agreed(&self) -> AgreementNumber {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => {
                let session = streamable.session();
                AgreementNumber { era: session.server.revision.era(), generation: session.number() }
            }
            Self::Ordered(ordered) => ordered.agreed(),
        }
    }

    async fn renegotiate(&self, revision: ProtocolRevision, stale: u64) -> Result<(), TransportError> {
        tracing::debug!(%revision, "the server refused the version of a request");
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => streamable.renegotiate(revision, stale).await,
            Self::Ordered(ordered) => ordered.renegotiate(revision, stale).await,
        }
    }

    pub(crate) async fn notify(&self, method: &str, params: Option<&RawValue>) -> Result<(), TransportError> {
        let body = envelope::encode_notification(method, params);
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => streamable.notify(body.into()).await,
            Self::Ordered(ordered) => ordered.notify(body).await,
        }
    }

    pub(crate) fn cancel(&self, id: i64, reason: &'static str) {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => streamable.cancel(id, reason),
            Self::Ordered(ordered) => ordered.cancel(id, reason),
        }
    }

    /// Counts what was agreed with the server: sessions, and changes of the revision.
    pub(crate) fn generation(&self) -> watch::Receiver<u64> {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => streamable.generation(),
            Self::Ordered(ordered) => ordered.generation(),
        }
    }

    /// Whether another process keeps the connection to the server.
    pub(crate) fn is_relayed(&self) -> bool {
        match self {
            #[cfg(feature = "http")]
            Self::Http { .. } => false,
            Self::Ordered(ordered) => ordered.is_relayed(),
        }
    }

    pub(crate) async fn listen(&self) {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => streamable.listen().await,
            // What the server starts by itself arrives on the one stream there is.
            Self::Ordered(_) => {}
        }
    }

    /// Ends what runs in the background without telling the server.
    pub(crate) fn abandon(&self) {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => streamable.abandon(),
            // These end with the value itself.
            Self::Ordered(_) => {}
        }
    }

    /// Ends it; what is told to the server on the way out shares `limit`.
    pub(crate) async fn close(&self, limit: Duration) {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => streamable.close(limit).await,
            // What is left of it when the time is over ends when the wire is dropped.
            Self::Ordered(ordered) => drop(tokio::time::timeout(limit, ordered.close()).await),
        }
    }

    /// Why it ended, where it is a process that has.
    pub(crate) fn why_ended(&self) -> Option<TransportError> {
        match self {
            #[cfg(feature = "http")]
            Self::Http { .. } => None,
            #[cfg(feature = "stdio")]
            Self::Ordered(ordered) => ordered.why_ended(),
            #[cfg(not(feature = "stdio"))]
            Self::Ordered(_) => None,
        }
    }

    /// Whether it is a process that is stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        match self {
            #[cfg(feature = "http")]
            Self::Http { .. } => false,
            #[cfg(feature = "stdio")]
            Self::Ordered(ordered) => ordered.is_stopped(),
            #[cfg(not(feature = "stdio"))]
            Self::Ordered(_) => false,
        }
    }

    /// What the server was given and must not be repeated in what is told about it.
    pub(crate) fn secrets(&self) -> Secrets {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => streamable.http().secrets(),
            Self::Ordered(ordered) => ordered.secrets(),
        }
    }

    /// The credentials among them.
    pub(crate) fn credentials_sent(&self) -> Secrets {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => streamable.http().credentials_sent(),
            Self::Ordered(ordered) => ordered.credentials_sent(),
        }
    }

    #[cfg(feature = "stdio")]
    pub(crate) fn side_output(&self) -> Option<SideOutput> {
        match self {
            #[cfg(feature = "http")]
            Self::Http { .. } => None,
            Self::Ordered(ordered) => ordered.side_output(),
        }
    }
}

/// Tells the server that the caller has stopped waiting, unless the last answer has come.
pub(crate) struct CancelOnDrop<'a> {
    pub(crate) wire: Option<&'a Wire>,
    pub(crate) id: i64,
    pub(crate) reason: &'static str,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(wire) = self.wire {
            wire.cancel(self.id, self.reason);
        }
    }
}
