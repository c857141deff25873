//! The official SDK over a connection of ours.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_rmcp::RmcpTransport;
use mcp_status::ServerStatus;
use mcp_testkit::{Accept, FakeEra, FakeMcpServer, FakeTool, ScriptedAnswer};
use mcp_transport::connect::ConnectPolicy;
use mcp_transport::{
    ClientInfo, ClientOptions, Connector, Endpoint, HttpEndpoint, Server, StdioEndpoint, TransportErrorKind,
};
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientConfig, ClientRequest, ElicitRequestParams,
    ElicitResult, ElicitationAction, ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt, NotificationContext, PeerRequestOptions,
    RequestContext, RunningService,
};
use rmcp::{ClientHandler, ErrorData, RoleClient, ServiceError, ServiceExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;

#[path = "../examples/rmcp_client.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod example;

fn connector() -> Connector {
    let mut options = ClientOptions::new(ClientInfo::new("it", "1.0"));
    // A loaded machine must not fail a test.
    options.connect_timeout = Duration::from_secs(20);
    Connector::new(options)
}

fn target(server: &FakeMcpServer) -> Server {
    Server::new(Endpoint::Http(HttpEndpoint::new(server.url())))
}

/// The JSON-RPC methods that arrived, in order; `GET` and `DELETE` by their name.
fn methods(server: &FakeMcpServer) -> Vec<String> {
    let name = |request: &mcp_testkit::RecordedRequest| {
        request.rpc_method().unwrap_or_else(|| request.method.to_string())
    };
    server.requests().iter().map(name).collect()
}

fn no_violations(server: &FakeMcpServer) {
    assert_eq!(server.violations(), Vec::<String>::new());
}

/// The handler of the SDK: accepts what it is asked, and tells what it hears.
#[derive(Clone)]
struct Listening(mpsc::UnboundedSender<String>);

impl ClientHandler for Listening {
    fn get_info(&self) -> ClientConfig {
        let info = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "elicitation": { "form": {} } },
            "clientInfo": { "name": "sdk-user", "version": "7" },
        });
        serde_json::from_value(info).unwrap()
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(json!({ "name": "Ada" })))
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.0.send(format!("progress {}", params.progress)).unwrap();
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.0.send("tools changed".to_owned()).unwrap();
    }
}

fn transport(server: Server) -> RmcpTransport {
    RmcpTransport::new(connector(), server, ConnectPolicy::one_shot().without_tools())
}

async fn client(
    server: &FakeMcpServer,
) -> (RunningService<RoleClient, Listening>, mpsc::UnboundedReceiver<String>) {
    let (sender, heard) = mpsc::unbounded_channel();
    (Listening(sender).serve(transport(target(server))).await.unwrap(), heard)
}

fn call(tool: &'static str, arguments: Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments.as_object().unwrap().clone())
}

fn text(result: &CallToolResult) -> &str {
    &result.content[0].as_text().unwrap().text
}

#[tokio::test]
async fn the_example_renews_its_credentials_and_tells_a_status() {
    let server = FakeMcpServer::start().unwrap();
    let mut out = Vec::new();
    example::run(&server, &mut out).await.unwrap();
    let expected = "connected, 5 tools\n\
        the server refused token-1, and answered with token-2: hello\n\
        the server refuses everything: needs-auth, because the server refused the credentials\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    no_violations(&server);
}

