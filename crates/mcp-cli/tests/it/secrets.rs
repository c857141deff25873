//! Secrets in the places where a person puts them, and what becomes of each.

use mcp_testkit::{Accept, FakeMcpServer};
use serde_json::json;
use url::Url;

use crate::setting::Setting;

/// A server that wants Basic, and an entry whose URL has user and password in it.
fn with_userinfo() -> (Setting, FakeMcpServer, Url) {
    let mut setting = Setting::new();
    let (user, password) = (setting.home.secret("user"), setting.home.secret("password"));
    let pair = base64(&format!("{user}:{password}"));
    let server = FakeMcpServer::builder()
        .accept(Accept::header("authorization", format!("Basic {pair}")))
        .start()
        .unwrap();
    let mut url = server.url();
    url.set_username(&user).unwrap();
    url.set_password(Some(&password)).unwrap();
    setting.write("s", json!({ "type": "http", "url": url.as_str() }));
    (setting, server, url)
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn s_m10_userinfo_of_a_url_is_sent_and_never_logged() {
    let (setting, server, url) = with_userinfo();
    for command in [
        &["status", "s"][..],
        &["tools", "s"],
        &["call", "s", "echo", "text=x"],
        &["ping", "s"],
        &["get", "s"],
    ] {
        for log in ["info", "debug", "trace"] {
            // The harness looks for the secrets.
            let output = setting.mcplink(&[command, &["-vv"]].concat()).env("RUST_LOG", log).run();
            let output = output.expect_code(0);
            let pooled = output.stderr.contains("hyper_util::client::legacy::pool");
            assert!(command[0] == "get" || log == "info" || pooled, "nothing was logged: {output}");
            // As the URL spells it, which is half encoded.
            assert!(!output.stderr.contains(url.password().unwrap()), "{output}");
        }
        setting.run(&[command, &["-vv"]].concat(), 0);
        setting.run(&[command, &["--json"]].concat(), 0);
    }
    assert!(server.requests().iter().all(|request| request.header("authorization").is_some()));

    // Given on the command line, too.
    let mut bridge = setting.mcplink(&["bridge", url.as_str(), "-vv"]).env("RUST_LOG", "trace").start();
    let client = json!({ "name": "h", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    for (id, method, params) in [(1, "initialize", params), (2, "tools/list", json!({}))] {
        let line = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        bridge.write(format!("{line}\n")).unwrap();
        bridge.wait_for_stdout("an answer", |seen| seen.contains(&format!("\"id\":{id}")));
    }
    bridge.close_stdin();
    let ended = bridge.wait();
    assert!(ended.stdout.contains("\"echo\""), "{ended}");
    assert!(!ended.stderr.contains(url.password().unwrap()), "{ended}");
}

#[test]
fn s_p8_get_says_that_the_url_supplies_a_header_and_validate_when_it_cannot() {
    let (mut setting, server, _) = with_userinfo();
    let shown = setting.run(&["get", "s"], 0).stdout;
    assert!(shown.contains("static-headers") && shown.contains("Authorization"), "{shown}");
    let mut url = server.url();
    url.set_username("ann").unwrap();
    url.set_password(Some("pw")).unwrap();
    let headers = json!({ "Authorization": "Bearer x" });
    setting.write("both", json!({ "type": "http", "url": url.as_str(), "headers": headers }));
    url.set_username("an%3An").unwrap();
    setting.write("colon", json!({ "type": "http", "url": url.as_str() }));
    let output = setting.mcplink(&["validate"]).run();
    assert!(output.stdout.contains("headers.Authorization is sent instead"), "{output}");
    assert!(output.stdout.contains("which HTTP Basic cannot carry"), "{output}");
}
