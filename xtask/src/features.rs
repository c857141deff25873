//! Every crate with each of its features alone and with none; the step `lints` sees it with all.

use crate::Problems;
use crate::shell::{self, command, metadata};

/// Lints every combination. Clippy rather than a plain check: an import that only one feature needs is
/// a warning, and warnings fail.
pub(crate) fn run() -> Result<(), Problems> {
    let metadata = metadata()?;
    let mut problems = Problems::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let (Some(name), Some(features)) = (package["name"].as_str(), package["features"].as_object()) else {
            continue;
        };
        let features: Vec<&str> =
            features.keys().map(String::as_str).filter(|name| *name != "default").collect();
        for combination in combinations(&features) {
            let list = combination.join(",");
            let arguments = [
                "clippy",
                "--locked",
                "--quiet",
                "--package",
                name,
                "--lib",
                "--no-default-features",
                "--features",
                &list,
                "--",
                "-D",
                "warnings",
            ];
            problems.extend(shell::run(&mut command("cargo", &arguments)).err().into_iter().flatten());
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
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
