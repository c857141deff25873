//! What may be shown of a value: the text as written, with everything that could be a secret replaced.
//!
//! The rule is the same everywhere: a reference such as `${TOKEN}` is shown, what it expands to never is, and
//! a literal is shown only where it cannot be a credential.

use crate::expand::{Piece, Text};

/// `text` with control characters escaped, so that a file cannot drive the terminal it is shown on.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// What stands for a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// Authorization schemes that may stand before a credential (RFC 9110 section 11.1): no secret by themselves.
const SCHEMES: [&str; 8] = ["Bearer", "Basic", "Digest", "Token", "ApiKey", "DPoP", "Negotiate", "Key"];

/// A URL with the values of its userinfo, query and fragment replaced.
///
/// Works on the text, so that it also serves for a URL that cannot be parsed.
pub fn display_url(url: &str) -> String {
    render_url(&tokens(&[Piece::Literal(url.to_owned())]))
}

/// As [`display_url`], for a URL as it is written, with its references.
pub(crate) fn display_url_text(url: &Text) -> String {
    render_url(&tokens(url.pieces()))
}

/// A header value or environment value: its references, and `[redacted]` for each literal part.
pub(crate) fn display_secret_text(value: &Text) -> String {
    let mut shown = String::new();
    for (index, piece) in value.pieces().iter().enumerate() {
        match piece {
            Piece::Variable(variable) => {
                shown.push_str(&reference(&variable.name, variable.default.as_deref()))
            }
            Piece::Literal(text) => {
                let scheme = if index == 0 { scheme_of(text) } else { "" };
                shown.push_str(scheme);
                if !text[scheme.len()..].is_empty() {
                    shown.push_str(REDACTED);
                }
            }
        }
    }
    shown
}

/// `Bearer ` at the start of a header value, with its spaces.
fn scheme_of(text: &str) -> &str {
    let Some(scheme) = SCHEMES.iter().find_map(|scheme| {
        let head = text.get(..scheme.len())?;
        (head.eq_ignore_ascii_case(scheme) && text[scheme.len()..].starts_with(' ')).then_some(head)
    }) else {
        return "";
    };
    let spaces = text[scheme.len()..].bytes().take_while(|byte| *byte == b' ').count();
    &text[..scheme.len() + spaces]
}

fn reference(name: &str, default: Option<&str>) -> String {
    match default {
        None => format!("${{{name}}}"),
        Some("") => format!("${{{name}:-}}"),
        Some(_) => format!("${{{name}:-{REDACTED}}}"),
    }
}

/// The arguments of a command, with the values of credential-like flags and of URLs replaced.
pub(crate) fn display_args(args: &[Text]) -> Vec<String> {
    let mut value_of_flag = false;
    let show = |arg: &Text| {
        let is_value = std::mem::take(&mut value_of_flag);
        let written = written(arg);
        if is_value && !written.starts_with('-') {
            return display_secret_text(arg);
        }
        if written.contains(char::is_whitespace) && names_a_credential(&written) {
            // A header line or a whole script; which part of it is the secret cannot be told.
            return REDACTED.to_owned();
        }
        if let Some((flag, _)) = written.split_once('=')
            && names_a_credential(flag)
        {
            return format!("{flag}={REDACTED}");
        }
        if written.starts_with('-') {
            value_of_flag = names_a_credential(&written);
        }
        if written.contains("://") { display_url_text(arg) } else { without_tokens(&printable(&written)) }
    };
    args.iter().map(show).collect()
}

/// `text` with every run of letters and digits that is too mixed for a word replaced: a key that stands by itself
/// has no flag to tell what it is. Losing a digest is the lesser harm.
pub(crate) fn without_tokens(text: &str) -> String {
    const MIN_TOKEN: usize = 16;
    let is_token = |run: &str| {
        run.len() >= MIN_TOKEN
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
            && run.bytes().filter(u8::is_ascii_digit).count() >= 2
    };
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        shown.push_str(if is_token(run) { REDACTED } else { run });
        let others = behind.find(|c: char| c.is_ascii_alphanumeric()).unwrap_or(behind.len());
        shown.push_str(&behind[..others]);
        rest = &behind[others..];
    }
    shown
}

fn written(text: &Text) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Variable(variable) => match &variable.default {
            None => format!("${{{}}}", variable.name),
            Some(default) => format!("${{{}:-{default}}}", variable.name),
        },
    };
    text.pieces().iter().map(piece).collect()
}

/// Whether a flag or variable name speaks of a credential: one of its words does.
pub(crate) fn names_a_credential(name: &str) -> bool {
    const WORDS: [&str; 17] = [
        "token",
        "secret",
        "password",
        "passwd",
        "passphrase",
        "key",
        "apikey",
        "auth",
        "authorization",
        "cookie",
        "pat",
        "dsn",
        "credential",
        "credentials",
        "bearer",
        "header",
        "headers",
    ];
    let word = |word: &str| WORDS.contains(&word.to_ascii_lowercase().as_str());
    name == "-H" || name.split(|c: char| !c.is_ascii_alphanumeric()).any(word)
}

