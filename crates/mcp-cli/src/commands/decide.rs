//! `mcplink trust`, `untrust`, `approve`, `reject`: a person's decisions, kept in this tool's own state.
//!
//! What a decision allows is shown before it is made, and on a terminal only a typed yes makes it.

use std::path::{Path, PathBuf};

use mcp_config::{
    Approval, Config, ConfigError, Gate, Problem, ProblemCode, Project, Scope, ServerEntry, TrustStore,
};
use serde::Serialize;

use crate::app::App;
use crate::confirmation::Answers;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::loaded::LoadedConfig;
use crate::problems::{correct, problem_text};
use crate::view::shown::name as shown_name;
use crate::view::wrap::behind;

mod shown;

use shown::{ApprovalView, Helper};

/// The columns of a path or name on a line of its own.
const WIDE: usize = 400;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TrustDocument<'a> {
    schema_version: u32,
    folder: &'a Path,
    trusted: bool,
    changed: bool,
    /// The account that the folder belongs to, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_account: Option<u32>,
    helpers: Vec<Helper<'a>>,
    /// The servers of the project that its own settings approve once it is trusted.
    servers: Vec<TrustedServer<'a>>,
    /// The members of the folder's own settings that count once it is trusted.
    settings: Vec<String>,
}

#[derive(Serialize)]
struct TrustedServer<'a> {
    name: &'a str,
    #[serde(flatten)]
    allowed: ApprovalView<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApprovalDocument<'a> {
    schema_version: u32,
    name: &'a str,
    folder: &'a Path,
    approved: bool,
    changed: bool,
    #[serde(flatten)]
    allowed: Option<ApprovalView<'a>>,
}

/// Trusts the folder as it is now: what is shown is what is agreed to, whatever changes while the question waits.
pub(super) async fn trust(app: &App, path: Option<&Path>) -> Result<ExitStatus, CliError> {
    let directory = folder(app, path)?;
    let sources = app.sources_in(&directory);
    let now = Config::resolve(&sources);
    if let Some(broken) = now.broken_files().next() {
        // What the folder would be allowed stands in it, perhaps.
        let message = "what the folder holds cannot be shown, so it is not trusted";
        return Err(CliError::usage("invalid-config", message)
            .why(problem_text(broken))
            .next(correct(broken)));
    }
    let config = Config::if_trusted(&sources);
    let folder = config.project.trust_folder();
    let helpers: Vec<Helper<'_>> = helpers(&config).map(|entry| Helper::of(entry, &config.project)).collect();
    let servers: Vec<TrustedServer<'_>> = servers(&config, &now)
        .map(|entry| TrustedServer {
            name: &entry.name,
            allowed: ApprovalView::of(entry, &config, &app.environment),
        })
        .collect();
    let settings: Vec<String> = now
        .problems
        .iter()
        .filter(|problem| problem.code == ProblemCode::NotApproved)
        .filter_map(setting)
        .collect();
    let other_account = config.project.foreign_owner();
    if !app.json {
        let room = app.style().room();
        let mut text = format!("{}\n", line(&folder.display().to_string()));
        if let Some(account) = other_account {
            text.push_str(&format!("  belongs to another account (number {account})\n"));
        }
        for helper in &helpers {
            text.push_str(&helper.lines(room));
        }
        for server in &servers {
            text.push_str("  approves:\n");
            let within = room.map(|columns| columns.saturating_sub(4));
            text.extend(server.allowed.lines(within).lines().map(|line| format!("    {line}\n")));
        }
        for setting in &settings {
            text.push_str(&behind("  lets count: ", &line(setting), room));
        }
        if helpers.is_empty() && servers.is_empty() && settings.is_empty() {
            text.push_str(&behind("  ", "has no helper and no settings that count only then", room));
        }
        app.output.out(&text);
    }
    confirm(app, &format!("Trust {}?", line(&folder.display().to_string()))).await?;
    let agreed = self::helpers(&config).chain(self::servers(&config, &now));
    let changed = store(&config)?.trust(&config.project, agreed).map_err(|e| not_kept(&e))?;
    let document = TrustDocument {
        schema_version: 1,
        folder,
        trusted: true,
        changed,
        other_account,
        helpers,
        servers,
        settings,
    };
    let text =
        format!("{} is trusted{}", line(&folder.display().to_string()), unless(changed, ", as before"));
    say(app, &text, &document);
    Ok(ExitStatus::Success)
}

