//! Asks a registry of MCP servers, the official one or any other that speaks its API v0.1.
//!
//! What it says is a stranger's: an answer has 1 MiB and the time of any exchange, redirects lead where
//! [`url_policy`](mcp_auth::url_policy) lets the registry send anyone, and so do the addresses of servers that it names.

use std::fmt;

use bytes::Bytes;
use http::{StatusCode, header};
use mcp_auth::url_policy::{UrlRefusal, UrlSource};
use mcp_config::registry::{Draft, Offer, RegistryFault, RegistryName, RegistryPage, RegistryServer};
use mcp_transport::{TransportError, TransportErrorKind};
use url::Url;

use crate::Host;

/// The most servers that a search finds.
const MAX_FOUND: usize = 60;
/// The most parts of an answer that are asked for.
const MAX_PAGES: usize = 5;
/// The most redirects that are followed.
const MAX_REDIRECTS: usize = 3;
/// What is asked for at a time.
const PAGE: &str = "30";

/// What went wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RegistryErrorKind {
    /// The address of the registry is none that is asked.
    Address,
    /// There is no answer.
    Unreachable,
    /// There was no answer in time.
    TimedOut,
    /// It has no such server, or no such version.
    NotFound,
    /// It answered with this HTTP status.
    Refused(u16),
    /// It sends elsewhere, where it may not.
    Redirect,
    /// What answers is not a registry, or says something else than it was asked for.
    Protocol,
}

/// A registry that could not be asked, or has no answer: a fragment about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RegistryError {
    kind: RegistryErrorKind,
    message: String,
}

