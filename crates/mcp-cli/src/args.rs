//! The command line as typed: parsed, nothing done. Lowered once, in `settings`.
//!
//! Longer than 500 lines because the options of a command stand with the list of the commands.

mod config;
mod diagnosis;
mod documents;
mod examples;
mod help;
mod reasons;
#[cfg(test)]
mod reference;
mod servers;
mod url;
mod using;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mcp_config::Scope;

pub(crate) use self::config::{
    AddArgs, AddJsonArgs, DemoArgs, ImportArgs, RemoveArgs, SwitchArgs, TransportArg, UnwrapArgs,
    ValidateArgs, WrapArgs, WriteArgs,
};
pub(crate) use self::diagnosis::{
    AccountsArgs, AuthPluginAction, AuthPluginArgs, HeadersArgs, LogsArgs, MenuArgs, SecretAction,
    SecretArgs, SupportBundleArgs,
};
pub(crate) use self::documents::{CandidatesArgs, CompletionsArgs, HelpArgs, ManArgs, ShellArg};
#[cfg(test)]
pub(crate) use self::examples::examples;
pub(crate) use self::help::{TOPICS, command_line, program_of, topic, whole_command_line};
pub(crate) use self::reasons::reason;
pub(crate) use self::url::UrlArgs;
pub(crate) use self::using::{
    ApproveToolsArgs, CallArgs, CompleteArgs, PromptArgs, ReadArgs, ServerArgs, ToolsArgs,
};
pub(crate) use self::values::parse_duration;

/// See, recover and use MCP servers from a terminal or a script.
#[derive(Debug, Parser)]
#[command(name = "mcplink", version, disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Apart from those of the command, which are what a reader looks for in its help.
const GLOBAL: &str = "Global options";

/// Options that every command takes.
#[derive(Args, Debug)]
pub(crate) struct GlobalArgs {
    /// More servers: a file or an inline JSON object (repeatable)
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE|JSON")]
    pub(crate) mcp_config: Vec<String>,
    /// Use only the servers of --mcp-config
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) strict_mcp_config: bool,
    /// Take the configuration of this folder, as from within it
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// Read the files of this host in place, such as cursor or codex, and no others (see `mcplink hosts`)
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "HOST", conflicts_with = "strict_mcp_config")]
    pub(crate) from: Option<String>,
    /// Look at, or write, one config scope only: local, project, mcplink, user, dynamic or managed
    // Not parsed here: `login --scope` once asked for an OAuth scope, and still does for any other word.
    #[arg(short, long, global = true, help_heading = GLOBAL, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,
    /// Use this account, one of several sign-ins to a server (default: what its entry says)
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "A", value_parser = mcp_config::account_name)]
    pub(crate) account: Option<String>,
    /// Print one JSON document on stdout
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,
    /// No progress, no warnings
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub(crate) quiet: bool,
    /// Log to stderr (-vv for everything)
    #[arg(short, long, global = true, help_heading = GLOBAL, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Colour the output
    #[arg(long, global = true, help_heading = GLOBAL, value_enum, default_value_t = ColorArg::Auto, value_name = "WHEN")]
    pub(crate) color: ColorArg,
    /// Never prompt, never open a browser, never wait for a person (implied where stdin is not a terminal)
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) non_interactive: bool,
}

impl GlobalArgs {
    /// The config scope.
    pub(crate) fn config_scope(&self) -> Result<Option<Scope>, String> {
        let words = Scope::ALL.map(Scope::as_str).join(", ");
        match self.scope.as_slice() {
            [] => Ok(None),
            [word] => match Scope::from_word(word) {
                Some(scope) => Ok(Some(scope)),
                None => Err(format!("{word:?} is no config scope; use one of {words}")),
            },
            _ => Err(format!("--scope was given more than once; use one of {words}")),
        }
    }

    /// The values of `--scope` that name no config scope, which is what `login` was once asked for OAuth scopes by.
    fn other_scopes(&self) -> impl Iterator<Item = &String> {
        self.scope.iter().filter(|word| Scope::from_word(word).is_none())
    }
}

