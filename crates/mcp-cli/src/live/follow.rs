//! Noticing, in a session that lives, that its entry or its sign-in is another one: a person who approves, edits, signs in,
//! rejects or switches off is heard by the next call, and otherwise within a second or two, and need not know that there is a
//! session.
//!
//! The one place that looks at files for it. What decides is looked at, not read, before each call and now and then, and read
//! when it has changed; what it comes to then is compared with what the session acts on. Most writes to these files are
//! about something else, and have no consequence: nothing is contacted and no command runs because of them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mcp_files::Stamp;
use mcp_status::ServerStatus;
use mcp_transport::SupervisorHandle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::Share;
use super::entry::{Entry, EntryReading, EntryState};
use mcp_transport::supervisor::NoContact;

/// Between two looks at the files while a person may be about to change what keeps the server away.
const PACE: Duration = Duration::from_millis(300);
/// Between two readings of them while the server is connected, and a person waits for nothing.
const PACE_CONNECTED: Duration = Duration::from_millis(600);

/// Between two looks at the files while the server is connected and nothing is called.
const PACE_IDLE: Duration = Duration::from_secs(2);
/// What a call waits for a look at most: a network drive may take its time, and a new connection is waited for elsewhere.
const LOOK_LIMIT: Duration = Duration::from_millis(500);

/// Between two looks at the sign-ins in a database, for a session that waits for one: nothing tells that a person has signed in
/// on another machine, and thousands of sessions may ask.
const PACE_ELSEWHERE: Duration = Duration::from_secs(15);

/// A look serves the calls that are made so soon after it: it takes as long as a call, and no person edits a file in this time.
const LOOK_HOLDS: Duration = Duration::from_millis(10);

/// Has an entry looked at out of turn, for a call that is about to be made. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RecheckRequests {
    asking: mpsc::UnboundedSender<oneshot::Sender<()>>,
    /// When the last one was begun.
    looked_at: Arc<Mutex<Option<Instant>>>,
}

/// The other end of [`RecheckRequests`], for who follows the entry.
pub(crate) type RecheckReceiver = mpsc::UnboundedReceiver<oneshot::Sender<()>>;

impl RecheckRequests {
    pub(crate) fn new() -> (Self, RecheckReceiver) {
        let (asking, asked) = mpsc::unbounded_channel();
        (Self { asking, looked_at: Arc::default() }, asked)
    }

    /// Returns when what has changed has begun to have its consequences.
    pub(crate) async fn look(&self) {
        let now = Instant::now();
        if !self.is_due(now) {
            return;
        }
        let (asking, looked) = oneshot::channel();
        // Where nothing follows the entry any more, the session is at its end.
        if self.asking.send(asking).is_ok() {
            // The answer is its end.
            let _ = timeout(LOOK_LIMIT, looked).await;
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = looked_at.is_none_or(|at| now.duration_since(at) >= LOOK_HOLDS);
        if is_due {
            *looked_at = Some(now);
        }
        is_due
    }
}

/// Follows `entry` until the session of `server` has ended.
pub(crate) async fn follow(
    entry: Arc<Entry>,
    server: SupervisorHandle,
    share: Option<Share>,
    mut asked: RecheckReceiver,
) {
    let mut files = Files::default();
    let mut attention = WatchState::default();
    let mut elsewhere = OtherStore { looked_at: Instant::now() };
    loop {
        let is_idle = server.snapshot().status == ServerStatus::Connected && files.are_settled();
        let mut calls = Vec::new();
        tokio::select! {
            () = sleep(if is_idle { PACE_IDLE } else { PACE }) => {}
            Some(call) = asked.recv() => calls.push(call),
        }
        // One look serves all that were made before it.
        while let Ok(call) = asked.try_recv() {
            calls.push(call);
        }
        let snapshot = server.snapshot();
        if snapshot.closed {
            return;
        }
        let is_connected = snapshot.status == ServerStatus::Connected;
        let pace = if calls.is_empty() { pace(is_connected) } else { Duration::ZERO };
        let is_due = files.are_due(pace).await;
        let waits = snapshot.status == ServerStatus::NeedsAuth && entry.signs_in_elsewhere();
        if !is_due && !attention.is_due() && !elsewhere.is_due(waits, Instant::now()) {
            continue;
        }
        let mut look = entry.look().await;
        if let Some(paths) = look.files.take() {
            files.paths = paths;
        }
        let heard = attention.event(look, &entry.standing(), server.snapshot().status);
        files.again |= attention.again;
        let Some(news) = heard else { continue };
        let (server, share) = (server.clone(), share.clone());
        tokio::spawn(async move {
            if let Some(share) = share.filter(Share::is_kept_here) {
                // First who keeps the connection for the others as well.
                share.reconnect().await;
            }
            news.tell(&server);
            if !calls.is_empty() {
                // What was told has been heard when this is answered.
                server.verify().await;
            }
            drop(calls);
        });
    }
}

/// When the sign-ins of a database are looked at.
#[derive(Debug)]
struct OtherStore {
    looked_at: Instant,
}

impl OtherStore {
    /// Whether they have their turn at `now`, for a session that `waits` for one.
    fn is_due(&mut self, waits: bool, now: Instant) -> bool {
        let due = waits && now.saturating_duration_since(self.looked_at) >= PACE_ELSEWHERE;
        if due {
            self.looked_at = now;
        }
        due
    }
}

/// How often the files are read at most.
pub(super) fn pace(connected: bool) -> Duration {
    if connected { PACE_CONNECTED } else { PACE }
}

/// Between two times that a changed file of a helper counts, at first and at most. Some helpers write to what their command
/// names, each time that they run.
const HELPER_PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(300));

