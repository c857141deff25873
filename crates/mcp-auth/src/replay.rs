//! Sending with credentials: what a refusal is, who is asked for others, and how often the request is sent again.
//!
//! This is the one loop of that kind, for every HTTP client: [`send`] is all of it, and [`Replay`] its steps for a client that
//! does more between them. `mcp-transport` stands on the second.

use std::fmt;
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use url::Url;

use crate::provider::Acceptance;
use crate::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, Capabilities, Challenge, Credentials, Recovery,
    Rejection,
};

/// How long a provider without a limit of its own may take where the request has none either.
const PROVIDER_LIMIT: Duration = Duration::from_secs(300);

/// An answer that says "not with these credentials".
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RefusalKind {
    /// 401, with whatever challenge or none.
    Unauthorized,
    /// 403 of which other credentials may be the answer.
    Forbidden,
    /// 403 with `error="insufficient_scope"` (RFC 6750 section 3.1): a token with these scopes is.
    InsufficientScope {
        /// What the server says is missing, in its order.
        scopes: Vec<String>,
    },
}

impl RefusalKind {
    /// What `status` and the challenges in `headers` say of the credentials; `None` for an answer that is about the request itself.
    ///
    /// Only here does a 403 that came with credentials get a meaning. One with a challenge for tokens is about the token. A bare one may be about this
    /// request alone, such as one tool, so it counts only where `others_may_help`: before the server has accepted anything, and
    /// where the provider can mint other credentials ([`Capabilities::refreshable`]).
    ///
    /// # Examples
    ///
    /// ```
    /// use http::header::WWW_AUTHENTICATE;
    /// use http::{HeaderMap, HeaderValue, StatusCode};
    /// use mcp_auth::replay::RefusalKind;
    ///
    /// let mut headers = HeaderMap::new();
    /// assert_eq!(RefusalKind::of(StatusCode::FORBIDDEN, &headers, || false), None);
    /// let challenge = HeaderValue::from_static(r#"Bearer error="insufficient_scope", scope="files:write""#);
    /// headers.insert(WWW_AUTHENTICATE, challenge);
    /// let scopes = vec!["files:write".to_owned()];
    /// let refusal = RefusalKind::of(StatusCode::FORBIDDEN, &headers, || false);
    /// assert_eq!(refusal, Some(RefusalKind::InsufficientScope { scopes }));
    /// assert_eq!(RefusalKind::of(StatusCode::NOT_FOUND, &headers, || true), None);
    /// ```
    pub fn of(
        status: StatusCode,
        headers: &HeaderMap,
        others_may_help: impl FnOnce() -> bool,
    ) -> Option<Self> {
        Self::of_challenges(status, &Challenge::parse_all(headers), others_may_help)
    }

    /// As [`of`](Self::of), of challenges that have been read already.
    pub fn of_challenges(
        status: StatusCode,
        challenges: &[Challenge],
        others_may_help: impl FnOnce() -> bool,
    ) -> Option<Self> {
        let for_tokens = challenges.iter().find(|challenge| challenge.is("Bearer") || challenge.is("DPoP"));
        let too_small = for_tokens
            .filter(|challenge| challenge.error() == Some("insufficient_scope"))
            .map(|challenge| challenge.scope().into_iter().map(str::to_owned).collect::<Vec<String>>());
        match status {
            // Some say with 401 what 403 is for (RFC 6750 section 3.1). Without a scope there is nothing more to ask for.
            StatusCode::UNAUTHORIZED => match too_small.filter(|scopes| !scopes.is_empty()) {
                Some(scopes) => Some(Self::InsufficientScope { scopes }),
                None => Some(Self::Unauthorized),
            },
            StatusCode::FORBIDDEN => match (for_tokens, too_small) {
                (Some(_), Some(scopes)) => Some(Self::InsufficientScope { scopes }),
                (Some(_), None) => Some(Self::Forbidden),
                (None, _) => others_may_help().then_some(Self::Forbidden),
            },
            _ => None,
        }
    }
}

/// What to do after a refusal.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum AfterRefusal {
    /// Send the request again: [`Replay::credentials`] are others now.
    SendAgain,
    /// Others were asked for, and they are the refused ones: the answer is known.
    Unchanged,
    /// A person has to sign in.
    LoginRequired,
    /// There is nothing more to try.
    Exhausted,
}

