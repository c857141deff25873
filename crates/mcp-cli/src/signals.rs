//! Ctrl-C, SIGTERM, SIGHUP and SIGQUIT (Ctrl-\, which would leave children behind and tokens in a core file):
//! the command is dropped where it stands, and what it holds cleans up after itself
//! (child processes end with their group, locks are released, nothing is half written).

use crate::error::CliError;
use crate::exit::ExitStatus;

/// Runs `command` until it ends or a signal arrives.
pub(crate) async fn or_interrupted(
    command: impl Future<Output = Result<ExitStatus, CliError>>,
) -> Result<ExitStatus, CliError> {
    tokio::select! {
        // In this order the handlers are there before anything is started that would have to be cleaned up.
        biased;
        signal = signal() => Ok(signal),
        ended = command => ended,
    }
}

/// Waits for a signal that ends this process.
#[cfg(unix)]
pub(crate) async fn signal() -> ExitStatus {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut quit)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::quit()))
    else {
        // Without handlers the system's defaults end the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => ExitStatus::Interrupted,
        _ = terminate.recv() => ExitStatus::Terminated,
        _ = quit.recv() => ExitStatus::Terminated,
        () = hung_up() => ExitStatus::Terminated,
    }
}

/// Waits until the terminal, or the host that this belongs to, is gone. Never where that is to be ignored (`nohup`).
#[cfg(unix)]
async fn hung_up() {
    use tokio::signal::unix::{SignalKind, signal};
    // Asked first: to listen is not to ignore any more.
    if is_hangup_ignored() {
        return std::future::pending().await;
    }
    match signal(SignalKind::hangup()) {
        Ok(mut hangup) => drop(hangup.recv().await),
        Err(_) => std::future::pending().await,
    }
}

/// Whether this process was started so that it outlives its terminal; where the system does not tell, it was not.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    const SIGHUP: u32 = 1;
    let policy = mcp_files::Policy::surroundings(64 << 10);
    let Ok(status) = mcp_files::read(std::path::Path::new("/proc/self/status"), &policy) else {
        return false;
    };
    let status = String::from_utf8_lossy(&status);
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}

/// What becomes of the terminal while something is drawn on it.
#[derive(Debug)]
pub(crate) struct Terminal {
    #[cfg(unix)]
    resized: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    stopped: Option<tokio::signal::unix::Signal>,
}

/// One thing that becomes of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "a system without signals tells nothing"))]
pub(crate) enum TerminalEvent {
    /// The window has another size.
    Resized,
    /// A person wants to do something else meanwhile (Ctrl-Z): see [`stop`].
    Stopped,
}

#[cfg(unix)]
impl Terminal {
    pub(crate) fn new() -> Self {
        use rustix::process::Signal;
        use tokio::signal::unix::{SignalKind, signal};
        let stop = SignalKind::from_raw(Signal::TSTP.as_raw());
        Self { resized: signal(SignalKind::window_change()).ok(), stopped: signal(stop).ok() }
    }

    /// Waits for the next. Dropping the future loses nothing.
    pub(crate) async fn moved(&mut self) -> TerminalEvent {
        async fn next(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = next(&mut self.resized) => TerminalEvent::Resized,
            () = next(&mut self.stopped) => TerminalEvent::Stopped,
        }
    }
}

/// Stops this process as Ctrl-Z does, until its shell lets it go on. The terminal has to be as it was by now.
#[cfg(unix)]
pub(crate) fn stop() {
    // Refused to no process about itself.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
}

#[cfg(not(unix))]
impl Terminal {
    pub(crate) fn new() -> Self {
        Self {}
    }

    /// Never.
    pub(crate) async fn moved(&mut self) -> TerminalEvent {
        std::future::pending().await
    }
}

/// There is nothing that it would be called by.
#[cfg(not(unix))]
pub(crate) fn stop() {}

/// Waits for a signal that ends this process.
#[cfg(not(unix))]
pub(crate) async fn signal() -> ExitStatus {
    match tokio::signal::ctrl_c().await {
        Ok(()) => ExitStatus::Interrupted,
        Err(_) => std::future::pending().await,
    }
}
