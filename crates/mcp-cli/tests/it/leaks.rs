//! Secrets wherever a configuration can hold one, through every command, at every verbosity.
//!
//! The harness looks into the output and the files of each run; here is what there is to find.

use mcp_harness::Output;
use mcp_testkit::{Accept, FakeEra, FakeHelper, FakeMcpServer, HttpAnswer, Refusal, ScriptedAnswer};
use serde_json::{Value, json};

use crate::local::SERVER;
use crate::setting::{Setting, http, with_headers, with_helper};

/// A configuration with a secret in each place that can hold one, and the servers and helpers behind it.
struct Cast {
    setting: Setting,
    servers: Vec<FakeMcpServer>,
    helpers: Vec<FakeHelper>,
}

impl Cast {
    fn new() -> Self {
        let mut cast = Self { setting: Setting::new(), servers: Vec::new(), helpers: Vec::new() };
        cast.add_static_headers();
        cast.add_helpers();
        cast.add_urls();
        cast.add_servers_that_repeat_what_they_are_sent();
        cast.add_local_servers();
        cast.add_mistakes();
        cast
    }

    fn secret(&self, label: &str) -> String {
        self.setting.home.secret(label)
    }

    /// Starts a server that accepts and refuses like this, and returns its entry.
    fn serve(&mut self, accept: Accept, refusal: Refusal) -> Value {
        self.keep(FakeMcpServer::builder().accept(accept).refuse_with(refusal).start().unwrap())
    }

    fn keep(&mut self, server: FakeMcpServer) -> Value {
        let entry = http(&server);
        self.servers.push(server);
        entry
    }

    fn add(&mut self, name: &str, mut entry: Value, field: &str, value: Value) {
        entry[field] = value;
        self.setting.write(name, entry);
    }

    fn add_static_headers(&mut self) {
        let (key, bearer) = (self.secret("static header"), self.secret("static bearer"));
        let expanded = self.secret("expanded variable");
        let good = Accept::header("x-api-key", &key);
        let entry = self.serve(good.clone(), Refusal::unauthorized());
        self.add("static-good", entry, "headers", json!({ "X-Api-Key": key }));
        let entry = self.serve(Accept::Nothing, Refusal::unauthorized());
        self.add("static-bad", entry, "headers", json!({ "X-Api-Key": key }));
        let entry = self.serve(Accept::Nothing, Refusal::status(401).challenge("Basic realm=\"intranet\""));
        self.add("bearer-bad", entry, "headers", json!({ "Authorization": format!("Bearer {bearer}") }));
        let entry = self.serve(Accept::header("x-expanded", &expanded), Refusal::unauthorized());
        self.add("expanded", entry, "headers", json!({ "X-Expanded": "${CANARY}" }));
        let entry = self.keep(FakeMcpServer::builder().era(FakeEra::Legacy).accept(good).start().unwrap());
        self.add("legacy", entry, "headers", json!({ "X-Api-Key": key }));
    }

    fn add_helpers(&mut self) {
        let minted = self.secret("helper output");
        let helper = || FakeHelper::new().unwrap();
        let (good, bad, failing) = (helper(), helper(), helper());
        let entry = self.serve(Accept::bearer(&minted), Refusal::unauthorized());
        let inline = format!("printf '{{\"Authorization\": \"Bearer %s\"}}' '{minted}'");
        self.add("helper-inline", entry.clone(), "headersHelper", json!(inline));
        good.prints_bearer(&minted);
        self.add("helper-good", entry.clone(), "headersHelper", json!(good.command()));
        failing.prints_bearer(&minted);
        failing.fails(1, "cannot reach the vault");
        self.add("helper-fails", entry.clone(), "headersHelper", json!(failing.command()));
        for (name, prints) in [
            ("helper-truncated", format!("{{\"Authorization\": \"Bearer {minted}")),
            ("helper-wrong-type", format!("[\"{minted}\"]")),
            ("helper-bad-value", format!("{{\"X-Key\": \"{minted}\\nX\"}}")),
            ("helper-bad-name", format!("{{\"{minted}\": \"x\"}}")),
        ] {
            let broken = helper();
            broken.prints(prints);
            self.add(name, entry.clone(), "headersHelper", json!(broken.command()));
            self.helpers.push(broken);
        }
        bad.prints_bearer(&minted);
        let entry = self.serve(Accept::Nothing, Refusal::forbidden());
        self.add("helper-bad", entry, "headersHelper", json!(bad.command()));
        self.helpers.extend([good, bad, failing]);
    }

