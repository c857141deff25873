//! A sign-in from its beginning to its end, and once more.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::desk::desk;

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

#[test]
fn a_sign_in_works_renews_itself_ends_and_begins_again() {
    let Some(desk) = desk() else { return };
    let provider = &desk.provider;
    let before = desk.status("work");
    assert_eq!(
        (&before["status"], &before["reason"]["code"]),
        (&json!("needs-auth"), &json!("unauthorized"))
    );
    assert_eq!(before["reason"]["next"], "mcplink login work");
    assert_eq!(desk.home.snapshot().paths().filter(|path| path.starts_with("state")).count(), 0);

    // Signed in: registered, consented, proven.
    provider.issue_for(Duration::from_secs(10));
    let said = desk.login(&["work", "--json"], "alice").json();
    assert_eq!(said["issuer"], provider.issuer());
    assert_eq!(said["refreshable"], true, "{}", provider.log());
    assert_eq!(provider.count(&json!({ "event": "registered" })), 1);
    let first = desk.tokens("work").unwrap();

    // Used: what is issued from now on lives long, so one refresh is enough however slow this machine is.
    provider.issue_for(Duration::from_secs(600));
    let row = desk.status("work");
    assert_eq!((&row["status"], &row["auth"]["signedIn"]), (&json!("connected"), &json!(true)), "{row}");
    assert_eq!(desk.whoami("work"), "alice: mcp:tools");

    // Expired: renewed once, silently, and the spent token is not kept.
    thread::sleep(Duration::from_millis((first.expires_at() + 1000).saturating_sub(now())));
    assert!(!provider.is_active(first.access()), "the provider's clock and ours are the same");
    assert_eq!(desk.whoami("work"), "alice: mcp:tools");
    assert_eq!(desk.whoami("work"), "alice: mcp:tools");
    assert_eq!(provider.refreshes(), 1, "{}", provider.log());
    let renewed = desk.tokens("work").unwrap();
    assert_ne!(renewed.refresh(), first.refresh(), "the provider rotates");
    assert!(provider.is_active(renewed.refresh()) && provider.is_active(renewed.access()));

    // Signed out: over at the provider as well, and asking for a sign-in again.
    assert_eq!(desk.run(&["logout", "work"], 0).stdout, "signed out of work\n");
    assert!(!provider.is_active(renewed.refresh()) && !provider.is_active(renewed.access()));
    assert!(desk.tokens("work").is_none());
    let after = desk.status("work");
    assert_eq!(
        (&after["status"], &after["reason"]["next"]),
        (&json!("needs-auth"), &json!("mcplink login work"))
    );
    assert_eq!(after["auth"]["signedIn"], false);

    // A thief who had copied the tokens has nothing.
    renewed.put_back();
    let stolen = desk.status("work");
    assert_eq!(stolen["reason"]["code"], "sign-in-expired", "{stolen}");
    assert_eq!(stolen["reason"]["next"], "mcplink login work");
    assert_eq!(provider.count(&json!({ "event": "no-token", "error": "invalid_grant" })), 1);
    assert!(desk.tokens("work").is_none(), "a dead sign-in is not kept");

    // And once more.
    desk.login(&["work"], "alice");
    assert_eq!(desk.whoami("work"), "alice: mcp:tools");
}

#[test]
fn a_token_that_is_renewed_while_the_command_ends_is_not_lost() {
    let Some(desk) = desk() else { return };
    desk.login(&["work"], "alice");
    let mut ending = desk.tokens("work").unwrap();
    // In its last minute, so that it still serves while its successor is fetched.
    ending.content["obtained_at_ms"] = json!(now() - 570_000);
    ending.content["expires_at_ms"] = json!(now() + 30_000);
    ending.put_back();

    // The provider has rotated long before it answers, and the call is long over by then.
    desk.provider.delay_tokens(Duration::from_secs(3));
    assert_eq!(desk.whoami("work"), "alice: mcp:tools");
    assert_eq!(desk.provider.refreshes(), 1);
    let kept = desk.tokens("work").unwrap();
    assert!(desk.provider.is_active(kept.refresh()), "what is kept was spent");
    assert_eq!(desk.whoami("work"), "alice: mcp:tools");
    assert_eq!(desk.provider.refreshes(), 1);
}
