//! Who we are at an authorization server: a configured client, a client ID metadata document, or a dynamic
//! registration (MCP authorization, "Client Registration"; RFC 7591), in this order.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, Request, header};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::client_auth::{AuthMethod, ClientIdentity};
use super::context::Context;
use super::discovery::Discovery;
use super::endpoint::Endpoint;
use super::failure::{Answer, Failure, Step};
use super::metadata::ServerMetadata;
use super::store::{ClientKey, StoredClient};
use super::urls::is_loopback;
use crate::{AuthError, Secret};

/// RFC 8628 section 3.4.
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A client, and whether it is a registration of an earlier run, which the server may have forgotten.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) identity: ClientIdentity,
    pub(crate) reused: bool,
}

/// The client to present, registering one if need be. `redirect_uri` is where the answer will be received.
pub(crate) async fn identify(
    ctx: &Context,
    discovery: &Discovery,
    redirect_uri: &str,
) -> Result<Client, Failure> {
    if let Some(identity) = known(ctx, discovery).await? {
        return Ok(Client { identity, reused: false });
    }
    let Some(endpoint) = &discovery.server.registration_endpoint else {
        return Err(nothing_to_present(discovery));
    };
    let key = ClientKey::registered(&discovery.issuer);
    // Held while registering, so that two sign-ins at once do not register two clients.
    let _guard = ctx.store.lock_client(&key).await?;
    if let Some(stored) = reusable(ctx, discovery, redirect_uri).await? {
        return Ok(Client { identity: registered_identity(&discovery.server, &stored), reused: true });
    }
    let stored = register(ctx, discovery, endpoint, redirect_uri).await?;
    ctx.store.save_client(&key, &stored).await?;
    Ok(Client { identity: registered_identity(&discovery.server, &stored), reused: false })
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
        let stored = ctx.store.load_client(&ClientKey::configured(&ctx.target.name)).await?;
        let stored = stored.filter(|client| client.client_id == *id);
        let belongs_to = ctx
            .settings
            .client_issuer
            .as_ref()
            .or_else(|| stored.as_ref().and_then(|client| client.issuer.as_ref()));
        // Security: a server that names another authorization server must not get this one's client secret.
        if let Some(issuer) = belongs_to.filter(|issuer| **issuer != discovery.issuer) {
            let why = format!("the configured client belongs to {issuer}: reset the server to use it here");
            return Err(Failure::new(Step::Registration, &discovery.issuer, Answer::Misconfigured(why)));
        }
        let secret = spec.client_secret.clone().or_else(|| stored.and_then(|client| client.client_secret));
        let method = AuthMethod::choose(None, supported, secret.is_some(), key.is_some());
        return Ok(Some(ClientIdentity { id: id.clone(), secret, key, method }));
    }
    let documents = discovery.server.client_id_metadata_document_supported == Some(true);
    Ok(spec.client_metadata_url.as_ref().filter(|_| documents).map(|url| {
        let method = AuthMethod::choose(None, supported, false, key.is_some());
        ClientIdentity { id: url.as_str().to_owned(), secret: None, key, method }
    }))
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
    Failure::new(Step::Registration, &discovery.issuer, Answer::Misconfigured(why.to_owned()))
}

/// The kept registration, if it is good for this redirect URI and its secret has not ended.
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

/// What a server answers to a registration (RFC 7591 section 3.2.1).
#[derive(Deserialize)]
struct Registered {
    client_id: String,
    #[serde(default)]
    client_secret: Option<String>,
    #[serde(default)]
    client_secret_expires_at: Option<Value>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
}

async fn register(
    ctx: &Context,
    discovery: &Discovery,
    url: &str,
    redirect_uri: &str,
) -> Result<StoredClient, Failure> {
    let endpoint = Endpoint::new(&*ctx.http, Step::Registration, url)?;
    let body = request_body(&ctx.settings.client_name, &discovery.server, redirect_uri);
    let request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_string()))
        .map_err(|_| endpoint.invalid("the endpoint is not a URL"))?;
    let response = endpoint.post(request).await?;
    // The parser's error is dropped on purpose: it may quote a secret.
    let registered: Registered = serde_json::from_slice(response.body())
        .map_err(|_| endpoint.invalid("the answer is not a client registration"))?;
    let mut client = StoredClient::new(registered.client_id, &ctx.target.name);
    client.client_secret = registered.client_secret.filter(|secret| !secret.is_empty()).map(Secret::new);
    // Zero means never (RFC 7591 section 3.2.1).
    let expires = registered.client_secret_expires_at.as_ref().and_then(Value::as_u64).filter(|at| *at > 0);
    client.client_secret_expires_at = expires.and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at)));
    client.token_endpoint_auth_method = registered.token_endpoint_auth_method;
    client.redirect_uris = vec![redirect_uri.to_owned()];
    client.issuer = Some(discovery.issuer.clone());
    Ok(client)
}

fn request_body(name: &str, server: &ServerMetadata, redirect_uri: &str) -> Value {
    let mut grants = vec!["authorization_code", "refresh_token"];
    if server.device_authorization_endpoint.is_some() {
        grants.push(DEVICE_CODE);
    }
    // A native application keeps no secrets (RFC 8252 section 8.5); a server may still insist on one.
    let method = if server.allows_public_clients() {
        AuthMethod::None
    } else {
        AuthMethod::choose(None, server.token_endpoint_auth_methods_supported.as_deref(), true, false)
    };
    json!({
        "client_name": name,
        "application_type": "native",
        "redirect_uris": [redirect_uri],
        "grant_types": grants,
        "response_types": ["code"],
        "token_endpoint_auth_method": method.as_str(),
    })
}

impl Failure {
    /// Whether the server does not know the client that was presented, or not any more.
    pub(crate) fn is_unknown_client(&self) -> bool {
        matches!(self.code(), Some("invalid_client" | "unauthorized_client"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_says_that_it_is_native_and_wants_refresh_tokens() {
        let mut server = ServerMetadata::default();
        let body = request_body("mcplink", &server, "http://localhost:1/callback");
        assert_eq!(body["application_type"], "native");
        assert_eq!(body["grant_types"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(body["redirect_uris"], json!(["http://localhost:1/callback"]));
        assert_eq!(body["token_endpoint_auth_method"], "none");
        assert_eq!(body.get("scope"), None, "a registered scope would cap a later step-up");

        server.token_endpoint_auth_methods_supported = Some(vec!["client_secret_post".into()]);
        server.device_authorization_endpoint = Some("https://as.example/device".into());
        let body = request_body("mcplink", &server, "http://localhost:1/callback");
        assert_eq!(body["token_endpoint_auth_method"], "client_secret_post");
        assert_eq!(body["grant_types"][2], DEVICE_CODE);
    }
}
