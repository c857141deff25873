//! What a bridge asks of its share in a connection.

use std::sync::Arc;

use mcp_bridge::shared::{BridgeView, SharedUpstream, UpstreamChange, UpstreamFuture};
use mcp_transport::supervisor::ServerSource;

use crate::opener::Source;
use crate::share::Share;

impl SharedUpstream for Share {
    fn source(&self, bridge: BridgeView) -> Arc<dyn ServerSource> {
        Arc::new(Source::new(self.clone(), bridge))
    }

    fn changed(&self) -> UpstreamFuture<'_, UpstreamChange> {
        Box::pin(self.next_change())
    }

    fn release(&self) {
        if let Some(hub) = self.hub() {
            hub.release();
        }
    }

    fn released(&self) -> UpstreamFuture<'_> {
        Box::pin(async {
            if let Some(hub) = self.hub() {
                hub.others_gone().await;
            }
        })
    }

    fn close(&self) -> UpstreamFuture<'_> {
        Box::pin(async {
            self.state().ended = true;
            if let Some(hub) = self.hub() {
                hub.close().await;
            }
        })
    }
}
