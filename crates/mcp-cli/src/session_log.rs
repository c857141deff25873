//! One JSONL file per server, written by long-lived sessions: what happened to the connection, never what went over it.
//!
//! Every field is a name, a number, a code or a message of ours; none is a header value, an argument or a result.

mod provider;
mod rotate;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::view::time::rfc3339;

pub(crate) use provider::Logged;

/// The log of one server.
#[derive(Clone, Debug)]
pub(crate) struct SessionLog {
    path: Arc<PathBuf>,
    server: Arc<str>,
}

/// One line.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) at: String,
    pub(crate) pid: u32,
    pub(crate) server: String,
    #[serde(flatten)]
    pub(crate) event: Event,
}

/// What happened.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    /// The session began.
    Started,
    /// The status changed.
    Status {
        /// The new one.
        status: String,
        /// The code of its reason.
        reason: Option<String>,
        /// The reason in words.
        message: Option<String>,
        /// Which connection of the session, from 1; 0 before the first.
        connection: u64,
        /// Which attempt since it last worked.
        attempt: u32,
    },
    /// A command that mints headers ran.
    Helper {
        /// Its provider.
        provider: String,
        /// How long it took.
        duration_ms: u64,
        /// How it ended; `None` where a signal or the limit ended it.
        exit_code: Option<i32>,
        /// The names of the headers in force afterwards.
        headers: Vec<String>,
    },
    /// The server refused the credentials.
    Refused {
        /// Whose they were.
        provider: String,
        /// The HTTP status.
        http_status: u16,
        /// What came of asking for others.
        recovery: String,
    },
    /// Somebody asked for a new connection.
    Reconnect,
    /// The session ended.
    Ended,
}

impl SessionLog {
    /// The log of `server` below `directory`. Nothing is written yet.
    pub(crate) fn new(directory: &Path, server: &str) -> Self {
        Self { path: Arc::new(file(directory, server)), server: server.into() }
    }

    /// Appends one line. A log that cannot be written must not disturb the session, so failures are told to the
    /// diagnostic log only.
    pub(crate) fn record(&self, event: Event) {
        let record = Record {
            at: rfc3339(SystemTime::now()),
            pid: std::process::id(),
            server: self.server.to_string(),
            event,
        };
        let written = serde_json::to_vec(&record).map_err(Into::into).and_then(|mut line| {
            line.push(b'\n');
            rotate::append(&self.path, &line)
        });
        if let Err(error) = written {
            tracing::debug!(%error, "the session log could not be written");
        }
    }
}

/// The file of a server: its name where that is a file name, made harmless where it is not.
pub(crate) fn file(directory: &Path, server: &str) -> PathBuf {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = server.chars().map(|c| if plain(c) { c } else { '_' }).take(100).collect();
    directory.join(format!("{}.jsonl", name.trim_start_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_that_reads_back() {
        let home = tempfile::tempdir().unwrap();
        let log = SessionLog::new(home.path(), "we/b");
        log.record(Event::Started);
        log.record(Event::Refused {
            provider: "headers-helper".into(),
            http_status: 401,
            recovery: "retry".into(),
        });
        let text = std::fs::read_to_string(home.path().join("we_b.jsonl")).unwrap();
        let records: Vec<Record> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(records[0].event, Event::Started);
        assert_eq!(records[1].server, "we/b");
        let json: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        assert_eq!((&json["event"], &json["httpStatus"]), (&"refused".into(), &401.into()));
    }

    #[test]
    fn no_name_leads_out_of_the_directory() {
        for name in ["../x", "..", "a/b", "", "\0"] {
            let path = file(Path::new("/logs"), name);
            assert_eq!(path.parent(), Some(Path::new("/logs")), "{name:?}");
            assert_ne!(path.file_name().and_then(|name| name.to_str()), Some(".."));
        }
    }
}