/// One request on its way: the credentials that it is sent with, and how many times it has been.
///
/// A provider that always has others does not change the bound ([`Capabilities::recoveries`]).
#[derive(Clone, Debug)]
pub struct Replay<'a> {
    provider: Option<&'a dyn AuthProvider>,
    base: Option<&'a Credentials>,
    used: Credentials,
    recoveries: u32,
}

impl<'a> Replay<'a> {
    /// Asks `provider` for the credentials in force; they are sent on top of those in `base`.
    ///
    /// # Errors
    ///
    /// There are none: nothing is sent.
    pub async fn begin(
        provider: Option<&'a dyn AuthProvider>,
        base: Option<&'a Credentials>,
    ) -> Result<Self, AuthError> {
        let supplied = match provider {
            Some(provider) => answered(provider, provider.credentials()).await?,
            None => Credentials::none(),
        };
        Ok(Self { provider, base, used: over(base, supplied), recoveries: 0 })
    }

    /// What the request is sent with. They go to the origin that they are for, and to no other.
    pub fn credentials(&self) -> &Credentials {
        &self.used
    }

    /// How many times the request is sent, with the credentials in hand.
    pub fn attempts(&self) -> u32 {
        self.recoveries + 1
    }

    /// Whether the provider can mint others, so that a bare 403 is worth asking it.
    pub fn is_refreshable(&self) -> bool {
        self.provider.is_some_and(|provider| provider.capabilities().refreshable)
    }

    /// Whether a refusal is worth asking about: there is a provider, and it has not had its turns for this request.
    pub fn is_open(&self) -> bool {
        let turns =
            |provider: &dyn AuthProvider| provider.capabilities().bound().max(Capabilities::RECOVERIES);
        self.provider.is_some_and(|provider| self.recoveries < turns(provider))
    }

    /// Tells the provider of an answer to the request itself: its credentials were taken.
    ///
    /// # Errors
    ///
    /// The answer is not one of the server that was meant; it is not used.
    pub fn accepted(&self, status: StatusCode, url: &Url, headers: &HeaderMap) -> Result<(), AuthError> {
        match self.provider {
            Some(provider) => provider.on_answer(Acceptance::new(status, url, headers, &self.used)),
            None => Ok(()),
        }
    }

    /// Asks the provider for others.
    ///
    /// # Errors
    ///
    /// There are none, and the provider says why: nothing more is sent.
    pub async fn refused(
        &mut self,
        status: StatusCode,
        challenges: &[Challenge],
        headers: &HeaderMap,
    ) -> Result<AfterRefusal, AuthError> {
        let Some(provider) = self.provider.filter(|_| self.is_open()) else {
            return Ok(AfterRefusal::Exhausted);
        };
        let rejection = Rejection::new(status, challenges, headers, &self.used).after(self.recoveries);
        Ok(match answered(provider, provider.on_rejected(rejection)).await? {
            Recovery::Retry(fresh) => {
                let fresh = over(self.base, fresh);
                if fresh.same_headers(&self.used) {
                    // The answer to the same bytes is already known.
                    return Ok(AfterRefusal::Unchanged);
                }
                self.used = fresh;
                self.recoveries += 1;
                AfterRefusal::SendAgain
            }
            Recovery::Unchanged => AfterRefusal::Unchanged,
            Recovery::LoginRequired => AfterRefusal::LoginRequired,
            Recovery::Exhausted => AfterRefusal::Exhausted,
        })
    }
}

fn over(base: Option<&Credentials>, supplied: Credentials) -> Credentials {
    match base {
        Some(base) => base.overlaid_with(&supplied),
        None => supplied,
    }
}

/// What `provider` answers. What is there at once, as credentials are but for the first request, costs no timer.
async fn answered<T>(provider: &dyn AuthProvider, mut asked: AuthFuture<'_, T>) -> Result<T, AuthError> {
    match poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Box::pin(tokio::time::timeout(PROVIDER_LIMIT, asked))
            .await
            .unwrap_or_else(|_| Err(AuthError::timed_out(provider.name(), PROVIDER_LIMIT))),
    }
}

/// What became of a request.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReplayOutcome<B> {
    /// The last answer of the server.
    pub response: http::Response<B>,
    /// What it says of the credentials, where it refused them and no others helped.
    pub refusal: Option<RefusalKind>,
    /// What the provider said to that.
    pub after: Option<AfterRefusal>,
    /// How many times the request was sent.
    pub attempts: u32,
}

/// Why a request has no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError<E> {
    /// There are no credentials, or no signature: nothing was sent, or nothing more.
    Credentials(AuthError),
    /// The answer is not one of the server that was meant.
    Answer(AuthError),
    /// The client failed.
    Client(E),
}

