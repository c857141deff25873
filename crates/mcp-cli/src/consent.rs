//! A person's consent: what a decision about a server or a folder allows, and how it is kept.
//!
//! What asks for one (`approve`, `trust`, `approve-tools`, the page of `menu --web`) shows [`ApprovalSubject::lines`],
//! [`TrustSubject::lines`] or [`ToolsOffer::lines`] first; what was shown is what is agreed to, whatever changes while the question
//! waits.

use std::path::Path;

use mcp_config::entry::Approval;
use mcp_config::{Config, ConfigError, Gate, Problem, ProblemCode, Scope, ServerEntry, TrustStore};
use ring::digest;
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::loaded::LoadedConfig;
use crate::printed_step::PrintedStep;
use crate::problems::{correct, problem_text};
use crate::view::shown::name as shown_name;
use crate::view::wrap::behind;

mod shown;
mod tools;

pub(crate) use shown::{ApprovalView, Helper, taken_over};
pub(crate) use tools::{ToolRow, ToolsOffer, counted, forget};

/// The columns of a path or name on a line of its own.
const WIDE: usize = 400;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustDocument<'a> {
    pub(crate) schema_version: u32,
    pub(crate) folder: &'a Path,
    pub(crate) trusted: bool,
    pub(crate) changed: bool,
    /// What `--yes=` takes to agree to this, and to nothing that comes later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    /// The account that the folder belongs to, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other_account: Option<u32>,
    pub(crate) helpers: Vec<Helper<'a>>,
    /// The servers of the project that its own settings approve once it is trusted.
    pub(crate) servers: Vec<TrustedServer<'a>>,
    /// The members of the folder's own settings that count once it is trusted.
    pub(crate) settings: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct TrustedServer<'a> {
    pub(crate) name: &'a str,
    #[serde(flatten)]
    pub(crate) allowed: ApprovalView<'a>,
}

/// A folder that a person may trust, as it is now, with what that allows.
#[derive(Debug)]
pub(crate) struct TrustSubject {
    /// As it is without the trust, and with it.
    now: Config,
    config: Config,
}

impl TrustSubject {
    pub(crate) fn of(app: &App, directory: &Path) -> Result<Self, CliError> {
        let sources = app.sources_in(directory);
        let now = Config::resolve(&sources);
        if let Some(broken) = now.broken_files().next() {
            // Its own settings may say what trust in it allows.
            let message = "what the folder holds cannot be shown, so it is not trusted";
            return Err(CliError::usage("invalid-config", message)
                .why(problem_text(broken))
                .next(correct(broken)));
        }
        Ok(Self { now, config: Config::if_trusted(&sources) })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.config.project.trust_folder()
    }

    /// Whether the folder is trusted now, whatever has come since.
    pub(crate) fn is_trusted(&self) -> bool {
        self.now.trust.is_trusted()
    }

    /// Whether everything that trust in it allows is allowed now, so that there is nothing to ask.
    pub(crate) fn is_given(&self) -> bool {
        self.is_trusted()
            && servers(&self.config, &self.now).next().is_none()
            && settings(&self.now).is_empty()
            && !helpers(&self.now).any(|entry| matches!(entry.approval, Approval::Changed(_)))
    }

    /// Where the rest of it stands, where there is more than is shown.
    pub(crate) fn rest(&self) -> Option<String> {
        let is_cut = |entry: &&ServerEntry| !entry.terms().iter().all(mcp_config::consent::Term::is_whole);
        self.agreed().find(is_cut).map(|entry| line(&entry.origin.to_string()))
    }

