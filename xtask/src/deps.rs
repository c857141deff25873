//! The import table, the quarantines, the naming rules, the circles and the homes of ARCHITECTURE.md, the words of CONTRIBUTING.md,
//! and the reasons of dependencies.

mod circles;
mod homes;
mod imports;
mod plain_words;
mod reasons;
mod source_rules;
mod words;

use crate::sources::read_all;
use crate::{Problems, duplicates, msrv};

/// Checks all of them and reports every problem at once.
pub(crate) fn run() -> Result<(), Problems> {
    // Cargo resolves trees while the sources are read.
    let (sources, imports, duplicates, versions) = std::thread::scope(|scope| {
        let imports = scope.spawn(imports::check);
        let duplicates = scope.spawn(duplicates::check);
        let versions = scope.spawn(msrv::check);
        (read_all(), joined(imports.join()), joined(duplicates.join()), joined(versions.join()))
    });
    let sources = sources?;
    let mut problems = imports?;
    problems.extend(source_rules::check(&sources));
    problems.extend(words::check(&sources)?);
    problems.extend(plain_words::check(&sources)?);
    problems.extend(circles::check(&sources)?);
    problems.extend(homes::check(&sources)?);
    problems.extend(reasons::check()?);
    problems.extend(duplicates?);
    problems.extend(versions?);
    if problems.is_empty() {
        println!("imports, quarantines, names and versions are as ARCHITECTURE.md and deny.toml say");
        Ok(())
    } else {
        Err(problems)
    }
}

/// What a thread found.
fn joined(found: std::thread::Result<Result<Problems, Problems>>) -> Result<Problems, Problems> {
    found.unwrap_or_else(|_| Err(vec!["a check ended before it was through".to_owned()]))
}
