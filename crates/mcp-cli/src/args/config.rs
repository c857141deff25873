//! The verbs that are about files of configuration, and the program itself.

use clap::{Args, ValueEnum};

use super::DeadlineArgs;

/// Apart from those of every server that is added.
const REGISTRY: &str = "Options of a registry";

/// `add`.
#[derive(Args, Debug)]
#[command(
    override_usage = "mcplink add [OPTIONS] [NAME] URL\n       mcplink add [OPTIONS] NAME -- COMMAND [ARGS]...\n       \
                      mcplink add [OPTIONS] [NAME] REGISTRY-NAME[@VERSION]\n       mcplink add --search WORD"
)]
pub(crate) struct AddArgs {
    /// The name that it gets (left out, it is made from what follows), and its URL, or its name in a registry, such as
    /// io.github.acme/weather
    #[arg(value_name = "NAME|URL|REGISTRY-NAME", required = true, num_args = 1..)]
    pub(crate) words: Vec<String>,
    /// The command of a local server, behind `--`
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// How it speaks; left out, it is asked
    #[arg(short, long, value_enum, value_name = "TYPE")]
    pub(crate) transport: Option<TransportArg>,
    /// Send this header (repeatable)
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    // Not parsed here: an error of the parser repeats what it is about, which is a secret.
    pub(crate) headers: Vec<String>,
    /// Give the command this variable (repeatable)
    #[arg(short, long = "env", value_name = "KEY=VALUE")]
    pub(crate) env: Vec<String>,
    /// Get headers from this command, each time they are needed
    #[arg(long, value_name = "COMMAND")]
    pub(crate) headers_helper: Option<String>,
    #[command(flatten)]
    pub(crate) oauth: OAuthArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
}

/// What is said of a server in a registry.
// The heading stands at each: one that is set for what comes next holds for what follows the struct as well.
#[derive(Args, Debug)]
pub(crate) struct RegistryArgs {
    /// Ask this registry instead of the official one (or set MCPLINK_REGISTRY)
    #[arg(long, value_name = "URL", help_heading = REGISTRY)]
    pub(crate) registry: Option<String>,
    /// Show the servers that have this word in their names
    #[arg(long, help_heading = REGISTRY)]
    #[arg(conflicts_with_all = ["inputs", "choose", "yes", "command", "headers", "env"])]
    pub(crate) search: bool,
    /// Answer what the server asks for; a secret by its variable: 'KEY=${VARIABLE}' (repeatable)
    // Not parsed here: an error of the parser repeats what it is about, which may be a secret.
    #[arg(long = "input", value_name = "NAME=VALUE", help_heading = REGISTRY)]
    pub(crate) inputs: Vec<String>,
    /// Take this one of the ways to reach it, by its number
    #[arg(long, value_name = "N", help_heading = REGISTRY)]
    pub(crate) choose: Option<usize>,
    /// Agree to the command that it runs, without being asked
    #[arg(short, long, help_heading = REGISTRY)]
    pub(crate) yes: bool,
}

/// `add-json`.
#[derive(Args, Debug)]
pub(crate) struct AddJsonArgs {
    /// The name that it gets
    pub(crate) name: String,
    /// The entry, as it is in a file, or - to read it from stdin
    #[arg(value_name = "JSON")]
    pub(crate) entry: String,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
}

/// How it is signed in to.
#[derive(Args, Debug)]
pub(crate) struct OAuthArgs {
    /// The client that is registered with its authorization server
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// The port of the redirect URI that is registered
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) callback_port: Option<u16>,
    /// The client has a secret: it is asked for, and kept with the sign-ins, or read from MCP_CLIENT_SECRET when it is needed
    #[arg(long, requires = "client_id")]
    pub(crate) client_secret: bool,
}

/// How an entry is written.
#[derive(Args, Clone, Debug)]
pub(crate) struct WriteArgs {
    /// Write it without asking the server
    #[arg(long)]
    pub(crate) no_check: bool,
    /// Exit as `status` does: not 0 unless it works
    #[arg(long, conflicts_with = "no_check")]
    pub(crate) check: bool,
    /// Show what would be different, write nothing and start no command
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Replace an entry of this name
    #[arg(long)]
    pub(crate) replace: bool,
    /// Only in this project, the folder of --project or the current one: no other one meets it
    #[arg(long)]
    pub(crate) only_here: bool,
}

/// A transport as people write it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum TransportArg {
    /// A command.
    Stdio,
    /// The older HTTP+SSE.
    Sse,
    /// Streamable HTTP.
    #[value(alias = "streamable-http")]
    Http,
}

/// `remove`.
#[derive(Args, Debug)]
pub(crate) struct RemoveArgs {
    /// The servers
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Only in this project: the entry that every project has stays
    #[arg(long)]
    pub(crate) only_here: bool,
    /// Show what would be different, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `enable` and `disable`.
#[derive(Args, Debug)]
pub(crate) struct SwitchArgs {
    /// The servers
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Only in this project: in others it stays as it is
    #[arg(long)]
    pub(crate) only_here: bool,
}

/// `import`.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// Only what this host has, such as cursor or codex (see `mcplink hosts`)
    pub(crate) host: Option<String>,
    /// Only the server of this name, also where it takes the place of another one or a project brings it along (repeatable)
    #[arg(long = "name", value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Take over what is marked, without asking
    #[arg(short, long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    /// Show what would be different, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `wrap`.
#[derive(Args, Debug)]
#[command(override_usage = "mcplink wrap [OPTIONS] <HOST> <NAME..|--all>")]
#[command(group = clap::ArgGroup::new("which").required(true).args(["names", "all"]))]
pub(crate) struct WrapArgs {
    /// The host, such as cursor or claude-desktop (see `mcplink hosts`)
    pub(crate) host: String,
    /// The servers: of the host's own file, or of ours
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Every server of the host's own files
    #[arg(long)]
    pub(crate) all: bool,
    /// Change it without asking
    #[arg(short, long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    /// Show what would be different, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask the servers afterwards
    #[arg(long)]
    pub(crate) no_check: bool,
    /// Write a bundle that Claude Desktop installs by a double click, and leave its file alone
    #[arg(long, value_name = "FILE", conflicts_with_all = ["all", "no_check"])]
    pub(crate) mcpb: Option<std::path::PathBuf>,
}

/// `unwrap`.
#[derive(Args, Debug)]
#[command(override_usage = "mcplink unwrap [OPTIONS] <HOST> <NAME..|--all>")]
#[command(group = clap::ArgGroup::new("what").required(true).args(["names", "all"]))]
pub(crate) struct UnwrapArgs {
    /// The host
    pub(crate) host: String,
    /// The servers
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Everything that `wrap` put into its files
    #[arg(long)]
    pub(crate) all: bool,
    /// Say what would be put back, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `validate`.
#[derive(Args, Debug)]
pub(crate) struct ValidateArgs {
    /// Only this file
    pub(crate) file: Option<std::path::PathBuf>,
}

/// `demo`.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Leave the servers running and print the config path to play with
    #[arg(long)]
    pub(crate) keep: bool,
}
