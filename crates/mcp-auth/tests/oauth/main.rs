//! Whole sign-ins over real sockets: a fake authorization server that enforces its rules, a fake MCP server that takes
//! its tokens, the loopback listener, a browser that follows redirects, and the file store.

#![cfg(feature = "oauth")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod exchange;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use mcp_auth::oauth::store::{FileTokenStore, TokenStore};
use mcp_auth::oauth::{
    AuthorizationPrompt, DevicePrompt, Grant, LoginProbe, LoopbackAuthorizer, OAuthLogin, OAuthProvider,
    OAuthSettings, PendingLogin, ProbeRequest, Revocation, SignInPrompt, SignedIn,
};
use mcp_auth::settings::OAuthSpec;
use mcp_auth::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, Challenge, Credentials, HttpExchange, Recovery,
    Rejection, Secret, Target,
};
use mcp_testkit::{
    AuthEndpoint, AuthServerSettings, Canaries, Echo, FakeAuthServer, FakeMcpServer, MetadataAt,
    ScriptedAnswer, visit,
};
use tempfile::TempDir;

use crate::exchange::Loopback;

/// What a client that is refused does: asks its provider, and sends once more.
async fn call(
    http: &dyn HttpExchange,
    server: &FakeMcpServer,
    provider: &dyn AuthProvider,
) -> Result<StatusCode, AuthError> {
    let mut used = provider.credentials().await?;
    for recoveries in 0..2 {
        let response = http.exchange(initialize(server, &used)).await?;
        if !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Ok(response.status());
        }
        let challenges = Challenge::parse_all(response.headers());
        let rejection =
            Rejection::new(response.status(), &challenges, response.headers(), &used).after(recoveries);
        match provider.on_rejected(rejection).await? {
            Recovery::Retry(fresh) => used = fresh,
            _ => return Ok(response.status()),
        }
    }
    Ok(http.exchange(initialize(server, &used)).await?.status())
}

fn initialize(server: &FakeMcpServer, credentials: &Credentials) -> Request<Bytes> {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(server.url().as_str())
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(Bytes::from(body))
        .unwrap();
    credentials.apply(request.headers_mut());
    request
}

/// A new sign-in is good if the server takes a request with it.
#[derive(Debug)]
struct Calls<'a>(&'a Machine);

impl LoginProbe for Calls<'_> {
    fn probe(&self, ProbeRequest { provider, .. }: ProbeRequest) -> AuthFuture<'_, ()> {
        Box::pin(async move {
            match call(&*self.0.http, &self.0.server, &*provider).await? {
                StatusCode::OK => Ok(()),
                status => {
                    Err(AuthError::new(AuthErrorKind::Protocol, format!("use the new tokens: {status}")))
                }
            }
        })
    }
}

/// A person with a browser, who approves device codes as well.
#[derive(Debug)]
struct Person {
    auth: Arc<FakeAuthServer>,
    pages: Mutex<Vec<tokio::task::JoinHandle<String>>>,
}

impl Person {
    /// What the browser shows in the end; empty if it was never opened.
    async fn last_page(&self) -> String {
        let page = self.pages.lock().unwrap().pop();
        match page {
            Some(page) => page.await.unwrap(),
            None => String::new(),
        }
    }
}

impl SignInPrompt for Person {
    fn authorization<'a>(&'a self, prompt: AuthorizationPrompt<'a>) -> AuthFuture<'a, ()> {
        let url = prompt.url.clone();
        let page = tokio::task::spawn_blocking(move || visit(&url).unwrap().pop().unwrap().body);
        self.pages.lock().unwrap().push(page);
        Box::pin(std::future::ready(Ok(())))
    }

    fn device<'a>(&'a self, prompt: DevicePrompt<'a>) -> AuthFuture<'a, ()> {
        assert!(self.auth.approve_device(prompt.user_code));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A browser on this machine, for a person who does not take all day.
fn browser(person: &Arc<Person>) -> LoopbackAuthorizer {
    LoopbackAuthorizer::new(person.clone()).with_timeout(Duration::from_secs(20))
}

/// One machine: a server, its authorization server, and a home directory with a token store.
#[derive(Debug)]
struct Machine {
    auth: Arc<FakeAuthServer>,
    server: FakeMcpServer,
    http: Arc<dyn HttpExchange>,
    home: TempDir,
    settings: OAuthSettings,
}

impl Machine {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut AuthServerSettings)) -> Self {
        let auth = Arc::new(FakeAuthServer::start_with(change).unwrap());
        let server = FakeMcpServer::start().unwrap();
        auth.protect(&server);
        let http = Arc::new(Loopback::new());
        let settings = OAuthSettings::new(OAuthSpec::default());
        Self { auth, server, http, home: tempfile::tempdir().unwrap(), settings }
    }

