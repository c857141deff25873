//! Credentials: which grant a scenario's context asks for, and a sign-in whose browser is one HTTP request.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, header};
use mcp_auth::oauth::store::{MemoryTokenStore, TokenStore};
use mcp_auth::oauth::{
    AuthorizationPrompt, Authorizer, AuthorizerSession, CallbackParams, Grant, IdentityProvider, LoginProbe,
    OAuthLogin, OAuthProvider, OAuthSettings, ProbeRequest, RedirectPreference, SigningKey,
};
use mcp_auth::settings::OAuthSpec;
use mcp_auth::{AuthError, AuthErrorKind, AuthFuture, AuthProvider, HttpExchange, Secret, Target};
use mcp_transport::{Connector, Endpoint, HttpEndpoint, Server};
use serde_json::Value;
use url::Url;

/// The document that the suite expects of a client which has one.
pub(crate) const CLIENT_METADATA: &str = "https://conformance-test.local/client-metadata.json";

/// Sign-ins that one run makes at most: a server that never has enough is given up on.
pub(crate) const MAX_SIGN_INS: u32 = 3;

/// Everything that signing in needs.
pub(crate) struct SignIn {
    connector: Connector,
    target: Target,
    settings: OAuthSettings,
    store: Arc<dyn TokenStore>,
    provider: OAuthProvider,
    done: u32,
}

impl SignIn {
    pub(crate) async fn new(connector: &Connector, url: &Url, context: &Value) -> Result<Self, AuthError> {
        let target = Target::new("conformance", url.clone());
        let settings = settings(context)?;
        // Nothing may be left for the next scenario, which may get the same port.
        let store: Arc<dyn TokenStore> = Arc::new(MemoryTokenStore::default());
        let http: Arc<dyn HttpExchange> = Arc::new(connector.http().clone());
        let settings = vouched_for(&target, settings, &http, &store).await?;
        let provider = OAuthProvider::new(target.clone(), settings.clone(), http, Arc::clone(&store));
        Ok(Self { connector: connector.clone(), target, settings, store, provider, done: 0 })
    }

    pub(crate) fn provider(&self) -> Arc<dyn AuthProvider> {
        Arc::new(self.provider.clone())
    }

    /// Whether a person could sign in once more.
    pub(crate) fn may_sign_in(&self) -> bool {
        self.provider.capabilities().login && self.done < MAX_SIGN_INS
    }

    pub(crate) async fn sign_in(&mut self) -> Result<(), AuthError> {
        self.done += 1;
        let http = Arc::new(self.connector.http().clone());
        let login =
            OAuthLogin::new(self.target.clone(), self.settings.clone(), http, Arc::clone(&self.store));
        let pending = login.begin(&self.provider.challenges()).await?;
        let authorizer = ReadsLocation { connector: self.connector.clone() };
        let probe = Handshake { connector: self.connector.clone(), url: self.target.url.clone() };
        pending.complete(&authorizer, &probe).await.map(drop)
    }
}

fn settings(context: &Value) -> Result<OAuthSettings, AuthError> {
    let text = |name: &str| context[name].as_str().map(str::to_owned);
    let secret = |name: &str| text(name).map(Secret::new);
    let mut spec = OAuthSpec::default();
    spec.client_id = text("client_id");
    spec.client_secret = secret("client_secret");
    spec.client_metadata_url = Url::parse(CLIENT_METADATA).ok();
    let mut settings = OAuthSettings::new(spec);
    settings.client_issuer = text("issuer");
    if let Some(id_token) = secret("idp_id_token") {
        let endpoint = text("idp_token_endpoint").unwrap_or_default();
        let client = text("idp_client_id").unwrap_or_default();
        settings.grant =
            Grant::EnterpriseManaged(IdentityProvider::new(endpoint, client, Arc::new(id_token)));
    } else if let Some(assertion) = secret("valid_jwt") {
        settings.grant = Grant::JwtBearer(Arc::new(assertion));
    } else if let Some(pem) = secret("private_key_pem") {
        settings = settings.with_grant(Grant::ClientCredentials).with_client_key(SigningKey::from_pem(&pem)?);
    } else if settings.spec.client_secret.is_some() && settings.client_issuer.is_none() {
        settings.grant = Grant::ClientCredentials;
    }
    Ok(settings)
}

