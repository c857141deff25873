//! `mcplink trust`, `untrust`, `approve`, `reject`: a person's decisions, kept in this tool's own state.
//!
//! What a decision allows is shown before it is made, and on a terminal only a typed yes makes it.

use std::path::{Path, PathBuf};

use mcp_config::{Project, Scope};
use serde::Serialize;

use crate::app::App;
use crate::confirmation::Answers;
use crate::consent::{
    Approvable, ApprovalView, TrustDocument, Trustable, is_decided, line, not_kept, store, unless, unneeded,
};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::loaded::LoadedConfig;
use crate::view::shown::name as shown_name;
use crate::view::wrap::behind;

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
    let offer = Trustable::of(app, &folder(app, path)?)?;
    if !app.json {
        app.output.out(&offer.lines(app, app.style().room()));
    }
    confirm(app, &format!("Trust {}?", line(&offer.folder().display().to_string()))).await?;
    let changed = offer.trust()?;
    say(app, &offer.outcome(changed), &offer.document(app, changed));
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
    let offer = Approvable::of(app, loaded, name)?;
    if !app.json {
        app.output.out(&offer.lines(app.style().room()));
    }
    confirm(app, &format!("Approve {}?", shown_name(name))).await?;
    let changed = offer.approve()?;
    let (folder, allowed) = (offer.folder(), Some(offer.allowed));
    report(app, ApprovalDocument { schema_version: 1, name, folder, approved: true, changed, allowed })
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
    report(app, ApprovalDocument { schema_version: 1, name, folder, approved: false, changed, allowed: None })
}

/// Each name once, in the order in which they were given.
fn distinct(names: &[String]) -> impl Iterator<Item = &str> {
    names.iter().enumerate().filter(|(at, name)| !names[..*at].contains(name)).map(|(_, name)| name.as_str())
}

/// Tells people at once what was decided; programs get it with the rest.
fn report<'a>(app: &App, document: ApprovalDocument<'a>) -> Result<ApprovalDocument<'a>, CliError> {
    if !app.json {
        let text = is_decided(document.name, document.folder, document.approved, document.changed);
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
