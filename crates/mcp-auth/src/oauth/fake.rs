//! A network in memory for tests: an authorization server and a protected server behind [`HttpExchange`], with a
//! record of every request, so that "and nothing else was requested" can be asserted.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::clock::Clock;
use super::context::Context;
use super::grant::authorize::CallbackParams;
use super::grant::authorizer::{
    AuthorizationPrompt, Authorizer, AuthorizerSession, DevicePrompt, RedirectPreference, SignInPrompt,
};
use super::grant::login::{LoginProbe, ProbeRequest};
use super::jwt::sha256_base64url;
use super::settings::OAuthSettings;
use super::store::{MemoryTokenStore, StoredTokens, TokenStore};
use crate::settings::OAuthSpec;
use crate::{AuthError, AuthErrorKind, AuthFuture, Challenge, Credentials, HttpExchange, Secret, Target};

pub(crate) const SERVER: &str = "https://mcp.example/mcp";
pub(crate) const ISSUER: &str = "https://as.example";

/// One request as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct SentRequest {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl SentRequest {
    /// A form parameter, which must not occur twice.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        let values: Vec<_> = form_urlencoded::parse(&self.body).filter(|(key, _)| key == name).collect();
        assert!(values.len() < 2, "{name} was sent twice");
        values.first().map(|(_, value)| value.to_string())
    }
}

type Handler = Arc<dyn Fn(&SentRequest) -> Response<Bytes> + Send + Sync>;

/// See the module.
#[derive(Clone, Default)]
pub(crate) struct FakeNet(Arc<NetState>);

#[derive(Default)]
struct NetState {
    routes: Mutex<HashMap<String, Handler>>,
    down: Mutex<HashSet<String>>,
    seen: Mutex<Vec<SentRequest>>,
}

impl fmt::Debug for FakeNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeNet")
    }
}

impl FakeNet {
    /// Answers `line` (method and URL); everything else is 404.
    pub(crate) fn on(
        &self,
        line: &str,
        handler: impl Fn(&SentRequest) -> Response<Bytes> + Send + Sync + 'static,
    ) {
        self.0.routes.lock().unwrap().insert(line.to_owned(), Arc::new(handler));
    }

    pub(crate) fn json(&self, line: &str, status: u16, body: Value) {
        self.on(line, move |_| answer(status, &body));
    }

    /// Requests to `line` get no answer from now on.
    pub(crate) fn take_down(&self, line: &str) {
        self.0.down.lock().unwrap().insert(line.to_owned());
    }

    pub(crate) fn bring_up(&self, line: &str) {
        self.0.down.lock().unwrap().remove(line);
    }

    pub(crate) fn seen(&self) -> Vec<SentRequest> {
        self.0.seen.lock().unwrap().clone()
    }

    /// The lines of the requests so far, oldest first; forgets them.
    pub(crate) fn take_lines(&self) -> Vec<String> {
        self.0.seen.lock().unwrap().drain(..).map(|seen| seen.line).collect()
    }

    /// The requests to `line`.
    pub(crate) fn sent_to(&self, line: &str) -> Vec<SentRequest> {
        self.seen().into_iter().filter(|seen| seen.line == line).collect()
    }
}

impl HttpExchange for FakeNet {
    fn exchange(&self, request: Request<Bytes>) -> AuthFuture<'_, Response<Bytes>> {
        let line = format!("{} {}", request.method(), request.uri());
        let line = line.strip_suffix('/').map_or(line.clone(), |bare| {
            // `http::Uri` writes the empty path as a slash.
            if bare.ends_with("example") { bare.to_owned() } else { line.clone() }
        });
        let seen =
            SentRequest { line: line.clone(), headers: request.headers().clone(), body: request.into_body() };
        self.0.seen.lock().unwrap().push(seen.clone());
        let down = self.0.down.lock().unwrap().contains(&line);
        let handler = self.0.routes.lock().unwrap().get(&line).cloned();
        Box::pin(async move {
            // Others get a turn, as they would while a real server thinks.
            tokio::task::yield_now().await;
            if down {
                return Err(AuthError::new(AuthErrorKind::Unavailable, "connection refused"));
            }
            Ok(handler.map_or_else(|| answer(404, &Value::Null), |handler| handler(&seen)))
        })
    }
}

pub(crate) fn answer(status: u16, body: &Value) -> Response<Bytes> {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
}

pub(crate) fn text(status: u16, body: &'static str) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::from(body)).unwrap()
}

