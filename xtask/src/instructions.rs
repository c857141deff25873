//! `cargo xtask instructions`: what fixed works cost in instructions, which no other process on the machine changes.
//!
//! Each work is done by the program as people run it, under callgrind of valgrind, and compared with what it cost when that was last
//! kept in `bench/instructions.json`. Counts are comparable for one compiler and one C library only: with others, as without
//! valgrind, nothing is compared, and that is said.

pub(crate) mod callgrind;
mod server;
mod works;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use self::works::Setting;
use crate::setup::target_directory;
use crate::shell::{command, is_installed, output, root};
use crate::{Problems, programs};

const KEPT: &str = "bench/instructions.json";
/// By so much a count may grow before that is a problem, in hundredths.
const ALLOWED: f64 = 3.0;

/// Counts, and compares or keeps.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Problems> {
    let keeps = match arguments {
        [] => false,
        ["--keep"] => true,
        _ => return Err(vec!["usage: cargo xtask instructions [--keep]".to_owned()]),
    };
    if !is_installed("valgrind") {
        println!("!!! skipped: this machine has no valgrind !!!");
        return Ok(());
    }
    let here = Circumstances::of_this_machine()?;
    let kept = Counts::kept()?;
    if let Some(kept) = kept.as_ref().filter(|kept| !keeps && kept.of != here) {
        println!("!!! skipped: what is kept was counted with {}, and here is {here} !!!", kept.of);
        return Ok(());
    }
    // The build that tests use. One for release would take five minutes more, and what grows there grows here.
    let programs = programs::build()?;
    let home = target_directory()?.join("instructions");
    let setting = Setting::prepare(programs, home).map_err(|why| vec![why])?;
    let mut counts = Counts { of: here, works: BTreeMap::new() };
    for work in works::WORKS {
        let count = setting.count(work).map_err(|why| vec![format!("{}: {why}", work.name)])?;
        println!("{:>12} instructions: {}", grouped(count), work.name);
        counts.works.insert(work.name.to_owned(), count);
    }
    if keeps {
        return counts.keep();
    }
    let kept = kept.ok_or_else(|| vec![format!("{KEPT} is not there; `--keep` makes it")])?;
    let (problems, remarks) = compare(&kept.works, &counts.works);
    remarks.iter().for_each(|remark| println!("{remark}"));
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// What has grown by more than is allowed, or is not counted any more; and what has become less by as much.
fn compare(kept: &BTreeMap<String, u64>, counted: &BTreeMap<String, u64>) -> (Problems, Vec<String>) {
    let (mut problems, mut remarks) = (Vec::new(), Vec::new());
    for (name, before) in kept {
        let Some(now) = counted.get(name) else {
            problems.push(format!("{name}: kept in {KEPT}, and not counted"));
            continue;
        };
        let change = 100.0 * (*now as f64 - *before as f64) / *before as f64;
        let told = format!("{name}: {} instructions, {change:+.1} % of {}", grouped(*now), grouped(*before));
        if change > ALLOWED {
            problems.push(format!(
                "{told}; at most +{ALLOWED} % (`cargo xtask instructions --keep` where it is worth that)"
            ));
        } else if change < -ALLOWED {
            remarks.push(format!("{told}: `--keep` it, so that it stays so"));
        }
    }
    let new = counted.keys().filter(|name| !kept.contains_key(*name));
    problems.extend(new.map(|name| format!("{name}: not kept in {KEPT}; `--keep` does that")));
    (problems, remarks)
}

/// With thousands set apart.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// What counts depend on, beside the code.
#[derive(Clone, Debug, PartialEq)]
struct Circumstances {
    rustc: String,
    libc: String,
}

impl std::fmt::Display for Circumstances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", self.rustc, self.libc)
    }
}

impl Circumstances {
    fn of_this_machine() -> Result<Self, Problems> {
        let verbose = output(&mut command("rustc", &["-vV"]))?;
        let of = |name: &str| {
            let line = verbose.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim).unwrap_or_default().to_owned()
        };
        // Where there is none, as with musl, it is part of the binary.
        let libc = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
        let libc = libc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        Ok(Self {
            rustc: format!("rustc {} for {}", of("release:"), of("host:")),
            libc: libc.unwrap_or_default(),
        })
    }
}

/// What each work cost.
#[derive(Debug, PartialEq)]
struct Counts {
    of: Circumstances,
    works: BTreeMap<String, u64>,
}

impl Counts {
    fn kept() -> Result<Option<Self>, Problems> {
        let Ok(text) = fs::read_to_string(root().join(KEPT)) else { return Ok(None) };
        let kept = serde_json::from_str(&text).ok().and_then(|kept| Self::of_json(&kept));
        kept.map(Some).ok_or_else(|| vec![format!("{KEPT} is not of this shape; `--keep` writes it again")])
    }

    fn of_json(kept: &Value) -> Option<Self> {
        let text = |name: &str| kept[name].as_str().map(str::to_owned);
        let works = kept["works"].as_object()?;
        let works = works.iter().map(|(name, count)| Some((name.clone(), count.as_u64()?)));
        let of = Circumstances { rustc: text("rustc")?, libc: text("libc")? };
        Some(Self { of, works: works.collect::<Option<_>>()? })
    }

    fn to_json(&self) -> Value {
        json!({ "rustc": self.of.rustc, "libc": self.of.libc, "works": self.works })
    }

    fn keep(&self) -> Result<(), Problems> {
        let text = serde_json::to_string_pretty(&self.to_json()).unwrap_or_default();
        fs::write(root().join(KEPT), text + "\n").map_err(|error| vec![format!("{KEPT}: {error}")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn what_grows_is_a_problem_and_what_shrinks_a_remark() {
        for (kept, counted, problem, remark) in [
            (&[("a call", 1000)][..], &[("a call", 1030)][..], None, None),
            (
                &[("a call", 1000)],
                &[("a call", 1031)],
                Some("a call: 1,031 instructions, +3.1 % of 1,000"),
                None,
            ),
            (&[("a call", 1000)], &[("a call", 970)], None, None),
            (
                &[("a call", 1000)],
                &[("a call", 969)],
                None,
                Some("a call: 969 instructions, -3.1 % of 1,000"),
            ),
            (&[("a call", 1000)], &[], Some("a call: kept in"), None),
            (&[], &[("a call", 1)], Some("a call: not kept in"), None),
        ] {
            let (problems, remarks) = compare(&counts(kept), &counts(counted));
            for (told, wanted) in [(problems, problem), (remarks, remark)] {
                assert_eq!(told.len(), usize::from(wanted.is_some()), "{kept:?} {counted:?}: {told:?}");
                assert!(told.iter().all(|line| line.starts_with(wanted.unwrap_or_default())), "{told:?}");
            }
        }
    }

    /// A work that is not kept would be compared with nothing.
    #[test]
    fn what_is_kept_is_of_every_work() {
        // Made on a machine that is known, where it has been counted.
        let Some(kept) = Counts::kept().unwrap() else { return };
        let names: Vec<_> = works::WORKS.iter().map(|work| work.name).collect();
        assert_eq!(kept.works.len(), names.len(), "{kept:?}");
        assert!(names.iter().all(|name| kept.works.get(*name).is_some_and(|count| *count > 100)), "{kept:?}");
        assert_eq!(Counts::of_json(&kept.to_json()), Some(kept));
    }

    #[test]
    fn what_is_no_option_is_refused_before_anything_is_built() {
        assert!(run(&["--all"]).unwrap_err()[0].contains("usage") && run(&["--keep", "x"]).is_err());
    }
}
