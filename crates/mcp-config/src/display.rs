//! What may be shown of a value: the text as written, with everything that could be a secret replaced.
//!
//! The rule is the same everywhere: a reference such as `${TOKEN}` is shown, what it expands to never is, and
//! a literal is shown only where it cannot be a credential.
//!
//! Longer than 500 lines because the rules stand with the tables of spellings that they are tried on.

use std::borrow::Cow;

use mcp_text::{
    Secrets, escaped, is_behind_short_option, is_credential_name, is_pair_flag, is_secret_segment,
    short_option_words, values_of_short_options,
};

use crate::expand::{Piece, Text, WrittenReference};
use crate::reference::{self, ReferenceText};

pub(crate) use mcp_text::REDACTED;

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
    display_secret_text_by(value, display_command)
}

/// The same, with the commands of its references as `command` shows them.
pub(crate) fn display_secret_text_by(value: &Text, command: impl Fn(&str) -> String) -> String {
    let mut shown = String::new();
    for (index, piece) in value.pieces().iter().enumerate() {
        match piece {
            Piece::Variable(variable) => {
                shown.push_str(&variable_reference(&variable.name, variable.default.as_deref()))
            }
            Piece::Secret(secret) => match reference::reference(&secret.written) {
                Some(ReferenceText::Command(line)) => shown.push_str(&format!("${{cmd:{}}}", command(line))),
                _ => shown.push_str(&display_referred(secret)),
            },
            // What it holds may have a secret in it, such as a default.
            Piece::Escaped(_) => shown.push_str(REDACTED),
            Piece::Literal(text) => {
                // A scheme is not a secret by itself.
                let hidden = match mcp_text::scheme_of(text) {
                    Some((_, rest)) if index == 0 => rest,
                    _ => text,
                };
                shown.push_str(&text[..text.len() - hidden.len()]);
                if !hidden.is_empty() {
                    shown.push_str(REDACTED);
                }
            }
        }
    }
    shown
}

/// A secret by reference, with what may be shown of where it leads.
pub(crate) fn display_reference(written: ReferenceText<'_>) -> String {
    match written {
        ReferenceText::Variable(name) => format!("${{env:{name}}}"),
        // Where a secret is, is none: a folder that looks like a token by chance is shown as well.
        ReferenceText::File(path) if path.contains("://") => format!("${{file:{}}}", display_url(path)),
        ReferenceText::File(path) => format!("${{file:{}}}", mcp_text::line(path, 400)),
        ReferenceText::Command(command) => format!("${{cmd:{}}}", display_command(command)),
        ReferenceText::Keyring(service, name) => {
            format!("${{keyring:{}/{}}}", mcp_text::line(service, 60), mcp_text::line(name, 60))
        }
    }
}

/// The same for one in a text.
pub(crate) fn display_referred(secret: &WrittenReference) -> String {
    reference::reference(&secret.written).map_or_else(|| REDACTED.to_owned(), display_reference)
}

fn variable_reference(name: &str, default: Option<&str>) -> String {
    match default {
        None => format!("${{{name}}}"),
        Some("") => format!("${{{name}:-}}"),
        Some(_) => format!("${{{name}:-{REDACTED}}}"),
    }
}

/// The program of an entry. Some write a whole line there, which may hold a credential as arguments do.
pub(crate) fn display_program(command: &Text) -> String {
    let line = written(command);
    match line.trim().contains(char::is_whitespace) {
        true if is_credential_name(&line) => display_command(&line),
        true => without_shapes(&display_url_text(command)),
        false => display_url_text(command),
    }
}

/// A line without what looks like a credential, and without what stands behind an option of one letter.
fn without_shapes(line: &str) -> String {
    let hidden = short_option_words(line);
    if hidden.is_empty() {
        return Secrets::default().hide(line).into_owned();
    }
    let mut at = 0;
    let word = |part: &str| {
        let word = part.trim_end();
        let is_hidden = !word.is_empty() && hidden.contains(&at);
        at += usize::from(!word.is_empty());
        let bare = bare_word(word);
        if is_hidden { part.replacen(bare, REDACTED, 1) } else { part.to_owned() }
    };
    let shown: String = line.split_inclusive(char::is_whitespace).map(word).collect();
    Secrets::default().hide(&shown).into_owned()
}

