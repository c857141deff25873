//! The tries of one call, and the connection and the time that each of them gets.

use std::borrow::Cow;

use mcp_status::classify;

use super::failure_scope::FailureScope;
use super::{Lease, Patience, RequestError, SupervisorHandle};
use crate::deadline::Deadline;
use crate::error::{TransportError, TransportErrorKind};
use crate::options::RequestOptions;

/// The tries of one call: at most two.
pub(super) struct AttemptCount<'a> {
    handle: &'a SupervisorHandle,
    options: &'a RequestOptions,
    /// When the call is over, whatever its time is spent on.
    deadline: Option<Deadline>,
    /// Whether it has no effects, so that it may be sent again although it may have arrived.
    repeatable: bool,
    left: u32,
}

impl<'a> AttemptCount<'a> {
    /// The tries of a call that is being made.
    pub(super) fn new(handle: &'a SupervisorHandle, options: &'a RequestOptions, repeatable: bool) -> Self {
        Self { handle, options, deadline: Deadline::of(options), repeatable, left: 1 }
    }

    /// A connection for the next try, and the options of the call with what is left of its time.
    pub(super) async fn lease(&self) -> Result<(Lease, Cow<'a, RequestOptions>), RequestError> {
        let shared = &self.handle.shared;
        let lease = match shared.lease() {
            Some(lease) if self.left == 1 => return Ok((lease, Cow::Borrowed(self.options))),
            Some(lease) => lease,
            None => {
                let patience = self.options.patience.map_or(shared.patience, Patience::given);
                let patience = patience.within(self.deadline.map(Deadline::left));
                // Boxed: what hardly ever happens would make every call larger.
                let lease = Box::pin(self.handle.lease_for(patience)).await;
                lease.map_err(|error| match self.deadline.filter(|deadline| deadline.is_over()) {
                    // What was waited for is the call, of which this may be the second try.
                    Some(deadline) => error.after(deadline.limit),
                    None => error,
                })?
            }
        };
        let options = match self.deadline {
            Some(deadline) => Cow::Owned(RequestOptions { spent: deadline.spent(), ..self.options.clone() }),
            None => Cow::Borrowed(self.options),
        };
        Ok((lease, options))
    }

    /// Whether to try again after this failure; otherwise what it ends with.
    pub(super) async fn failed(&mut self, lease: Lease, error: TransportError) -> Result<(), RequestError> {
        let found_out = self.handle.judge(&lease, &error);
        drop(lease);
        // Only what the next connection may do better: the same refusal twice does not help.
        let passing = *error.kind() == TransportErrorKind::Closed
            || (FailureScope::of(&error) != FailureScope::None && classify(&error.evidence()).is_retryable());
        if self.left == 0 || !passing || (error.may_have_been_sent() && !self.repeatable) {
            return Err(RequestError::transport(error));
        }
        self.left -= 1;
        match (found_out, self.deadline) {
            (Some(found_out), Some(deadline)) => drop(tokio::time::timeout_at(deadline.at, found_out).await),
            (Some(found_out), None) => drop(found_out.await),
            (None, _) => {}
        }
        match self.deadline {
            Some(deadline) if deadline.is_over() => Err(RequestError::transport(error)),
            _ => Ok(()),
        }
    }
}
