//! Files and standard input, as arguments may name them.

use std::path::PathBuf;

use crate::arguments::{ArgumentError, Arguments, Inputs};

/// Reads arguments as typed; relative paths start from `directory`.
///
/// On a thread of its own: a pipe may stay silent for ever, and the thread that would wait for it is the one that
/// signals are handled on.
pub(crate) async fn read(typed: &[String], directory: PathBuf) -> Result<Arguments, ArgumentError> {
    let typed = typed.to_vec();
    let reading = tokio::task::spawn_blocking(move || Arguments::parse(&typed, &Files { directory }));
    reading.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
}

/// Files relative to a directory, and standard input.
#[derive(Debug)]
struct Files {
    directory: PathBuf,
}

impl Inputs for Files {
    fn file(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(self.directory.join(path))
            .map_err(|error| format!("names a file that cannot be read: {error}"))
    }

    fn stdin(&self) -> Result<String, String> {
        std::io::read_to_string(std::io::stdin())
            .map_err(|error| format!("cannot be read from stdin: {error}"))
    }
}
