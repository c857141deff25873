//! The project's own tasks: `cargo xtask ci`, `deps`, `features`, `docs [--check]`, `api [--check]`, `dist`, `bench`,
//! `instructions`, `fuzz`, `conformance`, `setup`.
//!
//! Imports none of our crates, so that it runs when they do not build, and beside the standard library
//! only readers of JSON and Rust, so that it compiles in seconds.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for developers, whose output is the point"
)]

mod api;
mod bench;
mod chromium;
mod ci;
mod conformance;
mod debian;
mod deps;
mod dist;
mod docs;
mod duplicates;
mod features;
mod fuzz;
mod instructions;
mod json_schema;
mod lexer;
mod msrv;
mod programs;
mod setup;
mod shell;
mod sources;
mod tests_found;

use std::process::ExitCode;

/// What went wrong, each a line for a person.
type Problems = Vec<String>;

const USAGE: &str = "\
usage: cargo xtask TASK

  ci             everything that continuous integration checks, in its order
  deps           the import table, the quarantines and the naming rules of ARCHITECTURE.md
  features       every crate with each of its features alone and with none
  docs           brings the generated parts of docs/ up to date
  docs --check   fails if `docs` would change anything
  api [CRATE..]  writes what is public of each library crate, or of these, into docs/api/
  api --check    fails if `api` would change anything
  bench          ours beside the floors and others, in rounds of ten minutes in all, into docs/performance.md
  bench --quick  a short run; --minutes N, --with BINARY, --alone (no others), --count (instructions alone), --page (from the figures that are kept)
  instructions   counts the instructions of fixed works, under valgrind; they may grow by 3 % (--keep)
  fuzz [TARGET] [SECONDS]  the fuzz targets, or one of them, for a minute or so long each
  conformance    the official conformance suite by all ways, or the runs named after it; the score must not fall
  conformance --way WAY  the same by one way: crates, commands, bridge
  conformance --update  adds the runs that pass now to the score
  dist           what people install: archive, npm packages, wheel, .deb and what goes with them, into target/dist/
  dist --with BINARY  the same with a binary that is there; --try installs and runs each package
  setup          installs the real servers that the interoperability tests talk to, the conformance suite,
                 and a browser";

fn main() -> ExitCode {
    if let Some(end) = api::as_rustdoc() {
        return end;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["ci"] => ci::run_all(),
        ["deps"] => deps::run(),
        ["features"] => features::run(),
        ["dist", ref arguments @ ..] => dist::run(arguments),
        ["docs"] => docs::update(),
        ["docs", "--check"] => docs::check(),
        ["api", "--check"] => api::check(),
        ["api", ref crates @ ..] => api::update(crates),
        ["bench", ref arguments @ ..] => bench::run(arguments),
        ["conformance", ref arguments @ ..] => conformance::run(arguments),
        ["instructions", ref arguments @ ..] => instructions::run(arguments),
        ["fuzz", ref arguments @ ..] => fuzz::run(arguments),
        ["setup"] => setup::run(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in &problems {
                eprintln!("xtask: {problem}");
            }
            eprintln!("xtask: {} problem(s)", problems.len());
            ExitCode::FAILURE
        }
    }
}
