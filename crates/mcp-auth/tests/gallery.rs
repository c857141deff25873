//! A gallery of the services that people sign in to: what each publishes and answers is a file in `tests/gallery`, as
//! the public describes it, and each is signed in to with the real code over a network in memory.
//!
//! A new quirk is a new file. The members:
//!
//! | member | is |
//! |---|---|
//! | `about`, `source` | what is special, and where the public says so |
//! | `server`, `challenge` | the MCP endpoint, and its `WWW-Authenticate` |
//! | `entry` | `clientId`, `clientSecret`, `issuer`, `resource`, `pkceAssumed`, `metadataIssuer`, `authServerMetadataUrl` of the entry |
//! | `documents` | URL → document with status 200; every other address answers 404 |
//! | `registration` | `status`, `body` (members named in its `echo` are as asked), or `text` and `contentType`; `refusesScope` and `demandsScope` are the answers to a registration with and without a scope |
//! | `authorize` | `iss` of the redirect |
//! | `token`, `refresh` | `body`, or `text` and `contentType`; `needsScope` of a refresh |
//! | `refusals` | what it answers where it refuses: `at` (`registration`, `authorize`, `token`, `refresh`), `status`, `body` or `text` and `contentType`; `says` is what has to be in the error, and `kindIs` its kind |
//! | `expect` | `issuer`, `asks` (scopes), `method` (client authentication), `resource`, `refreshable`; or `error`: words of the refusal |
#![cfg(feature = "oauth")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use mcp_auth::oauth::store::{MemoryTokenStore, TokenStore};
use mcp_auth::oauth::{
    AuthorizationPrompt, Authorizer, AuthorizerSession, CallbackParams, LoginProbe, OAuthLogin,
    OAuthProvider, OAuthSettings, ProbeRequest, RedirectPreference, SignedIn,
};
use mcp_auth::settings::OAuthSpec;
use mcp_auth::{
    AuthError, AuthFuture, AuthProvider, Challenge, HttpExchange, Recovery, Rejection, Secret, Target,
};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

/// A code as long as they are: a server that repeats it must not be quoted.
const CODE: &str = "code-of-the-gallery";

/// A service as its file describes it, and what it was asked.
#[derive(Clone, Debug)]
struct Service {
    file: Arc<Value>,
    /// The one of its refusals that it answers with.
    refusal: Arc<Value>,
    posts: Arc<Mutex<Vec<Request<Bytes>>>>,
    asked: Arc<Mutex<Vec<HashMap<String, String>>>>,
}

fn answer(status: u16, description: &Value) -> Response<Bytes> {
    let body = match description.get("text").and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => description["body"].to_string(),
    };
    let kind = description["contentType"].as_str().unwrap_or("application/json");
    Response::builder().status(status).header("content-type", kind).body(body.into()).unwrap()
}

fn form(request: &Request<Bytes>) -> HashMap<String, String> {
    form_urlencoded::parse(request.body()).into_owned().collect()
}

impl Service {
    fn read(path: &std::path::Path) -> Self {
        let file = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        Self { file: Arc::new(file), refusal: Arc::default(), posts: Arc::default(), asked: Arc::default() }
    }

    /// The same service, untouched, on a bad day.
    fn refusing(&self, refusal: &Value) -> Self {
        Self {
            file: Arc::clone(&self.file),
            refusal: Arc::new(refusal.clone()),
            posts: Arc::default(),
            asked: Arc::default(),
        }
    }

    fn refuses(&self, at: &str) -> Option<Response<Bytes>> {
        let status = u16::try_from(self.refusal["status"].as_u64().unwrap_or_default()).unwrap();
        (self.refusal["at"] == at).then(|| answer(status, &self.refusal))
    }

    /// The answer to a request: each has to come from the party that it names, and to name the client.
    fn reply(&self, request: &Request<Bytes>) -> Response<Bytes> {
        assert!(request.headers().contains_key("user-agent"), "{}", request.uri());
        let uri = request.uri().to_string();
        let uri = if request.uri().path() == "/" { uri.trim_end_matches('/').to_owned() } else { uri };
        if request.method() == "GET" {
            let document = self.file["documents"].get(&uri);
            return document.map_or_else(
                || answer(404, &json!({ "text": "<html>not here</html>", "contentType": "text/html" })),
                |document| answer(200, &json!({ "body": document })),
            );
        }
        let registers = self.posts.lock().unwrap().len();
        self.posts.lock().unwrap().push(request.clone());
        if let Ok(asked) = serde_json::from_slice::<Value>(request.body()) {
            return self.refuses("registration").unwrap_or_else(|| self.register(&asked));
        }
        assert!(registers < 10, "{uri} is asked without end");
        let form = form(request);
        let at = if form["grant_type"] == "refresh_token" { "refresh" } else { "token" };
        if let Some(refused) = self.refuses(at) {
            return refused;
        }
        if at == "refresh" {
            let needed = self.file["refresh"]["needsScope"].as_str();
            let scopes = form.get("scope").map(String::as_str).unwrap_or_default();
            if needed.is_some_and(|needed| !scopes.split(' ').any(|scope| scope == needed)) {
                return answer(400, &json!({ "body": { "error": "invalid_scope" } }));
            }
            return answer(200, &self.file["refresh"]);
        }
        answer(200, &self.file["token"])
    }

