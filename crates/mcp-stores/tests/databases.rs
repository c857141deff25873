//! What a shared store promises, over the real databases: to many processes, when they are killed, and while the database
//! is down.
//!
//! The processes are this test binary itself, started again to run `worker`, which takes its orders on stdin.

#![cfg(all(feature = "postgres", feature = "redis", unix))]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mcp_auth::oauth::store::shared::{SealingKeys, SharedTokenStore};
use mcp_auth::oauth::store::{
    RefreshError, RefreshOutcome, RefreshRequest, StoredTokens, TokenKey, TokenStore as _, contract,
    refresh_once,
};
use mcp_auth::{AuthError, AuthErrorKind, Secret};
use mcp_harness::{Leeway, Random, RealDatabase, RotatingServer, Worker, WorkerOrders, real_or_skip};

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn open(url: &str) -> SharedTokenStore {
    mcp_stores::open(url, SealingKeys::parse(KEY).unwrap()).unwrap()
}

fn key() -> TokenKey {
    TokenKey::new("work", &"https://mcp.example/mcp".parse().unwrap(), "https://as.example")
}

fn tokens(access: &str, refresh: &str) -> StoredTokens {
    let mut tokens = StoredTokens::new(Secret::new(access), "client", SystemTime::now());
    tokens.refresh_token = Some(Secret::new(refresh));
    tokens
}

// ── the machines ─────────────────────────────────────────────────────────────────────────────────────

fn exchange(address: SocketAddr, spent: &StoredTokens) -> Result<StoredTokens, RefreshError> {
    let error = |kind| AuthError::new(kind, "refresh");
    match RotatingServer::exchange(address, spent.refresh_token.as_ref().unwrap().expose()) {
        Ok(Some((access, refresh))) => Ok(tokens(&access, &refresh)),
        Ok(None) => Err(RefreshError::InvalidGrant(error(AuthErrorKind::SignInExpired))),
        Err(_) => Err(RefreshError::Unavailable(error(AuthErrorKind::Unavailable))),
    }
}

fn rotating() -> RotatingServer {
    // Long enough to be killed in.
    RotatingServer::start(Duration::from_millis(20), Leeway::Previous).unwrap()
}

async fn refresh(store: &SharedTokenStore, used: StoredTokens, address: SocketAddr) -> RefreshOutcome {
    let request = RefreshRequest::new(key(), used, SystemTime::now());
    let ask = move |spent: StoredTokens| async move {
        tokio::task::spawn_blocking(move || exchange(address, &spent)).await.unwrap()
    };
    refresh_once(Arc::new(store.clone()), request, ask).await
}

fn machine(url: &str, address: SocketAddr) -> Worker {
    Worker::start(&format!("{url}\t{address}\tagain"), &[]).unwrap()
}

/// What comes of one try with these authorities alone.
fn one_try(url: &str, address: SocketAddr, authority: &str) -> String {
    let environment = [("SSL_CERT_FILE", authority)];
    Worker::start(&format!("{url}\t{address}\tonce"), &environment).unwrap().says().unwrap()
}

#[test]
#[ignore = "started by the other tests, in processes of its own"]
fn worker() {
    let Some(WorkerOrders { first: orders, lines, .. }) = WorkerOrders::read() else { return };
    let (orders, tries) = orders.rsplit_once('\t').unwrap();
    let (url, address) = orders.split_once('\t').unwrap();
    let address = address.parse().unwrap();
    let say = WorkerOrders::say;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime.block_on(async { open(url) });
    // 64 processes that begin at once on two busy processors may find the database slow.
    while let Err(error) = runtime.block_on(store.load(&key())) {
        match tries {
            "once" => return say(&error.to_string()),
            _ => eprintln!("{error}"),
        }
    }
    say("ready");
    // Each line is an expiry: the access token that has ended.
    for line in lines {
        let Ok(ended) = line else { return };
        let outcome = runtime.block_on(async {
            let used = match store.load(&key()).await {
                Ok(used) => used.unwrap(),
                Err(error) => return RefreshOutcome::Unavailable(error),
            };
            if used.access_token.expose() != ended {
                return RefreshOutcome::AlreadyRefreshed(used);
            }
            refresh(&store, used, address).await
        });
        match outcome {
            RefreshOutcome::Refreshed(new) | RefreshOutcome::AlreadyRefreshed(new) => {
                say(new.access_token.expose())
            }
            other => say(&format!("{other:?}")),
        }
    }
}

// ── the promises ─────────────────────────────────────────────────────────────────────────────────────

async fn keeps_the_contract(database: &RealDatabase) {
    contract::check_store(&open(&database.url())).await;
    // And again beside others who come first at the same time.
    let crowd = (0..8).map(|_| open(&database.url()));
    let looks = crowd.map(|store| tokio::spawn(async move { store.list(None).await }));
    for look in looks.collect::<Vec<_>>() {
        assert!(look.await.unwrap().unwrap().is_empty());
    }
}

