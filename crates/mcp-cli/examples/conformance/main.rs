//! The client that the official conformance suite (`@modelcontextprotocol/conformance`) drives.
//!
//! One process per scenario: the URL of a mock server is the last argument, the scenario's name and its context are in
//! the environment. Everything goes through the public API that the command line uses; what is specific to a
//! scenario is read from its context, not from its name.
//!
//! Exit status: 0 if the flow worked, 1 with the error on stderr if not.

mod flow;
mod respond;
mod sign_in;
mod skills;

use std::process::ExitCode;

use serde_json::Value;
use url::Url;

/// What the suite says about a run.
struct Run {
    url: Url,
    scenario: String,
    context: Value,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the suite talks through the environment, and this is the outermost layer"
)]
fn run_from_process() -> Result<Run, String> {
    let url = std::env::args().next_back().unwrap_or_default();
    let url = Url::parse(&url).map_err(|_| "the last argument is the URL of the server".to_owned())?;
    let scenario = std::env::var("MCP_CONFORMANCE_SCENARIO").unwrap_or_default();
    let context = std::env::var("MCP_CONFORMANCE_CONTEXT").unwrap_or_default();
    let context = serde_json::from_str(&context).unwrap_or(Value::Null);
    Ok(Run { url, scenario, context })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    let outcome = match run_from_process() {
        Ok(run) => flow::run(&run).await,
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
