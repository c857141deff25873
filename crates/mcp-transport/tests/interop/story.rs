//! What every server must let us do, whatever it is written with and however it is reached.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_harness::{Ask, Surface};
use mcp_testkit::{FakeEra, eventually};
use mcp_transport::handler::{Notifications, Progress, ProgressSink};
use mcp_transport::message::ProtocolRevision;
use mcp_transport::subscription::SubscriptionFilter;
use mcp_transport::tools::ToolResult;
use mcp_transport::{
    ClientInfo, ClientOptions, Connection, Connector, Endpoint, Payload, RequestOptions, Server,
    TransportErrorKind,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::person::{Person, raw};

/// Interpreters are slow on a loaded machine; nothing here waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The whole story.
pub(crate) async fn tell(endpoint: Endpoint, surface: &Surface, era: FakeEra) {
    let person = Arc::new(Person::default());
    let mut options = ClientOptions::new(ClientInfo::new("interop", "1.0"));
    options.connect_timeout = PATIENCE;
    options.request_timeout = Some(PATIENCE);
    let target = Server::new(endpoint).with_handler(person.clone());
    let connection = Connector::new(options).attempt(&target).await.unwrap();
    let revision = connection.revision();
    let expected =
        if era == FakeEra::Modern { ProtocolRevision::V2026_07_28 } else { ProtocolRevision::V2025_11_25 };
    assert_eq!(revision, expected);
    let description = connection.server();
    let info = description.info.as_ref().expect("it says who it is");
    assert!(!info.name.is_empty() && description.has("tools"), "{description:?}");

    let story = Story { connection, surface, person, revision };
    story.calls().await;
    story.reports_progress().await;
    story.gives_up().await;
    story.reads().await;
    story.prompts().await;
    story.is_asked().await;
    story.refuses_the_unknown().await;
    story.hears().await;
    story.connection.ping(&RequestOptions::new()).await.unwrap();
    story.connection.close().await;
    assert!(story.connection.is_closed());
}

struct Story<'a> {
    connection: Connection,
    surface: &'a Surface,
    person: Arc<Person>,
    revision: ProtocolRevision,
}

