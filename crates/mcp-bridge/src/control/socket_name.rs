//! What the name of a socket tells of its session: all that is known of one that does not answer.
//!
//! `PID-NUMBER[-MARK[=SERVER]][-own].sock`. The mark is a digest of the server's name and file, by which a command sees that a session
//! is not one of those that it asks about, and does not wait for it. The name itself stands there where it is one of letters, digits
//! and `-_.`, and has room.

use std::path::Path;

use super::SessionServer;
use super::ending::OWN_PROCESS;

/// The longest path of a socket that every system takes, in bytes.
const MAX_PATH: usize = 100;

/// A session that does not answer, as the name of its socket tells of it: its process is stopped, or hangs.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SilentSession {
    /// The process.
    pub pid: u32,
    /// Its process is there for it alone, and is ended where it is to stop: see
    /// [`LiveSession::has_own_process`](super::LiveSession::has_own_process).
    pub has_own_process: bool,
    /// The name of its server, where the socket's name has room for it.
    pub server: Option<String>,
    mark: Option<u32>,
}

impl SilentSession {
    pub(super) fn at(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(".sock")?;
        let (name, has_own_process) = match name.strip_suffix(OWN_PROCESS) {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (name, server) = match name.split_once('=') {
            Some((name, server)) => (name, Some(server.replace('+', "-"))),
            None => (name, None),
        };
        let mut parts = name.split('-');
        let pid = parts.next()?.parse().ok()?;
        let mark = parts.nth(1).and_then(|mark| u32::from_str_radix(mark, 16).ok());
        Some(Self { pid, has_own_process, server, mark })
    }

    /// Whether it may be a session of `server`: it says nothing else.
    #[must_use]
    pub fn may_be_of(&self, server: &SessionServer) -> bool {
        self.mark.is_none_or(|mark| mark == mark_of(server))
    }

    /// Whether its server may have a name of which `is_called` is true.
    pub fn may_be_called(&self, is_called: impl FnOnce(&str) -> bool) -> bool {
        self.server.as_deref().is_none_or(is_called)
    }
}

/// The name of the socket in `directory` of the session `number` of this process; `server` is left out as far as it has no room.
pub(super) fn file_name(
    directory: &Path,
    number: u32,
    has_own_process: bool,
    server: Option<&SessionServer>,
) -> String {
    let own = if has_own_process { OWN_PROCESS } else { "" };
    let named = |server: &str| format!("{}-{number}{server}{own}.sock", std::process::id());
    let mark = server.map(|server| format!("-{:08x}", mark_of(server)));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = server.map(|server| &server.name).filter(|name| name.chars().all(is_plain));
    // A hyphen would make the end of a name another part of this one.
    let whole = mark.as_ref().zip(name).map(|(mark, name)| format!("{mark}={}", name.replace('-', "+")));
    let has_room = |name: &String| directory.as_os_str().len() + 1 + name.len() <= MAX_PATH;
    let names = [whole, mark].into_iter().flatten().map(|server| named(&server));
    let mut names = names.filter(has_room);
    names.next().unwrap_or_else(|| named(""))
}

/// FNV-1a: the same in each version of this program. Servers that share a mark are both asked.
fn mark_of(server: &SessionServer) -> u32 {
    let bytes = server.name.bytes().chain([0]).chain(server.source.bytes());
    bytes.fold(0x811c_9dc5, |mark, byte| (mark ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(directory: &Path, has_own_process: bool, server: &SessionServer) -> SilentSession {
        let name = file_name(directory, 3, has_own_process, Some(server));
        assert!(directory.as_os_str().len() + 1 + name.len() <= MAX_PATH, "{name}");
        SilentSession::at(&directory.join(name)).unwrap()
    }

    #[test]
    fn a_name_tells_whose_session_it_is_as_far_as_it_has_room() {
        let directory = Path::new("/run/user/1000/mcplink");
        for own in [false, true] {
            // The last ones would be read as another part of the name.
            for name in ["web", "my-web.2_x", "own", "x-own", "7"] {
                let server = SessionServer::new(name, "/home/me/.claude.json");
                let session = told(directory, own, &server);
                assert_eq!((session.pid, session.has_own_process), (std::process::id(), own), "{name}");
                assert_eq!(session.server.as_deref(), Some(name));
                assert!(session.may_be_of(&server) && session.may_be_called(|called| called == name));
                assert!(!session.may_be_of(&SessionServer::new(name, "/other")), "{name}");
                assert!(!session.may_be_called(|called| called == "other"));
            }
            for name in ["https://h.example/mcp?key=canary", "日本語", "a/b", "a=b", &"long".repeat(40)] {
                let server = SessionServer::new(name, "/f");
                let session = told(directory, own, &server);
                assert_eq!((session.server.as_ref(), session.has_own_process), (None, own), "{name}");
                assert!(session.may_be_of(&server) && !session.may_be_of(&SessionServer::new("web", "/f")));
                assert!(session.may_be_called(|_| false), "it does not say how it is called");
            }
        }
        let deep = "/d".repeat(45);
        let session = SilentSession::at(&Path::new(&deep).join("7-0-own.sock")).unwrap();
        assert!(session.may_be_of(&SessionServer::new("web", "/f")), "one that says nothing may be any");
        assert_eq!(
            file_name(Path::new(&deep), 0, true, Some(&SessionServer::new("web", "/f"))).find('='),
            None
        );
    }
}
