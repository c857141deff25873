use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use tokio::time::Instant;

use super::super::{RefreshError, RefreshOutcome, RefreshRequest, contract, refresh_once};
use super::*;
use crate::Secret;

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A database in memory, by the clock of the runtime.
#[derive(Clone, Debug, Default)]
struct Database(Arc<Contents>);

#[derive(Debug, Default)]
struct Contents {
    records: Mutex<BTreeMap<(RecordKind, String), Vec<u8>>>,
    leases: Mutex<BTreeMap<String, (String, Instant)>>,
    is_down: AtomicBool,
}

impl Database {
    fn answer<T>(&self, work: impl FnOnce(&Contents) -> T) -> Result<T, AuthError> {
        if self.0.is_down.load(Ordering::SeqCst) {
            return Err(AuthError::new(AuthErrorKind::Store, "reach the database: it is down"));
        }
        Ok(work(&self.0))
    }
}

impl SharedRecords for Database {
    fn get<'a>(&'a self, kind: RecordKind, name: &'a str) -> AuthFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            self.answer(|all| all.records.lock().unwrap().get(&(kind, name.to_owned())).cloned())
        })
    }

    fn put<'a>(&'a self, kind: RecordKind, name: &'a str, record: Vec<u8>) -> AuthFuture<'a, ()> {
        Box::pin(async move {
            self.answer(|all| drop(all.records.lock().unwrap().insert((kind, name.to_owned()), record)))
        })
    }

    fn delete<'a>(&'a self, kind: RecordKind, name: &'a str) -> AuthFuture<'a, bool> {
        Box::pin(async move {
            self.answer(|all| all.records.lock().unwrap().remove(&(kind, name.to_owned())).is_some())
        })
    }

    fn scan<'a>(&'a self, kind: RecordKind, prefix: &'a str) -> AuthFuture<'a, Vec<(String, Vec<u8>)>> {
        Box::pin(async move {
            self.answer(|all| {
                let records = all.records.lock().unwrap();
                let matching =
                    records.iter().filter(|((of, name), _)| *of == kind && name.starts_with(prefix));
                matching.map(|((_, name), record)| (name.clone(), record.clone())).collect()
            })
        })
    }

    fn lease<'a>(&'a self, name: &'a str, holder: &'a str, length: Duration) -> AuthFuture<'a, bool> {
        Box::pin(async move {
            self.answer(|all| {
                let mut leases = all.leases.lock().unwrap();
                let is_free =
                    leases.get(name).is_none_or(|(by, until)| by == holder || *until <= Instant::now());
                if is_free {
                    leases.insert(name.to_owned(), (holder.to_owned(), Instant::now() + length));
                }
                is_free
            })
        })
    }

    fn identify(&self, mut state: &mut dyn Hasher) {
        Arc::as_ptr(&self.0).hash(&mut state);
    }

    fn release<'a>(&'a self, name: &'a str, holder: &'a str) -> AuthFuture<'a, ()> {
        Box::pin(async move {
            self.answer(|all| {
                let mut leases = all.leases.lock().unwrap();
                if leases.get(name).is_some_and(|(by, _)| by == holder) {
                    leases.remove(name);
                }
            })
        })
    }
}

fn store(database: &Database) -> SharedTokenStore {
    SharedTokenStore::new(database.clone(), SealingKeys::parse(KEY).unwrap())
}

fn key() -> TokenKey {
    TokenKey::new("work", &"https://mcp.example/mcp".parse().unwrap(), "https://as.example")
}

fn tokens(number: u64) -> StoredTokens {
    let mut tokens =
        StoredTokens::new(format!("access-{number}"), "client", UNIX_EPOCH + Duration::from_secs(number));
    tokens.refresh_token = Some(Secret::new(format!("refresh-{number}")));
    tokens
}

#[tokio::test]
async fn keeps_the_contract() {
    contract::check_store(&store(&Database::default())).await;
}

#[tokio::test]
async fn what_is_in_the_database_is_sealed() {
    let database = Database::default();
    let store = store(&database);
    let mut signed_in = tokens(1);
    signed_in.access_token = Secret::new("canary-access");
    store.save(&key(), &signed_in).await.unwrap();
    let mut client = StoredClient::new("client", "work");
    client.client_secret = Some(Secret::new("canary-secret"));
    store.save_client(&ClientKey::configured("work"), &client).await.unwrap();
    let shown = format!(
        "{:?} {store:?}",
        database
            .0
            .records
            .lock()
            .unwrap()
            .values()
            .map(|v| String::from_utf8_lossy(v).into_owned())
            .collect::<Vec<_>>()
    );
    assert!(!shown.contains("canary") && !shown.contains("mcp.example"), "{shown}");
}

#[tokio::test]
async fn a_record_under_another_key_is_an_error_and_not_an_absence() {
    let database = Database::default();
    store(&database).save(&key(), &tokens(1)).await.unwrap();
    let other = SharedTokenStore::new(
        database.clone(),
        SealingKeys::parse("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap(),
    );
    let target = crate::Target::new("work", "https://mcp.example/mcp".parse().unwrap());
    for error in [
        other.load(&key()).await.unwrap_err(),
        other.list(None).await.unwrap_err(),
        other.find(&target).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), AuthErrorKind::Store);
        assert!(error.to_string().contains("a key that is not among those given"), "{error}");
    }
}

