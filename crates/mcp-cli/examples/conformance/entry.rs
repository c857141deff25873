//! The server of a run as an entry of a configuration file, in a home of its own.

use std::io;

use mcp_testkit::TempHome;
use serde_json::{Value, json};

use crate::Run;
use crate::sign_in::CLIENT_METADATA;

/// What the file calls the server.
pub(crate) const NAME: &str = "remote";

/// A home whose `~/.claude.json` holds the server: its URL, and what the suite hands over about a client.
///
/// # Errors
///
/// When the file cannot be written.
pub(crate) fn home(run: &Run) -> io::Result<TempHome> {
    let home = TempHome::new()?;
    let mut entry = json!({ "type": "http", "url": run.url });
    if run.scenario.starts_with("auth/") {
        entry["oauth"] = oauth(&run.context);
    }
    home.write(".claude.json", json!({ "mcpServers": { NAME: entry } }).to_string())?;
    // A secret that the binary shows, or writes where no secret belongs, fails the run.
    if let Some(secret) = secret(run) {
        home.canaries().add("client secret", secret);
    }
    Ok(home)
}

/// The secret of the client, which a configuration file never holds: it is for `MCP_CLIENT_SECRET`.
pub(crate) fn secret(run: &Run) -> Option<&str> {
    run.context["client_secret"].as_str()
}

fn oauth(context: &Value) -> Value {
    let mut oauth = json!({ "clientMetadataUrl": CLIENT_METADATA });
    for (ours, theirs) in [("clientId", "client_id"), ("issuer", "issuer")] {
        if let Some(value) = context[theirs].as_str() {
            oauth[ours] = value.into();
        }
    }
    oauth
}
