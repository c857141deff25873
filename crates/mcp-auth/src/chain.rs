//! The auth chain of one connection: static headers → authority → fallback, as one provider.
//!
//! The chain decides *who is asked* when the server refuses; what each does is its own matter. With a helper as
//! authority, one request can see two recoveries, one of each provider:
//!
//! | refusal | is asked | sent again when |
//! |---|---|---|
//! | first | the helper | its fresh headers differ |
//! | first, and the helper has nothing new or no `Authorization`; or second | OAuth, if the server offers it and a person has signed in | its headers, over the helper's, differ |
//! | third | none | never |
//!
//! Until OAuth is asked, nothing but its [`snapshot`](AuthProvider::snapshot) is touched, so no discovery,
//! registration or token request can come from a server whose helper works. Once it has answered, its headers
//! go along with every later request of the connection.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::AUTHORIZATION;

use crate::provider::{Acceptance, ProviderSnapshot};
use crate::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, Capabilities, Challenge, Credentials, Recovery,
    Rejection, static_headers,
};

/// A provider that is asked after the authority, under conditions.
#[derive(Debug)]
pub(crate) struct Fallback {
    provider: Arc<dyn AuthProvider>,
    /// The entry itself says that the server takes sign-ins.
    configured: bool,
    /// It has answered once: from now on its headers go along.
    active: AtomicBool,
}

impl Fallback {
    pub(crate) fn new(provider: Arc<dyn AuthProvider>, configured: bool) -> Self {
        Self { provider, configured, active: AtomicBool::new(false) }
    }

    fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    fn set_active(&self, active: bool) {
        self.active.store(active, Ordering::Release);
    }

    async fn credentials(&self) -> Result<Credentials, AuthError> {
        self.noted(self.provider.credentials().await)
    }

    /// A sign-in that has ended takes the fallback out of the chain, so that the next request is the
    /// authority's again.
    fn noted<T>(&self, outcome: Result<T, AuthError>) -> Result<T, AuthError> {
        if outcome.as_ref().is_err_and(|error| error.kind() == AuthErrorKind::SignInExpired) {
            self.set_active(false);
        }
        outcome
    }

    fn supplied_authorization_of(&self, used: &Credentials) -> bool {
        used.supplier(&AUTHORIZATION) == Some(self.provider.name())
    }
}

#[derive(Debug)]
enum Authority {
    /// The configured one, as people call it, may not run, and nothing stands in for it.
    Withheld(String),
    /// It mints credentials without a person.
    Minting { provider: Arc<dyn AuthProvider>, fallback: Option<Fallback> },
    /// A person signs in to it.
    SignIn { provider: Arc<dyn AuthProvider>, configured: bool },
}

/// The headers that the entry has itself.
#[derive(Debug)]
pub(crate) struct Base {
    fixed: Credentials,
    /// Those with secrets in them that are read first.
    sourced: Option<Arc<dyn AuthProvider>>,
}

impl Base {
    pub(crate) fn new(fixed: Credentials, sourced: Option<Arc<dyn AuthProvider>>) -> Self {
        Self { fixed, sourced }
    }

    /// Each layer, the lowest first.
    async fn credentials(&self) -> Result<Vec<Credentials>, AuthError> {
        let mut layers = vec![self.fixed.clone()];
        if let Some(sourced) = &self.sourced {
            layers.push(sourced.credentials().await?);
        }
        Ok(layers)
    }

    /// Reads them again, where what was refused is what was read last. Tells whether they are others now.
    async fn read_again(&self, rejection: Rejection<'_>) -> Result<bool, AuthError> {
        match &self.sourced {
            Some(sourced) => Ok(matches!(sourced.on_rejected(rejection).await?, Recovery::Retry(_))),
            None => Ok(false),
        }
    }
}

impl From<Credentials> for Base {
    fn from(fixed: Credentials) -> Self {
        Self::new(fixed, None)
    }
}

/// The providers of one connection, acting as one.
#[derive(Debug)]
pub(crate) struct Chain {
    base: Base,
    authority: Authority,
    /// The server has offered a sign-in on this connection.
    advertised: AtomicBool,
    /// The last composition, so that unchanged parts keep one generation.
    composed: Mutex<Option<(Vec<u64>, Credentials)>>,
    /// The generation for which both providers were asked at once: its refusal is final.
    spent: AtomicU64,
}

impl Chain {
    pub(crate) fn withheld(base: impl Into<Base>, called: &str) -> Self {
        Self::new(base, Authority::Withheld(called.to_owned()))
    }

    pub(crate) fn authority(
        base: impl Into<Base>,
        provider: Arc<dyn AuthProvider>,
        fallback: Option<Fallback>,
    ) -> Self {
        Self::new(base, Authority::Minting { provider, fallback })
    }

    pub(crate) fn sign_in(base: impl Into<Base>, provider: Arc<dyn AuthProvider>, configured: bool) -> Self {
        Self::new(base, Authority::SignIn { provider, configured })
    }

