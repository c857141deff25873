//! The servers of the demo and the configuration that names them.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use mcp_testkit::{Accept, FakeAuthServer, FakeHelper, FakeMcpServer, Refusal, ScriptedAnswer};
use serde_json::json;
use tempfile::TempDir;

/// How long a token of the helper lives.
pub(super) const TOKEN_LIFE: Duration = Duration::from_secs(5);
const PREFIX: &str = "demo-token-";
// Shares no part with the name of its server, which would be hidden together with it.
const STATIC_KEY: &str = "5f1c9e07-b2a84d63";

/// What stands for this person's own file of servers, beside the configuration.
const OWN_FILE: &str = "mcp.json";

/// Everything that plays in the demo. Dropping it stops the servers and removes the files.
#[derive(Debug)]
pub(super) struct Cast {
    home: TempDir,
    pub(super) fixed: FakeMcpServer,
    pub(super) helper_server: FakeMcpServer,
    pub(super) helper: FakeHelper,
    pub(super) flaky: FakeMcpServer,
    /// Where a person signs in to `oauth` and `helper-and-oauth`; it always agrees.
    _accounts: FakeAuthServer,
    /// Servers that need nothing but to be there.
    _others: Vec<FakeMcpServer>,
    _second_helper: FakeHelper,
}

impl Cast {
    /// Starts the servers and writes the configuration.
    pub(super) fn start() -> io::Result<Self> {
        let home = tempfile::Builder::new().prefix("mcplink-demo-").tempdir()?;
        let minted = Accept::Stamped { prefix: PREFIX.to_owned(), valid_for: TOKEN_LIFE };
        let accounts = FakeAuthServer::start()?;

        let open = FakeMcpServer::builder().name("demo-open").start()?;
        let fixed = FakeMcpServer::builder()
            .name("demo-static")
            .accept(Accept::header("x-api-key", STATIC_KEY))
            .refuse_with(Refusal::status(401))
            .start()?;
        let helper_server = FakeMcpServer::builder()
            .name("demo-helper")
            .accept(minted.clone())
            .refuse_with(Refusal::status(401))
            .start()?;
        let both = FakeMcpServer::builder().name("demo-both").start()?;
        accounts.protect(&both);
        both.accept(Accept::Either(vec![minted, Accept::Issued(accounts.tokens())]));
        let sign_in = FakeMcpServer::builder().name("demo-oauth").start()?;
        accounts.protect(&sign_in);
        let forbidden =
            FakeMcpServer::builder().accept(Accept::Nothing).refuse_with(Refusal::forbidden()).start()?;
        let flaky = FakeMcpServer::builder().name("demo-flaky").start()?;
        let missing = FakeMcpServer::builder().always(ScriptedAnswer::status(404)).start()?;
        let disabled = FakeMcpServer::builder().start()?;

        let helper = minting()?;
        let second_helper = minting()?;
        let project = home.path().join("project");
        std::fs::create_dir(&project)?;
        let project = project.canonicalize()?;
        let http = |server: &FakeMcpServer| json!({"type": "http", "url": server.url().as_str()});
        let with_helper = |server: &FakeMcpServer, helper: &FakeHelper| json!({"type": "http", "url": server.url().as_str(), "headersHelper": helper.command()});
        let mut servers = serde_json::Map::new();
        servers.insert("open".into(), http(&open));
        servers.insert(
            "static".into(),
            json!({"type": "http", "url": fixed.url().as_str(), "headers": {"X-Api-Key": STATIC_KEY}}),
        );
        servers.insert("helper".into(), with_helper(&helper_server, &helper));
        servers.insert("helper-and-oauth".into(), with_helper(&both, &second_helper));
        servers.insert("oauth".into(), http(&sign_in));
        servers.insert("forbidden".into(), http(&forbidden));
        servers.insert("flaky".into(), http(&flaky));
        servers.insert("missing".into(), http(&missing));
        servers.insert("disabled".into(), http(&disabled));
        let config = json!({
            "mcpServers": servers,
            "projects": {project.to_string_lossy(): {"disabledMcpServers": ["disabled"]}},
        });
        std::fs::write(home.path().join(".claude.json"), format!("{config:#}\n"))?;
        // In the place of the servers that this person has.
        std::fs::write(home.path().join(OWN_FILE), "{}\n")?;
        Ok(Self {
            home,
            fixed,
            helper_server,
            helper,
            flaky,
            _accounts: accounts,
            _others: vec![open, both, sign_in, forbidden, missing, disabled],
            _second_helper: second_helper,
        })
    }

    /// The directory that stands for the person's configuration directory.
    pub(super) fn config_dir(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// The configuration file.
    pub(super) fn config_file(&self) -> PathBuf {
        self.home.path().join(".claude.json")
    }

    /// The file that stands for the person's own file of servers.
    pub(super) fn own_file(&self) -> PathBuf {
        self.home.path().join(OWN_FILE)
    }

    /// The project that the commands run in.
    pub(super) fn project(&self) -> PathBuf {
        self.home.path().join("project")
    }

    /// `static` refuses every request: an identity provider that hiccups.
    pub(super) fn refuse_static(&self) {
        self.fixed.accept(Accept::Nothing);
    }

    /// `static` accepts its key again.
    pub(super) fn accept_static(&self) {
        self.fixed.accept(Accept::header("x-api-key", STATIC_KEY));
    }
}

fn minting() -> io::Result<FakeHelper> {
    let helper = FakeHelper::new()?;
    helper.prints_stamped(PREFIX);
    Ok(helper)
}
