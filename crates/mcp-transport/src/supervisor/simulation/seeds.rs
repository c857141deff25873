//! Storms: faults that come and go, calls from several callers, people who reconnect, tokens that are rotated, at moments that
//! a seed decides.

use mcp_harness::{simulate_seed, simulate_seeds};
use tokio::task::JoinSet;

use super::*;
use crate::supervisor::simulation::world::Fault;

/// No call takes longer: it waits 30 s for a connection, has 5 s, and perhaps both again.
const BOUND: Duration = secs(90);
/// After the last fault: the longest wait between probes, and an attempt that hangs.
const RECOVERY: Duration = secs(150);

/// One seed, from its first moment to its last; panics where something does not hold.
async fn storm(world: &Arc<World>, callers: usize) {
    let weather = |bound| world.below("weather", bound);
    let supply = [Supply::Nothing, Supply::Fixed, Supply::Source][weather(3)];
    let mut faults: Vec<Fault> = rows()
        .into_iter()
        .filter(|row| (row.ways)(world.way) && (row.supply != Supply::Source || supply == Supply::Source))
        .map(|row| row.fault)
        .collect();
    faults.extend([Fault::Cut(weather(200)), Fault::Stalled(weather(200))]);
    if supply == Supply::Source {
        world.rotate();
    }
    let mut refused_good_ones = false;
    let mut begin = |fault: &Fault| {
        refused_good_ones |= matches!(fault, Fault::Http(..) | Fault::Source(_));
        world.set(Some(fault.clone()));
    };
    if weather(3) == 0 {
        begin(&faults[weather(faults.len())]);
    }
    let stage = Arc::new(Stage::start(world, supply));
    let watching = tokio::spawn(watch(world.clone(), stage.handle.clone()));
    let mut calling = JoinSet::new();
    for caller in 0..callers {
        calling.spawn(call(stage.clone(), caller, 5 + weather(15)));
    }
    for _ in 0..2 + weather(8) {
        tokio::time::sleep(Duration::from_millis(weather(20_000) as u64)).await;
        match weather(10) {
            0 => drop(stage.handle.reconnect()),
            1 => world.forget_sessions(),
            2 => world.drop_streams(),
            3 if supply == Supply::Source => world.rotate(),
            4 => drop(stage.handle.login_done()),
            5 => stage.handle.look_again(),
            6 => world.set(None),
            _ => begin(&faults[weather(faults.len())]),
        }
    }
    world.set(None);
    while let Some(called) = calling.join_next().await {
        called.unwrap();
    }
    tokio::time::sleep(RECOVERY).await;
    if stage.handle.snapshot().status != ServerStatus::Connected {
        // What nothing but a person opens.
        let shown = stage.handle.snapshot();
        let held = shown.code.is_some_and(|code| code.status() != ServerStatus::Pending);
        assert!(held && !is_retried(&shown), "it does not come back: {:?} {:?}", shown.status, shown.code);
        let again = stage.handle.reconnect().await;
        assert_eq!(again.status, ServerStatus::Connected, "reconnecting does not help: {:?}", again.code);
    }
    stage.call("at the end").await.unwrap();
    if supply == Supply::Source && !refused_good_ones {
        // Each token once for each time that the entry was read, which is no more often than it was asked for or something broke.
        let (fetches, dials) = (world.fetches(), stage.dials());
        assert!(fetches <= dials + world.rotations(), "{fetches} fetches for {dials} attempts");
    }
    assert!(!watching.is_finished(), "what was shown: {:?}", watching.await.err());
    watching.abort();
    Arc::into_inner(stage).unwrap().end().await;
}

fn is_retried(shown: &StatusSnapshot) -> bool {
    shown.evidence().is_some_and(|seen| mcp_status::classify(seen).is_retryable())
}

/// Calls again and again, each time with another text.
async fn call(stage: Arc<Stage>, caller: usize, times: usize) {
    for number in 0..times {
        let pause = stage.world.below(&format!("caller {caller}"), 6_000) as u64;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let text = format!("{caller}/{number}");
        let answered = tokio::time::timeout(BOUND, stage.call(&text)).await;
        let answered = answered.unwrap_or_else(|_| panic!("{text} hangs"));
        let runs = stage.world.executed().get(&text).copied().unwrap_or_default();
        match answered {
            Ok(()) => assert_eq!(runs, 1, "{text} was answered"),
            Err(error) => assert!(
                runs == 0 || error.may_have_been_sent(),
                "{text} ran, and is said not to have been sent: {error:?}"
            ),
        }
    }
}

/// Whatever is shown makes sense by itself.
async fn watch(world: Arc<World>, handle: SupervisorHandle) {
    let mut status = handle.status();
    loop {
        {
            let shown = status.borrow_and_update();
            world.note(format!("shown {:?} {:?}", shown.status, shown.code));
            if let Some(code) = shown.code {
                assert_eq!(code.status(), shown.status, "{shown:?}");
            }
            assert_eq!(shown.connection.is_some(), shown.status == ServerStatus::Connected, "{shown:?}");
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

/// How many call at a time in a seed.
fn callers(seed: u64) -> usize {
    1 + usize::try_from(seed / 5 % 5).unwrap()
}

async fn play(seed: u64, callers: usize, trace: Trace) {
    let way = Way::ALL[usize::try_from(seed % 5).unwrap()];
    trace.note(format_args!("seed {seed}: {way:?}, {callers} callers"));
    storm(&World::new(way, seed, trace), callers).await;
}

#[test]
fn simulation_of_storms_holds_whatever_the_seed() {
    simulate_seeds(200, |seed, trace| play(seed, callers(seed), trace));
}

/// With one caller: which of several that are ready at one moment goes first is tokio's to choose.
#[test]
fn simulation_of_a_seed_is_the_same_again() {
    let run = |seed| simulate_seed(|trace| play(seed, 1, trace)).0;
    for seed in 1..=10 {
        let (one, other) = (run(seed), run(seed));
        assert!(one.len() > 10, "seed {seed}: nothing happened");
        let differs = one.iter().zip(&other).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.len(), other.len(), "seed {seed}");
    }
    assert_ne!(run(1), run(6));
}
