//! The connection task under paused time, with attempts that end as a script says and connections without a network.
//!
//! Longer than 500 lines because each case plays on the same scripted stage, which is set up here once.

#![expect(clippy::unwrap_used, reason = "what fails in a test should stop it")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use mcp_auth::{AuthError, AuthErrorKind, StaticHeaders};
use mcp_status::{ChallengeKind, Evidence, FailureRun, Outcome, Phase, Reason, ReasonCode, ServerStatus};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::dial::BoxFuture;
use super::*;
use crate::authed::AuthedClient;
use crate::connect::Server;
use crate::connection::Connection;
use crate::endpoint::{Endpoint, HttpEndpoint};
use crate::error::{AuthContext, TransportErrorKind};
use crate::http::client::HttpClient;
use crate::http::streamable::Streamable;
use crate::hub::Inbox;
use crate::inbound::Inbound as _;
use crate::options::{ClientInfo, ClientOptions};
use crate::trace::spans::ConnectionSpan;
use crate::waiting::WaitState;
use crate::wire::Wire;

mod calls;
mod watchers;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How an attempt goes.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Connect,
    Fail(TransportErrorKind),
    /// The authorization server gives nothing now, and asks for so many seconds.
    Unsupplied(u64),
    /// Nothing listens.
    Closed,
    /// Another process tries, and finds nothing.
    Told,
    /// Connects after so many seconds.
    Late(u64),
    /// Fails after so many seconds.
    FailLate(u64, TransportErrorKind),
    /// Never ends.
    Hang,
    /// Never gets its credentials.
    HangAtCredentials,
}

fn down() -> Step {
    Step::Fail(TransportErrorKind::Unreachable)
}

fn busy(wait: u64) -> Step {
    Step::Fail(TransportErrorKind::Http { status: 503, retry_after: Some(secs(wait)) })
}

fn refused() -> TransportErrorKind {
    TransportErrorKind::Challenged { kind: ChallengeKind::Unauthorized, status: 401 }
}

fn error(kind: TransportErrorKind) -> TransportError {
    let sent = AuthContext { sent: true, provider: Some("minted".to_owned()), ..AuthContext::default() };
    TransportError::new(kind, "x").with_auth(sent)
}

/// A server, its configuration and its network, as a script.
struct Script {
    began: Instant,
    /// The last one repeats.
    steps: Mutex<VecDeque<Step>>,
    dialed: Mutex<Vec<Duration>>,
    under_way: AtomicUsize,
    most_at_once: AtomicUsize,
    hubs: Mutex<Vec<Arc<Inbox>>>,
    /// How often the configuration was read.
    read: AtomicUsize,
    withheld: Mutex<Option<NoContact>>,
    forgotten: AtomicUsize,
    /// By how much the wall clock was moved.
    moved: Mutex<Duration>,
}