    fn register(&self, asked: &Value) -> Response<Bytes> {
        let description = &self.file["registration"];
        let (refuses, demands) = (&description["refusesScope"], &description["demandsScope"]);
        for (refusal, applies) in
            [(refuses, asked.get("scope").is_some()), (demands, asked.get("scope").is_none())]
        {
            if applies && refusal.is_object() {
                return answer(u16::try_from(refusal["status"].as_u64().unwrap()).unwrap(), refusal);
            }
        }
        let mut description = description.clone();
        let echoed = description["body"]["echo"].as_array().cloned().unwrap_or_default();
        for name in echoed.iter().filter_map(Value::as_str) {
            description["body"][name] = asked[name].clone();
        }
        answer(u16::try_from(description["status"].as_u64().unwrap_or(404)).unwrap(), &description)
    }

    fn target(&self) -> Target {
        Target::new("gallery", Url::parse(self.file["server"].as_str().unwrap()).unwrap())
    }

    fn settings(&self) -> OAuthSettings {
        let entry = &self.file["entry"];
        let text = |name: &str| entry[name].as_str().map(str::to_owned);
        let mut spec = OAuthSpec::default();
        spec.client_id = text("clientId");
        spec.client_secret = text("clientSecret").map(Secret::new);
        spec.resource = text("resource");
        spec.issuer = text("issuer");
        spec.issuer_is_confirmed = spec.issuer.is_some();
        spec.metadata_issuer = text("metadataIssuer");
        spec.assume_pkce = entry["pkceAssumed"] == true;
        spec.auth_server_metadata_url = text("authServerMetadataUrl").map(|url| Url::parse(&url).unwrap());
        OAuthSettings::new(spec)
    }

    /// The access token ends early, and a later process notices.
    async fn renew(&self, store: &Arc<MemoryTokenStore>) -> Result<Recovery, AuthError> {
        let (http, store) = (Arc::new(self.clone()), Arc::clone(store) as Arc<dyn TokenStore>);
        let provider = OAuthProvider::new(self.target(), self.settings(), http, store);
        let used = provider.credentials().await?;
        let (headers, challenges) =
            (http::HeaderMap::new(), Challenge::parse("Bearer error=\"invalid_token\""));
        let refused = Rejection::new(StatusCode::UNAUTHORIZED, &challenges, &headers, &used);
        provider.on_rejected(refused).await
    }

    async fn sign_in(&self, store: &Arc<MemoryTokenStore>) -> Result<SignedIn, AuthError> {
        let challenges = self.file["challenge"].as_str().map(Challenge::parse).unwrap_or_default();
        let (http, store) = (Arc::new(self.clone()), Arc::clone(store) as Arc<dyn TokenStore>);
        let login = OAuthLogin::new(self.target(), self.settings(), http, store);
        login.begin(&challenges).await?.complete(self, &Accepts).await
    }
}

impl HttpExchange for Service {
    fn exchange(&self, request: Request<Bytes>) -> AuthFuture<'_, Response<Bytes>> {
        let reply = self.reply(&request);
        Box::pin(std::future::ready(Ok(reply)))
    }
}

impl Authorizer for Service {
    fn prepare<'a>(&'a self, _: &'a RedirectPreference) -> AuthFuture<'a, Box<dyn AuthorizerSession>> {
        Box::pin(std::future::ready(Ok(Box::new(self.clone()) as Box<dyn AuthorizerSession>)))
    }
}

impl AuthorizerSession for Service {
    fn redirect_uri(&self) -> &str {
        "http://localhost:4321/callback"
    }

