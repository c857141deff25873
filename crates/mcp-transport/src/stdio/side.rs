//! What a command prints beside the protocol: for the person who has to find out what went wrong.

use std::collections::VecDeque;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mcp_text::{Secrets, shell_word};

use super::dialect::{Dialect, readable};
use crate::endpoint::StdioEndpoint;
use crate::error::TransportError;
use mcp_text::telling::{self, Excerpt};

/// How much of the beginning of standard error is kept, in bytes: where installers and launchers say what went wrong.
const STDERR_HEAD: usize = 4 << 10;
/// How much of its end is kept, in bytes, where the cause usually is.
const STDERR_TAIL: usize = 8 << 10;
/// How many stray lines are kept: the first ones, which show what kind they are.
const STRAY_KEPT: usize = 3;
/// How much of a stray line is kept, in bytes.
pub(super) const STRAY_BYTES: usize = 200;
/// How much of the line that gives a dialect away is told, in columns.
const DIALECT_LINE: usize = 60;
/// How much of the command line is told, in columns.
const COMMAND_LINE: usize = 120;

/// A snapshot of it, without what is known to be secret or looks like it.
#[derive(Clone, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SideOutput {
    /// The beginning of standard error, 4 KiB at most, where `stderr_tail` does not begin with it.
    pub stderr_head: String,
    /// The end of standard error, 8 KiB at most.
    pub stderr_tail: String,
    /// How many lines of standard output were no messages.
    pub stray_lines: u64,
    /// The first of them, shortened.
    pub first_stray: Vec<String>,
    /// A line of standard output that was not ended, shortened: a question, most likely. Only before the first message.
    pub unfinished: String,
    /// What else there is to tell.
    circumstances: ExitContext,
}

/// What is told beside what was printed.
#[derive(Clone, Default, Eq, PartialEq)]
struct ExitContext {
    /// What is on standard output decides, not what is on standard error.
    garbage: bool,
    /// What it speaks in place of MCP, and the line that says so.
    dialect: Option<(Dialect, String)>,
    /// How long the command lived, where it has ended.
    lived: Option<Duration>,
    /// The command line, as it was run.
    line: String,
    /// What is most likely wrong with how it was run.
    note: Option<String>,
}

impl SideOutput {
    /// The line that most likely says what went wrong.
    fn telling(&self) -> Option<String> {
        let stderr = [&*self.stderr_head, &*self.stderr_tail].concat();
        let stdout = || {
            let lines =
                self.first_stray.iter().chain((!self.unfinished.is_empty()).then_some(&self.unfinished));
            lines.map(String::as_str).collect::<Vec<_>>().join("\n")
        };
        let shown = |telling: Excerpt| mcp_text::sentence(&telling.to_text());
        let dialect = || {
            let (dialect, line) = self.circumstances.dialect.as_ref()?;
            let (what, change) = dialect.explanation();
            let line = mcp_text::line(line, DIALECT_LINE);
            Some(format!("its standard output is {what}, with `{line}`; {change}"))
        };
        if self.circumstances.garbage {
            if let Some(words) = dialect() {
                return Some(words);
            }
            let first = self.first_stray.first()?;
            return Some(format!("its standard output begins with `{}`", mcp_text::line(first, STRAY_BYTES)));
        }
        telling::by_form(&stderr)
            .map(shown)
            .or_else(dialect)
            .or_else(|| telling::by_form(&stdout()).or_else(|| telling::by_place(&stderr)).map(shown))
            .or_else(|| {
                let first =
                    self.first_stray.first().or(Some(&self.unfinished)).filter(|line| !line.is_empty())?;
                Some(format!("on its standard output, `{}`", mcp_text::line(first, STRAY_BYTES)))
            })
    }

    /// Whether it waits for an answer to a question, which only a terminal could give.
    pub(crate) fn asks(&self) -> bool {
        let stderr = [&*self.stderr_head, &*self.stderr_tail].concat();
        let is_question = |text: &str| matches!(telling::by_form(text), Some(Excerpt::Question(_)));
        is_question(&stderr) || is_question(&self.unfinished)
    }