impl Story<'_> {
    async fn calls(&self) {
        let list = self.connection.list_tools(&RequestOptions::new()).await.unwrap();
        let names: Vec<_> = list.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert!(
            names.len() >= self.surface.tools && list.rejected.is_empty(),
            "{names:?} {:?}",
            list.rejected
        );
        for ask in [&self.surface.echo, &self.surface.add, &self.surface.ask] {
            assert!(names.contains(&ask.name), "{} is not among {names:?}", ask.name);
        }
        let described = list.tools.iter().find(|tool| tool.name == self.surface.add.name).unwrap();
        let schema = described.view().input_schema.expect("it has a schema").get();
        assert!(schema.contains("\"properties\""), "{schema}");
        self.tool(&self.surface.echo).await;
        self.tool(&self.surface.add).await;
        if let Some(failing) = &self.surface.failing {
            let result = self.call(failing.name, failing.arguments, &RequestOptions::new()).await;
            assert!(
                ToolResult::read(result.get()).unwrap().is_error
                    && texts(result.get()).contains(failing.answer)
            );
        }
    }

    async fn reports_progress(&self) {
        let (seen, sink) = progress();
        let ask = &self.surface.progress;
        let result = self.call(ask.name, ask.arguments, &RequestOptions::new().with_progress(sink)).await;
        assert!(texts(result.get()).contains(ask.answer), "{result}");
        let seen: Vec<_> = seen.lock().unwrap().iter().map(|seen| (seen.progress, seen.total)).collect();
        let expected: Vec<_> = (1..=4).map(|step| (f64::from(step), Some(4.0))).collect();
        assert_eq!(seen, expected, "each report once, in order, all before the result");
    }

    /// The server is told, and everything else goes on.
    async fn gives_up(&self) {
        let counted = async |counter| texts(self.call(counter, "{}", &RequestOptions::new()).await.get());
        let before = match self.surface.cancelled {
            Some(counter) => counted(counter).await.parse().unwrap(),
            None => 0_u32,
        };
        let (seen, sink) = progress();
        let connection = self.connection.clone();
        let (name, arguments) = (self.surface.endless.name, object(self.surface.endless.arguments));
        let call = tokio::spawn(async move {
            let options = RequestOptions::new().with_progress(sink);
            connection.call_tool(name, Some(&arguments), &options).await
        });
        eventually("the call has begun", PATIENCE, async || !seen.lock().unwrap().is_empty()).await;
        assert!(!call.is_finished());
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        if let Some(counter) = self.surface.cancelled {
            let after = (before + 1).to_string();
            eventually("the server has noticed", PATIENCE, async || counted(counter).await == after).await;
        }
        self.tool(&self.surface.echo).await;
    }

    async fn reads(&self) {
        let (uri, text) = self.surface.resource;
        let listed = self.list("resources/list", "resources", "uri").await;
        assert!(listed.iter().any(|listed| listed == uri), "{listed:?}");
        self.read(uri, text).await;
        let (template, uri, text) = self.surface.template;
        let listed = self.list("resources/templates/list", "resourceTemplates", "uriTemplate").await;
        assert!(listed.iter().any(|listed| listed == template), "{listed:?}");
        self.read(uri, text).await;
    }

    async fn read(&self, uri: &str, text: &str) {
        let result = self.request("resources/read", json!({ "uri": uri })).await;
        let content = &result["contents"][0];
        assert_eq!(content["uri"], uri);
        assert!(content["text"].as_str().unwrap().contains(text), "{result}");
    }

    async fn prompts(&self) {
        let Ask { name, arguments, answer, .. } = &self.surface.prompt;
        let listed = self.list("prompts/list", "prompts", "name").await;
        assert!(listed.iter().any(|listed| listed == name), "{listed:?}");
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        let result = self.request("prompts/get", json!({ "name": name, "arguments": arguments })).await;
        let text = result["messages"][0]["content"]["text"].as_str().unwrap_or_default();
        assert!(text.contains(answer), "{result}");
    }

    /// As a request in the legacy era, in a result of the modern one: to the person it is the same.
    async fn is_asked(&self) {
        self.tool(&self.surface.ask).await;
        assert_eq!(self.person.asked(), 1);
        self.person.declines_from_now_on();
        let result = self.call(self.surface.ask.name, "{}", &RequestOptions::new()).await;
        assert!(texts(result.get()).contains(self.surface.declined), "{result}");
        assert_eq!(self.person.asked(), 2);
    }

    /// Some say so with an error, some in a result; none may hang or break the connection.
    async fn refuses_the_unknown(&self) {
        match self.connection.call_tool("no-such-tool", None, &RequestOptions::new()).await {
            Ok(result) => assert!(ToolResult::read(result.get()).unwrap().is_error, "{result}"),
            Err(error) => assert_eq!(*error.kind(), TransportErrorKind::Rpc { code: -32602 }, "{error:?}"),
        }
        let params = raw(&json!({ "uri": "no-such://resource" }));
        let read = self.connection.request("resources/read", Some(&params), &RequestOptions::new()).await;
        assert!(matches!(read.unwrap_err().kind(), TransportErrorKind::Rpc { .. }));
        let unknown = self.connection.request("no/such-method", None, &RequestOptions::new()).await;
        assert!(matches!(unknown.unwrap_err().kind(), TransportErrorKind::Rpc { .. }));
        self.tool(&self.surface.echo).await;
    }

    async fn hears(&self) {
        let mut heard = self.connection.notifications();
        self.connection.listen().await;
        if let Some(log) = &self.surface.log {
            self.hears_the_log(&mut heard, log).await;
        }
        if let Some(change) = self.surface.change {
            self.call(change, "{}", &RequestOptions::new()).await;
            next(&mut heard, "notifications/tools/list_changed").await;
        }
        if let Some(update) = self.surface.update {
            let uri = self.surface.template.1;
            let filter = SubscriptionFilter::new().with_resources([uri]);
            let _subscription = self.connection.subscribe(filter).await.unwrap();
            self.call(update, "{}", &RequestOptions::new()).await;
            let params = next(&mut heard, "notifications/resources/updated").await;
            assert!(params.contains(uri), "{params}");
        }
    }

    async fn hears_the_log(&self, heard: &mut Notifications, log: &Ask) {
        if self.revision >= ProtocolRevision::V2026_07_28 {
            // Since 2026-07-28 a server logs only for a request that says from which level on.
            let arguments: Value = serde_json::from_str(log.arguments).unwrap();
            let meta = json!({ "io.modelcontextprotocol/logLevel": "info" });
            let params = json!({ "name": log.name, "arguments": arguments, "_meta": meta });
            self.request("tools/call", params).await;
        } else {
            // Some servers log without knowing of levels.
            let level = raw(&json!({ "level": "info" }));
            let _ = self.connection.request("logging/setLevel", Some(&level), &RequestOptions::new()).await;
            self.call(log.name, log.arguments, &RequestOptions::new()).await;
        }
        let params = next(heard, "notifications/message").await;
        assert!(params.contains(log.answer), "{params}");
    }

    /// Calls a tool, and finds in the result what must be there.
    async fn tool(&self, ask: &Ask) {
        let result = self.call(ask.name, ask.arguments, &RequestOptions::new()).await;
        assert!(!ToolResult::read(result.get()).unwrap().is_error, "{}: {result}", ask.name);
        assert!(texts(result.get()).contains(ask.answer), "{}: {result}", ask.name);
    }

    async fn call(&self, name: &str, arguments: &str, options: &RequestOptions) -> Payload {
        let called = self.connection.call_tool(name, Some(&object(arguments)), options).await;
        called.unwrap_or_else(|error| panic!("{name}: {error:?}"))
    }

    async fn request(&self, method: &str, params: Value) -> Value {
        let result = self.connection.request(method, Some(&raw(&params)), &RequestOptions::new()).await;
        let result = result.unwrap_or_else(|error| panic!("{method} {params}: {error:?}"));
        serde_json::from_str(result.get()).unwrap()
    }

    /// One member of every item of a list.
    async fn list(&self, method: &str, items: &str, member: &str) -> Vec<String> {
        let items = self.connection.list(method, items, &RequestOptions::new()).await.unwrap();
        let member = |item: Box<RawValue>| {
            let item: Value = serde_json::from_str(item.get()).unwrap();
            item[member].as_str().unwrap().to_owned()
        };
        items.into_iter().map(member).collect()
    }
}

/// A receiver of progress, and what it has received.
fn progress() -> (Arc<Mutex<Vec<Progress>>>, ProgressSink) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    (seen, Arc::new(move |progress| sink.lock().unwrap().push(progress)))
}

/// The parameters of the next notification of this method; others pass by.
async fn next(heard: &mut Notifications, method: &str) -> String {
    let wait = async {
        loop {
            let notification = heard.next().await.expect("the connection stands");
            if notification.method == method {
                return notification.params.map_or_else(String::new, |params| params.get().to_owned());
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("in vain: {method}"))
}

fn object(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

/// The text of all content blocks.
fn texts(result: &str) -> String {
    let result: Value = serde_json::from_str(result).unwrap();
    let blocks = result["content"].as_array().cloned().unwrap_or_default();
    blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
}
