//! Many servers, and a configuration that changes under them.

use std::time::Duration;

use mcp_status::ServerStatus;
use mcp_testkit::{FakeMcpServer, ScriptedAnswer};
use mcp_transport::fleet::{Fleet, FleetChange, FleetChanges, FleetConfig, FleetEntry, FleetUpdate};
use mcp_transport::supervisor::{NoContact, ServerFuture, ServerSource};
use mcp_transport::{RequestOptions, Server};

use crate::supervisor::quick;
use crate::support::{connector, target};

#[path = "../../examples/host.rs"]
#[expect(dead_code, reason = "a test has no command line")]
mod host;

#[tokio::test]
async fn the_example_of_a_host_connects_what_its_file_names_and_does_what_is_typed() {
    let server = FakeMcpServer::builder().start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("servers");
    std::fs::write(&file, format!("a {}\nb nonsense\n", server.url())).unwrap();
    let (typed, commands) = tokio::sync::mpsc::unbounded_channel();
    for line in [
        "call a echo {\"text\":\"hello\"}",
        "call c echo",
        "reload",
        "reconnect all",
        "status",
        "quit",
        "call a echo",
    ] {
        typed.send(line.to_owned()).unwrap();
    }
    host::run(&file, commands).await.unwrap();
    assert_eq!(server.count("tools/call"), 1, "what is typed after the end is not done");
    assert_eq!(
        (server.count("server/discover"), server.violations()),
        (2, Vec::new()),
        "it was connected again"
    );
}

/// A source that always says the same.
struct Fixed(Server);

impl ServerSource for Fixed {
    fn server(&self) -> ServerFuture<'_> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

fn entry(name: &str, server: &FakeMcpServer) -> FleetEntry {
    FleetEntry::new(name, server.url(), Fixed(target(server)))
}

fn fleet() -> Fleet {
    let mut config = FleetConfig::default();
    config.policy = quick();
    Fleet::new(connector(), config)
}

fn names(names: &[std::sync::Arc<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}

async fn decided(fleet: &Fleet) -> Vec<(String, ServerStatus)> {
    let mut all = Vec::new();
    for handle in fleet.handles() {
        all.push((handle.name().to_owned(), handle.decided().await.status));
    }
    all
}

#[tokio::test]
async fn f133_a_fleet_becomes_what_the_configuration_says() {
    let (a, b, c) =
        (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let fleet = fleet();
    let changes = fleet.apply([entry("b", &b), entry("a", &a)]).await;
    assert_eq!((names(&changes.added), names(&changes.removed)), (vec!["a", "b"], vec![]));
    use ServerStatus::Connected;
    assert_eq!(decided(&fleet).await, [("a".to_owned(), Connected), ("b".to_owned(), Connected)]);
    let held = fleet.handle("b").unwrap();

    assert_eq!(
        fleet.apply([entry("a", &a), entry("b", &b)]).await,
        FleetUpdate::default(),
        "nothing changed"
    );
    assert_eq!(held.snapshot().connection, Some(1), "so nothing was touched");

    let changes = fleet.apply([entry("b", &c), entry("d", &a)]).await;
    assert_eq!(
        (names(&changes.added), names(&changes.replaced), names(&changes.removed)),
        (vec!["d"], vec!["b"], vec!["a"])
    );
    decided(&fleet).await;
    held.request("tools/list", None, &RequestOptions::new()).await.unwrap();
    assert_eq!(held.snapshot().origin.as_deref(), Some(&*c.origin()), "a handle follows its definition");
    assert!(fleet.handle("a").is_none());

    fleet.close().await;
    assert!(held.snapshot().closed);
    assert_eq!(fleet.apply([entry("a", &a)]).await, FleetUpdate::default(), "a closed fleet starts nothing");
    assert!(fleet.status().is_empty());
}

#[tokio::test]
async fn reconnect_reaches_all_or_those_that_do_not_work() {
    let (up, broken) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    broken.always(ScriptedAnswer::status(404));
    let fleet = fleet();
    let off = FleetEntry::new("off", "off", || std::future::ready(Err(NoContact::SwitchedOff)));
    fleet.apply([entry("broken", &broken), entry("up", &up), off]).await;
    use ServerStatus::{Connected, Disabled, Failed};
    let of = |name: &str, status| (name.to_owned(), status);
    assert_eq!(decided(&fleet).await, [of("broken", Failed), of("off", Disabled), of("up", Connected)]);

    broken.always(ScriptedAnswer::Honest);
    let statuses: Vec<_> = fleet
        .reconnect_failed()
        .await
        .into_iter()
        .map(|snapshot| (snapshot.name.to_string(), snapshot.status, snapshot.connection))
        .collect();
    assert_eq!(statuses, [("broken".to_owned(), Connected, Some(1))]);
    let connections: Vec<_> =
        fleet.reconnect_all().await.into_iter().map(|snapshot| snapshot.connection).collect();
    assert_eq!(connections, [Some(2), None, Some(2)]);
    fleet.close().await;
}

#[tokio::test]
async fn an_entry_has_a_policy_of_its_own_and_requests_are_made_side_by_side() {
    let (usual, unlisted) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let fleet = fleet();
    let mut policy = quick();
    policy.list = None;
    fleet.apply([entry("usual", &usual), entry("unlisted", &unlisted).with_policy(policy)]).await;
    decided(&fleet).await;
    let listed = |name: &str| fleet.handle(name).unwrap().snapshot().tools.is_some();
    assert_eq!((listed("usual"), listed("unlisted")), (true, false));

    let handle = fleet.handle("usual").unwrap();
    let soon = RequestOptions::new().with_timeout(Duration::from_secs(20));
    let (one, two, three) = tokio::join!(
        handle.request("tools/list", None, RequestOptions::new()),
        handle.list_tools(&soon),
        handle.list_tools(&soon),
    );
    assert!(one.is_ok() && two.is_ok() && three.is_ok(), "{one:?} {two:?} {three:?}");
    fleet.close().await;
}

#[tokio::test]
async fn f113_one_server_that_hangs_holds_up_no_other() {
    let (slow, up) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    slow.always(ScriptedAnswer::Hang);
    let fleet = fleet();
    let entries: Vec<_> =
        (0..10).map(|index| entry(&format!("slow-{index}"), &slow)).chain([entry("up", &up)]).collect();
    fleet.apply(entries).await;
    let snapshot = fleet.handle("up").unwrap().decided().await;
    assert_eq!(snapshot.status, ServerStatus::Connected);
    let closing = tokio::time::timeout(Duration::from_secs(30), fleet.close());
    closing.await.expect("closing cancels what hangs");
}

/// The changes until `seen` is content with one, each as a name and a status.
async fn until(
    changes: &mut FleetChanges,
    seen: impl Fn(&str, Option<ServerStatus>) -> bool,
) -> Vec<(String, Option<ServerStatus>)> {
    let mut all = Vec::new();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), changes.next());
        let (name, status) = match next.await.expect("a change").expect("a fleet") {
            FleetChange::Status(snapshot) => (snapshot.name.to_string(), Some(snapshot.status)),
            FleetChange::Removed(name) => (name.to_string(), None),
            other => panic!("{other:?}"),
        };
        all.push((name.clone(), status));
        if seen(&name, status) {
            return all;
        }
    }
}

