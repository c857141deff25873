//! A connection of several bridges, as `mcp-share` keeps it.

use std::sync::Arc;

use mcp_bridge::BridgeConfig;
use mcp_connect::ConfiguredServer;
use mcp_share::ConnectionIdentity;
use mcp_transport::Server;
use mcp_transport::supervisor::NoContact;

use super::places::places;
use crate::app::App;
use crate::error::CliError;

pub(crate) use mcp_share::Share;

/// A share in the connection to the server that `read` tells, as it is configured whenever that is asked.
///
/// # Errors
///
/// None: connections can be shared here.
pub(crate) fn share<F>(
    app: &Arc<App>,
    read: impl Fn() -> F + Send + Sync + 'static,
) -> Result<Share, CliError>
where
    F: Future<Output = Result<(Server, Arc<ConfiguredServer>), NoContact>> + Send + 'static,
{
    let directory = places(&app.environment).listen().to_owned();
    let app = app.clone();
    Ok(Share::new(directory, move || {
        let (app, read) = (app.clone(), read());
        async move {
            let (server, configured) = read.await?;
            let entry = configured.fingerprint(&app.host);
            Ok((server, ConnectionIdentity::new().with("entry", entry.as_bytes())))
        }
    }))
}

/// Has a bridge use a shared connection.
pub(crate) fn join(config: BridgeConfig, share: Share) -> BridgeConfig {
    config.with_shared(Arc::new(share))
}
