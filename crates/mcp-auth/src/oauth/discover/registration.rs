//! Who we are at an authorization server: a configured client, a client ID metadata document, or a dynamic
//! registration (MCP authorization, "Client Registration"; RFC 7591), in this order.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, Request, header};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use url::Url;

use super::super::client_auth::{AuthMethod, ClientIdentity};
use super::super::context::Context;
use super::super::endpoint::OAuthEndpoint;
use super::super::failure::{Answer, Failure, Step};
use super::super::store::{ClientKey, StoredClient};
use super::super::urls::same_issuer;
use super::client_metadata::{RegistrationAttempt, add_metadata, attempts, digest_of_metadata, request_body};
use super::discovery::{Discovery, DiscoverySource};
use super::metadata::ServerMetadata;
use crate::url_policy::is_loopback;
use crate::{AuthError, Secret};

/// A client identifier may be the URL of a document; no URL that works is longer.
const MAX_CLIENT_ID: usize = 2048;

/// A client, and what is known about its registration.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) identity: ClientIdentity,
    /// The registration is of an earlier run, which the server may have forgotten.
    pub(crate) reused: bool,
    /// What the registration says it may ask for, as far as that is known.
    pub(crate) scopes: Option<Vec<String>>,
}

impl Client {
    /// Whether these scopes are known to be part of the registration.
    pub(crate) fn may_ask_for(&self, scopes: &[String]) -> bool {
        self.scopes.as_ref().is_some_and(|registered| contains(registered, scopes))
    }

    fn registered(server: &ServerMetadata, stored: StoredClient, reused: bool) -> Self {
        Self { identity: registered_identity(server, &stored), reused, scopes: stored.scopes }
    }
}

fn contains(registered: &[String], scopes: &[String]) -> bool {
    scopes.iter().all(|scope| registered.contains(scope))
}

/// The client to present, registering one if need be. `redirect_uri` is where the answer will be received, `scopes` are
/// those that will be asked for: a client may ask for none that it has not registered (RFC 7591 section 2).
pub(crate) async fn identify(
    ctx: &Context,
    discovery: &Discovery,
    redirect_uri: &str,
    scopes: &[String],
) -> Result<Client, Failure> {
    if let Some(identity) = known(ctx, discovery).await? {
        return Ok(Client { identity, reused: false, scopes: None });
    }
    let Some(endpoint) = &discovery.server.registration_endpoint else {
        return Err(nothing_to_present(discovery));
    };
    let key = ClientKey::registered(&discovery.issuer);
    // Held while registering, so that two sign-ins at once do not register two clients.
    let _guard = ctx.store.lock_client(&key).await?;
    let mut wanted = scopes.to_vec();
    if let Some(stored) = reusable(ctx, discovery, redirect_uri).await? {
        match &stored.scopes {
            // One registration for all: what others of this authorization server ask for stays in.
            Some(registered) if !contains(registered, scopes) => {
                wanted.extend(registered.iter().filter(|scope| !scopes.contains(scope)).cloned());
            }
            _ => return Ok(Client::registered(&discovery.server, stored, true)),
        }
    }
    let stored = register(ctx, discovery, endpoint, redirect_uri, &wanted).await?;
    ctx.store.save_client(&key, &stored).await?;
    Ok(Client::registered(&discovery.server, stored, false))
}

/// The client of a grant that needs no person: never registered on the fly, because it has to be allowed that grant.
pub(crate) async fn identify_machine(
    ctx: &Context,
    discovery: &Discovery,
) -> Result<ClientIdentity, Failure> {
    known(ctx, discovery).await?.ok_or_else(|| {
        let why = "this grant needs a client that is registered beforehand: configure `oauth.clientId`";
        Failure::new(Step::Registration, &discovery.issuer, Answer::Misconfigured(why.to_owned()))
    })
}

