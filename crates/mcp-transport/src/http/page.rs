//! What stands between a client and a server, and what a person would see there: web pages, sign-in pages, firewalls.

use http::{HeaderMap, HeaderName, StatusCode};
use mcp_status::AddressHeader;

use super::form::{self, essence};

/// How much of a title is told, in columns.
const TITLE: usize = 80;

/// Whether an answer says that it is a web page.
pub(crate) fn is_page(headers: &HeaderMap) -> bool {
    is_page_type(&essence(headers))
}

pub(super) fn is_page_type(essence: &str) -> bool {
    matches!(essence, "text/html" | "application/xhtml+xml")
}

/// Whether a body is a web page, whatever its type.
pub(crate) fn looks_like_a_page(body: &[u8]) -> bool {
    let start = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    ["<!doctype html", "<html"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag.as_bytes())))
}

/// A page, by the title that a person would know it by, or else by its first heading; else by what it is and how it begins.
pub(crate) fn described(essence: &str, body: &[u8]) -> String {
    titled(body).unwrap_or_else(|| format!("a web page without a title: {}", form::described(essence, body)))
}

/// The same, where it has one.
pub(super) fn titled(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let title = element(&text, "title").or_else(|| element(&text, "h1"))?;
    Some(format!("a web page titled \"{}\"", mcp_text::line(&title, TITLE)))
}

/// The text of the first element of this name that has any, without the tags in it.
pub(super) fn element(text: &str, name: &str) -> Option<String> {
    // The same length, so that what is found in one is where it is in the other.
    let lower = text.to_ascii_lowercase();
    let (opening, closing) = (format!("<{name}"), format!("</{name}"));
    let mut from = 0;
    while let Some(at) = lower[from..].find(&opening) {
        from += at + opening.len();
        // `<titles>` is another element.
        if !lower[from..].starts_with(|c: char| c == '>' || c.is_ascii_whitespace()) {
            continue;
        }
        let start = from + lower[from..].find('>')? + 1;
        let end = lower[start..].find(&closing).map_or(text.len(), |length| start + length);
        let found = mcp_text::line(&plain(&text[start..end]), 4_096);
        if !found.is_empty() {
            return Some(found);
        }
        from = end;
    }
    None
}

/// Text of a page as it is read: without tags, and with the characters that references stand for.
fn plain(markup: &str) -> String {
    const REFERENCES: [(&str, &str); 7] = [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        // Last: what it uncovers is text.
        ("&amp;", "&"),
    ];
    let mut text = String::with_capacity(markup.len());
    let mut is_tag = false;
    for c in markup.chars() {
        match c {
            '<' => is_tag = true,
            '>' if is_tag => {
                is_tag = false;
                text.push(' ');
            }
            _ if !is_tag => text.push(c),
            _ => {}
        }
    }
    REFERENCES.iter().fold(text, |text, (reference, c)| text.replace(reference, c))
}

