//! `cargo xtask bench`: ours beside the least that its work could cost and beside others, in one run, and the page that tells it.
//!
//! The programs are those of `bench/`, a workspace of its own; others come from npm and PyPI at the versions of the lock files
//! there, and are left out with a remark where they cannot be installed. Each round runs every client of every work, beginning
//! with another one each time, and only ratios within a round are compared: a machine that is busy is so for all of them.

mod figures;
mod files;
mod page;
mod plot;
mod rounds;
mod works;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::figures::Figures;
use self::works::Programs;
use crate::Problems;
use crate::shell::{command, root, run as run_command};

/// How long the rounds may take, in minutes, unless told.
const MINUTES: u64 = 10;

/// What is asked for.
#[derive(Debug, Default, PartialEq)]
struct Options {
    /// Three short rounds of little work, to see that everything works.
    quick: bool,
    minutes: Option<u64>,
    /// The binary of mcplink; a release build is made where `None`.
    with: Option<PathBuf>,
    /// Writes the page again from the figures that are kept.
    page: bool,
    /// Leaves others out.
    alone: bool,
    /// Counts instructions again, and leaves what was measured.
    count: bool,
    /// Measures the works with this in their names again, and leaves the others as they were.
    only: Option<String>,
}

impl Options {
    fn parse(arguments: &[&str]) -> Result<Self, Problems> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--quick" => options.quick = true,
                "--page" => options.page = true,
                "--alone" => options.alone = true,
                "--count" => options.count = true,
                "--minutes" => {
                    let minutes = rest.next().and_then(|text| text.parse().ok());
                    options.minutes = Some(minutes.ok_or("--minutes takes a whole number").map_err(usage)?);
                }
                "--only" => {
                    let word = rest.next().ok_or("--only takes a part of a name").map_err(usage)?;
                    options.only = Some((*word).to_owned());
                }
                "--with" => {
                    options.with = Some(rest.next().ok_or("--with takes a binary").map_err(usage)?.into());
                }
                other => return Err(usage(&format!("what is {other}?"))),
            }
        }
        Ok(options)
    }
}

fn usage(why: &str) -> Problems {
    vec![format!(
        "{why}; usage: cargo xtask bench [--quick] [--minutes N] [--with BINARY] [--alone] [--only WORK] | --count | --page"
    )]
}

/// Runs the rounds, or only writes the page again.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Problems> {
    let options = Options::parse(arguments)?;
    if options.page {
        return Figures::kept()?.publish();
    }
    if !cfg!(target_os = "linux") {
        return Err(vec!["what a process costs is read from /proc, which is Linux's".to_owned()]);
    }
    let programs = provide(&options)?;
    if options.count {
        let mut figures = Figures::kept()?;
        rounds::count(&programs, &mut figures);
        figures.keep()?;
        return Figures::kept()?.publish();
    }
    let minutes = options.minutes.unwrap_or(if options.quick { 2 } else { MINUTES });
    let time = Duration::from_secs(60 * minutes);
    let mut figures = rounds::rounds(&programs, options.quick, time, options.only.as_deref());
    if figures.is_empty() {
        return Err(vec!["nothing could be measured".to_owned()]);
    }
    if options.only.is_some() {
        let mut kept = Figures::kept()?;
        kept.take(figures);
        figures = kept;
    }
    figures.keep()?;
    // From the file, whose figures are rounded: the page has to be the same when it is written again.
    Figures::kept()?.publish()
}

/// That the page is what its figures and targets come to; without figures there is to be no page.
pub(crate) fn check() -> Result<(), Problems> {
    if !root().join(figures::KEPT).is_file() {
        let is_left = root().join("docs/performance.md").is_file();
        return if is_left { Err(vec!["docs/performance.md has no figures".to_owned()]) } else { Ok(()) };
    }
    let figures = Figures::kept()?;
    let stale = figures.pages().into_iter().filter(|(path, wanted)| {
        fs::read_to_string(root().join(path)).map_or(true, |has| has.trim_end() != wanted.trim_end())
    });
    let problems: Problems =
        stale.map(|(path, _)| format!("{path} is stale; run `cargo xtask bench --page`")).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Builds what is ours and installs what is not.
fn provide(options: &Options) -> Result<Programs, Problems> {
    let target = build()?;
    let mcplink = match &options.with {
        Some(binary) => binary.clone(),
        None => {
            run_command(&mut command("cargo", &["build", "--release", "--locked", "--package=mcplink"]))?;
            root().join("target/release/mcplink")
        }
    };
    let peer = |name: &str| {
        let folder = root().join("bench/peers").join(name);
        let installed = target.join("peers").join(name);
        if options.alone {
            return None;
        }
        match crate::setup::install_peer(&folder, &installed) {
            Ok(()) => Some(installed),
            Err(problems) => {
                println!("!!! {}: left out: {} !!!", name, problems.join("; "));
                None
            }
        }
    };
    let (npm, sdk, proxy) = (peer("npm"), peer("python/sdk"), peer("python/proxy"));
    if let Some(npm) = &npm {
        copy(&root().join("bench/peers/npm/client.mjs"), &npm.join("client.mjs"))?;
    }
    Ok(Programs { built: target.join("release"), mcplink, npm, sdk, proxy, home: target.join("home") })
}

/// Builds the programs of `bench/`, and says into which target directory.
pub(crate) fn build() -> Result<PathBuf, Problems> {
    let target = root().join("target/bench");
    let mut cargo = command("cargo", &["build", "--release", "--locked", "--manifest-path=bench/Cargo.toml"]);
    // What is linked as a whole cannot be built piece by piece.
    run_command(cargo.arg("--target-dir").arg(&target).env("CARGO_INCREMENTAL", "0"))?;
    Ok(target)
}

fn copy(from: &Path, to: &Path) -> Result<(), Problems> {
    fs::copy(from, to).map(drop).map_err(|error| vec![format!("{}: {error}", to.display())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_what_is_asked_for() {
        let quick = Options { quick: true, minutes: Some(1), ..Options::default() };
        assert_eq!(Options::parse(&["--quick", "--minutes", "1"]), Ok(quick));
        let only = Options { only: Some("list".to_owned()), ..Options::default() };
        assert_eq!(Options::parse(&["--only", "list"]), Ok(only));
        for wrong in [&["--minutes"][..], &["--only"], &["--minutes", "x"], &["--with"], &["--loud"]] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    /// A page that was edited by hand, or figures without one.
    #[test]
    fn the_page_is_what_its_figures_come_to() {
        assert_eq!(check(), Ok(()));
    }
}
