//! Files and standard input, as arguments may name them.

use std::path::PathBuf;

use crate::arguments::Inputs;

/// Files relative to a directory, and standard input.
#[derive(Debug)]
pub(crate) struct Files {
    /// What relative paths start from.
    pub(crate) directory: PathBuf,
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
