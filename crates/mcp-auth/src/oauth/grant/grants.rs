//! The grants: what is sent to a token endpoint to get tokens.
//!
//! Code, refresh, client credentials and device code are `oauth2`'s; the assertion grants (RFC 7523, RFC 8693)
//! are not in it and go through the same [`OAuthEndpoint`].

use std::time::Duration;

use http::Response;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AuthType, AuthorizationCode, Client, ClientId, ClientSecret, DeviceAuthorizationUrl, EndpointNotSet,
    EndpointSet, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardDeviceAuthorizationResponse, StandardRevocableToken, TokenUrl,
};

use super::super::client_auth::{AuthMethod, ClientIdentity};
use super::super::clock::Clock;
use super::super::dpop::DpopKey;
use super::super::endpoint::OAuthEndpoint;
use super::super::failure::{Failure, Step};
use super::super::numbers::{LONGEST_INTERVAL, SHORTEST_INTERVAL};
use super::token::TokenAnswer;
use crate::url_policy::UrlSource;
use crate::{AuthError, AuthErrorKind, HttpExchange, Secret};

/// RFC 7523 section 2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// RFC 8693 section 2.1.
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// RFC 8693 section 3.
pub(crate) const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
/// The Identity Assertion JWT Authorization Grant of enterprise-managed authorization.
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

type OAuthClient = Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Everything that the grants at one token endpoint have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grants<'a> {
    pub(crate) http: &'a dyn HttpExchange,
    pub(crate) token_endpoint: &'a str,
    /// Who named it, and the endpoint for device codes.
    pub(crate) named_by: &'a UrlSource,
    /// The audience of client assertions.
    pub(crate) issuer: &'a str,
    pub(crate) client: &'a ClientIdentity,
    /// The `resource` parameter (RFC 8707), unless it is switched off.
    pub(crate) resource: Option<&'a str>,
    /// The `audience` parameter, for grants without a person.
    pub(crate) audience: Option<&'a str>,
    pub(crate) dpop: Option<&'a DpopKey>,
    pub(crate) clock: &'a Clock,
}

/// Adds what every token request of `oauth2` carries here: the resource and the client assertion.
macro_rules! with_extras {
    ($grants:expr, $request:expr) => {{
        let mut request = $request;
        if let Some(resource) = $grants.resource {
            request = request.add_extra_param("resource", resource);
        }
        for (name, value) in $grants.client.assertion($grants.issuer, $grants.clock)? {
            request = request.add_extra_param(name, value);
        }
        request
    }};
}

impl<'a> Grants<'a> {
    /// RFC 6749 section 4.1.3 with RFC 7636.
    pub(crate) async fn code(
        &self,
        code: &Secret,
        verifier: PkceCodeVerifier,
        redirect_uri: &str,
    ) -> Result<TokenAnswer, Failure> {
        let endpoint = self.endpoint(Step::CodeExchange)?;
        let redirect = RedirectUrl::new(redirect_uri.to_owned())
            .map_err(|_| endpoint.invalid("the redirect URI is not a URL"))?;
        let client = self.oauth(&endpoint)?.set_redirect_uri(redirect);
        let request = client
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(verifier);
        let answer = with_extras!(self, request).request_async(&endpoint).await;
        self.usable(&endpoint, answer.map_err(|error| unwrap(&endpoint, error))?)
    }

    /// RFC 6749 section 6. Without scopes the server keeps those that were granted.
    pub(crate) async fn refresh(&self, token: &Secret, scopes: &[String]) -> Result<TokenAnswer, Failure> {
        let endpoint = self.endpoint(Step::Refresh)?;
        let client = self.oauth(&endpoint)?;
        let token = RefreshToken::new(token.expose().to_owned());
        let request =
            client.exchange_refresh_token(&token).add_scopes(scopes.iter().cloned().map(Scope::new));
        let answer = with_extras!(self, request).request_async(&endpoint).await;
        self.usable(&endpoint, answer.map_err(|error| unwrap(&endpoint, error))?)
    }

