//! `mcplink tools NAME`: the tools of a server, as it describes them.

use mcp_transport::Tool;
use serde::Serialize;
use serde_json::value::RawValue;

use super::connected::{Want, connected, failed};
use crate::app::App;
use crate::error::{CliError, one_line};
use crate::exit::ExitStatus;
use crate::view::text::Style;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    tools: Vec<&'a RawValue>,
}

pub(super) async fn run(app: &App, name: &str) -> Result<ExitStatus, CliError> {
    let open = connected(app, name, Want::Tools).await?;
    open.connection.close().await;
    if let Some(error) = &open.error {
        return Err(failed(&open.wired, error));
    }
    let list = open.tools.unwrap_or_default();
    for (tool, reason) in &list.rejected {
        app.output.note(&format!(
            "warning: the tool {} cannot be called: {}\n",
            one_line(tool),
            one_line(reason)
        ));
    }
    if app.json {
        app.print_json(&Document {
            schema_version: 1,
            tools: list.tools.iter().map(|tool| &*tool.raw).collect(),
        });
        return Ok(ExitStatus::Success);
    }
    if list.tools.is_empty() {
        app.output.note(&format!("{name} lists no tools\n"));
    }
    app.output.out(&text(&list.tools, app.style()));
    Ok(ExitStatus::Success)
}

/// One line per tool: its name and the first sentence or line of what it says it does.
fn text(tools: &[Tool], style: Style) -> String {
    let names: Vec<String> = tools.iter().map(|tool| one_line(&tool.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (tool, name) in tools.iter().zip(&names) {
        let view = tool.view();
        let said = view.description.as_deref().or(view.title.as_deref()).unwrap_or_default();
        let missing = " ".repeat(width - name.chars().count());
        let line = format!("{}{missing}  {}", style.bold(name), summary(said));
        text.push_str(&format!("{}\n", line.trim_end()));
    }
    text
}

fn summary(description: &str) -> String {
    let first = description.trim().lines().next().unwrap_or_default();
    let line = one_line(first);
    if line.chars().count() <= 100 { line } else { line.chars().take(99).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_one_short_line() {
        assert_eq!(summary("  Echoes.\nMore."), "Echoes.");
        assert_eq!(summary(""), "");
        assert_eq!(summary("a\u{1b}[31mb"), "a [31mb");
        assert_eq!(summary(&"x".repeat(200)).chars().count(), 100);
    }
}