    /// What it printed last: for a caller that waits.
    pub(crate) fn latest(&self) -> Option<String> {
        let last =
            |text: &str| text.rsplit(['\n', '\r']).map(mcp_text::sentence).find(|line| !line.is_empty());
        last(&self.stderr_tail)
            .or_else(|| last(&self.unfinished))
            .or_else(|| last(self.first_stray.last().map_or("", String::as_str)))
    }
}

impl fmt::Display for SideOutput {
    /// One line, bounded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ExitContext { lived, line, note, .. } = &self.circumstances;
        match (self.telling(), note) {
            (Some(words), Some(note)) => return write!(f, "{words}; {note}"),
            (Some(words), None) if has_line_end_of_windows(&words) => {
                return write!(f, "{words}; its file has the line ends of Windows: save it with LF");
            }
            (Some(words), None) => return f.write_str(&words),
            (None, Some(note)) => return f.write_str(note),
            (None, None) => {}
        }
        f.write_str("it printed nothing")?;
        if let Some(lived) = lived {
            write!(f, " in the {} that it lived", seconds(*lived))?;
        }
        if !line.is_empty() {
            write!(f, "; it was run as `{line}`")?;
        }
        Ok(())
    }
}

/// Whether a carriage return was taken for a part of a name: `env` and shells show it like this.
fn has_line_end_of_windows(words: &str) -> bool {
    ["\\r'", "\\r\u{2019}", "^M:"].iter().any(|end| words.contains(end))
}

/// A time in words: in seconds, short ones in two digits.
fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match time.as_secs() {
        0 => format!("{seconds:.2} s"),
        1..10 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}

impl fmt::Debug for SideOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: a log gets the sizes only.
        f.debug_struct("SideOutput")
            .field("stderr_bytes", &(self.stderr_head.len() + self.stderr_tail.len()))
            .field("stray_lines", &self.stray_lines)
            .finish_non_exhaustive()
    }
}

impl Error for SideOutput {}

impl TransportError {
    /// What the command of a stdio server printed beside the protocol, where this error ended its connection.
    pub fn side_output(&self) -> Option<&SideOutput> {
        // It is shared by all requests that failed with the connection, hence the `Arc`.
        self.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?.downcast_ref()
    }
}

/// Where it is collected. Clones share it.
#[derive(Clone)]
pub(crate) struct Side {
    state: Arc<Mutex<State>>,
    secrets: Arc<Secrets>,
    /// The command line, as it may be told.
    line: Arc<str>,
    began: Instant,
}

#[derive(Default)]
struct State {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// How much of standard error there was.
    stderr: usize,
    stray_lines: u64,
    first_stray: Vec<String>,
    unfinished: String,
    dialect: Option<(Dialect, String)>,
}

/// How a command ended, as far as what it printed is to be read in its light.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    /// It printed something else than messages.
    pub(super) garbage: bool,
    /// What is most likely wrong with how it was run.
    pub(super) note: Option<String>,
    /// It had sent a message, so how it was run is not what was wrong.
    pub(super) spoken: bool,
}

impl Side {
    /// What `endpoint` prints. Its secrets leave this as little as they leave the program.
    pub(super) fn new(endpoint: &StdioEndpoint) -> Self {
        let word = |word: &OsString| match word.to_string_lossy() {
            // What shows that the next word is a secret stays as it is written.
            flag if flag.starts_with('-') && !flag.contains([' ', '\'', '"']) => flag.into_owned(),
            word => shell_word(&word),
        };
        let words = std::iter::once(&endpoint.command).chain(&endpoint.args).map(word);
        let line = words.collect::<Vec<_>>().join(" ");
        Self {
            state: Arc::default(),
            secrets: Arc::new(endpoint.secrets.clone()),
            line: endpoint.secrets.line(&line, COMMAND_LINE).into(),
            began: Instant::now(),
        }
    }

