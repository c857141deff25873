//! The revisions of the protocol that this client speaks, and their two eras.

use std::fmt;

/// How a revision carries version, identity and capabilities.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "every peer decides for both eras, and must for a third one")]
pub enum Era {
    /// 2024-11-05 … 2025-11-25: an `initialize` handshake, then perhaps a session.
    Legacy,
    /// 2026-07-28: on every request.
    Modern,
}

/// A dated revision of the Model Context Protocol. Ordered by date.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ProtocolRevision {
    /// 2024-11-05: HTTP+SSE and stdio.
    V2024_11_05,
    /// 2025-03-26: Streamable HTTP, batches.
    V2025_03_26,
    /// 2025-06-18: the `MCP-Protocol-Version` header, no more batches.
    V2025_06_18,
    /// 2025-11-25: the last with a handshake.
    V2025_11_25,
    /// 2026-07-28: stateless, every request describes itself.
    V2026_07_28,
}

impl ProtocolRevision {
    /// Every revision, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// What `initialize` offers.
    pub(crate) const NEWEST_LEGACY: Self = Self::V2025_11_25;
    /// What the first request of a connection claims.
    pub(crate) const NEWEST_MODERN: Self = Self::V2026_07_28;

    /// The revision as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision of this name, if this client speaks it.
    pub fn from_wire(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == name)
    }

    /// The newest revision among `offered` that this client speaks.
    pub(crate) fn newest_of<'a>(offered: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        offered.into_iter().filter_map(Self::from_wire).max()
    }

    /// Whether several messages may come in one array (2025-03-26, base protocol, batching; removed in 2025-06-18).
    #[cfg(feature = "http")]
    pub(crate) fn has_batches(self) -> bool {
        self == Self::V2025_03_26
    }

    /// The era that it belongs to.
    pub fn era(self) -> Era {
        if self >= Self::V2026_07_28 { Era::Modern } else { Era::Legacy }
    }
}

impl fmt::Display for ProtocolRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_revision_is_chosen_whatever_the_order() {
        let newest = ProtocolRevision::newest_of(["2025-06-18", "2099-01-01", "2025-11-25", "2024-11-05"]);
        assert_eq!(newest, Some(ProtocolRevision::V2025_11_25));
        assert_eq!(ProtocolRevision::newest_of(["2099-01-01"]), None);
    }

    #[test]
    fn names_round_trip_and_only_the_last_is_modern() {
        for revision in ProtocolRevision::ALL {
            assert_eq!(ProtocolRevision::from_wire(revision.as_str()), Some(revision));
        }
        let modern: Vec<_> = ProtocolRevision::ALL.into_iter().filter(|r| r.era() == Era::Modern).collect();
        assert_eq!(modern, [ProtocolRevision::V2026_07_28]);
    }
}
