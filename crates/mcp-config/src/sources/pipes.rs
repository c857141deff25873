//! Pipes on the command line, as a shell's `<( )` makes them.

use std::fmt;
use std::path::Path;

use super::{is_inline, read};
use crate::source::{Content, FilePurpose};

/// What came out of the pipes among the values of `--mcp-config`.
#[derive(Clone, Default)]
pub struct Pipes(Vec<(usize, Content)>);

impl Pipes {
    /// Reads them, once. A pipe without a writer is waited for 10 s, and its end 60 s; what came of it is told where
    /// the configuration is loaded.
    pub fn read(mcp_config: &[String], cwd: &Path) -> Self {
        let pipes = mcp_config.iter().enumerate().filter(|(_, value)| !is_inline(value)).filter_map(
            |(index, value)| {
                let path = cwd.join(value);
                mcp_files::is_pipe(&path).then(|| (index, read(FilePurpose::Dynamic, &path)))
            },
        );
        Self(pipes.collect())
    }

    pub(super) fn get(&self, index: usize) -> Option<&Content> {
        self.0.iter().find(|(at, _)| *at == index).map(|(_, content)| content)
    }
}

impl fmt::Debug for Pipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: as an inline `--mcp-config`.
        write!(f, "Pipes({})", self.0.len())
    }
}
