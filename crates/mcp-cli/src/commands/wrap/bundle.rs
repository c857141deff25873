//! `wrap claude-desktop NAME --mcpb FILE`: a remote server as a bundle that Claude Desktop installs by a double click.

use std::path::Path;

use mcp_config::Platform;
use mcp_config::bundle::Bundle;
use mcp_config::edit::{self, Value};
use mcp_files::Policy;
use serde::Serialize;

use super::WrapContext;
use super::zip::{self, Entry};
use crate::args::WrapArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::hosts::short;
use crate::view::shown;
use crate::view::wrap::paragraph;

/// The host that installs bundles.
const HOST: &str = "claude-desktop";

/// The longest program that is put into one.
const MAX_PROGRAM: u64 = 1024 * 1024 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    host: &'static str,
    name: &'a str,
    /// Nothing was written.
    dry_run: bool,
    file: String,
    /// What the bundle runs, behind the program in it.
    args: &'a [String],
    /// The variables that are asked for when it is installed.
    asks: Vec<&'a str>,
    /// The fields of the entry that are not in it.
    not_taken_over: &'a [String],
    /// What those should know who install it.
    notes: &'a [String],
}

pub(super) fn write(around: &WrapContext<'_>, args: &WrapArgs, file: &Path) -> Result<ExitStatus, CliError> {
    let app = around.app;
    let refused = |why: String| CliError::usage("no-bundle", "no bundle is written").why(shown::line(&why));
    let [name] = &*args.names else {
        return Err(refused("a bundle is of one server".to_owned()).next("name one server for each bundle"));
    };
    if around.host.name != HOST {
        return Err(refused(format!("{} does not install bundles", around.host.title))
            .next(format!("mcplink wrap {HOST} {} --mcpb FILE", mcp_text::shell_word(name))));
    }
    let entry = around.written(name)?.ok_or_else(|| around.unknown(name))?;
    let bundle = Bundle::of(name, &entry).map_err(|error| {
        refused(error.to_string()).next(format!("mcplink wrap {HOST} {}", mcp_text::shell_word(name)))
    })?;
    let target = app.directory()?.join(file);
    if !args.dry_run {
        let content = packed(around, &bundle)?;
        let written = match args.yes {
            true => mcp_files::replace(&target, &content).map(|()| true),
            false => mcp_files::publish(&target, &content),
        };
        let place = shown::line(&target.display().to_string());
        match written {
            Ok(true) => {}
            Ok(false) => {
                return Err(refused(format!("{place} is there already"))
                    .next("give another name, or --yes to replace the file"));
            }
            Err(error) => {
                return Err(CliError::unwritten("file-not-written", format!("could not write {place}"))
                    .why(shown::line(&error.to_string()))
                    .next("name another file"));
            }
        }
    }
    let document = Document {
        schema_version: 1,
        host: HOST,
        name,
        dry_run: args.dry_run,
        file: target.display().to_string(),
        args: &bundle.words,
        asks: bundle.inputs.keys().map(String::as_str).collect(),
        not_taken_over: &bundle.lost,
        notes: &bundle.notes,
    };
    show(around, &document);
    Ok(ExitStatus::Success)
}

/// The archive: what it is, and this program.
fn packed(around: &WrapContext<'_>, bundle: &Bundle) -> Result<Vec<u8>, CliError> {
    let program = around.program()?;
    let failed = |why: String| {
        CliError::usage("no-program", "this program cannot be put into a bundle").why(shown::line(&why))
    };
    let content =
        mcp_files::read(program, &Policy::named(MAX_PROGRAM)).map_err(|error| failed(error.to_string()))?;
    let manifest = bundle.manifest(Platform::CURRENT, env!("CARGO_PKG_VERSION"));
    let place = Bundle::program(Platform::CURRENT);
    let entries = [
        Entry { name: "manifest.json", content: manifest.as_bytes(), runs: false },
        Entry { name: &place, content: &content, runs: true },
    ];
    zip::archive(&entries).ok_or_else(|| failed("it is longer than an archive can be".to_owned()))
}

fn show(around: &WrapContext<'_>, document: &Document<'_>) {
    let app = around.app;
    if app.json {
        return app.print_json(document);
    }
    let verb = if document.dry_run { "would write" } else { "wrote" };
    let (file, name) = (short(app, &document.file), shown::name(document.name));
    let mut out = format!("{verb} {file}\n");
    for variable in &document.asks {
        out.push_str(&format!("  asks for {} when it is installed\n", shown::name(variable)));
    }
    if !document.dry_run {
        out.push_str(&format!(
            "it holds {name}, this program for {} {}, and no secret; a double click installs it\n",
            std::env::consts::OS,
            std::env::consts::ARCH
        ));
    }
    app.output.out(&out);
    for field in document.not_taken_over {
        let note = format!("note: {} of {name} is not in it", shown::name(field));
        app.output.note(&paragraph(&note, app.stderr_room()));
    }
    for note in document.notes {
        app.output.note(&paragraph(&format!("note: {}", shown::line(note)), app.stderr_room()));
    }
}

impl WrapContext<'_> {
    /// The entry `name` as it is written: in our files, or else in a file of the host.
    fn written(&self, name: &str) -> Result<Option<Value>, CliError> {
        if let Some(entry) = self.config.entry(name)
            && let Some(place) = self.config.place_of_entry(name, entry.scope)
        {
            let text = self.text(&place)?;
            if let Some(value) = edit::value_at(&text, &place.path(&text, name)).ok().flatten() {
                return Ok(Some(value));
            }
        }
        let carried = self.found.iter().flat_map(|file| &file.servers).find(|one| one.entry.name == name);
        Ok(carried.map(|one| one.value.clone()))
    }
}
