//! One HTTP exchange, as a value in and a value out: how providers talk to an authorization server
//! without naming an HTTP client.

use std::fmt;

use bytes::Bytes;

use crate::AuthFuture;

/// Performs one HTTP request. Never follows a redirect, never adds credentials, reads at most 1 MiB of body.
///
/// An embedder that has a configured client (proxy, certificate authorities) implements this over it, so that
/// authorization requests use the same network settings as MCP requests.
pub trait HttpExchange: fmt::Debug + Send + Sync + 'static {
    /// Sends `request` and reads the whole answer. An answer of any status is `Ok`; failing to get one is
    /// [`AuthErrorKind::Unavailable`](crate::AuthErrorKind::Unavailable), or [`AuthErrorKind::Tls`](crate::AuthErrorKind::Tls)
    /// where the certificate or the handshake is what is wrong, with what mends that as its
    /// [`login_remedy`](crate::AuthError::login_remedy).
    fn exchange(&self, request: http::Request<Bytes>) -> AuthFuture<'_, http::Response<Bytes>>;
}
