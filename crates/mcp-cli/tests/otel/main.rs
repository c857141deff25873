//! Traces and metrics of the program, end to end: what leaves for a collector, and what goes with the requests.

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failed test; clippy only knows functions marked as such"
)]

mod collector;

use std::net::TcpListener;
use std::time::Duration;

use mcp_harness::{Mcplink, Running};
use mcp_testkit::{
    Accept, FakeAuthServer, FakeBrowser, FakeEra, FakeHelper, FakeMcpServer, FakeTool, Refusal, TempHome,
};
use serde_json::{Value, json};

use crate::collector::{Collector, Point, Span};

const HOST_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const HOST_SPAN: &str = "00f067aa0ba902b7";
/// The buckets of the conventions for MCP, in seconds.
const BUCKETS: [f64; 14] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// A home with one server, and a collector.
struct Setting {
    home: TempHome,
    collector: Collector,
}

impl Setting {
    fn new(entry: &Value) -> Self {
        let home = TempHome::new().unwrap();
        home.write(".claude.json", json!({ "mcpServers": { "remote": entry } }).to_string()).unwrap();
        Self { home, collector: Collector::start() }
    }

    fn of(server: &FakeMcpServer) -> Self {
        Self::new(&json!({ "type": "http", "url": server.url().as_str() }))
    }

    /// A command that is told nothing of the collector.
    fn unaware(&self, args: &[&str]) -> Mcplink<'_> {
        Mcplink::new(env!("CARGO_BIN_EXE_mcplink"), &self.home).args(args.iter().copied())
    }

    fn mcplink(&self, args: &[&str]) -> Mcplink<'_> {
        self.unaware(args).env("OTEL_EXPORTER_OTLP_ENDPOINT", self.collector.endpoint())
    }
}

fn traceparent() -> String {
    format!("00-{HOST_TRACE}-{HOST_SPAN}-01")
}

/// `_meta` of the requests with this method, oldest first.
fn metadata(server: &FakeMcpServer, method: &str) -> Vec<Value> {
    let requests = server.recorder().matching(|request| request.rpc_method().as_deref() == Some(method));
    requests.iter().map(|request| request.json().unwrap()["params"]["_meta"].clone()).collect()
}

fn context_of(span: &Span) -> String {
    format!("00-{}-{}-01", span.trace, span.id)
}

#[track_caller]
fn assert_attributes(span: &Span, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(span.attributes.get(*name).map(String::as_str), Some(*value), "{name} of {span:#?}");
    }
}

#[test]
fn a_call_is_one_trace_from_the_caller_to_the_server() {
    for (era, version) in [(FakeEra::Modern, "2026-07-28"), (FakeEra::Legacy, "2025-11-25")] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let setting = Setting::of(&server);
        setting
            .mcplink(&["call", "remote", "echo", "text=hello"])
            .env("TRACEPARENT", traceparent())
            .env("TRACESTATE", "vendor=1")
            .env("OTEL_SERVICE_NAME", "a-test")
            .run()
            .expect_code(0);

        let command = setting.collector.span("mcplink call");
        assert_eq!((&*command.trace, &*command.parent, &*command.state), (HOST_TRACE, HOST_SPAN, "vendor=1"));
        assert_attributes(&command, &[("process.exit.code", "#0")]);
        let connect = setting.collector.span("connect");
        let call = setting.collector.span("tools/call echo");
        for span in [&connect, &call] {
            assert_eq!((&span.trace, &span.parent), (&command.trace, &command.id), "{span:?}");
            assert!(!span.failed && span.ends_after_it_began, "{span:?}");
            let port = format!("#{}", server.address().port());
            assert_attributes(
                span,
                &[
                    ("mcp.protocol.version", version),
                    ("network.transport", "tcp"),
                    ("network.protocol.name", "http"),
                    ("server.address", "127.0.0.1"),
                    ("server.port", &port),
                ],
            );
        }
        assert_attributes(
            &call,
            &[
                ("mcp.method.name", "tools/call"),
                ("gen_ai.tool.name", "echo"),
                ("gen_ai.operation.name", "execute_tool"),
            ],
        );
        let request = &server.recorder().matching(|r| r.rpc_method().as_deref() == Some("tools/call"))[0];
        assert_attributes(&call, &[("jsonrpc.request.id", &request.json().unwrap()["id"].to_string())]);
        let sent = &metadata(&server, "tools/call")[0];
        assert_eq!(
            (&sent["traceparent"], &sent["tracestate"]),
            (&json!(context_of(&call)), &json!("vendor=1"))
        );
        let resource = setting.collector.resource();
        assert_eq!(resource["service.name"], "a-test");
        assert_eq!(resource["telemetry.sdk.language"], "rust");
        assert_eq!(server.violations(), Vec::<String>::new());
    }
}

