//! What is connected to, and what of it must be equal for two bridges to share the connection.

use std::pin::Pin;

use mcp_transport::Server;
use mcp_transport::supervisor::NoContact;

use crate::ConnectionIdentity;

/// What [`SharedSource::server`] returns.
pub type SharedServerFuture<'a> =
    Pin<Box<dyn Future<Output = Result<(Server, ConnectionIdentity), NoContact>> + Send + 'a>>;

/// Says what to connect to, and everything about it that must be equal for two bridges to share the connection. Both
/// are of the same reading: one must never change without the other.
pub trait SharedSource: Send + Sync + 'static {
    /// The server as it is configured now, or why there is nothing to contact.
    fn server(&self) -> SharedServerFuture<'_>;
}

impl<F, Fut> SharedSource for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(Server, ConnectionIdentity), NoContact>> + Send + 'static,
{
    fn server(&self) -> SharedServerFuture<'_> {
        Box::pin(self())
    }
}
