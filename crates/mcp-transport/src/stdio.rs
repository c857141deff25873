//! MCP over the standard streams of a child process (2025-11-25 and 2026-07-28, stdio).
//!
//! One task keeps the process: it reads its output, notices its end and ends it, in this order of patience:
//! standard input is closed, the group is asked to end, the group is killed. Writing happens on a task of its
//! own, so that a request that is given up never leaves half a line behind.

mod diagnosis;
mod dialect;
#[cfg(all(any(fuzzing, test), feature = "http"))]
pub(crate) mod fuzzing;
mod group;
mod lack;
mod outbox;
mod process_task;
mod salvage;
mod side;
mod start;
mod stopped;
mod stream;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_text::Secrets;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::group::Group;
use self::outbox::Outbox;
use self::process_task::ProcessTask;
pub(crate) use self::side::Side;
pub use self::side::SideOutput;
pub(crate) use self::start::Start;
pub use self::start::{ProcessStart, StartSink};
use self::stopped::{StoppedProcess, stopped_process};
pub(crate) use self::stream::StreamWire;
use crate::activity::Activity;
use crate::duplex::{CloseReason, Duplex, Outcome, Patience, Reply};
use crate::endpoint::StdioEndpoint;
use crate::error::TransportError;
use crate::inbound::Inbound;
use crate::limits::{Allowance, Budget};
use crate::message::lines::put_on_one_line;

/// How long a command may leave a request unanswered before it is looked at whether it is stopped.
const UNANSWERED: Duration = Duration::from_millis(400);
/// How long it has to be stopped for that to count, and how often it is looked at meanwhile.
const STOPPED: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(250);
/// How soon one that is not stopped is looked at again, for a request that lasts.
const NEXT_LOOK: Duration = Duration::from_secs(5);

/// A connection to a child process. Dropping it kills the process and everything it started.
pub(crate) struct StdioWire {
    duplex: Duplex,
    /// Lines for standard input.
    outbox: Outbox,
    side: Side,
    signals: Signals,
    /// The command itself.
    leader: Option<u32>,
    /// What it has left unanswered.
    activity: Activity,
}

/// What the tasks of one connection tell each other.
#[derive(Clone, Default)]
struct Signals {
    /// End in good order.
    stop: CancellationToken,
    /// End now.
    kill: CancellationToken,
    /// Standard input takes nothing more.
    input_closed: CancellationToken,
    /// Nothing of the process is left.
    done: CancellationToken,
}

/// What the process lacks that a failure is about, where that is known.
pub(crate) fn lack(error: &TransportError) -> Option<mcp_status::ProcessLack> {
    match error.kind() {
        crate::TransportErrorKind::Spawn { .. } => {
            std::error::Error::source(error)?.downcast_ref::<diagnosis::Diagnosis>()?.lack.clone()
        }
        crate::TransportErrorKind::SlowStart { .. } => {
            let said = std::error::Error::source(error)?.downcast_ref::<SideOutput>()?;
            said.asks().then_some(mcp_status::ProcessLack::Answer)
        }
        crate::TransportErrorKind::Exited { .. } => lack::of_line(&error.side_output()?.to_string()),
        _ => None,
    }
}

impl StdioWire {
    /// Starts the command. Must run inside a tokio runtime.
    ///
    /// `budget` is what the server may cost; `inbound` receives what it starts by itself.
    ///
    /// # Errors
    /// [`Spawn`](crate::TransportErrorKind::Spawn): it could not be started.
    pub(crate) fn spawn(
        endpoint: &StdioEndpoint,
        budget: &Budget,
        inbound: Arc<dyn Inbound>,
    ) -> Result<Self, TransportError> {
        let (group, pipes) = Group::spawn(endpoint)?;
        let leader = group.leader();
        let (outbox, lines) = Outbox::new();
        let reply: Reply = Arc::new({
            let outbox = outbox.clone();
            move |mut frame, debt| {
                put_on_one_line(&mut frame);
                outbox.answer(frame, debt);
            }
        });
        let duplex = Duplex::new(inbound, budget, reply);
        let (side, signals) = (Side::new(endpoint), Signals::default());
        let process_task =
            ProcessTask::new(group, duplex.clone(), side.clone(), signals.clone(), budget.limits.longest())
                .with_hint(diagnosis::hint(endpoint));
        tokio::spawn(process_task.run(pipes, lines));
        Ok(Self { duplex, outbox, side, signals, leader, activity: Activity::default() })
    }