    fn store(&self) -> Arc<dyn TokenStore> {
        Arc::new(FileTokenStore::new(self.home.path().join("tokens")))
    }

    fn target(&self) -> Target {
        Target::new("srv", self.server.url())
    }

    /// What a new process has: nothing but the files.
    fn provider(&self) -> OAuthProvider {
        OAuthProvider::new(self.target(), self.settings.clone(), self.http.clone(), self.store())
    }

    fn login(&self) -> OAuthLogin {
        OAuthLogin::new(self.target(), self.settings.clone(), self.http.clone(), self.store())
    }

    async fn begin(&self) -> Result<PendingLogin, AuthError> {
        let provider = self.provider();
        assert_eq!(call(&*self.http, &self.server, &provider).await?, StatusCode::UNAUTHORIZED);
        self.login().begin(&provider.challenges()).await
    }

    /// Signs in, and returns the page that the person sees at the end.
    async fn sign_in(&self) -> (Result<SignedIn, AuthError>, String) {
        let pending = match self.begin().await {
            Ok(pending) => pending,
            Err(error) => return (Err(error), String::new()),
        };
        let person = Arc::new(Person { auth: self.auth.clone(), pages: Mutex::default() });
        let outcome = pending.complete(&browser(&person), &Calls(self)).await;
        (outcome, person.last_page().await)
    }
}

/// Everything that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn files_below(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_whole_life_of_a_sign_in_shows_no_secret_anywhere() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let machine = Machine::new();
    let canaries = Canaries::new();
    machine.auth.note_secrets_in(&canaries);

    let (signed_in, page) = machine.sign_in().await;
    let signed_in = signed_in.unwrap();
    assert!(signed_in.refreshable && page.contains("Signed in"), "{page}");
    let provider = machine.provider();
    assert_eq!(call(&*machine.http, &machine.server, &provider).await.unwrap(), StatusCode::OK);

    // The access token ends early: no caller notices.
    machine.auth.tokens().revoke_all();
    assert_eq!(call(&*machine.http, &machine.server, &provider).await.unwrap(), StatusCode::OK);
    assert_eq!(machine.auth.token_requests("refresh_token").len(), 1);
    // Another process goes on from the rotated refresh token.
    machine.auth.tokens().revoke_all();
    let next = machine.provider();
    assert_eq!(call(&*machine.http, &machine.server, &next).await.unwrap(), StatusCode::OK);
    assert_eq!(machine.auth.refresh_reuses(), 0);

    let done = machine.login().logout().await.unwrap();
    assert!(matches!(done.revocations[..], [(_, Revocation::Revoked)]), "{done:?}");
    assert_eq!(machine.auth.live_refresh_tokens(), 0);
    assert_eq!(
        call(&*machine.http, &machine.server, &machine.provider()).await.unwrap(),
        StatusCode::UNAUTHORIZED
    );

    let (again, last_page) = machine.sign_in().await;
    let again = again.unwrap();
    assert_eq!(machine.auth.registrations().len(), 1, "the registration is used again");
    machine.auth.forget_refresh_tokens();
    machine.auth.tokens().revoke_all();
    let error = call(&*machine.http, &machine.server, &machine.provider()).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::SignInExpired);

    let shown =
        format!("{signed_in:?} {again:?} {done:?} {error} {error:?} {provider:?} {:?}", machine.login());
    canaries.assert_absent("what was shown", shown.as_bytes());
    canaries.assert_absent("the pages", format!("{page}{last_page}").as_bytes());
    canaries.assert_absent("the log", &log.0.lock().unwrap());
    for file in files_below(machine.home.path()) {
        // Signed out by the server: no token is left on disk, in whatever file.
        canaries.assert_absent(&file.display().to_string(), &std::fs::read(&file).unwrap());
    }
}

