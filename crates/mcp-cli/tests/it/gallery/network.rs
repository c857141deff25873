//! The way to a server, and what answers at its end.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use mcp_status::ReasonCode::{
    Config, Moved, NotFound, Protocol, ProxyAuth, RateLimited, Rejected, Timeout, Tls, ToolsUnavailable,
    Unavailable, Unreachable, Version,
};
use mcp_testkit::{Accept, FakeEra, FakeMcpServer, ForwardProxy, HttpAnswer, Refusal, ScriptedAnswer};
use serde_json::{Value, json};

use super::mend::Field;
use super::{Broken, Expected, hold};
use crate::setting::http;
use crate::tls_front::{fixture, tls_in_front_of};

const WAIT: &str = "mcplink wait s";
const URL: &str = "correct `url` of s in *";
const REQUEST: &str = "correct `url` or `headers` of s in *";
const LIMITS: &str = "set `limits` of s in *";
const SERVER_NAME: &str = "correct `url` or `tls.serverName` of s in *";
const AUTHORITY: &str = "set `tls.ca` of s in *";
const OPERATOR: &str = "ask the operator of the server";
const PROXY: &str = "correct `url` or `proxy` of s in *";
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
        "did not open the way to https://localhost",
        "correct the proxy http://*",
    ),
    (
        "proxy-password",
        Some(ProxyAuth),
        "proxy",
        "user and password go in its URL",
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
    ("no-authority-file", Some(Config), "configuration", "mcpServers.s.tls.ca names", AUTHORITY),
    ("wrong-path", Some(NotFound), "answer", "(404)", URL),
    ("moved", Some(Moved), "answer", "sends every request elsewhere (308)", URL),
    ("rejected", Some(Rejected), "answer", "(422)", REQUEST),
    ("misdirected", Some(Rejected), "answer", "(421)", URL),
    ("breaks-off", Some(Unreachable), "answer", "broke off", WAIT),
    ("empty-answer", Some(Protocol), "handshake", "the answer is empty (200)", URL),
    ("not-http", Some(Protocol), "handshake", "begins with \"SSH-2.0", URL),
    ("http-2-only", Some(Protocol), "handshake", "HTTP/2 without TLS", URL),
    ("too-long", Some(Protocol), "handshake", "longer than 1024 bytes", LIMITS),
    ("other-json", Some(Protocol), "handshake", "application/json that begins with", URL),
    ("web-page", Some(Protocol), "handshake", "does not speak MCP: a web page", URL),
    ("old-version", Some(Version), "handshake", "1999-01-01", "ask the operator of the server"),
    (
        "no-list",
        Some(ToolsUnavailable),
        "tools",
        "the tools could not be listed",
        "ask the operator of the server",
    ),
];

