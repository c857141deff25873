//! Standard output and standard error: who may write what where, and whether a person is looking.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::args::ColorArg;
use crate::terminal::terminal_size;
use crate::view::link::linked;
use crate::view::live::FullScreen;
use crate::view::wrap::paragraph;

/// The two streams and what they are connected to.
#[derive(Debug)]
pub(crate) struct Output {
    /// Whether stdout is a terminal of any kind, so that what is written to it acts on it.
    looked_at: bool,
    /// Whether stdout is a terminal that can be drawn on.
    pub(crate) stdout_is_terminal: bool,
    /// Whether stderr is a terminal that can be drawn on.
    pub(crate) stderr_is_terminal: bool,
    /// Whether stderr is a terminal of any kind, so that a question on it is seen.
    pub(crate) asks: bool,
    /// Whether diagnostic logs go to the terminal, line by line, past everything here.
    logs: bool,
    /// Whether text on stdout is coloured.
    pub(crate) color: bool,
    /// Whether progress and warnings are left out: on request, or because a program reads what is written.
    pub(crate) quiet: bool,
    /// Whether URLs and places in files are links, on a terminal.
    links: bool,
    // One writer at a time: status lines of several servers must not mix.
    lock: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    written: StdoutState,
    /// What is on the terminal and will be replaced. It goes before anything else is written.
    whole: FullScreen,
    waiting: WaitingLine,
}

/// One line on stderr that says what is waited for, as long as nothing else is there to be seen.
#[derive(Debug, Default)]
struct WaitingLine {
    is_there: bool,
    /// Whether something stands on the last line of stderr that has no end, such as a question or a bar.
    is_taken: bool,
}

/// Takes away what stands on the line of the cursor.
const LINE_AWAY: &str = "\r\u{1b}[K";

impl WaitingLine {
    /// What has to go to stderr first, `text` being what is written there next.
    fn before(&mut self, text: &str) -> &'static str {
        if !text.is_empty() {
            self.is_taken = !text.ends_with(['\n', '\r']) && !text.ends_with(LINE_AWAY);
        }
        self.away()
    }

    fn away(&mut self) -> &'static str {
        if std::mem::take(&mut self.is_there) { LINE_AWAY } else { "" }
    }

    /// What shows `text`, cut to so many columns; nothing where something else is on that line.
    fn replace(&mut self, text: &str, columns: usize) -> Option<String> {
        if self.is_taken {
            return None;
        }
        self.is_there = true;
        // One row, or it could not be taken away; the last column is where some terminals wrap.
        Some(format!("{LINE_AWAY}{}", mcp_text::line(text, columns.saturating_sub(1))))
    }
}

/// What became of what was written to stdout.
#[derive(Clone, Debug, Default)]
enum StdoutState {
    #[default]
    AllOfIt,
    /// The reader went away: what it did not want is dropped.
    UntilItHadEnough,
    /// It could not be written, because of this.
    Lost(String),
}

impl Output {
    /// The streams of this process.
    pub(crate) fn of_process(color: ColorArg, no_color: bool, dumb_terminal: bool, quiet: bool) -> Self {
        let stdout_is_terminal = io::stdout().is_terminal();
        let color = match color {
            ColorArg::Always => true,
            ColorArg::Never => false,
            ColorArg::Auto => stdout_is_terminal && !no_color && !dumb_terminal,
        };
        Self {
            looked_at: stdout_is_terminal,
            stdout_is_terminal: stdout_is_terminal && !dumb_terminal,
            stderr_is_terminal: io::stderr().is_terminal() && !dumb_terminal,
            asks: io::stderr().is_terminal(),
            logs: false,
            color,
            quiet,
            links: false,
            lock: Mutex::default(),
        }
    }

    /// With diagnostic logs on stderr, or without.
    #[must_use]
    pub(crate) fn with_logs(mut self, logs: bool) -> Self {
        self.logs = logs;
        self
    }

    /// With links where a stream is a terminal that can be drawn on, as far as `is_known` says that it takes them.
    #[must_use]
    pub(crate) fn with_links(mut self, is_known: bool) -> Self {
        self.links = is_known;
        self
    }

    /// Whether something may be drawn on stdout that is replaced afterwards: nothing comes in between that is not known here.
    pub(crate) fn draws(&self) -> bool {
        self.stdout_is_terminal && !(self.logs && self.asks)
    }

    /// Shows these lines and nothing else on the terminal, until anything else is written: none is wider than it, and all fit.
    pub(crate) fn paint(&self, lines: &[String]) {
        let mut state = self.state();
        state.clear_waiting();
        let text = state.whole.paint(lines);
        state.write(&[text.as_bytes()]);
    }

    /// Whether a person sees what [`waits`](Self::waits) says.
    pub(crate) fn shows_waiting(&self) -> bool {
        self.stderr_is_terminal && !self.quiet && !self.logs
    }

