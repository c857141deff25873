//! The asking end: every session in a directory, asked at the same time.

use std::collections::HashSet;
use std::fs::DirEntry;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::task::JoinSet;

use super::ending::end_process;
use super::{ControlLine, ControlRequest, MAX_LINE, Places, SessionInfo, SilentSession};
use crate::peer_account::check_peer;

/// How long a session that is stopped may take to end: its server is told, and its process waited for.
const ENDING: Duration = Duration::from_secs(5);

/// What came of asking one session.
#[derive(Debug)]
#[non_exhaustive]
pub enum ControlAnswer {
    /// It answered. One that was to stop has ended.
    Info(Box<SessionInfo>),
    /// It answered that it stops, and has not ended in time.
    Ending(Box<SessionInfo>),
    /// It did not answer that it stops, and its process was ended.
    Ended {
        /// The process that was.
        pid: u32,
    },
    /// It is there and did not answer in time. One that was to stop could not be ended either.
    Silent(SilentSession),
}

/// The sessions that there are.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct FoundSessions {
    /// Those that say how they are, by name and process.
    pub live: Vec<SessionInfo>,
    /// Those that do not.
    pub silent: Vec<SilentSession>,
}

/// What came of asking those that were meant.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct AskedSessions {
    /// What each of them answered.
    pub answers: Vec<ControlAnswer>,
    /// Those that did not say of which server they are, and were not meant by their process: any of them may be one of those.
    pub unknown: Vec<SilentSession>,
}

/// Every session in `places`, asked how it is. One that does not answer within `limit` is told as such: it must not keep
/// the others waiting.
pub async fn sessions(places: &Places, limit: Duration) -> FoundSessions {
    sessions_among(places, limit, |_| true).await
}

/// Those of them that `may_be` meant, as far as the names of their sockets tell: no other one is asked, waited for or told.
pub async fn sessions_among(
    places: &Places,
    limit: Duration,
    may_be: impl Fn(&SilentSession) -> bool,
) -> FoundSessions {
    let mut found = FoundSessions::default();
    for (_, answer) in ask(sockets(places, may_be), ControlRequest::Status, limit).await {
        match answer {
            ControlAnswer::Info(info) => found.live.push(*info),
            ControlAnswer::Silent(session) => found.silent.push(session),
            ControlAnswer::Ending(_) | ControlAnswer::Ended { .. } => {}
        }
    }
    found.live.sort_by(|a, b| (&a.server.name, a.pid).cmp(&(&b.server.name, b.pid)));
    found
}

/// Asks every live session of which `wanted` is true for `request`, and says what each answered within `limit`. One that does not say
/// of which server it is, is asked where `is_meant` is true of its process; one of those that is to stop and has a process
/// of its own is ended with that. Those that cannot be meant, as `may_be` judges by the names of their sockets, are left out.
pub async fn ask_all(
    places: &Places,
    request: ControlRequest,
    limit: Duration,
    may_be: impl Fn(&SilentSession) -> bool,
    wanted: impl Fn(&SessionInfo) -> bool,
    is_meant: impl Fn(u32) -> bool,
) -> AskedSessions {
    let sockets = sockets(places, may_be);
    let described = ask(sockets, ControlRequest::Status, limit.min(Duration::from_secs(2))).await;
    let (mut matching, mut silent, mut asked) = (Vec::new(), Vec::new(), AskedSessions::default());
    for (path, answer) in described {
        match answer {
            ControlAnswer::Info(info) if wanted(&info) => matching.push(path),
            ControlAnswer::Silent(session) if is_meant(session.pid) => silent.push((path, session)),
            ControlAnswer::Silent(session) => asked.unknown.push(session),
            ControlAnswer::Info(_) | ControlAnswer::Ending(_) | ControlAnswer::Ended { .. } => {}
        }
    }
    let silent = waiting_for(silent, request);
    let (answers, silent) = tokio::join!(ask(matching, request, limit), silent.join_all());
    asked.answers = answers.into_iter().map(|(_, answer)| answer).chain(silent).collect();
    asked
}

/// What comes of sessions that have not answered already.
fn waiting_for(silent: Vec<(PathBuf, SilentSession)>, request: ControlRequest) -> JoinSet<ControlAnswer> {
    let mut asking = JoinSet::new();
    for (path, session) in silent {
        asking.spawn(async move { unanswered(&path, session, request).await });
    }
    asking
}

/// What comes of a session that did not answer.
async fn unanswered(path: &Path, session: SilentSession, request: ControlRequest) -> ControlAnswer {
    if request == ControlRequest::Stop && session.has_own_process && end_process(path, session.pid).await {
        return ControlAnswer::Ended { pid: session.pid };
    }
    ControlAnswer::Silent(session)
}

