//! The sign-ins that are kept, as `accounts` lists them.
//!
//! Longer than 500 lines because whose sign-in it is, and by which way, is tried in one place.

use std::time::{Duration, SystemTime};

use mcp_auth::oauth::store::{FileTokenStore, StoredTokens, TokenKey, TokenStore as _};
use mcp_testkit::{Accept, FakeAuthServer, FakeBrowser, FakeHelper, FakeMcpServer, ForwardProxy, Refusal};
use serde_json::{Value, json};

use crate::setting::{Setting, authorizations, http, with_helper};

/// Keeps a sign-in of this entry, as a person who signed in has.
pub(crate) fn sign_in(setting: &Setting, name: &str, url: &str, change: impl FnOnce(&mut StoredTokens)) {
    sign_in_at("https://as.example", setting, name, url, change);
}

/// The same at this authorization server.
pub(crate) fn sign_in_at(
    issuer: &str,
    setting: &Setting,
    name: &str,
    url: &str,
    change: impl FnOnce(&mut StoredTokens),
) {
    let key = TokenKey::new(name, &url.parse().unwrap(), issuer);
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
        "renewed automatically",
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
        let output = desk.run(&setting, &[&["login", "s"], account].concat(), 0).stdout;
        let named = account.last().is_none_or(|account| output.contains(&format!("account {account},")));
        assert!(named, "{output}");
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
    let shown = desk.run(&setting, &["get", "s"], 0).stdout;
    assert!(shown.contains("account") && shown.contains("home"), "{shown}");
    assert!(shown.contains("signed in") && shown.contains("  yes, account home"), "{shown}");
    assert_eq!(account_of(&desk.run(&setting, &["status", "s", "--json"], 0).json()), "home");
    let listed = desk.run(&setting, &["list", "--json", "--account", "work"], 0).json();
    assert_eq!(account_of(&listed), "work");

    // No one has signed in as that account: nothing of another account is sent, and the step names it.
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
    // The entry is right.
    assert!(refused.stderr.contains("choose the account that is expected"), "{refused}");
    let asked = desk.auth.requests_to(mcp_testkit::AuthEndpoint::Authorize);
    assert!(
        asked.last().unwrap().query.as_deref().unwrap_or_default().contains("login_hint=ann%40corp.example"),
        "{asked:?}"
    );
    // An ID token of someone else's says nothing.
    let ann = json!({ "sub": "ann", "email": "ann@corp.example" });
    for (claim, value, said) in [
        ("iss", json!("https://evil.example"), "is from https://evil.example"),
        ("aud", json!("other"), "is for another client"),
        ("exp", json!(1000), "ended"),
        ("email_verified", json!(false), "expects ann@corp.example"),
    ] {
        let mut claims = ann.clone();
        claims[claim] = value;
        desk.auth.set(|settings| settings.id_claims = Some(claims.to_string()));
        let refused = desk.run(&setting, &["login", "s"], 3);
        assert!(refused.stderr.contains(said), "{claim}: {refused}");
    }
    who("ann", "t-2");
    desk.run(&setting, &["login", "s"], 0);
    desk.run(&setting, &["status", "s"], 0);
}