#[test]
fn what_is_measured_has_the_names_and_buckets_of_the_conventions() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of(&server);
    setting.mcplink(&["call", "remote", "echo", "text=hello"]).run().expect_code(0);
    let operations = setting.collector.metric("mcp.client.operation.duration");
    let call = operations.iter().find(|point| point.attributes["mcp.method.name"] == "tools/call").unwrap();
    assert_eq!((call.count, &*call.bounds), (1, &BUCKETS[..]));
    assert_eq!(call.attributes["gen_ai.tool.name"], "echo");
    let ids = operations.iter().filter(|point| point.attributes.contains_key("jsonrpc.request.id"));
    assert_eq!(ids.count(), 0, "each request would be a series of its own");
    let sessions = setting.collector.metric("mcp.client.session.duration");
    assert_eq!(sessions.iter().map(|point| point.count).collect::<Vec<_>>(), [1]);
    assert_eq!(sessions[0].bounds, BUCKETS);
}

#[test]
fn failures_are_classes_and_never_words() {
    let server = FakeMcpServer::builder().tool(FakeTool::fail()).start().unwrap();
    let setting = Setting::of(&server);
    setting.mcplink(&["call", "remote", "fail"]).run().expect_code(5);
    let call = setting.collector.span("tools/call fail");
    assert!(call.failed);
    assert_attributes(&call, &[("error.type", "tool_error")]);
    assert!(setting.collector.span("mcplink call").failed);

    let setting = Setting::of(&server);
    let output = setting.mcplink(&["read", "remote", "test://nothing"]).run();
    assert_ne!(output.code, Some(0));
    let read = setting.collector.span("resources/read");
    assert!(read.failed);
    let code = read.attributes["error.type"].clone();
    assert!(code.starts_with("-32"), "{code}");
    assert_attributes(&read, &[("rpc.response.status_code", &code)]);
    let points = setting.collector.metric("mcp.client.operation.duration");
    assert!(points.iter().any(|point| point.attributes.get("error.type") == Some(&code)), "{points:?}");
    // Neither the message of the server nor the URI, which may hold a secret.
    assert!(!format!("{:?}", setting.collector.spans()).contains("nothing"));
}

#[test]
fn credentials_are_minted_and_replaced_in_sight_and_stay_secret() {
    let home = TempHome::new().unwrap();
    let (stale, fresh) = (home.secret("stale token"), home.secret("fresh token"));
    let (query, static_header) = (home.secret("query"), home.secret("static header"));
    let server = FakeMcpServer::builder()
        .accept(Accept::bearer(&fresh))
        .refuse_with(Refusal::unauthorized())
        .start()
        .unwrap();
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearers_in_turn(&[&stale, &fresh]);
    let mut url = server.url();
    url.query_pairs_mut().append_pair("key", &query);
    let entry = json!({
        "type": "http", "url": url.as_str(),
        "headers": { "X-Api-Key": static_header }, "headersHelper": helper.command(),
    });
    home.write(".claude.json", json!({ "mcpServers": { "remote": entry } }).to_string()).unwrap();
    let setting = Setting { home, collector: Collector::start() };
    let header = setting.home.secret("collector");
    setting
        .mcplink(&["call", "remote", "echo", "text=hello"])
        .env("OTEL_EXPORTER_OTLP_HEADERS", format!("x-collector-key={}", percent_encoded(&header)))
        .env("MCP_CLIENT_SECRET", setting.home.secret("variable"))
        .run()
        .expect_code(0);

    let spans = setting.collector.spans();
    let runs: Vec<&Span> = spans.iter().filter(|span| span.name == "headers helper").collect();
    assert_eq!(runs.len(), 2);
    for run in runs {
        assert_attributes(run, &[("mcp.server.name", "remote"), ("process.exit.code", "#0")]);
    }
    let replay = setting.collector.span("auth replay");
    assert_eq!(replay.parent, setting.collector.span("connect").id);
    assert_eq!(replay.attributes["http.response.status_code"], "#401");
    let total = |name| setting.collector.metric(name).iter().map(|point| point.count).sum::<i64>();
    assert_eq!((total("mcplink.helper.runs"), total("mcplink.auth.replays")), (2, 1));
    let keys: Vec<_> = setting.collector.requests();
    assert!(keys.iter().all(|request| request.header("x-collector-key") == Some(&header)), "{keys:?}");
    setting.collector.assert_harmless(setting.home.canaries());
}

