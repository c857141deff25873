//! What the provider and the login share: the server, the settings, the network, the store and the time.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::client_auth::{AuthMethod, ClientIdentity};
use super::clock::Clock;
use super::discover::discovery::{self, Discovery, MetadataNeeds, Pins, challenge_param};
use super::discover::scope::{self, ScopeSources};
use super::dpop::DpopKey;
use super::failure::{Answer, Failure, Step};
use super::grant::grants::Grants;
use super::grant::token::TokenAnswer;
use super::identity;
use super::settings::OAuthSettings;
use super::store::{ClientKey, StoredClient, StoredTokens, TokenKey, TokenStore};
use super::urls::{redacted, same_issuer};
use crate::url_policy::UrlSource;
use crate::{AuthError, AuthErrorKind, Challenge, HttpExchange, Secret, Target};

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) target: Target,
    pub(crate) settings: OAuthSettings,
    pub(crate) http: Arc<dyn HttpExchange>,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) clock: Clock,
}

impl Context {
    /// Finds the authorization server.
    pub(crate) async fn discover(&self, challenges: &[Challenge]) -> Result<Discovery, Failure> {
        let spec = &self.settings.spec;
        let pins = Pins { metadata: spec.auth_server_metadata_url.as_ref(), issuer: spec.issuer.as_deref() };
        let url = &self.target.url;
        if let Some(endpoint) = &self.settings.token_endpoint {
            return Ok(discovery::at_token_endpoint(url, endpoint, spec.issuer.as_deref()));
        }
        let mut found = discovery::discover(&*self.http, url, pins, challenges, self.needs()).await?;
        // Security: a deliberate opt-in of the entry, for a server that says nothing; the verifier is sent in any case.
        if spec.assume_pkce && found.server.code_challenge_methods_supported.is_none() {
            found.server.code_challenge_methods_supported = Some(vec!["S256".to_owned()]);
        }
        Ok(found)
    }

