//! `mcplink version`.

use serde_json::json;

use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;

/// What `--version` prints as well.
pub(crate) const VERSION: &str = concat!("mcplink ", env!("CARGO_PKG_VERSION"));

pub(super) fn run(app: &App) -> Result<ExitStatus, CliError> {
    let version = env!("CARGO_PKG_VERSION");
    if app.json {
        let document = json!({"schemaVersion": 1, "name": "mcplink", "version": version});
        app.output.out(&format!("{document}\n"));
    } else {
        app.output.out(&format!("{VERSION}\n"));
    }
    Ok(ExitStatus::Success)
}
