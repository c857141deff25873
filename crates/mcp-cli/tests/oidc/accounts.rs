//! Who is signed in, and to what.

use serde_json::json;

use crate::desk::desk;

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