/// The arguments of `program`, with the values of credential-like flags and of URLs replaced.
pub(crate) fn display_args(program: &str, args: &[Text]) -> Vec<String> {
    let lines: Vec<String> = args.iter().map(written).collect();
    let words: Vec<&str> = lines.iter().map(String::as_str).collect();
    let behind_letters = values_of_short_options(program, &words);
    // The flag before, where its value is or may be a credential.
    let mut flag = String::new();
    let show = |(index, arg): (usize, &Text)| {
        let before = std::mem::take(&mut flag);
        let written = written(arg);
        if behind_letters.contains(&index) {
            return display_secret_text(arg);
        }
        let is_pair = is_pair_flag(&before) && written.contains(':');
        if (is_pair || is_credential_name(&before)) && !written.starts_with('-') {
            return display_secret_text(arg);
        }
        if written.contains(char::is_whitespace) && is_credential_name(&written) {
            // A header line or a whole script; which part of it is the secret cannot be told.
            return REDACTED.to_owned();
        }
        if let Some((name, value)) = written.split_once('=')
            && is_plain_name(name)
            && (is_credential_name(name)
                || is_pair_flag(name) && value.contains(':')
                || is_behind_short_option(name, value))
        {
            // Where it is may be shown.
            let literal: String = arg.pieces().iter().filter_map(Piece::literal).collect();
            let is_referred = literal.strip_suffix('=') == Some(name);
            return if is_referred { written } else { format!("{name}={REDACTED}") };
        }
        if written.starts_with('-') && !written.contains('=') {
            flag.clone_from(&written);
        }
        let shown =
            if written.contains("://") { display_url_text(arg) } else { escaped(&written).into_owned() };
        // A script has options of its own.
        if shown.contains(char::is_whitespace) {
            return without_shapes(&shown);
        }
        Secrets::default().hide(&shown).into_owned()
    };
    let shown: Vec<String> = args.iter().enumerate().map(show).collect();
    let is_hidden = |(_, shown): &(&Text, &String)| shown.contains(REDACTED);
    let mut known = Secrets::default();
    for (arg, shown) in args.iter().zip(&shown).filter(is_hidden) {
        let line = written(arg);
        known.insert_found_in(&line);
        // What is hidden as a whole is known as a whole.
        if *shown == REDACTED && !line.contains(char::is_whitespace) {
            known.insert_named("", &line);
        }
        let parts: Vec<&str> = line.split_whitespace().collect();
        let behind_letters = short_option_words(&line);
        behind_letters.into_iter().for_each(|at| known.insert_named("", bare_word(parts[at])));
    }
    match known.is_empty() {
        true => shown,
        false => shown.iter().map(|shown| known.hide_known(shown).into_owned()).collect(),
    }
}

/// A word of a script without its quotes.
fn bare_word(word: &str) -> &str {
    word.trim_matches(['"', '\'', ';'])
}

/// What a flag or a variable is called: the part before `=` of a URL is no such name.
fn is_plain_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// A key of a file as a message may quote it.
///
/// Security: people paste whole lines (`Authorization: Bearer ..`, `KEY=value`) and tokens where a name belongs.
pub(crate) fn display_key(key: &str) -> Cow<'_, str> {
    // A word or a folder; what stands on the way to every server is not looked at once for each of them.
    if key.len() < 8 || key.starts_with(['/', '~', '.']) || matches!(key, "mcpServers" | "projects") {
        return Cow::Borrowed(key);
    }
    match key.split_once('=') {
        Some((name, value)) if !value.is_empty() && is_plain_name(name) => {
            format!("{name}={REDACTED}").into()
        }
        _ => Secrets::default().hide(key),
    }
}

