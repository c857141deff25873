//! A provider of one's own that entries of the configuration name, with settings of its own:
//!
//! ```json
//! {"mcpServers": {"web": {"type": "http", "url": "https://mcp.example", "auth": {"type": "acme", "tenant": "a"}}}}
//! ```
//! ```text
//! $ cargo run -p mcp-connect --example own_provider
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;

use http::header::AUTHORIZATION;
use mcp_auth::{
    AuthError, AuthErrorKind, AuthFuture, CredentialSource, Credentials, FetchReason, SingleFlight,
};
use mcp_config::{Config, Env, Request};
use mcp_connect::{AUTH_FIELD, Host, HostOptions, Probe, Providers};
use mcp_transport::ClientInfo;
use mcp_transport::connect::ConnectPolicy;
use serde::Deserialize;

/// What an entry says; its `type` is `acme`.
#[derive(Debug, Deserialize)]
struct Acme {
    tenant: String,
}

impl CredentialSource for Acme {
    fn name(&self) -> &str {
        "acme-sso"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(async {
            // Where a real one asks a service, an agent or a key store.
            if self.tenant == "locked" {
                let error =
                    AuthError::new(AuthErrorKind::SourceFailed, "mint a token: the session has ended");
                return Err(error.with_hint("run `acme login`"));
            }
            let bad = |_| AuthError::new(AuthErrorKind::Misconfigured, "mint a token for this tenant");
            let token = format!("Bearer of-{}", self.tenant).parse().map_err(bad)?;
            Ok(Credentials::new("acme-sso", [(AUTHORIZATION, token)]))
        })
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "a program has an environment, and hands it on as a value")]
async fn main() -> Result<(), Box<dyn Error>> {
    let env: Env = std::env::vars_os().collect();
    run(Request::new(std::env::current_dir()?, env), &mut io::stdout()).await
}

/// Says how each server is, who answers for it, and what to do next.
pub(crate) async fn run(request: Request, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let request = request.with_known_fields([AUTH_FIELD]);
    let program = ClientInfo::new("my-agent", "1.0");
    let mut options = HostOptions::from_env(&request.env, &request.cwd, program);
    options.providers =
        Providers::default().with("acme", |of| Ok(Arc::new(SingleFlight::new(of.settings.read::<Acme>()?))));
    let host = Host::new(options);
    let config = Config::load(&request);
    for entry in &config.entries {
        let server = host.configured(entry, &config).await;
        let probe = Probe::run(host.connector(), &server, &ConnectPolicy::one_shot(), None, |_| {}).await;
        writeln!(out, "{} ({}): {}", entry.name, server.description.chain.join(", "), probe.report.status)?;
        if let Some(reason) = probe.report.reason {
            let next = reason.next.map(|step| step.to_string()).unwrap_or_default();
            writeln!(out, "  {}; next: {next}", reason.message)?;
        }
        if let Some(connection) = probe.connection {
            connection.close().await;
        }
    }
    Ok(())
}
