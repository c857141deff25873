//! Names that credentials go by, and what a token looks like.

/// A name with one of these as a part holds a credential.
const CREDENTIAL_WORDS: [&str; 21] = [
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
    "passphrase",
    "passwd",
    "password",
    "pat",
    "pw",
    "pwd",
    "secret",
    "token",
];

/// What the clients of PostgreSQL and MySQL read their passwords from, and `curl` its headers.
const CREDENTIAL_NAMES: [&str; 3] = ["PGPASSWORD", "PGPASSFILE", "-H"];

/// Where this process is, and was.
const DIRECTORIES: [&str; 2] = ["PWD", "OLDPWD"];

/// Whether a variable, flag, header, parameter or member of this name holds a credential, as far as a name can tell.
///
/// Whole parts count, between punctuation or where the case changes: `MY_PAT`, `--api-key` and `accessToken` do, `PATH`
/// and `MONKEY` do not. `PWD` alone is a folder, and `GIT_CONFIG_KEY_<n>` names a git setting (git-config(1), section
/// ENVIRONMENT).
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
    if is_word(part) {
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

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// How tokens of well-known services begin.
const PREFIXES: [&str; 11] =
    ["AKIA", "ASIA", "eyJ", "gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_", "glpat-", "xoxb-"];

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
    PREFIXES.iter().any(|prefix| word.len() >= prefix.len() + 7 && word.starts_with(prefix))
        || word.split(|c: char| !c.is_ascii_alphanumeric()).any(is_mixed)
        || is_base64url(word)
}

/// Long, of one alphabet, and with both cases and digits.
fn is_base64url(word: &str) -> bool {
    let has = |wanted: fn(&u8) -> bool| word.bytes().any(|byte| wanted(&byte));
    word.len() >= 20
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn tokens_are_told_from_words() {
        for word in [
            "4f9aQ2bX81kd03mZ77ab",
            "0a1b2c3d4e5f60718293",
            "ghp_abcdefgh",
            "eyJhbGciOi.x",
            "aB3-aB3_aB3-aB3_aB3-aB3",
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
