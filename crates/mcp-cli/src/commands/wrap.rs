//! `mcplink wrap HOST NAME` and `unwrap`: puts this program between a host and its servers, and takes it out again.

use std::path::{Path, PathBuf};

use mcp_config::edit::Value;
use mcp_config::{
    Candidate, Config, Editor, EntryPlace, Host, HostFound, HostTarget, ImportPlan, Request, Scope, Standing,
    Through, WrapError, WrapFailure,
};
use serde::Serialize;

use super::change::{self, NotChanged, entry_lines};
use crate::app::App;
use crate::args::WrapArgs;
use crate::confirmation::Answers;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::hosts::short;
use crate::view::shown;
use crate::view::wrap::paragraph;

mod check;
mod undo;

use check::Checked;
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
    check: Option<Checked>,
}

/// Variables that decide where our own files are, and that a host may not have.
const PINNED: [(&str, Option<&str>); 5] = [
    ("MCPLINK_CONFIG", None),
    ("MCPLINK_STATE_DIR", None),
    ("CLAUDE_CONFIG_DIR", None),
    ("XDG_CONFIG_HOME", Some(".config")),
    ("XDG_STATE_HOME", Some(".local/state")),
];

/// What both commands need to know.
struct Around<'a> {
    app: &'a App,
    host: &'static Host,
    config: Config,
    request: Request,
    found: Vec<HostFound>,
    editor: Editor,
    own: EntryPlace,
}

/// One entry, and what becomes of it.
struct Planned {
    name: String,
    target: HostTarget,
    through: Through,
    /// What stands there, without its secrets, for the difference.
    before: Option<Value>,
    /// The server that has to be put into our own file first.
    moves: Option<Moves>,
}

enum Moves {
    Imported(Box<Candidate>),
    /// An entry in our words.
    AsItIs(Value),
}

