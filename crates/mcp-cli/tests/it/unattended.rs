//! Sign-ins without a person, each from an entry of a file: what is sent, how often, what is told, and what is not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp_testkit::{AuthEndpoint, FakeAuthServer, FakeMcpServer, ProtectedResource};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::setting::{Setting, authorizations, http};

/// A server whose tokens come from an authorization server, which an entry names.
struct World {
    server: FakeMcpServer,
    issuer: FakeAuthServer,
    setting: Setting,
}

impl World {
    fn new() -> Self {
        let (server, issuer) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
        issuer.protect_as(&server, ProtectedResource::new().any_audience());
        let setting = Setting::new();
        issuer.note_secrets_in(setting.home.canaries());
        Self { server, issuer, setting }
    }

    fn auth(mut self, auth: Value) -> Self {
        let mut entry = http(&self.server);
        entry["auth"] = auth;
        entry["auth"]["clientId"] = json!("robot");
        if entry["auth"].get("issuer").is_none() {
            entry["auth"]["issuer"] = json!(self.issuer.issuer());
        }
        self.setting.write("web", entry);
        self
    }

    /// A file with a secret that nothing may show.
    fn secret_file(&self, name: &str, content: &str) -> String {
        self.setting.home.canaries().add(name, content.trim());
        let path = self.setting.home.write(name, content).unwrap();
        format!("${{file:{}}}", path.display())
    }

    fn token_requests(&self) -> usize {
        self.issuer.requests_to(AuthEndpoint::Token).len()
    }
}

/// Each grant with its entry, the secrets of which are in files, and how often a token endpoint is asked for one token.
fn worlds() -> Vec<(&'static str, World, usize)> {
    let mut worlds = Vec::new();
    let with_secret =
        |world: &World| world.issuer.add_secret_client("robot", "client-s3cret", "client_secret_basic");
    let accept = |world: &World| {
        let assertion = "canary-assertion-7f3a".to_owned();
        world.issuer.set(|settings| settings.accepted_assertions.extend([assertion]));
        world.secret_file("assertion", "canary-assertion-7f3a\n")
    };

    let world = World::new();
    with_secret(&world);
    let secret = world.secret_file("secret", "client-s3cret\n");
    worlds.push((
        "client-credentials",
        world.auth(json!({ "grant": "client_credentials", "clientSecret": secret })),
        1,
    ));

    let world = World::new();
    let random = SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap();
    world.issuer.add_key_client("robot", key.public_key().as_ref());
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let path = world.setting.home.write("key.pem", pem).unwrap();
    world.setting.home.canaries().add("private key", STANDARD.encode(der.as_ref()));
    worlds.push((
        "private-key-jwt",
        world.auth(json!({ "grant": "private_key_jwt", "keyFile": path, "kid": "k1" })),
        1,
    ));

    for (grant, name, field) in
        [("jwt_bearer", "jwt-bearer", "assertion"), ("workload_identity", "workload-identity", "token")]
    {
        let world = World::new();
        world.issuer.add_public_client("robot", &[]);
        let assertion = accept(&world);
        worlds.push((name, world.auth(json!({ "grant": grant, field: assertion })), 1));
    }

    let world = World::new();
    with_secret(&world);
    let (secret, subject) = (world.secret_file("secret", "client-s3cret"), accept(&world));
    let auth = json!({ "grant": "token_exchange", "clientSecret": secret, "subjectToken": subject });
    worlds.push(("token-exchange", world.auth(auth), 1));

    let world = World::new();
    with_secret(&world);
    world.issuer.add_public_client("at-idp", &[]);
    let (secret, id_token) = (world.secret_file("secret", "client-s3cret"), accept(&world));
    let at = world.issuer.url_of(AuthEndpoint::Token).unwrap();
    let auth = json!({ "grant": "enterprise_managed", "clientSecret": secret, "idToken": id_token,
        "idpTokenEndpoint": at, "idpClientId": "at-idp" });
    worlds.push(("enterprise-managed", world.auth(auth), 2));
    worlds
}

