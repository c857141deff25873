//! Which crate may import which, as the table in ARCHITECTURE.md says.

use serde_json::Value;

use crate::Problems;
use crate::shell::{command, metadata, output, root};

/// The header of the table in ARCHITECTURE.md that this file reads: names in backticks are packages, all else is prose.
const HEADER: &str = "| crate | is | may import of ours | must never import |";

/// Crates whose tests import none of ours either.
const ALONE: &[&str] = &["mcp-files", "mcp-text", "mcp-status", "mcp-testkit", "xtask"];

/// What one of our crates may import, beyond tests: a row of the table.
#[derive(Debug, Eq, PartialEq)]
struct Rule {
    name: String,
    of_ours: OwnImports,
    /// Packages that must not be named in its manifest.
    never_named: Vec<String>,
}

/// What a crate may import of ours.
#[derive(Debug, Eq, PartialEq)]
enum OwnImports {
    All,
    These(Vec<Import>),
}

#[derive(Debug, Eq, PartialEq)]
struct Import {
    name: String,
    /// Only the core of it, without any feature.
    core_only: bool,
}

impl Rule {
    fn read(row: &str) -> Option<Self> {
        let cells: Vec<&str> = row.trim().trim_matches('|').split('|').collect();
        let [name, _, of_ours, never] = cells[..] else { return None };
        let import = |item: &str| {
            let name = quoted(item).next()?.to_owned();
            let core_only = item.contains(&format!("`{name}` core"));
            Some(Import { name, core_only })
        };
        let of_ours = match of_ours.trim() {
            "all" => OwnImports::All,
            names => OwnImports::These(names.split(',').filter_map(import).collect()),
        };
        let never_named = quoted(never).map(str::to_owned).collect();
        Some(Self { name: quoted(name).next()?.to_owned(), of_ours, never_named })
    }

    fn import(&self, target: &str) -> Option<&Import> {
        match &self.of_ours {
            OwnImports::All => None,
            OwnImports::These(imports) => imports.iter().find(|import| import.name == target),
        }
    }
}

/// What is in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The rows of the table.
fn read_table(document: &str) -> Result<Vec<Rule>, Problems> {
    let mut rows = document.lines().skip_while(|line| *line != HEADER).skip(2).peekable();
    if rows.peek().is_none() {
        return Err(vec![format!("ARCHITECTURE.md has no table that begins with {HEADER:?}")]);
    }
    rows.take_while(|row| row.starts_with('|'))
        .map(|row| {
            Rule::read(row).ok_or_else(|| vec![format!("ARCHITECTURE.md: no row of four cells: {row}")])
        })
        .collect()
}

/// Packages that must be nowhere under a crate, as it is built with these flags.
struct Tree {
    name: &'static str,
    flags: &'static [&'static str],
    never_under: &'static [&'static str],
}

const TREES: &[Tree] = &[
    Tree { name: "mcp-status", flags: &["--all-features"], never_under: &["tokio", "http", "reqwest"] },
    Tree {
        name: "mcp-auth",
        flags: &["--no-default-features"],
        never_under: &["oauth2", "reqwest", "process-wrap", "rustls"],
    },
    Tree {
        name: "mcp-auth",
        flags: &["--no-default-features", "--features", "helper"],
        never_under: &["oauth2"],
    },
    Tree { name: "mcp-auth", flags: &["--all-features"], never_under: &["reqwest", "rustls"] },
    Tree {
        name: "mcp-config",
        flags: &["--no-default-features"],
        never_under: &["tokio", "reqwest", "oauth2", "mcp-auth"],
    },
    Tree {
        name: "mcp-config",
        flags: &["--all-features"],
        never_under: &["reqwest", "oauth2", "process-wrap"],
    },
    Tree {
        name: "mcp-transport",
        flags: &["--all-features"],
        never_under: &["oauth2", "mcp-config", "clap"],
    },
    Tree {
        name: "mcp-transport",
        flags: &["--no-default-features", "--features", "stdio"],
        never_under: &["reqwest", "oauth2", "hyper"],
    },
    Tree { name: "mcp-bridge", flags: &["--all-features"], never_under: &["mcp-config", "clap", "oauth2"] },
    Tree { name: "mcp-share", flags: &["--all-features"], never_under: &["mcp-config", "clap", "oauth2"] },
    Tree { name: "mcplink", flags: &["--no-default-features"], never_under: &["mcp-share", "mcp-testkit"] },
    // The default build has no telemetry.
    Tree {
        name: "mcplink",
        flags: &[],
        never_under: &[
            "opentelemetry",
            "opentelemetry_sdk",
            "opentelemetry-proto",
            "prost",
            "tracing-opentelemetry",
        ],
    },
    // The collector is reached by our own HTTP client, and configured by our own reading of the environment.
    Tree {
        name: "mcplink",
        flags: &["--all-features"],
        never_under: &["opentelemetry-otlp", "opentelemetry-http"],
    },
    Tree { name: "xtask", flags: &["--all-features"], never_under: &["tokio", "reqwest"] },
];

