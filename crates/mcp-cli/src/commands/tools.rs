//! `mcplink tools NAME [TOOL]`: the tools of a server, as it describes them, or what one of them takes.

use mcp_text::Secrets;
use mcp_transport::TransportError;
use mcp_transport::tools::Tool;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::app::App;
use crate::args::ToolsArgs;
use crate::connected::{ConnectionNeeds, connected, failed, unknown_tool};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::two_names;
use crate::view::text::{Style, columns};
use crate::view::{shown, signature};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    tools: Vec<&'a RawValue>,
}

pub(super) async fn run(app: &App, args: &ToolsArgs) -> Result<ExitStatus, CliError> {
    let in_one = match &args.tool {
        None if two_names::may_be_two(&args.name) => app.load()?.addressed(&args.name),
        _ => None,
    };
    let (name, tool) = match &in_one {
        Some((name, tool)) => (name.as_str(), Some(tool.as_str())),
        None => (args.name.as_str(), args.tool.as_deref()),
    };
    let mut open = connected(app, name, ConnectionNeeds::Tools).await?;
    if let Some(error) = &open.error {
        return Err(failed(&app.steps, &open.configured, error));
    }
    let mut list = open.tools.take().unwrap_or_default();
    if let Some(tool) = tool {
        if let Some((tool, why)) = list.withheld.iter().find(|(withheld, _)| withheld == tool) {
            return Err(not_usable(name, &format!("{} {why}", shown::name(tool))));
        }
        if let Some((tool, why)) = list.unapproved.iter().find(|(withheld, _)| withheld == tool) {
            return Err(not_approved(name, &format!("{} {why}", shown::name(tool))));
        }
        if let Some(unknown) = unknown_tool(&list.tools, name, tool) {
            return Err(unknown);
        }
        list.tools.retain(|listed| listed.name == tool);
        list.rejected.retain(|(rejected, _)| rejected == tool);
    } else {
        if !list.withheld.is_empty() {
            app.output.note(&left_out(name, "left out of", &list.withheld));
        }
        for unmatched in &list.unmatched {
            app.output.note(&format!("warning: {}\n", shown::line(unmatched)));
        }
        if !list.unapproved.is_empty() {
            app.output.note(&left_out(name, "withheld from", &list.unapproved));
            app.output.note(&format!("next: {}\n", app.steps.line(&approves(name))));
        }
    }
    // What it was given it may repeat in its tools.
    let secrets = open.connection.credentials_sent();
    for (tool, reason) in &list.rejected {
        app.output.note(&format!(
            "warning: the tool {} cannot be called: {}\n",
            shown::line(&shown::without(&secrets, tool)),
            shown::line(reason)
        ));
    }
    for repeated in &list.repeated {
        app.output.note(&format!(
            "warning: {} is listed more than once, and the first one counts\n",
            shown::line(&shown::without(&secrets, repeated))
        ));
    }
    let listed = list.tools.len();
    if let Some(wanted) = &args.grep {
        list.tools.retain(|tool| is_about(tool, wanted));
    }
    if app.json {
        app.print_json(&Document {
            schema_version: 1,
            tools: list.tools.iter().map(|tool| &*tool.raw).collect(),
        });
        return Ok(ExitStatus::Success);
    }
    if let (true, Some(wanted)) = (list.tools.is_empty() && listed > 0, &args.grep) {
        let name = shown::name(name);
        app.output.note(&format!("no tool of {name} is about {} (it has {listed})\n", shown::name(wanted)));
    } else if list.tools.is_empty() && list.unapproved.is_empty() && list.rejected.is_empty() {
        app.output.note(&format!("{} lists no tools\n", shown::name(name)));
    }
    match (tool, list.tools.first()) {
        (Some(_), Some(tool)) => {
            let step = |next: &str| app.steps.line(next);
            let details = signature::details(name, tool, step, app.style());
            app.output.out(&secrets.hide_known(&details));
        }
        _ => app.output.out(&text(&list.tools, &secrets, app.style())),
    }
    Ok(ExitStatus::Success)
}

/// Whether a tool says this of itself.
fn is_about(tool: &Tool, wanted: &str) -> bool {
    let view = tool.view();
    let wanted = wanted.to_lowercase();
    let texts = [Some(tool.name.as_str()), view.title.as_deref(), view.description.as_deref()];
    texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&wanted))
}

/// How many tools are told that may not be used.
const MOST_LEFT_OUT: usize = 3;

/// What is said of the tools that may not be used.
fn left_out(name: &str, how: &str, withheld: &[(String, String)]) -> String {
    let lines = withheld.iter().take(MOST_LEFT_OUT);
    let lines: Vec<String> =
        lines.map(|(tool, why)| format!("  {} {}\n", shown::name(tool), shown::line(why))).collect();
    let more = match withheld.len().saturating_sub(MOST_LEFT_OUT) {
        0 => String::new(),
        more => format!("  and {more} more\n"),
    };
    let (count, are) = (withheld.len(), if withheld.len() == 1 { "tool is" } else { "tools are" });
    format!("note: {count} {are} {how} {}:\n{}{more}", shown::name(name), lines.concat())
}

/// The error of a call that was not made, because its tool may not be used.
pub(super) fn withheld(name: &str, error: &TransportError) -> CliError {
    not_usable(name, &error.rpc_error().map(|rpc| rpc.message.clone()).unwrap_or_default())
}

/// The same where its definition is not approved.
pub(super) fn unapproved(name: &str, error: &TransportError) -> CliError {
    not_approved(name, &error.rpc_error().map(|rpc| rpc.message.clone()).unwrap_or_default())
}

fn not_approved(name: &str, why: &str) -> CliError {
    let message = format!("a tool of {} is not approved, and nothing was sent", shown::name(name));
    let error = CliError::new(ExitStatus::NeedsAuth, "tool-unapproved", message);
    error.why(shown::line(why)).next(approves(name))
}

/// The command that shows what there is to approve.
fn approves(name: &str) -> String {
    format!("mcplink approve-tools {}", mcp_text::shell_word(name))
}

fn not_usable(name: &str, why: &str) -> CliError {
    let message = format!("a tool of {} may not be used, and nothing was sent", shown::name(name));
    CliError::new(ExitStatus::ToolError, "tool-withheld", message)
        .why(shown::line(why))
        .next(format!("mcplink get {}", mcp_text::shell_word(name)))
}

/// One line per tool: its name and the first sentence or line of what it says it does.
fn text(tools: &[Tool], secrets: &Secrets, style: Style) -> String {
    let names = tools.iter().map(|tool| shown::name(&secrets.hide_known(&tool.name)));
    let rows = tools.iter().zip(names).map(|(tool, name)| {
        let view = tool.view();
        let said = view.description.as_deref().or(view.title.as_deref()).unwrap_or_default();
        [name, summary(said, secrets)]
    });
    columns(rows, style)
}

/// The first line of a description.
fn summary(description: &str, secrets: &Secrets) -> String {
    let first = description.trim().lines().next().unwrap_or_default();
    shown::line(&shown::without(secrets, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_one_short_line() {
        let summary = |text: &str| summary(text, &Secrets::default());
        assert_eq!(summary("  Echoes.\nMore."), "Echoes.");
        assert_eq!(summary(""), "");
        assert_eq!(summary("a\u{1b}[31mb"), "ab");
    }
}
