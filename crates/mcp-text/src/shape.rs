//! What looks like a credential, wherever it comes from: by what stands before it, or by its own look.
//!
//! Losing an innocent word is the lesser harm, but a message that says why something failed is worth a lot: what follows
//! `password: ` is hidden, and `invalid`, `expired` or `required` are not.

use std::ops::Range;

use crate::names;
use crate::scheme::{is_scheme, is_telling_scheme};

/// What a sentence says about a credential instead of saying the credential.
const REMARKS: &str = "a absent already an and are at auth authentication bad be blacklisted blocked cannot corrupt \
    corrupted could credentials deactivated deleted denied disabled does empty error expired expiring \
    failed failure for forbidden from has in inactive incorrect insufficient invalid is locked malformed \
    missing must needed no none not null of ok old on only or ours outdated outside permission refused rejected \
    required revoked stale suspended that the to token too unauthenticated unauthorized unavailable \
    undecodable undefined unknown unreadable unrecognized unset unsupported unverified valid was with \
    wrong yours";

/// Between the name of a credential and the credential itself.
const VERBS: [&str; 9] = ["=", "=>", "->", ":=", "are", "equals", "is", "was", "were"];

/// What `-p` begins where it is not a password (mysql(1)) but a word.
const P_WORDS: [&str; 13] = [
    "package", "parallel", "passive", "path", "pid", "plain", "plugin", "port", "pretty", "print", "prod",
    "profile", "project",
];

/// Prefixes of what has an `@` and no password.
const NO_USERS: [&str; 7] = ["acct", "docker", "file", "mailto", "npm", "sip", "workspace"];

/// The places of `text` that look like credentials, in no order.
pub(crate) fn marks(text: &str) -> Vec<Range<usize>> {
    let mut marks = Vec::new();
    keys(text, &mut marks);
    let mut lines = 0;
    for line in text.split_inclusive(['\n', '\r']) {
        let mut found = Vec::new();
        words(line, &mut found);
        assignments(line, &mut found);
        tokens(line, &mut found);
        marks.extend(found.into_iter().map(|range| lines + range.start..lines + range.end));
        lines += line.len();
    }
    marks
}

/// PEM (RFC 7468): what is between the lines of a private key, or behind the first of them.
fn keys(text: &str, marks: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(begin) = text[at..].find("-----BEGIN ").map(|begin| at + begin) {
        let label = begin + "-----BEGIN ".len();
        let Some(end) = text[label..].find("-----").map(|end| label + end) else { return };
        at = end + "-----".len();
        if text[label..end].contains("PRIVATE KEY") {
            let close = text[at..].find("-----END").map_or(text.len(), |close| at + close);
            marks.push(at..close);
            at = close;
        }
    }
}

/// One word with its place.
#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    start: usize,
}

impl Word<'_> {
    fn bare(&self) -> &str {
        self.text.trim_matches(|c: char| !c.is_ascii_alphanumeric())
    }

    fn is_remark(&self) -> bool {
        is_remark(self.text)
    }
}

fn is_remark(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    bare.is_empty()
        || bare == "redacted"
        || REMARKS.split(' ').any(|remark| bare.eq_ignore_ascii_case(remark))
}