    fn add_urls(&mut self) {
        let (user, query) =
            (percent_encoded(&self.secret("user info")), percent_encoded(&self.secret("query")));
        let address = self.serve(Accept::Any, Refusal::unauthorized())["url"].clone();
        let address = address.as_str().unwrap().strip_prefix("http://").unwrap();
        for (name, url) in [
            ("url-userinfo", format!("http://me:{user}@{address}")),
            ("url-query", format!("http://{address}?api_key={query}")),
            ("url-query-missing", format!("http://{address}/nothing?api_key={query}")),
            ("url-unreachable", format!("http://me:{user}@127.0.0.1:1/mcp?k={query}")),
            ("url-broken", format!("http://me:{user}@[::bad/mcp?k={query}")),
            ("url-expanded", format!("http://{address}?k=${{CANARY}}")),
        ] {
            self.setting.write(name, json!({ "type": "http", "url": url }));
        }
    }

    fn add_servers_that_repeat_what_they_are_sent(&mut self) {
        let key = self.secret("static header");
        let repeating = |answer: HttpAnswer| FakeMcpServer::builder().always(answer.into()).start().unwrap();
        let body = format!(r#"{{"error":"bad key {key}"}}"#);
        let entry = self.keep(repeating(HttpAnswer::new(400).body("application/json", body)));
        self.add("repeats-in-json", entry, "headers", json!({ "X-Api-Key": key }));
        let entry = self.keep(repeating(HttpAnswer::new(422).body("text/plain", format!("who is {key}?"))));
        self.add("repeats-in-text", entry, "headers", json!({ "Authorization": format!("Bearer {key}") }));
        let answer = ScriptedAnswer::RpcError { code: -32000, message: format!("no access for {key}") };
        let server =
            FakeMcpServer::builder().always_to("tools/list", answer.clone()).always_to("tools/call", answer);
        let entry = self.keep(server.start().unwrap());
        self.add("repeats-in-rpc", entry, "headers", json!({ "X-Api-Key": key }));
    }

    fn add_local_servers(&mut self) {
        let argument = self.secret("argument");
        let with_argument =
            |code: &str, flag: &str| json!({ "command": "sh", "args": ["-c", code, flag, argument] });
        let environment = json!({ "LOCAL_KEY": self.secret("environment"), "OTHER": "${CANARY}" });
        self.add("local", with_argument(SERVER, "--token"), "env", environment);
        self.setting.write("local-ends", with_argument("exit 3", "plain"));
        let tells = "echo \"error: no access with $LOCAL_KEY\"; echo \"error: no access with $LOCAL_KEY\" >&2; exit 3";
        let entry = json!({ "command": "sh", "args": ["-c", tells] });
        self.add("local-tells", entry, "env", json!({ "LOCAL_KEY": self.secret("environment") }));
        self.setting.write(
            "local-missing",
            json!({ "command": "no-such-command", "args": [format!("--key={argument}")] }),
        );
    }

    fn add_mistakes(&mut self) {
        let key = self.secret("static header");
        self.setting.write("invalid", json!({ "type": "http", "headers": { "X-Api-Key": key } }));
        let entry = self.serve(Accept::Any, Refusal::unauthorized());
        self.add("padded", entry.clone(), "headers", json!({ "X-Api-Key": format!(" {key} ") }));
        self.add("bad-header", entry, "headers", json!({ "X-Api-Key": format!("{key}\u{7f}") }));
    }

    /// Runs a command; whatever comes of it, it is not a defect of the program.
    #[track_caller]
    fn run(&self, args: &[&str], log: Option<&str>) -> Output {
        let mut command = self
            .setting
            .mcplink(args)
            .env("CANARY", self.secret("expanded variable"))
            .env("MCP_TIMEOUT", "1000");
        if let Some(log) = log {
            command = command.env("RUST_LOG", log);
        }
        let output = command.run();
        assert!(output.code.is_some_and(|code| code != 1), "{args:?}: {output}");
        output
    }

    /// Runs a command quietly, as JSON, at `-vv`, and with everything that every library logs.
    fn run_at_every_verbosity(&self, args: &[&str]) {
        let _ = self.run(args, None);
        let _ = self.run(&[args, &["--json"]].concat(), None);
        let _ = self.run(&[args, &["-vv"]].concat(), None);
        let _ = self.run(&[args, &["-vv", "--json"]].concat(), Some("trace"));
    }

    fn names(&self) -> Vec<String> {
        let document = self.run(&["list", "--json"], None).json();
        let rows = document["servers"].as_array().unwrap();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// Every byte of it, so that nothing of it stays readable.
fn percent_encoded(secret: &str) -> String {
    secret.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn f057_no_secret_leaves_through_commands_about_all_servers() {
    let cast = Cast::new();
    assert!(cast.names().len() > 20, "{:?}", cast.names());
    for command in [
        &["list"][..],
        // The time limit saves the retries of what cannot be reached.
        &["status", "--timeout", "2s"],
        &["status", "--offline"],
        &["validate"],
        &["paths"],
    ] {
        cast.run_at_every_verbosity(command);
    }
    let logged = cast.run(&["reconnect", "--all", "-vv"], Some("trace")).stderr;
    assert!(logged.contains("TRACE"), "nothing was logged, so nothing was tested: {logged}");
    assert!(cast.helpers.iter().all(|helper| helper.runs() > 0), "every helper was asked");
    assert!(cast.servers.iter().all(|server| server.connections() > 0), "every server was contacted");
}

#[test]
fn f057_no_secret_leaves_through_get() {
    let cast = Cast::new();
    for name in cast.names() {
        assert!(matches!(cast.run(&["get", &name], None).code, Some(0 | 2)), "{name}");
        let _ = cast.run(&["get", &name, "--json", "-vv"], None);
    }
}

#[test]
fn f057_no_secret_leaves_through_commands_that_use_a_server() {
    let cast = Cast::new();
    let slow = ["url-unreachable"];
    for name in cast.names().iter().filter(|name| !slow.contains(&name.as_str())) {
        for (command, more) in [
            (&["tools", name][..], &["-vv"][..]),
            (&["call", name, "echo", "text=x"], &["-vv", "--json"]),
            (&["ping", name], &["-vv"]),
        ] {
            let _ = cast.run(&[command, more].concat(), Some("trace"));
        }
    }
    for name in ["static-good", "static-bad", "helper-good", "repeats-in-rpc", "legacy"] {
        for command in [
            &["call", name, "no-such-tool"][..],
            &["resources", name],
            &["read", name, "fake://greeting"],
            &["prompts", name],
            &["prompt", name, "greet"],
            &["wait", name, "--until", "connected", "--timeout", "500ms"],
        ] {
            let _ = cast.run(&[command, &["-vv"]].concat(), Some("trace"));
            let _ = cast.run(&[command, &["--json"]].concat(), None);
        }
    }
}

#[test]
fn f057_no_secret_leaves_through_a_bridge_or_what_others_see_of_it() {
    let cast = Cast::new();
    for name in [
        "static-good",
        "static-bad",
        "helper-good",
        "helper-fails",
        "repeats-in-text",
        "url-query",
        "local-tells",
    ] {
        let start = |arguments: &[&str]| {
            let command = cast.setting.mcplink(arguments).env("CANARY", cast.secret("expanded variable"));
            command.env("MCP_TIMEOUT", "1000").env("RUST_LOG", "trace").start()
        };
        let mut bridge = start(&["bridge", name, "-vv"]);
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "h", "version": "1" },
        });
        let call = json!({ "name": "echo", "arguments": { "text": "x" } });
        for (id, method, params) in
            [(1, "initialize", &params), (2, "tools/list", &json!({})), (3, "tools/call", &call)]
        {
            let line = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
            bridge.write(format!("{line}\n")).unwrap();
            let answered = format!("\"id\":{id}");
            bridge.wait_for_stdout("an answer", |seen| seen.contains(&answered));
        }
        let _ = cast.run(&["status", name, "--offline", "-vv"], Some("trace"));
        let _ = cast.run(&["status", name, "--offline", "--json"], None);
        let _ = cast.run(&["reconnect", name, "--json", "-vv"], Some("trace"));
        let watch = start(&["status", name, "--watch", "--json", "-vv"]);
        let seen = watch.wait_for_stdout("a status", |seen| seen.contains("\"bridge\""));
        assert!(seen.contains(name), "{seen}");
        watch.signal("INT");
        let _ = watch.wait();
        bridge.close_stdin();
        let ended = bridge.wait();
        assert!(ended.stderr.contains("DEBUG"), "nothing was logged, so nothing was tested: {ended}");
        let logged = cast.run(&["logs", name], None).stdout;
        assert!(logged.contains("reconnect"), "{name}: {logged}");
        let _ = cast.run(&["logs", name, "--json"], None);
    }
}

#[test]
fn f057_no_secret_leaves_through_decisions_and_sign_ins() {
    let cast = Cast::new();
    for command in [
        &["trust"][..],
        &["trust", "--yes"],
        &["untrust"],
        &["approve", "static-good"],
        &["approve", "static-good", "--yes"],
        &["reject", "static-good"],
        &["logout", "static-bad"],
        &["reset", "--all"],
        &["login", "static-bad", "--no-browser", "--non-interactive"],
        &["login", "url-query", "--no-browser", "--non-interactive"],
        &["status", "no-such-server"],
    ] {
        cast.run_at_every_verbosity(command);
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
    server.next_answers_to("tools/call", [ScriptedAnswer::Refuse]);
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

#[test]
fn s_m11_a_credential_of_one_entry_is_hidden_when_another_server_prints_it() {
    // None of them looks like a secret.
    let [header, variable, client, password] =
        ["literalSecretQq", "Variable-Value-7", "clientKeyOfMine", "plain words of a password"];
    let mut setting = Setting::new();
    let server = FakeMcpServer::builder().accept(Accept::header("x-k", header)).start().unwrap();
    let mut lit = with_headers(&server, json!({ "X-K": header, "X-Team": "payments-team" }));
    lit["oauth"] = json!({ "clientId": "mine", "clientSecret": "${env:CLIENT}" });
    setting.write("lit", lit);
    setting.write("env", with_headers(&server, json!({ "X-Any": "${env:CANV}" })));
    setting.write("db", json!({ "command": "true", "env": { "DB_PASSWORD": password } }));
    let said = format!("{header} {variable} {client} {password} payments-team");
    setting.write("prints", json!({ "command": "sh", "args": ["-c", "cat said >&2; exit 1"] }));
    setting.home.write_project("said", &said).unwrap();
    let refusing = FakeMcpServer::builder()
        .always(HttpAnswer::new(400).body("text/plain", said.clone()).into())
        .start()
        .unwrap();
    setting.write("repeats", http(&refusing));
    // What a repository says is a secret hides nothing of what others say.
    let setting = setting.project_file(json!({ "stranger": {
        "type": "http", "url": server.url().as_str(), "headers": { "Authorization": "payments-team" } } }));
    for args in [
        &["status", "prints", "repeats"][..],
        &["status", "prints", "--json"],
        &["doctor", "prints"],
        &["doctor", "repeats", "--trace"],
        &["tools", "repeats"],
        &["call", "prints", "x"],
        &["-vv", "status", "prints"],
    ] {
        let output = setting.mcplink(args).env("CANV", variable).env("CLIENT", client).run();
        let all = format!("{}{}", output.stdout, output.stderr);
        for hidden in [header, variable, client, password] {
            assert!(!all.contains(hidden), "{hidden}: {output}");
        }
        assert!(all.contains("payments-team"), "an ordinary word of another entry stays: {output}");
    }
}
