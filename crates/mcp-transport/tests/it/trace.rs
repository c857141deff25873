//! The context of distributed traces: that of a caller as it is, one per request, and one that a propagator makes.

use std::sync::{Arc, Mutex};

use mcp_testkit::{FakeEra, FakeMcpServer};
use mcp_transport::handler::Progress;
use mcp_transport::relay::RelayOptions;
use mcp_transport::trace::{TraceContext, TracePropagator};
use mcp_transport::{Connection, Connector, RequestOptions};
use serde_json::{Value, json};

use crate::support::{connect, no_violations, options, raw, target};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
const OURS: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const REVISION: &str = "io.modelcontextprotocol/protocolVersion";

/// Calls `echo` within the trace of the caller's parameters, and returns `_meta` as it arrived.
async fn carried(
    server: &FakeMcpServer,
    connection: &Connection,
    meta: &Value,
    options: &RequestOptions,
) -> Value {
    let params = raw(&json!({ "name": "echo", "arguments": { "text": "x" }, "_meta": meta }));
    connection.request("tools/call", Some(&params), options).await.unwrap();
    no_violations(server);
    let calls = server.recorder().matching(|request| request.rpc_method().as_deref() == Some("tools/call"));
    calls.last().unwrap().json().unwrap()["params"]["_meta"].clone()
}

fn context(meta: &Value) -> [Option<&str>; 3] {
    ["traceparent", "tracestate", "baggage"].map(|name| meta.get(name).and_then(Value::as_str))
}

#[tokio::test]
async fn what_a_caller_wrote_arrives_as_it_is_whatever_it_is() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let connection = connect(&server).await;
        for traceparent in [CALLER, "no traceparent at all"] {
            let meta = json!({ "traceparent": traceparent, "tracestate": "a=1", "baggage": "b=2" });
            let arrived = carried(&server, &connection, &meta, &RequestOptions::new()).await;
            assert_eq!(context(&arrived), [Some(traceparent), Some("a=1"), Some("b=2")], "{era:?}");
        }
    }
}

#[tokio::test]
async fn a_request_is_a_part_of_the_trace_that_it_is_given() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let connection = connect(&server).await;
        let trace = TraceContext::new(OURS).unwrap().with_baggage("c=3");
        let within = RequestOptions::new().with_trace(trace);
        assert_eq!(
            context(&carried(&server, &connection, &json!({}), &within).await),
            [Some(OURS), None, Some("c=3")]
        );
        // What vendors added to the context of the caller is not about this one.
        let meta = json!({ "traceparent": CALLER, "tracestate": "a=1", "other": true });
        let arrived = carried(&server, &connection, &meta, &within.clone().with_progress(silent())).await;
        assert_eq!(context(&arrived), [Some(OURS), None, Some("c=3")], "{era:?}");
        assert_eq!((&arrived["other"], arrived["progressToken"].is_number()), (&json!(true), true));
        assert_eq!(arrived.get(REVISION).is_some(), era == FakeEra::Modern);
    }
}

fn silent() -> mcp_transport::handler::ProgressSink {
    Arc::new(|_: Progress| {})
}

/// Names itself in every request, and keeps what it was told of the callers.
#[derive(Debug, Default)]
struct Link(Mutex<Vec<Option<String>>>);

impl TracePropagator for Link {
    fn outgoing(&self, parent: Option<&TraceContext>) -> Option<TraceContext> {
        self.0.lock().unwrap().push(parent.map(|parent| parent.traceparent().to_owned()));
        TraceContext::new(OURS)
    }
}

#[tokio::test]
async fn a_propagator_is_the_link_between_caller_and_server() {
    let server = FakeMcpServer::start().unwrap();
    let link = Arc::new(Link::default());
    let mut options = options();
    options.propagator = Some(link.clone());
    let connection = Connector::new(options).attempt(&target(&server)).await.unwrap();
    let meta = json!({ "traceparent": CALLER, "tracestate": "a=1", "baggage": "b=2" });
    let arrived = carried(&server, &connection, &meta, &RequestOptions::new()).await;
    assert_eq!(context(&arrived), [Some(OURS), None, Some("b=2")]);
    let own = json!({
        "traceparent": CALLER, REVISION: "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let relayed = RelayOptions::new(RequestOptions::new()).with_own_metadata();
    let arrived = carried(&server, &connection, &own, &relayed.into()).await;
    assert_eq!(arrived["traceparent"], OURS, "also beside metadata that is the caller's own");
    let nonsense = json!({ "traceparent": "nonsense" });
    carried(&server, &connection, &nonsense, &RequestOptions::new()).await;
    let parents = link.0.lock().unwrap().clone();
    assert_eq!(parents, [Some(CALLER.to_owned()), Some(CALLER.to_owned()), None]);
}
