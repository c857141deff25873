//! `mcplink add` and `add-json`: asks the server, writes its entry, and ends with the state that it is in.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use mcp_config::edit::{self, Change, Value};
use mcp_config::editor::{EntryPlace, FileEdit};
use mcp_config::validate::validate_text;
use mcp_config::{
    Config, ConfigSource, Gate, Problem, ProblemCode, Scope, ServerEntry, Severity, TrustStore,
};
use mcp_connect::{ConfiguredServer, Probe};
use mcp_status::ServerStatus;
use mcp_transport::connect::ConnectPolicy;
use serde::Serialize;

use super::change::{self, ChangeFailure, entry_lines};
use super::secrets::{self, Secrets};
use super::status::combined;
use crate::app::App;
use crate::args::{AddArgs, AddJsonArgs, WriteArgs};
use crate::deadline::Deadline;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::problems::problem_text;
use crate::view::row::Row;
use crate::view::shown;
use crate::view::text;
use crate::view::wrap::paragraph;

mod again;
mod answers;
mod client_secret;
mod entry;
mod registry;
mod search;

use entry::New;

/// The longest entry that is read from standard input, in bytes.
const MAX_JSON: u64 = 1024 * 1024;

/// How long a remote server is waited for, where a person says nothing else (`--timeout`, `--check`).
const GLANCE: Duration = Duration::from_secs(5);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    name: &'a str,
    scope: Scope,
    /// The folder whose entry it is, where it is that of one project.
    project: Option<String>,
    file: String,
    line: Option<usize>,
    /// Whether the file is another one than before.
    changed: bool,
    /// Nothing was written.
    dry_run: bool,
    /// Another entry stood there.
    replaced: bool,
    /// Without its secrets.
    entry: serde_json::Value,
    /// The state of the server; `null` where it was not asked.
    server: Option<&'a Row>,
    notes: Vec<String>,
}

pub(super) async fn run(app: &Arc<App>, args: &AddArgs) -> Result<ExitStatus, CliError> {
    if args.registry.search {
        return search::run(app, args).await;
    }
    let wanted = entry::registry_name(args)?;
    let (new, mut notes) = match wanted {
        Some((name, wanted)) => registry::new(app, args, name, &wanted).await?,
        None => (New::of(args)?, Vec::new()),
    };
    let client = client_secret::ask(app, args, &new.name).await;
    if args.oauth.client_secret && client.is_none() && app.environment.text("MCP_CLIENT_SECRET").is_none() {
        notes.push("the secret of the client is read from MCP_CLIENT_SECRET, which is not set".to_owned());
    }
    let ended = add(app, new, &args.write, notes).await?;
    if let Some(client) = client {
        client.keep(app).await?;
    }
    Ok(ended)
}

pub(super) async fn json(app: &Arc<App>, args: &AddJsonArgs) -> Result<ExitStatus, CliError> {
    let text = if args.entry == "-" { from_stdin().await? } else { args.entry.clone() };
    let refused = |why: String| {
        CliError::usage("invalid-entry", "the JSON is not an entry").why(why).next("mcplink add-json --help")
    };
    let entry = Value::parse(&text).map_err(|error| refused(error.to_string()))?;
    if !matches!(entry, Value::Object(_)) {
        return Err(refused(format!("expected an object, found {}", entry.kind())));
    }
    if entry.get("mcpServers").is_some() {
        return Err(refused(
            "it is a file of servers; give the entry alone, what stands behind its name".to_owned(),
        ));
    }
    add(app, New { name: args.name.clone(), entry }, &args.write, Vec::new()).await
}

async fn from_stdin() -> Result<String, CliError> {
    // On a thread of its own, so that a signal is heard while nothing comes.
    let read = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        std::io::stdin().take(MAX_JSON).read_to_string(&mut text).map(|_| text)
    });
    let read = read.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
    read.map_err(|error| {
        CliError::usage("invalid-entry", "stdin cannot be read").why(mcp_files::reason(&error))
    })
}