/// The suite hands over credentials and does not always say where they belong. Its word is that of its server.
async fn vouched_for(
    target: &Target,
    settings: OAuthSettings,
    http: &Arc<dyn HttpExchange>,
    store: &Arc<dyn TokenStore>,
) -> Result<OAuthSettings, AuthError> {
    if matches!(settings.grant, Grant::AuthorizationCode) || settings.client_issuer.is_some() {
        return Ok(settings);
    }
    let issuer = issuer_of(target, &settings, http, store).await?;
    Ok(settings.with_client_issuer(issuer))
}

async fn issuer_of(
    target: &Target,
    settings: &OAuthSettings,
    http: &Arc<dyn HttpExchange>,
    store: &Arc<dyn TokenStore>,
) -> Result<String, AuthError> {
    let asking = OAuthSettings::new(settings.spec.clone());
    let login = OAuthLogin::new(target.clone(), asking, Arc::clone(http), Arc::clone(store));
    Ok(login.begin(&[]).await?.discovery().issuer.clone())
}

/// Who the credentials of a context are for, as its server says: what a person writes into an entry that hands them over.
pub(crate) async fn vouched_issuer(url: &Url, context: &Value) -> Result<String, AuthError> {
    let http: Arc<dyn HttpExchange> = Arc::new(crate::flow::connector().http().clone());
    let store: Arc<dyn TokenStore> = Arc::new(MemoryTokenStore::default());
    issuer_of(&Target::new("conformance", url.clone()), &settings(context)?, &http, &store).await
}

/// A browser whose user always consents: the mock's authorization endpoint redirects at once.
#[derive(Debug)]
struct ReadsLocation {
    connector: Connector,
}

impl Authorizer for ReadsLocation {
    fn prepare<'a>(&'a self, _: &'a RedirectPreference) -> AuthFuture<'a, Box<dyn AuthorizerSession>> {
        let session = Box::new(Consent { connector: self.connector.clone() }) as Box<dyn AuthorizerSession>;
        Box::pin(std::future::ready(Ok(session)))
    }
}

#[derive(Debug)]
struct Consent {
    connector: Connector,
}

impl AuthorizerSession for Consent {
    fn redirect_uri(&self) -> &str {
        "http://localhost:3000/callback"
    }

    fn authorize<'a>(&'a mut self, request: AuthorizationPrompt<'a>) -> AuthFuture<'a, CallbackParams> {
        Box::pin(async move {
            let failed = |what| {
                AuthError::new(AuthErrorKind::Protocol, format!("follow the authorization URL: {what}"))
            };
            let get = Request::builder().method(Method::GET).uri(request.url.as_str()).body(Bytes::new());
            let answer = self.connector.http().exchange(get.map_err(|_| failed("it is not a URI"))?).await?;
            let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            let location = location.and_then(|location| Url::parse(location).ok());
            let location = location.ok_or_else(|| failed("there is no redirect"))?;
            Ok(CallbackParams::from_query(location.query().unwrap_or_default()))
        })
    }
}

/// New tokens are good if the server shakes hands with them.
#[derive(Debug)]
struct Handshake {
    connector: Connector,
    url: Url,
}

impl LoginProbe for Handshake {
    fn probe(&self, ProbeRequest { provider, .. }: ProbeRequest) -> AuthFuture<'_, ()> {
        Box::pin(async move {
            let server = Server::new(Endpoint::Http(HttpEndpoint::new(self.url.clone()))).with_auth(provider);
            let refused =
                |error| AuthError::new(AuthErrorKind::Protocol, "use the new tokens").with_source(error);
            self.connector.attempt(&server).await.map_err(refused)?.close().await;
            Ok(())
        })
    }
}
