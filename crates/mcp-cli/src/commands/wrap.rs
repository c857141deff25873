//! `mcplink wrap HOST NAME` and `unwrap`: puts this program between a host and its servers, and takes it out again.
//!
//! Longer than 500 lines because what is asked, shown, written and checked is said of one entry in one place.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use mcp_config::edit::Value;
use mcp_config::editor::{Editor, EntryPlace};
use mcp_config::hosts::{HostListing, KnownHost};
use mcp_config::import::{Candidate, CandidateState, ImportPlan};
use mcp_config::wrap::{BridgeCommand, HostTarget, WrapFailure, WrapRecord, WrappedEntry};
use mcp_config::{Config, Gate, Problem, Request, Scope, ServerEntry};
use serde::Serialize;

use super::change::{self, ChangeFailure};
use super::conclusion::broken_file;
use super::import::refuse_barred;
use crate::app::App;
use crate::args::WrapArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::problems::problem_text;
use crate::view::shown;
use crate::view::wrap::paragraph;
use crate::written::written;

mod bundle;
mod check;
mod environment;
mod own;
mod refusal;
mod screen;
mod undo;
mod zip;

use check::CheckReport;
use own::{EntryMove, hosts_that_reach};
use refusal::{of_its_file, refused};
use screen::{agreed, differences, ending, wrote};
pub(super) use undo::undo;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    host: &'static str,
    /// Nothing was written.
    dry_run: bool,
    servers: Vec<Row<'a>>,
    notes: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    name: &'a str,
    file: String,
    /// Its entry was put into our own file.
    moved: bool,
    command: String,
    args: Vec<String>,
    backup: Option<String>,
    /// What the host will find; `null` where it was not asked.
    check: Option<CheckReport>,
}

/// What both commands need to know.
struct WrapContext<'a> {
    app: &'a App,
    host: &'static KnownHost,
    config: Config,
    request: Request,
    found: Vec<HostListing>,
    editor: Editor,
    own: EntryPlace,
    /// The file of this program as a host is told of it.
    program: Result<PathBuf, String>,
    /// Servers that were given by their URLs, under the names that they get.
    given: Vec<(String, Value)>,
}

/// One entry, and what becomes of it.
struct WrapPlan {
    name: String,
    target: HostTarget,
    through: BridgeCommand,
    /// The server that has to be put into our own file first.
    moves: Option<EntryMove>,
    /// Where it is put there.
    own: EntryPlace,
    /// The host has it switched off: nothing of it is started or asked.
    is_off: bool,
}

impl<'a> WrapContext<'a> {
    fn new(app: &'a App, host: &str) -> Result<Self, CliError> {
        let host = crate::hosts::named(host)?;
        let config = app.own_config()?;
        let editor = change::editor(&config)?;
        let own = change::place(&config, Scope::Mcplink)?;
        Ok(Self {
            app,
            host,
            program: environment::program(app),
            request: app.own_request()?,
            found: app.found_in_hosts(Some(host))?,
            config,
            editor,
            own,
            given: Vec::new(),
        })
    }

    /// The file of this program.
    fn program(&self) -> Result<&Path, CliError> {
        self.program.as_deref().map_err(|why| {
            CliError::usage("no-program", "the file of this program is not known").why(why.clone())
        })
    }

    fn state_dir(&self) -> PathBuf {
        self.config.locations.state_dir.clone().unwrap_or_default()
    }

    /// The names of everything that the host has of its own, and those among them that projects bring along.
    fn all(&self) -> (Vec<String>, Vec<String>) {
        if self.host.is_read_anyway() {
            let of = |scope: Scope| {
                let entries =
                    self.config.entries.iter().chain(self.config.shadowed.iter().map(|one| &one.entry));
                entries.filter(move |entry| entry.scope == scope).map(|entry| entry.name.clone())
            };
            return (of(Scope::Local).chain(of(Scope::User)).collect(), of(Scope::Project).collect());
        }
        let (of_projects, own): (Vec<_>, Vec<_>) = self.found.iter().partition(|file| file.of_project);
        let names = |files: Vec<&HostListing>| {
            files.iter().flat_map(|file| &file.servers).map(|server| server.entry.name.clone()).collect()
        };
        (names(own), names(of_projects))
    }