/// What was made so far of what was seen of one entry.
#[derive(Debug, Default)]
pub(super) struct WatchState {
    /// What its session was told to act on.
    asked: Option<EntryState>,
    doubted: bool,
    /// Whether what was seen last may have been half a file, so that another look has to follow.
    pub(super) again: bool,
    /// Before when a changed helper is no news, and the pause behind that.
    helper: Option<(Instant, Duration)>,
    /// When something that was put off counts.
    later: Option<Instant>,
}

impl WatchState {
    /// Whether something that was put off has its turn.
    pub(super) fn is_due(&self) -> bool {
        self.later.is_some_and(|later| later <= Instant::now())
    }

    /// What a session has to hear because of `look`, where it acts on `acted` and has this status.
    pub(super) fn event(
        &mut self,
        look: EntryReading,
        acted: &EntryState,
        status: ServerStatus,
    ) -> Option<SessionEvent> {
        let news = news(&look, acted, status);
        // A file that is being written is whole the next time, and then there may be nothing to hear.
        self.again = look.is_in_doubt && !std::mem::replace(&mut self.doubted, look.is_in_doubt);
        if self.again {
            return None;
        }
        // Asked once for each: the session may have to wait for its turn to read it.
        let news = news.filter(|_| self.asked.as_ref() != Some(&look.standing));
        self.later = None;
        let news = news?;
        if news == SessionEvent::Helper && self.is_too_soon(Instant::now()) {
            return None;
        }
        self.asked = Some(look.standing);
        Some(news)
    }

    /// Whether a changed helper has to wait for its turn, which is later each time.
    fn is_too_soon(&mut self, now: Instant) -> bool {
        let (after, pause) = self.helper.unwrap_or((now, HELPER_PAUSES.0));
        if now < after {
            self.later = Some(after);
            return true;
        }
        self.helper = Some((now + pause, (pause * 2).min(HELPER_PAUSES.1)));
        false
    }
}

/// What a session has to hear of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SessionEvent {
    /// The entry is another one, or may be contacted, or may not be any more.
    Entry,
    /// A person has signed in.
    SignIn,
    /// A person has signed out: what the server was reached with is not to be sent any more, whether it still takes it or not.
    SignOut,
    /// The helper of a server that refused what it printed, or that failed, is another one.
    Helper,
}

impl SessionEvent {
    /// Lets the session of `server` know.
    pub(super) fn tell(self, server: &SupervisorHandle) {
        tracing::info!(server = %server.name(), news = ?self, "what was read of the entry is no longer so");
        match self {
            Self::Entry | Self::Helper | Self::SignOut => drop(server.config_changed()),
            Self::SignIn => drop(server.login_done()),
        }
    }
}

/// What there is to hear in `look` for a session that acts on `acted` and has this status.
fn news(look: &EntryReading, acted: &EntryState, status: ServerStatus) -> Option<SessionEvent> {
    let now = &look.standing;
    if now.state != acted.state {
        // A file that is being written, or was broken by mistake, decides nothing about a server that works, nor about one
        // that waits for a person: what it said of that is worth more than that a file is broken. A switch or a rejection
        // stands somewhere in so many words.
        let said = now.state.as_ref().is_err_and(NoContact::is_deliberate);
        let stands = matches!(status, ServerStatus::Connected | ServerStatus::NeedsAuth);
        let holds = look.is_in_doubt && stands && !said;
        return (!holds).then_some(SessionEvent::Entry);
    }
    // What a broken file forbids is not known, so what it forbade before holds.
    if now.tools != acted.tools && !look.is_in_doubt {
        return Some(SessionEvent::Entry);
    }
    if look.is_signed_out && acted.sign_in.is_some() && status != ServerStatus::NeedsAuth {
        return Some(SessionEvent::SignOut);
    }
    // A connection renews its own tokens, and those of others are no reason to drop it.
    let signed_in = now.sign_in.is_some() && now.sign_in != acted.sign_in;
    let another_helper = now.helper != acted.helper;
    let news =
        if signed_in { Some(SessionEvent::SignIn) } else { another_helper.then_some(SessionEvent::Helper) };
    news.filter(|_| status == ServerStatus::NeedsAuth)
}

