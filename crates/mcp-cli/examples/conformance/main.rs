//! The client that the official conformance suite (`@modelcontextprotocol/conformance`) drives.
//!
//! One process per scenario: the URL of a mock server is the last argument, the scenario's name and its context are in
//! the environment. What is specific to a scenario is read from its context, not from its name.
//!
//! There are three ways to the server:
//!
//! - `conformance URL`: the public API of the crates, which the command line uses as well;
//! - `conformance --commands MCPLINK URL`: the binary MCPLINK, with a configuration file, as a script uses it;
//! - `conformance --bridge MCPLINK URL`: the same binary and file, as a host uses them.
//!
//! Exit status: 0 if the flow worked, 1 with the error on stderr if not.

mod commands;
mod entry;
mod flow;
mod respond;
mod sign_in;
mod skills;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;
use url::Url;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the suite says about a run.
struct Run {
    url: Url,
    scenario: String,
    context: Value,
}

/// The way to the server.
enum Way {
    Crates,
    Commands(PathBuf),
    Bridge(PathBuf),
}

#[expect(
    clippy::disallowed_methods,
    reason = "the suite talks through the environment, and this is the outermost layer"
)]
fn run_from_process() -> Result<(Way, Run), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (way, url) = match arguments[..] {
        [url] => (Way::Crates, url),
        ["--commands", program, url] => (Way::Commands(program.into()), url),
        ["--bridge", program, url] => (Way::Bridge(program.into()), url),
        _ => return Err("the arguments are a way, if any, and the URL of the server".to_owned()),
    };
    let url = Url::parse(url).map_err(|_| "the last argument is the URL of the server".to_owned())?;
    let scenario = std::env::var("MCP_CONFORMANCE_SCENARIO").unwrap_or_default();
    let context = std::env::var("MCP_CONFORMANCE_CONTEXT").unwrap_or_default();
    let context = serde_json::from_str(&context).unwrap_or(Value::Null);
    Ok((way, Run { url, scenario, context }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    let outcome = match run_from_process() {
        Ok((Way::Crates, run)) => flow::run(&run).await,
        Ok((Way::Commands(program), run)) => commands::run(&program, &run).await,
        Ok((Way::Bridge(program), run)) => flow::run_behind_a_bridge(&program, &run).await,
        Err(usage) => Err(usage.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
