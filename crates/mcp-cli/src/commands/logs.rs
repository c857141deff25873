//! `mcplink logs NAME [-f]`: what long-lived sessions of a server wrote down, for people.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use mcp_files::{FileError, Policy};

use crate::app::App;
use crate::args::LogsArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::session_log::{self, Event, Record};
use crate::view::shown;

/// How often a followed file is looked at.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) async fn run(app: &App, args: &LogsArgs) -> Result<ExitStatus, CliError> {
    let loaded = app.load()?;
    let path = app.cache_dir().map(|cache| session_log::file(&cache.join(session_log::FOLDER), &args.name));
    let path = path.filter(|path| {
        path.symlink_metadata().is_ok() || args.follow || loaded.config.entry(&args.name).is_some()
    });
    let Some(path) = path else { return Err(loaded.unknown(&args.name)) };
    let unreadable = |error: FileError| {
        CliError::usage("log-unreadable", format!("the log of {} cannot be read", shown::name(&args.name)))
            .why(format!("{}: {error}", path.display()))
            .next("remove it; the next session makes a new one")
    };
    let mut reader = Reader::open(&path).map_err(unreadable)?;
    if reader.is_none() {
        app.output.note(&format!(
            "no session of {} has written anything yet; sessions are made by `mcplink bridge`\n",
            shown::name(&args.name)
        ));
    }
    loop {
        while let Some(line) = reader.as_mut().and_then(Reader::line) {
            app.output.out(&shown(app, &line));
        }
        if !args.follow || app.output.is_over() {
            return Ok(ExitStatus::Success);
        }
        tokio::time::sleep(PAUSE).await;
        // The file may have been put aside, or made, since.
        if reader.as_ref().is_none_or(|reader| reader.is_stale(&path)) {
            reader = Reader::open(&path).map_err(unreadable)?.or(reader);
        }
    }
}

/// A file that others append to.
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

/// A line for people, or as it stands with `--json`.
fn shown(app: &App, line: &str) -> String {
    if app.json {
        return line.to_owned();
    }
    match serde_json::from_str::<Record>(line) {
        Ok(record) => format!("{}  {:>7}  {}\n", record.at, record.pid, shown::line(&words(&record.event))),
        // A newer version may write what this one does not know.
        Err(_) => format!("{}\n", shown::line(line)),
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
                Some(message) => format!("{status}{which}: {message}"),
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
            format!("{provider} {ended} in {duration_ms} ms{headers}")
        }
        Event::Refused { provider, http_status, recovery } => {
            format!("refused with {http_status}; {provider}: {recovery}")
        }
    }
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
        let status = |message: Option<&str>, connection| Event::Status {
            status: "needs-auth".into(),
            reason: None,
            message: message.map(str::to_owned),
            connection,
            attempt: 1,
        };
        for (event, expected) in [
            (helper(Some(0)), "headers-helper ran in 42 ms, headers authorization"),
            (helper(Some(3)), "headers-helper failed with code 3 in 42 ms, headers authorization"),
            (helper(None), "headers-helper did not end by itself in 42 ms, headers authorization"),
            (status(Some("why"), 0), "needs-auth: why"),
            (status(None, 2), "needs-auth (connection 2)"),
            (
                Event::Refused { provider: "p".into(), http_status: 401, recovery: "retry".into() },
                "refused with 401; p: retry",
            ),
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
