//! The tour: each step runs a real command in a process of its own and says what to notice.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus as EndReason, Stdio};
use std::time::{Duration, SystemTime};

use mcp_testkit::ScriptedAnswer;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use url::Url;

use super::cast::{Cast, TOKEN_LIFE};
use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::wrap::wrap;

/// The longest line of the narration, in columns.
const PROSE: usize = 100;

/// What a command may take from the address that it shows to what it asks.
const QUESTION: Duration = Duration::from_millis(500);

/// A walk through the servers.
pub(super) struct Tour<'a> {
    app: &'a App,
    cast: &'a Cast,
    program: &'a Path,
    /// Claims that did not hold.
    broken: Vec<&'static str>,
}

impl<'a> Tour<'a> {
    pub(super) fn new(app: &'a App, cast: &'a Cast, program: &'a Path) -> Self {
        Self { app, cast, program, broken: Vec::new() }
    }

    /// Walks from the first step to the last.
    pub(super) async fn run(&mut self) -> Result<(), CliError> {
        self.prose(&format!(
            "Nine MCP servers now listen on loopback; {} names them as any config file would.",
            self.cast.config_file().display()
        ));
        self.statuses().await?;
        self.expiry().await?;
        self.refused_in_session().await?;
        self.hiccup().await?;
        self.sign_in().await
    }

    async fn statuses(&mut self) -> Result<(), CliError> {
        self.title("One truthful status per server");
        self.cast.flaky.next_answers([ScriptedAnswer::status(503), ScriptedAnswer::status(503)]);
        let code = self.command(&["status"]).await?;
        self.notice(
            "`oauth` and `forbidden` need a person, so they say needs-auth, not failed. `missing` was asked once: a \
             404 does not go away. `flaky` answered 503 twice and was tried again. `disabled` was not contacted.",
        );
        self.claim("different problems make exit code 8", code == Some(8));
        self.claim("flaky was retried until it answered", self.cast.flaky.count("tools/list") > 0);
        Ok(())
    }

    async fn expiry(&mut self) -> Result<(), CliError> {
        self.title("A token that lives five seconds, and no OAuth behind it");
        let runs = self.cast.helper.runs();
        let first = self.command(&["call", "helper", "echo", "text=hello"]).await?;
        self.prose(&format!("waiting {} s until the token has expired ..", TOKEN_LIFE.as_secs() + 1));
        tokio::time::sleep(TOKEN_LIFE + Duration::from_secs(1)).await;
        let second = self.command(&["call", "helper", "echo", "text=again"]).await?;
        let runs = self.cast.helper.runs() - runs;
        self.notice(&format!(
            "The helper ran {runs} times: once for each connection. Its token was not cached, and you were not asked for a \
             sign-in ({} requests to OAuth URLs).",
            self.cast.helper_server.oauth_requests().len()
        ));
        self.claim("both calls had a result", (first, second) == (Some(0), Some(0)));
        self.claim("the helper ran once for each connection", runs == 2);
        Ok(())
    }

    async fn refused_in_session(&mut self) -> Result<(), CliError> {
        self.title("The server stops accepting the token in the middle of a session");
        let runs = self.cast.helper.runs();
        self.cast.helper_server.next_answers_to("tools/call", [ScriptedAnswer::status(401)]);
        // A stamped token changes once a second; the second one must differ from the refused one.
        self.cast.helper.sleeps(Duration::from_millis(1100));
        let code = self.command(&["call", "helper", "echo", "text=still here"]).await?;
        self.cast.helper.sleeps(Duration::ZERO);
        let runs = self.cast.helper.runs() - runs;
        self.notice(&format!(
            "The call was refused with 401, the helper ran again ({runs} runs), and the call was sent once more with \
             the fresh token. The person saw a result."
        ));
        self.claim("the refused call had a result", code == Some(0));
        self.claim("the refused call ran the helper once more", runs == 2);
        let bare = self.cast.helper_server.requests_without_header("authorization").len();
        self.claim("every request carried credentials", bare == 0);
        self.claim("no request went to an OAuth URL", self.cast.helper_server.oauth_requests().is_empty());
        Ok(())
    }

