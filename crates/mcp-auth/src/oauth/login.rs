//! Signing in and out: what a command does, never a request.
//!
//! Until the new tokens have been proven against the server, everything that was there before stays in place: whoever
//! interrupts a sign-in, or fails at it, is as well off as before.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use oauth2::StandardDeviceAuthorizationResponse;
use url::Url;

use super::authorize::{AuthorizationRequest, CallbackParams};
use super::authorizer::{
    Authorizer, AuthorizerSession, DevicePrompt, RedirectWish, SignInPrompt, authorization_prompt,
};
use super::client_auth::ClientIdentity;
use super::clock::Clock;
use super::context::Context;
use super::discovery::{Discovery, challenge_param};
use super::dpop::DpopKey;
use super::failure::{Answer, Failure, Step};
use super::provider::OAuthProvider;
use super::registration::{self, Client};
use super::revoke::revoke;
use super::scope::OFFLINE_ACCESS;
use super::settings::OAuthSettings;
use super::store::{ClientKey, MemoryTokenStore, StoredTokens, TokenKey, TokenStore};
use super::token::TokenAnswer;
use super::urls::{redacted, secure};
use crate::{AuthError, AuthErrorKind, AuthFuture, AuthProvider, Challenge, HttpExchange, Target};

/// Where a device code is registered to send nobody: some servers insist on a redirect URI all the same.
const DEVICE_REDIRECT: &str = "http://localhost/callback";

/// Sign-in, sign-out and reset for one server.
#[derive(Clone, Debug)]
pub struct OAuthLogin {
    ctx: Context,
}

/// Tries the new credentials on the server itself: a sign-in is a success only when the server says so.
pub trait LoginProbe: fmt::Debug + Send + Sync {
    /// Talks to the server with `provider`, which has the new tokens and renews nothing.
    ///
    /// # Errors
    ///
    /// Why the server did not accept them. The tokens are then dropped and those of before stay.
    fn probe(&self, provider: Arc<dyn AuthProvider>) -> AuthFuture<'_, ()>;
}

/// A sign-in that succeeded.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SignedIn {
    /// Who issued the tokens.
    pub issuer: String,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// When the access token expires, if the server said so.
    pub expires_at: Option<SystemTime>,
    /// Whether the tokens can be refreshed without a person.
    pub refreshable: bool,
}

/// What a sign-out did.
#[derive(Debug)]
#[non_exhaustive]
pub struct SignedOut {
    /// How many sign-ins were forgotten: 0 if nobody was signed in.
    pub forgotten: usize,
    /// For each issuer, whether it has revoked the tokens.
    pub revocations: Vec<(String, Revocation)>,
}

/// Whether tokens were revoked at their authorization server (RFC 7009).
#[derive(Debug)]
#[non_exhaustive]
pub enum Revocation {
    /// They were.
    Revoked,
    /// The server offers no revocation: the access token works until it expires.
    NotOffered,
    /// The server did not do it.
    Failed(AuthError),
}

impl OAuthLogin {
    /// The login of one server.
    pub fn new(
        target: Target,
        settings: OAuthSettings,
        http: Arc<dyn HttpExchange>,
        store: Arc<dyn TokenStore>,
    ) -> Self {
        Self { ctx: Context { target, settings, http, store, clock: Clock::system() } }
    }

    #[cfg(test)]
    pub(crate) fn from_context(ctx: Context) -> Self {
        Self { ctx }
    }

    /// Finds out where to sign in. `challenges` are those of the server's refusal, if it has been asked: they say
    /// where its metadata is and which scopes it wants.
    ///
    /// # Errors
    ///
    /// When no authorization server is found, or none that may be used.
    pub async fn begin(&self, challenges: &[Challenge]) -> Result<PendingLogin, AuthError> {
        Ok(self.prepare(challenges).await?)
    }

    async fn prepare(&self, challenges: &[Challenge]) -> Result<PendingLogin, Failure> {
        let ctx = self.ctx.clone();
        if !ctx.settings.grant.needs_person() {
            let message = "sign in: this server is configured with a grant that needs no person";
            return Err(AuthError::new(AuthErrorKind::Misconfigured, message).into());
        }
        let discovery = ctx.discover(challenges).await?;
        let widen = challenge_param(challenges, "error") == Some("insufficient_scope");
        let before = if widen { ctx.store.load(&ctx.key(&discovery.issuer)).await? } else { None };
        let granted = before.map(|tokens| tokens.scopes).unwrap_or_default();
        let scopes = ctx.scopes(&discovery, challenges, &granted);
        let dpop = ctx.dpop_key(&discovery, challenges)?;
        Ok(PendingLogin { ctx, discovery, scopes, dpop })
    }

