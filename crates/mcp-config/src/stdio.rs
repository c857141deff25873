//! A server that is a command.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::display;
use crate::env_file::EnvFile;
use crate::expand::Text;
use crate::redacted::RedactedText;

/// A command that speaks MCP on its standard streams.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stdio {
    /// The program.
    pub command: Text,
    /// Its arguments.
    pub args: Vec<Text>,
    /// Variables on top of the inherited environment, in the order of the entry.
    pub env: Vec<(String, Text)>,
    /// Variables from a file (`envFile`), below those of `env`.
    pub env_file: Option<Arc<EnvFile>>,
    /// Its working directory (`cwd`), absolute.
    pub cwd: Option<RedactedText<PathBuf>>,
    /// Its working directory where the entry says none: the folder that a project's file belongs to. The launch directory for
    /// entries of other files.
    pub folder: Option<PathBuf>,
    /// How long it may take until it speaks (`startupTimeoutMs`).
    pub startup_timeout: Option<Duration>,
}

impl Stdio {
    /// Where it is started by a person who is in `launch_dir`.
    pub(crate) fn working_directory<'a>(&'a self, launch_dir: &'a Path) -> &'a Path {
        let own = self.cwd.as_ref().map(RedactedText::expose).or(self.folder.as_ref());
        own.map_or(launch_dir, PathBuf::as_path)
    }

    /// The command line as it may be shown: an argument with blanks in it is quoted.
    pub fn display(&self) -> String {
        let mut line = display::display_program(&self.command);
        for arg in display::display_args(self.command.expose(), &self.args) {
            line.push(' ');
            // A line of words that is given to a shell is one word.
            let is_several = arg.is_empty() || arg.contains(char::is_whitespace);
            line.push_str(&if is_several { mcp_text::shell_word(&arg) } else { arg });
        }
        line
    }
}