/// The files that decide.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) paths: Vec<PathBuf>,
    /// What they were before the last reading.
    seen: Option<Vec<Stamp>>,
    read_at: Option<Instant>,
    /// Whether to read once more although nothing has changed since: what was read may have been half of it, and a second
    /// change in the same moment leaves no trace.
    pub(super) again: bool,
}

impl Files {
    /// Whether they were read, and need not be read once more.
    fn are_settled(&self) -> bool {
        self.seen.is_some() && !self.again
    }

    /// Whether they have to be read, which is at most once in `pace`; the caller does so then.
    pub(super) async fn are_due(&mut self, pace: Duration) -> bool {
        if self.read_at.is_some_and(|at| at.elapsed() < pace) {
            return false;
        }
        let paths = std::mem::take(&mut self.paths);
        let stamped = tokio::task::spawn_blocking(move || {
            let stamps: Vec<Stamp> = paths.iter().map(|path| Stamp::of(path)).collect();
            (paths, stamps)
        });
        let Ok((paths, stamps)) = stamped.await else { return false };
        self.paths = paths;
        let changed = self.seen.as_ref() != Some(&stamps);
        let due = changed || self.again;
        if due {
            (self.again, self.seen, self.read_at) = (changed, Some(stamps), Some(Instant::now()));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use mcp_connect::Fingerprint;
    use mcp_status::Reason;

    use super::*;

    #[test]
    fn a_look_serves_the_calls_that_come_at_once() {
        let (looks, _asked) = RecheckRequests::new();
        let began = Instant::now();
        let due =
            [0, 1, 9, 10, 19, 20].map(|passed| looks.clone().is_due(began + Duration::from_millis(passed)));
        assert_eq!(due, [true, false, false, true, false, true]);
    }

    fn open(url: &str) -> EntryState {
        EntryState { state: Ok(Fingerprint::of(&url)), sign_in: None, helper: Vec::new(), tools: None }
    }

    fn closed(closed: NoContact) -> EntryState {
        EntryState { state: Err(closed), sign_in: None, helper: Vec::new(), tools: None }
    }

    fn signed_in(seconds: u64) -> EntryState {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        EntryState { sign_in: Some(at), ..open("a") }
    }

    fn with_helper(stamp: Stamp) -> EntryState {
        EntryState { helper: vec![stamp], ..open("a") }
    }

    /// Two stamps that differ.
    fn stamps() -> (Stamp, Stamp) {
        (Stamp::default(), Stamp::of(std::path::Path::new("/")))
    }

    #[test]
    fn a_database_is_looked_at_for_who_waits_and_at_a_bounded_rate() {
        let began = Instant::now();
        let mut elsewhere = OtherStore { looked_at: began };
        let mut looks = |waits: bool, seconds: std::ops::Range<u64>| {
            let due = |second: &u64| elsewhere.is_due(waits, began + Duration::from_secs(*second));
            seconds.filter(due).count()
        };
        assert_eq!((looks(false, 0..100), looks(true, 100..400)), (0, 20));
    }

    #[test]
    fn another_helper_is_news_to_who_was_refused_and_later_each_time() {
        let (before, after) = stamps();
        let status = ServerStatus::NeedsAuth;
        let look = |stamp| EntryReading {
            standing: with_helper(stamp),
            is_in_doubt: false,
            is_signed_out: true,
            files: None,
        };
        for status in [ServerStatus::Connected, ServerStatus::Failed, ServerStatus::Pending] {
            assert_eq!(news(&look(after), &with_helper(before), status), None, "{status}");
        }
        let mut attention = WatchState::default();
        let mut event = |now, acted| attention.event(look(now), &with_helper(acted), status);
        assert_eq!(event(before, before), None);
        assert_eq!(event(after, before), Some(SessionEvent::Helper));
        assert_eq!(event(after, before), None, "it was told");
        // One that writes to what its command names is run again, and is another one after each run.
        assert_eq!(event(before, after), None, "not so soon");
        assert!(attention.later.is_some() && !attention.is_due(), "and not forgotten");
        let now = Instant::now();
        let mut at = now;
        let mut runs = 0;
        while at < now + Duration::from_secs(24 * 3600) {
            runs += u32::from(!attention.is_too_soon(at));
            at += Duration::from_secs(1);
        }
        assert!((280..320).contains(&runs), "{runs} runs in a day");
    }

    #[test]
    fn what_is_another_entry_is_told_and_what_is_the_same_is_not() {
        use ServerStatus::{Connected, Disabled, Failed, NeedsAuth, Pending};
        let waiting = || closed(NoContact::Because(Reason::awaiting_approval()));
        let changed = || closed(NoContact::Because(Reason::changed_since_approval("args")));
        let off = || closed(NoContact::SwitchedOff);
        let declined = || closed(NoContact::Because(Reason::declined("here")));
        for (before, now, status, sure, in_doubt) in [
            (open("a"), open("a"), Connected, None, None),
            (waiting(), waiting(), Pending, None, None),
            (waiting(), open("a"), Pending, Some(SessionEvent::Entry), Some(SessionEvent::Entry)),
            (changed(), off(), Pending, Some(SessionEvent::Entry), Some(SessionEvent::Entry)),
            (off(), open("a"), Disabled, Some(SessionEvent::Entry), Some(SessionEvent::Entry)),
            (open("a"), open("b"), Failed, Some(SessionEvent::Entry), Some(SessionEvent::Entry)),
            (open("a"), open("b"), Connected, Some(SessionEvent::Entry), None),
            (open("a"), open("b"), NeedsAuth, Some(SessionEvent::Entry), None),
            (open("a"), off(), NeedsAuth, Some(SessionEvent::Entry), Some(SessionEvent::Entry)),
            (open("a"), off(), Connected, Some(SessionEvent::Entry), Some(SessionEvent::Entry)),
            (open("a"), declined(), NeedsAuth, Some(SessionEvent::Entry), Some(SessionEvent::Entry)),
            (open("a"), declined(), Connected, Some(SessionEvent::Entry), Some(SessionEvent::Entry)),
            (open("a"), changed(), Connected, Some(SessionEvent::Entry), None),
            (open("a"), waiting(), Connected, Some(SessionEvent::Entry), None),
            (open("a"), signed_in(1), NeedsAuth, Some(SessionEvent::SignIn), Some(SessionEvent::SignIn)),
            (signed_in(1), signed_in(2), NeedsAuth, Some(SessionEvent::SignIn), Some(SessionEvent::SignIn)),
            (signed_in(1), signed_in(2), Connected, None, None),
            (signed_in(1), signed_in(2), Failed, None, None),
            (signed_in(1), open("a"), Connected, Some(SessionEvent::SignOut), Some(SessionEvent::SignOut)),
            (open("a"), open("a"), Connected, None, None),
            // Signed out: there is nothing to try.
            (signed_in(1), open("a"), NeedsAuth, None, None),
        ] {
            for (is_in_doubt, expected) in [(false, sure), (true, in_doubt)] {
                let look = EntryReading {
                    standing: now.clone(),
                    is_in_doubt,
                    is_signed_out: now.sign_in.is_none(),
                    files: None,
                };
                assert_eq!(
                    news(&look, &before, status),
                    expected,
                    "{before:?} → {now:?}, {status}, {is_in_doubt}"
                );
            }
        }
    }

    #[test]
    fn a_store_that_cannot_be_read_ends_no_connection() {
        let look =
            EntryReading { standing: open("a"), is_in_doubt: false, is_signed_out: false, files: None };
        assert_eq!(news(&look, &signed_in(1), ServerStatus::Connected), None);
    }

    #[tokio::test]
    async fn files_are_read_when_they_have_changed_and_once_more_a_moment_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut files = Files { paths: vec![path.clone()], ..Files::default() };
        let mut due = async || files.are_due(Duration::ZERO).await;
        assert_eq!([due().await, due().await, due().await, due().await], [true, true, false, false]);
        std::fs::write(&path, "1").unwrap();
        assert_eq!([due().await, due().await, due().await], [true, true, false]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!([due().await, due().await, due().await], [true, true, false]);
        std::fs::write(&path, "1").unwrap();
        assert!(!files.are_due(Duration::from_secs(60)).await, "not so soon again");
        assert!(files.are_due(Duration::ZERO).await, "and not forgotten");
    }
}