/// The program of a shell command: its first word, where that is a plain path. The rest of the line is
/// never shown, because one-line helpers tend to have the token in them.
pub(crate) fn display_command(command: &str) -> String {
    let command = command.trim();
    let plain = |c: char| c.is_alphanumeric() || "_-./\\:~@+,%${}".contains(c);
    let program = match command.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
        Some((quoted, _)) if quoted.chars().all(|c| plain(c) || c == ' ') => quoted,
        _ => &command[..command.find(|c: char| !plain(c)).unwrap_or(command.len())],
    };
    let quotes = if command.starts_with('"') { 2 } else { 0 };
    let after = &command[(program.len() + quotes).min(command.len())..];
    match (program, after.is_empty(), after.starts_with(char::is_whitespace) || quotes == 2) {
        ("", ..) => REDACTED.to_owned(),
        (program, true, _) => program.to_owned(),
        (program, false, true) => format!("{program} {REDACTED}"),
        // `TOKEN=abc cmd`, `cat<<<'..'`: what follows belongs to the word.
        (program, false, false) if after.starts_with('=') => format!("{program}={REDACTED}"),
        (program, false, false) => format!("{program} {REDACTED}"),
    }
}

/// One character of a URL as written, or one whole reference in it.
#[derive(Clone, Debug)]
enum Token {
    Char(char),
    Reference(String),
}

fn tokens(pieces: &[Piece]) -> Vec<Token> {
    let mut tokens = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Literal(text) => tokens.extend(printable(text).chars().map(Token::Char)),
            Piece::Variable(variable) => tokens.push(Token::Reference(match variable.default.as_deref() {
                // The default is part of the URL and follows its rules.
                Some(default) => format!("${{{}:-{}}}", variable.name, display_url(default)),
                None => format!("${{{}}}", variable.name),
            })),
        }
    }
    tokens
}

fn is(token: &Token, set: &str) -> bool {
    matches!(token, Token::Char(c) if set.contains(*c))
}

fn render_url(tokens: &[Token]) -> String {
    let mut out = String::new();
    let rest = match authority_start(tokens) {
        Some(start) => {
            push_all(&mut out, &tokens[..start]);
            let rest = &tokens[start..];
            let end = rest.iter().position(|token| is(token, "/\\?#")).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            // The last `@` ends the userinfo (WHATWG URL, authority state).
            match authority.iter().rposition(|token| is(token, "@")) {
                Some(at) => {
                    push_hidden(&mut out, &authority[..at]);
                    push_all(&mut out, &authority[at..]);
                }
                None => push_all(&mut out, authority),
            }
            rest
        }
        None => tokens,
    };
    let query = rest.iter().position(|token| is(token, "?#")).unwrap_or(rest.len());
    push_all(&mut out, &rest[..query]);
    push_query(&mut out, &rest[query..]);
    out
}

/// The index after `://`.
fn authority_start(tokens: &[Token]) -> Option<usize> {
    let separator = tokens
        .windows(3)
        .position(|window| is(&window[0], ":") && is(&window[1], "/\\") && is(&window[2], "/\\"))?;
    let scheme = &tokens[..separator];
    let named = scheme.iter().all(|token| match token {
        Token::Char(c) => c.is_ascii_alphanumeric() || "+-.".contains(*c),
        Token::Reference(_) => true,
    });
    (named && !scheme.is_empty()).then_some(separator + 3)
}

/// `?a=1&b` becomes `?a=[redacted]&b`; a fragment goes altogether.
fn push_query(out: &mut String, tokens: &[Token]) {
    let mut rest = tokens;
    while let Some((first, tail)) = rest.split_first() {
        push_all(out, std::slice::from_ref(first));
        if is(first, "#") {
            return push_hidden(out, tail);
        }
        let end = tail.iter().position(|token| is(token, "&#")).unwrap_or(tail.len());
        let (pair, next) = tail.split_at(end);
        match pair.iter().position(|token| is(token, "=")) {
            Some(equals) => {
                push_all(out, &pair[..=equals]);
                push_hidden(out, &pair[equals + 1..]);
            }
            // `?token` alone may be the secret itself.
            None => push_hidden(out, pair),
        }
        rest = next;
    }
}

fn push_all(out: &mut String, tokens: &[Token]) {
    for token in tokens {
        match token {
            Token::Char(c) => out.push(*c),
            Token::Reference(text) => out.push_str(text),
        }
    }
}

