//! Which proxy a request goes by, if any: the variables that name proxies, read as curl, Go, Python and Node read them.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use url::{Host, Url};

use crate::error::{TransportError, TransportErrorKind};
use crate::options::{ProxySettings, ProxyUrl};

/// The proxies of one client, and what goes past them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {
    http: Option<NamedProxy>,
    https: Option<NamedProxy>,
    except: Arc<[Exception]>,
    /// The one of all URLs.
    always: Option<Arc<Proxy>>,
}

/// What a variable names: a proxy, or nothing that could be one, which is a matter of the requests that go by it.
type NamedProxy = Result<Arc<Proxy>, Arc<TransportError>>;

/// One proxy.
#[derive(Eq, PartialEq)]
pub(crate) struct Proxy {
    /// With user and password, which are for the proxy alone.
    pub(crate) url: Url,
    /// How people are told which one it is.
    shown: String,
}

/// How a request goes, and why so.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way<'a> {
    By(&'a Arc<Proxy>),
    /// None is named for this scheme.
    NoneNamed,
    /// This machine is not reached by the one that is named.
    Here(&'a Arc<Proxy>),
    /// `NO_PROXY` leads past it, by this part.
    Past(&'a Arc<Proxy>, &'a str),
    /// By one that cannot be used, and why.
    Unusable(&'a TransportError),
}

/// What is reached without a proxy.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Exception {
    /// As it was written.
    written: String,
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Hosts {
    All,
    /// Names without a dot.
    Plain,
    /// This host and what is below it.
    Below(String),
    /// With `*` anywhere.
    Pattern(String),
    Network(IpAddr, u8),
}

impl Routes {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](TransportErrorKind::Misconfigured) where the proxy of all URLs has no usable URL; the URL is not told.
    pub(crate) fn new(settings: &ProxySettings) -> Result<Self, TransportError> {
        let proxy = |named: &Option<ProxyUrl>| {
            let named = named.as_ref().filter(|named| !named.url.trim().is_empty());
            named.map(|named| Proxy::read(named).map(Arc::new).map_err(Arc::new))
        };
        let all = proxy(&settings.all);
        let except = settings.no_proxy.as_deref().unwrap_or_default();
        Ok(Self {
            always: proxy(&settings.always).transpose().map_err(|error| (*error).clone())?,
            http: proxy(&settings.http).or_else(|| all.clone()),
            https: proxy(&settings.https).or(all),
            except: except.split([',', ' ', '\t', '\n', ';']).filter_map(Exception::read).collect(),
        })
    }

    /// How a request to this host would go past its proxy.
    pub(crate) fn way_past(&self, host: &str) -> String {
        match self.always {
            Some(_) => "none in its place goes past it".to_owned(),
            None => format!("NO_PROXY={host} goes past it"),
        }
    }

    /// The proxy that a request to this URL goes by.
    pub(crate) fn of(&self, url: &Url) -> Option<&Arc<Proxy>> {
        match self.way(url) {
            Way::By(proxy) => Some(proxy),
            _ => None,
        }
    }

    /// # Errors
    ///
    /// What a request to this URL goes by is not a proxy.
    pub(crate) fn check(&self, url: &Url) -> Result<(), TransportError> {
        match self.way(url) {
            Way::Unusable(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// How a request to this URL goes, and why.
    pub(crate) fn way(&self, url: &Url) -> Way<'_> {
        if let Some(always) = &self.always {
            return Way::By(always);
        }
        let proxy = match url.scheme() {
            "http" => &self.http,
            "https" => &self.https,
            _ => &None,
        };
        let (Some(proxy), Some(host)) = (proxy, url.host()) else {
            return Way::NoneNamed;
        };
        let except = self.except.iter().find(|except| except.covers(&host, url));
        match (proxy, except) {
            (Ok(proxy), _) if is_loopback(&host) => Way::Here(proxy),
            (Err(_), _) if is_loopback(&host) => Way::NoneNamed,
            (Ok(proxy), Some(except)) => Way::Past(proxy, &except.written),
            (Err(_), Some(_)) => Way::NoneNamed,
            (Ok(proxy), None) => Way::By(proxy),
            (Err(error), None) => Way::Unusable(error),
        }
    }
}

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(proxy) => write!(f, "by {proxy}"),
            Self::NoneNamed => f.write_str("none: no variable and no entry names one for it"),
            Self::Here(proxy) => write!(f, "none: this machine is never reached by {proxy}"),
            Self::Unusable(error) => write!(f, "not known: {error}"),
            Self::Past(proxy, written) => {
                write!(f, "none: NO_PROXY has `{}`, which leads past {proxy}", mcp_text::line(written, 80))
            }
        }
    }
}

