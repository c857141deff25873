//! Names that credentials go by, and what a token looks like.

use std::borrow::Cow;

/// A name with one of these as a part holds a credential.
const CREDENTIAL_WORDS: [&str; 22] = [
    "apikey",
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "credentials",
    "dsn",
    "header",
    "headers",
    "jwt",
    "key",
    "pass",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pat",
    "pw",
    "pwd",
    "secret",
    "token",
];

/// The words that name a credential in a sentence. The others of a name (`auth`, `header`, `key`) are about much else there; and
/// the `pin` of a name is one of a chip or of a version.
const CREDENTIAL_NOUNS: [&str; 11] = [
    "apikey",
    "cookie",
    "credential",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pin",
    "pwd",
    "secret",
    "token",
];

/// Words that make a credential of the part of a name that ends with them: `sshpassword`, `AUTHTOKEN`. `pass` and `key`
/// end other words.
const CREDENTIAL_ENDINGS: [&str; 6] = ["apikey", "passphrase", "passwd", "password", "secret", "token"];

/// What the client of PostgreSQL reads a file of passwords from, `sshpass` its password, and `curl` its headers.
const CREDENTIAL_NAMES: [&str; 3] = ["PGPASSFILE", "SSHPASS", "-H"];

/// The parameters of an authorization request that are the client's own to set (RFC 6749 section 4.1.1, RFC 7636 section
/// 4.3, RFC 8707 section 2). The last three would have the others read from somewhere else (RFC 9101), or the answer come
/// in a form that a loopback listener never sees.
///
/// A name among them in an entry or in the URL of an endpoint is left out: it would say where the answer goes, or whose it
/// is, or stand in the request twice.
pub const OWN_AUTHORIZE_PARAMS: [&str; 11] = [
    "response_type",
    "client_id",
    "state",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "scope",
    "resource",
    "request",
    "request_uri",
    "response_mode",
];

/// What a client says of itself in a registration, and an entry does not (RFC 7591 section 2): where the answer of a sign-in goes
/// and what it may be, and what the server gives.
pub const OWN_CLIENT_METADATA: [&str; 10] = [
    "redirect_uris",
    "grant_types",
    "response_types",
    "scope",
    "jwks",
    "jwks_uri",
    "client_id",
    "client_secret",
    "client_secret_expires_at",
    "registration_access_token",
];

/// Where this process is, and was.
const DIRECTORIES: [&str; 2] = ["PWD", "OLDPWD"];

/// Whether a variable, flag, header, parameter or member of this name holds a credential, as far as a name can tell.
///
/// Whole parts count, between punctuation or where the case changes: `MY_PAT`, `--api-key` and `accessToken` do, `PATH`
/// and `MONKEY` do not. `PWD` alone is a folder, and `GIT_CONFIG_KEY_<n>` names a git setting (git-config(1), section
/// ENVIRONMENT).
///
/// # Examples
///
/// ```
/// assert!(mcp_text::is_credential_name("MY_PAT") && mcp_text::is_credential_name("accessToken"));
/// assert!(!mcp_text::is_credential_name("PATH") && !mcp_text::is_credential_name("MONKEY"));
/// ```
#[must_use]
pub fn is_credential_name(name: &str) -> bool {
    if DIRECTORIES.contains(&name) || name.strip_prefix("GIT_CONFIG_KEY_").is_some_and(is_number) {
        return false;
    }
    CREDENTIAL_NAMES.contains(&name)
        || name.split(|c: char| !c.is_ascii_alphanumeric()).any(has_credential_word)
}

