//! What a command knows of files that cannot be understood, and what it has said of them.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mcp_config::{Config, Problem};

/// The files that were broken when the configuration was read last, and what has been told of files so far.
#[derive(Debug, Default)]
pub(crate) struct BrokenFiles(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// `None` until the configuration is read.
    seen: Option<Vec<Problem>>,
    /// Everything that was told of files, so that it is told once.
    named: HashSet<String>,
}

impl BrokenFiles {
    /// The configuration was read.
    pub(crate) fn see(&self, config: &Config) {
        self.lock().seen = Some(config.broken_files().cloned().collect());
    }

    /// Whether this command has not told a person this yet, which it is about to do.
    pub(crate) fn is_news(&self, text: &str) -> bool {
        self.lock().named.insert(text.to_owned())
    }

    /// Those of the last look; `None` where nothing was read.
    pub(crate) fn seen(&self) -> Option<Vec<Problem>> {
        self.lock().seen.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
