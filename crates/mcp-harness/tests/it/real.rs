//! The real servers start, answer, and end with their handles.

use std::net::{SocketAddr, TcpStream};

use mcp_harness::{RealServer, RunningServer, process_is_alive, real_or_skip};
use serde_json::json;

use crate::raw;

fn address(server: &RunningServer) -> SocketAddr {
    server.url().socket_addrs(|| None).unwrap()[0]
}

fn server_name(server: &RunningServer, more: &[(&str, &str)]) -> String {
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "raw", "version": "0" } });
    let answer = raw::post(address(server), more, &raw::rpc("initialize", params)).unwrap();
    let message = if answer.header("content-type").unwrap().starts_with("text/event-stream") {
        answer.events().remove(0)
    } else {
        answer.json()
    };
    message["result"]["serverInfo"]["name"]
        .as_str()
        .unwrap_or_else(|| panic!("{message}\n{}", server.log()))
        .to_owned()
}

#[test]
fn everything_answers_on_loopback_and_ends_with_its_handle() {
    let Some(everything) = real_or_skip(RealServer::everything()) else { return };
    let server = everything.start_http();
    assert_eq!(server_name(&server, &[]), "mcp-servers/everything");
    let (address, pid) = (address(&server), server.pid());
    assert!(address.ip().is_loopback());
    drop(server);
    assert!(!process_is_alive(pid));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn the_python_server_answers_in_each_of_its_modes() {
    let Some(python) = real_or_skip(RealServer::python()) else { return };
    for arguments in [vec![], vec!["--json"], vec!["--stateless"]] {
        let server = python.clone().http_args(arguments.iter().copied()).start_http();
        assert_eq!(server_name(&server, &[]), "python-fixture", "{arguments:?}");
    }
    let guarded = python.http_args(["--token", "T"]).start_http();
    let refused = raw::post(address(&guarded), &[], b"{}").unwrap();
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(server_name(&guarded, &[("Authorization", "Bearer T")]), "python-fixture");
}