#[tokio::test]
async fn both_eras_look_the_same_to_the_sdk() {
    for era in [FakeEra::Legacy, FakeEra::Modern, FakeEra::HttpSse] {
        let ask = json!({
            "message": "who?",
            "requestedSchema": { "type": "object", "properties": { "name": { "type": "string" } } },
        });
        let mut tools = FakeTool::standard();
        tools.push(FakeTool::asking("ask", "elicitation/create", ask));
        let server = FakeMcpServer::builder().era(era).instructions("be kind").tools(tools).start().unwrap();
        let (client, mut heard) = client(&server).await;
        let peer = client.peer_info().unwrap();
        assert_eq!(peer.instructions.as_deref(), Some("be kind"), "{era:?}");
        assert_eq!(client.list_all_tools().await.unwrap().len(), 6);
        assert_eq!(text(&client.call_tool(call("echo", json!({ "text": "ä" }))).await.unwrap()), "ä");
        let answered = client.call_tool(call("ask", json!({}))).await.unwrap();
        assert!(text(&answered).contains("Ada"), "{era:?}: {answered:?}");
        client.call_tool(call("slow", json!({ "steps": 2, "delay_ms": 1 }))).await.unwrap();
        assert_eq!([heard.recv().await.unwrap(), heard.recv().await.unwrap()], ["progress 1", "progress 2"]);
        server.wait_for_streams(1).await;
        server.push_tools_changed();
        assert_eq!(heard.recv().await.unwrap(), "tools changed", "{era:?}");
        let error = client.call_tool(call("missing", json!({}))).await.unwrap_err();
        assert!(matches!(error, ServiceError::McpError(_)), "the server's own words: {error:?}");
        client.cancel().await.unwrap();
        no_violations(&server);
        let opening = if era == FakeEra::Modern { "server/discover" } else { "initialize" };
        let opening = server.recorder().matching(|request| request.rpc_method().as_deref() == Some(opening));
        assert!(opening[0].json().unwrap().to_string().contains("sdk-user"), "{era:?}");
    }
}

#[tokio::test]
async fn the_lifecycle_of_the_sdk_falls_back_to_a_handshake() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let auto = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: None,
    };
    let client = ().serve_with_lifecycle(transport(target(&server)), auto).await.unwrap();
    assert_eq!(client.peer_info().unwrap().protocol_version, ProtocolVersion::V_2025_11_25);
    client.cancel().await.unwrap();
    no_violations(&server);
}

#[tokio::test]
async fn a_request_that_is_given_up_is_cancelled_on_the_wire() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let (client, _heard) = client(&server).await;
    server.next_answers_to("tools/call", [ScriptedAnswer::Hang]);
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(call("echo", json!({ "text": "x" }))));
    let handle = client.send_cancellable_request(request, PeerRequestOptions::no_options()).await.unwrap();
    server.recorder().wait_for("tools/call", 1).await;
    handle.cancel(None).await.unwrap();
    server.recorder().wait_for("notifications/cancelled", 1).await;
    let id = |method: &str, pointer: &str| {
        let requests = server.recorder().matching(|request| request.rpc_method().as_deref() == Some(method));
        requests[0].json().unwrap().pointer(pointer).cloned().unwrap()
    };
    assert_eq!(id("notifications/cancelled", "/params/requestId"), id("tools/call", "/id"));
    let echoed = client.call_tool(call("echo", json!({ "text": "next" }))).await.unwrap();
    assert_eq!(text(&echoed), "next");
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_refused_handshake_says_why_and_the_observer_sees_the_status() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let transport = transport(target(&server)).with_observer({
        let seen = seen.clone();
        move |machine, _| seen.lock().unwrap().push(machine.status())
    });
    let error = ().serve(transport).await.unwrap_err();
    let ClientInitializeError::TransportError { error, .. } = error else { panic!("{error:?}") };
    let error = error.downcast::<RmcpTransport, RoleClient>().unwrap();
    assert!(matches!(error.kind(), TransportErrorKind::Challenged { status: 401, .. }), "{error:?}");
    assert_eq!(seen.lock().unwrap().last(), Some(&ServerStatus::NeedsAuth));
    assert!(methods(&server).iter().all(|method| method != "tools/list"));
}

#[cfg(unix)]
#[tokio::test]
async fn the_end_of_a_local_server_ends_the_client() {
    let answer = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;
    let script = format!(
        "while read line; do case $line in *initialize\\\"*) echo '{answer}';; *initialized*) exit 0;; *) echo '{{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{{\"code\":-32601,\"message\":\"\"}}}}';; esac; done"
    );
    let mut endpoint = StdioEndpoint::new("/bin/sh");
    endpoint.args = ["-c".into(), script.into()].into();
    let client = ().serve(transport(Server::new(Endpoint::Stdio(endpoint)))).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), client.waiting()).await;
    assert!(ended.is_ok(), "the SDK never heard of the end");
}
