//! `mcplink`: see the library of this package for everything but the process itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    mcp_cli::run(std::env::args_os(), mcp_cli::Environment::new(std::env::vars_os(), std::env::current_dir()))
}