impl RegistryError {
    fn new(kind: RegistryErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> RegistryErrorKind {
        self.kind
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RegistryError {}

impl From<TransportError> for RegistryError {
    fn from(error: TransportError) -> Self {
        let kind = match error.kind() {
            TransportErrorKind::Timeout { .. } => RegistryErrorKind::TimedOut,
            TransportErrorKind::TooLarge | TransportErrorKind::Protocol => RegistryErrorKind::Protocol,
            _ => RegistryErrorKind::Unreachable,
        };
        Self::new(kind, error.said().map_or_else(|| error.to_string(), str::to_owned))
    }
}

impl From<RegistryFault> for RegistryError {
    fn from(fault: RegistryFault) -> Self {
        Self::new(RegistryErrorKind::Protocol, format!("the answer is not that of a registry: {fault}"))
    }
}

/// What a search found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistrySearch {
    /// One version of each server.
    pub servers: Vec<RegistryServer>,
    /// There are more.
    pub more: bool,
    /// How many of what was found cannot be read.
    pub unreadable: usize,
}

/// A registry of MCP servers.
#[derive(Clone, Debug)]
pub struct Registry {
    base: Url,
    host: Host,
}

impl Registry {
    /// The official one.
    pub const OFFICIAL: &'static str = "https://registry.modelcontextprotocol.io";

    /// The registry at `base`, over the client of `host`. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// The address is none, has a user name in it, or is plain http on another machine.
    pub fn new(host: &Host, base: &str) -> Result<Self, RegistryError> {
        let mut base = UrlSource::person()
            .may_request(base)
            .map_err(|why| RegistryError::new(RegistryErrorKind::Address, format!("the address {why}")))?;
        base.set_query(None);
        base.set_fragment(None);
        // As people copy it.
        let path = base.path().trim_end_matches('/');
        let path = path.strip_suffix("/servers").unwrap_or(path);
        let path = path.strip_suffix("/v0.1").unwrap_or(path).to_owned();
        base.set_path(&path);
        Ok(Self { base, host: host.clone() })
    }

    /// Its address.
    pub fn base(&self) -> &Url {
        &self.base
    }

    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["v0.1", "servers"]).extend(path);
        }
        url
    }

    /// What it says of one version of a server.
    ///
    /// # Errors
    ///
    /// It cannot be asked, has no such server, or answers with something else.
    pub async fn server(&self, name: &RegistryName) -> Result<RegistryServer, RegistryError> {
        let url = self.at(&[name.as_str(), "versions", name.version().unwrap_or("latest")]);
        let server = RegistryServer::read(&self.ask(url).await?)?;
        let is_meant =
            server.name == name.as_str() && name.version().is_none_or(|version| version == server.version);
        if !is_meant {
            let (name, version) = (mcp_text::line(&server.name, 100), mcp_text::line(&server.version, 60));
            let message = format!("it answers with another server: {name} {version}");
            return Err(RegistryError::new(RegistryErrorKind::Protocol, message));
        }
        Ok(server)
    }

    /// The servers whose names have `word` in them: 60 at most, the latest version of each where the registry says which that is.
    ///
    /// # Errors
    ///
    /// It cannot be asked, or answers with something else.
    pub async fn search(&self, word: &str) -> Result<RegistrySearch, RegistryError> {
        let mut found = RegistrySearch { servers: Vec::new(), more: false, unreadable: 0 };
        let mut cursors: Vec<String> = Vec::new();
        for _ in 0..MAX_PAGES {
            let mut url = self.at(&[]);
            url.query_pairs_mut()
                .append_pair("search", word)
                .append_pair("version", "latest")
                .append_pair("limit", PAGE)
                .extend_pairs(cursors.last().map(|cursor| ("cursor", cursor)));
            let page = RegistryPage::read(&self.ask(url).await?)?;
            found.unreadable += page.unreadable;
            for server in page.servers {
                match found.servers.iter().position(|known| known.name == server.name) {
                    None if found.servers.len() == MAX_FOUND => found.more = true,
                    None => found.servers.push(server),
                    // One that does not choose by version has them all.
                    Some(at) if server.is_latest == Some(true) => found.servers[at] = server,
                    Some(_) => {}
                }
            }
            let Some(next) = page.next else { return Ok(found) };
            if found.more || cursors.contains(&next) {
                break;
            }
            cursors.push(next);
        }
        found.more = true;
        Ok(found)
    }

    /// Whether the address of a draft may be asked: what the registry names has to be a place where it may send anyone, and
    /// what a person named is theirs to choose; over https, or http on this machine.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check(&self, draft: &Draft) -> Result<(), UrlRefusal> {
        let Some(url) = &draft.url else { return Ok(()) };
        // What a variable holds is known later; where it leads was said by a person.
        let url = without_references(url);
        let by = if draft.host_is_typed { UrlSource::person() } else { UrlSource::server(&self.base) };
        by.may_request(&url).map(drop)
    }

    /// Whether the address of an offer may be asked, as far as the registry alone says where it leads.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_offer(&self, offer: &Offer) -> Result<(), UrlRefusal> {
        let named = offer.fixed_origin().map(|origin| UrlSource::server(&self.base).may_request(origin));
        named.transpose().map(drop)
    }

    async fn ask(&self, mut url: Url) -> Result<Bytes, RegistryError> {
        for _ in 0..=MAX_REDIRECTS {
            let request = http::Request::get(url.as_str())
                .header(header::ACCEPT, "application/json")
                .body(Bytes::new())
                .map_err(|_| RegistryError::new(RegistryErrorKind::Address, "it cannot be asked for that"))?;
            let answer = self.host.connector().http().fetch(request).await?;
            let status = answer.status();
            if status == StatusCode::OK {
                return Ok(answer.into_body());
            }
            if status == StatusCode::NOT_FOUND {
                return Err(RegistryError::new(RegistryErrorKind::NotFound, "it answers 404"));
            }
            if !status.is_redirection() {
                let message = format!("it answers {}", status.as_u16());
                return Err(RegistryError::new(RegistryErrorKind::Refused(status.as_u16()), message));
            }
            let location = answer.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            let Some(next) = next else {
                return Err(RegistryError::new(
                    RegistryErrorKind::Redirect,
                    format!("it answers {} and does not say where to", status.as_u16()),
                ));
            };
            url = UrlSource::server(&url).may_request(next.as_str()).map_err(|why| {
                let host = mcp_text::line(&next.origin().ascii_serialization(), 100);
                let message = format!("it sends to {host}, which {why}");
                RegistryError::new(RegistryErrorKind::Redirect, message)
            })?;
        }
        let message = format!("it sends elsewhere more than {MAX_REDIRECTS} times");
        Err(RegistryError::new(RegistryErrorKind::Redirect, message))
    }
}

