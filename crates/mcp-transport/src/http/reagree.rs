//! Servers that agree to a revision in `initialize` and then refuse the `MCP-Protocol-Version` header that names it.
//!
//! Two parts of such a server, or the server and the gateway before it, know different revisions. The header is demanded
//! since 2025-06-18 (2025-11-25, Streamable HTTP, protocol version header), so in an older revision it can be left out; else
//! another revision is agreed on. As with a forgotten session, a `ping` decides whether it is this one request that is refused.

use std::sync::Arc;

use mcp_status::Phase;

use super::session::Session;
use super::streamable::Core;
use crate::error::{TransportError, TransportErrorKind};
use crate::message::revision::{Era, ProtocolRevision};
use crate::protocol::agree::{self, Ordinal as _};
use crate::protocol::offer::{next_offer, refuses_agreed};

impl Core {
    /// Agrees on another revision than that of `session`, where `refusal` is because of that one. Whether there is another session to ask in.
    ///
    /// # Errors
    ///
    /// [`Version`](TransportErrorKind::Version) where the server refuses each revision that it agrees to; else what the
    /// handshake failed with.
    pub(super) async fn agree_again(
        self: &Arc<Self>,
        refusal: &TransportError,
        session: &Session,
    ) -> Result<bool, TransportError> {
        if session.server.revision.era() != Era::Legacy || !refuses_agreed(refusal) {
            return Ok(false);
        }
        let Some(_turn) = self.agreements.renew(session.number()).await else { return Ok(true) };
        let mut refusal = match self.settle(session.with_number(self.agreements.next_number())).await {
            Ok(same) if same.names_version() == session.names_version() => return Ok(false),
            Ok(bare) => {
                self.install(bare);
                return Ok(true);
            }
            Err(refusal) => refusal,
        };
        let mut refused = vec![session.server.revision];
        let mut offered = refused.clone();
        while let Some(offer) = next_offer(&refusal, &offered) {
            offered.push(offer);
            let opening = self.opening(Phase::Session);
            let (server, greeted) = match agree::shake_hands_after(&opening, &mut offered).await {
                Ok(agreed) => agreed,
                Err(failure) if next_offer(&failure, &[]).is_some() => break,
                Err(failure) => return Err(failure),
            };
            let revision = server.revision;
            if refused.contains(&revision) {
                continue;
            }
            match self.settle(self.begun(server, greeted).await?).await {
                Ok(settled) => {
                    tracing::info!(%revision, "the server refuses the version that it agreed to first");
                    self.install(settled);
                    return Ok(true);
                }
                Err(again) => refusal = again,
            }
            refused.push(revision);
            offered.push(revision);
        }
        Err(none_kept(&refused, refusal))
    }

    /// `session`, or the same without the header where that is what the server refuses.
    ///
    /// # Errors
    ///
    /// The refusal of a `ping` because of the version.
    async fn settle(self: &Arc<Self>, session: Session) -> Result<Session, TransportError> {
        let Some(refusal) = self.refuses_version_of(&session).await else { return Ok(session) };
        if !session.names_version() || session.server.revision >= ProtocolRevision::V2025_06_18 {
            return Err(refusal);
        }
        let bare = session.without_version();
        match self.refuses_version_of(&bare).await {
            None => Ok(bare),
            Some(_) => Err(refusal),
        }
    }

    async fn refuses_version_of(self: &Arc<Self>, session: &Session) -> Option<TransportError> {
        self.ping(session).await.err().filter(refuses_agreed)
    }
}

/// The server refuses each revision that it agrees to.
fn none_kept(refused: &[ProtocolRevision], refusal: TransportError) -> TransportError {
    let named: Vec<_> = refused.iter().map(ToString::to_string).collect();
    let said =
        format!("it agrees to {} in the handshake and refuses every request in it", named.join(", then to "));
    let kind = TransportErrorKind::Version { offered: Vec::new() };
    TransportError::new(kind, "the server refuses the version that it agreed to")
        .with_said(Some(said))
        .with_source(refusal)
}