    async fn hiccup(&mut self) -> Result<(), CliError> {
        self.title("A passing 401, and what is remembered of it");
        let before = files(&self.cast.config_dir());
        self.cast.refuse_static();
        let refused = self.command(&["status", "static"]).await?;
        self.cast.accept_static();
        let healed = self.command(&["reconnect", "static"]).await?;
        let untouched = files(&self.cast.config_dir()) == before;
        self.notice(
            "The refusal was told as it was, with what to do. One moment later the server accepts the same key, and \
             that is all it takes: no status is ever written to disk, so nothing had to be cleared.",
        );
        self.claim("the refusal showed, and then it was over", (refused, healed) == (Some(3), Some(0)));
        self.claim("no file was written or changed", untouched);
        Ok(())
    }

    async fn sign_in(&mut self) -> Result<(), CliError> {
        self.title("A sign-in, on a machine without a browser");
        let signed_in = self.login("oauth").await?;
        let connected = self.command(&["status", "oauth"]).await?;
        let signed_out = self.command(&["logout", "oauth"]).await?;
        self.notice(
            "The demo opened that URL, as you would on another device; the page agreed at once. The command was done \
             when the server itself had accepted the sign-in. `logout` revoked the tokens.",
        );
        self.claim("a sign-in opens the server", (signed_in, connected) == (Some(0), Some(0)));
        self.claim("signing out works", signed_out == Some(0));
        Ok(())
    }

    /// Signs in to a server, and opens the page that the command asks for.
    async fn login(&self, name: &str) -> Result<Option<i32>, CliError> {
        let broken = |error| super::broken("a command could not be started", &error);
        let mut running =
            self.start(&["login", name, "--no-browser"]).stderr(Stdio::piped()).spawn().map_err(broken)?;
        let mut stderr = running.stderr.take().ok_or_else(|| broken(std::io::Error::other("")))?;
        let (mut bytes, mut said, mut page) = ([0; 4096], String::new(), None);
        loop {
            let read = stderr.read(&mut bytes);
            let read = match page {
                None => read.await,
                // What is asked below the address has no line end; it is seen before the page is visited.
                Some(_) => tokio::time::timeout(QUESTION, read).await.unwrap_or(Ok(0)),
            };
            let text = String::from_utf8_lossy(&bytes[..read.unwrap_or(0)]).into_owned();
            self.app.output.error(&text);
            said.push_str(&text);
            if let Some(url) = page.take() {
                said.clear();
                // What comes of it is what the command says next.
                drop(tokio::task::spawn_blocking(move || mcp_testkit::visit(&url)).await);
            } else if text.is_empty() {
                break;
            } else {
                let mut whole = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
                page = whole.find_map(|line| Url::parse(line.trim()).ok());
            }
        }
        Ok(self.ended(running.wait().await.map_err(broken)?))
    }

    /// Leaves the servers running until the person has played enough.
    pub(super) async fn keep(&self) {
        self.title("Yours to play with");
        self.prose("The servers keep running until Ctrl-C. In another terminal:");
        let mut commands = vec![format!("cd {}", shell_path(&self.cast.project()))];
        commands.extend(self.own_settings().iter().map(|name| format!("unset {name}")));
        let places = self.places();
        commands.extend(places.iter().map(|(name, place)| format!("export {name}={}", shell_path(place))));
        if let Some(folder) = self.folder_to_add() {
            commands.insert(0, format!("export PATH={}:\"$PATH\"", shell_path(folder)));
        }
        commands.extend(["mcplink status".to_owned(), "mcplink login oauth".to_owned()]);
        self.say(&format!("\n  {}\n", commands.join("\n  ")));
        self.prose(&format!("The configuration is {}.", self.cast.config_file().display()));
        std::future::pending::<()>().await;
    }

