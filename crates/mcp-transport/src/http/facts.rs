//! What decided, as lines of a log (`-v`): each answer of a server with its status line and its challenge, each request
//! that had none. The message of a failure is made for the one who uses the server; these are for the one who looks after
//! it.
//!
//! Nothing is built when no subscriber listens. No line holds a query, a user, a password, or what was sent: servers repeat it in
//! their challenges.

use http::{HeaderMap, Method, header};
use mcp_text::Secrets;
use tracing::Level;
use url::Url;

use super::client::Answer;
use crate::error::TransportError;

/// Headers of an answer that decide something about it.
const DECIDE: [header::HeaderName; 4] =
    [header::WWW_AUTHENTICATE, header::PROXY_AUTHENTICATE, header::LOCATION, header::RETRY_AFTER];

/// Whether anybody listens.
pub(crate) fn are_told() -> bool {
    tracing::enabled!(Level::INFO)
}

/// Tells what came of a request.
pub(crate) fn tell(
    method: &Method,
    url: &Url,
    proxy: Option<&str>,
    outcome: Result<&Answer, &TransportError>,
    secrets: &Secrets,
) {
    let url = shown(url, secrets);
    match outcome {
        Ok(answer) => {
            let decide = headers(&answer.headers, secrets);
            tracing::info!(%method, %url, proxy, status = %answer.status, decide, "answered");
        }
        Err(error) => {
            let said = error.said().map_or_else(|| error.to_string(), str::to_owned);
            let why = secrets.hide(&said);
            tracing::info!(%method, %url, proxy, %why, "no answer");
        }
    }
}

fn shown(url: &Url, secrets: &Secrets) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Fails for URLs that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    secrets.hide(url.as_str()).into_owned()
}

fn headers(headers: &HeaderMap, secrets: &Secrets) -> Option<String> {
    let told = DECIDE.iter().flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)));
    let told: Vec<String> = told
        .map(|(name, value)| {
            let text = String::from_utf8_lossy(value.as_bytes());
            // A page that a person is sent to has a state in its query.
            let text =
                if *name == header::LOCATION { text.split('?').next().unwrap_or_default() } else { &text };
            format!("{name}: {}", mcp_text::sentence(&secrets.hide(text)))
        })
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// What a request to an authorization server carries and no line of a log may repeat.
pub(crate) fn sent_in(url: &Url, headers: &HeaderMap) -> Secrets {
    let mut secrets: Secrets = headers
        .iter()
        .filter(|(name, value)| value.is_sensitive() || mcp_text::is_credential_name(name.as_str()))
        .filter_map(|(_, value)| value.to_str().ok())
        .collect();
    secrets.insert_url(url.as_str());
    secrets
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_decides_is_told_without_what_was_sent_and_without_a_query() {
        let secrets: Secrets = ["Bearer canary-token"].into_iter().collect();
        let mut answer = HeaderMap::new();
        answer.insert("content-type", HeaderValue::from_static("text/plain"));
        assert_eq!(headers(&answer, &secrets), None);
        let challenge = r#"Bearer realm="x", error_description="no canary-token here""#;
        answer.insert("www-authenticate", HeaderValue::from_static(challenge));
        answer.insert("location", HeaderValue::from_static("https://sso.example/in?state=canary-state"));
        let told = headers(&answer, &secrets).unwrap();
        assert!(
            told.contains("www-authenticate: Bearer realm=")
                && told.contains("location: https://sso.example/in")
        );
        assert!(!told.contains("canary"), "{told}");
        let url = "https://u:canary-password@h.example/mcp?key=canary-key#canary".parse().unwrap();
        assert_eq!(shown(&url, &secrets), "https://h.example/mcp");
    }
}
