//! What every test here needs.

use std::time::Duration;

use mcp_testkit::FakeMcpServer;
use mcp_transport::supervisor::StatusSnapshot;
use mcp_transport::{
    ClientInfo, ClientOptions, Connection, Connector, Endpoint, HttpEndpoint, RequestOptions, Server,
    SupervisorHandle, TransportError,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// How long anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Generous limits: a loaded machine must not fail a test.
pub(crate) fn options() -> ClientOptions {
    let mut options = ClientOptions::new(ClientInfo::new("it", "1.0"));
    options.connect_timeout = Duration::from_secs(20);
    options
}

pub(crate) fn connector() -> Connector {
    Connector::new(options())
}

pub(crate) fn target(server: &FakeMcpServer) -> Server {
    Server::new(Endpoint::Http(HttpEndpoint::new(server.url())))
}

pub(crate) async fn connect(server: &FakeMcpServer) -> Connection {
    connector().attempt(&target(server)).await.unwrap()
}

pub(crate) fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

/// Waits until a supervised server is as wanted.
pub(crate) async fn until(
    handle: &SupervisorHandle,
    wanted: impl Fn(&StatusSnapshot) -> bool,
) -> StatusSnapshot {
    let mut status = handle.status();
    let found = tokio::time::timeout(PATIENCE, status.wait_for(|snapshot| wanted(snapshot))).await;
    found.unwrap_or_else(|_| panic!("never; it is {:?}", handle.snapshot())).unwrap().clone()
}

/// Calls `echo` and returns the text that came back.
pub(crate) async fn echo(connection: &Connection, text: &str) -> Result<String, TransportError> {
    let arguments = raw(&json!({ "text": text }));
    let result = connection.call_tool("echo", Some(&arguments), &RequestOptions::new()).await?;
    Ok(text_of(&result))
}

/// That many calls at a time, each of which gets its own answer.
pub(crate) async fn echo_at_once(connection: &Connection, count: usize) {
    let call = |index: usize| {
        let connection = connection.clone();
        tokio::spawn(async move { echo(&connection, &index.to_string()).await })
    };
    let calls: Vec<_> = (0..count).map(call).collect();
    for (index, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().unwrap(), index.to_string());
    }
}

/// The text of the first content block.
pub(crate) fn text_of(result: impl AsRef<str>) -> String {
    let result: Value = serde_json::from_str(result.as_ref()).unwrap();
    result["content"][0]["text"].as_str().unwrap_or_default().to_owned()
}

/// The JSON-RPC methods that arrived, in order; `GET` and `DELETE` by their name.
pub(crate) fn methods(server: &FakeMcpServer) -> Vec<String> {
    server
        .requests()
        .iter()
        .map(|request| request.rpc_method().unwrap_or_else(|| request.method.to_string()))
        .collect()
}

pub(crate) fn no_violations(server: &FakeMcpServer) {
    assert_eq!(server.violations(), Vec::<String>::new());
}