/// The name of a header or of a variable: what comes before the first character that no name can have, where what follows could
/// be a value.
pub(crate) fn display_name(name: &str) -> Cow<'_, str> {
    // White space around a name has a problem of its own.
    let shown = mcp_text::member_name(name.trim());
    // A colon that nothing follows is what is wrong with it.
    let is_colon = name.trim().strip_prefix(shown).is_some_and(|rest| !shown.is_empty() && rest == ":");
    let is_whole = shown.len() == name.trim().len() || is_colon || is_misspelt(name);
    if is_whole { Cow::Borrowed(name) } else { format!("{shown}{REDACTED}").into() }
}

/// Whether it is a name as people write it, such as `X Team`, which can be none, and holds no value.
///
/// Security: what a person pasted in the place of a name has a `:` or `=`, begins with a scheme, or is not a word.
fn is_misspelt(name: &str) -> bool {
    let is_word = |word: &str| {
        let has_digit = word.contains(|c: char| c.is_ascii_digit());
        word.chars().count() <= 24
            && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '(' | ')' | '/'))
            && !(has_digit && word.len() > 4)
            && !mcp_text::looks_like_token(word)
    };
    let is_between = |c: char| c.is_whitespace() || c.is_control();
    let mut words = name.split(is_between).filter(|word| !word.is_empty());
    let begins = words.clone().next().is_some_and(mcp_text::is_scheme);
    name.len() <= 64
        && !begins
        && words.all(is_word)
        && matches!(Secrets::default().hide(name), Cow::Borrowed(_))
}

fn written(text: &Text) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Escaped(escaped) => escaped.written().to_owned(),
        Piece::Secret(secret) => display_referred(secret),
        Piece::Variable(variable) => match &variable.default {
            None => format!("${{{}}}", variable.name),
            Some(default) => format!("${{{}:-{default}}}", variable.name),
        },
    };
    text.pieces().iter().map(piece).collect()
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
            Piece::Literal(text) => tokens.extend(escaped(text).chars().map(Token::Char)),
            Piece::Escaped(text) => tokens.extend(escaped(text.written()).chars().map(Token::Char)),
            Piece::Secret(secret) => tokens.push(Token::Reference(display_referred(secret))),
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
        // No URL, but perhaps meant to be one: `user:password@host`, or a blank before the scheme.
        None => {
            let end = tokens.iter().position(|token| is(token, "?#")).unwrap_or(tokens.len());
            let at = tokens[..end].iter().rposition(|token| is(token, "@")).unwrap_or(0);
            if tokens[..at].iter().any(|token| is(token, ":")) {
                push_hidden(&mut out, &tokens[..at]);
                &tokens[at..]
            } else {
                tokens
            }
        }
    };
    let query = rest.iter().position(|token| is(token, "?#")).unwrap_or(rest.len());
    push_path(&mut out, &rest[..query]);
    push_query(&mut out, &rest[query..]);
    out
}

/// The index behind the scheme and its slashes. For the schemes of the web any number of them will do (WHATWG URL, special
/// authority slashes state).
fn authority_start(tokens: &[Token]) -> Option<usize> {
    let slashes = |at: usize| tokens[at..].iter().take_while(|token| is(token, "/\\")).count();
    for (colon, _) in tokens.iter().enumerate().filter(|(_, token)| is(token, ":")) {
        let named = |token: &&Token| match token {
            Token::Char(c) => c.is_ascii_alphanumeric() || "+-.".contains(*c),
            Token::Reference(_) => true,
        };
        let length = tokens[..colon].iter().rev().take_while(named).count();
        let scheme: String = tokens[colon - length..colon]
            .iter()
            .map(|token| if let Token::Char(c) = token { c.to_ascii_lowercase() } else { '$' })
            .collect();
        let special = matches!(&*scheme, "http" | "https" | "ws" | "wss" | "ftp");
        let slashes = slashes(colon + 1);
        if !scheme.is_empty() && (slashes >= 2 || special) {
            return Some(colon + 1 + slashes);
        }
    }
    None
}

