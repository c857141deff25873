//! What of a helper's stderr may be shown.
//!
//! A message that says why minting failed is worth a lot, and a failing script prints secrets (`set -x`, a `curl -v`, a
//! dump of what it got). So what is shown is cleaned: control characters go, what is known to be secret goes, and
//! what looks like it goes too. Losing an innocent word is the lesser harm.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::env::is_credential_like;
use super::run::Output;

/// How much of a line is shown, in characters.
const MAX_CHARS: usize = 200;
/// Known values that are shorter are found everywhere, and hide nothing.
const MIN_KNOWN: usize = 6;
/// From this length on, a word with both letters and digits is taken for a token.
const MIN_TOKEN: usize = 20;
/// How much of the output is searched for values, in bytes. A page that was printed by mistake need not be learnt by
/// heart; what looks like a token is hidden anyway.
const MAX_SEARCHED: usize = 64 * 1024;
const REDACTED: &str = "[redacted]";

/// The presentable part of what a run printed to stderr.
pub(super) struct Complaint {
    first_line: Option<String>,
    tail: String,
}

impl Complaint {
    pub(super) fn new(output: &Output, env: &BTreeMap<OsString, OsString>) -> Self {
        let (head, tail) = (output.stderr.head(), output.stderr.tail());
        let mut known = known_secrets(&output.stdout, env);
        known.retain(|secret| head.contains(secret) || tail.contains(secret));
        let clean = |line: &str| presentable(line, &known);
        let first_line = head.lines().map(clean).find(|line| !line.is_empty());
        let tail: Vec<String> = tail.lines().map(clean).filter(|line| !line.is_empty()).collect();
        Self { first_line, tail: tail.join("\n") }
    }

    pub(super) fn first_line(&self) -> Option<&str> {
        self.first_line.as_deref()
    }

    pub(super) fn tail(&self) -> &str {
        &self.tail
    }
}

/// Values that must not be shown wherever they appear: those of credential-like variables, and every word of
/// the output that is no plain word. Longest first, so that no part of a longer one is left over.
fn known_secrets(stdout: &[u8], env: &BTreeMap<OsString, OsString>) -> Vec<String> {
    let variables = env
        .iter()
        .filter(|(name, _)| is_credential_like(&name.to_string_lossy()))
        .map(|(_, value)| value.to_string_lossy().trim().to_owned());
    let stdout = String::from_utf8_lossy(&stdout[..stdout.len().min(MAX_SEARCHED)]);
    let printed = stdout
        .split(|c: char| c.is_whitespace() || "\"'{}[],:".contains(c))
        .filter(|word| word.chars().any(|c| !(c.is_ascii_alphabetic() || c == '-')))
        .map(str::to_owned);
    let mut known: Vec<String> = variables.chain(printed).filter(|value| value.len() >= MIN_KNOWN).collect();
    known.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    known.dedup();
    known
}