/// A URL with a letter in the place of each `${…}`.
fn without_references(url: &str) -> String {
    let (mut out, mut rest) = (String::new(), url);
    while let Some((before, behind)) = rest.split_once("${") {
        let Some((_, after)) = behind.split_once('}') else { break };
        out.push_str(before);
        out.push('v');
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mcp_config::Env;
    use mcp_config::registry::Answers;
    use mcp_transport::ClientInfo;

    use super::*;
    use crate::HostOptions;

    fn registry(base: &str) -> Result<Registry, RegistryError> {
        let program = ClientInfo::new("test", "1");
        Registry::new(&Host::new(HostOptions::from_env(&Env::new(), Path::new("/"), program)), base)
    }

    fn draft(url: &str, answers: &[(&str, &str)]) -> Draft {
        let server = format!(
            r#"{{"server": {{"name": "a/b", "version": "1", "description": "x", "remotes": [{{"type": "sse", "url": "{url}"}}]}}}}"#
        );
        let server = RegistryServer::read(server.as_bytes()).unwrap();
        let offer = &server.offers[0];
        let mut said = Answers::default();
        for (id, answer) in answers {
            said.add(offer.inputs().into_iter().find(|input| input.id == *id).unwrap(), answer);
        }
        offer.draft(&said).unwrap()
    }

    #[test]
    fn an_address_is_that_of_the_registry_however_it_is_copied() {
        for base in [
            "https://r.example/api",
            "https://r.example/api/",
            "https://r.example/api/v0.1",
            "https://r.example/api/v0.1/servers?x#y",
        ] {
            let registry = registry(base).unwrap();
            let url = registry.at(&["io.a/b", "versions", "1.0+x/.."]);
            assert_eq!(
                url.as_str(),
                "https://r.example/api/v0.1/servers/io.a%2Fb/versions/1.0+x%2F..",
                "{base}"
            );
        }
        assert_eq!(
            registry(Registry::OFFICIAL).unwrap().at(&[]).as_str(),
            "https://registry.modelcontextprotocol.io/v0.1/servers"
        );
        for base in [
            "",
            "r.example",
            "http://r.example",
            "https://u:p@r.example",
            "file:///etc",
            "javascript:alert(1)",
        ] {
            let error = registry(base).unwrap_err();
            assert_eq!(error.kind(), RegistryErrorKind::Address, "{base}");
        }
    }

    #[test]
    fn s_r6_a_registry_names_no_place_of_this_machine_or_its_network() {
        let (outside, here) =
            (registry("https://r.example").unwrap(), registry("http://127.0.0.1:9").unwrap());
        for url in [
            "http://127.0.0.1:8080/mcp",
            "https://localhost/mcp",
            "https://10.0.0.1/mcp",
            "https://169.254.169.254/latest",
            "https://[::1]/mcp",
            "https://router.local/mcp",
            "https://2130706433/mcp",
            "http://h.example/mcp",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://user:pw@h.example/mcp",
            "ws://h.example/mcp",
        ] {
            assert!(outside.check(&draft(url, &[])).is_err(), "{url}");
        }
        for url in ["https://h.example/mcp", "https://h.example:8443/mcp?a=b"] {
            assert_eq!(outside.check(&draft(url, &[])), Ok(()), "{url}");
        }
        // One on this machine may name others on it, and a person may name every place.
        assert_eq!(here.check(&draft("http://127.0.0.1:8080/mcp", &[])), Ok(()));
        assert!(here.check(&draft("https://169.254.169.254/", &[])).is_err());
        assert_eq!(outside.check(&draft("{base}/mcp", &[("base", "https://10.0.0.1")])), Ok(()));
        assert_eq!(
            outside.check(&draft("{base}/mcp?k={k}", &[("base", "http://localhost:1"), ("k", "${KEY}")])),
            Ok(())
        );
        assert!(outside.check(&draft("https://h.example/{x}", &[("x", "${KEY}")])).is_ok());
        for base in ["http://h.example", "javascript:alert(1)//", "ftp://h.example"] {
            assert!(outside.check(&draft("{base}/mcp", &[("base", base)])).is_err(), "{base}");
        }
    }
}
