//! Diagnostic logs: on stderr, only when asked for with `-v` or `RUST_LOG`.

use std::io::{self, Write};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::environment::Environment;

/// Who listens to spans and events.
pub(crate) type Layers = Vec<Box<dyn Layer<Registry> + Send + Sync>>;

/// Starts logging, and whatever else listens. `RUST_LOG` wins over `-v`; without either nothing is logged, and
/// nothing is set up where nothing else listens.
///
/// With `json`, each event is a JSON document on a line, as everything else on stderr is then.
pub(crate) fn start(verbose: u8, json: bool, environment: &Environment, mut layers: Layers) {
    let directives = match (environment.text("RUST_LOG"), verbose) {
        (Some(directives), _) => Some(directives.to_owned()),
        (None, 0) => None,
        (None, 1) => Some(OURS.map(|name| format!("{name}=info")).join(",")),
        (None, _) => Some(format!("debug,{}", OURS.map(|name| format!("{name}=trace")).join(","))),
    };
    if let Some(directives) = directives {
        let log = fmt::layer().with_writer(move || LineWriter { inner: io::stderr(), json }).with_ansi(false);
        // Only developers of this program know the names of modules.
        let log = log.with_target(verbose != 1 || environment.text("RUST_LOG").is_some());
        let filter = EnvFilter::new(directives);
        layers.push(match json {
            true => log.json().with_filter(filter).boxed(),
            false => log.with_filter(filter).boxed(),
        });
    }
    if !layers.is_empty() {
        // A second call in one process (tests) keeps the first subscriber.
        drop(tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layers)));
    }
}

const OURS: [&str; 5] = ["mcp_auth", "mcp_cli", "mcp_config", "mcp_status", "mcp_transport"];

/// Writes each event as one harmless line: what a server, a helper or a library puts into it drives no terminal and looks
/// like no other line.
struct LineWriter<W> {
    inner: W,
    /// It is a JSON document, and stays one.
    json: bool,
}

impl<W: Write> Write for LineWriter<W> {
    /// The formatter hands over an event at a time, whole.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = match self.json {
            true => mcp_text::json(text.trim_end()).into_owned(),
            false => mcp_text::line(&text, usize::MAX),
        };
        line.push('\n');
        self.inner.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
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
        let log = fmt::layer().with_ansi(false);
        let logged = |log: Box<dyn Layer<Registry> + Send + Sync>| {
            kept.0.lock().unwrap().clear();
            tracing::subscriber::with_default(tracing_subscriber::registry().with(log), || {
                let said =
                    "no\r\n2026-11-28T00:00:00Z  INFO fake: connected\u{2028}x\u{1b}[2J\u{9b}2J\u{202e}";
                tracing::info!(stderr = %said, reason = ?said, "{said}");
                tracing::info!("next");
            });
            let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            assert_eq!(log.lines().count(), 2, "{log}");
            assert!(
                !log.contains(|c: char| c.is_control() && c != '\n' || "\u{2028}\u{202e}".contains(c)),
                "{log:?}"
            );
            log
        };
        let lines = {
            let writer = writer.clone();
            log.with_writer(move || LineWriter { inner: writer.clone(), json: false })
        };
        assert!(logged(lines.boxed()).ends_with("next\n"));
        // What reads JSON reads each line of it.
        let log = fmt::layer().with_ansi(false).json();
        let documents = log.with_writer(move || LineWriter { inner: writer.clone(), json: true });
        for line in logged(documents.boxed()).lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(event["level"], "INFO", "{line}");
        }
    }
}
