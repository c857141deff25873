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
