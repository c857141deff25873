//! `mcplink menu` in a build without the feature `menu`.

use std::sync::Arc;

use crate::app::App;
use crate::args::MenuArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;

/// There is none: `status` is shown instead.
pub(crate) fn can_be_shown(_: &App) -> bool {
    false
}

/// Never called where it cannot be shown.
#[expect(clippy::unused_async, reason = "where there is a menu, it goes on")]
pub(crate) async fn run(_: &Arc<App>, args: &MenuArgs) -> Result<ExitStatus, CliError> {
    let what = if args.plain { "a plain menu" } else { "a menu" };
    Err(CliError::new(ExitStatus::Usage, "no-menu", format!("this build cannot show {what}"))
        .why("it was made without the feature menu")
        .next("mcplink status"))
}

/// Nor is there a page.
#[expect(clippy::unused_async, reason = "where there is a page, it goes on")]
pub(crate) async fn run_in_a_browser(_: &Arc<App>, args: &MenuArgs) -> Result<ExitStatus, CliError> {
    let port = args.port.map(|port| format!(" on port {port}")).unwrap_or_default();
    Err(CliError::new(ExitStatus::Usage, "no-menu", format!("this build cannot show a page{port}"))
        .why("it was made without the feature menu")
        .next("mcplink status"))
}
