//! The oldest Rust that the workspace says it is built by (`rust-version`).
//!
//! Three things keep that true: no package in the tree asks for a newer one (checked here), clippy knows since when the
//! standard library has what is called (`incompatible_msrv`), and where that toolchain is installed, it builds the workspace.

use serde_json::Value;

use crate::Problems;
use crate::shell::{command, metadata, output, run};

/// The packages of the tree that ask for a newer Rust than the workspace does.
pub(crate) fn check() -> Result<Problems, Problems> {
    let oldest = oldest()?;
    let text = output(&mut command("cargo", &["metadata", "--locked", "--format-version", "1"]))?;
    let tree: Value =
        serde_json::from_str(&text).map_err(|error| vec![format!("cargo metadata: {error}")])?;
    Ok(newer(&tree, &oldest))
}

/// Builds everything that is published with the oldest Rust, where rustup has it whole.
///
/// An installation that was cut off leaves a toolchain with cargo and no compiler, and asking rustup for a toolchain
/// that is missing may begin such an installation: so each part is asked for, and nothing is fetched.
pub(crate) fn build_where_possible() -> Result<(), Problems> {
    let oldest = oldest()?;
    let lacks = |name: &&str| {
        let mut asked = command("rustup", &["run", &oldest, name, "--version"]);
        output(asked.env("RUSTUP_AUTO_INSTALL", "0")).is_err()
    };
    if let Some(missing) = ["cargo", "rustc"].iter().find(|name| lacks(name)) {
        println!("Rust {oldest} has no {missing} here, so that only what the packages say of it was checked");
        return Ok(());
    }
    // A folder of its own: the two toolchains would make each other build everything again.
    let check = ["check", "--locked", "--workspace", "--all-features", "--target-dir", "target/msrv"];
    run(command("rustup", &["run", &oldest, "cargo"]).args(check))
}

/// The `rust-version` that all packages of the workspace share.
fn oldest() -> Result<String, Problems> {
    let metadata = metadata()?;
    let mut versions: Vec<&str> = packages(&metadata).map(|(_, version)| version.unwrap_or("none")).collect();
    versions.sort_unstable();
    versions.dedup();
    match versions[..] {
        [one] if one != "none" => Ok(one.to_owned()),
        _ => Err(vec![format!("the packages of the workspace say different `rust-version`s: {versions:?}")]),
    }
}

fn newer(tree: &Value, oldest: &str) -> Problems {
    let asks = |(name, version): (&str, Option<&str>)| {
        let version = version.filter(|version| number(version) > number(oldest))?;
        Some(format!("{name} asks for Rust {version}, and the workspace says that {oldest} builds it"))
    };
    packages(tree).filter_map(asks).collect()
}

fn packages(metadata: &Value) -> impl Iterator<Item = (&str, Option<&str>)> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages.filter_map(|package| Some((package["name"].as_str()?, package["rust_version"].as_str())))
}

/// The parts of a version, to be compared; what is left out is 0.
fn number(version: &str) -> [u32; 3] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_package_that_asks_for_a_newer_rust_is_named() {
        let package = |name, version| json!({"name": name, "rust_version": version});
        let packages = [
            package("older", Some("1.9")),
            package("same", Some("1.89.0")),
            package("silent", None),
            package("newer", Some("1.89.1")),
        ];
        let found = newer(&json!({"packages": packages}), "1.89");
        assert_eq!(found, ["newer asks for Rust 1.89.1, and the workspace says that 1.89 builds it"]);
    }
}
