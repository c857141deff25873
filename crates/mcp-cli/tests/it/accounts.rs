//! The sign-ins that are kept, as `accounts` lists them.

use std::time::{Duration, SystemTime};

use mcp_auth::oauth::store::{FileTokenStore, StoredTokens, TokenKey, TokenStore as _};
use mcp_testkit::{FakeAuthServer, FakeBrowser, FakeMcpServer};
use serde_json::{Value, json};

use crate::setting::{Setting, authorizations, http};

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

/// A server with a sign-in, and who signs in to it: a browser that agrees.
struct Desk {
    server: FakeMcpServer,
    auth: FakeAuthServer,
    browser: FakeBrowser,
}

impl Desk {
    fn new() -> Self {
        let (server, auth) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
        auth.protect(&server);
        Self { server, auth, browser: FakeBrowser::new().unwrap() }
    }

    #[track_caller]
    fn run(&self, setting: &Setting, args: &[&str], code: i32) -> mcp_harness::Output {
        let command = setting.mcplink(args).env("BROWSER", self.browser.command());
        command.may_hold_secrets("state").run().expect_code(code)
    }

    /// What the server is sent by `status` with these options.
    #[track_caller]
    fn sent(&self, setting: &Setting, more: &[&str]) -> String {
        self.run(setting, &[&["status", "s"], more].concat(), 0);
        authorizations(&self.server, "tools/list").pop().unwrap()
    }
}

fn account_of(document: &Value) -> &Value {
    &document["servers"][0]["auth"]["account"]
}

#[test]
fn the_account_is_that_of_the_command_then_of_the_project_then_of_the_entry() {
    let desk = Desk::new();
    let mut setting = Setting::of("s", http(&desk.server));
    for account in [&[][..], &["--account", "work"], &["--account", "home"]] {
        let told = desk.run(&setting, &[&["login", "s"], account].concat(), 0).stdout;
        let named = account.last().is_none_or(|account| told.contains(&format!("account {account},")));
        assert!(named, "{told}");
    }
    let own = desk.sent(&setting, &[]);
    let (work, home) =
        (desk.sent(&setting, &["--account", "work"]), desk.sent(&setting, &["--account", " home"]));
    assert!(own != work && own != home && work != home);

    // The entry, then the project's word in the file of our own, then the command.
    let mut entry = http(&desk.server);
    entry["account"] = "work".into();
    setting.write("s", entry);
    assert_eq!(desk.sent(&setting, &[]), work);
    let folder = setting.home.project().to_string_lossy().into_owned();
    let overrides = json!({ "projects": { folder: { "overrides": { "s": { "account": "home" } } } } });
    setting.home.write(".config/mcplink/mcp.json", overrides.to_string()).unwrap();
    assert_eq!(desk.sent(&setting, &[]), home);
    assert_eq!(desk.sent(&setting, &["--account", "work"]), work);
    let told = desk.run(&setting, &["get", "s"], 0).stdout;
    assert!(told.contains("account") && told.contains("home"), "{told}");
    assert_eq!(account_of(&desk.run(&setting, &["status", "s", "--json"], 0).json()), "home");
    let listed = desk.run(&setting, &["list", "--json", "--account", "work"], 0).json();
    assert_eq!(account_of(&listed), "work");

    // Nobody has signed in as that: nothing of another account is sent, and the step names it.
    let before = desk.server.requests().len();
    let none = desk.run(&setting, &["status", "s", "--json", "--account", "new one"], 3).json();
    assert_eq!(none["servers"][0]["reason"]["next"], "mcplink login s --account 'new one'");
    let since = desk.server.requests().split_off(before);
    assert!(since.iter().all(|request| request.header("authorization").is_none()), "{since:?}");

    let kept = desk.run(&setting, &["accounts", "s", "--json"], 0).json();
    let names: Vec<&Value> = kept["accounts"].as_array().unwrap().iter().map(|row| &row["account"]).collect();
    assert_eq!(names, [&Value::Null, &json!("home"), &json!("work")]);
    let shown = desk.run(&setting, &["accounts", "--account", "work"], 0).stdout;
    assert!(shown.contains("account work") && !shown.contains("account home"), "{shown}");

    desk.run(&setting, &["logout", "s", "--account", "work"], 0);
    assert_eq!(desk.sent(&setting, &[]), home);
    desk.run(&setting, &["status", "s", "--account", "work"], 3);
    desk.run(&setting, &["logout", "s", "--all"], 0);
    let kept = desk.run(&setting, &["accounts", "--json"], 0).json();
    assert_eq!(kept["accounts"], json!([]), "{kept:#}");
    for bad in ["", "-x", "a\nb"] {
        let option = format!("--account={bad}");
        desk.run(&setting, &["status", "s", &option], 2);
    }
    drop(desk.auth);
}