    /// RFC 6749 section 4.4.
    pub(crate) async fn client_credentials(&self, scopes: &[String]) -> Result<TokenAnswer, Failure> {
        let endpoint = self.endpoint(Step::ClientCredentials)?;
        let client = self.oauth(&endpoint)?;
        let mut request =
            client.exchange_client_credentials().add_scopes(scopes.iter().cloned().map(Scope::new));
        if let Some(audience) = self.audience {
            request = request.add_extra_param("audience", audience);
        }
        let answer = with_extras!(self, request).request_async(&endpoint).await;
        self.usable(&endpoint, answer.map_err(|error| unwrap(&endpoint, error))?)
    }

    /// RFC 8628 section 3.1.
    pub(crate) async fn device_authorization(
        &self,
        url: &str,
        scopes: &[String],
    ) -> Result<StandardDeviceAuthorizationResponse, Failure> {
        let endpoint = OAuthEndpoint::new(self.http, Step::DeviceAuthorization, url, self.named_by)?;
        let device = DeviceAuthorizationUrl::new(url.to_owned())
            .map_err(|_| endpoint.invalid("the endpoint is not a URL"))?;
        let client = self.oauth(&endpoint)?.set_device_authorization_url(device);
        let request = client.exchange_device_code().add_scopes(scopes.iter().cloned().map(Scope::new));
        let answer = with_extras!(self, request).request_async(&endpoint).await;
        answer.map_err(|error| unwrap(&endpoint, error))
    }

