//! `mcplink ping NAME`: connect, ping, say how long it took.

use mcp_transport::message::METHOD_NOT_FOUND;
use mcp_transport::{RequestOptions, TransportError};
use serde_json::json;
use tokio::time::Instant;

use crate::app::App;
use crate::connected::{ConnectionNeeds, connected, failed};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::shown;

pub(super) async fn run(app: &App, name: &str) -> Result<ExitStatus, CliError> {
    let open = connected(app, name, ConnectionNeeds::Nothing).await?;
    app.reached.is(
        format!("waiting for the answer to `ping`: {} is connected", shown::name(name)),
        format!("mcplink status {}", mcp_text::shell_word(name)),
    );
    let began = Instant::now();
    let pinged = open.connection.ping(&RequestOptions::new()).await;
    let elapsed = began.elapsed();
    // A server that does not know the question has answered it all the same.
    let knows_none =
        |error: &TransportError| error.rpc_error().is_some_and(|rpc| rpc.code == METHOD_NOT_FOUND);
    if let Err(error) = pinged.as_ref()
        && !knows_none(error)
    {
        return Err(failed(&app.steps, &open.configured, error));
    }
    let milliseconds = elapsed.as_secs_f64() * 1000.0;
    if app.json {
        let revision = open.connection.revision().to_string();
        let document = json!({
            "schemaVersion": 1, "name": name, "elapsedMs": (milliseconds * 1000.0).round() / 1000.0,
            "protocolVersion": revision,
        });
        app.print_json(&document);
    } else {
        app.output.out(&format!("{} answered in {milliseconds:.1} ms\n", shown::name(name)));
    }
    Ok(ExitStatus::Success)
}
