//! A negotiation of several legs (RFC 4559 has the shape of it): each refusal brings a token, whose answer goes along with the
//! same request again, and the answer that is not a refusal proves that the server is the one that was meant.
//!
//! What a security package computes stands for itself here: the answer to a token is the token with `-answer` behind it.

use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use http::header::AUTHORIZATION;
use mcp_auth::provider::Acceptance;
use mcp_auth::{
    AuthError, AuthErrorKind, AuthFuture, Capabilities, Challenge, CredentialSource, Credentials,
    FetchReason, Recovery, Rejection,
};

/// Refusals of one request that are answered, so five legs.
const RECOVERIES: u32 = 4;
/// What the server's last token has to be.
const PROOF: &str = "mutual";

/// A security context with one server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Negotiation {
    /// How many contexts were begun. Each begins with a token of its own.
    begun: Arc<Mutex<u32>>,
}

impl Negotiation {
    /// The answer to the token of this refusal, or the first token of a new context.
    fn next(&self, why: &FetchReason<'_>) -> Result<Credentials, AuthError> {
        let token = match why {
            FetchReason::Rejected(rejection) => token(rejection.challenges),
            _ => None,
        };
        let answer = match token {
            Some(token) => format!("{token}-answer"),
            None => {
                let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
                *begun += 1;
                format!("hello-{begun}")
            }
        };
        let bad = |_| AuthError::new(AuthErrorKind::Protocol, "answer the token of the server");
        let value = HeaderValue::try_from(format!("Negotiate {answer}")).map_err(bad)?;
        Ok(Credentials::new("negotiation", [(AUTHORIZATION, value)]))
    }
}

fn token(challenges: &[Challenge]) -> Option<&str> {
    Challenge::find(challenges, "Negotiate")?.token68()
}

impl CredentialSource for Negotiation {
    fn name(&self) -> &str {
        "negotiation"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, false).with_recoveries(RECOVERIES)
    }

    fn fetch<'a>(&'a self, why: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(async move { self.next(&why) })
    }

    /// Each leg is a fetch. Without a token in it, a second refusal is final.
    fn judge<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Option<Recovery>> {
        let goes_on = rejection.recoveries == 0 || token(rejection.challenges).is_some();
        let verdict = (!goes_on || rejection.recoveries >= RECOVERIES).then_some(Recovery::Exhausted);
        Box::pin(std::future::ready(Ok(verdict)))
    }

    /// Mutual authentication: a token that comes with the answer has to be the right one.
    fn on_answer(&self, acceptance: Acceptance<'_>) -> Result<(), AuthError> {
        let challenges = Challenge::parse_all(acceptance.headers);
        match token(&challenges) {
            Some(token) if token != PROOF => {
                Err(AuthError::new(AuthErrorKind::Protocol, "recognise the server by its token"))
            }
            _ => Ok(()),
        }
    }
}