#[tokio::test]
async fn f077_the_page_says_so_when_the_exchange_fails() {
    let machine = Machine::new();
    machine.auth.next_answers_to(AuthEndpoint::Token, [ScriptedAnswer::status(500)]);
    let (outcome, page) = machine.sign_in().await;
    let error = outcome.unwrap_err();
    assert!(error.to_string().starts_with("exchange the authorization code: http://127.0.0.1:"), "{error}");
    assert!(page.contains("did <b>not</b> succeed") && page.contains("answered 500"), "{page}");
}

#[tokio::test]
async fn f077_the_page_says_so_when_the_server_does_not_take_the_token() {
    let machine = Machine::new();
    let pending = machine.begin().await.unwrap();
    machine.server.refuse_with(mcp_testkit::Refusal::forbidden());
    machine.server.accept(mcp_testkit::Accept::bearer("unknown"));
    let person = Arc::new(Person { auth: machine.auth.clone(), pages: Mutex::default() });
    let outcome = pending.complete(&browser(&person), &Calls(&machine)).await;
    assert!(outcome.unwrap_err().to_string().contains("403"));
    let page = person.last_page().await;
    assert!(page.contains("did <b>not</b> succeed"), "{page}");
    assert!(machine.store().find(&Target::new("srv", machine.server.url())).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f086_processes_that_are_refused_together_spend_the_refresh_token_once() {
    let machine = Machine::new();
    machine.sign_in().await.0.unwrap();
    machine.auth.tokens().revoke_all();
    let machine = Arc::new(machine);
    let processes: Vec<_> = (0..16)
        .map(|_| {
            let machine = Arc::clone(&machine);
            tokio::spawn(async move { call(&*machine.http, &machine.server, &machine.provider()).await })
        })
        .collect();
    for process in processes {
        assert_eq!(process.await.unwrap().unwrap(), StatusCode::OK);
    }
    assert_eq!(machine.auth.token_requests("refresh_token").len(), 1);
    assert_eq!(machine.auth.refresh_reuses(), 0);
}

#[tokio::test]
async fn f088_fb_a08_an_authorization_server_that_is_down_costs_no_sign_in() {
    let machine = Machine::new();
    machine.sign_in().await.0.unwrap();
    machine.auth.tokens().revoke_all();
    machine.auth.go_down();
    let error = call(&*machine.http, &machine.server, &machine.provider()).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Unavailable);
    machine.auth.come_up().unwrap();
    assert_eq!(call(&*machine.http, &machine.server, &machine.provider()).await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn servers_of_every_kind_can_be_signed_in_to() {
    type Change = fn(&mut AuthServerSettings);
    let kinds: [(&str, Change); 8] = [
        ("OpenID Connect", |s| s.metadata_at = MetadataAt::OidcInserted),
        ("a tenant", |s| s.issuer_path = "/tenant1".into()),
        ("a tenant, appended", |s| {
            s.issuer_path = "/tenant1".into();
            s.metadata_at = MetadataAt::OidcAppended;
        }),
        ("no iss", |s| {
            s.advertise_iss = false;
            s.iss = Echo::Missing;
        }),
        ("basic only", |s| s.auth_methods = vec!["client_secret_basic".into()]),
        ("post only", |s| s.auth_methods = vec!["client_secret_post".into()]),
        ("resource required", |s| s.resource_required = true),
        ("no lifetime, no refresh", |s| {
            s.omit_expires_in = true;
            s.refresh_tokens = false;
        }),
    ];
    for (kind, change) in kinds {
        let machine = Machine::with(change);
        let (outcome, _) = machine.sign_in().await;
        outcome.unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(
            call(&*machine.http, &machine.server, &machine.provider()).await.unwrap(),
            StatusCode::OK,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn servers_that_break_the_rules_get_no_code_and_no_token_request() {
    type Change = fn(&mut AuthServerSettings);
    let rules: [(&str, Change); 9] = [
        ("issuer mismatch", |s| s.metadata_issuer = Some("https://honest.example".into())),
        ("neither https nor http", |s| s.authorization_endpoint = Some("file:///etc/passwd".into())),
        ("never ", |s| s.authorization_endpoint = Some("https://as.example/a?x=$(id)".into())),
        ("PKCE", |s| s.advertise_pkce = false),
        ("issuer missing", |s| s.iss = Echo::Missing),
        ("issuer mismatch", |s| s.iss = Echo::Wrong("https://evil.example".into())),
        ("issuer mismatch", |s| {
            s.advertise_iss = false;
            s.iss = Echo::Wrong("https://evil.example".into());
        }),
        ("sent the browser back with the error access_denied", |s| {
            s.authorize_error = Some("access_denied".into())
        }),
        ("plain http", |s| s.token_endpoint = Some("http://as.example/token".into())),
    ];
    for (words, change) in rules {
        let machine = Machine::with(change);
        let (outcome, _) = machine.sign_in().await;
        let error = outcome.err().unwrap_or_else(|| panic!("{words}: signed in"));
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert!(machine.auth.requests_to(AuthEndpoint::Token).is_empty(), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fb_o49_an_answer_with_a_foreign_state_does_not_end_the_wait() {
    let machine = Machine::with(|s| s.state = Echo::Wrong("forged".into()));
    let pending = machine.begin().await.unwrap();
    let person = Arc::new(Person { auth: machine.auth.clone(), pages: Mutex::default() });
    let authorizer = LoopbackAuthorizer::new(person.clone()).with_timeout(Duration::from_millis(500));
    let error = pending.complete(&authorizer, &Calls(&machine)).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Cancelled);
    let page = person.last_page().await;
    assert!(page.contains("Not expected"), "{page}");
    assert!(machine.auth.requests_to(AuthEndpoint::Token).is_empty());
}

#[tokio::test]
async fn f093_errors_with_status_200_are_errors() {
    let machine = Machine::with(|s| s.error_status = 200);
    machine.sign_in().await.0.unwrap();
    machine.auth.tokens().revoke_all();
    machine.auth.forget_refresh_tokens();
    let error = call(&*machine.http, &machine.server, &machine.provider()).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::SignInExpired);
    assert!(
        error.to_string().ends_with("answered 200 invalid_grant")
            || error.to_string().contains("200 invalid_grant ("),
        "{error}"
    );
}

#[tokio::test]
async fn f075_a_forgotten_registration_heals_by_itself() {
    let machine = Machine::new();
    machine.sign_in().await.0.unwrap();
    machine.auth.tokens().revoke_all();
    machine.auth.forget_clients();
    // The refresh finds out, so that the next sign-in does not end on the server's error page.
    let error = call(&*machine.http, &machine.server, &machine.provider()).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::SignInExpired);
    machine.login().logout().await.unwrap();
    machine.sign_in().await.0.unwrap();
    assert_eq!(machine.auth.registrations().len(), 2);
}

#[tokio::test]
async fn a_device_code_signs_in_without_a_browser_here() {
    let machine = Machine::new();
    let pending = machine.begin().await.unwrap();
    assert!(pending.offers_device_code());
    let person = Person { auth: machine.auth.clone(), pages: Mutex::default() };
    pending.complete_with_device(&person, &Calls(&machine)).await.unwrap();
    assert_eq!(call(&*machine.http, &machine.server, &machine.provider()).await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn machines_get_tokens_by_themselves() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let mut machine = Machine::with(|s| s.auth_methods = vec![method.into()]);
        machine.auth.add_secret_client("robot:1", "s3 cret+/%", method);
        machine.settings.spec.client_id = Some("robot:1".into());
        machine.settings.spec.client_secret = Some(Secret::new("s3 cret+/%"));
        machine.settings.grant = Grant::ClientCredentials;
        machine.settings.client_issuer = Some(machine.auth.issuer());
        let provider = machine.provider();
        assert_eq!(
            call(&*machine.http, &machine.server, &provider).await.unwrap(),
            StatusCode::OK,
            "{method}"
        );
        machine.auth.tokens().revoke_all();
        assert_eq!(
            call(&*machine.http, &machine.server, &provider).await.unwrap(),
            StatusCode::OK,
            "{method}"
        );
        assert_eq!(machine.auth.token_requests("client_credentials").len(), 2);
    }
    let mut machine = Machine::with(|s| s.accepted_assertions = ["workload-jwt".to_owned()].into());
    machine.auth.add_public_client("robot", &[]);
    machine.settings.spec.client_id = Some("robot".into());
    machine.settings.client_issuer = Some(machine.auth.issuer());
    machine.settings.grant = Grant::JwtBearer(Arc::new(Secret::new("workload-jwt")));
    assert_eq!(call(&*machine.http, &machine.server, &machine.provider()).await.unwrap(), StatusCode::OK);
}