/// A client that exists without registration.
async fn known(ctx: &Context, discovery: &Discovery) -> Result<Option<ClientIdentity>, Failure> {
    let spec = &ctx.settings.spec;
    let supported = discovery.server.token_endpoint_auth_methods_supported.as_deref();
    let key = ctx.settings.client_key.clone();
    if let Some(id) = &spec.client_id {
        let stored = configured(ctx, id).await?;
        // Security: a server that names another authorization server must not get this one's client secret.
        if let Some(issuer) =
            belongs_to(ctx, stored.as_ref()).filter(|issuer| !same_issuer(issuer, &discovery.issuer))
        {
            let why = format!("the configured client belongs to {issuer}: reset the server to use it here");
            return Err(Failure::new(Step::Registration, &discovery.issuer, Answer::Misconfigured(why)));
        }
        let own = ctx.client_secret().await?;
        let secret = own.or_else(|| stored.and_then(|client| client.client_secret));
        let method = AuthMethod::choose(None, supported, secret.is_some(), key.is_some());
        return Ok(Some(ClientIdentity { id: id.clone(), secret, key, method }));
    }
    let documents = discovery.server.client_id_metadata_document_supported == Some(true);
    Ok(spec.client_metadata_url.as_ref().filter(|_| documents).map(|url| {
        let method = AuthMethod::choose(None, supported, false, key.is_some());
        ClientIdentity { id: url.as_str().to_owned(), secret: None, key, method }
    }))
}

/// What is kept about the configured client `id`.
async fn configured(ctx: &Context, id: &str) -> Result<Option<StoredClient>, AuthError> {
    let stored = ctx.store.load_client(&ClientKey::configured_for(&ctx.target)).await?;
    Ok(stored.filter(|client| client.client_id == id))
}

/// The issuer that the configured client is registered with, as far as that is known: a person has said so, or it was
/// used there before.
fn belongs_to<'a>(ctx: &'a Context, stored: Option<&'a StoredClient>) -> Option<&'a str> {
    let settings = &ctx.settings;
    let pinned = settings.spec.issuer.as_deref().filter(|_| settings.spec.issuer_is_confirmed);
    settings
        .client_issuer
        .as_deref()
        .or(pinned)
        .or_else(|| stored.and_then(|client| client.issuer.as_deref()))
}

/// Whether a sign-in would send a configured secret to an authorization server that only the server has named, or
/// the repository that brought the entry along.
pub(crate) async fn sends_secret_to_stranger(
    ctx: &Context,
    discovery: &Discovery,
) -> Result<bool, AuthError> {
    let Some(id) = &ctx.settings.spec.client_id else { return Ok(false) };
    let stored = configured(ctx, id).await?;
    let has_secret = ctx.settings.spec.client_secret.is_some()
        || ctx.settings.secret_source.is_some()
        || stored.as_ref().is_some_and(|client| client.client_secret.is_some());
    Ok(has_secret && !is_vouched_for(ctx, discovery, stored.as_ref()))
}

/// The same without a person: the assertion of a workload is as good as a secret to anyone who gets it.
pub(crate) async fn machine_trusts_stranger(ctx: &Context, discovery: &Discovery) -> Result<bool, AuthError> {
    if !ctx.settings.grant.hands_over_token() {
        return sends_secret_to_stranger(ctx, discovery).await;
    }
    let stored = match &ctx.settings.spec.client_id {
        Some(id) => configured(ctx, id).await?,
        None => None,
    };
    Ok(!is_vouched_for(ctx, discovery, stored.as_ref()))
}

/// Whether a person, or the embedding program, has said that secrets belong to this issuer, or they went there before.
fn is_vouched_for(ctx: &Context, discovery: &Discovery, stored: Option<&StoredClient>) -> bool {
    let named_by_person =
        discovery.found == DiscoverySource::Configured && ctx.settings.spec.issuer_is_confirmed;
    // One that belongs elsewhere is refused with words of its own, where there is a client to refuse.
    named_by_person
        || belongs_to(ctx, stored).is_some_and(|issuer| {
            ctx.settings.spec.client_id.is_some() || same_issuer(issuer, &discovery.issuer)
        })
}

fn nothing_to_present(discovery: &Discovery) -> Failure {
    let documents = discovery.server.client_id_metadata_document_supported == Some(true);
    let why = if documents {
        "the authorization server does not register clients: configure `oauth.clientId` of a client registered \
         with it, or `oauth.clientMetadataUrl`"
    } else {
        "the authorization server does not support dynamic client registration: configure `oauth.clientId` (and \
         the secret in MCP_CLIENT_SECRET) of a client registered with it"
    };
    Failure::new(Step::Registration, &discovery.issuer, Answer::NoClient(why.to_owned()))
}