    /// Revokes the tokens of this server where its authorization server offers that, and forgets them in any case.
    ///
    /// # Errors
    ///
    /// Only when the store cannot forget them; a failed revocation is part of the result.
    pub async fn logout(&self) -> Result<SignedOut, AuthError> {
        self.sign_out(true).await
    }

    /// Forgets the tokens of this server without telling its authorization server: they work until they expire.
    ///
    /// # Errors
    ///
    /// When the store cannot forget them.
    pub async fn forget(&self) -> Result<SignedOut, AuthError> {
        self.sign_out(false).await
    }

    async fn sign_out(&self, revoke: bool) -> Result<SignedOut, AuthError> {
        let ctx = &self.ctx;
        let mut done = SignedOut { forgotten: 0, revocations: Vec::new() };
        for key in ctx.store.list(Some(&ctx.target.name)).await? {
            // A refresh that is under way would bring the sign-in back. Whoever holds the lock for too long does not
            // keep a person from signing out.
            let _guard = ctx.store.lock(&key).await;
            if let Some(tokens) = ctx.store.load(&key).await?.filter(|_| revoke) {
                done.revocations.push((key.issuer().to_owned(), self.revoke(&key, &tokens).await));
            }
            done.forgotten += usize::from(ctx.store.remove(&key).await?);
        }
        Ok(done)
    }

    async fn revoke(&self, key: &TokenKey, tokens: &StoredTokens) -> Revocation {
        let ctx = &self.ctx;
        let Some(url) = &tokens.revocation_endpoint else { return Revocation::NotOffered };
        let client = match ctx.identity_of(key, tokens).await {
            Ok(client) => client,
            Err(error) => return Revocation::Failed(error),
        };
        match revoke(&*ctx.http, url, key.issuer(), &client, tokens, &ctx.clock).await {
            Ok(()) => Revocation::Revoked,
            Err(failure) => Revocation::Failed(failure.into()),
        }
    }

    /// Forgets everything about this server without asking anyone: tokens and client registrations. What was discovered
    /// is kept nowhere else. The next sign-in starts from nothing.
    ///
    /// Returns how many records were forgotten.
    ///
    /// # Errors
    ///
    /// When the store cannot forget.
    pub async fn reset(&self) -> Result<usize, AuthError> {
        self.forget_records(true).await
    }

    /// The same for client registrations alone; the tokens stay, and the next sign-in registers anew.
    ///
    /// # Errors
    ///
    /// When the store cannot forget.
    pub async fn reset_registrations(&self) -> Result<usize, AuthError> {
        self.forget_records(false).await
    }

    async fn forget_records(&self, tokens: bool) -> Result<usize, AuthError> {
        let ctx = &self.ctx;
        let mut clients = ctx.store.list_clients(Some(&ctx.target.name)).await?;
        let mut forgotten = 0;
        for key in ctx.store.list(Some(&ctx.target.name)).await? {
            let _guard = ctx.store.lock(&key).await;
            // The registration may have been brought along by another entry with the same authorization server; a dead
            // one is dead for both.
            clients.push(ClientKey::registered(key.issuer()));
            if tokens {
                forgotten += usize::from(ctx.store.remove(&key).await?);
            }
        }
        clients.push(ClientKey::configured(&ctx.target.name));
        clients.sort();
        clients.dedup();
        for key in clients {
            forgotten += usize::from(ctx.store.remove_client(&key).await?);
        }
        Ok(forgotten)
    }
}

/// A sign-in that knows where to go.
#[derive(Clone, Debug)]
pub struct PendingLogin {
    ctx: Context,
    discovery: Discovery,
    scopes: Vec<String>,
    dpop: Option<Arc<DpopKey>>,
}

impl PendingLogin {
    /// What was found out.
    pub fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// The scopes that will be asked for; empty means that the server decides.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Whether the authorization server offers device codes (RFC 8628).
    pub fn offers_device_code(&self) -> bool {
        self.discovery.server.device_authorization_endpoint.is_some()
    }

