//! What the logs of sessions hold, read while others append to them, and in words for people.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use mcp_auth::plan::ProviderKind;
use mcp_files::{FileError, Policy};
use serde_json::Value;

use super::{Event, Record};
use crate::error::CliError;
use crate::view::shown;
use crate::view::text::after_status;
use crate::view::wrap::behind;

/// Whose lines are meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum LineSelection {
    /// Those of one server, whose file this is.
    Server(PathBuf),
    /// Those of one process.
    Process(u32),
    /// Each.
    All,
}

/// The last lines of every log of a folder, as they stand in the files.
pub(crate) fn tails_in(folder: &Path, limit: usize) -> Vec<(PathBuf, Vec<Value>)> {
    let read = |path: PathBuf| {
        let mut reader = Reader::open(&path).ok()??;
        let lines: Vec<String> = std::iter::from_fn(|| reader.line()).collect();
        let last = &lines[lines.len().saturating_sub(limit)..];
        Some((path, last.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()))
    };
    logs_in(folder).into_iter().filter_map(read).collect()
}

/// The logs of a folder, by name. What has been put aside is not among them.
fn logs_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut logs: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    logs.sort();
    logs
}

/// The files that are meant, and how far each has been read.
#[derive(Debug)]
pub(crate) struct Logs {
    which: LineSelection,
    folder: PathBuf,
    open: Vec<(PathBuf, Option<Reader>)>,
}

impl Logs {
    pub(crate) fn new(which: LineSelection, folder: PathBuf) -> Self {
        Self { which, folder, open: Vec::new() }
    }

    /// The files that there are.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let is_there = |(_, reader): &&(_, Option<Reader>)| reader.is_some();
        self.open.iter().filter(is_there).map(|(path, _)| path.clone()).collect()
    }

    /// The whole lines that have come since the last look, in the order of their times.
    pub(crate) fn more(&mut self, mut warn: impl FnMut(&str)) -> Result<Vec<String>, CliError> {
        let paths = match &self.which {
            LineSelection::Server(path) => vec![path.clone()],
            _ => logs_in(&self.folder),
        };
        for path in paths {
            if !self.open.iter().any(|(known, _)| *known == path) {
                self.open.push((path, None));
            }
        }
        let mut lines = Vec::new();
        for (path, reader) in &mut self.open {
            // The file may have been put aside, or made, since.
            if reader.as_ref().is_none_or(|reader| reader.is_stale(path)) {
                match (Reader::open(path), &self.which) {
                    (Ok(Some(opened)), _) => *reader = Some(opened),
                    (Ok(None), _) => {}
                    (Err(error), LineSelection::Server(_)) => return Err(unreadable(path, &error)),
                    (Err(error), _) => {
                        warn(&format!("warning: {}: {error}\n", path.display()));
                    }
                }
            }
            lines.extend(std::iter::from_fn(|| reader.as_mut()?.line()));
        }
        let record = |line: &String| serde_json::from_str::<Record>(line).ok();
        if let LineSelection::Process(process) = self.which {
            lines.retain(|line| record(line).is_some_and(|record| record.pid == process));
        }
        if self.open.len() > 1 {
            // Stable: those of one instant stay as they are. A line that is none has no time.
            lines.sort_by_cached_key(|line| record(line).map(|record| record.at));
        }
        Ok(lines)
    }
}

fn unreadable(path: &Path, error: &FileError) -> CliError {
    CliError::usage("log-unreadable", "the log cannot be read")
        .why(format!("{}: {error}", path.display()))
        .next("remove the log; the next session makes a new one")
}

/// A file that others append to.
#[derive(Debug)]
struct Reader {
    file: BufReader<File>,
    read: u64,
    /// A line that is not whole yet.
    partial: String,
}

impl Reader {
    /// `None` where there is no such file.
    fn open(path: &Path) -> Result<Option<Self>, FileError> {
        let file = match mcp_files::open(path, &Policy::decision(u64::MAX)) {
            Err(error) if error.is_absent() => return Ok(None),
            opened => opened?,
        };
        Ok(Some(Self { file: BufReader::new(file), read: 0, partial: String::new() }))
    }

    /// The next whole line.
    fn line(&mut self) -> Option<String> {
        let read = self.file.read_line(&mut self.partial).unwrap_or(0);
        self.read += read as u64;
        if self.partial.ends_with('\n') { Some(std::mem::take(&mut self.partial)) } else { None }
    }

