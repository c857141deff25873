//! `mcplink completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::app::App;
use crate::args::Cli;
use crate::error::CliError;
use crate::exit::ExitStatus;

pub(super) fn run(app: &App, shell: Shell) -> Result<ExitStatus, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mcplink", &mut script);
    app.output.out_bytes(&script);
    Ok(ExitStatus::Success)
}
