//! What the messages mean: the envelope, the revisions, the handshakes of both eras.

mod bounded;
pub(crate) mod chain;
pub(crate) mod handshake;
pub(crate) mod header_params;
pub(crate) mod jsonrpc;
pub(crate) mod legacy;
pub(crate) mod lenient;
pub(crate) mod modern;
pub(crate) mod mrtr;
pub(crate) mod offer;
pub(crate) mod outgoing;
pub(crate) mod payload;
pub(crate) mod revision;
