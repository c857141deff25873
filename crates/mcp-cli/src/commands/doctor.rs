//! `mcplink doctor [NAME|URL]`: each part of the way to a server looked at by itself; one cause, and one command.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::{StreamExt as _, stream};
use mcp_bridge::SharingRole;
use mcp_config::{Problem, ServerEntry};
use mcp_connect::{Check, CheckState, CheckTopic, Examination};
use mcp_status::ServerStatus;
use mcp_transport::exchange::{Exchange, ExchangeOutcome};
use serde::Serialize;

use super::status::{self, combined};
use crate::app::App;
use crate::args::DoctorArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::hosts;
use crate::live::{self, SeenSessions};
use crate::loaded::{LoadedConfig, check_account};
use crate::printed_step::PrintedStep;
use crate::problems::{correct, note_unsaid, problem_text};
use crate::surroundings::desktop_path_without;
use crate::view::examination::{self, ExaminedServer};
use crate::view::row::{ProblemRow, Row, Session, SilentSession};
use crate::view::shown;
use crate::view::text::session_text;
use crate::view::time::rfc3339;
use crate::written::written;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    checked_at: String,
    servers: Vec<ServerRow<'a>>,
    problems: Vec<ProblemRow>,
}

#[derive(Serialize)]
struct ServerRow<'a> {
    #[serde(flatten)]
    row: &'a Row,
    checks: Vec<CheckRow<'a>>,
    cause: Option<CauseRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exchanges: Option<Vec<ExchangeRow<'a>>>,
}

#[derive(Serialize)]
struct CheckRow<'a> {
    number: usize,
    topic: &'static str,
    state: &'static str,
    message: &'a str,
    more: &'a [String],
}

#[derive(Serialize)]
struct CauseRow<'a> {
    /// The number of the check that shows it.
    check: Option<usize>,
    message: &'a str,
    next: Option<&'a PrintedStep>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExchangeRow<'a> {
    at: String,
    method: &'a str,
    url: &'a str,
    proxy: Option<&'a str>,
    asks: Option<&'a str>,
    /// The names of the header fields that prove something.
    credentials: &'a [String],
    elapsed_ms: u64,
    status: Option<u16>,
    content_type: Option<&'a str>,
    headers: &'a [String],
    error: Option<&'a str>,
}

pub(super) async fn run(app: &Arc<App>, args: &DoctorArgs) -> Result<ExitStatus, CliError> {
    let loaded = app.load()?;
    let names = match &args.name {
        Some(name) => {
            // A name that is nowhere is told with the file that it may stand in.
            if !app.json && (loaded.entry(name).is_some() || loaded.dead_end(name).is_some()) {
                loaded.note_broken(app);
                loaded.note_use(app, name);
            }
            if app.account.is_some() {
                check_account(app, &loaded.found(app, name).await?)?;
            }
            vec![name.clone()]
        }
        None => loaded.names(),
    };
    let absent = args.in_place_of.as_deref().map(|host| absent_host(app, host)).transpose()?.flatten();
    let checked_at = SystemTime::now();
    if args.name.is_none() {
        app.reached.is(format!("looking at {} servers", names.len()), "mcplink status");
    }
    let examined = examined(app, &loaded, &names, args.name.is_none() && !app.json).await?;
    let rows: Vec<Row> = examined.iter().map(|examined| examined.row.clone()).collect();
    // A look at everything includes the files of other hosts.
    let elsewhere = if args.name.is_none() { status::problems_of_hosts(app, &loaded)? } else { Vec::new() };
    if app.json {
        let servers = examined.iter().map(|examined| server_row(examined, args.trace)).collect();
        let mut problems = loaded.problem_rows();
        problems.extend(elsewhere.iter().chain(&absent).map(ProblemRow::from));
        app.print_json(&Document { schema_version: 1, checked_at: rfc3339(checked_at), servers, problems });
        return Ok(combined(&rows));
    }
    match (&args.name, &examined[..]) {
        (Some(_), [one]) if args.mermaid => app.output.out(&examination::mermaid(&one.examination.exchanges)),
        (Some(_), [one]) => {
            if let Some(host) = &args.in_place_of {
                let path = app.environment.text("PATH").unwrap_or_default();
                app.output.note(&format!("as {}: PATH is {}\n", shown::name(host), shown::line(path)));
                note_unsaid(app, absent.iter(), &[]);
            }
            app.output.out(&examination::text(one, app.style()));
            if args.trace {
                app.output.out(&examination::trace(&one.examination.exchanges, app.style()));
            }
        }
        _ => {
            let servers: Vec<_> = examined.into_iter().map(|one| one.examination.server).collect();
            loaded.note_problems(app, &servers);
            note_unsaid(app, elsewhere.iter(), &servers);
            if servers.is_empty() {
                loaded.note_nothing(app);
            }
            if let Some(broken) = loaded.config.broken_files().next() {
                app.output.out(&examination::of_broken_file(correct(broken), app.style()));
            }
        }
    }
    Ok(combined(&rows))
}

