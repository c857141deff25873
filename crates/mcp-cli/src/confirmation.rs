//! What a person types at this terminal: lines, and a `yes` that is meant.
//!
//! Where a stranger's wish is carried out on it, neither Enter nor what was typed before the question counts.

use std::fmt;

use futures_util::FutureExt as _;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader};

/// The lines that a person types.
pub(crate) struct Answers {
    lines: Box<dyn AsyncBufRead + Send + Unpin>,
    is_terminal: bool,
}

impl Answers {
    /// From the terminal of this process.
    pub(crate) fn of_terminal() -> Self {
        Self { lines: Box::new(BufReader::new(tokio::io::stdin())), is_terminal: true }
    }

    #[cfg(test)]
    pub(crate) fn of(lines: impl tokio::io::AsyncRead + Send + Unpin + 'static) -> Self {
        Self { lines: Box::new(BufReader::new(lines)), is_terminal: false }
    }

    /// The next line without its end; `None` when there is none.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        }
    }

    /// The line that answers what `ask` shows, of which the terminal shows nothing; `None` where there is none, or where that
    /// cannot be. What was typed before is forgotten.
    pub(crate) async fn unseen_line(&mut self, ask: impl FnOnce()) -> Option<String> {
        self.forget_typed();
        let _unseen = EchoOff::begin()?;
        ask();
        self.line().await
    }

    /// Forgets what was typed so far: it answers nothing that is asked from now on. Called before the question is shown.
    pub(crate) fn forget_typed(&mut self) {
        #[cfg(unix)]
        if self.is_terminal {
            // What the terminal still holds back. One that cannot forget has nothing to.
            let flushed = rustix::termios::tcflush(std::io::stdin(), rustix::termios::QueueSelector::IFlush);
            if let Err(error) = flushed {
                tracing::debug!(%error, "the terminal could not be made to forget what was typed");
            }
        }
        #[cfg(not(unix))]
        let _ = self.is_terminal;
        // And what has been read from it already.
        while let Some(Ok(held @ 1..)) =
            self.lines.fill_buf().now_or_never().map(|held| held.map(<[u8]>::len))
        {
            self.lines.consume(held);
        }
    }

    /// Whether the next line is `yes`, in full; `None` when there is no line.
    pub(crate) async fn yes(&mut self) -> Option<bool> {
        Some(self.line().await?.trim().eq_ignore_ascii_case("yes"))
    }
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct EchoOff {
    #[cfg(unix)]
    before: rustix::termios::Termios,
}

impl EchoOff {
    #[cfg(unix)]
    fn begin() -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &unseen).ok()?;
        Some(Self { before })
    }

    /// Not known how: nothing is asked for unseen.
    #[cfg(not(unix))]
    fn begin() -> Option<Self> {
        None
    }
}

#[cfg(unix)]
impl Drop for EchoOff {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing anyway.
        let _ =
            rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, &self.before);
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("is_terminal", &self.is_terminal).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn s_n14_only_a_yes_that_is_typed_in_full_is_one() {
        for (typed, expected) in [
            ("yes\n", Some(true)),
            ("YES \r\n", Some(true)),
            ("\n", Some(false)),
            ("y\n", Some(false)),
            ("yes please\n", Some(false)),
            ("no\n", Some(false)),
            ("", None),
        ] {
            assert_eq!(Answers::of(typed.as_bytes()).yes().await, expected, "{typed:?}");
        }
    }

    #[tokio::test]
    async fn s_n14_what_was_typed_before_the_question_is_no_answer() {
        let (mut keyboard, terminal) = tokio::io::duplex(1024);
        let mut answers = Answers::of(terminal);
        keyboard.write_all(b"first\nyes\nyes\n").await.unwrap();
        assert_eq!(answers.line().await.as_deref(), Some("first"));
        answers.forget_typed();
        keyboard.write_all(b"no\n").await.unwrap();
        assert_eq!(answers.yes().await, Some(false));
        drop(keyboard);
        assert_eq!(answers.yes().await, None, "nothing was left over");
    }
}
