//! May this URL, named by that party, be requested or opened? One answer for every door.
//!
//! Servers name URLs all the time: the metadata of a challenge, its authorization servers, their endpoints, the pages that
//! a person is sent to. A server elsewhere that names a URL of this machine, or of the network that it stands in, would
//! make this program (or the person's browser) its hands behind the firewall. So each URL has a [`Zone`], each party that
//! names one is in a zone, and what may be named follows from the two:
//!
//! | named by \ points at | the internet | a private network | this machine | link-local, metadata services |
//! |---|---|---|---|---|
//! | a person: entry, command line | yes | yes | yes | yes |
//! | a server on the internet | yes | – | – | – |
//! | a server in a private network | yes | yes | – | – |
//! | a server on this machine | yes | yes | yes | – |
//! | a server at a link-local address | yes | yes | – | yes |
//!
//! Its own origin a server may always name. A document's URLs are named by the origin that the *document* came from, so
//! that a local server's choice of a remote authorization server gives that one no rights here.
//!
//! A zone is read off the URL, without asking the name service. A name may *resolve* to an inner address, and may do so
//! only now and then; but whatever is not on this machine by its name is https or refused, and no service in there has a
//! certificate for a stranger's name: it sees the beginning of a TLS handshake and no request. To ask the name service here
//! as well would break the many companies whose public names resolve to inner addresses, and through a proxy it could not
//! be asked at all.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Where a host is, as far as its name or address tells.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Zone {
    /// This machine, in any spelling: loopback (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3), the unspecified address,
    /// `localhost` and the names below it (RFC 6761 section 6.3).
    ThisMachine,
    /// A private network (RFC 1918, RFC 4193, RFC 6598), or a name that has a meaning only in one: a single label, `.local`
    /// (RFC 6762), `.internal`, `.home.arpa` (RFC 8375) and the like.
    Private,
    /// Addresses of the link (RFC 3927, RFC 4291 section 2.5.6) or of many (multicast), and the metadata services of cloud
    /// providers, which hand out the credentials of the machine.
    LinkLocal,
    /// Everything else.
    Internet,
}

/// Names of this machine beside `localhost`, as `/etc/hosts` of common systems has them.
const THIS_MACHINE: [&str; 6] = [
    "localhost",
    "localhost.localdomain",
    "localhost4.localdomain4",
    "localhost6.localdomain6",
    "ip6-localhost",
    "ip6-loopback",
];

/// Metadata services that are reached by a name.
const METADATA_NAMES: [&str; 4] =
    ["metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"];

/// Metadata services outside of 169.254.0.0/16: Alibaba, Oracle, Azure's wire server.
const METADATA_IPV4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192), Ipv4Addr::new(168, 63, 129, 16)];

/// That of AWS over IPv6.
const METADATA_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Endings of names that no public name has.
const PRIVATE_ENDINGS: [&str; 10] =
    ["local", "internal", "home.arpa", "lan", "home", "corp", "intranet", "private", "localdomain", "test"];

impl Zone {
    /// The zone of a URL; without a host, it is nowhere that can be named.
    pub fn of(url: &Url) -> Self {
        match url.host() {
            Some(Host::Domain(name)) => Self::of_name(name),
            Some(Host::Ipv4(address)) => Self::of_ipv4(address),
            Some(Host::Ipv6(address)) => Self::of_ipv6(address),
            None => Self::ThisMachine,
        }
    }

    /// The zone of an address.
    pub fn of_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_ipv4(address),
            IpAddr::V6(address) => Self::of_ipv6(address),
        }
    }

    fn of_name(name: &str) -> Self {
        // The dot of the root makes no other name of it (RFC 1034 section 3.1).
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let ends_with = |ending: &str| name.strip_suffix(ending).is_some_and(|rest| rest.ends_with('.'));
        if THIS_MACHINE.contains(&&*name) || ends_with("localhost") || name.is_empty() {
            return Self::ThisMachine;
        }
        if METADATA_NAMES.contains(&&*name) {
            return Self::LinkLocal;
        }
        if !name.contains('.') || PRIVATE_ENDINGS.iter().any(|ending| ends_with(ending)) {
            return Self::Private;
        }
        Self::Internet
    }

    fn of_ipv4(address: Ipv4Addr) -> Self {
        let [a, b, ..] = address.octets();
        if METADATA_IPV4.contains(&address) || address.is_link_local() || address.is_multicast() || a >= 240 {
            return Self::LinkLocal;
        }
        // All of 0.0.0.0/8 is "this host on this network" (RFC 1122 section 3.2.1.3).
        if address.is_loopback() || a == 0 {
            return Self::ThisMachine;
        }
        let shared = a == 100 && (64..128).contains(&b);
        let benchmarks = a == 198 && (18..20).contains(&b);
        let protocols = a == 192 && b == 0 && address.octets()[2] == 0;
        if address.is_private() || shared || benchmarks || protocols { Self::Private } else { Self::Internet }
    }

    fn of_ipv6(address: Ipv6Addr) -> Self {
        let parts = address.segments();
        let embedded = |high: u16, low: u16| {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Self::of_ipv4(Ipv4Addr::new(a, b, c, d))
        };
        if address.is_loopback() || address.is_unspecified() {
            return Self::ThisMachine;
        }
        if address == METADATA_IPV6 || address.is_multicast() || parts[0] & 0xffc0 == 0xfe80 {
            return Self::LinkLocal;
        }
        match parts {
            // IPv4-mapped, IPv4-translated, the deprecated IPv4-compatible (RFC 4291 section 2.5.5, RFC 2765), and the
            // prefix of NAT64 (RFC 6052): the address behind them is what is reached.
            [0, 0, 0, 0, 0, 0xffff, high, low]
            | [0, 0, 0, 0, 0xffff, 0, high, low]
            | [0, 0, 0, 0, 0, 0, high, low]
            | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
            // 6to4 (RFC 3056).
            [0x2002, high, low, ..] => embedded(high, low),
            // Unique local, site-local, and NAT64 for local use (RFC 4193, RFC 3879, RFC 8215).
            [first, ..] if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0 => Self::Private,
            [0x64, 0xff9b, 1, ..] => Self::Private,
            _ => Self::Internet,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::ThisMachine => "on this machine",
            Self::Private => "in a private network",
            Self::LinkLocal => "at a link-local or metadata address",
            Self::Internet => "on the internet",
        }
    }
}

