//! The import table, the quarantines and the naming rules of ARCHITECTURE.md.

mod imports;
mod source_rules;
mod words;

use crate::sources::read_all;
use crate::{Problems, duplicates};

/// Checks all of them and reports every problem at once.
pub(crate) fn run() -> Result<(), Problems> {
    let mut problems = imports::check()?;
    let sources = read_all()?;
    problems.extend(source_rules::check(&sources));
    problems.extend(words::check(&sources)?);
    problems.extend(duplicates::check()?);
    if problems.is_empty() {
        println!("imports, quarantines, names and versions are as ARCHITECTURE.md and deny.toml say");
        Ok(())
    } else {
        Err(problems)
    }
}