#[test]
fn an_account_that_is_none_makes_its_entry_invalid_and_not_another_accounts() {
    let server = FakeMcpServer::start().unwrap();
    for bad in [json!(""), json!(7), json!("a\u{1b}[1m"), json!(["work"])] {
        let mut entry = http(&server);
        entry["account"] = bad.clone();
        let setting = Setting::of("s", entry);
        let document = setting.run(&["status", "s", "--json"], 2).json();
        assert_eq!(document["servers"][0]["reason"]["code"], "config", "{bad}: {document:#}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_sign_in_of_another_person_tenant_or_issuer_is_refused_before_anything_is_sent() {
    let desk = Desk::new();
    let mut setting = Setting::of("s", http(&desk.server));
    let who = |name: &str, tenant: &str| {
        let claims =
            json!({ "sub": name, "email": format!("{name}@corp.example"), "tid": tenant }).to_string();
        desk.auth.set(|settings| settings.id_claims = Some(claims));
    };
    who("bob", "t-1");
    desk.run(&setting, &["login", "s"], 0);
    let issuer = desk.auth.issuer();
    let oauth = |block: Value| {
        let mut entry = http(&desk.server);
        entry["oauth"] = block;
        entry
    };
    for (block, met) in [
        (json!({ "expectSubject": "bob" }), true),
        (json!({ "expectSubject": "BOB@corp.example", "expectOrganization": "t-1", "issuer": issuer }), true),
        (json!({ "expectSubject": "ann@corp.example" }), false),
        (json!({ "expectOrganization": "t-2" }), false),
        (json!({ "issuer": "https://as.elsewhere.example" }), false),
    ] {
        setting.write("s", oauth(block.clone()));
        let before = desk.server.requests().len();
        let document = desk.run(&setting, &["status", "s", "--json"], if met { 0 } else { 3 }).json();
        let (row, since) = (&document["servers"][0], desk.server.requests().split_off(before));
        assert_eq!(since.is_empty(), !met, "{block}: {since:?}");
        if !met {
            assert_eq!(row["reason"]["code"], "wrong-account", "{row:#}");
            assert_eq!(row["reason"]["next"], "mcplink login s", "{row:#}");
            let call = desk.run(&setting, &["call", "s", "echo"], 3);
            assert!(call.stderr.contains("bob") || call.stderr.contains(&issuer), "{call}");
            assert_eq!(desk.server.requests().len(), before, "{block}");
        }
    }
    let shown = desk.run(&setting, &["accounts"], 0).stdout;
    assert!(shown.contains("bob@corp.example of t-1"), "{shown}");

    // Nor does a sign-in bring the wrong one in, and the one before stays.
    setting.write("s", oauth(json!({ "expectSubject": "ann@corp.example" })));
    let refused = desk.run(&setting, &["login", "s", "--json"], 3);
    assert!(refused.stderr.contains("\"wrong-account\"") && refused.stderr.contains("bob@corp"), "{refused}");
    let asked = desk.auth.requests_to(mcp_testkit::Endpoint::Authorize);
    assert!(
        asked.last().unwrap().query.as_deref().unwrap_or_default().contains("login_hint=ann%40corp.example"),
        "{asked:?}"
    );
    who("ann", "t-2");
    desk.run(&setting, &["login", "s"], 0);
    desk.run(&setting, &["status", "s"], 0);
}
