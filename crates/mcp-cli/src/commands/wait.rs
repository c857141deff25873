//! `mcplink wait NAME..`: asks the servers again and again until they are what was hoped for, or until that is a
//! person's to bring about.

use std::time::{Duration, SystemTime};

use mcp_status::{MachinePolicy, ReasonCode, ServerStatus, wants_a_person};
use mcp_transport::connect::ConnectPolicy;
use tokio::time::Instant;

use super::connected::stands;
use super::status::{Show, probe_all};
use crate::app::App;
use crate::args::{StatusArg, WaitArgs};
use crate::error::CliError;
use crate::exit::{self, ExitStatus};
use crate::view::row::{Row, Servers};
use crate::view::{shown, text};

/// The first pause between two looks, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

pub(super) async fn run(app: &App, args: &WaitArgs) -> Result<ExitStatus, CliError> {
    let deadline = app.deadline.map(|deadline| deadline.at);
    let wanted = ServerStatus::from(args.until);
    let mut pause = PAUSES.0;
    // One row for each name, as it was seen last. What has arrived is not looked at again: a local server would be
    // started each time.
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let (arrived, missing) = split(std::mem::take(&mut rows), wanted);
        let names: Vec<String> = match (arrived.is_empty(), missing.is_empty()) {
            (true, true) => args.names.clone(),
            _ => missing.iter().map(|row| shown::name(&row.name)).collect(),
        };
        let seen = look(app, &names).await?;
        for row in &seen {
            let before = missing.iter().find(|before| before.name == row.name);
            if row.status != Some(wanted) && before.is_none_or(|before| told(before) != told(row)) {
                tell(app, row);
            }
        }
        rows = arrived.into_iter().chain(seen).collect();
        rows.sort_by_key(|row| args.names.iter().position(|name| *name == row.name));
        if rows.iter().all(|row| row.status == Some(wanted)) {
            show(app, &rows);
            return Ok(ExitStatus::Success);
        }
        if rows.iter().any(|row| is_up_to_a_person(row, wanted)) {
            return Err(up_to_a_person(app, &rows, wanted));
        }
        if let Some(deadline) = deadline.filter(|deadline| Instant::now() + pause >= *deadline) {
            tokio::time::sleep_until(deadline).await;
            return Err(still_waiting(app, &rows, wanted));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// One look: configuration and credentials as they are now, one attempt each.
async fn look(app: &App, names: &[String]) -> Result<Vec<Row>, CliError> {
    let wired = app.load()?.wired_named(app, names).await?;
    let mut once = ConnectPolicy::one_shot();
    once.machine = MachinePolicy::one_shot().with_connect_retries(0);
    Ok(probe_all(app, &wired, &once, Show::Nothing).await)
}

/// What has the status that is waited for, and what has not.
fn split(rows: Vec<Row>, wanted: ServerStatus) -> (Vec<Row>, Vec<Row>) {
    rows.into_iter().partition(|row| row.status == Some(wanted))
}

/// Whether waiting on is in vain. A status that is itself a person's to bring about is waited for, whatever it takes.
fn is_up_to_a_person(row: &Row, wanted: ServerStatus) -> bool {
    let Some(status) = row.status.filter(|status| *status != wanted) else { return false };
    let stays = wants_a_person(status, row.reason().map(|reason| reason.code));
    match wanted {
        ServerStatus::Connected => stays,
        // What wants a sign-in may still break.
        ServerStatus::Failed => stays && status != ServerStatus::NeedsAuth,
        _ => false,
    }
}

fn up_to_a_person(app: &App, rows: &[Row], wanted: ServerStatus) -> CliError {
    let stuck: Vec<&Row> = rows.iter().filter(|row| is_up_to_a_person(row, wanted)).collect();
    let exit = ExitStatus::combine(stuck.iter().filter_map(|row| {
        row.status.map(|status| exit::of_waiting_for_a_person(status, row.reason().map(|reason| reason.code)))
    }));
    let code = stuck.first().and_then(|row| row.reason()).map_or("disabled", |reason| reason.code.as_str());
    let message = format!("{}, and only a person can change that", list(&stuck, row_is));
    ended(app, rows, &stuck, CliError::new(exit, code, message))
}

fn still_waiting(app: &App, rows: &[Row], wanted: ServerStatus) -> CliError {
    let missing: Vec<&Row> = rows.iter().filter(|row| row.status != Some(wanted)).collect();
    let limit = app.deadline.map(|deadline| format!(" after {}", deadline.told())).unwrap_or_default();
    let message = format!(
        "{} not {wanted} yet{limit}",
        match missing.as_slice() {
            [row] => format!("{} is", shown::name(&row.name)),
            _ => format!("{} are", list(&missing, |row| shown::name(&row.name))),
        }
    );
    ended(app, rows, &missing, CliError::new(ExitStatus::Pending, "still-waiting", message))
}

/// The end of the wait, with the reasons of `rows` and what to do about the first.
fn ended(app: &App, all: &[Row], rows: &[&Row], error: CliError) -> CliError {
    if app.json {
        show(app, all);
    }
    let why: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let message = &row.reason()?.message;
            Some(if rows.len() == 1 {
                message.clone()
            } else {
                format!("{}: {message}", shown::name(&row.name))
            })
        })
        .collect();
    let error = if why.is_empty() { error } else { error.why(why.join("; ")) };
    let Some(first) = rows.first() else { return error };
    let name = mcp_text::shell_word(&first.name);
    let next = first.reason().and_then(|reason| reason.next.clone());
    // Not `status`, whose next step is to wait.
    error.next(next.unwrap_or_else(|| format!("mcplink get {name}")))
}

fn list(rows: &[&Row], each: impl Fn(&Row) -> String) -> String {
    rows.iter().map(|row| each(row)).collect::<Vec<_>>().join(", ")
}

fn row_is(row: &Row) -> String {
    let stands = row.status.map_or("is unknown", stands);
    let stands = match row.reason().map(|reason| reason.code) {
        Some(ReasonCode::Declined) => "may not be started".to_owned(),
        Some(code) if row.status != Some(ServerStatus::NeedsAuth) => format!("{stands} ({})", code.as_str()),
        _ => stands.to_owned(),
    };
    format!("{} {stands}", shown::name(&row.name))
}

/// What was told of a row, so that the same is not told twice.
fn told(row: &Row) -> (Option<ServerStatus>, Option<&str>) {
    (row.status, row.reason().map(|reason| reason.message.as_str()))
}

fn tell(app: &App, row: &Row) {
    let plain = text::Style { terminal: false, color: false, columns: 80 };
    app.output.note(&text::status_lines(row, text::name_width([row.name.as_str()].into_iter()), plain));
}

fn show(app: &App, rows: &[Row]) {
    if app.json {
        app.print_json(&Servers::new(Some(SystemTime::now()), rows, &[]));
        return;
    }
    let width = text::name_width(rows.iter().map(|row| row.name.as_str()));
    for row in rows {
        app.output.out(&text::status_lines(row, width, app.style()));
    }
}

impl From<StatusArg> for ServerStatus {
    fn from(status: StatusArg) -> Self {
        match status {
            StatusArg::Connected => Self::Connected,
            StatusArg::Failed => Self::Failed,
            StatusArg::NeedsAuth => Self::NeedsAuth,
            StatusArg::Pending => Self::Pending,
            StatusArg::Disabled => Self::Disabled,
        }
    }
}
