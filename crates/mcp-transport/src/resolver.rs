//! Where a host name leads, for a program that knows better than the platform.

use std::fmt;
use std::hash::Hasher;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

/// What [`Resolver::resolve`] returns.
pub type ResolverFuture = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Resolves the host names of HTTP endpoints in place of the platform: for service discovery, DNS over HTTPS, or a
/// test that moves a server.
///
/// Asked for each new network connection and never remembered, so a name that leads elsewhere is followed as soon as
/// the connections to the old place are gone. The addresses are tried in their order, those of the other family soon
/// after the first (RFC 8305). Not asked for addresses, and not for the target where a proxy resolves it.
pub trait Resolver: fmt::Debug + Send + Sync + 'static {
    /// The addresses of the request's host.
    ///
    /// # Errors
    ///
    /// It has none, or they cannot be obtained now.
    fn resolve(&self, request: ResolveRequest<'_>) -> ResolverFuture;

    /// Feeds `state` with what decides about its answers: two that are equal know the same addresses.
    fn identify(&self, state: &mut dyn Hasher);
}

/// What a [`Resolver`] is asked for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ResolveRequest<'a> {
    /// The name of the host, as the URL has it.
    pub host: &'a str,
}

impl<'a> ResolveRequest<'a> {
    /// Asks for the addresses of `host`.
    #[must_use]
    pub const fn new(host: &'a str) -> Self {
        Self { host }
    }
}
