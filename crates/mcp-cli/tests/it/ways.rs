//! How one server is reached: whom it is trusted by, which certificate is shown to it, by which proxy, with which cookies.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mcp_harness::{Mcplink, Output, real_or_skip, system_program};
use mcp_testkit::{
    Accept, AuthEndpoint, FakeAuthServer, FakeEra, FakeMcpServer, ForwardProxy, HttpAnswer,
    ProtectedResource, ScriptedAnswer,
};
use serde_json::{Value, json};

use crate::accounts::sign_in_at;
use crate::bridge::{INITIALIZE, echo, response, say};
use crate::setting::{Setting, row};
use crate::tls_front::{fixture, mutual_tls_in_front_of, tls_in_front_of};

fn at(port: u16, more: Value) -> Value {
    let mut entry = json!({ "type": "http", "url": format!("https://localhost:{port}/mcp") });
    entry.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    entry
}

fn file(name: &str) -> String {
    fixture(name).canonicalize().unwrap().display().to_string()
}

fn reason(setting: &Setting, name: &str) -> String {
    let row = row(&setting.mcplink(&["status", name, "--json"]).run().json(), name);
    format!(
        "{} {}",
        row["reason"]["code"].as_str().unwrap_or("none"),
        row["reason"]["message"].as_str().unwrap_or("")
    )
}

#[test]
fn fa_a44_an_authority_is_trusted_for_one_server_and_no_other() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let port = tls_in_front_of(server.address(), "localhost").port();
    let mut setting = Setting::of("own", at(port, json!({ "tls": { "ca": file("authority.pem") } })))
        .with("plain", at(port, json!({})))
        .with("variable", at(port, json!({ "tls": { "ca": "${CERTS}/authority.pem" } })));
    let folder = Path::new(&file("authority.pem")).parent().unwrap().display().to_string();
    assert!(setting.run(&["call", "own", "echo", "text=hello"], 0).stdout.contains("hello"));
    let output = setting.mcplink(&["status", "variable"]).env("CERTS", folder).run();
    drop(output.expect_code(0));
    assert!(reason(&setting, "plain").starts_with("tls "), "{}", reason(&setting, "plain"));
    // The name of another one.
    setting.write(
        "name",
        at(port, json!({ "tls": { "ca": file("authority.pem"), "serverName": "other.test" } })),
    );
    assert!(reason(&setting, "name").contains("other.test"), "{}", reason(&setting, "name"));
    // One line, without any file.
    let url = format!("https://localhost:{port}/mcp");
    setting.run(&["ping", &url, "--ca", &file("authority.pem")], 0);
    setting.run(&["ping", &url], 4);
    let shown = setting.run(&["get", "own"], 0).stdout;
    assert!(shown.contains("tls.ca") && shown.contains("authority.pem"), "{shown}");
}

#[test]
fn fa_a44_certificates_that_are_not_checked_are_told_at_each_use_and_never_by_a_project() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let port = tls_in_front_of(server.address(), "self-signed").port();
    let entry = at(port, json!({ "tls": { "insecureSkipVerify": true } }));
    let setting = Setting::of("web", entry.clone());
    let is_loud = |output: &Output| {
        output.stderr.contains("tls.insecureSkipVerify") && output.stderr.contains("not checked")
    };
    for command in
        [&["status", "web"][..], &["tools", "web"], &["call", "web", "echo", "text=x"], &["ping", "web"]]
    {
        let output = setting.run(command, 0);
        assert!(is_loud(&output), "{command:?}: {output}");
    }
    let problems = setting.run(&["status", "web", "--json"], 0).json()["problems"].to_string();
    assert!(problems.contains("insecureSkipVerify"), "{problems}");
    let url = format!("https://localhost:{port}/mcp");
    // What was typed is told as it was typed.
    let output = setting.run(&["ping", &url, "--insecure-skip-verify"], 0);
    assert!(
        output.stderr.contains("--insecure-skip-verify") && output.stderr.contains("not checked"),
        "{output}"
    );
    // A repository does not say it for the person.
    let cloned = Setting::new().project_file(json!({ "web": entry }));
    let asked = server.requests().len();
    let output = cloned.mcplink(&["status", "web", "--json"]).run().expect_code(2);
    let reason = row(&output.json(), "web")["reason"].clone();
    let said = reason["message"].as_str().unwrap();
    assert!(said.contains(".mcp.json:") && said.contains("tls.insecureSkipVerify"), "{said}");
    assert_eq!(server.requests().len(), asked);
}

