//! Servers that agree to a revision in `initialize` and then refuse the `MCP-Protocol-Version` header that names it.
//!
//! Two parts of such a server, or the server and the gateway before it, know different revisions. The header is demanded
//! since 2025-06-18 (2025-11-25, Streamable HTTP, protocol version header), so in an older revision it can be left out; else
//! another revision is agreed on. As with a forgotten session, a `ping` decides whether it is this one request that is refused.

use std::sync::Arc;

use mcp_status::Phase;

use super::session::Session;
use super::streamable::{Core, Reagreement};
use crate::error::{TransportError, TransportErrorKind};
use crate::message::revision::{Era, ProtocolRevision};
use crate::protocol::agree::{self, Exchange as _, Ordinal as _};
use crate::protocol::offer::{next_offer, refuses_agreed};
use crate::refusal::refuses_a_ping;

impl Core {
    /// Agrees on another revision than that of `session`, where `refusal` is because of that one.
    ///
    /// # Errors
    ///
    /// [`Version`](TransportErrorKind::Version) where the server refuses each revision that it agrees to; else what the
    /// handshake failed with.
    pub(super) async fn agree_again(
        self: &Arc<Self>,
        refusal: &TransportError,
        session: &Session,
    ) -> Result<Reagreement, TransportError> {
        if session.server.revision.era() != Era::Legacy || !refuses_agreed(refusal) {
            return Ok(Reagreement::Same { forgotten: None });
        }
        let Some(_turn) = self.agreements.renew(session.number()).await else {
            return Ok(Reagreement::Another);
        };
        let mut refusal = match self.ping(session).await {
            Err(again) if refuses_agreed(&again) => again,
            answer => {
                let forgotten = answer.is_err_and(|error| refuses_a_ping(&error, refusal));
                return Ok(Reagreement::Same { forgotten: Some(forgotten) });
            }
        };
        if let Some(bare) = self.bare(session).await {
            self.install(bare);
            return Ok(Reagreement::Another);
        }
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
                opening.give_up(greeted);
                continue;
            }
            let begun = self.begun(server, greeted).await?;
            let settled = match self.ping(&begun).await {
                Err(again) if refuses_agreed(&again) => {
                    refusal = again;
                    self.bare(&begun).await
                }
                _ => Some(begun.clone()),
            };
            if let Some(settled) = settled {
                tracing::info!(%revision, "the server refuses the version that it agreed to first");
                self.leave(session);
                self.install(settled);
                return Ok(Reagreement::Another);
            }
            self.leave(&begun);
            refused.push(revision);
            offered.push(revision);
        }
        Err(none_kept(&refused, refusal))
    }

    /// `session`, whose revision the server refuses by name, without that name: where it need not be sent, and the server takes it so.
    async fn bare(self: &Arc<Self>, session: &Session) -> Option<Session> {
        if !session.names_version() || session.server.revision >= ProtocolRevision::V2025_06_18 {
            return None;
        }
        let bare = session.with_number(self.agreements.next_number()).without_version();
        let refused = self.ping(&bare).await.is_err_and(|error| refuses_agreed(&error));
        (!refused).then_some(bare)
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
