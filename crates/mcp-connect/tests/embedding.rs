//! A program of its own name on top of this crate: what people configured, connected, signed in to, and followed.

use std::sync::Arc;
use std::time::Duration;

use mcp_auth::AuthFuture;
use mcp_auth::oauth::{AuthorizationPrompt, DevicePrompt, LoopbackAuthorizer, SignInPrompt};
use mcp_config::{Config, Env, Request};
use mcp_connect::{Host, HostOptions, LoginError, LoginRefusal};
use mcp_status::{Action, Reason, ReasonCode, ServerInfo, ServerStatus, SignInState};
use mcp_testkit::{FakeAuthServer, FakeMcpServer, visit};
use mcp_transport::ClientInfo;
use mcp_transport::fleet::{Fleet, FleetConfig};
use tempfile::TempDir;

#[path = "../examples/agent.rs"]
#[expect(dead_code, reason = "a test has no command line")]
mod agent;

#[path = "../examples/own_provider.rs"]
#[expect(dead_code, reason = "a test has no command line")]
mod own_provider;

/// A home in which these servers are configured, and nothing else is.
fn request(home: &TempDir, servers: &str) -> (Env, Request) {
    let env = Env::from([("HOME", home.path())]);
    let mut request = Request::new(home.path(), env.clone());
    request.managed_dir = Some(home.path().join("managed"));
    request.mcp_config.push(format!(r#"{{"mcpServers": {{{servers}}}}}"#));
    (env, request)
}

fn host(env: &Env, request: &Request) -> Host {
    Host::new(HostOptions::from_env(env, &request.cwd, ClientInfo::new("my-agent", "1.0")))
}

fn remote(name: &str, server: &FakeMcpServer, rest: &str) -> String {
    format!(r#""{name}": {{"type": "http", "url": "{}"{rest}}}"#, server.url())
}

#[tokio::test]
async fn the_example_calls_what_it_may_and_says_what_a_person_can_do_about_the_rest() {
    let home = tempfile::tempdir().unwrap();
    let open = FakeMcpServer::builder().start().unwrap();
    let closed = FakeMcpServer::builder().accept("right").start().unwrap();
    let headers = r#", "headers": {"Authorization": "Bearer canary-wrong-token"}"#;
    let servers = [
        remote("open", &open, ""),
        remote("closed", &closed, headers),
        r#""empty": {"type": "http", "url": ""}"#.to_owned(),
    ];
    let (env, request) = request(&home, &servers.join(","));
    let mut out = Vec::new();
    agent::run(&env, &request, "echo", r#"{"text": "hello"}"#, &mut out).await.unwrap();
    let said = String::from_utf8(out).unwrap();
    assert!(said.contains("open: connected\n  echo: ") && said.contains("hello"), "{said}");
    let refused = "closed: needs-auth: the server refused the headers that are set for it (401)";
    assert!(said.contains(&format!("{refused} [reconnect, disable]")), "{said}");
    // What no file holds cannot be edited.
    assert!(said.contains("empty: disabled: ") && !said.contains("edit-config"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    let agents = open.requests().iter().all(|request| request.header("user-agent") == Some("my-agent/1.0"));
    assert!(agents, "every request has the name of the program");
}

#[tokio::test]
async fn a_provider_of_the_programs_own_answers_for_entries_that_name_it() {
    let home = tempfile::tempdir().unwrap();
    let server = FakeMcpServer::builder().accept("of-a").start().unwrap();
    let auth = |name: &str, settings: &str| remote(name, &server, &format!(r#", "auth": {settings}"#));
    let servers = [
        auth("good", r#"{"type": "acme", "tenant": "a"}"#),
        auth("refused", r#"{"type": "acme", "tenant": "canary-b"}"#),
        auth("locked", r#"{"type": "acme", "tenant": "locked"}"#),
        auth("wrong", "\n{\"type\": \"acme\",\n\"tenant\": 7}"),
        auth("unknown", r#"{"type": "other"}"#),
        auth("untyped", r#"{"tenant": "a"}"#),
    ];
    let (_, request) = request(&home, &servers.join(","));
    let mut out = Vec::new();
    own_provider::run(request, &mut out).await.unwrap();
    let said = String::from_utf8(out).unwrap();
    for expected in [
        "good (acme-sso): connected\n",
        // The provider has its own name, whatever the type is called, and comes before a sign-in.
        "refused (acme-sso): needs-auth\n  the server refused the credentials of acme-sso (401); asked for others, their source supplied the very same; next: ",
        "locked (acme-sso): needs-auth\n  failed to mint a token: the session has ended; next: run `acme login`\n",
        // With file, line and field.
        "wrong (): failed\n  --mcp-config, line 3: mcpServers.wrong.auth: expected a string; next: change what the reason names of the entry\n",
        "unknown (): failed\n  --mcp-config, line 3: mcpServers.unknown.auth: this program has no provider \"other\"; it has acme; ",
        "untyped (): failed\n  --mcp-config, line 3: mcpServers.untyped.auth: missing field `type`; ",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert!(!said.contains("canary"), "{said}");
    let requests = server.requests();
    let is_own = |value: Option<&str>| value.is_some_and(|value| value.starts_with("Bearer of-"));
    assert!(
        requests.iter().all(|request| is_own(request.header("authorization"))),
        "nothing goes out without"
    );
}

#[tokio::test]
async fn a_changed_secret_replaces_its_server_and_no_other() {
    let home = tempfile::tempdir().unwrap();
    let server = FakeMcpServer::builder().start().unwrap();
    let servers = |secret: &str| {
        let headers = format!(r#", "headers": {{"X-Key": "{secret}"}}"#);
        [remote("keyed", &server, &headers), remote("plain", &server, "")].join(",")
    };
    let (env, first) = request(&home, &servers("one"));
    let (_, second) = request(&home, &servers("two"));
    let host = host(&env, &first);
    let fleet = Fleet::new(host.connector().clone(), FleetConfig::default());
    let apply = async |request: &Request| fleet.apply(host.entries(&Config::load(request)).await).await;
    assert_eq!(apply(&first).await.added.len(), 2);
    assert!(apply(&first).await.replaced.is_empty(), "what is the same stays connected");
    assert_eq!(apply(&second).await.replaced, ["keyed".into()]);
    let keyed = fleet.handle("keyed").unwrap();
    assert_eq!(keyed.decided().await.status, ServerStatus::Connected);
    let shown = format!("{:?} {:?}", host.entries(&Config::load(&second)).await, host.known_as("keyed"));
    assert!(shown.contains("keyed") && !shown.contains("two"), "{shown}");
    fleet.close().await;
}

/// A person with a browser.
#[derive(Debug)]
struct Person;

impl SignInPrompt for Person {
    fn authorization<'a>(&'a self, prompt: AuthorizationPrompt<'a>) -> AuthFuture<'a, ()> {
        let url = prompt.url.clone();
        drop(tokio::task::spawn_blocking(move || visit(&url)));
        Box::pin(std::future::ready(Ok(())))
    }

    fn device<'a>(&'a self, _: DevicePrompt<'a>) -> AuthFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

#[tokio::test]
async fn a_person_signs_in_under_the_programs_name_and_the_fleet_hears_of_it() {
    let home = tempfile::tempdir().unwrap();
    let (auth, server) = (FakeAuthServer::start().unwrap(), FakeMcpServer::builder().start().unwrap());
    auth.protect(&server);
    let (env, request) = request(&home, &remote("web", &server, ""));
    let (host, config) = (host(&env, &request), Config::load(&request));
    let fleet = Fleet::new(host.connector().clone(), FleetConfig::default());
    fleet.apply(host.entries(&config).await).await;
    let web = fleet.handle("web").unwrap();
    let report = host.report(&web.decided().await).unwrap();
    assert_eq!((report.status, report.actions[0]), (ServerStatus::NeedsAuth, Action::Authenticate));

    let configured = host.known_as("web").unwrap();
    let login = host.login(&configured, &[]).await.unwrap();
    let browser = LoopbackAuthorizer::new(Arc::new(Person)).with_timeout(Duration::from_secs(20));
    let signed_in = login.complete(&browser).await.unwrap();
    assert_eq!(signed_in.issuer, auth.issuer());
    assert_eq!(auth.registrations()[0]["client_name"], "my-agent");
    let asked = auth.token_requests("authorization_code");
    assert_eq!(asked.iter().map(|r| r.header("user-agent")).collect::<Vec<_>>(), [Some("my-agent/1.0")]);
    assert_eq!(web.reconnect().await.status, ServerStatus::Connected);
    assert_eq!(host.facts(&web.snapshot()).map(|facts| facts.sign_in), Some(SignInState::SignedIn));
    fleet.close().await;
}

#[tokio::test]
async fn no_report_repeats_what_the_configuration_holds() {
    let home = tempfile::tempdir().unwrap();
    let header =
        r#""remote": {"type": "http", "url": "https://a.example", "headers": {"X-Key": "canary-of-header"}}"#;
    let local = r#""local": {"command": "serve", "env": {"API_TOKEN": "canary-of-variable"}}"#;
    let (env, request) = request(&home, &[header, local].join(","));
    let (host, config) = (host(&env, &request), Config::load(&request));
    for (name, secret) in [("remote", "canary-of-header"), ("local", "canary-of-variable")] {
        let server = host.configured(config.entry(name).unwrap(), &config).await;
        let mut report = server.offline_report();
        report.reason = Some(Reason::config(&format!("the server says {secret}")));
        report.server = Some(ServerInfo::new(secret, format!("1 {secret}")));
        let shown = server.without_secrets(report);
        assert!(!format!("{shown:?}").contains("canary"), "{shown:?}");
        assert!(!format!("{server:?}").contains("canary"), "{server:?}");
    }
}

#[tokio::test]
async fn there_is_nothing_to_sign_in_to_at_a_command_or_at_what_is_switched_off() {
    let home = tempfile::tempdir().unwrap();
    let servers = [
        r#""local": {"command": "serve"}"#,
        r#""fixed": {"type": "http", "url": "https://a.example", "headers": {"Authorization": "Bearer x"}}"#,
        r#""empty": {"type": "http", "url": ""}"#,
    ];
    let (env, request) = request(&home, &servers.join(","));
    let (host, config) = (host(&env, &request), Config::load(&request));
    let refusal = async |name: &str| {
        let server = host.configured(config.entry(name).unwrap(), &config).await;
        match host.login(&server, &[]).await {
            Err(LoginError::Refused(refusal)) => refusal,
            other => panic!("{name}: {other:?}"),
        }
    };
    assert_eq!(refusal("local").await, LoginRefusal::Local);
    assert!(matches!(refusal("fixed").await, LoginRefusal::NoOAuth(_)));
    let LoginRefusal::Withheld(reason) = refusal("empty").await else { panic!("it has no URL") };
    assert_eq!(reason.code, ReasonCode::NotConfigured);
}
