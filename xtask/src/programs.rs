//! The programs that the tests use: mcplink, the client of the conformance suite, and an example.

use std::path::PathBuf;

use crate::Problems;
use crate::setup::target_directory;
use crate::shell::{command, run};

/// An example among the targets makes cargo choose the features of dependencies as it does for tests. Without it, tokio would have
/// fewer, and all that stands on it would be compiled a second time.
const BUILD: [&str; 11] = [
    "build",
    "--locked",
    "--workspace",
    "--all-features",
    "--quiet",
    "--example",
    "conformance",
    "--example",
    "verdicts",
    "--bin",
    "mcplink",
];

/// Where they are.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) mcplink: PathBuf,
    /// The client of the conformance suite.
    pub(crate) client: PathBuf,
    /// What evidence means.
    pub(crate) verdicts: PathBuf,
}

/// Builds them, which is nothing after the tests.
pub(crate) fn build() -> Result<Programs, Problems> {
    run(&mut command("cargo", &BUILD))?;
    let target = target_directory()?.join("debug");
    let built = |name: &str| target.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    Ok(Programs {
        mcplink: built("mcplink"),
        client: built("examples/conformance"),
        verdicts: built("examples/verdicts"),
    })
}
