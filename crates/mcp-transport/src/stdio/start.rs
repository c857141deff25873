//! From a command to a connection: as many processes as its answers demand, two at most, in the time of one.
//!
//! A process is not a network. One that is slow is most likely about to work, installing itself for the first time, and to
//! kill it and start it again throws that away. So it is waited for once, for longer than a network would be, and what it
//! prints meanwhile is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_status::{Limit, LimitSubject};
use tokio::time::Instant;

use super::{Side, StdioWire};
use crate::endpoint::{StdioEndpoint, StdioOpening};
use crate::error::{TransportError, TransportErrorKind};
use crate::hub::Inbox;
use crate::options::ClientOptions;
use crate::ordered::{OrderedWire, Stream, StreamEnd};
use crate::protocol::handshake::wants_modern;
use crate::sink::Sink;

/// How often a waiting caller hears what a process that starts has printed.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// A process that is being started.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ProcessStart {
    /// For how long.
    pub elapsed: Duration,
    /// How long it may take.
    pub limit: Duration,
    /// What it printed last, as a line without secrets; none where it has printed nothing yet.
    pub said: Option<String>,
}

/// Hears of a process that takes a while to start, once a second.
pub type StartSink = Sink<ProcessStart>;

/// A start: what is needed for it.
pub(crate) struct Start<'a> {
    pub(crate) endpoint: &'a StdioEndpoint,
    pub(crate) options: &'a Arc<ClientOptions>,
    /// Each process has a hub of its own: what ends with one must not end the next.
    pub(crate) new_hub: &'a (dyn Fn() -> Arc<Inbox> + Sync),
    pub(crate) sink: Option<&'a StartSink>,
}

impl Start<'_> {
    /// Starts it and shakes hands.
    pub(crate) async fn run(self) -> Result<(OrderedWire, Arc<Inbox>), TransportError> {
        let limit = self.endpoint.startup_timeout.unwrap_or(self.options.startup_timeout);
        let latest = LatestOutput::default();
        let mut started = std::pin::pin!(tokio::time::timeout(limit, self.shake_hands(&latest)));
        let began = Instant::now();
        let mut last = None;
        let mut tick = tokio::time::interval(TOLD_EVERY);
        // The first one is due at once.
        tick.tick().await;
        let ended = loop {
            tokio::select! {
                biased;
                ended = &mut started => break ended,
                _ = tick.tick() => self.tell(began.elapsed(), limit, &latest, &mut last),
            }
        };
        let ended = ended.map(|opened| opened.map_err(closed_early));
        ended.unwrap_or_else(|_| {
            let error = TransportError::new(
                TransportErrorKind::SlowStart { limit },
                "the command did not speak MCP in time",
            )
            .at_limit(Limit::new(limit, LimitSubject::Start));
            Err(match latest.side() {
                Some(side) => error.with_source(side.snapshot()),
                None => error,
            })
        })
    }

    fn tell(&self, elapsed: Duration, limit: Duration, latest: &LatestOutput, last: &mut Option<String>) {
        let said = latest.side().and_then(|side| side.snapshot().latest());
        if said.is_some() && *last != said {
            tracing::info!(said, "the command is starting");
            last.clone_from(&said);
        }
        if let Some(sink) = self.sink {
            sink.tell(&ProcessStart { elapsed, limit, said });
        }
    }

    async fn shake_hands(&self, latest: &LatestOutput) -> Result<(OrderedWire, Arc<Inbox>), TransportError> {
        let idle = self.options.stdio_idle_timeout;
        let spawn = |hub: Arc<Inbox>| {
            let wire = StdioWire::spawn(self.endpoint, &hub.budget, hub.clone())?;
            latest.is(wire.side());
            Ok::<_, TransportError>(StreamEnd {
                stream: Stream::Stdio(wire),
                hub,
                options: self.options.clone(),
                chain: self.endpoint.chain.as_deref().map(Arc::from),
            })
        };
        let hub = (self.new_hub)();
        let first = spawn(hub.clone())?;
        let opened = match self.endpoint.opening {
            StdioOpening::Initialize => OrderedWire::open(first, idle).await,
            StdioOpening::Discover => OrderedWire::probe(first, idle).await,
        };
        let refusal = match opened {
            Ok(wire) => return Ok((wire, hub)),
            Err(refusal) => refusal,
        };
        let hub = (self.new_hub)();
        let again = match self.endpoint.opening {
            // An `initialize` decides for its whole process (2026-07-28, versioning), and a server of the modern
            // era alone may end with it; so a process of its own is asked in the terms that this one named.
            StdioOpening::Initialize if wants_modern(&refusal) => {
                OrderedWire::discover(spawn(hub.clone())?, idle).await
            }
            // A server of the legacy era may end with a message that it does not know.
            StdioOpening::Discover if matches!(refusal.kind(), TransportErrorKind::Exited { .. }) => {
                OrderedWire::open(spawn(hub.clone())?, idle).await
            }
            _ => return Err(refusal),
        };
        again.map(|wire| (wire, hub)).map_err(|_| refusal)
    }
}