    fn new(base: impl Into<Base>, authority: Authority) -> Self {
        let (advertised, composed, spent) = Default::default();
        Self { base: base.into(), authority, advertised, composed, spent }
    }

    /// The base with these on top, in order.
    async fn compose(&self, over: &[&Credentials]) -> Result<Credentials, AuthError> {
        let base = self.base.credentials().await?;
        let layers = base.iter().chain(over.iter().copied());
        let key: Vec<u64> = layers.clone().map(Credentials::generation).collect();
        let mut composed = self.composed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*composed {
            Some((known, credentials)) if *known == key => Ok(credentials.clone()),
            _ => {
                // Alone it stays what it is.
                let fixed = self.base.fixed.clone();
                let credentials = layers.skip(1).fold(fixed, |below, over| below.overlaid_with(over));
                *composed = Some((key, credentials.clone()));
                Ok(credentials)
            }
        }
    }

    async fn load(&self) -> Result<Credentials, AuthError> {
        match &self.authority {
            Authority::Withheld(_) => self.compose(&[]).await,
            Authority::SignIn { provider, .. } => self.compose(&[&provider.credentials().await?]).await,
            Authority::Minting { provider, fallback } => {
                let minted = provider.credentials().await?;
                match fallback.as_ref().filter(|fallback| fallback.is_active()) {
                    Some(fallback) => self.compose(&[&minted, &fallback.credentials().await?]).await,
                    None => self.compose(&[&minted]).await,
                }
            }
        }
    }

    async fn recover(&self, rejection: Rejection<'_>) -> Result<Recovery, AuthError> {
        // Any of them: a server may send a bare challenge beside the one that says where to sign in.
        if rejection
            .challenges
            .iter()
            .any(|challenge| challenge.is("Bearer") && challenge.resource_metadata().is_some())
        {
            self.advertised.store(true, Ordering::Release);
        }
        let renewed = self.base.read_again(rejection).await?;
        let recovery = match &self.authority {
            _ if renewed && !self.is_minting() => Recovery::Unchanged,
            Authority::Withheld(_) => Recovery::Exhausted,
            Authority::SignIn { provider, .. } => self.sign_in_again(&**provider, rejection).await?,
            Authority::Minting { provider, fallback } => {
                self.mint_again(&**provider, fallback.as_ref(), rejection).await?
            }
        };
        match recovery {
            Recovery::Retry(fresh) => Ok(Recovery::Retry(fresh)),
            // What the others have is the same, and what the entry has itself is not.
            _ if renewed => Ok(retry(self.load().await?, rejection.used)),
            other => Ok(other),
        }
    }

    async fn sign_in_again(
        &self,
        provider: &dyn AuthProvider,
        rejection: Rejection<'_>,
    ) -> Result<Recovery, AuthError> {
        let its_own = rejection.used.supplier(&AUTHORIZATION) == Some(provider.name());
        // A server that asks for `Basic` or `Negotiate` wants no token.
        if !its_own && !asks_for_a_token(rejection.challenges) {
            return Ok(Recovery::Exhausted);
        }
        match provider.on_rejected(rejection).await? {
            Recovery::Retry(fresh) => Ok(retry(self.compose(&[&fresh]).await?, rejection.used)),
            other => Ok(other),
        }
    }

    async fn mint_again(
        &self,
        provider: &dyn AuthProvider,
        fallback: Option<&Fallback>,
        rejection: Rejection<'_>,
    ) -> Result<Recovery, AuthError> {
        let used = rejection.used;
        // Before its last leg it is the authority's turn, and after it the fallback's, once.
        let legs = legs_of(provider);
        let first = rejection.recoveries < legs;
        let spent = rejection.recoveries > 0 && used.generation() == self.spent.load(Ordering::Acquire);
        if rejection.recoveries > legs || spent {
            return Ok(Recovery::Exhausted);
        }
        let usable = fallback.filter(|fallback| self.is_offered(fallback) && is_signed_in(fallback));
        let mut unchanged = false;
        if first {
            let recovery = provider.on_rejected(rejection).await?;
            unchanged = matches!(recovery, Recovery::Unchanged);
            if let Recovery::Retry(minted) = recovery {
                let fresh = match fallback.filter(|fallback| fallback.is_active()) {
                    Some(fallback) => self.compose(&[&minted, &fallback.credentials().await?]).await?,
                    None => self.compose(&[&minted]).await?,
                };
                let complete = usable.is_none() || fresh.header(&AUTHORIZATION).is_some();
                unchanged = fresh.same_headers(used);
                if complete && !unchanged {
                    return Ok(Recovery::Retry(fresh));
                }
            }
        }
        let Some(usable) = usable else {
            let offered = fallback.is_some_and(|fallback| self.is_offered(fallback));
            return Ok(match (unchanged, offered) {
                // That a person could sign in is in the snapshot as well.
                (true, _) => Recovery::Unchanged,
                (false, true) => Recovery::LoginRequired,
                (false, false) => Recovery::Exhausted,
            });
        };
        let signed = if usable.supplied_authorization_of(used) {
            // For this provider it is the first refusal of the request, however many the others had.
            match usable.noted(usable.provider.on_rejected(rejection.after(0)).await)? {
                Recovery::Retry(signed) => signed,
                other => return Ok(other),
            }
        } else {
            usable.credentials().await?
        };
        let fresh = self.compose(&[&provider.credentials().await?, &signed]).await?;
        usable.set_active(true);
        if first {
            self.spent.store(fresh.generation(), Ordering::Release);
        }
        Ok(retry(fresh, used))
    }

