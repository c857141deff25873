//! `mcplink status --watch`: looks again and again, and tells what changed. One JSON line per change with `--json`.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use mcp_status::{MachinePolicy, ReasonCode, ServerStatus};
use mcp_transport::connect::ConnectPolicy;
use serde::Serialize;

use super::status::{Show, probe_all};
use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::row::Row;
use crate::view::text::{self, Style};
use crate::view::time::rfc3339;

/// Between the end of one round and the start of the next.
const PAUSE: Duration = Duration::from_secs(5);

/// One change, as a line.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change<'a> {
    schema_version: u32,
    checked_at: String,
    server: &'a Row,
}

/// Runs until it is interrupted.
pub(super) async fn run(app: &App, names: &[String]) -> Result<ExitStatus, CliError> {
    let mut once = ConnectPolicy::one_shot();
    once.machine = MachinePolicy::one_shot().with_connect_retries(0);
    let mut known: HashMap<String, (Option<ServerStatus>, Option<ReasonCode>)> = HashMap::new();
    loop {
        // Read again each time: an edited file is a change like any other.
        let wired = app.load()?.wired_named(app, names).await?;
        let rows = probe_all(app, &wired, &once, Show::Nothing).await;
        let checked_at = rfc3339(SystemTime::now());
        let width = text::name_width(rows.iter().map(|row| row.name.as_str()));
        for row in &rows {
            let seen = (row.status, row.reason().map(|reason| reason.code));
            if known.insert(row.name.clone(), seen) == Some(seen) {
                continue;
            }
            if app.json {
                let change = Change { schema_version: 1, checked_at: checked_at.clone(), server: row };
                app.print_json_line(&change);
            } else {
                app.output.out(&dated(
                    &checked_at,
                    |style| text::status_lines(row, width, style),
                    app.style(),
                ));
            }
        }
        if app.output.is_over() {
            // Nobody reads it any more, or nobody could.
            return Ok(ExitStatus::Success);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The time, and beside it the lines that `draw` makes for what is left of the width.
fn dated(time: &str, draw: impl Fn(Style) -> String, style: Style) -> String {
    let margin = time.chars().count() + 2;
    let lines = draw(Style { columns: style.columns.saturating_sub(margin), ..style });
    let begin = |number: usize| if number == 0 { format!("{time}  ") } else { " ".repeat(margin) };
    lines.lines().enumerate().map(|(number, line)| format!("{}{line}\n", begin(number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_below_the_first_stand_below_it() {
        let style = Style { terminal: true, color: false, columns: 10 };
        assert_eq!(dated("now", |style| format!("a {}\nb\n", style.columns), style), "now  a 5\n     b\n");
    }
}
