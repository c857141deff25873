//! The wires behind a connection, and what differs between them.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::hub::ProgressGuard;
use crate::ordered::Ordered;
use crate::protocol::handshake::ServerDescription;
use crate::protocol::jsonrpc;
use crate::protocol::outgoing::encode_request;
use crate::{Payload, TraceContext, TransportError};

#[cfg(feature = "http")]
use crate::http::streamable::{Call, Limits, Streamable};
#[cfg(feature = "http")]
use crate::protocol::{header_params::encode_value, modern::request_meta, revision::Era};
#[cfg(feature = "http")]
use crate::{ClientOptions, hub::Hub};

#[cfg(feature = "stdio")]
use crate::SideOutput;

#[cfg(feature = "http")]
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// One request, before it is encoded for a wire.
pub(crate) struct Prepared<'a> {
    pub(crate) id: i64,
    pub(crate) method: &'a str,
    /// The text of a JSON object.
    pub(crate) params: Option<&'a str>,
    /// What `Mcp-Name` mirrors; modern era over HTTP only.
    pub(crate) name: Option<&'a str>,
    /// The `Mcp-Param-*` headers; modern era over HTTP only.
    pub(crate) mirrored: Vec<(HeaderName, HeaderValue)>,
    /// The answer is a stream that has no end, so silence on it means nothing.
    pub(crate) endless: bool,
    /// The parameters carry the connection's members of `_meta` already.
    pub(crate) own_metadata: bool,
    /// The limit of the whole request. It raises the limits of its parts, never lowers them.
    pub(crate) limit: Option<Duration>,
    pub(crate) first_byte: Duration,
    pub(crate) watched: Option<&'a ProgressGuard>,
    /// What `_meta` says about the trace that it is a part of, beside what the parameters say.
    pub(crate) trace: Option<&'a TraceContext>,
}

/// How messages travel.
#[derive(Debug)]
pub(crate) enum Wire {
    #[cfg(feature = "http")]
    Http {
        streamable: Streamable,
        /// What `_meta` of every request says; empty in the legacy era.
        meta: String,
        idle: Option<Duration>,
    },
    Ordered(Ordered),
}

impl Wire {
    #[cfg(feature = "http")]
    pub(crate) fn http(streamable: Streamable, hub: &Hub, options: &ClientOptions) -> Self {
        let revision = streamable.server().revision;
        let meta = match revision.era() {
            Era::Modern => request_meta(revision, &hub.client_info(options), &hub.capabilities()),
            Era::Legacy => String::new(),
        };
        Self::Http { streamable, meta, idle: options.idle_timeout }
    }

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

    pub(crate) async fn request(&self, request: Prepared<'_>) -> Result<Payload, TransportError> {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, meta, idle } => {
                let body = encode(&request, meta)?;
                let mut mirrored = request.mirrored;
                if let Some(name) = request.name.filter(|_| !meta.is_empty()) {
                    mirrored.push((NAME, encode_value(name)));
                }
                let raised = |part: Duration| request.limit.map_or(part, |limit| part.max(limit));
                let limits = Limits {
                    first_byte: raised(request.first_byte),
                    idle: idle.filter(|_| !request.endless).map(raised),
                };
                let (id, method) = (request.id, request.method);
                streamable.request(&Call { id, method, body: body.into(), mirrored, limits }).await
            }
            Self::Ordered(ordered) => ordered.request(request).await,
        }
    }

    pub(crate) async fn notify(&self, method: &str, params: Option<&RawValue>) -> Result<(), TransportError> {
        let body = jsonrpc::encode_notification(method, params);
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

    /// The generation of the session; `None` where it lives and dies with the wire.
    pub(crate) fn generation(&self) -> Option<watch::Receiver<u64>> {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => Some(streamable.generation()),
            Self::Ordered(_) => None,
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

    /// Ends what runs in the background, without a goodbye.
    pub(crate) fn abandon(&self) {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => streamable.abandon(),
            // These end with the value itself.
            Self::Ordered(_) => {}
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            #[cfg(feature = "http")]
            Self::Http { streamable, .. } => streamable.close().await,
            Self::Ordered(ordered) => ordered.close().await,
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

/// Encodes a request with the members of `_meta` that its connection and its progress need.
pub(crate) fn encode(request: &Prepared<'_>, meta: &str) -> Result<Vec<u8>, TransportError> {
    let meta = if request.own_metadata { "" } else { meta };
    if request.watched.is_none() && request.trace.is_none() {
        return encode_request(request.id, request.method, request.params, meta);
    }
    let mut all = meta.to_owned();
    if request.watched.is_some() {
        // The id of the request serves as its token: unique among the active requests of the connection.
        let comma = if meta.is_empty() { "" } else { "," };
        all.push_str(&format!("{comma}\"progressToken\":{}", request.id));
    }
    if let Some(trace) = request.trace {
        trace.write(&mut all);
    }
    encode_request(request.id, request.method, request.params, &all)
}