#[test]
fn a_refusal_that_nothing_helps_against_is_no_replay() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let setting = Setting::new(&json!({
        "type": "http", "url": server.url().as_str(), "headers": { "X-Api-Key": "k" },
    }));
    setting.mcplink(&["ping", "remote"]).run().expect_code(3);
    let connect = setting.collector.spans().into_iter().find(|span| span.name == "connect").unwrap();
    assert_attributes(&connect, &[("error.type", "401")]);
    assert!(setting.collector.spans().iter().any(|span| span.name == "auth replay"));
    assert!(setting.collector.metric("mcplink.auth.replays").is_empty());
}

#[test]
fn a_helper_that_fails_is_told_by_its_exit_code() {
    let server = FakeMcpServer::start().unwrap();
    let helper = FakeHelper::new().unwrap();
    helper.fails(7, "no vault today");
    let url = server.url();
    let setting = Setting::new(&json!({
        "type": "http", "url": url.as_str(), "headersHelper": helper.command(),
    }));
    assert_ne!(setting.mcplink(&["ping", "remote"]).run().code, Some(0));
    let spans = setting.collector.spans();
    let run = spans.iter().find(|span| span.name == "headers helper").unwrap();
    assert!(run.failed);
    assert_attributes(run, &[("process.exit.code", "#7"), ("error.type", "source_failed")]);
    let connect = spans.iter().find(|span| span.name == "connect").unwrap();
    assert_attributes(connect, &[("error.type", "credentials")]);
    assert!(!format!("{spans:?}").contains("vault"));
}

#[test]
fn a_sign_in_is_renewed_in_sight_and_its_tokens_are_not() {
    let server = FakeMcpServer::start().unwrap();
    let auth =
        FakeAuthServer::start_with(|settings| settings.token_lifetime = Duration::from_secs(1)).unwrap();
    auth.protect(&server);
    let setting = Setting::of(&server);
    let browser = FakeBrowser::new().unwrap();
    let login = setting.unaware(&["login", "remote"]).env("BROWSER", browser.command());
    login.may_hold_secrets("state").run().expect_code(0);
    let echo = |code| {
        // A clock of whole seconds calls a token fresh for up to two of them.
        std::thread::sleep(Duration::from_secs(2));
        let call = setting.mcplink(&["call", "remote", "echo", "text=hello"]).may_hold_secrets("state");
        call.run().expect_code(code);
        auth.note_secrets_in(setting.home.canaries());
    };
    echo(0);
    let renewal = setting.collector.span("token refresh");
    assert!(!renewal.failed);
    assert_attributes(&renewal, &[("mcp.server.name", "remote")]);
    auth.forget_refresh_tokens();
    echo(3);
    let spans = setting.collector.spans();
    let failed = spans.iter().find(|span| span.name == "token refresh" && span.failed).unwrap();
    assert_attributes(failed, &[("error.type", "sign_in_expired")]);
    setting.collector.assert_harmless(setting.home.canaries());
}

fn say(bridge: &mut Running<'_>, message: &Value) {
    bridge.write(format!("{message}\n")).unwrap();
}

