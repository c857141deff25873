//! Files and standard input, as arguments may name them.

use std::io::Read;
use std::path::PathBuf;

use mcp_files::{FileError, FileErrorKind, Policy};

use crate::arguments::{ArgumentError, Arguments, Inputs};

/// How long what is read for one argument may be, in bytes: longer ones than servers take, and short enough to hold.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Reads arguments as typed; relative paths start from `directory`.
///
/// On a thread of its own: a pipe may stay silent without end, and the thread that would wait for it is the one that
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
        let read = mcp_files::read(&self.directory.join(path), &Policy::named(MAX_BYTES));
        let bytes = read.map_err(|error| format!("names a file that cannot be read: {}", said(&error)))?;
        String::from_utf8(bytes).map_err(|_| "names a file that is not UTF-8".to_owned())
    }

    fn stdin(&self) -> Result<String, String> {
        let mut text = String::new();
        let read = std::io::stdin().take(MAX_BYTES + 1).read_to_string(&mut text);
        read.map_err(|error| format!("cannot be read from stdin: {error}"))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(format!("is longer than {} MiB", MAX_BYTES >> 20));
        }
        Ok(text)
    }
}

fn said(error: &FileError) -> String {
    match error.kind() {
        FileErrorKind::Absent => "there is no such file".to_owned(),
        _ => error.to_string(),
    }
}