    /// Whether what the host has under this name leads through this program already.
    fn goes_through(&self, record: &WrapRecord, name: &str) -> Result<bool, CliError> {
        let is_there = |target: &HostTarget| {
            let Some(kept) = record.kept(&target.place, name) else { return Ok(false) };
            // One that starts this program where it was before is written again.
            if self.is_elsewhere(&kept) {
                return Ok(false);
            }
            let text = self.text(&target.place)?;
            Ok(target.unwrapped(&text, name, &kept.through, kept.original.as_deref()).is_ok())
        };
        if self.host.is_read_anyway() {
            return is_there(&self.target(name)?);
        }
        if self.all().0.iter().any(|own| own == name) {
            return Ok(false);
        }
        for kept in record.names_of(self.host.name) {
            let target = HostTarget::kept(self.host, &kept, &self.config, &self.request);
            if let Some(target) = target
                && is_there(&target)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether what was put into a file of a host starts another program than this one.
    fn is_elsewhere(&self, kept: &WrappedEntry) -> bool {
        self.program().is_ok_and(|program| *program != *Path::new(&kept.through.program))
    }

    /// The entries of the host that start this program where it was before, each where it was put.
    fn left_behind(&self, record: &WrapRecord) -> Vec<(String, HostTarget)> {
        let mut found = Vec::new();
        for of in record.names_of(self.host.name) {
            let Some(target) = HostTarget::kept(self.host, &of, &self.config, &self.request) else {
                continue;
            };
            for name in of.names {
                let kept = record.kept(&target.place, &name).filter(|kept| self.is_elsewhere(kept));
                let is_there = |kept: WrappedEntry| {
                    let text = self.text(&target.place).ok()?;
                    target.unwrapped(&text, &name, &kept.through, kept.original.as_deref()).ok()
                };
                if kept.and_then(is_there).is_some() {
                    found.push((name, target.clone()));
                }
            }
        }
        found
    }

    fn target(&self, name: &str) -> Result<HostTarget, CliError> {
        let record = self.editor.wrap_record().map_err(ChangeFailure::File)?;
        let left_behind = self.left_behind(&record).into_iter().find(|(known, _)| known == name);
        let has_other =
            || self.found.iter().any(|file| file.servers.iter().any(|one| one.entry.name == name));
        if let Some((_, target)) = left_behind.filter(|_| !has_other()) {
            return Ok(target);
        }
        HostTarget::of(self.host, name, &self.found, &self.config, &self.request).ok_or_else(|| {
            CliError::usage(
                "no-home",
                format!("there is no home directory for the files of {}", self.host.title),
            )
            .next("set HOME")
        })
    }

    fn text(&self, place: &EntryPlace) -> Result<String, CliError> {
        let read = self.editor.dry_run::<ChangeFailure>(place, |text| Ok(text.to_owned()));
        Ok(read.map_err(|failure| of_its_file(self.app, failure))?.before().to_owned())
    }

    fn plan(&self, name: &str) -> Result<WrapPlan, CliError> {
        let target = self.target(name)?;
        let text = self.text(&target.place)?;
        let program = self.program()?;
        let own = self.own_of(target.is_of_one_project());
        let moves = self.moves(&target, &own, name, &text)?.map(EntryMove::without_switch);
        let entry = self.config.entry(name);
        let project = match (&moves, entry) {
            (Some(_), _) => own.folder(),
            (None, Some(entry)) => mcp_config::wrap::project_of(entry, &self.config),
            (None, None) => None,
        };
        let mut through = BridgeCommand::to(program, name, project);
        through.env = self.pinned();
        through.env_vars = self.named(moves.as_ref(), entry, &through.env);
        let is_off = self.is_off(&target, name);
        Ok(WrapPlan { name: name.to_owned(), target, through, moves, own, is_off })
    }

    /// Whether the host has switched off what stands there, by the entry itself or by a list or rule beside it.
    fn is_off(&self, target: &HostTarget, name: &str) -> bool {
        let is_off = |entry: &ServerEntry| entry.gate() == Gate::Disabled;
        if self.host.is_read_anyway() {
            return self.config.entry(name).is_some_and(is_off);
        }
        let files = self.found.iter().filter(|file| file.place.path() == Some(&target.place.file));
        let mut servers = files.flat_map(|file| &file.servers);
        servers.any(|server| server.entry.name == name && is_off(&server.entry))
    }

    /// Where our own file has what a host has for every project, or for this one alone: a server of a project's file is not
    /// met in other projects for being wrapped.
    fn own_of(&self, of_one_project: bool) -> EntryPlace {
        let in_project = of_one_project.then(|| self.config.own_place_in_project()).flatten();
        in_project.unwrap_or_else(|| self.own.clone())
    }

    /// What of the host's entry is not in our own file, at `place`, yet.
    fn moves(
        &self,
        target: &HostTarget,
        place: &EntryPlace,
        name: &str,
        text: &str,
    ) -> Result<Option<EntryMove>, CliError> {
        let own = self.text(place)?;
        if self.host.is_read_anyway() {
            let here = mcp_config::edit::value_at(text, &target.place.path(text, name)).ok().flatten();
            let is_way =
                self.config.pointers_of(name).any(|pointer| pointer.entry.scope == target.place.scope);
            if let (Some(here), false) = (here, is_way) {
                // In our own file its places begin elsewhere.
                let here = match target.place.file.parent().filter(|_| target.of_project) {
                    Some(folder) => mcp_config::hosts::anchored(here, folder),
                    None => here,
                };
                let ours = mcp_config::edit::value_at(&own, &place.path(&own, name)).ok().flatten();
                return match ours {
                    None => Ok(Some(EntryMove::AsItIs(here))),
                    Some(ours) if ours == here => Ok(None),
                    Some(_) => Err(self.differs(name, &self.own.file.display().to_string())),
                };
            }
        } else {
            let plan = ImportPlan::new(&self.found, &self.config, place, &own)
                .map_err(|error| ChangeFailure::File(place.refused(error)))?;
            let in_file = |one: &&Candidate| {
                one.name == name
                    && one.sources.iter().any(|source| source.origin.place.path() == Some(&target.place.file))
            };
            if let Some(one) = plan.candidates.iter().find(in_file) {
                return match &one.standing {
                    // The file is one that is read anyway: what stands there is gone once it leads here.
                    CandidateState::Same(origin) if origin.place == one.entry.origin.place => {
                        match &one.before {
                            Some(before) if *before != one.value => {
                                Err(self.differs(name, &place.file.display().to_string()))
                            }
                            _ => Ok(Some(EntryMove::Imported(Box::new(one.clone())))),
                        }
                    }
                    // The one of that name that counts here, and no other that it overrules.
                    CandidateState::Same(origin)
                        if self.config.entry(name).is_none_or(|entry| entry.origin == *origin) =>
                    {
                        Ok(None)
                    }
                    CandidateState::Same(_) => {
                        let others = self.config.entry(name).map(|entry| entry.origin.to_string());
                        Err(self.differs(name, &others.unwrap_or_default()))
                    }
                    CandidateState::New | CandidateState::DiffersFrom(_) => {
                        Ok(Some(EntryMove::Imported(Box::new(one.clone()))))
                    }
                    CandidateState::Differs(origin) => Err(self.differs(name, &origin.to_string())),
                    CandidateState::Unusable(why) => {
                        Err(CliError::usage("invalid-entry", format!("{} cannot be used", shown::name(name)))
                            .why(shown::line(why))
                            .next(format!(
                                "correct it in {}",
                                shown::line(&target.place.file.display().to_string())
                            )))
                    }
                    _ => Ok(None),
                };
            }
        }
        if let Some((_, entry)) = self.given.iter().find(|(given, _)| given == name) {
            return Ok(Some(EntryMove::AsItIs(entry.clone())));
        }
        if self.config.entry(name).is_none() {
            return Err(self.unknown(name));
        }
        Ok(None)
    }

    fn differs(&self, name: &str, at: &str) -> CliError {
        let error =
            CliError::usage("exists", format!("mcplink has another server named {}", shown::name(name)));
        // Taken over, this one would be what those hosts reach from then on.
        let hosts = hosts_that_reach(&self.editor, name);
        if !hosts.is_empty() {
            let hosts = hosts.join(" and ");
            return error
                .why(shown::line(&format!("{hosts} reaches that one through mcplink ({at})")))
                .next(format!("give the server another name in the file of {}", self.host.title));
        }
        error.why(shown::line(&format!("it is in {at}, and the host would reach that one"))).next(format!(
            "mcplink import {} --name {}",
            self.host.name,
            mcp_text::shell_word(name)
        ))
    }

    /// What is wrong with a file of the host as a whole.
    fn broken(&self) -> Option<&Problem> {
        let of_ours = || self.host.is_read_anyway().then(|| self.config.broken_files().next()).flatten();
        self.found.iter().find_map(|file| file.unreadable.as_deref()).or_else(of_ours)
    }

    fn unknown(&self, name: &str) -> CliError {
        // It may well stand where nothing can be read, be that the host's or ours.
        if let Some(broken) = self.broken().or_else(|| self.config.broken_files().next()) {
            return broken_file(broken);
        }
        let (own, of_projects) = self.all();
        let names = own.iter().chain(&of_projects).map(String::as_str);
        let names = names.chain(self.config.entries.iter().map(|entry| &*entry.name));
        let message = format!("neither {} nor mcplink has a server named {name:?}", self.host.title);
        let error = CliError::usage("unknown-server", message);
        match mcp_config::nearest(name, names) {
            Some(near) => error.why(format!("did you mean {near:?}?")),
            None => error,
        }
        .next("mcplink list")
    }
}

pub(super) async fn run(app: &App, args: &WrapArgs) -> Result<ExitStatus, CliError> {
    let mut around = WrapContext::new(app, &args.host)?;
    if let Some(file) = &args.mcpb {
        return bundle::write(&around, args, file);
    }
    around.refuse_a_cache()?;
    let mut notes = Vec::new();
    let record = around.editor.wrap_record().map_err(ChangeFailure::File)?;
    let names = if args.all {
        let (mut own, of_projects) = around.all();
        own.extend(around.left_behind(&record).into_iter().map(|(name, _)| name));
        let kept: Vec<String> = of_projects.into_iter().filter(|name| !own.contains(name)).collect();
        if let Some(first) = kept.first() {
            notes.push(format!(
                "{} of a project's file left as they are; name one to wrap it: {}",
                kept.len(),
                written(&format!("mcplink wrap {} {}", around.host.name, mcp_text::shell_word(first)))
            ));
        }
        if let Some(broken) = around.broken() {
            if own.is_empty() {
                return Err(broken_file(broken));
            }
            notes.push(format!("one file is left as it is: {}", problem_text(broken)));
        }
        if own.is_empty() {
            let message = format!("{} has no servers of its own to wrap", around.host.title);
            return Err(CliError::usage("nothing-to-wrap", message)
                .why(match around.found.is_empty() && !around.host.is_read_anyway() {
                    true => "it has no file with servers here",
                    false => "what goes through mcplink already is not counted, and neither is a project's",
                })
                .next(format!("mcplink wrap {} NAME, with a name of mcplink list", around.host.name)));
        }
        own
    } else {
        args.names.iter().map(|word| around.named_for(word)).collect()
    };
    let mut names = names;
    let mut met = HashSet::new();
    names.retain(|name| met.insert(name.clone()));
    let mut there = Vec::new();
    for name in std::mem::take(&mut names) {
        let is_there = around.goes_through(&record, &name)?;
        if is_there { &mut there } else { &mut names }.push(name);
    }
    for name in there {
        notes.push(format!("{} goes through mcplink already", shown::name(&name)));
    }
    let mut planned = Vec::new();
    let mut failed = Vec::new();
    for name in &names {
        let allowed = |one: WrapPlan| match one.moves {
            // The host's own server would be moved to where none may be used.
            Some(_) => refuse_barred(&around.config, "is wrapped").map(|()| one),
            None => Ok(one),
        };
        match around.plan(name).and_then(allowed) {
            Ok(one) => planned.push(one),
            Err(error) => failed.push((name.clone(), error)),
        }
    }
    let asks = !args.yes && !args.dry_run && app.asks();
    let said = around.said(&planned);
    if !app.json {
        app.output.out(&differences(&around, &planned)?);
        said.iter().for_each(|line| app.output.note(&paragraph(line, app.stderr_room())));
    }
    notes.extend(said.into_iter().filter(|_| app.json));
    let writes = match asks {
        true => !planned.is_empty() && agreed(app, &planned).await,
        false => args.yes && !args.dry_run,
    };
    let mut rows = Vec::new();
    if writes && asks {
        own::ask(app, &mut planned).await?;
    }
    for one in &planned {
        let (mut is_asked, mut backup) = (false, None);
        if writes {
            if let Err(error) = around.put(one) {
                failed.push((one.name.clone(), error));
                continue;
            }
            let kept = WrapRecord::backup(&around.state_dir(), &one.target.place.file);
            // Where there was no file there is nothing to keep.
            backup = kept.exists().then(|| kept.display().to_string());
            if one.is_off && !args.no_check {
                notes.push(format!(
                    "{} is switched off in {}, so it was not asked",
                    shown::name(&one.name),
                    around.host.title
                ));
            } else {
                is_asked = !args.no_check;
            }
        } else {
            let text = around.text(&one.target.place)?;
            if let Err(why) = one.target.wrapped(&text, &one.name, &one.through) {
                let why = WrapFailure::Refused(why);
                failed.push((
                    one.name.clone(),
                    refused(&around, &one.target, &one.name, Some(&one.through), false, why),
                ));
                continue;
            }
        }
        let row = Row {
            name: &one.name,
            file: one.target.place.file.display().to_string(),
            moved: one.moves.is_some(),
            command: one.through.program.clone(),
            args: one.through.args.clone(),
            backup,
            check: None,
        };
        rows.push((one, row, is_asked));
    }
    // All at once: a server that says nothing keeps no other one waiting.
    let asked = rows.iter().map(|(one, _, is_asked)| check::run(&around, one, *is_asked));
    let checks = join_all(asked).await;
    let rows: Vec<Row<'_>> = rows
        .into_iter()
        .zip(checks)
        .map(|((one, row, _), check)| {
            let row = Row { check, ..row };
            if !app.json && writes {
                app.output.out(&wrote(app, one, &row));
            }
            row
        })
        .collect();
    if app.json {
        app.print_json(&Document {
            schema_version: 1,
            host: around.host.name,
            dry_run: !writes,
            servers: rows,
            notes,
        });
    } else {
        for note in &notes {
            app.output.note(&paragraph(&format!("note: {}", shown::line(note)), app.stderr_room()));
        }
        app.output.out(&ending(&around, args, &names, writes, asks, !rows.is_empty()));
    }
    match CliError::of_names(names.len(), failed, "not wrapped") {
        None => Ok(ExitStatus::Success),
        Some(error) => Err(error),
    }
}