impl Script {
    fn new(steps: impl IntoIterator<Item = Step>) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            steps: Mutex::new(steps.into_iter().collect()),
            dialed: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            hubs: Mutex::default(),
            read: AtomicUsize::new(0),
            withheld: Mutex::default(),
            forgotten: AtomicUsize::new(0),
            moved: Mutex::default(),
        })
    }

    fn config(self: &Arc<Self>) -> SupervisorConfig {
        let (source, clock) = (self.clone(), self.clone());
        let sleep = SleepWatch::with_clock(move || {
            SystemTime::UNIX_EPOCH + secs(1_000_000) + clock.began.elapsed() + *clock.moved.lock().unwrap()
        });
        let mut policy = SupervisorPolicy::long_lived();
        for row in [&mut policy.connect, &mut policy.session, &mut policy.probe] {
            row.jitter = 0.0;
        }
        let source = move || {
            source.read.fetch_add(1, Ordering::SeqCst);
            let withheld = source.withheld.lock().unwrap().clone();
            async move {
                let url = "http://127.0.0.1:1/mcp".parse().unwrap();
                let server = Server::new(Endpoint::Http(HttpEndpoint::new(url)));
                withheld.map_or_else(|| Ok(server.with_auth(Arc::new(StaticHeaders::new([])))), Err)
            }
        };
        SupervisorConfig::new("web", source).with_policy(policy).with_sleep(sleep)
    }

    fn start(self: &Arc<Self>) -> SupervisorHandle {
        Supervisor::start_with(self.clone(), self.config())
    }

    async fn connected(self: &Arc<Self>) -> SupervisorHandle {
        let handle = self.start();
        assert_eq!(handle.decided().await.status, ServerStatus::Connected);
        self.dialed.lock().unwrap().clear();
        handle
    }

    /// From now on.
    fn then(&self, steps: impl IntoIterator<Item = Step>) {
        *self.steps.lock().unwrap() = steps.into_iter().collect();
    }

    fn dials(&self) -> usize {
        self.dialed.lock().unwrap().len()
    }

    /// The waits between the attempts, in whole seconds, `from` a moment on.
    fn waits(&self, from: Instant) -> Vec<u64> {
        let mut before = from - self.began;
        let dialed = self.dialed.lock().unwrap();
        let waits = dialed.iter().map(|at| {
            let wait = at.saturating_sub(before).as_secs();
            before = *at;
            wait
        });
        waits.collect()
    }

    fn reads(&self) -> usize {
        self.read.load(Ordering::SeqCst)
    }

    fn hub(&self, connection: usize) -> Arc<Inbox> {
        self.hubs.lock().unwrap()[connection - 1].clone()
    }
}

impl Dial for Script {
    fn dial<'a>(
        &'a self,
        server: &'a Server,
        waiting: &'a Arc<WaitState>,
    ) -> BoxFuture<'a, Result<Connection, TransportError>> {
        self.dialed.lock().unwrap().push(self.began.elapsed());
        let step = {
            let mut steps = self.steps.lock().unwrap();
            if steps.len() > 1 { steps.pop_front() } else { steps.front().cloned() }
        };
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        struct Leave<'a>(&'a AtomicUsize);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let leave = Leave(&self.under_way);
        Box::pin(async move {
            let _leave = leave;
            let step = step.expect("a script has steps");
            if let Step::Late(seconds) | Step::FailLate(seconds, _) = step {
                tokio::time::sleep(secs(seconds)).await;
            }
            match step {
                Step::Fail(kind) | Step::FailLate(_, kind) => Err(error(kind)),
                Step::Unsupplied(wait) => {
                    let cause = AuthError::new(AuthErrorKind::Unavailable, "get a token");
                    Err(error(TransportErrorKind::Credentials)
                        .with_source(cause.with_retry_after(secs(wait))))
                }
                Step::Closed => {
                    let closed = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
                    Err(error(TransportErrorKind::Unreachable).with_source(closed))
                }
                Step::Told => {
                    let seen = Evidence::new(Phase::Connect, Outcome::Unreachable);
                    Err(TransportError::observed(FailureRun::of_one(seen)))
                }
                Step::Hang => std::future::pending().await,
                Step::HangAtCredentials => waiting.for_credentials(std::future::pending()).await,
                Step::Connect | Step::Late(_) => {
                    let client = HttpClient::new(ClientOptions::new(ClientInfo::new("t", "1")));
                    let hub = Arc::new(Inbox::new(None, Default::default()));
                    self.hubs.lock().unwrap().push(hub.clone());
                    let Endpoint::Http(endpoint) = &server.endpoint else { unreachable!() };
                    let http = AuthedClient::new(client.clone(), endpoint.url.clone(), None);
                    let wire = Wire::Http { streamable: Streamable::untried(http, hub.clone()), idle: None };
                    let peer = ConnectionSpan::new(&server.endpoint);
                    Ok(Connection::new(wire, hub, client.options().clone(), peer, None, None))
                }
            }
        })
    }

    fn forget_sockets(&self, _: Instant) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }
}

/// Reports that a request over the connection that stands failed like this.
async fn fail(handle: &SupervisorHandle, kind: TransportErrorKind) {
    let lease = handle.lease().await.unwrap();
    handle.report(&lease, &error(kind));
}

