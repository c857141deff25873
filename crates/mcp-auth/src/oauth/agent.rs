//! The user agent: every request of this module goes out through here, and names it.
//!
//! Firewalls in front of authorization servers refuse requests without a `User-Agent` (RFC 9110 section 10.1.5), with a
//! page that no client can read.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};

use crate::{AuthError, HttpExchange};

/// Product and version. An [`HttpExchange`] that sends a name of its own replaces it.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("mcp-auth/", env!("CARGO_PKG_VERSION")));

/// Sends a request over `http`.
pub(crate) async fn send(
    http: &dyn HttpExchange,
    mut request: Request<Bytes>,
) -> Result<Response<Bytes>, AuthError> {
    request.headers_mut().entry(header::USER_AGENT).or_insert(USER_AGENT);
    http.exchange(request).await
}
