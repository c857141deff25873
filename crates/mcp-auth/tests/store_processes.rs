//! What a store promises when many processes use it, and when they are killed.
//!
//! The processes are this test binary itself, started again to run `worker`, which takes its orders on stdin.

#![cfg(feature = "oauth")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use mcp_auth::oauth::store::{
    FileTokenStore, RefreshError, RefreshOutcome, RefreshRequest, StoredTokens, TokenKey, TokenStore,
    refresh_once,
};
use mcp_auth::{AuthError, AuthErrorKind, Secret};
use url::Url;

fn key() -> TokenKey {
    TokenKey::new("work", &Url::parse("https://mcp.example/mcp").unwrap(), "https://as.example")
}

fn tokens(access: &str, refresh: &str) -> StoredTokens {
    let mut tokens = StoredTokens::new(Secret::new(access), "client", SystemTime::now());
    tokens.refresh_token = Some(Secret::new(refresh));
    tokens
}

// ── an authorization server ──────────────────────────────────────────────────────────────────────────

/// Rotates one refresh token, and takes its reuse for theft. One line in, one line out.
///
/// A client that is killed between the answer and its own disk cannot know the new token, so, like servers in
/// the field, this one honours the previous token for as long as its successor has not been used.
struct Rotating {
    address: SocketAddr,
    state: Arc<Mutex<Family>>,
}

#[derive(Debug, Default)]
struct Family {
    current: u64,
    /// The successor has been seen, so its predecessor is dead.
    current_used: bool,
    requests: u64,
    revoked: bool,
    leeway: bool,
}

impl Family {
    fn answer(&mut self, presented: &str) -> String {
        self.requests += 1;
        let number = presented.strip_prefix("refresh-").and_then(|number| number.parse::<u64>().ok());
        let honoured = match number {
            Some(number) if number == self.current => true,
            Some(number) => self.leeway && number + 1 == self.current && !self.current_used,
            None => false,
        };
        if self.revoked || !honoured {
            self.revoked = true;
            return "invalid_grant".to_owned();
        }
        if number == Some(self.current) {
            self.current += 1;
        }
        self.current_used = false;
        format!("access-{0} refresh-{0}", self.current)
    }
}

impl Rotating {
    fn start(delay: Duration, leeway: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(Family { leeway, ..Family::default() }));
        let family = Arc::clone(&state);
        // Ends with the test process; it is not waited for.
        std::thread::spawn(move || {
            // One after the other, as they came: what a killed client had sent is dealt with before whatever its
            // successor sends, however late a busy machine gets to either.
            for stream in listener.incoming().flatten() {
                let mut line = String::new();
                if BufReader::new(&stream).read_line(&mut line).is_ok() && line.ends_with('\n') {
                    let answer = family.lock().unwrap().answer(line.trim());
                    std::thread::sleep(delay);
                    // The client may have been killed.
                    let _ = writeln!(&stream, "{answer}");
                }
            }
        });
        Self { address, state }
    }
}

