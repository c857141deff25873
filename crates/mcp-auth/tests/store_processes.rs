//! What a store promises when many processes use it, and when they are killed.
//!
//! The processes are this test binary itself, started again to run `worker`, which takes its orders on stdin.

#![cfg(feature = "oauth")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mcp_auth::oauth::store::{
    FileTokenStore, RefreshError, RefreshOutcome, RefreshRequest, StoredTokens, TokenKey, TokenStore,
    refresh_once,
};
use mcp_auth::{AuthError, AuthErrorKind, Secret};
use mcp_harness::{Leeway, Random, RotatingServer, Worker, WorkerOrders};
use url::Url;

fn key() -> TokenKey {
    TokenKey::new("work", &Url::parse("https://mcp.example/mcp").unwrap(), "https://as.example")
}

fn tokens(access: &str, refresh: &str) -> StoredTokens {
    let mut tokens = StoredTokens::new(Secret::new(access), "client", SystemTime::now());
    tokens.refresh_token = Some(Secret::new(refresh));
    tokens
}

// ── worker processes ─────────────────────────────────────────────────────────────────────────────────

fn exchange(address: SocketAddr, spent: &StoredTokens) -> Result<StoredTokens, RefreshError> {
    let error = |kind| AuthError::new(kind, "refresh");
    match RotatingServer::exchange(address, spent.refresh_token.as_ref().unwrap().expose()) {
        Ok(Some((access, refresh))) => Ok(tokens(&access, &refresh)),
        Ok(None) => Err(RefreshError::InvalidGrant(error(AuthErrorKind::SignInExpired))),
        Err(_) => Err(RefreshError::Unavailable(error(AuthErrorKind::Unavailable))),
    }
}

async fn refresh(dir: &Path, used: StoredTokens, address: SocketAddr) -> RefreshOutcome {
    let request = RefreshRequest::new(key(), used, SystemTime::now());
    let ask = move |spent: StoredTokens| async move {
        tokio::task::spawn_blocking(move || exchange(address, &spent)).await.unwrap()
    };
    refresh_once(Arc::new(FileTokenStore::new(dir)), request, ask).await
}

/// A process with these orders that is about to begin.
fn begin(orders: &[&str]) -> Worker {
    let mut worker = Worker::start(&orders.join("\t"), &[]).unwrap();
    assert_eq!(worker.says().unwrap(), "ready");
    worker
}

#[test]
#[ignore = "started by the other tests, in processes of its own"]
fn worker() {
    let Some(WorkerOrders { first: orders, mut lines, .. }) = WorkerOrders::read() else { return };
    let orders: Vec<&str> = orders.split('\t').collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let say = WorkerOrders::say;
    let mut said = false;
    let mut once = |say: &dyn Fn(&str)| {
        if !std::mem::replace(&mut said, true) {
            say("done once");
        }
    };
    match orders[..] {
        ["refresh", dir, address] => runtime.block_on(async {
            let dir = Path::new(dir);
            let used = FileTokenStore::new(dir).load(&key()).await.unwrap().unwrap();
            say("ready");
            lines.next();
            match refresh(dir, used, address.parse().unwrap()).await {
                RefreshOutcome::Refreshed(new) => say(&format!("refreshed {}", new.access_token.expose())),
                RefreshOutcome::AlreadyRefreshed(new) => say(&format!("found {}", new.access_token.expose())),
                other => say(&format!("{other:?}")),
            }
        }),
        ["refresh-forever", dir, address] => runtime.block_on(async {
            let dir = Path::new(dir);
            let store = FileTokenStore::new(dir);
            say("ready");
            loop {
                let used = store.load(&key()).await.unwrap().unwrap();
                let _ = refresh(dir, used, address.parse().unwrap()).await;
                once(&say);
            }
        }),
        ["save-forever", dir, first] => runtime.block_on(async {
            let store = FileTokenStore::new(dir);
            say("ready");
            for number in first.parse::<u64>().unwrap().. {
                store.save(&key(), &numbered(number)).await.unwrap();
                once(&say);
            }
        }),
        _ => panic!("unknown orders"),
    }
}

/// Tokens that are large enough to be written in more than one piece, and tell whether they are whole.
fn numbered(number: u64) -> StoredTokens {
    let mut tokens = tokens(&format!("access-{number}"), &format!("refresh-{number}"));
    tokens.scopes = vec![format!("scope-{number}"); 4000];
    tokens.generation = number;
    tokens
}