/// 64 machines, 6 expiries; in each of the last five, four machines are switched off somewhere in the middle.
async fn is_shared_by_64_machines_that_are_switched_off_at_random(database: &RealDatabase) {
    let url = database.url();
    let store = open(&url);
    store.save(&key(), &tokens("access-0", "refresh-0")).await.unwrap();
    let server = rotating();
    let mut machines: Vec<Worker> = (0..64).map(|_| machine(&url, server.address())).collect();
    for machine in &mut machines {
        assert_eq!(machine.says().unwrap(), "ready");
    }

    let mut random = Random::new(0x5eed_0f14_0007);
    let mut ended = "access-0".to_owned();
    for expiry in 0..6 {
        let before = server.requests();
        machines.iter_mut().for_each(|machine| machine.tell(&ended).unwrap());
        let deaths = if expiry == 0 { 0 } else { 4 };
        for _ in 0..deaths {
            std::thread::sleep(random.between(Duration::ZERO, Duration::from_millis(15)));
            drop(machines.swap_remove(random.below(machines.len())));
        }
        let said: Vec<String> = machines.iter_mut().map(|machine| machine.says().unwrap()).collect();
        assert!(said.iter().all(|token| *token == said[0] && token.starts_with("access-")), "{said:?}");
        assert!(!server.is_revoked(), "a refresh token was spent twice: {server:?}");
        let sent = server.requests() - before;
        // A machine that is switched off in the middle of a request leaves it to another one.
        assert!(sent >= 1 && sent <= 1 + deaths, "{sent} requests for one expiry with {deaths} deaths");
        assert_ne!(said[0], ended);
        ended.clone_from(&said[0]);
    }
    assert_eq!(machines.len(), 64 - 20);
    let kept = store.load(&key()).await.unwrap().unwrap();
    assert_eq!(kept.access_token.expose(), ended);
    store.remove(&key()).await.unwrap();
}

/// What is read is not lost, nothing is spent while it is down, and it is found again without a restart of ours.
async fn is_down_for_a_while(database: &mut RealDatabase) {
    let store = open(&database.url());
    store.save(&key(), &tokens("access-0", "refresh-0")).await.unwrap();
    let used = store.load(&key()).await.unwrap().unwrap();
    let server = rotating();

    database.stop();
    let outcome = refresh(&store, used.clone(), server.address()).await;
    let RefreshOutcome::Unavailable(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.kind(), AuthErrorKind::StoreUnavailable);
    let text = format!("{error} {error:?} {store:?}");
    assert!(text.contains("shared token store") && text.contains("127.0.0.1"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    assert_eq!(server.requests(), 0);

    database.resume();
    // What Redis held is gone with it here; a person or a deployment puts it back.
    store.save(&key(), &used).await.unwrap();
    let outcome = refresh(&store, used, server.address()).await;
    assert!(matches!(outcome, RefreshOutcome::Refreshed(_)), "{outcome:?}");
    store.remove(&key()).await.unwrap();
}

async fn refuses_a_wrong_password(database: &RealDatabase) {
    let store = open(&database.url().replace("canary-database-password", "canary-wrong"));
    let error = store.load(&key()).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    assert_eq!(error.kind(), AuthErrorKind::Store);
}

/// TLS with a certificate of an authority that the operator names, and of no other.
fn speaks_tls(database: &RealDatabase) {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    for (authority, expected) in [("authority.pem", "ready"), ("client-authority.pem", "certificate")] {
        let authority = certificates().join(authority).display().to_string();
        let said = one_try(&database.url(), nowhere, &authority);
        assert!(said.contains(expected) && !said.contains("canary"), "{authority}: {said}");
    }
}

fn certificates() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../mcp-transport/tests/it/tls")
}

#[test]
fn both_speak_tls_with_an_authority_of_the_operators_own() {
    let [cert, key] = ["localhost.pem", "localhost.key.pem"].map(|name| certificates().join(name));
    for database in [RealDatabase::redis_with_tls(&cert, &key), RealDatabase::postgres_with_tls(&cert, &key)]
    {
        let Some(database) = real_or_skip(database) else { continue };
        speaks_tls(&database);
        // Without TLS there is no answer, and none with the password in the clear.
        let plain = database.url().replace("rediss:", "redis:").replace("=require", "=disable");
        if plain.starts_with("redis") {
            let authority = certificates().join("authority.pem").display().to_string();
            let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
            let said = one_try(&plain, nowhere, &authority);
            assert!(said != "ready" && !said.contains("canary"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_a_shared_store() {
    let Some(mut database) = real_or_skip(RealDatabase::redis()) else { return };
    keeps_the_contract(&database).await;
    refuses_a_wrong_password(&database).await;
    is_shared_by_64_machines_that_are_switched_off_at_random(&database).await;
    is_down_for_a_while(&mut database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_a_shared_store() {
    let Some(mut database) = real_or_skip(RealDatabase::postgres()) else { return };
    keeps_the_contract(&database).await;
    refuses_a_wrong_password(&database).await;
    is_shared_by_64_machines_that_are_switched_off_at_random(&database).await;
    is_down_for_a_while(&mut database).await;
}

/// A database that takes connections and says nothing costs a limit, not the program.
#[tokio::test(start_paused = true)]
async fn a_database_that_says_nothing_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    for url in [format!("redis://127.0.0.1:{port}/0"), format!("postgres://u:canary@127.0.0.1:{port}/db")] {
        let began = Instant::now();
        let error = open(&url).load(&key()).await.unwrap_err();
        assert!(error.to_string().contains("no answer within 5s"), "{error}");
        assert!(!error.to_string().contains("canary"));
        // The clock of the runtime moved, not that of the machine.
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn a_url_that_cannot_be_used_is_said_without_its_password() {
    for (url, expected) in [
        ("mysql://u:canary@h/db", "`mysql:` is not a store"),
        ("nonsense", "relative URL without a base"),
        ("postgres://u:canary@h:not-a-port/db", "cannot be used"),
        ("postgres://u:canary@h/db?sslmode=maybe", "cannot be used"),
        ("redis://:canary@h/not-a-number", "cannot be used"),
    ] {
        let error = mcp_stores::open(url, SealingKeys::parse(KEY).unwrap()).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(expected) && !text.contains("canary"), "{url}: {text}");
    }
}