    /// RFC 8628 section 3.4: polls until a person has decided, or the code has expired. `oauth2` adds 5 s whenever it is
    /// asked to slow down; the clamp keeps that between the bounds of [`numbers`](super::super::numbers).
    pub(crate) async fn device_token(
        &self,
        device: &StandardDeviceAuthorizationResponse,
    ) -> Result<TokenAnswer, Failure> {
        let endpoint = self.endpoint(Step::DeviceToken)?;
        let client = self.oauth(&endpoint)?;
        let request = client.exchange_device_access_token(device).set_max_backoff_interval(LONGEST_INTERVAL);
        let sleep = |wait: Duration| tokio::time::sleep(wait.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL));
        let polling = with_extras!(self, request).request_async(&endpoint, sleep, None);
        // By a clock that cannot be set back, and also while an answer is waited for.
        match tokio::time::timeout(device.expires_in(), polling).await {
            Ok(answer) => self.usable(&endpoint, answer.map_err(|error| unwrap(&endpoint, error))?),
            Err(_) => Err(AuthError::new(
                AuthErrorKind::Cancelled,
                format!(
                    "exchange the device code: it was not entered within {} s",
                    device.expires_in().as_secs()
                ),
            )
            .into()),
        }
    }

    /// RFC 7523 section 2.1.
    pub(crate) async fn jwt_bearer(
        &self,
        assertion: &Secret,
        scopes: &[String],
    ) -> Result<TokenAnswer, Failure> {
        let scope = scopes.join(" ");
        let mut pairs = vec![("grant_type", JWT_BEARER), ("assertion", assertion.expose())];
        pairs.extend((!scope.is_empty()).then_some(("scope", scope.as_str())));
        pairs.extend(self.audience.map(|audience| ("audience", audience)));
        self.usable(&self.endpoint(Step::JwtBearer)?, self.form(Step::JwtBearer, pairs).await?)
    }

    /// RFC 8693 section 2.1. `subject` and `actor` are tokens with their types.
    pub(crate) async fn token_exchange(
        &self,
        subject: (&Secret, &str),
        actor: Option<(&Secret, &str)>,
        requested: Option<&str>,
        scopes: &[String],
    ) -> Result<TokenAnswer, Failure> {
        let scope = scopes.join(" ");
        let mut pairs = vec![
            ("grant_type", TOKEN_EXCHANGE),
            ("subject_token", subject.0.expose()),
            ("subject_token_type", subject.1),
        ];
        if let Some((token, kind)) = actor {
            pairs.extend([("actor_token", token.expose()), ("actor_token_type", kind)]);
        }
        pairs.extend(requested.map(|kind| ("requested_token_type", kind)));
        pairs.extend((!scope.is_empty()).then_some(("scope", scope.as_str())));
        pairs.extend(self.audience.map(|audience| ("audience", audience)));
        self.usable(&self.endpoint(Step::TokenExchange)?, self.form(Step::TokenExchange, pairs).await?)
    }

    /// RFC 8693 as enterprise-managed authorization uses it: an ID token, or a refresh token of the identity
    /// provider, becomes an assertion for the authorization server `audience`.
    pub(crate) async fn id_jag(
        &self,
        (subject, subject_type): (&Secret, &str),
        audience: &str,
        scopes: &[String],
    ) -> Result<Secret, Failure> {
        let scope = scopes.join(" ");
        let mut pairs = vec![
            ("grant_type", TOKEN_EXCHANGE),
            ("requested_token_type", ID_JAG),
            ("audience", audience),
            ("subject_token", subject.expose()),
            ("subject_token_type", subject_type),
        ];
        pairs.extend((!scope.is_empty()).then_some(("scope", scope.as_str())));
        let answer = self.form(Step::TokenExchange, pairs).await?;
        match answer.issued_token_type() {
            // An access token would be the wrong thing to hand to a third party.
            Some(kind) if kind != ID_JAG => Err(self
                .endpoint(Step::TokenExchange)?
                .invalid("the identity provider issued another kind of token")),
            _ => Ok(answer.access_token()),
        }
    }

    async fn form(&self, step: Step, mut pairs: Vec<(&str, &str)>) -> Result<TokenAnswer, Failure> {
        let endpoint = self.endpoint(step)?;
        pairs.extend(self.resource.map(|resource| ("resource", resource)));
        let assertion = self.client.assertion(self.issuer, self.clock)?;
        let response: Response<_> = endpoint.form(self.client, &assertion, &pairs).await?;
        // The parser's error is dropped on purpose: it may quote the body.
        serde_json::from_slice(response.body())
            .map_err(|_| endpoint.invalid("the answer is not a token response"))
    }

    /// `answer`, if what it gives can be sent to a server: a type that is not understood must not be used (RFC 6749 section 7.1).
    fn usable(&self, endpoint: &OAuthEndpoint<'_>, answer: TokenAnswer) -> Result<TokenAnswer, Failure> {
        if answer.is_empty() {
            return Err(endpoint.invalid("the answer is not a token response: its access token is empty"));
        }
        match answer.unspoken_type(self.dpop.is_some()) {
            Some(kind) => {
                Err(endpoint.invalid(format!("it gave a token of the type {kind}, which is not spoken here")))
            }
            None => Ok(answer),
        }
    }

    fn endpoint(&self, step: Step) -> Result<OAuthEndpoint<'a>, Failure> {
        Ok(OAuthEndpoint::new(self.http, step, self.token_endpoint, self.named_by)?.with_dpop(self.dpop))
    }

    fn oauth(&self, endpoint: &OAuthEndpoint<'_>) -> Result<OAuthClient, Failure> {
        let token_url = TokenUrl::new(self.token_endpoint.to_owned())
            .map_err(|_| endpoint.invalid("the endpoint is not a URL"))?;
        let client = Client::new(ClientId::new(self.client.id.clone())).set_token_uri(token_url);
        let with_secret = |client: OAuthClient| match &self.client.secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
            None => client,
        };
        Ok(match self.client.method {
            AuthMethod::Basic => with_secret(client.set_auth_type(AuthType::BasicAuth)),
            AuthMethod::Post => with_secret(client.set_auth_type(AuthType::RequestBody)),
            AuthMethod::None | AuthMethod::PrivateKeyJwt => client.set_auth_type(AuthType::RequestBody),
        })
    }
}

/// The failure behind an error of `oauth2`, whose own parse errors quote the body and are dropped.
fn unwrap<RE, TE>(endpoint: &OAuthEndpoint<'_>, error: RequestTokenError<RE, TE>) -> Failure
where
    RE: std::error::Error + 'static,
    TE: oauth2::ErrorResponse + 'static,
{
    match error {
        RequestTokenError::Request(_) | RequestTokenError::ServerResponse(_) => {
            endpoint.take_failure().unwrap_or_else(|| endpoint.invalid("the code has expired"))
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            endpoint.invalid("the answer is not a token response")
        }
    }
}