/// What cannot be reached over TLS is who issues the tokens: it is named with its certificate, and is not waited for.
#[test]
fn an_authorization_server_that_is_not_trusted_is_named_and_not_waited_for() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    for (certificate, said, step) in [
        (
            "self-signed",
            "the certificate of the authorization server is self-signed",
            "set `tls.ca` of s in ",
        ),
        ("localhost", "is not trusted here", "set `tls.ca` of s in "),
        (
            "expired",
            "the certificate of the authorization server has expired",
            "ask the operator of https://localhost:",
        ),
    ] {
        let issuer = format!("https://localhost:{}", tls_in_front_of(server.address(), certificate).port());
        let mut trusting = json!({ "type": "http", "url": server.url().as_str() });
        if certificate == "expired" {
            trusting["tls"] = json!({ "ca": file("authority.pem") });
        }
        let setting = Setting::of("s", trusting);
        let refresh = setting.home.secret("refresh");
        sign_in_at(&issuer, &setting, "s", server.url().as_str(), |tokens| {
            tokens.refresh_token = Some(refresh.clone().into());
            tokens.token_endpoint = Some(format!("{issuer}/token"));
        });
        let began = std::time::Instant::now();
        let row = row(&setting.mcplink(&["status", "s", "--json"]).run().json(), "s");
        assert_eq!(row["status"], "failed", "{row:#}");
        let reason = &row["reason"];
        let message = reason["message"].as_str().unwrap();
        assert_eq!((&reason["code"], &reason["retryable"]), (&json!("tls"), &json!(false)), "{message}");
        assert!(message.contains(said) && message.contains(&format!("{issuer}/token")), "{message}");
        let next = reason["next"].as_str().unwrap();
        assert!(next.starts_with(step), "{next}");
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "it is no matter of waiting");
        // It is the renewal that is told to be broken, and not the way to the server.
        let document = setting.mcplink(&["doctor", "s", "--json"]).run().json();
        let seen = crate::setting::row(&document, "s");
        let check = |topic: &str| {
            let checks = seen["checks"].as_array().unwrap();
            checks
                .iter()
                .find(|check| check["topic"] == topic)
                .unwrap_or_else(|| panic!("{topic}: {seen:#}"))
                .clone()
        };
        assert_eq!(check("refresh")["state"], "bad", "{seen:#}");
        assert_eq!(seen["cause"]["check"], check("refresh")["number"], "{seen:#}");
        assert!(seen["cause"]["message"].as_str().unwrap().contains(said), "{seen:#}");
        // The sign-in is kept: with the right certificate it works on.
        assert_eq!(setting.run(&["accounts", "--json"], 0).json()["accounts"][0]["server"], "s");
    }
}

#[test]
fn fa_a92_a_certificate_of_the_client_is_shown_to_its_server_alone() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let port = mutual_tls_in_front_of(server.address(), "localhost", "client-authority.pem").port();
    let tls = |more: Value| {
        let mut tls = json!({ "ca": file("authority.pem") });
        tls.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        at(port, json!({ "tls": tls }))
    };
    let both = std::fs::read_to_string(file("client.pem")).unwrap()
        + &std::fs::read_to_string(file("client.key.pem")).unwrap();
    let mut setting = Setting::new();
    let both = setting.home.write("both.pem", both).unwrap().display().to_string();
    setting.write("own", tls(json!({ "cert": file("client.pem"), "key": file("client.key.pem") })));
    setting.write("one", tls(json!({ "cert": both })));
    setting.write("none", tls(json!({})));
    for name in ["own", "one"] {
        assert!(setting.run(&["call", name, "echo", "text=hello"], 0).stdout.contains("hello"));
    }
    let said = reason(&setting, "none");
    assert!(said.starts_with("tls ") && said.contains("wants a certificate of the client"), "{said}");
    // What cannot be used is told with file and field; the server hears nothing.
    let heard = server.requests().len();
    for (name, more, report) in [
        ("gone", json!({ "cert": "/nope/me.pem" }), "cannot be read"),
        ("keyless", json!({ "cert": file("client.pem") }), "no key"),
        (
            "other",
            json!({ "cert": file("client.pem"), "key": file("localhost.key.pem") }),
            "not the one of its certificate",
        ),
        ("key", json!({ "key": file("client.key.pem") }), "there is none"),
        ("word", json!({ "certificate": "x" }), "unknown field"),
        ("shape", json!({ "ca": 3 }), "expected a string"),
    ] {
        setting.write(name, tls(more));
        let said = reason(&setting, name);
        assert!(said.starts_with("config ") && said.contains(report), "{name}: {said}");
        assert!(
            said.contains(".claude.json:") && said.contains(&format!("mcpServers.{name}.tls.")),
            "{name}: {said}"
        );
    }
    assert_eq!(server.requests().len(), heard);
    let url = format!("https://localhost:{port}/mcp");
    let [ca, cert, key] = ["authority.pem", "client.pem", "client.key.pem"].map(file);
    setting.run(&["ping", &url, "--ca", &ca, "--cert", &cert, "--key", &key], 0);
}

