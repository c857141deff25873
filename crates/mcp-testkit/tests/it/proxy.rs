//! Each fault of the proxy, once, by way of the fake MCP server.

use std::io;
use std::net::TcpStream;

use mcp_testkit::{FakeMcpServer, Fault, FlakyProxy};
use serde_json::json;

use crate::raw::{self, Connection};

fn list(proxy: &FlakyProxy) -> io::Result<raw::Response> {
    let (headers, body) = raw::modern_parts("tools/list", json!({}));
    let headers: Vec<_> = headers.iter().map(|(key, value)| (*key, value.as_str())).collect();
    raw::post(proxy.address(), &headers, &body)
}

#[test]
fn every_fault_is_what_it_says() {
    let server = FakeMcpServer::start().unwrap();
    let proxy = FlakyProxy::start(server.address()).unwrap();
    assert_eq!(list(&proxy).unwrap().json()["result"]["tools"].as_array().unwrap().len(), 5);
    let whole = list(&proxy).unwrap().body.len();

    proxy.fault(Fault::Reset);
    let reset = list(&proxy).unwrap_err();
    // Which of the two depends on whether the reset arrives before or after the second write.
    assert!(matches!(reset.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), "{reset}");
    assert_eq!(server.count("tools/list"), 2, "the request never arrived");

    proxy.fault(Fault::BadGateway);
    assert_eq!(list(&proxy).unwrap().status, 502);

    proxy.fault(Fault::TruncateAfter(200));
    let truncated = list(&proxy).unwrap();
    assert!(!truncated.complete && truncated.body.len() < whole);
    assert_eq!(server.count("tools/list"), 3);

    proxy.fault(Fault::ResetAfter(40));
    let reset = list(&proxy).unwrap_err();
    assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset, "{reset}");

    proxy.go_down();
    assert!(TcpStream::connect(proxy.address()).is_err());
    proxy.come_up().unwrap();
    proxy.fault(Fault::None);
    assert_eq!(list(&proxy).unwrap().status, 200);
    assert_eq!(proxy.url_for(&server.url()).port(), Some(proxy.address().port()));
}

#[test]
fn a_stalled_connection_stays_open_and_silent() {
    let server = FakeMcpServer::start().unwrap();
    let proxy = FlakyProxy::start(server.address()).unwrap();
    proxy.fault(Fault::StallAfter(30));
    let (headers, body) = raw::modern_parts("tools/list", json!({}));
    let headers: Vec<_> = headers.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let mut connection = Connection::open(proxy.address()).unwrap();
    connection.read_timeout(std::time::Duration::from_millis(150));
    connection.send("POST", "/mcp", &[&raw::MEDIA, headers.as_slice()].concat(), &body);
    let silence = connection.head().unwrap_err();
    assert!(matches!(silence.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{silence}");
    // And it does not keep the proxy from ending.
    drop(proxy);
}