#[tokio::test]
async fn what_is_damaged_can_be_forgotten_and_what_another_key_sealed_cannot() {
    let database = Database::default();
    let store = store(&database);
    store.save(&key(), &tokens(1)).await.unwrap();
    let (sound, damaged) = (token_name(&key()), format!("{}damaged", server_prefix(key().server_name())));
    let elsewhere = format!("{}damaged", server_prefix("another"));
    for name in [&damaged, &elsewhere] {
        database.put(RecordKind::Tokens, name, vec![0]).await.unwrap();
    }
    database.put(RecordKind::Client, "registered-x", b"\x01cut off".to_vec()).await.unwrap();
    assert_eq!(store.remove_broken(key().server_name()).await.unwrap(), 2);
    let left = |kind| {
        let records = database.0.records.lock().unwrap();
        records.keys().filter(|(of, _)| *of == kind).map(|(_, name)| name.clone()).collect::<Vec<_>>()
    };
    let mut expected = [sound, elsewhere];
    expected.sort();
    assert_eq!((left(RecordKind::Tokens), left(RecordKind::Client)), (expected.to_vec(), vec![]));
    let other = SealingKeys::parse("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap();
    let stranger = SharedTokenStore::new(database.clone(), other);
    assert_eq!(stranger.remove_broken(key().server_name()).await.unwrap(), 0, "its own key opens it");
    assert_eq!(store.load(&key()).await.unwrap(), Some(tokens(1)));
}

#[tokio::test(start_paused = true)]
async fn a_dead_holder_keeps_others_waiting_for_one_lease_at_most() {
    let database = Database::default();
    let times = LeaseTimes::default();
    // Another machine took the lease and was switched off.
    let name = place(RecordKind::Tokens, &token_name(&key()));
    assert!(database.lease(&name, "dead", times.length).await.unwrap());
    let started = Instant::now();
    let guard = store(&database).lock(&key()).await.unwrap();
    assert!(guard.is_held());
    let waited = started.elapsed();
    assert!(waited >= times.length && waited <= times.length + 2 * times.pause, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_living_holder_is_not_overtaken_however_long_it_takes() {
    let database = Database::default();
    let guard = store(&database).lock(&key()).await.unwrap();
    tokio::time::sleep(LeaseTimes::default().length * 3).await;
    assert!(guard.is_held());
    let error = store(&database).lock(&key()).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::StoreUnavailable);
    drop(guard);
    tokio::task::yield_now().await;
    drop(store(&database).lock(&key()).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_could_not_be_kept_up_is_not_held_and_spends_nothing() {
    let database = Database::default();
    let guard = store(&database).lock(&key()).await.unwrap();
    database.0.is_down.store(true, Ordering::SeqCst);
    tokio::time::sleep(LeaseTimes::default().length).await;
    assert!(!guard.is_held());
    // Someone else has it meanwhile: known at the next renewal.
    database.0.is_down.store(false, Ordering::SeqCst);
    let name = place(RecordKind::Tokens, &token_name(&key()));
    assert!(database.lease(&name, "other", Duration::from_secs(3600)).await.unwrap());
    tokio::time::sleep(LeaseTimes::default().length).await;
    assert!(!guard.is_held());
    drop(guard);
    tokio::task::yield_now().await;
    assert!(
        !database.lease(&name, "third", Duration::from_secs(1)).await.unwrap(),
        "the lease of another was given back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_hundred_machines_renew_once() {
    let database = Database::default();
    store(&database).save(&key(), &tokens(1)).await.unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let mut machines = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (store, sent) = (store(&database), sent.clone());
        machines.spawn(async move {
            let request = RefreshRequest::new(key(), tokens(1), UNIX_EPOCH + Duration::from_secs(100));
            refresh_once(Arc::new(store), request, move |_| {
                let sent = sent.clone();
                async move {
                    sent.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    Ok::<_, RefreshError>(tokens(2))
                }
            })
            .await
        });
    }
    let outcomes = machines.join_all().await;
    assert_eq!(sent.load(Ordering::SeqCst), 1);
    let done = |outcome: &RefreshOutcome| match outcome {
        RefreshOutcome::Refreshed(new) | RefreshOutcome::AlreadyRefreshed(new) => new.generation == 1,
        _ => false,
    };
    assert!(outcomes.iter().all(done), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_spent_while_the_database_is_down() {
    let database = Database::default();
    store(&database).save(&key(), &tokens(1)).await.unwrap();
    database.0.is_down.store(true, Ordering::SeqCst);
    let request = RefreshRequest::new(key(), tokens(1), UNIX_EPOCH + Duration::from_secs(100));
    let outcome =
        refresh_once(Arc::new(store(&database)), request, |_| async { panic!("a refresh token was spent") });
    let outcome: RefreshOutcome = outcome.await;
    assert!(
        matches!(&outcome, RefreshOutcome::Unavailable(error) if error.kind() == AuthErrorKind::Store),
        "{outcome:?}"
    );
}
