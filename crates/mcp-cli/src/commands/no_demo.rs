//! `mcplink demo` in a build without the feature `demo`.

use crate::app::App;
use crate::args::DemoArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;

#[expect(clippy::unused_async, reason = "where there is a demo, it runs servers")]
pub(super) async fn run(_: &App, args: &DemoArgs) -> Result<ExitStatus, CliError> {
    let what = if args.keep { "keep the servers of" } else { "run" };
    Err(CliError::new(ExitStatus::Usage, "no-demo", format!("cannot {what} the demo: this build has none"))
        .why("it was made without the feature demo")
        .next("cargo install --locked --path crates/mcp-cli --features demo"))
}
