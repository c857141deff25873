//! `mcplink status`: connects to the servers and shows them: all on one screen of a terminal, in the order of the
//! configuration in a pipe.

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use mcp_transport::connect::ConnectPolicy;
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, timeout_at};

use crate::app::App;
use crate::args::StatusArgs;
use crate::completion::names::ListedNames;
use crate::deadline::closing_time;
use crate::error::CliError;
use crate::exit::{self, ExitStatus};
use crate::live::{self, SeenSessions};
use crate::signals::{self, Terminal, TerminalEvent};
use crate::steps::Steps;
use crate::view::live::LiveTable;
use crate::view::overview::{Overview, OverviewLine, aside, further};
use crate::view::row::{HostPlace, Row, Servers, SilentSession};
use crate::view::text;
use mcp_connect::{ConfiguredServer, Probe};

mod hosts;

pub(super) use self::hosts::{left_behind, problems_of_hosts};

/// How long a look lasts before it takes the terminal: most are over by then, and a screen that only flashes tells nothing.
const UNSEEN: Duration = Duration::from_millis(250);
/// How often the spinners turn.
const FRAME: Duration = Duration::from_millis(100);
/// What closing connections may take at the end; a server that hangs must not hold the command.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

pub(super) async fn run(app: &Arc<App>, args: &StatusArgs) -> Result<ExitStatus, CliError> {
    if args.watch {
        return super::watch::run(app, &args.names).await;
    }
    if args.hosts {
        return hosts::run(app, args).await;
    }
    let loaded = app.load()?;
    let configured = loaded.wired_named(app, &args.names).await?;
    if !app.json {
        loaded.note_problems_of(app, &args.names, &configured);
        if configured.is_empty() {
            loaded.note_nothing(app);
        }
    }
    let checked_at = SystemTime::now();
    let rows = look(app, args, &configured, &[]).await;
    if app.json {
        let (problems, pointers) = (loaded.problem_rows(), loaded.pointer_rows(&args.names));
        app.print_json(&Servers::new(Some(checked_at), &rows, &problems).with_any_pointers(&pointers));
    }
    Ok(if args.offline { offline_exit(&rows) } else { combined(&rows) })
}

/// What there is to tell of these servers, which is shown to people; `hosts` says for each where hosts have it, where that
/// was looked for.
async fn look(
    app: &App,
    args: &StatusArgs,
    configured: &[ConfiguredServer],
    hosts: &[Vec<HostPlace>],
) -> Vec<Row> {
    if !args.offline {
        let policy = if args.retry { ConnectPolicy::one_shot() } else { ConnectPolicy::glance() };
        return probe_in_hosts(app, configured, hosts, &policy, ProbeDisplay::rows(app)).await;
    }
    let sessions = live::of(&app.environment, configured).await;
    note_silent(app, &sessions.silent);
    let rows: Vec<Row> = configured
        .iter()
        .zip(sessions.live)
        .enumerate()
        .map(|(index, (configured, live))| {
            let hosts = hosts.get(index).cloned().unwrap_or_default();
            Row::offline(configured, &steps(app, &hosts)).with_sessions(live).with_hosts(hosts)
        })
        .collect();
    if !app.json {
        print_all(app, &rows);
    }
    rows
}

/// The steps of a server that these hosts have: as an entry of the first of them, where none has it through this program.
fn steps(app: &App, hosts: &[HostPlace]) -> Arc<Steps> {
    match hosts.first() {
        Some(place) if hosts.iter().all(|place| !place.is_ours) => Arc::new(app.steps.in_host(place.host)),
        _ => app.steps.clone(),
    }
}

/// The exit status of these rows.
pub(super) fn combined(rows: &[Row]) -> ExitStatus {
    combined_of(rows.iter())
}

/// Nothing was contacted, so a server of which the files tell nothing bad is not a failure.
fn offline_exit(rows: &[Row]) -> ExitStatus {
    combined_of(rows.iter().filter(|row| row.reason().is_some()))
}

fn combined_of<'a>(rows: impl Iterator<Item = &'a Row>) -> ExitStatus {
    ExitStatus::combine(rows.filter_map(|row| {
        row.status.map(|status| exit::of_status(status, row.reason().map(|reason| reason.code)))
    }))
}

fn print_all(app: &App, rows: &[Row]) {
    if app.output.stdout_is_terminal {
        app.output.out(&overview(app, rows, None));
        return;
    }
    let width = text::name_width(rows.iter().map(|row| row.name.as_str()));
    for row in rows {
        app.output.out(&text::status_lines(row, width, app.style()));
    }
}

