//! `mcplink version`.

use serde_json::json;

use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;

pub(super) fn run(app: &App) -> Result<ExitStatus, CliError> {
    let version = env!("CARGO_PKG_VERSION");
    if app.json {
        let document = json!({"schemaVersion": 1, "name": "mcplink", "version": version});
        app.output.out(&format!("{document}\n"));
    } else {
        app.output.out(&format!("mcplink {version}\n"));
    }
    Ok(ExitStatus::Success)
}