impl<'a> Around<'a> {
    fn new(app: &'a App, host: &str) -> Result<Self, CliError> {
        let host = crate::hosts::named(host)?;
        let config = app.own_config()?;
        let editor = change::editor(&config)?;
        let own = change::place(&config, Scope::Mcplink)?;
        Ok(Self {
            app,
            host,
            request: app.own_request()?,
            found: app.found_in_hosts(Some(host))?,
            config,
            editor,
            own,
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
        let names = |files: Vec<&HostFound>| {
            files.iter().flat_map(|file| &file.servers).map(|server| server.entry.name.clone()).collect()
        };
        (names(own), names(of_projects))
    }

    /// The names of what was put into its files, and still is there.
    fn wrapped(&self) -> Result<Vec<String>, CliError> {
        let record = self.editor.wrap_record().map_err(NotChanged::File)?;
        let mut names = Vec::new();
        for (file, of_file) in record.files_of(self.host.name) {
            let Some(target) = self.target_at(&file) else { continue };
            let text = self.text(&target.place)?;
            let is_there = |name: &String| {
                record.kept(&file, name).is_some_and(|kept| {
                    target.unwrapped(&text, name, &kept.through, kept.original.as_deref()).is_ok()
                })
            };
            names.extend(of_file.into_iter().filter(is_there));
        }
        Ok(names)
    }

    /// The file of the host at this path; none where it is another project's.
    fn target_at(&self, file: &Path) -> Option<HostTarget> {
        if self.host.is_read_anyway() {
            return None;
        }
        HostTarget::at(self.host, file, &self.config, &self.request)
    }

    fn target(&self, name: &str) -> Result<HostTarget, CliError> {
        HostTarget::of(self.host, name, &self.found, &self.config, &self.request).ok_or_else(|| {
            CliError::usage(
                "no-home",
                format!("there is no home directory for the files of {}", self.host.title),
            )
            .next("set HOME")
        })
    }

    fn text(&self, place: &EntryPlace) -> Result<String, CliError> {
        let read = self.editor.dry_run::<NotChanged>(place, |text| Ok(text.to_owned()))?;
        Ok(read.before().to_owned())
    }

    fn plan(&self, name: &str) -> Result<Planned, CliError> {
        let target = self.target(name)?;
        let text = self.text(&target.place)?;
        let program = self.app.environment.program().map_err(|error| {
            CliError::usage("no-program", "the file of this program is not known").why(error.to_string())
        })?;
        let (before, moves) = self.moves(&target, name, &text)?;
        let entry = self.config.entry(name);
        let project = match (&moves, entry) {
            (None, Some(entry)) => mcp_config::project_of(entry, &self.config),
            _ => None,
        };
        let mut through = Through::to(program, name, project);
        through.env = self.pinned();
        Ok(Planned { name: name.to_owned(), target, through, before, moves })
    }

    /// What stands in the host's file, and what of it is not in our own yet.
    fn moves(
        &self,
        target: &HostTarget,
        name: &str,
        text: &str,
    ) -> Result<(Option<Value>, Option<Moves>), CliError> {
        let own = self.text(&self.own)?;
        if self.host.is_read_anyway() {
            let here = mcp_config::edit::value_at(text, &target.place.path(text, name)).ok().flatten();
            let is_way =
                self.config.pointers_of(name).any(|pointer| pointer.entry.scope == target.place.scope);
            if let (Some(here), false) = (here, is_way) {
                let ours = mcp_config::edit::value_at(&own, &self.own.path(&own, name)).ok().flatten();
                return match ours {
                    None => Ok((Some(here.clone()), Some(Moves::AsItIs(here)))),
                    Some(ours) if ours == here => Ok((Some(here), None)),
                    Some(_) => Err(self.differs(name, &self.own.file.display().to_string())),
                };
            }
        } else {
            let plan = ImportPlan::new(&self.found, &self.config, &self.own, &own)
                .map_err(|error| NotChanged::File(self.own.refused(error)))?;
            let in_file = |one: &&Candidate| {
                one.name == name
                    && one.sources.iter().any(|source| source.origin.place.path() == Some(&target.place.file))
            };
            if let Some(one) = plan.candidates.iter().find(in_file) {
                let before = Some(one.value.clone());
                return match &one.standing {
                    Standing::Same(_) => Ok((before, None)),
                    Standing::New | Standing::DiffersFrom(_) => {
                        Ok((before, Some(Moves::Imported(Box::new(one.clone())))))
                    }
                    Standing::Differs(origin) => Err(self.differs(name, &origin.to_string())),
                    Standing::Unusable(why) => {
                        Err(CliError::usage("invalid-entry", format!("{} cannot be used", shown::name(name)))
                            .why(shown::line(why))
                            .next(format!(
                                "correct it in {}",
                                shown::line(&target.place.file.display().to_string())
                            )))
                    }
                    _ => Ok((before, None)),
                };
            }
        }
        if self.config.entry(name).is_none() {
            return Err(self.unknown(name));
        }
        Ok((None, None))
    }

    fn differs(&self, name: &str, at: &str) -> CliError {
        CliError::usage("exists", format!("mcplink has another server named {}", shown::name(name)))
            .why(shown::line(&format!("it stands in {at}, and the host would reach that one")))
            .next(format!("mcplink import {} --name {}", self.host.name, mcp_text::shell_word(name)))
    }

    fn unknown(&self, name: &str) -> CliError {
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

    /// The variables that decide where our files are, where they are not where they usually are.
    fn pinned(&self) -> Vec<(String, String)> {
        let home = self.config.locations.home.clone().unwrap_or_default();
        let set = PINNED.into_iter().filter_map(|(name, usual)| {
            let value = self.app.environment.text(name)?;
            let is_usual = usual.is_some_and(|usual| Path::new(value) == home.join(usual));
            (!is_usual).then(|| (name.to_owned(), value.to_owned()))
        });
        set.collect()
    }

    /// Puts a server into our own file.
    fn store(&self, name: &str, moves: &Moves) -> Result<(), CliError> {
        self.editor.edit::<NotChanged>(&self.own, |text| {
            let refused = |error| NotChanged::File(self.own.refused(error));
            let new = match moves {
                Moves::Imported(one) => one.apply(&self.own, text).map_err(refused)?,
                Moves::AsItIs(value) => {
                    let path = self.own.path(text, name);
                    let set = mcp_config::edit::Change::Set(value.clone());
                    Some(mcp_config::edit::apply(text, &path, &set).map_err(refused)?)
                }
            };
            new.ok_or_else(|| {
                let message = format!("{} was changed meanwhile", shown::name(name));
                NotChanged::Refused(CliError::usage("file-busy", message).next("try again"))
            })
        })?;
        Ok(())
    }
}

/// What to say of a file that is not changed.
fn refused(
    around: &Around<'_>,
    one: &HostTarget,
    name: &str,
    through: Option<&Through>,
    why: WrapFailure,
) -> CliError {
    match why {
        WrapFailure::File(error) => NotChanged::File(error).into(),
        WrapFailure::Refused(WrapError::Edit(error)) => NotChanged::File(one.place.refused(error)).into(),
        WrapFailure::Refused(error) => {
            let file = shown::line(&one.place.file.display().to_string());
            if let (WrapError::NotEdited(_), Some(through)) = (&error, through) {
                let text = one.shown(name, through);
                let text = mcp_text::block(&text);
                around.app.output.out(&format!("put this into {file}:\n{text}"));
            }
            let next = match error {
                WrapError::NotEdited(_) => format!("paste it into {file}"),
                _ => format!("look at {file}"),
            };
            CliError::usage("not-edited", format!("{} is not changed", short(around.app, &file)))
                .why(shown::line(&error.to_string()))
                .next(next)
        }
        _ => CliError::usage("not-edited", "the file is not changed"),
    }
}

pub(super) async fn run(app: &App, args: &WrapArgs) -> Result<ExitStatus, CliError> {
    let around = Around::new(app, &args.host)?;
    let mut notes = Vec::new();
    let names = if args.all {
        let (own, of_projects) = around.all();
        let kept: Vec<String> = of_projects.into_iter().filter(|name| !own.contains(name)).collect();
        if let Some(first) = kept.first() {
            notes.push(format!(
                "{} of a project's file left as they are; name one to wrap it: mcplink wrap {} {}",
                kept.len(),
                around.host.name,
                mcp_text::shell_word(first)
            ));
        }
        if own.is_empty() {
            let message = format!("{} has no servers of its own to wrap", around.host.title);
            return Err(CliError::usage("nothing-to-wrap", message)
                .why("what goes through mcplink already is none, and neither is a project's")
                .next(format!("mcplink wrap {} NAME, with a name of mcplink list", around.host.name)));
        }
        own
    } else {
        args.names.clone()
    };
    let wrapped = around.wrapped()?;
    let (there, names): (Vec<String>, Vec<String>) =
        names.into_iter().partition(|name| wrapped.contains(name));
    for name in there {
        notes.push(format!("{} goes through mcplink already", shown::name(&name)));
    }
    let mut planned = Vec::new();
    let mut failed = Vec::new();
    for name in &names {
        match around.plan(name) {
            Ok(one) => planned.push(one),
            Err(error) => failed.push((name.clone(), error)),
        }
    }
    let asks = !args.yes && !args.dry_run && !app.json && app.interactive && app.output.asks;
    if !app.json {
        for one in &planned {
            app.output.out(&difference(app, one));
        }
    }
    let writes = match asks {
        true => !planned.is_empty() && agreed(app, &planned).await,
        false => args.yes && !args.dry_run,
    };
    let mut rows = Vec::new();
    for one in &planned {
        let is_moved = one.moves.is_some();
        let mut check = None;
        let mut backup = None;
        if writes {
            let done = match &one.moves {
                Some(moves) => around.store(&one.name, moves),
                None => Ok(()),
            };
            let written = done.and_then(|()| {
                let wrapped = around.editor.wrap(&one.target, &one.name, &one.through, is_moved);
                wrapped.map_err(|why| refused(&around, &one.target, &one.name, Some(&one.through), why))
            });
            if let Err(error) = written {
                failed.push((one.name.clone(), error));
                continue;
            }
            let kept = mcp_config::WrapRecord::backup(&around.state_dir(), &one.target.place.file);
            backup = Some(kept.display().to_string());
            if !args.no_check {
                check = Some(check::run(&around, one).await);
            }
        } else {
            let text = around.text(&one.target.place)?;
            if let Err(why) = one.target.wrapped(&text, &one.name, &one.through) {
                let why = WrapFailure::Refused(why);
                failed.push((
                    one.name.clone(),
                    refused(&around, &one.target, &one.name, Some(&one.through), why),
                ));
                continue;
            }
        }
        let row = Row {
            name: &one.name,
            file: one.target.place.file.display().to_string(),
            moved: is_moved,
            command: one.through.program.clone(),
            args: one.through.args.clone(),
            backup,
            check,
        };
        if !app.json && writes {
            app.output.out(&wrote(app, one, &row));
        }
        rows.push(row);
    }
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

fn difference(app: &App, one: &Planned) -> String {
    let mut out = format!("{}\n", short(app, &one.target.place.file.display().to_string()));
    if let Some(before) = &one.before {
        out.push_str(&entry_lines('-', &one.name, before));
    }
    for line in one.target.shown(&one.name, &one.through).lines() {
        out.push_str(&format!("+ {}\n", mcp_text::block(line)));
    }
    out
}

async fn agreed(app: &App, planned: &[Planned]) -> bool {
    let mut answers = Answers::of_terminal();
    answers.forget_typed();
    let count = planned.len();
    app.output.error(&format!("change {count} {}? [Y/n] ", if count == 1 { "entry" } else { "entries" }));
    let Some(answer) = answers.line().await else { return false };
    matches!(&*answer.trim().to_ascii_lowercase(), "" | "y" | "yes")
}

fn wrote(app: &App, one: &Planned, row: &Row<'_>) -> String {
    let name = shown::name(&one.name);
    let mut out = format!("wrapped {name}\n");
    if row.moved {
        out.push_str("  its server stands in mcplink's own file now\n");
    }
    if one.target.of_project {
        out.push_str("  the file is a project's: others who have it get the path of this machine\n");
    }
    if let Some(check) = &row.check {
        for line in check.lines() {
            out.push_str(&paragraph(&format!("  {line}"), app.style().room()));
        }
    }
    if let Some(backup) = &row.backup {
        out.push_str(&format!("  backup {}\n", short(app, backup)));
    }
    out
}

fn ending(
    around: &Around<'_>,
    args: &WrapArgs,
    names: &[String],
    wrote: bool,
    asked: bool,
    any: bool,
) -> String {
    let host = around.host.name;
    let which = match args.all {
        true => "--all".to_owned(),
        false => names.iter().map(|name| mcp_text::shell_word(name)).collect::<Vec<_>>().join(" "),
    };
    match (any, wrote, asked) {
        (false, ..) => String::new(),
        (_, true, _) => {
            format!("undo: mcplink unwrap {host} {which}\nrestart {} to use it\n", around.host.title)
        }
        (_, _, true) => "nothing is changed\n".to_owned(),
        _ => {
            let line = around.app.steps.step(&format!("mcplink wrap {host} {which} --yes"));
            format!("nothing is changed yet; to do it: {line}\n")
        }
    }
}