/// The screen of these servers, which it took that long to look at.
fn overview(app: &App, rows: &[Row], took: Option<Duration>) -> String {
    let folder = app.directory().ok();
    let overview = Overview {
        lines: rows.iter().map(OverviewLine::of).collect(),
        aside: aside(folder.as_deref(), took),
        problems: &[],
        foot: further(rows, |row, command| steps(app, &row.hosts).line(command)),
    };
    overview.text(app.style())
}

/// What is shown while servers are probed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ProbeDisplay {
    /// All servers, with their live sessions.
    Rows,
    /// One row after the other; what live sessions do is told by the caller.
    RowsAlone,
    /// Nothing: the caller shows the result.
    Nothing,
}

impl ProbeDisplay {
    /// Rows for people, nothing where one JSON document follows.
    pub(super) fn rows(app: &App) -> Self {
        if app.json { Self::Nothing } else { Self::Rows }
    }
}

/// Probes all servers at once, within the limits on concurrency, and shows them. The rows come back in the order of `configured`.
pub(super) async fn probe_all(
    app: &App,
    configured: &[ConfiguredServer],
    policy: &ConnectPolicy,
    show: ProbeDisplay,
) -> Vec<Row> {
    probe_in_hosts(app, configured, &[], policy, show).await
}

/// The same, with where hosts have each of them.
async fn probe_in_hosts(
    app: &App,
    configured: &[ConfiguredServer],
    hosts: &[Vec<HostPlace>],
    policy: &ConnectPolicy,
    show: ProbeDisplay,
) -> Vec<Row> {
    let deadline = app.deadline;
    let sessions = match show {
        ProbeDisplay::RowsAlone => SeenSessions::default(),
        ProbeDisplay::Rows | ProbeDisplay::Nothing => {
            let asked = live::of(&app.environment, configured);
            match deadline {
                Some(deadline) => timeout_at(deadline.at, asked).await.unwrap_or_default(),
                None => asked.await,
            }
        }
    };
    if show == ProbeDisplay::Rows {
        note_silent(app, &sessions.silent);
    }
    let names: Vec<String> =
        configured.iter().map(|configured| configured.description.name.clone()).collect();
    let mut screen = Progress::new(app, &names, show);
    let (remote, local) = (Semaphore::new(app.remote_batch()), Semaphore::new(app.stdio_batch()));
    let (notes, mut noted) = tokio::sync::mpsc::unbounded_channel::<(usize, String)>();

    let probe = |index: usize| {
        let (configured, notes) = (&configured[index], notes.clone());
        let slots = if configured.is_stdio() { &local } else { &remote };
        async move {
            // The semaphores are never closed.
            let _slot = if configured.state.is_ok() { slots.acquire().await.ok() } else { None };
            let observe = move |reason: &mcp_status::Reason| {
                // The table may be gone; then the note is not wanted.
                drop(notes.send((index, reason.message.clone())));
            };
            let until = deadline.map(|deadline| deadline.at);
            let probe = Probe::run(app.host.connector(), configured, policy, until, observe).await;
            probe.connection.iter().for_each(|connection| app.open.keep(connection));
            if let (Some(connection), Some(tools)) = (&probe.connection, &probe.tools) {
                ListedNames::keep_tools(app, configured, tools, &connection.credentials_sent());
            }
            let hosts = hosts.get(index).cloned().unwrap_or_default();
            let row = Row::of_probe(configured, &probe, deadline, &steps(app, &hosts)).with_hosts(hosts);
            (index, row, probe.connection)
        }
    };
    let with_sessions =
        |index: usize, row: Row| row.with_sessions(sessions.live.get(index).cloned().unwrap_or_default());
    let (contacted, others): (Vec<_>, Vec<_>) =
        (0..configured.len()).partition(|index| configured[*index].state.is_ok());
    // What is never contacted is known before anything is drawn: no frame says that it is connecting.
    for index in others {
        let (index, row, _) = probe(index).await;
        screen.known(index, with_sessions(index, row));
    }
    let mut probes: FuturesUnordered<_> = contacted.into_iter().map(probe).collect();

    let closing = FuturesUnordered::new();
    let mut ticks = interval(FRAME);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // Asked for only where a table is drawn: elsewhere Ctrl-Z does what it does.
    let mut terminal = screen.table.is_some().then(Terminal::new);
    loop {
        tokio::select! {
            biased;
            Some((index, note)) = noted.recv() => if let Some(table) = &mut screen.table {
                table.note(index, &note);
            },
            next = probes.next() => {
                let Some((index, row, connection)) = next else { break };
                screen.known(index, with_sessions(index, row));
                if let Some(connection) = connection {
                    closing.push(app.open.end(connection));
                }
            }
            event = moved(&mut terminal) => if event == TerminalEvent::Stopped {
                app.output.clear();
                signals::stop();
            },
            _ = ticks.tick(), if show != ProbeDisplay::Nothing => screen.tick(),
        }
    }
    let rows = screen.finish();
    drop(tokio::time::timeout(closing_time(app.deadline, CLOSE_LIMIT), closing.collect::<Vec<()>>()).await);
    rows
}

