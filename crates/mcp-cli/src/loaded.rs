//! The configuration as a command sees it: the servers that are meant, and what is said where a name is none.

use std::sync::Arc;

use mcp_config::address::Address;
use mcp_config::{Config, Gate, Pointer, Problem, Scope, ServerEntry, Severity};
use mcp_connect::{ConfiguredServer, LoginRefusal};

use crate::app::App;
use crate::error::CliError;
use crate::printed_step::PrintedStep;
use crate::problems::{correct, problem_text};
use crate::two_names;
use crate::view::row::{PointerRow, ProblemRow};
use crate::view::shown;

/// The configuration as it is now.
#[derive(Debug)]
pub(crate) struct LoadedConfig {
    pub(crate) config: Config,
    pub(crate) scope: Option<Scope>,
    pub(crate) addresses: Arc<[Address]>,
}

/// The entry in force that has the address `url`.
pub(crate) fn with_address<'c>(config: &'c Config, url: &str) -> Option<&'c ServerEntry> {
    let meant = url::Url::parse(url).ok()?;
    config.entries.iter().find(|entry| entry.remote().is_some_and(|remote| *remote.url.expose() == meant))
}

/// Whether the account of `--account` means something to `server`: it would be passed over without a word.
pub(crate) fn check_account(app: &App, server: &ConfiguredServer) -> Result<(), CliError> {
    let Some(account) = &app.account else { return Ok(()) };
    match server.check_sign_in() {
        Err(refusal @ (LoginRefusal::Local | LoginRefusal::NoOAuth(_) | LoginRefusal::Unattended)) => {
            let name = shown::name(&server.description.name);
            let message = format!("--account {account} chooses a sign-in, and {name} has none");
            Err(CliError::usage("no-account", message).why(refusal.to_string()).next("leave --account out"))
        }
        // What else keeps it from being used is told by the command.
        _ => Ok(()),
    }
}

impl LoadedConfig {
    /// Every server in force, configured but not contacted.
    pub(crate) async fn wired_all(&self, app: &App) -> Vec<ConfiguredServer> {
        let mut configured = Vec::with_capacity(self.config.entries.len());
        for entry in self.in_force() {
            configured.push(app.host.configured(entry, &self.config).await);
        }
        configured
    }

    /// The names of every server in force, in the order of the configuration.
    pub(crate) fn names(&self) -> Vec<String> {
        self.in_force().map(|entry| entry.name.clone()).collect()
    }

    fn in_force(&self) -> impl Iterator<Item = &mcp_config::ServerEntry> {
        self.config.entries.iter().filter(|entry| self.scope.is_none_or(|scope| scope == entry.scope))
    }

    /// The servers of these names, or all where there is none.
    pub(crate) async fn wired_named(
        &self,
        app: &App,
        names: &[String],
    ) -> Result<Vec<ConfiguredServer>, CliError> {
        if names.is_empty() {
            return Ok(self.wired_all(app).await);
        }
        let mut configured: Vec<ConfiguredServer> = Vec::new();
        for name in names {
            if !configured.iter().any(|known| known.description.name == *name) {
                let found = self.found(app, name).await?;
                check_account(app, &found)?;
                configured.push(found);
            }
        }
        if !app.json {
            self.note_broken(app);
        }
        Ok(configured)
    }

    /// The server of this name, with which `--account` chooses a sign-in where it is given.
    pub(crate) async fn configured(&self, app: &App, name: &str) -> Result<ConfiguredServer, CliError> {
        let found = self.known(app, name).await?;
        check_account(app, &found)?;
        Ok(found)
    }

    /// The server of this name, whatever sign-ins it has.
    pub(crate) async fn known(&self, app: &App, name: &str) -> Result<ConfiguredServer, CliError> {
        let found = self.found(app, name).await?;
        if !app.json {
            self.note_broken(app);
            self.note_environment(app);
            self.note_use(app, name);
        }
        Ok(found)
    }

    /// The entry of this name, where it is in force and in the scope that was asked for.
    pub(crate) fn entry(&self, name: &str) -> Option<&ServerEntry> {
        // A scope is one of files.
        let is_given = self.is_address(name);
        let is_seen = |entry: &&ServerEntry| is_given || self.scope.is_none_or(|scope| scope == entry.scope);
        self.config.entry(name).filter(is_seen)
    }

