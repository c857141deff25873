//! Broken set-ups, each with the one part of the way that its examination blames.

use std::time::Duration;

use mcp_config::{Config, Env, Request};
use mcp_connect::{CheckState, CheckTopic, Examination, Host, HostOptions};
use mcp_status::{EntryPart, NextStep, ReasonCode, ServerStatus};
use mcp_testkit::{FakeAuthServer, FakeMcpServer, HttpAnswer, ScriptedAnswer};
use mcp_transport::ClientInfo;
use mcp_transport::exchange::ExchangeOutcome;
use tempfile::TempDir;

const CANARY: &str = "canary-4f1c9a7be2";

/// What is found of the one server whose entry this is.
async fn examined(home: &TempDir, entry: &str) -> Examination {
    let env =
        Env::from([("HOME", home.path().to_path_buf()), ("PATH", std::path::PathBuf::from("/usr/bin:/bin"))]);
    let mut request = Request::new(home.path(), env.clone());
    request.managed_dir = Some(home.path().join("managed"));
    request.mcp_config.push(format!(r#"{{"mcpServers": {{"it": {entry}}}}}"#));
    let config = Config::load(&request);
    let mut options = HostOptions::from_env(&env, home.path(), ClientInfo::new("my-agent", "1.0"));
    options.client.connect_timeout = Duration::from_secs(5);
    let entry = config.entry("it").expect("it is there");
    Host::new(options).examine(entry, &config, None).await
}

/// The part that is blamed, and nothing else is; none where it works. No secret is in any of it.
fn blamed(examination: &Examination) -> Option<(CheckTopic, &str, Option<&NextStep>)> {
    let all = format!("{:?} {:?} {:?}", examination.checks, examination.cause, examination.exchanges);
    assert!(!all.contains(CANARY), "{all}");
    let cause = examination.cause.as_ref()?;
    let check = &examination.checks[cause.check.expect("a check shows it")];
    assert_ne!(check.state, CheckState::Good, "{check:?}");
    Some((check.topic, &cause.message, cause.next.as_ref()))
}

fn remote(server: &FakeMcpServer, rest: &str) -> String {
    format!(r#"{{"type": "http", "url": "{}"{rest}}}"#, server.url())
}

#[tokio::test]
async fn what_works_has_no_cause_and_each_part_of_the_way_says_so() {
    let home = tempfile::tempdir().unwrap();
    let server = FakeMcpServer::builder().accept(CANARY).start().unwrap();
    let rest = format!(r#", "headers": {{"Authorization": "Bearer {CANARY}"}}"#);
    let found = examined(&home, &remote(&server, &rest)).await;
    assert_eq!(blamed(&found), None);
    assert_eq!(found.probe.report.status, ServerStatus::Connected);
    let bad: Vec<_> = found.checks.iter().filter(|check| check.state != CheckState::Good).collect();
    assert!(bad.is_empty(), "{bad:?}");
    let topics: Vec<_> = found.checks.iter().map(|check| check.topic).collect();
    assert!(topics.is_sorted() && topics.contains(&CheckTopic::Tcp), "{topics:?}");
    let asked: Vec<_> = found.exchanges.iter().filter_map(|exchange| exchange.asks.as_deref()).collect();
    assert!(asked.contains(&"tools/list"), "{asked:?}");
    assert!(found.exchanges.iter().all(|exchange| exchange.credentials == ["authorization"]));
}

#[tokio::test]
async fn a_refusal_is_blamed_on_the_answer_and_the_sign_in_is_looked_up() {
    let home = tempfile::tempdir().unwrap();
    let (server, auth) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    auth.protect(&server);
    let found = examined(&home, &remote(&server, "")).await;
    let (topic, _, next) = blamed(&found).expect("it is closed");
    assert_eq!(topic, CheckTopic::Answer);
    assert!(matches!(next, Some(NextStep::SignIn { .. })), "{next:?}");
    let sign_in = found
        .checks
        .iter()
        .find(|check| check.topic == CheckTopic::AuthorizationServer)
        .expect("it is offered");
    assert_eq!(sign_in.state, CheckState::Good, "{sign_in:?}");
    assert!(sign_in.message.contains("which the server names in its metadata"), "{sign_in:?}");
    let refused = found.exchanges.iter().find(|exchange| exchange.asks.is_some()).expect("it was asked");
    assert!(
        matches!(&refused.outcome, ExchangeOutcome::Answered { status: 401, decides, .. } if !decides.is_empty()),
        "{refused:?}"
    );
    // Looking registers no client.
    assert!(auth.registrations().is_empty());
}

#[tokio::test]
async fn a_sign_in_that_cannot_begin_is_the_cause_and_not_the_next_step() {
    let home = tempfile::tempdir().unwrap();
    let server = FakeMcpServer::builder().accept("right").start().unwrap();
    let metadata = "/.well-known/oauth-protected-resource/mcp";
    let document =
        format!(r#"{{"resource": "{}", "authorization_servers": ["http://127.0.0.1:1/"]}}"#, server.url());
    server.route(metadata, HttpAnswer::new(200).body("application/json", document));
    let found = examined(&home, &remote(&server, r#", "oauth": {}"#)).await;
    let (topic, message, next) = blamed(&found).expect("it is closed");
    assert_eq!(topic, CheckTopic::AuthorizationServer, "{message}");
    assert!(message.contains("no sign-in can begin"), "{message}");
    assert_eq!(next, Some(&NextStep::AskOperatorOf { origin: "http://127.0.0.1:1".into() }));
}

#[tokio::test]
async fn fh_h3_status_and_examination_tell_alike_what_stands_in_the_way_of_a_sign_in() {
    let home = tempfile::tempdir().unwrap();
    let server = FakeMcpServer::builder().accept("right").start().unwrap();
    let issuers = FakeMcpServer::start().unwrap();
    let issuer = issuers.url().origin().ascii_serialization();
    let document = format!(r#"{{"resource": "{}", "authorization_servers": ["{issuer}"]}}"#, server.url());
    let at = "/.well-known/oauth-protected-resource/mcp";
    server.route(at, HttpAnswer::new(200).body("application/json", document));
    let json = |text: String| HttpAnswer::new(200).body("application/json", text);
    let pkce = r#""code_challenge_methods_supported": ["S256"]"#;
    let ends = format!(r#""authorization_endpoint": "{issuer}/a", "token_endpoint": "{issuer}/t""#);
    let operator = NextStep::AskOperatorOf { origin: issuer.clone() };
    let change = |part| NextStep::ChangeEntry { part };
    for (answer, words, next) in [
        (HttpAnswer::new(500), "answered 500", operator.clone()),
        (HttpAnswer::new(404), "publishes no metadata", change(EntryPart::AuthorizationServer)),
        (
            HttpAnswer::new(200).body("text/html", "<html>"),
            "publishes no metadata",
            change(EntryPart::AuthorizationServer),
        ),
        (
            json(format!(r#"{{"issuer": "https://other.example", {ends}, {pkce}}}"#)),
            "issuer mismatch",
            change(EntryPart::AuthorizationServer),
        ),
        (json(format!(r#"{{"issuer": "{issuer}", {pkce}}}"#)), "authorization_endpoint", operator),
        (json(format!(r#"{{"issuer": "{issuer}", {ends}}}"#)), "oauth.pkce", change(EntryPart::SignIn)),
        (
            json(format!(r#"{{"issuer": "{issuer}", {ends}, {pkce}}}"#)),
            "oauth.clientId",
            change(EntryPart::Client),
        ),
    ] {
        issuers.route("/.well-known/oauth-authorization-server", answer.clone());
        issuers.route("/.well-known/openid-configuration", answer);
        let found = examined(&home, &remote(&server, "")).await;
        let reason = found.probe.report.reason.as_ref().expect("it is closed");
        assert_eq!(reason.code, ReasonCode::Unauthorized, "{words}");
        assert!(reason.message.contains("no sign-in can begin: "), "{}", reason.message);
        assert!(reason.message.contains(words), "{}", reason.message);
        assert_eq!(reason.next.as_ref(), Some(&next), "{}", reason.message);
        let (_, message, of_examination) = blamed(&found).expect("it is closed");
        assert!(message.contains(words), "{message}");
        assert_eq!(of_examination, Some(&next), "{message}");
    }
}

#[tokio::test]
async fn fh_h14_a_server_that_works_and_prints_what_is_no_message_is_noted() {
    let home = tempfile::tempdir().unwrap();
    let answers = r#"echo 'Server ready'; while read -r line; do
        case "$line" in
        *'"initialize"'*) id=$(printf %s "$line" | sed 's/.*"id":\([^,}]*\).*/\1/')
            printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}\n' "$id" ;;
        *'"id"'*) id=$(printf %s "$line" | sed 's/.*"id":\([^,}]*\).*/\1/')
            printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
        esac; done"#;
    let entry = serde_json::json!({ "command": "sh", "args": ["-c", answers] }).to_string();
    let found = examined(&home, &entry).await;
    assert_eq!(found.probe.report.status, ServerStatus::Connected, "{:?}", found.probe.report);
    let process = found.checks.iter().find(|check| check.topic == CheckTopic::Process).unwrap();
    assert_eq!(process.state, CheckState::Noted, "{process:?}");
    assert!(process.more.iter().any(|line| line.contains("`Server ready`")), "{process:?}");
}

#[tokio::test]
async fn each_broken_set_up_has_the_one_cause() {
    let home = tempfile::tempdir().unwrap();
    let server = FakeMcpServer::builder().accept("right").start().unwrap();
    let failing = FakeMcpServer::builder().always(ScriptedAnswer::status(404)).start().unwrap();
    let page = HttpAnswer::new(200).body("text/html", "<html><title>Hello</title>");
    let no_mcp = FakeMcpServer::builder().always(page.into()).start().unwrap();
    let listless =
        FakeMcpServer::builder().always_to("tools/list", ScriptedAnswer::status(500)).start().unwrap();
    let helper = |command: &str| {
        let command = serde_json::to_string(command).unwrap();
        remote(&server, &format!(r#", "headersHelper": {command}"#))
    };
    let closed_port = r#"{"type": "http", "url": "http://127.0.0.1:1/mcp"}"#.to_owned();
    let no_host = r#"{"type": "http", "url": "http://no-such-host.invalid/mcp"}"#.to_owned();
    let no_tls = remote(&server, "").replacen("http://", "https://", 1);
    let cases = [
        (helper("echo no >&2; exit 3"), CheckTopic::HelperRun, ReasonCode::HelperFailed),
        (helper("echo '{\"Authorization\": \"Bearer \"}'"), CheckTopic::HelperRun, ReasonCode::HelperFailed),
        (
            helper(&format!("echo '{{\"Authorization\": \"Bearer {CANARY}\"}}'")),
            CheckTopic::Answer,
            ReasonCode::CredentialsRejected,
        ),
        (
            remote(&server, &format!(r#", "headers": {{"Authorization": "Bearer {CANARY}"}}"#)),
            CheckTopic::Answer,
            ReasonCode::CredentialsRejected,
        ),
        (remote(&failing, ""), CheckTopic::Answer, ReasonCode::NotFound),
        (remote(&no_mcp, ""), CheckTopic::Handshake, ReasonCode::Protocol),
        (remote(&listless, ""), CheckTopic::Tools, ReasonCode::ToolsUnavailable),
        (closed_port, CheckTopic::Tcp, ReasonCode::Unreachable),
        (no_host, CheckTopic::Dns, ReasonCode::Unreachable),
        (no_tls, CheckTopic::Tls, ReasonCode::Tls),
        (r#"{"command": "no-such-command"}"#.to_owned(), CheckTopic::Process, ReasonCode::Spawn),
        (
            r#"{"command": "sh", "args": ["-c", "exit 3"]}"#.to_owned(),
            CheckTopic::Process,
            ReasonCode::Exited,
        ),
        (r#"{"type": "http", "url": ""}"#.to_owned(), CheckTopic::Configuration, ReasonCode::NotConfigured),
        (r#"{"type": "ws", "url": "ws://h/"}"#.to_owned(), CheckTopic::Configuration, ReasonCode::Config),
    ];
    for (entry, topic, code) in cases {
        let found = examined(&home, &entry).await;
        let reason = found.probe.report.reason.as_ref().unwrap_or_else(|| panic!("{entry} works"));
        assert_eq!(reason.code, code, "{entry}: {}", reason.message);
        let (blamed, message, _) = blamed(&found).expect("there is a cause");
        assert_eq!(blamed, topic, "{entry}: {message}: {:?}", found.checks);
        // What lies behind it was not reached, or is bad itself.
        let good = |check: &&mcp_connect::Check| check.topic > topic && check.state == CheckState::Good;
        let reached = found.checks.iter().filter(good).filter(|check| {
            !matches!(
                check.topic,
                CheckTopic::Trust | CheckTopic::Clock | CheckTopic::Proxy | CheckTopic::Dns | CheckTopic::Tcp
            )
        });
        assert_eq!(reached.count(), 0, "{entry}: {:?}", found.checks);
    }
}