/// Takes trust in the folder back.
pub(super) fn untrust(app: &App, path: Option<&Path>) -> Result<ExitStatus, CliError> {
    let directory = folder(app, path)?;
    let config = app.config_in(&directory);
    let folder = config.project.trust_folder();
    let changed = store(&config)?.untrust(folder).map_err(|e| not_kept(&e))?;
    let text = format!(
        "{} is no longer trusted{}",
        line(&folder.display().to_string()),
        unless(changed, ", as before")
    );
    let document = TrustDocument {
        schema_version: 1,
        folder,
        trusted: false,
        changed,
        other_account: None,
        helpers: Vec::new(),
        servers: Vec::new(),
        settings: Vec::new(),
    };
    say(app, &text, &document);
    if changed && app.config_in(&directory).trust.is_trusted() {
        app.output.note("note: another program's files still say that the folder is trusted\n");
    }
    Ok(ExitStatus::Success)
}

/// Approves servers of a project file as they are now, or helpers of local ones that have changed. What cannot be decided
/// about one keeps none of the others from it.
pub(super) async fn approve(app: &App, names: &[String]) -> Result<ExitStatus, CliError> {
    let loaded = app.load()?;
    let mut decisions = Vec::new();
    for name in distinct(names) {
        decisions.push((name, approve_one(app, &loaded, name).await));
    }
    decided(app, decisions, "not approved")
}

async fn approve_one<'a>(
    app: &App,
    loaded: &'a LoadedConfig,
    name: &'a str,
) -> Result<ApprovalDocument<'a>, CliError> {
    let config = &loaded.config;
    let Some(entry) = config.definitions(name).find(|entry| needs_approval(entry)) else {
        return Err(unneeded(loaded, name));
    };
    if entry.gate() == Gate::Invalid {
        let message =
            format!("{} cannot be approved: {}", shown_name(name), entry.gate_detail().unwrap_or_default());
        return Err(CliError::usage("invalid-entry", message).next("mcplink validate"));
    }
    let store = store(config)?;
    if let Approval::Rejected(by) = &entry.approval
        && by.place.path() != Some(store.path())
    {
        // A rejection anywhere beats every approval, and files of another program are not written to.
        let message = format!("{} cannot be approved here", shown_name(name));
        return Err(CliError::new(ExitStatus::NeedsAuth, "declined", message)
            .why(format!(
                "{}, and only its absence there lifts that",
                entry.gate_detail().unwrap_or_default()
            ))
            .next(format!("mcplink get {}", mcp_text::shell_word(name))));
    }
    let folder = config.project.trust_folder();
    let allowed = ApprovalView::of(entry, config, &app.environment);
    if !app.json {
        app.output.out(&allowed.lines(app.style().room()));
    }
    confirm(app, &format!("Approve {}?", shown_name(name))).await?;
    let changed = store.approve(folder, entry).map_err(|e| not_kept(&e))?;
    let allowed = Some(allowed);
    let document = ApprovalDocument { schema_version: 1, name, folder, approved: true, changed, allowed };
    told(app, document)
}

/// Rejects servers of a project file; the same way.
pub(super) fn reject(app: &App, names: &[String]) -> Result<ExitStatus, CliError> {
    let loaded = app.load()?;
    let decisions = distinct(names).map(|name| (name, reject_one(app, &loaded, name))).collect();
    decided(app, decisions, "not rejected")
}

fn reject_one<'a>(
    app: &App,
    loaded: &'a LoadedConfig,
    name: &'a str,
) -> Result<ApprovalDocument<'a>, CliError> {
    let config = &loaded.config;
    if !config.definitions(name).any(|entry| entry.scope == Scope::Project) {
        return Err(unneeded(loaded, name));
    }
    let folder = config.project.trust_folder();
    let changed = store(config)?.reject(folder, name).map_err(|e| not_kept(&e))?;
    told(app, ApprovalDocument { schema_version: 1, name, folder, approved: false, changed, allowed: None })
}

/// Each name once, in the order in which they were given.
fn distinct(names: &[String]) -> impl Iterator<Item = &str> {
    names.iter().enumerate().filter(|(at, name)| !names[..*at].contains(name)).map(|(_, name)| name.as_str())
}

/// Tells people at once what was decided; programs get it with the rest.
fn told<'a>(app: &App, document: ApprovalDocument<'a>) -> Result<ApprovalDocument<'a>, CliError> {
    if !app.json {
        let decided = if document.approved { "approved" } else { "rejected" };
        let folder = line(&document.folder.display().to_string());
        let unchanged = unless(document.changed, ", as before");
        let text = format!("{} is {decided} in {folder}{unchanged}", shown_name(document.name));
        app.output.out(&behind("", &text, app.style().room()));
    }
    Ok(document)
}

