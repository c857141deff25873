//! `mcplink unwrap`: what stood in a host's file, put back.

use std::path::{Path, PathBuf};

use mcp_config::HostTarget;
use serde::Serialize;

use super::{Around, refused};
use crate::app::App;
use crate::args::UnwrapArgs;
use crate::commands::change::NotChanged;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::hosts::short;
use crate::view::shown;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Undone {
    schema_version: u32,
    host: &'static str,
    dry_run: bool,
    servers: Vec<UndoneRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UndoneRow {
    name: String,
    file: String,
    /// Its server was taken out of our own file, where it was put for the host.
    removed: bool,
}

pub(in crate::commands) fn undo(app: &App, args: &UnwrapArgs) -> Result<ExitStatus, CliError> {
    let around = Around::new(app, &args.host)?;
    let record = around.editor.wrap_record().map_err(NotChanged::File)?;
    let files = record.files_of(around.host.name);
    let all: Vec<(PathBuf, String)> = files
        .into_iter()
        .flat_map(|(file, names)| names.into_iter().map(move |name| (file.clone(), name)))
        .collect();
    let mut wanted = Vec::new();
    let mut failed = Vec::new();
    if args.all {
        wanted.clone_from(&all);
    }
    for name in &args.names {
        let of_name: Vec<_> = all.iter().filter(|(_, known)| known == name).cloned().collect();
        if of_name.is_empty() {
            let message = format!("{} is not wrapped in {}", shown::name(name), around.host.title);
            let error = CliError::usage("not-wrapped", message);
            let error = match mcp_config::nearest(name, all.iter().map(|(_, known)| &**known)) {
                Some(near) => error.why(format!("did you mean {near:?}?")),
                None => error,
            };
            failed.push((name.clone(), error.next("mcplink hosts")));
        }
        wanted.extend(of_name);
    }
    let mut rows = Vec::new();
    for (file, name) in &wanted {
        match around.undone(file, name, args.dry_run) {
            Ok(row) => {
                if !app.json {
                    let verb = if args.dry_run { "would put back" } else { "put back" };
                    let mut out = format!("{verb} {} in {}\n", shown::name(name), short(app, &row.file));
                    if row.removed {
                        out.push_str("  its server is no longer in mcplink's own file\n");
                    }
                    app.output.out(&out);
                }
                rows.push(row);
            }
            Err(error) => failed.push((name.clone(), error)),
        }
    }
    if app.json {
        app.print_json(&Undone {
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

impl Around<'_> {
    fn undone(&self, file: &Path, name: &str, dry_run: bool) -> Result<UndoneRow, CliError> {
        let target = if self.host.is_read_anyway() {
            self.target(name).map(|mut target| {
                target.place.file = file.to_owned();
                target
            })
        } else {
            self.target_at(file).ok_or_else(|| {
                let message = format!("{} belongs to another folder", file.display());
                CliError::usage("not-here", shown::line(&message))
                    .next("run it in that project, or with --project")
            })
        }?;
        let failed = |why| refused(self, &target, name, None, why);
        let kept = self.editor.wrap_record().map_err(NotChanged::File)?.kept(file, name);
        let mut row = UndoneRow { name: name.to_owned(), file: file.display().to_string(), removed: false };
        if dry_run {
            let text = self.text(&target.place)?;
            self.editor.unwrapped(&target, name, &text).map_err(failed)?;
            return Ok(row);
        }
        self.editor.unwrap(&target, name).map_err(failed)?;
        let still = self.editor.wrap_record().map_err(NotChanged::File)?.leads_to(name);
        if kept.is_some_and(|kept| kept.moved) && !still {
            row.removed = self.take_out(&target, name)?;
        }
        Ok(row)
    }

    /// Takes the server out of our own file that was put there for the host, unless a person changed it since.
    fn take_out(&self, target: &HostTarget, name: &str) -> Result<bool, CliError> {
        let own = self.text(&self.own)?;
        let ours = mcp_config::edit::value_at(&own, &self.own.path(&own, name)).ok().flatten();
        let theirs = if self.host.is_read_anyway() {
            let text = self.text(&target.place)?;
            mcp_config::edit::value_at(&text, &target.place.path(&text, name)).ok().flatten()
        } else {
            let found = self.app.found_in_hosts(Some(self.host))?;
            let servers = found.into_iter().filter(|file| file.place.path() == Some(&target.place.file));
            servers.flat_map(|file| file.servers).find(|one| one.entry.name == name).map(|one| one.value)
        };
        if ours.is_none() || ours != theirs {
            return Ok(false);
        }
        self.editor.edit::<NotChanged>(&self.own, |text| {
            let path = self.own.path(text, name);
            let remove = mcp_config::edit::Change::Remove;
            mcp_config::edit::apply(text, &path, &remove)
                .map_err(|error| NotChanged::File(self.own.refused(error)))
        })?;
        Ok(true)
    }
}