impl<E> fmt::Display for SendError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credentials(_) => "no credentials available",
            Self::Answer(_) => "the answer is not the server's",
            Self::Client(_) => "the request could not be sent",
        })
    }
}

impl<E: std::error::Error + 'static> std::error::Error for SendError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Credentials(error) | Self::Answer(error) => Some(error),
            Self::Client(error) => Some(error),
        }
    }
}

/// Sends `request` with the credentials of `provider`, and again with others where the server refuses them and the provider has
/// any. `client` makes one exchange of what it is given: whole requests, with their credentials and signatures.
///
/// It must not follow redirects to another origin, or credentials would go along.
///
/// # Errors
///
/// There are no credentials, the client failed, or the answer is not the server's. A refusal that stands is an answer:
/// [`ReplayOutcome::refusal`].
///
/// # Cancel safety
///
/// Where it is dropped, the request may have been sent. The provider stays usable.
///
/// # Examples
///
/// ```
/// # use bytes::Bytes;
/// # use http::{HeaderName, HeaderValue, Request, Response};
/// # use mcp_auth::StaticHeaders;
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let key = (HeaderName::from_static("x-api-key"), HeaderValue::from_static("s3cret"));
/// let provider = StaticHeaders::new([key]);
/// let request = Request::post("https://mcp.example/mcp").body(Bytes::from_static(b"{}")).unwrap();
/// let sent = mcp_auth::replay::send(&provider, &request, |request| async move {
///     // Any client: `reqwest::Request` is made of such a request.
///     let status = if request.headers().contains_key("x-api-key") { 200 } else { 401 };
///     Ok::<_, std::io::Error>(Response::builder().status(status).body(()).unwrap())
/// });
/// assert_eq!(sent.await.unwrap().response.status(), 200);
/// # });
/// ```
pub async fn send<B, E, F: Future<Output = Result<http::Response<B>, E>>>(
    provider: &dyn AuthProvider,
    request: &http::Request<Bytes>,
    mut client: impl FnMut(http::Request<Bytes>) -> F,
) -> Result<ReplayOutcome<B>, SendError<E>> {
    let url = Url::parse(&request.uri().to_string()).map_err(|error| {
        let message = "send the request: its URI is not a whole one";
        SendError::Credentials(AuthError::new(AuthErrorKind::Misconfigured, message).with_source(error))
    })?;
    let mut replay = Replay::begin(Some(provider), None).await.map_err(SendError::Credentials)?;
    loop {
        let mut ready = request.clone();
        replay.credentials().apply(ready.headers_mut());
        let signed = replay.credentials().sign(request.method(), &url, ready.headers_mut(), request.body());
        signed.await.map_err(SendError::Credentials)?;
        let response = client(ready).await.map_err(SendError::Client)?;
        let challenges = Challenge::parse_all(response.headers());
        let refusal = RefusalKind::of_challenges(response.status(), &challenges, || replay.is_refreshable());
        let attempts = replay.attempts();
        let Some(refusal) = refusal else {
            replay.accepted(response.status(), &url, response.headers()).map_err(SendError::Answer)?;
            return Ok(ReplayOutcome { response, refusal: None, after: None, attempts });
        };
        let after = replay.refused(response.status(), &challenges, response.headers()).await;
        match after.map_err(SendError::Credentials)? {
            AfterRefusal::SendAgain => {}
            after => {
                return Ok(ReplayOutcome { response, refusal: Some(refusal), after: Some(after), attempts });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Mutex;

    use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
    use http::{HeaderValue, Request, Response};

    use super::*;
    use crate::{CredentialSource, FetchReason, SingleFlight, StaticHeaders};

    /// Tokens `t1`, `t2`, … and so on.
    #[derive(Debug, Default)]
    struct CountingSource(Mutex<u32>);

    impl CredentialSource for CountingSource {
        fn name(&self) -> &str {
            "numbered"
        }

        fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
            let number = {
                let mut number = self.0.lock().unwrap();
                *number += 1;
                *number
            };
            let value = HeaderValue::try_from(format!("Bearer t{number}")).unwrap();
            Box::pin(std::future::ready(Ok(Credentials::new("numbered", [(AUTHORIZATION, value)]))))
        }
    }

    fn answer(status: u16, challenge: Option<&str>) -> Response<()> {
        let mut answer = Response::builder().status(status);
        if let Some(challenge) = challenge {
            answer = answer.header(WWW_AUTHENTICATE, challenge);
        }
        answer.body(()).unwrap()
    }

    /// What becomes of a request that is answered with `status` until it carries `accepted`, and what it carried each time.
    async fn story(
        provider: &dyn AuthProvider,
        accepted: &str,
        status: u16,
        challenge: Option<&str>,
    ) -> (ReplayOutcome<()>, Vec<String>) {
        let carried = Mutex::new(Vec::new());
        let request = Request::post("https://h.example/mcp").body(Bytes::from_static(b"{}")).unwrap();
        let sent = send(provider, &request, |request| {
            let token = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
            let token = token.unwrap_or_default();
            let answer = if token == accepted { answer(200, None) } else { answer(status, challenge) };
            carried.lock().unwrap().push(token);
            std::future::ready(Ok::<_, Infallible>(answer))
        });
        let sent = sent.await.unwrap();
        (sent, carried.into_inner().unwrap())
    }

    #[tokio::test]
    async fn a_refused_request_is_sent_again_with_others_and_no_oftener_than_that() {
        let provider = SingleFlight::new(CountingSource::default());
        let (sent, carried) = story(&provider, "Bearer t2", 401, None).await;
        assert_eq!((sent.response.status().as_u16(), sent.refusal, sent.attempts), (200, None, 2));
        assert_eq!(carried, ["Bearer t1", "Bearer t2"]);
        // One that the server refuses whatever it carries.
        let (sent, carried) = story(&provider, "never", 401, Some("Bearer")).await;
        assert_eq!(
            (sent.refusal, sent.after),
            (Some(RefusalKind::Unauthorized), Some(AfterRefusal::Exhausted))
        );
        assert_eq!(carried, ["Bearer t2", "Bearer t3"]);
        // What cannot change is sent once.
        let fixed = StaticHeaders::new([(AUTHORIZATION, HeaderValue::from_static("Bearer x"))]);
        let (sent, carried) = story(&fixed, "never", 401, None).await;
        assert_eq!((sent.attempts, carried.len()), (1, 1));
    }

    #[test]
    fn a_403_means_one_thing() {
        let of = |status: u16, field: &str, others_may_help| {
            let status = StatusCode::from_u16(status).unwrap();
            let mut headers = HeaderMap::new();
            if !field.is_empty() {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_str(field).unwrap());
            }
            RefusalKind::of(status, &headers, || others_may_help)
        };
        let scopes = |scopes: &[&str]| {
            Some(RefusalKind::InsufficientScope { scopes: scopes.iter().map(|s| (*s).into()).collect() })
        };
        for (status, field, others_may_help, expected) in [
            (401, "", false, Some(RefusalKind::Unauthorized)),
            (401, "Basic realm=x", true, Some(RefusalKind::Unauthorized)),
            (403, "", false, None),
            (403, "", true, Some(RefusalKind::Forbidden)),
            // A challenge for something else is as good as none.
            (403, "Basic realm=x", false, None),
            (403, "Bearer", false, Some(RefusalKind::Forbidden)),
            (403, "DPoP error=\"use_dpop_nonce\"", false, Some(RefusalKind::Forbidden)),
            (403, "Bearer error=\"invalid_token\"", false, Some(RefusalKind::Forbidden)),
            (403, "Bearer error=\"insufficient_scope\", scope=\"a b\"", false, scopes(&["a", "b"])),
            (401, "Bearer error=\"insufficient_scope\", scope=\"a b\"", false, scopes(&["a", "b"])),
            (401, "Bearer error=\"insufficient_scope\"", false, Some(RefusalKind::Unauthorized)),
            (403, "Basic realm=x, Bearer error=insufficient_scope", true, scopes(&[])),
            (407, "Bearer", true, None),
            (404, "Bearer", true, None),
            (200, "Bearer", true, None),
        ] {
            assert_eq!(of(status, field, others_may_help), expected, "{status} {field} {others_may_help}");
        }
    }

    #[tokio::test]
    async fn a_bare_403_asks_only_a_provider_that_can_mint_others() {
        let minting = SingleFlight::new(CountingSource::default());
        let (sent, _) = story(&minting, "Bearer t2", 403, None).await;
        assert_eq!((sent.response.status().as_u16(), sent.attempts), (200, 2));
        let fixed = StaticHeaders::new([(AUTHORIZATION, HeaderValue::from_static("Bearer x"))]);
        let (sent, _) = story(&fixed, "never", 403, None).await;
        assert_eq!((sent.response.status().as_u16(), sent.refusal, sent.attempts), (403, None, 1));
    }
}