/// Lets everything happen that needs no time to pass.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn not_connected(result: Result<Lease, RequestError>) -> StatusSnapshot {
    match result.unwrap_err().kind() {
        RequestErrorKind::NotConnected(snapshot) => (**snapshot).clone(),
        RequestErrorKind::Transport(error) => panic!("{error:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn f102_a_lost_connection_is_tried_for_half_a_minute_and_then_probed_every_minute() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.then([down()]);
    let lost = Instant::now();
    fail(&handle, TransportErrorKind::Unreachable).await;
    settle().await;
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.status, snapshot.code), (ServerStatus::Pending, Some(ReasonCode::Retrying)));
    assert_eq!((snapshot.connection, snapshot.delay), (None, Some(secs(1))));
    tokio::time::sleep(secs(32)).await;
    assert_eq!(script.waits(lost), [1, 2, 4, 8, 16]);
    let failed = handle.snapshot();
    assert_eq!((failed.status, failed.code), (ServerStatus::Failed, Some(ReasonCode::Unreachable)));
    tokio::time::sleep(secs(180)).await;
    assert_eq!(script.waits(lost), [1, 2, 4, 8, 16, 60, 60, 60]);
    script.then([Step::Connect]);
    tokio::time::sleep(secs(60)).await;
    let back = handle.snapshot();
    assert_eq!((back.status, back.connection), (ServerStatus::Connected, Some(2)));
}

#[tokio::test(start_paused = true)]
async fn f103_a_server_that_starts_later_is_found() {
    let script = Script::new([down()]);
    let began = Instant::now();
    let handle = script.start();
    assert_eq!(handle.decided().await.status, ServerStatus::Failed);
    tokio::time::sleep(secs(70)).await;
    assert_eq!(script.waits(began), [0, 1, 2, 4, 60]);
    script.then([Step::Connect]);
    tokio::time::sleep(secs(60)).await;
    assert_eq!(handle.snapshot().status, ServerStatus::Connected);
}

#[tokio::test(start_paused = true)]
async fn f103_fa_a108_a_call_finds_it_at_once() {
    let script = Script::new([down()]);
    let handle = script.start();
    handle.decided().await;
    tokio::time::sleep(secs(5)).await;
    let before = Instant::now();
    let snapshot = not_connected(handle.lease().await);
    assert_eq!((snapshot.status, snapshot.code), (ServerStatus::Failed, Some(ReasonCode::Unreachable)));
    script.then([Step::Connect]);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(handle.lease().await.unwrap().id(), 1);
    assert_eq!(before.elapsed(), secs(2), "no call waited");
}

