//! Which variables a helper that a repository brought along must not see.
//!
//! In the core and not with the helper: whoever lowers a configuration needs the same answer for the variables
//! that went into a URL.

use crate::EnvPolicy;

/// A variable with one of these between its underscores, in any case, holds a credential.
const CREDENTIAL_WORDS: [&str; 12] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "KEY",
    "AUTH",
    "COOKIE",
    "PAT",
    "DSN",
    "CREDENTIAL",
    "CREDENTIALS",
];

/// Variables that hold credentials although their names do not say so: headers for another service, and the
/// passwords that the PostgreSQL and MySQL clients read.
const CREDENTIAL_NAMES: [&str; 3] = ["ANTHROPIC_CUSTOM_HEADERS", "PGPASSWORD", "MYSQL_PWD"];

impl EnvPolicy {
    /// Whether this policy keeps the variable `name`, and what was made from it, from the command.
    pub fn removes(self, name: &str) -> bool {
        match self {
            Self::Inherit => false,
            Self::Scrubbed => is_credential_like(name),
        }
    }
}

/// Whether a variable of this name holds a credential, as far as a name can tell.
///
/// Whole parts count: `MY_PAT` does, `PATH` does not. `GIT_CONFIG_KEY_<n>` does not either: it names a git setting
/// (git-config(1), section ENVIRONMENT).
pub(crate) fn is_credential_like(name: &str) -> bool {
    if name.strip_prefix("GIT_CONFIG_KEY_").is_some_and(is_number) {
        return false;
    }
    let is_one_of = |part: &str, words: &[&str]| words.iter().any(|word| part.eq_ignore_ascii_case(word));
    is_one_of(name, &CREDENTIAL_NAMES) || name.split('_').any(|part| is_one_of(part, &CREDENTIAL_WORDS))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f016_credential_like_variables_are_told_by_whole_parts() {
        let credential = [
            "TOKEN",
            "GITHUB_TOKEN",
            "my_pat",
            "PAT",
            "AWS_SECRET_ACCESS_KEY",
            "SENTRY_DSN",
            "Session_Cookie",
            "SSH_AUTH_SOCK",
            "DB_PASSWD",
            "X_PASSPHRASE_2",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "A_CREDENTIAL",
            "_TOKEN_",
            "ANTHROPIC_CUSTOM_HEADERS",
            "anthropic_custom_headers",
            "GIT_CONFIG_KEY_",
            "PGPASSWORD",
            "GIT_CONFIG_KEY_1x",
            "GIT_CONFIG_KEY",
            "GIT_CONFIG_KEY_0_TOKEN",
        ];
        let harmless = [
            "PATH",
            "PATTERN",
            "HOME",
            "TOKENS",
            "MONKEY",
            "AUTHOR",
            "KEYBOARD",
            "SECRETS",
            "GIT_CONFIG_KEY_0",
            "GIT_CONFIG_KEY_12",
            "GIT_CONFIG_VALUE_0",
            "",
            "_",
            "LANG",
        ];
        for name in credential {
            assert!(is_credential_like(name), "{name}");
        }
        for name in harmless {
            assert!(!is_credential_like(name), "{name}");
        }
    }

    #[test]
    fn only_a_scrubbing_policy_removes_anything() {
        assert!(EnvPolicy::Scrubbed.removes("MY_TOKEN"));
        assert!(!EnvPolicy::Scrubbed.removes("PATH"));
        assert!(!EnvPolicy::Inherit.removes("MY_TOKEN"));
    }
}
