//! AWS Signature Version 4: a signature over method, URL, headers and body of each request, as AWS's reference of it says
//! ("Create a signed AWS API request").
//!
//! Some two hundred lines over `ring`, which the OAuth client signs with as well: AWS's own crate `aws-sigv4` wants a Rust newer than ours
//! and seventeen more crates (`docs/adr/0004-aws-signatures-of-our-own.md`). Checked against the requests that AWS publishes with their signatures.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::{digest, hmac};

use crate::signing::{RequestSigner, SigningRequest};
use crate::{AuthError, AuthErrorKind, AuthFuture, Secret};

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Keys of an account, and what they sign for: a signer of [credentials](crate::Credentials::with_signer).
#[derive(Clone, Debug)]
pub struct AwsKeys {
    access_key: String,
    secret_key: Secret,
    session_token: Option<Secret>,
    region: String,
    service: String,
    clock: fn() -> SystemTime,
}

impl AwsKeys {
    /// Keys that sign for this service in this region, such as `bedrock-agentcore` in `us-east-1`.
    pub fn new(
        access_key: impl Into<String>,
        secret_key: Secret,
        region: impl Into<String>,
        service: impl Into<String>,
    ) -> Self {
        Self {
            access_key: access_key.into(),
            secret_key,
            session_token: None,
            region: region.into(),
            service: service.into(),
            clock: SystemTime::now,
        }
    }

    /// The same as temporary keys, which come with a token.
    #[must_use]
    pub fn with_session_token(mut self, token: Option<Secret>) -> Self {
        self.session_token = token;
        self
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> SystemTime) -> Self {
        self.clock = clock;
        self
    }

    /// Whether both make the same signatures.
    pub(super) fn is(&self, other: &Self) -> bool {
        let of = |keys: &Self| {
            let Self { access_key, secret_key, session_token, region, service, .. } = keys.clone();
            (access_key, secret_key, session_token, region, service)
        };
        of(self) == of(other)
    }
}

impl RequestSigner for AwsKeys {
    fn sign<'a>(&'a self, request: SigningRequest<'a>) -> AuthFuture<'a, HeaderMap> {
        Box::pin(async move {
            let date = timestamp((self.clock)());
            let mut set = HeaderMap::new();
            set.insert(DATE, value(&date)?);
            if let Some(token) = &self.session_token {
                set.insert(TOKEN, value(token.expose())?);
            }
            let signed = signed_headers(&request, &set);
            let scope = format!("{}/{}/{}/aws4_request", &date[..8], self.region, self.service);
            let text = format!(
                "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
                sha256(canonical(&request, &signed).as_bytes())
            );
            let signature = hex(hmac(&self.signing_key(&date[..8]), &text).as_ref());
            let names = names(&signed);
            let authorization = format!(
                "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
                self.access_key
            );
            set.insert(AUTHORIZATION, value(&authorization)?);
            Ok(set)
        })
    }
}

impl AwsKeys {
    fn signing_key(&self, day: &str) -> Vec<u8> {
        let first = format!("AWS4{}", self.secret_key.expose()).into_bytes();
        [day, &self.region, &self.service, "aws4_request"]
            .iter()
            .fold(first, |key, part| hmac(&key, part).as_ref().to_vec())
    }
}

fn value(text: &str) -> Result<HeaderValue, AuthError> {
    let bad =
        |_| AuthError::new(AuthErrorKind::Misconfigured, "sign the request: a key is not a header value");
    HeaderValue::try_from(text).map_err(bad)
}

/// What is signed of the headers, by name: `Host`, the type of the body, and everything that is for AWS.
fn signed_headers(request: &SigningRequest<'_>, set: &HeaderMap) -> Vec<(String, String)> {
    let host = match (request.url.host_str().unwrap_or_default(), request.url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    let mut signed = vec![("host".to_owned(), host)];
    let is_signed = |name: &HeaderName| *name == CONTENT_TYPE || name.as_str().starts_with("x-amz-");
    let before = request.headers.iter().filter(|(name, _)| !set.contains_key(*name));
    for (name, value) in before.chain(set).filter(|(name, _)| is_signed(name)) {
        let words = value.to_str().unwrap_or_default().split_whitespace();
        signed.push((name.as_str().to_owned(), words.collect::<Vec<_>>().join(" ")));
    }
    signed.sort();
    signed
}

fn names(signed: &[(String, String)]) -> String {
    signed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";")
}

fn canonical(request: &SigningRequest<'_>, signed: &[(String, String)]) -> String {
    let mut query: Vec<(String, String)> =
        request.url.query_pairs().map(|(name, value)| (encoded(&name, ""), encoded(&value, ""))).collect();
    query.sort();
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = encoded(&without_empty(request.url.path()), "/");
    let mut text = format!("{}\n{path}\n{}\n", request.method, query.join("&"));
    for (name, value) in signed {
        let _ = writeln!(text, "{name}:{value}");
    }
    let _ = write!(text, "\n{}\n{}", names(signed), sha256(request.body));
    text
}

/// Slashes that follow one another count as one.
fn without_empty(path: &str) -> String {
    let mut last = ' ';
    path.chars().filter(|c| std::mem::replace(&mut last, *c) != '/' || *c != '/').collect()
}