#[test]
fn a_sign_in_made_elsewhere_is_taken_from_a_pipe_without_a_person() {
    let desk = Desk::new();
    let mut entry = http(&desk.server);
    entry["oauth"] = json!({ "clientId": "ci", "issuer": desk.auth.issuer() });
    let mut setting = Setting::of("s", entry);
    desk.auth.add_public_client("ci", &[]);
    desk.run(&setting, &["login", "s"], 0);
    let folder = setting.home.state_dir().join("tokens/tokens");
    let kept = || {
        let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        let text: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        std::fs::remove_file(file).unwrap();
        text
    };
    let seed = |setting: &Setting, text: &str, code: i32| {
        let command = setting.mcplink(&["login", "s", "--from-stdin", "--non-interactive", "--json"]);
        command.stdin(text).may_hold_secrets("state").run().expect_code(code)
    };
    // The whole response, then the refresh token alone, which is renewed; the new one is kept.
    let first = kept();
    let response = json!({ "access_token": first["access_token"], "refresh_token": first["refresh_token"],
        "token_type": "Bearer", "expires_in": 3600 });
    assert_eq!(seed(&setting, &response.to_string(), 0).json()["signedIn"], true);
    desk.run(&setting, &["status", "s"], 0);
    let second = kept();
    assert_eq!(second["access_token"], first["access_token"]);
    let token = second["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(seed(&setting, &format!("{token}\n"), 0).json()["refreshable"], true);
    desk.run(&setting, &["status", "s"], 0);
    assert_ne!(kept()["refresh_token"], token.as_str());

    // A spent one, nothing, and what is none change nothing, and nothing of it is told.
    for (text, code) in [(&*token, 3), ("", 2), ("canary two words", 2), ("{\"canary\": 1}", 2)] {
        let output = seed(&setting, text, code);
        assert!(!output.stderr.contains("canary") && !output.stderr.contains(&token), "{output}");
        assert!(std::fs::read_dir(&folder).unwrap().next().is_none());
    }
    // One that the server refuses is not kept, and is the credentials' fault: not that of a protocol.
    let refused = seed(&setting, r#"{"access_token":"canary"}"#, 3);
    assert!(refused.stderr.contains("sign-in-refused") && !refused.stderr.contains("canary"), "{refused}");
    assert!(refused.stderr.contains("hand over a sign-in that is fresh"), "{refused}");
    assert!(seed(&setting, "", 2).stderr.contains("mcplink login --help"));
    // A refresh token goes to no authorization server that the server alone names.
    setting.write("s", http(&desk.server));
    let before = desk.auth.requests_to(mcp_testkit::AuthEndpoint::Token).len();
    let stranger = seed(&setting, r#"{"refresh_token":"canary","client_id":"ci"}"#, 2);
    assert!(stranger.stderr.contains("oauth.issuer"), "{stranger}");
    let no_client = seed(&setting, "canary", 2);
    assert!(no_client.stderr.contains("clientId"), "{no_client}");
    assert_eq!(desk.auth.requests_to(mcp_testkit::AuthEndpoint::Token).len(), before);
}

/// An entry that was renamed, or taken out in its file, leaves its sign-in behind, and a person can still end it.
#[test]
fn a_sign_in_without_an_entry_can_be_ended() {
    let desk = Desk::new();
    for verb in ["logout", "reset"] {
        let setting = Setting::of("s", http(&desk.server));
        desk.run(&setting, &["login", "s"], 0);
        setting.home.write(".claude.json", "{}").unwrap();
        assert!(desk.run(&setting, &["accounts"], 0).stdout.contains("no entry of this name"), "{verb}");
        let revoked = desk.auth.requests_to(mcp_testkit::AuthEndpoint::Revoke).len();
        desk.run(&setting, &[verb, "s"], 0);
        assert!(setting.home.sign_ins().is_empty(), "{verb}");
        let since = desk.auth.requests_to(mcp_testkit::AuthEndpoint::Revoke).len() - revoked;
        assert_eq!(since > 0, verb == "logout");
        desk.run(&setting, &[verb, "s"], 2);
    }
}

#[test]
fn many_sign_ins_come_one_after_the_other_and_all_are_those_that_want_one() {
    let desk = Desk::new();
    let second = FakeMcpServer::start().unwrap();
    desk.auth.protect(&second);
    let open = FakeMcpServer::start().unwrap();
    let forbidden = FakeMcpServer::builder().accept(Accept::Nothing).refuse_with(Refusal::forbidden());
    let forbidden = forbidden.start().unwrap();
    let helped = FakeMcpServer::builder().accept("A").start().unwrap();
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer("A");
    let setting = Setting::of("s", http(&desk.server))
        .with("t", http(&second))
        .with("open", http(&open))
        .with("forbidden", http(&forbidden))
        .with("gone", json!({ "type": "http", "url": "http://127.0.0.1:9/mcp" }))
        .with("helped", with_helper(&helped, &helper))
        .with("local", json!({ "command": "cat" }));
    let output = desk.run(&setting, &["login", "s", "t"], 0);
    assert!(output.stdout.contains("signed in to s") && output.stdout.contains("signed in to t"), "{output}");
    assert!(output.stderr.contains("2 of 2 signed in"), "{output}");
    desk.run(&setting, &["logout", "t"], 0);
    let document = desk.run(&setting, &["login", "--all", "--json"], 0).json();
    let names: Vec<_> = document["signIns"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["t"], "{document:#}");
    let none = desk.run(&setting, &["login", "--all"], 0);
    assert!(none.stderr.contains("no server wants a sign-in"), "{none}");
    // One that fails does not keep the next from its turn.
    let mixed = desk.run(&setting, &["login", "local", "s", "--json"], 2).json();
    assert_eq!(
        (&mixed["signIns"][0]["error"]["code"], &mixed["signIns"][1]["signedIn"]),
        (&json!("no-oauth"), &json!(true))
    );
    desk.run(&setting, &["login"], 2);
    desk.run(&setting, &["login", "s", "t", "--from-stdin"], 2);
}

/// Sixteen processes at one moment: some renew one sign-in, some sign in, some sign out, and some look.
#[test]
fn what_many_processes_do_to_the_sign_ins_at_once_tears_and_loses_none() {
    let desk = Desk::new();
    let setting = Setting::of("s", http(&desk.server));
    let account = |verb: &str, name: &str, code| desk.run(&setting, &[verb, "s", "--account", name], code);
    desk.auth.set(|settings| settings.token_lifetime = Duration::from_secs(1));
    desk.run(&setting, &["login", "s"], 0);
    desk.auth.set(|settings| settings.token_lifetime = Duration::from_secs(3600));
    let leaving = ["out-0", "out-1", "out-2", "out-3"];
    leaving.iter().for_each(|name| drop(account("login", name, 0)));
    // The token of the first one ends, by the server's word and by ours.
    std::thread::sleep(Duration::from_millis(1_100));
    let before = desk.auth.requests_to(mcp_testkit::AuthEndpoint::Token).len();
    let coming = ["in-0", "in-1", "in-2", "in-3"];
    std::thread::scope(|scope| {
        for index in 0..4 {
            let (coming, leaving) = (coming[index], leaving[index]);
            scope.spawn(|| desk.run(&setting, &["status", "s"], 0));
            scope.spawn(move || account("login", coming, 0));
            scope.spawn(move || account("logout", leaving, 0));
            scope.spawn(|| desk.run(&setting, &["accounts", "--json"], 0).json());
        }
    });
    // One renewal and four sign-ins: a second one would have spent a refresh token twice.
    assert_eq!(desk.auth.requests_to(mcp_testkit::AuthEndpoint::Token).len() - before, 1 + coming.len());
    let accounts = desk.run(&setting, &["accounts", "--json"], 0).json();
    let rows = accounts["accounts"].as_array().unwrap();
    let mut names: Vec<_> = rows.iter().map(|row| row["account"].as_str().unwrap_or("-")).collect();
    names.sort_unstable();
    assert_eq!(names, ["-", "in-0", "in-1", "in-2", "in-3"], "{accounts:#}");
    desk.run(&setting, &["status", "s"], 0);
    coming.iter().for_each(|name| drop(account("status", name, 0)));
    for file in std::fs::read_dir(setting.home.state_dir().join("tokens/tokens")).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", path.display());
    }
}

#[test]
fn one_sign_in_serves_the_servers_of_its_issuer_that_a_person_says_share_it() {
    let desk = Desk::new();
    desk.auth.set(|settings| settings.refresh_for_any_resource = true);
    let (second, third) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    desk.auth.protect(&second);
    desk.auth.protect(&third);
    let shares = |server: &FakeMcpServer| {
        let mut entry = http(server);
        entry["oauth"] = json!({ "share": "issuer" });
        entry
    };
    let setting = Setting::of("s", http(&desk.server))
        .with("t", shares(&second))
        .with("u", http(&third))
        .project_file(json!({ "p": shares(&second) }));
    desk.run(&setting, &["status", "t"], 3);
    desk.run(&setting, &["login", "s"], 0);
    // Each has a token of its own: the server takes none that was made for another one.
    desk.run(&setting, &["status", "t"], 0);
    let (of_s, of_t) = (desk.sent(&setting, &[]), authorizations(&second, "tools/list").pop().unwrap());
    assert_ne!(of_s, of_t);
    let before = desk.auth.requests_to(mcp_testkit::AuthEndpoint::Token).len();
    desk.run(&setting, &["status", "t"], 0);
    assert_eq!(desk.auth.requests_to(mcp_testkit::AuthEndpoint::Token).len(), before, "it is kept");
    // Not without the word of a person, and not by that of a repository.
    desk.run(&setting, &["status", "u"], 3);
    let refused = setting.run(&["status", "p", "--json"], 2).json();
    assert_eq!(refused["servers"][0]["reason"]["code"], "config", "{refused:#}");
    // The sign-in that is shared is renewed as before, and ends for all.
    let said = desk.run(&setting, &["logout", "t"], 0).stderr;
    assert!(said.contains("t shares the sign-in of s") && said.contains("mcplink logout s"), "{said}");
    desk.run(&setting, &["status", "t"], 0);
    assert_eq!(desk.sent(&setting, &[]), of_s);
    let said = desk.run(&setting, &["logout", "s"], 0).stderr;
    assert!(said.contains("t may have a token") && said.contains("mcplink logout t"), "{said}");
    let said = desk.run(&setting, &["logout", "t", "--json"], 0).json();
    assert_eq!((&said["forgotten"], &said["others"]), (&json!(1), &json!([])));
    desk.run(&setting, &["status", "t"], 3);
    // Who shares nothing hears nothing of others.
    desk.run(&setting, &["login", "s"], 0);
    desk.run(&setting, &["login", "u"], 0);
    let said = desk.run(&setting, &["logout", "u"], 0);
    assert!(!said.stderr.contains("shares") && !said.stderr.contains("oauth.share"), "{said}");
}

#[test]
fn a_client_metadata_document_comes_before_a_registration_and_a_registered_client_before_both() {
    const HOSTED: &str = "https://corp.example/mcplink.json";
    const OF_ENTRY: &str = "https://other.example/client.json";
    let desk = Desk::new();
    desk.auth.set(|settings| settings.client_id_metadata_documents = true);
    let client = |oauth: Value, takes_documents: bool| {
        desk.auth.set(|settings| settings.client_id_metadata_documents = takes_documents);
        let mut entry = http(&desk.server);
        entry["oauth"] = oauth;
        let setting = Setting::of("s", entry);
        let login = setting.mcplink(&["login", "s"]).env("BROWSER", desk.browser.command());
        let login = login.env("MCPLINK_CLIENT_METADATA_URL", HOSTED).may_hold_secrets("state");
        login.run().expect_code(0);
        desk.run(&setting, &["status", "s"], 0);
        let asked = desk.auth.requests_to(mcp_testkit::AuthEndpoint::Authorize).pop().unwrap();
        asked.form().into_iter().find(|(name, _)| *name == "client_id").unwrap().1.to_string()
    };
    desk.auth.add_public_client("by-hand", &[]);
    assert_eq!(client(json!({}), true), HOSTED);
    assert_eq!(client(json!({ "clientMetadataUrl": OF_ENTRY }), true), OF_ENTRY);
    assert_eq!(client(json!({ "clientId": "by-hand" }), true), "by-hand");
    assert!(desk.auth.registrations().is_empty());
    assert!(client(json!({}), false).starts_with("client-"), "where no document is taken, it registers");
    // The document that is shipped says what a registration says.
    let shipped: Value = serde_json::from_str(include_str!("../../../../docs/client-metadata.json")).unwrap();
    let registered = &desk.auth.registrations()[0];
    for field in
        ["client_name", "application_type", "grant_types", "response_types", "token_endpoint_auth_method"]
    {
        assert_eq!(shipped[field], registered[field], "{field}");
    }
    let redirect = registered["redirect_uris"][0].as_str().unwrap();
    assert!(redirect.starts_with("http://localhost:") && redirect.ends_with("/callback"), "{redirect}");
    assert_eq!(shipped["redirect_uris"][0], "http://localhost/callback");
}

/// What a person wants forgotten does not stay because it is broken.
#[test]
fn a_broken_sign_in_is_forgotten_by_logout_and_by_reset() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("notes", http(&server));
    for (command, said) in [("logout", "could not be revoked"), ("reset", "forgot 1 record")] {
        sign_in(&setting, "notes", server.url().as_str(), |_| {});
        let kept = std::fs::read_dir(setting.home.state_dir().join("tokens/tokens")).unwrap();
        let [file]: [_; 1] = kept.map(|entry| entry.unwrap().path()).collect::<Vec<_>>().try_into().unwrap();
        std::fs::write(&file, "garbage").unwrap();
        let output = setting.run(&[command, "notes"], 0).to_string();
        assert!(output.contains(said) && !file.exists(), "{output}");
    }
}

/// No person has a part in it, and a page would be of another sign-in.
#[test]
fn an_entry_with_a_grant_is_not_signed_in_to() {
    let auth = json!({
        "grant": "client_credentials", "clientId": "robot", "clientSecret": "${env:ROBOT}", "issuer": "https://as.example",
    });
    let server = FakeMcpServer::start().unwrap();
    let mut entry = http(&server);
    entry["auth"] = auth;
    let said = Setting::of("robots", entry).run(&["login", "robots"], 2).stderr;
    assert!(said.contains("robots signs in on its own") && said.contains("mcplink status robots"), "{said}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn s_m18_a_sign_in_does_not_go_by_a_proxy_or_an_authority_that_a_project_names() {
    let mut setting = Setting::new();
    let server =
        FakeMcpServer::builder().accept(Accept::bearer(setting.home.secret("token-bank"))).start().unwrap();
    let proxy = ForwardProxy::start().unwrap();
    setting.write("bank", http(&server));
    sign_in(&setting, "bank", server.url().as_str(), |_| {});
    setting.run(&["status", "bank"], 0);
    // A person's own file may name one.
    let mut own = http(&server);
    own["proxy"] = json!(proxy.url());
    setting.write("bank", own.clone());
    setting.run(&["status", "bank"], 0);
    assert!(!proxy.asked().is_empty());
    setting.write("bank", http(&server));

    let setting = setting.project_file(json!({ "bank": own }));
    setting.run(&["approve", "bank", "--yes"], 0);
    let before =
        authorizations(&server, "initialize").len() + authorizations(&server, "server/discover").len();
    let status = setting.status("bank");
    assert_eq!(
        (&status["status"], &status["scope"]),
        (&json!("needs-auth"), &json!("project")),
        "{status:#}"
    );
    let sent = [authorizations(&server, "server/discover"), authorizations(&server, "initialize")].concat();
    let sent_since = sent.iter().filter(|sent| *sent == "none").count();
    assert!(sent.len() > before && sent_since == sent.len() - before, "{sent:?}");
    let doctor = setting.mcplink(&["doctor", "bank"]).run().stdout;
    assert!(doctor.contains(&format!("none of this way (proxy {})", proxy.url())), "{doctor}");

    // Every part of the way counts, and an entry without one is as before.
    for (change, connects) in [
        (json!({ "tls": { "serverName": "other.example" } }), false),
        (json!({ "proxy": "none" }), true),
        (json!({}), true),
    ] {
        let mut entry = http(&server);
        entry.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        setting
            .home
            .write_project(".mcp.json", json!({ "mcpServers": { "bank": entry } }).to_string())
            .unwrap();
        setting.run(&["approve", "bank", "--yes"], 0);
        let status = setting.status("bank");
        assert_eq!(status["status"] == "connected", connects, "{change}: {status:#}");
    }
}

/// Which of several sign-ins is used means nothing where there is none, and is not passed over without a word.
#[test]
fn an_account_of_a_server_without_sign_ins_is_an_error_that_says_so() {
    let server = FakeMcpServer::start().unwrap();
    let fixed = json!({ "type": "http", "url": server.url(), "headers": { "Authorization": "Bearer x" } });
    let mut off = http(&server);
    off["oauth"] = json!(false);
    let mut grant = http(&server);
    grant["auth"] = json!({ "file": "/nowhere/token" });
    let setting = Setting::of("fixed", fixed)
        .with("off", off)
        .with("grant", grant)
        .with("local", json!({ "command": "true" }))
        .with("open", http(&server));
    for (name, why) in [
        ("fixed", "a static Authorization header is configured and outranks it"),
        ("off", "`oauth` is false in the entry"),
        ("grant", "it signs in on its own"),
        ("local", "it is a command"),
    ] {
        for command in ["status", "tools", "get", "ping", "doctor", "reconnect", "wait"] {
            let output = setting.run(&[command, name, "--account", "work"], 2);
            let message = format!("error: --account work chooses a sign-in, and {name} has none\n");
            assert!(
                output.stderr.starts_with(&message) && output.stderr.contains(why),
                "{command}: {output}"
            );
            assert!(output.stderr.ends_with("  next: leave --account out\n"), "{command}: {output}");
        }
    }
    // What follows takes an account.
    for name in ["grant", "local"] {
        let output = setting.run(&["login", name, "--account", "work"], 2);
        assert!(output.stderr.ends_with("  next: mcplink list --account work\n"), "{output}");
        setting.run(&["list", "--account", "work"], 0);
    }
    assert_eq!(server.connections(), 0, "nothing was asked");
    // One that may sign in is asked, and what is about all servers counts for those that do.
    setting.run(&["status", "open", "--account", "work"], 0);
    let all = setting.mcplink(&["status", "--account", "work", "--offline"]).run();
    assert!(all.stdout.contains("fixed") && !all.stderr.contains("chooses a sign-in"), "{all}");
}
