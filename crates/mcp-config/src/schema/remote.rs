//! Entries that are a URL.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use url::Url;

use super::placeholder::{self, Placeholder};
use super::reader::Reader;
use super::{Context, auth, headers_file, network, oauth};
use crate::ProblemCode;
use crate::display;
use crate::entry::{EntryServer, Helper, Remote, RemoteKind, Scope};
use crate::expand::Text;
use crate::json::Node;
use crate::redacted::RedactedText;

/// MCP has no transport of this kind, whatever hosts have a word for it.
pub(super) const NO_WEB_SOCKET: &str = "WebSocket is not supported";
pub(super) const INSTEAD_OF_WEB_SOCKET: &str =
    "write \"type\": \"http\" and the http:// or https:// address of the same server";

/// The limit of a helper that says nothing else.
const HELPER_TIMEOUT_MS: u64 = 10_000;

pub(super) fn read(
    reader: &mut Reader<'_, '_>,
    kind: RemoteKind,
    scope: Scope,
    context: Context<'_>,
    base: &Path,
) -> Option<EntryServer> {
    let Some(node) = reader.get("url") else {
        let usual = "add the address of the MCP endpoint as `url`";
        let hint = super::missing::instead(reader.object(), "url", usual);
        reader.entry_error(ProblemCode::InvalidConfig, &["url"], "is missing", &hint);
        return None;
    };
    let text = reader.text_with_secrets(node, &["url"])?;
    let missing = text.missing().map(str::to_owned).collect();
    reader.show_at(&["url"], node, display::display_url_text(&text), missing);
    let mut headers = headers(reader);
    headers_file::read(reader, scope, context, base, &mut headers);
    let helper = helper(reader, scope, context);
    let (oauth, oauth_off) = if kind == RemoteKind::Ws { (None, false) } else { oauth::read(reader, scope) };
    let unattended = if kind == RemoteKind::Ws { None } else { auth::read(reader, scope, context, base) };
    let network = network::read(reader, scope, context, base);
    if kind == RemoteKind::Ws {
        let span = reader.get("type").map_or(node.span, |node| node.span);
        let hint = Some(INSTEAD_OF_WEB_SOCKET);
        reader.error(ProblemCode::UnknownType, &["type"], span, NO_WEB_SOCKET, hint);
        return None;
    }
    if text.expose().trim().is_empty() {
        let variable = text.empty().next().map(str::to_owned);
        return Some(EntryServer::NotConfigured { variable });
    }
    let url = match parse_url(&text, kind) {
        Ok(url) => RedactedText::new(url),
        Err(AddressFault { why, next }) => {
            reader.error(ProblemCode::InvalidConfig, &["url"], node.span, why, next.as_deref());
            return None;
        }
    };
    if let Some(found) = placeholder::in_url(&text.with_mark(LATER)) {
        let AddressFault { why, next } = AddressFault::placeholder(&found);
        reader.warn(ProblemCode::InvalidConfig, &["url"], node.span, why, next.as_deref());
    }
    // Pasted from a page: the address goes out with it, and is another one.
    let is_odd = |c: char| c.is_whitespace() || mcp_text::is_hidden(c);
    if text.with_mark(LATER).trim().chars().any(is_odd) {
        let message = "has a blank in it, or a character that is not seen";
        let hint = "write the address again, by hand";
        reader.warn(ProblemCode::Whitespace, &["url"], node.span, message, Some(hint));
    }
    let remote = Remote { kind, url, url_text: text, headers, helper, unattended, oauth, oauth_off, network };
    check_userinfo(reader, &remote, node);
    Some(EntryServer::Remote(Box::new(remote)))
}

/// User and password of a URL are sent as HTTP Basic (RFC 7617), unless the entry has an `Authorization` of its own.
fn check_userinfo(reader: &mut Reader<'_, '_>, remote: &Remote, node: &Node) {
    let url = remote.url.expose();
    if url.username().is_empty() && url.password().is_none() {
        return;
    }
    let encoded = |part: &str, byte: &dyn Fn(u8) -> bool| {
        part.as_bytes().windows(3).filter(|window| window[0] == b'%').any(|window| {
            let digits = std::str::from_utf8(&window[1..]).ok();
            digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).is_some_and(byte)
        })
    };
    let password = url.password().unwrap_or_default();
    let mut wrong = |message| reader.error(ProblemCode::InvalidConfig, &["url"], node.span, message, None);
    if encoded(url.username(), &|byte| byte == b':') {
        wrong("has a user name with a colon in it, which HTTP Basic cannot carry (RFC 7617 section 2)");
    } else if [url.username(), password].iter().any(|part| encoded(part, &|byte| byte.is_ascii_control())) {
        wrong(
            "has control characters in its user or password, which HTTP Basic cannot carry (RFC 7617 section 2)",
        );
    } else if remote.has_authorization() {
        let message = "has a user or a password, which is ignored: headers.Authorization is sent instead";
        let hint = "take the user and the password out of `url`, or the header out of `headers`";
        reader.warn(ProblemCode::IgnoredValue, &["url"], node.span, message, Some(hint));
    }
}