const NO_URL: &str = "is not a URL of a proxy, such as http://proxy.example:3128";

impl Proxy {
    fn read(named: &ProxyUrl) -> Result<Self, TransportError> {
        let wrong = |what: &str| {
            // Security: the URL may hold a password, so only what named it is told.
            let message = format!("{} {what}", named.from);
            Err(TransportError::new(TransportErrorKind::Misconfigured, message.clone())
                .with_said(Some(message))
                .by_way_of(Some(named.from.to_string())))
        };
        let text = named.url.trim();
        // `http:/proxy` would be a host `http`.
        if !text.contains("://") && text.contains(":/") {
            return wrong(NO_URL);
        }
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let Ok(url) = Url::parse(&text) else {
            return wrong(NO_URL);
        };
        if url.host_str().is_none_or(str::is_empty) {
            return wrong("names no host of a proxy");
        }
        if !matches!(url.scheme(), "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h") {
            return wrong("names a kind of proxy that is not known; http, https, socks5 and socks5h are");
        }
        // Security: whatever else is in it may be a part of a password that was not written as a URL wants it.
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        let shown = format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default());
        let shown = mcp_text::line(&shown, 120);
        Ok(Self { shown: format!("{shown} ({})", named.from), url })
    }

    /// Whether it speaks SOCKS.
    pub(crate) fn is_socks(&self) -> bool {
        self.url.scheme().starts_with("socks")
    }
}

impl fmt::Display for Proxy {
    /// Where it is, and what named it; without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Exception {
    /// One entry of `NO_PROXY`; `None` where there is none.
    fn read(entry: &str) -> Option<Self> {
        let written = entry.to_owned();
        let entry = entry
            .split_once("://")
            .map_or(entry, |(_, rest)| rest)
            .trim_end_matches('/')
            .to_ascii_lowercase();
        match &*entry {
            "" => return None,
            "*" => return Some(Self { written, hosts: Hosts::All, port: None }),
            "<local>" => return Some(Self { written, hosts: Hosts::Plain, port: None }),
            _ => {}
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.parse().ok().filter(|bits| *bits <= most)?;
            return Some(Self { written, hosts: Hosts::Network(address, bits), port: None });
        }
        // An address of IPv6 has colons of its own, and brackets where a port follows.
        let (host, port) = match entry.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']')?;
                (address, rest.strip_prefix(':'))
            }
            None if entry.parse::<IpAddr>().is_ok() => (&*entry, None),
            None => entry.split_once(':').map_or((&*entry, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None | Some("" | "*") => None,
            Some(port) => Some(port.parse().ok()?),
        };
        let hosts = match host.parse::<IpAddr>() {
            Ok(address) => Hosts::Network(address, if address.is_ipv4() { 32 } else { 128 }),
            Err(_) => {
                let host = host.trim_end_matches('.');
                let below = host.strip_prefix("*.").or_else(|| host.strip_prefix('.')).unwrap_or(host);
                match below {
                    "" => return None,
                    "*" => Hosts::All,
                    _ if below.contains('*') => Hosts::Pattern(below.to_owned()),
                    _ => Hosts::Below(below.to_owned()),
                }
            }
        };
        Some(Self { written, hosts, port })
    }

    fn covers(&self, host: &Host<&str>, url: &Url) -> bool {
        if self.port.is_some_and(|port| url.port_or_known_default() != Some(port)) {
            return false;
        }
        let name = match host {
            Host::Domain(name) => name.trim_end_matches('.').to_ascii_lowercase(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        match &self.hosts {
            Hosts::All => true,
            Hosts::Plain => matches!(host, Host::Domain(_)) && !name.contains('.'),
            Hosts::Below(suffix) => {
                name == *suffix || name.strip_suffix(&**suffix).is_some_and(|rest| rest.ends_with('.'))
            }
            Hosts::Pattern(pattern) => fits(pattern, &name),
            Hosts::Network(network, bits) => {
                address(host).is_some_and(|address| is_within(address, *network, *bits))
            }
        }
    }
}

/// Whether `text` fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn address(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some(IpAddr::from(*address).to_canonical()),
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    fn alike(one: &[u8], other: &[u8], bits: u8) -> bool {
        let (whole, rest) = (usize::from(bits / 8), bits % 8);
        one[..whole] == other[..whole]
            && (rest == 0 || (one[whole] ^ other[whole]).checked_shr(u32::from(8 - rest)) == Some(0))
    }
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => alike(&address.octets(), &network.octets(), bits),
        (IpAddr::V6(address), IpAddr::V6(network)) => alike(&address.octets(), &network.octets(), bits),
        _ => false,
    }
}

