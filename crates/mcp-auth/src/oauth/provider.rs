//! The provider: stored tokens become credentials, and are renewed ahead of time, on a refusal, or not at all.
//!
//! It never opens a browser and never asks anyone: what only a person can mend is
//! [`Recovery::LoginRequired`]. Until there are tokens, or a refusal that a machine grant can answer, it
//! sends nothing to anyone, but for a program that wants to know whether a sign-in could begin.
//!
//! When to fetch, and what to send meanwhile, is decided by [`SingleFlight`], as for every source; [`source`] knows how.

use std::sync::Arc;

mod active;
mod facts;
mod source;

use self::source::OAuthSource;
use super::clock::Clock;
use super::context::Context;
use super::settings::OAuthSettings;
use super::store::TokenStore;
use crate::provider::{Acceptance, ProviderSnapshot};
use crate::{
    AuthError, AuthFuture, AuthProvider, Capabilities, CredentialSource as _, Credentials, HttpExchange,
    Recovery, Rejection, SingleFlight, Target,
};

/// OAuth as an [`AuthProvider`]. Cheap to clone; clones share everything. Fetches run in tasks of their own, so a tokio
/// runtime must be entered.
#[derive(Clone, Debug)]
pub struct OAuthProvider {
    flight: Arc<SingleFlight<OAuthSource>>,
}

impl OAuthProvider {
    /// The provider of one server. Nothing is read or sent until credentials are asked for.
    pub fn new(
        target: Target,
        settings: OAuthSettings,
        http: Arc<dyn HttpExchange>,
        store: Arc<dyn TokenStore>,
    ) -> Self {
        Self::from_context(Context { target, settings, http, store, clock: Clock::system() })
    }

    /// The same after one look into the store, so that [`snapshot`](AuthProvider::snapshot) knows from the
    /// start whether someone has signed in. A store that cannot be read is reported when credentials are asked for.
    pub async fn open(
        target: Target,
        settings: OAuthSettings,
        http: Arc<dyn HttpExchange>,
        store: Arc<dyn TokenStore>,
    ) -> Self {
        let provider = Self::new(target, settings, http, store);
        if let Err(error) = provider.flight.source().in_use_or_stored().await {
            tracing::debug!(%error, "the stored sign-in could not be read");
        }
        provider
    }

    pub(crate) fn from_context(ctx: Context) -> Self {
        let clock = ctx.clock.clone();
        // A token that a machine gets spends nothing: cut off, it is asked for once more.
        let spends = ctx.settings.grant.needs_person();
        let renewals = if spends { ctx.settings.renewals.clone() } else { Default::default() };
        let flight = SingleFlight::with_clock(OAuthSource::new(ctx), move || clock.now());
        Self { flight: Arc::new(flight.with_renewals(renewals).with_pauses_of_its_own()) }
    }
}

impl AuthProvider for OAuthProvider {
    fn name(&self) -> &str {
        self.flight.source().name()
    }

    fn capabilities(&self) -> Capabilities {
        self.flight.source().capabilities()
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        self.flight.credentials()
    }

    fn on_rejected<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        self.flight.on_rejected(rejection)
    }

    fn on_answer(&self, acceptance: Acceptance<'_>) -> Result<(), AuthError> {
        self.flight.on_answer(acceptance)
    }

    fn invalidate(&self) {
        self.flight.invalidate();
    }

    fn snapshot(&self) -> ProviderSnapshot {
        self.flight.source().snapshot()
    }
}

#[cfg(test)]
mod tests;
