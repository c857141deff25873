//! The fuzz targets of `fuzz/`, one after the other.

use std::fs;

use crate::Problems;
use crate::shell::{command, has_cargo_subcommand, root, run as run_command};

/// How long each target runs unless told, in seconds.
const SECONDS: u32 = 60;

/// `[TARGET] [SECONDS]`: one target or all, for so long each. Stops at the first finding.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Problems> {
    let (targets, seconds) = choose(&targets()?, arguments)?;
    if !has_cargo_subcommand("fuzz") {
        return Err(vec!["cargo-fuzz is missing: `cargo install --locked cargo-fuzz`".to_owned()]);
    }
    for target in targets {
        // What is new goes where git does not see it; the committed corpus is read only.
        let new = root().join("target/fuzz-corpus").join(&target);
        fs::create_dir_all(&new).map_err(|error| vec![format!("{}: {error}", new.display())])?;
        let corpus = root().join("fuzz/corpus").join(&target);
        let mut cargo = command("cargo", &["fuzz", "run", "--sanitizer", "none", &target]);
        cargo.args([&new, &corpus]).arg("--").arg(format!("-max_total_time={seconds}"));
        // A second per input and 1 GiB are far more than any input may cost.
        cargo.args(["-max_len=4096", "-timeout=5", "-rss_limit_mb=1024"]);
        // The instrumentation has unstable options; the stable compiler has it all the same.
        run_command(cargo.env("RUSTC_BOOTSTRAP", "1"))?;
    }
    Ok(())
}

/// The names of the files in `fuzz/targets`.
fn targets() -> Result<Vec<String>, Problems> {
    let folder = root().join("fuzz/targets");
    let entries = fs::read_dir(&folder).map_err(|error| vec![format!("{}: {error}", folder.display())])?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

fn choose(known: &[String], arguments: &[&str]) -> Result<(Vec<String>, u32), Problems> {
    let (target, seconds) = match *arguments {
        [] => (None, None),
        [word] if word.parse::<u32>().is_ok() => (None, Some(word)),
        [target] => (Some(target), None),
        [target, seconds] => (Some(target), Some(seconds)),
        _ => return Err(vec!["usage: cargo xtask fuzz [TARGET] [SECONDS]".to_owned()]),
    };
    let seconds = seconds.map_or(Ok(SECONDS), str::parse);
    let seconds = seconds.map_err(|_| vec!["SECONDS is a whole number".to_owned()])?;
    match target {
        None => Ok((known.to_vec(), seconds)),
        Some(target) if known.iter().any(|name| name == target) => Ok((vec![target.to_owned()], seconds)),
        Some(target) => Err(vec![format!("no target `{target}`, but {}", known.join(", "))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_target_or_all_for_so_long() {
        let known = ["config".to_owned(), "sse".to_owned()];
        let chosen = |arguments: &[&str]| choose(&known, arguments).ok();
        assert_eq!(chosen(&[]), Some((known.to_vec(), SECONDS)));
        assert_eq!(chosen(&["600"]), Some((known.to_vec(), 600)));
        assert_eq!(chosen(&["sse"]), Some((vec!["sse".to_owned()], SECONDS)));
        assert_eq!(chosen(&["sse", "5"]), Some((vec!["sse".to_owned()], 5)));
        for wrong in [&["nothing"][..], &["sse", "long"], &["sse", "5", "6"]] {
            assert_eq!(chosen(wrong), None, "{wrong:?}");
        }
    }

    /// A target that no test replays would never be checked.
    #[test]
    fn every_target_is_a_binary_with_a_corpus_and_a_test() {
        let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
        let tests: String = ["mcp-transport", "mcp-auth", "mcp-config"]
            .map(|name| fs::read_to_string(root().join("crates").join(name).join("src/fuzzing.rs")).unwrap())
            .concat();
        let targets = targets().unwrap();
        assert!(targets.len() >= 12, "{targets:?}");
        for target in targets {
            assert!(manifest.contains(&format!("name = \"{target}\"\n")), "{target} is not a binary");
            assert!(
                tests.contains(&format!("replay(\"{target}\", super::{target})")),
                "{target} has no test"
            );
            let corpus = fs::read_dir(root().join("fuzz/corpus").join(&target));
            assert!(corpus.is_ok_and(|mut entries| entries.next().is_some()), "{target} has no corpus");
        }
    }
}
