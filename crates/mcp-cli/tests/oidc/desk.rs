//! A person's desk: a home with servers behind a provider, a terminal, and a browser.

use std::fs;
use std::path::PathBuf;

use mcp_harness::{CertifiedProvider, Chromium, Consent, Mcplink, Missing, Output, real_or_skip};
use mcp_testkit::TempHome;
use serde_json::{Map, Value, json};

/// A home, and the provider in front of its servers.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) provider: CertifiedProvider,
    pub(crate) home: TempHome,
    servers: Map<String, Value>,
}

/// The tokens of one server entry as they are stored.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    /// The file they are in.
    pub(crate) file: PathBuf,
    pub(crate) content: Value,
}

impl Desk {
    /// A home with one server, `work`; `None` where the test has to be skipped.
    pub(crate) fn new() -> Option<Self> {
        Self::of(CertifiedProvider::start())
    }

    /// The same behind this provider.
    pub(crate) fn of(provider: Result<CertifiedProvider, Missing>) -> Option<Self> {
        let provider = real_or_skip(provider)?;
        let desk = Self { provider, home: TempHome::new().unwrap(), servers: Map::new() };
        Some(desk.with("work", json!({})))
    }

    /// Adds an entry for the server, with this `oauth` block.
    pub(crate) fn with(mut self, name: &str, oauth: Value) -> Self {
        let entry = json!({ "type": "http", "url": self.provider.url().as_str(), "oauth": oauth });
        self.servers.insert(name.to_owned(), entry);
        let file = json!({ "mcpServers": self.servers });
        self.home.write(".claude.json", file.to_string()).unwrap();
        self
    }

    /// Adds an entry for the server, with this `auth` block.
    pub(crate) fn with_auth(mut self, name: &str, auth: Value) -> Self {
        let entry = json!({ "type": "http", "url": self.provider.url().as_str(), "auth": auth });
        self.servers.insert(name.to_owned(), entry);
        let file = json!({ "mcpServers": self.servers });
        self.home.write(".claude.json", file.to_string()).unwrap();
        self
    }

    /// A command, to be changed before it runs.
    pub(crate) fn mcplink(&self, args: &[&str]) -> Mcplink<'_> {
        Mcplink::new(env!("CARGO_BIN_EXE_mcplink"), &self.home)
            .args(args.iter().copied())
            .may_hold_secrets("state/tokens")
    }

    /// A command, run to its end, which must be this exit code.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], code: i32) -> Output {
        let output = self.mcplink(args).run().expect_code(code);
        self.home.note_tokens();
        output
    }

    /// `mcplink login`, with a browser that the person signs in to `account` in, up to the page that says so.
    #[track_caller]
    pub(crate) fn login(&self, args: &[&str], account: &str) -> Output {
        let chromium = browser(account, Consent::Grant).unwrap();
        let login = [&["login"], args].concat();
        let output = self.mcplink(&login).env("BROWSER", chromium.command()).run();
        self.home.note_tokens();
        let output = output.expect_code(0);
        let page = chromium.end();
        assert_eq!(page.title, "Signed in", "{page:?}\n{}", self.provider.log());
        self.home.canaries().assert_absent("what login printed", output.to_string().as_bytes());
        self.home.canaries().assert_absent("the page", page.text.as_bytes());
        output
    }

    /// What the tool says about who calls it.
    #[track_caller]
    pub(crate) fn whoami(&self, name: &str) -> String {
        let output = self.run(&["call", name, "whoami"], 0);
        assert_eq!(output.stderr, "", "a call is silent");
        output.stdout.trim_end().to_owned()
    }

    /// The row of one server in `status --json`, whatever the exit code.
    #[track_caller]
    pub(crate) fn status(&self, name: &str) -> Value {
        let output = self.mcplink(&["status", name, "--json"]).run();
        self.home.note_tokens();
        output.json()["servers"][0].clone()
    }

    /// The tokens of this entry.
    pub(crate) fn tokens(&self, name: &str) -> Option<Tokens> {
        let mut stored = self.home.sign_ins().into_iter();
        let (file, content) = stored.find(|(_, content)| content["server_name"] == name)?;
        Some(Tokens { file, content })
    }
}

impl Tokens {
    pub(crate) fn access(&self) -> &str {
        self.content["access_token"].as_str().unwrap()
    }

    pub(crate) fn refresh(&self) -> &str {
        self.content["refresh_token"].as_str().expect("a provider that rotates gives a refresh token")
    }

    /// Milliseconds since 1970.
    pub(crate) fn expires_at(&self) -> u64 {
        self.content["expires_at_ms"].as_u64().unwrap()
    }

    /// Makes the access token one that has ended.
    pub(crate) fn expire(mut self) {
        self.content["expires_at_ms"] = json!(1);
        self.put_back();
    }

    /// Writes them as they are here, whatever has happened to the file since.
    pub(crate) fn put_back(&self) {
        fs::write(&self.file, self.content.to_string()).unwrap();
    }
}

/// A browser with a person in front of it; `None` where the test has to be skipped.
pub(crate) fn browser(account: &str, consent: Consent) -> Option<Chromium> {
    real_or_skip(Chromium::of(account, consent))
}

/// A desk, or the end of a test that has to be skipped: by the missing provider, or the missing browser.
pub(crate) fn desk() -> Option<Desk> {
    browser("stranger", Consent::Grant)?;
    Desk::new()
}
