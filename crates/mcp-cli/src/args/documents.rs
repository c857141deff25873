//! Commands that print what the program knows of itself.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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
    /// The command, or `options` for what every command takes, `url` for what is said of a URL, or a reason such as
    /// `not-found`
    #[arg(value_name = "COMMAND|TOPIC|REASON")]
    pub(crate) about: Vec<String>,
}

/// `__complete`: asked by the scripts of `completions`.
#[derive(Args, Debug)]
pub(crate) struct CandidatesArgs {
    /// The shell that asks
    #[arg(value_enum)]
    pub(crate) shell: ShellArg,
    /// The line up to the cursor; its words, where the shell tells them apart
    #[arg(last = true)]
    pub(crate) words: Vec<String>,
}

/// A shell whose completions are asked for here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ShellArg {
    /// The whole line, as one word.
    Bash,
    /// Words, with descriptions.
    Zsh,
    /// Words, with descriptions.
    Fish,
}