    /// The folder of this program, where a terminal would not find it: `cargo run` installs nothing.
    fn folder_to_add(&self) -> Option<&Path> {
        let (folder, path) = (self.program.parent()?, self.app.environment.text("PATH").unwrap_or_default());
        let is_there =
            path.split(if cfg!(windows) { ';' } else { ':' }).any(|entry| Path::new(entry) == folder);
        (!is_there).then_some(folder)
    }

    /// Whether everything that was claimed held.
    pub(super) fn verdict(&self) -> ExitStatus {
        if self.broken.is_empty() {
            self.say("\nAll of it happened as told.");
            return ExitStatus::Success;
        }
        for claim in &self.broken {
            self.say(&format!("NOT TRUE: {claim}"));
        }
        ExitStatus::Internal
    }

    /// Runs a command as a person would, and returns its exit code.
    async fn command(&self, args: &[&str]) -> Result<Option<i32>, CliError> {
        let broken = |error| super::broken("a command could not be started", &error);
        Ok(self.ended(self.start(args).status().await.map_err(broken)?))
    }

    /// Shows a command, and prepares it.
    fn start(&self, args: &[&str]) -> Command {
        let style = self.app.style();
        self.app.output.out(&format!(
            "\n{} {}\n",
            style.dim("$"),
            style.bold(&format!("mcplink {}", shell(args)))
        ));
        let mut command = Command::new(self.program);
        for name in self.own_settings() {
            command.env_remove(name);
        }
        command.args(args).current_dir(self.cast.project()).envs(self.places()).kill_on_drop(true);
        command
    }

    /// Where the commands of the demo find their servers and keep what they keep: nowhere that is this person's.
    fn places(&self) -> [(&'static str, PathBuf); 4] {
        let directory = self.cast.config_dir();
        [
            ("MCPLINK_CONFIG", self.cast.own_file()),
            ("MCPLINK_STATE_DIR", directory.join("state")),
            ("XDG_CACHE_HOME", directory.join("cache")),
            ("CLAUDE_CONFIG_DIR", directory),
        ]
    }

    /// This person's settings that a demo is not to use: where sign-ins are shared, and who they are for.
    fn own_settings(&self) -> Vec<&'static str> {
        ["MCPLINK_TOKEN_STORE", "MCPLINK_TOKEN_STORE_KEY_FILE", "MCPLINK_CLIENT_METADATA_URL"]
            .into_iter()
            .filter(|name| self.app.environment.text(name).is_some())
            .collect()
    }

    /// Shows how a command ended.
    fn ended(&self, status: EndReason) -> Option<i32> {
        let code = status.code();
        let style = self.app.style();
        self.app.output.out(&format!("{}\n", style.dim(&format!("exit code {}", code.unwrap_or(-1)))));
        code
    }

    fn claim(&mut self, claim: &'static str, holds: bool) {
        if !holds {
            self.broken.push(claim);
        }
    }

    fn title(&self, text: &str) {
        self.app.output.out(&format!("\n{}\n", self.app.style().bold(&format!("## {text}"))));
    }

    fn notice(&self, text: &str) {
        self.say("");
        self.prose(text);
    }

    fn prose(&self, text: &str) {
        let style = self.app.style();
        let width = if style.terminal { style.columns.min(PROSE) } else { PROSE };
        self.say(&wrap(text, width).join("\n"));
    }

    fn say(&self, text: &str) {
        self.app.output.out(&format!("{text}\n"));
    }
}

/// The words of a command as a person would type them.
fn shell(args: &[&str]) -> String {
    let quote = |arg: &&str| if arg.contains(' ') { format!("'{arg}'") } else { (*arg).to_owned() };
    args.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn shell_path(path: &Path) -> String {
    mcp_text::shell_word(&path.to_string_lossy())
}

/// Every file below `directory` with its size and the time of its last change.
fn files(directory: &Path) -> Vec<(PathBuf, u64, Option<SystemTime>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path(), metadata.len(), metadata.modified().ok()));
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_they_are_typed() {
        assert_eq!(shell(&["call", "a b"]), "call 'a b'");
    }
}
