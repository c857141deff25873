//! The verbs that use what a server has.

use clap::Args;

use super::values::parse_pair;
use super::{DeadlineArgs, UrlArgs};

/// One server that is contacted.
#[derive(Args, Debug)]
pub(crate) struct ServerArgs {
    /// The server: its name in the configuration, or its URL
    #[arg(value_name = "NAME|URL")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// `tools`.
#[derive(Args, Debug)]
pub(crate) struct ToolsArgs {
    /// The server: its name in the configuration, or its URL; NAME/TOOL and NAME.TOOL say both
    #[arg(value_name = "NAME|URL")]
    pub(crate) name: String,
    /// One tool, with its arguments and a call to copy
    pub(crate) tool: Option<String>,
    /// Only tools that have this in their name or description, in letters of any case
    #[arg(long, value_name = "TEXT", conflicts_with = "tool")]
    pub(crate) grep: Option<String>,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// `approve-tools`.
#[derive(Args, Debug)]
pub(crate) struct ApproveToolsArgs {
    /// The server: its name in the configuration
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Only these tools
    #[arg(value_name = "TOOL")]
    pub(crate) tools: Vec<String>,
    /// Approve what is shown without a question; with a DIGEST, only if it still is what was shown with that
    #[arg(long, value_name = "DIGEST", num_args = 0..=1, require_equals = true)]
    pub(crate) yes: Option<Option<String>>,
    /// Forget what was approved: each tool is withheld until it is approved again
    #[arg(long, conflicts_with_all = ["tools", "yes"])]
    pub(crate) forget: bool,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
}

/// `call`.
#[derive(Args, Debug)]
pub(crate) struct CallArgs {
    /// The server: its name in the configuration, or its URL; NAME/TOOL and NAME.TOOL say both
    #[arg(value_name = "NAME|URL")]
    pub(crate) name: String,
    /// The tool
    pub(crate) tool: Option<String>,
    /// key=string, key:=json, key=@file, '{json}', or - to read a JSON object from stdin
    #[arg(value_name = "ARGS")]
    pub(crate) arguments: Vec<String>,
    /// Save content that is not text into this directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub(crate) deadline: DeadlineArgs,
    #[command(flatten)]
    pub(crate) url: UrlArgs,
}

/// `read`.
#[derive(Args, Debug)]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The URI of the resource
    pub(crate) uri: String,
    /// Save content that is not text into this directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<std::path::PathBuf>,
}

/// `prompt`.
#[derive(Args, Debug)]
pub(crate) struct PromptArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The prompt
    pub(crate) prompt: String,
    /// key=string, key=@file, '{json}', or - to read a JSON object from stdin
    #[arg(value_name = "ARGS")]
    pub(crate) arguments: Vec<String>,
}

/// `complete`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("of").required(true).args(["prompt", "resource"]))]
pub(crate) struct CompleteArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The argument or the variable
    pub(crate) argument: String,
    /// What of its value is there already
    pub(crate) typed: Option<String>,
    /// The prompt that the argument belongs to
    #[arg(long)]
    pub(crate) prompt: Option<String>,
    /// The URI template that the variable belongs to
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) resource: Option<String>,
    /// Another argument that has its value already (repeatable)
    #[arg(long = "given", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(crate) given: Vec<(String, String)>,
}
