//! What is agreed with a server over Streamable HTTP, and what every request of it carries.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::message::revision::ProtocolRevision;
use crate::options::ClientOptions;
use crate::protocol::agree::Ordinal;
use crate::protocol::handshake::ServerDescription;

pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// What is agreed with the server at present. Replaced as a whole when the session is renewed.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) server: Arc<ServerDescription>,
    /// What every request of this session carries beside its own.
    pub(super) headers: HeaderMap,
    pub(super) id: Option<HeaderValue>,
    /// What `_meta` of every request says; empty in the legacy era.
    meta: String,
    number: u64,
}

impl Session {
    /// Before anything is agreed: `initialize` carries no version and no session.
    pub(super) fn greeting(options: &ClientOptions) -> Self {
        Self {
            server: Arc::new(ServerDescription::new(ProtocolRevision::NEWEST_LEGACY)),
            headers: base_headers(options),
            id: None,
            meta: String::new(),
            number: 0,
        }
    }

    pub(super) fn modern(
        options: &ClientOptions,
        server: ServerDescription,
        meta: String,
        number: u64,
    ) -> Self {
        let mut headers = base_headers(options);
        headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(server.revision.as_str()));
        Self { server: Arc::new(server), headers, id: None, meta, number }
    }

    /// Before the server has said who it is: the first request of a connection.
    pub(super) fn probing(options: &ClientOptions, revision: ProtocolRevision) -> Self {
        Self::modern(options, ServerDescription::new(revision), String::new(), 0)
    }

    pub(super) fn legacy(
        options: &ClientOptions,
        server: ServerDescription,
        id: Option<HeaderValue>,
        number: u64,
    ) -> Self {
        let mut headers = base_headers(options);
        // Demanded since 2025-06-18; older servers ignore a header that they do not know.
        headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(server.revision.as_str()));
        Self { server: Arc::new(server), headers, id: None, meta: String::new(), number }.with_id(id)
    }

    /// The same with this id.
    pub(super) fn with_id(mut self, id: Option<HeaderValue>) -> Self {
        self.id = id.map(|mut id| {
            // Security: knowing the id is enough to speak in this session.
            id.set_sensitive(true);
            self.headers.insert(SESSION_ID, id.clone());
            id
        });
        self
    }

    /// The same, as another agreement.
    pub(super) fn with_number(&self, number: u64) -> Self {
        Self { number, ..self.clone() }
    }

    /// The same without the header that names the revision.
    pub(super) fn without_version(mut self) -> Self {
        self.headers.remove(PROTOCOL_VERSION);
        self
    }

    /// Whether requests name the revision in a header.
    pub(super) fn names_version(&self) -> bool {
        self.headers.contains_key(PROTOCOL_VERSION)
    }

    /// Whether the server has agreed to it, which takes a handshake.
    pub(super) fn is_agreed(&self) -> bool {
        self.number > 0
    }

    pub(crate) fn meta(&self) -> &str {
        &self.meta
    }
}

impl Ordinal for Session {
    fn number(&self) -> u64 {
        self.number
    }
}

fn base_headers(options: &ClientOptions) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // What compresses an event stream on its way often holds it back; see `coding`.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Ok(agent) = HeaderValue::from_str(&options.user_agent) {
        headers.insert(header::USER_AGENT, agent);
    }
    headers
}
