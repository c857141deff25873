//! The progress of a request on one line of a terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mcp_text::Secrets;
use mcp_transport::handler::{Progress, ProgressSink};

use crate::output::Output;
use crate::view::shown;

const WIDTH: usize = 20;

/// Draws progress on stderr while a request is under way, and removes it afterwards.
#[derive(Debug)]
pub(crate) struct ProgressLine {
    output: Arc<Output>,
    drawn: Arc<AtomicBool>,
    /// What the server may not repeat on it.
    secrets: Secrets,
}

impl ProgressLine {
    /// A line on `output`.
    pub(crate) fn new(output: Arc<Output>, secrets: Secrets) -> Self {
        Self { output, drawn: Arc::default(), secrets }
    }

    /// What draws it; `None` where it would not be seen.
    pub(crate) fn sink(&self) -> Option<ProgressSink> {
        if !self.output.stderr_is_terminal || self.output.quiet {
            return None;
        }
        let (output, drawn, secrets) = (self.output.clone(), self.drawn.clone(), self.secrets.clone());
        Some(Arc::new(move |progress| {
            drawn.store(true, Ordering::Relaxed);
            // One row, or the next one could not take its place.
            let room = crate::terminal::terminal_size().0.saturating_sub(1);
            let line = secrets.hide_known(&line(&progress)).into_owned();
            output.error(&format!("\r\u{1b}[K{}", mcp_text::line(&line, room)));
        }))
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.drawn.load(Ordering::Relaxed) {
            self.output.error("\r\u{1b}[K");
        }
    }
}

/// `[#####---------------]  5/20  what is being done`.
fn line(progress: &Progress) -> String {
    let message = progress.message.as_deref().map(shown::line).unwrap_or_default();
    let text = match progress.total.filter(|total| *total > 0.0) {
        Some(total) => {
            let part = (progress.progress / total).clamp(0.0, 1.0);
            // Between 0 and WIDTH, so neither sign nor size is lost.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to WIDTH")]
            let filled = (part * WIDTH as f64).round() as usize;
            let (done, left) = ("#".repeat(filled), "-".repeat(WIDTH - filled));
            format!("[{done}{left}]  {}/{total}  {message}", progress.progress)
        }
        None => format!("{}  {message}", progress.progress),
    };
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        line(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn progress_is_a_bar_where_its_end_is_known() {
        assert_eq!(
            shown(r#"{"progress":5,"total":20,"message":"x\ny"}"#),
            "[#####---------------]  5/20  x y"
        );
        assert_eq!(shown(r#"{"progress":9,"total":4}"#), "[####################]  9/4");
        assert_eq!(shown(r#"{"progress":3}"#), "3");
        assert_eq!(shown(r#"{"progress":3,"total":0}"#), "3");
    }
}