#[test]
fn each_grant_of_a_file_connects_without_a_login_and_says_who_supplies() {
    for (name, world, requests) in worlds() {
        let setting = &world.setting;
        let before = setting.home.snapshot();
        let status = setting.status("web");
        assert_eq!(status["status"], "connected", "{name}: {status:#}");
        assert_eq!(world.token_requests(), requests, "{name}: one token for a whole connection");
        let sent = authorizations(&world.server, "tools/list");
        assert!(sent.iter().all(|value| value.starts_with("Bearer ")), "{name}: {sent:?}");
        setting.run(&["call", "web", "echo", "text=hello"], 0);
        // What a machine gets is not kept: looking and calling left nothing behind.
        let changes = before.changes_until(&setting.home.snapshot());
        assert!(!format!("{changes:?}").contains("tokens"), "{name}: {changes:?}");
        let shown = setting.run(&["get", "web"], 0).stdout;
        assert!(shown.contains(name), "{name}: {shown}");
        let headers = setting.run(&["headers", "web", "--json"], 0).json();
        let rows = headers["headers"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{name}: {headers:#}");
        assert_eq!(
            (&rows[0]["name"], &rows[0]["supplier"], &rows[0]["credential"]),
            (&json!("authorization"), &json!(name), &json!(true)),
            "{headers:#}"
        );
        setting.run(&["doctor", "web"], 0);
    }
}

#[test]
fn a_grant_that_fails_is_the_grants_failure_and_no_sign_in_is_offered_for_it() {
    for (name, world, _) in worlds() {
        world.issuer.always_to(AuthEndpoint::Token, mcp_testkit::ScriptedAnswer::status(400));
        let status = world.setting.status("web");
        assert_ne!(status["status"], "connected", "{name}");
        assert_eq!(status["reason"]["code"], "credentials-failed", "{name}: {status:#}");
        assert!(!status["reason"]["next"].to_string().contains("login"), "{name}: {status:#}");
        // Who issues tokens may be asked of it, and nothing else.
        let asked = world.server.requests().iter().any(|request| request.path == "/mcp");
        assert!(!asked, "{name}: without its credentials the server is not contacted");
    }
}

#[test]
fn a_secret_that_cannot_be_read_is_named_by_its_place() {
    for (secret, said) in [
        ("${file:/nowhere/secret}", "/nowhere/secret"),
        ("${env:NOT_SET_HERE}", "NOT_SET_HERE"),
        ("${cmd:echo canary-of-command; exit 9}", "code 9"),
    ] {
        let world = World::new().auth(json!({ "grant": "client_credentials", "clientSecret": secret }));
        world.setting.home.canaries().add("printed", "canary-of-command;");
        let status = world.setting.status("web");
        assert_eq!(status["reason"]["code"], "credentials-failed", "{secret}: {status:#}");
        let message = status["reason"]["message"].as_str().unwrap();
        assert!(message.contains(said) && message.contains("`auth.clientSecret`"), "{secret}: {message}");
        assert!(!status["reason"]["next"].to_string().contains("login"), "{secret}: {status:#}");
        assert_eq!(world.token_requests(), 0, "{secret}");
    }
}

/// RFC 6749 section 7.1: a token of a type that is not understood must not be used.
#[test]
fn an_answer_without_a_token_that_can_be_sent_is_the_grants_failure() {
    for (answer, said) in [
        (json!({ "access_token": "canary-mac-1", "token_type": "MAC" }), "a token of the type MAC"),
        (json!({ "access_token": "canary-dpop-1", "token_type": "DPoP" }), "a token of the type DPoP"),
        (json!({ "access_token": "", "token_type": "Bearer" }), "its access token is empty"),
    ] {
        let world = World::new();
        world.issuer.add_secret_client("robot", "client-s3cret", "client_secret_basic");
        let secret = world.secret_file("secret", "client-s3cret");
        let world = world.auth(json!({ "grant": "client_credentials", "clientSecret": secret }));
        world.issuer.always_to(AuthEndpoint::Token, mcp_testkit::ScriptedAnswer::json(answer.clone()));
        let status = world.setting.status("web");
        assert_eq!(status["reason"]["code"], "credentials-failed", "{status:#}");
        let message = status["reason"]["message"].as_str().unwrap();
        assert!(message.contains(said) && !message.contains("canary"), "{message}");
        assert!(world.server.requests().iter().all(|request| request.path != "/mcp"), "{answer}");
    }
}

/// `auth` has no `authServerMetadataUrl`.
#[test]
fn a_grant_whose_issuer_publishes_nothing_is_told_of_its_own_field() {
    let (server, nowhere) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let mut entry = http(&server);
    entry["auth"] = json!({
        "grant": "client_credentials",
        "clientId": "robot",
        "clientSecret": "${env:PATH}",
        "issuer": nowhere.url().origin().ascii_serialization(),
    });
    let status = Setting::of("web", entry).status("web");
    let message = status["reason"]["message"].as_str().unwrap();
    assert!(message.contains("`tokenEndpoint` of `auth`"), "{message}");
    assert!(!message.contains("authServerMetadataUrl"), "{message}");
}

#[test]
fn a_token_in_a_file_is_sent_and_the_next_one_when_it_is_there() {
    let server = FakeMcpServer::builder().accept("canary-monday-1a").start().unwrap();
    let setting = Setting::new();
    let path = setting.home.write("token", "canary-monday-1a\n").unwrap();
    for token in ["canary-monday-1a", "canary-tuesday-2b"] {
        setting.home.canaries().add("token", token);
    }
    let mut entry = http(&server);
    entry["auth"] = json!({ "file": path });
    let setting = setting.with("web", entry);
    assert_eq!(setting.status("web")["status"], "connected");
    let headers = setting.run(&["headers", "web", "--json"], 0).json().to_string();
    assert!(headers.contains("token-file"), "{headers}");
    setting.home.write("token", "canary-tuesday-2b").unwrap();
    let status = setting.status("web");
    assert_eq!(status["reason"]["code"], "credentials-rejected", "{status:#}");
    std::fs::remove_file(path).unwrap();
    assert_eq!(setting.status("web")["reason"]["code"], "credentials-failed");
}

#[test]
fn s_n21_a_project_cannot_say_which_secret_is_sent() {
    let server = FakeMcpServer::start().unwrap();
    let mut entry = http(&server);
    entry["auth"] = json!({ "file": "/etc/hostname" });
    let setting = Setting::new().project_file(json!({ "web": entry }));
    let output = setting.run(&["validate"], 2);
    assert!(output.to_string().contains("not taken from the file of a project"), "{output}");
    assert_eq!(server.connections(), 0);
}
