//! One request on its way to a wire.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::error::TransportError;
use crate::handler::ServerRequestHandler;
use crate::hub::ProgressGuard;
use crate::limits::Allowance;
use crate::message::revision::Era;
use crate::protocol::outgoing::encode_request;
use crate::trace::TraceContext;
#[cfg(feature = "http")]
use crate::waiting::WaitState;

/// One request, before it is encoded for a wire.
pub(crate) struct WireRequest<'a> {
    pub(crate) id: i64,
    pub(crate) method: &'a str,
    /// The text of a JSON object.
    pub(crate) params: Option<&'a str>,
    /// What `Mcp-Name` mirrors; modern era over HTTP only.
    pub(crate) name: Option<&'a str>,
    /// The `Mcp-Param-*` headers; modern era over HTTP only.
    pub(crate) mirrored: &'a [(HeaderName, HeaderValue)],
    /// The answer is a stream that has no end, so silence on it means nothing.
    pub(crate) endless: bool,
    /// The parameters carry the connection's members of `_meta` already.
    pub(crate) own_metadata: bool,
    /// What the answer may cost.
    pub(crate) allowance: Allowance,
    /// Who takes what the server starts on the stream of the answer, in place of the connection's own handler.
    pub(crate) handler: Option<&'a Arc<dyn ServerRequestHandler>>,
    /// The limit of the whole request. It raises the limits of its parts, never lowers them.
    pub(crate) limit: Option<Duration>,
    pub(crate) first_byte: Duration,
    pub(crate) watched: Option<&'a ProgressGuard>,
    /// What `_meta` says about the trace that it is a part of, beside what the parameters say.
    pub(crate) trace: Option<&'a TraceContext>,
    /// Told while it waits for credentials.
    #[cfg(feature = "http")]
    pub(crate) waiting: Option<&'a WaitState>,
}

/// What a request was sent under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AgreementNumber {
    pub(crate) era: Era,
    /// Rises with every agreement of one connection.
    pub(crate) generation: u64,
}

/// Encodes a request with the members of `_meta` that its connection and its progress need.
pub(crate) fn encode(request: &WireRequest<'_>, meta: &str) -> Result<Vec<u8>, TransportError> {
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
