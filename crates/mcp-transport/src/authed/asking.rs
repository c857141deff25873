//! Asking a provider: for credentials, for a signature, and whether an answer is its server's.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use http::HeaderMap;
use mcp_auth::{Acceptance, AuthError, AuthFuture, AuthProvider, Credentials};
use url::Url;

use super::{AuthedClient, Outbound};
use crate::error::{AuthContext, TransportError, TransportErrorKind};
use crate::http::client::Answer;
use crate::waiting::Waiting;

/// How long a provider without a limit of its own may take where the request has none either.
const PROVIDER_LIMIT: Duration = Duration::from_secs(300);

/// What `provider` answers. What is there at once, as credentials are but for the first request, costs no timer.
pub(super) async fn answered<T>(
    provider: &dyn AuthProvider,
    mut asked: AuthFuture<'_, T>,
) -> Result<T, AuthError> {
    match poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Box::pin(tokio::time::timeout(PROVIDER_LIMIT, asked))
            .await
            .unwrap_or_else(|_| Err(AuthError::timed_out(provider.name(), PROVIDER_LIMIT))),
    }
}

impl AuthedClient {
    /// Who is told where a request waits for its credentials.
    pub(super) fn waiting<'a>(&'a self, out: &Outbound<'a>) -> &'a Waiting {
        out.waiting.unwrap_or(&self.waiting)
    }

    /// The credentials in force, on top of what the URL itself says.
    pub(super) async fn credentials(&self) -> Result<Credentials, TransportError> {
        let supplied = match &self.provider {
            Some(provider) => answered(&**provider, provider.credentials())
                .await
                .map_err(|error| TransportError::credentials(error, provider.name()))
                .map_err(|error| error.without_secrets(&self.secrets()))?,
            None => Credentials::none(),
        };
        match &self.userinfo {
            Some(Err(error)) => {
                let error = AuthError::clone(error);
                Err(TransportError::credentials(error, "url"))
            }
            _ => Ok(self.over_userinfo(supplied)),
        }
    }

    /// `supplied`, on top of what the URL itself says.
    pub(super) fn over_userinfo(&self, supplied: Credentials) -> Credentials {
        match &self.userinfo {
            Some(Ok(basic)) => basic.overlaid_with(&supplied),
            _ => supplied,
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
    pub(super) fn accept(
        &self,
        url: &Url,
        answer: &Answer,
        used: &Credentials,
    ) -> Result<(), TransportError> {
        let Some(provider) = &self.provider else { return Ok(()) };
        provider.on_answer(Acceptance::new(answer.status, url, &answer.headers, used)).map_err(|error| {
            let words = format!("the answer is not the server's: failed to {error}");
            TransportError::new(TransportErrorKind::Protocol, "the answer is not the server's")
                .with_said(Some(mcp_text::sentence(&words)))
        })
    }

    fn provider_name(&self) -> &str {
        self.provider.as_ref().map_or("url", |provider| provider.name())
    }
}

impl TransportError {
    /// Credentials that could not be had.
    pub(crate) fn credentials(error: AuthError, provider: &str) -> Self {
        let context = AuthContext { provider: Some(provider.to_owned()), ..AuthContext::default() };
        Self::new(TransportErrorKind::Credentials, "no credentials could be had")
            .with_auth(context)
            .with_source(error)
    }
}