/// What a word says about those behind it.
fn words(line: &str, marks: &mut Vec<Range<usize>>) {
    let offset = |word: &str| word.as_ptr() as usize - line.as_ptr() as usize;
    let words: Vec<Word<'_>> =
        line.split_whitespace().map(|text| Word { text, start: offset(text) }).collect();
    for (index, word) in words.iter().enumerate() {
        userinfo(word, marks);
        short_flag(word, marks);
        let Some(next) = words.get(index + 1) else { continue };
        let flag =
            word.text.trim_start_matches(['"', '\'', '[', '`']).trim_end_matches(['"', '\'', ',', '`']);
        if names::is_pair_flag(flag) {
            if next.text.contains(':') && next.text.bytes().any(|byte| byte.is_ascii_alphabetic()) {
                marks.push(value(line, next.start));
            }
        } else if flag.starts_with('-') && !flag.contains('=') && flag != "-H" {
            if names::is_credential_name(flag) && !next.text.starts_with('-') {
                marks.push(value(line, next.start));
            }
        } else if is_telling_scheme(word.bare()) {
            let parameter = next.text.split_once('=').is_some_and(|(name, value)| {
                !value.trim_matches('=').is_empty()
                    && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            });
            if !next.is_remark() && !parameter {
                marks.push(value(line, next.start));
            }
        } else if is_noun(word.text) {
            sentence(line, &words[index + 1..], marks);
        }
    }
}

/// Whether a word of a sentence names a credential.
fn is_noun(word: &str) -> bool {
    let word = word.trim_matches(['"', '\'', '(', '`']);
    let last = word.rsplit(['_', '-', '.']).next().unwrap_or(word);
    names::is_credential_noun(last) || word.eq_ignore_ascii_case("api_key")
}

/// `passphrase is X`, `password "X"`, `token X1`.
fn sentence(line: &str, words: &[Word<'_>], marks: &mut Vec<Range<usize>>) {
    let Some(first) = words.first() else { return };
    let is_verb = VERBS.iter().any(|verb| first.text.trim_end_matches(':').eq_ignore_ascii_case(verb));
    if is_verb {
        if let Some(next) = words.get(1).filter(|next| !next.is_remark()) {
            marks.push(value(line, next.start));
        }
        return;
    }
    let has = |wanted: fn(&u8) -> bool| first.text.bytes().any(|byte| wanted(&byte));
    let is_mixed = has(u8::is_ascii_alphabetic) && has(u8::is_ascii_digit);
    if (is_mixed || first.text.starts_with(['"', '\'', '`'])) && !first.is_remark() {
        marks.push(value(line, first.start));
    }
}

/// `scheme://user:password@host`, and the same without a scheme.
fn userinfo(word: &Word<'_>, marks: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(begin) = word.text[at..].find("://").map(|begin| at + begin + 3) {
        let end = word.text[begin..].find(['/', '?', '#', '\\']).map_or(word.text.len(), |end| begin + end);
        if let Some(userinfo) = word.text[begin..end].rfind('@') {
            marks.push(word.start + begin..word.start + begin + userinfo);
        }
        at = begin;
    }
    if word.text.contains("://") {
        return;
    }
    let is_edge = |c: char| "\"'`<>()[]{},;=".contains(c);
    let text = word.text.rsplit_once('=').map_or(word.text, |(_, text)| text).trim_start_matches(is_edge);
    let start = word.start + (text.as_ptr() as usize - word.text.as_ptr() as usize);
    let Some((user, rest)) = text.split_once(':') else { return };
    let Some(at) = rest.rfind('@') else { return };
    let host = &rest[at + 1..];
    let is_host = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    let is_user = !user.is_empty() && !user.contains(['/', '@']) && !rest[..at].contains('/');
    if at > 0 && is_user && is_host && !host.starts_with("sha256:") && !NO_USERS.contains(&user) {
        marks.push(start..start + user.len() + 1 + at);
    }
}

/// `-pPASSWORD`, `-uuser:password`.
fn short_flag(word: &Word<'_>, marks: &mut Vec<Range<usize>>) {
    let text = word.text.trim_start_matches(['"', '\'']);
    let start = word.start + (word.text.len() - text.len()) + 2;
    let has = |rest: &str, wanted: fn(&u8) -> bool| rest.bytes().any(|byte| wanted(&byte));
    if let Some(rest) =
        text.strip_prefix("-p").filter(|rest| !rest.is_empty() && !rest.starts_with(['-', '=']))
    {
        // What ends a word of a script is no part of it.
        let rest = rest.trim_end_matches(['"', '\'', ';', '|', ')']);
        let word = format!("p{rest}");
        let is_word = P_WORDS.iter().any(|known| word.starts_with(known));
        if has(rest, u8::is_ascii_alphabetic) && !is_word {
            marks.push(start..start + rest.len());
        }
    } else if let Some(rest) = text.strip_prefix("-u").filter(|rest| rest.contains(':'))
        && has(rest, u8::is_ascii_alphabetic)
    {
        marks.push(start..start + rest.len());
    }
}