    fn needs(&self) -> MetadataNeeds<'_> {
        let person = self.settings.grant.needs_person();
        let spec = &self.settings.spec;
        let registration = person && spec.client_id.is_none();
        let metadata_issuer = spec.metadata_issuer.as_deref();
        MetadataNeeds { person, registration, metadata_issuer, grant: !person }
    }

    /// Who named `issuer`: a person, where the entry does, else the server.
    pub(crate) fn issuer_named_by(&self, issuer: &str) -> UrlSource {
        match self.settings.spec.issuer.as_deref() {
            Some(pinned) if same_issuer(pinned, issuer) => UrlSource::person(),
            _ => UrlSource::server(&self.target.url),
        }
    }

    /// Who named the endpoints of `issuer` that are kept with its tokens: the document that they were in.
    ///
    /// # Errors
    ///
    /// When the issuer itself is not one that the server may name: an earlier version asked less.
    pub(crate) fn endpoints_named_by(&self, issuer: &str) -> Result<UrlSource, Failure> {
        if let Some(metadata) = &self.settings.spec.auth_server_metadata_url {
            return Ok(UrlSource::server(metadata));
        }
        let named = self.issuer_named_by(issuer).may_request(issuer);
        named.map(|issuer| UrlSource::server(&issuer)).map_err(|refusal| {
            Failure::barred(Step::ServerMetadata, issuer, "the authorization server's URL", &refusal)
        })
    }

    /// The `resource` parameter: configured, switched off by an empty string, or discovered.
    pub(crate) fn resource_parameter(&self, discovery: &Discovery) -> Option<String> {
        match self.settings.spec.resource.as_deref() {
            Some("") => None,
            Some(configured) => Some(configured.to_owned()),
            None => Some(discovery.resource.clone()),
        }
    }

    /// The answer as its tokens are sent: with the ID token first, where the entry wants that.
    pub(crate) fn presented(
        &self,
        answer: TokenAnswer,
        step: Step,
        issuer: &str,
    ) -> Result<TokenAnswer, Failure> {
        if !self.settings.spec.use_id_token {
            return Ok(answer);
        }
        answer.with_id_token(self.clock.now()).ok_or_else(|| {
            let why = "the authorization server gave no ID token, which `oauth.useIdToken` wants: ask for the scope openid \
                       with `oauth.scopes`, and sign in";
            Failure::new(step, issuer, Answer::Misconfigured(why.to_owned()))
        })
    }

    /// Checks that these are tokens of the issuer, the person and the organisation that the entry expects.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::WrongAccount`], with the account that it is instead: nothing may be sent with them.
    pub(crate) fn check_account(&self, issuer: &str, tokens: &StoredTokens) -> Result<(), AuthError> {
        let spec = &self.settings.spec;
        let wrong = |why: String| {
            let message = format!("use the sign-in: {why}");
            Err(AuthError::new(AuthErrorKind::WrongAccount, message))
        };
        if let Some(pinned) = spec.issuer.as_deref().filter(|pinned| !same_issuer(pinned, issuer)) {
            return wrong(format!("it is from {}, and `oauth.issuer` expects {pinned}", redacted(issuer)));
        }
        identity::mismatch(spec, tokens.identity.as_ref()).map_or(Ok(()), wrong)
    }

    /// The further parameters of the authorization request: those of the entry, and whom it expects, so that the page offers
    /// that account (`login_hint`, OpenID Connect Core section 3.1.2.1).
    pub(crate) fn authorize_params(&self) -> BTreeMap<String, String> {
        let mut params = self.settings.spec.authorize_params.clone();
        if let Some(person) = self.settings.spec.expect_subject.as_ref().filter(|name| name.contains('@')) {
            params.entry("login_hint".to_owned()).or_insert_with(|| person.clone());
        }
        params
    }

    /// What tokens of this server are kept under.
    pub(crate) fn key(&self, issuer: &str) -> TokenKey {
        TokenKey::of(&self.target, issuer)
    }

    /// The scopes to ask for; `before` is an earlier sign-in, whose scopes must not be lost.
    pub(crate) fn scopes(
        &self,
        discovery: &Discovery,
        challenges: &[Challenge],
        before: Option<&StoredTokens>,
    ) -> Vec<String> {
        scope::select(ScopeSources {
            requested: &self.settings.requested_scopes,
            lasting: before.is_some_and(|tokens| tokens.refresh_token.is_some()),
            pinned: self.settings.spec.scopes.as_deref(),
            challenged: challenge_param(challenges, "scope"),
            granted: before.map(|tokens| &*tokens.scopes).unwrap_or_default(),
            resource: discovery.resource_metadata.as_ref().and_then(|m| m.scopes_supported.as_deref()),
            server: discovery.server.scopes_supported.as_deref(),
        })
    }

    /// A key to bind tokens to, where the server asks for bound tokens and the authorization server can bind them.
    pub(crate) fn dpop_key(
        &self,
        discovery: &Discovery,
        challenges: &[Challenge],
    ) -> Result<Option<Arc<DpopKey>>, AuthError> {
        let required = discovery.resource_metadata.as_ref().and_then(|m| m.dpop_bound_access_tokens_required)
            == Some(true);
        let asked = challenges.iter().any(|challenge| challenge.is("DPoP"));
        if !(required || asked) || !discovery.server.supports_dpop_es256() {
            return Ok(None);
        }
        Ok(Some(Arc::new(DpopKey::generate(self.clock.clone())?)))
    }

    /// The secret of the configured client as it is now.
    pub(crate) async fn client_secret(&self) -> Result<Option<Secret>, AuthError> {
        match &self.settings.secret_source {
            Some(source) => source.assertion("").await.map(Some),
            None => Ok(self.settings.spec.client_secret.clone()),
        }
    }

    /// The client that stored tokens belong to.
    pub(crate) async fn identity_of(
        &self,
        key: &TokenKey,
        tokens: &StoredTokens,
    ) -> Result<ClientIdentity, AuthError> {
        let spec = &self.settings.spec;
        let configured = spec.client_id.as_deref() == Some(&tokens.client_id);
        let stored = self.stored_client(key.issuer(), &tokens.client_id).await?;
        let own = if configured { self.client_secret().await? } else { None };
        let secret = own.or_else(|| stored.as_ref().and_then(|client| client.client_secret.clone()));
        let registered = stored.as_ref().and_then(|client| client.token_endpoint_auth_method.as_deref());
        // The key belongs to the client that a person configured, not to one that was registered on the fly.
        let documented =
            spec.client_metadata_url.as_ref().is_some_and(|url| url.as_str() == tokens.client_id);
        let signing_key = self.settings.client_key.clone().filter(|_| configured || documented);
        let method = AuthMethod::choose(registered, None, secret.is_some(), signing_key.is_some());
        Ok(ClientIdentity { id: tokens.client_id.clone(), secret, key: signing_key, method })
    }

    /// What is kept about a client: with the entry, else with its authorization server.
    async fn stored_client(&self, issuer: &str, id: &str) -> Result<Option<StoredClient>, AuthError> {
        for key in [ClientKey::configured_for(&self.target), ClientKey::registered(issuer)] {
            if let Some(client) = self.store.load_client(&key).await?.filter(|client| client.client_id == id)
            {
                return Ok(Some(client));
            }
        }
        Ok(None)
    }

    /// Keeps the client of a sign-in with its entry: a configured one because its secret may not be there the next
    /// time, one with a secret because another entry may replace the registration that they share. Tells whether a secret
    /// of a person is kept that was not kept before.
    pub(crate) async fn keep_client(&self, issuer: &str, client: &ClientIdentity) -> Result<bool, AuthError> {
        let configured = self.settings.spec.client_id.as_deref() == Some(&client.id);
        if !configured && client.secret.is_none() {
            return Ok(false);
        }
        // A secret by reference is where it is, and stays there.
        let is_kept = !configured || self.settings.secret_source.is_none();
        let key = ClientKey::configured_for(&self.target);
        let before = self.store.load_client(&key).await.ok().flatten();
        let is_news = configured
            && is_kept
            && client.secret.is_some()
            && before.and_then(|before| before.client_secret) != client.secret;
        let mut stored = StoredClient::new(&client.id, &self.target.name);
        stored.client_secret = client.secret.clone().filter(|_| is_kept);
        stored.token_endpoint_auth_method = Some(client.method.as_str().to_owned());
        stored.issuer = Some(issuer.to_owned());
        self.store.save_client(&key, &stored).await?;
        Ok(is_news)
    }

    /// Forgets the client secrets of this entry, unless a sign-in of another account uses them. What stays says only which client
    /// belongs to which issuer, so that the secret goes to no other the next time. Tells whether there were any.
    pub(crate) async fn forget_secrets(&self, issuers: &[String]) -> Result<bool, AuthError> {
        let mut forgotten = false;
        let own = ClientKey::configured_for(&self.target);
        let others = self.store.list(None).await?;
        let is_used = others.iter().any(|key| key.server_name() == self.target.name);
        if let Some(mut client) = self.store.load_client(&own).await?.filter(|_| !is_used)
            && client.client_secret.take().is_some()
        {
            self.store.remove_client(&own).await?;
            if self.settings.spec.client_id.as_deref() == Some(&client.client_id) {
                self.store.save_client(&own, &client).await?;
            }
            forgotten = true;
        }
        for issuer in issuers.iter().filter(|issuer| others.iter().all(|key| key.issuer() != **issuer)) {
            let key = ClientKey::registered(issuer);
            let _guard = self.store.lock_client(&key).await?;
            // A registration with a secret is worth nothing without it.
            if self.store.load_client(&key).await?.is_some_and(|client| client.client_secret.is_some()) {
                forgotten |= self.store.remove_client(&key).await?;
            }
        }
        Ok(forgotten)
    }

    /// The grants at the token endpoint of a discovered authorization server.
    pub(crate) fn grants<'a>(
        &'a self,
        discovery: &'a Discovery,
        client: &'a ClientIdentity,
        resource: Option<&'a str>,
        dpop: Option<&'a DpopKey>,
    ) -> Result<Grants<'a>, Failure> {
        let token_endpoint = discovery.server.token_endpoint.as_deref().ok_or_else(|| {
            Failure::invalid(
                Step::ServerMetadata,
                &discovery.issuer,
                "the authorization server has no token endpoint",
            )
        })?;
        Ok(Grants {
            http: &*self.http,
            token_endpoint,
            named_by: &discovery.named_by,
            issuer: &discovery.issuer,
            client,
            resource,
            audience: self.settings.audience.as_deref(),
            dpop,
            clock: &self.clock,
        })
    }

    /// Adds to fresh tokens what a later process needs to refresh and revoke them.
    pub(crate) fn complete(
        tokens: &mut StoredTokens,
        discovery: &Discovery,
        resource: Option<String>,
        dpop: Option<&DpopKey>,
    ) {
        tokens.token_endpoint.clone_from(&discovery.server.token_endpoint);
        tokens.revocation_endpoint.clone_from(&discovery.server.revocation_endpoint);
        tokens.resource_parameter = resource;
        // A server that ignored the proof has bound nothing.
        let bound = tokens.token_type.eq_ignore_ascii_case("DPoP");
        tokens.dpop_key = dpop.filter(|_| bound).map(DpopKey::stored);
    }
}
