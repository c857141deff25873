//! A process of the simulation: a host, and the bridge that it speaks to.

use std::sync::{Arc, LazyLock, OnceLock};

use mcp_bridge::{Bridge, BridgeConfig, EndReason};
use mcp_harness::{FakeHost, HostProfile};
use mcp_transport::endpoint::StreamEndpoint;
use mcp_transport::supervisor::NoContact;
use mcp_transport::{ClientInfo, ClientOptions, Connector, Endpoint, HttpEndpoint, Server, SupervisorHandle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::server::ServerOpener;
use super::{World, secs};
use crate::{ConnectionIdentity, Share};

/// What others may ask of a process.
#[derive(Clone)]
pub(super) struct ProcessHandle {
    pub(super) share: Share,
    pub(super) server: SupervisorHandle,
}

pub(super) struct Process {
    pub(super) host: FakeHost,
    pub(super) share: Share,
    server: Arc<OnceLock<SupervisorHandle>>,
    stop: oneshot::Sender<()>,
    bridge: JoinHandle<EndReason>,
}

/// How a process ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// It does not, until all is over.
    Never,
    /// Its host closes its side.
    HostGone,
    /// It is asked to.
    Asked,
    /// All at once, perhaps in the middle of a call.
    Killed,
}

/// Comes at some time, calls again and again, and ends or stays.
pub(super) async fn life(world: Arc<World>, number: u32) -> Option<Process> {
    let endings = [Ending::Never, Ending::Never, Ending::HostGone, Ending::Asked, Ending::Killed];
    let ending = endings[world.below(number, if world.is_orderly { 4 } else { 5 })];
    world.pause(number, secs(4)).await;
    world.trace.note(format_args!("process {number} begins, and ends as {ending:?}"));
    let process = Process::start(&world, number);
    let calls = async {
        process.host.introduce().await;
        for call in 0..2 + world.below(number, 8) {
            world.pause(number, secs(2)).await;
            process.call(&world, &format!("{number}/{call}")).await;
        }
    };
    match ending {
        Ending::Killed => {
            let moment = world.pause(number, secs(8));
            tokio::select! {
                () = calls => {}
                () = moment => {}
            }
        }
        _ => calls.await,
    }
    if !matches!(ending, Ending::Never) {
        world.running.lock().unwrap().retain(|running| running.share.pid() != number);
    }
    match ending {
        Ending::Never => return Some(process),
        Ending::HostGone => process.close(&world).await,
        Ending::Asked => process.stop(&world).await,
        Ending::Killed => process.kill(&world),
    }
    None
}

/// Nothing of it is used but what it says of the client: servers are reached by streams.
fn connector() -> Connector {
    static CONNECTOR: LazyLock<Connector> =
        LazyLock::new(|| Connector::new(ClientOptions::new(ClientInfo::new("simulation", "1"))));
    CONNECTOR.clone()
}

impl Process {
    pub(super) fn start(world: &Arc<World>, number: u32) -> Self {
        let source = {
            let world = world.clone();
            move || {
                let identity = ConnectionIdentity::new().with("entry", world.entry().to_string());
                let behind =
                    Endpoint::Http(HttpEndpoint::new("https://simulated.example/mcp".parse().unwrap()));
                let opener = ServerOpener(world.server.clone());
                let server = Server::new(Endpoint::Stream(StreamEndpoint::new(opener, behind)));
                async move { Ok::<_, NoContact>((server, identity)) }
            }
        };
        let share = Share::of_process(number, world.directory.path(), source);
        let server = Arc::new(OnceLock::new());
        let config = {
            let (server, world, share) = (server.clone(), Arc::downgrade(world), share.clone());
            BridgeConfig::new("simulated", "1", || async { Err(NoContact::SwitchedOff) })
                .with_shared(Arc::new(share.clone()))
                .with_started(move |started| {
                    if let Some(world) = world.upgrade() {
                        let handle = ProcessHandle { share: share.clone(), server: started.clone() };
                        world.running.lock().unwrap().push(handle);
                    }
                    drop(server.set(started));
                })
        };
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (theirs_in, theirs_out) = tokio::io::split(theirs);
        let (output, input) = tokio::io::split(ours);
        let (stop, stopped) = oneshot::channel::<()>();
        let bridge = tokio::spawn(async move {
            let asked = async {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            Bridge::new(connector(), config).run(theirs_in, theirs_out, asked).await
        });
        let host = FakeHost::over(input, output, HostProfile::legacy(), None);
        Self { host, share, server, stop, bridge }
    }

    pub(super) fn server(&self) -> &SupervisorHandle {
        self.server.get().expect("its host has said who it is")
    }

    /// One call: answered, and run once where it succeeded.
    async fn call(&self, world: &World, text: &str) {
        let answer = self.host.echo(text).await;
        let runs = world.server.executed().get(text).copied().unwrap_or_default();
        world.trace.note(format_args!("{text} is answered: {}", answer.get("result").is_some()));
        if answer.get("result").is_some() {
            assert_eq!(answer["result"]["content"][0]["text"], text, "{answer}");
            assert_eq!(runs, 1, "{text} was answered");
        } else {
            assert!(!world.is_orderly, "{text} failed where all end in order: {answer}");
            assert!(runs <= 1, "{text} ran {runs} times");
        }
    }

    /// Its host closes its side.
    pub(super) async fn close(mut self, world: &World) {
        world.trace.note(format_args!("the host of process {} goes", self.share.pid()));
        self.host.close_input();
        self.ended(world).await;
    }

    async fn stop(self, world: &World) {
        world.trace.note(format_args!("process {} is asked to end", self.share.pid()));
        let (pid, bridge) = (self.share.pid(), self.bridge);
        self.stop.send(()).unwrap();
        let ended = tokio::time::timeout(secs(10), bridge).await;
        world.trace.note(format_args!("process {pid} has ended: {ended:?}"));
        assert!(ended.is_ok(), "process {pid} does not end");
    }

    async fn ended(self, world: &World) {
        let pid = self.share.pid();
        let ended = tokio::time::timeout(secs(10), self.bridge).await;
        world.trace.note(format_args!("process {pid} has ended: {ended:?}"));
        assert!(ended.is_ok(), "process {pid} does not end");
        assert!(self.host.stray().is_empty(), "stray responses: {:?}", self.host.stray());
    }

    /// Everything that it holds is gone at once.
    fn kill(self, world: &World) {
        world.trace.note(format_args!("process {} is killed", self.share.pid()));
        self.bridge.abort();
        let mut state = self.share.state();
        (state.ended, state.waiting) = (true, None);
        if let Some(hub) = state.hub.take() {
            hub.kill();
        }
    }
}
