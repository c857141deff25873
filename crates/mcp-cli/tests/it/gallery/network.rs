//! The way to a server, and what answers at its end.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use mcp_status::ReasonCode::{
    Moved, NotFound, Protocol, ProxyAuth, RateLimited, Rejected, Timeout, Tls, ToolsUnavailable, Unavailable,
    Unreachable, Version,
};
use mcp_testkit::{Answer, Era, FakeMcpServer, ForwardProxy, HttpAnswer};
use serde_json::{Value, json};

use super::{Broken, Expected, hold};
use crate::setting::http;
use crate::tls_front::{fixture, tls_in_front_of};

const WAIT: &str = "mcplink wait s";
const SHOW: &str = "mcplink get s";

pub(super) const EXPECTED: &[Expected] = &[
    ("down", Some(Unreachable), "tcp", "no connection to http://127", WAIT),
    ("no-such-host", Some(Unreachable), "dns", "no-such-host.invalid", WAIT),
    ("dead-proxy", Some(Unreachable), "tcp", "no way through the proxy", WAIT),
    ("proxy-refuses", Some(Rejected), "proxy", "did not open the way to https://mcp.test", SHOW),
    ("silent", Some(Timeout), "answer", "no answer", WAIT),
    ("restarting", Some(Unavailable), "answer", "(503)", WAIT),
    ("busy", Some(RateLimited), "answer", "(429)", WAIT),
    ("proxy-login", Some(ProxyAuth), "answer", "as a proxy does (407)", SHOW),
    ("no-tls-there", Some(Tls), "tls", "does not speak TLS", SHOW),
    ("tls-there", Some(Protocol), "tls", "speaks TLS: write https://", SHOW),
    ("self-signed", Some(Tls), "tls", "self-signed", SHOW),
    ("other-name", Some(Tls), "tls", "not for other.test", SHOW),
    ("expired", Some(Tls), "tls", "the certificate of the server has expired", SHOW),
    ("wrong-path", Some(NotFound), "answer", "(404)", SHOW),
    ("moved", Some(Moved), "answer", "sends every request elsewhere (308)", SHOW),
    ("rejected", Some(Rejected), "answer", "(422)", SHOW),
    ("other-json", Some(Protocol), "handshake", "application/json that begins with", SHOW),
    ("web-page", Some(Protocol), "handshake", "does not speak MCP: a web page", SHOW),
    ("old-version", Some(Version), "handshake", "1999-01-01", SHOW),
    ("no-list", Some(ToolsUnavailable), "tools", "the tools could not be listed", SHOW),
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
            Broken::of(at(format!("https://localhost:{port}/mcp"))).edit("NODE_EXTRA_CA_CERTS", |broken| {
                let file = fixture("self-signed.pem").to_string_lossy().into_owned();
                broken.environment.push(("NODE_EXTRA_CA_CERTS", file));
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
        "expired" => {
            let port = tls_in_front_of(server.address(), "expired").port();
            let trusted = fixture("authority.pem").to_string_lossy().into_owned();
            Broken::of(at(format!("https://localhost:{port}/mcp")))
                .with("NODE_EXTRA_CA_CERTS", trusted)
                .elsewhere("expired", move |broken| broken.setting.write("s", good.clone()))
        }
        "wrong-path" => Broken::of(at(server.url().join("/mcpp").unwrap())).rewrite("/mcpp", good.clone()),
        "moved" => answering(Answer::redirect(308, server.url().to_string())).rewrite("moved", good.clone()),
        "rejected" => answering(Answer::status(422)).rewrite("422", good.clone()),
        "other-json" => answering(Answer::json(json!({ "hello": "world" }))).rewrite("hello", good.clone()),
        "web-page" => {
            answering(Answer::Http(HttpAnswer::new(200).body("text/html", "<html><title>Home</title>")))
                .rewrite("a web page titled", good.clone())
        }
        "old-version" => {
            let old = FakeMcpServer::builder().era(Era::Legacy).initialize_version("1999-01-01").start();
            let old = old.unwrap();
            Broken::of(http(&old)).holding(old).rewrite("1999-01-01", good.clone())
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
