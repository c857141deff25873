//! Which crate may import which.

use serde_json::Value;

use crate::Problems;
use crate::shell::{command, metadata, output};

/// What one of our crates may import of ours, beyond tests.
struct Rule {
    name: &'static str,
    may_import: &'static [&'static str],
    /// Of these only the core, without any feature.
    core_only: &'static [&'static str],
    /// Packages that must not be named in its manifest.
    never_named: &'static [&'static str],
}

const ALL: &[&str] = &[
    "mcp-files",
    "mcp-text",
    "mcp-status",
    "mcp-auth",
    "mcp-config",
    "mcp-transport",
    "mcp-bridge",
    "mcp-testkit",
];

const RULES: &[Rule] = &[
    Rule { name: "mcp-files", may_import: &[], core_only: &[], never_named: &["tokio", "serde"] },
    Rule { name: "mcp-text", may_import: &[], core_only: &[], never_named: &["tokio", "serde"] },
    Rule {
        name: "mcp-status",
        may_import: &["mcp-text"],
        core_only: &[],
        never_named: &["tokio", "http", "reqwest"],
    },
    Rule {
        name: "mcp-auth",
        may_import: &["mcp-files", "mcp-text"],
        core_only: &[],
        never_named: &["backoff", "clap"],
    },
    Rule {
        name: "mcp-config",
        may_import: &["mcp-auth", "mcp-files", "mcp-text"],
        core_only: &["mcp-auth"],
        never_named: &["tokio", "reqwest", "oauth2", "process-wrap", "backoff"],
    },
    Rule {
        name: "mcp-transport",
        may_import: &["mcp-auth", "mcp-files", "mcp-status", "mcp-text"],
        core_only: &["mcp-auth"],
        never_named: &["oauth2", "clap"],
    },
    Rule {
        name: "mcp-bridge",
        may_import: &["mcp-transport", "mcp-status", "mcp-auth", "mcp-files", "mcp-text"],
        core_only: &["mcp-auth"],
        never_named: &["clap", "oauth2", "reqwest", "backoff"],
    },
    Rule { name: "mcp-cli", may_import: ALL, core_only: &[], never_named: &["oauth2", "reqwest", "backoff"] },
    Rule {
        name: "mcp-testkit",
        may_import: &["mcp-text"],
        core_only: &[],
        never_named: &["oauth2", "backoff"],
    },
    Rule { name: "xtask", may_import: &[], core_only: &[], never_named: &["tokio", "reqwest"] },
];

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
    // Whoever builds the program as it is gets none of the telemetry.
    Tree {
        name: "mcp-cli",
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
        name: "mcp-cli",
        flags: &["--all-features"],
        never_under: &["opentelemetry-otlp", "opentelemetry-http"],
    },
    Tree { name: "xtask", flags: &["--all-features"], never_under: &["tokio", "syn", "reqwest"] },
];

/// Checks the manifests and the resolved trees.
pub(super) fn check() -> Result<Problems, Problems> {
    let metadata = metadata()?;
    let mut problems = check_manifests(&metadata);
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

fn check_manifests(metadata: &Value) -> Problems {
    let mut problems = Problems::new();
    for package in packages(metadata) {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            problems.push(format!("{name} has no row in the import table (xtask/src/deps/imports.rs)"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            problems.extend(check_dependency(rule, dependency));
        }
        problems.extend(check_package(name, package));
    }
    problems
}

fn check_dependency(rule: &Rule, dependency: &Value) -> Problems {
    let mut problems = Problems::new();
    let target = dependency["name"].as_str().unwrap_or_default();
    let is_ours = RULES.iter().any(|rule| rule.name == target);
    // Tests may see more than what is shipped, but a leaf that imports ours in its tests is a cycle.
    if dependency["kind"] == "dev" {
        let is_leaf = matches!(rule.name, "mcp-files" | "mcp-text" | "mcp-status" | "mcp-testkit" | "xtask");
        if is_leaf && is_ours {
            problems.push(format!("the tests of {} import {target}", rule.name));
        }
        return problems;
    }
    if is_ours && !rule.may_import.contains(&target) {
        problems.push(format!("{} may not import {target}", rule.name));
    }
    if rule.never_named.contains(&target) {
        problems.push(format!("{} must never import {target}", rule.name));
    }
    let has_features = dependency["features"].as_array().is_some_and(|features| !features.is_empty());
    if rule.core_only.contains(&target) && (has_features || dependency["uses_default_features"] == true) {
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

    fn rule(name: &str) -> &'static Rule {
        RULES.iter().find(|rule| rule.name == name).unwrap()
    }

    fn dependency(name: &str, kind: Option<&str>, features: &[&str], defaults: bool) -> Value {
        json!({"name": name, "kind": kind, "features": features, "uses_default_features": defaults})
    }

    #[test]
    fn the_table_is_enforced() {
        let table = [
            ("mcp-transport", dependency("mcp-auth", None, &[], false), 0),
            ("mcp-transport", dependency("mcp-auth", None, &[], true), 1),
            ("mcp-transport", dependency("mcp-auth", None, &["helper"], false), 1),
            ("mcp-transport", dependency("mcp-config", None, &[], true), 1),
            ("mcp-transport", dependency("mcp-auth", Some("dev"), &["helper"], true), 0),
            ("mcp-auth", dependency("mcp-status", None, &[], true), 1),
            ("mcp-auth", dependency("mcp-testkit", Some("dev"), &[], true), 0),
            ("mcp-config", dependency("tokio", None, &[], true), 1),
            ("mcp-status", dependency("mcp-testkit", Some("dev"), &[], true), 1),
            ("mcp-testkit", dependency("mcp-transport", None, &[], true), 1),
            ("mcp-cli", dependency("mcp-config", None, &["auth"], true), 0),
            ("mcp-cli", dependency("reqwest", None, &[], true), 1),
        ];
        for (name, dependency, problems) in table {
            assert_eq!(check_dependency(rule(name), &dependency).len(), problems, "{name}: {dependency}");
        }
    }

    #[test]
    fn a_crate_without_a_row_is_a_problem() {
        assert_eq!(check_manifests(&json!({"packages": [{"name": "mcp-new"}]})).len(), 1);
    }

    #[test]
    fn what_a_tree_must_not_hold_is_found_by_its_whole_name() {
        let tree = Tree { name: "x", flags: &[], never_under: &["http"] };
        assert!(check_tree(&tree, "x v1\nhttp-body v1\nserde v1 (*)\n").is_empty());
        assert_eq!(check_tree(&tree, "x v1\nhttp v1.4.0\n").len(), 1);
    }
}