fn answer(bridge: &Running<'_>, id: u64) -> Value {
    let is_it = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        (message["id"] == id && message.get("method").is_none()).then_some(message)
    };
    let seen = bridge.wait_for_stdout("an answer", |text| text.lines().any(|line| is_it(line).is_some()));
    seen.lines().find_map(is_it).unwrap()
}

/// A host of this era calls a tool within a trace of its own.
fn call_through_bridge(setting: &Setting, host: FakeEra) {
    let mut bridge = setting.mcplink(&["bridge", "remote"]).start();
    let mut meta = json!({
        "traceparent": traceparent(), "tracestate": "vendor=1", "baggage": "user=alice",
    });
    match host {
        FakeEra::Modern => {
            meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        }
        _ => {
            let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "h", "version": "1"}});
            say(&mut bridge, &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}));
            answer(&bridge, 0);
            say(&mut bridge, &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        }
    }
    let params = json!({"name": "echo", "arguments": {"text": "hello"}, "_meta": meta});
    say(&mut bridge, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}));
    assert_eq!(answer(&bridge, 1)["result"]["content"][0]["text"], "hello");
    drop(bridge.wait().expect_code(0));
}

#[test]
fn a_bridge_is_a_link_between_the_span_of_the_host_and_that_of_the_server() {
    for host in [FakeEra::Legacy, FakeEra::Modern] {
        for server_era in [FakeEra::Legacy, FakeEra::Modern] {
            let server = FakeMcpServer::builder().era(server_era).start().unwrap();
            let setting = Setting::of(&server);
            call_through_bridge(&setting, host);
            let call = setting.collector.span("tools/call echo");
            assert_eq!((&*call.trace, &*call.parent, &*call.state), (HOST_TRACE, HOST_SPAN, "vendor=1"));
            let sent = &metadata(&server, "tools/call")[0];
            assert_eq!(sent["traceparent"], context_of(&call), "{host:?} {server_era:?}");
            assert_eq!(sent["tracestate"], "vendor=1");
            assert_eq!(sent["baggage"], "user=alice");
            // What the bridge does for itself is in no trace of the host's.
            assert_ne!(setting.collector.span("connect").trace, HOST_TRACE);
            assert_eq!(server.violations(), Vec::<String>::new());
            let connections = setting.collector.metric("mcplink.connections");
            let is_connected = |point: &Point| point.attributes["mcplink.status"] == "connected";
            assert!(connections.iter().any(is_connected), "{connections:?}");
        }
    }
}

#[test]
fn a_trace_that_the_caller_does_not_record_goes_on_unrecorded() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of(&server);
    let unsampled = format!("00-{HOST_TRACE}-{HOST_SPAN}-00");
    setting
        .mcplink(&["call", "remote", "echo", "text=hello"])
        .env("TRACEPARENT", unsampled)
        .run()
        .expect_code(0);
    assert!(setting.collector.spans().is_empty());
    let sent = metadata(&server, "tools/call")[0]["traceparent"].as_str().unwrap().to_owned();
    assert!(sent.starts_with(&format!("00-{HOST_TRACE}-")) && sent.ends_with("-00"), "{sent}");
    assert!(!setting.collector.metric("mcp.client.operation.duration").is_empty(), "metrics are not sampled");
}

#[test]
fn nothing_leaves_unless_it_was_asked_for() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of(&server);
    let args = ["call", "remote", "echo", "text=hello"];
    setting.unaware(&args).env("OTEL_SERVICE_NAME", "a-test").run().expect_code(0);
    setting.mcplink(&args).env("OTEL_SDK_DISABLED", "true").run().expect_code(0);
    let none = setting.mcplink(&args).env("OTEL_TRACES_EXPORTER", "none");
    none.env("OTEL_METRICS_EXPORTER", "none").run().expect_code(0);
    assert!(setting.collector.requests().is_empty());
    assert!(metadata(&server, "tools/call").iter().all(|meta| meta.get("traceparent").is_none()));
    // Traces alone, and without telling the server.
    let alone = setting.mcplink(&args).env("OTEL_METRICS_EXPORTER", "none").env("OTEL_PROPAGATORS", "none");
    alone.run().expect_code(0);
    assert_eq!(setting.collector.span("tools/call echo").name, "tools/call echo");
    assert!(metadata(&server, "tools/call").iter().all(|meta| meta.get("traceparent").is_none()));
}