/// Tells of sessions that do not answer: any of them may be one of these servers.
pub(super) fn note_silent(app: &App, silent: &[SilentSession]) {
    if !app.json {
        silent.iter().for_each(|session| app.output.note(&format!("{}\n", session.text())));
    }
}

/// What becomes of the terminal next, where something is drawn on it.
async fn moved(terminal: &mut Option<Terminal>) -> TerminalEvent {
    match terminal {
        Some(terminal) => terminal.moved().await,
        None => std::future::pending().await,
    }
}

/// How long a line of a pipe waits for those before it. Two runs have their order in common then, but for servers that are slow,
/// which hold up no other.
const IN_ORDER: Duration = Duration::from_millis(700);

/// What is shown of servers that become known one after the other. On a terminal each is seen at once, and all of them in the
/// end; in a pipe they have the order of the configuration as far as none is slow.
struct Progress<'a> {
    app: &'a App,
    show: ProbeDisplay,
    began: Instant,
    width: usize,
    table: Option<LiveTable>,
    rows: Vec<Option<Row>>,
    /// Which of them have been written.
    written: Vec<bool>,
}

impl<'a> Progress<'a> {
    fn new(app: &'a App, names: &[String], show: ProbeDisplay) -> Self {
        let width = text::name_width(names.iter().map(String::as_str));
        let draws = show != ProbeDisplay::Nothing && app.output.draws();
        let table = draws.then(|| LiveTable::new(names, width, app.style(), app.terminal_size().1));
        let (rows, written) = (vec![None; names.len()], vec![false; names.len()]);
        Self { app, show, began: Instant::now(), width, table, rows, written }
    }

    fn known(&mut self, index: usize, row: Row) {
        if let Some(table) = &mut self.table {
            table.done(index, row.clone());
        }
        self.rows[index] = Some(row);
        if self.table.is_none() {
            self.write();
        }
    }

    fn tick(&mut self) {
        if let Some(table) = &mut self.table {
            if self.began.elapsed() >= UNSEEN {
                table.resize(self.app.terminal_size());
                self.app.output.paint(&table.frame());
            }
        } else {
            self.write();
        }
    }

    /// Writes what is known and has waited long enough for those before it.
    fn write(&mut self) {
        let is_in_order = self.began.elapsed() < IN_ORDER;
        for (row, written) in self.rows.iter().zip(&mut self.written) {
            match row {
                Some(_) if *written => {}
                Some(row) => {
                    *written = true;
                    leave(self.app, self.show, row, self.width);
                }
                None if is_in_order => break,
                None => {}
            }
        }
    }

    fn finish(mut self) -> Vec<Row> {
        let rows: Vec<Row> = std::mem::take(&mut self.rows).into_iter().flatten().collect();
        let lines = |row| text::status_lines(row, self.width, self.app.style());
        let stays = match (&self.table, self.show) {
            (Some(_), ProbeDisplay::Rows) => overview(self.app, &rows, Some(self.began.elapsed())),
            (Some(_), _) => rows.iter().map(lines).collect(),
            // All of them have been written.
            (None, _) => return rows,
        };
        self.app.output.out(&stays);
        rows
    }
}

impl Drop for Progress<'_> {
    /// It ends before all are known: what is known stays.
    fn drop(&mut self) {
        for (row, _) in self.rows.iter().zip(&self.written).filter(|(_, written)| !**written) {
            if let Some(row) = row {
                leave(self.app, self.show, row, self.width);
            }
        }
    }
}

fn leave(app: &App, show: ProbeDisplay, row: &Row, width: usize) {
    if show != ProbeDisplay::Nothing {
        app.output.out(&text::status_lines(row, width, app.style()));
    }
}
