//! The task that keeps one child process: from its first byte to its last trace.

use std::borrow::Cow;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::dialect::{Dialect, DialectSighting};
use super::group::{Group, Pipes};
use super::outbox::Inbox;
use super::salvage::{LineOutcome, PartialMessage};
use super::side::{End, STRAY_BYTES};
use super::{Side, Signals};
use crate::duplex::{CloseReason, Duplex, Gauge};
use crate::error::TransportErrorKind;
use crate::message::lines::Lines;

/// How long each step of a shutdown may take before the next, harsher one.
const GRACE: Duration = Duration::from_secs(2);
/// How long the pipes may stay open after the exit, and the exit may stay away after the pipes closed.
/// What the process said last is worth waiting for, but a grandchild can hold a pipe open without end.
const PIPE_GRACE: Duration = Duration::from_millis(500);
/// Lines that are no messages before the first that is one. A banner fits; a program that speaks something
/// else is recognised long before any limit of time.
const MAX_STRAY_FIRST: u64 = 100;

/// Everything about one process but the pipes.
pub(super) struct ProcessTask {
    group: Group,
    duplex: Duplex,
    side: Side,
    signals: Signals,
    max_line_bytes: usize,
    /// What is most likely wrong with the command line, should it end before it speaks.
    hint: Option<String>,
}

impl ProcessTask {
    pub(super) fn new(
        group: Group,
        duplex: Duplex,
        side: Side,
        signals: Signals,
        max_line_bytes: usize,
    ) -> Self {
        Self { group, duplex, side, signals, max_line_bytes, hint: None }
    }

    #[must_use]
    pub(super) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    pub(super) async fn run(mut self, pipes: Pipes, lines: Inbox) {
        // Also where this task is dropped with its runtime.
        let _done = self.signals.done.clone().drop_guard();
        let writer = AbortOnDrop(tokio::spawn(write(pipes.stdin, lines, self.signals.clone())));
        let mut stderr = AbortOnDrop(tokio::spawn(drain(pipes.stderr, self.side.clone())));
        let mut stdout = Stdout {
            pipe: Some(pipes.stdout),
            lines: Lines::new(self.max_line_bytes),
            gauge: Gauge::new(&self.duplex),
            spoken: false,
            patience: None,
            salvage: PartialMessage::default(),
            duplex: self.duplex.clone(),
            side: self.side.clone(),
        };

        let reason = self.serve(&mut stdout, &mut stderr).await;
        self.duplex.end(reason);
        self.shut_down(&mut stdout, &writer).await;
    }

    /// Serves until there is a reason to stop.
    async fn serve(&mut self, stdout: &mut Stdout, stderr: &mut AbortOnDrop) -> CloseReason {
        let ended = tokio::select! {
            ended = stdout.read() => ended,
            exit = self.group.leader_exit() => {
                // What it said last still counts.
                let rest = async {
                    let _ = stdout.read().await;
                    let _ = (&mut stderr.0).await;
                };
                let closed = timeout(PIPE_GRACE, rest).await.is_ok();
                return self.exited(exit.ok(), stdout.spoken, closed);
            }
            () = self.signals.input_closed.cancelled() => ReadEnd::InputClosed,
            () = self.signals.stop.cancelled() => return CloseReason::by_owner(),
            () = self.signals.kill.cancelled() => return CloseReason::by_owner(),
        };
        match ended {
            // Which limit it was is all that there is to say: what the command prints beside is no reason.
            ReadEnd::Limit(reason) => reason,
            ReadEnd::TooLong => CloseReason::new(
                TransportErrorKind::TooLarge,
                format!("the command printed a line longer than {} bytes", self.max_line_bytes),
            ),
            ReadEnd::Garbage => CloseReason::new(
                TransportErrorKind::Protocol,
                "the command prints something else than MCP messages",
            )
            .with_source(self.side.at_the_end(End { garbage: true, ..End::default() })),
            ended @ (ReadEnd::Eof | ReadEnd::InputClosed) => {
                // Usually the first sign of its exit, whose code says more.
                let exit = async {
                    let exit = self.group.leader_exit().await;
                    let _ = timeout(PIPE_GRACE, &mut stderr.0).await;
                    exit
                };
                match timeout(2 * PIPE_GRACE, exit).await {
                    Ok(exit) => {
                        // A command that reads no more may have left its output to another.
                        let closed =
                            matches!(ended, ReadEnd::Eof) || timeout(PIPE_GRACE, stdout.read()).await.is_ok();
                        self.exited(exit.ok(), stdout.spoken, closed)
                    }
                    Err(_) => {
                        let which = if matches!(ended, ReadEnd::Eof) { "output" } else { "input" };
                        self.because(
                            TransportErrorKind::Dropped,
                            format!("the command closed its standard {which}"),
                        )
                    }
                }
            }
        }
    }