/// That there is nothing of the host in whose place is looked: it may not be here at all, or be another person's.
fn absent_host(app: &App, host: &str) -> Result<Option<Problem>, CliError> {
    let host = hosts::named(host)?;
    let Some(places) = host.absent_from(&app.own_request()?) else { return Ok(None) };
    let looked: Vec<String> =
        places.iter().map(|path| hosts::short(app, &path.display().to_string())).collect();
    let message = format!("{} has neither a file nor a folder here: {}", host.title, looked.join(", "));
    let hint = "`mcplink hosts` lists those whose files are here";
    Ok(Some(Problem::of_variable(&format!("--as {}", host.name), message, hint)))
}

/// Each of these servers, looked at side by side and, where it `tells`, told as soon as it is known: on a terminal at once,
/// elsewhere in the order of the files, so that two runs can be compared.
async fn examined(
    app: &App,
    loaded: &LoadedConfig,
    names: &[String],
    tells: bool,
) -> Result<Vec<ExaminedServer>, CliError> {
    let width = examination::names_column(names.iter().map(String::as_str), app.style());
    let looks = stream::iter(names).map(|name| examine(app, loaded, name));
    let looks = match tells && app.output.draws() {
        true => looks.buffer_unordered(app.remote_batch()).left_stream(),
        false => looks.buffered(app.remote_batch()).right_stream(),
    };
    let mut looks = std::pin::pin!(looks);
    let mut examined = Vec::new();
    while let Some(one) = looks.next().await {
        let one = one?;
        if tells {
            app.output.out(&examination::summary(&one, width, app.style()));
        }
        examined.push(one);
    }
    Ok(examined)
}

/// What is told of each server, with its exchanges, for a report to another person.
pub(super) async fn of_all(app: &App, loaded: &LoadedConfig) -> Result<Vec<serde_json::Value>, CliError> {
    let names = loaded.names();
    let examined = stream::iter(&names)
        .map(|name| examine(app, loaded, name))
        .buffered(app.remote_batch())
        .collect::<Vec<_>>()
        .await;
    let document = |examined: Result<ExaminedServer, CliError>| {
        examined.map(|examined| serde_json::to_value(server_row(&examined, true)).unwrap_or_default())
    };
    examined.into_iter().map(document).collect()
}

async fn examine(app: &App, loaded: &LoadedConfig, name: &str) -> Result<ExaminedServer, CliError> {
    // A pointer that leads to no server is examined as far as its files go.
    let dead_end = || loaded.dead_end(name).map(|(pointer, _)| &pointer.entry);
    let Some(entry) = loaded.entry(name).or_else(dead_end) else { return Err(loaded.unknown(name)) };
    let until = app.deadline.map(|deadline| deadline.at);
    let mut examination = app.host.examine(entry, &loaded.config, until).await;
    note_desktop(&mut examination);
    let server = &examination.server;
    let SeenSessions { live: sessions, silent } =
        live::of(&app.environment, std::slice::from_ref(server)).await;
    let row = Row::of_probe(server, &examination.probe, app.deadline, &app.steps);
    let row = row.with_sessions(sessions.into_iter().flatten().collect());
    examination.checks.push(sessions_check(&row, &silent));
    note_open_file(&mut examination, entry, loaded);
    let next = match &examination.cause {
        Some(cause) => {
            let is_off = row.status == Some(ServerStatus::Disabled);
            let switched_on = || is_off.then(|| app.steps.step(loaded.switched_on_by(name)));
            cause.next.as_ref().map(|step| app.steps.words(step, name)).or_else(switched_on)
        }
        None => None,
    };
    Ok(ExaminedServer { row, next, examination })
}

