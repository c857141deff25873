//! The other side of Signature Version 4: what a service of AWS does with a request, from what arrived of it.

use std::collections::BTreeMap;
use std::fmt;

use http::request::Parts;
use ring::{digest, hmac};

/// Recomputes signatures with one pair of keys. `Debug` shows no secret.
#[derive(Clone)]
pub struct AwsVerifier {
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
    region: String,
    service: String,
}

impl AwsVerifier {
    /// What accepts requests of these keys for this service in this region.
    #[must_use]
    pub fn new(access_key: &str, secret_key: &str, region: &str, service: &str) -> Self {
        let [access_key, secret_key, region, service] =
            [access_key, secret_key, region, service].map(str::to_owned);
        Self { access_key, secret_key, session_token: None, region, service }
    }

    /// The same for temporary keys, whose token has to come along, signed.
    #[must_use]
    pub fn with_session_token(mut self, token: &str) -> Self {
        self.session_token = Some(token.to_owned());
        self
    }

    pub(super) fn verifies(&self, request: &Parts, body: &[u8]) -> bool {
        self.expected(request, body).is_some_and(|(expected, sent)| expected == sent)
    }

    /// The signature as it has to be, and as it is; `None` for what is not signed with these keys, for this, today.
    fn expected(&self, request: &Parts, body: &[u8]) -> Option<(String, String)> {
        let header = |name: &str| request.headers.get(name)?.to_str().ok();
        let fields = header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let fields: BTreeMap<_, _> = fields.split(", ").filter_map(|field| field.split_once('=')).collect();
        let date = header("x-amz-date")?;
        let day = date.get(..8)?;
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let signed: Vec<&str> = fields.get("SignedHeaders")?.split(';').collect();
        let mut must = vec!["host", "x-amz-date"];
        if let Some(token) = &self.session_token {
            must.push("x-amz-security-token");
            (header("x-amz-security-token")? == token).then_some(())?;
        }
        let complete = must.iter().all(|name| signed.contains(name)) && signed.is_sorted();
        (complete && *fields.get("Credential")? == format!("{}/{scope}", self.access_key)).then_some(())?;

        let mut canonical = format!("{}\n{}\n", request.method, twice(request.uri.path()));
        let mut query: Vec<&str> =
            request.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
        query.sort_unstable();
        canonical.push_str(&format!("{}\n", query.join("&")));
        for name in &signed {
            canonical.push_str(&format!("{name}:{}\n", header(name)?.trim()));
        }
        canonical.push_str(&format!("\n{}\n{}", signed.join(";"), sha256(body)));
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let mut key = format!("AWS4{}", self.secret_key).into_bytes();
        for part in [day, &self.region, &self.service, "aws4_request"] {
            key = mac(&key, part);
        }
        Some((hex(&mac(&key, &text)), (*fields.get("Signature")?).to_owned()))
    }
}

impl fmt::Debug for AwsVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsVerifier").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// A path as it arrives is encoded once, and signed encoded twice.
fn twice(path: &str) -> String {
    path.chars()
        .map(|c| match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '.' | '_' | '~' | '/' => c.to_string(),
            c => c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
        })
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that AWS's reference of the signature goes through ("Task 4").
    #[test]
    fn the_published_request_is_accepted_and_no_other() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let verifier = AwsVerifier::new("AKIDEXAMPLE", secret, "us-east-1", "iam");
        let request = |query: &str| {
            let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
            let authorization = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
            );
            http::Request::get(format!("https://iam.amazonaws.com/?{query}"))
                .header("host", "iam.amazonaws.com")
                .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
                .header("x-amz-date", "20150830T123600Z")
                .header("authorization", authorization)
                .body(())
                .unwrap()
                .into_parts()
                .0
        };
        let published = request("Action=ListUsers&Version=2010-05-08");
        assert!(verifier.verifies(&published, b""));
        assert!(!verifier.verifies(&published, b"x"));
        assert!(!verifier.verifies(&request("Action=ListGroups&Version=2010-05-08"), b""));
        assert!(!verifier.clone().with_session_token("t").verifies(&published, b""));
        let other = AwsVerifier::new("AKIDEXAMPLE", secret, "us-east-2", "iam");
        assert!(!other.verifies(&published, b"") && !format!("{verifier:?}").contains("wJalr"));
    }
}
