//! What the messages of both eras mean: handshakes, metadata, questions of servers.

pub(crate) mod agree;
mod bounded;
pub(crate) mod chain;
pub(crate) mod handshake;
pub(crate) mod header_params;
pub(crate) mod legacy;
pub(crate) mod lenient;
pub(crate) mod modern;
pub(crate) mod mrtr;
pub(crate) mod offer;
pub(crate) mod outgoing;
