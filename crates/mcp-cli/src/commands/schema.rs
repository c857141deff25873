//! `mcplink schema`: the JSON Schema of the files that are read, for editors and checks.

use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;

#[expect(clippy::unnecessary_wraps, reason = "as every command")]
pub(super) fn run(app: &App) -> Result<ExitStatus, CliError> {
    app.output.out(&format!("{:#}\n", mcp_config::json_schema()));
    Ok(ExitStatus::Success)
}
