//! The rules of a refresh, one by one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::UNIX_EPOCH;

use url::Url;

use super::super::{ClientKey, MemoryTokenStore, StoreGuard, StoredClient};
use super::*;
use crate::{AuthFuture, Secret};

fn key() -> TokenKey {
    TokenKey::new("work", &Url::parse("https://mcp.example/mcp").unwrap(), "https://as.example")
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

/// Tokens number `number`, obtained at that second and good for ten.
fn tokens(number: u64) -> StoredTokens {
    let mut tokens = StoredTokens::new(Secret::new(format!("access-{number}")), "client", at(number));
    tokens.refresh_token = Some(Secret::new(format!("refresh-{number}")));
    tokens.expires_at = Some(at(number + 10));
    tokens.generation = number;
    tokens
}

fn error() -> AuthError {
    AuthError::new(AuthErrorKind::Protocol, "refresh")
}

async fn store_with(tokens: &StoredTokens) -> Arc<FlakyStore> {
    let store = FlakyStore::default();
    store.kept.save(&key(), tokens).await.unwrap();
    Arc::new(store)
}

/// Refreshes `used` at second `now`; the server's answers come from `answer`. Tells how often it was asked, too.
async fn run(
    store: &Arc<FlakyStore>,
    used: StoredTokens,
    now: u64,
    mut answer: impl FnMut(StoredTokens) -> Result<StoredTokens, RefreshError> + Send + 'static,
) -> (RefreshOutcome, u32) {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let request = RefreshRequest::new(key(), used, at(now));
    let exchange = move |spent| {
        counter.fetch_add(1, Ordering::Relaxed);
        std::future::ready(answer(spent))
    };
    let outcome = refresh_once(Arc::clone(store) as Arc<dyn TokenStore>, request, exchange).await;
    (outcome, asked.load(Ordering::Relaxed))
}

async fn kept(store: &FlakyStore) -> Option<StoredTokens> {
    store.kept.load(&key()).await.unwrap()
}

#[tokio::test]
async fn f091_new_tokens_are_kept_before_they_are_used() {
    let store = store_with(&tokens(0)).await;
    let (outcome, asked) = run(&store, tokens(0), 5, |spent| {
        assert_eq!(spent.refresh_token.unwrap().expose(), "refresh-0");
        Ok(tokens(1))
    })
    .await;
    let RefreshOutcome::Refreshed(new) = outcome else { panic!("{outcome:?}") };
    assert_eq!((asked, kept(&store).await), (1, Some(new.clone())));
    assert_eq!(new, tokens(1));
}

#[tokio::test]
async fn what_the_answer_leaves_out_stays() {
    let mut old = tokens(3);
    old.scopes = vec!["a".into()];
    old.dpop_key = Some(Secret::new("key"));
    old.token_endpoint = Some("https://as.example/token".into());
    let store = store_with(&old).await;
    let (outcome, _) =
        run(&store, old.clone(), 5, |_| Ok(StoredTokens::new(Secret::new("new"), "client", at(5)))).await;
    let RefreshOutcome::Refreshed(new) = outcome else { panic!("{outcome:?}") };
    assert_eq!(new.refresh_token, old.refresh_token);
    assert_eq!(
        (new.scopes, new.dpop_key, new.token_endpoint),
        (old.scopes, old.dpop_key, old.token_endpoint)
    );
    // A new lifetime is not carried over: the answer without one means "until refused".
    assert_eq!((new.generation, new.expires_at), (4, None));
}

#[tokio::test]
async fn f086_what_someone_else_refreshed_is_used_and_nothing_is_sent() {
    let store = store_with(&tokens(1)).await;
    let (outcome, asked) = run(&store, tokens(0), 5, |_| unreachable!()).await;
    assert!(matches!(outcome, RefreshOutcome::AlreadyRefreshed(new) if new == tokens(1)));
    assert_eq!(asked, 0);
}

#[tokio::test]
async fn who_comes_late_takes_no_turn_and_who_finds_another_servers_token_does() {
    let store = store_with(&tokens(1)).await;
    let (outcome, asked) = run(&store, tokens(0), 5, |_| unreachable!()).await;
    assert!(matches!(outcome, RefreshOutcome::AlreadyRefreshed(_)), "{outcome:?}");
    assert_eq!((asked, store.locks.load(Ordering::Relaxed)), (0, 0));
    let mut rotated = tokens(0);
    rotated.refresh_token = Some(Secret::new("rotated-for-another-server"));
    let store = store_with(&rotated).await;
    let (outcome, asked) = run(&store, tokens(0), 5, |_| Ok(tokens(1))).await;
    assert!(matches!(outcome, RefreshOutcome::Refreshed(_)), "{outcome:?}");
    assert_eq!((asked, store.locks.load(Ordering::Relaxed)), (1, 1));
}

#[test]
fn processes_renew_one_after_the_other_and_each_ahead_of_the_end() {
    let mut tokens = tokens(0);
    tokens.expires_at = Some(at(300));
    let due = |share| tokens.renew_at(share).unwrap();
    assert_eq!((due(0.0), due(0.5), due(1.0)), (at(270), at(262) + Duration::from_millis(500), at(255)));
    assert_eq!(due(9.0), at(255), "a share is from 0 to 1");
    tokens.expires_at = None;
    assert_eq!(tokens.renew_at(0.5), None);
}

#[tokio::test]
async fn a_new_sign_in_is_used_although_it_counts_from_zero() {
    let mut signed_in_again = tokens(5);
    signed_in_again.generation = 0;
    let store = store_with(&signed_in_again).await;
    let (outcome, _) = run(&store, tokens(3), 6, |_| unreachable!()).await;
    assert!(matches!(outcome, RefreshOutcome::AlreadyRefreshed(new) if new == signed_in_again));
}

#[tokio::test]
async fn what_someone_else_refreshed_long_ago_is_refreshed_again() {
    let store = store_with(&tokens(1)).await;
    let (outcome, _) = run(&store, tokens(0), 60, |spent| {
        assert_eq!(spent.refresh_token.unwrap().expose(), "refresh-1");
        Ok(tokens(61))
    })
    .await;
    assert!(matches!(outcome, RefreshOutcome::Refreshed(new) if new.generation == 2));
}

#[tokio::test]
async fn f095_a_token_that_was_refused_before_its_expiry_is_refreshed() {
    let store = store_with(&tokens(0)).await;
    let (outcome, asked) = run(&store, tokens(0), 0, |_| Ok(tokens(1))).await;
    assert!(matches!(outcome, RefreshOutcome::Refreshed(_)));
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn f086_f096_many_tasks_refresh_once() {
    let store = store_with(&tokens(0)).await;
    let asked = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (store, asked) = (Arc::clone(&store) as Arc<dyn TokenStore>, Arc::clone(&asked));
            let request = RefreshRequest::new(key(), tokens(0), at(5));
            tokio::spawn(refresh_once(store, request, move |_| {
                asked.fetch_add(1, Ordering::Relaxed);
                async {
                    tokio::task::yield_now().await;
                    Ok(tokens(1))
                }
            }))
        })
        .collect();
    for task in tasks {
        let outcome = task.await.unwrap();
        assert!(
            matches!(&outcome, RefreshOutcome::Refreshed(new) | RefreshOutcome::AlreadyRefreshed(new) if *new == tokens(1)),
            "{outcome:?}"
        );
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn f087_the_loser_of_a_race_uses_the_winners_tokens() {
    let store = store_with(&tokens(0)).await;
    let winner = Arc::clone(&store);
    // On a file system without locks another process is not kept out, so the race is real.
    let (outcome, asked) = run(&store, tokens(0), 5, move |_| {
        *winner.appears.lock().unwrap() = Some(tokens(1));
        Err(RefreshError::InvalidGrant(error()))
    })
    .await;
    assert!(matches!(outcome, RefreshOutcome::AlreadyRefreshed(new) if new == tokens(1)));
    assert_eq!((asked, kept(&store).await), (1, Some(tokens(1))));
}

#[tokio::test]
async fn f089_fb_a19_an_explicit_rejection_removes_the_tokens() {
    let store = store_with(&tokens(0)).await;
    let (outcome, asked) = run(&store, tokens(0), 5, |_| Err(RefreshError::InvalidGrant(error()))).await;
    assert!(matches!(outcome, RefreshOutcome::Rejected(_)));
    assert_eq!((asked, kept(&store).await), (1, None));
    // Those who waited are told the same, and send nothing.
    let (outcome, asked) = run(&store, tokens(0), 5, |_| unreachable!()).await;
    assert!(
        matches!(outcome, RefreshOutcome::Rejected(error) if error.kind() == AuthErrorKind::SignInExpired)
    );
    assert_eq!(asked, 0);
}

#[tokio::test]
async fn f088_f089_a_transient_error_keeps_the_tokens() {
    let store = store_with(&tokens(0)).await;
    let (outcome, asked) = run(&store, tokens(0), 5, |_| Err(RefreshError::Unavailable(error()))).await;
    assert!(matches!(outcome, RefreshOutcome::Unavailable(_)));
    assert_eq!((asked, kept(&store).await), (1, Some(tokens(0))));
}

#[tokio::test]
async fn f094_a_doubtful_refusal_is_believed_when_it_repeats() {
    let store = store_with(&tokens(0)).await;
    let (outcome, asked) = run(&store, tokens(0), 5, |_| Err(RefreshError::Refused(error()))).await;
    assert!(matches!(outcome, RefreshOutcome::Rejected(_)));
    assert_eq!((asked, kept(&store).await), (2, Some(tokens(0))), "no server said that they are dead");

    let mut first = true;
    let (outcome, asked) = run(&store, tokens(0), 5, move |_| {
        if std::mem::take(&mut first) { Err(RefreshError::Refused(error())) } else { Ok(tokens(1)) }
    })
    .await;
    assert!(matches!(outcome, RefreshOutcome::Refreshed(_)));
    assert_eq!(asked, 2);
}

#[tokio::test(start_paused = true)]
async fn f091_tokens_that_cannot_be_kept_are_tried_again_and_then_handed_over() {
    let store = store_with(&tokens(0)).await;
    store.failing_saves.store(SAVE_ATTEMPTS - 1, Ordering::Relaxed);
    let (outcome, _) = run(&store, tokens(0), 5, |_| Ok(tokens(1))).await;
    assert!(matches!(outcome, RefreshOutcome::Refreshed(_)));

    store.failing_saves.store(SAVE_ATTEMPTS, Ordering::Relaxed);
    let (outcome, _) = run(&store, tokens(1), 5, |_| Ok(tokens(2))).await;
    let RefreshOutcome::Unsaved(new, _) = outcome else { panic!("{outcome:?}") };
    assert_eq!(kept(&store).await, Some(tokens(1)));
    // The kept refresh token is spent; the next refresh does not present it again.
    let (outcome, _) = run(&store, new, 7, |spent| {
        assert_eq!(spent.refresh_token.unwrap().expose(), "refresh-2");
        Ok(tokens(3))
    })
    .await;
    assert!(matches!(outcome, RefreshOutcome::Refreshed(new) if new == tokens(3)));
}

#[tokio::test(start_paused = true)]
async fn fb_x09_a_caller_that_gives_up_does_not_lose_the_rotated_token() {
    let store = store_with(&tokens(0)).await;
    let request = RefreshRequest::new(key(), tokens(0), at(5));
    let refresh = refresh_once(Arc::clone(&store) as Arc<dyn TokenStore>, request, |_| async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(tokens(1))
    });
    assert!(tokio::time::timeout(Duration::from_secs(1), refresh).await.is_err());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(kept(&store).await, Some(tokens(1)));
}

#[tokio::test]
async fn without_a_refresh_token_nothing_is_sent() {
    let mut bare = tokens(0);
    bare.refresh_token = None;
    let store = store_with(&bare).await;
    let (outcome, asked) = run(&store, bare.clone(), 5, |_| unreachable!()).await;
    assert!(matches!(outcome, RefreshOutcome::Rejected(_)));
    assert_eq!((asked, kept(&store).await), (0, Some(bare)));
}

#[tokio::test]
async fn a_store_that_cannot_be_read_or_locked_is_no_rejection() {
    let store = store_with(&tokens(0)).await;
    store.failing_loads.store(1, Ordering::Relaxed);
    let (outcome, asked) = run(&store, tokens(0), 5, |_| unreachable!()).await;
    assert!(matches!(outcome, RefreshOutcome::Unavailable(error) if error.kind() == AuthErrorKind::Store));
    assert_eq!((asked, kept(&store).await), (0, Some(tokens(0))));

    store.failing_locks.store(2, Ordering::Relaxed);
    let (outcome, _) = run(&store, tokens(0), 5, |_| unreachable!()).await;
    assert!(matches!(outcome, RefreshOutcome::Unavailable(_)));
    // The one that holds the lock may be done all the same.
    store.kept.save(&key(), &tokens(1)).await.unwrap();
    let (outcome, _) = run(&store, tokens(0), 5, |_| unreachable!()).await;
    assert!(matches!(outcome, RefreshOutcome::AlreadyRefreshed(_)));
}

/// A store that fails on request.
#[derive(Debug, Default)]
struct FlakyStore {
    kept: MemoryTokenStore,
    failing_loads: AtomicU32,
    failing_saves: AtomicU32,
    failing_locks: AtomicU32,
    locks: AtomicU32,
    /// Saved by "another process" before the next load.
    appears: Mutex<Option<StoredTokens>>,
}

fn fails(counter: &AtomicU32) -> Result<(), AuthError> {
    let left = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    if left.is_ok() { Err(AuthError::new(AuthErrorKind::Store, "use the store")) } else { Ok(()) }
}

impl TokenStore for FlakyStore {
    fn load<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Option<StoredTokens>> {
        Box::pin(async move {
            fails(&self.failing_loads)?;
            let appeared = self.appears.lock().unwrap().take();
            if let Some(tokens) = appeared {
                self.kept.save(key, &tokens).await?;
            }
            self.kept.load(key).await
        })
    }
    fn save<'a>(&'a self, key: &'a TokenKey, tokens: &'a StoredTokens) -> AuthFuture<'a, ()> {
        Box::pin(async move {
            fails(&self.failing_saves)?;
            self.kept.save(key, tokens).await
        })
    }
    fn remove<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, bool> {
        self.kept.remove(key)
    }
    fn list<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<TokenKey>> {
        self.kept.list(server_name)
    }
    fn load_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Option<StoredClient>> {
        self.kept.load_client(key)
    }
    fn save_client<'a>(&'a self, key: &'a ClientKey, client: &'a StoredClient) -> AuthFuture<'a, ()> {
        self.kept.save_client(key, client)
    }
    fn remove_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, bool> {
        self.kept.remove_client(key)
    }
    fn list_clients<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<ClientKey>> {
        self.kept.list_clients(server_name)
    }
    fn lock<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
        Box::pin(async move {
            fails(&self.failing_locks)?;
            self.locks.fetch_add(1, Ordering::Relaxed);
            self.kept.lock(key).await
        })
    }
    fn lock_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
        self.kept.lock_client(key)
    }
}
