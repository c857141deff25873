//! What a helper finds in its environment: a pure function of the spec and the server.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::{EnvPolicy, HelperSpec, Target};

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

/// The whole environment of the command.
pub(super) fn environment(spec: &HelperSpec, target: &Target) -> BTreeMap<OsString, OsString> {
    let mut env = spec.env.clone();
    match spec.env_policy {
        EnvPolicy::Inherit => {}
        EnvPolicy::Scrubbed => env.retain(|name, _| !is_credential_like(&name.to_string_lossy())),
    }
    let url = if spec.url_variable.is_empty() { target.url.as_str() } else { &spec.url_variable };
    for prefix in ["CLAUDE_CODE_MCP", "MCP"] {
        env.insert(format!("{prefix}_SERVER_NAME").into(), (&target.name).into());
        env.insert(format!("{prefix}_SERVER_URL").into(), url.into());
    }
    env
}

/// Whether a variable of this name holds a credential, as far as a name can tell.
///
/// Whole parts count: `MY_PAT` does, `PATH` does not. `GIT_CONFIG_KEY_<n>` does not either: it names a git setting
/// (git-config(1), section ENVIRONMENT).
pub(super) fn is_credential_like(name: &str) -> bool {
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
    use url::Url;

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

    fn spec(policy: EnvPolicy) -> HelperSpec {
        let env = [("PATH", "/bin"), ("MY_TOKEN", "canary"), ("MCP_SERVER_NAME", "outer")];
        HelperSpec {
            env: env.map(|(name, value)| (name.into(), value.into())).into(),
            env_policy: policy,
            ..HelperSpec::new("true", "/")
        }
    }

    fn shown(spec: &HelperSpec) -> Vec<String> {
        let target = Target { name: "internal".into(), url: Url::parse("https://h/mcp?k=v").unwrap() };
        let pair = |(name, value): (OsString, OsString)| {
            format!("{}={}", name.into_string().unwrap(), value.into_string().unwrap())
        };
        environment(spec, &target).into_iter().map(pair).collect()
    }

    #[test]
    fn f021_the_command_is_told_which_server_it_mints_for() {
        let expected = [
            "CLAUDE_CODE_MCP_SERVER_NAME=internal",
            "CLAUDE_CODE_MCP_SERVER_URL=https://h/mcp?k=v",
            "MCP_SERVER_NAME=internal",
            "MCP_SERVER_URL=https://h/mcp?k=v",
            "MY_TOKEN=canary",
            "PATH=/bin",
        ];
        assert_eq!(shown(&spec(EnvPolicy::Inherit)), expected);
    }

    #[test]
    fn f017_a_scrubbed_environment_shows_the_scrubbed_url() {
        let spec =
            HelperSpec { url_variable: "https://h/mcp?k=REDACTED".into(), ..spec(EnvPolicy::Scrubbed) };
        let shown = shown(&spec).join(" ");
        assert!(shown.contains("MCP_SERVER_URL=https://h/mcp?k=REDACTED"), "{shown}");
        assert!(!shown.contains("canary") && !shown.contains("k=v"), "{shown}");
    }
}
