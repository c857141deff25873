//! How much of a token's life is left.

use std::time::{Duration, SystemTime};

use super::store::StoredTokens;

/// Tokens are renewed this long before they expire, or in the last tenth of a shorter life.
const AHEAD: Duration = Duration::from_secs(60);

/// Whether to use tokens, to use and renew them, or to renew them first.
pub(crate) enum Freshness {
    Good,
    Ending,
    Expired,
}

/// What the local clock says.
pub(crate) fn freshness(tokens: &StoredTokens, now: SystemTime) -> Freshness {
    let Some(end) = tokens.expires_at else { return Freshness::Good };
    let Ok(left) = end.duration_since(now) else { return Freshness::Expired };
    let life = end.duration_since(tokens.obtained_at).unwrap_or_default();
    match left {
        Duration::ZERO => Freshness::Expired,
        left if left <= AHEAD.min(life / 10) => Freshness::Ending,
        _ => Freshness::Good,
    }
}