/// Checks the manifests and the resolved trees.
pub(super) fn check() -> Result<Problems, Problems> {
    let document = std::fs::read_to_string(root().join("ARCHITECTURE.md"))
        .map_err(|error| vec![format!("ARCHITECTURE.md cannot be read: {error}")])?;
    let (rules, metadata) = (read_table(&document)?, metadata()?);
    let mut problems = check_manifests(&rules, &metadata);
    let present = |name: &str| packages(&metadata).any(|package| package["name"] == name);
    for tree in TREES.iter().filter(|tree| present(tree.name)) {
        let fixed = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
        let mut cargo = command("cargo", &fixed);
        cargo.args(["--package", tree.name]).args(tree.flags);
        problems.extend(check_tree(tree, &output(&mut cargo)?));
    }
    Ok(problems)
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

fn check_tree(tree: &Tree, listing: &str) -> Problems {
    let names: Vec<&str> = listing.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let found = tree.never_under.iter().filter(|name| names.contains(name));
    found.map(|name| format!("{} {} brings {name} in", tree.name, tree.flags.join(" "))).collect()
}

fn check_manifests(rules: &[Rule], metadata: &Value) -> Problems {
    let mut problems = Problems::new();
    for package in packages(metadata) {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(rule) = rules.iter().find(|rule| rule.name == name) else {
            problems.push(format!("{name} has no row in the table of crates in ARCHITECTURE.md"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            problems.extend(check_dependency(rules, rule, dependency));
        }
        problems.extend(check_package(name, package));
    }
    let is_here = |rule: &&Rule| packages(metadata).any(|package| package["name"] == rule.name.as_str());
    let gone = rules.iter().filter(|rule| !is_here(rule));
    problems
        .extend(gone.map(|rule| format!("ARCHITECTURE.md has a row for {}, which is not here", rule.name)));
    problems
}

fn check_dependency(rules: &[Rule], rule: &Rule, dependency: &Value) -> Problems {
    let mut problems = Problems::new();
    let target = dependency["name"].as_str().unwrap_or_default();
    let is_ours = rules.iter().any(|rule| rule.name == target);
    // Tests may see more than what is shipped, but a leaf that imports ours in its tests is a cycle.
    if dependency["kind"] == "dev" {
        if ALONE.contains(&&*rule.name) && is_ours {
            problems.push(format!("the tests of {} import {target}", rule.name));
        }
        return problems;
    }
    let import = rule.import(target);
    if is_ours && import.is_none() && rule.of_ours != OwnImports::All {
        problems.push(format!("{} may not import {target}", rule.name));
    }
    if rule.never_named.iter().any(|name| name == target) {
        problems.push(format!("{} must never import {target}", rule.name));
    }
    let has_features = dependency["features"].as_array().is_some_and(|features| !features.is_empty());
    let core_only = import.is_some_and(|import| import.core_only);
    if core_only && (has_features || dependency["uses_default_features"] == true) {
        problems.push(format!("{} may import the core of {target} only: no feature, no default", rule.name));
    }
    problems
}

/// What a published package needs, and the lints that hold everywhere.
fn check_package(name: &str, package: &Value) -> Problems {
    let mut problems = Problems::new();
    let published = package["publish"].as_array().is_none_or(|registries| !registries.is_empty());
    for field in ["description", "license", "readme", "repository", "rust_version"] {
        if published && package[field].is_null() {
            problems.push(format!("{name} has no {field} in its manifest"));
        }
    }
    let manifest = package["manifest_path"].as_str().and_then(|path| std::fs::read_to_string(path).ok());
    if !manifest.is_some_and(|text| text.contains("[lints]\nworkspace = true")) {
        problems.push(format!("{name} does not take the lints of the workspace"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DOCUMENT: &str = "\
Prose.

| crate | is | may import of ours | must never import |
|---|---|---|---|
| `mcp-text` | a leaf | – | everything else |
| `mcp-auth` | the trait | `mcp-text` | `clap`, the others |
| `mcp-config` | the files, `serde` | `mcp-text`, `mcp-auth` core (feature `auth`) | `tokio`, processes |
| `mcp-cli` | all | all | `reqwest`; rules of any kind |

| decision | lives in |
|---|---|
| `x` | `y` |
";

    fn dependency(name: &str, kind: Option<&str>, features: &[&str], defaults: bool) -> Value {
        json!({"name": name, "kind": kind, "features": features, "uses_default_features": defaults})
    }

    #[test]
    fn the_table_is_read_as_a_reader_does() {
        let rules = read_table(DOCUMENT).unwrap();
        let names: Vec<&str> = rules.iter().map(|rule| &*rule.name).collect();
        assert_eq!(names, ["mcp-text", "mcp-auth", "mcp-config", "mcp-cli"]);
        assert_eq!(rules[0].of_ours, OwnImports::These(Vec::new()));
        let import = |name: &str, core_only| Import { name: name.to_owned(), core_only };
        assert_eq!(
            rules[2].of_ours,
            OwnImports::These(vec![import("mcp-text", false), import("mcp-auth", true)])
        );
        assert_eq!(rules[2].never_named, ["tokio"]);
        assert_eq!(rules[3].of_ours, OwnImports::All);
        assert!(read_table("no table").is_err());
        assert!(read_table(&DOCUMENT.replace("| a leaf |", "| a leaf")).is_err());
    }

    #[test]
    fn the_table_is_enforced() {
        let rules = read_table(DOCUMENT).unwrap();
        let table = [
            ("mcp-config", dependency("mcp-auth", None, &[], false), 0),
            ("mcp-config", dependency("mcp-auth", None, &[], true), 1),
            ("mcp-config", dependency("mcp-auth", None, &["helper"], false), 1),
            ("mcp-config", dependency("mcp-cli", None, &[], true), 1),
            ("mcp-config", dependency("mcp-auth", Some("dev"), &["helper"], true), 0),
            ("mcp-config", dependency("tokio", None, &[], true), 1),
            ("mcp-config", dependency("serde", None, &[], true), 0),
            ("mcp-auth", dependency("mcp-config", None, &[], true), 1),
            ("mcp-auth", dependency("mcp-cli", Some("dev"), &[], true), 0),
            ("mcp-text", dependency("mcp-auth", Some("dev"), &[], true), 1),
            ("mcp-cli", dependency("mcp-config", None, &["auth"], true), 0),
            ("mcp-cli", dependency("reqwest", None, &[], true), 1),
        ];
        for (name, dependency, problems) in table {
            let rule = rules.iter().find(|rule| rule.name == name).unwrap();
            assert_eq!(check_dependency(&rules, rule, &dependency).len(), problems, "{name}: {dependency}");
        }
    }

    #[test]
    fn a_crate_without_a_row_is_a_problem_and_so_is_a_row_without_a_crate() {
        assert_eq!(check_manifests(&[], &json!({"packages": [{"name": "mcp-new"}]})).len(), 1);
        let rules = read_table(DOCUMENT).unwrap();
        assert_eq!(check_manifests(&rules, &json!({"packages": []})).len(), rules.len());
    }

    #[test]
    fn what_a_tree_must_not_hold_is_found_by_its_whole_name() {
        let tree = Tree { name: "x", flags: &[], never_under: &["http"] };
        assert!(check_tree(&tree, "x v1\nhttp-body v1\nserde v1 (*)\n").is_empty());
        assert_eq!(check_tree(&tree, "x v1\nhttp v1.4.0\n").len(), 1);
    }
}
