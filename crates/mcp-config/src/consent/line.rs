//! How a field is shown to the person who decides, and what of it is kept.
//!
//! Elsewhere a command line with a credential in it is hidden as a whole. A person who is asked to agree to it has to see
//! it: a script that has the word `token` somewhere could hide behind that rule. So here only words are hidden that
//! can be nothing but a value: no blank, no reference, nothing that a shell would act on.

use std::collections::HashMap;

use crate::display::{self, REDACTED};
use crate::document::Document;
use crate::field::Field;
use crate::json::{Node, Value};
use crate::reference::{self, ReferenceText};

/// The longest that a field is shown, in columns. What is left out is said, or an end could hide behind a long start.
const LIMIT: usize = 4_000;
/// How the rest of one is told that is longer.
const CUT: &str = "more columns are not shown: read them in the file]";
/// How much is kept of a field, in columns, and so in words.
const KEPT: usize = 200;

/// What a shell may act on.
const ACTING: &str = "`$(){};|&<>\\^\n";

/// What ends a line for a shell, an interpreter or a reader (UAX #14).
const LINE_ENDS: [char; 7] = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];

/// Variables that decide which code runs or where data goes, for shells, interpreters and what they start: never a secret, and
/// never hidden from the person who decides.
const DECIDING_VARIABLES: [&str; 20] = [
    "ALL_PROXY",
    "APPDATA",
    "BROWSER",
    "CLASSPATH",
    "COMSPEC",
    "EDITOR",
    "ENV",
    "HOME",
    "IFS",
    "KUBECONFIG",
    "LOCALAPPDATA",
    "PAGER",
    "PATH",
    "PATHEXT",
    "SHELL",
    "SHELLOPTS",
    "TMPDIR",
    "USERPROFILE",
    "VISUAL",
    "ZDOTDIR",
];

/// How the names of such variables begin: those of a loader, a runtime, a package manager, git or a TLS library, which have
/// dozens each.
const DECIDING_FAMILIES: [&str; 39] = [
    "BASH_",
    "BUNDLE_",
    "BUN_",
    "CARGO_",
    "COMPLUS_",
    "CORECLR_",
    "COR_",
    "DENO_",
    "DOCKER_",
    "DOTNET_",
    "DYLD_",
    "GEM_",
    "GIT_",
    "GOFLAGS",
    "GOPROXY",
    "GRADLE_",
    "JAVA_",
    "JDK_",
    "LD_",
    "LUA_",
    "MAVEN_",
    "MCPLINK_",
    "NODE_",
    "NPM_CONFIG_",
    "OPENSSL_",
    "PERL",
    "PHP",
    "PIP_",
    "PNPM_",
    "PYTHON",
    "RUBY",
    "RUST",
    "R_",
    "SSH_",
    "SSL_",
    "UV_",
    "XDG_",
    "YARN_",
    "_JAVA_",
];

/// How they end: a proxy, a folder, options, what is loaded first, certificates, an address.
const DECIDING_ENDINGS: [&str; 21] = [
    "_ADDR",
    "_ASKPASS",
    "_CA_BUNDLE",
    "_CA_CERTS",
    "_COMMAND",
    "_CONFIG",
    "_DIR",
    "_ENDPOINT",
    "_FILE",
    "_FLAGS",
    "_HOME",
    "_HOOKS",
    "_HOST",
    "_OPTIONS",
    "_OPTS",
    "_PATH",
    "_PRELOAD",
    "_PROXY",
    "_REGISTRY",
    "_SERVER",
    "_URL",
];

/// Headers by which a proxy or a server chooses whom a request is for.
const ROUTING_HEADERS: [&str; 3] = ["Host", "Forwarded", "X-Forwarded-Host"];

/// The value of `field`, for the person who decides, where a command of the entry names the variables `named`.
pub(super) fn shown(document: &Document<'_>, field: &str, node: &Node, named: &[String]) -> String {
    let may_run = |text: &str| {
        field
            .strip_prefix("env.")
            .is_some_and(|name| named.iter().any(|own| own == name) && may_be_command(text))
    };
    let text = match &node.value {
        Value::String(text) if may_run(text) => words(text),
        Value::String(text) if is_secret(field, text) => secret(text),
        Value::String(text) => words(text) + &ascii_host(text),
        Value::Array(items) => arguments(items),
        Value::Number(_) => document.written(node.span).to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Null | Value::Object(_) => node.kind().to_owned(),
    };
    bounded(&text)
}

/// The host of a URL as it is looked up, where it is written in letters that may look like others (RFC 5891).
fn ascii_host(text: &str) -> String {
    let url = Some(text).filter(|text| !text.is_ascii()).and_then(|text| url::Url::parse(text).ok());
    let host = url.as_ref().and_then(url::Url::host_str).filter(|host| host.contains("xn--"));
    host.map(|host| format!(" (which is {host})")).unwrap_or_default()
}

