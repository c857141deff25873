//! Ctrl-C and SIGTERM: the command is dropped where it stands, and what it holds cleans up after itself
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
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the system's defaults end the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => ExitStatus::Interrupted,
        _ = terminate.recv() => ExitStatus::Terminated,
    }
}

/// Waits for a signal that ends this process.
#[cfg(not(unix))]
pub(crate) async fn signal() -> ExitStatus {
    match tokio::signal::ctrl_c().await {
        Ok(()) => ExitStatus::Interrupted,
        Err(_) => std::future::pending().await,
    }
}
