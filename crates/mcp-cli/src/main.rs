//! `mcplink`: see the library of this package for everything but the process itself.
// The futures of all commands are inside of one, and the compiler looks through all of them.
#![recursion_limit = "256"]
#![expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let environment = mcp_cli::Environment::new(env::vars_os(), env::current_dir(), env::current_exe());
    mcp_cli::run(env::args_os(), environment)
}
