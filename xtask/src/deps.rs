//! The import table, the quarantines and the naming rules of ARCHITECTURE.md.

mod imports;
mod source_rules;

use crate::sources::read_all;
use crate::{Problems, duplicates};

/// Checks all of them and reports every problem at once.
pub(crate) fn run() -> Result<(), Problems> {
    let mut problems = imports::check()?;
    problems.extend(source_rules::check(&read_all()?));
    problems.extend(duplicates::check()?);
    if problems.is_empty() {
        println!("imports, quarantines, names and versions are as ARCHITECTURE.md and deny.toml say");
        Ok(())
    } else {
        Err(problems)
    }
}