/// A program of the system that serves until the test ends.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Its process; `None` where it is not installed, which is said.
fn served(program: &'static str, args: &[&str]) -> Option<Served> {
    let program = real_or_skip(system_program(program))?;
    let command = Command::new(program).args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    Some(Served(command.unwrap()))
}

/// OpenSSL's own server, which wants a certificate of the client and speaks no MCP: what is told is what happens in TLS.
#[test]
fn fa_a92_openssl_is_shown_the_certificate_and_what_it_refuses_is_told() {
    let [cert, key, client] = ["localhost.pem", "localhost.key.pem", "client-authority.pem"].map(file);
    let args = ["s_server", "-accept", "127.0.0.1:0", "-cert", &cert, "-key", &key, "-CAfile", &client];
    let more = ["-Verify", "1", "-verify_return_error", "-www"];
    let Some(mut server) = served("openssl", &[&args[..], &more[..]].concat()) else { return };
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.find_map(|line| line.strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok()).unwrap();
    // It must not wait for a reader of its output.
    std::thread::spawn(move || lines.for_each(drop));
    for (certificate, code, said) in [
        (json!({}), "tls", "wants a certificate of the client"),
        (
            json!({ "cert": file("self-signed.pem"), "key": file("self-signed.key.pem") }),
            "tls",
            "does not take",
        ),
        (
            json!({ "cert": file("client.pem"), "key": file("self-signed.key.pem") }),
            "config",
            "not the one of its",
        ),
        (json!({ "cert": file("client.pem"), "key": file("client.key.pem") }), "timeout", "no answer"),
    ] {
        let mut tls = json!({ "ca": file("authority.pem") });
        tls.as_object_mut().unwrap().extend(certificate.as_object().cloned().unwrap());
        let setting = Setting::of("s", at(port, json!({ "tls": tls })));
        let command = setting.mcplink(&["status", "s", "--json"]).env("MCP_TIMEOUT", "1500");
        let reason = row(&command.run().json(), "s")["reason"].clone();
        let message = reason["message"].as_str().unwrap();
        assert!(reason["code"] == code && message.contains(said), "{certificate}: {reason:#}");
        let step = reason["next"].as_str().unwrap();
        assert!(code != "tls" || step.starts_with("set `tls.cert` of s in "), "{certificate}: {step}");
    }
}