/// The value of a variable of a file, which is taken as it stands.
pub(super) fn shown_variable(name: &str, value: &str) -> String {
    if decides_what_runs(name, value) { bounded(&words(value)) } else { REDACTED.to_owned() }
}

/// Whole, or with what is left out said. What is not seen is written out: `./run.sh` with it is another file.
fn bounded(text: &str) -> String {
    // A shell begins a new command there: what stands behind it must not look like the rest of a comment.
    let text = text.replace("\r\n", "\n").replace(LINE_ENDS, " ⏎ ");
    let text = mcp_text::escaped(&text);
    let whole = mcp_text::width(&text);
    if whole <= LIMIT {
        return mcp_text::line(&text, LIMIT);
    }
    let start = mcp_text::line(&text, LIMIT);
    format!("{start} [{} {CUT}", whole - LIMIT)
}

/// Whether `shown` is all that there is. One that merely ends so is not believed.
pub(super) fn is_whole(shown: &str) -> bool {
    !shown.ends_with(CUT)
}

/// The fields as any view of the entry shows them, by name; the elements of an array under the name of the array.
pub(super) type FieldIndex<'f> = HashMap<&'f str, Vec<&'f str>>;

pub(super) fn by_name(fields: &[Field]) -> FieldIndex<'_> {
    let mut known = FieldIndex::new();
    for field in fields {
        let index = field.name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
        let name = match index {
            Some((name, index)) if index.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => &field.name,
        };
        known.entry(name).or_default().push(&field.value);
    }
    known
}

/// What may be kept of the value of `field`: what any other view of the entry shows.
pub(super) fn kept(document: &Document<'_>, field: &str, node: &Node, known: &FieldIndex<'_>) -> String {
    let text = match (&node.value, known.get(field)) {
        (Value::Bool(value), _) => value.to_string(),
        (Value::Number(_), _) => document.written(node.span).to_owned(),
        (_, None) => REDACTED.to_owned(),
        // Names that are masked may be many of one spelling, so no more is read than is kept.
        (_, Some(shown)) => {
            let words = shown.iter().flat_map(|value| value.split(' ')).take(KEPT);
            words.map(without_userinfo).collect::<Vec<_>>().join(" ")
        }
    };
    mcp_text::line(&mcp_text::escaped(&text), KEPT)
}

