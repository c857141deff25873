//! Secrets wherever a configuration can hold one, through every command, at every verbosity.
//!
//! The harness looks into the output and the files of each run; here is what there is to find.

use mcp_testkit::{Accept, Answer, Era, FakeHelper, FakeMcpServer, HttpAnswer, Refusal};
use serde_json::json;

use crate::local::shell;
use crate::setting::{Setting, http, with_headers, with_helper};

/// Everything that a test must keep alive.
struct Cast {
    setting: Setting,
    servers: Vec<FakeMcpServer>,
    helpers: Vec<FakeHelper>,
}

/// One server for each place that a secret can be in, each of which the server accepts or refuses.
fn cast() -> Cast {
    let mut setting = Setting::new();
    let secret = |setting: &Setting, label: &str| setting.home.secret(label);
    let mut servers = Vec::new();
    let mut helpers = Vec::new();
    let mut serve = |accept: Accept, refusal: Refusal| {
        let server = FakeMcpServer::builder().accept(accept).refuse_with(refusal).start().unwrap();
        servers.push(server);
        servers.len() - 1
    };
    let advertised = || Refusal::unauthorized().challenge("Bearer realm=\"x\"");

    let key = secret(&setting, "static header");
    let kept = [("static-good", Accept::header("x-api-key", &key)), ("static-bad", Accept::Nothing)]
        .map(|(name, accept)| (name, serve(accept, advertised())));
    let bearer = secret(&setting, "static bearer");
    let bearer_bad = serve(Accept::Nothing, Refusal::status(401).challenge("Basic realm=\"intranet\""));

    let minted = secret(&setting, "helper output");
    let helper_good = serve(Accept::bearer(&minted), advertised());
    let helper_bad = serve(Accept::Nothing, Refusal::forbidden());
    let unused = serve(Accept::Any, advertised());

    let user = secret(&setting, "user info");
    let query = secret(&setting, "query");
    let expanded = secret(&setting, "expanded variable");
    let expanded_good = serve(Accept::header("x-expanded", &expanded), advertised());
    let legacy =
        FakeMcpServer::builder().era(Era::Legacy).accept(Accept::header("x-api-key", &key)).start().unwrap();

    // A server that says what it was sent, in the ways that servers do.
    let echoing = FakeMcpServer::builder()
        .always(
            HttpAnswer::new(400).body("application/json", format!(r#"{{"error":"bad key {key}"}}"#)).into(),
        )
        .start()
        .unwrap();
    let rpc_echoing = FakeMcpServer::builder()
        .always_to("tools/list", Answer::RpcError { code: -32000, message: format!("no access for {key}") })
        .start()
        .unwrap();

    for (name, index) in kept {
        setting.write(name, with_headers(&servers[index], json!({ "X-Api-Key": key })));
    }
    setting.write(
        "bearer-bad",
        with_headers(&servers[bearer_bad], json!({ "Authorization": format!("Bearer {bearer}") })),
    );
    for (name, index) in [("helper-good", helper_good), ("helper-bad", helper_bad)] {
        let helper = FakeHelper::new().unwrap();
        helper.prints_bearer(&minted);
        setting.write(name, with_helper(&servers[index], &helper));
        helpers.push(helper);
    }
    let broken = [
        ("helper-truncated", format!("{{\"Authorization\": \"Bearer {minted}")),
        ("helper-wrong-type", format!("[\"{minted}\"]")),
        ("helper-bad-value", format!("{{\"X-Key\": \"{minted}\\nX\"}}")),
        ("helper-bad-name", format!("{{\"{minted}\": \"x\"}}")),
    ];
    for (name, prints) in broken {
        let helper = FakeHelper::new().unwrap();
        helper.prints(prints);
        setting.write(name, with_helper(&servers[unused], &helper));
        helpers.push(helper);
    }
    let failing = FakeHelper::new().unwrap();
    failing.prints_bearer(&minted);
    failing.fails(1, "cannot reach the vault");
    setting.write("helper-fails", with_helper(&servers[unused], &failing));
    helpers.push(failing);
    let mut inline = http(&servers[helper_good]);
    inline["headersHelper"] = json!(format!("printf '{{\"Authorization\": \"Bearer %s\"}}' '{minted}'"));
    setting.write("helper-inline", inline);

    let address = servers[unused].address();
    let encoded: String = user.bytes().map(|byte| format!("%{byte:02X}")).collect();
    setting.write(
        "url-userinfo",
        json!({ "type": "http", "url": format!("http://me:{encoded}@{address}/mcp") }),
    );
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    setting.write(
        "url-query",
        json!({ "type": "http", "url": format!("http://{address}/mcp?api_key={encoded}") }),
    );
    setting.write(
        "url-query-missing",
        json!({ "type": "http", "url": format!("http://{address}/nothing?api_key={encoded}") }),
    );
    setting.write(
        "url-unreachable",
        json!({ "type": "http", "url": format!("http://me:{encoded}@127.0.0.1:1/mcp?k={encoded}") }),
    );
    setting.write(
        "url-broken",
        json!({ "type": "http", "url": format!("http://me:{encoded}@[::bad/mcp?k={encoded}") }),
    );
    setting.write("expanded", with_headers(&servers[expanded_good], json!({ "X-Expanded": "${CANARY}" })));
    setting.write(
        "expanded-url",
        json!({ "type": "http", "url": format!("http://{address}/mcp?k=${{CANARY}}") }),
    );
    setting.write("legacy", with_headers(&legacy, json!({ "X-Api-Key": key })));
    setting.write("echoing", with_headers(&echoing, json!({ "X-Api-Key": key })));
    setting.write("rpc-echoing", with_headers(&rpc_echoing, json!({ "X-Api-Key": key })));

    let mut local = shell("cat >/dev/null");
    local["args"].as_array_mut().unwrap().push(json!(secret(&setting, "argument")));
    local["env"] = json!({ "LOCAL_KEY": secret(&setting, "environment"), "OTHER": "${CANARY}" });
    setting.write("local", local);
    let mut ends = shell("exit 3");
    ends["args"].as_array_mut().unwrap().push(json!(secret(&setting, "argument")));
    setting.write("local-ends", ends);
    setting.write(
        "local-missing",
        json!({ "command": "no-such-command", "args": [secret(&setting, "argument")] }),
    );

    setting.write("invalid", json!({ "type": "http", "headers": { "X-Api-Key": key } }));
    setting.write("padded", with_headers(&servers[unused], json!({ "X-Api-Key": format!(" {key} ") })));
    setting
        .write("bad-header", with_headers(&servers[unused], json!({ "X-Api-Key": format!("{key}\u{7f}") })));
    servers.extend([legacy, echoing, rpc_echoing]);
    Cast { setting, servers, helpers }
}

/// Runs a command quietly, at `-vv`, and with everything that every library logs.
fn at_every_verbosity(cast: &Cast, args: &[&str]) {
    for (more, log) in
        [(&[][..], None), (&["--json"], None), (&["-vv"], None), (&["-vv", "--json"], Some("trace"))]
    {
        let arguments = [args, more].concat();
        let mut command = cast
            .setting
            .mcplink(&arguments)
            .env("CANARY", cast.setting.home.secret("expanded variable"))
            .env("MCP_TIMEOUT", "1000");
        if let Some(log) = log {
            command = command.env("RUST_LOG", log);
        }
        let output = command.run();
        assert!(output.code.is_some_and(|code| code != 1), "{args:?}: {output}");
        if log.is_some() && args == ["status"] {
            assert!(output.stderr.contains("TRACE"), "nothing was logged, so nothing was tested: {output}");
        }
    }
}

fn names(cast: &Cast) -> Vec<String> {
    let document = cast.setting.mcplink(&["list", "--json"]).run().json();
    document["servers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn f057_no_secret_leaves_through_commands_about_all_servers() {
    let cast = cast();
    assert!(names(&cast).len() > 20, "{:?}", names(&cast));
    for command in [
        &["list"][..],
        &["status"],
        &["status", "--offline"],
        &["validate"],
        &["paths"],
        &["reconnect", "--all"],
    ] {
        at_every_verbosity(&cast, command);
    }
    assert!(cast.helpers.iter().all(|helper| helper.runs() > 0), "every helper was asked");
    assert!(cast.servers.iter().all(|server| server.connections() > 0), "every server was contacted");
}

#[test]
fn f057_no_secret_leaves_through_get() {
    let cast = cast();
    for name in names(&cast) {
        let output = cast
            .setting
            .mcplink(&["get", &name])
            .env("CANARY", cast.setting.home.secret("expanded variable"))
            .run();
        assert_eq!(output.code, Some(0), "{output}");
        let _ = cast.setting.mcplink(&["get", &name, "--json", "-vv"]).run();
    }
}

#[test]
fn f057_no_secret_leaves_through_commands_that_use_a_server() {
    let cast = cast();
    for name in [
        "static-good",
        "static-bad",
        "helper-good",
        "helper-bad",
        "helper-bad-value",
        "url-query",
        "url-userinfo",
        "url-query-missing",
        "expanded",
        "legacy",
        "echoing",
        "rpc-echoing",
        "local",
        "local-ends",
        "local-missing",
        "invalid",
    ] {
        for command in [
            &["tools", name][..],
            &["call", name, "echo", "text=x"],
            &["call", name, "none"],
            &["ping", name],
        ] {
            let more: &[&str] = if name.len() % 2 == 0 { &["-vv"] } else { &["-vv", "--json"] };
            let output = cast
                .setting
                .mcplink(&[command, more].concat())
                .env("CANARY", cast.setting.home.secret("expanded variable"))
                .env("RUST_LOG", "trace")
                .env("MCP_TIMEOUT", "1000")
                .run();
            assert!(output.code.is_some_and(|code| code != 1), "{output}");
        }
    }
}

#[test]
fn f057_no_secret_leaves_through_decisions_and_sign_ins() {
    let cast = cast();
    for command in [
        &["trust"][..],
        &["untrust"],
        &["approve", "static-good"],
        &["reject", "static-good"],
        &["logout", "static-bad"],
        &["reset", "--all"],
        &["login", "static-bad", "--no-browser", "--non-interactive"],
        &["login", "url-query", "--no-browser", "--non-interactive"],
        &["status", "no-such-server"],
    ] {
        at_every_verbosity(&cast, command);
    }
}

#[test]
fn f057_no_secret_of_the_command_line_leaves() {
    let setting = Setting::new();
    let key = setting.home.secret("inline");
    let server = FakeMcpServer::builder().accept(Accept::header("x-api-key", &key)).start().unwrap();
    let inline =
        json!({ "mcpServers": { "s": with_headers(&server, json!({ "X-Api-Key": key })) } }).to_string();
    for command in ["list", "status", "validate", "paths"] {
        setting.run(&[command, "--mcp-config", &inline, "-vv"], 0);
    }
    // Cut off in the middle of the secret.
    let cut = &inline[..inline.find(&key).unwrap() + key.len()];
    for command in ["list", "status", "validate", "paths"] {
        let output = setting.mcplink(&[command, "--mcp-config", cut, "-vv"]).run();
        assert!(matches!(output.code, Some(0 | 2)), "{output}");
    }
}

#[test]
fn f057_no_secret_leaves_when_a_session_is_refused_or_a_proxy_is_used() {
    let setting = Setting::new();
    let (old, new, password) =
        (setting.home.secret("old"), setting.home.secret("new"), setting.home.secret("proxy"));
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearers_in_turn(&[&old, &new]);
    let server = FakeMcpServer::builder().accept(Accept::any_bearer([&old, &new])).start().unwrap();
    server.next_answers_to("tools/call", [Answer::Refuse]);
    let setting = setting.with("s", with_helper(&server, &helper));
    let output = setting.mcplink(&["call", "s", "echo", "text=x", "-vv"]).env("RUST_LOG", "trace").run();
    assert_eq!(output.expect_code(0).stdout, "x\n");
    let encoded: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let output = setting
        .mcplink(&["ping", "s", "-vv"])
        .env("HTTP_PROXY", format!("http://me:{encoded}@{}", server.address()))
        .env("RUST_LOG", "trace")
        .run();
    assert!(output.code.is_some(), "{output}");
}
