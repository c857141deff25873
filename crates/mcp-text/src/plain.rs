//! What a value is that is plainly a setting, and which of those are evidence rather than secrets.
//!
//! The opposite, what looks like a secret, is never complete. So what is not plainly a setting is treated as if it were one.

use crate::names::{is_credential_name, is_secret_segment, looks_like_password, looks_like_token};

/// The last part of a name whose value says where or how something runs. A word stays to be read behind these alone: by itself
/// it may be a password.
const DESCRIPTIVE: [&str; 21] = [
    "address",
    "domain",
    "endpoint",
    "env",
    "environment",
    "format",
    "host",
    "hostname",
    "level",
    "locale",
    "mode",
    "project",
    "region",
    "server",
    "stage",
    "team",
    "tenant",
    "timezone",
    "url",
    "workspace",
    "zone",
];

/// Whether the value is plainly a setting: words, numbers, a path or a list of them, or an address of a host without
/// anything beside its path.
///
/// # Examples
///
/// ```
/// assert!(mcp_text::is_plain_setting("eu-west-1") && mcp_text::is_plain_setting("/srv/data"));
/// assert!(!mcp_text::is_plain_setting("x7f3Q") && !mcp_text::is_plain_setting("user:word"));
/// ```
#[must_use]
pub fn is_plain_setting(value: &str) -> bool {
    is_words(value) || is_paths(value) || is_address(value)
}

/// Whether the value of a variable of this name tells a person why something failed, and cannot be a secret: a path of ordinary
/// words, or a short word or a host where the name says that it is one.
pub(crate) fn is_evidence(name: &str, value: &str) -> bool {
    const MAX_WORD: usize = 16;
    const MAX_HOST: usize = 64;
    let last = name.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or(name);
    let is_descriptive = DESCRIPTIVE.iter().any(|word| last.eq_ignore_ascii_case(word));
    let is_short = value.len() <= if value.contains('.') { MAX_HOST } else { MAX_WORD };
    let has_ordinary_words = value.split(|c: char| !c.is_ascii_alphanumeric()).all(is_word);
    !name.is_empty()
        && !is_credential_name(name)
        && !looks_like_token(value)
        && !looks_like_password(value)
        && has_ordinary_words
        && (is_paths(value) || is_descriptive && (is_short && is_words(value) || is_address(value)))
}

/// `prod`, `eu-west-1`, `en_US.UTF-8`, `3.12`, `true`, `10.0.0.1`, `a,b`.
fn is_words(value: &str) -> bool {
    const MAX_LEN: usize = 64;
    value.len() <= MAX_LEN && value.split(['-', '_', '.', ',']).all(is_word)
}

/// Letters in one case or with a capital, or digits. Both beside each other are what keys are made of, but for `v20`,
/// `x86` and `1a`.
fn is_word(word: &str) -> bool {
    const MAX_LETTERS: usize = 20;
    const MAX_DIGITS: usize = 9;
    let of = |wanted: fn(&u8) -> bool, word: &str| word.bytes().all(|byte| wanted(&byte));
    let is_letters = |word: &str| {
        let rest = word.get(1..).unwrap_or_default();
        let small = of(u8::is_ascii_lowercase, rest) && of(u8::is_ascii_alphabetic, word);
        word.len() <= MAX_LETTERS && (small || of(u8::is_ascii_uppercase, word))
    };
    let is_short = word.len() <= 4 && of(u8::is_ascii_alphanumeric, word) && {
        let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
        letters == 1 && !word[1..word.len().max(2) - 1].bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    is_letters(word) || (word.len() <= MAX_DIGITS && of(u8::is_ascii_digit, word)) || is_short
}

/// Absolute paths, or such that begin at home or here, as they stand in lists.
fn is_paths(value: &str) -> bool {
    let bytes = value.as_bytes();
    let has_drive =
        bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && matches!(&bytes[1..3], b":\\" | b":/");
    let of_windows = has_drive && value.split(';').all(|path| segments(path.get(2..).unwrap_or_default()));
    let is_path =
        |path: &str| path.starts_with(['/', '~']) || path.starts_with("./") || path.starts_with("../");
    of_windows || (!has_drive && value.split(':').all(|path| is_path(path) && segments(path)))
}

/// No segment is a secret by its look or by what stands before it.
fn segments(path: &str) -> bool {
    let mut before = "";
    path.split(['/', '\\']).all(|segment| {
        let is_harmless = !is_secret_segment(before, segment)
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b" ._-+~".contains(&byte) || byte >= 0x80);
        before = segment;
        is_harmless
    })
}

/// `https://host:8200/v1`, `host.example:443`, `git@host.example:me/x.git`, `/run/x.sock` behind a scheme.
fn is_address(value: &str) -> bool {
    let (scheme, rest) = value.split_once("://").unwrap_or(("", value));
    let rest = rest.strip_prefix("git@").unwrap_or(rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, port),
        _ => (host, ""),
    };
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    // Without a scheme, what has no port is a word or two, and `name:word` a user and a password.
    let is_owner = value.starts_with("git@") && !port.is_empty() && is_words(port);
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_host =
        !scheme.is_empty() || is_owner || (!port.is_empty() && (host == "localhost" || host.contains('.')));
    let is_label = |label: &str| {
        label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_[]:".contains(&byte))
            && !looks_like_token(label)
    };
    is_scheme
        && is_host
        && host.split('.').all(is_label)
        && (is_port || is_owner)
        && path.split('/').all(|segment| is_words(segment) && !is_secret_segment("", segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_or_a_short_word_of_a_name_that_says_so_is_evidence_and_nothing_else_is() {
        for (name, value) in [
            ("DATA_DIR", "/srv/data"),
            ("CACHE", "~/.cache/srv"),
            ("ROOTS", "/srv/data:/home/me/shop-api"),
            ("ROOT", "C:\\Users\\Ann"),
            ("LOG_LEVEL", "error"),
            ("NODE_ENV", "production"),
            ("DB_HOST", "localhost"),
            ("DB_HOST", "db.corp.example"),
            ("DB_HOST", "10.0.0.1"),
            ("REGION", "eu-west-1"),
            ("X-Tenant", "acme"),
            ("API_URL", "http://localhost:8080/v1"),
        ] {
            assert!(is_evidence(name, value), "{name}={value}");
        }
        for (name, value) in [
            // The name says that it is a credential, or does not say that it is none.
            ("API_TOKEN", "/srv/data"),
            ("DB_PASSWORD", "localhost"),
            ("DB_PASS", "production"),
            ("LOGIN", "swordfish"),
            ("PHRASE", "error"),
            ("", "/srv/data"),
            // The value may be one, whatever the name says.
            ("MODE", "production-canary-west"),
            ("MODE", "hunter2"),
            ("MODE", "Tr0ub4dor"),
            ("TENANT", "literalSecretQq"),
            ("HOST", "u:canary@h"),
            ("API_URL", "https://me:word@host/v1"),
            ("API_URL", "https://host/v1?k=word"),
            ("API_URL", "https://hooks.example/services/T0/B0/ca7nary"),
            ("ROOT", "/Ab+cDeFg"),
            ("ROOT", "/AbCdEfGh/iJkL"),
            ("ROOT", "/s/4f9aQ2bX81kd03mZ77ab"),
            ("ROOT", "canary/0123456789abcdef+0123456789abcdef"),
        ] {
            assert!(!is_evidence(name, value), "{name}={value}");
        }
    }
}
