//! Every crate with none of its features and with some of them; the step `lints` sees it with all.

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

/// As many features as this are tried alone; more in two halves.
const ALONE: usize = 3;

/// None and each alone; nothing for a crate without features, which the plain lint covers. A lone feature is all of
/// them, which the plain lint covers as well.
///
/// More than [`ALONE`] are tried in two halves, every other one: what a feature takes from another is seen as long as
/// that one is not in its half. Each try compiles all crates below once more, so that each costs half a minute.
fn combinations<'a>(features: &[&'a str]) -> Vec<Vec<&'a str>> {
    let groups: Vec<Vec<&str>> = match features {
        [] => return Vec::new(),
        [_] => Vec::new(),
        few if few.len() <= ALONE => few.iter().map(|feature| vec![*feature]).collect(),
        many => (0..2).map(|first| many.iter().skip(first).step_by(2).copied().collect()).collect(),
    };
    std::iter::once(Vec::new()).chain(groups).collect()
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

    #[test]
    fn of_many_each_is_in_one_half() {
        assert_eq!(combinations(&["a", "b", "c", "d"]), [vec![], vec!["a", "c"], vec!["b", "d"]]);
        assert_eq!(combinations(&["a", "b", "c", "d", "e"]), [vec![], vec!["a", "c", "e"], vec!["b", "d"]]);
    }
}
