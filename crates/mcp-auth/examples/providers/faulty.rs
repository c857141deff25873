//! Sources as they should not be, and what becomes of them: neither takes its connection or its server down.

use std::time::Duration;

use mcp_auth::{AuthFuture, CredentialSource, Credentials, FetchReason, SingleFlight};

/// Never answers: an agent that is stuck, a metadata service behind a firewall.
#[derive(Debug)]
pub(crate) struct HangingProbe;

impl CredentialSource for HangingProbe {
    fn name(&self) -> &str {
        "hanging"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(std::future::pending())
    }
}

/// The same with a limit of its own.
pub(crate) fn hanging(limit: Duration) -> SingleFlight<HangingProbe> {
    SingleFlight::new(HangingProbe).with_timeout(limit)
}

/// Has a bug.
#[derive(Debug)]
pub(crate) struct Panicking;

impl CredentialSource for Panicking {
    fn name(&self) -> &str {
        "panicking"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(async { panic!("the canary-token is not a number") })
    }
}