    /// From asking to force. Nothing of the group is left afterwards.
    async fn shut_down(mut self, stdout: &mut Stdout, writer: &AbortOnDrop) {
        self.signals.stop.cancel();
        if !self.ends_within_grace(stdout).await {
            // It may not read, and then the writer holds standard input open.
            writer.0.abort();
            self.group.terminate();
            self.ends_within_grace(stdout).await;
        }
        // Also after an exit in good order: what the command started must not outlive it.
        let _ = timeout(GRACE, self.group.kill()).await;
    }

    /// Whether the command exits in time. Its output is still read, or a full pipe would keep it from exiting.
    async fn ends_within_grace(&mut self, stdout: &mut Stdout) -> bool {
        let exit = async {
            tokio::select! {
                _ = self.group.leader_exit() => {}
                () = stdout.discard() => {}
            }
            // Children that inherited standard output get the chance to end by themselves, too.
            let _ = timeout(PIPE_GRACE, stdout.discard_until_closed()).await;
        };
        tokio::select! {
            ended = timeout(GRACE, exit) => ended.is_ok(),
            () = self.signals.kill.cancelled() => false,
        }
    }

    /// `spoken`: it had sent a message. `closed`: nothing that it started has its output open.
    fn exited(&self, status: Option<ExitStatus>, spoken: bool, closed: bool) -> CloseReason {
        let (code, signal) = (status.and_then(|status| status.code()), status.and_then(signal));
        let message = match (code, signal) {
            (Some(code), _) => format!("the command exited with code {code}"),
            (None, Some(signal)) => format!("the command was ended by signal {signal}"),
            (None, None) => "the command exited".to_owned(),
        };
        let note = match code {
            _ if spoken => None,
            Some(0) if !closed => {
                Some("it went on in the background, and a server has to stay in the foreground".to_owned())
            }
            _ => self.hint.clone(),
        };
        let said = self.side.at_the_end(End { note, spoken, ..End::default() });
        CloseReason::new(TransportErrorKind::Exited { code, signal }, message).with_source(said)
    }

    fn because(&self, kind: TransportErrorKind, message: String) -> CloseReason {
        CloseReason::new(kind, message).with_source(self.side.snapshot())
    }
}

/// Why standard output is not read any further.
#[derive(Debug)]
enum ReadEnd {
    Eof,
    /// It costs more than it may.
    Limit(CloseReason),
    TooLong,
    Garbage,
    /// Not about output: the other direction is broken.
    InputClosed,
}

/// The reading end.
struct Stdout {
    /// `None` once it has ended.
    pipe: Option<ChildStdout>,
    lines: Lines,
    gauge: Gauge,
    /// Whether a message has been seen.
    spoken: bool,
    /// Until when a message has to come, where something else than MCP was heard.
    patience: Option<Instant>,
    /// What is read of a message that is not on one line.
    salvage: PartialMessage,
    duplex: Duplex,
    side: Side,
}