    /// What the server must not repeat.
    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(super) fn stderr(&self, chunk: &[u8]) {
        let mut state = self.state();
        let room = STDERR_HEAD - state.head.len();
        state.head.extend(&chunk[..chunk.len().min(room)]);
        state.stderr = state.stderr.saturating_add(chunk.len());
        let chunk = &chunk[chunk.len().saturating_sub(STDERR_TAIL)..];
        let excess = (state.tail.len() + chunk.len()).saturating_sub(STDERR_TAIL);
        state.tail.drain(..excess);
        state.tail.extend(chunk);
    }

    /// Counts a line that is not a message, and returns how many there were.
    pub(super) fn stray(&self, line: &[u8]) -> u64 {
        let mut state = self.state();
        state.stray_lines += 1;
        if state.first_stray.len() < STRAY_KEPT {
            state.first_stray.push(begin(line));
        }
        state.stray_lines
    }

    /// Keeps the first dialect that was heard: what follows is part of it.
    pub(super) fn heard(&self, dialect: Dialect, line: &[u8]) {
        self.state().dialect.get_or_insert_with(|| (dialect, begin(line)));
    }

    /// Keeps the beginning of a line whose end has not come yet.
    pub(super) fn unfinished(&self, line: &[u8]) {
        self.state().unfinished = begin(line);
    }

    pub(crate) fn snapshot(&self) -> SideOutput {
        let state = self.state();
        let (front, back) = state.tail.as_slices();
        let tail = [front, back].concat();
        // Where both are of the same text, it is told once.
        let begins_later = state.stderr.saturating_sub(tail.len());
        let head = &state.head[..state.head.len().min(begins_later)];
        let hide = |text: &str| self.secrets.hide(text).into_owned();
        SideOutput {
            stderr_head: hide(String::from_utf8_lossy(head).trim_end_matches('\u{fffd}')),
            // Cut in the middle of a character, the tail begins with its continuation bytes.
            stderr_tail: hide(String::from_utf8_lossy(&tail).trim_start_matches('\u{fffd}')),
            stray_lines: state.stray_lines,
            first_stray: state.first_stray.iter().map(|line| hide(line)).collect(),
            unfinished: hide(&state.unfinished),
            circumstances: ExitContext {
                line: self.line.to_string(),
                dialect: state.dialect.as_ref().map(|(dialect, line)| (*dialect, hide(line))),
                ..ExitContext::default()
            },
        }
    }

