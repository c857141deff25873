//! What is set of the way to a server, and keeps another one from being tried.

use serde::{Deserialize, Serialize};

/// The one way that may be tried, where the answer was such that another one would have been.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Restriction {
    /// One era of the protocol.
    Protocol,
    /// One transport.
    Transport,
    /// Addresses of IPv4, and the server has none.
    Ipv4,
}

impl Restriction {
    /// What it keeps from being tried, behind what was seen.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Protocol => "the entry allows one protocol, and no other is tried",
            Self::Transport => "the entry allows one transport, and no other is tried",
            Self::Ipv4 => "the entry allows IPv4 alone, and the server has addresses of IPv6 alone",
        }
    }
}
