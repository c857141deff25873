//! Whole connections on a network and a clock that a seed decides: the supervisor, every HTTP transport, the framing of
//! stdio, replay and single flight are those that run everywhere; the sockets alone are missing.
//!
//! ```text
//! cargo nextest run -p mcp-transport --all-features -E 'test(simulation)'                       # every row, 200 seeds
//! SIMULATION_SEEDS=10000 cargo nextest run -p mcp-transport --all-features -E 'test(simulation)' # a night's worth
//! SIMULATION_SEED=17 cargo nextest run -p mcp-transport --all-features -E 'test(simulation)'     # one again, told
//! ```

#![expect(clippy::unwrap_used, reason = "what fails in a test should stop it")]

mod seeds;
mod table;
mod ways;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use http::{HeaderValue, header};
use mcp_auth::{SingleFlight, StaticHeaders};
use mcp_harness::{Trace, simulate};
use mcp_status::ServerStatus;
use serde_json::json;
use serde_json::value::RawValue;

use self::table::{Row, Supply, rows};
use self::ways::{Opener, Tokens};
use self::world::{Way, World};
use super::dial::BoxFuture;
use super::*;
use crate::connect::{HttpClient, Server};
use crate::connection::Connection;
use crate::endpoint::{Endpoint, HttpEndpoint, StreamEndpoint};
use crate::options::{ClientInfo, ClientOptions};
use crate::waiting::WaitState;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A supervisor of a simulated server.
struct Stage {
    world: Arc<World>,
    handle: SupervisorHandle,
    dials: Arc<AtomicU32>,
}

/// Counts the attempts of a connector.
struct Counted {
    connector: Connector,
    dials: Arc<AtomicU32>,
}

impl Dial for Counted {
    fn dial<'a>(
        &'a self,
        server: &'a Server,
        waiting: &'a Arc<WaitState>,
    ) -> BoxFuture<'a, Result<Connection, TransportError>> {
        self.dials.fetch_add(1, Ordering::Relaxed);
        self.connector.dial(server, waiting)
    }

    fn forget_sockets(&self, moment: Instant) {
        Dial::forget_sockets(&self.connector, moment);
    }
}

impl Stage {
    /// Starts to connect to `world`.
    fn start(world: &Arc<World>, supply: Supply) -> Self {
        let mut options = ClientOptions::new(ClientInfo::new("simulation", "1"));
        options.connect_timeout = secs(10);
        let connector = Connector::with_http(HttpClient::over(options, world.clone()));
        let dials = Arc::new(AtomicU32::new(0));
        let source = {
            let world = world.clone();
            move || std::future::ready(Ok(server(&world, supply)))
        };
        let mut policy = SupervisorPolicy::long_lived();
        for row in [&mut policy.connect, &mut policy.session, &mut policy.probe] {
            row.jitter = 0.0;
        }
        policy.list.as_mut().unwrap().jitter = 0.0;
        let began = Instant::now();
        let clock = move || SystemTime::UNIX_EPOCH + secs(1_000_000) + began.elapsed();
        let config = SupervisorConfig::new("simulated", source)
            .with_policy(policy)
            .with_sleep(SleepWatch::with_clock(clock));
        let dial = Arc::new(Counted { connector, dials: dials.clone() });
        Self { world: world.clone(), handle: Supervisor::start_with(dial, config), dials }
    }

    fn dials(&self) -> u32 {
        self.dials.load(Ordering::Relaxed)
    }

    /// Calls `echo`, and says whether it was answered; a wrong answer ends the test.
    async fn call(&self, text: &str) -> Result<(), RequestError> {
        let arguments = RawValue::from_string(json!({ "text": text }).to_string()).unwrap();
        let options = RequestOptions::new().with_timeout(secs(5));
        let result = self.handle.call_tool("echo", Some(&arguments), &options).await?;
        let result: serde_json::Value = serde_json::from_str(result.get()).unwrap();
        assert_eq!(result["content"][0]["text"], text);
        Ok(())
    }

