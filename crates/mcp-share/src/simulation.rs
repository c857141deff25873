//! Several processes that share one connection, on a clock and in an order that a seed decides: they come, call, close, are
//! killed, and change the entry, while the server drops its connections or is away. What elects, admits and hands over is
//! what runs everywhere; the sockets are memory.
//!
//! ```sh
//! cargo nextest run -p mcp-share --all-features -E 'test(simulation)'                          # 20 seeds
//! SIMULATION_SEEDS=10000 cargo nextest run -p mcp-share --all-features -E 'test(simulation)'   # a night's worth
//! SIMULATION_SEED=17 cargo nextest run -p mcp-share --all-features -E 'test(simulation)' --no-capture
//! ```

pub(crate) mod network;
mod process;
mod server;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_bridge::SharingRole;
use mcp_harness::{Random, Trace, simulate, simulate_seeds};
use tempfile::TempDir;
use tokio::task::JoinSet;

use self::process::{Process, ProcessHandle, life};
use self::server::Server;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What is not a process.
const WEATHER: u32 = 0;

/// What all processes of a seed have in common.
struct World {
    seed: u64,
    /// The draws of each process, and of what is not a process as number 0: who comes first of several that are ready at one
    /// moment, which is tokio's to choose, changes nothing for the others.
    random: Mutex<BTreeMap<u32, Random>>,
    trace: Trace,
    server: Arc<Server>,
    directory: TempDir,
    /// The number of the entry that the files have now.
    entry: Mutex<u64>,
    /// Those that run, to tell them of changes.
    running: Mutex<Vec<ProcessHandle>>,
    /// Nothing but ends in order happens, so no call may fail.
    is_orderly: bool,
}

impl World {
    fn new(seed: u64, trace: Trace, is_orderly: bool) -> Arc<Self> {
        network::begin(seed);
        Arc::new(Self {
            seed,
            random: Mutex::default(),
            server: Server::new(seed, trace.clone()),
            trace,
            directory: tempfile::tempdir().unwrap(),
            entry: Mutex::new(1),
            running: Mutex::default(),
            is_orderly,
        })
    }

    fn draw<T>(&self, who: u32, draw: impl FnOnce(&mut Random) -> T) -> T {
        let own = || Random::new(self.seed ^ (u64::from(who) << 40));
        draw(self.random.lock().unwrap().entry(who).or_insert_with(own))
    }

    fn below(&self, who: u32, bound: usize) -> usize {
        self.draw(who, |random| random.below(bound))
    }

    async fn pause(&self, who: u32, end: Duration) {
        let moment = self.draw(who, |random| random.between(Duration::ZERO, end));
        tokio::time::sleep(moment).await;
    }

    fn entry(&self) -> u64 {
        *self.entry.lock().unwrap()
    }

    fn change_entry(&self) {
        let mut entry = self.entry.lock().unwrap();
        *entry += 1;
        self.trace.note(format_args!("the entry is number {entry}"));
    }

    fn running(&self) -> Vec<ProcessHandle> {
        self.running.lock().unwrap().clone()
    }
}

async fn story(seed: u64, trace: Trace) {
    let is_orderly = seed.is_multiple_of(3);
    trace.note(format_args!("seed {seed}, orderly: {is_orderly}"));
    let world = World::new(seed, trace, is_orderly);
    let mut lives = JoinSet::new();
    for number in 1..=2 + world.below(WEATHER, 4) {
        lives.spawn(life(world.clone(), u32::try_from(number).unwrap()));
    }
    if !is_orderly {
        weather(&world).await;
    }
    let mut survivors = Vec::new();
    while let Some(lived) = lives.join_next().await {
        survivors.extend(lived.unwrap());
    }
    world.trace.note(format_args!("all is calm, and {} are there", survivors.len()));
    settle(&world, &survivors).await;
    for survivor in survivors {
        survivor.close(&world).await;
    }
    tokio::time::sleep(secs(30)).await;
    assert_eq!(world.server.connections(), 0, "connections are left at the server");
    assert!(!network::any_listener(), "a process listens that has ended");
    let twice: Vec<_> = world.server.executed().into_iter().filter(|(_, runs)| *runs > 1).collect();
    assert!(twice.is_empty(), "ran twice: {twice:?}");
}

/// Faults that come and go.
async fn weather(world: &Arc<World>) {
    for _ in 0..1 + world.below(WEATHER, 5) {
        world.pause(WEATHER, secs(4)).await;
        let running = world.running();
        match world.below(WEATHER, 6) {
            0 => world.server.drop_connections(),
            1 => {
                world.server.is_away(true);
                world.pause(WEATHER, secs(6)).await;
                world.server.is_away(false);
            }
            2 => {
                world.change_entry();
                running.iter().for_each(|process| drop(process.server.config_changed()));
            }
            3 => {
                world.trace.note("those who listen are stopped");
                network::stop_listening(true);
                world.pause(WEATHER, secs(8)).await;
                network::stop_listening(false);
                world.trace.note("and go on");
            }
            _ if running.is_empty() => {}
            _ => {
                let process = &running[world.below(WEATHER, running.len())];
                world.trace.note(format_args!("process {} reconnects", process.share.pid()));
                let share = process.share.clone();
                tokio::spawn(async move { share.reconnect().await });
            }
        }
    }
}

/// Once nothing goes wrong any more, all are on one connection, which one of them keeps.
async fn settle(world: &Arc<World>, processes: &[Process]) {
    if processes.is_empty() {
        return;
    }
    tokio::time::sleep(secs(60)).await;
    // One that found no answer has a connection of its own until a person asks.
    for process in processes {
        process.share.reconnect().await;
        drop(process.server().reconnect());
        process.host.echoes(&format!("{} after all", process.share.pid())).await;
    }
    tokio::time::sleep(secs(5)).await;
    let roles: Vec<_> =
        processes.iter().map(|process| (process.share.pid(), process.share.role().unwrap())).collect();
    let owners: Vec<u32> = roles
        .iter()
        .filter(|(_, role)| matches!(role, SharingRole::Owner { guests } if guests + 1 == processes.len()))
        .map(|(pid, _)| *pid)
        .collect();
    assert_eq!(owners.len(), 1, "one keeps it for all: {roles:?}");
    let guests = roles.iter().filter(|(_, role)| *role == SharingRole::Guest { via: owners[0] }).count();
    assert_eq!(guests + 1, processes.len(), "all others are its guests: {roles:?}");
    assert_eq!(world.server.connections(), 1, "{roles:?}");
}

#[test]
fn simulation_of_processes_that_share_holds_whatever_the_seed() {
    simulate_seeds(20, story);
}

/// Its old connection would stay for as long as it runs, with the credentials of the entry as it was.
#[test]
fn an_owner_that_becomes_a_guest_elsewhere_lets_go_of_what_it_kept() {
    simulate(async {
        let world = World::new(1, Trace::default(), true);
        let [owner, guest] = [1, 2].map(|number| Process::start(&world, number));
        for process in [&owner, &guest] {
            process.host.introduce().await;
            process.host.echoes(&format!("{} before", process.share.pid())).await;
        }
        assert!(owner.share.is_kept_here() && world.server.connections() == 1);
        world.change_entry();
        for process in [&guest, &owner] {
            process.server().config_changed().await;
            process.host.echoes(&format!("{} after", process.share.pid())).await;
        }
        tokio::time::sleep(secs(5)).await;
        assert!(guest.share.is_kept_here());
        assert_eq!(owner.share.role(), Some(SharingRole::Guest { via: 2 }));
        assert_eq!(world.server.connections(), 1);
    });
}
