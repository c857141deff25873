//! Signatures over whole requests, and code of others that may wait, fail, hang or panic while it makes one.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use crate::reserved::reserved;
use crate::{AuthError, AuthErrorKind, AuthFuture};

/// How long a signer may take: it may ask an agent, a key store or a key distribution center.
const LIMIT: Duration = Duration::from_secs(30);

/// Adds headers that depend on the request itself: a DPoP proof (RFC 9449 section 4), a signature over the body (AWS
/// Signature Version 4, RFC 9421), a token that is good for one request.
///
/// It belongs to [credentials](crate::Credentials::with_signer), and not to their provider, so that a request that was refused is
/// sent again only where it would be signed by another one. Credentials without a signer cost nothing of this.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use http::{HeaderMap, HeaderName, HeaderValue};
/// use mcp_auth::{AuthFuture, Credentials};
/// use mcp_auth::signing::{RequestSigner, SigningRequest};
///
/// #[derive(Debug)]
/// struct Length;
///
/// impl RequestSigner for Length {
///     fn sign<'a>(&'a self, request: SigningRequest<'a>) -> AuthFuture<'a, HeaderMap> {
///         Box::pin(async move {
///             let length = HeaderValue::from(request.body.len());
///             Ok([(HeaderName::from_static("x-signed-length"), length)].into_iter().collect())
///         })
///     }
/// }
///
/// let credentials = Credentials::none().with_signer(Arc::new(Length));
/// assert!(credentials.signs());
/// ```
pub trait RequestSigner: fmt::Debug + Send + Sync + 'static {
    /// The headers to set on this request, in place of those of the same names. It is asked for each request that is sent,
    /// those that are sent again included.
    ///
    /// # Errors
    ///
    /// Why there is no signature: the request is not sent then. It counts as a failure where it takes more than 30 s.
    fn sign<'a>(&'a self, request: SigningRequest<'a>) -> AuthFuture<'a, HeaderMap>;
}

/// A request that is ready but for its signature.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct SigningRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The whole URL, without user and password.
    pub url: &'a Url,
    /// Every header that is set before it is sent, credentials and cookies included; `Host` and `Content-Length` are not
    /// among them.
    pub headers: &'a HeaderMap,
    /// The whole body; cheap to clone.
    pub body: &'a Bytes,
}

impl<'a> SigningRequest<'a> {
    /// A request with these parts.
    pub fn new(method: &'a Method, url: &'a Url, headers: &'a HeaderMap, body: &'a Bytes) -> Self {
        Self { method, url, headers, body }
    }
}