/// A SOCKS proxy that others wrote, with and without a password.
#[test]
fn fa_a44_microsocks_is_gone_through_and_asks_for_its_password() {
    let server = FakeMcpServer::start().unwrap();
    let free = || std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let (open, closed) = (free(), free());
    let (open_port, closed_port) = (open.to_string(), closed.to_string());
    let Some(_open) = served("microsocks", &["-i", "127.0.0.1", "-p", &open_port]) else { return };
    let Some(_closed) =
        served("microsocks", &["-i", "127.0.0.1", "-p", &closed_port, "-u", "ann", "-P", "canary-socks"])
    else {
        return;
    };
    let reached = |port: u16| {
        (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
    };
    assert!(reached(open) && reached(closed));
    for (proxy, code) in [
        (format!("socks5h://127.0.0.1:{open}"), 0),
        (format!("socks5://127.0.0.1:{open}"), 0),
        (format!("socks5h://ann:canary-socks@127.0.0.1:{closed}"), 0),
        (format!("socks5h://127.0.0.1:{closed}"), 4),
        (format!("socks5h://ann:canary-other@127.0.0.1:{closed}"), 4),
    ] {
        let entry = json!({ "type": "http", "url": server.url(), "proxy": proxy });
        let setting = Setting::of("s", entry);
        let output = setting.mcplink(&["status", "s", "--json"]).run().expect_code(code);
        assert!(!output.to_string().contains("canary"), "{output}");
        let reason = &row(&output.json(), "s")["reason"];
        assert!(code == 0 || reason["code"] == "proxy-auth", "{reason:#}");
    }
}

#[test]
fn fa_a44_a_proxy_of_one_server_goes_before_the_environment_and_takes_this_machine_too() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let proxy = ForwardProxy::start().unwrap();
    let port = server.address().port();
    let url = format!("http://mcp.test:{port}/mcp");
    let dead = "http://127.0.0.1:9";
    let through = proxy.url();
    let socks = through.replace("http://", "socks5h://");
    let mut setting = Setting::of("named", json!({ "type": "http", "url": url, "proxy": through }));
    setting.write("socks", json!({ "type": "http", "url": url, "proxy": socks }));
    setting.write("variable", json!({ "type": "http", "url": url, "proxy": "${OUR_PROXY}" }));
    setting.write("here", json!({ "type": "http", "url": server.url().as_str(), "proxy": through }));
    for name in ["named", "socks", "variable", "here"] {
        let asked = proxy.asked().len();
        let status = setting.mcplink(&["status", name]).env("OUR_PROXY", &through);
        let output = status.env("HTTP_PROXY", dead).env("NO_PROXY", "*").run().expect_code(0);
        assert!(proxy.asked().len() > asked, "{name}: {output}");
    }
    let asked = proxy.asked().len();
    // `none` goes past what the environment names.
    setting.write("none", json!({ "type": "http", "url": "http://mcp.test.invalid/mcp", "proxy": "none" }));
    let output = setting.mcplink(&["status", "none"]).env("HTTP_PROXY", &through).run().expect_code(4);
    assert!(!output.to_string().contains("proxy"), "{output}");
    // Loopback is not proxied unless the entry says so.
    setting.write("plain", json!({ "type": "http", "url": server.url().as_str() }));
    drop(
        setting
            .mcplink(&["status", "plain"])
            .env("HTTP_PROXY", dead)
            .env("ALL_PROXY", dead)
            .run()
            .expect_code(0),
    );
    assert_eq!(proxy.asked().len(), asked);
    // What fails is told with file and field, and without the password.
    let mut secret = url::Url::parse("http://ann@127.0.0.1:9").unwrap();
    secret.set_password(Some(&setting.home.secret("password"))).unwrap();
    setting.write("dead", json!({ "type": "http", "url": url, "proxy": secret.as_str() }));
    let said = reason(&setting, "dead");
    assert!(said.contains("no way through the proxy") && said.contains("mcpServers.dead.proxy"), "{said}");
    let wrong = secret.as_str().replacen("http://", "gopher://", 1);
    setting.write("wrong", json!({ "type": "http", "url": url, "proxy": wrong }));
    let said = reason(&setting, "wrong");
    assert!(said.starts_with("config ") && said.contains("mcpServers.wrong.proxy"), "{said}");
    setting.run(&["get", "dead", "-v"], 0);
    setting.run(&["ping", &url, "--proxy", &through], 0);
    setting.run(&["ping", &url, "--proxy", "none"], 4);
}

#[test]
fn fb_r52_cookies_are_sent_back_unless_the_entry_says_that_they_are_not() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let url = server.url();
    let mut setting = Setting::of("kept", json!({ "type": "http", "url": url.as_str() }));
    setting.write("none", json!({ "type": "http", "url": url.as_str(), "cookies": false, "ipv4": true }));
    setting.write("wrong", json!({ "type": "http", "url": url.as_str(), "cookies": "no" }));
    let busy = || ScriptedAnswer::Http(HttpAnswer::new(503).header("set-cookie", "lb=one; Path=/"));
    for (name, expected) in [("kept", true), ("none", false)] {
        let before = server.requests().len();
        server.next_answers_to("tools/list", [busy()]);
        setting.run(&["status", name], 0);
        let asked = server.requests();
        let sent = asked[before..].iter().any(|request| request.header("cookie") == Some("lb=one"));
        assert_eq!(sent, expected, "{name}");
    }
    assert!(reason(&setting, "wrong").contains("mcpServers.wrong.cookies"), "{}", reason(&setting, "wrong"));
}