    /// Whether the file of this name is another one by now.
    fn is_stale(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|metadata| metadata.len() < self.read)
    }
}

/// A line for people, with its end, or several on a terminal of so many columns.
pub(crate) fn shown(line: &str, names_server: bool, columns: Option<usize>) -> String {
    match serde_json::from_str::<Record>(line) {
        Ok(record) => {
            let server = if names_server { shown::name(&record.server) + "  " } else { String::new() };
            let words = shown::line(&words(&record.event));
            behind(&format!("{}  {:>7}  {server}", record.at, record.pid), &words, columns)
        }
        // A newer version may write what this one does not know.
        Err(_) => behind("", &shown::line(line), columns),
    }
}

fn words(event: &Event) -> String {
    match event {
        Event::Started => "session started".to_owned(),
        Event::Reconnect => "asked to reconnect".to_owned(),
        Event::Ended => "session ended".to_owned(),
        Event::Status { status, message, connection, .. } => {
            let which = if *connection > 0 { format!(" (connection {connection})") } else { String::new() };
            match message {
                Some(message) => format!("{status}{which}: {}", after_status(status.as_str(), message)),
                None => format!("{status}{which}"),
            }
        }
        Event::Helper { provider, duration_ms, exit_code, headers } => {
            let ended = match exit_code {
                Some(0) => "ran".to_owned(),
                Some(code) => format!("failed with code {code}"),
                None => "did not end by itself".to_owned(),
            };
            let headers =
                if headers.is_empty() { String::new() } else { format!(", headers {}", headers.join(", ")) };
            format!("{} {ended} in {duration_ms} ms{headers}", called(provider))
        }
        Event::Refused { provider, http_status, recovery } => {
            let provider = called(provider);
            let ended = match recovery.as_str() {
                "retry" => format!("{provider} supplied others, and it is sent again"),
                "unchanged" => format!("{provider} supplied the same again"),
                "exhausted" => format!("{provider} has no others"),
                "login-required" => "a person has to sign in".to_owned(),
                _ => format!("{provider} failed"),
            };
            format!("the credentials were refused ({http_status}); {ended}")
        }
    }
}

/// What people call the provider of this name.
fn called(provider: &str) -> String {
    ProviderKind::named(provider).map_or_else(|| provider.to_owned(), |kind| kind.called().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn every_event_has_words() {
        let helper = |exit_code| Event::Helper {
            provider: "headers-helper".into(),
            duration_ms: 42,
            exit_code,
            headers: vec!["authorization".into()],
        };
        let refused = |recovery: &str| Event::Refused {
            provider: "p".into(),
            http_status: 401,
            recovery: recovery.into(),
        };
        let status = |message: Option<&str>, connection| Event::Status {
            status: "needs-auth".into(),
            reason: None,
            message: message.map(str::to_owned),
            connection,
            attempts: 1,
        };
        for (event, expected) in [
            (helper(Some(0)), "headersHelper ran in 42 ms, headers authorization"),
            (helper(Some(3)), "headersHelper failed with code 3 in 42 ms, headers authorization"),
            (helper(None), "headersHelper did not end by itself in 42 ms, headers authorization"),
            (status(Some("why"), 0), "needs-auth: why"),
            (status(None, 2), "needs-auth (connection 2)"),
            (refused("retry"), "the credentials were refused (401); p supplied others, and it is sent again"),
            (refused("unchanged"), "the credentials were refused (401); p supplied the same again"),
            (refused("exhausted"), "the credentials were refused (401); p has no others"),
            (refused("login-required"), "the credentials were refused (401); a person has to sign in"),
            (refused("failed"), "the credentials were refused (401); p failed"),
        ] {
            assert_eq!(words(&event), expected);
        }
    }

    #[test]
    fn a_line_is_shown_when_it_is_whole() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("x");
        let mut file = File::create(&path).unwrap();
        let mut reader = Reader::open(&path).unwrap().unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(reader.line().as_deref(), Some("one\n"));
        assert_eq!(reader.line(), None);
        file.write_all(b"o\n").unwrap();
        assert_eq!(reader.line().as_deref(), Some("two\n"));
        std::fs::write(&path, "new\n").unwrap();
        assert!(reader.is_stale(&path));
    }
}