/// Why a text is not an address of a server, and what to do. It quotes nothing of the text, which may hold a secret, but placeholders.
struct AddressFault {
    why: String,
    next: Option<String>,
}

impl AddressFault {
    fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), next: None }
    }

    fn placeholder(found: &Placeholder<'_>) -> Self {
        let Placeholder { text, part, certain } = *found;
        let word = if certain { "still has the placeholder" } else { "seems to have a placeholder still," };
        let next = if text.starts_with('$') && mcp_text::is_variable_name(&text[1..]) {
            format!("write ${{{}}} for the environment variable, or the {part} itself", &text[1..])
        } else {
            format!("write the {part} of your server instead")
        };
        Self { why: format!("{word} {text} in its {part}"), next: Some(next) }
    }

    /// What the parser of URLs found.
    fn parsed(error: url::ParseError, expected: &str) -> Self {
        Self::because(url_fault(error, expected))
    }
}

/// What the parser of URLs found, behind the name of what was written.
pub(crate) fn url_fault(error: url::ParseError, expected: &str) -> String {
    use url::ParseError;
    match error {
        ParseError::RelativeUrlWithoutBase => format!("has no scheme: write {expected} before the host"),
        ParseError::IdnaError | ParseError::InvalidDomainCharacter => NO_HOST.to_owned(),
        ParseError::EmptyHost => "has no host".to_owned(),
        ParseError::InvalidPort => "has a port that is not a number up to 65535".to_owned(),
        ParseError::InvalidIpv4Address => "has a host of numbers that is not an IPv4 address".to_owned(),
        ParseError::InvalidIpv6Address => {
            "has square brackets in its host, and no IPv6 address in them".to_owned()
        }
        _ => "is not a valid URL".to_owned(),
    }
}

const NO_HOST: &str = "is not a valid URL: its host has characters that no host has";

/// What is in an address for a secret that is read when a connection is made.
const LATER: &str = "secret-that-is-read-later";

/// Whether a secret that is read later would decide which server is meant, or is a part of user and password.
fn names_secret_in_authority(text: &Text) -> bool {
    const MARK: &str = "\u{1}";
    let marked = text.with_mark(MARK);
    let authority = marked.split_once("://").map_or(&*marked, |(scheme, rest)| {
        if scheme.contains(MARK) {
            &*marked
        } else {
            &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())]
        }
    });
    authority.contains(MARK)
}

fn parse_url(text: &Text, kind: RemoteKind) -> Result<Url, AddressFault> {
    let (schemes, expected) = (["http", "https"], "http:// or https://");
    let invalid = |found: AddressFault| {
        if let Some(name) = text.missing().next() {
            let next = Some(format!("set the variable {name}"));
            AddressFault { why: "is not a URL without its variable".to_owned(), next }
        } else if let Some(name) = text.empty().next() {
            let next = Some(format!("give {name} a value"));
            AddressFault { why: format!("is not a URL: the variable {name} is set, and empty"), next }
        } else if text.is_escaped() {
            let next = Some("write ${NAME} for a variable".to_owned());
            AddressFault {
                why: "is not a URL: it has ${..} in it, which its host does not replace".to_owned(),
                next,
            }
        } else if text.with_mark(LATER).contains("${") {
            let why = "holds a variable that is not replaced: the default of one cannot hold another";
            AddressFault::because(why)
        } else {
            found
        }
    };
    let written = text.with_mark(LATER);
    if text.references().next().is_some() && names_secret_in_authority(text) {
        let why = "has a secret in its scheme, user, host or port: only path and query may have one";
        let next = "use `headers` for a user and a password, and ${NAME} for a host";
        return Err(AddressFault { why: why.to_owned(), next: Some(next.to_owned()) });
    }
    if written.trim_start().starts_with(['“', '”', '„', '‘', '’', '«', '»', '\'', '"', '`']) {
        let why = "has quotation marks around it, which are a part of it";
        return Err(AddressFault { why: why.to_owned(), next: Some("write the address alone".to_owned()) });
    }
    let is_link = written.trim_start().starts_with('[') && written.contains("](");
    if is_link || written.trim_start().starts_with('<') && written.contains("://") {
        let why = if is_link {
            "is a link of Markdown"
        } else {
            "has angle brackets around it, which are a part of it"
        };
        return Err(AddressFault { why: why.to_owned(), next: Some("write the address alone".to_owned()) });
    }
    if let Some(found) = placeholder::in_url(&written).filter(|found| found.certain) {
        return Err(AddressFault::placeholder(&found));
    }
    // A browser takes the next word for the host: what was to go to one would go to another.
    let is_without_host = |(scheme, rest): (&str, &str)| {
        schemes.iter().any(|known| scheme.trim_start().eq_ignore_ascii_case(known))
            && (rest.is_empty() || rest.starts_with(['/', '\\', '?', '#']))
    };
    if written.split_once("://").is_some_and(is_without_host) {
        return Err(invalid(AddressFault::because("has no host")));
    }
    let url = Url::parse(&written).map_err(|error| invalid(AddressFault::parsed(error, expected)))?;
    // WHATWG's host may have braces in it, RFC 3986's (section 3.2.2) not, nor has any request.
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(&byte);
    if let Some(host) = url.host_str() {
        if !host.bytes().all(is_legal) {
            return Err(invalid(AddressFault::because(NO_HOST)));
        }
        if host.strip_suffix('.').unwrap_or(host).split('.').any(str::is_empty) {
            let why = "has two dots in its host with nothing between them, or begins it with one";
            return Err(invalid(AddressFault::because(why)));
        }
    }
    // `https://https://host` is a URL, whose host is `https`.
    let is_scheme = |host: &str| matches!(host, "http" | "https" | "ws" | "wss");
    if url.host_str().is_some_and(is_scheme) && url.path().starts_with("//") {
        return Err(AddressFault::because("has its scheme twice: write it once, before the host"));
    }
    if !schemes.contains(&url.scheme()) || !url.has_host() {
        let why = format!("must begin with {expected} for a server of type {}", kind.as_str());
        return Err(AddressFault::because(why));
    }
    Ok(url)
}

