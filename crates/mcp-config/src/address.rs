//! A server that is given by its URL where the name of one could stand: what its entry is, and what it is called.
//!
//! It is an entry like one of `--mcp-config`, of the scope `dynamic`, under a name that no entry of a file has by accident: its
//! own URL, without what may be a secret. So a URL is the same server for every command that takes one, its sign-in is the
//! same one, and a command that is printed for it carries the URL. An entry of a file that leads to the same URL is another
//! server: its headers, its helper and its sign-in are for those who ask for it by name.

use std::fmt;

use serde_json::{Map, Value, json};
use url::{Host, Url};

use crate::display::{display_secret_text, display_url_text};
use crate::expand::Text;
use crate::hosts::{AddressOption, CommandLine, OptionMeaning};
use crate::reference::{ReferenceText, reference};
use crate::schema::url_fault;
use crate::source::{Content, FilePurpose, Source};
use crate::{ConfigSource, Env};

/// A server given by its URL.
///
/// # Examples
///
/// ```
/// use mcp_config::address::Address;
///
/// assert!(Address::is_one("https://mcp.example/mcp") && !Address::is_one("docs"));
/// assert!(Address::is_one("${env:DOCS_URL}") && !Address::is_one("docs-${env:DOCS_URL}"));
/// let address = Address::new("https://mcp.example/mcp?key=canary", []).expect("the URL of a server");
/// assert!(address.name().starts_with("https://mcp.example/mcp") && !address.name().contains("canary"));
/// ```
#[derive(Clone)]
pub struct Address {
    name: String,
    entry: Map<String, Value>,
    shown: Vec<String>,
}

impl Address {
    /// Whether a person who wrote `word` where a server is named means a URL: a name has no `://`, and is not a reference to a
    /// variable.
    pub fn is_one(word: &str) -> bool {
        let is_variable = matches!(reference(word), Some(ReferenceText::Variable(_)));
        is_variable
            || word.split_once("://").is_some_and(|(scheme, _)| {
                !scheme.is_empty()
                    && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            })
    }

    /// The server at `url`, with what `options` say of it. `${V}` and `${env:V}` stand for variables.
    ///
    /// # Errors
    ///
    /// It is not a URL of a server, or an option says nothing that can be read. Nothing that was written is repeated: it may be a
    /// secret.
    pub fn new<'o>(
        url: &str,
        options: impl IntoIterator<Item = (&'static AddressOption, &'o str)>,
    ) -> Result<Self, AddressError> {
        let url = plain_references(url);
        let url = if url.contains("${") { url } else { checked(&url)?.into() };
        let (mut line, mut shown) = (CommandLine::default(), Vec::new());
        for (option, value) in options {
            let value = plain_references(value);
            if option.takes.note(&value, 0, &mut line).is_none() {
                return Err(AddressError(wrong(option)));
            }
            shown.extend(shown_option(option, &value));
        }
        line.finish();
        if let Some((_, why)) = line.lost.first() {
            return Err(AddressError((*why).to_owned()));
        }
        let mut entry = Map::new();
        entry.insert("type".to_owned(), line.kind.unwrap_or("http").into());
        entry.insert("url".to_owned(), url.as_str().into());
        if !line.headers.is_empty() {
            let headers: Map<_, _> =
                line.headers.iter().map(|(name, value, _)| (name.clone(), value.as_str().into())).collect();
            entry.insert("headers".to_owned(), Value::Object(headers));
        }
        entry.extend(line.fields());
        let name = display_url_text(&Text::expand(&url, &Env::new()));
        Ok(Self { name, entry, shown })
    }

    /// What it is called: its URL, without the values of userinfo, query and fragment, and without what looks like a token.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The options that it was given with, as words of a command that is printed. Of a header, only references are shown.
    pub fn options(&self) -> &[String] {
        &self.shown
    }

    /// Whether both lead to the same server with the same headers, hidden parts included.
    pub fn is_same(&self, other: &Self) -> bool {
        self.entry == other.entry
    }

    /// What defines these servers; none where there is none.
    pub(crate) fn source(addresses: &[Self]) -> Option<Source> {
        let servers: Map<_, _> = addresses
            .iter()
            .map(|address| (address.name.clone(), Value::Object(address.entry.clone())))
            .collect();
        let content = Content::Text(json!({ "mcpServers": servers }).to_string());
        let source = Source::of(FilePurpose::Dynamic, ConfigSource::Url, content);
        (!addresses.is_empty()).then_some(source)
    }

    /// The URL that a person may have meant by an address without its scheme.
    pub fn with_scheme(word: &str) -> Option<String> {
        // `http:/host` and `https//host`: two signs of three.
        let mistyped = ["https", "http"].into_iter().find_map(|scheme| {
            let rest = word.strip_prefix(scheme)?;
            let rest = rest.strip_prefix(":/").or_else(|| rest.strip_prefix("//"))?;
            let goes_on = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
            goes_on.then(|| format!("{scheme}://{rest}"))
        });
        if let Some(meant) = mistyped {
            return Some(display_url_text(&Text::expand(&meant, &Env::new())));
        }
        let host = word.split(['/', '?', '#']).next()?;
        let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
        let is_host = is_port && name.split('.').all(is_label);
        // A name with one dot in it is a name; what has a port, a path or more dots is none.
        let telling = port.is_some() || host.len() < word.len() || name.matches('.').count() > 1;
        let has_place = name.contains('.') || name.eq_ignore_ascii_case("localhost") || port.is_some();
        if !(is_host && telling && has_place) {
            return None;
        }
        let is_here = Url::parse(&format!("http://{host}")).ok().is_some_and(|url| match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            _ => false,
        });
        let scheme = if is_here { "http" } else { "https" };
        Some(display_url_text(&Text::expand(&format!("{scheme}://{word}"), &Env::new())))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: the entry holds the URL as it is, and headers.
        f.debug_struct("Address")
            .field("name", &self.name)
            .field("options", &self.shown)
            .finish_non_exhaustive()
    }
}

