//! Live sessions of other processes: where their sockets are, what they say, and how they are reconnected.

pub(crate) mod serve;
pub(crate) mod share;

use std::path::PathBuf;
use std::time::Duration;

use mcp_bridge::control::{Answer, Request, SessionInfo, SessionServer, ask_all, sessions};
use serde_json::Value;

use crate::environment::Environment;
use crate::view::row::{Reconnected, Session};
use crate::wire::Wired;

/// How long a session may take to say how it is. It may have to ask its server, which takes it 1.2 s at most.
const DESCRIBE_LIMIT: Duration = Duration::from_secs(2);
/// How long a session may take to connect again before the command goes on without its answer.
const RECONNECT_LIMIT: Duration = Duration::from_secs(45);

/// Where the sockets of this person's sessions are: short, because a socket's path may have about 100 bytes.
pub(crate) fn runtime_dir(environment: &Environment) -> PathBuf {
    if let Some(directory) = environment.text("XDG_RUNTIME_DIR") {
        return PathBuf::from(directory).join("mcplink");
    }
    let temporary = environment.text("TMPDIR").unwrap_or("/tmp");
    let user = environment.text("USER").or_else(|| environment.text("LOGNAME")).unwrap_or("user");
    let user: String = user.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    PathBuf::from(temporary).join(format!("mcplink-{user}"))
}

/// What identifies the server of an entry to its sessions.
pub(crate) fn identity(wired: &Wired) -> SessionServer {
    SessionServer { name: wired.described.name.clone(), source: wired.described.source.clone() }
}

/// The live sessions of each of these servers, in their order.
pub(crate) async fn of(environment: &Environment, wired: &[Wired]) -> Vec<Vec<Session>> {
    let found = sessions(&runtime_dir(environment), DESCRIBE_LIMIT, |_| true).await;
    wired
        .iter()
        .map(|wired| {
            let identity = identity(wired);
            found.iter().filter(|info| info.server == identity).map(session).collect()
        })
        .collect()
}

/// Reconnects every live session of a server, and says what each did.
pub(crate) async fn reconnect(environment: &Environment, wired: &Wired) -> Vec<Reconnected> {
    let identity = identity(wired);
    let answers =
        ask_all(&runtime_dir(environment), Request::Reconnect, RECONNECT_LIMIT, |server| *server == identity)
            .await;
    let reconnected = answers.into_iter().map(|answer| match answer {
        Answer::Info(info) => {
            let session = session(&info);
            Reconnected { session: session.session, status: session.status, reason: session.reason }
        }
        Answer::Silent { pid } => {
            Reconnected { session: pid, status: Value::from("pending"), reason: Value::Null }
        }
        _ => Reconnected { session: 0, status: Value::Null, reason: Value::Null },
    });
    reconnected.collect()
}

/// What a session says, as it is shown.
fn session(info: &SessionInfo) -> Session {
    let report: Value = serde_json::from_str(info.report.get()).unwrap_or_default();
    Session {
        session: info.pid,
        kind: info.kind.clone(),
        shared: info.shared,
        status: report["status"].clone(),
        reason: report["reason"].clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(variables: &[(&str, &str)]) -> PathBuf {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        runtime_dir(&Environment::new(variables, Ok("/".into()), Ok("/mcplink".into())))
    }

    #[test]
    fn sockets_are_kept_per_person_and_under_short_paths() {
        assert_eq!(directory(&[("XDG_RUNTIME_DIR", "/run/user/7")]), PathBuf::from("/run/user/7/mcplink"));
        assert_eq!(directory(&[("TMPDIR", "/t"), ("USER", "a/b.c")]), PathBuf::from("/t/mcplink-abc"));
        assert_eq!(directory(&[]), PathBuf::from("/tmp/mcplink-user"));
    }
}