/// Characters that are illegal in a URL (RFC 3986), or mean something to a shell. A page that is opened needs none of
/// them, and some of them end up on a command line when a browser is started.
const NEVER_OPENED: &str = "\"<>\\^`{|}$;'()!*";

/// Who names a URL.
///
/// # Examples
///
/// ```
/// use mcp_auth::url_policy::UrlSource;
/// use url::Url;
///
/// let server = UrlSource::server(&Url::parse("https://mcp.example/mcp")?);
/// assert!(server.may_request("https://login.example/token").is_ok());
/// assert!(server.may_request("http://169.254.169.254/latest/meta-data").is_err());
/// assert!(server.may_request("http://127.0.0.1:8080/admin").is_err());
/// assert!(UrlSource::person().may_request("http://127.0.0.1:8080/mcp").is_ok());
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UrlSource(Party);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Party {
    Person,
    /// The server that a document or a message came from.
    Server(Url),
    Process,
}

impl UrlSource {
    /// A person, in an entry or on a command line: may name every place.
    pub fn person() -> Self {
        Self(Party::Person)
    }

    /// The server that a document came from, by its own URL.
    pub fn server(at: &Url) -> Self {
        Self(Party::Server(at.clone()))
    }

    /// A server that is a process of this machine, without a URL of its own.
    pub fn this_machine() -> Self {
        Self(Party::Process)
    }

    /// The URL in `text`, if secrets may be sent to it: https, or http on this machine (OAuth 2.1 section 1.5), without
    /// user name, and in a zone that this party may name. What a server names is in the characters of RFC 3986 section 2,
    /// so that no two parsers can read it differently.
    ///
    /// # Errors
    ///
    /// Why it may not be requested.
    pub fn may_request(&self, text: &str) -> Result<Url, UrlRefusal> {
        let is_uri = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
        if !matches!(self.0, Party::Person) && !text.chars().all(is_uri) {
            return Err(UrlRefusal::new("contains characters that no URL has"));
        }
        let url = Url::parse(text).map_err(|_| UrlRefusal::new("is not a URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlRefusal::new("contains a user name"));
        }
        self.check_zone(&url)?;
        match url.scheme() {
            "https" if url.has_host() => Ok(url),
            "http" if is_loopback(&url) => Ok(url),
            "http" => Err(UrlRefusal::new("is plain http on another machine")),
            _ => Err(UrlRefusal::new("is neither https nor http on this machine")),
        }
    }

    /// The URL in `text`, if it may be opened in a person's browser: what [`may_request`](Self::may_request) allows, and
    /// nothing in it that a URL does not have or that means something to a shell.
    ///
    /// # Errors
    ///
    /// Why it may not be opened.
    pub fn may_open(&self, text: &str) -> Result<Url, UrlRefusal> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || !c.is_ascii() || NEVER_OPENED.contains(c);
        if text.chars().any(odd) {
            return Err(UrlRefusal::new("contains characters that are never opened"));
        }
        self.may_request(text)
    }

    /// Whether this party may name `url`, going by where it is alone.
    ///
    /// # Errors
    ///
    /// Names the zone that it may not name, and who it is.
    fn check_zone(&self, url: &Url) -> Result<(), UrlRefusal> {
        let (at, who) = match &self.0 {
            Party::Person => return Ok(()),
            Party::Server(at) if at.origin() == url.origin() => return Ok(()),
            Party::Server(at) => (Zone::of(at), at.origin().ascii_serialization()),
            Party::Process => (Zone::ThisMachine, "a local server".to_owned()),
        };
        if !url.has_host() {
            return Ok(());
        }
        let zone = Zone::of(url);
        let allowed = match at {
            Zone::ThisMachine => zone != Zone::LinkLocal,
            Zone::LinkLocal => zone != Zone::ThisMachine,
            Zone::Private => matches!(zone, Zone::Private | Zone::Internet),
            Zone::Internet => zone == Zone::Internet,
        };
        if allowed {
            return Ok(());
        }
        Err(UrlRefusal {
            why: format!("is {}, where {who} may not send anyone", zone.words()).into(),
            zone: true,
        })
    }
}

/// Whether the URL is on this machine by a name or address that never means another: `localhost` and loopback addresses.
/// Plain http is allowed for these only.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Why a URL is neither requested nor opened: a fragment that goes on after the URL, and does not hold it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UrlRefusal {
    why: std::borrow::Cow<'static, str>,
    zone: bool,
}

impl UrlRefusal {
    fn new(why: &'static str) -> Self {
        Self { why: why.into(), zone: false }
    }

    /// Whether it is about where the URL is, which a person may allow by naming it in the entry.
    pub fn is_about_place(&self) -> bool {
        self.zone
    }
}

impl fmt::Display for UrlRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for UrlRefusal {}

#[cfg(test)]
mod tests;
