//! Exchanges beside the connections: one request and its whole answer. With authorization servers, as far as the endpoint of
//! one server decides about them, and for documents that are public.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, header};
use mcp_auth::{AuthError, AuthErrorKind, AuthFuture, HttpExchange, LoginRemedy};
use mcp_status::TlsFault;
use mcp_text::Secrets;
use url::{Origin, Url};

use super::body::CollectedBody;
use super::client::{Answer, HttpClient};
use super::facts::{self, SentFacts};
use super::trouble;
use crate::endpoint::HttpEndpoint;
use crate::error::{TimeoutStage, TransportError, TransportErrorKind};

/// What an exchange may return, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// How long a connection may be idle that such a request is sent over. Many a server closes it after 5 s and does not say so,
/// and a request that meets that may have been seen: a code or a token that works once is lost by then.
const MOST_IDLE: Duration = Duration::from_secs(4);

/// The clients of the sign-in to one server.
///
/// What is at its own origin is reached as the server is. Others are reached by the same way and with the same authorities, and
/// see neither its certificate of the client nor its leave to take every certificate: those are for the server alone.
#[derive(Debug)]
struct SignInExchanges {
    origin: Origin,
    own: HttpClient,
    others: HttpClient,
    /// What is secret in the address of the server, which it may repeat wherever it is asked.
    secrets: Secrets,
}

impl HttpClient {
    /// The exchanges of a sign-in to the server at this endpoint.
    pub fn sign_in_exchanges(&self, endpoint: &HttpEndpoint) -> Arc<dyn HttpExchange> {
        let mut other = endpoint.clone();
        if let Some(tls) = other.tls.as_mut().map(Arc::make_mut) {
            tls.identity = None;
            tls.server_name = None;
            tls.takes_any_certificate = false;
        }
        let mut secrets = Secrets::default();
        secrets.insert_url(endpoint.url.as_str());
        Arc::new(SignInExchanges {
            origin: endpoint.url.origin(),
            secrets,
            own: self.for_endpoint(endpoint),
            others: self.for_endpoint(&other),
        })
    }
}

impl HttpExchange for SignInExchanges {
    fn exchange(&self, request: http::Request<Bytes>) -> AuthFuture<'_, http::Response<Bytes>> {
        let url = Url::parse(&request.uri().to_string());
        let is_own = url.is_ok_and(|url| url.origin() == self.origin);
        let client = if is_own { &self.own } else { &self.others };
        Box::pin(client.exchange_beside(request, &self.secrets))
    }
}

impl HttpClient {
    /// Sends one request by itself, beside all connections, and reads the whole answer, whatever its status. Redirects are
    /// not followed, and no credentials are added. An answer has 1 MiB at most, and all of it has to arrive within
    /// [`connect_timeout`](crate::ClientOptions::connect_timeout).
    ///
    /// # Errors
    ///
    /// There is no whole answer: no connection, one that broke off, came too late, or is too long.
    pub async fn fetch(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.fetch_beside(request, &Secrets::default()).await
    }

    /// The same, of which nothing that is told repeats these secrets.
    async fn fetch_beside(
        &self,
        request: http::Request<Bytes>,
        beside: &Secrets,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let (mut parts, body) = request.into_parts();
        if let Ok(agent) = HeaderValue::from_str(&self.options().user_agent) {
            parts.headers.insert(header::USER_AGENT, agent);
        }
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| {
            TransportError::new(TransportErrorKind::Protocol, "the URL is not absolute").with_source(error)
        })?;
        let answer = async {
            let observed = facts::are_observed(self).then(|| {
                let proofs = facts::proofs_in(&parts.headers);
                let mut secrets = facts::sent_in(&url, &parts.headers);
                secrets.include(beside);
                (parts.method.clone(), secrets, proofs, SystemTime::now())
            });
            let outcome = self.send_and_keep(parts.method, &url, parts.headers, body, Some(MOST_IDLE)).await;
            if let Some((method, secrets, credentials, began)) = observed {
                // The body of a form is not a message, and all of it is secret.
                let asked = SentFacts { method: &method, url: &url, credentials, body: &Bytes::new(), began };
                facts::tell(self, asked, outcome.as_ref(), &secrets);
            }
            let Answer { status, headers, mut body, .. } = outcome?;
            let CollectedBody { bytes, broken } = body.collect(admit, admit).await?;
            match broken {
                None => Ok((status, headers, bytes.into())),
                Some(error) => Err(error),
            }
        };
        // The whole exchange has one limit: a server that trickles must not hold up a connection.
        let limit = self.options().connect_timeout;
        let answer = tokio::time::timeout(limit, answer).await.map_err(|_| {
            let message =
                format!("no answer within {} (MCP_TIMEOUT allows more)", mcp_text::time_limit(limit));
            TransportError::new(TransportErrorKind::Timeout { stage: TimeoutStage::Total }, message)
        })?;
        let (status, headers, body) = answer?;
        let mut response = http::Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

impl HttpExchange for HttpClient {
    fn exchange(&self, request: http::Request<Bytes>) -> AuthFuture<'_, http::Response<Bytes>> {
        Box::pin(async move { self.exchange_beside(request, &Secrets::default()).await })
    }
}

