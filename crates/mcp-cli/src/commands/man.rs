//! `mcplink man [COMMAND]`: manual pages, made from the same description as the help texts.

use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use crate::app::App;
use crate::args::{ManArgs, whole_command_line};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::mistake::unknown;

pub(super) fn run(app: &App, args: &ManArgs) -> Result<ExitStatus, CliError> {
    let mut program = whole_command_line();
    if let Some(folder) = &args.out {
        write_all(program, folder).map_err(|error| {
            let what = format!("the pages cannot be written to {}", folder.display());
            CliError::unwritten("output-not-written", what)
                .why(mcp_files::reason(&error))
                .next("name another folder")
        })?;
        return Ok(ExitStatus::Success);
    }
    program.build();
    let command = match &args.command {
        None => program,
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command.clone(),
            None => return Err(CliError { code: "unknown-command".to_owned(), ..unknown(name) }),
        },
    };
    let page = page(command).map_err(|error| {
        CliError::new(ExitStatus::Internal, "internal", "the page cannot be made").why(error.to_string())
    })?;
    app.output.out_bytes(&page);
    Ok(ExitStatus::Success)
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}

fn write_all(program: Command, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(program, folder)
}
