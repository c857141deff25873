//! What sends the requests of these tests: to loopback, without TLS, following nothing.

use bytes::Bytes;
use http::{Request, Response};
use mcp_auth::{AuthError, AuthErrorKind, AuthFuture, HttpExchange};

/// Sends requests with `reqwest`.
#[derive(Debug)]
pub(crate) struct Loopback(reqwest::Client);

impl Loopback {
    pub(crate) fn new() -> Self {
        // reqwest is built without a crypto provider, and asks for the one of the process even where no TLS is spoken.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = reqwest::redirect::Policy::none();
        Self(reqwest::Client::builder().redirect(policy).no_proxy().build().unwrap())
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
        let answer = self.0.execute(request.try_into()?).await?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        *response.body_mut() = answer.bytes().await?;
        Ok(response)
    }
}

impl HttpExchange for Loopback {
    fn exchange(&self, request: Request<Bytes>) -> AuthFuture<'_, Response<Bytes>> {
        let unavailable = |error: reqwest::Error| {
            AuthError::new(AuthErrorKind::Unavailable, error.without_url().to_string())
        };
        Box::pin(async move { self.send(request).await.map_err(unavailable) })
    }
}