/// The kept registration, if it is good for this redirect URI, says what this entry wants it to say, and its secret has not
/// ended.
async fn reusable(
    ctx: &Context,
    discovery: &Discovery,
    redirect_uri: &str,
) -> Result<Option<StoredClient>, AuthError> {
    let stored = ctx.store.load_client(&ClientKey::registered(&discovery.issuer)).await?;
    let now = ctx.clock.now();
    Ok(stored.filter(|client| {
        client.redirect_uris.iter().any(|registered| registered == redirect_uri)
            && client.client_secret_expires_at.is_none_or(|end| now < end)
            && client.registered_as == digest_of_metadata(&ctx.settings.spec.client_metadata)
    }))
}

/// The loopback port of the kept registration: asked for again, because the registered redirect URI names it.
pub(crate) async fn registered_port(ctx: &Context, issuer: &str) -> Result<Option<u16>, AuthError> {
    let stored = ctx.store.load_client(&ClientKey::registered(issuer)).await?;
    Ok(stored.and_then(|client| {
        client
            .redirect_uris
            .iter()
            .find_map(|uri| Url::parse(uri).ok().filter(is_loopback).and_then(|url| url.port()))
    }))
}

/// Forgets a registration that the server no longer knows, unless someone has replaced it meanwhile.
pub(crate) async fn forget(ctx: &Context, issuer: &str, client_id: &str) -> Result<(), AuthError> {
    let key = ClientKey::registered(issuer);
    let _guard = ctx.store.lock_client(&key).await?;
    let stored = ctx.store.load_client(&key).await?;
    if stored.is_some_and(|client| client.client_id == client_id) {
        ctx.store.remove_client(&key).await?;
    }
    Ok(())
}

fn registered_identity(server: &ServerMetadata, stored: &StoredClient) -> ClientIdentity {
    let method = AuthMethod::choose(
        stored.token_endpoint_auth_method.as_deref(),
        server.token_endpoint_auth_methods_supported.as_deref(),
        stored.client_secret.is_some(),
        false,
    );
    ClientIdentity { id: stored.client_id.clone(), secret: stored.client_secret.clone(), key: None, method }
}

/// What a server answers to a registration (RFC 7591 section 3.2.1). Some write numbers where text belongs.
#[derive(Deserialize)]
struct RegistrationResponse {
    #[serde(default, deserialize_with = "text")]
    client_id: Option<String>,
    #[serde(default, deserialize_with = "text")]
    client_secret: Option<String>,
    #[serde(default)]
    client_secret_expires_at: Option<Value>,
    #[serde(default, deserialize_with = "text")]
    token_endpoint_auth_method: Option<String>,
    #[serde(default, deserialize_with = "text")]
    scope: Option<String>,
}

/// Text, or a number in its place; anything else counts as absent.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

async fn register(
    ctx: &Context,
    discovery: &Discovery,
    url: &str,
    redirect_uri: &str,
    scopes: &[String],
) -> Result<StoredClient, Failure> {
    let mut first = None;
    let said = &ctx.settings.spec.client_metadata;
    let wanted =
        said.get("token_endpoint_auth_method").and_then(|text| serde_json::from_str::<String>(text).ok());
    let wanted = wanted.as_deref().and_then(AuthMethod::parse);
    for attempt in attempts(&discovery.server, scopes, wanted) {
        match register_as(ctx, discovery, url, redirect_uri, &attempt).await {
            Ok(client) => return Ok(client),
            Err(failure) => {
                let differently = failure.refuses_metadata();
                let failure = first.get_or_insert(failure);
                tracing::debug!(%failure, "the registration was refused as {}", attempt.method.as_str());
                if !differently {
                    break;
                }
            }
        }
    }
    // The first refusal is of what we really want to be.
    let failure = first.unwrap_or_else(|| nothing_to_present(discovery));
    Err(if discovery.found == DiscoverySource::DefaultEndpoints {
        failure.at_guessed_address()
    } else {
        failure
    })
}

