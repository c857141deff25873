//! `mcplink completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::app::App;
use crate::args::Cli;
use crate::completion;
use crate::completion::names::ListedNames;
use crate::error::CliError;
use crate::exit::ExitStatus;

pub(super) fn run(app: &App, shell: Shell) -> Result<ExitStatus, CliError> {
    // Who has a shell complete has names kept for it from then on.
    ListedNames::make_folder(app);
    if let Some(script) = completion::script(shell) {
        app.output.out(script);
        return Ok(ExitStatus::Success);
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mcplink", &mut script);
    app.output.out_bytes(&script);
    Ok(ExitStatus::Success)
}