fn exchange(address: SocketAddr, spent: &StoredTokens) -> Result<StoredTokens, RefreshError> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        writeln!(stream, "{}", spent.refresh_token.as_ref().unwrap().expose())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let error = |kind| AuthError::new(kind, "refresh");
    match ask() {
        Ok(answer) => match answer.trim().split_once(' ') {
            Some((access, refresh)) => Ok(tokens(access, refresh)),
            None if answer.trim() == "invalid_grant" => {
                Err(RefreshError::InvalidGrant(error(AuthErrorKind::SignInExpired)))
            }
            None => Err(RefreshError::Unavailable(error(AuthErrorKind::Unavailable))),
        },
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

// ── worker processes ─────────────────────────────────────────────────────────────────────────────────

struct Worker(Child);

impl Worker {
    /// Starts a process with these orders and waits until it is about to begin.
    fn start(orders: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "worker", "--nocapture", "--test-threads=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{}", orders.join("\t")).unwrap();
        let mut worker = Self(child);
        assert_eq!(worker.says(), "ready");
        worker
    }

    /// The next line that the worker itself wrote; the test harness writes some too.
    fn says(&mut self) -> String {
        // Byte by byte, because a buffer would swallow what comes next.
        let out = self.0.stdout.as_mut().unwrap();
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            assert_eq!(out.read(&mut byte).unwrap(), 1, "the worker has ended");
            match byte[0] {
                b'\n' => {
                    let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
                    if let Some((_, said)) = text.split_once("worker: ") {
                        return said.to_owned();
                    }
                }
                byte => line.push(byte),
            }
        }
    }

    fn go(&mut self) {
        writeln!(self.0.stdin.as_mut().unwrap(), "go").unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // SIGKILL on Unix: the process gets no chance to tidy up.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "started by the other tests, in processes of its own"]
fn worker() {
    let mut lines = std::io::stdin().lines();
    if std::io::stdin().is_terminal() {
        return;
    }
    let Some(Ok(orders)) = lines.next() else { return };
    let orders: Vec<&str> = orders.split('\t').collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let say = |what: &str| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "worker: {what}").and_then(|()| out.flush()).unwrap();
    };
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
fn kill_somewhere(mut worker: Worker, round: u64, seeded: &mut Seeded) {
    if round.is_multiple_of(2) {
        assert_eq!(worker.says(), "done once");
    }
    std::thread::sleep(Duration::from_micros(seeded.below(12_000)));
    drop(worker);
}

/// A small generator, so that the moments of death are the same in every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        // Marsaglia's xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
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
    let server = Rotating::start(Duration::from_millis(300), false);

    let orders = ["refresh", home.path().to_str().unwrap(), &server.address.to_string()];
    let mut workers: Vec<Worker> = (0..32).map(|_| Worker::start(&orders)).collect();
    workers.iter_mut().for_each(Worker::go);
    let mut said: Vec<String> = workers.iter_mut().map(Worker::says).collect();
    drop(workers);

    said.sort();
    assert_eq!(said[31], "refreshed access-1", "{said:?}");
    assert!(said[..31].iter().all(|line| line == "found access-1"), "{said:?}");
    let sent = server.state.lock().map(|family| (family.requests, family.revoked)).unwrap();
    assert_eq!(sent, (1, false));
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
    let server = Rotating::start(Duration::ZERO, true);
    let orders = ["refresh-forever", home.path().to_str().unwrap(), &server.address.to_string()];

    let mut seeded = Seeded(0x5eed_0f0a_0075);
    for round in 0..200 {
        kill_somewhere(Worker::start(&orders), round, &mut seeded);

        let kept = store.load(&key()).await.expect("readable").expect("not lost");
        assert_eq!(
            kept.access_token.expose().replace("access", "refresh"),
            kept.refresh_token.unwrap().expose()
        );
        assert!(kept.generation > round / 2, "only {} refreshes in {round} rounds", kept.generation);
    }

    let used = store.load(&key()).await.unwrap().unwrap();
    let generation = used.generation;
    let outcome = refresh(home.path(), used, server.address).await;
    let RefreshOutcome::Refreshed(new) = outcome else { panic!("{outcome:?}") };
    assert_eq!(new.generation, generation + 1);
    assert!(!server.state.lock().unwrap().revoked);
    // What the killed left behind is gone: one file for the tokens, and no copy of a secret beside it.
    assert_eq!(files_in(&home.path().join("tokens")).len(), 1);
}

#[tokio::test]
async fn f098_killed_200_times_in_a_write_the_file_is_old_or_new() {
    let home = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(home.path());
    store.save(&key(), &numbered(0)).await.unwrap();

    let mut seeded = Seeded(0x5eed_0f0a_0098);
    let mut last = 0;
    for round in 0..200 {
        let first = (last + 1).to_string();
        let worker = Worker::start(&["save-forever", home.path().to_str().unwrap(), &first]);
        kill_somewhere(worker, round, &mut seeded);

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