async fn add(
    app: &Arc<App>,
    mut new: New,
    write: &WriteArgs,
    mut notes: Vec<String>,
) -> Result<ExitStatus, CliError> {
    if mcp_config::address::Address::is_one(&new.name) {
        let error = CliError::usage("invalid-name", "a server is not named by a URL");
        return Err(error
            .why("every command takes it for the URL itself")
            .next("give the server a name of one word"));
    }
    if let Some(account) = &app.account {
        new.use_account(account)?;
    }
    let config = app.load_as_is()?.config;
    let scope = app.scope().unwrap_or(Scope::Mcplink);
    let place = change::place_for(&config, app.scope(), write.only_here)?;
    refuse_invalid(app, &new)?;
    refuse_loop(app, &new)?;
    // Before the server is asked, and once more when it is written.
    let editor = change::editor(&config)?;
    let name = new.name.clone();
    editor.dry_run::<ChangeFailure>(&place, |text| written(&place, text, &new, write))?;
    refuse_barred(app, &config, &new)?;

    let asked = ask(app, &mut new, write).await?;
    let secrets = secrets::offer(app, &name, &mut new.entry).await?;
    // What was asked has the secret in it, and what is written may name a variable that is not set.
    let is_unset = |name: &String| app.environment.text(name).is_none();
    let asked = if secrets.variables.iter().any(is_unset) { ask(app, &mut new, write).await? } else { asked };
    let mut replaced = None;
    let mut change = |text: &str| {
        replaced = edit::value_at(text, &path(&place, text, &name)).ok().flatten();
        written(&place, text, &new, write)
    };
    let edited = match write.dry_run {
        true => editor.dry_run::<ChangeFailure>(&place, &mut change)?,
        false => editor.edit::<ChangeFailure>(&place, &mut change)?,
    };
    notes.extend(secret_notes(&secrets, &edited, write.dry_run));
    let row = match write.dry_run {
        true => asked.map(Row::of_no_file),
        false => settled(app, (&place, &edited), &name, asked, write, &mut notes).await?,
    };
    let config = if write.dry_run { app.load_with(&new.as_file())? } else { app.load_as_is()? }.config;
    notes.extend(doubts(&config, &name, &secrets, write.dry_run));
    let line = edited.line_of(&path(&place, edited.after(), &name));
    let document = Document {
        schema_version: 1,
        name: &name,
        scope,
        project: place.folder().map(|folder| folder.display().to_string()),
        file: edited.file.display().to_string(),
        line,
        changed: edited.changed(),
        dry_run: write.dry_run,
        replaced: replaced.is_some(),
        entry: serde_json::from_str(&new.entry.shown().to_json()).unwrap_or_default(),
        server: row.as_ref(),
        notes,
    };
    show(app, &document, replaced.as_ref(), &new.entry, row.as_ref());
    Ok(match &row {
        Some(row) if write.check => combined(std::slice::from_ref(row)),
        _ => ExitStatus::Success,
    })
}

/// What a server is called that is given by this URL alone.
pub(super) fn name_of_url(url: &str) -> Option<String> {
    url::Url::parse(url).ok().map(|url| entry::name_of(&url))
}

/// The keys from the root of the file to the entry.
fn path(place: &EntryPlace, text: &str, name: &str) -> Vec<String> {
    place.path(text, name)
}

/// The file with the entry in it, unless there is one of that name already.
fn written(place: &EntryPlace, text: &str, new: &New, write: &WriteArgs) -> Result<String, ChangeFailure> {
    let path = path(place, text, &new.name);
    let found = edit::value_at(text, &path).map_err(|error| place.refused(error))?;
    if let (Some(found), false) = (found, write.replace) {
        return Err(ChangeFailure::Refused(exists(place, text, &path, &new.name, &found)));
    }
    Ok(edit::apply(text, &path, &Change::Set(new.entry.clone())).map_err(|error| place.refused(error))?)
}

