//! The sign-ins that are kept, as `accounts` lists them.

use std::time::{Duration, SystemTime};

use mcp_auth::oauth::store::{FileTokenStore, StoredTokens, TokenKey, TokenStore as _};
use mcp_testkit::FakeMcpServer;
use serde_json::json;

use crate::setting::{Setting, http};

/// Keeps a sign-in of this entry, as a person who signed in has.
pub(crate) fn sign_in(setting: &Setting, name: &str, url: &str, change: impl FnOnce(&mut StoredTokens)) {
    let key = TokenKey::new(name, &url.parse().unwrap(), "https://as.example");
    let token = setting.home.secret(&format!("token-{name}"));
    let mut tokens = StoredTokens::new(token, "client-7", SystemTime::now());
    tokens.scopes = vec!["read".to_owned(), "write".to_owned()];
    change(&mut tokens);
    let store = FileTokenStore::new(setting.home.state_dir().join("tokens"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.save(&key, &tokens)).unwrap();
}

#[test]
fn fh_h11_sign_ins_are_listed_with_what_is_kept_of_them_and_no_token() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("notes", http(&server));
    let none = setting.run(&["accounts"], 0);
    assert!(none.stdout.is_empty() && none.stderr.contains("no sign-in is kept"), "{none}");
    let refresh = setting.home.secret("refresh");
    sign_in(&setting, "notes", &format!("{}?key=canary-query", server.url()), |tokens| {
        tokens.refresh_token = Some(refresh.clone().into());
        tokens.expires_at = Some(SystemTime::now() + Duration::from_secs(3600));
        tokens.generation = 3;
    });
    sign_in(&setting, "gone", "https://gone.example/mcp", |tokens| {
        tokens.expires_at = Some(SystemTime::now() - Duration::from_secs(60));
    });
    let document = setting.run(&["accounts", "--json"], 0).json();
    assert!(!document.to_string().contains("canary-query"), "{document:#}");
    let accounts = document["accounts"].as_array().unwrap();
    let servers: Vec<_> = accounts.iter().map(|account| account["server"].clone()).collect();
    assert_eq!(servers, [json!("gone"), json!("notes")]);
    let (gone, notes) = (&accounts[0], &accounts[1]);
    for (field, expected) in [
        ("hasEntry", json!(true)),
        ("issuer", json!("https://as.example")),
        ("clientId", json!("client-7")),
        ("scopes", json!(["read", "write"])),
        ("isExpired", json!(false)),
        ("renewable", json!(true)),
        ("renewals", json!(3)),
        ("keptIn", json!("file")),
    ] {
        assert_eq!(notes[field], expected, "{field}: {notes:#}");
    }
    assert!(notes["file"].as_str().unwrap().contains("tokens/notes-"), "{notes:#}");
    assert_eq!(
        (&gone["hasEntry"], &gone["isExpired"], &gone["renewable"]),
        (&json!(false), &json!(true), &json!(false))
    );
    let shown = setting.run(&["accounts"], 0).stdout;
    for part in [
        "gone  (no entry of this name here)",
        "read write",
        "renewed by itself",
        "ended",
        "sign in again",
        "file: ",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // Of one server, whether it has an entry or not, and by the URL.
    assert!(!setting.run(&["accounts", "gone"], 0).stdout.contains("notes"));
    let by_url = setting.run(&["accounts", "https://gone.example/mcp", "--json"], 0).json();
    assert_eq!(by_url["accounts"][0]["server"], "gone");
    let error = setting.run(&["accounts", "note"], 2);
    assert!(error.stderr.contains("did you mean \"notes\"?"), "{error}");
    assert_eq!(server.connections(), 0);
}

#[test]
fn fh_h11_a_sign_in_that_cannot_be_read_is_told_beside_the_others() {
    let setting = Setting::of("notes", json!({ "type": "http", "url": "https://h.example/mcp" }));
    sign_in(&setting, "notes", "https://h.example/mcp", |_| {});
    let folder = setting.home.state_dir().join("tokens/tokens");
    std::fs::write(folder.join("other-0.json"), "{").unwrap();
    let output = setting.run(&["accounts"], 0);
    assert!(output.stdout.contains("notes") && output.stderr.contains("other-0.json"), "{output}");
    let document = setting.run(&["accounts", "--json"], 0).json();
    assert_eq!(document["unreadable"].as_array().unwrap().len(), 1, "{document:#}");
}