    /// Signs in through `authorizer`. Dropping the future ends the sign-in and leaves everything as it was.
    ///
    /// # Errors
    ///
    /// Names the step, the URL (without its query) and the answer. The tokens of before are untouched.
    pub async fn complete(
        &self,
        authorizer: &dyn Authorizer,
        probe: &dyn LoginProbe,
    ) -> Result<SignedIn, AuthError> {
        let wish = self.redirect_wish().await?;
        let mut session = authorizer.prepare(&wish).await?;
        let outcome = self.sign_in(&mut *session, probe).await.map_err(AuthError::from);
        let shown = session.finish(&self.ctx.target.name, outcome.as_ref().map(|_| ())).await;
        if let Err(error) = shown {
            tracing::debug!(%error, "the end of the sign-in could not be shown");
        }
        outcome
    }

    async fn redirect_wish(&self) -> Result<RedirectWish, AuthError> {
        let spec = &self.ctx.settings.spec;
        Ok(RedirectWish {
            exact: spec.redirect_uri.clone(),
            port: spec.callback_port,
            preferred_port: registration::registered_port(&self.ctx, &self.discovery.issuer).await?,
        })
    }

    async fn sign_in(
        &self,
        session: &mut dyn AuthorizerSession,
        probe: &dyn LoginProbe,
    ) -> Result<SignedIn, Failure> {
        let resource = self.ctx.resource_parameter(&self.discovery);
        let mut client = registration::identify(&self.ctx, &self.discovery, session.redirect_uri()).await?;
        let mut first = self.round(session, &client.identity, resource.as_deref(), None).await;
        if let Err(failure) = &first
            && client.reused
            && failure.is_unknown_client()
        {
            client = self.replace(&client, session.redirect_uri()).await?;
            first = self.round(session, &client.identity, resource.as_deref(), None).await;
        }
        let mut tokens = first?;
        if self.scopes.iter().any(|scope| scope == OFFLINE_ACCESS) && tokens.is_short_of(OFFLINE_ACCESS) {
            // OpenID Connect lets a server give a refresh token only to someone who was asked on a consent page (Core
            // section 11). It is not demanded from the start, because other servers answer that with an error, or
            // with a page that only an administrator can pass (F79). Who declines has a sign-in without it.
            match self.round(session, &client.identity, resource.as_deref(), Some("consent")).await {
                Ok(lasting) => tokens = lasting,
                Err(failure) => {
                    tracing::debug!(%failure, "no refresh token; the sign-in ends with its tokens")
                }
            }
        }
        self.accept(tokens, &client.identity, resource, probe).await
    }

    /// One way to the authorization server and back, and the tokens for what was brought along.
    async fn round(
        &self,
        session: &mut dyn AuthorizerSession,
        client: &ClientIdentity,
        resource: Option<&str>,
        prompt: Option<&str>,
    ) -> Result<TokenAnswer, Failure> {
        let request = AuthorizationRequest::new(
            &self.discovery,
            &client.id,
            session.redirect_uri(),
            &self.scopes,
            resource,
            prompt,
        )?;
        let shown = authorization_prompt(&self.ctx.target.name, &request.url, &request.state);
        let answer = session.authorize(shown).await?;
        self.redeem(request, &answer, client, resource).await
    }

    /// A new registration in place of one that the server has forgotten.
    async fn replace(&self, old: &Client, redirect_uri: &str) -> Result<Client, Failure> {
        registration::forget(&self.ctx, &self.discovery.issuer, &old.identity.id).await?;
        registration::identify(&self.ctx, &self.discovery, redirect_uri).await
    }

    async fn redeem(
        &self,
        request: AuthorizationRequest,
        answer: &CallbackParams,
        client: &ClientIdentity,
        resource: Option<&str>,
    ) -> Result<TokenAnswer, Failure> {
        let code = request.check(answer)?;
        let grants = self.ctx.grants(&self.discovery, client, resource, self.dpop.as_deref())?;
        grants.code(&code, request.verifier, &request.redirect_uri).await
    }

    /// Signs in with a code that a person enters on any device (RFC 8628).
    ///
    /// # Errors
    ///
    /// As [`complete`](Self::complete); [`AuthErrorKind::Misconfigured`] where the server offers no device codes.
    pub async fn complete_with_device(
        &self,
        prompt: &dyn SignInPrompt,
        probe: &dyn LoginProbe,
    ) -> Result<SignedIn, AuthError> {
        Ok(self.device(prompt, probe).await?)
    }