/// References stay, each run of other characters becomes one mark.
fn push_hidden(out: &mut String, tokens: &[Token]) {
    let mut hidden = false;
    for token in tokens {
        match token {
            Token::Reference(text) => {
                // A default in a hidden part is as secret as the part.
                let name_end = text.find(":-").unwrap_or(text.len() - 1);
                out.push_str(&text[..name_end]);
                out.push_str(if name_end < text.len() - 1 { ":-[redacted]}" } else { "}" });
                hidden = false;
            }
            Token::Char(_) if hidden => {}
            Token::Char(_) => {
                out.push_str(REDACTED);
                hidden = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Env;

    fn text(written: &str) -> Text {
        Text::expand(written, &Env::from([("K", "canary"), ("HOST", "canary.example")]))
    }

    #[test]
    fn urls_lose_userinfo_query_values_and_fragment() {
        for (url, shown) in [
            ("https://h/mcp", "https://h/mcp"),
            ("https://u:p@h:1/mcp", "https://[redacted]@h:1/mcp"),
            ("https://u@x@h/mcp", "https://[redacted]@h/mcp"),
            ("https://h/mcp?a=1&b=2&c", "https://h/mcp?a=[redacted]&b=[redacted]&[redacted]"),
            ("https://h/mcp?secret", "https://h/mcp?[redacted]"),
            ("https://h/mcp?a=#frag", "https://h/mcp?a=#[redacted]"),
            ("https://h#frag?x=1", "https://h#[redacted]"),
            ("https://h/a@b?c=d@e", "https://h/a@b?c=[redacted]"),
            ("not a url?x=1", "not a url?x=[redacted]"),
            ("", ""),
            ("https://h/\u{1b}[2J", "https://h/\\u{1b}[2J"),
        ] {
            assert_eq!(display_url(url), shown);
        }
    }

    #[test]
    fn references_in_urls_are_shown_and_never_their_values() {
        for (url, shown) in [
            ("https://${HOST}/mcp", "https://${HOST}/mcp"),
            ("${BASE:-https://api.example.com}/mcp", "${BASE:-https://api.example.com}/mcp"),
            ("https://${U}:${K}@h/mcp", "https://${U}[redacted]${K}@h/mcp"),
            ("https://u:x${K:-canary}@h/", "https://[redacted]${K:-[redacted]}@h/"),
            ("https://h/mcp?key=${K}&x=1", "https://h/mcp?key=${K}&x=[redacted]"),
            ("https://h/mcp?key=${K:-canary}", "https://h/mcp?key=${K:-[redacted]}"),
            ("${BASE:-https://u:canary@h?x=canary}/mcp", "${BASE:-https://[redacted]@h?x=[redacted]}/mcp"),
        ] {
            assert_eq!(display_url_text(&text(url)), shown);
        }
    }

    #[test]
    fn header_values_show_scheme_and_references_only() {
        for (value, shown) in [
            ("Bearer ${K}", "Bearer ${K}"),
            ("bearer canary", "bearer [redacted]"),
            ("Bearer", "[redacted]"),
            ("canary", "[redacted]"),
            ("x${K}y", "[redacted]${K}[redacted]"),
            ("${K:-canary}", "${K:-[redacted]}"),
            ("", ""),
        ] {
            assert_eq!(display_secret_text(&text(value)), shown);
        }
    }

    #[test]
    fn arguments_of_credential_flags_are_hidden() {
        let args: Vec<Text> = [
            "-y",
            "pkg@1",
            "--api-key",
            "canary",
            "--token=canary",
            "-H",
            "Authorization: canary",
            "X-Key: canary",
            "curl -H 'Authorization: canary'",
            "--port",
            "80",
            "https://u:canary@h/",
            "API_TOKEN=canary",
            "--password",
            "--verbose",
            "${K}",
        ]
        .map(text)
        .into();
        let shown = display_args(&args);
        assert_eq!(
            shown,
            [
                "-y",
                "pkg@1",
                "--api-key",
                "[redacted]",
                "--token=[redacted]",
                "-H",
                "[redacted]",
                "[redacted]",
                "[redacted]",
                "--port",
                "80",
                "https://[redacted]@h/",
                "API_TOKEN=[redacted]",
                "--password",
                "--verbose",
                "${K}"
            ]
        );
    }

    #[test]
    fn arguments_that_are_keys_by_themselves_are_hidden() {
        for (argument, shown) in [
            ("sk-4f9aQ2bX81kd03mZ77ab", "sk-[redacted]"),
            ("canary/0123456789abcdef+fedcba9876543210", "canary/[redacted]+[redacted]"),
            ("--x=ghp0123456789abcdefgh", "--x=[redacted]"),
            (
                "@modelcontextprotocol/server-everything@2026.1.26",
                "@modelcontextprotocol/server-everything@2026.1.26",
            ),
            ("/home/me/projects2026/server.py", "/home/me/projects2026/server.py"),
            ("acknowledgementsofmine1", "acknowledgementsofmine1"),
        ] {
            assert_eq!(display_args(&[text(argument)]), [shown], "{argument}");
        }
    }

    #[test]
    fn commands_show_their_program_only() {
        for (command, shown) in [
            ("./helper.sh", "./helper.sh"),
            ("${CLAUDE_PROJECT_DIR}/h.sh", "${CLAUDE_PROJECT_DIR}/h.sh"),
            ("vault read canary", "vault [redacted]"),
            ("echo '{\"A\": \"canary\"}'", "echo [redacted]"),
            ("cat<<<canary", "cat [redacted]"),
            ("TOKEN=canary cmd", "TOKEN=[redacted]"),
            ("\"C:\\Program Files\\h.exe\" canary", "C:\\Program Files\\h.exe [redacted]"),
            ("'canary'", "[redacted]"),
            ("", "[redacted]"),
        ] {
            assert_eq!(display_command(command), shown);
        }
    }
}