/// `part` as a whole, or one of its words where it is written in camel case.
fn has_credential_word(part: &str) -> bool {
    let is_word = |word: &str| CREDENTIAL_WORDS.iter().any(|known| word.eq_ignore_ascii_case(known));
    let ends = |ending: &&str| {
        let at = part.len().checked_sub(ending.len());
        at.and_then(|at| part.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
    };
    if is_word(part) || CREDENTIAL_ENDINGS.iter().any(ends) {
        return true;
    }
    let bytes = part.as_bytes();
    let mut start = 0;
    for at in 1..bytes.len() {
        if bytes[at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase() {
            if is_word(&part[start..at]) {
                return true;
            }
            start = at;
        }
    }
    start > 0 && is_word(&part[start..])
}

/// Whether a sentence that has this word speaks of a credential.
pub(crate) fn is_credential_noun(word: &str) -> bool {
    CREDENTIAL_NOUNS.iter().any(|noun| word.eq_ignore_ascii_case(noun))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the value of this flag may be `user:password` (curl(1)).
#[must_use]
pub fn is_pair_flag(flag: &str) -> bool {
    ["-u", "-U", "--user", "--proxy-user", "--userpwd"].contains(&flag)
}

/// What may be shown of the name of a header or a variable: people paste whole lines (`Authorization: Bearer ..`) and
/// tokens where a name belongs. It ends before the first character that no name has (RFC 9110 section 5.6.2), and after
/// 64 bytes.
#[must_use]
pub fn member_name(name: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.!#$%&'*+^|~".contains(c);
    let name = &name[..name.find(|c| !is_part(c)).unwrap_or(name.len()).min(64)];
    if looks_like_token(name) { "" } else { name }
}

/// How tokens of well-known services begin.
const PREFIXES: [&str; 31] = [
    "AIza",
    "AKIA",
    "ASIA",
    "ATATT",
    "ATCTT",
    "dapi",
    "dckr_pat_",
    "dop_v1_",
    "eyJ",
    "gho_",
    "ghp_",
    "ghr_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "gsk_",
    "hf_",
    "lin_api_",
    "nvapi-",
    "pypi-",
    "rk_live_",
    "sk-ant-",
    "sk-proj-",
    "sk_live_",
    "sk_test_",
    "whsec_",
    "xapp-",
    "xox",
    "ya29",
    "shpat_",
];

/// Those of them that only digits or many characters tell from words: `sk-learn`, `key-value`, `npm_config_registry`.
const SHORT_PREFIXES: [&str; 4] = ["sk-", "key-", "npm_", "pat-"];

/// Whether a word is too mixed for a word of a language: a key that stands alone has no name to tell what it is. Taking a
/// digest for one is the lesser harm.
#[must_use]
pub fn looks_like_token(word: &str) -> bool {
    const MIN_RUN: usize = 16;
    let is_mixed = |run: &str| {
        run.len() >= MIN_RUN
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
            && run.bytes().filter(u8::is_ascii_digit).count() >= 2
    };
    let has_digit = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
    PREFIXES.iter().any(|prefix| word.len() >= prefix.len() + 7 && word.starts_with(prefix))
        || SHORT_PREFIXES.iter().any(|prefix| word.starts_with(prefix) && word.len() >= 16 && has_digit(word))
        || word.split(|c: char| !c.is_ascii_alphanumeric()).any(is_mixed)
        || is_base64url(word)
}

/// Long, of one alphabet, with both cases and digits, and these in no order.
fn is_base64url(word: &str) -> bool {
    word.len() >= 20
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && has_three_classes(word)
        && changes(word) * 8 >= word.len()
}

fn has_three_classes(word: &str) -> bool {
    let has = |wanted: fn(&u8) -> bool| word.bytes().any(|byte| wanted(&byte));
    has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit)
}

/// How often a letter stands beside a digit, or a capital behind a small letter: rarely in words, even in camel case.
fn changes(word: &str) -> usize {
    let is_change = |a: u8, b: u8| {
        a.is_ascii_alphabetic() && b.is_ascii_digit()
            || a.is_ascii_digit() && b.is_ascii_alphabetic()
            || a.is_ascii_lowercase() && b.is_ascii_uppercase()
    };
    word.as_bytes().windows(2).filter(|pair| is_change(pair[0], pair[1])).count()
}

/// Whether a word is as mixed as passwords are: `hunter2-S3cret` is, `Base64Decoder` and `IPv6Address` are not.
pub(crate) fn looks_like_password(word: &str) -> bool {
    const MIN_CHANGES: usize = 3;
    let digits = |a: u8, b: u8| {
        a.is_ascii_digit() != b.is_ascii_digit() && a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric()
    };
    word.len() >= 8
        && has_three_classes(word)
        && !is_timestamp(word)
        && word.as_bytes().windows(2).filter(|pair| digits(pair[0], pair[1])).count() >= MIN_CHANGES
}

/// `2026-11-28T10`, which is followed by minutes, or `20261128T102030Z`.
fn is_timestamp(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'T' | b'Z'))
}

/// Whether a segment of a URL's path is a secret, `before` being the one before it: addresses that are the key to
/// themselves have tokens or random identifiers there. Ordinary words, versions and numbers are not.
#[must_use]
pub fn is_secret_segment(before: &str, segment: &str) -> bool {
    let once = percent_decoded(segment);
    let meant = percent_decoded(&once);
    let is_random = |run: &str| {
        let is_letters = run.bytes().all(|byte| byte.is_ascii_alphabetic());
        // No word of a language is so long.
        run.len() >= 24 && is_letters || run.len() >= 12 && changes(run) >= 3
    };
    looks_like_token(&meant)
        || looks_like_password(&meant)
        || is_uuid(&meant)
        || meant.split(|c: char| !c.is_ascii_alphanumeric()).any(is_random)
        || (segment.len() >= 6
            && segment.contains(|c: char| c.is_ascii_digit())
            // What stands behind a document of OAuth is which server it is of (RFC 8414, RFC 9728).
            && !["oauth-authorization-server", "oauth-protected-resource"].contains(&before)
            && is_credential_name(before))
}