fn exists(place: &EntryPlace, text: &str, path: &[String], name: &str, found: &Value) -> CliError {
    let line = edit::line_of(text, path).map(|line| format!(":{line}")).unwrap_or_default();
    let message =
        format!("{} is there already ({}, {}{line})", shown::name(name), place.scope, place.file.display());
    let found = found.shown();
    let endpoint = ["url", "command"].iter().find_map(|key| found.get(key)?.as_str().map(str::to_owned));
    let is = endpoint.map_or_else(String::new, |endpoint| format!("it is {}; ", shown::line(&endpoint)));
    CliError::usage("exists", shown::line(&message))
        .why(format!("{is}--replace replaces it, and another name keeps both"))
        .next(format!("mcplink get {}", mcp_text::shell_word(name)))
}

/// An entry that no command could use is not written.
fn refuse_invalid(app: &App, new: &New) -> Result<(), CliError> {
    let problems = validate_text(
        ConfigSource::File("the new entry".into()),
        &new.as_file(),
        app.environment.variables(),
    );
    match problems.iter().find(|problem| problem.severity == Severity::Error || is_reserved(problem)) {
        None => Ok(()),
        Some(problem) => {
            let mut problem = problem.clone();
            // It is in no file yet.
            (problem.file, problem.line, problem.column) = (None, None, None);
            Err(CliError::usage("invalid-entry", "the entry could not be used, so it is not written")
                .why(problem_text(&problem))
                .next("mcplink add --help"))
        }
    }
}

/// What only leads back to this program, and to no server, is not written: every later look would tell it.
fn refuse_loop(app: &App, new: &New) -> Result<(), CliError> {
    let config = app.load_with(&new.as_file())?.config;
    let Some(why) = config.leads_nowhere(&new.name) else { return Ok(()) };
    // It is in no file yet.
    let stands = config.pointers_of(&new.name).next().map(|pointer| &pointer.entry.origin);
    let place = stands.map(|origin| format!("{origin} ({}) is ", origin.field)).unwrap_or_default();
    let why = why.strip_prefix(&place).map_or(why.clone(), |why| format!("it is {why}"));
    let message = format!("{} would lead to no server, so it is not written", shown::name(&new.name));
    let next = format!("mcplink add {} URL", mcp_text::shell_word(&new.name));
    Err(CliError::usage("self-reference", message).why(shown::line(&why)).next(next))
}

/// What a policy forbids is neither asked nor written.
fn refuse_barred(app: &App, config: &Config, new: &New) -> Result<(), CliError> {
    let barred = |why: String, whose: &str| {
        let message = format!("{} may not be used here, so it is not written", shown::name(&new.name));
        CliError::usage("policy", message).why(shown::line(&why)).next(shown::line(whose))
    };
    if let Some(problem) = config.barred_by_administrator() {
        return Err(barred(problem.to_line(), "ask your administrator for the server"));
    }
    let loaded = app.load_with(&new.as_file())?;
    match loaded.config.entry(&new.name).and_then(|entry| entry.blocked.as_ref()) {
        None => Ok(()),
        Some(block) if block.is_by_administrator() => {
            Err(barred(block.to_string(), &format!("ask your administrator about {}", block.rule())))
        }
        Some(block) => Err(barred(block.to_string(), &format!("change {}", block.rule()))),
    }
}

fn is_reserved(problem: &mcp_config::Problem) -> bool {
    problem.code == mcp_config::ProblemCode::ReservedName
}

/// Asks the server how it speaks and how it is, unless that is not wanted; completes the entry by what it says.
async fn ask(app: &Arc<App>, new: &mut New, write: &WriteArgs) -> Result<Option<Row>, CliError> {
    let is_typed = new.entry.get("type").is_some() || new.entry.get("url").is_none();
    if !is_typed {
        new.entry.put_first("type", Value::from("http"));
    }
    // A person who wants to see first what would be written has agreed to no command yet.
    let runs = ["command", "headersHelper", "auth"].iter().any(|field| new.entry.get(field).is_some());
    if write.no_check || write.dry_run && runs {
        return Ok(None);
    }
    let loaded = app.load_with(&new.as_file())?;
    // A pointer, which leads to a server and is none, is not asked.
    let mut configured = match loaded.found(app, &new.name).await {
        Ok(configured) => configured,
        Err(_) => return Ok(None),
    };
    // Where it will stand is told beside what is wrong with it.
    configured.description.source.clear();
    if let Some(endpoint) =
        configured.description.url.as_deref().or(configured.description.command.as_deref())
    {
        app.output.note(&paragraph(&format!("asking {} …", shown::line(endpoint)), app.stderr_room()));
    }
    let (row, is_streamable) = probed(app, &configured, write).await;
    if !is_typed && is_streamable == Some(false) {
        new.entry.put_first("type", Value::from("sse"));
    }
    Ok(Some(row))
}