    /// That nothing is left, and that nothing ran twice.
    async fn end(self) {
        self.handle.close().await;
        tokio::time::sleep(secs(30)).await;
        assert_eq!(self.world.open_streams(), 0, "streams are left at the server");
        assert_eq!(self.world.wrong(), Vec::<String>::new());
        let twice: Vec<_> = self.world.executed().into_iter().filter(|(_, runs)| *runs > 1).collect();
        assert!(twice.is_empty(), "ran twice: {twice:?}");
    }
}

fn server(world: &Arc<World>, supply: Supply) -> Server {
    let url = "https://simulated.example/mcp".parse().unwrap();
    let endpoint = match world.way {
        Way::Stream => {
            let behind = Endpoint::Http(HttpEndpoint::new(url));
            Endpoint::Stream(StreamEndpoint::new(Opener(world.clone()), behind))
        }
        Way::HttpSse => Endpoint::Http(HttpEndpoint::legacy_sse(url)),
        _ => Endpoint::Http(HttpEndpoint::new(url)),
    };
    let server = Server::new(endpoint);
    match supply {
        Supply::Nothing => server,
        Supply::Fixed => {
            let fixed = (header::AUTHORIZATION, HeaderValue::from_static("Bearer 0"));
            server.with_auth(Arc::new(StaticHeaders::new([fixed])))
        }
        Supply::Source => server.with_auth(Arc::new(SingleFlight::new(Tokens::of(world)))),
    }
}

/// One row by one way, in one phase: what is wrong with it, if anything is.
async fn play(row: &Row, way: Way, in_session: bool) -> Result<(), String> {
    let world = World::new(way, 1, Trace::default());
    if !in_session {
        world.set(Some(row.fault.clone()));
    }
    let stage = Stage::start(&world, row.supply);
    stage.handle.decided().await;
    if in_session {
        stage.call("before").await.map_err(|error| format!("not connected: {error}"))?;
        world.set(Some(row.fault.clone()));
        for second in 0..8 {
            let _ = stage.call(&format!("during {second}")).await;
            tokio::time::sleep(secs(1)).await;
        }
        tokio::time::sleep(secs(120)).await;
    }
    let shown = stage.handle.snapshot();
    let code = if in_session { row.in_session.unwrap_or(Some(row.code)) } else { Some(row.code) };
    let status = code.map_or(ServerStatus::Connected, mcp_status::ReasonCode::status);
    if (shown.status, shown.code) != (status, code) {
        return Err(format!("{:?} {:?} instead of {status:?} {code:?}", shown.status, shown.code));
    }
    let before = stage.dials();
    tokio::time::sleep(secs(150)).await;
    let (tried, retried) = (stage.dials() - before, row.retried && status == ServerStatus::Failed);
    if (tried >= 2) != retried {
        return Err(format!("tried {tried} times in 150 s, and {retried} is due"));
    }
    // It is over: what was tried comes back by itself, anything else when a person asks for it.
    world.set(None);
    tokio::time::sleep(secs(90)).await;
    if stage.handle.snapshot().status != ServerStatus::Connected {
        if retried {
            return Err(format!("it does not come back: {:?}", stage.handle.snapshot().code));
        }
        let again = stage.handle.reconnect().await;
        if again.status != ServerStatus::Connected {
            return Err(format!("reconnecting does not help: {:?}", again.code));
        }
    }
    stage.call("after").await.map_err(|error| format!("no call afterwards: {error}"))?;
    stage.end().await;
    Ok(())
}

#[test]
fn simulation_of_every_row_by_every_way_in_both_phases() {
    let (mut played, mut wrong) = (0, Vec::new());
    for row in rows() {
        for way in Way::ALL.into_iter().filter(|way| (row.ways)(*way)) {
            for in_session in [false, true] {
                played += 1;
                let limit = tokio::time::timeout;
                let outcome = simulate(async { limit(secs(3600), play(&row, way, in_session)).await });
                if let Err(why) = outcome.unwrap_or_else(|_| Err("it never ends".to_owned())) {
                    wrong.push(format!("{} over {way:?}, in a session {in_session}: {why}", row.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {played}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(played > 300, "{played}");
}
