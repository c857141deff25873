//! Simulations: stories on a clock that stands still while anything can be done, and whose events a seed decides.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Builder;
use tokio::time::Instant;

use crate::asked;

/// What happened in a story, line by line. Cheap to clone; all clones are the same trace.
#[derive(Clone, Debug, Default)]
pub struct Trace(Arc<Mutex<TraceLines>>);

#[derive(Debug, Default)]
struct TraceLines {
    began: Option<Instant>,
    lines: Vec<String>,
}

impl Trace {
    /// Adds what happened now, with the seconds since the first line.
    pub fn note(&self, what: impl Display) {
        let mut trace = self.lock();
        let began = *trace.began.get_or_insert_with(Instant::now);
        trace.lines.push(format!("{:>9.3} {what}", began.elapsed().as_secs_f64()));
    }

    /// Its lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    fn lock(&self) -> MutexGuard<'_, TraceLines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `story` on a clock that stands still while anything can be done.
///
/// # Panics
///
/// Where the story does.
pub fn simulate<T>(story: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without sockets").block_on(story)
}

/// Runs the story of one seed in a thread of its own: what happened, and what its panic said where it failed.
pub fn simulate_seed<F: Future<Output = ()>>(
    story: impl FnOnce(Trace) -> F + Send,
) -> (Vec<String>, Option<String>) {
    let trace = Trace::default();
    let ended = std::thread::scope(|scope| {
        let trace = trace.clone();
        scope.spawn(move || simulate(story(trace))).join()
    });
    let failed = ended.err().map(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
    });
    (trace.lines(), failed)
}

/// Runs a story with each of the first `usual` seeds, unless a developer asks for others: `SIMULATION_SEEDS` is how many,
/// `SIMULATION_FROM` the first of them, and `SIMULATION_SEED` the only one, whose trace is printed.
///
/// # Panics
///
/// Where the story of any seed does; the message tells which.
pub fn simulate_seeds<F: Future<Output = ()>>(usual: u64, story: impl Fn(u64, Trace) -> F + Sync) {
    if let Some(seed) = asked("SIMULATION_SEED") {
        let (trace, failed) = simulate_seed(|trace| story(seed, trace));
        // Fails where the one who asked has stopped reading.
        drop(writeln!(io::stdout(), "{}", trace.join("\n")));
        assert_eq!(failed, None, "seed {seed}");
        return;
    }
    let from = asked("SIMULATION_FROM").unwrap_or(1);
    let seeds = from..from + asked("SIMULATION_SEEDS").unwrap_or(usual);
    let mut first = Vec::new();
    let failed: Vec<String> = seeds
        .filter_map(|seed| {
            let (trace, failed) = simulate_seed(|trace| story(seed, trace));
            let failed = format!("seed {seed}: {}", failed?);
            if first.is_empty() {
                first = trace;
            }
            Some(failed)
        })
        .collect();
    assert!(
        failed.is_empty(),
        "{} seeds fail; each again by SIMULATION_SEED=N and this test:\n{}\nwhat happened in the first:\n{}",
        failed.len(),
        failed.join("\n"),
        first.join("\n")
    );
}
