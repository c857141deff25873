//! `mcplink wait NAME..`: holds a connection to each of the servers until they are what was hoped for, or until that is a
//! person's to bring about.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use mcp_status::{EntryPart, NextStep, ReasonCode, ServerStatus, wants_a_person};

use crate::app::App;
use crate::args::{StatusArg, WaitArgs};
use crate::connected::stands;
use crate::error::CliError;
use crate::exit::{self, ExitStatus};
use crate::live::watched::{Intervals, WatchedServers};
use crate::view::row::{Row, Servers};
use crate::view::{shown, text};

pub(super) async fn run(app: &Arc<App>, args: &WaitArgs) -> Result<ExitStatus, CliError> {
    let wanted = ServerStatus::from(args.until);
    let names: Vec<String> = args.names.iter().map(|name| shown::name(name)).collect();
    let be = if names.len() == 1 { "is" } else { "are" };
    app.reached.is(format!("waiting until {} {be} {wanted}", names.join(", ")), "mcplink status");
    let mut watched = WatchedServers::start(app, &args.names, Intervals::wait()).await?;
    let ended = until(app, &mut watched, wanted).await;
    watched.close().await;
    ended
}

async fn until(
    app: &App,
    watched: &mut WatchedServers,
    wanted: ServerStatus,
) -> Result<ExitStatus, CliError> {
    let over = async {
        match app.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.at).await,
            None => std::future::pending().await,
        }
    };
    let mut over = std::pin::pin!(over);
    // What was printed last of each, so that the same is not printed twice.
    let mut last: HashMap<String, (Option<ServerStatus>, Option<ReasonCode>)> = HashMap::new();
    let mut has_said_how_long = false;
    loop {
        let seen = watched.seen();
        let known = seen.iter().filter(|seen| seen.is_known).map(|seen| &seen.row);
        // What ends the wait is told at its end.
        let is_news = |row: &&Row| row.status != Some(wanted) && !is_up_to_a_person(row, wanted);
        for row in known.clone().filter(is_news) {
            let now = (row.status, row.reason().map(|reason| reason.code));
            if last.insert(row.name.clone(), now) != Some(now) {
                tell(app, row);
            }
        }
        let arrived = known.clone().filter(|row| row.status == Some(wanted)).count() == seen.len();
        let in_vain = known.clone().any(|row| is_up_to_a_person(row, wanted));
        let rows: Vec<Row> = seen.iter().map(|seen| with_awaited(watched, &seen.row)).collect();
        if arrived {
            show(app, &rows);
            return Ok(ExitStatus::Success);
        }
        if in_vain {
            return Err(up_to_a_person(app, &rows, wanted));
        }
        // What was told looks like an end, and is none.
        if !last.is_empty() && !std::mem::replace(&mut has_said_how_long, true) {
            app.output.note(&goes_on(app, wanted));
        }
        tokio::select! {
            biased;
            () = &mut over => return Err(still_waiting(app, &rows, wanted)),
            event = watched.next_event() => watched.apply(event).await,
        }
    }
}

/// A server of which nothing has been seen, with what its first attempt waits for.
fn with_awaited(watched: &WatchedServers, row: &Row) -> Row {
    let mut row = row.clone();
    if let Some(Some(reason)) = &mut row.reason
        && reason.code == ReasonCode::Connecting
        && reason.phase.is_none()
        && let Some(awaited) = watched.awaited(&row.name)
    {
        reason.message = awaited;
    }
    row
}

/// Whether waiting on is in vain. A status that is itself a person's to bring about is waited for, whatever it takes.
fn is_up_to_a_person(row: &Row, wanted: ServerStatus) -> bool {
    let Some(status) = row.status.filter(|status| *status != wanted) else { return false };
    let reason = row.reason();
    // What no host has the name of will not come back under it, what ends as soon as it is started ends each time, and a certificate
    // is replaced by a person. Other refusals may be those of a deployment.
    let is_final = reason.is_some_and(|reason| {
        let codes = [ReasonCode::Unreachable, ReasonCode::Exited, ReasonCode::Tls];
        !reason.retryable && codes.contains(&reason.code)
    });
    let stays = is_final || wants_a_person(status, reason.map(|reason| reason.code));
    match wanted {
        ServerStatus::Connected => stays,
        // What wants a sign-in may still break.
        ServerStatus::Failed => stays && status != ServerStatus::NeedsAuth,
        _ => false,
    }
}

/// That it is waited, for what, and for how long.
fn goes_on(app: &App, wanted: ServerStatus) -> String {
    match app.deadline {
        Some(deadline) => format!("waiting until {wanted}, {} at most\n", deadline.text()),
        None => format!("waiting until {wanted}, without a limit (--timeout sets one)\n"),
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
    let limit = app.deadline.map(|deadline| format!(" after {}", deadline.text())).unwrap_or_default();
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
    let waited_for =
        waited_for(first).map(|part| app.steps.words(&NextStep::ChangeEntry { part }, &first.name));
    let next = waited_for.or_else(|| first.reason().and_then(|reason| reason.next.clone()));
    let switched_on = || {
        let is_off = first.status == Some(ServerStatus::Disabled);
        is_off.then(|| app.load().ok().map(|loaded| loaded.switched_on_by(&first.name))).flatten()
    };
    // Not `status`, whose next step is to wait.
    error.next(next.or_else(switched_on).unwrap_or_else(|| format!("mcplink get {name}").into()))
}

/// What of the entry the first attempt still waited for, where that is a program of this machine: it is started, and there is no
/// server to start.
fn waited_for(row: &Row) -> Option<EntryPart> {
    let reason = row.reason().filter(|reason| reason.code == ReasonCode::Connecting)?;
    let is_helper = reason.phase.is_none() && reason.message.starts_with("its headersHelper");
    match row.command.is_some() {
        true => Some(EntryPart::Process),
        false => is_helper.then_some(EntryPart::Helper),
    }
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

fn tell(app: &App, row: &Row) {
    let room = app.stderr_room();
    let style = text::Style { terminal: room.is_some(), color: false, columns: room.unwrap_or(80) };
    app.output.note_fitted(&text::status_lines(
        row,
        text::name_width([row.name.as_str()].into_iter()),
        style,
    ));
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