impl Stdout {
    /// Delivers messages until there is a reason to stop. Can be cancelled and repeated.
    async fn read(&mut self) -> ReadEnd {
        while let Some(pipe) = &mut self.pipe {
            let reading = pipe.read_buf(self.lines.room());
            let patience = self.patience.filter(|_| !self.spoken);
            let read = match self.salvage.until().into_iter().chain(patience).min() {
                Some(until) => match timeout_at(until, reading).await {
                    Ok(read) => read,
                    Err(_) if patience == Some(until) => return ReadEnd::Garbage,
                    Err(_) => {
                        self.salvage.give_up(&self.duplex, &self.side);
                        continue;
                    }
                },
                None => reading.await,
            };
            if matches!(read, Ok(0) | Err(_)) {
                self.pipe = None;
            }
            loop {
                if let Err(reason) = self.duplex.room().await {
                    return ReadEnd::Limit(reason);
                }
                let line = match self.lines.next_line() {
                    Ok(Some(line)) => line,
                    Ok(None) => match self.gauge.admit(self.lines.unfinished().len()) {
                        Ok(()) => {
                            if !self.spoken {
                                self.side.unfinished(self.lines.unfinished());
                                if let Some(heard) = Dialect::of_unended(self.lines.unfinished()) {
                                    self.side.heard(heard.dialect, self.lines.unfinished());
                                    shorten(&mut self.patience, heard);
                                }
                            }
                            break;
                        }
                        Err(reason) => return ReadEnd::Limit(reason),
                    },
                    Err(_) => return ReadEnd::TooLong,
                };
                if let Err(reason) = self.gauge.admit(line.len()) {
                    return ReadEnd::Limit(reason);
                }
                if line.trim_ascii().is_empty() {
                    continue;
                }
                // A message takes the line; where it is none, its beginning is what is shown of it.
                let lease = self.gauge.take();
                let (begin, delivered) = match line {
                    Cow::Borrowed(line) => (Cow::Borrowed(line), self.duplex.deliver(line.to_vec(), lease)),
                    Cow::Owned(line) => {
                        let begin = line[..line.len().min(STRAY_BYTES)].to_vec();
                        (Cow::Owned(begin), self.duplex.deliver(line, lease))
                    }
                };
                let whole = matches!(begin, Cow::Borrowed(_));
                let salvaged = match &delivered {
                    Ok(()) => LineOutcome::Message,
                    Err(_) => self.salvage.take(&begin, whole, &self.duplex, &self.side, self.spoken),
                };
                match salvaged {
                    LineOutcome::Message => {
                        self.spoken = true;
                        self.salvage.clear();
                    }
                    LineOutcome::Part => {}
                    LineOutcome::Nothing => {
                        let stray = self.side.stray(&begin);
                        let heard = Dialect::of(&begin).filter(|_| !self.spoken);
                        if let Some(heard) = heard {
                            self.side.heard(heard.dialect, &begin);
                            shorten(&mut self.patience, heard);
                        }
                        if !self.spoken && stray > MAX_STRAY_FIRST {
                            return ReadEnd::Garbage;
                        }
                    }
                }
            }
        }
        ReadEnd::Eof
    }

    /// Reads and discards without end: for a select against something that ends.
    async fn discard(&mut self) {
        self.discard_until_closed().await;
        std::future::pending().await
    }

    async fn discard_until_closed(&mut self) {
        let mut scratch = [0; 4096];
        while let Some(pipe) = &mut self.pipe {
            if matches!(pipe.read(&mut scratch).await, Ok(0) | Err(_)) {
                self.pipe = None;
            }
        }
    }
}

/// What was heard makes the wait for a message no longer than its grace.
fn shorten(patience: &mut Option<Instant>, heard: DialectSighting) {
    let until = Instant::now() + heard.grace();
    *patience = Some(patience.map_or(until, |before| before.min(until)));
}

/// Writes lines until it is told to stop and nothing is queued; then the end of file.
async fn write(mut stdin: ChildStdin, mut lines: Inbox, signals: Signals) {
    loop {
        let line = tokio::select! {
            // In this order, so that what was sent before the stop is written before the end.
            biased;
            line = lines.recv() => line,
            () = signals.stop.cancelled() => None,
        };
        let Some(mut line) = line else { return };
        // One write for the line and its end, so that a reader never sees one without the other.
        line.bytes.push(b'\n');
        if stdin.write_all(&line.bytes).await.is_err() {
            signals.input_closed.cancel();
            return;
        }
    }
}

/// Standard error must be read to its end, or a chatty process blocks on a full pipe.
async fn drain(mut stderr: ChildStderr, side: Side) {
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = stderr.read(&mut chunk).await {
        side.stderr(&chunk[..length]);
    }
}

/// A task that ends with its owner.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}
