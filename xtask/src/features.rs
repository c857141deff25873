//! Every crate with each of its features alone and with none; the step `lints` sees it with all.

use std::thread;

use serde_json::Value;

use crate::Problems;
use crate::shell::{self, command, metadata};

/// The package with the most combinations, and the last that is compiled: it is linted beside all the others, because what
/// one combination waits for is one crate after the other, and a second processor is idle.
const BESIDE: &str = "mcplink";

/// Lints every combination. Clippy rather than a plain check: an import that only one feature needs is
/// a warning, and warnings fail.
pub(crate) fn run() -> Result<(), Problems> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let (beside, others): (Vec<Lint>, Vec<Lint>) =
        packages.flat_map(lints_of).partition(|lint| lint.package == BESIDE);
    let problems: Problems = thread::scope(|scope| {
        // In a folder of its own: a second cargo waits for the first one's.
        let beside = scope.spawn(|| run_all(&beside, &["--target-dir", "target/features"]));
        let mut problems = run_all(&others, &[]);
        problems.extend(beside.join().unwrap_or_else(|_| vec![format!("the lints of {BESIDE} panicked")]));
        problems
    });
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// One combination of features of one package.
struct Lint {
    package: String,
    features: String,
}

fn lints_of(package: &Value) -> Vec<Lint> {
    let (Some(name), Some(features)) = (package["name"].as_str(), package["features"].as_object()) else {
        return Vec::new();
    };
    let features: Vec<&str> = features.keys().map(String::as_str).filter(|name| *name != "default").collect();
    let lint = |combination: Vec<&str>| Lint { package: name.to_owned(), features: combination.join(",") };
    combinations(&features).into_iter().map(lint).collect()
}

fn run_all(lints: &[Lint], folder: &[&str]) -> Problems {
    let run = |lint: &Lint| {
        let mut clippy =
            command("cargo", &["clippy", "--locked", "--quiet", "--lib", "--no-default-features"]);
        clippy.args(["--package", &lint.package, "--features", &lint.features]).args(folder);
        shell::run(clippy.args(["--", "-D", "warnings"])).err().unwrap_or_default()
    };
    lints.iter().flat_map(run).collect()
}

/// None and each alone; nothing for a crate without features, which the plain lint covers. A lone feature is all of
/// them, which the plain lint covers as well.
fn combinations<'a>(features: &[&'a str]) -> Vec<Vec<&'a str>> {
    match features {
        [] => Vec::new(),
        [_] => vec![Vec::new()],
        several => {
            let alone = several.iter().map(|feature| vec![*feature]);
            std::iter::once(Vec::new()).chain(alone).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_and_each_alone() {
        assert!(combinations(&[]).is_empty());
        assert_eq!(combinations(&["a"]), [Vec::<&str>::new()]);
        assert_eq!(combinations(&["a", "b"]), [vec![], vec!["a"], vec!["b"]]);
    }
}
