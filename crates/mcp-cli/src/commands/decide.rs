//! `mcplink trust`, `untrust`, `approve`, `reject`: a person's decisions, kept in this tool's own state.
//!
//! What a decision allows is shown before it is made, and only a yes makes it: typed at a terminal, or given as `--yes`, because
//! a program that runs a command to see what comes must not agree by the way.

use std::path::{Path, PathBuf};

use mcp_config::{Project, Scope};
use serde::Serialize;

use crate::app::App;
use crate::args::AgreedArg;
use crate::confirmation::Answers;
use crate::consent::{
    ApprovalSubject, ApprovalView, TrustDocument, TrustSubject, is_decided, line, not_kept, store, too_long,
    unless, unneeded,
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
pub(super) async fn trust(
    app: &App,
    path: Option<&Path>,
    agreed: &AgreedArg,
) -> Result<ExitStatus, CliError> {
    let offer = TrustSubject::of(app, &folder(app, path)?)?;
    if !app.json {
        app.output.out(&offer.lines(app, app.style().room()));
    }
    if offer.is_given() && agreed.yes.is_none() {
        say(app, &offer.outcome(false), &offer.document(app, true, false));
        return Ok(ExitStatus::Success);
    }
    let folder = line(&offer.folder().display().to_string());
    let question = Question {
        asked: format!("Trust {folder}?"),
        refused: match (offer.is_given(), offer.is_trusted()) {
            (true, _) => format!("nothing was decided about {folder}"),
            (false, true) => format!("what is new in {folder} is not trusted"),
            (false, false) => format!("{folder} is not trusted"),
        },
        command: path.map_or_else(
            || "mcplink trust".to_owned(),
            |path| format!("mcplink trust {}", mcp_text::shell_word(&path.to_string_lossy())),
        ),
        rest: offer.rest(),
    };
    if let Err(error) = question.ask(app, agreed, &offer.digest()).await {
        if app.json {
            app.print_json(&offer.document(app, offer.is_trusted(), false));
        }
        return Err(error);
    }
    let changed = offer.trust()?;
    say(app, &offer.outcome(changed), &offer.document(app, true, changed));
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
        digest: None,
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

/// A decision that was not made.
struct Undecided<'a> {
    error: CliError,
    /// What it would have allowed, where that could be shown.
    seen: Option<Box<ApprovalDocument<'a>>>,
}

impl From<CliError> for Undecided<'_> {
    fn from(error: CliError) -> Self {
        Self { error, seen: None }
    }
}

/// Approves servers of a project file as they are now, or helpers of local ones that have changed. What cannot be decided
/// about one keeps none of the others from it.
pub(super) async fn approve(app: &App, names: &[String], agreed: &AgreedArg) -> Result<ExitStatus, CliError> {
    if matches!(agreed.yes, Some(Some(_))) && distinct(names).nth(1).is_some() {
        return Err(CliError::usage("usage", "--yes=DIGEST is about one server")
            .next("mcplink approve NAME --yes=DIGEST"));
    }
    let loaded = app.load()?;
    let mut decisions = Vec::new();
    for name in distinct(names) {
        decisions.push((name, approve_one(app, &loaded, name, agreed).await));
    }
    decided(app, decisions, "not approved")
}

async fn approve_one<'a>(
    app: &App,
    loaded: &'a LoadedConfig,
    name: &'a str,
    agreed: &AgreedArg,
) -> Result<ApprovalDocument<'a>, Undecided<'a>> {
    let offer = ApprovalSubject::of(app, loaded, name)?;
    if !app.json {
        app.output.out(&offer.lines(app.style().room()));
    }
    let is_given = offer.is_given();
    let question = Question {
        asked: format!("Approve {}?", shown_name(name)),
        refused: match (is_given, offer.was_given()) {
            (true, _) => format!("nothing was decided about {}", shown_name(name)),
            (false, true) => format!("{} is not approved as it is now", shown_name(name)),
            (false, false) => format!("{} is not approved", shown_name(name)),
        },
        command: format!("mcplink approve {}", mcp_text::shell_word(name)),
        rest: offer.allowed.rest(),
    };
    // What is given already is told, and needs no other yes.
    let (agreement, changed) = match is_given && agreed.yes.is_none() {
        true => (Ok(()), false),
        false => {
            let agreement = question.ask(app, agreed, offer.allowed.digest()).await;
            let changed = agreement.is_ok() && offer.approve()?;
            (agreement, changed)
        }
    };
    let approved = is_given || agreement.is_ok();
    let (folder, allowed) = (offer.folder(), Some(offer.allowed));
    let document = ApprovalDocument { schema_version: 1, name, folder, approved, changed, allowed };
    match agreement {
        Ok(()) => {
            let document = print_decision(app, document);
            if waits_for_trust(loaded, name) {
                app.output.note(&format!(
                    "note: its headersHelper is not run before its folder is trusted\n  next: {}\n",
                    app.steps.step("mcplink trust")
                ));
            }
            Ok(document)
        }
        Err(error) => Err(Undecided { error, seen: Some(Box::new(document)) }),
    }
}

