//! Asking a provider: for credentials, for a signature, and whether an answer is its server's.

use http::{HeaderMap, StatusCode};
use mcp_auth::replay::Replay;
use mcp_auth::{AuthError, Credentials, Rejection};
use url::Url;

use super::{AuthedClient, Outbound};
use crate::error::{AuthContext, TransportError, TransportErrorKind};
use crate::http::client::Answer;
use crate::protocol::offer::RefusalTexts;
use crate::waiting::WaitState;

impl AuthedClient {
    /// Who is told where a request waits for its credentials.
    pub(super) fn waiting<'a>(&'a self, out: &Outbound<'a>) -> &'a WaitState {
        out.waiting.unwrap_or(&self.waiting)
    }

    /// A request on its way with the credentials in force, on top of what the URL itself says.
    pub(super) async fn begin(&self) -> Result<Replay<'_>, TransportError> {
        let base = self.userinfo.as_ref().and_then(|userinfo| userinfo.as_ref().ok());
        let replay = Replay::begin(self.provider.as_deref(), base).await.map_err(|error| {
            TransportError::credentials(error, self.provider_name()).without_secrets(&self.secrets())
        })?;
        match &self.userinfo {
            Some(Err(error)) => {
                Err(TransportError::credentials(AuthError::clone(error), mcp_auth::userinfo::NAME))
            }
            _ => Ok(replay),
        }
    }

    /// Signs a request that is complete otherwise.
    pub(super) async fn sign(
        &self,
        out: &Outbound<'_>,
        url: &Url,
        headers: &mut HeaderMap,
        used: &Credentials,
    ) -> Result<(), TransportError> {
        let signing = used.sign(&out.method, url, headers, &out.body);
        let signed = self.waiting(out).for_credentials(signing).await;
        signed.map_err(|error| TransportError::credentials(error, self.provider_name()))
    }

    /// Tells the provider of an answer to its credentials.
    pub(super) fn accept(url: &Url, answer: &Answer, replay: &Replay<'_>) -> Result<(), TransportError> {
        replay.accepted(answer.status, url, &answer.headers).map_err(|error| {
            let words = format!("the answer is not the server's: failed to {error}");
            TransportError::new(TransportErrorKind::Protocol, "the answer is not the server's")
                .with_said(Some(mcp_text::sentence(&words)))
        })
    }

    /// `failure` of an attempt to connect, of which the provider is told where it asks for credentials in words that are no
    /// challenge, and none were sent: so it finds out whether a person can sign in. What it says of others is not used: no
    /// words of a server have a request sent again.
    pub(crate) async fn asked_in_words(&self, failure: TransportError) -> TransportError {
        let (Some(provider), Some(status)) = (&self.provider, asks_in_words(&failure)) else {
            return failure;
        };
        if !provider.capabilities().login {
            return failure;
        }
        let Some(context) = failure.auth_context().filter(|context| !context.sent).cloned() else {
            return failure;
        };
        let used = Credentials::none();
        let headers = HeaderMap::new();
        let told = provider.on_rejected(Rejection::new(status, &[], &headers, &used));
        if let Err(error) = self.waiting.for_credentials(told).await {
            tracing::debug!(%error, "the provider does not tell whether a person can sign in");
        }
        let hindrance = provider.snapshot().login_hindrance;
        failure.with_auth(AuthContext { hindrance, asked_in_words: true, ..context })
    }

    pub(super) fn provider_name(&self) -> &str {
        self.provider.as_ref().map_or(mcp_auth::userinfo::NAME, |provider| provider.name())
    }
}

/// How servers ask for credentials that have no challenge for it, in lower case.
const ASKING: [&str; 16] = [
    "unauthorized",
    "unauthorised",
    "unauthenticated",
    "not authenticated",
    "not authorized",
    "not logged in",
    "not signed in",
    "authentication required",
    "authentication is required",
    "authorization required",
    "requires authentication",
    "missing token",
    "missing access token",
    "missing authorization",
    "authorization header",
    "bearer token",
];

/// The status of an answer that asks for credentials by its words alone. What a busy server says is not among them.
fn asks_in_words(failure: &TransportError) -> Option<StatusCode> {
    let status = match failure.kind() {
        TransportErrorKind::Http { status: status @ 400..=499, .. } => *status,
        TransportErrorKind::Rpc { .. } => 200,
        _ => return None,
    };
    let texts = RefusalTexts::of(failure);
    let asks = !matches!(status, 404 | 408 | 425 | 429) && ASKING.into_iter().any(|words| texts.names(words));
    StatusCode::from_u16(status).ok().filter(|_| asks)
}