    /// The same of a command that has ended.
    pub(super) fn at_the_end(&self, end: End) -> SideOutput {
        let mut snapshot = self.snapshot();
        snapshot.circumstances.garbage = end.garbage;
        snapshot.circumstances.note = end.note;
        if end.spoken {
            snapshot.circumstances.line.clear();
            snapshot.circumstances.dialect = None;
        } else {
            snapshot.circumstances.lived = Some(self.began.elapsed());
        }
        snapshot
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning of a line, as it is kept.
fn begin(line: &[u8]) -> String {
    mcp_text::line(&readable(&line[..line.len().min(STRAY_BYTES)]), STRAY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(secrets: &[&str]) -> Side {
        let mut endpoint = StdioEndpoint::new("srv");
        endpoint.args = ["--api-key", "canary", "a b"].map(Into::into).into();
        endpoint.secrets = secrets.iter().copied().collect();
        Side::new(&endpoint)
    }

    #[test]
    fn secrets_leave_what_it_said_and_the_longest_first() {
        let side = side(&["canary", "canary-longer", ""]);
        side.stderr(b"error: KEY=canary-longer OTHER=canary\n");
        side.stray(b"my key is canary");
        let shown = side.snapshot();
        assert_eq!(shown.stderr_tail, "error: KEY=[redacted] OTHER=[redacted]\n");
        assert_eq!(shown.first_stray, ["my key is [redacted]"]);
    }

    #[test]
    fn s_n09_stderr_is_cleaned_of_what_looks_secret_and_of_every_spelling() {
        let side = side(&["pw12", "canary/value+1"]);
        side.stderr(b"error: ghp_canarycanarycanary postgres://u:canary@h/db --api-key canary\n");
        side.stderr(b"error: pw12 canary%2Fvalue%2B1 Y2FuYXJ5L3ZhbHVlKzE=\n");
        side.stderr(b"-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n");
        side.stray(b"{\"password\": \"canary\"}");
        let shown = side.snapshot();
        let text = format!("{} {:?}", shown.stderr_tail, shown.first_stray);
        for gone in ["canary", "pw12", "Y2FuYXJ5"] {
            assert!(!text.contains(gone), "{text}");
        }
        assert!(text.contains("error: [redacted] postgres://[redacted]@h/db --api-key [redacted]"), "{text}");
    }

    #[test]
    fn the_tail_is_the_end_and_bounded() {
        let side = side(&[]);
        for line in 0..10_000 {
            side.stderr(format!("line {line}\n").as_bytes());
        }
        let tail = side.snapshot().stderr_tail;
        assert!(tail.len() <= STDERR_TAIL && tail.len() > STDERR_TAIL - 20);
        assert!(tail.ends_with("line 9999\n"));
        side.stderr(&[b'y'; 3 * STDERR_TAIL]);
        assert_eq!(side.snapshot().stderr_tail, "y".repeat(STDERR_TAIL));
        side.stderr("é".repeat(STDERR_TAIL / 2).as_bytes());
        side.stderr(b"!");
        assert!(side.snapshot().stderr_tail.starts_with('é'), "no half character");
    }

    #[test]
    fn stray_lines_are_counted_and_a_few_kept_short() {
        let side = side(&[]);
        assert_eq!(side.stray(b"\x1b[1mbanner\r"), 1);
        for _ in 0..1_000 {
            side.stray(&[b'x'; 5_000]);
        }
        let seen = side.snapshot();
        assert_eq!((seen.stray_lines, seen.first_stray.len()), (1_001, STRAY_KEPT));
        assert_eq!(seen.first_stray[0], "banner");
        assert_eq!(seen.first_stray[1].len(), STRAY_BYTES);
    }

    #[test]
    fn fc_c1_the_beginning_is_kept_beside_the_end_and_nothing_twice() {
        let all = side(&[]);
        all.stderr(b"npm error 404 Not Found - GET https://r/nope\n");
        assert_eq!(all.snapshot().stderr_head, "", "it is in the tail");
        for line in 0..5_000 {
            all.stderr(format!("error: line {line}\n").as_bytes());
        }
        let seen = all.snapshot();
        assert!(seen.stderr_head.starts_with("npm error 404") && seen.stderr_head.len() <= STDERR_HEAD);
        assert!(seen.stderr_tail.ends_with("line 4999\n") && !seen.stderr_tail.contains("npm"));
        assert_eq!(seen.to_string(), "npm error 404 Not Found - GET https://r/nope");
        // Not so much that both are full, and more than the tail holds.
        let some = side(&[]);
        some.stderr(&[b'a'; 100]);
        some.stderr(&[b'b'; STDERR_TAIL - 10]);
        let seen = some.snapshot();
        assert_eq!((seen.stderr_head.as_str(), seen.stderr_tail.len()), (&*"a".repeat(90), STDERR_TAIL));
    }

    #[test]
    fn fa_a18_what_is_on_standard_output_counts_where_standard_error_says_nothing() {
        let with = |stderr: &str, stray: &[&str], unfinished: &str| {
            let side = side(&[]);
            side.stderr(stderr.as_bytes());
            for line in stray {
                side.stray(line.as_bytes());
            }
            side.unfinished(unfinished.as_bytes());
            side.snapshot().to_string()
        };
        let asks = "it asks \"Ok to proceed? (y)\", which cannot be answered here";
        assert_eq!(with("", &["starting"], ""), "on its standard output, `starting`");
        assert_eq!(with("", &[], "loading"), "on its standard output, `loading`");
        assert_eq!(with("npm warn old\n", &[], "Ok to proceed? (y) "), asks);
        assert_eq!(with("pulling image\n", &["starting"], ""), "pulling image");
        assert_eq!(with("error: no key\n", &[], "Ok to proceed? (y) "), "error: no key");
    }

    #[test]
    fn fc_c3_silence_is_told_with_the_command_line_and_how_long_it_lived() {
        let quiet = side(&[]);
        let report = quiet.at_the_end(End::default()).to_string();
        let (lived, line) = report.split_once("; ").unwrap();
        assert!(
            lived.starts_with("it printed nothing in the 0.") && lived.ends_with(" s that it lived"),
            "{report}"
        );
        assert_eq!(line, "it was run as `srv --api-key [redacted] 'a b'`");
        assert_eq!(
            quiet.snapshot().to_string(),
            "it printed nothing; it was run as `srv --api-key [redacted] 'a b'`"
        );
        let spoken = quiet.at_the_end(End { spoken: true, ..End::default() });
        assert_eq!(spoken.to_string(), "it printed nothing");
        let noted = quiet.at_the_end(End { note: Some("a note".to_owned()), ..End::default() });
        assert_eq!(noted.to_string(), "a note");
        quiet.stderr(b"oh\n");
        let noted = quiet.at_the_end(End { note: Some("a note".to_owned()), ..End::default() });
        assert_eq!(noted.to_string(), "oh; a note");
    }

    #[test]
    fn fa_a13_garbage_is_quoted_whatever_is_on_standard_error() {
        let side = side(&[]);
        side.stderr(b"error: something\n");
        side.stray(b"HTTP/1.1 400 Bad Request");
        let end = End { garbage: true, ..End::default() };
        assert_eq!(
            side.at_the_end(end).to_string(),
            "its standard output begins with `HTTP/1.1 400 Bad Request`"
        );
    }

    #[test]
    fn fa_a13_fa_a15_a_dialect_is_told_with_how_it_begins_and_what_to_change() {
        let side = side(&["canary"]);
        side.heard(Dialect::Headers, b"Content-Length: 5 canary\x1b[2J\r");
        side.heard(Dialect::SeveralLines, b"{");
        let words = "its standard output is framed with headers, as in the Language Server Protocol, with `Content-Length: 5 [redacted]`; \
                     MCP has no headers: print each message on a line of its own";
        assert_eq!(side.snapshot().to_string(), words);
        side.stderr(b"error: no key\n");
        assert_eq!(side.snapshot().to_string(), "error: no key");
        let garbage = End { garbage: true, ..End::default() };
        assert_eq!(side.at_the_end(garbage).to_string(), words);
        let spoken = side.at_the_end(End { spoken: true, ..End::default() });
        assert_eq!(spoken.to_string(), "error: no key");
    }

    #[test]
    fn what_was_printed_last_is_for_who_waits() {
        let side = side(&["canary"]);
        assert_eq!(side.snapshot().latest(), None);
        side.stray(b"one");
        assert_eq!(side.snapshot().latest().as_deref(), Some("one"));
        side.unfinished(b"two");
        assert_eq!(side.snapshot().latest().as_deref(), Some("two"));
        side.stderr(b"10%\r50% canary\r\n");
        assert_eq!(side.snapshot().latest().as_deref(), Some("50% [redacted]"));
        assert_eq!(
            [0.04, 1.25, 62.4].map(|time| seconds(Duration::from_secs_f64(time))),
            ["0.04 s", "1.2 s", "62 s"]
        );
    }

    #[test]
    fn a_log_of_it_shows_sizes_only() {
        let side = side(&[]);
        side.stderr(b"canary");
        side.stray(b"canary");
        let seen = side.snapshot();
        assert!(!format!("{seen:?}").contains("canary"));
        assert_eq!(seen.to_string(), "canary");
    }
}
