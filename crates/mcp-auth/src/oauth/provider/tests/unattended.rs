//! Grants as an entry configures them, from its settings to what is sent.

#![cfg(feature = "helper")]

use super::*;
use crate::Renewals;
use crate::settings::{GrantKind, GrantSpec, IdentityProviderSpec, SecretSource, TokenSpec};

const IDP: &str = "POST https://idp.example/token";

/// A grant whose issuer the person has pinned, with a secret in a file.
struct Case {
    world: World,
    spec: GrantSpec,
    dir: tempfile::TempDir,
}

impl Case {
    fn new(kind: GrantKind) -> Self {
        let mut oauth = OAuthSpec { client_id: Some("robot".into()), ..OAuthSpec::default() };
        (oauth.issuer, oauth.issuer_is_confirmed) = (Some(ISSUER.to_owned()), true);
        let dir = tempfile::tempdir().unwrap();
        Self { world: World::new(), spec: GrantSpec::new(kind, oauth), dir }
    }

    /// A secret in a file of this name.
    fn file(&self, name: &str, content: &str) -> SecretSource {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        SecretSource::File(path)
    }

    fn token(&self, content: &str) -> Option<TokenSpec> {
        Some(TokenSpec::new(self.file("token", content)))
    }

    fn provider(&self) -> OAuthProvider {
        let http = Arc::new(self.world.net.clone());
        OAuthProvider::unattended(self.world.target(), &self.spec, http, Renewals::default()).unwrap()
    }
}

#[tokio::test]
async fn where_the_issuer_is_named_a_token_is_had_before_the_first_request_with_the_secret_as_it_is_now() {
    let mut case = Case::new(GrantKind::ClientCredentials);
    case.spec.client_secret = Some(case.file("secret", "one\n"));
    case.spec.audience = Some("https://api.example".to_owned());
    let provider = case.provider();
    assert_eq!(provider.name(), "client-credentials");
    assert_eq!(provider.capabilities(), Capabilities::new(true, false));
    assert!(case.world.net.take_lines().is_empty(), "nothing before credentials are asked for");
    let used = provider.credentials().await.unwrap();
    assert_eq!(bearer(&used), "Bearer at-1");
    assert_eq!(used.supplier(&http::header::AUTHORIZATION), Some("client-credentials"));
    case.file("secret", "two");
    assert_eq!(bearer(&retried(refuse(&provider, &used, 401, INVALID, 0).await)), "Bearer at-2");
    let sent = case.world.net.sent_to(TOKEN);
    // base64 of robot:one and robot:two.
    let basics: Vec<_> = sent.iter().map(|sent| sent.headers["authorization"].to_str().unwrap()).collect();
    assert_eq!(basics, ["Basic cm9ib3Q6b25l", "Basic cm9ib3Q6dHdv"]);
    assert_eq!(sent[0].form("audience").as_deref(), Some("https://api.example"));
    assert!(case.world.kept().await.is_none(), "what a machine gets is kept in memory alone");
}

#[tokio::test]
async fn a_token_endpoint_that_a_person_named_is_asked_and_nothing_else() {
    let mut case = Case::new(GrantKind::ClientCredentials);
    case.spec.oauth.issuer = None;
    case.spec.token_endpoint = TOKEN.strip_prefix("POST ").unwrap().parse().ok();
    case.spec.client_secret = Some(case.file("secret", "one"));
    assert_eq!(bearer(&case.provider().credentials().await.unwrap()), "Bearer at-1");
    assert_eq!(case.world.net.take_lines(), [TOKEN]);
}

#[tokio::test]
async fn a_key_is_read_when_it_signs_and_named_as_the_entry_names_it() {
    let mut case = Case::new(GrantKind::PrivateKeyJwt);
    let der = SigningKey::generate_pkcs8().unwrap();
    case.spec.key = Some(case.file("key", pem(&der).expose()));
    (case.spec.key_id, case.spec.algorithm) = (Some("k1".to_owned()), Some("ES256".to_owned()));
    case.provider().credentials().await.unwrap();
    let sent = &case.world.net.sent_to(TOKEN)[0];
    let key = SigningKey::from_pkcs8(&der).unwrap();
    let (header, claims) = verified(&sent.form("client_assertion").unwrap(), Some(&key));
    assert_eq!((&header["kid"], &claims["aud"]), (&json!("k1"), &json!(ISSUER)));
    case.spec.algorithm = Some("RS256".to_owned());
    let error = case.provider().credentials().await.unwrap_err();
    assert!(error.to_string().contains("it signs with ES256, and the entry says RS256"), "{error}");
}

