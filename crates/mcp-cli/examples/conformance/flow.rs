//! The one flow behind every scenario: connect, look at what the server offers, use each of it once.

use std::path::Path;
use std::sync::Arc;

use mcp_transport::tools::Tool;
use mcp_transport::{
    ClientInfo, ClientOptions, Connection, Connector, Endpoint, HttpEndpoint, RequestOptions, Server,
    StdioEndpoint, TransportError, TransportErrorKind,
};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::respond::{Accepting, arguments};
use crate::sign_in::SignIn;
use crate::{Outcome, Run, entry, skills};

/// A tool whose call hands back its own schema, to show that nothing in it was lost.
const SCHEMA_TOOL: &str = "json_schema_2020_12_tool";
const SCHEMA_ECHO: &str = "json_schema_echo";

pub(crate) async fn run(run: &Run) -> Outcome<()> {
    let connector = connector();
    let sign_in = SignIn::new(&connector, &run.url, &run.context).await?;
    let server =
        Server::new(Endpoint::Http(HttpEndpoint::new(run.url.clone()))).with_auth(sign_in.provider());
    Client::new(connector, server, Some(sign_in)).run(run).await
}

/// As [`run`], by way of a bridge that the binary is, and that finds the server in a file. It starts no sign-in.
pub(crate) async fn run_behind_a_bridge(program: &Path, run: &Run) -> Outcome<()> {
    let home = entry::home(run).await?;
    let mut endpoint = StdioEndpoint::new(program);
    endpoint.args = ["bridge", entry::NAME].map(Into::into).to_vec();
    endpoint.env =
        home.environment("").into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    for (name, secret) in entry::secrets(run) {
        endpoint.env.insert(name.into(), secret.into());
    }
    endpoint.cwd = Some(home.project());
    Client::new(connector(), Server::new(Endpoint::Stdio(endpoint)), None).run(run).await
}

pub(crate) fn connector() -> Connector {
    Connector::new(ClientOptions::new(ClientInfo::new("mcplink-conformance", env!("CARGO_PKG_VERSION"))))
}

/// The calls of a run: what its context says, else each tool once, with the least that its schema wants.
pub(crate) fn calls<'a>(
    run: &Run,
    tools: impl Iterator<Item = (&'a str, &'a Value)>,
) -> Vec<(String, Value)> {
    if let Some(calls) = run.context["toolCalls"].as_array() {
        let name = |call: &Value| call["name"].as_str().unwrap_or_default().to_owned();
        return calls.iter().map(|call| (name(call), call["arguments"].clone())).collect();
    }
    let tools: Vec<_> = tools.collect();
    let echoed = tools.iter().find(|(name, _)| *name == SCHEMA_TOOL).map(|(_, schema)| *schema);
    let call = |(name, schema): &(&str, &Value)| {
        let arguments = match echoed {
            Some(schema) if *name == SCHEMA_ECHO => json!({ "schema": schema }),
            _ => arguments(schema, false),
        };
        ((*name).to_owned(), arguments)
    };
    tools.iter().map(call).collect()
}

struct Client {
    connector: Connector,
    server: Server,
    sign_in: Option<SignIn>,
    connection: Option<Connection>,
}

impl Client {
    fn new(connector: Connector, server: Server, sign_in: Option<SignIn>) -> Self {
        let server = server.with_handler(Arc::new(Accepting));
        Self { connector, server, sign_in, connection: None }
    }

    async fn run(mut self, run: &Run) -> Outcome<()> {
        self.connect().await?;
        let used = self.use_everything(run).await;
        if let Some(connection) = &self.connection {
            connection.close().await;
        }
        used
    }

    async fn connect(&mut self) -> Outcome<()> {
        loop {
            match self.connector.attempt(&self.server).await {
                Ok(connection) => {
                    self.connection = Some(connection);
                    return Ok(());
                }
                Err(error) => self.after(error).await?,
            }
        }
    }