    /// The server of this name, where the problems of the files were told already.
    pub(crate) async fn found(&self, app: &App, name: &str) -> Result<ConfiguredServer, CliError> {
        match self.entry(name) {
            Some(entry) => Ok(app.host.configured(entry, &self.config).await),
            None => match self.dead_end(name) {
                Some((pointer, why)) => {
                    Ok(ConfiguredServer::of_pointer(&app.host, pointer, &why, &self.config).await)
                }
                None => Err(self.unknown(name)),
            },
        }
    }

    /// The pointer of a name that no server has, and where it leads.
    pub(crate) fn dead_end(&self, name: &str) -> Option<(&Pointer, String)> {
        let why = self.config.dead_end(name)?;
        self.config.pointers_of(name).next().map(|pointer| (pointer, why))
    }

    /// Whether the server was given by its URL.
    pub(crate) fn is_address(&self, name: &str) -> bool {
        self.addresses.iter().any(|address| address.name() == name)
    }

    /// What was written is an address and no name, or one that may not be used.
    fn no_name(&self, name: &str) -> Option<CliError> {
        if self.is_address(name) {
            let is_policy = |problem: &&Problem| problem.code == mcp_config::ProblemCode::ManagedPolicy;
            let why = self.config.problems.iter().find(is_policy).map(problem_text).unwrap_or_default();
            let message = "a server may not be used by its URL here";
            return Some(CliError::usage("policy", message).why(why).next("mcplink list"));
        }
        if Address::is_one(name) {
            let error = CliError::usage("unknown-server", "a URL is not an entry of the configuration");
            if let Some(entry) = with_address(&self.config, name) {
                let error = error.why(format!("{} is the one with that address", shown::name(&entry.name)));
                return Some(error.next(format!("mcplink get {}", mcp_text::shell_word(&entry.name))));
            }
            let shown = mcp_text::shell_word(&mcp_config::display_url(name));
            return Some(error.next(format!("mcplink add {shown}")));
        }
        let url = Address::with_scheme(name).filter(|_| self.config.nearest(name).is_none())?;
        let message = format!("no server is named {}", mcp_text::shell_word(&mcp_config::display_url(name)));
        Some(
            CliError::usage("unknown-server", message).why("it looks like a URL without its scheme").next(
                format!("mcplink status {}", mcp_text::shell_word(&mcp_config::display_url(url.as_str()))),
            ),
        )
    }

    /// There is no such server; the nearest one is suggested. A pointer is none, and is told as what it is.
    pub(crate) fn unknown(&self, name: &str) -> CliError {
        if let Some((pointer, why)) = self.dead_end(name) {
            let message = format!("{name:?} is a bridge to a server, and no server itself");
            let next = match self.config.entry(pointer.target()) {
                Some(entry) => format!("mcplink get {}", mcp_text::shell_word(&entry.name)),
                None => format!("mcplink add {} URL", mcp_text::shell_word(pointer.target())),
            };
            return CliError::usage("self-reference", message).why(why).next(next);
        }
        if let Some(error) = self.no_name(name) {
            return error;
        }
        // It may well stand where nothing can be read.
        if let Some(broken) = self.config.broken_files().next() {
            let message = format!("no server is named {name:?} in the files that can be read");
            return CliError::usage("invalid-config", message)
                .why(problem_text(broken))
                .next(correct(broken));
        }
        let error = CliError::usage("unknown-server", format!("no server is named {name:?}"));
        let nearest = self.config.nearest(name).map(str::to_owned).or_else(|| self.nearest_of_two(name));
        // It may well stand in the one of two objects that does not count.
        let is_doubled = |problem: &&Problem| {
            problem.code == mcp_config::ProblemCode::DuplicateName && problem.server.is_none()
        };
        if let (None, Some(doubled)) = (&nearest, self.config.problems.iter().find(is_doubled)) {
            return error.why(problem_text(doubled)).next(correct(doubled));
        }
        // It may well stand in a file that does not count.
        if let (None, Some(barred)) = (&nearest, self.config.barred_by_administrator()) {
            return error.why(problem_text(barred)).next("ask your administrator for the server");
        }
        // It may well stand in a file that no program reads.
        let never_read = |problem: &&Problem| {
            problem.code == mcp_config::ProblemCode::NeverRead && problem.severity == Severity::Warning
        };
        if let (None, Some(unread)) = (&nearest, self.config.problems.iter().find(never_read)) {
            let next = unread.hint.clone().unwrap_or_else(|| correct(unread));
            return error.why(shown::line(&unread.to_string())).next(PrintedStep::Sentence(next));
        }
        let error = match nearest {
            Some(nearest) => error.why(format!("did you mean {nearest:?}?")),
            None if self.config.entries.is_empty() => error.why("no servers are configured"),
            None => error,
        };
        error.next("mcplink list")
    }

