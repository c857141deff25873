//! `mcplink`: see the library of this package for everything but the process itself.
#![expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let environment = mcp_cli::Environment::new(env::vars_os(), env::current_dir(), env::current_exe());
    mcp_cli::run(env::args_os(), environment)
}
