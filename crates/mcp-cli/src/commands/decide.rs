//! `mcplink trust`, `untrust`, `approve`, `reject`: a person's decisions, kept in this tool's own state.

use std::path::Path;

use mcp_config::{ConfigError, Project, Scope, TrustStore};
use serde_json::json;

use crate::app::{App, Loaded};
use crate::error::CliError;
use crate::exit::ExitStatus;

/// Trusts the folder, or takes that back.
pub(super) fn trust(app: &App, path: Option<&Path>, trusted: bool) -> Result<ExitStatus, CliError> {
    let loaded = app.load_as_is()?;
    let folder = match path {
        None => loaded.config.project.trust_folder().to_owned(),
        Some(path) => {
            let path = app.directory()?.join(path);
            if !path.is_dir() {
                return Err(CliError::usage("no-folder", format!("{} is no folder", path.display()))
                    .next("mcplink trust [PATH]"));
            }
            Project::find(&path).trust_folder().to_owned()
        }
    };
    let store = store(&loaded)?;
    let changed =
        if trusted { store.trust(&folder) } else { store.untrust(&folder) }.map_err(|e| not_kept(&e))?;
    let verb = if trusted { "trusted" } else { "no longer trusted" };
    say(
        app,
        &format!("{} is {verb}{}", folder.display(), unless(changed, ", as before")),
        || json!({"schemaVersion": 1, "folder": folder, "trusted": trusted, "changed": changed}),
    );
    if !trusted && changed && app.load_as_is()?.config.trust.is_trusted() {
        app.output.note("note: another program's files still say that the folder is trusted\n");
    }
    Ok(ExitStatus::Success)
}

/// Approves a server of a project file, or rejects it.
pub(super) fn approve(app: &App, name: &str, approved: bool) -> Result<ExitStatus, CliError> {
    let loaded = app.load()?;
    let project = loaded.config.definitions(name).any(|entry| entry.scope == Scope::Project);
    if !project {
        return Err(match loaded.config.entry(name) {
            None => loaded.unknown(name),
            Some(entry) => {
                let message = format!("{name} is a {} server: it needs no approval", entry.scope);
                CliError::usage("no-approval-needed", message).next(format!("mcplink get {name}"))
            }
        });
    }
    let folder = loaded.config.project.trust_folder();
    let store = store(&loaded)?;
    let changed = if approved { store.approve(folder, name) } else { store.reject(folder, name) }
        .map_err(|e| not_kept(&e))?;
    let verb = if approved { "approved" } else { "rejected" };
    say(
        app,
        &format!("{name} is {verb} in {}{}", folder.display(), unless(changed, ", as before")),
        || json!({"schemaVersion": 1, "name": name, "folder": folder, "approved": approved, "changed": changed}),
    );
    Ok(ExitStatus::Success)
}

fn say(app: &App, text: &str, document: impl FnOnce() -> serde_json::Value) {
    if app.json {
        app.print_json(&document());
    } else {
        app.output.out(&format!("{text}\n"));
    }
}

fn unless(condition: bool, text: &'static str) -> &'static str {
    if condition { "" } else { text }
}

fn store(loaded: &Loaded) -> Result<TrustStore, CliError> {
    let directory = loaded.config.locations.state_dir.as_ref().ok_or_else(|| {
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