/// The table of the documentation: each flag of mcp-remote with a line that has its equal, and each of these lines runs.
#[test]
fn fa_a76_each_line_of_the_table_from_mcp_remote_runs() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let sse = FakeMcpServer::builder().era(FakeEra::HttpSse).start().unwrap();
    let (guarded, issuer) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    issuer.protect_as(&guarded, ProtectedResource::new().any_audience());
    issuer.add_secret_client("abc", "s3cret-of-abc", "client_secret_basic");
    let setting = Setting::new();
    let file = setting.home.write("headers.txt", "# of a team\nX-Team: a\n").unwrap().display().to_string();
    let text = include_str!("../../../../docs/from-mcp-remote.md");
    let mut run = 0;
    for row in text.lines().filter(|line| line.contains("| `npx mcp-remote URL")) {
        let after = row.trim_end_matches(" |").rsplit_once("| `").unwrap().1.trim_end_matches('`');
        let url = match () {
            () if after.contains("-t sse") => sse.url(),
            () if after.contains("--client-credentials") => guarded.url(),
            () => server.url(),
        };
        let endpoint = issuer.url_of(AuthEndpoint::Token).unwrap().to_string();
        let line = after.replace("URL", url.as_str()).replace("FILE", &file);
        let line = line.replace("https://as.example/token", &endpoint);
        let (variables, line) = line.split_at(line.find("mcplink ").unwrap());
        let line = format!("{variables}{}{}", env!("CARGO_BIN_EXE_mcplink"), &line["mcplink".len()..]);
        let shell = Mcplink::new("/bin/sh", &setting.home).env("TOKEN", "from-the-variable");
        let shell = shell.env("MCP_CLIENT_SECRET", "s3cret-of-abc");
        if after.contains("mcplink login ") {
            let output = shell.args(["-c", &format!("{line} --non-interactive")]).run();
            assert!(output.code == Some(2) && !output.stderr.contains("--help"), "{after}: {output}");
            continue;
        }
        let mut bridge = shell.args(["-c", &line]).start();
        say(&mut bridge, INITIALIZE);
        response(&bridge, 0);
        assert_eq!(echo(&mut bridge, 1)["result"]["content"][0]["text"], "hello", "{after}");
        drop(bridge.wait().expect_code(0));
        run += 1;
    }
    assert!(run > 15, "{run}");
    assert_eq!(issuer.requests_to(AuthEndpoint::Token).len(), 1, "a client signs in on its own");
    let sent = server.recorder().matching(|request| request.header("authorization").is_some());
    assert!(sent.iter().all(|request| request.header("authorization") == Some("Bearer from-the-variable")));
    assert!(!sent.is_empty());
    assert!(!server.recorder().matching(|request| request.header("x-team") == Some("a")).is_empty());
}

