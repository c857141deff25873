//! `mcplink ping NAME`: connect, ping, say how long it took.

use mcp_transport::RequestOptions;
use serde_json::json;
use tokio::time::Instant;

use super::connected::{Want, connected, failed};
use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;

pub(super) async fn run(app: &App, name: &str) -> Result<ExitStatus, CliError> {
    let open = connected(app, name, Want::Nothing).await?;
    let began = Instant::now();
    let pinged = open.connection.ping(&RequestOptions::new()).await;
    let elapsed = began.elapsed();
    open.connection.close().await;
    pinged.map_err(|error| failed(&open.wired, &error))?;
    let milliseconds = elapsed.as_secs_f64() * 1000.0;
    if app.json {
        let revision = open.connection.revision().to_string();
        let document = json!({
            "schemaVersion": 1, "name": name, "elapsedMs": (milliseconds * 1000.0).round() / 1000.0,
            "protocolVersion": revision,
        });
        app.print_json(&document);
    } else {
        app.output.out(&format!("{name} answered in {milliseconds:.1} ms\n"));
    }
    Ok(ExitStatus::Success)
}
