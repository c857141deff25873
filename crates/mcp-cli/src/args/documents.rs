//! Commands that print what the program knows of itself.

use std::path::PathBuf;

use clap::Args;

/// `completions`.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// `man`.
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// The command; that of the program is printed otherwise
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub(crate) command: Option<String>,
    /// Write all pages into this folder instead of printing one
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// `help`.
#[derive(Args, Debug)]
pub(crate) struct HelpArgs {
    /// The command, or `options` for what every command takes, or `url` for what is said of a URL
    #[arg(value_name = "COMMAND|TOPIC")]
    pub(crate) about: Vec<String>,
}