/// A process that lives on and closes its streams before it has said anything of use has not lost a connection, which may come back: it is
/// no server, and would be started again for nothing.
fn closed_early(error: TransportError) -> TransportError {
    match error.kind() {
        TransportErrorKind::Dropped => {
            let said = error.to_string();
            error.with_kind(TransportErrorKind::Protocol).with_said(Some(said))
        }
        _ => error,
    }
}

/// What the process that was started last prints.
#[derive(Default)]
struct LatestOutput(Mutex<Option<Side>>);

impl LatestOutput {
    fn is(&self, side: Side) {
        *self.lock() = Some(side);
    }

    fn side(&self) -> Option<Side> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Side>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::path::Path;

    use mcp_status::{MessageContext, ReasonCode, ServerStatus, SpawnCause};

    use super::*;
    use crate::connect::{ConnectOutcome, ConnectPolicy, Connector, Server};
    use crate::endpoint::Endpoint;
    use crate::options::ClientInfo;

    fn endpoint(script: &str, limit: Duration) -> StdioEndpoint {
        let mut endpoint = StdioEndpoint::new("/bin/sh");
        endpoint.args = vec!["-c".into(), script.into()];
        endpoint.env.insert("PATH".into(), "/usr/bin:/bin".into());
        endpoint.startup_timeout = Some(limit);
        endpoint
    }

    async fn connected(server: &Server) -> ConnectOutcome {
        let mut options = ClientOptions::new(ClientInfo::new("t", "1"));
        options.limit_names.start = Some("PATIENCE".into());
        let connector = Connector::new(options);
        connector.connect_observed(server, &ConnectPolicy::one_shot(), |_, _| {}).await
    }

    /// Status, code and words of what comes of an endpoint.
    async fn described(endpoint: StdioEndpoint) -> (ServerStatus, Option<ReasonCode>, String) {
        let machine = connected(&Server::new(Endpoint::Stdio(endpoint))).await.machine;
        let reason = machine.reason(None, &MessageContext::new("s"));
        (machine.status(), machine.code(), reason.unwrap().message)
    }