    /// Signs in where that is the answer to an error; else it stays one.
    async fn after(&mut self, error: TransportError) -> Outcome<()> {
        let challenged = matches!(error.kind(), TransportErrorKind::Challenged { .. });
        match &mut self.sign_in {
            Some(sign_in) if challenged && sign_in.may_sign_in() => Ok(sign_in.sign_in().await?),
            _ => Err(error.into()),
        }
    }

    fn connection(&self) -> Outcome<Connection> {
        self.connection.clone().ok_or_else(|| "there is no connection".into())
    }

    async fn request(&mut self, method: &str, params: Value) -> Outcome<Value> {
        let params = to_raw_value(&params)?;
        loop {
            match self.connection()?.request(method, Some(&params), &RequestOptions::new()).await {
                Ok(result) => return Ok(serde_json::from_str(result.get())?),
                Err(error) => self.after(error).await?,
            }
        }
    }

    async fn tools(&mut self) -> Outcome<Vec<Tool>> {
        loop {
            match self.connection()?.list_tools(&RequestOptions::new()).await {
                Ok(list) => return Ok(list.tools),
                Err(error) => self.after(error).await?,
            }
        }
    }

    async fn call(&mut self, name: &str, arguments: &RawValue) -> Outcome<()> {
        loop {
            match self.connection()?.call_tool(name, Some(arguments), &RequestOptions::new()).await {
                // A tool that fails is the tool's own matter.
                Ok(_) => return Ok(()),
                Err(error) if matches!(error.kind(), TransportErrorKind::Rpc { .. }) => {
                    tracing::warn!(%error, tool = name, "the call failed");
                    return Ok(());
                }
                Err(error) => self.after(error).await?,
            }
        }
    }

    async fn use_everything(&mut self, run: &Run) -> Outcome<()> {
        let server = self.connection()?.server();
        if let Some(skills) = run.scenario.strip_prefix("sep-2640-client-") {
            return self.skills(skills.starts_with("verify-")).await;
        }
        let tools = self.tools().await?;
        self.call_tools(run, &tools).await?;
        if server.has("resources") {
            let listed = self.request("resources/list", json!({})).await?;
            if let Some(uri) = listed["resources"][0]["uri"].as_str() {
                self.request("resources/read", json!({ "uri": uri })).await?;
            }
        }
        if server.has("prompts") {
            let listed = self.request("prompts/list", json!({})).await?;
            if let Some(name) = listed["prompts"][0]["name"].as_str() {
                self.request("prompts/get", json!({ "name": name })).await?;
            }
        }
        Ok(())
    }

    async fn call_tools(&mut self, run: &Run, tools: &[Tool]) -> Outcome<()> {
        let schema_of = |tool: &Tool| -> Value {
            tool.view().input_schema.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
        };
        let schemas: Vec<Value> = tools.iter().map(schema_of).collect();
        let tools = tools.iter().map(|tool| tool.name.as_str()).zip(&schemas);
        for (name, arguments) in calls(run, tools) {
            self.call(&name, &to_raw_value(&arguments)?).await?;
        }
        Ok(())
    }

    /// Skills are listed, and nothing of them is read until one is loaded.
    async fn skills(&mut self, load: bool) -> Outcome<()> {
        let listed = self.request("skills/list", json!({})).await?;
        for entry in listed["skills"].as_array().into_iter().flatten().filter(|_| load) {
            let main = entry["uri"].as_str().unwrap_or_default();
            self.read_verified(entry, main).await?;
            // Only a skill that has been verified has its other files read.
            let files =
                entry["resources"].as_array().into_iter().flatten().filter_map(|file| file["uri"].as_str());
            for uri in files.filter(|uri| *uri != main) {
                self.read_verified(entry, uri).await?;
            }
        }
        Ok(())
    }

    async fn read_verified(&mut self, entry: &Value, uri: &str) -> Outcome<()> {
        let read = self.request("resources/read", json!({ "uri": uri })).await?;
        let text = read["contents"][0]["text"].as_str().unwrap_or_default();
        Ok(skills::verify(entry, uri, text)?)
    }
}
