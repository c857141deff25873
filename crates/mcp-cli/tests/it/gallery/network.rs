//! The way to a server, and what answers at its end.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use mcp_status::ReasonCode::{
    Config, Moved, NotFound, Protocol, ProxyAuth, RateLimited, Rejected, Timeout, Tls, ToolsUnavailable,
    Unavailable, Unreachable, Version,
};
use mcp_testkit::{Answer, Era, FakeMcpServer, ForwardProxy, HttpAnswer};
use serde_json::{Value, json};

use super::{Broken, Expected, hold};
use crate::setting::http;
use crate::tls_front::{fixture, tls_in_front_of};

const WAIT: &str = "mcplink wait s";
const URL: &str = "correct `url` of s in *";
const NAMED: &str = "correct the entry of s in *";
const SERVER_NAME: &str = "correct `url` or `tls.serverName` of s in *";
const AUTHORITY: &str = "set `tls.ca` of s in *";
const OPERATOR: &str = "ask who runs the server";
const PROXY: &str = "correct the proxy of s in *";
const SOCKS: &str = "start or correct the proxy socks5h://*";

pub(super) const EXPECTED: &[Expected] = &[
    ("down", Some(Unreachable), "tcp", "no connection to http://127", WAIT),
    ("other-loopback", Some(Unreachable), "tcp", "something listens at 127.0.0.1", URL),
    ("no-such-host", Some(Unreachable), "dns", "no-such-host.invalid", URL),
    ("dead-proxy", Some(Unreachable), "tcp", "(HTTP_PROXY)", "start or correct the proxy http://*"),
    (
        "proxy-refuses",
        Some(Rejected),
        "proxy",
        "did not open the way to https://mcp.test",
        "correct the proxy http://*",
    ),
    (
        "proxy-password",
        Some(ProxyAuth),
        "proxy",
        "user and password stand in its URL",
        "correct the proxy http://*",
    ),
    ("socks-rules", Some(Unreachable), "proxy", "its rules do not allow this connection", SOCKS),
    ("not-socks", Some(Unreachable), "proxy", "it does not speak SOCKS", SOCKS),
    ("silent", Some(Timeout), "answer", "no answer", WAIT),
    ("restarting", Some(Unavailable), "answer", "(503)", WAIT),
    ("busy", Some(RateLimited), "answer", "(429)", WAIT),
    ("proxy-login", Some(ProxyAuth), "answer", "as a proxy does (407)", PROXY),
    ("no-tls-there", Some(Tls), "tls", "does not speak TLS", URL),
    ("tls-there", Some(Protocol), "tls", "speaks TLS: write https://", URL),
    ("self-signed", Some(Tls), "tls", "self-signed", AUTHORITY),
    ("other-name", Some(Tls), "tls", "not for other.test", SERVER_NAME),
    ("expired", Some(Tls), "tls", "the certificate of the server has expired", OPERATOR),
    ("not-yet-valid", Some(Tls), "tls", "the certificate of the server is not valid yet", OPERATOR),
    ("no-intermediate", Some(Tls), "tls", "it sends its own certificate alone", AUTHORITY),
    ("no-authority-file", Some(Config), "configuration", "mcpServers.s.tls.ca names", NAMED),
    ("wrong-path", Some(NotFound), "answer", "(404)", URL),
    ("moved", Some(Moved), "answer", "sends every request elsewhere (308)", URL),
    ("rejected", Some(Rejected), "answer", "(422)", NAMED),
    ("misdirected", Some(Rejected), "answer", "(421)", URL),
    ("breaks-off", Some(Unreachable), "answer", "broke off", WAIT),
    ("empty-answer", Some(Protocol), "handshake", "the answer is empty (200)", URL),
    ("not-http", Some(Protocol), "handshake", "begins with \"SSH-2.0", URL),
    ("http-2-only", Some(Protocol), "handshake", "HTTP/2 without TLS", URL),
    ("too-long", Some(Protocol), "handshake", "longer than 1024 bytes", URL),
    ("other-json", Some(Protocol), "handshake", "application/json that begins with", URL),
    ("web-page", Some(Protocol), "handshake", "does not speak MCP: a web page", URL),
    ("old-version", Some(Version), "handshake", "1999-01-01", "ask who runs the server"),
    ("no-list", Some(ToolsUnavailable), "tools", "the tools could not be listed", "ask who runs the server"),
];

/// A port of this machine at which nothing listens.
fn closed_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// The URL of a proxy that opens no tunnel.
fn refusing_proxy() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        }
    });
    url
}

/// A port that says this to each connection that says something.
fn port_that_says(answers: &'static [&'static [u8]]) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            for answer in answers {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer);
            }
        }
    });
    port
}

