//! What `wrap` shows and asks.

use super::{Row, WrapContext, WrapPlan};
use crate::app::App;
use crate::args::WrapArgs;
use crate::commands::change::entry_lines;
use crate::confirmation::Answers;
use crate::hosts::short;
use crate::view::shown;
use crate::view::wrap::paragraph;

pub(super) fn difference(app: &App, one: &WrapPlan) -> String {
    let mut out = format!("{}\n", short(app, &one.target.place.file.display().to_string()));
    if let Some(before) = &one.before {
        out.push_str(&entry_lines('-', &one.name, before));
    }
    // In one form, so that it is a difference.
    if let Some(after) = one.target.entry(&one.name, &one.through, one.before.as_ref()) {
        out.push_str(&entry_lines('+', &one.name, &after));
        return out;
    }
    for line in one.target.shown(&one.name, &one.through).lines() {
        out.push_str(&format!("+ {}\n", mcp_text::block(line)));
    }
    out
}

pub(super) async fn agreed(app: &App, planned: &[WrapPlan]) -> bool {
    let mut answers = Answers::of_terminal();
    answers.forget_typed();
    let count = planned.len();
    app.output.error(&format!("change {count} {}? [Y/n] ", if count == 1 { "entry" } else { "entries" }));
    let Some(answer) = answers.line().await else { return false };
    matches!(&*answer.trim().to_ascii_lowercase(), "" | "y" | "yes")
}

pub(super) fn wrote(app: &App, one: &WrapPlan, row: &Row<'_>) -> String {
    let name = shown::name(&one.name);
    let mut out = format!("wrapped {name}\n");
    if row.moved {
        out.push_str(match one.own.folder() {
            None => "  its server stands in mcplink's own file now\n",
            Some(_) => "  its server stands in mcplink's own file now, for this project\n",
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
            format!("undo: mcplink unwrap {host} {which}\nrestart {} to use it\n", around.host.title)
        }
        (_, _, true) => "nothing is changed\n".to_owned(),
        _ => {
            let line = around.app.steps.step(&format!("mcplink wrap {host} {which} --yes"));
            format!("nothing is changed yet; to do it: {line}\n")
        }
    }
}