impl HttpClient {
    async fn exchange_beside(
        &self,
        request: http::Request<Bytes>,
        beside: &Secrets,
    ) -> Result<http::Response<Bytes>, AuthError> {
        let url = Url::parse(&request.uri().to_string()).map_err(|error| {
            AuthError::new(AuthErrorKind::Protocol, "the URL is not absolute").with_source(error)
        })?;
        // It may be a part of an attempt to connect, whose limit would name no one: this one comes first.
        let limit = self.options().connect_timeout * 5 / 6;
        let fetched =
            tokio::time::timeout(limit, self.fetch_beside(request, beside)).await.unwrap_or_else(|_| {
                let silent = TransportErrorKind::Timeout { stage: TimeoutStage::Total };
                Err(TransportError::new(silent, "the authorization server is silent"))
            });
        // In our words alone: a sign-in tells every cause in the chain.
        fetched.map_err(|error| {
            let way = || {
                let proxy = self.proxy_of(&url);
                proxy.map_or_else(String::new, |proxy| format!(" by way of the proxy {proxy}"))
            };
            let message = match error.kind() {
                TransportErrorKind::Tls => return BrokenTls::of(&error, &url, way()).into(),
                TransportErrorKind::Timeout { stage: TimeoutStage::Total } => {
                    let waited = mcp_text::time_limit(limit);
                    let mut said = format!("the authorization server did not answer within {waited}");
                    if let Some(setting) = &self.options().limit_names.attempt {
                        said.push_str(&format!(" ({setting} allows more)"));
                    }
                    said
                }
                _ => {
                    let said = error.said().map_or_else(|| error.to_string(), str::to_owned);
                    format!("the authorization server could not be reached{}: {said}", way())
                }
            };
            AuthError::new(AuthErrorKind::Unavailable, message)
        })
    }
}

/// Why there is no TLS connection to an authorization server.
#[derive(Debug)]
pub(crate) struct BrokenTls {
    /// Scheme, host and port.
    origin: String,
    /// The proxy that it went by, behind a blank.
    way: String,
    pub(crate) fault: Option<TlsFault>,
    why: String,
}

impl BrokenTls {
    fn of(error: &TransportError, url: &Url, way: String) -> Self {
        let said = error.said().map_or_else(|| error.to_string(), str::to_owned);
        Self {
            origin: url.origin().ascii_serialization(),
            way,
            fault: error.source().and_then(trouble::tls_fault),
            // The server is the one that the tokens are for.
            why: said.replace("the server", "the authorization server"),
        }
    }

    /// What of the entry reaches an authorization server is who vouches for it; its own certificate is its operator's.
    fn remedy(&self) -> LoginRemedy {
        match self.fault {
            Some(TlsFault::UnknownAuthority) => LoginRemedy::Authority,
            Some(TlsFault::NotSpoken) | None => LoginRemedy::AuthorizationServer,
            Some(_) => LoginRemedy::Operator { origin: self.origin.clone() },
        }
    }
}

impl fmt::Display for BrokenTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the TLS connection to {}{} failed: {}", self.origin, self.way, self.why)
    }
}

impl Error for BrokenTls {}

impl From<BrokenTls> for AuthError {
    fn from(broken: BrokenTls) -> Self {
        let remedy = broken.remedy();
        Self::new(AuthErrorKind::Tls, broken.to_string()).with_login_remedy(remedy).with_source(broken)
    }
}

fn admit(bytes: usize) -> Result<(), TransportError> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let message = format!("the answer is longer than {MAX_BYTES} bytes");
    Err(TransportError::new(TransportErrorKind::TooLarge, message))
}