/// The sockets of this account in `places` whose session `may_be` meant, each directory once whatever its names are.
fn sockets(places: &Places, may_be: impl Fn(&SilentSession) -> bool) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let mut sockets = Vec::new();
    for directory in places.trusted() {
        let Ok(found) = std::fs::metadata(directory) else { continue };
        if !seen.insert((found.dev(), found.ino())) {
            continue;
        }
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let is_asked = |path: &PathBuf| SilentSession::at(path).is_some_and(|session| may_be(&session));
        sockets.extend(entries.filter(is_own_socket).map(|entry| entry.path()).filter(is_asked));
    }
    sockets.sort();
    sockets
}

/// Security: a link that was left here while the directory was open to others could lead to any socket of this account,
/// and a file of such a name is no session's.
fn is_own_socket(entry: &DirEntry) -> bool {
    SilentSession::at(&entry.path()).is_some()
        && entry.metadata().is_ok_and(|found| {
            found.file_type().is_socket() && mcp_files::Owner::of_metadata(&found).is_account()
        })
}

async fn ask(
    sockets: Vec<PathBuf>,
    request: ControlRequest,
    limit: Duration,
) -> Vec<(PathBuf, ControlAnswer)> {
    let mut asking = JoinSet::new();
    for path in sockets {
        asking.spawn(async move {
            let answer = match tokio::time::timeout(limit, exchange(&path, request)).await {
                Ok(Ok((info, rest))) if request == ControlRequest::Stop => Some(match ends(rest).await {
                    true => ControlAnswer::Info(Box::new(info)),
                    false => ControlAnswer::Ending(Box::new(info)),
                }),
                Ok(Ok((info, _))) => Some(ControlAnswer::Info(Box::new(info))),
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    // No process listens: its owner was killed. The first to notice cleans up.
                    drop(std::fs::remove_file(&path));
                    None
                }
                // Would block: so many wait already to be let in.
                Ok(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => None,
                Ok(Err(_)) | Err(_) => match SilentSession::at(&path) {
                    Some(session) => Some(unanswered(&path, session, request).await),
                    None => None,
                },
            };
            answer.map(|answer| (path, answer))
        });
    }
    let mut answers: Vec<(PathBuf, ControlAnswer)> = asking.join_all().await.into_iter().flatten().collect();
    answers.sort_by(|a, b| a.0.cmp(&b.0));
    answers
}

/// Whether a session that was told to stop ends its connection, which it does last, within its time.
async fn ends(mut rest: Rest) -> bool {
    let closed = async {
        let mut line = String::new();
        // An error is an end as well.
        while matches!(rest.read_line(&mut line).await, Ok(1..)) {}
    };
    tokio::time::timeout(ENDING, closed).await.is_ok()
}

/// What follows an answer.
type Rest = BufReader<tokio::io::Take<OwnedReadHalf>>;

