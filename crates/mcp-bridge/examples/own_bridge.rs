//! A bridge of one's own: this program's name, its commands and its source of credentials, and no configuration file.
//!
//! ```text
//! $ cargo run -p mcp-bridge --example own_bridge -- internal https://mcp.example/mcp ~/.acme/token
//! ```
//!
//! A host that calls a tool while the token is missing is told what to run, and calls again when that is done.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use mcp_auth::{
    AuthError, AuthErrorKind, AuthFuture, CredentialSource, Credentials, FetchReason, SingleFlight,
};
use mcp_bridge::{Bridge, BridgeConfig};
use mcp_status::NextStep;
use mcp_transport::supervisor::NoContact;
use mcp_transport::{ClientInfo, ClientOptions, Connector, Endpoint, HttpEndpoint, Server};
use url::Url;

/// What this program is called, for the server, the host and people.
const PROGRAM: &str = "acme";

/// A token that `acme login` writes.
#[derive(Debug)]
struct TokenFile(PathBuf);

impl CredentialSource for TokenFile {
    fn name(&self) -> &str {
        "acme-agent"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(async {
            // What to do about it is the next step that people are shown, whatever shows it.
            let failed = |message| {
                AuthError::new(AuthErrorKind::SourceFailed, message)
                    .with_hint(format!("run `{PROGRAM} login`"))
            };
            let token = tokio::fs::read_to_string(&self.0)
                .await
                .map_err(|error| failed(format!("read the token of {PROGRAM}: {}", error.kind())))?;
            let value = format!("Bearer {}", token.trim());
            let value =
                value.parse().map_err(|_| failed("read the token: it is not a header value".into()))?;
            Ok(Credentials::new("acme-agent", [(http::header::AUTHORIZATION, value)]))
        })
    }
}

/// The bridge of the server `name` at `url`, with the token in `file`.
pub(crate) fn bridge(name: &str, url: Url, file: PathBuf) -> Bridge {
    let version = env!("CARGO_PKG_VERSION");
    let connector = Connector::new(ClientOptions::new(ClientInfo::new(PROGRAM, version)));
    let auth = Arc::new(SingleFlight::new(TokenFile(file)));
    // Asked before every new connection; a program with a configuration reads it here.
    let source = move || {
        let server = Server::new(Endpoint::Http(HttpEndpoint::new(url.clone()))).with_auth(auth.clone());
        async move { Ok::<_, NoContact>(server) }
    };
    let of = name.to_owned();
    let config = BridgeConfig::new(name, version, source).with_program(PROGRAM).with_next(move |step| {
        Some(match step {
            NextStep::Reconnect | NextStep::SignIn { .. } | NextStep::ChangeEntry { .. } => {
                format!("{PROGRAM} login {of}")
            }
            NextStep::Wait { .. } => format!("{PROGRAM} ping {of}"),
            // Nothing that this program has a command for, and what its credentials say themselves.
            other => other.to_string(),
        })
    });
    Bridge::new(connector, config)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(url), Some(file)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: own_bridge NAME URL TOKEN_FILE".into());
    };
    let (input, output) = mcp_bridge::stdio::open()?;
    bridge(&name, url.parse()?, file.into()).run(input, output, std::future::pending()).await;
    Ok(())
}