    fn authorize<'a>(&'a mut self, request: AuthorizationPrompt<'a>) -> AuthFuture<'a, CallbackParams> {
        let asked: HashMap<String, String> = request.url.query_pairs().into_owned().collect();
        assert_eq!(asked["code_challenge_method"], "S256");
        self.asked.lock().unwrap().push(asked);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("state", request.state.expose());
        if self.refusal["at"] == "authorize" {
            for (name, value) in self.refusal["body"].as_object().unwrap() {
                query.append_pair(name, value.as_str().unwrap());
            }
        } else {
            query.append_pair("code", CODE);
        }
        if let Some(iss) = self.file["authorize"]["iss"].as_str() {
            query.append_pair("iss", iss);
        }
        Box::pin(std::future::ready(Ok(CallbackParams::from_query(&query.finish()))))
    }
}

/// The MCP server takes every token.
#[derive(Debug)]
struct Accepts;

impl LoginProbe for Accepts {
    fn probe(&self, _: ProbeRequest) -> AuthFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// How the client of a token request was authenticated.
fn method(request: &Request<Bytes>) -> &'static str {
    let (header, form) = (request.headers().contains_key("authorization"), form(request));
    match (header, form.contains_key("client_id"), form.contains_key("client_secret")) {
        (true, false, false) => "client_secret_basic",
        (false, true, true) => "client_secret_post",
        (false, true, false) => "none",
        other => panic!("no client authentication is like this: {other:?}"),
    }
}

async fn check(service: &Service) {
    let expect = &service.file["expect"];
    let store = Arc::new(MemoryTokenStore::new());
    let outcome = service.sign_in(&store).await;
    if let Some(words) = expect["error"].as_str() {
        let error = outcome.expect_err("it has to be refused").to_string();
        assert!(error.contains(words), "{error}");
        return;
    }
    let signed_in = outcome.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(signed_in.issuer, expect["issuer"]);
    assert_eq!(signed_in.refreshable, expect["refreshable"] != false);

    let asked = service.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1, "a person is sent there once");
    let scopes: Vec<_> =
        asked[0].get("scope").iter().flat_map(|scope| scope.split(' ')).map(str::to_owned).collect();
    assert_eq!(json!(scopes), expect["asks"]);
    assert_eq!(json!(asked[0].get("resource")), expect["resource"]);
    let posts = service.posts.lock().unwrap().clone();
    assert_eq!(method(posts.last().unwrap()), expect["method"]);
    if !signed_in.refreshable {
        return;
    }

    assert!(matches!(service.renew(&store).await.unwrap(), Recovery::Retry(_)), "a later process renews it");
    let renewed = service.posts.lock().unwrap().clone();
    assert_eq!(renewed.len(), posts.len() + 1, "with one request");
    assert_eq!(method(renewed.last().unwrap()), expect["method"]);
}

/// One of its refusals: told in the words of the service, and in none of ours that are secret.
async fn check_refusal(service: &Service) {
    let refusal = &service.refusal;
    let store = Arc::new(MemoryTokenStore::new());
    let outcome = service.sign_in(&store).await;
    let error = if refusal["at"] == "refresh" {
        outcome.unwrap_or_else(|error| panic!("{error}"));
        service.renew(&store).await.expect_err("a refused refresh is an error")
    } else {
        outcome.expect_err("it has to be refused")
    };
    let said = error.to_string();
    for words in refusal["says"].as_array().unwrap().iter().map(|words| words.as_str().unwrap()) {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    let entry = &service.file["entry"];
    for secret in [CODE, "rt-1", entry["clientSecret"].as_str().unwrap_or(CODE)] {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(said.lines().count() == 1 && said.chars().count() < 600, "{said}");
    if let Some(kind) = refusal["kindIs"].as_str() {
        assert_eq!(format!("{:?}", error.kind()), kind, "{said}");
    }
}

#[tokio::test]
async fn every_service_of_the_gallery_is_signed_in_to_or_refused_in_the_words_that_help() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gallery");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 27, "{files:?}");
    let mut failed = Vec::new();
    for file in files {
        let service = Service::read(&file);
        let sources = service.file["source"].as_array().cloned().unwrap_or_default();
        let is_public = |source: &Value| source.as_str().is_some_and(|source| source.starts_with("https://"));
        if sources.is_empty() || !sources.iter().all(is_public) {
            failed.push(format!("{} has no source", file.display()));
        }
        let refusals = service.file["refusals"].as_array().cloned().unwrap_or_default();
        // Each in a task of its own, so that one failure does not hide the next.
        for (number, refusal) in refusals.iter().enumerate() {
            let refusing = service.refusing(refusal);
            if tokio::spawn(async move { check_refusal(&refusing).await }).await.is_err() {
                failed.push(format!("{}: refusal {number}", file.display()));
            }
        }
        if tokio::spawn(async move { check(&service).await }).await.is_err() {
            failed.push(file.display().to_string());
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