#[tokio::test]
async fn f133_one_server_comes_and_goes_and_the_others_do_not_notice() {
    use ServerStatus::{Connected, Failed};
    let (a, b) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let fleet = fleet();
    let mut changes = fleet.changes();
    let kept = fleet.insert(entry("a", &a)).unwrap();
    until(&mut changes, |name, status| (name, status) == ("a", Some(Connected))).await;

    let there = fleet.insert(entry("b", &b)).unwrap();
    let seen = until(&mut changes, |name, status| (name, status) == ("b", Some(Connected))).await;
    assert!(seen.iter().all(|(name, _)| name == "b"), "{seen:?}");
    // Nothing has changed: nothing is told, and nothing is done.
    fleet.insert(entry("b", &b)).unwrap();
    assert_eq!(there.snapshot().connection, Some(1));

    // The same name with another definition keeps its handle.
    b.always(ScriptedAnswer::status(404));
    fleet.insert(FleetEntry::new("b", "another", Fixed(target(&b)))).unwrap();
    until(&mut changes, |name, status| (name, status) == ("b", Some(Failed))).await;
    assert_eq!(there.snapshot().status, Failed);

    assert!(fleet.remove("b").await && !fleet.remove("b").await);
    assert!(there.snapshot().closed);
    assert_eq!(until(&mut changes, |_, status| status.is_none()).await.last().unwrap().0, "b");
    // It comes back before the next look: told as what it is now, by another supervisor.
    b.always(ScriptedAnswer::Honest);
    fleet.insert(entry("b", &b)).unwrap();
    until(&mut changes, |name, status| (name, status) == ("b", Some(Connected))).await;
    fleet.remove("b").await;
    fleet.insert(entry("b", &b)).unwrap();
    let seen = until(&mut changes, |name, status| (name, status) == ("b", Some(Connected))).await;
    assert!(seen.iter().all(|(name, status)| name == "b" && status.is_some()), "{seen:?}");
    assert_eq!(kept.snapshot().connection, Some(1), "all along");

    fleet.close().await;
    assert!(fleet.insert(entry("c", &a)).is_none(), "a closed fleet starts nothing");
    let mut left = 0;
    while let Some(change) = changes.next().await {
        assert!(matches!(change, FleetChange::Removed(_)), "{change:?}");
        left += 1;
    }
    assert_eq!(left, 2);
}

#[tokio::test]
async fn f133_changes_end_with_their_fleet_and_do_not_keep_it_alive() {
    let a = FakeMcpServer::start().unwrap();
    let fleet = fleet();
    let handle = fleet.insert(entry("a", &a)).unwrap();
    let mut changes = fleet.changes();
    until(&mut changes, |_, status| status == Some(ServerStatus::Connected)).await;
    let waiting = tokio::spawn(async move { changes.next().await.is_none() });
    tokio::task::yield_now().await;
    drop(fleet);
    let ended = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it ends");
    assert!(ended.unwrap());
    assert!(!handle.snapshot().closed, "who holds a handle keeps its supervisor");
    handle.close().await;
}
