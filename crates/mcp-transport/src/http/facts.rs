//! What decided, as lines of a log (`-v`): each answer of a server with its status line and its challenge, each request
//! that had none. The message of a failure is made for the one who uses the server; these are for the one who looks after
//! it. The same is told to the [`ExchangeSink`](crate::exchange::ExchangeSink) of the options.
//!
//! Nothing is built when none of them listens. No line holds a query, a user, a password, or what was sent: servers repeat it in
//! their challenges.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use mcp_text::Secrets;
use serde::Deserialize;
use tracing::Level;
use url::{Position, Url};

use super::client::{Answer, HttpClient};
use crate::error::TransportError;
use crate::exchange::{Exchange, ExchangeOutcome};

/// Headers of an answer that decide something about it.
const DECIDE: [header::HeaderName; 4] =
    [header::WWW_AUTHENTICATE, header::PROXY_AUTHENTICATE, header::LOCATION, header::RETRY_AFTER];

/// What was sent, as far as it is told.
pub(crate) struct SentFacts<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
    /// The names of the header fields that prove something.
    pub(crate) credentials: Vec<String>,
    pub(crate) body: &'a Bytes,
    pub(crate) began: SystemTime,
}

/// Whether anything listens to the exchanges of this client.
pub(crate) fn are_observed(client: &HttpClient) -> bool {
    client.options().exchange_sink.is_some() || tracing::enabled!(Level::INFO)
}

/// Tells what came of a request.
pub(crate) fn tell(
    client: &HttpClient,
    asked: SentFacts<'_>,
    outcome: Result<&Answer, &TransportError>,
    secrets: &Secrets,
) {
    let (method, url) = (asked.method, shown(asked.url, secrets));
    let proxy = client.proxy_of(asked.url);
    let outcome = match outcome {
        Ok(answer) => {
            let decides = headers(&answer.headers, secrets);
            let decide = (!decides.is_empty()).then(|| decides.join("; "));
            tracing::info!(%method, %url, proxy, status = %answer.status, decide, "answered");
            let text = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
            ExchangeOutcome::Answered {
                status: answer.status.as_u16(),
                content_type: text(header::CONTENT_TYPE).map(|text| mcp_text::line(text, 80)),
                date: text(header::DATE).and_then(|text| httpdate::parse_http_date(text).ok()),
                decides,
            }
        }
        Err(error) => {
            let said = error.said().map_or_else(|| error.to_string(), str::to_owned);
            let why = secrets.hide(&said);
            tracing::info!(%method, %url, proxy, %why, "no answer");
            ExchangeOutcome::NoAnswer { why: why.into_owned() }
        }
    };
    if let Some(sink) = &client.options().exchange_sink {
        sink.tell(&Exchange {
            method: method.to_string(),
            url,
            proxy,
            asks: asks(asked.body),
            credentials: asked.credentials,
            began: asked.began,
            took: asked.began.elapsed().unwrap_or_default(),
            outcome,
        });
    }
}

/// The method of the JSON-RPC message in this body.
fn asks(body: &Bytes) -> Option<String> {
    #[derive(Deserialize)]
    struct MethodOnly {
        method: Option<String>,
    }
    let message: MethodOnly = serde_json::from_slice(body).ok()?;
    Some(mcp_text::line(&message.method?, 60))
}

/// A URL as it may be told: without query, fragment, user and password, and without what of its path is a secret.
pub(crate) fn shown(url: &Url, secrets: &Secrets) -> String {
    let mut url = url.clone();
    // Fails for URLs that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    secrets.hide(&format!("{}{}", &url[..Position::BeforePath], shown_path(&url))).into_owned()
}

/// The path of it.
pub(crate) fn shown_path(url: &Url) -> String {
    let mut before = "";
    let segments = url.path().split('/').map(|segment| {
        let is_secret = mcp_text::is_secret_segment(std::mem::replace(&mut before, segment), segment);
        if is_secret { mcp_text::REDACTED } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}

fn headers(headers: &HeaderMap, secrets: &Secrets) -> Vec<String> {
    let named = DECIDE.iter().flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)));
    named
        .map(|(name, value)| {
            let text = String::from_utf8_lossy(value.as_bytes());
            // A page that a person is sent to has a state in its query.
            let text =
                if *name == header::LOCATION { text.split('?').next().unwrap_or_default() } else { &text };
            format!("{name}: {}", mcp_text::sentence(&secrets.hide(text)))
        })
        .collect()
}

/// The names of the header fields of a request to an authorization server that prove something.
pub(crate) fn proofs_in(headers: &HeaderMap) -> Vec<String> {
    let proves = |name: &header::HeaderName| *name == header::AUTHORIZATION || name.as_str() == "dpop";
    headers.keys().filter(|name| proves(name)).map(ToString::to_string).collect()
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
        assert!(headers(&answer, &secrets).is_empty());
        let challenge = r#"Bearer realm="x", error_description="no canary-token here""#;
        answer.insert("www-authenticate", HeaderValue::from_static(challenge));
        answer.insert("location", HeaderValue::from_static("https://sso.example/in?state=canary-state"));
        let report = headers(&answer, &secrets).join("; ");
        assert!(
            report.contains("www-authenticate: Bearer realm=")
                && report.contains("location: https://sso.example/in")
        );
        assert!(!report.contains("canary"), "{report}");
        let url = "https://u:canary-password@h.example/mcp?key=canary-key#canary".parse().unwrap();
        assert_eq!(shown(&url, &secrets), "https://h.example/mcp");
        let at = |path: &str| shown(&format!("https://h.example{path}").parse().unwrap(), &secrets);
        // An address can be the key to itself.
        assert_eq!(at("/s/8f14e45f-ceea-467f-a9ad-5f1d8a1c0f3b/mcp"), "https://h.example/s/[redacted]/mcp");
        assert_eq!(at("/canary-token/mcp"), "https://h.example/[redacted]/mcp");
        for path in ["/", "/v1/mcp/", "/a//b"] {
            assert_eq!(at(path), format!("https://h.example{path}"));
        }
    }
}