    /// All at once, for each waits.
    async fn all<T: Send + 'static>(
        futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
    ) -> Vec<T> {
        let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
        let mut ended = Vec::new();
        for task in tasks {
            ended.push(task.await.unwrap());
        }
        ended
    }

    fn starts(file: &Path) -> usize {
        std::fs::read_to_string(file).unwrap_or_default().lines().count()
    }

    #[tokio::test]
    async fn fa_a17_a18_a_slow_start_is_waited_for_once_and_tells_what_was_printed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("starts");
        let script = |then: &str| format!("echo start >>{}; {then}; sleep 60", file.display());
        let limit = Duration::from_millis(1200);
        let seen = described(endpoint(&script("echo 'pulling image' >&2"), limit)).await;
        assert_eq!((seen.0, seen.1), (ServerStatus::Failed, Some(ReasonCode::Timeout)));
        let said = "the command was started and did not speak MCP within 1200 ms (PATIENCE allows more): ";
        assert_eq!(seen.2, format!("{said}pulling image"));
        assert_eq!(starts(&file), 1, "half an installation was thrown away");
        let (.., asked) = described(endpoint(&script("printf 'Ok to proceed? (y) '"), limit)).await;
        assert_eq!(asked, format!("{said}it asks \"Ok to proceed? (y)\", which cannot be answered here"));
        let (.., quiet) = described(endpoint("exec sleep 60", limit)).await;
        assert_eq!(quiet, format!("{said}it printed nothing; it was run as `/bin/sh -c 'exec sleep 60'`"));
    }

    #[tokio::test]
    async fn fa_a17_who_waits_hears_what_is_printed_and_a_start_in_time_works() {
        let script = r#"echo 'Downloading numpy' >&2; sleep 1.3; read -r line
            printf '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}\n'
            cat >/dev/null"#;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let sink = StartSink::new({
            let heard = heard.clone();
            move |starting: &ProcessStart| {
                heard.lock().unwrap().push(starting.said.clone().unwrap_or_default())
            }
        });
        let server =
            Server::new(Endpoint::Stdio(endpoint(script, Duration::from_secs(60)))).with_start_sink(sink);
        let connected = connected(&server).await;
        assert_eq!(connected.machine.status(), ServerStatus::Connected, "{:?}", connected.error);
        assert_eq!(heard.lock().unwrap().first().map(String::as_str), Some("Downloading numpy"));
        connected.connection.unwrap().close().await;
    }

    #[tokio::test]
    async fn fa_a19_fc_c3_c4_an_early_end_is_told_at_once_with_what_decided_it() {
        let limit = Duration::from_secs(60);
        let table = [
            (
                "echo 'license expired' >&2; exit 3",
                "the command exited with code 3 while it started: license expired",
            ),
            (
                "sleep 30 & exit 0",
                "the command exited with code 0 while it started: it went on in the background, and a server has to stay in the foreground",
            ),
            (
                "kill -11 $$",
                "the command was ended by SIGSEGV while it started (it crashed): it printed nothing in the 0.",
            ),
            (
                "while :; do echo 'GET / HTTP/1.1'; done",
                "what was started does not speak MCP: its standard output begins with `GET / HTTP/1.1`",
            ),
        ];
        for (script, expected) in table {
            let (status, _, words) = described(endpoint(script, limit)).await;
            assert!(status == ServerStatus::Failed && words.starts_with(expected), "{words}");
        }
    }

    #[tokio::test]
    async fn fa_a13_fa_a15_what_is_no_mcp_is_told_soon_and_what_to_change() {
        let answer = r#"{"jsonrpc":"2.0","id":0,"result":{}}"#;
        let after =
            |print: &str| endpoint(&format!("read -r line; {print}; sleep 60"), Duration::from_secs(60));
        let table = [
            (format!("printf 'Content-Length: 36\\r\\n\\r\\n{answer}'"), "framed with headers"),
            (format!("printf 'HTTP/1.1 200 OK\\r\\n\\r\\n{answer}'"), "HTTP, with `HTTP/1.1 200 OK`"),
            (format!("printf 'event: message\\ndata: {answer}\\n\\n'"), "a stream of server-sent events"),
            (r#"printf '{\n  "jsonrpc": "2.0",\n  "id": 0\n}\n'"#.to_owned(), "JSON over several lines"),
            (r#"echo "{'jsonrpc': '2.0', 'id': 0}""#.to_owned(), "a Python object"),
            (r#"echo "{ jsonrpc: '2.0', id: 0 }""#.to_owned(), "a JavaScript object"),
            (format!("printf '{answer}'"), "a message whose line does not end"),
        ];
        let report = table.map(|(print, expected)| {
            let endpoint = after(&print);
            async move { (described(endpoint).await, expected) }
        });
        // All at once: each is waited for as long as its answer may still come.
        for ((status, code, words), expected) in all(report).await {
            assert_eq!((status, code), (ServerStatus::Failed, Some(ReasonCode::Protocol)), "{words}");
            let expected = format!("what was started does not speak MCP: its standard output is {expected}");
            assert!(words.starts_with(&expected) && words.contains("; "), "{words}");
        }
    }

    #[tokio::test]
    async fn fa_a13_what_a_server_prints_for_who_debugs_it_is_passed_over() {
        let answer = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}"#;
        for print in [
            r#"echo "{'jsonrpc': '2.0', 'method': 'initialize'}""#,
            "printf 'Content-Length: 36\\r\\n\\r\\n'",
            r#"printf '{\n  "jsonrpc": "2.0",\n}\n'"#,
        ] {
            let script = format!("read -r line; {print}; sleep 0.2; echo '{answer}'; cat >/dev/null");
            let server = Server::new(Endpoint::Stdio(endpoint(&script, Duration::from_secs(60))));
            let connected = connected(&server).await;
            assert_eq!(connected.machine.status(), ServerStatus::Connected, "{print}: {:?}", connected.error);
            connected.connection.unwrap().close().await;
        }
    }

    #[tokio::test]
    async fn fa_a1_a3_what_is_wrong_with_the_command_is_in_the_reason() {
        let mut missing = endpoint("", Duration::from_secs(60));
        missing.command = "npx-not-there".into();
        let error = connected(&Server::new(Endpoint::Stdio(missing.clone()))).await.error.unwrap();
        assert_eq!(*error.kind(), TransportErrorKind::Spawn { cause: SpawnCause::NotFound });
        let (.., words) = described(missing).await;
        let expected =
            "the command could not be started: `npx-not-there` is in no folder of its PATH (/usr/bin /bin)";
        assert_eq!(words, expected);
        let mut tilde = endpoint("", Duration::from_secs(60));
        tilde.command = "cat".into();
        tilde.args = vec!["~/srv.py".into()];
        let (.., words) = described(tilde).await;
        assert!(
            words.ends_with("in its argument `~/srv.py`, `~` is not expanded; write `${HOME}`"),
            "{words}"
        );
    }
}