/// An address of this machine at which nothing listens until it is started, and then `server`. No other test has a server at
/// addresses like it.
fn down(server: SocketAddr) -> (impl FnOnce() + Send + 'static, SocketAddr) {
    let address = TcpListener::bind(("127.77.0.1", 0)).unwrap().local_addr().unwrap();
    let start = move || {
        let listener = TcpListener::bind(address).unwrap();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(other) = TcpStream::connect(server) else { break };
                for (mut from, mut to) in [(client.try_clone(), other.try_clone()), (Ok(other), Ok(client))]
                    .map(|(a, b)| (a.unwrap(), b.unwrap()))
                {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
            }
        });
    };
    (start, address)
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
    let url = server.url().to_string();
    let passing = |answer: ScriptedAnswer| {
        server.next_answers(vec![answer; 200]);
        let later = server.clone();
        Broken::of(good.clone()).meanwhile(move || {
            later.clear_script();
        })
    };
    let answering = |answer: ScriptedAnswer| {
        let other = FakeMcpServer::builder().always(answer).start().unwrap();
        Broken::of(http(&other)).holding(other)
    };
    let broken = match name {
        "down" => {
            let (start, address) = down(server.address());
            Broken::of(at(format!("http://{address}/mcp"))).meanwhile(start)
        }
        // It is written for another family than the server listens in.
        "other-loopback" => Broken::of(at(format!("http://[::1]:{}/mcp", server.address().port())))
            .fields([Field::set("url", url).named("write that in its url")]),
        "no-such-host" => Broken::of(at("http://no-such-host.invalid/mcp")).fields([Field::set("url", url)]),
        // The proxy is started, as the words say. It takes every name to this machine.
        "dead-proxy" => {
            let proxy = ForwardProxy::start().unwrap();
            let (start, address) = down(proxy.address());
            Broken::of(at(format!("http://mcp.test:{}/mcp", server.address().port())))
                .with("HTTP_PROXY", format!("http://{address}"))
                .holding(proxy)
                .started(start)
        }
        "proxy-refuses" => {
            let port = tls_in_front_of(server.address(), "localhost").port();
            let mut entry = at(format!("https://localhost:{port}/mcp"));
            entry["proxy"] = json!(refusing_proxy());
            Broken::of(entry)
                .with("NODE_EXTRA_CA_CERTS", fixture("authority.pem").to_string_lossy())
                .fields([Field::told("proxy", "none")])
        }
        "proxy-password" => {
            let proxy = ForwardProxy::start().unwrap();
            // `me:secret`
            proxy.want("Basic bWU6c2VjcmV0");
            // It takes every name to this machine.
            let entry = json!({ "type": "http", "url": format!("http://mcp.test:{}/mcp", server.address().port()),
                "proxy": proxy.url() });
            let with_password = proxy.url().replacen("http://", "http://me:secret@", 1);
            Broken::of(entry).holding(proxy).fields([Field::set("proxy", with_password)])
        }
        "socks-rules" | "not-socks" => {
            // Version 5 without a password; then that its rules do not allow it (RFC 1928 section 6).
            let answers: &[&[u8]] = match name {
                "socks-rules" => &[b"\x05\x00", b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"],
                _ => &[b"HTTP/1.1 400 Bad Request\r\n\r\n"],
            };
            let proxy = format!("socks5h://127.0.0.1:{}", port_that_says(answers));
            let right = ForwardProxy::start().unwrap();
            let mended = Field::set("proxy", right.url().replacen("http://", "socks5h://", 1));
            let url = format!("http://mcp.test:{}/mcp", server.address().port());
            Broken::of(json!({ "type": "http", "url": url, "proxy": proxy })).holding(right).fields([mended])
        }
        "silent" => passing(ScriptedAnswer::Hang).with("MCP_TIMEOUT", "1000"),
        "restarting" => passing(ScriptedAnswer::status(503)),
        "busy" => passing(ScriptedAnswer::status(429)),
        "proxy-login" => answering(ScriptedAnswer::proxy_auth()).fields([Field::set("url", url)]),
        "no-tls-there" => Broken::of(at(server.url().as_str().replacen("http:", "https:", 1)))
            .fields([Field::set("url", url)]),
        "tls-there" => {
            let port = tls_in_front_of(server.address(), "localhost").port();
            let trusted = fixture("authority.pem").to_string_lossy().into_owned();
            Broken::of(at(format!("http://localhost:{port}/mcp")))
                .with("NODE_EXTRA_CA_CERTS", trusted)
                .fields([Field::set("url", format!("https://localhost:{port}/mcp"))])
        }
        "self-signed" => {
            let port = tls_in_front_of(server.address(), "self-signed").port();
            let file = fixture("self-signed.pem").to_string_lossy().into_owned();
            Broken::of(at(format!("https://localhost:{port}/mcp"))).fields([Field::set("tls.ca", file)])
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
                .fields([Field::set("url", format!("https://localhost:{port}/mcp"))])
        }
        // Who runs the server puts another certificate in the place of the one that it has.
        "not-yet-valid" | "expired" => {
            let folder = tempfile::tempdir().unwrap();
            let own = folder.path().join("own");
            let have = {
                let own = own.clone();
                move |name: &str| {
                    for end in ["pem", "key.pem"] {
                        std::fs::copy(fixture(&format!("{name}.{end}")), own.with_extension(end)).unwrap();
                    }
                }
            };
            have(if name == "expired" { "expired" } else { "not-yet" });
            let port = tls_in_front_of(server.address(), &own.to_string_lossy()).port();
            let trusted = fixture("authority.pem").to_string_lossy().into_owned();
            let named = if name == "expired" { "has expired" } else { "is not valid yet" };
            Broken::of(at(format!("https://localhost:{port}/mcp")))
                .with("NODE_EXTRA_CA_CERTS", trusted)
                .holding(folder)
                .elsewhere(named, move |_| have("localhost"))
        }
        "no-intermediate" => {
            let port = tls_in_front_of(server.address(), "no-intermediate").port();
            let file = |name: &str| fixture(name).to_string_lossy().into_owned();
            let with_those_between = file("corp-bundle.pem");
            Broken::of(at(format!("https://localhost:{port}/mcp")))
                .with("NODE_EXTRA_CA_CERTS", file("corp-root.pem"))
                .fields([Field::set("tls.ca", with_those_between)])
        }
        "no-authority-file" => {
            let port = tls_in_front_of(server.address(), "localhost").port();
            let mut entry = at(format!("https://localhost:{port}/mcp"));
            entry["tls"] = json!({ "ca": "/no/such/authority.pem" });
            let right = fixture("authority.pem").to_string_lossy().into_owned();
            Broken::of(entry).fields([Field::set("tls.ca", right)])
        }
        "wrong-path" => Broken::of(at(server.url().join("/mcpp").unwrap())).fields([Field::set("url", url)]),
        "moved" => answering(ScriptedAnswer::redirect(308, url.clone())).fields([Field::told("url", url)]),
        "misdirected" => answering(ScriptedAnswer::status(421)).fields([Field::set("url", url)]),
        "breaks-off" => passing(ScriptedAnswer::Drop),
        "empty-answer" => {
            answering(ScriptedAnswer::Http(HttpAnswer::new(200))).fields([Field::set("url", url)])
        }
        "not-http" => Broken::of(at(format!("http://127.0.0.1:{}/mcp", port_that_says(&[b"SSH-2.0-x\r\n"]))))
            .fields([Field::set("url", url)]),
        "http-2-only" => {
            // Its settings, and that it does not go on with a peer that says something else (RFC 9113 section 3.4).
            let answers: &[&[u8]] =
                &[b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"];
            Broken::of(at(format!("http://127.0.0.1:{}/mcp", port_that_says(answers))))
                .fields([Field::set("url", url)])
        }
        "too-long" => {
            let talkative = FakeMcpServer::builder().instructions("much ".repeat(400)).start().unwrap();
            let mut entry = http(&talkative);
            entry["limits"] = json!({ "handshakeBytes": 1024 });
            Broken::of(entry).holding(talkative).fields([Field::set("limits.handshakeBytes", 1 << 20)])
        }
        // What is wrong with a request is for the server to say.
        "rejected" => {
            let says = Refusal::status(422).body("text/plain", "the header X-Team is missing");
            let strict = FakeMcpServer::builder()
                .accept(Accept::header("X-Team", "a"))
                .refuse_with(says)
                .start()
                .unwrap();
            let team = Field::set("headers", json!({ "X-Team": "a" })).named("the header X-Team");
            Broken::of(http(&strict)).holding(strict).fields([team])
        }
        "other-json" => {
            answering(ScriptedAnswer::json(json!({ "hello": "world" }))).fields([Field::set("url", url)])
        }
        "web-page" => answering(ScriptedAnswer::Http(
            HttpAnswer::new(200).body("text/html", "<html><title>Home</title>"),
        ))
        .fields([Field::set("url", url)]),
        "old-version" => {
            let old = FakeMcpServer::builder().era(FakeEra::Legacy).initialize_version("1999-01-01").start();
            let old = old.unwrap();
            // A newer one is put in its place.
            let port = old.address().port();
            let mut old = Some(old);
            Broken::of(http(old.as_ref().unwrap())).elsewhere("1999-01-01", move |broken| {
                drop(old.take());
                broken.held.push(Box::new(FakeMcpServer::builder().port(port).start().unwrap()));
            })
        }
        "no-list" => {
            let other = Arc::new(FakeMcpServer::start().unwrap());
            other.always_to(
                "tools/list",
                ScriptedAnswer::RpcError { code: -32603, message: "rebuilding".into() },
            );
            Broken::of(http(&other)).holding(other.clone()).elsewhere("rebuilding", move |_| {
                other.always_to("tools/list", ScriptedAnswer::Honest);
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