pub(crate) fn redirect(to: &str) -> Response<Bytes> {
    Response::builder().status(302).header("location", to).body(Bytes::new()).unwrap()
}

/// Authorization server metadata with everything on.
pub(crate) fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "registration_endpoint": format!("{issuer}/register"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "authorization_response_iss_parameter_supported": true,
    })
}

/// A world with one server and one authorization server, which rotates refresh tokens.
pub(crate) struct World {
    pub(crate) net: FakeNet,
    pub(crate) store: Arc<MemoryTokenStore>,
    pub(crate) now: Arc<Mutex<SystemTime>>,
    pub(crate) issued: Arc<AtomicU32>,
    pub(crate) settings: OAuthSettings,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self {
            net: FakeNet::default(),
            store: Arc::new(MemoryTokenStore::default()),
            now: Arc::new(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000))),
            issued: Arc::default(),
            settings: OAuthSettings::new(OAuthSpec::default()),
        };
        world.publish(ISSUER, metadata(ISSUER));
        world.authorization_server(ISSUER);
        world
    }

    /// Resource metadata that names `issuer`, and the metadata of that.
    pub(crate) fn publish(&self, issuer: &str, metadata: Value) {
        let prm = json!({ "resource": SERVER, "authorization_servers": [issuer] });
        self.net.json("GET https://mcp.example/.well-known/oauth-protected-resource/mcp", 200, prm);
        let url = Url::parse(issuer).unwrap();
        let line = format!(
            "GET {}/.well-known/oauth-authorization-server{}",
            url.origin().ascii_serialization(),
            url.path().trim_end_matches('/')
        );
        self.net.json(&line, 200, metadata);
    }

    /// Endpoints that register anyone and issue `at-N` and `rt-N`; a refresh token works once.
    pub(crate) fn authorization_server(&self, issuer: &str) {
        let registered = Arc::new(AtomicU32::new(0));
        self.net.on(&format!("POST {issuer}/register"), move |_| {
            let n = registered.fetch_add(1, Ordering::Relaxed) + 1;
            answer(201, &json!({ "client_id": format!("client-{n}") }))
        });
        let issued = Arc::clone(&self.issued);
        let spent = Mutex::new(HashSet::new());
        self.net.on(&format!("POST {issuer}/token"), move |seen| {
            if let Some(token) = seen.form("refresh_token")
                && !spent.lock().unwrap().insert(token)
            {
                return answer(400, &json!({ "error": "invalid_grant", "error_description": "reused" }));
            }
            let n = issued.fetch_add(1, Ordering::Relaxed) + 1;
            answer(
                200,
                &json!({ "access_token": format!("at-{n}"), "refresh_token": format!("rt-{n}"), "token_type": "Bearer", "expires_in": 3600 }),
            )
        });
        self.net.json(&format!("POST {issuer}/revoke"), 200, Value::Null);
    }

    pub(crate) fn target(&self) -> Target {
        Target::new("srv", Url::parse(SERVER).unwrap())
    }

    pub(crate) fn clock(&self) -> Clock {
        let now = Arc::clone(&self.now);
        Clock::new(move || *now.lock().unwrap())
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.now.lock().unwrap() += by;
    }

    pub(crate) fn context(&self) -> Context {
        Context {
            target: self.target(),
            settings: self.settings.clone(),
            http: Arc::new(self.net.clone()),
            store: Arc::clone(&self.store) as Arc<dyn TokenStore>,
            clock: self.clock(),
        }
    }

    /// Someone has signed in before; the registration is kept as well.
    pub(crate) async fn signed_in(&self) -> StoredTokens {
        let mut tokens = StoredTokens::new(Secret::new("at-0"), "client-0", *self.now.lock().unwrap());
        tokens.refresh_token = Some(Secret::new("rt-0"));
        tokens.expires_at = Some(*self.now.lock().unwrap() + Duration::from_secs(3600));
        tokens.token_endpoint = Some(format!("{ISSUER}/token"));
        tokens.revocation_endpoint = Some(format!("{ISSUER}/revoke"));
        tokens.resource_parameter = Some(SERVER.to_owned());
        self.keep(&tokens).await;
        tokens
    }

    pub(crate) async fn keep(&self, tokens: &StoredTokens) {
        self.store.save(&self.context().key(ISSUER), tokens).await.unwrap();
    }

    pub(crate) async fn kept(&self) -> Option<StoredTokens> {
        self.store.load(&self.context().key(ISSUER)).await.unwrap()
    }
}

/// Challenges as a server would send them.
pub(crate) fn challenges(field: &str) -> Vec<Challenge> {
    Challenge::parse(field)
}