    /// The server and the tool of a command line, which may be one word, with whether they were.
    pub(crate) fn addressed(&self, word: &str) -> Option<(String, String)> {
        let exists = |name: &str| {
            let entry = self.config.entry(name);
            entry.is_some_and(|entry| self.scope.is_none_or(|scope| scope == entry.scope))
                || self.dead_end(name).is_some()
        };
        two_names::split(word, exists).map(|(name, tool)| (name.to_owned(), tool.to_owned()))
    }

    /// `NAME/TOOL` with a name that is there.
    fn nearest_of_two(&self, word: &str) -> Option<String> {
        two_names::parts(word).find_map(|(name, tool)| {
            let sign = &word[name.len()..word.len() - tool.len()];
            Some(format!("{}{sign}{tool}", self.config.nearest(name)?))
        })
    }

    /// What has a server used which is switched off, or was rejected: a command, unless it was read in place.
    pub(crate) fn switched_on_by(&self, name: &str) -> PrintedStep {
        let entry = self.config.entry(name);
        let gate = entry.map(ServerEntry::gate);
        if let (Some(host), Some(entry), Some(Gate::Disabled)) = (self.config.host(), entry, &gate) {
            let step = format!("switch {} on in {}: {}", shown::name(name), host.title, entry.origin);
            return PrintedStep::Sentence(shown::line(&step));
        }
        let verb = match gate {
            Some(Gate::Disabled) => "enable",
            Some(Gate::Rejected) => "approve",
            _ => "get",
        };
        PrintedStep::Command(format!("mcplink {verb} {}", mcp_text::shell_word(name)))
    }

    /// The pointers, or those of these names where there are any, as JSON shows them.
    pub(crate) fn pointer_rows(&self, names: &[String]) -> Vec<PointerRow> {
        let wanted = |pointer: &&Pointer| names.is_empty() || names.contains(&pointer.entry.name);
        self.config.pointers.iter().filter(wanted).map(PointerRow::from).collect()
    }

    /// The problems as JSON shows them.
    pub(crate) fn problem_rows(&self) -> Vec<ProblemRow> {
        self.config.problems.iter().map(ProblemRow::from).collect()
    }

    /// Tells people that there is no server, and what stands in its place, unless that is not known.
    pub(crate) fn note_nothing(&self, app: &App) {
        if self.config.broken_files().next().is_some() {
            return;
        }
        if let (Some(host), Some(_)) = (self.config.host(), self.config.pointers.first()) {
            let next = app.steps.own("mcplink list");
            let text = format!("all that {} has goes through mcplink: {next}\n", host.title);
            return app.output.note(&text);
        }
        let text = match self.config.pointers.len() {
            0 => crate::hosts::instead_of_nothing(app),
            1 => "no servers are configured: the one entry is a bridge to a server, and none says where \
                  that is; `mcplink validate` tells what to do\n"
                .to_owned(),
            count => format!(
                "no servers are configured: {count} entries are bridges to servers, and none says \
                 where that is; `mcplink validate` tells what to do\n"
            ),
        };
        app.output.note(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fh_h15_where_the_administrators_file_alone_counts_an_unknown_name_is_told_with_that() {
        let home = mcp_testkit::TempHome::new().unwrap();
        let managed = home.home().join("managed");
        std::fs::create_dir_all(&managed).unwrap();
        std::fs::write(managed.join("managed-mcp.json"), r#"{"mcpServers": {"theirs": {"command": "x"}}}"#)
            .unwrap();
        let mut request = mcp_config::Request::new(home.home(), mcp_config::Env::new());
        request.managed_dir = Some(managed);
        let config = Config::load(&request);
        let loaded = LoadedConfig { config, scope: None, addresses: std::sync::Arc::default() };
        let told = loaded.unknown("own").to_text();
        assert!(told.contains("has exclusive control") && told.contains("managed-mcp.json"), "{told}");
        assert!(told.contains("next: ask your administrator"), "{told}");
        // A slip of the pen is one all the same.
        assert!(loaded.unknown("theirz").to_text().contains("did you mean \"theirs\"?"));
    }
}
