//! Signing in and out: what a command does, never a request.
//!
//! Until the new tokens have been proven against the server, everything that was there before stays in place: an
//! interrupted or failed sign-in changes nothing.
//!
//! Longer than 500 lines because each step of one sign-in hands on what the next one needs.

mod seed;
mod sign_out;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use oauth2::{PkceCodeVerifier, StandardDeviceAuthorizationResponse};
use url::Url;

use super::super::client_auth::ClientIdentity;
use super::super::clock::Clock;
use super::super::context::Context;
use super::super::discover::discovery::{Discovery, challenge_param};
use super::super::discover::outlook;
use super::super::discover::registration::{self, Client};
use super::super::discover::scope::OFFLINE_ACCESS;
use super::super::dpop::DpopKey;
use super::super::failure::{Answer, Failure, Step};
use super::super::identity::Identity;
use super::super::provider::OAuthProvider;
use super::super::settings::OAuthSettings;
use super::super::store::{MemoryTokenStore, StoredTokens, TokenKey, TokenStore};
use super::super::urls::redacted;
use super::authorize::{AuthorizationRequest, CallbackParams};
use super::authorizer::{
    Authorizer, AuthorizerSession, DevicePrompt, RedirectPreference, SignInPrompt, authorization_prompt,
};
use super::token::TokenAnswer;
use crate::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, Challenge, HttpExchange, LoginHindrance, Target,
};

/// The redirect URI that a device code is registered with and never uses: some servers insist on a redirect URI all the same.
const DEVICE_REDIRECT: &str = "http://localhost/callback";

pub use seed::SignInSeed;
pub use sign_out::{CompletedSignOut, Revocation};

/// Sign-in, sign-out and reset for one server.
#[derive(Clone, Debug)]
pub struct OAuthLogin {
    ctx: Context,
}

/// Tries the new credentials on the server itself: a sign-in is a success only when the server says so.
pub trait LoginProbe: fmt::Debug + Send + Sync {
    /// Talks to the server with the request's provider.
    ///
    /// # Errors
    ///
    /// Why the server did not accept the new tokens. They are then dropped, and those of before stay.
    fn probe(&self, request: ProbeRequest) -> AuthFuture<'_, ()>;
}

/// What a [`LoginProbe`] is asked to try.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProbeRequest {
    /// Has the new tokens, and renews nothing.
    pub provider: Arc<dyn AuthProvider>,
}

impl ProbeRequest {
    /// Asks to try what `provider` has.
    #[must_use]
    pub fn new(provider: Arc<dyn AuthProvider>) -> Self {
        Self { provider }
    }
}

/// A sign-in that succeeded.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SignedIn {
    /// Who issued the tokens.
    pub issuer: String,
    /// Who it is, as far as the tokens tell.
    pub identity: Option<Identity>,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// When the access token expires, if the server said so.
    pub expires_at: Option<SystemTime>,
    /// Whether the tokens can be refreshed without a person.
    pub refreshable: bool,
    /// Whether the configured client's secret is now kept with the sign-in, and was not before: a later process needs it
    /// to refresh. [`logout`](OAuthLogin::logout) removes it.
    pub keeps_secret: bool,
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
        let requested = &ctx.settings.requested_scopes;
        let widen =
            !requested.is_empty() || challenge_param(challenges, "error") == Some("insufficient_scope");
        let before = if widen { ctx.store.load(&ctx.key(&discovery.issuer)).await? } else { None };
        let scopes = ctx.scopes(&discovery, challenges, before.as_ref());
        let challenged = challenge_param(challenges, "scope").unwrap_or_default();
        let only_published =
            ctx.settings.spec.scopes.is_none() && requested.is_empty() && challenged.trim().is_empty();
        let named = requested.iter().map(String::as_str).chain(challenged.split_ascii_whitespace());
        let demanded = (ctx.settings.spec.scopes.is_some() && requested.is_empty())
            || named.into_iter().any(|scope| scope == OFFLINE_ACCESS);
        let dpop = ctx.dpop_key(&discovery, challenges)?;
        let unconfirmed = registration::sends_secret_to_stranger(&ctx, &discovery).await?;
        let offline_is_ours = !demanded;
        Ok(PendingLogin { ctx, discovery, scopes, offline_is_ours, only_published, dpop, unconfirmed })
    }
}

