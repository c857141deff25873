//! Every host and our own client, each with every real HTTP server, by way of the bridge.

use std::thread;
use std::time::{Duration, Instant};

use mcp_harness::{Mcplink, RealServer, RunningServer, real_http_servers, real_or_skip};
use mcp_testkit::{FakeEra, TempHome};
use mcp_transport::endpoint::StdioOpening;
use mcp_transport::{Endpoint, StdioEndpoint};

use crate::host::{self, Host, Named};
use crate::{judge, story, unchanged};

/// Those in which our own client tells its story.
const OWN_ERAS: [FakeEra; 2] = [FakeEra::Legacy, FakeEra::Modern];
/// Hosts that run at a time: they are interpreters, and more of them than processors only wait for each other.
const AT_A_TIME: usize = 2;

macro_rules! matrix {
    ($($name:ident: $server:expr, $over:ident, $era:ident;)*) => {$(
        #[test]
        fn $name() {
            let Some(server) = real_or_skip($server) else { return };
            if real_or_skip(host::all_are_here()).is_some() {
                pass_through_the_bridge(&server, Over::$over, FakeEra::$era);
            }
        }
    )*};
}

real_http_servers!(matrix);

/// How a server is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Over {
    Http,
    Sse,
}

impl Over {
    /// By its URL for every second host where there is a choice.
    fn named(self, index: usize) -> Named {
        match self {
            Self::Sse => Named::Entry("sse"),
            Self::Http if index.is_multiple_of(2) => Named::Entry("http"),
            Self::Http => Named::Url,
        }
    }
}

fn pass_through_the_bridge(server: &RealServer, over: Over, era: FakeEra) {
    let (running, surface) = (server.start_http(), server.surface());
    for era in OWN_ERAS {
        tell_our_own_story(server, &running, over, era);
    }
    let url = running.url();
    let tell = |index: usize, host: Host| {
        let surface = surface.seen_from(host.era());
        let report = host::tell(host, &url, over.named(index), &surface.story());
        judge::assert_reported(&report, host, &surface);
        unchanged::assert_unchanged(&report, host.era(), era);
    };
    let hosts: Vec<_> = Host::ALL.into_iter().enumerate().collect();
    for together in hosts.chunks(AT_A_TIME) {
        thread::scope(|scope| {
            for &(index, host) in together {
                // The name says whose panic it is.
                let thread = thread::Builder::new().name(format!("{host:?}"));
                thread.spawn_scoped(scope, move || tell(index, host)).unwrap();
            }
        });
    }
    if let Some(counter) = surface.cancelled {
        // Our own story gives up one call each time, and so does each host.
        assert_counts(&running, over, counter, OWN_ERAS.len() + Host::ALL.len());
    }
}

/// The story of the tests of `mcp-transport`, told to a local server that is the bridge. A bridge is of either era, so
/// what it is asked first decides.
fn tell_our_own_story(server: &RealServer, running: &RunningServer, over: Over, era: FakeEra) {
    let home = TempHome::new().unwrap();
    configure(&home, running, over);
    let mut endpoint = StdioEndpoint::new(env!("CARGO_BIN_EXE_mcplink"));
    endpoint.args = ["bridge", "remote"].map(Into::into).to_vec();
    endpoint.env =
        home.environment("").into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    endpoint.cwd = Some(home.project());
    endpoint.opening = if era == FakeEra::Modern { StdioOpening::Discover } else { StdioOpening::Initialize };
    let surface = server.surface().seen_from(era);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(story::tell(Endpoint::Stdio(endpoint), &surface, era));
}

fn configure(home: &TempHome, running: &RunningServer, over: Over) {
    let kind = if over == Over::Sse { "sse" } else { "http" };
    let servers = serde_json::json!({ "mcpServers": { "remote": { "type": kind, "url": running.url() } } });
    home.write(".claude.json", servers.to_string()).unwrap();
}

/// Waits until the server has noticed that so many calls were given up, and sees that they were no more.
fn assert_counts(running: &RunningServer, over: Over, counter: &str, calls: usize) {
    let home = TempHome::new().unwrap();
    configure(&home, running, over);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let call = Mcplink::new(env!("CARGO_BIN_EXE_mcplink"), &home).args(["call", "remote", counter]);
        let output = call.run().expect_code(0);
        let counted: usize = output.stdout.trim().parse().unwrap_or_else(|_| panic!("{output}"));
        if counted == calls {
            return;
        }
        assert!(counted < calls && Instant::now() < deadline, "{counted} of {calls} calls were given up");
        thread::sleep(Duration::from_millis(50));
    }
}