fn at(url: impl ToString) -> Value {
    json!({ "type": "http", "url": url.to_string() })
}

fn bring_about(name: &str) -> Broken {
    let server = Arc::new(FakeMcpServer::start().unwrap());
    let good = http(&server);
    let passing = |answer: Answer| {
        server.next_answers(vec![answer; 200]);
        let later = server.clone();
        Broken::of(good.clone()).meanwhile(move || {
            later.clear_script();
        })
    };
    let answering = |answer: Answer| {
        let other = FakeMcpServer::builder().always(answer).start().unwrap();
        Broken::of(http(&other)).holding(other)
    };
    let broken = match name {
        // No other set-up can be given this port.
        "down" => Broken::of(at("http://127.0.0.1:1/mcp")).elsewhere("connection refused", move |broken| {
            broken.setting.write("s", good.clone());
        }),
        // It is written for another family than the server listens in.
        "other-loopback" => Broken::of(at(format!("http://[::1]:{}/mcp", server.address().port())))
            .rewrite("write that in its url", good.clone()),
        "no-such-host" => Broken::of(at("http://no-such-host.invalid/mcp"))
            .elsewhere("no-such-host.invalid", move |broken| broken.setting.write("s", good.clone())),
        "dead-proxy" => Broken::of(at(format!("http://mcp.test:{}/mcp", server.address().port())))
            .with("HTTP_PROXY", format!("http://127.0.0.1:{}", closed_port()))
            .elsewhere("(HTTP_PROXY)", move |broken| {
                // It takes every name to this machine.
                let proxy = ForwardProxy::start().unwrap();
                broken.environment = vec![("HTTP_PROXY", proxy.url())];
                broken.held.push(Box::new(proxy));
            }),
        "proxy-refuses" => {
            let url = format!("https://mcp.test:{}/mcp", server.address().port());
            Broken::of(json!({ "type": "http", "url": url, "proxy": refusing_proxy() }))
                .rewrite("goes past it", good.clone())
        }
        "proxy-password" => {
            let proxy = ForwardProxy::start().unwrap();
            // `me:secret`
            proxy.want("Basic bWU6c2VjcmV0");
            // It takes every name to this machine.
            let through = |proxy: String| json!({ "type": "http", "url": format!("http://mcp.test:{}/mcp", server.address().port()), "proxy": proxy });
            let entry = through(proxy.url());
            let mended = through(proxy.url().replacen("http://", "http://me:secret@", 1));
            Broken::of(entry).holding(proxy).rewrite("before the host", mended)
        }
        "socks-rules" | "not-socks" => {
            // Version 5 without a password; then that its rules do not allow it (RFC 1928 section 6).
            let answers: &[&[u8]] = match name {
                "socks-rules" => &[b"\x05\x00", b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"],
                _ => &[b"HTTP/1.1 400 Bad Request\r\n\r\n"],
            };
            let named = if name == "socks-rules" { "its rules" } else { "does not speak SOCKS" };
            let proxy = format!("socks5h://127.0.0.1:{}", port_that_says(answers));
            Broken::of(json!({ "type": "http", "url": "http://mcp.test/mcp", "proxy": proxy }))
                .elsewhere(named, move |broken| broken.setting.write("s", good.clone()))
        }
        "silent" => passing(Answer::Hang).with("MCP_TIMEOUT", "1000"),
        "restarting" => passing(Answer::status(503)),
        "busy" => passing(Answer::status(429)),
        "proxy-login" => answering(Answer::proxy_auth()).rewrite("407", good.clone()),
        "no-tls-there" => Broken::of(at(server.url().as_str().replacen("http:", "https:", 1)))
            .rewrite("http://", good.clone()),
        "tls-there" => {
            let port = tls_in_front_of(server.address(), "localhost").port();
            let trusted = fixture("authority.pem").to_string_lossy().into_owned();
            Broken::of(at(format!("http://localhost:{port}/mcp")))
                .with("NODE_EXTRA_CA_CERTS", trusted)
                .rewrite("https://", at(format!("https://localhost:{port}/mcp")))
        }
        "self-signed" => {
            let port = tls_in_front_of(server.address(), "self-signed").port();
            Broken::of(at(format!("https://localhost:{port}/mcp"))).edit("tls.ca", move |broken| {
                let file = fixture("self-signed.pem").to_string_lossy().into_owned();
                let url = format!("https://localhost:{port}/mcp");
                broken.setting.write("s", json!({ "type": "http", "url": url, "tls": { "ca": file } }));
            })
        }
        "other-name" => {
            let port = tls_in_front_of(server.address(), "localhost").port();
            let trusted = fixture("authority.pem").to_string_lossy().into_owned();
            // It takes every name to this machine.
            let proxy = ForwardProxy::start().unwrap();
            Broken::of(at(format!("https://other.test:{port}/mcp")))
                .with("NODE_EXTRA_CA_CERTS", trusted)
                .with("HTTPS_PROXY", proxy.url())
                .holding(proxy)
                .rewrite("localhost", at(format!("https://localhost:{port}/mcp")))
        }
        "not-yet-valid" => {
            let port = tls_in_front_of(server.address(), "not-yet").port();
            Broken::of(at(format!("https://localhost:{port}/mcp")))
                .elsewhere("2120-01-01", move |broken| broken.setting.write("s", good.clone()))
        }
        "no-intermediate" => {
            let port = tls_in_front_of(server.address(), "no-intermediate").port();
            let file = |name: &str| fixture(name).to_string_lossy().into_owned();
            let with_those_between = file("corp-bundle.pem");
            Broken::of(at(format!("https://localhost:{port}/mcp")))
                .with("NODE_EXTRA_CA_CERTS", file("corp-root.pem"))
                .edit("tls.ca", move |broken| {
                    let url = format!("https://localhost:{port}/mcp");
                    let tls = json!({ "ca": with_those_between });
                    broken.setting.write("s", json!({ "type": "http", "url": url, "tls": tls }));
                })
        }
        "no-authority-file" => {
            let port = tls_in_front_of(server.address(), "localhost").port();
            let trusting = |file: String| json!({ "type": "http", "url": format!("https://localhost:{port}/mcp"), "tls": { "ca": file } });
            let right = fixture("authority.pem").to_string_lossy().into_owned();
            Broken::of(trusting("/no/such/authority.pem".to_owned()))
                .rewrite("/no/such/authority.pem", trusting(right))
        }
        "expired" => {
            let port = tls_in_front_of(server.address(), "expired").port();
            let trusted = fixture("authority.pem").to_string_lossy().into_owned();
            Broken::of(at(format!("https://localhost:{port}/mcp")))
                .with("NODE_EXTRA_CA_CERTS", trusted)
                .elsewhere("expired", move |broken| broken.setting.write("s", good.clone()))
        }
        "wrong-path" => Broken::of(at(server.url().join("/mcpp").unwrap())).rewrite("/mcpp", good.clone()),
        "moved" => answering(Answer::redirect(308, server.url().to_string())).rewrite("moved", good.clone()),
        "misdirected" => answering(Answer::status(421)).rewrite("421", good.clone()),
        "breaks-off" => passing(Answer::Drop),
        "empty-answer" => {
            answering(Answer::Http(HttpAnswer::new(200))).rewrite("the answer is empty", good.clone())
        }
        "not-http" => Broken::of(at(format!("http://127.0.0.1:{}/mcp", port_that_says(&[b"SSH-2.0-x\r\n"]))))
            .rewrite("SSH-2.0", good.clone()),
        "http-2-only" => {
            // Its settings, and that it does not go on with a peer that says something else (RFC 9113 section 3.4).
            let answers: &[&[u8]] =
                &[b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"];
            Broken::of(at(format!("http://127.0.0.1:{}/mcp", port_that_says(answers))))
                .rewrite("HTTP/2 without TLS", good.clone())
        }
        "too-long" => {
            let talkative = FakeMcpServer::builder().instructions("much ".repeat(400)).start().unwrap();
            let mut entry = http(&talkative);
            entry["limits"] = json!({ "handshakeBytes": 1024 });
            let mended = http(&talkative);
            Broken::of(entry).holding(talkative).rewrite("limits.handshakeBytes", mended)
        }
        "rejected" => answering(Answer::status(422)).rewrite("422", good.clone()),
        "other-json" => answering(Answer::json(json!({ "hello": "world" }))).rewrite("hello", good.clone()),
        "web-page" => {
            answering(Answer::Http(HttpAnswer::new(200).body("text/html", "<html><title>Home</title>")))
                .rewrite("a web page titled", good.clone())
        }
        "old-version" => {
            let old = FakeMcpServer::builder().era(Era::Legacy).initialize_version("1999-01-01").start();
            let old = old.unwrap();
            let good = good.clone();
            Broken::of(http(&old))
                .holding(old)
                .elsewhere("1999-01-01", move |broken| broken.setting.write("s", good))
        }
        "no-list" => {
            let other = Arc::new(FakeMcpServer::start().unwrap());
            other.always_to("tools/list", Answer::RpcError { code: -32603, message: "rebuilding".into() });
            Broken::of(http(&other)).holding(other).elsewhere("rebuilding", move |broken| {
                broken.setting.write("s", good.clone());
            })
        }
        other => panic!("{other}"),
    };
    broken.holding(server)
}

#[test]
fn fa_a85_a87_a89_a90_a93_gallery_of_the_way() {
    hold(EXPECTED, bring_about);
}
