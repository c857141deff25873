//! Asking a provider: for credentials, for a signature, and whether an answer is its server's.

use http::HeaderMap;
use mcp_auth::replay::Replay;
use mcp_auth::{AuthError, Credentials};
use url::Url;

use super::{AuthedClient, Outbound};
use crate::error::{TransportError, TransportErrorKind};
use crate::http::client::Answer;
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
            Some(Err(error)) => Err(TransportError::credentials(AuthError::clone(error), "url")),
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

    pub(super) fn provider_name(&self) -> &str {
        self.provider.as_ref().map_or("url", |provider| provider.name())
    }
}
