//! What `wrap` shows and asks.

use std::collections::HashSet;

use mcp_config::wrap::LineChange;
use mcp_config::{Scope, ServerEntry};

use super::own::EntryMove;
use super::{Row, WrapContext, WrapPlan};
use crate::app::App;
use crate::args::WrapArgs;
use crate::confirmation::Answers;
use crate::consent::taken_over;
use crate::error::CliError;
use crate::hosts::short;
use crate::view::shown;
use crate::view::wrap::{behind, leading_to, paragraph};

/// What becomes of each file, line by line. One that is not edited is left out: that is said where it is refused.
pub(super) fn differences(around: &WrapContext<'_>, planned: &[WrapPlan]) -> Result<String, CliError> {
    let mut out = String::new();
    let mut met = HashSet::new();
    for first in planned {
        let file = &first.target.place.file;
        if !met.insert(file) {
            continue;
        }
        let before = around.text(&first.target.place)?;
        let mut after = before.clone();
        let mut own = Vec::new();
        for one in planned.iter().filter(|one| one.target.place.file == *file) {
            if let Ok(wrapped) = one.target.wrapped(&after, &one.name, &one.through) {
                after = wrapped.text;
                own.push(&*one.name);
            }
        }
        let pieces = first.target.difference(&before, &after, &own);
        if pieces.is_empty() {
            continue;
        }
        out.push_str(&format!("{}\n", short(around.app, &file.display().to_string())));
        for (number, piece) in pieces.iter().enumerate() {
            if number > 0 {
                out.push_str("  …\n");
            }
            for line in piece {
                let mark = match line.change {
                    LineChange::TakenOut => '-',
                    LineChange::PutIn => '+',
                    _ => ' ',
                };
                let text = mcp_text::block(&line.text);
                out.push_str(&behind(&format!("{mark} "), &text, around.app.style().room()));
            }
        }
    }
    for one in planned {
        if let Some(entry) = brought(around, one) {
            out.push_str(&format!(
                "{} comes from the project, and needs no approval from now on:\n",
                shown::name(&one.name)
            ));
            out.push_str(&taken_over(entry, 2, around.app.style().room()));
        }
    }
    Ok(out)
}

/// The entry of a project that goes into our own file. Its lines may be cut above, and nothing asks about it later.
fn brought<'a>(around: &'a WrapContext<'_>, one: &'a WrapPlan) -> Option<&'a ServerEntry> {
    match one.moves.as_ref()? {
        EntryMove::Imported(candidate) => candidate.is_of_project().then_some(&candidate.entry),
        EntryMove::AsItIs(_) => around.config.entry(&one.name).filter(|entry| entry.scope == Scope::Project),
    }
}

pub(super) async fn agreed(app: &App, planned: &[WrapPlan]) -> bool {
    let mut answers = Answers::of_terminal();
    let count = planned.len();
    loop {
        answers.forget_typed();
        app.output.error(&format!("change {count} {}? [Y/n] ", if count == 1 { "entry" } else { "entries" }));
        let Some(answer) = answers.line().await else { return false };
        match &*answer.trim().to_ascii_lowercase() {
            "" | "y" | "yes" => return true,
            "n" | "no" | "q" | "quit" | "cancel" => return false,
            _ => {}
        }
    }
}

pub(super) fn wrote(app: &App, one: &WrapPlan, row: &Row<'_>) -> String {
    let name = shown::name(&one.name);
    let mut out = format!("wrapped {name}\n");
    if row.moved {
        out.push_str(match one.own.folder() {
            None => "  its server is in mcplink's own file now\n",
            Some(_) => "  its server is in mcplink's own file now, for this project\n",
        });
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

pub(super) fn ending(
    around: &WrapContext<'_>,
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
            let undo = format!("mcplink unwrap {host} {which}");
            let undo = leading_to("undo:", &undo, around.app.style().room());
            format!("{undo}restart {} to use it\n", around.host.title)
        }
        (_, _, true) => "nothing is changed\n".to_owned(),
        _ => {
            let line = around.app.steps.line(&format!("mcplink wrap {host} {which} --yes"));
            leading_to("nothing is changed yet; to do it:", &line, around.app.style().room())
        }
    }
}
