//! The default [`HttpExchange`], over `reqwest`: for embedders that have no client of their own. The only file
//! of this crate that names it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};

use crate::{AuthError, AuthErrorKind, AuthFuture, HttpExchange};

/// An answer of an authorization server is a small JSON document.
const BODY_LIMIT: usize = 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the whole exchange.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends authorization requests: TLS with the system's (and further) certificate authorities, the system's
/// proxy settings, no redirects, no cookies.
#[derive(Clone)]
pub struct AuthHttpClient(reqwest::Client);

impl AuthHttpClient {
    /// A client that also trusts the certificate authorities in `extra_ca_pem` (PEM, any number of blocks).
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::Misconfigured`] if the certificates cannot be read or TLS cannot be set up.
    pub fn new(extra_ca_pem: Option<&[u8]>) -> Result<Self, AuthError> {
        let misconfigured = |error: reqwest::Error| {
            AuthError::new(AuthErrorKind::Misconfigured, "set up the client for authorization requests")
                .with_source(error)
        };
        // reqwest is built without a crypto provider and asks for the process's; whoever installed one first wins.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT);
        if let Some(pem) = extra_ca_pem {
            builder =
                builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem).map_err(misconfigured)?);
        }
        builder.build().map(Self).map_err(misconfigured)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, AuthError> {
        let (parts, body) = request.into_parts();
        let url = url::Url::parse(&parts.uri.to_string()).map_err(|error| {
            AuthError::new(AuthErrorKind::Protocol, "the URL is not absolute").with_source(error)
        })?;
        let answer = self
            .0
            .request(parts.method, crate::without_userinfo(&url).into_owned())
            .headers(parts.headers)
            .body(body)
            .send()
            .await
            .map_err(unavailable)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        *response.body_mut() = read(answer).await?;
        Ok(response)
    }
}

async fn read(mut answer: reqwest::Response) -> Result<Bytes, AuthError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(unavailable)? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(AuthError::new(AuthErrorKind::Protocol, "the answer is larger than 1 MiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The innermost cause says what happened ("connection refused"); the URL is left out, its query may be secret.
fn unavailable(error: reqwest::Error) -> AuthError {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    AuthError::new(AuthErrorKind::Unavailable, cause.to_string())
}

impl HttpExchange for AuthHttpClient {
    fn exchange(&self, request: Request<Bytes>) -> AuthFuture<'_, Response<Bytes>> {
        Box::pin(self.send(request))
    }
}

impl fmt::Debug for AuthHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthHttpClient")
    }
}

impl AuthHttpClient {
    /// This client as the shared value that providers take.
    pub fn shared(self) -> Arc<dyn HttpExchange> {
        Arc::new(self)
    }
}
