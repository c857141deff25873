//! Grants without a person at the provider: of a file, by the binary.

use serde_json::json;

use crate::desk::Desk;

/// Of the client `robot-with-a-key`: for this provider alone.
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgb89Lzhyr1CA3RCiR\n\
                   TUHdOxsTygqLP4/dRyMCLMIE5AihRANCAATouY2oMM3vHzRpMC+D6g7oO6H8yp+S\n\
                   zUM+B5TmQynKRupqVvdQOdo71w+f+ZfdwSpArYdqxPyngBc2GAe06ss/";

#[test]
fn a_client_with_a_secret_and_one_with_a_key_get_tokens_of_the_file_alone() {
    let Some(desk) = Desk::new() else { return };
    let issuer = desk.provider.issuer().to_owned();
    let secret = desk.home.write("secret", "canary-robot\n").unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n");
    let key = desk.home.write("key.pem", pem).unwrap();
    let secret = format!("${{file:{}}}", secret.display());
    let grant = |word: &str, id: &str, more: serde_json::Value| {
        let mut auth = json!({ "grant": word, "clientId": id, "issuer": issuer, "scopes": "mcp:tools" });
        auth.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        auth
    };
    let desk = desk
        .with_auth("secret", grant("client_credentials", "robot", json!({ "clientSecret": secret })))
        .with_auth("key", grant("private_key_jwt", "robot-with-a-key", json!({ "keyFile": key })))
        .with_auth(
            "other",
            grant(
                "client_credentials",
                "robot",
                json!({ "clientSecret": format!("${{file:{}}}", key.display()) }),
            ),
        );
    for (name, who) in [("secret", "robot"), ("key", "robot-with-a-key")] {
        assert_eq!(desk.whoami(name), format!("{who}: mcp:tools"));
        assert_eq!(desk.status(name)["status"], "connected");
        assert!(desk.tokens(name).is_none(), "nothing is kept");
    }
    let refused = desk.status("other");
    assert_eq!(
        refused["reason"]["code"], "config",
        "the provider says that the client is another one: {refused:#}"
    );
    assert!(!refused.to_string().contains("canary"), "{refused:#}");
}

/// The package has neither grant: the handlers behind its hook are ours, the client, the tokens and who vouches for them its own.
#[test]
fn an_assertion_of_another_issuer_becomes_a_token_by_exchange_and_by_jwt_bearer() {
    let Some(desk) = Desk::new() else { return };
    let issuer = desk.provider.issuer().to_owned();
    let secret = desk.home.write("secret", "canary-exchanger\n").unwrap();
    let assertions = [
        ("alice", json!({ "sub": "alice" })),
        ("bot", json!({ "sub": "bot" })),
        ("elsewhere", json!({ "sub": "alice", "aud": "https://elsewhere.example" })),
    ];
    for (file, claims) in &assertions {
        let assertion = desk.provider.assertion(claims);
        desk.home.canaries().add(file, &*assertion);
        desk.home.write(file, assertion).unwrap();
    }
    let file = |name: &str| format!("${{file:{}}}", desk.home.home().join(name).display());
    let auth = |grant: &str, more: serde_json::Value| {
        let mut auth = json!({ "grant": grant, "clientId": "exchanger", "issuer": issuer,
            "clientSecret": format!("${{file:{}}}", secret.display()), "scopes": "mcp:tools" });
        auth.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        auth
    };
    const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
    let exchange = |subject: &str| json!({ "subjectToken": file(subject), "subjectTokenType": JWT });
    let mut acting = exchange("alice");
    acting
        .as_object_mut()
        .unwrap()
        .extend([("actorToken".to_owned(), json!(file("bot"))), ("actorTokenType".to_owned(), json!(JWT))]);
    let entries = [
        ("exchanged", auth("token_exchange", exchange("alice"))),
        ("acting", auth("token_exchange", acting)),
        ("asserted", auth("jwt_bearer", json!({ "assertion": file("alice") }))),
        ("refused-exchange", auth("token_exchange", exchange("elsewhere"))),
        ("refused-assertion", auth("jwt_bearer", json!({ "assertion": file("elsewhere") }))),
    ];
    let desk = entries.into_iter().fold(desk, |desk, (name, auth)| desk.with_auth(name, auth));
    for name in ["exchanged", "acting", "asserted"] {
        assert_eq!(desk.whoami(name), "alice: mcp:tools", "{name}");
        assert_eq!(desk.status(name)["status"], "connected", "{name}");
        assert!(desk.tokens(name).is_none(), "{name}: nothing is kept");
    }
    assert!(desk.provider.count(&json!({ "event": "exchanged", "for": "alice", "actor": "bot" })) > 0);
    for name in ["refused-exchange", "refused-assertion"] {
        let refused = desk.status(name);
        assert_ne!(refused["status"], "connected", "{refused:#}");
        assert!(refused["reason"]["message"].as_str().unwrap().contains("invalid_grant"), "{refused:#}");
    }
}