#[tokio::test(start_paused = true)]
async fn a_call_joins_a_probe_that_is_under_way() {
    let script = Script::new([down()]);
    let handle = script.start();
    handle.decided().await;
    script.then([Step::Late(5)]);
    tokio::time::sleep(secs(62)).await;
    assert_eq!(handle.snapshot().status, ServerStatus::Failed, "a probe does not flicker");
    let before = Instant::now();
    assert_eq!(handle.lease().await.unwrap().id(), 1);
    assert!(before.elapsed() <= secs(5));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_a_floor_with_a_cap_for_callers_too() {
    let script = Script::new([busy(7), busy(3600), Step::Connect]);
    let began = Instant::now();
    let handle = script.start();
    tokio::time::sleep(secs(2)).await;
    let lease = handle.lease().await;
    // The caller waited for 7 s with all others, and gave up before the hour that became a minute was over.
    assert_eq!(script.waits(began), [0, 7]);
    assert_eq!(not_connected(lease).code, Some(ReasonCode::Retrying));
    assert_eq!(began.elapsed(), secs(32), "the patience of a request");
    tokio::time::sleep(secs(40)).await;
    assert_eq!(script.waits(began), [0, 7, 60]);
    assert_eq!(handle.snapshot().status, ServerStatus::Connected);
    // A request from before it worked has no effect any more.
    script.then([busy(50)]);
    handle.config_changed();
    settle().await;
    script.then([Step::Connect]);
    assert_eq!(handle.reconnect().await.status, ServerStatus::Connected);
    fail(&handle, TransportErrorKind::Unreachable).await;
    let before = Instant::now();
    handle.lease().await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn callers_do_not_hurry_an_authorization_server() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.then([Step::Unsupplied(2), Step::Unsupplied(7), Step::Unsupplied(16)]);
    let lost = Instant::now();
    fail(&handle, TransportErrorKind::Unreachable).await;
    let calls = || async {
        for _ in 0..4 {
            not_connected(handle.lease().await);
        }
    };
    calls().await;
    let waits = script.waits(lost);
    assert_eq!(waits[..3], [0, 2, 7], "{waits:?}");
    let rest = &waits[3..];
    assert!(!rest.is_empty() && rest.iter().all(|wait| *wait >= 16), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn callers_that_come_by_the_dozen_are_no_storm() {
    let script = Script::new([down()]);
    let handle = script.start();
    handle.decided().await;
    let dials = script.dials();
    for _ in 0..100 {
        not_connected(handle.lease().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!((4..=6).contains(&(script.dials() - dials)), "{}", script.dials() - dials);
}

#[tokio::test(start_paused = true)]
async fn f103_a_caller_that_waits_is_served_within_a_second_and_costs_the_streak_nothing() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.then([down()]);
    let lost = Instant::now();
    fail(&handle, TransportErrorKind::Unreachable).await;
    let waiting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.lease().await.map(|lease| lease.id()).unwrap() }
    });
    // The row has an attempt after 15 s and the next after 31 s.
    tokio::time::sleep(Duration::from_millis(20_500)).await;
    assert_eq!(handle.snapshot().status, ServerStatus::Pending, "twenty failures have spent nothing");
    assert_eq!(script.waits(lost)[1..], [1; 20], "one a second, at most");
    script.then([Step::Connect]);
    assert_eq!(waiting.await.unwrap(), 2);
    assert_eq!(lost.elapsed().as_secs(), 21);
}

#[tokio::test(start_paused = true)]
async fn what_a_server_asks_an_early_caller_for_binds_him_and_the_row() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.then([busy(20), Step::Connect]);
    let lost = Instant::now();
    fail(&handle, TransportErrorKind::Unreachable).await;
    assert_eq!(handle.lease().await.unwrap().id(), 2);
    assert_eq!(script.waits(lost), [0, 20]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_is_early_is_told_what_has_changed() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.then([Step::Fail(refused())]);
    fail(&handle, TransportErrorKind::Unreachable).await;
    let before = Instant::now();
    assert_eq!(not_connected(handle.lease().await).status, ServerStatus::NeedsAuth);
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_stuck_is_raced_while_a_caller_waits() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.then([Step::Hang]);
    fail(&handle, TransportErrorKind::Unreachable).await;
    tokio::time::sleep(secs(8)).await;
    assert_eq!((script.dials(), script.forgotten.load(Ordering::SeqCst)), (1, 0), "no caller waits");
    let before = Instant::now();
    let waiting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.lease().await.map(|lease| lease.id()).unwrap() }
    });
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert_eq!(
        (script.dials(), script.under_way.load(Ordering::SeqCst)),
        (1 + 4, 2),
        "one a second, and the first"
    );
    assert_eq!(script.forgotten.load(Ordering::SeqCst), 4, "each on fresh sockets");
    script.then([Step::Connect]);
    assert_eq!(waiting.await.unwrap(), 2);
    assert_eq!(before.elapsed(), secs(4));
    assert_eq!(script.under_way.load(Ordering::SeqCst), 0, "the others are given up");
    assert_eq!(script.most_at_once.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_merely_slow_wins_the_race_with_its_first_try() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    // The second tries fail, each in its way.
    script.then([Step::Late(5), Step::Hang, down(), Step::Hang]);
    fail(&handle, TransportErrorKind::Unreachable).await;
    let before = Instant::now();
    assert_eq!(handle.lease().await.unwrap().id(), 2);
    assert_eq!(before.elapsed(), secs(5));
    assert_eq!(script.most_at_once.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn the_second_try_goes_on_where_the_first_one_fails_in_passing() {
    let script = Script::new([Step::Late(2)]);
    let handle = script.connected().await;
    let late_failure = Step::FailLate(7, TransportErrorKind::Dropped);
    script.then([late_failure, Step::Late(3)]);
    fail(&handle, TransportErrorKind::Unreachable).await;
    let before = Instant::now();
    assert_eq!(handle.lease().await.unwrap().id(), 2);
    // The handshake took 2 s, so the second try begins after 6 s.
    assert_eq!(before.elapsed(), secs(9));
    assert_eq!(script.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_looks_causes_one_attempt_where_there_would_be_one_anyway() {
    let script = Script::new([down()]);
    let handle = script.start();
    handle.decided().await;
    tokio::time::sleep(secs(30)).await;
    script.then([Step::Connect]);
    let before = Instant::now();
    assert_eq!(handle.verify().await.status, ServerStatus::Connected, "not half a minute later");
    let dials = script.dials();
    assert_eq!(handle.verify().await.status, ServerStatus::Connected);
    assert_eq!((before.elapsed(), script.dials()), (Duration::ZERO, dials));

    script.then([Step::Fail(refused())]);
    fail(&handle, refused()).await;
    settle().await;
    tokio::time::sleep(secs(3600)).await;
    assert_eq!(handle.verify().await.status, ServerStatus::NeedsAuth);
    assert_eq!(script.dials(), dials, "looking opens no latch");

    script.then([Step::Hang]);
    handle.config_changed();
    settle().await;
    let before = Instant::now();
    assert_eq!(handle.verify().await.status, ServerStatus::Pending);
    assert!(before.elapsed() <= secs(2), "who looks is not kept");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_lasts_half_a_minute_starts_a_new_streak() {
    for (lasted, wait) in [(29, 2), (30, 1)] {
        let script = Script::new([Step::Connect]);
        let handle = script.connected().await;
        tokio::time::sleep(secs(60)).await;
        fail(&handle, TransportErrorKind::Unreachable).await;
        tokio::time::sleep(secs(1)).await;
        settle().await;
        assert_eq!(handle.snapshot().connection, Some(2));
        tokio::time::sleep(secs(lasted)).await;
        fail(&handle, TransportErrorKind::Unreachable).await;
        settle().await;
        assert_eq!(handle.snapshot().delay, Some(secs(wait)), "after {lasted} s");
    }
}

#[tokio::test(start_paused = true)]
async fn f027_a_refusal_holds_against_use_for_half_a_minute_and_opens_by_use_alone() {
    let script = Script::new([Step::Fail(refused())]);
    let handle = script.start();
    let snapshot = handle.decided().await;
    assert_eq!(
        (snapshot.status, snapshot.code),
        (ServerStatus::NeedsAuth, Some(ReasonCode::CredentialsRejected))
    );
    script.then([Step::Connect]);
    tokio::time::sleep(secs(29)).await;
    assert_eq!(not_connected(handle.lease().await).status, ServerStatus::NeedsAuth);
    assert_eq!((script.dials(), script.reads()), (1, 1));
    tokio::time::sleep(secs(3600)).await;
    assert_eq!((script.dials(), script.reads()), (1, 1), "credentials are not requested in the background");
    assert_eq!(handle.lease().await.unwrap().id(), 1);
    assert_eq!((script.dials(), script.reads()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn f027_reconnect_login_and_a_changed_entry_open_it_at_once() {
    let acts: [fn(&SupervisorHandle) -> Decision; 3] =
        [SupervisorHandle::reconnect, SupervisorHandle::login_done, SupervisorHandle::config_changed];
    for act in acts {
        let script = Script::new([Step::Fail(refused()), Step::Connect]);
        let handle = script.start();
        assert_eq!(handle.decided().await.status, ServerStatus::NeedsAuth);
        assert_eq!(act(&handle).await.status, ServerStatus::Connected);
        assert_eq!(script.reads(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn f023_a_request_that_is_refused_closes_the_session_and_the_status_has_an_age() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    tokio::time::sleep(secs(100)).await;
    script.then([Step::Fail(refused())]);
    fail(&handle, refused()).await;
    settle().await;
    tokio::time::sleep(secs(20)).await;
    not_connected(handle.lease().await);
    tokio::time::sleep(secs(30)).await;
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.status, snapshot.connection), (ServerStatus::NeedsAuth, None));
    let age = SystemTime::UNIX_EPOCH + secs(1_000_000) + script.began.elapsed();
    assert_eq!(age.duration_since(snapshot.since).unwrap().as_secs(), 50);
    assert_eq!(script.dials(), 0, "a refusal is not tried again automatically");
    assert_eq!(
        not_connected(handle.lease().await).status,
        ServerStatus::NeedsAuth,
        "after 50 s a new refusal"
    );
    assert_eq!(script.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn f116_reconnect_cancels_an_attempt_that_hangs() {
    let script = Script::new([Step::Hang, Step::Connect]);
    let handle = script.start();
    tokio::time::sleep(secs(10)).await;
    assert_eq!(script.under_way.load(Ordering::SeqCst), 1);
    let snapshot = handle.reconnect().await;
    assert_eq!(snapshot.status, ServerStatus::Connected);
    assert_eq!(script.under_way.load(Ordering::SeqCst), 0, "nothing of it is left");
    assert_eq!(script.began.elapsed(), secs(10));
}

#[tokio::test(start_paused = true)]
async fn reconnect_returns_when_the_status_is_decided_and_joins_a_later_one() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.then([down(), down(), Step::Fail(refused())]);
    let before = Instant::now();
    assert_eq!(handle.reconnect().await.status, ServerStatus::NeedsAuth);
    assert_eq!(before.elapsed().as_secs(), 3, "two retries");
    script.then([Step::Hang, Step::Connect]);
    let first = tokio::spawn({
        let handle = handle.clone();
        async move { handle.reconnect().await.status }
    });
    settle().await;
    assert_eq!(handle.reconnect().await.status, ServerStatus::Connected);
    assert_eq!(first.await.unwrap(), ServerStatus::Connected);
}

#[tokio::test(start_paused = true)]
async fn f133_each_connection_reads_the_configuration_and_the_retries_of_one_do_not() {
    let script = Script::new([down(), down(), Step::Connect]);
    let handle = script.start();
    handle.decided().await;
    assert_eq!((script.dials(), script.reads()), (3, 1), "the same credentials serve the retries");
    handle.reconnect().await;
    assert_eq!(script.reads(), 2);
    fail(&handle, TransportErrorKind::Unreachable).await;
    handle.lease().await.unwrap();
    assert_eq!(script.reads(), 3);
    // A connection that dies at once continues the streak, but not with what the dead one was made of.
    fail(&handle, TransportErrorKind::Unreachable).await;
    handle.lease().await.unwrap();
    assert_eq!(script.reads(), 4);
}

#[tokio::test(start_paused = true)]
async fn f133_another_source_takes_the_place_of_the_first() {
    let (old, new) = (Script::new([Step::Connect]), Script::new([Step::Connect]));
    let handle = old.connected().await;
    handle.replace_source(new.config().source);
    settle().await;
    assert_eq!((old.reads(), new.reads()), (1, 1));
    assert_eq!(handle.snapshot().connection, Some(2));
}

#[tokio::test(start_paused = true)]
async fn f102_a_machine_that_slept_reconnects_without_being_asked() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    tokio::time::sleep(secs(12)).await;
    *script.moved.lock().unwrap() = secs(3600);
    tokio::time::sleep(secs(7)).await;
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.status, snapshot.connection), (ServerStatus::Connected, Some(2)));
    assert_eq!(script.forgotten.load(Ordering::SeqCst), 1, "its sockets are dead as well");
    tokio::time::sleep(secs(600)).await;
    assert_eq!(script.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn f102_a_call_right_after_the_sleep_gets_a_new_connection_and_no_error() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    tokio::time::sleep(secs(1)).await;
    let under_way = handle.lease().await.unwrap();
    *script.moved.lock().unwrap() = secs(60);
    let before = Instant::now();
    assert_eq!(handle.lease().await.unwrap().id(), 2);
    assert_eq!(before.elapsed(), Duration::ZERO);
    settle().await;
    // What is under way may still end well.
    assert!(!under_way.is_closed());
    let connection = (*under_way).clone();
    drop(under_way);
    settle().await;
    assert!(connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_wire_that_ends_costs_the_next_caller_nothing() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.hub(1).closed();
    let before = Instant::now();
    assert_eq!(handle.lease().await.unwrap().id(), 2);
    assert_eq!(before.elapsed(), Duration::ZERO);
    script.hub(2).closed();
    tokio::time::sleep(secs(3)).await;
    assert_eq!(handle.snapshot().connection, Some(3), "without a caller as well");
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_reported_once_however_many_requests_notice_it() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    let leases = [handle.lease().await.unwrap(), handle.lease().await.unwrap()];
    for lease in &leases {
        handle.report(lease, &error(TransportErrorKind::Unreachable));
    }
    assert_eq!(handle.lease().await.unwrap().id(), 2);
    handle.report(&leases[0], &error(refused()));
    settle().await;
    assert_eq!(handle.snapshot().connection, Some(2), "an old connection says nothing about the new one");
}

#[tokio::test(start_paused = true)]
async fn notifications_come_from_one_stream_whatever_the_connection() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    let mut notifications = handle.notifications();
    script.hub(1).notification("notifications/one", None);
    assert_eq!(notifications.next().await.unwrap().method, "notifications/one");
    handle.reconnect().await;
    script.hub(1).notification("notifications/late", None);
    let params = RawValue::from_string("{\"n\":1.0}".to_owned()).unwrap();
    script.hub(2).notification("notifications/two", Some(params));
    let two = notifications.next().await.unwrap();
    assert_eq!((&*two.method, two.params.unwrap().get()), ("notifications/two", "{\"n\":1.0}"));
    handle.close().await;
    let end = tokio::time::timeout(secs(60), notifications.next()).await;
    assert!(end.expect("the stream ends").is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_withheld_is_not_contacted_and_says_why() {
    let script = Script::new([Step::Connect]);
    let table = [
        (NoContact::SwitchedOff, ServerStatus::Disabled, None),
        (
            NoContact::Because(Reason::awaiting_approval()),
            ServerStatus::Pending,
            Some(ReasonCode::AwaitingApproval),
        ),
        (
            NoContact::Because(Reason::config(".mcp.json: url is missing")),
            ServerStatus::Failed,
            Some(ReasonCode::Config),
        ),
    ];
    for (withheld, status, code) in table {
        *script.withheld.lock().unwrap() = Some(withheld);
        let handle = script.start();
        let snapshot = handle.reconnect().await;
        assert_eq!((snapshot.status, snapshot.code), (status, code));
        assert_eq!(snapshot.reason().map(|reason| reason.code), code);
        assert!(snapshot.evidence().is_none(), "nothing was seen");
        let report = snapshot.report();
        assert_eq!((report.status, report.reason.map(|reason| reason.code)), (status, code));
        assert_eq!(not_connected(handle.lease().await).status, status);
        assert_eq!(script.dials(), 0);
    }
    *script.withheld.lock().unwrap() = Some(NoContact::SwitchedOff);
    let handle = script.start();
    handle.decided().await;
    *script.withheld.lock().unwrap() = None;
    handle.config_changed();
    settle().await;
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.status, snapshot.reason()), (ServerStatus::Connected, None));
    assert_eq!(snapshot.report().status, ServerStatus::Connected);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_has_the_reason_in_words() {
    let script = Script::new([down()]);
    let handle = script.start();
    settle().await;
    let snapshot = handle.snapshot();
    let text = "waiting 1 s before the next attempt: no connection to http://127.0.0.1:1";
    assert_eq!(snapshot.reason().unwrap().message, text);
    let refused = RequestError::not_connected(snapshot);
    assert_eq!(refused.to_string(), format!("the server is not connected (pending): {text}"));
    assert!(!refused.may_have_been_sent());
}

#[tokio::test(start_paused = true)]
async fn f113_no_more_servers_start_at_once_than_allowed() {
    let limits = StartLimits::new(2, 1);
    let script = Script::new([Step::Hang]);
    let handles: Vec<_> = (0..5)
        .map(|_| Supervisor::start_with(script.clone(), script.config().with_limits(limits.clone())))
        .collect();
    settle().await;
    assert_eq!((script.reads(), script.dials()), (5, 2));
    script.then([Step::Connect]);
    // Cancelling an attempt makes room for the next one, and so does its end.
    handles[0].close().await;
    settle().await;
    assert_eq!(script.most_at_once.load(Ordering::SeqCst), 2);
    let connected =
        handles.iter().filter(|handle| handle.snapshot().status == ServerStatus::Connected).count();
    assert_eq!(connected, 3, "one was closed and one hangs");
}

#[tokio::test(start_paused = true)]
async fn close_ends_everything_and_so_does_the_last_handle() {
    let metrics = tokio::runtime::Handle::current().metrics();
    for steps in [vec![Step::Connect], vec![Step::Hang], vec![down()], vec![Step::Fail(refused())]] {
        let script = Script::new(steps.clone());
        let handle = script.start();
        settle().await;
        let lease = handle.lease();
        let (lease, ()) = tokio::join!(tokio::time::timeout(secs(60), lease), async {
            settle().await;
            tokio::join!(handle.close(), handle.close());
        });
        drop(lease);
        assert!(handle.snapshot().closed && handle.snapshot().connection.is_none(), "{steps:?}");
        assert!(not_connected(handle.lease().await).closed);
        assert!(handle.reconnect().await.closed);
        assert_eq!(script.under_way.load(Ordering::SeqCst), 0);
        drop((handle, script));
        settle().await;
        assert_eq!(metrics.num_alive_tasks(), 0, "{steps:?}");

        let script = Script::new(steps.clone());
        let handle = script.start();
        settle().await;
        drop(handle);
        settle().await;
        assert_eq!(metrics.num_alive_tasks(), 0, "{steps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_kept_does_not_hold_up_the_end() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    let lease = handle.lease().await.unwrap();
    handle.report(&lease, &error(TransportErrorKind::Unreachable));
    settle().await;
    assert!(!lease.is_closed());
    let before = Instant::now();
    handle.close().await;
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert!(lease.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_request_is_tried_again_only_where_that_is_safe_and_of_use() {
    use TransportErrorKind as Kind;
    let total = Kind::Timeout { stage: crate::error::TimeoutStage::Total };
    let table = [
        // Never sent: anything may be sent over the next connection.
        (Kind::Unreachable, true, true),
        (Kind::Closed, true, true),
        // May have run: only what has no effects.
        (Kind::Dropped, false, true),
        (Kind::Exited { code: Some(1), signal: None }, false, true),
        (total, false, true),
        (Kind::Http { status: 503, retry_after: None }, false, true),
        // A second refusal does not help.
        (refused(), false, false),
        (Kind::Credentials, false, false),
        (Kind::Rpc { code: -32602 }, false, false),
        (Kind::Cancelled, false, false),
        (Kind::Tls, false, false),
    ];
    for (kind, call, list) in table {
        for (repeatable, again) in [(false, call), (true, list)] {
            let script = Script::new([Step::Connect]);
            let handle = script.connected().await;
            let options = RequestOptions::new();
            let mut tries = AttemptCount::new(&handle, &options, repeatable);
            let lease = handle.lease().await.unwrap();
            let first = tries.failed(lease, error(kind.clone())).await;
            assert_eq!(first.is_ok(), again, "{kind:?}, repeatable: {repeatable}");
            if again {
                let lease = handle.lease().await.unwrap();
                assert!(tries.failed(lease, error(kind.clone())).await.is_err(), "once");
            }
        }
    }
}
