//! The verbs that show what is kept and what goes on, for a person who looks for a cause.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{DeadlineArgs, UrlArgs};

/// `logs`.
#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// A server, or the process of a session (default: what every session wrote last)
    #[arg(value_name = "NAME|URL|PID")]
    pub(crate) name: Option<String>,
    /// Keep showing what is added, until Ctrl-C
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// No more than the last N lines (default: all of a server or process, and 50 of all together)
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) lines: Option<usize>,
}

/// `accounts`.
#[derive(Args, Debug)]
pub(crate) struct AccountsArgs {
    /// Only those of this server, or for this URL
    #[arg(value_name = "NAME|URL")]
    pub(crate) name: Option<String>,
}

/// `secret`.
#[derive(Args, Debug)]
pub(crate) struct SecretArgs {
    /// Keep a secret, list all, or forget one
    #[arg(value_enum)]
    pub(crate) action: SecretAction,
    /// The secret: its name, or SERVICE/NAME
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// What is done with a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SecretAction {
    /// Keep its value, which is read from stdin or typed
    Set,
    /// List the names of all
    List,
    /// Forget it
    Delete,
}

/// `auth-plugin`.
#[derive(Args, Debug)]
pub(crate) struct AuthPluginArgs {
    /// What is done with the plug-in
    #[arg(value_enum)]
    pub(crate) action: AuthPluginAction,
    /// The program, or the NAME of a program mcplink-auth-NAME on the PATH
    #[arg(value_name = "PATH|NAME")]
    pub(crate) program: String,
    /// What an entry would say to it in `settings`
    #[arg(long, value_name = "JSON")]
    pub(crate) settings: Option<String>,
    /// The server that it is told of; it is not contacted
    #[arg(long, value_name = "URL", default_value = "https://mcp.example/mcp")]
    pub(crate) server: String,
}

/// What is done with a plug-in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum AuthPluginAction {
    /// Start it, and try each rule on it
    Check,
}

/// `headers`.
#[derive(Args, Debug)]
pub(crate) struct HeadersArgs {
    /// The server: its name in the configuration, or its URL
    #[arg(value_name = "NAME|URL")]
    pub(crate) name: String,
    /// Run its headersHelper, and tell what came of it
    #[arg(long)]
    pub(crate) run: bool,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// `support-bundle`.
#[derive(Args, Debug)]
pub(crate) struct SupportBundleArgs {
    /// Write it to this file, or - for standard output (default: mcplink-support-TIME.json in this folder)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Contact no server and run no helper: only what the files tell
    #[arg(long)]
    pub(crate) offline: bool,
    /// Write it without being asked
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
}

/// `menu`.
#[derive(Args, Debug)]
pub(crate) struct MenuArgs {
    /// Without frames, one thing at a time, the cursor where the focus is: for a screen reader
    #[arg(long)]
    pub(crate) plain: bool,
    /// The same list in a browser of this machine, live; the address works once, and until Ctrl-C
    #[arg(long, conflicts_with = "plain")]
    pub(crate) web: bool,
    /// The port that the page is on (default: any that is free)
    #[arg(long, value_name = "PORT", requires = "web")]
    pub(crate) port: Option<u16>,
}
