//! What this client says of itself in a dynamic registration (RFC 7591 section 2), and what an entry adds to it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_text::OWN_CLIENT_METADATA;
use serde_json::{Value, json};

use super::super::client_auth::AuthMethod;
use super::metadata::ServerMetadata;
use super::scope::OFFLINE_ACCESS;

/// RFC 8628 section 3.4.
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// One way to describe us in a registration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct RegistrationAttempt {
    pub(super) method: AuthMethod,
    pub(super) scopes: Vec<String>,
    /// With application type, grants and response types, which some servers do not know or do not grant.
    in_full: bool,
}

/// What to register as, in order: the next one is tried only where the server refuses the one before. What is left out on
/// the way is optional for us; which part of it is refused differs from server to server.
pub(super) fn attempts(
    server: &ServerMetadata,
    scopes: &[String],
    wanted: Option<AuthMethod>,
) -> Vec<RegistrationAttempt> {
    let supported = server.token_endpoint_auth_methods_supported.as_deref();
    let method = wanted.unwrap_or_else(|| AuthMethod::to_register(supported));
    let with =
        |method, scopes: &[String]| RegistrationAttempt { method, scopes: scopes.to_vec(), in_full: true };
    let modest: Vec<String> = scopes.iter().filter(|scope| *scope != OFFLINE_ACCESS).cloned().collect();
    let mut attempts = vec![with(method, scopes), with(method, &modest), with(method, &[])];
    if scopes.is_empty() {
        attempts.extend(server.scopes_supported.as_deref().map(|all| with(method, all)));
    }
    let other = [AuthMethod::Post, AuthMethod::Basic].into_iter().find(|other| {
        *other != method && supported.is_none_or(|list| list.iter().any(|name| name == other.as_str()))
    });
    // A method that the entry names is the only one.
    attempts.extend(other.filter(|_| wanted.is_none()).map(|other| with(other, scopes)));
    // What RFC 7591 section 2 has defaults for is left out.
    attempts.push(RegistrationAttempt { in_full: false, ..with(method, &[]) });
    let mut distinct = Vec::new();
    for attempt in attempts {
        if !distinct.contains(&attempt) {
            distinct.push(attempt);
        }
    }
    distinct
}

pub(super) fn request_body(
    name: &str,
    server: &ServerMetadata,
    redirect_uri: &str,
    attempt: &RegistrationAttempt,
) -> Value {
    let mut grants = vec!["authorization_code", "refresh_token"];
    if server.device_authorization_endpoint.is_some() {
        grants.push(DEVICE_CODE);
    }
    let mut body = json!({
        "client_name": name,
        "redirect_uris": [redirect_uri],
        "token_endpoint_auth_method": attempt.method.as_str(),
    });
    if attempt.in_full {
        body["application_type"] = "native".into();
        body["grant_types"] = grants.into();
        body["response_types"] = json!(["code"]);
    }
    if !attempt.scopes.is_empty() {
        body["scope"] = attempt.scopes.join(" ").into();
    }
    body
}

/// Adds what the entry says of this client, but for what is not the entry's to say.
pub(super) fn add_metadata(body: &mut Value, said: &BTreeMap<String, String>) {
    for (name, text) in said.iter().filter(|(name, _)| !OWN_CLIENT_METADATA.contains(&&***name)) {
        // The method is in the attempt already, as one that this client knows.
        if name != "token_endpoint_auth_method"
            && let Ok(value) = serde_json::from_str::<Value>(text)
        {
            body[name] = value;
        }
    }
}

/// What the entry says of this client, as a value to compare; `None` where it says nothing.
pub(super) fn digest_of_metadata(said: &BTreeMap<String, String>) -> Option<String> {
    if said.is_empty() {
        return None;
    }
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for text in said.iter().flat_map(|(name, text)| [name, text]) {
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    }
    Some(URL_SAFE_NO_PAD.encode(context.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_says_that_it_is_native_and_wants_refresh_tokens() {
        let mut server = ServerMetadata::default();
        let attempt = attempts(&server, &[], None).remove(0);
        let body = request_body("mcplink", &server, "http://localhost:1/callback", &attempt);
        assert_eq!(body["application_type"], "native");
        assert_eq!(body["grant_types"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(body["redirect_uris"], json!(["http://localhost:1/callback"]));
        assert_eq!(body["token_endpoint_auth_method"], "none");
        assert_eq!(body.get("scope"), None);

        let least = attempts(&server, &["a".into()], None).pop().unwrap();
        let least = request_body("mcplink", &server, "http://localhost:1/callback", &least);
        let members: Vec<&str> = least.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["client_name", "redirect_uris", "token_endpoint_auth_method"]);

        server.token_endpoint_auth_methods_supported = Some(vec!["client_secret_post".into()]);
        server.device_authorization_endpoint = Some("https://as.example/device".into());
        let attempt = attempts(&server, &["a".into(), "b".into()], None).remove(0);
        let body = request_body("mcplink", &server, "http://localhost:1/callback", &attempt);
        assert_eq!(body["token_endpoint_auth_method"], "client_secret_post");
        assert_eq!(body["grant_types"][2], DEVICE_CODE);
        assert_eq!(body["scope"], "a b");
    }

    #[test]
    fn fb_a29_what_is_optional_in_a_registration_is_dropped_one_by_one() {
        let list = |scopes: &[&str]| scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>();
        let shown = |server: &ServerMetadata, scopes: &[&str]| {
            let attempts = attempts(server, &list(scopes), None);
            let full = |attempt: &RegistrationAttempt| if attempt.in_full { "" } else { "less " };
            attempts
                .iter()
                .map(|w| format!("{}{} {}", full(w), w.method.as_str(), w.scopes.join("+")))
                .collect::<Vec<_>>()
        };
        let mut server = ServerMetadata::default();
        assert_eq!(
            shown(&server, &["a", OFFLINE_ACCESS]),
            ["none a+offline_access", "none a", "none ", "client_secret_post a+offline_access", "less none "]
        );
        server.token_endpoint_auth_methods_supported = Some(list(&["none"]));
        server.scopes_supported = Some(list(&["x", "y"]));
        assert_eq!(
            shown(&server, &[]),
            ["none ", "none x+y", "less none "],
            "a server may insist on some scope"
        );
    }

    #[test]
    fn fa_a76_an_entry_adds_to_its_registration_and_takes_nothing_over() {
        let server = ServerMetadata::default();
        let attempts = attempts(&server, &["a".into()], Some(AuthMethod::Post));
        assert!(attempts.iter().all(|attempt| attempt.method == AuthMethod::Post), "{attempts:?}");
        let mut body = request_body("mcplink", &server, "http://localhost:1/callback", &attempts[0]);
        let mut said: BTreeMap<String, String> =
            OWN_CLIENT_METADATA.map(|name| (name.to_owned(), r#""https://evil.example""#.to_owned())).into();
        said.insert("client_name".to_owned(), r#""Our robot""#.to_owned());
        said.insert("contacts".to_owned(), r#"["ann@example.com"]"#.to_owned());
        said.insert("token_endpoint_auth_method".to_owned(), r#""none""#.to_owned());
        add_metadata(&mut body, &said);
        assert!(!body.to_string().contains("evil"), "{body}");
        assert_eq!(
            (&body["client_name"], &body["contacts"]),
            (&json!("Our robot"), &json!(["ann@example.com"]))
        );
        assert_eq!(body["token_endpoint_auth_method"], "client_secret_post");
        assert_eq!(
            (&body["scope"], &body["redirect_uris"][0]),
            (&json!("a"), &json!("http://localhost:1/callback"))
        );
    }
}
