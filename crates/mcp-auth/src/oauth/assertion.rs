//! Where assertions, and secrets that are read when they are needed, come from.

use std::fmt;

use crate::{AuthFuture, Secret};

/// Hands over an assertion (a signed JWT), a fresh one each time: assertions are short-lived, and the file or service that
/// holds one replaces it.
pub trait AssertionSource: fmt::Debug + Send + Sync + 'static {
    /// An assertion for `audience`, the issuer it will be presented to.
    fn assertion<'a>(&'a self, audience: &'a str) -> AuthFuture<'a, Secret>;
}

/// An assertion that is known beforehand.
impl AssertionSource for Secret {
    fn assertion<'a>(&'a self, _: &'a str) -> AuthFuture<'a, Secret> {
        Box::pin(std::future::ready(Ok(self.clone())))
    }
}