    /// Each provider whose headers go along, the authority first, until one fails.
    fn each<E>(&self, mut visit: impl FnMut(&dyn AuthProvider) -> Result<(), E>) -> Result<(), E> {
        match &self.authority {
            Authority::Withheld(_) => Ok(()),
            Authority::SignIn { provider, .. } => visit(&**provider),
            Authority::Minting { provider, fallback } => {
                visit(&**provider)?;
                let active = fallback.as_ref().filter(|fallback| fallback.is_active());
                active.map_or(Ok(()), |fallback| visit(&*fallback.provider))
            }
        }
    }

    fn is_minting(&self) -> bool {
        matches!(self.authority, Authority::Minting { .. })
    }

    fn is_offered(&self, fallback: &Fallback) -> bool {
        fallback.configured || self.advertised.load(Ordering::Acquire)
    }
}

/// How many refusals of one request are the authority's to answer. Two is what a request gets in any case, one of them by a
/// fallback.
fn legs_of(provider: &dyn AuthProvider) -> u32 {
    match provider.capabilities().bound() {
        ..=Capabilities::RECOVERIES => 1,
        legs => legs,
    }
}

/// What was refused with the same bytes is not sent again: its answer is known.
fn retry(fresh: Credentials, used: &Credentials) -> Recovery {
    if fresh.same_headers(used) { Recovery::Unchanged } else { Recovery::Retry(fresh) }
}

fn is_signed_in(fallback: &Fallback) -> bool {
    fallback.provider.snapshot().signed_in
}

/// Whether a token could be the answer: the server names a token scheme, or none at all.
fn asks_for_a_token(challenges: &[Challenge]) -> bool {
    challenges.is_empty() || challenges.iter().any(|challenge| challenge.is("Bearer") || challenge.is("DPoP"))
}

impl AuthProvider for Chain {
    /// The name of the provider that answers for the server.
    fn name(&self) -> &str {
        match &self.authority {
            Authority::Withheld(_) => static_headers::NAME,
            Authority::Minting { provider, .. } | Authority::SignIn { provider, .. } => provider.name(),
        }
    }

    fn capabilities(&self) -> Capabilities {
        match &self.authority {
            Authority::Withheld(_) => Capabilities::default(),
            Authority::SignIn { provider, .. } => provider.capabilities(),
            Authority::Minting { provider, fallback } => {
                let own = provider.capabilities();
                let offered = fallback.as_ref().is_some_and(|fallback| self.is_offered(fallback));
                let recoveries = match legs_of(&**provider) {
                    1 => Capabilities::RECOVERIES,
                    legs => legs + u32::from(fallback.is_some()),
                };
                Capabilities::new(own.refreshable, own.login || offered).with_recoveries(recoveries)
            }
        }
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        Box::pin(self.load())
    }

    fn on_rejected<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        Box::pin(self.recover(rejection))
    }

    fn on_answer(&self, acceptance: Acceptance<'_>) -> Result<(), AuthError> {
        self.each(|provider| provider.on_answer(acceptance))
    }

    fn invalidate(&self) {
        if let Some(sourced) = &self.base.sourced {
            sourced.invalidate();
        }
        let Ok(()) = self.each(|provider| {
            provider.invalidate();
            Ok::<(), Infallible>(())
        });
    }

    fn snapshot(&self) -> ProviderSnapshot {
        let advertised = self.advertised.load(Ordering::Acquire);
        match &self.authority {
            Authority::Withheld(called) => {
                ProviderSnapshot { withheld: Some(called.clone()), ..ProviderSnapshot::default() }
            }
            Authority::SignIn { provider, configured } => {
                let own = provider.snapshot();
                ProviderSnapshot { login_offered: own.login_offered || *configured || advertised, ..own }
            }
            Authority::Minting { provider, fallback } => {
                let own = provider.snapshot();
                let Some(fallback) = fallback else { return own };
                let theirs = fallback.provider.snapshot();
                ProviderSnapshot {
                    signed_in: theirs.signed_in,
                    sign_in_unknown: theirs.sign_in_unknown,
                    login_offered: self.is_offered(fallback),
                    asks: theirs.asks.or(own.asks.clone()),
                    ..own
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
