//! JSON documents: their shape is a contract with scripts.

use mcp_testkit::{Accept, FakeHelper, FakeMcpServer, HttpAnswer, ScriptedAnswer};
use serde_json::{Value, json};

use crate::setting::{Setting, http, row, with_headers, with_helper};

/// The keys of an object, sorted.
#[track_caller]
fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

const ROW: [&str; 15] = [
    "actions",
    "auth",
    "elapsedMs",
    "name",
    "protocolVersion",
    "reason",
    "scope",
    "server",
    "sessions",
    "source",
    "status",
    "tools",
    "transport",
    "url",
    "command",
];

/// The keys of a remote server's row, without those named.
fn row_keys(without: &[&str]) -> Vec<&'static str> {
    let mut keys: Vec<&str> =
        ROW.into_iter().filter(|key| *key != "command" && !without.contains(key)).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_connected_server_in_full() {
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer("A");
    let server = FakeMcpServer::builder().name("wiki").accept("A").start().unwrap();
    let mut entry = with_helper(&server, &helper);
    entry["headers"] = json!({ "X-Team": "blue" });
    let setting = Setting::of("internal", entry);

    let document = setting.run(&["status", "--json"], 0).json();

    assert_eq!(keys(&document), ["checkedAt", "problems", "schemaVersion", "servers"]);
    assert_eq!(document["schemaVersion"], 1);
    assert_eq!(document["problems"], json!([]));
    let time = document["checkedAt"].as_str().unwrap();
    assert!(time.len() == "2026-11-21T05:30:39.123Z".len() && time.ends_with('Z'), "{time}");
    let row = &document["servers"][0];
    assert_eq!(keys(row), row_keys(&[]));
    assert!(row["elapsedMs"].is_u64());
    assert!(row["auth"]["lastHelperRun"]["durationMs"].is_u64());
    let source = setting.home.home().join(".claude.json");
    let mut stable = row.clone();
    stable["elapsedMs"] = json!(0);
    stable["auth"]["lastHelperRun"]["durationMs"] = json!(0);
    assert_eq!(
        stable,
        json!({
            "name": "internal",
            "scope": "user",
            "source": source,
            "transport": "http",
            "url": server.url().as_str(),
            "status": "connected",
            "reason": null,
            "auth": {
                "chain": ["static-headers", "headers-helper"],
                "oauthCapable": false,
                "signedIn": false,
                "expiresAt": null,
                "lastHelperRun": { "durationMs": 0, "exitCode": 0 },
            },
            "actions": ["reconnect", "disable"],
            "server": { "name": "wiki", "version": row["server"]["version"] },
            "protocolVersion": "2026-07-28",
            "tools": 5,
            "elapsedMs": 0,
            "sessions": [],
        })
    );
}

#[test]
fn a_refused_server_has_a_reason_in_full() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let setting = Setting::of("internal", with_headers(&server, json!({ "X-Api-Key": "K" })));
    let document = setting.run(&["status", "--json"], 3).json();
    let row = &document["servers"][0];
    assert_eq!(keys(row), row_keys(&[]));
    assert_eq!(
        row["reason"],
        json!({
            "code": "credentials-rejected",
            "message": "the server refused the headers that are set for it (401)",
            "httpStatus": 401,
            "phase": "connect",
            "provider": "static-headers",
            "attempts": 1,
            "retryable": false,
            "next": row["reason"]["next"],
        })
    );
    let next = row["reason"]["next"].as_str().unwrap();
    assert!(next.starts_with("correct `headers` of internal in /") && next.contains(".json:"), "{next}");
    for null in ["server", "protocolVersion", "tools"] {
        assert_eq!(row[null], json!(null), "{null}");
    }
    assert_eq!(row["auth"]["lastHelperRun"], json!(null));
}

