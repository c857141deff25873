//! The listening end: one socket per session, removed with it.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::socket_name::file_name;
use super::{ControlLine, ControlRequest, LiveSession, MAX_LINE, Places, SessionInfo};
use crate::peer_account::check_peer;

/// How long a peer may take to say what it wants.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How many are answered at a time. More wait: each of them takes a descriptor of a process that serves a host.
const MAX_PEERS: usize = 32;

/// A session that listens. Dropping it removes the socket.
#[derive(Debug)]
pub struct ControlServer {
    path: PathBuf,
    task: JoinHandle<()>,
}

/// Several sessions of one process listen under different names.
static NEXT: AtomicU32 = AtomicU32::new(0);

impl ControlServer {
    /// Listens in `directory`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made, belongs to another account or lets others in, or the path is too long for a
    /// socket (about 100 bytes on most systems).
    pub fn bind(directory: &Path, session: Arc<dyn LiveSession>) -> io::Result<Self> {
        Places::made(directory)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let server = session.server();
        let path = directory.join(file_name(directory, number, session.has_own_process(), server.as_ref()));
        // Under its name only once it listens: a socket that refuses is taken for a dead one, and removed. One of
        // this name, left over from a process of the same number that was killed, is replaced.
        let draft = directory.join(format!(".{}-{number}.new", std::process::id()));
        drop(std::fs::remove_file(&draft));
        let listener = UnixListener::bind(&draft)?;
        let listening = std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600))
            .and_then(|()| std::fs::rename(&draft, &path));
        if let Err(error) = listening {
            drop(std::fs::remove_file(&draft));
            return Err(error);
        }
        let task = tokio::spawn(serve(listener, session));
        Ok(Self { path, task })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.task.abort();
        // The first process to find a socket that is left behind removes it.
        drop(std::fs::remove_file(&self.path));
    }
}

async fn serve(listener: UnixListener, session: Arc<dyn LiveSession>) {
    let mut peers = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if peers.len() < MAX_PEERS => match accepted {
                Ok((stream, _)) => match check_peer(&stream) {
                    Ok(()) => drop(peers.spawn(answer(stream, session.clone()))),
                    Err(error) => tracing::warn!(%error, "a process that asked was not let in"),
                },
                // Out of file descriptors, most likely: it may pass.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = peers.join_next() => {}
        }
    }
}

/// One request, one answer. A peer that says nothing sensible gets none.
async fn answer(stream: UnixStream, session: Arc<dyn LiveSession>) {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut limited = BufReader::new(read.take(MAX_LINE));
    let Ok(Ok(1..)) = tokio::time::timeout(REQUEST_TIMEOUT, limited.read_line(&mut line)).await else {
        return;
    };
    let info = match serde_json::from_str::<ControlLine>(&line).map(|line| line.op) {
        Ok(ControlRequest::Status) => session.describe().await,
        Ok(ControlRequest::Stop) => {
            say(&mut write, &session.stop().await).await;
            // The connection ends when this session has: the command that stops it sees by that when it is over.
            let _ = limited.read_line(&mut line).await;
            return;
        }
        Ok(ControlRequest::Reconnect) => session.reconnect().await,
        Err(_) => return,
    };
    say(&mut write, &info).await;
}

async fn say(write: &mut OwnedWriteHalf, info: &SessionInfo) {
    if let Ok(mut text) = serde_json::to_vec(info) {
        text.push(b'\n');
        // A peer that has gone does not want the answer.
        drop(write.write_all(&text).await);
    }
}
