//! A provider that does what another does, and writes down what came of it.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use mcp_auth::provider::{Acceptance, ProviderSnapshot};
use mcp_auth::{AuthError, AuthFuture, AuthProvider, Capabilities, Credentials, Recovery, Rejection};

use super::{Event, SessionLog};

/// `inner`, with its helper runs and refusals in the log.
#[derive(Debug)]
pub(crate) struct LoggingProvider {
    inner: Arc<dyn AuthProvider>,
    log: SessionLog,
    /// When the last run that was written down ended.
    seen: Mutex<Option<SystemTime>>,
}

impl LoggingProvider {
    pub(crate) fn new(inner: Arc<dyn AuthProvider>, log: SessionLog) -> Self {
        Self { inner, log, seen: Mutex::default() }
    }

    /// Writes down a run that has not been written down yet. A run in the background shows with the next request.
    fn note_run(&self, credentials: Option<&Credentials>) {
        let snapshot = self.inner.snapshot();
        let Some(run) = snapshot.last_fetch else { return };
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *seen == Some(run.at) {
            return;
        }
        *seen = Some(run.at);
        let names =
            credentials.map(|credentials| credentials.names().map(|(name, _)| name.to_string()).collect());
        self.log.record(Event::Helper {
            provider: self.inner.name().to_owned(),
            duration_ms: u64::try_from(run.duration.as_millis()).unwrap_or(u64::MAX),
            exit_code: run.exit_code,
            headers: names.unwrap_or_default(),
        });
    }
}

impl AuthProvider for LoggingProvider {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        Box::pin(async {
            let credentials = self.inner.credentials().await;
            self.note_run(credentials.as_ref().ok());
            credentials
        })
    }

    fn on_rejected<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        Box::pin(async move {
            let http_status = rejection.status.as_u16();
            let recovery = self.inner.on_rejected(rejection).await;
            self.note_run(match &recovery {
                Ok(Recovery::Retry(credentials)) => Some(credentials),
                _ => None,
            });
            let word = match &recovery {
                Ok(Recovery::Retry(_)) => "retry",
                Ok(Recovery::LoginRequired) => "login-required",
                Ok(Recovery::Unchanged) => "unchanged",
                Ok(_) => "exhausted",
                Err(_) => "failed",
            };
            self.log.record(Event::Refused {
                provider: self.inner.name().to_owned(),
                http_status,
                recovery: word.to_owned(),
            });
            recovery
        })
    }

    fn on_answer(&self, acceptance: Acceptance<'_>) -> Result<(), AuthError> {
        self.inner.on_answer(acceptance)
    }

    fn invalidate(&self) {
        self.inner.invalidate();
    }

    fn snapshot(&self) -> ProviderSnapshot {
        self.inner.snapshot()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Counts what it is told.
    #[derive(Debug, Default)]
    struct Listener {
        answers: AtomicU32,
        invalidations: AtomicU32,
    }

    impl AuthProvider for Listener {
        fn name(&self) -> &str {
            "listener"
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities::default()
        }

        fn credentials(&self) -> AuthFuture<'_, Credentials> {
            Box::pin(std::future::ready(Ok(Credentials::none())))
        }

        fn on_rejected<'a>(&'a self, _rejection: Rejection<'a>) -> AuthFuture<'a, Recovery> {
            Box::pin(std::future::ready(Ok(Recovery::Exhausted)))
        }

        fn on_answer(&self, _acceptance: Acceptance<'_>) -> Result<(), AuthError> {
            self.answers.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        fn invalidate(&self) {
            self.invalidations.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Nonces are learned from answers, and a source may refuse one that is not its server's.
    #[test]
    fn what_a_provider_is_told_goes_through_the_log() {
        let home = tempfile::tempdir().unwrap();
        let inner = Arc::new(Listener::default());
        let logging = LoggingProvider::new(inner.clone(), SessionLog::new(home.path(), "s"));
        let (url, headers, used) =
            ("http://h/".parse().unwrap(), http::HeaderMap::new(), Credentials::none());
        logging.on_answer(Acceptance::new(http::StatusCode::OK, &url, &headers, &used)).unwrap();
        logging.invalidate();
        let heard = (inner.answers.load(Ordering::Relaxed), inner.invalidations.load(Ordering::Relaxed));
        assert_eq!(heard, (1, 1));
    }
}
