//! One JSONL file per server, written by long-lived sessions: what happened to the connection, never what went over it.
//!
//! Every field is a name, a number, a code or a message of ours; none is a header value, an argument or a result.

mod provider;
pub(crate) mod reading;
mod rotate;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::view::time::rfc3339;

pub(crate) use provider::LoggingProvider;

/// Where in the cache folder long-lived sessions write what happened.
pub(crate) const FOLDER: &str = "logs";

/// The same, below this cache folder.
pub(crate) fn folder(cache: Option<PathBuf>) -> PathBuf {
    cache.map(|cache| cache.join(FOLDER)).unwrap_or_default()
}

/// The log of one server.
#[derive(Clone, Debug)]
pub(crate) struct SessionLog {
    path: Arc<PathBuf>,
    server: Arc<str>,
    /// A warning that it cannot be written was shown.
    has_warned: Arc<AtomicBool>,
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
        /// How many requests decided it, as its reason and `ps` tell; 0 where there is no reason.
        #[serde(default)]
        attempts: u32,
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
    /// A new connection was asked for.
    Reconnect,
    /// The session ended.
    Ended,
}

impl SessionLog {
    /// The log of `server` below `directory`. Nothing is written yet.
    pub(crate) fn new(directory: &Path, server: &str) -> Self {
        Self { path: Arc::new(file(directory, server)), server: server.into(), has_warned: Arc::default() }
    }

    /// Appends one line. A log that cannot be written must not disturb the session, so it is told once, to the diagnostic
    /// log.
    pub(crate) fn record(&self, event: Event) {
        let record = Record {
            at: rfc3339(SystemTime::now()),
            pid: std::process::id(),
            server: self.server.to_string(),
            event,
        };
        let written = serde_json::to_string(&record).map_err(Into::into).and_then(|line| {
            // The file is looked at with other programs, too.
            let line = mcp_text::json(&line).into_owned() + "\n";
            rotate::append(&self.path, line.as_bytes())
        });
        if let Err(error) = written
            && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "the session goes on without its log");
        }
    }
}

/// How many characters of a server's name are in the name of its file.
const NAME_CHARS: usize = 40;
/// How many bytes of the digest are: with 96 bits no two servers share a file, by chance or by intention.
const DIGEST_BYTES: usize = 12;

/// The file of a server and of no other one: its name for people, made harmless, and a digest of the exact name.
pub(crate) fn file(directory: &Path, server: &str) -> PathBuf {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    // In one case: some file systems do not tell cases apart, and the digest does.
    let name = server.chars().take(NAME_CHARS).map(|c| if plain(c) { c.to_ascii_lowercase() } else { '_' });
    let name: String = name.collect();
    let digest = digest(&SHA256, server.as_bytes());
    let digest: String =
        digest.as_ref().iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect();
    directory.join(format!("{}-{digest}.jsonl", name.trim_start_matches('.')))
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
        let text = std::fs::read_to_string(file(home.path(), "we/b")).unwrap();
        let records: Vec<Record> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(records[0].event, Event::Started);
        assert_eq!(records[1].server, "we/b");
        let json: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        assert_eq!((&json["event"], &json["httpStatus"]), (&"refused".into(), &401.into()));
    }

    #[test]
    fn s_n04_no_two_servers_share_a_file() {
        let long = "x".repeat(100);
        let names = ["a/b", "a b", "a\nb", "a_b", "A_b", ".a_b", "", "_", &long, &format!("{long}y")];
        let files: std::collections::HashSet<String> = names
            .iter()
            .map(|name| file(Path::new("/logs"), name).to_str().unwrap().to_ascii_lowercase())
            .collect();
        assert_eq!(files.len(), names.len(), "{files:?}");
        assert!(files.iter().all(|file| file.len() < 100), "{files:?}");
        // Always the same one.
        assert_eq!(file(Path::new("/l"), "web"), Path::new("/l/web-4b5e57f6eb2f42b9039b3d1e.jsonl"));
    }

    #[cfg(unix)]
    #[test]
    fn s_n15_a_log_goes_through_no_link_and_waits_for_no_pipe() {
        let home = tempfile::tempdir().unwrap();
        let precious = home.path().join("precious");
        std::fs::write(&precious, "precious").unwrap();
        for (number, obstacle) in ["file", "folder", "pipe"].into_iter().enumerate() {
            let directory = home.path().join(number.to_string());
            let log = SessionLog::new(&directory, "web");
            match obstacle {
                "folder" => std::os::unix::fs::symlink(home.path(), &directory).unwrap(),
                "file" => {
                    std::fs::create_dir(&directory).unwrap();
                    std::os::unix::fs::symlink(&precious, &*log.path).unwrap();
                }
                _ => {
                    std::fs::create_dir(&directory).unwrap();
                    let made = std::process::Command::new("mkfifo").arg(&*log.path).status().unwrap();
                    assert!(made.success());
                }
            }
            // With a pipe, this would wait for a reader.
            log.record(Event::Started);
            assert!(log.has_warned.load(Ordering::Relaxed), "{obstacle} was written to");
        }
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
        assert!(!file(home.path(), "web").exists());
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