/// Percent-encodes everything but the unreserved characters (RFC 3986 section 2.3) and those in `kept`. AWS wants a path
/// encoded twice: the URL has it encoded once already.
fn encoded(text: &str, kept: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match is_plain(byte) || kept.as_bytes().contains(&byte) {
            true => encoded.push(char::from(byte)),
            false => drop(write!(encoded, "%{byte:02X}")),
        }
        encoded
    })
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hmac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `20150830T123600Z`; the date is computed by Howard Hinnant's `civil_from_days`.
fn timestamp(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) =
        (day_of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::Method;
    use url::Url;

    use super::*;

    /// 2015-08-30 12:36:00 UTC, the time of AWS's examples.
    fn then() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_440_938_160)
    }

    fn keys(service: &str) -> AwsKeys {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        AwsKeys::new("AKIDEXAMPLE", secret, "us-east-1", service).with_clock(then)
    }

    #[test]
    fn times_are_written_as_aws_wants_them() {
        assert_eq!(timestamp(then()), "20150830T123600Z");
        assert_eq!(timestamp(UNIX_EPOCH), "19700101T000000Z");
        assert_eq!(timestamp(UNIX_EPOCH + Duration::from_secs(951_782_399)), "20000228T235959Z");
        assert_eq!(timestamp(UNIX_EPOCH + Duration::from_secs(951_782_400)), "20000229T000000Z");
    }

    /// The key that the reference of Signature Version 4 derives in "Task 3: Calculate the Signature"
    /// (docs.aws.amazon.com/general/latest/gr/sigv4-calculate-signature.html).
    #[test]
    fn the_signing_key_is_the_published_one() {
        let key = hex(&keys("iam").signing_key("20150830"));
        assert_eq!(key, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }

    /// Requests of AWS's `aws-sig-v4-test-suite` with the signatures in their `.authz` files, by their names there. They
    /// were compared on 2026-11-28 with public copies of that suite: one with AWS's own `suite.fixture`, the others with those of
    /// other signers. The last one is the example that the pages of the reference go through.
    #[tokio::test]
    async fn the_signatures_are_the_published_ones() {
        let form = "application/x-www-form-urlencoded";
        for (name, service, method, url, content_type, body, signature) in [
            (
                "get-vanilla",
                "service",
                Method::GET,
                "https://example.amazonaws.com/",
                None,
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                "service",
                Method::GET,
                "https://example.amazonaws.com/?Param2=value2&Param1=value1",
                None,
                "",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "get-slash-normalized",
                "service",
                Method::GET,
                "https://example.amazonaws.com//",
                None,
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-encoded",
                "service",
                Method::GET,
                "https://example.amazonaws.com/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
                None,
                "",
                "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
            ),
            (
                "get-vanilla-utf8-query",
                "service",
                Method::GET,
                "https://example.amazonaws.com/?\u{1234}=bar",
                None,
                "",
                "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
            ),
            (
                "post-vanilla",
                "service",
                Method::POST,
                "https://example.amazonaws.com/",
                None,
                "",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-x-www-form-urlencoded",
                "service",
                Method::POST,
                "https://example.amazonaws.com/",
                Some(form),
                "Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "ListUsers",
                "iam",
                Method::GET,
                "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
                Some("application/x-www-form-urlencoded; charset=utf-8"),
                "",
                "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
        ] {
            let (url, body) = (Url::parse(url).unwrap(), Bytes::from_static(body.as_bytes()));
            let mut headers = HeaderMap::new();
            headers.extend(content_type.map(|of| (CONTENT_TYPE, HeaderValue::from_static(of))));
            let set = keys(service).sign(SigningRequest::new(&method, &url, &headers, &body)).await.unwrap();
            let authorization = set[AUTHORIZATION].to_str().unwrap();
            assert!(authorization.ends_with(&format!("Signature={signature}")), "{name}: {authorization}");
            assert_eq!(set[DATE], "20150830T123600Z");
        }
    }

    /// The paths of `double-encode-path` and `double-url-encode`, which AWS's SDKs are tried on as well.
    #[test]
    fn a_path_is_encoded_once_more() {
        for (path, canonical) in [
            ("/test/@connections/JBDvjfGEIAMCERw%3D", "/test/%40connections/JBDvjfGEIAMCERw%253D"),
            ("/functions/arn%3Aaws%3Alambda/invocations", "/functions/arn%253Aaws%253Alambda/invocations"),
            ("//a///b/", "/a/b/"),
        ] {
            assert_eq!(encoded(&without_empty(path), "/"), canonical);
        }
    }

    #[tokio::test]
    async fn another_body_or_session_has_another_signature() {
        let url = Url::parse("https://mcp.example/mcp").unwrap();
        let headers = HeaderMap::new();
        let temporary = keys("lambda").with_session_token(Some(Secret::new("session")));
        let mut seen = Vec::new();
        for (keys, body) in [(keys("lambda"), "{}"), (keys("lambda"), "{ }"), (temporary, "{}")] {
            let body = Bytes::from_static(body.as_bytes());
            let request = SigningRequest::new(&Method::POST, &url, &headers, &body);
            let set = keys.sign(request).await.unwrap();
            seen.push(set[AUTHORIZATION].to_str().unwrap().to_owned());
        }
        assert!(seen[0] != seen[1] && seen[0] != seen[2]);
        assert!(seen[2].contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"), "{}", seen[2]);
    }
}