/// The authorization header of credentials.
pub(crate) fn bearer(credentials: &Credentials) -> String {
    let value =
        credentials.header(&http::header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    value.unwrap_or_default()
}

type Redirecting = dyn Fn(&HashMap<String, String>) -> String + Send + Sync;

/// An authorizer that answers at once with the query that a function of the request's parameters gives.
#[derive(Clone)]
pub(crate) struct FakeAuthorizer {
    redirecting: Arc<Redirecting>,
    pub(crate) preferences: Arc<Mutex<Vec<RedirectPreference>>>,
    pub(crate) requests: Arc<Mutex<Vec<HashMap<String, String>>>>,
    pub(crate) outcomes: Arc<Mutex<Vec<Result<(), String>>>>,
}

impl fmt::Debug for FakeAuthorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeAuthorizer")
    }
}

impl FakeAuthorizer {
    pub(crate) fn with(
        redirecting: impl Fn(&HashMap<String, String>) -> String + Send + Sync + 'static,
    ) -> Self {
        let (preferences, requests, outcomes) = Default::default();
        Self { redirecting: Arc::new(redirecting), preferences, requests, outcomes }
    }

    /// Consents, as `issuer`.
    pub(crate) fn consenting(issuer: &'static str) -> Self {
        Self::with(move |asked| format!("code=code-canary&state={}&iss={}", asked["state"], encoded(issuer)))
    }
}

pub(crate) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl Authorizer for FakeAuthorizer {
    fn prepare<'a>(
        &'a self,
        preference: &'a RedirectPreference,
    ) -> AuthFuture<'a, Box<dyn AuthorizerSession>> {
        self.preferences.lock().unwrap().push(preference.clone());
        let port = preference.port.or(preference.preferred_port).unwrap_or(4321);
        let redirect_uri =
            preference.exact.clone().unwrap_or_else(|| format!("http://localhost:{port}/callback"));
        let session: Box<dyn AuthorizerSession> =
            Box::new(FakeSession { authorizer: self.clone(), redirect_uri });
        Box::pin(std::future::ready(Ok(session)))
    }
}

#[derive(Debug)]
struct FakeSession {
    authorizer: FakeAuthorizer,
    redirect_uri: String,
}

impl AuthorizerSession for FakeSession {
    fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    fn authorize<'a>(&'a mut self, request: AuthorizationPrompt<'a>) -> AuthFuture<'a, CallbackParams> {
        let asked: HashMap<String, String> = request.url.query_pairs().into_owned().collect();
        let query = (self.authorizer.redirecting)(&asked);
        self.authorizer.requests.lock().unwrap().push(asked);
        Box::pin(std::future::ready(Ok(CallbackParams::from_query(&query))))
    }

    fn finish<'a>(&'a mut self, _: &'a str, outcome: Result<(), &'a AuthError>) -> AuthFuture<'a, ()> {
        self.authorizer.outcomes.lock().unwrap().push(outcome.map_err(ToString::to_string));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A probe that keeps what it saw, and then answers as told.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeProbe {
    pub(crate) refuse: bool,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

impl LoginProbe for FakeProbe {
    fn probe(&self, ProbeRequest { provider, .. }: ProbeRequest) -> AuthFuture<'_, ()> {
        Box::pin(async move {
            let credentials = provider.credentials().await?;
            self.seen.lock().unwrap().push(bearer(&credentials));
            if self.refuse {
                return Err(AuthError::new(AuthErrorKind::Protocol, "connect with the new tokens: 401"));
            }
            Ok(())
        })
    }
}

/// A prompt that only remembers the device code it showed.
#[derive(Debug, Default)]
pub(crate) struct FakePrompt {
    pub(crate) device: Mutex<Option<(String, String)>>,
}

impl SignInPrompt for FakePrompt {
    fn authorization<'a>(&'a self, _: AuthorizationPrompt<'a>) -> AuthFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn device<'a>(&'a self, prompt: DevicePrompt<'a>) -> AuthFuture<'a, ()> {
        *self.device.lock().unwrap() =
            Some((prompt.verification_uri.to_string(), prompt.user_code.to_owned()));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Whether the verifier of a token request fits the challenge of an authorization request.
pub(crate) fn pkce_fits(asked: &HashMap<String, String>, token_request: &SentRequest) -> bool {
    token_request
        .form("code_verifier")
        .is_some_and(|verifier| sha256_base64url(&verifier) == asked["code_challenge"])
}