/// Whether a page is one to sign in at: it has a field for a password or posts to such a place, it sends people on to
/// another one, or its title or heading says so. That a page answered where a message was due says nothing of the kind.
pub(crate) fn asks_for_a_sign_in(body: &[u8]) -> bool {
    /// Fields and forms of sign-in pages (HTML, section 4.10.18.7; SAML 2.0 bindings, section 3.5), and scripts and refreshes
    /// that lead to the services people sign in at.
    const MARKUP: [&str; 19] = [
        "type=\"password\"",
        "type='password'",
        "type=password",
        "current-password",
        "name=\"samlrequest\"",
        "name=\"samlresponse\"",
        "name=\"relaystate\"",
        "samlrequest=",
        "login.microsoftonline.com",
        "accounts.google.com",
        "cloudflareaccess.com",
        ".okta.com",
        ".auth0.com",
        ".onelogin.com",
        "/adfs/ls",
        "/start?rd=",
        "/sign_in",
        "/authorize?",
        "/openid-connect/auth",
    ];
    /// Words of titles and headings, of which each is a whole word or phrase.
    const WORDS: [&str; 24] = [
        "sign in",
        "sign-in",
        "signin",
        "sign on",
        "sign-on",
        "log in",
        "log-in",
        "login",
        "log on",
        "logon",
        "sso",
        "authenticate",
        "authentication",
        "session expired",
        "anmelden",
        "anmeldung",
        "connexion",
        "se connecter",
        "iniciar sesi\u{f3}n",
        "accedi",
        "entrar",
        "inloggen",
        "logga in",
        "\u{30ed}\u{30b0}\u{30a4}\u{30f3}",
    ];
    let text = String::from_utf8_lossy(body).to_lowercase();
    if MARKUP.iter().any(|markup| text.contains(markup)) || posts_to_a_sign_in(&text) {
        return true;
    }
    ["title", "h1", "h2"].iter().filter_map(|name| element(&text, name)).any(|heading| {
        // "Sign in" and "Log in" as words: a "blog index" is neither.
        WORDS.iter().any(|words| {
            heading.match_indices(words).any(|(at, _)| {
                let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                let before = is_letter(heading[..at].chars().next_back());
                let behind = is_letter(heading[at + words.len()..].chars().next());
                match words.is_ascii() {
                    true => !before && !behind,
                    // Scripts that put no blank between words.
                    false => true,
                }
            })
        })
    })
}

/// Whether a form's, or a refresh's, address says that it is for signing in. `text` is in lower case.
fn posts_to_a_sign_in(text: &str) -> bool {
    const PLACES: [&str; 7] = ["login", "signin", "sign_in", "sign-in", "sso", "saml", "logon"];
    let tags = text.match_indices("<form").chain(text.match_indices("<meta")).map(|(at, _)| &text[at..]);
    tags.filter_map(|tag| tag.split_once('>')).any(|(tag, _)| {
        let address = tag
            .split_once("action=")
            .or_else(|| tag.contains("refresh").then(|| tag.split_once("url=")).flatten())
            .map_or("", |(_, address)| address.trim_start_matches(['"', '\'']));
        let address = address.split(['"', '\'', ' ']).next().unwrap_or_default();
        let mut segments = address.split(['/', '?', '#', '&', '=', '.']);
        segments.any(|segment| PLACES.contains(&segment))
    })
}

/// Whether something between us and the server refused: it names itself in the body, or in the header that
/// Cloudflare sets when it steps in.
pub(crate) fn names_a_firewall(headers: &HeaderMap, body: &[u8]) -> bool {
    const NAMES: [&str; 15] = [
        "cloudflare",
        "akamai",
        "incapsula",
        "imperva",
        "sucuri",
        "zscaler",
        "fortigate",
        "fortinet",
        "big-ip",
        "aws waf",
        "web application firewall",
        "firewall",
        // Who may come from where.
        "ip address is not",
        "not on the allow list",
        "allowlist",
    ];
    if headers.contains_key(HeaderName::from_static("cf-mitigated")) {
        return true;
    }
    let body = String::from_utf8_lossy(body).to_ascii_lowercase();
    NAMES.iter().any(|name| body.contains(name))
}

/// The header whose name a server does not take: what the guards against DNS rebinding of the official SDKs say, and those of the
/// frameworks that servers are made with. They look at it before anything else, whatever the status that they refuse it with.
pub(crate) fn refused_address(status: StatusCode, body: &[u8]) -> Option<AddressHeader> {
    const HOST: [&str; 12] = [
        // The SDKs for TypeScript and Python, Starlette and webpack: `Invalid Host: x`, `Invalid Host header`.
        "invalid host",
        "invalid hostname",
        "missing host header",
        // Those for Rust and Go.
        "host header is not allowed",
        "host not allowed",
        "host is not allowed",
        "dns rebinding",
        // Django, Rails, Symfony, Vite.
        "invalid http_host header",
        "disallowedhost",
        "blocked hosts",
        "untrusted host",
        "blocked request. this host",
    ];
    const ORIGIN: [&str; 5] = [
        "invalid origin",
        "missing origin",
        "origin header is not allowed",
        "origin not allowed",
        "origin is not allowed",
    ];
    if !matches!(status.as_u16(), 400 | 403 | 421) {
        return None;
    }
    let body = String::from_utf8_lossy(body).to_ascii_lowercase();
    // Whole words: a hostel is not a host.
    let says = |words: &[&str]| {
        words.iter().any(|words| {
            body.match_indices(words)
                .any(|(at, _)| !body[at + words.len()..].starts_with(char::is_alphabetic))
        })
    };
    match () {
        () if says(&ORIGIN) => Some(AddressHeader::Origin),
        () if says(&HOST) => Some(AddressHeader::Host),
        () => None,
    }
}

