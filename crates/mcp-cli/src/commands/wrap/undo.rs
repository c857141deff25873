//! `mcplink unwrap`: what stood in a host's file, put back.

use mcp_config::Scope;
use mcp_config::edit::Value;
use mcp_config::editor::EntryPlace;
use mcp_config::wrap::{BridgeRemark, HostTarget, KeptNames, WrapRecord, WrappedEntry};
use serde::Serialize;

use super::WrapContext;
use super::refusal::refused;
use crate::app::App;
use crate::args::UnwrapArgs;
use crate::commands::change::ChangeFailure;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::hosts::short;
use crate::view::shown;
use crate::view::wrap::paragraph;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UndoReport {
    schema_version: u32,
    host: &'static str,
    dry_run: bool,
    servers: Vec<UndoRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UndoRow {
    name: String,
    file: String,
    /// Its server was taken out of our own file, where it was put for the host.
    removed: bool,
    /// Fields of what was said to the bridge by hand, which went with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    /// The same as it is told.
    #[serde(skip)]
    said: Vec<BridgeRemark>,
    /// Its server was put into our own file for the host, and is another one now.
    #[serde(skip)]
    is_kept: bool,
    /// The entry had been taken out of the host's file, and nothing was put back.
    #[serde(skip)]
    was_gone: bool,
    /// There was no file before the entry was put there, and there is none again.
    #[serde(skip)]
    is_file_gone: bool,
}

pub(in crate::commands) fn undo(app: &App, args: &UnwrapArgs) -> Result<ExitStatus, CliError> {
    let around = WrapContext::new(app, &args.host)?;
    let record = around.editor.wrap_record().map_err(ChangeFailure::File)?;
    let kept = record.names_of(around.host.name);
    let all: Vec<(KeptNames, String)> = kept
        .into_iter()
        .flat_map(|of| of.names.clone().into_iter().map(move |name| (of.clone(), name)))
        .collect();
    let is_here = |(of, _): &&(KeptNames, String)| around.target_of(of).is_some();
    let mut wanted = Vec::new();
    let mut failed = Vec::new();
    if args.all {
        wanted.extend(all.iter().filter(is_here).cloned());
        if let Some((of, _)) = all.iter().find(|one| !is_here(one)) {
            app.output.note(&paragraph(
                &format!(
                    "note: {} of other folders left as they are: {}",
                    all.len() - wanted.len(),
                    shown::line(&of.place().display().to_string())
                ),
                app.stderr_room(),
            ));
        }
    }
    for name in &args.names {
        let of_name: Vec<_> = all.iter().filter(|(_, known)| known == name).cloned().collect();
        if of_name.is_empty()
            && let Some(error) = around.without_record(name)
        {
            failed.push((name.clone(), error));
            continue;
        }
        if of_name.is_empty() {
            let message = format!("{} is not wrapped in {}", shown::name(name), around.host.title);
            let error = CliError::usage("not-wrapped", message);
            let error = match mcp_config::nearest(name, all.iter().map(|(_, known)| &**known)) {
                Some(near) => error.why(format!("did you mean {near:?}?")),
                None => error,
            };
            failed.push((name.clone(), error.next("mcplink hosts")));
        }
        // What is wrapped in another folder is not meant where this one has it; alone, it is said to be elsewhere.
        let any_here = of_name.iter().any(|one| is_here(&one));
        wanted.extend(of_name.into_iter().filter(|one| !any_here || is_here(&one)));
    }
    let mut rows = Vec::new();
    for (of, name) in &wanted {
        match around.undone(of, name, args.dry_run) {
            Ok(row) => {
                if !app.json {
                    let (name, file) = (shown::name(name), short(app, &row.file));
                    let text = match (row.was_gone, args.dry_run) {
                        (true, _) => format!("{name} is no longer in {file}; nothing to put back"),
                        (_, true) => format!("would put back {name} in {file}"),
                        (_, false) => format!("put back {name} in {file}"),
                    };
                    let room = app.style().room();
                    let mut out = paragraph(&text, room);
                    if row.is_file_gone {
                        out.push_str(&paragraph("  the file that was made for it is gone", room));
                    }
                    if row.removed {
                        out.push_str(&paragraph("  its server is no longer in mcplink's own file", room));
                    }
                    if row.is_kept {
                        let text = "  its server stays in mcplink's own file, where it is another one now";
                        out.push_str(&paragraph(text, room));
                    }
                    for remark in &row.said {
                        out.push_str(&paragraph(&told(remark, args.dry_run), room));
                    }
                    app.output.out(&out);
                }
                rows.push(row);
            }
            Err(error) => failed.push((name.clone(), error)),
        }
    }
    if app.json {
        app.print_json(&UndoReport {
            schema_version: 1,
            host: around.host.name,
            dry_run: args.dry_run,
            servers: rows,
        });
    } else if wanted.is_empty() && failed.is_empty() {
        app.output.out(&format!("nothing of {} goes through mcplink by `wrap`\n", around.host.title));
    }
    match CliError::of_names(wanted.len().max(args.names.len()), failed, "not unwrapped") {
        None => Ok(ExitStatus::Success),
        Some(error) => Err(error),
    }
}

impl UndoRow {
    fn leaves_out(&mut self, said: Vec<BridgeRemark>) {
        self.left_out = said.iter().map(|remark| remark.field.clone()).collect();
        self.said = said;
    }
}

/// What was said to the bridge is shown, so that who wants it says it to the server.
fn told(remark: &BridgeRemark, dry_run: bool) -> String {
    let quoted = |word: &String| match word.is_empty() || word.contains(char::is_whitespace) {
        true => format!("{word:?}"),
        false => word.clone(),
    };
    let words: Vec<_> = remark.words.iter().map(quoted).collect();
    let verb = if dry_run { "would go" } else { "went" };
    let field = shown::line(&remark.field);
    format!("  {verb} with the bridge, to which it was said: {field} {}", shown::line(&words.join(" ")))
}

impl WrapContext<'_> {
    /// What to do about an entry that leads through this program, of which no record says what stood there: it is lost, or a person wrote
    /// the entry. Nothing is guessed; what is there is named.
    fn without_record(&self, name: &str) -> Option<CliError> {
        let read = if self.host.is_read_anyway() { None } else { self.app.config_of(self.host).ok() };
        let read = read.as_ref().unwrap_or(&self.config);
        let pointer = read.pointers_of(name).next()?;
        let at = pointer.entry.origin.to_string();
        let file = pointer.entry.origin.place.path();
        let backup =
            file.map(|file| WrapRecord::backup(&self.state_dir(), file)).filter(|file| file.exists());
        let server = self.config.entry(pointer.target()).map(|entry| entry.origin.to_string());
        let message = format!("no record says what stood in the place of {} in {at}", shown::name(name));
        let why = match &server {
            Some(server) => format!("it leads through mcplink to the server in {server}"),
            None => "it leads through mcplink, which has no server of that name".to_owned(),
        };
        let next = match (backup, &server) {
            (Some(backup), _) => {
                format!("put back its entry of {}, where the file is as it was", backup.display())
            }
            (None, Some(server)) => {
                format!("write the entry of {server} there, in the words of {}", self.host.title)
            }
            (None, None) => "take it out there".to_owned(),
        };
        Some(
            CliError::usage("no-record", shown::line(&message))
                .why(shown::line(&why))
                .next(shown::line(&next)),
        )
    }

    /// Where an entry was put; none where it is of another folder than this one.
    fn target_of(&self, kept: &KeptNames) -> Option<HostTarget> {
        HostTarget::kept(self.host, kept, &self.config, &self.request)
    }

    fn undone(&self, of: &KeptNames, name: &str, dry_run: bool) -> Result<UndoRow, CliError> {
        let file = &*of.file;
        let target = self.target_of(of).ok_or_else(|| {
            let message = format!("{} belongs to another folder", of.place().display());
            CliError::usage("not-here", shown::line(&message))
                .next("run the command in that project, or with --project")
        })?;
        let failed = |why| refused(self, &target, name, None, true, why);
        let kept = self.editor.wrap_record().map_err(ChangeFailure::File)?.kept(&target.place, name);
        let mut row = UndoRow {
            name: name.to_owned(),
            file: file.display().to_string(),
            removed: false,
            left_out: Vec::new(),
            said: Vec::new(),
            is_kept: false,
            was_gone: false,
            is_file_gone: false,
        };
        let said = |text: &str| {
            kept.as_ref().map(|kept| target.said_to_bridge(text, name, &kept.through)).unwrap_or_default()
        };
        if dry_run {
            let text = self.text(&target.place)?;
            let after = self.editor.unwrapped(&target, name, &text).map_err(failed)?;
            row.was_gone = after == text && self.theirs(&target, name)?.is_none();
            row.leaves_out(said(&text));
            return Ok(row);
        }
        let edited = self.editor.unwrap(&target, name).map_err(failed)?;
        row.was_gone = edited.before() == edited.after() && self.theirs(&target, name)?.is_none();
        row.is_file_gone = edited.changed() && edited.after().is_empty() && !file.exists();
        row.leaves_out(said(edited.before()));
        let project = kept.as_ref().and_then(|kept| kept.through.project()).map(str::to_owned);
        let still =
            self.editor.wrap_record().map_err(ChangeFailure::File)?.leads_to(name, project.as_deref());
        // Who took the entry out of the host's file may want the server all the same.
        if let Some(kept) = kept.filter(|kept| kept.moved && !still && !row.was_gone) {
            // That of a repository serves its worktrees.
            let of_project = self.config.place_of_entry(name, Scope::Mcplink);
            let of_project = of_project.filter(|place| project.is_some() && place.folder().is_some());
            let own = of_project.unwrap_or_else(|| self.own_of(project.is_some()));
            row.removed = self.take_out(&target, &own, name, &kept)?;
            row.is_kept = !row.removed && self.ours(&own, name)?.is_some();
        }
        Ok(row)
    }

    /// What our own file has of it at `place`.
    fn ours(&self, place: &EntryPlace, name: &str) -> Result<Option<Value>, CliError> {
        let own = self.text(place)?;
        Ok(mcp_config::edit::value_at(&own, &place.path(&own, name)).ok().flatten())
    }

    /// Takes the server out of our own file that was put there for the host, unless a person changed it since.
    fn take_out(
        &self,
        target: &HostTarget,
        place: &EntryPlace,
        name: &str,
        kept: &WrappedEntry,
    ) -> Result<bool, CliError> {
        let Some(ours) = self.ours(place, name)? else { return Ok(false) };
        let is_as_put = match kept.is_as_put(&ours) {
            Some(is_as_put) => is_as_put,
            None => self.theirs(target, name)? == Some(ours),
        };
        if !is_as_put {
            return Ok(false);
        }
        self.editor.edit::<ChangeFailure>(place, |text| {
            place.without(text, name).map_err(|error| ChangeFailure::File(place.refused(error)))
        })?;
        Ok(true)
    }

    /// What the host's file says of the entry now.
    fn theirs(&self, target: &HostTarget, name: &str) -> Result<Option<Value>, CliError> {
        Ok(if self.host.is_read_anyway() {
            let text = self.text(&target.place)?;
            mcp_config::edit::value_at(&text, &target.place.path(&text, name)).ok().flatten()
        } else {
            let found = self.app.found_in_hosts(Some(self.host))?;
            let servers = found.into_iter().filter(|file| file.place.path() == Some(&target.place.file));
            servers.flat_map(|file| file.servers).find(|one| one.entry.name == name).map(|one| one.value)
        })
    }
}