/// The end of a decision about one name or more.
fn decided(
    app: &App,
    decisions: Vec<(&str, Result<ApprovalDocument<'_>, CliError>)>,
    failing: &str,
) -> Result<ExitStatus, CliError> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Decision<'a> {
        Made(Box<ApprovalDocument<'a>>),
        NotMade { name: &'a str, error: serde_json::Value },
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Decisions<'a> {
        schema_version: u32,
        decisions: &'a [Decision<'a>],
    }
    let asked = decisions.len();
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for (name, decision) in decisions {
        match decision {
            Ok(document) => all.push(Decision::Made(Box::new(document))),
            Err(error) => {
                all.push(Decision::NotMade { name, error: error.to_value() });
                failed.push((shown_name(name), error));
            }
        }
    }
    if app.json {
        match all.as_slice() {
            [Decision::Made(document)] => app.print_json(document),
            // The line on stderr tells it all.
            [Decision::NotMade { .. }] => {}
            decisions => app.print_json(&Decisions { schema_version: 1, decisions }),
        }
    }
    CliError::of_names(asked, failed, failing).map_or(Ok(ExitStatus::Success), Err)
}

/// Entries of a project's file always do; others where what was agreed to has changed.
fn needs_approval(entry: &ServerEntry) -> bool {
    entry.scope == Scope::Project || matches!(entry.approval, Approval::Changed(_))
}

fn unneeded(loaded: &LoadedConfig, name: &str) -> CliError {
    match loaded.config.entry(name) {
        None => loaded.unknown(name),
        Some(entry) => {
            let message = format!("{} is a {} server: it needs no approval", shown_name(name), entry.scope);
            CliError::usage("no-approval-needed", message)
                .next(format!("mcplink get {}", mcp_text::shell_word(name)))
        }
    }
}

/// The entries of the folder whose helpers wait for its trust.
fn helpers(config: &Config) -> impl Iterator<Item = &ServerEntry> {
    definitions(config)
        .filter(|entry| entry.mints_by_command() && matches!(entry.scope, Scope::Local | Scope::Project))
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

/// The member of a project's own settings that is not heard yet.
fn setting(problem: &Problem) -> Option<String> {
    let (file, field) = (problem.file.as_ref()?, problem.field.as_ref()?);
    problem.server.is_none().then(|| format!("{field} of {file}"))
}

fn folder(app: &App, path: Option<&Path>) -> Result<PathBuf, CliError> {
    let directory = app.folder()?;
    let Some(path) = path else { return Ok(directory) };
    let path = directory.join(path);
    if !path.is_dir() {
        let message = format!("{} is no folder", path.display());
        return Err(CliError::usage("no-folder", message).next("mcplink trust [PATH]"));
    }
    Ok(Project::find(&path).trust_folder().to_owned())
}

/// At a terminal, what was shown is decided about by a typed yes. A script has decided by running the command.
async fn confirm(app: &App, question: &str) -> Result<(), CliError> {
    if !app.asks() {
        return Ok(());
    }
    let mut answers = Answers::of_terminal();
    answers.forget_typed();
    app.output.error(&format!("{question} [y/N] "));
    let answer = answers.line().await.unwrap_or_default();
    if ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err(CliError::usage("not-confirmed", "nothing was decided").next("answer y, or use --non-interactive"))
}

fn say(app: &App, text: &str, document: &impl Serialize) {
    if app.json {
        app.print_json(document);
    } else {
        app.output.out(&behind("", text, app.style().room()));
    }
}

/// A stranger's name or path, on a line.
fn line(text: &str) -> String {
    mcp_text::line(text, WIDE)
}

fn unless(condition: bool, text: &'static str) -> &'static str {
    if condition { "" } else { text }
}

fn store(config: &Config) -> Result<TrustStore, CliError> {
    let directory = config.locations.state_dir.as_ref().ok_or_else(|| {
        CliError::usage("no-state-dir", "there is no home directory to keep the decision in")
            .next("set MCPLINK_STATE_DIR to a directory")
    })?;
    Ok(TrustStore::new(directory))
}

fn not_kept(error: &ConfigError) -> CliError {
    let message = format!("the decision could not be kept in {}", error.path().display());
    CliError::usage("state-not-writable", message)
        .why(error.to_string())
        .next("check the permissions, or set MCPLINK_STATE_DIR")
}
