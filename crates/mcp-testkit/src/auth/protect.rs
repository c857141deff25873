//! Puts an MCP server behind the authorization server: its protected resource metadata (RFC 9728) and its challenge.

use serde_json::{Value, json};

use super::FakeAuthServer;
use crate::accept::{Accept, Refusal};
use crate::mcp::{FakeMcpServer, HttpAnswer};

/// How an MCP server says which authorization server it trusts. Builder style.
#[derive(Clone, Debug)]
pub struct ProtectedResource {
    resource: Option<String>,
    issuers: Option<Vec<String>>,
    scopes: Vec<String>,
    path: Option<String>,
    in_challenge: bool,
    challenge_scope: Option<String>,
    any_audience: bool,
}

impl ProtectedResource {
    /// The path-inserted well-known address, named in the challenge, with the server's own URL as `resource`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            resource: None,
            issuers: None,
            scopes: Vec::new(),
            path: None,
            in_challenge: true,
            challenge_scope: None,
            any_audience: false,
        }
    }

    /// Names another `resource` than the server's URL: its origin, or one of another origin, which a client must refuse.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Names other authorization servers than the one that protects.
    #[must_use]
    pub fn issuers<I: Into<String>>(mut self, issuers: impl IntoIterator<Item = I>) -> Self {
        self.issuers = Some(issuers.into_iter().map(Into::into).collect());
        self
    }

    /// Lists `scopes_supported`.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Puts the document at this path: the root well-known address, or one that only the challenge can tell.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Does not name the document in the challenge, so that a client has to probe.
    #[must_use]
    pub fn not_in_challenge(mut self) -> Self {
        self.in_challenge = false;
        self
    }

    /// Puts a `scope` into the challenge.
    #[must_use]
    pub fn challenge_scope(mut self, scope: impl Into<String>) -> Self {
        self.challenge_scope = Some(scope.into());
        self
    }

    /// Accepts tokens that were issued for another resource or for none.
    #[must_use]
    pub fn any_audience(mut self) -> Self {
        self.any_audience = true;
        self
    }
}

impl Default for ProtectedResource {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeAuthServer {
    /// Puts an MCP server behind this authorization server, in the usual way.
    pub fn protect(&self, server: &FakeMcpServer) {
        self.protect_as(server, ProtectedResource::new());
    }

    /// Puts an MCP server behind this authorization server: it publishes the metadata, refuses with the challenge, and
    /// accepts the tokens of this server that were issued for its `resource`.
    pub fn protect_as(&self, server: &FakeMcpServer, resource: ProtectedResource) {
        let mcp_path = server.url().path().to_owned();
        let path =
            resource.path.unwrap_or_else(|| format!("/.well-known/oauth-protected-resource{mcp_path}"));
        let name = resource.resource.unwrap_or_else(|| server.url().to_string());
        let issuers = resource.issuers.unwrap_or_else(|| vec![self.issuer()]);
        let mut metadata = json!({
            "resource": name,
            "authorization_servers": issuers,
            "bearer_methods_supported": ["header"],
        });
        if !resource.scopes.is_empty() {
            metadata["scopes_supported"] = Value::from(resource.scopes);
        }
        server.route(&path, HttpAnswer::new(200).body("application/json", metadata.to_string()));
        let mut parameters = Vec::new();
        if resource.in_challenge {
            parameters.push(format!("resource_metadata=\"{}\"", server.url_of(&path)));
        }
        if let Some(scope) = resource.challenge_scope {
            parameters.push(format!("scope=\"{scope}\""));
        }
        let challenge = format!("Bearer {}", parameters.join(", "));
        server.refuse_with(Refusal::status(401).challenge(challenge.trim_end()));
        server.accept(if resource.any_audience {
            Accept::Issued(self.tokens())
        } else {
            Accept::IssuedFor { ledger: self.tokens(), resource: name }
        });
    }
}
