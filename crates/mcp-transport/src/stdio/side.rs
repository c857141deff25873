//! What a command prints beside the protocol: for the person who has to find out what went wrong.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_text::Secrets;

use crate::TransportError;

/// How much of standard error is kept, in bytes: its end, where the cause usually is.
const STDERR_TAIL: usize = 8 << 10;
/// How many stray lines are kept: the first ones, which show what kind they are.
const STRAY_KEPT: usize = 3;
/// How much of a stray line is kept, in bytes.
pub(super) const STRAY_BYTES: usize = 200;

/// A snapshot of it, without what is known to be secret or looks like it.
#[derive(Clone, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SideOutput {
    /// The end of standard error, 8 KiB at most.
    pub stderr_tail: String,
    /// How many lines of standard output were no messages.
    pub stray_lines: u64,
    /// The first of them, shortened.
    pub first_stray: Vec<String>,
}

impl SideOutput {
    /// The one line that most likely says what went wrong.
    ///
    /// The last line alone often does not: interpreters end with a version or the last frame of a stack. So
    /// the last line that speaks of an error is preferred, and indented lines (stack frames) come last.
    fn telling_line(&self) -> Option<&str> {
        let lines = || self.stderr_tail.lines().rev().filter(|line| !line.trim().is_empty());
        let flush = || lines().filter(|line| !line.starts_with([' ', '\t']));
        let speaks = |line: &&str| line.to_ascii_lowercase().contains("error");
        flush()
            .find(speaks)
            .or_else(|| flush().next())
            .or_else(|| lines().next())
            .or_else(|| self.first_stray.first().map(String::as_str))
            .map(str::trim)
    }
}

impl fmt::Display for SideOutput {
    /// One line, bounded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.telling_line() {
            Some(line) => f.write_str(&mcp_text::sentence(line)),
            None => f.write_str("the command said nothing"),
        }
    }
}

impl fmt::Debug for SideOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: a log gets the sizes only.
        f.debug_struct("SideOutput")
            .field("stderr_bytes", &self.stderr_tail.len())
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
#[derive(Clone, Default)]
pub(super) struct Side {
    state: Arc<Mutex<State>>,
    secrets: Arc<Secrets>,
}

#[derive(Default)]
struct State {
    stderr: VecDeque<u8>,
    stray_lines: u64,
    first_stray: Vec<String>,
}

impl Side {
    /// `secrets` leave it as little as they leave the program.
    pub(super) fn new(secrets: &Secrets) -> Self {
        Self { state: Arc::default(), secrets: Arc::new(secrets.clone()) }
    }

    /// What the server must not repeat.
    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(super) fn stderr(&self, chunk: &[u8]) {
        let chunk = &chunk[chunk.len().saturating_sub(STDERR_TAIL)..];
        let stderr = &mut self.state().stderr;
        let excess = (stderr.len() + chunk.len()).saturating_sub(STDERR_TAIL);
        stderr.drain(..excess);
        stderr.extend(chunk);
    }

    /// Counts a line that is no message, and returns how many there were.
    pub(super) fn stray(&self, line: &[u8]) -> u64 {
        let mut state = self.state();
        state.stray_lines += 1;
        if state.first_stray.len() < STRAY_KEPT {
            let head = String::from_utf8_lossy(&line[..line.len().min(STRAY_BYTES)]);
            state.first_stray.push(mcp_text::line(&head, STRAY_BYTES));
        }
        state.stray_lines
    }

    pub(super) fn snapshot(&self) -> SideOutput {
        let state = self.state();
        let (front, back) = state.stderr.as_slices();
        let stderr = [front, back].concat();
        let hide = |text: &str| self.secrets.hide(text).into_owned();
        SideOutput {
            // Cut in the middle of a character, the tail begins with its continuation bytes.
            stderr_tail: hide(String::from_utf8_lossy(&stderr).trim_start_matches('\u{fffd}')),
            stray_lines: state.stray_lines,
            first_stray: state.first_stray.iter().map(|line| hide(line)).collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_leave_what_it_said_and_the_longest_first() {
        let side = Side::new(&["canary", "canary-longer", ""].into_iter().collect());
        side.stderr(b"error: KEY=canary-longer OTHER=canary\n");
        side.stray(b"my key is canary");
        let shown = side.snapshot();
        assert_eq!(shown.stderr_tail, "error: KEY=[redacted] OTHER=[redacted]\n");
        assert_eq!(shown.first_stray, ["my key is [redacted]"]);
    }

    #[test]
    fn s_n09_stderr_is_cleaned_of_what_looks_secret_and_of_every_spelling() {
        let side = Side::new(&["pw12", "canary/value+1"].into_iter().collect());
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
        let side = Side::default();
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
        let side = Side::default();
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
    fn the_telling_line_is_found() {
        let table = [
            ("npm warn x\nmissing API key\n\n", "missing API key"),
            ("Traceback:\n  File \"a\"\nKeyError: 'API_KEY'\n", "KeyError: 'API_KEY'"),
            ("Error: no key\n    at f (node:internal/errors:1)\n\nNode.js v20.1.0\n", "Error: no key"),
            ("  only indented\n", "only indented"),
            ("", "the command said nothing"),
        ];
        for (stderr, expected) in table {
            let side = SideOutput { stderr_tail: stderr.to_owned(), ..SideOutput::default() };
            assert_eq!(side.to_string(), expected);
        }
        let side = SideOutput { first_stray: vec!["usage: x".into()], ..SideOutput::default() };
        assert_eq!(side.to_string(), "usage: x");
    }

    #[test]
    fn a_log_of_it_shows_sizes_only() {
        let side = Side::default();
        side.stderr(b"canary");
        side.stray(b"canary");
        let seen = side.snapshot();
        assert!(!format!("{seen:?}").contains("canary"));
        assert_eq!(seen.to_string(), "canary");
    }
}
