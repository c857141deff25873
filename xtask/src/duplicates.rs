//! One version of each package in the tree, except where `deny.toml` gives a reason.
//!
//! `cargo deny check bans` asks the same question; this answers it with nothing installed but cargo.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::Problems;
use crate::shell::{command, output, root};

/// Checks the tree against the `skip` entries of `deny.toml`, in both directions.
pub(crate) fn check() -> Result<Problems, Problems> {
    let deny = fs::read_to_string(root().join("deny.toml"))
        .map_err(|error| vec![format!("deny.toml cannot be read: {error}")])?;
    let arguments = [
        "tree",
        "--locked",
        "--workspace",
        "--all-features",
        "--target",
        "all",
        "--duplicates",
        "--depth",
        "0",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let tree = output(&mut command("cargo", &arguments))?;
    Ok(compare(&versions(&tree), &skipped(&deny)))
}

/// Every `name@version` in the output of `cargo tree --duplicates`, by name.
fn versions(tree: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in tree.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            found.entry(name.to_owned()).or_default().insert(version.trim_start_matches('v').to_owned());
        }
    }
    // The same version built for host and target is listed twice and is one version.
    found.retain(|_, versions| versions.len() > 1);
    found
}

/// The `name@version` of each `{ crate = "…" }` between `skip = [` and `]`.
fn skipped(deny: &str) -> BTreeSet<String> {
    let list = deny.lines().skip_while(|line| !line.trim_start().starts_with("skip = [")).skip(1);
    list.take_while(|line| line.trim() != "]")
        .filter_map(|line| line.split_once("crate = \"")?.1.split('"').next())
        .map(str::to_owned)
        .collect()
}

fn compare(found: &BTreeMap<String, BTreeSet<String>>, skipped: &BTreeSet<String>) -> Problems {
    let mut problems = Problems::new();
    for (name, versions) in found {
        let unexplained: Vec<_> =
            versions.iter().filter(|version| !skipped.contains(&format!("{name}@{version}"))).collect();
        if unexplained.len() > 1 {
            let all = versions.iter().cloned().collect::<Vec<_>>().join(", ");
            problems.push(format!(
                "{name} is in the tree as {all}: unify it, or give the older one a reason in deny.toml"
            ));
        }
    }
    for entry in skipped {
        let (name, version) = entry.split_once('@').unwrap_or((entry, ""));
        if !found.get(name).is_some_and(|versions| versions.contains(version)) {
            problems.push(format!("deny.toml skips {entry}, which is no duplicate any more"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "rand v0.8.5\nrand v0.9.2\n\nsyn v2.0.1\nsyn v2.0.1 (*)\n";

    #[test]
    fn an_unexplained_second_version_is_a_problem() {
        let found = versions(TREE);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["rand"]);
        assert_eq!(compare(&found, &BTreeSet::new()).len(), 1);
        assert!(compare(&found, &BTreeSet::from(["rand@0.8.5".to_owned()])).is_empty());
    }

    #[test]
    fn a_reason_that_is_no_longer_needed_is_a_problem() {
        let stale = BTreeSet::from(["rand@0.8.5".to_owned(), "syn@1.0.0".to_owned()]);
        assert_eq!(compare(&versions(TREE), &stale).len(), 1);
    }

    #[test]
    fn skip_entries_are_read_and_no_others() {
        let deny = "ignore = [\n  { id = \"RUSTSEC-1\" },\n]\n[bans]\nskip = [\n  # why\n  { crate = \"rand@0.8.5\", reason = \"x\" },\n]\nallow = [{ crate = \"no@1\" }]\n";
        assert_eq!(skipped(deny), BTreeSet::from(["rand@0.8.5".to_owned()]));
    }
}
