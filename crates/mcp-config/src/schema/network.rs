//! The fields that say how a server is reached: `tls`, `proxy`, `cookies`, `ipv4`, `fallback`, `protocol`, `keepAliveMs`.

use std::path::Path;
use std::time::Duration;

use url::Url;

use super::Context;
use super::reader::Reader;
use super::shape::Shape;
use super::stdio::place;
use crate::entry::Scope;
use crate::json::{Node, Object};
use crate::network::{NamedFile, Network, Protocol, Proxy, Tls};
use crate::redacted::RedactedText;
use crate::{ProblemCode, display, suggest};

/// Each field of the `tls` block, and what it is.
pub(super) const TLS: [(&str, Shape, &str); 5] = [
    ("ca", Shape::Text, "A PEM file of certificates that are trusted beside those of the platform."),
    ("cert", Shape::Text, "A PEM file with the certificate of the client, for a server that asks for one."),
    ("key", Shape::Text, "A PEM file with its key, where that is not in the same file."),
    ("serverName", Shape::Text, "The name that the certificate of the server has to have."),
    (
        "insecureSkipVerify",
        Shape::Flag,
        "`true` takes every certificate of the server; never in the file of a project.",
    ),
];

/// The kinds of proxy that there are.
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

pub(super) fn read(reader: &mut Reader<'_, '_>, scope: Scope, context: Context<'_>, base: &Path) -> Network {
    Network {
        tls: tls(reader, scope, context, base),
        proxy: proxy(reader),
        no_cookies: switch(reader, "cookies") == Some(false),
        ipv4: switch(reader, "ipv4") == Some(true),
        no_fallback: switch(reader, "fallback") == Some(false),
        protocol: protocol(reader),
        keep_alive: keep_alive(reader),
    }
}

/// The words of `protocol`.
pub(super) const PROTOCOLS: [&str; 3] = ["auto", "legacy", "modern"];

fn protocol(reader: &mut Reader<'_, '_>) -> Option<Protocol> {
    let node = reader.get("protocol")?;
    let protocol = match node.as_str() {
        Some("auto") => None,
        Some("legacy") => Some(Protocol::Legacy),
        Some("modern") => Some(Protocol::Modern),
        _ => {
            reader.wrong_type("protocol", node, "\"auto\", \"legacy\" or \"modern\"");
            return None;
        }
    };
    reader.show("protocol", node, node.as_str().unwrap_or_default().to_owned());
    protocol
}

/// A ping more often than this is a burden, and keeps no connection better.
pub(super) const LEAST_KEEP_ALIVE_MS: u64 = 1_000;

fn keep_alive(reader: &mut Reader<'_, '_>) -> Option<Duration> {
    const KEY: &str = "keepAliveMs";
    let node = reader.get(KEY)?;
    let Some(ms) = node.as_u64().filter(|ms| *ms >= LEAST_KEEP_ALIVE_MS) else {
        let message = format!("expected milliseconds as a number, {LEAST_KEEP_ALIVE_MS} at least");
        reader.error(ProblemCode::InvalidConfig, &[KEY], node.span, message, None);
        return None;
    };
    reader.show(KEY, node, ms.to_string());
    Some(Duration::from_millis(ms))
}

/// A field that is `true` or `false`. What else it may be decides what goes over the network, so it is not passed over.
fn switch(reader: &mut Reader<'_, '_>, key: &str) -> Option<bool> {
    let node = reader.get(key)?;
    let value = node.as_bool();
    match value {
        Some(value) => reader.show(key, node, value.to_string()),
        None => reader.wrong_type(key, node, "true or false"),
    }
    value
}