/// Whether the entry has a helper that its approval does not have run.
fn waits_for_trust(loaded: &LoadedConfig, name: &str) -> bool {
    let helper = loaded.config.entry(name).and_then(|entry| entry.remote()).map(|remote| &remote.helper);
    helper.is_some_and(Option::is_some) && !loaded.config.trust.is_trusted()
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
) -> Result<ApprovalDocument<'a>, Undecided<'a>> {
    let config = &loaded.config;
    if !config.definitions(name).any(|entry| entry.scope == Scope::Project) {
        return Err(unneeded(loaded, name).into());
    }
    let folder = config.project.trust_folder();
    let changed = store(config)?.reject(folder, name).map_err(|e| not_kept(&e))?;
    Ok(print_decision(
        app,
        ApprovalDocument { schema_version: 1, name, folder, approved: false, changed, allowed: None },
    ))
}

/// Each name once, in the order in which they were given.
fn distinct(names: &[String]) -> impl Iterator<Item = &str> {
    names.iter().enumerate().filter(|(at, name)| !names[..*at].contains(name)).map(|(_, name)| name.as_str())
}

/// Tells people at once what was decided; programs get it with the rest.
fn print_decision<'a>(app: &App, document: ApprovalDocument<'a>) -> ApprovalDocument<'a> {
    if !app.json {
        let text = is_decided(document.name, document.folder, document.approved, document.changed);
        app.output.out(&behind("", &text, app.style().room()));
    }
    document
}

/// The end of a decision about one name or more.
fn decided(
    app: &App,
    decisions: Vec<(&str, Result<ApprovalDocument<'_>, Undecided<'_>>)>,
    failing: &str,
) -> Result<ExitStatus, CliError> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Decision<'a> {
        Made(Box<ApprovalDocument<'a>>),
        Seen {
            error: serde_json::Value,
            #[serde(flatten)]
            seen: Box<ApprovalDocument<'a>>,
        },
        NotMade {
            name: &'a str,
            error: serde_json::Value,
        },
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
            Err(Undecided { error, seen }) => {
                let told = error.to_value();
                all.push(match seen {
                    Some(seen) => Decision::Seen { error: told, seen },
                    None => Decision::NotMade { name, error: told },
                });
                failed.push((shown_name(name), error));
            }
        }
    }
    if app.json {
        match all.as_slice() {
            [Decision::Made(document)] => app.print_json(document),
            [Decision::Seen { seen, .. }] => app.print_json(seen),
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
        let message = format!("{} is not a folder", path.display());
        return Err(CliError::usage("no-folder", message).next("name a folder that is there"));
    }
    Ok(Project::find(&path).trust_folder().to_owned())
}

/// What a person is asked, about what was shown.
struct Question {
    asked: String,
    /// What is so without an agreement.
    refused: String,
    /// What was run, without an agreement.
    command: String,
    /// Where the rest of it stands, where not all was shown.
    rest: Option<String>,
}

impl Question {
    /// Whether `digest`, which is of what was shown, is agreed to. At a terminal a typed yes is an agreement; elsewhere
    /// only `--yes` is. With a digest it is about what was shown then, and no question replaces that.
    async fn ask(&self, app: &App, agreed: &AgreedArg, digest: &str) -> Result<(), CliError> {
        let moved = match &agreed.yes {
            Some(None) => return Ok(()),
            Some(Some(shown)) if shown == digest => return Ok(()),
            Some(Some(_)) => true,
            None => false,
        };
        if moved || !app.asks() {
            let why = match moved {
                true => "what is shown here is not what --yes=DIGEST is about",
                false => "nothing can be asked here, and --yes was not given",
            };
            let next = format!("{} --yes={digest}", self.command);
            return Err(CliError::unagreed("not-confirmed", &*self.refused).why(why).next(next));
        }
        // Security: the part that decides may be the one that is not seen, and a y would be about it as well.
        if let Some(rest) = &self.rest {
            return Err(too_long(&self.refused, rest, &self.command, digest));
        }
        let mut answers = Answers::of_terminal();
        answers.forget_typed();
        app.output.error(&format!("{} [y/N] ", self.asked));
        let answer = answers.line().await.unwrap_or_default();
        if ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
            return Ok(());
        }
        // A person who said no wants nothing else.
        if ["n", "no"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
            return Err(CliError::unagreed("declined", &*self.refused).why("the answer was no"));
        }
        Err(CliError::unagreed("not-confirmed", "nothing was decided").next("answer y, or add --yes"))
    }
}

fn say(app: &App, text: &str, document: &impl Serialize) {
    if app.json {
        app.print_json(document);
    } else {
        app.output.out(&behind("", text, app.style().room()));
    }
}