    /// For programs.
    pub(crate) fn document(&self, app: &App, trusted: bool, changed: bool) -> TrustDocument<'_> {
        let Self { now, config } = self;
        TrustDocument {
            schema_version: 1,
            folder: self.folder(),
            trusted,
            changed,
            digest: Some(self.digest()),
            other_account: config.project.foreign_owner(),
            helpers: helpers(config).map(|entry| Helper::of(entry, &config.project)).collect(),
            servers: servers(config, now)
                .map(|entry| TrustedServer {
                    name: &entry.name,
                    allowed: ApprovalView::of(entry, config, &app.environment),
                })
                .collect(),
            settings: settings(now),
        }
    }

    /// What it allows, for people, on lines of so many columns.
    pub(crate) fn lines(&self, app: &App, room: Option<usize>) -> String {
        let allowed = self.document(app, false, false);
        let mut text = format!("{}\n", line(&self.folder().display().to_string()));
        if let Some(account) = allowed.other_account {
            text.push_str(&format!("  belongs to another account (number {account})\n"));
        }
        for helper in &allowed.helpers {
            text.push_str(&helper.lines(room));
        }
        for server in &allowed.servers {
            text.push_str("  approves:\n");
            let within = room.map(|columns| columns.saturating_sub(4));
            text.extend(server.allowed.lines(within).lines().map(|line| format!("    {line}\n")));
        }
        for setting in &allowed.settings {
            text.push_str(&behind("  lets count: ", &line(setting), room));
        }
        if allowed.helpers.is_empty() && allowed.servers.is_empty() && allowed.settings.is_empty() {
            text.push_str(&behind("  ", "nothing in it waits for trust", room));
        }
        text
    }

    /// The same for a question that a y answers; an error where it is more than can be shown.
    #[cfg(feature = "menu")]
    pub(crate) fn lines_to_ask(&self, app: &App) -> Result<String, CliError> {
        let folder = line(&self.folder().display().to_string());
        match self.rest() {
            None => Ok(self.lines(app, None)),
            Some(rest) => {
                Err(too_long(&format!("{folder} is not trusted"), &rest, "mcplink trust", &self.digest()))
            }
        }
    }

    /// Of the folder and of everything that trust in it allows.
    pub(crate) fn digest(&self) -> String {
        let mut parts = vec![self.folder().to_string_lossy().into_owned()];
        for entry in helpers(&self.config).chain(servers(&self.config, &self.now)) {
            parts.extend([entry.name.clone(), entry.origin.place.to_string(), entry.terms().digest()]);
        }
        parts.extend(settings(&self.now));
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            // With its length, so that one part cannot pass for two.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let hex: String = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }

    /// What is kept word by word. An entry in a file of the person's own changes by their hand alone.
    fn agreed(&self) -> impl Iterator<Item = &ServerEntry> {
        let of_project = helpers(&self.config).filter(|entry| entry.scope.is_of_project());
        of_project.chain(servers(&self.config, &self.now))
    }

    /// Keeps the decision about what was shown, whatever changed meanwhile; whether it is new.
    pub(crate) fn trust(&self) -> Result<bool, CliError> {
        store(&self.config)?.trust(&self.config.project, self.agreed()).map_err(|e| not_kept(&e))
    }

    pub(crate) fn outcome(&self, changed: bool) -> String {
        let folder = line(&self.folder().display().to_string());
        format!("{folder} is trusted{}", unless(changed, ", as before"))
    }
}

/// A server that a person may approve, as it is now, with what that allows.
#[derive(Debug)]
pub(crate) struct ApprovalSubject<'a> {
    config: &'a Config,
    entry: &'a ServerEntry,
    store: TrustStore,
    pub(crate) allowed: ApprovalView<'a>,
}

impl<'a> ApprovalSubject<'a> {
    pub(crate) fn of(app: &App, loaded: &'a LoadedConfig, name: &str) -> Result<Self, CliError> {
        let config = &loaded.config;
        let Some(entry) = config.definitions(name).find(|entry| needs_approval(entry)) else {
            return Err(unneeded(loaded, name));
        };
        if entry.gate() == Gate::Invalid {
            let message = format!(
                "{} cannot be approved: {}",
                shown_name(name),
                entry.gate_detail().unwrap_or_default()
            );
            return Err(CliError::usage("invalid-entry", message).next("mcplink validate"));
        }
        let store = store(config)?;
        if let Approval::Rejected(by) = &entry.approval
            && by.place.path() != Some(store.path())
        {
            // A rejection anywhere beats every approval, and files of another program are not written to.
            let message = format!("{} cannot be approved here", shown_name(name));
            let detail = entry.gate_detail().unwrap_or_default();
            return Err(CliError::new(ExitStatus::NeedsAuth, "declined", message)
                .why(format!("{detail}, and only its absence there lifts that"))
                .next(format!("take it out there: {detail}")));
        }
        Ok(Self { config, entry, store, allowed: ApprovalView::of(entry, config, &app.environment) })
    }

    pub(crate) fn folder(&self) -> &'a Path {
        self.config.project.trust_folder()
    }

    /// Whether it is approved as it is now, so that there is nothing to ask.
    pub(crate) fn is_given(&self) -> bool {
        matches!(self.entry.approval, Approval::Approved(_))
    }

    /// Whether it was approved as it was before.
    pub(crate) fn was_given(&self) -> bool {
        matches!(self.entry.approval, Approval::Changed(_))
    }

    /// What it allows, for people, on lines of so many columns.
    pub(crate) fn lines(&self, room: Option<usize>) -> String {
        self.allowed.lines(room)
    }

    /// The same for a question that a y answers; an error where it is more than can be shown.
    #[cfg(feature = "menu")]
    pub(crate) fn lines_to_ask(&self) -> Result<String, CliError> {
        let (name, word) = (shown_name(&self.entry.name), mcp_text::shell_word(&self.entry.name));
        match self.allowed.rest() {
            None => Ok(self.lines(None)),
            Some(rest) => {
                let command = format!("mcplink approve {word}");
                Err(too_long(&format!("{name} is not approved"), &rest, &command, self.allowed.digest()))
            }
        }
    }

    /// Keeps the decision about what was shown, whatever changed meanwhile; whether it is new.
    pub(crate) fn approve(&self) -> Result<bool, CliError> {
        self.store.approve(self.folder(), self.entry).map_err(|e| not_kept(&e))
    }

    /// How the decision is told where it was made on a screen.
    #[cfg(feature = "menu")]
    pub(crate) fn outcome(&self, changed: bool) -> String {
        is_decided(&self.entry.name, self.folder(), true, changed)
    }
}