/// What a segment stands for (RFC 3986 section 2.1): any character may be written as an escape.
fn percent_decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let bytes = segment.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => u8::try_from(high << 4 | low).ok(),
            _ => None,
        };
        decoded.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// RFC 9562 section 4.
fn is_uuid(word: &str) -> bool {
    let lengths = word.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_credential_in_a_sentence_is_one_in_a_name_but_for_a_pin() {
        for noun in CREDENTIAL_NOUNS {
            assert_eq!(is_credential_name(&format!("MY_{noun}")), noun != "pin", "{noun}");
        }
    }

    #[test]
    fn credentials_are_told_by_whole_parts_of_a_name() {
        for name in [
            "TOKEN",
            "GITHUB_TOKEN",
            "my_pat",
            "AWS_SECRET_ACCESS_KEY",
            "SENTRY_DSN",
            "Session_Cookie",
            "SSH_AUTH_SOCK",
            "DB_PASSWD",
            "X_PASSPHRASE_2",
            "_TOKEN_",
            "anthropic_custom_headers",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "GIT_CONFIG_KEY_",
            "GIT_CONFIG_KEY_1x",
            "GIT_CONFIG_KEY_0_TOKEN",
            "MYSQL_PWD",
            "PGPASSWORD",
            "SSHPASS",
            "RSYNC_AUTHTOKEN",
            "--dbpassword",
            "clientsecret",
            "X-CSRFToken",
            "--db-pass",
            "--apiKey",
            "accessToken",
            "client-secret",
            "X-Api-Key",
            "-H",
        ] {
            assert!(is_credential_name(name), "{name}");
        }
        for name in [
            "PATH",
            "PATTERN",
            "HOME",
            "TOKENS",
            "MONKEY",
            "AUTHOR",
            "KEYBOARD",
            "SECRETS",
            "PWD",
            "OLDPWD",
            "LANG",
            "",
            "_",
            "GIT_CONFIG_KEY_0",
            "GIT_CONFIG_VALUE_0",
            "--port",
            "--verbose",
            "keynote",
            "monkeyPatch",
            "-h",
        ] {
            assert!(!is_credential_name(name), "{name}");
        }
    }

    #[test]
    fn s_m12_a_secret_in_a_path_is_told_from_ordinary_segments() {
        for (before, segment) in [
            ("s", "4f9aQ2bX81kd03mZ77ab"),
            ("s", "ZDk0NTg2ZGEtM2M0OC00ZTk4"),
            ("s", "4f6b8c1e-1a2b-4c3d-9e8f-0a1b2c3d4e5f"),
            ("s", "kjhsdfkjhweriuyxcvbnmqwe"),
            ("s", "aB3x-Yz9Qw2e-R5t"),
            ("s", "ghp_abcdefghijkl"),
            ("s", "hunter2-S3cret"),
            ("token", "abc123"),
            ("s", "a1b2c3d4e5f6"),
            ("v1", "canary%2D0123456789abcdef"),
            ("s", "%34%66%39%61%51%32%62%58%38%31%6b%64%30%33%6D%5A%37%37%61%62"),
            ("s", "4f9aQ2bX%2538%2531kd03mZ77ab"),
            ("token", "%61%62%63%31%32%33"),
        ] {
            assert!(is_secret_segment(before, segment), "{segment}");
        }
        for segment in [
            "mcp",
            "v1",
            "api",
            "2025-06-18",
            "server-everything",
            "projects2026",
            "sse",
            "my-workspace",
            "12345678",
            "getUserById",
            "github.com",
            "Mozilla-Firefox-120-Linux",
            "@scope",
            "",
            "mcp.json",
            "x86_64-linux",
            "my%20folder",
            "%E6%97%A5%E6%9C%AC",
            "100%",
            "%zz",
        ] {
            assert!(!is_secret_segment("servers", segment), "{segment}");
        }
        assert!(!is_secret_segment("oauth-authorization-server", "as-as500"));
        assert!(is_secret_segment("oauth-authorization-server", "4f9aQ2bX81kd03mZ77ab"));
    }

    #[test]
    fn tokens_are_told_from_words() {
        for word in [
            "4f9aQ2bX81kd03mZ77ab",
            "0a1b2c3d4e5f60718293",
            "ghp_abcdefgh",
            "eyJhbGciOi.x",
            "aB3-aB3_aB3-aB3_aB3-aB3",
            "xoxp-123-abc",
            "sk-proj-abcdefghij",
            "sk-abcdefghijklm12",
            "AKIAIOSFODNN7EXAMPLE",
        ] {
            assert!(looks_like_token(word), "{word}");
        }
        for word in [
            "@modelcontextprotocol/server-everything@2026.1.26",
            "/home/me/projects2026/server.py",
            "acknowledgementsofmine1",
            "python3-minimal-12",
            "2026-11-28T10:20:30Z",
            "sk-learn-server",
            "",
        ] {
            assert!(!looks_like_token(word), "{word}");
        }
    }
}