impl fmt::Debug for SigningRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: path, query, headers and body may all hold secrets.
        f.debug_struct("SigningRequest")
            .field("method", self.method)
            .field("origin", &self.url.origin().ascii_serialization())
            .field("body", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Puts the headers that `signer` makes for this request into `headers`, which are as they were where that fails.
pub(crate) async fn sign(
    signer: &dyn RequestSigner,
    method: &Method,
    url: &Url,
    headers: &mut HeaderMap,
    body: &Bytes,
) -> Result<(), AuthError> {
    let request = SigningRequest::new(method, url, headers, body);
    let signing = guarded(|| signer.sign(request), "sign the request");
    let timed_out = || {
        let message = format!("sign the request: its signer did not answer within {} s", LIMIT.as_secs());
        AuthError::new(AuthErrorKind::TimedOut, message)
    };
    let signatures = tokio::time::timeout(LIMIT, signing).await.unwrap_or_else(|_| Err(timed_out()))?;
    let mut last = None;
    for (name, mut value) in signatures {
        // The name of a value that follows another one of the same name is not repeated.
        let is_first = name.is_some();
        last = name.or(last);
        let Some(name) = &last else { continue };
        if let Some(why) = reserved(name) {
            tracing::warn!(header = %name, %why, "left out a header of a signer");
            continue;
        }
        value.set_sensitive(true);
        match is_first {
            true => drop(headers.insert(name, value)),
            false => drop(headers.append(name, value)),
        }
    }
    Ok(())
}

/// What `start` begins, with a panic of it as its failure; `what` goes on after "failed to".
pub(crate) async fn guarded<'a, T>(
    start: impl FnOnce() -> AuthFuture<'a, T>,
    what: &str,
) -> Result<T, AuthError> {
    // Security: the words of a panic are not repeated: they may show the value that it is about.
    let stopped = || AuthError::new(AuthErrorKind::SourceFailed, format!("{what}: it stopped unexpectedly"));
    // What broke off is asked nothing more, so nothing half done is seen.
    let mut work = catch_unwind(AssertUnwindSafe(start)).map_err(|_| stopped())?;
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Err(stopped())))
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::Credentials;

    #[derive(Clone, Copy, Debug)]
    enum Signer {
        Body,
        Fails,
        Hangs,
        PanicsAtOnce,
        PanicsLater,
    }

    impl RequestSigner for Signer {
        fn sign<'a>(&'a self, request: SigningRequest<'a>) -> AuthFuture<'a, HeaderMap> {
            assert!(!matches!(self, Self::PanicsAtOnce), "canary-value");
            Box::pin(async move {
                tokio::task::yield_now().await;
                match self {
                    Self::Body => {
                        let mut set = HeaderMap::new();
                        let text = String::from_utf8_lossy(request.body).into_owned();
                        set.insert("signature", HeaderValue::try_from(text).unwrap());
                        set.append("signature", HeaderValue::from_static("second"));
                        set.insert("content-length", HeaderValue::from_static("1"));
                        Ok(set)
                    }
                    Self::Fails => Err(AuthError::new(AuthErrorKind::Store, "ask the key store")),
                    Self::Hangs => std::future::pending().await,
                    Self::PanicsAtOnce | Self::PanicsLater => panic!("canary-value"),
                }
            })
        }
    }

    async fn signed(signer: Signer) -> Result<HeaderMap, AuthError> {
        let credentials = Credentials::none().with_signer(Arc::new(signer));
        let url = Url::parse("https://mcp.example/mcp?key=canary").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("signature", HeaderValue::from_static("from before"));
        let body = Bytes::from_static(b"{}");
        let outcome = credentials.sign(&Method::POST, &url, &mut headers, &body).await;
        if outcome.is_err() {
            assert_eq!(headers["signature"], "from before");
        }
        outcome.map(|()| headers)
    }

    #[tokio::test]
    async fn a_signer_sees_the_body_and_sets_its_headers_and_no_others() {
        let headers = signed(Signer::Body).await.unwrap();
        let values: Vec<_> = headers.get_all("signature").iter().collect();
        assert_eq!(values, ["{}", "second"]);
        assert!(values.iter().all(|value| value.is_sensitive()));
        assert!(!headers.contains_key(HeaderName::from_static("content-length")));
        let url = Url::parse("https://mcp.example/mcp?key=canary").unwrap();
        let (none, body) = (HeaderMap::new(), Bytes::from_static(b"canary"));
        let shown = format!("{:?}", SigningRequest::new(&Method::POST, &url, &none, &body));
        assert!(shown.contains("https://mcp.example") && !shown.contains("canary"), "{shown}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_signer_that_fails_hangs_or_panics_is_an_error_that_says_so() {
        for (signer, kind, words) in [
            (Signer::Fails, AuthErrorKind::Store, "ask the key store"),
            (Signer::Hangs, AuthErrorKind::TimedOut, "its signer did not answer within 30 s"),
            (Signer::PanicsAtOnce, AuthErrorKind::SourceFailed, "it stopped unexpectedly"),
            (Signer::PanicsLater, AuthErrorKind::SourceFailed, "it stopped unexpectedly"),
        ] {
            let error = signed(signer).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{signer:?}");
            assert!(
                error.to_string().contains(words) && !format!("{error:?}").contains("canary"),
                "{error:?}"
            );
        }
    }
}
