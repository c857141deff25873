//! Settings before the start. What may also change later is a method of the server with the same meaning.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{
    Delivery, FakeEra, FakeMcpServer, FakeTool, GetStream, McpServerState, Pages, ScriptedAnswer, State,
};
use crate::accept::{Accept, Refusal};
use crate::wire::{ListeningServer, Recorder};

/// Builds a [`FakeMcpServer`].
#[derive(Debug)]
pub struct FakeMcpServerBuilder {
    port: u16,
    path: String,
    keep_requests: bool,
    state: State,
}

impl FakeMcpServerBuilder {
    pub(super) fn new() -> Self {
        Self { port: 0, path: "/mcp".to_owned(), keep_requests: true, state: State::new(FakeEra::Dual) }
    }

    /// The era, with all its revisions. Legacy servers have sessions unless told otherwise.
    #[must_use]
    pub fn era(mut self, era: FakeEra) -> Self {
        self.state.era = era;
        self.state.catalogue.versions = era.versions();
        self
    }

    /// Only these revisions, newest first. To be called after [`FakeMcpServerBuilder::era`].
    #[must_use]
    pub fn versions<V: Into<String>>(mut self, versions: impl IntoIterator<Item = V>) -> Self {
        self.state.catalogue.versions = versions.into_iter().map(Into::into).collect();
        self
    }

    /// Answers every `initialize` with this revision, whatever was asked for.
    #[must_use]
    pub fn initialize_version(mut self, version: impl Into<String>) -> Self {
        self.state.initialize_version = Some(version.into());
        self
    }

    /// The name in `serverInfo`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.state.catalogue.name = name.into();
        self
    }

    /// The instructions for the model.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.state.catalogue.instructions = Some(instructions.into());
        self
    }

    /// The tools, in place of the standard ones.
    #[must_use]
    pub fn tools(mut self, tools: Vec<FakeTool>) -> Self {
        self.state.catalogue.tools = tools;
        self
    }

    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: FakeTool) -> Self {
        self.state.catalogue.tools.push(tool);
        self
    }

    /// Adds a text resource: its definition (with a `uri`) and its text.
    #[must_use]
    pub fn resource(mut self, definition: Value, text: impl Into<String>) -> Self {
        self.state.catalogue.resources.push((definition, text.into()));
        self
    }

    /// Adds a prompt: its definition (with a `name`) and the result of getting it.
    #[must_use]
    pub fn prompt(mut self, definition: Value, result: Value) -> Self {
        self.state.catalogue.prompts.push((definition, result));
        self
    }

    /// How lists are cut.
    #[must_use]
    pub fn pages(mut self, pages: Pages) -> Self {
        self.state.catalogue.pages = pages;
        self
    }

    /// Whom the server accepts; `"A"` means `Authorization: Bearer A`.
    #[must_use]
    pub fn accept(mut self, rule: impl Into<Accept>) -> Self {
        self.state.accept = rule.into();
        self
    }

    /// How the server refuses.
    #[must_use]
    pub fn refuse_with(mut self, refusal: Refusal) -> Self {
        self.state.refusal = refusal;
        self
    }

    /// The usual form of answers.
    #[must_use]
    pub fn deliver(mut self, delivery: impl Into<Delivery>) -> Self {
        self.state.delivery = delivery.into();
        self
    }

    /// Whether legacy clients get a session.
    #[must_use]
    pub fn sessions(mut self, on: bool) -> Self {
        self.state.sessions_on = on;
        self
    }

    /// Whether clients may DELETE their session; 405 if not.
    #[must_use]
    pub fn delete_allowed(mut self, allowed: bool) -> Self {
        self.state.delete_allowed = allowed;
        self
    }

    /// What GET does in the legacy era.
    #[must_use]
    pub fn get_stream(mut self, mode: GetStream) -> Self {
        self.state.get_stream = mode;
        self
    }

    /// Answers every request to the MCP endpoint like this.
    #[must_use]
    pub fn always(mut self, answer: ScriptedAnswer) -> Self {
        self.state.always = Some(answer);
        self
    }

    /// Answers every request with this JSON-RPC or HTTP method like this: the ways in which legacy servers take a
    /// `server/discover`, for example.
    #[must_use]
    pub fn always_to(mut self, method: impl Into<String>, answer: ScriptedAnswer) -> Self {
        self.state.always_to.insert(method.into(), answer);
        self
    }

    /// Answers a path beside the MCP endpoint.
    #[must_use]
    pub fn route(mut self, path: impl Into<String>, answer: impl Into<ScriptedAnswer>) -> Self {
        self.state.routes.insert(path.into(), answer.into());
        self
    }

    /// The path of the MCP endpoint, `/mcp` unless set.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The port, a free one unless set.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Counts requests without keeping them, for benches.
    #[must_use]
    pub fn without_recording(mut self) -> Self {
        self.keep_requests = false;
        self
    }

    /// Binds loopback and starts to answer.
    ///
    /// # Errors
    ///
    /// When the port cannot be bound or no thread be started.
    pub fn start(self) -> io::Result<FakeMcpServer> {
        let shared = Arc::new(McpServerState {
            path: self.path,
            state: Mutex::new(self.state),
            recorder: Recorder::new(self.keep_requests),
        });
        let serving = ListeningServer::http(self.port, Arc::clone(&shared))?;
        Ok(FakeMcpServer { shared, serving })
    }
}