/// A sign-in that knows where to go.
#[derive(Clone, Debug)]
pub struct PendingLogin {
    ctx: Context,
    discovery: Discovery,
    scopes: Vec<String>,
    /// `offline_access` was asked for by us alone: neither a person nor the server insists on it.
    offline_is_ours: bool,
    /// Neither a person nor the server insists on any of them: they are what the server publishes.
    only_published: bool,
    dpop: Option<Arc<DpopKey>>,
    /// The configured secret would go to an issuer that the configuration does not name.
    unconfirmed: bool,
}

impl PendingLogin {
    /// What was found out.
    pub fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// What stands in its way, as far as that is known before it begins.
    pub fn hindrance(&self) -> Option<LoginHindrance> {
        outlook::of_discovery(&self.ctx, &self.discovery)
    }

    /// The scopes that will be asked for; empty means that the server decides.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// The issuer that would be sent the configured client's secret for the first time, although only the server (or the
    /// repository that brought the entry along) has named it. A person has to confirm it before anything else happens:
    /// with [`confirm_issuer`](Self::confirm_issuer), or with `oauth.issuer` in an entry of their own.
    pub fn unconfirmed_issuer(&self) -> Option<&str> {
        self.unconfirmed.then_some(&*self.discovery.issuer)
    }

    /// A person has said that the secret belongs to the [`unconfirmed_issuer`](Self::unconfirmed_issuer). A sign-in that
    /// succeeds binds it there.
    #[must_use]
    pub fn confirm_issuer(mut self) -> Self {
        self.unconfirmed = false;
        self
    }

    fn check_confirmed(&self) -> Result<(), Failure> {
        if !self.unconfirmed {
            return Ok(());
        }
        let why = "the client's secret would be sent there, and only the server has named it: confirm it with \
                   `oauth.issuer` in the entry";
        Err(Failure::new(Step::Registration, &self.discovery.issuer, Answer::Misconfigured(why.to_owned())))
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
        self.check_confirmed()?;
        let preference = self.redirect_preference().await?;
        let mut session = authorizer.prepare(&preference).await?;
        let outcome = self.sign_in(&mut *session, probe).await.map_err(AuthError::from);
        let shown = session.finish(&self.ctx.target.name, outcome.as_ref().map(|_| ())).await;
        if let Err(error) = shown {
            tracing::debug!(%error, "the end of the sign-in could not be shown");
        }
        outcome
    }

