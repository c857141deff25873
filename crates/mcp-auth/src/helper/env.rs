//! What a helper finds in its environment: a pure function of the spec and the server.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::Target;
use crate::settings::HelperSpec;

/// The whole environment of the command.
pub(super) fn environment(spec: &HelperSpec, target: &Target) -> BTreeMap<OsString, OsString> {
    let mut env = spec.env_policy.environment(&spec.command, spec.env.clone());
    let url = if spec.url_variable.is_empty() { target.url.as_str() } else { &spec.url_variable };
    for prefix in ["CLAUDE_CODE_MCP", "MCP"] {
        env.insert(format!("{prefix}_SERVER_NAME").into(), (&target.name).into());
        env.insert(format!("{prefix}_SERVER_URL").into(), url.into());
    }
    env
}

/// The names of the variables that `environment`, which was made of the spec, has not.
pub(super) fn withheld(spec: &HelperSpec, environment: &BTreeMap<OsString, OsString>) -> Vec<String> {
    let left_out = spec.env.keys().filter(|name| !environment.contains_key(*name));
    left_out.map(|name| name.to_string_lossy().into_owned()).collect()
}

/// The first of these names that occurs in one of the texts as a word.
pub(super) fn missed<'a>(withheld: &'a [String], texts: &[&str]) -> Option<&'a str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let named =
        |name: &&String| texts.iter().any(|text| text.split(|c| !is_part(c)).any(|word| word == *name));
    withheld.iter().find(named).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::settings::EnvPolicy;

    fn spec(policy: EnvPolicy) -> HelperSpec {
        let env = [("PATH", "/bin"), ("MY_TOKEN", "canary"), ("MCP_SERVER_NAME", "outer")];
        HelperSpec {
            env: env.map(|(name, value)| (name.into(), value.into())).into(),
            env_policy: policy,
            ..HelperSpec::new("true", "/")
        }
    }

    fn shown(spec: &HelperSpec) -> Vec<String> {
        let target = Target::new("internal", Url::parse("https://h/mcp?k=v").unwrap());
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
