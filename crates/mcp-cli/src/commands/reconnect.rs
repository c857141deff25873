//! `mcplink reconnect`: configuration re-read, credentials minted afresh, a new connection for every server named.
//!
//! Nothing is remembered between commands, so a reconnect is a probe that never reuses anything.

use std::time::SystemTime;

use futures_util::future::join_all;
use mcp_status::{MachinePolicy, ServerStatus};
use mcp_transport::ConnectPolicy;

use super::status::{Show, combined, probe_all};
use crate::app::App;
use crate::args::ReconnectArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live;
use crate::view::row::{Row, Servers};
use crate::view::text;
use crate::wire::Wired;

pub(super) async fn run(app: &App, args: &ReconnectArgs) -> Result<ExitStatus, CliError> {
    let loaded = app.load()?;
    let mut wired = loaded.wired_named(app, &args.names).await?;
    if !app.json {
        loaded.note_problems(app);
    }
    if args.all || args.failed {
        wired.retain(|wired| !wired.is_disabled());
    } else if let Some(disabled) = wired.iter().find(|wired| wired.is_disabled()) {
        let name = &disabled.described.name;
        return Err(CliError::usage(
            "disabled",
            format!("{name} is switched off, so there is nothing to reconnect"),
        )
        .next(format!("mcplink get {name}")));
    }
    let checked_at = SystemTime::now();
    if args.failed {
        wired = failing(app, wired).await;
    }
    let sessions = join_all(wired.iter().map(|wired| live::reconnect(&app.environment, wired)));
    let policy = ConnectPolicy::one_shot();
    let show = if app.json { Show::Nothing } else { Show::RowsAlone };
    let (rows, sessions) = tokio::join!(probe_all(app, &wired, &policy, show), sessions);
    let rows: Vec<Row> =
        rows.into_iter().zip(sessions).map(|(row, sessions)| row.for_reconnect(sessions)).collect();
    if !app.json {
        for row in &rows {
            app.output.out(&text::session_lines(row, app.style()));
        }
    }
    if app.json {
        let (problems, pointers) = (loaded.problem_rows(), loaded.pointer_rows(&args.names));
        app.print_json(&Servers::new(Some(checked_at), &rows, &problems).with_any_pointers(&pointers));
    } else if rows.is_empty() && args.failed {
        app.output.note("every server is connected\n");
    } else if rows.is_empty() {
        loaded.note_nothing(app);
    }
    Ok(combined(&rows))
}

/// The servers that one quick look finds not connected. There is no list of failed servers to read: what was
/// seen earlier decides nothing.
async fn failing(app: &App, wired: Vec<Wired>) -> Vec<Wired> {
    let mut quick = ConnectPolicy::one_shot();
    quick.machine = MachinePolicy::one_shot().with_connect_retries(0);
    let rows = probe_all(app, &wired, &quick, Show::Nothing).await;
    let connected = |row: &Row| row.status == Some(ServerStatus::Connected);
    rows.iter().zip(wired).filter(|(row, _)| !connected(row)).map(|(_, wired)| wired).collect()
}