/// Lets a worker live for a random moment, then kills it. Every other one has finished its work once by
/// then, however slow the machine is.
fn kill_somewhere(mut worker: Worker, round: u64, random: &mut Random) {
    if round.is_multiple_of(2) {
        assert_eq!(worker.says().unwrap(), "done once");
    }
    std::thread::sleep(random.between(Duration::ZERO, Duration::from_millis(12)));
    drop(worker);
}

fn files_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

// ── the promises ─────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn f086_fb_a17_32_processes_spend_a_rotating_token_once() {
    let home = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(home.path());
    store.save(&key(), &tokens("access-0", "refresh-0")).await.unwrap();
    // Long enough for the others to arrive; without leeway, a second request would end the sign-in.
    let server = RotatingServer::start(Duration::from_millis(300), Leeway::None).unwrap();

    let orders = ["refresh", home.path().to_str().unwrap(), &server.address().to_string()];
    let mut workers: Vec<Worker> = (0..32).map(|_| begin(&orders)).collect();
    workers.iter_mut().for_each(|worker| worker.tell("go").unwrap());
    let mut said: Vec<String> = workers.iter_mut().map(|worker| worker.says().unwrap()).collect();
    drop(workers);

    said.sort();
    assert_eq!(said[31], "refreshed access-1", "{said:?}");
    assert!(said[..31].iter().all(|line| line == "found access-1"), "{said:?}");
    assert_eq!((server.requests(), server.is_revoked()), (1, false));
    let kept = store.load(&key()).await.unwrap().unwrap();
    assert_eq!(kept.refresh_token, Some(Secret::new("refresh-1")));
    assert_eq!(kept.generation, 1);
    assert_eq!(files_in(&home.path().join("tokens")).len(), 1);
}

#[tokio::test]
async fn fb_x01_killed_200_times_in_a_refresh_the_sign_in_still_works() {
    let home = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(home.path());
    store.save(&key(), &tokens("access-0", "refresh-0")).await.unwrap();
    let server = RotatingServer::start(Duration::ZERO, Leeway::Previous).unwrap();
    let orders = ["refresh-forever", home.path().to_str().unwrap(), &server.address().to_string()];

    let mut random = Random::new(0x5eed_0f0a_0075);
    for round in 0..200 {
        kill_somewhere(begin(&orders), round, &mut random);

        let kept = store.load(&key()).await.expect("readable").expect("not lost");
        assert_eq!(
            kept.access_token.expose().replace("access", "refresh"),
            kept.refresh_token.unwrap().expose()
        );
        assert!(kept.generation > round / 2, "only {} refreshes in {round} rounds", kept.generation);
    }

    let used = store.load(&key()).await.unwrap().unwrap();
    let generation = used.generation;
    let outcome = refresh(home.path(), used, server.address()).await;
    let RefreshOutcome::Refreshed(new) = outcome else { panic!("{outcome:?}") };
    assert_eq!(new.generation, generation + 1);
    assert!(!server.is_revoked());
    // What the killed left behind is gone: one file for the tokens, and no copy of a secret beside it.
    assert_eq!(files_in(&home.path().join("tokens")).len(), 1);
}

#[tokio::test]
async fn f098_killed_200_times_in_a_write_the_file_is_old_or_new() {
    let home = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(home.path());
    store.save(&key(), &numbered(0)).await.unwrap();

    let mut random = Random::new(0x5eed_0f0a_0098);
    let mut last = 0;
    for round in 0..200 {
        let first = (last + 1).to_string();
        let worker = begin(&["save-forever", home.path().to_str().unwrap(), &first]);
        kill_somewhere(worker, round, &mut random);

        let kept = store.load(&key()).await.expect("readable").expect("not lost");
        assert!(kept.generation >= last, "an older sign-in has come back");
        let mut whole = numbered(kept.generation);
        whole.obtained_at = kept.obtained_at;
        assert_eq!(kept, whole);
        assert!(kept.generation > last || !round.is_multiple_of(2), "nothing was written");
        last = kept.generation;
    }
    store.save(&key(), &numbered(last)).await.unwrap();
    assert_eq!(files_in(&home.path().join("tokens")).len(), 1);
}
