//! A client that signs in on its own: what lines of other bridges say of it, as our `auth` block.

use super::{CommandLine, LineField, Setting};
use crate::hosts::words;

/// The fields of `oauth` that the grant has as well, as they are called there. A person is not needed for it, so neither is
/// what else is said of a person's sign-in.
const SHARED: [(&str, &str); 3] = [
    ("oauth.clientId", "auth.clientId"),
    ("oauth.scopes", "auth.scopes"),
    ("oauth.resource", "auth.resource"),
];

const NEEDS: &str =
    "a client that signs in on its own needs its ID and a token endpoint: its secret goes there alone";

/// Each with its word.
#[derive(Debug, Default)]
pub(super) struct ServiceAccount {
    pub(super) grant: Option<usize>,
    pub(super) secret: Option<(String, usize)>,
    pub(super) endpoint: Option<(String, usize)>,
}

impl CommandLine {
    /// The grant in the place of a sign-in, where the line asks for it and says enough.
    pub(super) fn sign_in_alone(&mut self) {
        let ServiceAccount { grant, secret, endpoint } = std::mem::take(&mut self.robot);
        let reference = secret.as_ref().map(|(text, _)| text).filter(|text| is_reference(text)).cloned();
        if let Some((_, at)) = secret.filter(|_| grant.is_none() || reference.is_none()) {
            self.lost.push((at, words::SECRET));
        }
        let Some(at) = grant else {
            return self.lost.extend(endpoint.map(|(_, at)| (at, NEEDS)));
        };
        let named = |said: &LineField| {
            said.field == "oauth.clientId"
                && matches!(&said.value, Setting::Text(id) if !id.is_empty() && !id.contains("${"))
        };
        let (Some((endpoint, word)), true) = (endpoint, self.said.iter().any(named)) else {
            return self.lost.push((at, NEEDS));
        };
        self.say("auth.grant", Setting::Text("client_credentials".to_owned()), at);
        self.say("auth.tokenEndpoint", Setting::Text(endpoint), word);
        let secret = reference.unwrap_or_else(|| "${MCP_CLIENT_SECRET}".to_owned());
        self.say("auth.clientSecret", Setting::Text(secret), at);
        for said in &mut self.said {
            said.field =
                SHARED.iter().find(|(of_person, _)| *of_person == said.field).map_or(said.field, |to| to.1);
        }
        self.said.retain(|said| !said.field.starts_with("oauth."));
    }
}

/// `${NAME}` alone: a secret by reference.
fn is_reference(text: &str) -> bool {
    let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    let name = name.strip_prefix("env:").unwrap_or(name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> (Value, Vec<&'static str>) {
        let words: Vec<&str> = text.split(' ').collect();
        let line = super::super::read(&words, &|name| (name == "SET").then(|| "canary".to_owned())).unwrap();
        (line.fields().into(), line.lost.iter().map(|(_, why)| *why).collect())
    }

    #[test]
    fn a_client_that_signs_in_by_itself_becomes_auth_and_its_secret_a_reference() {
        let endpoint = "https://as.example/t";
        let auth = |secret: &str| {
            json!({ "auth": { "grant": "client_credentials", "clientId": "robot", "clientSecret": secret,
                "tokenEndpoint": endpoint } })
        };
        let of = |client: &str| {
            read(&format!(
                "npx mcp-remote https://h/mcp 3334 --client-credentials --token-endpoint {endpoint} \
                 --static-oauth-client-info {client}"
            ))
        };
        let reference = of(r#"{"client_id":"robot","client_secret":"${ROBOT_SECRET}"}"#);
        assert_eq!(reference, (auth("${ROBOT_SECRET}"), vec![]));
        // A literal stays where it is, and a variable that the entry itself sets is one.
        for client in [
            r#"{"client_id":"robot","client_secret":"s3cret"}"#,
            r#"{"client_id":"robot","client_secret":"${SET}"}"#,
        ] {
            assert_eq!(of(client), (auth("${MCP_CLIENT_SECRET}"), vec![words::SECRET]), "{client}");
        }
        assert_eq!(of(r#"{"client_id":"robot"}"#), (auth("${MCP_CLIENT_SECRET}"), vec![]));
        let proxy = format!(
            "mcp-proxy https://h/mcp --client-id robot --client-secret ${{ROBOT_SECRET}} --token-url {endpoint}"
        );
        assert_eq!(read(&proxy), (auth("${ROBOT_SECRET}"), vec![]));
        let ours = format!(
            "mcplink bridge https://h/mcp --client-id robot --client-credentials --token-endpoint {endpoint} \
             --oauth-scopes read --oauth-resource https://r/ --authorize-param a=b"
        );
        let mut more = auth("${MCP_CLIENT_SECRET}");
        more["auth"]["scopes"] = json!("read");
        more["auth"]["resource"] = json!("https://r/");
        assert_eq!(read(&ours), (more, vec![]));
    }

    #[test]
    fn a_grant_that_lacks_something_is_told_and_no_secret_goes_anywhere() {
        let id = r#"--static-oauth-client-info {"client_id":"robot"}"#;
        let variable = r#"--static-oauth-client-info {"client_id":"${ID}"}"#;
        for more in [
            "--client-credentials",
            "--token-endpoint https://as.example/t",
            &format!("--client-credentials {id}"),
            &format!("--client-credentials --token-endpoint https://as.example/t {variable}"),
        ] {
            let (fields, lost) = read(&format!("npx mcp-remote https://h/mcp {more}"));
            assert!(fields.get("auth").is_none(), "{more}: {fields}");
            assert_eq!(lost, [NEEDS], "{more}");
        }
    }
}