/// The live sessions of the server, and how many connections to it they have.
fn sessions_check(row: &Row, silent: &[SilentSession]) -> Check {
    let topic = CheckTopic::Sessions;
    let sessions = &row.sessions;
    // Who keeps a connection may not be among them, as one that does not answer.
    let connections: BTreeSet<u32> = sessions
        .iter()
        .map(|session| match session.shared {
            Some(SharingRole::Guest { via }) => via,
            _ => session.session,
        })
        .collect();
    let count_text = match (sessions.len(), connections.len()) {
        (0, _) if silent.is_empty() => return Check::new(topic, CheckState::Skipped, "none is live"),
        (0, _) => "none is known to be live".to_owned(),
        (1, _) => "1 is live".to_owned(),
        (count, 1) => format!("{count} are live, on 1 connection"),
        (count, several) => format!("{count} are live, on {several} connections"),
    };
    let lines = sessions.iter().map(session_text);
    let check = lines.fold(Check::new(topic, CheckState::Good, count_text), Check::with);
    let check = silent.iter().fold(check, |check, session| check.noted(session.text()));
    let is_other = |session: &&Session| session.status != serde_json::json!(row.status);
    match sessions.iter().find(is_other) {
        // It has seen something else than this examination, and finds out by itself or when it is told.
        Some(_) if row.status == Some(ServerStatus::Connected) => {
            let command = written(&format!("mcplink reconnect {}", mcp_text::shell_word(&row.name)));
            check.noted(format!("`{command}` has them try again"))
        }
        _ => check,
    }
}

/// What the entry says is what anyone of this machine may have written.
fn note_open_file(examination: &mut Examination, entry: &ServerEntry, loaded: &LoadedConfig) {
    let is_its = |problem: &&Problem| problem.file.as_ref() == Some(&entry.origin.place);
    let Some(problem) = loaded.config.files_open_to_all().find(is_its) else { return };
    let found = examination.checks.iter_mut().find(|check| check.topic == CheckTopic::Configuration);
    if let Some(found) = found {
        *found = found.clone().noted(problem_text(problem));
    }
}

/// A helper that is found here by its name is not found by each program that runs it.
fn note_desktop(examination: &mut Examination) {
    let helper = examination.server.auth.as_ref().and_then(|auth| auth.plan.settings().helper.as_ref());
    let Some(helper) = helper.filter(|helper| helper.program().is_some_and(|name| !name.contains('/')))
    else {
        return;
    };
    let path = helper.program_file().and_then(|file| desktop_path_without(&file));
    let found = examination.checks.iter_mut().find(|check| check.topic == CheckTopic::HelperFound);
    if let (Some(path), Some(found)) = (path, found) {
        found.more.push(format!("a host that a desktop starts would not find it: PATH there is {path}"));
    }
}

fn server_row(examined: &ExaminedServer, trace: bool) -> ServerRow<'_> {
    let Examination { checks, cause, exchanges, .. } = &examined.examination;
    let check_rows = checks.iter().enumerate().map(|(index, check)| CheckRow {
        number: index + 1,
        topic: check.topic.as_str(),
        state: check.state.as_str(),
        message: &check.message,
        more: &check.more,
    });
    ServerRow {
        row: &examined.row,
        checks: check_rows.collect(),
        cause: cause.as_ref().map(|cause| CauseRow {
            check: cause.check.map(|index| index + 1),
            message: &cause.message,
            next: examined.next.as_ref(),
        }),
        exchanges: trace.then(|| exchanges.iter().map(ExchangeRow::from).collect()),
    }
}

