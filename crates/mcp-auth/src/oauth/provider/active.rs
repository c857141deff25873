//! The tokens that a connection uses, and what is sent of them.

use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderValue;
use http::header::AUTHORIZATION;

use super::super::dpop::DpopKey;
use super::super::store::{StoredTokens, TokenKey};
use crate::{AuthError, AuthErrorKind, Credentials};

/// Tokens in use.
#[derive(Clone, Debug)]
pub(super) struct ActiveTokens {
    pub(super) key: TokenKey,
    pub(super) tokens: StoredTokens,
    pub(super) dpop: Option<Arc<DpopKey>>,
    /// They could not be kept; tried again with every use.
    pub(super) unsaved: bool,
}

impl ActiveTokens {
    pub(super) fn authorization(&self) -> Result<HeaderValue, AuthError> {
        let scheme = if self.dpop.is_some() { "DPoP" } else { "Bearer" };
        HeaderValue::try_from(format!("{scheme} {}", self.tokens.access_token.expose())).map_err(|_| {
            AuthError::new(AuthErrorKind::Protocol, "use the access token: it is not a header value")
        })
    }

    /// Whether a request with `used` carried these.
    pub(super) fn is_of(&self, used: &Credentials) -> bool {
        self.authorization().is_ok_and(|own| used.header(&AUTHORIZATION) == Some(&own))
    }

    pub(super) fn credentials(&self, name: &'static str) -> Result<Credentials, AuthError> {
        let credentials = Credentials::new(name, [(AUTHORIZATION, self.authorization()?)])
            .with_expiry(self.tokens.expires_at);
        Ok(match &self.dpop {
            Some(key) => key.sign_with(credentials, &self.tokens.access_token),
            None => credentials,
        })
    }

    pub(super) fn has_expired(&self, now: SystemTime) -> bool {
        self.tokens.expires_at.is_some_and(|end| end <= now)
    }
}
