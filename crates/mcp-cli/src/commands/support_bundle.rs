//! `mcplink support-bundle`: what another person needs to find a cause, in one file, without secrets.
//!
//! Everything in it is shown by a command as well, and goes through the redactor once more: what is known of secrets from the
//! entries, the environment and the kept sign-ins is looked for in every text.

mod content;
mod redaction;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

use self::redaction::Redaction;
use crate::app::App;
use crate::args::SupportBundleArgs;
use crate::confirmation::Answers;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::shown;
use crate::view::text::columns;
use crate::view::time::rfc3339;

/// What is told of a bundle that was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    file: &'a Path,
    bytes: usize,
    sections: Vec<SectionRow<'a>>,
}

#[derive(Serialize)]
struct SectionRow<'a> {
    name: &'a str,
    about: &'a str,
    bytes: usize,
}

pub(super) async fn run(app: &App, args: &SupportBundleArgs) -> Result<ExitStatus, CliError> {
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    let file = args.output.clone().unwrap_or_else(|| default_name(SystemTime::now()));
    let target = app.directory()?.join(&file);
    if !to_stdout && target.symlink_metadata().is_ok() {
        return Err(exists(&file));
    }
    let loaded = app.load_as_is()?;
    let redaction = Redaction::of(app, &loaded).await;
    let sections = content::sections(app, &loaded, args.offline).await?;
    let sections: Vec<_> = sections.into_iter().map(|section| section.without(&redaction)).collect();
    let mut document = serde_json::Map::new();
    document.insert("schemaVersion".to_owned(), 1.into());
    document.insert("createdAt".to_owned(), rfc3339(SystemTime::now()).into());
    document.extend(sections.iter().map(|section| (section.name.to_owned(), section.content.clone())));
    let text = serde_json::to_string_pretty(&Value::Object(document)).unwrap_or_default();
    let text = format!("{}\n", mcp_text::json(&text));
    if to_stdout {
        app.output.out(&text);
        return Ok(ExitStatus::Success);
    }
    let rows: Vec<SectionRow<'_>> = sections
        .iter()
        .map(|section| SectionRow {
            name: section.name,
            about: &section.about,
            bytes: section.content.to_string().len(),
        })
        .collect();
    if !app.json {
        let lines = rows.iter().map(|row| [format!("  {}", row.name), shown::line(row.about)]);
        app.output.out("in it, without what is secret:\n");
        app.output.out(&columns(lines, app.style().plain_labels()));
    }
    agreed(app, args, &file, text.len()).await?;
    write(&target, &file, text.as_bytes())?;
    if app.json {
        app.print_json(&Document { schema_version: 1, file: &target, bytes: text.len(), sections: rows });
    } else {
        app.output.out(&format!("written to {}; read it before you give it away\n", shown_path(&file)));
    }
    Ok(ExitStatus::Success)
}

/// A name that says what it is, and when it was made.
fn default_name(now: SystemTime) -> PathBuf {
    let time = rfc3339(now).chars().take(19).collect::<String>().replace(':', "-");
    PathBuf::from(format!("mcplink-support-{time}Z.json"))
}

fn shown_path(path: &Path) -> String {
    shown::line(&path.display().to_string())
}

/// A person says yes, here or with `--yes`.
async fn agreed(app: &App, args: &SupportBundleArgs, file: &Path, bytes: usize) -> Result<(), CliError> {
    if args.yes {
        return Ok(());
    }
    let refused = CliError::unagreed("not-agreed", "nothing was written");
    if !app.asks() {
        let why = "it is written when you say --yes; -o - shows all of it";
        let named = args.output.as_ref().map(|_| format!(" -o {}", mcp_text::shell_word(&shown_path(file))));
        let next = format!("mcplink support-bundle{} --yes", named.unwrap_or_default());
        return Err(refused.why(why).next(next));
    }
    let mut answers = Answers::of_terminal();
    answers.forget_typed();
    let kilobytes = bytes.div_ceil(1000);
    app.output.error(&format!("write {kilobytes} kB to {}? [y/N] ", shown_path(file)));
    let answer = answers.line().await.unwrap_or_default();
    match &*answer.trim().to_ascii_lowercase() {
        "y" | "yes" => Ok(()),
        _ => Err(refused.next("mcplink support-bundle -o -")),
    }
}

fn write(target: &Path, file: &Path, content: &[u8]) -> Result<(), CliError> {
    match mcp_files::publish(target, content) {
        Ok(true) => Ok(()),
        Ok(false) => Err(exists(file)),
        Err(error) => {
            let message = format!("the bundle cannot be written to {}", shown_path(file));
            Err(CliError::unwritten("output-not-written", message)
                .why(error.to_string())
                .next("mcplink support-bundle -o FILE"))
        }
    }
}

fn exists(file: &Path) -> CliError {
    CliError::usage("file-exists", format!("{} is there already", shown_path(file)))
        .why("a bundle replaces no file")
        .next("mcplink support-bundle -o FILE, with another name")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_usual_name_is_a_file_name_everywhere() {
        let name = default_name(UNIX_EPOCH + Duration::from_millis(1_795_239_039_123));
        assert_eq!(name, Path::new("mcplink-support-2026-11-21T05-30-39Z.json"));
    }
}