fn headers(reader: &mut Reader<'_, '_>) -> Vec<(String, Text)> {
    let headers = reader.text_map("headers");
    let spans = reader.member_spans("headers");
    let mut last: HashMap<String, usize> = HashMap::with_capacity(headers.len());
    for (index, (name, _)) in headers.iter().enumerate() {
        last.insert(name.trim().to_ascii_lowercase(), index);
    }
    for (index, (name, value)) in headers.iter().enumerate() {
        let Some(span) = spans.get(&**name).copied() else { continue };
        if !headers_file::is_token(name.trim()) {
            let message = "is not a header name (RFC 9110 section 5.1)";
            let hint = name.trim().ends_with(':').then_some("leave out the colon");
            reader.error(ProblemCode::InvalidConfig, &["headers", name], span, message, hint);
        }
        if value.expose().trim().chars().any(|c| c.is_control() && c != '\t') {
            let message = "has a line break or another control character inside, which no header can carry";
            reader.error(ProblemCode::InvalidConfig, &["headers", name], span, message, None);
        }
        if last.get(&name.trim().to_ascii_lowercase()) != Some(&index) {
            let message = "is written twice, in different case; the last one counts";
            reader.warn(ProblemCode::DuplicateName, &["headers", name], span, message, None);
        }
    }
    headers
}

fn helper(reader: &mut Reader<'_, '_>, scope: Scope, context: Context<'_>) -> Option<Helper> {
    let timeout = reader.milliseconds("headersHelperTimeoutMs").unwrap_or(HELPER_TIMEOUT_MS);
    let ttl = reader.milliseconds("headersHelperTtlMs").map(Duration::from_millis);
    let node = reader.get("headersHelper")?;
    let command = reader.string("headersHelper")?;
    reader.show("headersHelper", node, display::display_command(command));
    if command.trim().is_empty() {
        reader.error(ProblemCode::InvalidConfig, &["headersHelper"], node.span, "is empty", None);
        return None;
    }
    if command.contains("${user_config.") {
        // A shell would read this as something else, and run it.
        let message = "references ${user_config..}, which is not allowed in a command";
        let hint = "pass the value through `headers`, or let the command read it from its own file";
        reader.error(ProblemCode::UnsupportedVariable, &["headersHelper"], node.span, message, Some(hint));
        return None;
    }
    let of_project = scope.is_of_project();
    // Security: where it runs in the folder of a project it may be a file of that, also where the entry is a person's own.
    let waits = of_project || context.for_project;
    let cwd = if of_project || scope == Scope::Dynamic { context.launch_dir } else { context.person_dir };
    Some(Helper {
        command: RedactedText::new(command.to_owned()),
        cwd: cwd.to_owned(),
        scrubbed: scope == Scope::Project,
        may_run: !waits || context.trusted,
        timeout: Duration::from_millis(timeout),
        ttl,
    })
}
