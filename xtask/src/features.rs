//! Every crate with none of its features and with one or two of them; the step `lints` sees it with all.

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

/// As many features as this are tried alone; of more, two at once.
const ALONE: usize = 3;

/// None and each alone; nothing for a crate without features, which the plain lint covers. A lone feature is all of
/// them, which the plain lint covers as well.
///
/// Of more than [`ALONE`] two are tried at once, each with the one that stands half the list away: what a feature
/// takes from another is seen as long as that one is not its partner, in half the time.
fn combinations<'a>(features: &[&'a str]) -> Vec<Vec<&'a str>> {
    let groups: Vec<Vec<&str>> = match features {
        [] => return Vec::new(),
        [_] => Vec::new(),
        few if few.len() <= ALONE => few.iter().map(|feature| vec![*feature]).collect(),
        many => {
            let (first, second) = many.split_at(many.len().div_ceil(2));
            let partners = second.iter().map(Some).chain(std::iter::repeat(None));
            first
                .iter()
                .zip(partners)
                .map(|(one, other)| std::iter::once(one).chain(other).copied().collect())
                .collect()
        }
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
    fn of_many_each_is_in_one_pair() {
        assert_eq!(combinations(&["a", "b", "c", "d"]), [vec![], vec!["a", "c"], vec!["b", "d"]]);
        assert_eq!(
            combinations(&["a", "b", "c", "d", "e"]),
            [vec![], vec!["a", "d"], vec!["b", "e"], vec!["c"]]
        );
    }
}
