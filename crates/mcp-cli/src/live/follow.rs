//! Noticing, in a session that lives, that its entry or its sign-in is another one: a person who approves, edits, signs in,
//! rejects or switches off is heard within a second, and need not know that there is a session.
//!
//! The one place that looks at files for it. What decides is looked at, not read, two or three times a second, and read
//! when it has changed; what it comes to then is compared with what the session acts on. Most writes to these files are
//! about something else, and have no consequence: nothing is contacted and no command runs because of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mcp_files::Stamp;
use mcp_status::ServerStatus;
use mcp_transport::SupervisorHandle;
use tokio::time::{Instant, sleep};

use super::Sharing;
use super::entry::{Entry, Look, Standing};
use mcp_transport::supervisor::Withheld;

/// Between two looks at the files.
const PACE: Duration = Duration::from_millis(300);
/// Between two readings of them while the server is connected, and a person waits for nothing.
const PACE_CONNECTED: Duration = Duration::from_millis(1500);

/// Follows `entry` until the session of `server` has ended.
pub(crate) async fn follow(entry: Arc<Entry>, server: SupervisorHandle, sharing: Option<Sharing>) {
    let mut files = Files::default();
    let mut asked = None;
    let mut doubted = false;
    loop {
        sleep(PACE).await;
        let snapshot = server.snapshot();
        if snapshot.closed {
            return;
        }
        let connected = snapshot.status == ServerStatus::Connected;
        if !files.are_due(if connected { PACE_CONNECTED } else { PACE }).await {
            continue;
        }
        let look = entry.look().await;
        let news = news(&look, &entry.standing(), server.snapshot().status);
        if let Some(paths) = look.files {
            files.paths = paths;
        }
        // A file that is being written is whole the next time, and then there may be nothing to hear.
        if look.is_in_doubt && !std::mem::replace(&mut doubted, look.is_in_doubt) {
            files.again = true;
            continue;
        }
        doubted = look.is_in_doubt;
        // Asked once for each: the session may have to wait for its turn to read it.
        let Some(news) = news.filter(|_| asked.as_ref() != Some(&look.standing)) else { continue };
        tracing::info!(server = %entry.target().name(), ?news, "what was read of the entry is no longer so");
        asked = Some(look.standing);
        let (server, sharing) = (server.clone(), sharing.clone());
        tokio::spawn(async move {
            if let Some(sharing) = sharing.filter(Sharing::is_kept_here) {
                // First who keeps the connection for the others as well.
                sharing.reconnect().await;
            }
            match news {
                News::Entry => server.config_changed(),
                News::SignIn => server.login_done(),
            }
        });
    }
}

/// What a session has to hear of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum News {
    /// The entry is another one, or may be contacted, or may not be any more.
    Entry,
    /// Somebody has signed in.
    SignIn,
}

/// What there is to hear in `look` for a session that acts on `acted` and has this status.
fn news(look: &Look, acted: &Standing, status: ServerStatus) -> Option<News> {
    let now = &look.standing;
    if now.state != acted.state {
        // A file that is being written, or was broken by mistake, decides nothing about a server that works, nor about one
        // that waits for a person: what it said of that is worth more than that a file is broken. A switch or a rejection
        // stands somewhere in so many words.
        let said = now.state.as_ref().is_err_and(Withheld::is_deliberate);
        let stands = matches!(status, ServerStatus::Connected | ServerStatus::NeedsAuth);
        let holds = look.is_in_doubt && stands && !said;
        return (!holds).then_some(News::Entry);
    }
    // A connection renews its own tokens, and those of others are no reason to drop it.
    let signed_in = now.sign_in.is_some() && now.sign_in != acted.sign_in;
    (signed_in && status == ServerStatus::NeedsAuth).then_some(News::SignIn)
}

/// The files that decide.
#[derive(Debug, Default)]
struct Files {
    paths: Vec<PathBuf>,
    /// What they were before the last reading.
    seen: Option<Vec<Stamp>>,
    read_at: Option<Instant>,
    /// Whether to read once more although nothing has changed since: what was read may have been half of it, and a second
    /// change in the same moment leaves no trace.
    again: bool,
}

impl Files {
    /// Whether they have to be read, which is at most once in `pace`; the caller does so then.
    async fn are_due(&mut self, pace: Duration) -> bool {
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

    fn open(url: &str) -> Standing {
        Standing { state: Ok(Fingerprint::of(&url)), sign_in: None }
    }

    fn closed(closed: Withheld) -> Standing {
        Standing { state: Err(closed), sign_in: None }
    }

    fn signed_in(seconds: u64) -> Standing {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Standing { sign_in: Some(at), ..open("a") }
    }

    #[test]
    fn what_is_another_entry_is_told_and_what_is_the_same_is_not() {
        use ServerStatus::{Connected, Disabled, Failed, NeedsAuth, Pending};
        let waiting = || closed(Withheld::Because(Reason::awaiting_approval()));
        let changed = || closed(Withheld::Because(Reason::changed_since_approval("args")));
        let off = || closed(Withheld::SwitchedOff);
        let declined = || closed(Withheld::Because(Reason::declined("here")));
        for (before, now, status, sure, in_doubt) in [
            (open("a"), open("a"), Connected, None, None),
            (waiting(), waiting(), Pending, None, None),
            (waiting(), open("a"), Pending, Some(News::Entry), Some(News::Entry)),
            (changed(), off(), Pending, Some(News::Entry), Some(News::Entry)),
            (off(), open("a"), Disabled, Some(News::Entry), Some(News::Entry)),
            (open("a"), open("b"), Failed, Some(News::Entry), Some(News::Entry)),
            (open("a"), open("b"), Connected, Some(News::Entry), None),
            (open("a"), open("b"), NeedsAuth, Some(News::Entry), None),
            (open("a"), off(), NeedsAuth, Some(News::Entry), Some(News::Entry)),
            (open("a"), off(), Connected, Some(News::Entry), Some(News::Entry)),
            (open("a"), declined(), NeedsAuth, Some(News::Entry), Some(News::Entry)),
            (open("a"), declined(), Connected, Some(News::Entry), Some(News::Entry)),
            (open("a"), changed(), Connected, Some(News::Entry), None),
            (open("a"), waiting(), Connected, Some(News::Entry), None),
            (open("a"), signed_in(1), NeedsAuth, Some(News::SignIn), Some(News::SignIn)),
            (signed_in(1), signed_in(2), NeedsAuth, Some(News::SignIn), Some(News::SignIn)),
            (signed_in(1), signed_in(2), Connected, None, None),
            (signed_in(1), signed_in(2), Failed, None, None),
            // Somebody signed out: there is nothing to try.
            (signed_in(1), open("a"), NeedsAuth, None, None),
        ] {
            for (is_in_doubt, expected) in [(false, sure), (true, in_doubt)] {
                let look = Look { standing: now.clone(), is_in_doubt, files: None };
                assert_eq!(
                    news(&look, &before, status),
                    expected,
                    "{before:?} → {now:?}, {status}, {is_in_doubt}"
                );
            }
        }
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
