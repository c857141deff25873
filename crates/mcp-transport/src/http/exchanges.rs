//! Exchanges with authorization servers, as far as the endpoint of one server decides about them.

use std::sync::Arc;

use bytes::Bytes;
use mcp_auth::{AuthFuture, HttpExchange};
use url::{Origin, Url};

use super::client::HttpClient;
use crate::endpoint::HttpEndpoint;

/// The clients of the sign-in to one server.
///
/// What is at its own origin is reached as the server is. Others are reached by the same way and with the same authorities, and
/// see neither its certificate of the client nor its leave to take every certificate: those are for the server alone.
#[derive(Debug)]
struct SignInExchanges {
    origin: Origin,
    own: HttpClient,
    others: HttpClient,
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
        Arc::new(SignInExchanges {
            origin: endpoint.url.origin(),
            own: self.for_endpoint(endpoint),
            others: self.for_endpoint(&other),
        })
    }
}

impl HttpExchange for SignInExchanges {
    fn exchange(&self, request: http::Request<Bytes>) -> AuthFuture<'_, http::Response<Bytes>> {
        let url = Url::parse(&request.uri().to_string());
        let is_own = url.is_ok_and(|url| url.origin() == self.origin);
        if is_own { self.own.exchange(request) } else { self.others.exchange(request) }
    }
}
