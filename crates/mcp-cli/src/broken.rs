//! What a command knows of files that cannot be understood, or that others may change, and what it has said of them.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mcp_config::{Config, Problem};

/// What was wrong with whole files when the configuration was read last, and what has been told of files so far.
#[derive(Debug, Default)]
pub(crate) struct BrokenFiles(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// `None` until the configuration is read.
    seen: Option<SeenFiles>,
    /// Everything that was told of files, so that it is told once.
    named: HashSet<String>,
}

/// What is wrong with whole files.
#[derive(Clone, Debug)]
pub(crate) struct SeenFiles {
    /// Those that cannot be understood.
    pub(crate) broken: Vec<Problem>,
    /// Those that are believed, and that every account of this machine may change.
    pub(crate) open_to_all: Vec<Problem>,
}

impl SeenFiles {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            broken: config.broken_files().cloned().collect(),
            open_to_all: config.files_open_to_all().cloned().collect(),
        }
    }
}

impl BrokenFiles {
    /// The configuration was read.
    pub(crate) fn see(&self, config: &Config) {
        self.lock().seen = Some(SeenFiles::of(config));
    }

    /// Whether this command has not told a person this yet, which it is about to do.
    pub(crate) fn is_news(&self, text: &str) -> bool {
        self.lock().named.insert(text.to_owned())
    }

    /// Those of the last look; `None` where nothing was read.
    pub(crate) fn seen(&self) -> Option<SeenFiles> {
        self.lock().seen.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