/// The variables that a value names: `$NAME`, `${NAME}`, `%NAME%` and PowerShell's `$env:NAME`.
pub(super) fn variables(node: &Node) -> Vec<String> {
    let mut names = Vec::new();
    let mut text = |text: &str| variables_of(text, &mut names);
    match &node.value {
        Value::String(value) => text(value),
        Value::Array(items) => items.iter().filter_map(Node::as_str).for_each(text),
        _ => {}
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The same, of one text.
pub(crate) fn variables_of(text: &str, names: &mut Vec<String>) {
    names.extend(text.match_indices('$').filter_map(|(at, _)| {
        let from = &text[at..];
        // What such a reference holds names no variable, or does so itself.
        let holds = reference::leading_literal(from).is_some()
            || !matches!(reference::leading(from), None | Some((_, ReferenceText::Variable(_))));
        let rest = from[1..].strip_prefix('{').unwrap_or(&from[1..]);
        name(rest.strip_prefix("env:").unwrap_or(rest)).filter(|_| !holds)
    }));
    let between = text.split('%').skip(1);
    names.extend(between.filter(|part| name(part).as_deref() == Some(*part)).map(str::to_owned));
}

fn name(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let name = &text[..end];
    (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then(|| name.to_owned())
}

/// Whether a shell that is given this as a command would find one in it: words with blanks between them, or a short word of
/// letters, and nothing that looks drawn by lot.
fn may_be_command(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || "-_./".contains(c);
    text.contains(char::is_whitespace) || text.len() <= 16 && text.chars().all(is_word)
}

/// Header and environment values are secrets more often than not, and so is what nothing here knows.
fn is_secret(field: &str, value: &str) -> bool {
    let (first, rest) = field.split_once('.').unwrap_or((field, ""));
    match first.split('[').next().unwrap_or(first) {
        "command" | "url" | "headersHelper" | "cwd" | "envFile" | "name" | "instance" | "account" => false,
        "proxy" | "tls" => false,
        "oauth" | "auth" => holds_secret(rest),
        "headers" => !ROUTING_HEADERS.iter().any(|name| rest.eq_ignore_ascii_case(name)),
        "env" => !decides_what_runs(rest, value),
        _ => true,
    }
}

/// Whether a member of a block about sign-ins is a credential, and not where one is, where it goes or of which type it is.
fn holds_secret(member: &str) -> bool {
    let tells = ["Endpoint", "File", "Type", "Url"].iter().any(|ending| member.ends_with(ending));
    mcp_text::is_credential_name(member) && !tells
}

/// Whether a variable can change which code runs or where data goes: by its name, or because its value is an option, a
/// path, an address or a command line. An opaque word is not one of them.
fn decides_what_runs(variable: &str, value: &str) -> bool {
    // Names are not told apart by case everywhere.
    let name = variable.to_ascii_uppercase();
    let is_credential = mcp_text::is_credential_name(variable);
    let decides = DECIDING_VARIABLES.contains(&&*name)
        || DECIDING_FAMILIES.iter().any(|family| name.starts_with(family))
        || DECIDING_ENDINGS.iter().any(|ending| name.ends_with(ending));
    if decides && !is_credential {
        return true;
    }
    let starts = ["/", "./", "../", "~", "-", "\\", ".\\", "..\\"];
    let points = starts.iter().any(|start| value.starts_with(start))
        || value.contains("://")
        || value.contains(char::is_whitespace)
        || value.get(1..3) == Some(":\\");
    // What a shell could be made to run is not a token, whatever it is called; blanks alone are in passphrases.
    let runs = value.contains(['`', '(', ';', '|', '<', '>', '&']) || value.contains("${");
    runs || points && !is_credential
}

/// Its references, and a mark for each literal part. A command in it would run, and is shown as one.
fn secret(text: &str) -> String {
    display::display_secret_text_by(&crate::expand::Text::expand(text, &crate::Env::new()), words)
}

fn arguments(items: &[Node]) -> String {
    let mut after_flag = false;
    let shown = items.iter().map(|item| {
        let Some(text) = item.as_str() else { return item.kind().to_owned() };
        let hide = std::mem::take(&mut after_flag) && is_value(text);
        after_flag = text.starts_with('-') && !text.contains('=') && mcp_text::is_credential_name(text);
        let shown = if hide { REDACTED.to_owned() } else { words(text) };
        let plain = |c: char| !c.is_whitespace() && !"'\"\\;&|<>()".contains(c);
        if !shown.is_empty() && shown.chars().all(plain) { shown } else { format!("'{shown}'") }
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// A command line, with the words hidden that can be nothing but a secret.
fn words(text: &str) -> String {
    let mut after_credential = false;
    let word = |word: &str| {
        let bare = word.trim_matches(['"', '\'']);
        let hide = std::mem::take(&mut after_credential) && is_value(bare);
        let scheme = mcp_text::is_scheme(bare);
        after_credential = (bare.starts_with('-') && !bare.contains('=') || bare.ends_with(':') || scheme)
            && (scheme || mcp_text::is_credential_name(bare));
        if hide && !scheme {
            return word.replace(bare, REDACTED);
        }
        if let Some((flag, value)) = word.split_once('=')
            && mcp_text::is_credential_name(flag)
            && !value.is_empty()
            && is_value(value.trim_matches(['"', '\'']))
            && is_value(flag)
        {
            return format!("{flag}={REDACTED}");
        }
        without_shapes(&without_userinfo(word))
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// What looks like a credential is hidden, and nothing that a shell acts on with it: a command in the place of a value would
/// run unseen.
fn without_shapes(word: &str) -> String {
    if is_path(word) {
        return word.to_owned();
    }
    let hide = |text: &str| mcp_text::Secrets::default().hide(text).into_owned();
    let acting = |text: &str| text.chars().filter(|c| ACTING.contains(*c)).count();
    let hidden = hide(word);
    if acting(&hidden) == acting(word) {
        return hidden;
    }
    word.split_inclusive(|c| ACTING.contains(c))
        .map(|part| {
            let end = part.len()
                - part.chars().next_back().filter(|c| ACTING.contains(*c)).map_or(0, char::len_utf8);
            hide(&part[..end]) + &part[end..]
        })
        .collect()
}

/// Nothing but a value: no blank, no reference, nothing that a shell acts on, and no path, which could be of what runs.
fn is_value(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./+=~:@,%".contains(c)) && !is_path(text)
}

/// A path by how it begins, or the name of a package of a scope: never a secret, however it is spelled.
fn is_path(word: &str) -> bool {
    let word = word.trim_start_matches(['"', '\'']);
    let is_package = word.strip_prefix('@').is_some_and(|rest| rest.contains('/'));
    is_package || ["/", "./", "../", "~/", ".\\", "..\\"].iter().any(|start| word.starts_with(start))
}

fn without_userinfo(word: &str) -> String {
    let Some((before, rest)) = word.split_once("://") else { return word.to_owned() };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) if is_value(&rest[..at]) => format!("{before}://{REDACTED}{}", &rest[at..]),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_any_scheme_in_a_command_line_is_hidden() {
        for scheme in mcp_text::SCHEMES {
            assert_eq!(words(&format!("call -H {scheme} canary")), format!("call -H {scheme} {REDACTED}"));
        }
    }
}