    /// Sends the request `id`, encoded as `frame`, and waits for its answer. Dropping the future forgets the
    /// request but does not tell the server.
    ///
    /// # Errors
    /// See [`Waiter::outcome`](crate::duplex::Waiter::outcome).
    pub(crate) async fn request(
        &self,
        id: i64,
        frame: Vec<u8>,
        allowance: Allowance,
        patience: Patience<'_>,
    ) -> Outcome {
        let waiter = self.duplex.register(id, allowance)?;
        self.send(frame)?;
        let asked = self.activity.asked();
        let outcome = tokio::select! {
            biased;
            outcome = waiter.outcome(patience) => outcome,
            never = self.end_where_stopped(Instant::now()) => match never {},
        };
        asked.heard();
        // Security: a server may repeat what it found in its environment.
        outcome.map_err(|error| error.without_secrets(self.side.secrets()))
    }

    /// Ends the connection where the command is stopped and leaves what was asked since `began` unanswered: everyone who waits
    /// hears of it, and the process is gone before another one is started in its place.
    async fn end_where_stopped(&self, began: Instant) -> Infallible {
        self.activity.falls_quiet_for(UNANSWERED, began).await;
        let mut since: Option<(StoppedProcess, Instant)> = None;
        loop {
            let Some(found) = self.leader.and_then(stopped_process) else {
                since = None;
                sleep(NEXT_LOOK).await;
                continue;
            };
            match &since {
                Some((before, since)) if *before == found && since.elapsed() >= STOPPED => {
                    self.duplex.end(CloseReason::stopped(found.pid));
                    self.signals.kill.cancel();
                }
                Some((before, _)) if *before == found => {}
                _ => since = Some((found, Instant::now())),
            }
            sleep(LOOK).await;
        }
    }

    /// Sends a notification or a response. Does not wait until it is written, so it can be called while
    /// something is dropped.
    ///
    /// # Errors
    /// The reason why the connection ended, or the server does not read.
    pub(crate) fn send(&self, mut frame: Vec<u8>) -> Result<(), TransportError> {
        match self.duplex.ended() {
            Some(reason) => Err(reason.to_error()),
            None => {
                put_on_one_line(&mut frame);
                self.outbox.send(frame)
            }
        }
    }

    /// Ends the process in good order, and in any case; returns when nothing of it is left. What was sent
    /// before is still written. Requests in flight fail at once.
    pub(crate) async fn close(&self) {
        self.duplex.end(CloseReason::by_owner());
        self.signals.stop.cancel();
        self.signals.done.cancelled().await;
    }

    /// Why it ended, where it has.
    pub(crate) fn why_ended(&self) -> Option<TransportError> {
        self.duplex.ended().map(|reason| reason.to_error().without_secrets(self.side.secrets()))
    }

    /// Whether the command is stopped, and would answer nothing.
    pub(crate) fn is_stopped(&self) -> bool {
        self.leader.and_then(stopped_process).is_some()
    }

    /// Where what it prints beside the protocol is collected, also after this has been dropped.
    pub(crate) fn side(&self) -> Side {
        self.side.clone()
    }

    /// What the command was given and must not be repeated.
    pub(crate) fn secrets(&self) -> &Secrets {
        self.side.secrets()
    }

    /// What the command printed beside the protocol so far.
    pub(crate) fn side_output(&self) -> SideOutput {
        self.side.snapshot()
    }
}

impl fmt::Debug for StdioWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioWire").field("duplex", &self.duplex).finish_non_exhaustive()
    }
}

impl Drop for StdioWire {
    fn drop(&mut self) {
        self.duplex.end(CloseReason::by_owner());
        self.signals.kill.cancel();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
