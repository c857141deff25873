//! One endpoint that takes secrets: sends a form, attaches a DPoP proof, and turns whatever comes back into
//! either a success that a parser can read or a [`Failure`] that names the step, the URL and the answer.
//!
//! `oauth2` builds the requests of the grants it knows and sends them through here, so there is one place
//! where nonces are learned, redirects are refused and a server's words are cleaned.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::{error, fmt};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use mcp_text::Secrets;
use oauth2::AsyncHttpClient;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::{Url, form_urlencoded};

use super::agent;
use super::client_auth::{AuthMethod, ClientIdentity};
use super::discover::discovery::{REDIRECT_LIMIT, same_origin_redirect};
use super::dpop::{DpopKey, PROOF, Verifier};
use super::failure::{Answer, Failure, Step, error_code};
use super::numbers::device_response;
use super::said;
use crate::HttpExchange;
use crate::url_policy::UrlSource;

/// Form parameters that are no secrets and may therefore be part of a server's words.
const PUBLIC: [&str; 11] = [
    "grant_type",
    "client_id",
    "resource",
    "scope",
    "redirect_uri",
    "audience",
    "token_type_hint",
    "client_assertion_type",
    "subject_token_type",
    "requested_token_type",
    "response_type",
];

/// A token, revocation, registration or device authorization endpoint, for one request (and its nonce retry).
#[derive(Debug)]
pub(crate) struct OAuthEndpoint<'a> {
    http: &'a dyn HttpExchange,
    step: Step,
    url: Url,
    shown: String,
    dpop: Option<&'a DpopKey>,
    last: Mutex<Option<Failure>>,
}

impl<'a> OAuthEndpoint<'a> {
    /// `url` is what the metadata or the settings say, and `named_by` whose they are.
    ///
    /// # Errors
    ///
    /// When the URL is not one that secrets may be sent to, or that this party may name.
    pub(crate) fn new(
        http: &'a dyn HttpExchange,
        step: Step,
        url: &str,
        named_by: &UrlSource,
    ) -> Result<Self, Failure> {
        let parsed = named_by
            .may_request(url)
            .map_err(|refusal| Failure::barred(step, url, "the endpoint", &refusal))?;
        Ok(Self { http, step, url: parsed, shown: url.to_owned(), dpop: None, last: Mutex::default() })
    }

    /// Adds a proof to the request (RFC 9449 section 5).
    pub(crate) fn with_dpop(mut self, key: Option<&'a DpopKey>) -> Self {
        self.dpop = key;
        self
    }

    pub(crate) fn invalid(&self, why: impl Into<String>) -> Failure {
        Failure::invalid(self.step, &self.shown, why)
    }