/// What was given where a URL could stand is none. Says what is wrong, in words that hold nothing of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddressError(String);

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AddressError {}

/// The URL in one spelling.
fn checked(text: &str) -> Result<Url, AddressError> {
    let wrong = |what: String| Err(AddressError(what));
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return wrong(format!("the URL {}", url_fault(error, "https://"))),
    };
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        "ws" | "wss" => wrong("WebSocket servers are not supported; write http:// or https://".to_owned()),
        _ => wrong("the URL of a server begins with http:// or https://".to_owned()),
    }
}

/// `${env:V}` as `${V}`, which is what our own entries have.
fn plain_references(text: &str) -> String {
    text.replace("${env:", "${")
}

fn wrong(option: &AddressOption) -> String {
    let name = option.name;
    match option.takes {
        OptionMeaning::Header => "a header is written as 'Name: value'".to_owned(),
        OptionMeaning::Type => format!("{name} is http, sse, http-only or sse-only"),
        OptionMeaning::Protocol => format!("{name} is legacy, modern or auto"),
        OptionMeaning::Seconds(_) => format!("{name} is a time such as 30s"),
        OptionMeaning::Metadata => format!("{name} is a JSON object"),
        OptionMeaning::Member(_) => format!("{name} is written as NAME=VALUE"),
        OptionMeaning::Port(_) => format!("{name} is a port from 1 to 65535"),
        _ => format!("the value of {name} cannot be read"),
    }
}

/// An option as it may be shown.
fn shown_option(option: &AddressOption, value: &str) -> Vec<String> {
    let name = option.short.map_or_else(|| option.name.to_owned(), |letter| format!("-{letter}"));
    let text = Text::expand(value, &Env::new());
    match option.takes {
        OptionMeaning::Header => {
            let (header, value) = value.split_once(':').unwrap_or((value, ""));
            let value = display_secret_text(&Text::expand(value.trim(), &Env::new()));
            vec![name, format!("{}: {value}", header.trim())]
        }
        _ if option.value.is_none() => vec![name],
        _ if value.contains("://") => vec![name, display_url_text(&text)],
        _ => vec![name, mcp_text::Secrets::default().hide(value).into_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, checked};

    #[test]
    fn fh_h14_an_address_with_a_slip_is_taken_for_what_was_meant_and_told_in_plain_words() {
        for (word, meant) in [
            ("http:/127.0.0.1/mcp", Some("http://127.0.0.1/mcp")),
            ("https//x.example/mcp", Some("https://x.example/mcp")),
            ("https:/x.example", Some("https://x.example")),
            ("http://x.example/mcp", None),
            ("https:///mcp", None),
            ("http/x", None),
            ("httpserver", None),
            ("localhost:8080/mcp", Some("http://localhost:8080/mcp")),
        ] {
            let found = Address::with_scheme(word);
            assert_eq!(found.as_deref().map(|url| url.trim_end_matches('/')), meant, "{word}");
        }
        for (url, words) in [
            ("http://", "the URL has no host"),
            ("http://h:99999/", "the URL has a port"),
            ("http://exa mple/", "characters that no host has"),
            ("http://[x]/", "square brackets"),
        ] {
            let told = checked(url).unwrap_err().to_string();
            assert!(told.contains(words), "{url}: {told}");
        }
    }
}