/// The state of a server, and, where it is connected, whether by Streamable HTTP.
///
/// Who adds an entry waits for no server that says nothing, unless its state is what is asked for.
async fn probed(app: &App, configured: &ConfiguredServer, write: &WriteArgs) -> (Row, Option<bool>) {
    let is_short = !write.check && !configured.is_stdio();
    let deadline = app.deadline.or_else(|| is_short.then(|| Deadline::after(GLANCE)));
    let until = deadline.map(|deadline| deadline.at);
    let probed = Probe::run(app.host.connector(), configured, &ConnectPolicy::glance(), until, |_| {}).await;
    let row = Row::of_probe(configured, &probed, deadline, &app.steps);
    let Some(connection) = probed.connection else { return (row, None) };
    let is_streamable = connection.is_streamable_http();
    connection.close().await;
    (row, Some(is_streamable))
}

/// What is to be known about secrets that were typed.
fn secret_notes(secrets: &Secrets, edited: &FileEdit, dry_run: bool) -> Vec<String> {
    let file = edited.file.display();
    let stands = if dry_run { "would stand" } else { "stands" };
    let literal = secrets.literal.iter().map(|(header, reference)| {
        let header = shown::name(header);
        format!(
            "the value of {header} is a secret, and {stands} in {file}; {reference} in its place keeps it out of the file, \
             and so does ${{keyring:mcp/NAME}} after mcplink secret set NAME"
        )
    });
    let variables = secrets.variables.iter().map(|name| format!("set {name} wherever mcplink runs"));
    let in_url = secrets.in_url.then(|| {
        format!(
            "the URL has a secret in it, which {stands} in {file}; ${{NAME}} instead keeps it out of the file"
        )
    });
    literal.chain(in_url).chain(variables).chain(secrets.kept.iter().cloned()).collect()
}

/// The state of the entry as it is in the file now. One of a project is approved by its addition.
async fn settled(
    app: &Arc<App>,
    (place, edited): (&EntryPlace, &FileEdit),
    name: &str,
    asked: Option<Row>,
    write: &WriteArgs,
    notes: &mut Vec<String>,
) -> Result<Option<Row>, CliError> {
    let config = app.load_as_is()?.config;
    if let Some(entry) = config.definitions(name).find(|entry| is_at(entry, place, edited)) {
        approve(&config, entry, notes);
    }
    let loaded = app.load_as_is()?;
    let Some(entry) = loaded.config.entry(name) else { return Ok(asked) };
    if !is_at(entry, place, edited) {
        notes.push(format!(
            "the {} entry of that name ({}) is used here, and not this one",
            entry.scope, entry.origin
        ));
    } else if let Some(other) = loaded.config.definitions(name).find(|other| !is_at(other, place, edited)) {
        notes.push(format!(
            "it is used in the place of the {} entry of that name ({})",
            other.scope, other.origin
        ));
    }
    match asked {
        // Where its command is run, and its file looked for, follows from where it stands now.
        Some(_) if entry.gate() == Gate::Ready && is_by_place(entry) => {
            let server = app.host.configured(entry, &loaded.config).await;
            Ok(Some(probed(app, &server, write).await.0))
        }
        Some(row) if entry.gate() == Gate::Ready => {
            let (scope, source) = (entry.scope.to_string(), entry.origin.place.to_string());
            Ok(Some(Row { scope, source, transport: entry.transport(), ..row }))
        }
        // It was asked with the rights of the person who typed it; in its file it has to wait.
        _ if entry.gate() != Gate::Ready => {
            let server = app.host.configured(entry, &loaded.config).await;
            Ok(Some(Row::offline(&server, &app.steps)))
        }
        asked => Ok(asked),
    }
}