/// `name=value` and `name: value`, of variables, headers, parameters, flags and JSON's members.
fn assignments(line: &str, marks: &mut Vec<Range<usize>>) {
    // What is hidden already is not looked into: `token=token=token=..` would take a long time.
    let mut until = 0;
    for (at, delimiter) in line.match_indices(['=', ':']) {
        let behind = at + 1;
        if at < until {
            continue;
        }
        let before = line[..at].trim_end_matches(['"', '\'', '\\', ' ']);
        let quoted = line[before.len()..at].contains(['"', '\'']);
        if before.len() < at && !quoted {
            continue;
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let name = &before[before.trim_end_matches(is_part).len()..];
        if name.is_empty() || name.len() > 128 || line[behind..].starts_with("//") {
            continue;
        }
        let blank = line[behind..].starts_with(' ');
        // `/etc/passwd: ..` is a file, of which something is said.
        let stem = before.len() - name.len();
        if blank && delimiter == ":" && before[..stem].ends_with(['/', '\\']) {
            continue;
        }
        if is_secret_header(name) {
            let found = rest(line, behind);
            until = found.end;
            marks.push(found);
        } else if is_assigned(name, delimiter, quoted, blank) {
            let start = behind + (line[behind..].len() - line[behind..].trim_start_matches(' ').len());
            let found = value(line, start);
            let shown = &line[found.clone()];
            let is_remark = blank && is_remark(shown) || shown.starts_with("${") || shown.starts_with('<');
            if delimiter == ":" || !blank {
                let behind = behind_scheme(line, &found, delimiter == ":" && blank);
                // What may be the credential itself is hidden whatever follows.
                if !(is_remark || behind.is_some() && is_telling_scheme(shown)) {
                    until = found.end;
                    marks.push(found);
                }
                if let Some(behind) = behind {
                    until = behind.end;
                    marks.push(behind);
                }
            }
        } else if names::is_pair_flag(name) && delimiter == "=" {
            let found = value(line, behind);
            if line[found.clone()].contains(':') {
                marks.push(found);
            }
        }
    }
}

/// The credential behind a scheme. A word that is in other sentences as well is a scheme in a header alone, and where no
/// remark follows: `X-Api-Key: Key abc`.
fn behind_scheme(line: &str, scheme: &Range<usize>, is_header: bool) -> Option<Range<usize>> {
    let word = &line[scheme.clone()];
    let behind = &line[scheme.end..];
    let found = value(line, scheme.end + (behind.len() - behind.trim_start().len()));
    let is_credential = is_header && is_scheme(word) && !is_remark(&line[found.clone()]);
    (is_credential || is_telling_scheme(word)).then_some(found)
}

fn is_secret_header(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie", "set-cookie"]
        .iter()
        .any(|header| name.eq_ignore_ascii_case(header))
}

/// Whether what is assigned to this name is a credential. `get-token: not found` names a command, `KeyError: x` a
/// failure and `X-Api-Key: x` a header.
fn is_assigned(name: &str, delimiter: &str, quoted: bool, blank: bool) -> bool {
    if !names::is_credential_name(name) {
        return false;
    }
    if delimiter == "=" || quoted || !blank {
        return true;
    }
    let last = name.rsplit(['_', '-', '.']).next().unwrap_or(name);
    let camel = last
        .rfind(|c: char| c.is_ascii_uppercase())
        .filter(|_| last.contains(|c: char| c.is_ascii_lowercase()));
    let last = &last[camel.unwrap_or(0)..];
    let is_header = !name.contains('-') || name.starts_with(['x', 'X']);
    is_header && names::is_credential_name(last) && !["header", "headers"].contains(&last)
}

/// The value that begins at `start`: a quoted string, or up to where a word ends.
fn value(line: &str, start: usize) -> Range<usize> {
    let text = &line[start..];
    let inner = text.trim_start_matches('\\');
    let begin = start + (text.len() - inner.len());
    if let Some(quote) = inner.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) {
        let content = begin + 1;
        let end = line[content..].find(quote).map_or(line.len(), |end| content + end);
        return content..content + line[content..end].trim_end_matches('\\').len();
    }
    let end = inner
        .find(|c: char| c.is_whitespace() || "\"'`,;&<>(){}|".contains(c))
        .map_or(line.len(), |end| begin + end);
    begin..begin + line[begin..end].trim_end_matches('\\').len()
}

