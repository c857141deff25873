//! The browser that the sign-in tests click through the pages of a real provider with.
//!
//! It is the Debian package `chromium`, and the tests look for it where that puts it. Another one is named by
//! `MCPLINK_TEST_CHROMIUM`, which the tests read as well: of the compilation, and cargo rebuilds when it changes.

use std::path::{Path, PathBuf};

use crate::Problems;
use crate::shell::{command, is_installed, output, run};

/// The package, which puts a program of the same name into `/usr/bin`.
const PACKAGE: &str = "chromium";

/// Installs the browser if it is missing and this is a machine where we may.
///
/// # Errors
///
/// When there is none and none can be installed; says what to do.
pub(crate) fn provide() -> Result<(), Problems> {
    let wanted = option_env!("MCPLINK_TEST_CHROMIUM");
    let program = wanted.map_or_else(|| Path::new("/usr/bin").join(PACKAGE), PathBuf::from);
    if program.exists() {
        println!("{} is there", program.display());
        return Ok(());
    }
    let missing = |what: &str| vec![format!("the sign-in tests need {}: {what}", program.display())];
    if wanted.is_some() {
        return Err(missing("MCPLINK_TEST_CHROMIUM names no file"));
    }
    if !is_installed("apt-get") {
        return Err(missing("install Chromium and set MCPLINK_TEST_CHROMIUM to its path"));
    }
    if !output(&mut command("id", &["-u"])).is_ok_and(|id| id.trim() == "0") {
        return Err(missing("install it with `sudo apt-get install chromium`"));
    }
    // The lists of a fresh machine or container are empty or old.
    run(&mut command("apt-get", &["update", "--quiet"]))?;
    run(command("apt-get", &["install", "--quiet", "--yes", "--no-install-recommends", PACKAGE])
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    if program.exists() { Ok(()) } else { Err(missing("the package did not bring it")) }
}