#[test]
fn a_collector_that_is_down_or_silent_changes_nothing() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of(&server);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (what, address) in [("gone", gone), ("silent", silent.local_addr().unwrap())] {
        // The limit of one export is longer than what the test waits for the whole command.
        let output = setting
            .unaware(&["call", "remote", "echo", "text=hello"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
            .env("OTEL_EXPORTER_OTLP_TIMEOUT", "600000")
            .run()
            .expect_code(0);
        assert_eq!((output.stdout.trim(), &*output.stderr), ("hello", ""), "{what}");
    }
}

#[test]
fn what_cannot_be_done_is_told_to_status_queries() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of(&server);
    let ping = |args: &[&str]| {
        let output = setting.mcplink(args).env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").run().expect_code(0);
        output.stderr.contains("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL must be http/protobuf")
    };
    assert!(!ping(&["ping", "remote"]));
    assert!(ping(&["ping", "remote", "-v"]));
    assert!(setting.collector.requests().is_empty());
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn s_k5_no_place_of_a_secret_and_no_spelling_of_it_reaches_a_collector() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let url = server.url().to_string();
    let home = TempHome::new().unwrap();
    let secret = home.secret("everywhere");
    let spelled = [secret.clone(), percent_encoded(&secret), hex_of(&secret), secret.replace('/', "\\/")];
    let at = |url: String| json!({ "type": "http", "url": url });
    let with = |headers: Value| json!({ "type": "http", "url": url, "headers": headers });
    let printing =
        |text: &str| json!({ "command": "sh", "args": ["-c", "printf '%s' \"$1\" >&2; exit 3", "sh", text] });
    let mut entries: Vec<Value> = vec![
        with(json!({ "X-Api-Key": secret })),
        with(json!({ "Authorization": format!("Bearer {secret}") })),
        with(json!({ "Cookie": format!("sid={secret}") })),
        with(json!({ "X-Api-Key": "${CANARY}" })),
        at(format!("{url}?api_key={}", percent_encoded(&secret))),
        at(format!("{url}/{}", percent_encoded(&secret))),
        at(url.replace("://", &format!("://me:{}@", percent_encoded(&secret)))),
        at(format!(
            "http://me:{}@127.0.0.1:9/mcp?token={}",
            percent_encoded(&secret),
            percent_encoded(&secret)
        )),
        json!({ "type": "http", "url": url, "headersHelper": format!("echo '{secret}' >&2; exit 3") }),
        json!({ "type": "http", "url": url, "headersHelper": format!("printf '{{\"X-Key\":\"%s\"}}' '{secret}'") }),
        json!({ "command": "false", "args": ["--api-key", secret], "env": { "A_TOKEN": secret } }),
        json!({ "command": format!("/no/such/{secret}") }),
    ];
    entries.extend(spelled.iter().map(|text| printing(text)));
    for (number, entry) in entries.iter().enumerate() {
        home.write(".claude.json", json!({ "mcpServers": { "remote": entry } }).to_string()).unwrap();
        let collector = Collector::start();
        for command in [&["status"][..], &["call", "remote", "echo", "text=x"], &["reconnect", "remote"]] {
            let run = Mcplink::new(env!("CARGO_BIN_EXE_mcplink"), &home).args(command.iter().copied());
            let run = run.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
            let output = run.env("CANARY", &*secret).run();
            assert_ne!(output.code, Some(0), "entry {number}, {command:?}: {output}");
        }
        assert!(!collector.spans().is_empty(), "entry {number}: something was exported");
        collector.assert_harmless(home.canaries());
        let exported: Vec<u8> =
            collector.requests().iter().flat_map(|request| request.body.to_vec()).collect();
        let hex = hex_of(&secret);
        assert!(
            !exported.windows(hex.len()).any(|window| window == hex.as_bytes()),
            "entry {number}: in hex"
        );
    }
}

fn hex_of(secret: &str) -> String {
    secret.bytes().map(|byte| format!("{byte:02x}")).collect()
}
