//! Everything that continuous integration checks, in its order: the cheap and telling first.

use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::shell::{command, has_cargo_subcommand, metadata, run};
use crate::{Problems, api, conformance, deps, dist, docs, features, instructions, msrv, setup};

const LINTS: [&str; 8] =
    ["clippy", "--locked", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
const NEXTEST: [&str; 6] = ["nextest", "run", "--locked", "--workspace", "--all-features", "--no-fail-fast"];
const TESTS: [&str; 8] =
    ["test", "--locked", "--workspace", "--all-features", "--lib", "--bins", "--tests", "--no-fail-fast"];
/// What the program says of the features that a build of it lacks.
const MINIMAL: [&str; 7] =
    ["test", "--locked", "--workspace", "--no-default-features", "--test", "minimal", "--features"];
/// Those that the test of it needs to be without.
const LACKED: [&str; 3] = ["mcplink/default", "mcplink/demo", "mcplink/share"];
const DOC_TESTS: [&str; 5] = ["test", "--locked", "--workspace", "--all-features", "--doc"];
/// Manifests, files and licences of what is published. What is inside was built by the steps before.
const PACKAGES: [&str; 9] = [
    "package",
    "--locked",
    "--workspace",
    "--exclude",
    "xtask",
    "--exclude",
    "mcp-harness",
    "--no-verify",
    "--allow-dirty",
];

/// One step; it says itself what it does.
type Step = Box<dyn FnOnce() -> Result<(), Problems>>;

/// Runs every step and stops at the first that fails.
///
/// What the tests need is installed beside the first steps: installing waits for registries, they for a processor.
pub(crate) fn run_all() -> Result<(), Problems> {
    let installing = thread::spawn(setup::run_where_possible);
    let installed = move || installing.join().unwrap_or_else(|_| Err(vec!["setup panicked".to_owned()]));
    let steps: Vec<(&str, Step)> = vec![
        ("format", Box::new(|| run(&mut command("cargo", &["fmt", "--all", "--check"])))),
        ("deps", Box::new(deps::run)),
        ("docs", Box::new(docs::check)),
        ("lints", Box::new(|| run(&mut command("cargo", &LINTS)))),
        ("features", Box::new(features::run)),
        ("oldest Rust", Box::new(msrv::build_where_possible)),
        ("rustdoc and api", Box::new(api::check)),
        ("packages", Box::new(|| run(&mut command("cargo", &PACKAGES)))),
        ("setup", Box::new(installed)),
        ("tests", Box::new(tests)),
        ("instructions, dist, doc tests and conformance", Box::new(beside_counting)),
    ];
    let count = steps.len();
    let started = Instant::now();
    for (name, step) in steps {
        println!("==> {name}");
        let began = Instant::now();
        step()?;
        println!("<== {name}: ok in {:.1} s", began.elapsed().as_secs_f32());
    }
    println!("all {count} steps ok in {:.0} s", started.elapsed().as_secs_f32());
    Ok(())
}

/// Counting instructions takes one processor for minutes, and the count is the same whatever runs on the other.
fn beside_counting() -> Result<(), Problems> {
    thread::scope(|scope| {
        let counting = scope.spawn(|| instructions::run(&[]));
        let others = dist::check()
            .and_then(|()| run(&mut command("cargo", &DOC_TESTS)))
            .and_then(|()| conformance::run_where_possible());
        let counted = counting.join().unwrap_or_else(|_| Err(vec!["counting panicked".to_owned()]));
        others.and(counted)
    })
}

/// Every feature of the workspace but these, so that what stands below them is compiled as for all other tests.
fn all_but(lacked: &[&str], metadata: &Value) -> String {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let features = packages.flat_map(|package| {
        let name = package["name"].as_str().unwrap_or_default();
        package["features"]
            .as_object()
            .into_iter()
            .flatten()
            .map(move |(feature, _)| format!("{name}/{feature}"))
    });
    features.filter(|feature| !lacked.contains(&feature.as_str())).collect::<Vec<_>>().join(",")
}

/// Tests at once for each processor: most of a test is waiting for a server, a time limit or a helper.
const WAITING: usize = 2;

/// nextest where it is installed: it isolates each test in a process of its own and finds leaked children.
fn tests() -> Result<(), Problems> {
    run(command("cargo", &MINIMAL).arg(all_but(&LACKED, &metadata()?)))?;
    if has_cargo_subcommand("nextest") {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let at_once = (WAITING * processors).to_string();
        run(command("cargo", &NEXTEST).env("NEXTEST_TEST_THREADS", at_once))
    } else {
        run(&mut command("cargo", &TESTS))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_features_that_a_test_is_to_be_without_are_left_out_and_no_others() {
        let metadata = json!({ "packages": [
            { "name": "mcplink", "features": { "default": [], "demo": [], "menu": [] } },
            { "name": "mcp-auth", "features": { "default": [], "demo": [] } },
            { "name": "mcp-text", "features": {} },
        ] });
        assert_eq!(all_but(&LACKED, &metadata), "mcplink/menu,mcp-auth/default,mcp-auth/demo");
    }
}