impl<'a> From<&'a Exchange> for ExchangeRow<'a> {
    fn from(exchange: &'a Exchange) -> Self {
        let mut row = Self {
            at: rfc3339(exchange.began),
            method: &exchange.method,
            url: &exchange.url,
            proxy: exchange.proxy.as_deref(),
            asks: exchange.asks.as_deref(),
            credentials: &exchange.credentials,
            elapsed_ms: u64::try_from(exchange.took.as_millis()).unwrap_or(u64::MAX),
            status: None,
            content_type: None,
            headers: &[],
            error: None,
        };
        match &exchange.outcome {
            ExchangeOutcome::Answered { status, content_type, decides, .. } => {
                row.status = Some(*status);
                row.content_type = content_type.as_deref();
                row.headers = decides;
            }
            ExchangeOutcome::NoAnswer { why } => row.error = Some(why),
            _ => {}
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mcp_config::EntryTransport;
    use mcp_config::entry::RemoteKind;
    use mcp_connect::Description;
    use mcp_status::{ActionFacts, Evidence, MessageContext, Outcome, Phase, StatusReport, TransportKind};

    use super::*;
    use crate::steps::Steps;
    use crate::view::row::AuthRow;

    /// A server that was just found to be connected, or not to answer, and the sessions of it that are live.
    fn row(is_connected: bool, sessions: &[(u32, Option<SharingRole>, &str)]) -> Row {
        let outcome = match is_connected {
            true => Outcome::Connected { tools: Some(5) },
            false => Outcome::Timeout,
        };
        let facts = ActionFacts::new(TransportKind::Remote);
        let evidence = Evidence::new(Phase::Connect, outcome);
        let report = StatusReport::from_evidence(&evidence, &MessageContext::new("my web"), facts)
            .worded(|step| Some(Steps::default().words(step, "my web")));
        let http = EntryTransport::Remote(RemoteKind::Http);
        let description = Description::new("my web", "user", "/home/me/.claude.json", http);
        let auth = AuthRow::new(Vec::new(), &mcp_auth::provider::ProviderSnapshot::default(), false);
        let row = Row::new(description, report, auth, Duration::from_millis(311));
        row.with_sessions(
            sessions.iter().map(|(pid, shared, status)| session(*pid, *shared, status)).collect(),
        )
    }

    fn session(pid: u32, shared: Option<SharingRole>, status: &str) -> Session {
        let reason = (status == "failed").then_some("no answer");
        Session { host: Some("Codex 0.171".to_owned()), shared, ..Session::example(pid, status, reason) }
    }

    #[test]
    fn the_sessions_of_a_server_are_counted_with_the_connections_that_they_have() {
        let up = "connected";
        let owner = |guests| Some(SharingRole::Owner { guests });
        let guest = |via| Some(SharingRole::Guest { via });
        for (sessions, text) in [
            (&[][..], "none is live"),
            (&[(1, None, up)], "1 is live"),
            (&[(1, owner(0), up)], "1 is live"),
            (&[(1, None, up), (2, None, up)], "2 are live, on 2 connections"),
            (&[(1, owner(2), up), (2, guest(1), up), (3, guest(1), up)], "3 are live, on 1 connection"),
            (&[(1, owner(1), up), (2, guest(1), up), (3, None, up)], "3 are live, on 2 connections"),
            // Who keeps it does not answer.
            (&[(2, guest(1), up), (3, guest(1), up)], "2 are live, on 1 connection"),
        ] {
            let check = sessions_check(&row(true, sessions), &[]);
            assert_eq!((check.topic, check.message.as_str()), (CheckTopic::Sessions, text));
            let state = if sessions.is_empty() { CheckState::Skipped } else { CheckState::Good };
            assert_eq!((check.state, check.more.len()), (state, sessions.len()), "{check:?}");
        }
    }

    #[test]
    fn each_session_of_a_server_is_told_with_what_it_is_on_its_connection() {
        let owner = Some(SharingRole::Owner { guests: 2 });
        let guest = Some(SharingRole::Guest { via: 1 });
        let sessions = [(1, owner, "connected"), (2, guest, "connected"), (3, guest, "failed")];
        let check = sessions_check(&row(true, &sessions), &[]);
        assert_eq!(
            check.more,
            [
                "1 (bridge of Codex 0.171, shared with 2 more) connected",
                "2 (bridge of Codex 0.171, shared: via 1) connected",
                "3 (bridge of Codex 0.171, shared: via 1) failed: no answer",
                "`mcplink reconnect 'my web'` has them try again",
            ]
        );
        assert_eq!(check.state, CheckState::Noted, "it is up, and a session does not know that");
        // Where the server does not answer, there is nothing to try.
        let check = sessions_check(&row(false, &[(3, None, "connected")]), &[]);
        assert_eq!((check.state, check.more.len()), (CheckState::Good, 1), "{check:?}");
    }

    #[test]
    fn a_session_that_does_not_answer_is_told_of_each_server() {
        let silent = [SilentSession { pid: 7, server: None, can_be_stopped: true }];
        let said = "session 7 does not answer: its process is stopped, or hangs; `mcplink stop 7` ends it";
        let check = sessions_check(&row(true, &[]), &silent);
        assert_eq!(
            (check.message.as_str(), &check.more[..]),
            ("none is known to be live", &[said.to_owned()][..])
        );
        assert_eq!(check.state, CheckState::Noted);
        let check = sessions_check(&row(true, &[(1, None, "connected")]), &silent);
        assert_eq!((check.message.as_str(), check.more.len(), &check.more[1][..]), ("1 is live", 2, said));
    }
}