/// One line as it may be shown: on one line, of bounded length, without what is or looks secret.
fn presentable(line: &str, known: &[String]) -> String {
    let mut line = printable(line);
    for secret in known {
        line = line.replace(secret.as_str(), REDACTED);
    }
    let mut words = Vec::new();
    let mut hide = Hide::Nothing;
    for word in line.split_whitespace() {
        if hide != Hide::Nothing {
            words.push(REDACTED.to_owned());
            if hide == Hide::Next && !is_scheme(word) {
                hide = Hide::Nothing;
            }
            continue;
        }
        hide = hidden_after(word);
        words.push(redact(word));
    }
    words.dedup_by(|a, b| a == REDACTED && b == REDACTED);
    shorten(&words.join(" "))
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Hide {
    Nothing,
    Next,
    Rest,
}

/// What a word says about those behind it: `Bearer` about one, `password:` about one, `Authorization:` and
/// `Cookie:` about all.
fn hidden_after(word: &str) -> Hide {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if is_scheme(bare) {
        return Hide::Next;
    }
    match word
        .trim_start_matches(['"', '\'', '<', '>'])
        .trim_end_matches(['"', '\''])
        .strip_suffix([':', '='])
    {
        Some(name) if is_secret_header(name) => Hide::Rest,
        // `get-token: not found` names a command, `X-Api-Key: ...` a header.
        Some(name) if names_a_credential(name) && (!name.contains('-') || name.starts_with(['x', 'X'])) => {
            Hide::Next
        }
        _ => Hide::Nothing,
    }
}

fn is_scheme(word: &str) -> bool {
    ["bearer", "basic", "dpop"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

fn is_secret_header(name: &str) -> bool {
    let name = name.trim_matches(['"', '\'']);
    ["authorization", "proxy-authorization", "cookie", "set-cookie"]
        .iter()
        .any(|header| name.eq_ignore_ascii_case(header))
}

fn names_a_credential(name: &str) -> bool {
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    is_credential_like(&name) || name.split('_').any(|part| part.eq_ignore_ascii_case("apikey"))
}

/// One word without its secret parts.
fn redact(word: &str) -> String {
    let word = without_userinfo(word);
    let mut shown = String::new();
    let mut rest = word.as_str();
    let mut name = "";
    let mut value_of_credential = false;
    while !rest.is_empty() {
        let end = rest.find(is_delimiter).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        if !piece.is_empty() && (value_of_credential || looks_like_a_token(piece)) {
            shown.push_str(REDACTED);
        } else {
            shown.push_str(piece);
        }
        let mut chars = behind.chars();
        let Some(delimiter) = chars.next() else { break };
        if !piece.is_empty() {
            name = piece;
        }
        value_of_credential = match delimiter {
            '=' | ':' => names_a_credential(name) || is_secret_header(name),
            // A quote begins or ends the value, and base64 goes on behind its slashes.
            '"' | '\'' | '/' => value_of_credential,
            _ => false,
        };
        shown.push(delimiter);
        rest = chars.as_str();
    }
    shown
}

fn is_delimiter(c: char) -> bool {
    "\"'`=:;,/?&#@()<>{}|\\".contains(c)
}

fn without_userinfo(word: &str) -> String {
    if let Some((scheme, rest)) = word.split_once("://") {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        if let Some(at) = rest[..end].rfind('@') {
            return format!("{scheme}://{REDACTED}{}", &rest[at..]);
        }
    }
    word.to_owned()
}

fn looks_like_a_token(piece: &str) -> bool {
    let has = |wanted: fn(&char) -> bool| piece.chars().any(|c| wanted(&c));
    let mixed = has(char::is_ascii_alphabetic) && has(char::is_ascii_digit);
    (piece.len() >= MIN_TOKEN && mixed) || (piece.len() >= 10 && piece.starts_with("eyJ"))
}

/// Without control characters, terminal escapes, and characters that reorder or hide text.
fn printable(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // ECMA-48 section 5.4: a control sequence ends with one of these.
            '\u{1b}' if chars.next_if_eq(&'[').is_some() => {
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            '\t' => shown.push(' '),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {}
            c if c.is_control() => {}
            c => shown.push(c),
        }
    }
    shown
}

fn shorten(line: &str) -> String {
    match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_needs_survives() {
        for line in [
            "vault: permission denied",
            "sh: 1: get-token: not found",
            "curl: (6) Could not resolve host: sso.example.com",
            "/usr/local/bin/mint: line 3: jq: command not found",
            "error: the sign-in has expired, run `corp login`",
        ] {
            assert_eq!(presentable(line, &[]), line);
        }
    }

    #[test]
    fn what_is_or_looks_secret_does_not() {
        let known = ["known canary value".to_owned(), "canary-7".to_owned()];
        for (line, expected) in [
            ("got known canary value!", "got [redacted]!"),
            ("+ export X=canary-7", "+ export X=[redacted]"),
            ("> Authorization: Bearer canary", "> Authorization: [redacted]"),
            ("authorization: canary and canary", "authorization: [redacted]"),
            ("refused Bearer canary today", "refused Bearer [redacted] today"),
            ("Cookie: a=canary; b=canary", "Cookie: [redacted]"),
            ("X-Api-Key: canary", "X-Api-Key: [redacted]"),
            ("password=canary user=me", "password=[redacted] user=me"),
            ("password: canary", "password: [redacted]"),
            ("GITHUB_TOKEN='canary'", "GITHUB_TOKEN='[redacted]'"),
            ("{\"access_token\":\"canary\"}", "{\"access_token\":\"[redacted]\"}"),
            ("token=ca/na/ry", "token=[redacted]/[redacted]/[redacted]"),
            ("GET https://h/p?api_key=canary&x=1", "GET https://h/p?api_key=[redacted]&x=1"),
            ("clone https://me:canary@h/p", "clone https://[redacted]@h/p"),
            ("got 0a1b2c3d4e5f60718293", "got [redacted]"),
            ("jwt eyJhbGciOi.x", "jwt [redacted]"),
        ] {
            let shown = presentable(line, &known);
            assert_eq!(shown, expected);
            assert!(!shown.contains("canary"));
        }
    }

    #[test]
    fn a_line_cannot_play_tricks_with_a_terminal() {
        assert_eq!(
            presentable("\u{1b}[31mred\u{1b}[0m\u{7} \u{202e}x\ty\u{1b}]0;t\u{7}", &[]),
            "red x y]0;t"
        );
        let long = presentable(&"é ".repeat(500), &[]);
        assert_eq!(long.chars().count(), MAX_CHARS + 1);
    }

    #[test]
    fn the_values_of_credential_variables_and_of_the_output_are_known() {
        let env: BTreeMap<OsString, OsString> =
            [("MY_TOKEN", "hunter-two"), ("HOME", "/home/me"), ("A_KEY", "short")]
                .map(|(name, value)| (name.into(), value.into()))
                .into();
        let stdout = b"{\"Authorization\":\"Bearer s3cr3t-v4lue\",\"X-Team\":\"platform\"}";
        assert_eq!(known_secrets(stdout, &env), ["s3cr3t-v4lue", "hunter-two"]);
    }
}