#[test]
fn the_rows_come_in_the_order_of_the_files_whatever_answers_first() {
    let slow = FakeMcpServer::start().unwrap();
    slow.next_answers([ScriptedAnswer::Late(std::time::Duration::from_millis(300))]);
    let quick = FakeMcpServer::start().unwrap();
    let setting = Setting::of("z-slow", http(&slow)).with("a-quick", http(&quick));
    let document = setting.run(&["status", "--json"], 0).json();
    let names: Vec<&Value> = document["servers"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    let listed = setting.run(&["list", "--json"], 0).json();
    let listed: Vec<&Value> = listed["servers"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!(names, listed);
}

#[test]
fn list_has_the_same_shape_without_what_only_a_connection_tells() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    let document = setting.run(&["list", "--json"], 0).json();
    assert_eq!(keys(&document), ["pointers", "problems", "schemaVersion", "servers"]);
    assert_eq!(keys(&document["servers"][0]), row_keys(&["status", "reason", "elapsedMs"]));
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_local_server_shows_its_command_in_place_of_a_url() {
    let setting = Setting::of("s", json!({ "command": "some-server", "args": ["--flag"] }));
    let row = row(&setting.run(&["list", "--json"], 0).json(), "s");
    assert_eq!((&row["transport"], &row["url"]), (&json!("stdio"), &json!(null)));
    assert!(row["command"].as_str().unwrap().contains("some-server"), "{row:#}");
}

#[test]
fn reconnect_has_the_same_shape_and_what_was_reconnected() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    let document = setting.run(&["reconnect", "s", "--json"], 0).json();
    assert_eq!(keys(&document), ["checkedAt", "problems", "schemaVersion", "servers"]);
    let row = &document["servers"][0];
    let mut expected = row_keys(&[]);
    expected.push("reconnected");
    expected.sort_unstable();
    assert_eq!(keys(row), expected);
    assert_eq!(row["reconnected"], json!([]));
}

#[test]
fn offline_contacts_no_server_and_tells_what_the_files_tell() {
    let server = FakeMcpServer::start().unwrap();
    let helper = FakeHelper::new().unwrap();
    let setting = Setting::of("good", with_helper(&server, &helper))
        .with("bad", json!({ "type": "carrier-pigeon", "url": "x" }))
        .with("off", http(&server))
        .disabled(&["off"]);
    let document = setting.run(&["status", "--offline", "--json"], 2).json();
    for (name, status) in [("good", "pending"), ("bad", "failed"), ("off", "disabled")] {
        let row = row(&document, name);
        assert_eq!(row["status"], status, "{row:#}");
        assert_eq!(keys(&row), row_keys(&[]));
        assert_eq!(row["server"], json!(null));
    }
    assert_eq!(row(&document, "bad")["reason"]["code"], "config");
    assert_eq!(server.connections(), 0);
    assert_eq!(helper.runs(), 0);
}

#[test]
fn problems_of_the_files_stand_beside_the_servers() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server)).with("typo", json!({ "type": "http", "urk": "x" }));
    let document = setting.run(&["status", "--json"], 2).json();
    assert_eq!(row(&document, "s")["status"], "connected", "one bad entry takes no other down");
    let problems = document["problems"].as_array().unwrap();
    let problem =
        problems.iter().find(|problem| problem["field"].as_str().unwrap().contains("typo")).unwrap();
    for key in ["file", "field", "message"] {
        assert!(problem[key].is_string(), "{problem:#}");
    }
    assert_eq!(problem["file"], json!(setting.home.home().join(".claude.json")));
}

/// Answers the next request with this method by a result of exactly these bytes, in answer to the id that the last such
/// request had: the same command counts its requests in the same way.
fn answer_with(server: &FakeMcpServer, method: &str, result: &str) {
    let requests = server.recorder().matching(|request| request.rpc_method().as_deref() == Some(method));
    let id = &requests.last().unwrap().json().unwrap()["id"];
    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    server.next_answers_to(method, [HttpAnswer::new(200).body("application/json", body).into()]);
}

#[test]
fn a_tool_result_is_printed_byte_for_byte() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    setting.run(&["call", "s", "echo", "text=x", "--json"], 0);
    let sent = r#"{"zebra":1e0,  "content":[{"type":"text","text":"t\u00e9xt","x":[1.50,1E3]}],"resultType":"complete","apple":null}"#;
    answer_with(&server, "tools/call", sent);
    assert_eq!(setting.run(&["call", "s", "echo", "text=x", "--json"], 0).stdout, format!("{sent}\n"));
}

#[test]
fn tools_are_printed_byte_for_byte_in_a_document() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    let document = setting.run(&["tools", "s", "--json"], 0).json();
    assert_eq!(keys(&document), ["schemaVersion", "tools"]);
    assert_eq!((&document["schemaVersion"], document["tools"].as_array().unwrap().len()), (&json!(1), 5));
    let tool = r#"{"name":"odd", "inputSchema":{"type":"object","x-zebra":1e0,  "x-apple":[1.50]},"description":"\u00e9"}"#;
    let result = format!(r#"{{"tools":[{tool}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}}"#);
    answer_with(&server, "tools/list", &result);
    let output = setting.run(&["tools", "s", "--json"], 0);
    assert!(output.stdout.contains(tool), "{output}");
}

#[test]
fn ping_and_version_and_paths_and_get_are_documents_too() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    let ping = setting.run(&["ping", "s", "--json"], 0).json();
    assert_eq!(keys(&ping), ["elapsedMs", "name", "protocolVersion", "schemaVersion"]);
    let version = setting.run(&["version", "--json"], 0).json();
    assert_eq!(
        version,
        json!({ "schemaVersion": 1, "name": "mcplink", "version": env!("CARGO_PKG_VERSION") })
    );
    let paths = setting.run(&["paths", "--json"], 0).json();
    let user = json!(setting.home.home().join(".claude.json"));
    let found =
        paths["paths"].as_array().unwrap().iter().any(|path| path["place"] == user || path["path"] == user);
    assert!(found, "{paths:#}");
    let got = setting.run(&["get", "s", "--json"], 0).json();
    assert_eq!(keys(&got), ["authPlan", "entry", "pointers", "schemaVersion", "server"]);
}