async fn register_as(
    ctx: &Context,
    discovery: &Discovery,
    url: &str,
    redirect_uri: &str,
    attempt: &RegistrationAttempt,
) -> Result<StoredClient, Failure> {
    let endpoint = OAuthEndpoint::new(&*ctx.http, Step::Registration, url, &discovery.named_by)?;
    let mut body = request_body(&ctx.settings.client_name, &discovery.server, redirect_uri, attempt);
    add_metadata(&mut body, &ctx.settings.spec.client_metadata);
    let request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_string()))
        .map_err(|_| endpoint.invalid("the endpoint is not a URL"))?;
    let response = endpoint.post(request).await?;
    // The parser's error is dropped on purpose: it may quote a secret.
    let unreadable = || endpoint.invalid("the answer is not a client registration");
    let body: Map<String, Value> = serde_json::from_slice(response.body()).map_err(|_| unreadable())?;
    let registered: RegistrationResponse = serde_json::from_value(body.into()).map_err(|_| unreadable())?;
    // RFC 6749 appendix A.1: visible ASCII. It becomes a part of URLs, forms and file names.
    let legal = |id: &str| {
        !id.trim().is_empty() && id.len() <= MAX_CLIENT_ID && id.bytes().all(|c| (0x20..=0x7e).contains(&c))
    };
    let id = registered.client_id.ok_or_else(unreadable)?;
    if !legal(&id) {
        return Err(endpoint.invalid("the answer has no usable client_id"));
    }
    let mut client = StoredClient::new(id, &ctx.target.name);
    client.client_secret = registered.client_secret.map(Secret::new);
    // Zero means never (RFC 7591 section 3.2.1).
    let expires = registered.client_secret_expires_at.as_ref().and_then(Value::as_u64).filter(|at| *at > 0);
    client.client_secret_expires_at = expires.and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at)));
    // What the server answers wins. One that gives a secret to a client that asked for none, and says nothing, is
    // taken by what it lists.
    let silent = attempt.method == AuthMethod::None && client.client_secret.is_some();
    let asked = (!silent).then(|| attempt.method.as_str().to_owned());
    client.token_endpoint_auth_method = registered.token_endpoint_auth_method.or(asked);
    client.redirect_uris = vec![redirect_uri.to_owned()];
    let mut scopes = attempt.scopes.clone();
    scopes.extend(registered.scope.iter().flat_map(|scope| scope.split_whitespace()).map(str::to_owned));
    scopes.sort();
    scopes.dedup();
    client.scopes = Some(scopes).filter(|_| !attempt.scopes.is_empty());
    client.registered_as = digest_of_metadata(&ctx.settings.spec.client_metadata);
    client.issuer = Some(discovery.issuer.clone());
    Ok(client)
}

impl Failure {
    /// Whether the server does not know the client that was presented, or not any more.
    pub(crate) fn is_unknown_client(&self) -> bool {
        matches!(self.code(), Some("invalid_client" | "unauthorized_client"))
    }

    /// Whether a scope was refused, and not the client.
    pub(crate) fn is_invalid_scope(&self) -> bool {
        self.code() == Some("invalid_scope")
    }

    /// Whether a registration was refused for what it says, so that another one may pass: 400 in the words of RFC 7591
    /// section 3.2.2 or in others, and 403 for a scope, as Keycloak has it.
    fn refuses_metadata(&self) -> bool {
        match &self.answer {
            Answer::Refused { status, code, .. } => match status.as_u16() {
                400 | 422 => {
                    !matches!(code.as_deref(), Some("invalid_redirect_uri" | "invalid_software_statement"))
                }
                403 => matches!(code.as_deref(), Some("insufficient_scope" | "invalid_scope")),
                _ => false,
            },
            _ => false,
        }
    }

    /// The same, told as what it is: the address was a guess, as nothing says where to sign in.
    fn at_guessed_address(self) -> Self {
        if self.is_transient() {
            return self;
        }
        let why = format!(
            "neither the server nor its origin publishes where to sign in, and the default address for it fails \
             ({}), so that it has none: give the entry `headers` or a `headersHelper`; if you know that there is one, \
             configure `oauth.authServerMetadataUrl`, or check `url`",
            self.answered()
        );
        self.with_answer(Answer::Misconfigured(why))
    }
}