#[tokio::test]
async fn assertions_are_read_for_each_token() {
    for kind in [GrantKind::JwtBearer, GrantKind::WorkloadIdentity] {
        let mut case = Case::new(kind);
        case.spec.token = case.token("jwt-1\n");
        let provider = case.provider();
        let used = provider.credentials().await.unwrap();
        case.token("jwt-2");
        retried(refuse(&provider, &used, 401, INVALID, 0).await);
        let sent = case.world.net.sent_to(TOKEN);
        let assertions: Vec<_> = sent.iter().filter_map(|sent| sent.form("assertion")).collect();
        assert_eq!(assertions, ["jwt-1", "jwt-2"]);
    }
}

#[tokio::test]
async fn a_token_is_exchanged_with_everything_that_the_entry_says() {
    let mut case = Case::new(GrantKind::TokenExchange);
    case.spec.token = case.token("subject");
    case.provider().credentials().await.unwrap();
    let actor = TokenSpec::new(case.file("actor", "actor"));
    case.spec.actor = Some(actor.of_type(Some("urn:ietf:params:oauth:token-type:jwt".to_owned())));
    case.spec.requested_token_type = Some("urn:x".to_owned());
    case.spec.audience = Some("api".to_owned());
    case.provider().credentials().await.unwrap();
    let sent = case.world.net.sent_to(TOKEN);
    let access = "urn:ietf:params:oauth:token-type:access_token";
    for (name, bare, whole) in [
        ("grant_type", Some("urn:ietf:params:oauth:grant-type:token-exchange"), None),
        ("subject_token", Some("subject"), None),
        ("subject_token_type", Some(access), None),
        ("actor_token", None, Some("actor")),
        ("actor_token_type", None, Some("urn:ietf:params:oauth:token-type:jwt")),
        ("requested_token_type", None, Some("urn:x")),
        ("audience", None, Some("api")),
        ("resource", Some(SERVER), None),
    ] {
        assert_eq!(sent[0].form(name).as_deref(), bare, "{name}");
        assert_eq!(sent[1].form(name).as_deref(), whole.or(bare), "{name}");
    }
}

#[tokio::test]
async fn an_identity_provider_gets_the_secret_that_is_for_it() {
    let mut case = Case::new(GrantKind::EnterpriseManaged);
    case.spec.token = case.token("id-token");
    let mut at = IdentityProviderSpec::new("https://idp.example/token".parse().unwrap(), "at-idp");
    at.client_secret = Some(case.file("idp", "idp-secret"));
    case.spec.identity_provider = Some(at);
    let issued = "urn:ietf:params:oauth:token-type:id-jag";
    case.world.net.json(
        IDP,
        200,
        json!({ "access_token": "jag", "issued_token_type": issued, "token_type": "N_A" }),
    );
    case.provider().credentials().await.unwrap();
    // A refresh token of the provider outlives an ID token.
    let types = ["id_token", "refresh_token"].map(|kind| format!("urn:ietf:params:oauth:token-type:{kind}"));
    case.spec.token.as_mut().unwrap().kind = Some(types[1].clone());
    case.provider().credentials().await.unwrap();
    let sent = case.world.net.sent_to(IDP);
    let sent: Vec<_> = sent.iter().filter_map(|exchange| exchange.form("subject_token_type")).collect();
    assert_eq!(sent, types);
    let exchange = &case.world.net.sent_to(IDP)[0];
    // base64 of at-idp:idp-secret.
    assert_eq!(exchange.headers["authorization"], "Basic YXQtaWRwOmlkcC1zZWNyZXQ=");
    assert_eq!(case.world.net.sent_to(TOKEN)[0].form("assertion").as_deref(), Some("jag"));
}

#[tokio::test]
async fn s_n21_a_secret_is_not_even_read_for_an_issuer_that_only_the_server_names() {
    for kind in [GrantKind::ClientCredentials, GrantKind::JwtBearer, GrantKind::TokenExchange] {
        let mut case = Case::new(kind);
        (case.spec.oauth.issuer, case.spec.oauth.issuer_is_confirmed) = (None, false);
        let absent = || SecretSource::File(case.dir.path().join("absent"));
        case.spec.client_secret = Some(absent());
        case.spec.token = Some(TokenSpec::new(absent()));
        let provider = case.provider();
        assert!(provider.credentials().await.unwrap().is_empty(), "no issuer is configured or remembered");
        let error = refuse(&provider, &Credentials::none(), 401, "Bearer", 0).await.unwrap_err();
        assert!(error.to_string().contains("only the server has named it"), "{error}");
        assert!(case.world.net.sent_to(TOKEN).is_empty());
    }
}

#[tokio::test]
async fn what_a_grant_lacks_is_said_before_anything_is_sent() {
    for kind in GrantKind::ALL {
        let case = Case::new(kind);
        let http = Arc::new(case.world.net.clone());
        let made = OAuthProvider::unattended(case.world.target(), &case.spec, http, Renewals::default());
        let error = made.unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
        assert!(error.to_string().contains(&format!("by {}: the ", kind.name())), "{error}");
    }
}
