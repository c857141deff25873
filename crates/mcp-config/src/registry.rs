//! Servers as a registry of MCP describes them (`server.json`), and the entries that they make.
//!
//! The answers are those of the registry API v0.1: `GET /v0.1/servers` and `GET /v0.1/servers/{name}/versions/{version}`, with
//! descriptions in the schema of 2025-12-11. Nothing is asked here, and nothing is written: bytes in, a draft of an entry
//! out. Whatever is in an answer was written by a stranger:
//!
//! - A part that is not understood makes its [`Offer`] unusable, and no other one.
//! - A text of the registry never refers to a variable of this machine. Its `{name}` are inputs, which a person answers;
//!   `${NAME}` may stand in an answer of a person alone, and a draft that has it elsewhere is refused.
//! - A package is named to its own runner (`npx`, `uvx`, `docker`), by a name and a version: no other command, no address
//!   and no option in the place of a name.
//! - Where an address leads is not judged here, but told with the draft: see [`Draft::host_is_typed`].

mod name;
mod offer;
mod package;
mod reading;
mod template;

use serde_json::Value as Json;

pub use name::{RegistryName, look_alike};
pub use offer::{Draft, DraftError, Offer, UnusableOffer};
pub use reading::RegistryFault;
pub use template::{Answers, InputFormat, RegistryInput};

use reading::Node;

/// The schemas of a description that are understood, by their dates.
const SCHEMAS: [&str; 5] = ["2025-09-16", "2025-09-29", "2025-10-11", "2025-10-17", "2025-12-11"];

/// Where what the registry itself says of a server stands.
const OFFICIAL: &str = "io.modelcontextprotocol.registry/official";

/// How a version of a server is in its registry.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RegistryStatus {
    /// In use.
    Active,
    /// Not recommended any more.
    Deprecated,
    /// Taken out.
    Deleted,
    /// In a word that is not known here.
    Other(String),
}

/// One version of a server in a registry. Every text is a stranger's.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistryServer {
    /// Its name in the registry, such as `io.github.acme/weather`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is called.
    pub title: Option<String>,
    /// What it is for.
    pub description: String,
    /// Whether it is still in use.
    pub status: RegistryStatus,
    /// What the registry says about that.
    pub status_message: Option<String>,
    /// Whether there is no later version; `None` where that is not said.
    pub is_latest: Option<bool>,
    /// The `$schema` of the description, where it is none that is understood.
    pub unknown_schema: Option<String>,
    /// How it can be reached: remote servers first, Streamable HTTP before SSE, then packages.
    pub offers: Vec<Offer>,
    /// What it offers besides, and why that is of no use here.
    pub unusable: Vec<UnusableOffer>,
}

/// A part of the answer to a search.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistryPage {
    /// The servers on it that can be read.
    pub servers: Vec<RegistryServer>,
    /// How many cannot.
    pub unreadable: usize,
    /// What to ask for the next part with.
    pub next: Option<String>,
}

impl RegistryServer {
    /// Reads the answer about one version of a server.
    ///
    /// # Errors
    ///
    /// It is no such answer: where, and what was expected there.
    ///
    /// # Examples
    ///
    /// ```
    /// use mcp_config::registry::{Answers, RegistryServer};
    ///
    /// let answer = br#"{"server": {
    ///     "name": "com.example/docs", "version": "1.0.0", "description": "Documents",
    ///     "remotes": [{"type": "streamable-http", "url": "https://{region}.docs.example/mcp",
    ///                  "variables": {"region": {"default": "eu"}}}]
    /// }}"#;
    /// let server = RegistryServer::read(answer)?;
    /// let draft = server.offers[0].draft(&Answers::default()).unwrap();
    /// assert_eq!(draft.entry.to_json(), r#"{"type": "http", "url": "https://eu.docs.example/mcp"}"#);
    /// # Ok::<(), mcp_config::registry::RegistryFault>(())
    /// ```
    pub fn read(answer: &[u8]) -> Result<Self, RegistryFault> {
        Self::of(&Node::root(&reading::parse(answer)?))
    }

    fn of(answer: &Node<'_>) -> Result<Self, RegistryFault> {
        let server = answer.required("server")?;
        let meta = answer.member("_meta")?.map(|meta| meta.member(OFFICIAL)).transpose()?.flatten();
        let said = |key: &str| match &meta {
            Some(meta) => meta.text_of(key),
            None => Ok(None),
        };
        // It once stood in the description itself.
        let status = said("status")?.map_or_else(|| server.text_of("status"), |status| Ok(Some(status)))?;
        let is_latest = meta.as_ref().map(|meta| meta.flag_of("isLatest")).transpose()?.flatten();
        let (mut offers, mut unusable) = (Vec::new(), Vec::new());
        let remotes = server.list_of("remotes")?.into_iter().map(|node| (node, false));
        let packages = server.list_of("packages")?.into_iter().map(|node| (node, true));
        for (node, is_package) in remotes.chain(packages) {
            match if is_package { Offer::of_package(&node) } else { Offer::of_remote(&node) } {
                Ok(offer) => offers.push(offer),
                Err(why) => unusable.push(why),
            }
        }
        offers.sort_by_key(Offer::rank);
        Ok(Self {
            name: server.required("name")?.text()?.to_owned(),
            version: server.required("version")?.text()?.to_owned(),
            title: server.text_of("title")?,
            description: server.text_of("description")?.unwrap_or_default(),
            status: match status.as_deref() {
                None | Some("active") => RegistryStatus::Active,
                Some("deprecated") => RegistryStatus::Deprecated,
                Some("deleted") => RegistryStatus::Deleted,
                Some(other) => RegistryStatus::Other(other.to_owned()),
            },
            status_message: said("statusMessage")?,
            is_latest,
            unknown_schema: server.text_of("$schema")?.filter(|schema| !is_known(schema)),
            offers,
            unusable,
        })
    }
}

impl RegistryPage {
    /// Reads a part of the answer to a search.
    ///
    /// # Errors
    ///
    /// It is no such answer: where, and what was expected there.
    pub fn read(answer: &[u8]) -> Result<Self, RegistryFault> {
        let root: Json = reading::parse(answer)?;
        let root = Node::root(&root);
        let found = root.required("servers")?.items()?;
        let servers: Vec<_> = found.iter().filter_map(|node| RegistryServer::of(node).ok()).collect();
        let next = match root.member("metadata")? {
            Some(metadata) => metadata.text_of("nextCursor")?,
            None => None,
        };
        Ok(Self {
            unreadable: found.len() - servers.len(),
            servers,
            next: next.filter(|cursor| !cursor.is_empty()),
        })
    }
}

fn is_known(schema: &str) -> bool {
    let date = schema
        .strip_prefix("https://static.modelcontextprotocol.io/schemas/")
        .and_then(|rest| rest.strip_suffix("/server.schema.json"));
    date.is_some_and(|date| SCHEMAS.contains(&date))
}

#[cfg(test)]
mod tests;