/// The value of a header that has several words: to the end of its quotes or of the line.
fn rest(line: &str, behind: usize) -> Range<usize> {
    let text = line[behind..].trim_start();
    let start = line.len() - text.len();
    if text.trim_start_matches('\\').starts_with(['"', '\'']) {
        return value(line, start);
    }
    // Within quotes that began before the name, as in `-H 'Authorization: ..'`.
    let before = line[..behind].trim_end_matches(|c: char| !matches!(c, '"' | '\'' | ' ' | '='));
    let end =
        before.chars().next_back().filter(|c| matches!(c, '"' | '\'')).and_then(|quote| text.find(quote));
    start..start + text[..end.unwrap_or(text.len())].trim_end().len()
}

/// Words that are credentials by their own look.
fn tokens(line: &str, marks: &mut Vec<Range<usize>>) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut at = 0;
    while let Some(start) = line[at..].find(is_part).map(|start| at + start) {
        let mut end = line[start..].find(|c| !is_part(c)).map_or(line.len(), |end| start + end);
        // The three parts of a JWT (RFC 7515 section 3.1) are one token.
        if line[start..end].starts_with("eyJ") {
            let dotted = |c: char| !(is_part(c) || c == '.');
            end = line[start..].find(dotted).map_or(line.len(), |end| start + end);
        }
        let run = &line[start..end];
        // Files have names like that, too, and where one is says why something failed.
        let in_path = line[..start].ends_with(['/', '\\', '.']);
        if names::looks_like_token(run) || (!in_path && names::looks_like_password(run)) {
            marks.push(start..end);
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use crate::Secrets;

    fn shown(text: &str) -> String {
        Secrets::default().hide(text).into_owned()
    }

    #[test]
    fn what_a_person_needs_survives() {
        for text in [
            "vault: permission denied",
            "cat: /etc/passwd: Permission denied",
            "open C:\\keys\\token: it is in use",
            "password: permission denied",
            "sh: 1: get-token: not found",
            "curl: (6) Could not resolve host: sso.example.com",
            "/usr/local/bin/mint: line 3: jq: command not found",
            "error: the sign-in has expired, run `corp login`",
            "KeyError: 'API_KEY'",
            "password: required",
            "the token is expired, the passphrase was wrong",
            "token is stale",
            "the access token is inactive; the refresh token was blacklisted",
            "invalid token: expired",
            "Basic authentication required",
            "WWW-Authenticate: Bearer error=\"invalid_token\"",
            "npm:react@18.2.0 and git@github.com:me/repo.git",
            "docker run -p 8080:80 -u 1000:1000 -p8080:80 -path x -print0",
            "    at Object.<anonymous> (node:internal/errors:496:5)",
            "Node.js v20.1.0 x86_64-unknown-linux-gnu IPv6Address Base64Decoder",
            "2026-11-28T10:20:30.123Z request 4f6b8c1e-1a2b-4c3d-9e8f-0a1b2c3d4e5f",
            "Traceback (most recent call last):",
            "mailto:me@example.com",
            "/tmp/.tmpA1b2C3d4/helper.sh: line 1: x: not found",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn s_k5_what_looks_like_a_credential_does_not() {
        for (text, expected) in [
            ("> Authorization: Bearer canary", "> Authorization: [redacted]"),
            ("authorization: canary and canary", "authorization: [redacted]"),
            (
                "curl -H 'Authorization: Bearer canary' https://h",
                "curl -H 'Authorization: [redacted]' https://h",
            ),
            ("refused Bearer canary today", "refused Bearer [redacted] today"),
            ("Cookie: a=canary; b=canary", "Cookie: [redacted]"),
            ("X-Api-Key: canary", "X-Api-Key: [redacted]"),
            ("password=canary user=me", "password=[redacted] user=me"),
            ("password: canary", "password: [redacted]"),
            ("GITHUB_TOKEN='canary'", "GITHUB_TOKEN='[redacted]'"),
            ("{\"access_token\":\"canary\",\"a\":1}", "{\"access_token\":\"[redacted]\",\"a\":1}"),
            ("{\\\"access_token\\\": \\\"canary\\\"}", "{\\\"access_token\\\": \\\"[redacted]\\\"}"),
            ("token=ca/na/ry", "token=[redacted]"),
            ("GET https://h/p?api_key=canary&x=1", "GET https://h/p?api_key=[redacted]&x=1"),
            ("clone https://me:canary@h/p", "clone https://[redacted]@h/p"),
            ("postgres://u:canary@h/db?password=canary", "postgres://[redacted]@h/db?password=[redacted]"),
            ("dial u:canary@h failed", "dial [redacted]@h failed"),
            ("got 0a1b2c3d4e5f60718293", "got [redacted]"),
            ("jwt eyJhbGciOi.x.y", "jwt [redacted]"),
            ("ghp_abcdefghijk and xoxp-123-abcdefgh", "[redacted] and [redacted]"),
            ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
            ("sk-proj-abcdefghijklmnop", "[redacted]"),
            ("--api-key canary --port 80", "--api-key [redacted] --port 80"),
            ("--db-pass=canary", "--db-pass=[redacted]"),
            ("--password 'ca na ry'", "--password '[redacted]'"),
            ("mysql -pcanary1 -h db", "mysql -p[redacted] -h db"),
            ("curl -u admin:canary https://h", "curl -u [redacted] https://h"),
            ("curl --user admin:canary", "curl --user [redacted]"),
            ("curl --user=admin:canary", "curl --user=[redacted]"),
            ("curl -uadmin:canary", "curl -u[redacted]"),
            ("passphrase is canary", "passphrase is [redacted]"),
            ("the password was \"canary two\", sorry", "the password was \"[redacted]\", sorry"),
            ("wrong password 'canary'", "wrong password '[redacted]'"),
            ("rejected hunter2-S3cret", "rejected [redacted]"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----",
                "-----BEGIN RSA PRIVATE KEY-----\n[redacted]\n-----END RSA PRIVATE KEY-----",
            ),
            ("-----BEGIN PRIVATE KEY----- canary", "-----BEGIN PRIVATE KEY----- [redacted]"),
            ("password%3Dcanary", "password%3D[redacted]"),
            (
                "{\\u0022secret\\u0022:\\u0022canary\\u0022}",
                "{\\u0022secret\\u0022:\\u0022[redacted]\\u0022}",
            ),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn a_long_line_takes_linear_time() {
        for unit in ["password ", "a=", "token: \"", "://", "-----BEGIN ", "Bearer ", "u:p@", "eyJ.", "\\u00"]
        {
            let long = unit.repeat((1 << 17) / unit.len());
            assert!(shown(&long).len() <= 12 * long.len());
        }
    }
}