/// Whether it is this machine: no proxy can reach that for us (RFC 6761 section 6.3).
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
        }
        _ => address(host).is_some_and(|address| address.is_loopback() || address.is_unspecified()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(no_proxy: &str) -> Routes {
        let settings = ProxySettings {
            http: Some(ProxyUrl::new("http://p.example:3128", "HTTP_PROXY")),
            https: None,
            all: Some(ProxyUrl::new("socks5h://user:canary@s.example:1080/x?k=canary", "ALL_PROXY")),
            no_proxy: Some(no_proxy.to_owned()),
            always: None,
        };
        Routes::new(&settings).unwrap()
    }

    #[test]
    fn a_proxy_of_one_endpoint_takes_every_url_also_one_of_this_machine() {
        let own = ProxyUrl::new("socks5h://u:canary@own.example:1080", "/f.json:3: mcpServers.x.proxy");
        let settings = ProxySettings {
            always: Some(own),
            no_proxy: Some("*".to_owned()),
            https: Some(ProxyUrl::new("http://p.example:3128", "HTTPS_PROXY")),
            ..ProxySettings::default()
        };
        let routes = Routes::new(&settings).unwrap();
        for url in ["https://h.example/mcp", "http://localhost:3000/mcp", "http://127.0.0.1/mcp"] {
            let proxy = routes.of(&url.parse().unwrap()).unwrap();
            assert_eq!(proxy.to_string(), "socks5h://own.example:1080 (/f.json:3: mcpServers.x.proxy)");
        }
        assert!(
            routes.way_past("h.example").contains("none in its place")
                && !format!("{routes:?}").contains("canary")
        );
        assert_eq!(self::routes("").way_past("h.example"), "NO_PROXY=h.example goes past it");
    }

    fn is_direct(routes: &Routes, url: &str) -> bool {
        routes.of(&url.parse().unwrap()).is_none()
    }

    #[test]
    fn fa_a83_this_machine_is_never_reached_by_a_proxy() {
        let routes = routes("");
        for url in [
            "http://localhost:1/",
            "http://LOCALHOST./",
            "https://api.localhost/",
            "http://127.0.0.1/",
            "http://127.8.9.1/",
            "http://[::1]:1/",
            "http://[::ffff:127.0.0.1]/",
            "http://0.0.0.0/",
            "http://[::]/",
            "http://2130706433/",
        ] {
            assert!(is_direct(&routes, url), "{url}");
        }
        for url in
            ["http://h.example/", "https://10.0.0.1/", "http://localhost.example/", "http://128.0.0.1/"]
        {
            assert!(!is_direct(&routes, url), "{url}");
        }
    }

    #[test]
    fn which_way_is_taken_and_why_is_told_without_a_password() {
        let routes = routes("10.0.0.0/8, .Example.org");
        for (url, report) in [
            ("http://h.example/", "by http://p.example:3128 (HTTP_PROXY)"),
            ("https://h.example/", "by socks5h://s.example:1080 (ALL_PROXY)"),
            (
                "http://localhost/",
                "none: this machine is never reached by http://p.example:3128 (HTTP_PROXY)",
            ),
            (
                "http://a.example.org/",
                "none: NO_PROXY has `.Example.org`, which leads past http://p.example:3128 (HTTP_PROXY)",
            ),
            (
                "https://10.1.2.3/",
                "none: NO_PROXY has `10.0.0.0/8`, which leads past socks5h://s.example:1080 (ALL_PROXY)",
            ),
        ] {
            assert_eq!(routes.way(&url.parse().unwrap()).to_string(), report, "{url}");
        }
        let url = "https://h.example/".parse().unwrap();
        let of = |settings| Routes::new(&settings).unwrap().way(&url).to_string();
        assert!(of(ProxySettings::default()).contains("no variable and no entry"));
    }

    #[test]
    fn fa_a84_every_spelling_of_no_proxy_is_read() {
        for (no_proxy, direct, proxied) in [
            ("*", "https://h.example/", None),
            (" * , x", "https://h.example/", None),
            ("example.org", "http://example.org/", Some("http://example.com/")),
            ("example.org", "http://a.b.example.org/", Some("http://notexample.org/")),
            (".example.org", "http://a.example.org/", Some("http://example.org.evil/")),
            (".example.org", "http://example.org/", None),
            ("*.example.org", "http://a.example.org/", Some("http://a.example.com/")),
            ("EXAMPLE.org.", "http://Example.ORG/", None),
            ("a.example b.example", "http://b.example/", Some("http://c.example/")),
            ("a.example;b.example", "http://b.example/", None),
            ("h.example:8080", "http://h.example:8080/", Some("http://h.example/")),
            ("h.example:443", "https://h.example/", Some("http://h.example/")),
            ("*:8080", "http://any.example:8080/", Some("http://any.example/")),
            ("https://h.example/", "https://h.example/", None),
            ("10.0.0.0/8", "http://10.1.2.3/", Some("http://11.1.2.3/")),
            ("192.168.1.128/25", "http://192.168.1.200/", Some("http://192.168.1.5/")),
            ("0.0.0.0/0", "http://1.2.3.4/", Some("http://h.example/")),
            ("10.1.2.3", "http://10.1.2.3:99/", Some("http://10.1.2.4/")),
            ("10.1.2.3:80", "http://10.1.2.3/", Some("http://10.1.2.3:81/")),
            ("192.168.*", "http://192.168.3.4/", Some("http://192.169.3.4/")),
            ("10.*.1", "http://10.2.3.1/", Some("http://10.2.3.2/")),
            ("2001:db8::1", "http://[2001:db8::1]/", Some("http://[2001:db8::2]/")),
            ("[2001:db8::1]:8080", "http://[2001:db8::1]:8080/", Some("http://[2001:db8::1]/")),
            ("2001:db8::/32", "http://[2001:db8:1::5]/", Some("http://[2001:db9::5]/")),
            ("10.0.0.0/8", "http://[::ffff:10.1.2.3]/", None),
            ("<local>", "http://intranet/", Some("http://h.example/")),
            // What is not one of these covers nothing.
            ("10.0.0.0/40", "http://localhost/", Some("http://10.1.2.3/")),
            ("h.example:x", "http://localhost/", Some("http://h.example/")),
            (",, ,.", "http://localhost/", Some("http://h.example/")),
        ] {
            let routes = routes(no_proxy);
            assert!(is_direct(&routes, direct), "{no_proxy} {direct}");
            assert!(proxied.is_none_or(|url| !is_direct(&routes, url)), "{no_proxy} {proxied:?}");
        }
    }

    #[test]
    fn fa_a88_the_proxy_of_the_scheme_goes_before_that_of_all_and_is_shown_without_its_password() {
        let routes = routes("");
        let shown = |url: &str| routes.of(&url.parse().unwrap()).map(|proxy| format!("{proxy} {proxy:?}"));
        let http = "http://p.example:3128 (HTTP_PROXY)";
        assert_eq!(shown("http://h.example/").unwrap(), format!("{http} {http}"));
        let all = "socks5h://s.example:1080 (ALL_PROXY)";
        assert_eq!(shown("https://h.example/").unwrap(), format!("{all} {all}"));
        assert_eq!(shown("ws://h.example/"), None);
        assert!(!format!("{routes:?}").contains("canary"));
    }

    #[test]
    fn fa_a86_a_proxy_url_is_read_as_people_write_it_or_named_by_its_variable() {
        let read = |url: &str| Proxy::read(&ProxyUrl::new(url, "HTTPS_PROXY"));
        for (written, shown) in [
            ("proxy.example:3128", "http://proxy.example:3128 (HTTPS_PROXY)"),
            (" http://proxy.example ", "http://proxy.example (HTTPS_PROXY)"),
            ("HTTP://u:p@proxy.example:8080/", "http://proxy.example:8080 (HTTPS_PROXY)"),
            ("socks5://[::1]:1080", "socks5://[::1]:1080 (HTTPS_PROXY)"),
            ("http://u/canary@proxy.example", "http://u (HTTPS_PROXY)"),
        ] {
            assert_eq!(read(written).unwrap().to_string(), shown, "{written}");
        }
        for written in [
            "http://user:canary@[::bad/",
            "ftp://canary/",
            "http://",
            "http://u:canary@:80",
            "://canary",
            "http:/canary",
        ] {
            let error = read(written).unwrap_err();
            assert!(error.to_string().starts_with("HTTPS_PROXY "), "{error}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }
}
