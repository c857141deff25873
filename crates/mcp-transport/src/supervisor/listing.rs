//! Listing the tools again when the server says that it has others now.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::dial::BoxFuture;
use crate::connect::{ServerLists, list};
use crate::connection::Connection;
use crate::retry::RetryPolicy;

/// How long to wait for further changes: some servers send a notification for each tool.
const SETTLING: Duration = Duration::from_millis(200);
/// The least time between two lists, however often the server says that its tools have changed.
const SPACING: Duration = Duration::from_secs(2);

/// A list of tools that is asked for again.
pub(super) struct Listing {
    stage: Stage,
    connection: Connection,
    policy: RetryPolicy,
    /// Whether the server said so again after the list was asked for.
    changed: bool,
}

enum Stage {
    Settling(Pin<Box<Sleep>>),
    Asking { at: Instant, listed: BoxFuture<'static, ServerLists> },
}

impl Listing {
    /// Asks in a moment, and not too soon after the question before it.
    pub(super) fn soon(connection: Connection, policy: RetryPolicy, before: Option<Instant>) -> Self {
        let settled = Instant::now() + SETTLING;
        let at = before.map_or(settled, |before| settled.max(before + SPACING));
        let stage = Stage::Settling(Box::pin(tokio::time::sleep_until(at)));
        Self { stage, connection, policy, changed: false }
    }

    /// The server says that its tools have changed. A list that is not asked for yet will have them anyway.
    pub(super) fn note_change(&mut self) {
        self.changed |= matches!(self.stage, Stage::Asking { .. });
    }

    /// Whether what was listed may be out of date already.
    pub(super) fn is_old(&self) -> bool {
        self.changed
    }

    /// When it was asked.
    pub(super) fn asked(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Settling(_) => None,
            Stage::Asking { at, .. } => Some(*at),
        }
    }

    /// What is listed. Can be dropped and asked again.
    pub(super) async fn listed(&mut self) -> ServerLists {
        loop {
            match &mut self.stage {
                Stage::Settling(wait) => {
                    wait.as_mut().await;
                    let (connection, policy) = (self.connection.clone(), self.policy);
                    let listed = Box::pin(async move { list(&connection, Some(policy), None).await });
                    self.stage = Stage::Asking { at: Instant::now(), listed };
                }
                Stage::Asking { listed, .. } => return listed.as_mut().await,
            }
        }
    }
}
