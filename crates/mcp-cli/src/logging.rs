//! Diagnostic logs: on stderr, only when asked for with `-v` or `RUST_LOG`.

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::environment::Environment;

/// Who listens to spans and events.
pub(crate) type Layers = Vec<Box<dyn Layer<Registry> + Send + Sync>>;

/// Starts logging, and whatever else listens. `RUST_LOG` wins over `-v`; without either nothing is logged, and
/// nothing is set up where nobody else listens.
pub(crate) fn start(verbose: u8, environment: &Environment, mut layers: Layers) {
    let directives = match (environment.text("RUST_LOG"), verbose) {
        (Some(directives), _) => Some(directives.to_owned()),
        (None, 0) => None,
        (None, 1) => Some(OURS.map(|name| format!("{name}=info")).join(",")),
        (None, _) => Some(format!("debug,{}", OURS.map(|name| format!("{name}=trace")).join(","))),
    };
    if let Some(directives) = directives {
        let log = fmt::layer().with_writer(std::io::stderr).with_ansi(false);
        layers.push(log.with_filter(EnvFilter::new(directives)).boxed());
    }
    if !layers.is_empty() {
        // A second call in one process (tests) keeps the first subscriber.
        drop(tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layers)));
    }
}

const OURS: [&str; 5] = ["mcp_auth", "mcp_cli", "mcp_config", "mcp_status", "mcp_transport"];