async fn exchange(path: &Path, request: ControlRequest) -> io::Result<(SessionInfo, Rest)> {
    let stream = UnixStream::connect(path).await?;
    check_peer(&stream)?;
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_vec(&ControlLine { op: request })?;
    line.push(b'\n');
    write.write_all(&line).await?;
    let mut answer = String::new();
    let mut rest = BufReader::new(read.take(MAX_LINE));
    rest.read_line(&mut answer).await?;
    // Only where both halves live is the connection open.
    write.forget();
    Ok((serde_json::from_str(&answer)?, rest))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use serde_json::value::RawValue;

    use super::*;
    use crate::SharingRole;
    use crate::control::{ControlServer, LiveSession, SessionFuture, SessionServer};

    const LIMIT: Duration = Duration::from_secs(10);

    #[derive(Debug)]
    struct Fake {
        name: &'static str,
        reconnects: AtomicU32,
        hangs: bool,
    }

    impl Fake {
        fn new(name: &'static str) -> Arc<Self> {
            Arc::new(Self { name, reconnects: AtomicU32::new(0), hangs: false })
        }
    }

    impl LiveSession for Fake {
        fn describe(&self) -> SessionFuture<'_> {
            Box::pin(async { self.info() })
        }

        fn reconnect(&self) -> SessionFuture<'_> {
            Box::pin(async {
                if self.hangs {
                    std::future::pending::<()>().await;
                }
                self.reconnects.fetch_add(1, Ordering::SeqCst);
                self.info()
            })
        }
    }

    impl Fake {
        fn info(&self) -> SessionInfo {
            let status = format!(
                r#"{{"status":"connected","reconnects":{}}}"#,
                self.reconnects.load(Ordering::SeqCst)
            );
            let status = RawValue::from_string(status).unwrap();
            let mut info = SessionInfo::new("test", SessionServer::new(self.name, "/f"), status);
            info.shared = (self.name == "web").then_some(SharingRole::Guest { via: 7 });
            info
        }
    }

    #[tokio::test]
    async fn sessions_are_seen_and_reconnected_from_outside() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("run");
        let (web, db) = (Fake::new("web"), Fake::new("db"));
        let _servers = [
            ControlServer::bind(&directory, web.clone()).unwrap(),
            ControlServer::bind(&directory, db.clone()).unwrap(),
        ];
        let seen = sessions(&Places::only(&directory), LIMIT).await.live;
        assert_eq!(seen.iter().map(|info| info.server.name.as_str()).collect::<Vec<_>>(), ["db", "web"]);
        assert_eq!(
            seen.iter().map(|info| info.shared).collect::<Vec<_>>(),
            [None, Some(SharingRole::Guest { via: 7 })]
        );
        let is_web = |info: &SessionInfo| info.server.name == "web";
        let places = Places::only(&directory);
        let answers =
            ask_all(&places, ControlRequest::Reconnect, LIMIT, |_| true, is_web, |_| false).await.answers;
        let [ControlAnswer::Info(info)] = answers.as_slice() else { panic!("{answers:?}") };
        assert_eq!(info.report.get(), r#"{"status":"connected","reconnects":1}"#);
        assert_eq!((web.reconnects.load(Ordering::SeqCst), db.reconnects.load(Ordering::SeqCst)), (1, 0));
    }

    #[tokio::test]
    async fn fh_h11_a_session_that_stops_is_told_as_ended_when_it_has() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::only(home.path().join("run"));
        let directory = home.path().join("run");
        let server = ControlServer::bind(&directory, Fake::new("web")).unwrap();
        let stop = async || {
            ask_all(&places, ControlRequest::Stop, LIMIT, |_| true, |_| true, |_| true).await.answers
        };
        let answers = stop().await;
        assert!(matches!(answers.as_slice(), [ControlAnswer::Ending(_)]), "it goes on: {answers:?}");
        let (answers, ()) = tokio::join!(stop(), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            drop(server);
        });
        assert!(matches!(answers.as_slice(), [ControlAnswer::Info(_)]), "it has ended: {answers:?}");
    }

    #[tokio::test]
    async fn the_socket_is_private_and_goes_with_the_session() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("run");
        std::fs::create_dir(&directory).unwrap();
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
        let server = ControlServer::bind(&directory, Fake::new("web")).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(server.path())), (0o700, 0o600));
        let path = server.path().to_owned();
        drop(server);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_of_a_killed_process_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let dead = home.path().join("1-0.sock");
        drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
        assert!(dead.exists());
        assert!(sessions(&Places::only(home.path()), LIMIT).await.live.is_empty());
        assert!(!dead.exists());
    }

    #[tokio::test]
    async fn s_n03_a_directory_that_is_not_ours_alone_is_neither_asked_nor_cleaned() {
        let home = tempfile::tempdir().unwrap();
        let theirs = home.path().join("theirs");
        std::fs::create_dir(&theirs).unwrap();
        let (dead, plain) = (theirs.join("1-0.sock"), theirs.join("2-0.sock"));
        drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
        std::fs::write(&plain, "precious").unwrap();
        let open = |mode| {
            std::fs::set_permissions(&theirs, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        };
        let link = home.path().join("link");
        std::os::unix::fs::symlink(&theirs, &link).unwrap();
        let own = Arc::new(Fake { name: "web", reconnects: AtomicU32::new(0), hangs: false });
        let _server = ControlServer::bind(&home.path().join("run"), own).unwrap();
        // The session that it leads to is ours, and was put there by another account.
        let planted = theirs.join("3-0.sock");
        std::os::unix::fs::symlink(_server.path(), &planted).unwrap();
        let asked = async |directory: &Path| sessions(&Places::only(directory), LIMIT).await.live.len();
        open(0o777);
        assert_eq!((asked(&theirs).await, asked(&link).await), (0, 0));
        open(0o700);
        assert_eq!(asked(&link).await, 0);
        if mcp_files::account() == Some(0) {
            std::os::unix::fs::chown(&theirs, Some(4242), None).unwrap();
            assert_eq!(asked(&theirs).await, 0);
            std::os::unix::fs::chown(&theirs, Some(0), None).unwrap();
        }
        assert!(dead.exists() && plain.exists(), "something was removed");
        // In a directory of ours, what no session listens on goes, and nothing else does.
        assert_eq!(asked(&theirs).await, 0);
        assert!(!dead.exists() && plain.exists() && planted.is_symlink());
    }

    #[tokio::test]
    async fn s_n03_sessions_in_every_place_are_seen_and_each_of_them_once() {
        let home = tempfile::tempdir().unwrap();
        let places = [home.path().join("a"), home.path().join("b")];
        let (web, db) = (Fake::new("web"), Fake::new("db"));
        let _servers =
            [ControlServer::bind(&places[0], web).unwrap(), ControlServer::bind(&places[1], db).unwrap()];
        // The second one under another name, too.
        let same = home.path().join("b/../b");
        let places = Places::only(&places[0]).and(&places[1]).and(same);
        let names: Vec<String> =
            sessions(&places, LIMIT).await.live.into_iter().map(|info| info.server.name).collect();
        assert_eq!(names, ["db", "web"]);
    }

    #[tokio::test]
    async fn a_session_that_hangs_delays_no_command() {
        let home = tempfile::tempdir().unwrap();
        let hanging = Arc::new(Fake { name: "web", reconnects: AtomicU32::new(0), hangs: true });
        let _server = ControlServer::bind(home.path(), hanging).unwrap();
        let (places, limit) = (Places::only(home.path()), Duration::from_millis(300));
        let answers =
            ask_all(&places, ControlRequest::Reconnect, limit, |_| true, |_| true, |_| false).await.answers;
        let [ControlAnswer::Silent(session)] = answers.as_slice() else { panic!("{answers:?}") };
        assert_eq!((session.pid, session.has_own_process), (std::process::id(), false));
    }

    /// What is asked about other servers does not wait for it.
    #[tokio::test]
    async fn a_session_that_hangs_and_is_none_of_those_asked_about_is_not_asked() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::only(home.path());
        let web = SessionServer::new("web", "/f");
        let name =
            super::super::socket_name::file_name(home.path(), 0, true, Some(&SessionServer::new("db", "/f")));
        let _frozen = std::os::unix::net::UnixListener::bind(home.path().join(name)).unwrap();
        let _server = ControlServer::bind(home.path(), Fake::new("web")).unwrap();
        // So long a limit would be felt.
        let limit = Duration::from_secs(3_600);
        let found = sessions_among(&places, limit, |session| session.may_be_of(&web)).await;
        assert_eq!((found.live.len(), found.silent.len()), (1, 0), "one that says nothing may be it");
        let may_be = |session: &SilentSession| session.may_be_called(|name| name == "web");
        let asked = ask_all(&places, ControlRequest::Reconnect, limit, may_be, |_| true, |_| true).await;
        assert!(matches!(asked.answers.as_slice(), [ControlAnswer::Info(_)]), "{asked:?}");
        let found = sessions(&places, Duration::from_millis(200)).await;
        assert_eq!(found.silent[0].server.as_deref(), Some("db"));
    }

    /// One that is only there, and listens to no one: it is told, and ended only where its process is there for it alone, and
    /// then only the process that listens.
    #[tokio::test]
    async fn a_session_that_does_not_answer_is_told_and_is_none_that_is_not_there() {
        let home = tempfile::tempdir().unwrap();
        let (places, limit) = (Places::only(home.path()), Duration::from_millis(200));
        let _frozen = ["7-0.sock", "8-0-own.sock"]
            .map(|name| std::os::unix::net::UnixListener::bind(home.path().join(name)).unwrap());
        let _server = ControlServer::bind(home.path(), Fake::new("web")).unwrap();
        let found = sessions(&places, limit).await;
        assert_eq!(found.live.len(), 1);
        let own = |pid| if pid == 8 { "-own" } else { "" };
        let silent = |pid| SilentSession::at(Path::new(&format!("{pid}-0{}.sock", own(pid)))).unwrap();
        assert_eq!(found.silent, [silent(7), silent(8)]);
        let asked =
            ask_all(&places, ControlRequest::Reconnect, limit, |_| true, |_| true, |pid| pid == 7).await;
        assert!(
            matches!(asked.answers.as_slice(), [ControlAnswer::Info(_), ControlAnswer::Silent(session)] if session.pid == 7),
            "{asked:?}"
        );
        assert_eq!(asked.unknown, [silent(8)]);
        // This process listens, and not the one that the name tells.
        let asked = ask_all(&places, ControlRequest::Stop, limit, |_| true, |_| false, |_| true).await;
        assert!(
            matches!(asked.answers.as_slice(), [ControlAnswer::Silent(_), ControlAnswer::Silent(_)]),
            "{asked:?}"
        );
    }

    #[tokio::test]
    async fn nonsense_gets_no_answer_and_does_no_harm() {
        let home = tempfile::tempdir().unwrap();
        let server = ControlServer::bind(home.path(), Fake::new("web")).unwrap();
        for nonsense in ["\n", "{}\n", "{\"op\":\"dance\"}\n", "\0\0\n"] {
            let mut stream = UnixStream::connect(server.path()).await.unwrap();
            stream.write_all(nonsense.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert!(answer.is_empty(), "{nonsense:?}");
        }
        assert_eq!(sessions(&Places::only(home.path()), LIMIT).await.live.len(), 1);
    }
}
