//! What a manual or a template has where a part of an address belongs, and was never filled in.

/// One of them, in the address of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Placeholder<'a> {
    /// It, with its brackets: no secret looks like this.
    pub(super) text: &'a str,
    /// Which part of the address it stands for: `host`, `port`, `path` or `query`; `address` for its beginning.
    pub(super) part: &'static str,
    /// There is no address that has such a thing in this part.
    pub(super) certain: bool,
}

/// Longer ones are something else.
const MAX: usize = 48;

/// The first placeholder in `url`, whose variables have been replaced.
pub(super) fn in_url(url: &str) -> Option<Placeholder<'_>> {
    let Some((_, rest)) = url.split_once("://") else { return in_place_of_it(url) };
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    in_authority(host_and_port).or_else(|| in_rest(rest))
}

/// What stands where an address begins, its scheme included: `{{BASE}}/mcp`.
fn in_place_of_it(text: &str) -> Option<Placeholder<'_>> {
    let first = &text[..text.find('/').unwrap_or(text.len())];
    let found = in_brackets(first, false).or_else(|| shell_variable(first)).or_else(|| word(first))?;
    first.starts_with(found).then_some(Placeholder { text: found, part: "address", certain: true })
}

fn in_authority(text: &str) -> Option<Placeholder<'_>> {
    let (host, port) = text.rsplit_once(':').filter(|_| !text.ends_with(']')).unwrap_or((text, ""));
    if let Some(text) = in_brackets(host, true).or_else(|| shell_variable(host)) {
        return Some(Placeholder { text, part: "host", certain: true });
    }
    if let Some(text) = in_brackets(port, true).or_else(|| shell_variable(port)).or_else(|| word(port)) {
        return Some(Placeholder { text, part: "port", certain: true });
    }
    let labels = || host.split('.').filter(|label| label.len() <= MAX);
    if let Some(text) = labels().find_map(word) {
        return Some(Placeholder { text, part: "host", certain: true });
    }
    let looks = |label: &&str| {
        let lower = label.to_ascii_lowercase();
        let crossed_out = lower.len() >= 3 && lower.bytes().all(|byte| byte == b'x');
        crossed_out || ["your-", "your_"].iter().any(|start| lower.starts_with(start) && lower != *start)
    };
    labels().find(looks).map(|text| Placeholder { text, part: "host", certain: false })
}

fn in_rest(text: &str) -> Option<Placeholder<'_>> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let of = |text, part| Placeholder { text, part, certain: false };
    let whole = |text: &str| {
        in_brackets(text, false).is_some_and(|found| found.len() == text.len()) || word(text).is_some()
    };
    let segment = path.split('/').find(|segment| whole(segment)).map(|text| of(text, "path"));
    let values = || query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
    segment.or_else(|| values().find(|value| whole(value)).map(|text| of(text, "query")))
}

/// `<your-host>`, `{tenant}`, `{{host}}`, `%HOST%`, and `[host]` where that is not an IPv6 address.
fn in_brackets(text: &str, anywhere: bool) -> Option<&str> {
    [("{{", "}}"), ("{", "}"), ("<", ">"), ("%", "%"), ("[", "]")].into_iter().find_map(|(open, close)| {
        let start = text.find(open).filter(|start| anywhere || *start == 0)?;
        let inside = start + open.len();
        let length = text[inside..].find(close).filter(|length| (1..=MAX).contains(length))?;
        let name = &text[inside..inside + length];
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_.".contains(&byte))
            && name.bytes().any(|byte| byte.is_ascii_alphabetic());
        // `%41%` is written in hexadecimal, and `${..}` is a variable.
        let is_other = open == "%" && name.len() < 3 || text[..start].ends_with('$');
        (is_name && !is_other).then(|| &text[start..inside + length + close.len()])
    })
}

/// `$HOST`: what a shell would have replaced.
fn shell_variable(text: &str) -> Option<&str> {
    let start = text.find('$')?;
    let name = &text[start + 1..];
    let length = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (begins && length <= MAX).then(|| &text[start..=start + length])
}

/// `YOUR_SUBDOMAIN`: a word in capitals that says so. No certificate is for such a host.
fn word(text: &str) -> Option<&str> {
    let capitals =
        |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    let is_one = text.len() <= MAX && text.bytes().all(capitals);
    let says = ["YOUR_", "YOUR-", "REPLACE_", "INSERT_", "CHANGE_ME", "CHANGEME"];
    (is_one && says.iter().any(|start| text.starts_with(start))).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fa_a77_a98_placeholders_are_found_where_they_stand() {
        for (url, expected) in [
            ("{{BASE}}/mcp", Some(("{{BASE}}", "address", true))),
            ("<YOUR_URL>", Some(("<YOUR_URL>", "address", true))),
            ("$BASE/mcp", Some(("$BASE", "address", true))),
            ("YOUR_URL_HERE", Some(("YOUR_URL_HERE", "address", true))),
            ("mcp.example.com/{tenant}", None),
            ("${BASE}/mcp", None),
            ("https://<your-host>/mcp", Some(("<your-host>", "host", true))),
            ("https://mcp.<region>.example/mcp", Some(("<region>", "host", true))),
            ("https://{tenant}.example/mcp", Some(("{tenant}", "host", true))),
            ("https://{{HOST}}/mcp", Some(("{{HOST}}", "host", true))),
            ("https://%HOST%/mcp", Some(("%HOST%", "host", true))),
            ("https://[your-host]/mcp", Some(("[your-host]", "host", true))),
            ("https://$HOST/mcp", Some(("$HOST", "host", true))),
            ("https://h.example:<port>/mcp", Some(("<port>", "port", true))),
            ("https://h.example:$PORT", Some(("$PORT", "port", true))),
            ("https://h.example:YOUR_PORT/mcp", Some(("YOUR_PORT", "port", true))),
            ("https://YOUR_SUBDOMAIN.example.com/mcp", Some(("YOUR_SUBDOMAIN", "host", true))),
            ("https://your-server.example/mcp", Some(("your-server", "host", false))),
            ("https://xxx.example/mcp", Some(("xxx", "host", false))),
            ("https://h.example/<tenant>/mcp", Some(("<tenant>", "path", false))),
            ("https://h.example/mcp?key=YOUR_API_KEY", Some(("YOUR_API_KEY", "query", false))),
            ("https://u:p@<host>/mcp", Some(("<host>", "host", true))),
            ("https://[::1]/mcp", None),
            ("https://[fe80::1%25eth0]:8080/mcp", None),
            ("https://h%41%42.example/mcp", None),
            ("https://h.example:8080/a/b?c=d", None),
            ("https://${HOST}/mcp", None),
            ("https://yours.example/mcp", None),
            ("https://BUILD_SERVER/mcp", None),
            ("https://u:{secret}@h.example/mcp", None),
            ("https://h.example/a{secret}b", None),
            ("no-url", None),
            ("https://\u{fc}{\u{fc}}/mcp", None),
        ] {
            let found = in_url(url).map(|found| (found.text, found.part, found.certain));
            assert_eq!(found, expected, "{url}");
        }
    }
}
