//! `mcplink reconnect`: configuration re-read, credentials minted afresh, a new connection for every server named.
//!
//! Nothing is remembered between commands, so a reconnect is a probe that never reuses anything.

use std::time::SystemTime;

use futures_util::future::join_all;
use mcp_status::{MachinePolicy, ServerStatus};
use mcp_transport::connect::ConnectPolicy;

use super::status::{ProbeDisplay, combined, note_silent, probe_all};
use crate::app::App;
use crate::args::ReconnectArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::{self, SeenSessions};
use crate::view::row::{ReconnectOutcome, Row, Servers, Session};
use crate::view::shown;
use crate::view::text;
use mcp_connect::ConfiguredServer;

pub(super) async fn run(app: &App, args: &ReconnectArgs) -> Result<ExitStatus, CliError> {
    let loaded = app.load()?;
    // A session knows its own configuration: one that is not ours, too, is reached by its name.
    let SeenSessions { live: running, silent } = match args.all || args.failed || args.names.is_empty() {
        true => live::all(&app.environment).await,
        false => live::called(&app.environment, &args.names).await,
    };
    let elsewhere = |name: &String| {
        let here = loaded.config.entry(name).is_some() || loaded.config.dead_end(name).is_some();
        !here && running.iter().any(|session| live::is_called(&session.name, name))
    };
    let (alone, names): (Vec<String>, Vec<String>) = args.names.iter().cloned().partition(elsewhere);
    let mut configured = match (alone.is_empty(), names.is_empty()) {
        (false, true) => Vec::new(),
        _ => loaded.wired_named(app, &names).await?,
    };
    if !app.json {
        loaded.note_problems_of(app, &args.names, &configured);
    }
    if args.all || args.failed {
        configured.retain(|configured| !configured.is_switched_off());
    } else if let Some(disabled) = configured.iter().find(|configured| configured.is_switched_off()) {
        let name = &disabled.description.name;
        if let Some(reason) = disabled.offline_report().reason {
            let message =
                format!("{} may not be started, so there is nothing to reconnect", shown::name(name));
            let next = reason.next.as_ref().map(|step| app.steps.words(step, name));
            let error = CliError::usage(reason.code.as_str(), message).why(&reason.message);
            return Err(CliError { next, ..error });
        }
        return Err(CliError::usage(
            "disabled",
            format!("{name} is switched off, so there is nothing to reconnect"),
        )
        .next(loaded.switched_on_by(name)));
    }
    let checked_at = SystemTime::now();
    if args.failed {
        configured = failing(app, configured).await;
    }
    let sessions = join_all(configured.iter().map(|configured| {
        let which = live::SessionSelector::Name(configured.description.name.clone());
        let silent = &silent;
        async move { live::reconnect(&app.environment, &which, silent).await }
    }));
    let alone: Vec<String> = match args.all {
        true => {
            let known = |session: &&Session| {
                configured.iter().any(|configured| configured.description.name == session.name)
            };
            let mut names: Vec<String> =
                running.iter().filter(|s| !known(s)).map(|session| session.name.clone()).collect();
            names.dedup();
            names
        }
        false => alone,
    };
    let others = join_all(alone.into_iter().map(|name| {
        let silent = &silent;
        async move { live::reconnect(&app.environment, &live::SessionSelector::Name(name), silent).await }
    }));
    let policy = ConnectPolicy::one_shot();
    let show = if app.json { ProbeDisplay::Nothing } else { ProbeDisplay::RowsAlone };
    let (rows, sessions, others) = tokio::join!(probe_all(app, &configured, &policy, show), sessions, others);
    let (sessions, left_alone): (Vec<_>, Vec<_>) = sessions.into_iter().unzip();
    let (others, more): (Vec<_>, Vec<_>) = others.into_iter().unzip();
    let left_alone: Vec<u32> = left_alone.into_iter().chain(more).flatten().collect();
    let mut others: Vec<ReconnectOutcome> = others.into_iter().flatten().collect();
    let mut rows: Vec<Row> =
        rows.into_iter().zip(sessions).map(|(row, sessions)| row.for_reconnect(sessions)).collect();
    let reconnected = rows.iter_mut().flat_map(|row| row.reconnected.iter_mut().flatten()).chain(&mut others);
    reconnected.for_each(|session| app.steps.for_session(&mut session.reason));
    let looked_at = rows.iter_mut().flat_map(|row| &mut row.sessions);
    looked_at.for_each(|session| app.steps.for_session(&mut session.reason));
    if !app.json {
        for row in &rows {
            app.output.out(&text::lines_below(row, app.style()));
        }
        for session in &others {
            app.output.out(&text::reconnected_line(&session.name, session, app.style()));
        }
        for session in &left_alone {
            app.output.note(&format!(
                "session {session} was left alone: what an entry starts makes no session start it again\n"
            ));
        }
        note_silent(app, &silent);
        if !rows.is_empty()
            && silent.is_empty()
            && left_alone.is_empty()
            && others.is_empty()
            && rows.iter().all(|row| row.reconnected.iter().flatten().count() == 0)
        {
            app.output.note("no bridge is running that had to reconnect as well\n");
        }
    }
    if app.json {
        let (problems, pointers) = (loaded.problem_rows(), loaded.pointer_rows(&args.names));
        app.print_json(
            &Servers::new(Some(checked_at), &rows, &problems)
                .with_any_pointers(&pointers)
                .with_others(&others)
                .with_silent(&silent),
        );
    } else if rows.is_empty() && args.failed {
        if loaded.config.broken_files().next().is_none() {
            app.output.note("every server is connected\n");
        }
    } else if rows.is_empty() && others.is_empty() {
        loaded.note_nothing(app);
    }
    let said = |session: &ReconnectOutcome| match session.status.as_str() {
        Some("connected" | "disabled") => ExitStatus::Success,
        Some("needs-auth") => ExitStatus::NeedsAuth,
        Some("pending") => ExitStatus::Pending,
        _ => ExitStatus::Failed,
    };
    Ok(ExitStatus::combine([combined(&rows)].into_iter().chain(others.iter().map(said))))
}

/// The servers that one quick look finds not connected. There is no list of failed servers to read: what was
/// seen earlier decides nothing.
async fn failing(app: &App, configured: Vec<ConfiguredServer>) -> Vec<ConfiguredServer> {
    let mut quick = ConnectPolicy::one_shot();
    quick.machine = MachinePolicy::one_shot().with_connect_retries(0);
    let rows = probe_all(app, &configured, &quick, ProbeDisplay::Nothing).await;
    let connected = |row: &Row| row.status == Some(ServerStatus::Connected);
    rows.iter().zip(configured).filter(|(row, _)| !connected(row)).map(|(_, configured)| configured).collect()
}
