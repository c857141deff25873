//! Diagnostic logs: on stderr, only when asked for with `-v` or `RUST_LOG`.

use tracing_subscriber::EnvFilter;

use crate::environment::Environment;

/// Starts logging. `RUST_LOG` wins over `-v`; without either nothing is logged and nothing is set up.
pub(crate) fn start(verbose: u8, environment: &Environment) {
    let directives = match (environment.text("RUST_LOG"), verbose) {
        (Some(directives), _) => directives.to_owned(),
        (None, 0) => return,
        (None, 1) => OURS.map(|name| format!("{name}=info")).join(","),
        (None, _) => format!("debug,{}", OURS.map(|name| format!("{name}=trace")).join(",")),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(directives))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .finish();
    // A second call in one process (tests) keeps the first subscriber.
    drop(tracing::subscriber::set_global_default(subscriber));
}

const OURS: [&str; 5] = ["mcp_auth", "mcp_cli", "mcp_config", "mcp_status", "mcp_transport"];
