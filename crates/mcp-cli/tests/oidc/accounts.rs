//! Who is signed in, and to what.

use mcp_harness::{CertifiedProvider, Consent};
use serde_json::{Value, json};

use crate::desk::{Desk, browser, desk};

#[test]
fn two_entries_for_one_url_hold_two_accounts() {
    let Some(desk) = desk() else { return };
    let desk = desk.with("home", json!({}));
    desk.login(&["work"], "alice");
    desk.login(&["home"], "bob");
    assert_eq!(desk.whoami("work"), "alice: mcp:tools");
    assert_eq!(desk.whoami("home"), "bob: mcp:tools");

    desk.run(&["logout", "work"], 0);
    assert_eq!(desk.status("work")["status"], "needs-auth");
    assert_eq!(desk.whoami("home"), "bob: mcp:tools");
}

#[test]
fn a_scope_that_is_asked_for_by_name_is_granted_by_name() {
    let Some(desk) = desk() else { return };
    let scopes = ["--oauth-scope", "mcp:tools", "--oauth-scope", "mcp:admin"];
    let output = desk.login(&[&["work"], &scopes[..]].concat(), "alice");
    assert!(output.stdout.contains("(mcp:tools mcp:admin)"), "{output}");
    assert_eq!(desk.whoami("work"), "alice: mcp:tools mcp:admin");
    // Exactly these: what would bring a refresh token was not asked for, and its lack is said.
    assert_eq!(desk.provider.count(&json!({ "event": "authorized", "scope": "mcp:tools mcp:admin" })), 1);
    assert!(output.stdout.contains("sign in again after"), "{output}");
}

/// The document that is shipped, hosted as docs/credentials.md says.
#[test]
fn the_client_metadata_document_is_taken_as_it_is_shipped() {
    const HOSTED: &str = "https://corp.example/mcplink.json";
    if browser("stranger", Consent::Grant).is_none() {
        return;
    }
    let mut document: Value =
        serde_json::from_str(include_str!("../../../../docs/client-metadata.json")).unwrap();
    document["client_id"] = json!(HOSTED);
    let Some(desk) = Desk::of(CertifiedProvider::start_with_document(HOSTED, &document)) else { return };
    let desk = desk.with("work", json!({ "clientMetadataUrl": HOSTED }));
    desk.login(&["work"], "alice");
    assert_eq!(desk.whoami("work"), "alice: mcp:tools");
    assert_eq!(desk.provider.count(&json!({ "event": "registered" })), 0);
    let authorized = desk.provider.count(&json!({ "event": "authorized", "client": HOSTED }));
    assert!(authorized > 0, "{}", desk.provider.log());

    // The same client spends the refresh token, for which it needs no secret.
    desk.tokens("work").unwrap().expire();
    assert_eq!(desk.whoami("work"), "alice: mcp:tools");
    assert_eq!(desk.provider.refreshes(), 1, "{}", desk.provider.log());
}