/// Nothing is asked of what is longer than can be shown. Security: the part that decides may be the one that is not seen.
pub(crate) fn too_long(refused: &str, rest: &str, command: &str, digest: &str) -> CliError {
    let next = format!("read {rest}, and then {command} --yes={digest}");
    CliError::unagreed("not-confirmed", refused)
        .why("it is longer than can be shown, so nothing is asked")
        .next(PrintedStep::Sentence(next))
}

/// How a decision is told.
pub(crate) fn is_decided(name: &str, folder: &Path, approved: bool, changed: bool) -> String {
    let decided = if approved { "approved" } else { "rejected" };
    let folder = line(&folder.display().to_string());
    format!("{} is {decided} in {folder}{}", shown_name(name), unless(changed, ", as before"))
}

/// Entries of a project's file always do; others where what was agreed to has changed.
fn needs_approval(entry: &ServerEntry) -> bool {
    entry.scope == Scope::Project || matches!(entry.approval, Approval::Changed(_))
}

pub(crate) fn unneeded(loaded: &LoadedConfig, name: &str) -> CliError {
    match loaded.config.entry(name) {
        None => loaded.unknown(name),
        Some(entry) => {
            let message = format!("{} needs no approval: its scope is {}", shown_name(name), entry.scope);
            CliError::usage("no-approval-needed", message)
                .next(format!("mcplink get {}", mcp_text::shell_word(name)))
        }
    }
}

/// The entries of the folder whose helpers wait for its trust.
fn helpers(config: &Config) -> impl Iterator<Item = &ServerEntry> {
    definitions(config)
        .filter(|entry| entry.mints_by_command() || entry.has_secrets_of_trust())
        .filter(|entry| entry.is_of_one_project())
}

/// The entries of the project that would be used once it is trusted, and are not `now`, or not yet agreed to.
fn servers<'c>(config: &'c Config, now: &'c Config) -> impl Iterator<Item = &'c ServerEntry> {
    definitions(config).filter(|entry| {
        let is_used = |other: &ServerEntry| other.origin == entry.origin && other.gate() == Gate::Ready;
        entry.scope == Scope::Project
            && entry.gate() == Gate::Ready
            && (entry.is_approved_by_trust() || !now.definitions(&entry.name).any(is_used))
    })
}

fn definitions(config: &Config) -> impl Iterator<Item = &ServerEntry> {
    config.entries.iter().chain(config.shadowed.iter().map(|shadowed| &shadowed.entry))
}

/// The members of the folder's own settings that count only once it is trusted.
fn settings(now: &Config) -> Vec<String> {
    let waiting = now.problems.iter().filter(|problem| problem.code == ProblemCode::NotApproved);
    waiting.filter_map(setting).collect()
}

/// The member of a project's own settings that is not heard yet.
fn setting(problem: &Problem) -> Option<String> {
    let (file, field) = (problem.file.as_ref()?, problem.field.as_ref()?);
    problem.server.is_none().then(|| format!("{field} of {file}"))
}

/// A stranger's name or path, on a line, with what is not seen written out: with it, it is another one.
pub(crate) fn line(text: &str) -> String {
    mcp_text::line(&mcp_text::escaped(text), WIDE)
}

pub(crate) fn unless(condition: bool, text: &'static str) -> &'static str {
    if condition { "" } else { text }
}

/// Where decisions are kept.
pub(crate) fn store(config: &Config) -> Result<TrustStore, CliError> {
    let directory = config.locations.state_dir.as_ref().ok_or_else(|| {
        CliError::usage("no-state-dir", "there is no home directory to keep the decision in")
            .next("set MCPLINK_STATE_DIR to a directory")
    })?;
    Ok(TrustStore::new(directory))
}

pub(crate) fn not_kept(error: &ConfigError) -> CliError {
    let message = format!("the decision could not be kept in {}", error.path().display());
    CliError::new(crate::exit::of_file(error.kind()), "state-not-writable", message)
        .why(error.to_string())
        .next("check the permissions, or set MCPLINK_STATE_DIR")
}
