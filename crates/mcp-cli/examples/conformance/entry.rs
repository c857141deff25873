//! The server of a run as an entry of a configuration file, in a home of its own.

use mcp_testkit::TempHome;
use serde_json::{Map, Value, json};

use crate::sign_in::{CLIENT_METADATA, vouched_issuer};
use crate::{Outcome, Run};

/// What the file calls the server.
pub(crate) const NAME: &str = "remote";

/// The variable in which the binary looks for the secret of a client that signs in.
const CLIENT_SECRET: &str = "MCP_CLIENT_SECRET";

/// A home whose `~/.claude.json` holds the server: its URL, and what the suite hands over about a client.
///
/// # Errors
///
/// When the file cannot be written, or it has to name an issuer and the server names none.
pub(crate) async fn home(run: &Run) -> Outcome<TempHome> {
    let home = TempHome::new()?;
    let mut entry = json!({ "type": "http", "url": run.url });
    if let Some(grant) = grant(&run.context) {
        entry["auth"] = auth(grant, &run.context);
        entry["auth"]["issuer"] = vouched_issuer(&run.url, &run.context).await?.into();
    } else if run.scenario.starts_with("auth/") {
        entry["oauth"] = oauth(&run.context);
    }
    home.write(".claude.json", json!({ "mcpServers": { NAME: entry } }).to_string())?;
    // A secret that the binary shows, or writes where no secret belongs, fails the run.
    for (_, secret) in secrets(run) {
        home.canaries().add("secret of the client", secret);
    }
    Ok(home)
}

/// The secrets of a run, which a configuration file never holds, by the variables that hold them.
pub(crate) fn secrets(run: &Run) -> Vec<(String, &str)> {
    let Some(grant) = grant(&run.context) else {
        let secret = run.context["client_secret"].as_str();
        return secret.map(|secret| (CLIENT_SECRET.to_owned(), secret)).into_iter().collect();
    };
    let of_grant = SECRETS.iter().filter(|(_, _, grants)| grants.contains(&grant));
    of_grant.filter_map(|(field, theirs, _)| Some((variable(field), run.context[theirs].as_str()?))).collect()
}

/// The grant that needs no person, where the context has what one takes. A client with an issuer of its own signs in.
fn grant(context: &Value) -> Option<&'static str> {
    let has = |name: &str| context[name].is_string();
    match () {
        () if has("idp_id_token") => Some("enterprise_managed"),
        () if has("valid_jwt") => Some("jwt_bearer"),
        () if has("private_key_pem") => Some("private_key_jwt"),
        () if has("client_secret") && !has("issuer") => Some("client_credentials"),
        () => None,
    }
}

/// The secrets of `auth`, what the context calls them, and the grants that have them.
const SECRETS: [(&str, &str, &[&str]); 4] = [
    ("clientSecret", "client_secret", &["client_credentials", "enterprise_managed"]),
    ("key", "private_key_pem", &["private_key_jwt"]),
    ("assertion", "valid_jwt", &["jwt_bearer"]),
    ("idToken", "idp_id_token", &["enterprise_managed"]),
];

/// The same for what is not a secret.
const WORDS: [(&str, &str, &[&str]); 4] = [
    ("clientId", "client_id", &["client_credentials", "private_key_jwt", "jwt_bearer", "enterprise_managed"]),
    ("alg", "signing_algorithm", &["private_key_jwt"]),
    ("idpTokenEndpoint", "idp_token_endpoint", &["enterprise_managed"]),
    ("idpClientId", "idp_client_id", &["enterprise_managed"]),
];

fn auth(grant: &str, context: &Value) -> Value {
    let mut auth = Map::from_iter([("grant".to_owned(), grant.into())]);
    for (ours, theirs, _) in WORDS.iter().filter(|(_, _, grants)| grants.contains(&grant)) {
        if let Some(value) = context[theirs].as_str() {
            auth.insert((*ours).to_owned(), value.into());
        }
    }
    for (ours, _, _) in SECRETS.iter().filter(|(_, _, grants)| grants.contains(&grant)) {
        auth.insert((*ours).to_owned(), format!("${{env:{}}}", variable(ours)).into());
    }
    auth.into()
}

fn variable(field: &str) -> String {
    format!("CONFORMANCE_{}", field.to_ascii_uppercase())
}

fn oauth(context: &Value) -> Value {
    let mut oauth = json!({ "clientMetadataUrl": CLIENT_METADATA });
    for (ours, theirs) in [("clientId", "client_id"), ("issuer", "issuer")] {
        if let Some(value) = context[theirs].as_str() {
            oauth[ours] = value.into();
        }
    }
    oauth
}