/// What of the entry is left aside, or is sent otherwise than it was meant: told at once, because every later look would tell it. A
/// variable that `secrets` tells of is told by that.
fn doubts(config: &Config, name: &str, secrets: &Secrets, dry_run: bool) -> Vec<String> {
    let is_told = |problem: &Problem| {
        problem.code == ProblemCode::MissingVariable
            && secrets
                .variables
                .iter()
                .any(|name| problem.message.starts_with(&format!("the variable {name} is not set")))
    };
    let is_doubt = |problem: &&Problem| match problem.code {
        ProblemCode::UnknownField => true,
        ProblemCode::IgnoredValue => problem.severity > Severity::Note,
        code => code.is_of_each_use() && !is_told(problem),
    };
    let told = config.problems_of(name).filter(is_doubt).cloned().map(|mut problem| {
        if dry_run {
            // It is in no file yet.
            (problem.file, problem.line, problem.column) = (None, None, None);
        }
        problem_text(&problem)
    });
    told.collect()
}

/// Whether the place of the entry decides what it does: a command that makes its credentials has a folder, and so have paths.
fn is_by_place(entry: &ServerEntry) -> bool {
    entry.remote().is_some_and(|remote| remote.helper.is_some() || remote.unattended.is_some())
}

fn is_at(entry: &ServerEntry, place: &EntryPlace, edited: &FileEdit) -> bool {
    let file = entry.origin.place.path();
    // Of our own file, an entry of one project is another one than that of every project.
    let is_same = entry.scope != Scope::Mcplink || entry.is_of_one_project() == place.folder().is_some();
    is_same && entry.scope == place.scope && (file == Some(&place.file) || file == Some(&edited.file))
}

/// Who adds an entry agrees to it, as it is.
fn approve(config: &Config, entry: &ServerEntry, notes: &mut Vec<String>) {
    if entry.scope != Scope::Project {
        return;
    }
    let Some(state) = &config.locations.state_dir else { return };
    match TrustStore::new(state).approve(config.project.trust_folder(), entry) {
        Ok(_) => {}
        Err(error) => notes.push(shown::line(&format!("it is not approved: could not {error}"))),
    }
}

fn show(app: &App, document: &Document<'_>, replaced: Option<&Value>, entry: &Value, row: Option<&Row>) {
    if app.json {
        return app.print_json(document);
    }
    let name = shown::name(document.name);
    let at = document.line.map(|line| format!(":{line}")).unwrap_or_default();
    let verb = match (document.dry_run, document.replaced) {
        (true, false) => "would add",
        (true, true) => "would replace",
        (false, false) => "added",
        (false, true) => "replaced",
    };
    let file = shown::line(&document.file);
    let here = match (&document.project, document.scope) {
        (Some(folder), Scope::Mcplink) => format!(", only in {}", shown::line(folder)),
        _ => String::new(),
    };
    let text = format!("{verb} {name} ({}{here}) {file}{at}", document.scope);
    let mut out = paragraph(&text, app.style().room());
    if document.dry_run {
        out.push_str(&replaced.map(|old| entry_lines('-', document.name, old)).unwrap_or_default());
        out.push_str(&entry_lines('+', document.name, entry));
    }
    match row {
        None => out.push_str("the server was not asked\n"),
        Some(row) if row.status == Some(ServerStatus::Connected) && row.reason().is_none() => {
            let tools =
                row.tools.map(text::count_of_tools).map(|tools| format!(": {tools}")).unwrap_or_default();
            out.push_str(&format!("it works{tools}\n"));
        }
        Some(row) => out.push_str(&text::status_lines(row, mcp_text::width(&name), app.style())),
    }
    app.output.out(&out);
    for note in &document.notes {
        app.output.note(&paragraph(&format!("note: {}", shown::line(note)), app.stderr_room()));
    }
}