    /// Sends a form as `client`, authenticated by its method.
    pub(crate) async fn form(
        &self,
        client: &ClientIdentity,
        assertion: &[(&'static str, String)],
        pairs: &[(&str, &str)],
    ) -> Result<Response<Bytes>, Failure> {
        let request = self.form_request(client, assertion, pairs)?;
        self.post(request).await
    }

    fn form_request(
        &self,
        client: &ClientIdentity,
        assertion: &[(&'static str, String)],
        pairs: &[(&str, &str)],
    ) -> Result<Request<Bytes>, Failure> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        let basic = client.basic();
        if basic.is_none() {
            form.append_pair("client_id", &client.id);
            if let (AuthMethod::Post, Some(secret)) = (client.method, &client.secret) {
                form.append_pair("client_secret", secret.expose());
            }
        }
        form.extend_pairs(assertion);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(basic) = basic {
            request = request.header(header::AUTHORIZATION, basic);
        }
        request
            .body(Bytes::from(form.finish()))
            .map_err(|_| self.invalid("the request cannot be written as HTTP"))
    }

    /// Sends a request, once more if the server wants a nonce in the proof (RFC 9449 section 8).
    ///
    /// Every 2xx comes back as one; everything else is a [`Failure`].
    pub(crate) async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let secrets = secrets(&request);
        let began = Instant::now();
        let mut outcome = self.send_once(&request, &secrets).await;
        // A person is there, and nothing has been used up: what fails for a moment gets that moment, once.
        if let Err((failure, _)) = &outcome
            && matches!(self.step, Step::Registration | Step::DeviceAuthorization)
            && let Some(wait) = failure.second_try(began.elapsed())
        {
            tracing::debug!(%failure, "once more");
            tokio::time::sleep(wait).await;
            outcome = self.send_once(&request, &secrets).await;
        }
        match outcome {
            Err((failure, true)) if failure.code() == Some("use_dpop_nonce") => {
                let response = self.send(&request).await?;
                self.judge(response, &secrets).map_err(|(failure, _)| failure)
            }
            other => other.map_err(|(failure, _)| failure),
        }
    }

    async fn send_once(
        &self,
        request: &Request<Bytes>,
        secrets: &[String],
    ) -> Result<Response<Bytes>, (Failure, bool)> {
        match self.send(request).await {
            Ok(response) => self.judge(response, secrets),
            Err(failure) => Err((failure, false)),
        }
    }

    /// Sends the request to the endpoint, and on to where the endpoint has moved on its own origin (a slash at the end,
    /// as a rule). Elsewhere it goes never: it carries secrets.
    async fn send(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let mut at = self.url.clone();
        for _ in 0..=REDIRECT_LIMIT {
            let response = self.send_to(&at, request).await?;
            let resends = matches!(response.status().as_u16(), 301 | 302 | 307 | 308);
            match same_origin_redirect(&at, &response).filter(|_| resends) {
                Some(next) => at = next,
                None => return Ok(response),
            }
        }
        Err(self.invalid("redirects in a circle"))
    }

    async fn send_to(&self, url: &Url, request: &Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let mut copy = Request::new(request.body().clone());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() =
            url.as_str().parse().map_err(|_| self.invalid("the endpoint cannot be written as HTTP"))?;
        *copy.headers_mut() = request.headers().clone();
        if let Some(value) = copy.headers_mut().get_mut(header::AUTHORIZATION) {
            value.set_sensitive(true);
        }
        if let Some(key) = self.dpop {
            let proof = key
                .proof(Verifier::AuthorizationServer, copy.method(), url, None)
                .map_err(|error| self.fail(Answer::Other(error)))?;
            let value =
                HeaderValue::try_from(proof).map_err(|_| self.invalid("the proof is not a header value"))?;
            copy.headers_mut().insert(PROOF, value);
        }
        agent::send(self.http, copy).await.map_err(|error| self.fail(Answer::None(error)))
    }

    /// The response, or the failure it means and whether it brought a nonce that was not known.
    fn judge(
        &self,
        response: Response<Bytes>,
        secrets: &[String],
    ) -> Result<Response<Bytes>, (Failure, bool)> {
        let news = self
            .dpop
            .is_some_and(|key| key.learn_nonce(Verifier::AuthorizationServer, &self.url, response.headers()));
        let status = response.status();
        if status.is_redirection() {
            return Err((self.fail(Answer::Redirect { status }), false));
        }
        let members = said::members(&response);
        let members = if self.step.gives_tokens() { members.map(said::token_members) } else { members };
        let text = |name: &str| members.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str);
        let shown: Secrets = secrets.iter().map(String::as_str).collect();
        // Some servers report errors with status 200; the body is then no token response.
        let error = text("error").filter(|_| !status.is_success() || text("access_token").is_none());
        if status.is_success() && error.is_none() {
            if self.step.gives_tokens() && text("access_token").is_none() {
                let kind = shown.sentence(&said::kind(&response));
                return Err((self.fail(Answer::Unreadable { status, kind }), news));
            }
            let body = members.map(|members| Bytes::from(Value::Object(members).to_string()));
            return Ok(match body {
                Some(body) => response.map(|_| body),
                None => response,
            });
        }
        let code = error.and_then(error_code);
        let description = said::words(&response, members.as_ref())
            .map(|words| shown.sentence(&words))
            .filter(|words| !words.is_empty())
            .or_else(|| {
                // Some write a sentence where a code belongs; what cannot be shown is told as that.
                let words = shown.sentence(error.filter(|_| code.is_none())?);
                Some(words)
                    .filter(|words| !words.is_empty())
                    .or(Some("an error that is not an OAuth code".to_owned()))
            });
        let failure = self.fail(Answer::Refused { status, code, description });
        Err((failure.with_wait_of(response.headers()), news))
    }

    /// The body as `oauth2` is to read it: it computes with the numbers of a device code.
    fn readable(&self, body: Bytes) -> Vec<u8> {
        if self.step == Step::DeviceAuthorization
            && let Ok(response) = serde_json::from_slice(&body)
        {
            return device_response(response).to_string().into_bytes();
        }
        body.to_vec()
    }

    fn fail(&self, answer: Answer) -> Failure {
        Failure::new(self.step, &self.shown, answer)
    }

    /// What a call through [`AsyncHttpClient`] failed with, for callers whose library wraps errors.
    pub(crate) fn take_failure(&self) -> Option<Failure> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The values of a request that must not be shown, should a server repeat them.
fn secrets(request: &Request<Bytes>) -> Vec<String> {
    let form = form_urlencoded::parse(request.body());
    let mut secrets: Vec<String> =
        form.filter(|(name, _)| !PUBLIC.contains(&&**name)).map(|(_, value)| value.into_owned()).collect();
    let basic = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(encoded) = basic.and_then(|value| value.strip_prefix("Basic ")) {
        secrets.push(encoded.to_owned());
        // A server knows the decoded form, and repeats that one.
        let joined =
            STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        if let Some((_, secret)) = joined.split_once(':') {
            secrets.push(secret.to_owned());
            secrets.extend(form_urlencoded::parse(secret.as_bytes()).map(|(secret, _)| secret.into_owned()));
        }
    }
    secrets
}

/// Stops `oauth2`; the failure itself waits in the endpoint.
#[derive(Debug)]
pub(crate) struct Interruption;

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request failed")
    }
}

impl error::Error for Interruption {}

impl<'c> AsyncHttpClient<'c> for OAuthEndpoint<'_> {
    type Error = Interruption;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Interruption>> + Send + 'c>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(async move {
            match self.post(request.map(Bytes::from)).await {
                // `oauth2` insists on 200 and on a JSON content type; servers do not.
                Ok(response) => json_response(StatusCode::OK, self.readable(response.into_body())),
                Err(failure) => {
                    // Polling for a device code reads the code of an error to decide whether to go on, and takes
                    // `Interruption` for a lost connection (RFC 8628 section 3.5).
                    let polled =
                        (self.step == Step::DeviceToken).then(|| failure.code().map(str::to_owned)).flatten();
                    *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                    let code = polled.ok_or(Interruption)?;
                    json_response(StatusCode::BAD_REQUEST, json!({ "error": code }).to_string().into_bytes())
                }
            }
        })
    }
}

fn json_response(status: StatusCode, body: Vec<u8>) -> Result<Response<Vec<u8>>, Interruption> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .map_err(|_| Interruption)
}