/// The scopes that a body says are missing, in the words that a challenge would have (RFC 6750 section 3.1): some forget the header.
pub(crate) fn missing_scopes(body: &[u8]) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Said {
        error: String,
        #[serde(default)]
        scope: Option<String>,
    }
    let said: Said = serde_json::from_slice(body).ok()?;
    let scopes =
        || said.scope.as_deref().unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect();
    (said.error == "insufficient_scope").then(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let value = http::HeaderValue::from_static;
        pairs.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
    }

    #[test]
    fn pages_are_recognised_by_type_or_by_their_first_tag() {
        assert!(is_page(&headers(&[("content-type", "text/HTML; charset=utf-8")])));
        assert!(!is_page(&headers(&[("content-type", "application/json")])));
        assert!(!is_page(&headers(&[])));
        assert!(looks_like_a_page(b"\xef\xbb\xbf \n<!DOCTYPE html><title>x"));
        assert!(!looks_like_a_page(b"{\"html\":\"<html>\"}"));
    }

    #[test]
    fn fb_t46_a_page_is_known_by_its_title_or_its_heading() {
        for (page, expected) in [
            ("<html><TITLE lang=en>\n Welcome to\tnginx! </Title>", "titled \"Welcome to nginx!\""),
            ("<title></title><h1><a href=x>It</a> works!</h1>", "titled \"It works!\""),
            ("<title>A &amp;lt; B</title>", "titled \"A &lt; B\""),
            ("<titles>no</titles><title>yes</title>", "titled \"yes\""),
            ("<title>never closed", "titled \"never closed\""),
            ("<title", "without a title"),
            ("<title>\u{1b}[2J\u{202e}</title>", "without a title"),
            ("<div id=root></div>", "without a title"),
            ("\u{130}\u{130}<title>\u{130}x</title>", "titled \"\u{130}x\""),
        ] {
            let report = described("text/html", page.as_bytes());
            assert!(report.starts_with(&format!("a web page {expected}")), "{report}");
        }
        for (page, expected) in [
            ("<div id=root>\n</div>", "text/html that begins with \"<div id=root> </div>\""),
            ("<title>\u{1b}[2J\u{202e}</title>", "text/html that begins with \"<title></title>\""),
            ("", "text/html and an empty body"),
        ] {
            let report = described("text/html", page.as_bytes());
            assert_eq!(report, format!("a web page without a title: {expected}"));
        }
        let long = described("text/html", format!("<title>{}</title>", "x".repeat(9_000)).as_bytes());
        assert!(mcp_text::width(&long) < 110, "{long}");
        assert_eq!(
            described("text/html", b"<title>\xff\xfe</title>"),
            "a web page titled \"\u{fffd}\u{fffd}\""
        );
    }

    #[test]
    fn fb_t46_only_a_page_that_says_so_is_one_to_sign_in_at() {
        for page in [
            "<title>Sign in</title>",
            "<h1>Log in to Acme</h1>",
            "<title>Acme SSO</title>",
            "<title>Iniciar sesi\u{f3}n - Acme</title>",
            "<title>Anmelden</title>",
            "<title>\u{4f1a}\u{54e1}\u{30ed}\u{30b0}\u{30a4}\u{30f3}</title>",
            "<title>\u{30ed}\u{30b0}\u{30a4}\u{30f3}\u{753b}\u{9762}</title>",
            "<title>Acme</title><input name=p type=password>",
            "<form method=post action=\"/auth/login?next=/mcp\">",
            "<form method=\"post\" action=\"https://idp.example/saml\"><input name=\"SAMLRequest\">",
            "<meta http-equiv=\"refresh\" content=\"0; url=/sso/start\">",
            "<script>location='https://login.microsoftonline.com/x'</script>",
        ] {
            assert!(asks_for_a_sign_in(page.as_bytes()), "{page}");
        }
        for page in [
            "<title>Welcome to nginx!</title><h1>Welcome to nginx!</h1>",
            "<title>Apache2 Ubuntu Default Page: It works</title>",
            "<title>IIS Windows Server</title>",
            "<title>Acme Console</title><div id=root></div><script src=/assets/login.js></script>",
            "<title>Weblog index</title><h1>Blog in summer</h1><a href=/login>Log in</a>",
            "<title>Express</title><form action=\"/search\"><input type=text></form>",
            "<title>404 Not Found</title>",
            "<title>SSOT: a single source of truth</title>",
            "",
        ] {
            assert!(!asks_for_a_sign_in(page.as_bytes()), "{page}");
        }
    }

    #[test]
    fn fb_o46_missing_scopes_are_also_told_in_a_body() {
        let scopes = |body: &str| missing_scopes(body.as_bytes());
        let none: Vec<String> = Vec::new();
        assert_eq!(scopes(r#"{"error":"insufficient_scope","error_description":"x"}"#), Some(none));
        let both = Some(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(scopes(r#"{"error":"insufficient_scope","scope":"a b"}"#), both);
        for other in [r#"{"error":"forbidden"}"#, r#"{"error":{"code":1}}"#, "insufficient_scope", ""] {
            assert_eq!(scopes(other), None, "{other}");
        }
    }

    #[test]
    fn a_firewall_names_itself() {
        assert!(names_a_firewall(&headers(&[("cf-mitigated", "challenge")]), b""));
        assert!(names_a_firewall(&headers(&[]), b"Request blocked by AWS WAF"));
        assert!(names_a_firewall(&headers(&[]), b"Your IP address is not on the allow list"));
        assert!(!names_a_firewall(&headers(&[]), br#"{"error":"forbidden"}"#));
        // A server that merely sits behind it is not the one that refused.
        assert!(!names_a_firewall(&headers(&[("server", "cloudflare")]), br#"{"error":"forbidden"}"#));
    }

    #[test]
    fn a_guard_against_dns_rebinding_says_which_name_it_does_not_take() {
        use AddressHeader::{Host, Origin};
        let said =
            |status: u16, body: &str| refused_address(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        for (status, body, expected) in [
            // As `mcp` (Python), the SDK for TypeScript, `rmcp` and the one for Go say it.
            (421, "Invalid Host header", Host),
            (403, "Invalid Origin header", Origin),
            (
                403,
                r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Invalid Host: mcp.corp"},"id":null}"#,
                Host,
            ),
            (403, r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Invalid Origin: null"}}"#, Origin),
            (403, "Forbidden: Host header is not allowed", Host),
            (403, "Forbidden: invalid Host header", Host),
            (400, "Invalid host header", Host),
            (400, "<title>DisallowedHost at /mcp</title>", Host),
            (403, "Blocked request. This host (\"mcp.corp\") is not allowed.", Host),
        ] {
            assert_eq!(said(status, body), Some(expected), "{status} {body}");
        }
        for (status, body) in [
            (401, "Invalid Host header"),
            (500, "Invalid Host header"),
            (403, r#"{"error":"forbidden"}"#),
            (403, "Your IP address is not on the allow list"),
            (400, "invalid hostel"),
            (400, ""),
        ] {
            assert_eq!(said(status, body), None, "{status} {body}");
        }
    }
}