impl Cli {
    /// The config scope and the OAuth scopes.
    pub(crate) fn scopes(&self) -> Result<(Option<Scope>, Vec<String>), String> {
        match &self.command {
            Command::Login(args) => {
                let config = self.global.scope.iter().find_map(|word| Scope::from_word(word));
                Ok((config, args.oauth_scope.iter().chain(self.global.other_scopes()).cloned().collect()))
            }
            _ => Ok((self.global.config_scope()?, Vec::new())),
        }
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ColorArg {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the configured servers; reads files only
    #[command(alias = "ls")]
    List,
    /// Connect to the servers and show the status of each
    Status(StatusArgs),
    /// Wait until servers are connected, or have another status; ends at once when only a person can bring it about
    Wait(WaitArgs),
    /// Look at each part of the way to a server, and name the one that is in the way
    Doctor(DoctorArgs),
    /// Show the servers on a screen of their own, with the actions of each as keys
    Menu(MenuArgs),
    /// Show one server: its entry, where each part came from, its auth chain, its actions
    #[command(aliases = ["info", "show"])]
    Get(GetArgs),
    /// List the live sessions of every folder and host
    #[command(alias = "sessions")]
    Ps,
    /// End live sessions
    Stop(StopArgs),
    /// Re-read the configuration, run the helper again and connect afresh
    #[command(alias = "restart")]
    Reconnect(ReconnectArgs),
    /// Forget registrations, discovery and tokens of a server
    Reset(ResetArgs),
    /// Sign in to a server
    #[command(alias = "auth")]
    Login(LoginArgs),
    /// Sign out: revoke the tokens and forget them
    Logout(LogoutArgs),
    /// List the sign-ins that are kept; reads files only
    Accounts(AccountsArgs),
    /// Keep, list and forget secrets that entries refer to; values come from stdin or are typed
    Secret(SecretArgs),
    /// Check a plug-in for credentials against the rules of its protocol
    AuthPlugin(AuthPluginArgs),
    /// Show which headers a server would get, and from where; values are not shown
    Headers(HeadersArgs),
    /// Show what long-lived sessions wrote down
    Logs(LogsArgs),
    /// Write what another person needs to find a cause into one file, without secrets
    SupportBundle(SupportBundleArgs),
    /// Allow this folder's project and local helpers and servers
    Trust(TrustArgs),
    /// Take that back
    Untrust(PathArg),
    /// Approve servers of the project file
    Approve(ApproveArgs),
    /// Reject servers of the project file
    Reject(NamesArg),
    /// Show the tools of a server that pins them and are new or changed, and approve them
    ApproveTools(ApproveToolsArgs),
    /// List the tools of a server, or show what one of them takes
    #[command(aliases = ["tools-list", "tools/list"])]
    Tools(ToolsArgs),
    /// Call a tool
    #[command(aliases = ["tools-call", "tools/call"])]
    Call(CallArgs),
    /// List the resources of a server
    Resources(ServerArgs),
    /// Read a resource
    Read(ReadArgs),
    /// List the prompts of a server
    Prompts(ServerArgs),
    /// Get a prompt
    Prompt(PromptArgs),
    /// Show the values that a server suggests for an argument of a prompt, or a variable of a resource template
    Complete(CompleteArgs),
    /// Check that a server answers
    Ping(ServerArgs),
    /// Be this server for a host that starts local servers: MCP on stdin and stdout
    #[command(alias = "serve")]
    Bridge(BridgeArgs),
    /// Add a server: ask it what it is, write the entry, and say how it is
    Add(AddArgs),
    /// Add a server by the JSON of its entry
    AddJson(AddJsonArgs),
    /// Remove servers, with what is kept for them
    Remove(RemoveArgs),
    /// Switch servers on
    Enable(SwitchArgs),
    /// Switch servers off
    Disable(SwitchArgs),
    /// Take over the servers of other hosts into our own file
    Import(ImportArgs),
    /// Put this program between a host and its servers, in the host's own file
    Wrap(WrapArgs),
    /// Put back what `wrap` changed, byte for byte
    Unwrap(UnwrapArgs),
    /// List the hosts whose files with servers are found on this machine
    Hosts,
    /// Check the configuration files, or one file
    Validate(ValidateArgs),
    /// Print the JSON Schema of the files
    Schema,
    /// Show which files are read, and which are not
    Paths,
    /// See it work: embedded servers, a temporary configuration, the real commands
    Demo(DemoArgs),
    /// Print a completion script
    Completions(CompletionsArgs),
    /// Say what can stand at the cursor
    #[command(name = "__complete", hide = true)]
    Candidates(CandidatesArgs),
    /// Print the manual page of mcplink or of a command, for `man -l -`
    Man(ManArgs),
    /// Print the version
    Version,
    /// Show the help of a command, or of the options that all take
    Help(HelpArgs),
}

/// What a command changes of entries in files.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EntryChange<'a> {
    /// There is one more.
    Add,
    /// Those of these names are gone.
    Remove(&'a [String]),
    /// Those of these names are on, or off.
    Switch(&'a [String], bool),
}

impl Command {
    /// The host in whose place it looks (`doctor --as`).
    pub(crate) fn in_place_of(&self) -> Option<&str> {
        match self {
            Self::Doctor(args) => args.in_place_of.as_deref(),
            _ => None,
        }
    }

    /// What it changes of entries in files, where it does.
    pub(crate) fn changes_entries(&self) -> Option<EntryChange<'_>> {
        match self {
            Self::Add(_) | Self::AddJson(_) => Some(EntryChange::Add),
            Self::Remove(args) => Some(EntryChange::Remove(&args.names)),
            Self::Enable(args) => Some(EntryChange::Switch(&args.names, true)),
            Self::Disable(args) => Some(EntryChange::Switch(&args.names, false)),
            _ => None,
        }
    }

    /// Whether it may make the file of our own servers.
    pub(crate) fn writes_servers(&self) -> bool {
        matches!(self, Self::Add(_) | Self::AddJson(_) | Self::Import(_) | Self::Wrap(_) | Self::Unwrap(_))
    }

    /// The limit that a person gave it.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let deadline = match self {
            Self::Status(args) => args.deadline,
            Self::Wait(args) => args.deadline,
            Self::Doctor(args) => args.deadline,
            Self::SupportBundle(args) => args.deadline,
            Self::Reconnect(args) => args.deadline,
            Self::Login(args) => args.deadline,
            Self::Logout(args) => args.deadline,
            Self::Tools(args) => args.deadline,
            Self::ApproveTools(args) => args.deadline,
            Self::Resources(args) | Self::Prompts(args) | Self::Ping(args) => args.deadline,
            Self::Call(args) => args.deadline,
            Self::Read(ReadArgs { server, .. })
            | Self::Prompt(PromptArgs { server, .. })
            | Self::Complete(CompleteArgs { server, .. }) => server.deadline,
            Self::Add(args) => args.deadline,
            Self::AddJson(args) => args.deadline,
            _ => DeadlineArgs::default(),
        };
        deadline.timeout
    }
}

