//! What an MCP connection's evidence means.

mod evidence;
mod status;

pub use evidence::{AuthFacts, ChallengeKind, Evidence, Outcome};
pub use status::{Phase, ReasonCode, ServerStatus};
