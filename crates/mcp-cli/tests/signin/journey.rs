//! From the first look to signing out, and in again.

use std::fs;
use std::path::PathBuf;

use mcp_harness::{Mcplink, Output, Person};
use mcp_testkit::TempHome;
use serde_json::{Value, json};
use url::Url;

/// What a server lets a client do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expected {
    /// Tokens can be renewed without a person.
    pub(crate) refreshes: bool,
    /// It answers a token that it does not know with 500, as the demo provider of the TypeScript SDK does.
    pub(crate) stumbles: bool,
    /// What the tool says about the caller.
    pub(crate) whoami: &'static str,
}

/// A home with one entry, `work`.
#[derive(Debug)]
pub(crate) struct Desk {
    home: TempHome,
}

impl Desk {
    pub(crate) fn of(entry: &Value) -> Self {
        let home = TempHome::new().unwrap();
        home.write(".claude.json", json!({ "mcpServers": { "work": entry } }).to_string()).unwrap();
        Self { home }
    }

    pub(crate) fn mcplink(&self, args: &[&str]) -> Mcplink<'_> {
        Mcplink::new(env!("CARGO_BIN_EXE_mcplink"), &self.home)
            .args(args.iter().copied())
            .may_hold_secrets("state/tokens")
    }

    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], code: i32) -> Output {
        let output = self.mcplink(args).run();
        self.home.note_tokens();
        output.expect_code(code)
    }

    pub(crate) fn status(&self) -> Value {
        let output = self.mcplink(&["status", "work", "--json"]).run();
        self.home.note_tokens();
        output.json()["servers"][0].clone()
    }

    /// `mcplink login work`, with a person before the browser.
    #[track_caller]
    pub(crate) fn login(&self) -> Output {
        self.login_with(&["login", "work"])
    }

    /// The same, as it is written here.
    #[track_caller]
    pub(crate) fn login_with(&self, arguments: &[&str]) -> Output {
        let person = Person::new().unwrap();
        let output = self.mcplink(arguments).env("BROWSER", person.command()).run();
        self.home.note_tokens();
        let pages: Vec<_> =
            person.visits().iter().map(|visit| format!("{} {}", visit.status, visit.url.path())).collect();
        assert_eq!(output.code, Some(0), "{output}\n{pages:#?}\n{:?}", person.visits().last());
        output
    }

    /// The one sign-in that is stored.
    fn stored(&self) -> (PathBuf, Value) {
        let mut stored = self.home.sign_ins();
        assert_eq!(stored.len(), 1, "one sign-in: {stored:?}");
        stored.remove(0)
    }

    pub(crate) fn tokens(&self) -> Value {
        self.stored().1
    }

    /// Changes what is kept of the sign-in.
    fn change(&self, change: impl FnOnce(&mut Value)) {
        let (file, mut tokens) = self.stored();
        change(&mut tokens);
        fs::write(file, tokens.to_string()).unwrap();
    }

    #[track_caller]
    pub(crate) fn expect_needs_auth(&self, action: &str) {
        let row = self.status();
        let (status, next) = (&row["status"], &row["reason"]["next"]);
        assert_eq!((status, next), (&json!("needs-auth"), &json!("mcplink login work")), "{row:#}");
        assert_eq!(row["actions"][0], action, "{row:#}");
    }

    #[track_caller]
    fn expect_whoami(&self, expected: Expected) {
        let output = self.run(&["call", "work", "whoami"], 0);
        assert_eq!(output.stdout.trim_end(), expected.whoami, "{output}");
        assert_eq!(output.stderr, "", "a call is silent");
    }
}

/// The whole way, with the binary, at a server of which nothing is configured but its URL.
#[track_caller]
pub(crate) fn journey(url: &Url, expected: Expected) {
    let desk = Desk::of(&json!({ "type": "http", "url": url.as_str() }));
    desk.expect_needs_auth("authenticate");

    let said = desk.login().stdout;
    assert!(said.starts_with("signed in to work with http://127.0.0.1:"), "{said}");
    assert_eq!(said.contains("sign in again after"), !expected.refreshes, "{said}");
    let row = desk.status();
    assert_eq!((&row["status"], &row["auth"]["signedIn"]), (&json!("connected"), &json!(true)), "{row:#}");
    desk.expect_whoami(expected);

    if expected.refreshes {
        // The server takes the token no longer, whatever was said of its lifetime.
        desk.change(|tokens| tokens["access_token"] = json!("forgotten"));
        desk.expect_whoami(expected);
        let renewed = desk.tokens();
        assert_ne!(renewed["access_token"], "forgotten");
        // Its lifetime is over by our clock.
        desk.change(|tokens| {
            tokens["obtained_at_ms"] = json!(1_000_000);
            tokens["expires_at_ms"] = json!(1_060_000);
        });
        desk.expect_whoami(expected);
        assert_ne!(desk.tokens()["access_token"], renewed["access_token"]);
    } else if !expected.stumbles {
        desk.change(|tokens| tokens["access_token"] = json!("forgotten"));
        desk.expect_needs_auth("re-authenticate");
        desk.login();
        desk.expect_whoami(expected);
    }

    assert!(desk.run(&["logout", "work"], 0).stdout.starts_with("signed out of work"));
    desk.expect_needs_auth("authenticate");
    desk.login();
    desk.expect_whoami(expected);
}

/// Its beginning: from the first look to a call with a token that was renewed.
#[track_caller]
pub(crate) fn short_journey(url: &Url, expected: Expected) {
    let desk = Desk::of(&json!({ "type": "http", "url": url.as_str() }));
    desk.expect_needs_auth("authenticate");
    desk.login();
    desk.expect_whoami(expected);
    desk.change(|tokens| tokens["access_token"] = json!("forgotten"));
    desk.expect_whoami(expected);
}