/// `status`.
#[derive(Args, Debug, Default)]
pub(crate) struct StatusArgs {
    /// Only these servers
    #[arg(value_name = "NAME|URL")]
    pub(crate) names: Vec<String>,
    /// Contact nothing: only what the files tell
    #[arg(long)]
    pub(crate) offline: bool,
    /// Keep looking and tell each change, until Ctrl-C
    #[arg(long, conflicts_with_all = ["offline", "timeout"])]
    pub(crate) watch: bool,
    /// The servers in the files of every host, each asked once
    #[arg(long, conflicts_with_all = ["watch", "from"])]
    pub(crate) hosts: bool,
    /// Try for several seconds what may pass: 1, 2 and 4 s between the attempts
    #[arg(long, conflicts_with = "offline")]
    pub(crate) retry: bool,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// `doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// The server: its name in the configuration, or its URL (default: a line for each server)
    #[arg(value_name = "NAME|URL")]
    pub(crate) name: Option<String>,
    /// Show each exchange over HTTP as well, with its URL and what was answered
    #[arg(long, requires = "name")]
    pub(crate) trace: bool,
    /// Draw the exchanges as a sequence diagram of Mermaid instead
    #[arg(long, requires = "trace", conflicts_with = "json")]
    pub(crate) mermaid: bool,
    /// Look with the variables and the PATH that this host has, such as claude-desktop
    #[arg(long = "as", value_name = "HOST")]
    pub(crate) in_place_of: Option<String>,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// `wait`.
#[derive(Args, Debug)]
pub(crate) struct WaitArgs {
    /// The servers; all of them are waited for
    #[arg(required = true, value_name = "NAME|URL")]
    pub(crate) names: Vec<String>,
    /// The status to wait for
    #[arg(long, value_enum, value_name = "STATUS", default_value_t = StatusArg::Connected)]
    pub(crate) until: StatusArg,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// A status that a person can wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum StatusArg {
    /// The handshake works.
    Connected,
    /// It does not work.
    Failed,
    /// It wants other credentials.
    NeedsAuth,
    /// It connects, or waits for an approval.
    Pending,
    /// Switched off.
    Disabled,
}

/// `bridge`.
#[derive(Args, Debug)]
pub(crate) struct BridgeArgs {
    /// The server: its name in the configuration, or a URL
    #[arg(value_name = "NAME|URL")]
    pub(crate) server: String,
    /// Open the browser once when a person has to sign in
    #[arg(long)]
    pub(crate) interactive_login: bool,
    /// Use one connection with the other bridges to the same server that say so (Linux and macOS)
    #[arg(long)]
    pub(crate) shared: bool,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// `get`.
#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    /// The server
    #[arg(value_name = "NAME|URL")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// How long a command may take.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct DeadlineArgs {
    /// Stop after this time (5s, 500ms, 2m), whatever is missing then
    #[arg(long, value_name = "D", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
}

/// One server or more.
#[derive(Args, Debug)]
pub(crate) struct NamesArg {
    /// The servers
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

/// The agreement to what a decision shows, given beforehand.
#[derive(Args, Debug)]
pub(crate) struct AgreedArg {
    /// Agree without a question, which a script cannot be asked; with a DIGEST, only to what was shown with that
    #[arg(long, value_name = "DIGEST", num_args = 0..=1, require_equals = true)]
    pub(crate) yes: Option<Option<String>>,
}

/// `approve`.
#[derive(Args, Debug)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    pub(crate) names: NamesArg,
    #[command(flatten)]
    pub(crate) agreed: AgreedArg,
}

/// `trust`.
#[derive(Args, Debug)]
pub(crate) struct TrustArgs {
    #[command(flatten)]
    pub(crate) path: PathArg,
    #[command(flatten)]
    pub(crate) agreed: AgreedArg,
}

/// `reconnect`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["names", "all", "failed"]))]
pub(crate) struct ReconnectArgs {
    /// These servers
    #[arg(value_name = "NAME|URL")]
    pub(crate) names: Vec<String>,
    /// Every server that is not disabled
    #[arg(long)]
    pub(crate) all: bool,
    /// Every server that is not connected when tried
    #[arg(long)]
    pub(crate) failed: bool,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// `stop`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["sessions", "all"]))]
pub(crate) struct StopArgs {
    /// The processes, or the names of their servers
    #[arg(value_name = "PID|NAME")]
    pub(crate) sessions: Vec<String>,
    /// Every session of this account
    #[arg(long)]
    pub(crate) all: bool,
}

/// `reset`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["names", "all"]))]
pub(crate) struct ResetArgs {
    /// These servers
    #[arg(value_name = "NAME|URL")]
    pub(crate) names: Vec<String>,
    /// Every server
    #[arg(long)]
    pub(crate) all: bool,
    /// Forget registrations only, keep the tokens
    #[arg(long)]
    pub(crate) keep_tokens: bool,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// `login`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["names", "all"]))]
pub(crate) struct LoginArgs {
    /// The servers, one after the other: names in the configuration, or URLs
    #[arg(value_name = "NAME|URL")]
    pub(crate) names: Vec<String>,
    /// Every server that wants a sign-in and has none
    #[arg(long)]
    pub(crate) all: bool,
    /// Print the URL instead of opening a browser, and wait; the redirect can be pasted
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Show a code to enter on another device (RFC 8628)
    #[arg(long, conflicts_with = "no_browser")]
    pub(crate) device: bool,
    /// Take a sign-in that was made elsewhere from standard input: a token response (JSON), or a refresh token
    #[arg(long, conflicts_with_all = ["no_browser", "device", "all", "oauth_scope"])]
    pub(crate) from_stdin: bool,
    /// Ask for this OAuth scope, beside those of the sign-in before (repeatable)
    #[arg(long, value_name = "SCOPE")]
    pub(crate) oauth_scope: Vec<String>,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// `logout`.
#[derive(Args, Debug)]
pub(crate) struct LogoutArgs {
    /// The server: its name in the configuration, or its URL
    #[arg(value_name = "NAME|URL")]
    pub(crate) name: String,
    /// Those of all accounts
    #[arg(long, conflicts_with = "account")]
    pub(crate) all: bool,
    /// Forget the tokens without telling the authorization server
    #[arg(long)]
    pub(crate) no_revoke: bool,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// An optional folder.
#[derive(Args, Debug)]
pub(crate) struct PathArg {
    /// The folder (default: the project of the current directory)
    pub(crate) path: Option<std::path::PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
