//! Diagnostic logs: on stderr, only when asked for with `-v` or `RUST_LOG`.

use std::io::{self, Write};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::environment::Environment;

/// Who listens to spans and events.
pub(crate) type Layers = Vec<Box<dyn Layer<Registry> + Send + Sync>>;

/// Starts logging, and whatever else listens. `RUST_LOG` wins over `-v`; without either nothing is logged, and
/// nothing is set up where nothing else listens.
pub(crate) fn start(verbose: u8, environment: &Environment, mut layers: Layers) {
    let directives = match (environment.text("RUST_LOG"), verbose) {
        (Some(directives), _) => Some(directives.to_owned()),
        (None, 0) => None,
        (None, 1) => Some(OURS.map(|name| format!("{name}=info")).join(",")),
        (None, _) => Some(format!("debug,{}", OURS.map(|name| format!("{name}=trace")).join(","))),
    };
    if let Some(directives) = directives {
        let log = fmt::layer().with_writer(|| LineWriter(io::stderr())).with_ansi(false);
        // Only developers of this program know the names of modules.
        let log = log.with_target(verbose != 1 || environment.text("RUST_LOG").is_some());
        layers.push(log.with_filter(EnvFilter::new(directives)).boxed());
    }
    if !layers.is_empty() {
        // A second call in one process (tests) keeps the first subscriber.
        drop(tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layers)));
    }
}

const OURS: [&str; 5] = ["mcp_auth", "mcp_cli", "mcp_config", "mcp_status", "mcp_transport"];

/// Writes each event as one harmless line: what a server, a helper or a library puts into it drives no terminal and looks
/// like no other line.
struct LineWriter<W>(W);

impl<W: Write> Write for LineWriter<W> {
    /// The formatter hands over an event at a time, whole.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = mcp_text::line(&text, usize::MAX);
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct CapturedLog(Arc<Mutex<Vec<u8>>>);

    impl Write for CapturedLog {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn s_k4_an_event_is_one_line_of_the_log() {
        let kept = CapturedLog::default();
        let writer = kept.clone();
        let log = fmt::layer().with_writer(move || LineWriter(writer.clone())).with_ansi(false);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log), || {
            let said = "no\r\n2026-11-28T00:00:00Z  INFO fake: connected\u{2028}x\u{1b}[2J\u{9b}2J\u{202e}";
            tracing::info!(stderr = %said, reason = ?said, "{said}");
            tracing::info!("next");
        });
        let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(log.lines().count(), 2, "{log}");
        assert!(log.ends_with("next\n"), "{log}");
        assert!(
            !log.contains(|c: char| c.is_control() && c != '\n' || "\u{2028}\u{202e}".contains(c)),
            "{log:?}"
        );
    }
}