/// A path without the segments that are secrets: an address can be the key to itself.
fn push_path(out: &mut String, tokens: &[Token]) {
    let mut before = String::new();
    for segment in tokens.split_inclusive(|token| is(token, "/\\")) {
        let length = segment.len() - usize::from(segment.last().is_some_and(|last| is(last, "/\\")));
        let (name, slash) = segment.split_at(length);
        let literal: String = name
            .iter()
            .filter_map(|token| if let Token::Char(c) = token { Some(*c) } else { None })
            .collect();
        if is_secret_segment(&before, &literal) {
            push_hidden(out, name)
        } else {
            push_all(out, name)
        }
        push_all(out, slash);
        before = literal;
    }
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
    fn s_m11_a_whole_line_in_place_of_a_program_shows_no_credential() {
        for (line, shown) in [
            ("cmd --token=canary", "cmd [redacted]"),
            ("npx -y x --api-key canary", "npx [redacted]"),
            ("${K}/run --password x", "${K}/run [redacted]"),
            ("cmd -p canary -v", "cmd -p [redacted] -v"),
            ("cmd -u bob:canary", "cmd -u [redacted]"),
            // A line without one is shown, so that a person sees what to split.
            ("npx -y server", "npx -y server"),
            ("/opt/token-server", "/opt/token-server"),
        ] {
            assert_eq!(display_program(&text(line)), shown, "{line}");
        }
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
        for scheme in mcp_text::SCHEMES {
            let value = text(&format!("{scheme}  canary"));
            assert_eq!(display_secret_text(&value), format!("{scheme}  [redacted]"));
            assert_eq!(display_name(&format!("{scheme} canary")), format!("{scheme}[redacted]"));
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
        let shown = display_args("run", &args);
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
            ("sk-4f9aQ2bX81kd03mZ77ab", "[redacted]"),
            ("canary/0123456789abcdef+fedcba9876543210", "canary/[redacted]+[redacted]"),
            ("--x=ghp0123456789abcdefgh", "--x=[redacted]"),
            (
                "@modelcontextprotocol/server-everything@2026.1.26",
                "@modelcontextprotocol/server-everything@2026.1.26",
            ),
            ("/home/me/projects2026/server.py", "/home/me/projects2026/server.py"),
            ("acknowledgementsofmine1", "acknowledgementsofmine1"),
        ] {
            assert_eq!(display_args("run", &[text(argument)]), [shown], "{argument}");
        }
    }

    #[test]
    fn s_n10_passwords_in_arguments_are_hidden_wherever_they_stand() {
        for (arguments, shown) in [
            (
                &["postgres://u:canary@h/db?password=canary"][..],
                "postgres://[redacted]@h/db?password=[redacted]",
            ),
            (&["--db=postgres://u:canary@h/db"], "--db=postgres://[redacted]@h/db"),
            (&["--db-pass=canary"], "--db-pass=[redacted]"),
            (&["--db-pwd", "canary"], "--db-pwd [redacted]"),
            (&["--user", "admin:canary"], "--user [redacted]"),
            (&["--user=admin:canary"], "--user=[redacted]"),
            (&["-u", "admin:canary"], "-u [redacted]"),
            (&["-pcanary"], "-p[redacted]"),
            (&["-t=canary", "-t=stdio"], "-t=[redacted] -t=stdio"),
            (&["-p", "canary", "-y"], "-p [redacted] -y"),
            (&["-c", "mysql -pcanary9; echo canary9"], "-c mysql -p[redacted]; echo [redacted]"),
            (&["-p", "canary", "echo", "canary"], "-p [redacted] echo [redacted]"),
            (&["-k", "x${K}canary"], "-k [redacted]${K}[redacted]"),
            (&["-c", "psql-mcp -p 'canary'; cat"], "-c psql-mcp -p '[redacted]'; cat"),
            (&["u:canary@h"], "[redacted]@h"),
            (&["-p", "8080:80", "--user", "1000"], "-p 8080:80 --user 1000"),
            (&["--passphrase=canary", "--keyfile", "a.pem"], "--passphrase=[redacted] --keyfile a.pem"),
            (&["redis://:canary@h:6379/0"], "redis://[redacted]@h:6379/0"),
            (&["--dsn", "canary", "--header", "X-A: canary"], "--dsn [redacted] --header [redacted]"),
            (&["curl", "https://h/s/ghp_canarycanary/x"], "curl https://h/s/[redacted]/x"),
        ] {
            let arguments: Vec<Text> = arguments.iter().map(|argument| text(argument)).collect();
            assert_eq!(display_args("run", &arguments).join(" "), shown);
        }
    }

    #[test]
    fn s_n11_what_is_pasted_in_the_place_of_a_name_or_a_url_is_hidden() {
        for (url, shown) in [
            ("u:canary@h/mcp", "[redacted]@h/mcp"),
            ("https:/u:canary@h/mcp", "https:/[redacted]@h/mcp"),
            ("https:u:canary@h", "https:[redacted]@h"),
            ("https:\\\\u:canary@h/", "https:\\\\[redacted]@h/"),
            (" https://u:canary@h", "[redacted]@h"),
            ("url=https://u:canary@h/", "url=https://[redacted]@h/"),
            ("./node_modules/@org/x", "./node_modules/@org/x"),
        ] {
            let shown_url = display_url(url);
            assert!(!shown_url.contains("canary"), "{shown_url}");
            assert!(shown_url == shown || url.starts_with(' '), "{shown_url}");
        }
        for (name, shown) in [
            ("Authorization: Bearer canary", "Authorization[redacted]"),
            ("KEY=canary", "KEY[redacted]"),
            ("X-Api-Key", "X-Api-Key"),
            ("Authorization:", "Authorization:"),
            ("ghp_canarycanary", "[redacted]"),
            // A name that is none is not a secret, and has to be seen to be mended.
            ("X Team", "X Team"),
            ("X-Schlüssel (intern)", "X-Schlüssel (intern)"),
            ("X\u{7}Key", "X\u{7}Key"),
            ("Bearer canary", "Bearer[redacted]"),
            ("X Team: canary", "X[redacted]"),
            ("X hunter2hunter2", "X[redacted]"),
            ("my pass-word-that-is-longer-than-a-word", "my[redacted]"),
        ] {
            assert_eq!(display_name(name), shown);
        }
        for (key, shown) in [
            ("Authorization: Bearer canary", "Authorization: [redacted]"),
            ("TOKEN=canary", "TOKEN=[redacted]"),
            ("my server", "my server"),
            ("headrs", "headrs"),
        ] {
            assert_eq!(display_key(key), shown);
        }
    }

    #[test]
    fn s_m12_a_secret_in_the_path_of_a_url_is_hidden() {
        for (url, shown) in [
            ("https://h/s/4f9aQ2bX81kd03mZ77ab/mcp", "https://h/s/[redacted]/mcp"),
            (
                "https://h/s/4f6b8c1e-1a2b-4c3d-9e8f-0a1b2c3d4e5f/mcp?a=1",
                "https://h/s/[redacted]/mcp?a=[redacted]",
            ),
            ("https://h/token/abc123", "https://h/token/[redacted]"),
            ("https://h/s/${T}/mcp", "https://h/s/${T}/mcp"),
            ("https://h/s/x${T:-canary4f9aQ2bX81kd03}/mcp", "https://h/s/x${T:-[redacted]}/mcp"),
            ("https://h/api/v1/workspaces/my-team/mcp", "https://h/api/v1/workspaces/my-team/mcp"),
        ] {
            assert_eq!(display_url_text(&text(url)), shown);
        }
    }

    #[test]
    fn where_a_secret_is_is_shown_whatever_it_looks_like() {
        for path in ["/tmp/home-1WUK6A/home/token", "/run/secrets/ghp_0123456789abcdefghijABCDEFGHIJ012345"] {
            assert_eq!(display_reference(ReferenceText::File(path)), format!("${{file:{path}}}"));
        }
        let url = display_reference(ReferenceText::File("https://u:canary@h.example/t"));
        assert!(!url.contains("canary"), "{url}");
        assert!(!display_reference(ReferenceText::File("/a\u{1b}[2J")).contains('\u{1b}'));
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