    /// Says on stderr what is waited for, until anything else is written: for a person who looks at a terminal, and nothing
    /// else.
    pub(crate) fn waits(&self, text: &str) {
        let mut state = self.state();
        if !self.shows_waiting() || state.whole.is_there() {
            return;
        }
        if let Some(line) = state.waiting.replace(text, terminal_size().0) {
            drop(io::stderr().lock().write_all(line.as_bytes()));
        }
    }

    /// Takes away what is drawn: this program ends, however it ends.
    pub(crate) fn clear(&self) {
        self.state().clear();
    }

    /// The same where this program ends by a fault of its own, perhaps while it writes: before that is told.
    fn clear_at_a_fault(&self) {
        if let Ok(mut state) = self.lock.try_lock() {
            state.clear();
        }
    }

    /// Writes to stdout. A reader that went away is not an error: what it did not want is dropped. Anything else that is
    /// lost is told at the end: see [`lost`](Self::lost).
    pub(crate) fn out(&self, text: &str) {
        let links = self.links && self.stdout_is_terminal;
        let text = if links { linked(text) } else { Cow::Borrowed(text) };
        self.out_all(&[text.as_bytes()]);
    }

    /// Writes to stdout, with a line end behind it unless there is one. The text, which may be large, is not copied.
    pub(crate) fn out_line(&self, text: &str) {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        self.out_all(&[text.as_bytes(), end.as_bytes()]);
    }

    fn out_all(&self, parts: &[&[u8]]) {
        let mut state = self.state();
        state.clear();
        state.write(parts);
    }

    /// Why not everything could be written that a reader still wanted.
    pub(crate) fn lost(&self) -> Option<String> {
        match &self.state().written {
            StdoutState::Lost(why) => Some(why.clone()),
            StdoutState::AllOfIt | StdoutState::UntilItHadEnough => None,
        }
    }

    /// Whether there is no use in writing more.
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.state().written, StdoutState::AllOfIt)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what a server sent as a result, with a line end behind it. What a person looks at must not drive the
    /// terminal; a pipe and a file get it byte for byte.
    pub(crate) fn content(&self, text: &str) {
        if self.looked_at {
            self.out_line(&mcp_text::block(text));
        } else {
            self.out_line(text);
        }
    }

    /// Writes raw bytes to stdout.
    pub(crate) fn out_bytes(&self, bytes: &[u8]) {
        self.out_all(&[bytes]);
    }

    /// Writes an error to stderr; never suppressed.
    pub(crate) fn error(&self, text: &str) {
        let mut state = self.state();
        state.clear();
        let away = state.waiting.before(text);
        let mut stderr = io::stderr().lock();
        drop(stderr.write_all(away.as_bytes()).and_then(|()| stderr.write_all(text.as_bytes())));
    }

    /// Writes a warning or a note to stderr, unless `--quiet`. On a terminal its lines wrap at words, but for a command,
    /// which is to be copied.
    pub(crate) fn note(&self, text: &str) {
        if self.quiet {
            return;
        }
        let columns = self.stderr_is_terminal.then(|| terminal_size().0);
        let fitted = text.split_inclusive('\n').map(|line| match line.strip_suffix('\n') {
            Some(line) if !line.starts_with("  next: ") => Cow::Owned(paragraph(line, columns)),
            _ => Cow::Borrowed(line),
        });
        self.note_fitted(&fitted.collect::<String>());
    }

    /// The same for lines that fit already.
    pub(crate) fn note_fitted(&self, text: &str) {
        if self.quiet {
            return;
        }
        let links = self.links && self.stderr_is_terminal;
        self.error(&if links { linked(text) } else { Cow::Borrowed(text) });
    }
}

impl State {
    fn write(&mut self, parts: &[&[u8]]) {
        if !matches!(self.written, StdoutState::AllOfIt) {
            return;
        }
        let mut stdout = io::stdout().lock();
        let ended = parts.iter().try_for_each(|part| stdout.write_all(part)).and_then(|()| stdout.flush());
        self.written = match ended {
            Ok(()) => StdoutState::AllOfIt,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => StdoutState::UntilItHadEnough,
            Err(error) => StdoutState::Lost(mcp_files::reason(&error)),
        };
    }

    fn clear_waiting(&mut self) {
        let away = self.waiting.away();
        if !away.is_empty() {
            drop(io::stderr().lock().write_all(away.as_bytes()));
        }
    }

    fn clear(&mut self) {
        self.clear_waiting();
        let leave = self.whole.leave();
        if !leave.is_empty() {
            self.write(&[leave.as_bytes()]);
        }
    }
}

/// Has a panic take away what is drawn by `output` before it is told: what is told would be gone with it, and the terminal
/// is that of a person.
pub(crate) fn clear_at_panics(output: &Arc<Output>) {
    let output = Arc::downgrade(output);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if let Some(output) = output.upgrade() {
            output.clear_at_a_fault();
        }
        hook(panic);
    }));
}

#[cfg(test)]
mod tests;
