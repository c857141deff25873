//! An agent: connects whatever people configured for this folder, calls a tool, and says how each server is and what a person can
//! do about it.
//!
//! ```text
//! $ cargo run -p mcp-connect --example agent -- echo '{"text": "hello"}'
//! ```

use std::error::Error;
use std::io::{self, Write};

use mcp_config::{Config, Env, Request};
use mcp_connect::{Host, HostOptions};
use mcp_transport::fleet::{Fleet, FleetConfig};
use mcp_transport::{ClientInfo, RequestOptions};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "a program has an environment, and hands it on as a value")]
async fn main() -> Result<(), Box<dyn Error>> {
    let env: Env = std::env::vars_os().collect();
    let request = Request::new(std::env::current_dir()?, env.clone());
    let mut arguments = std::env::args().skip(1);
    let (tool, arguments) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or("{}".into()));
    run(&env, &request, &tool, &arguments, &mut io::stdout()).await
}

/// Calls `tool` at every server that has it.
pub(crate) async fn run(
    env: &Env,
    request: &Request,
    tool: &str,
    arguments: &str,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    // The name is what people read where they sign in, and servers in the handshake.
    let host = Host::new(HostOptions::from_env(env, &request.cwd, ClientInfo::new("my-agent", "1.0")));
    let fleet = Fleet::new(host.connector().clone(), FleetConfig::default());
    // Again whenever a file has changed: what has the same fingerprint stays connected.
    fleet.apply(host.entries(&Config::load(request)).await).await;

    let options = RequestOptions::new();
    for server in fleet.handles() {
        let snapshot = server.decided().await;
        if let Some(report) = host.report(&snapshot) {
            write!(out, "{}: {}", report.name, report.status)?;
            if let Some(reason) = &report.reason {
                let actions: Vec<&str> = report.actions.iter().map(|action| action.as_str()).collect();
                write!(out, ": {} [{}]", reason.message, actions.join(", "))?;
            }
            writeln!(out)?;
        }
        let Ok(tools) = server.list_tools(&options).await else { continue };
        if tools.tools.iter().any(|listed| listed.name == tool) {
            let arguments = RawValue::from_string(arguments.to_owned())?;
            let result = server.call_tool(tool, Some(&arguments), &options).await?;
            writeln!(out, "  {tool}: {}", result.get())?;
        }
    }
    // Nothing is left behind: connections, processes, and tokens that are being renewed.
    fleet.close().await;
    host.renewals().settled().await;
    Ok(())
}