fn tls(reader: &mut Reader<'_, '_>, scope: Scope, context: Context<'_>, base: &Path) -> Option<Tls> {
    let node = reader.get("tls")?;
    let Some(object) = node.as_object() else {
        reader.wrong_type("tls", node, "an object");
        return None;
    };
    for member in object.iter().filter(|member| !TLS.iter().any(|(name, ..)| **name == *member.key)) {
        let message = format!("unknown field {:?}", display::display_key(&member.key));
        let near = suggest::nearest(&member.key, TLS.map(|(name, ..)| name));
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        // What is meant by it is a matter of whom to trust: it is not passed over.
        let steps = ["tls", &*member.key];
        reader.error(ProblemCode::InvalidConfig, &steps, member.key_span, message, hint.as_deref());
    }
    let mut file = |key: &str| {
        let node = get(object, key)?;
        let place = place(reader, context, base, &["tls", key], node)?;
        let origin = reader.origin(&["tls", key], node.span);
        Some(NamedFile { path: RedactedText::new(place.path), origin })
    };
    let (ca, cert, key) = (file("ca"), file("cert"), file("key"));
    if let (None, Some(node)) = (&cert, get(object, "key"))
        && get(object, "cert").is_none()
    {
        let message = "is the key of a certificate, and there is none";
        let hint = Some("name the certificate as `tls.cert`");
        reader.error(ProblemCode::InvalidConfig, &["tls", "key"], node.span, message, hint);
    }
    let server_name = server_name(reader, object);
    let skips_verification = skips_verification(reader, object, scope);
    Some(Tls { ca, cert, key, server_name, skips_verification })
}

fn get<'n>(object: &'n Object, key: &str) -> Option<&'n Node> {
    object.get(key).filter(|node| !node.is_null())
}

fn server_name(reader: &mut Reader<'_, '_>, object: &Object) -> Option<String> {
    const STEPS: [&str; 2] = ["tls", "serverName"];
    let node = get(object, "serverName")?;
    let name = node.as_str().map(str::trim).unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if name.is_empty() || !name.chars().all(is_name) {
        let message = "expected a name as a certificate has it, such as mcp.example.com";
        reader.error(ProblemCode::InvalidConfig, &STEPS, node.span, message, None);
        return None;
    }
    reader.show_at(&STEPS, node, name.to_owned(), Vec::new());
    Some(name.to_owned())
}

/// Security: without a check of certificates, anyone on the way can read everything. A person may want that for a server of their own;
/// a repository does not say it for them.
fn skips_verification(reader: &mut Reader<'_, '_>, object: &Object, scope: Scope) -> bool {
    const STEPS: [&str; 2] = ["tls", "insecureSkipVerify"];
    let Some(node) = get(object, "insecureSkipVerify") else { return false };
    let Some(skips) = node.as_bool() else {
        let message = format!("expected true or false, found {}", node.kind());
        reader.error(ProblemCode::InvalidConfig, &STEPS, node.span, message, None);
        return false;
    };
    reader.show_at(&STEPS, node, skips.to_string(), Vec::new());
    if skips && scope == Scope::Project {
        let message =
            "is not taken from the file of a project: certificates are checked for everyone who clones it";
        let hint = Some("name the certificate as `tls.ca`, or put the server into a file of your own");
        reader.error(ProblemCode::InvalidConfig, &STEPS, node.span, message, hint);
        return false;
    }
    if skips {
        let message = "certificates of this server are not checked: anyone on the way can read and change \
                       everything, credentials included";
        let hint = Some("name the certificate as `tls.ca`");
        reader.warn(ProblemCode::NotVerified, &STEPS, node.span, message, hint);
    }
    skips
}

fn proxy(reader: &mut Reader<'_, '_>) -> Option<Proxy> {
    let node = reader.get("proxy")?;
    let text = reader.text(node, &["proxy"])?;
    let missing = text.missing().map(str::to_owned).collect();
    reader.show_at(&["proxy"], node, display::display_url_text(&text), missing);
    let url = text.expose().trim();
    if url.eq_ignore_ascii_case("none") {
        return Some(Proxy::Direct);
    }
    let spelled = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let is_one = Url::parse(&spelled).is_ok_and(|url| {
        url.host_str().is_some_and(|host| !host.is_empty()) && SCHEMES.contains(&url.scheme())
    });
    if !is_one {
        // Not repeated: a URL of a proxy may hold a password.
        let message =
            "is not a URL of a proxy, such as http://proxy.example:3128 or socks5h://127.0.0.1:1080";
        let hint = Some("write \"none\" for no proxy");
        reader.error(ProblemCode::InvalidConfig, &["proxy"], node.span, message, hint);
        return None;
    }
    let origin = reader.origin(&["proxy"], node.span);
    Some(Proxy::Url { url: RedactedText::new(url.to_owned()), origin })
}
