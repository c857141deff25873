//! The official conformance suite against our client: every scenario, judged strictly, compared with a baseline.
//!
//! `conformance/` pins the suite; it is installed into `target/conformance/suite/` and leaves its results in
//! `target/conformance/results/`. docs/conformance.md says what is run and how it is judged.

mod baseline;
mod execute;
mod judge;
mod plan;
mod published;
mod ways;

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::shell::{is_installed, output, root};
use crate::{Problems, programs, setup};
use baseline::Score;
use execute::Suite;
use plan::Run;
pub(crate) use published::{check_page, update_page};
use ways::{Programs, Way};

/// The list of what passes.
const SCORE: &str = "conformance/baseline.json";

/// Runs at a time; each is a Node.js process with a server, and a client.
const AT_A_TIME: usize = 2;
/// This one measures how long the client waits, so nothing else is started beside it.
const ALONE: &str = "sse-retry";

/// What of each run became, by its way and its id.
type Outcomes = BTreeMap<Way, BTreeMap<String, bool>>;

/// Runs the suite, all of it or the runs of these names and ways, and compares with the score.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Problems> {
    let mut update = false;
    let mut wanted = Vec::new();
    let mut ways = Way::ALL.to_vec();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match *argument {
            "--update" => update = true,
            "--way" => {
                let way = arguments.next().and_then(|name| Way::of(name));
                ways = vec![
                    way.ok_or_else(|| vec![format!("there are {}", Way::ALL.map(Way::name).join(", "))])?,
                ];
            }
            option if option.starts_with('-') => return Err(vec![format!("unknown option {option}")]),
            name => wanted.push(name),
        }
    }
    let suite = prepare()?;
    let mut runs = plan(&suite)?;
    let all = wanted.is_empty();
    if !all {
        if let Some(unknown) = wanted.iter().find(|name| runs.iter().all(|run| run.id != **name)) {
            let known: Vec<_> =
                runs.iter().filter(|run| run.way == Way::Crates).map(|run| run.id.as_str()).collect();
            return Err(vec![format!("no run {unknown}; there are {}", known.join(", "))]);
        }
        runs.retain(|run| wanted.contains(&run.id.as_str()));
    }
    runs.retain(|run| ways.contains(&run.way));
    let outcomes = execute_all(&suite, runs)?;
    println!("results: {}", suite.results.display());

    let path = root().join(SCORE);
    let mut score = Score::read(&path)?;
    let mut problems = Problems::new();
    for way in ways {
        let outcomes = outcomes.get(&way).cloned().unwrap_or_default();
        let passed = outcomes.values().filter(|passed| **passed).count();
        println!("{}: {passed} passed, {} failed", way.name(), outcomes.len() - passed);
        if update {
            score.set(way, score.of(way).raised(&outcomes));
        }
        let found = score.of(way).compare(&outcomes, all);
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", way.name())));
    }
    if update {
        score.write(&path)?;
        update_page()?;
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// As [`run`], all of it, where the machine has what it takes.
pub(crate) fn run_where_possible() -> Result<(), Problems> {
    match setup::NPM_TOOLS.iter().find(|tool| !is_installed(tool)) {
        Some(missing) => {
            println!("!!! no {missing} on this machine: the conformance suite IS NOT RUN !!!");
            Ok(())
        }
        None => run(&[]),
    }
}

/// Installs the suite and builds the programs.
fn prepare() -> Result<Suite, Problems> {
    let target = setup::target_directory()?;
    let folder = setup::install_conformance_suite()?;
    let built = programs::build()?;
    let programs = Programs { client: built.client, mcplink: built.mcplink };
    if let Some(path) = programs.unusable() {
        return Err(vec![format!("the suite splits commands at spaces: {}", path.display())]);
    }
    let results = target.join("conformance/results");
    let failed = |error: std::io::Error| vec![format!("{}: {error}", results.display())];
    match fs::remove_dir_all(&results) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => fs::create_dir_all(&results).map_err(failed)?,
    }
    Ok(Suite { folder, programs, results })
}

fn plan(suite: &Suite) -> Result<Vec<Run>, Problems> {
    let folder = suite.package().join("requirements");
    let failed = |error: std::io::Error| vec![format!("{}: {error}", folder.display())];
    let mut requirements = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path: PathBuf = entry.map_err(failed)?.path();
        if let (Some(revision), true) =
            (path.file_stem(), path.extension().is_some_and(|kind| kind == "yaml"))
        {
            let text = fs::read_to_string(&path).map_err(failed)?;
            requirements.insert(revision.to_string_lossy().into_owned(), text);
        }
    }
    plan::runs_by_all_ways(&output(&mut suite.command(&["list", "--client"]))?, &requirements)
}

/// Runs all of these and says of each whether it passed.
fn execute_all(suite: &Suite, runs: Vec<Run>) -> Result<Outcomes, Problems> {
    let width = runs.iter().map(|run| run.id.len()).max().unwrap_or_default();
    let outcomes = Mutex::new(Ok(Outcomes::new()));
    let execute = |run: Run| {
        let began = Instant::now();
        let seen = suite.execute(&run);
        let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        match (seen, &mut *outcomes) {
            (Ok(seen), Ok(outcomes)) => {
                let verdict = judge::judge(&run.scenario, &seen);
                let (succeeded, judged) = seen.counts();
                let word = if verdict.is_ok() { "pass" } else { "FAIL" };
                let reason = verdict.as_ref().err().map(|reason| format!("  {reason}")).unwrap_or_default();
                let seconds = began.elapsed().as_secs_f32();
                let way = run.way.name();
                println!(
                    "{word} {way:8} {:width$} {succeeded:>3}/{judged:<3} {seconds:>5.1} s{reason}",
                    run.id
                );
                outcomes.entry(run.way).or_default().insert(run.id, verdict.is_ok());
            }
            (Err(error), outcomes) => {
                *outcomes = Err(vec![format!("{} {}: {error}", run.way.name(), run.id)])
            }
            (_, Err(_)) => {}
        }
    };
    let (alone, together): (VecDeque<Run>, VecDeque<Run>) =
        runs.into_iter().partition(|run| run.scenario == ALONE);
    alone.into_iter().for_each(&execute);
    let queue = Mutex::new(together);
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(run) = next else { return };
                    execute(run);
                }
            });
        }
    });
    outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
}