    async fn redirect_preference(&self) -> Result<RedirectPreference, AuthError> {
        let spec = &self.ctx.settings.spec;
        Ok(RedirectPreference {
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
        let mut resource = self.ctx.resource_parameter(&self.discovery);
        let mut scopes = self.scopes.clone();
        let mut client =
            registration::identify(&self.ctx, &self.discovery, session.redirect_uri(), &scopes).await?;
        let mut replaced = false;
        let mut tokens = loop {
            let round = self.round(session, &mut client.identity, &scopes, resource.as_deref(), None).await;
            let failure = match round {
                Ok(tokens) => break tokens,
                Err(failure) => failure,
            };
            let replaceable = client.reused && !replaced;
            // A registration of ours that does not say its scopes may be too narrow for what is asked now.
            let narrow = failure.is_invalid_scope()
                && (self.without_ours(&scopes).is_none() || !client.may_ask_for(&scopes));
            if replaceable && (failure.is_unknown_client() || narrow) {
                client = self.replace(&client, session.redirect_uri(), &scopes).await?;
                replaced = true;
            } else if let Some(fewer) = self.fewer(&scopes, &failure) {
                tracing::debug!(%failure, "once more with fewer scopes");
                scopes = fewer;
            } else if resource.is_some() && self.goes_without_resource(&failure) {
                tracing::debug!(%failure, "once more without a resource");
                resource = None;
            } else {
                return Err(failure);
            }
        };
        if scopes.iter().any(|scope| scope == OFFLINE_ACCESS) && tokens.is_short_of(OFFLINE_ACCESS) {
            // OpenID Connect lets a server give a refresh token only to someone who was asked on a consent page (Core
            // section 11). It is not demanded from the start, because other servers answer that with an error, or
            // with a page that only an administrator can pass (F79). Who declines has a sign-in without it.
            let consent = Some("consent");
            match self.round(session, &mut client.identity, &scopes, resource.as_deref(), consent).await {
                Ok(lasting) => tokens = lasting,
                Err(failure) => {
                    tracing::debug!(%failure, "no refresh token; the sign-in ends with its tokens")
                }
            }
        }
        self.accept(tokens, &client.identity, &scopes, resource, probe).await
    }

    /// The scopes without `offline_access`, where that was an extra of ours.
    fn without_ours(&self, scopes: &[String]) -> Option<Vec<String>> {
        let modest: Vec<String> = scopes.iter().filter(|scope| *scope != OFFLINE_ACCESS).cloned().collect();
        (self.offline_is_ours && modest.len() < scopes.len()).then_some(modest)
    }

    /// What is asked for after `failure` refused these scopes: first what was no extra of ours, then nothing, which is what the
    /// authorization server has for a client that names none (RFC 6749 section 3.3). What is insisted on is not left out.
    fn fewer(&self, scopes: &[String], failure: &Failure) -> Option<Vec<String>> {
        if !failure.is_invalid_scope() {
            return None;
        }
        let default = || (self.only_published && !scopes.is_empty()).then(Vec::new);
        self.without_ours(scopes).filter(|modest| !modest.is_empty()).or_else(default)
    }

    /// Whether the sign-in is tried once more without `resource`, which an authorization server does not know that refused it like
    /// this: others ignore it, with the same tokens in the end. What the entry says is not left out.
    ///
    /// Security: one that knows it and gives no token for this server (`invalid_target`) is not asked without. It would give one
    /// for another server, which this one would be sent.
    fn goes_without_resource(&self, failure: &Failure) -> bool {
        self.ctx.settings.spec.resource.is_none() && failure.takes_no_resource()
    }

    /// One way to the authorization server and back, and the tokens for what was brought along.
    async fn round(
        &self,
        session: &mut dyn AuthorizerSession,
        client: &mut ClientIdentity,
        scopes: &[String],
        resource: Option<&str>,
        prompt: Option<&str>,
    ) -> Result<TokenAnswer, Failure> {
        let request = AuthorizationRequest::new(
            &self.discovery,
            &client.id,
            session.redirect_uri(),
            scopes,
            resource,
            prompt,
            &self.ctx.authorize_params(),
        )?;
        let shown = authorization_prompt(&self.ctx.target.name, &request.url, &request.state);
        let answer = session.authorize(shown).await?;
        self.redeem(request, &answer, client, resource).await
    }

    /// A new registration in place of one that the server has forgotten.
    async fn replace(&self, old: &Client, redirect_uri: &str, scopes: &[String]) -> Result<Client, Failure> {
        registration::forget(&self.ctx, &self.discovery.issuer, &old.identity.id).await?;
        registration::identify(&self.ctx, &self.discovery, redirect_uri, scopes).await
    }

    async fn redeem(
        &self,
        request: AuthorizationRequest,
        answer: &CallbackParams,
        client: &mut ClientIdentity,
        resource: Option<&str>,
    ) -> Result<TokenAnswer, Failure> {
        let code = request.check(answer)?;
        let exchange = async |client: &ClientIdentity| {
            let grants = self.ctx.grants(&self.discovery, client, resource, self.dpop.as_deref())?;
            let verifier = PkceCodeVerifier::new(request.verifier.secret().clone());
            grants.code(&code, verifier, &request.redirect_uri).await
        };
        let failure = match exchange(client).await {
            Err(failure) if failure.is_unknown_client() => failure,
            exchanged => return exchanged,
        };
        // A client that was not recognised has not spent its code (RFC 6749 section 4.1.2). Servers list methods that they
        // do not implement, so another one that they list is tried, once.
        let supported = self.discovery.server.token_endpoint_auth_methods_supported.as_deref();
        let Some(other) = client.method.other(supported, client.secret.is_some()) else {
            return Err(failure);
        };
        let otherwise = ClientIdentity { method: other, ..client.clone() };
        let tokens = exchange(&otherwise).await.map_err(|_| failure)?;
        *client = otherwise;
        Ok(tokens)
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
        self.check_confirmed()?;
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
        let mut resource = self.ctx.resource_parameter(&self.discovery);
        let redirect = self.ctx.settings.spec.redirect_uri.as_deref().unwrap_or(DEVICE_REDIRECT);
        let mut scopes = self.scopes.clone();
        let mut client = registration::identify(&self.ctx, &self.discovery, redirect, &scopes).await?;
        let mut replaced = false;
        let device = loop {
            let failure = match self.device_code(endpoint, &client, &scopes, resource.as_deref()).await {
                Ok(device) => break device,
                Err(failure) => failure,
            };
            let refused = failure.is_unknown_client() || failure.is_invalid_scope();
            if client.reused && !replaced && refused {
                client = self.replace(&client, redirect, &scopes).await?;
                replaced = true;
            } else if let Some(fewer) = self.fewer(&scopes, &failure) {
                scopes = fewer;
            } else if resource.is_some() && self.goes_without_resource(&failure) {
                resource = None;
            } else {
                return Err(failure);
            }
        };
        self.show(prompt, endpoint, &device).await?;
        let grants =
            self.ctx.grants(&self.discovery, &client.identity, resource.as_deref(), self.dpop.as_deref())?;
        let tokens = grants.device_token(&device).await?;
        self.accept(tokens, &client.identity, &scopes, resource, probe).await
    }

    async fn device_code(
        &self,
        endpoint: &str,
        client: &Client,
        scopes: &[String],
        resource: Option<&str>,
    ) -> Result<StandardDeviceAuthorizationResponse, Failure> {
        let grants = self.ctx.grants(&self.discovery, &client.identity, resource, None)?;
        grants.device_authorization(endpoint, scopes).await
    }

    async fn show(
        &self,
        prompt: &dyn SignInPrompt,
        endpoint: &str,
        device: &StandardDeviceAuthorizationResponse,
    ) -> Result<(), Failure> {
        let page = |text: &str| -> Result<Url, Failure> {
            self.discovery.named_by.may_open(text).map_err(|refusal| {
                let what = format!("the verification page {}", redacted(text));
                Failure::barred(Step::DeviceAuthorization, endpoint, &what, &refusal)
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
        scopes: &[String],
        resource: Option<String>,
        probe: &dyn LoginProbe,
    ) -> Result<SignedIn, Failure> {
        let ctx = &self.ctx;
        let answer = ctx.presented(answer, Step::CodeExchange, &self.discovery.issuer)?;
        let (issuer, now) = (&*self.discovery.issuer, ctx.clock.now());
        let fault = answer.id_token_fault(&client.id, issuer, now);
        let mut tokens = answer.into_stored(&client.id, issuer, scopes, now);
        Context::complete(&mut tokens, &self.discovery, resource, self.dpop.as_deref());
        ctx.check_account(issuer, &tokens).map_err(|error| match fault {
            Some(fault) => AuthError::new(error.kind(), format!("{error}; its ID token {fault}")),
            None => error,
        })?;
        let key = ctx.key(issuer);
        probe.probe(ProbeRequest::new(self.trial(&key, &tokens).await?)).await?;

        // Under the lock, so that a refresh of the old tokens cannot be saved over the new ones.
        let guard = ctx.store.lock(&key).await?;
        ctx.store.save(&key, &tokens).await?;
        guard.release().await;
        let keeps_secret = ctx.keep_client(&self.discovery.issuer, client).await?;
        self.forget_other_issuers(&key).await;
        Ok(SignedIn {
            issuer: self.discovery.issuer.clone(),
            refreshable: tokens.refresh_token.is_some(),
            identity: tokens.identity,
            scopes: tokens.scopes,
            expires_at: tokens.expires_at,
            keeps_secret,
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
        for other in others.iter().filter(|other| *other != key && other.is_for(target)) {
            if let Err(error) = store.remove(other).await {
                tracing::debug!(%error, "tokens of an earlier authorization server could not be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests;
