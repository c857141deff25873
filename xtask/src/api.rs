//! The public API of each library crate, as text in `docs/api/`: a change of it shows in the change that makes it.
//!
//! rustdoc writes what is public as JSON. That output is not stable, so this asks for it by `RUSTC_BOOTSTRAP`, and leaves
//! the reading to the crate `public-api`, which follows its format. Only rustdoc sees that variable, because cargo runs
//! this program in its place: the build scripts of half of the dependencies look at it, and cargo would run them, and
//! compile all that stands on them, once for this list and once again for whatever is built next.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::Problems;
use crate::shell::{command, metadata, output, root};

/// The folder of the lists.
const FOLDER: &str = "docs/api";

/// Fails if a list is not what [`update`] would write.
pub(crate) fn check() -> Result<(), Problems> {
    let mut problems = Problems::new();
    for (file, new) in lists(&[])? {
        let old = fs::read_to_string(root().join(&file)).unwrap_or_default();
        if let Some(difference) = difference(&old, &new) {
            problems.push(format!("{} is stale; run `cargo xtask api`\n{difference}", file.display()));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Brings the lists up to date, or those of `crates` where there are any.
pub(crate) fn update(crates: &[&str]) -> Result<(), Problems> {
    let written = |path: &Path, error: std::io::Error| vec![format!("{}: {error}", path.display())];
    fs::create_dir_all(root().join(FOLDER)).map_err(|error| written(Path::new(FOLDER), error))?;
    for (file, list) in lists(crates)? {
        println!("{}: {} lines", file.display(), list.lines().count());
        fs::write(root().join(&file), list).map_err(|error| written(&file, error))?;
    }
    Ok(())
}

/// The file of each library crate, and its public API.
fn lists(crates: &[&str]) -> Result<Vec<(PathBuf, String)>, Problems> {
    let metadata = metadata()?;
    let target = PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target"));
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let libraries: Vec<(&str, &str)> = packages
        .filter_map(|package| Some((package["name"].as_str()?, library(package)?)))
        .filter(|(name, _)| crates.is_empty() || crates.contains(name))
        .collect();
    let chosen: Vec<&str> =
        if crates.is_empty() { Vec::new() } else { libraries.iter().map(|(name, _)| *name).collect() };
    document(&chosen)?;
    let mut lists = Vec::new();
    for (name, library) in libraries {
        let document = target.join("doc").join(library.replace('-', "_")).with_extension("json");
        let api = public_api::Builder::from_rustdoc_json(&document)
            .omit_blanket_impls(true)
            .omit_auto_trait_impls(true)
            .omit_auto_derived_impls(true)
            .build()
            .map_err(|error| vec![format!("{}: {error}", document.display())])?;
        lists.push((Path::new(FOLDER).join(name).with_extension("txt"), api.to_string()));
    }
    Ok(lists)
}

/// Set where cargo runs this program as its rustdoc.
const AS_RUSTDOC: &str = "XTASK_IS_RUSTDOC";

/// Writes the JSON of these packages, or of all where none is named, by one command, with the features that lints have compiled
/// already. A warning of rustdoc ends it, as everywhere: a link that leads nowhere is found here.
fn document(packages: &[&str]) -> Result<(), Problems> {
    let this =
        std::env::current_exe().map_err(|error| vec![format!("this program is not found: {error}")])?;
    let mut doc = command("cargo", &["doc", "--locked", "--quiet", "--no-deps", "--all-features"]);
    match packages {
        [] => doc.arg("--workspace"),
        packages => doc.args(packages.iter().flat_map(|name| ["--package", name])),
    };
    doc.env("RUSTDOC", this).env(AS_RUSTDOC, "1");
    doc.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json -D warnings");
    output(&mut doc).map(drop)
}

/// The end of rustdoc, where cargo runs this program in its place.
#[expect(clippy::disallowed_methods, reason = "cargo starts this program with nothing else that tells")]
pub(crate) fn as_rustdoc() -> Option<ExitCode> {
    std::env::var_os(AS_RUSTDOC)?;
    let mut rustdoc = Command::new("rustdoc");
    rustdoc.args(std::env::args_os().skip(1)).env_remove(AS_RUSTDOC).env("RUSTC_BOOTSTRAP", "1");
    let code =
        rustdoc.status().ok().and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
    Some(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The name of a package's library, where it is published; the package may have another one.
fn library(package: &serde_json::Value) -> Option<&str> {
    let is_published = package["publish"].is_null();
    let mut targets = package["targets"].as_array().filter(|_| is_published)?.iter();
    targets.find(|target| target["kind"][0] == "lib")?["name"].as_str()
}

/// The lines that only one of them has, as in a diff; `None` where they are equal.
fn difference(old: &str, new: &str) -> Option<String> {
    if old == new {
        return None;
    }
    let only = |these: &str, those: &str, sign: char| -> Vec<String> {
        let known: Vec<&str> = those.lines().collect();
        these.lines().filter(|line| !known.contains(line)).map(|line| format!("  {sign} {line}")).collect()
    };
    let lines = [only(old, new, '-'), only(new, old, '+')].concat();
    Some(if lines.is_empty() { "  the order of its lines changed".to_owned() } else { lines.join("\n") })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ARCHITECTURE.md says of public APIs: what they name is ours, or one of few crates that a user has anyway.
    #[test]
    fn public_apis_name_no_other_crate_than_those_that_are_agreed() {
        const CRATES: [&str; 8] =
            ["alloc", "core", "std", "bytes", "http", "serde_core", "serde_json", "url"];
        const TOKIO: [&str; 4] = ["AsyncRead", "AsyncWrite", "watch::Receiver", "Instant"];
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let mut strangers = Vec::new();
        for file in fs::read_dir(root().join(FOLDER)).unwrap() {
            let path = file.unwrap().path();
            for line in fs::read_to_string(&path).unwrap().lines() {
                for word in line.split(|c| !is_part(c)) {
                    let Some((first, rest)) = word.split_once("::") else { continue };
                    let is_sdk = first == "rmcp" && path.ends_with("mcp-rmcp.txt");
                    let is_tokio = first == "tokio" && TOKIO.iter().any(|name| rest.ends_with(name));
                    let is_type = first.starts_with(|c: char| c.is_ascii_uppercase()) || first.is_empty();
                    let is_agreed = first.starts_with("mcp_") || CRATES.contains(&first);
                    if !(is_agreed || is_sdk || is_tokio || is_type) {
                        strangers.push(format!("{}: {word}", path.display()));
                    }
                }
            }
        }
        assert!(strangers.is_empty(), "{strangers:#?}");
    }

    #[test]
    fn what_one_list_has_alone_is_shown() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nb\n", "a\nc\n").unwrap(), "  - b\n  + c");
        assert_eq!(difference("a\nb\n", "b\na\n").unwrap(), "  the order of its lines changed");
    }

    #[test]
    fn libraries_that_are_published_have_a_list() {
        let package = |publish: serde_json::Value, kind: &str| {
            let targets = [serde_json::json!({ "kind": [kind], "name": "mcp_cli" })];
            serde_json::json!({ "name": "mcplink", "publish": publish, "targets": targets })
        };
        assert_eq!(library(&package(serde_json::Value::Null, "lib")), Some("mcp_cli"));
        assert_eq!(library(&package(serde_json::json!([]), "lib")), None);
        assert_eq!(library(&package(serde_json::Value::Null, "bin")), None);
    }
}