    async fn device(&self, prompt: &dyn SignInPrompt, probe: &dyn LoginProbe) -> Result<SignedIn, Failure> {
        let Some(endpoint) = &self.discovery.server.device_authorization_endpoint else {
            let why = "the authorization server does not offer device codes".to_owned();
            return Err(Failure::new(
                Step::DeviceAuthorization,
                &self.discovery.issuer,
                Answer::Misconfigured(why),
            ));
        };
        let resource = self.ctx.resource_parameter(&self.discovery);
        let redirect = self.ctx.settings.spec.redirect_uri.as_deref().unwrap_or(DEVICE_REDIRECT);
        let client = registration::identify(&self.ctx, &self.discovery, redirect).await?;
        let (device, client) = match self.device_code(endpoint, &client, resource.as_deref()).await {
            Err(failure) if client.reused && failure.is_unknown_client() => {
                let client = self.replace(&client, redirect).await?;
                (self.device_code(endpoint, &client, resource.as_deref()).await?, client)
            }
            device => (device?, client),
        };
        self.show(prompt, endpoint, &device).await?;
        let grants =
            self.ctx.grants(&self.discovery, &client.identity, resource.as_deref(), self.dpop.as_deref())?;
        let tokens = grants.device_token(&device).await?;
        self.accept(tokens, &client.identity, resource, probe).await
    }

    async fn device_code(
        &self,
        endpoint: &str,
        client: &Client,
        resource: Option<&str>,
    ) -> Result<StandardDeviceAuthorizationResponse, Failure> {
        let grants = self.ctx.grants(&self.discovery, &client.identity, resource, None)?;
        grants.device_authorization(endpoint, &self.scopes).await
    }

    async fn show(
        &self,
        prompt: &dyn SignInPrompt,
        endpoint: &str,
        device: &StandardDeviceAuthorizationResponse,
    ) -> Result<(), Failure> {
        let page = |text: &str| -> Result<Url, Failure> {
            secure(text).map_err(|why| {
                Failure::invalid(
                    Step::DeviceAuthorization,
                    endpoint,
                    format!("the verification page {} {why}", redacted(text)),
                )
            })
        };
        let verification_uri = page(device.verification_uri())?;
        // Optional, so an unusable one is left out.
        let complete = device.verification_uri_complete().and_then(|uri| page(uri.secret()).ok());
        prompt
            .device(DevicePrompt {
                server_name: &self.ctx.target.name,
                verification_uri: &verification_uri,
                user_code: device.user_code().secret(),
                verification_uri_complete: complete.as_ref(),
                expires_in: device.expires_in(),
            })
            .await?;
        Ok(())
    }

    /// Proves the new tokens against the server, and only then puts them in the place of the old ones.
    async fn accept(
        &self,
        answer: TokenAnswer,
        client: &ClientIdentity,
        resource: Option<String>,
        probe: &dyn LoginProbe,
    ) -> Result<SignedIn, Failure> {
        let ctx = &self.ctx;
        let mut tokens = answer.into_stored(&client.id, &self.scopes, ctx.clock.now());
        Context::complete(&mut tokens, &self.discovery, resource, self.dpop.as_deref());
        let key = ctx.key(&self.discovery.issuer);
        probe.probe(self.trial(&key, &tokens).await?).await?;

        // Under the lock, so that a refresh of the old tokens cannot be saved over the new ones.
        let guard = ctx.store.lock(&key).await?;
        ctx.store.save(&key, &tokens).await?;
        drop(guard);
        ctx.keep_client(&self.discovery.issuer, client).await?;
        self.forget_other_issuers(&key).await;
        Ok(SignedIn {
            issuer: self.discovery.issuer.clone(),
            refreshable: tokens.refresh_token.is_some(),
            scopes: tokens.scopes,
            expires_at: tokens.expires_at,
        })
    }

    /// A provider that has the new tokens and nothing to renew them with, so that a refusal of the server is one.
    async fn trial(&self, key: &TokenKey, tokens: &StoredTokens) -> Result<Arc<dyn AuthProvider>, AuthError> {
        let store: Arc<dyn TokenStore> = Arc::new(MemoryTokenStore::default());
        store.save(key, &StoredTokens { refresh_token: None, ..tokens.clone() }).await?;
        Ok(Arc::new(OAuthProvider::from_context(Context { store, ..self.ctx.clone() })))
    }

    /// Tokens of an authorization server that this one has replaced are of no use to anyone.
    async fn forget_other_issuers(&self, key: &TokenKey) {
        let store = &self.ctx.store;
        let target = &self.ctx.target;
        let others = store.list(Some(&target.name)).await.unwrap_or_default();
        for other in others.iter().filter(|other| *other != key && other.is_for(&target.name, &target.url)) {
            if let Err(error) = store.remove(other).await {
                tracing::debug!(%error, "tokens of an earlier authorization server could not be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests;