#[test]
fn fa_a76_headers_of_a_file_are_sent_and_shown_nowhere_and_a_project_names_no_file() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let url = server.url();
    let entry = |file: &str| json!({ "type": "http", "url": url.as_str(), "headers": { "x-own": "entry" }, "headersFile": file });
    let mut setting = Setting::new();
    let token = setting.home.secret("token of a file");
    let text = format!("# a remark\r\nAuthorization: Bearer {token}\r\nX-Own: file\r\nX-From: ${{TEAM}}\r\n");
    let file = setting.home.write("headers.txt", text).unwrap().display().to_string();
    setting.write("own", entry(&file));
    let output = setting.mcplink(&["status", "own"]).env("TEAM", "blue").run().expect_code(0);
    assert!(!output.to_string().contains(&token), "{output}");
    let asked = server.requests();
    let last = asked.last().unwrap();
    assert_eq!(last.header("authorization"), Some(&*format!("Bearer {token}")));
    assert_eq!((last.header("x-own"), last.header("x-from")), (Some("entry"), Some("blue")));
    let shown = setting.run(&["get", "own", "-v"], 0).to_string();
    assert!(shown.contains("headersFile") && !shown.contains(&token), "{shown}");
    // What cannot be used is told with file and field, without what stands there.
    let asked = server.requests().len();
    let odd = setting.home.write("odd.txt", format!("{token}\n")).unwrap().display().to_string();
    for (file, report) in [("/nope/h.txt", "/nope/h.txt"), (&*odd, "line 1 of")] {
        setting.write("wrong", entry(file));
        let said = reason(&setting, "wrong");
        assert!(said.starts_with("config ") && said.contains(report) && !said.contains(&token), "{said}");
        assert!(said.contains("mcpServers.wrong.headersFile"), "{said}");
    }
    // A repository would name a file of the person, and the server that gets it.
    let cloned = Setting::new().project_file(json!({ "web": entry(&file) }));
    let output = cloned.mcplink(&["status", "web", "--json"]).run().expect_code(2);
    let said = row(&output.json(), "web")["reason"]["message"].as_str().unwrap().to_owned();
    assert!(said.contains(".mcp.json:") && said.contains("headersFile"), "{said}");
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn fa_a76_a_tool_that_is_blocked_on_the_command_line_is_neither_listed_nor_called() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let url = server.url().to_string();
    let setting = Setting::new();
    assert!(setting.run(&["tools", &url], 0).stdout.contains("echo"));
    let left = setting.run(&["tools", &url, "--block-tool", "ec*", "--block-tool", "other"], 0).stdout;
    assert!(!left.contains("echo"), "{left}");
    let called = server.count("tools/call");
    drop(setting.mcplink(&["call", &url, "echo", "text=x", "--block-tool", "ec*"]).run().expect_code(5));
    assert_eq!(server.count("tools/call"), called);
    for (option, value, said) in [
        ("--protocol", "old", "legacy, modern or auto"),
        ("--keep-alive", "soon", "a time such as 30s"),
        ("--authorize-param", "x", "NAME=VALUE"),
        ("-t", "ws", "http-only or sse-only"),
    ] {
        let output = setting.mcplink(&["ping", &url, option, value]).run().expect_code(2);
        assert!(output.stderr.contains(said), "{output}");
    }
}

/// What is set of the way is what is to be changed, and not the address beside it.
#[test]
fn fh_h5_where_the_one_way_that_is_allowed_fails_that_is_what_leads_on() {
    let of = |era: FakeEra| FakeMcpServer::builder().era(era).start().unwrap();
    let (legacy, modern, sse) = (of(FakeEra::Legacy), of(FakeEra::Modern), of(FakeEra::HttpSse));
    let url = |server: &FakeMcpServer| server.url().to_string();
    let alone = json!({ "fallback": false });
    for (address, kind, more, field, option) in [
        (url(&legacy), "http", json!({ "protocol": "modern" }), "protocol", &["--protocol", "modern"]),
        (url(&modern), "http", json!({ "protocol": "legacy" }), "protocol", &["--protocol", "legacy"]),
        (url(&sse), "http", alone.clone(), "fallback", &["-t", "http-only"]),
        (url(&modern), "sse", alone, "fallback", &["-t", "sse-only"]),
        ("http://[::1]:9/mcp".to_owned(), "http", json!({ "ipv4": true }), "ipv4", &["--ipv4", "-q"]),
    ] {
        let mut entry = json!({ "type": kind, "url": address.as_str() });
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let setting = Setting::of("x", entry);
        let reason = setting.status("x")["reason"].clone();
        let next = reason["next"].as_str().unwrap();
        assert!(next.starts_with(&format!("leave out `{field}` of x in /")), "{field}: {reason:#}");
        assert!(reason["message"].as_str().unwrap().contains("the entry allows"), "{reason:#}");
        let line = [&["status", &address, "--json"][..], &option[..]].concat();
        let typed = setting.mcplink(&line).run().json();
        let next = typed["servers"][0]["reason"]["next"].as_str().unwrap().to_owned();
        let expected = if field == "fallback" { "-t http" } else { option[0] };
        assert!(next.contains(expected), "{option:?}: {typed:#}");
    }
    // Without it the address is what is wrong, and a server that works has nothing to change.
    let lost = json!({ "type": "http", "url": legacy.url_of("/elsewhere").as_str(), "protocol": "legacy" });
    let lost = Setting::of("x", lost).status("x")["reason"].clone();
    assert!(lost["next"].as_str().unwrap().starts_with("correct `url`"), "{lost:#}");
    let fits = json!({ "type": "http", "url": url(&modern), "protocol": "modern", "fallback": false });
    assert_eq!(Setting::of("x", fits).status("x")["status"], "connected");
}
