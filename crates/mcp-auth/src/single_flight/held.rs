//! Credentials in force, and how long they stay so.

use std::time::{Duration, SystemTime};

use crate::Credentials;

/// A background fetch starts when this part of the lifetime is left, if that is less than the margin.
const MARGIN_PART: u32 = 10;
/// How many superseded generations are remembered; requests that are older than this are long gone.
const MAX_REMEMBERED: usize = 32;

/// Credentials in force.
pub(super) struct CachedCredentials {
    pub(super) credentials: Credentials,
    /// `None`: until the server refuses them.
    usable_until: Option<SystemTime>,
    refresh_at: Option<SystemTime>,
    /// Earlier generations with the very same bytes that no server has refused.
    same_bytes: Vec<u64>,
    /// Earlier generations with the very same bytes whose refusal was answered by these: for them there is
    /// nothing more to try.
    answered: Vec<u64>,
}

impl CachedCredentials {
    /// Credentials that arrived `now`, and are fetched again at most `margin` before they expire.
    pub(super) fn new(credentials: Credentials, now: SystemTime, margin: Duration) -> Self {
        let asked_for = credentials.refresh_at();
        // Credentials that arrive expired show that the clocks disagree, unless their source knows of it.
        let usable_until = credentials.expires_at().filter(|expiry| *expiry > now || asked_for.is_some());
        let refresh_at = asked_for.or_else(|| {
            let expiry = usable_until?;
            Some(expiry - ahead(expiry.duration_since(now).unwrap_or_default(), margin))
        });
        Self { credentials, usable_until, refresh_at, same_bytes: Vec::new(), answered: Vec::new() }
    }

    /// Takes over what is known of `old`, if these are the same bytes; `refused` tells whether they answer its refusal.
    pub(super) fn succeeding(mut self, mut old: Self, refused: bool) -> Self {
        if self.credentials.same_headers(&old.credentials) {
            self.answered.append(&mut old.answered);
            let list = if refused { &mut self.answered } else { &mut self.same_bytes };
            list.append(&mut old.same_bytes);
            list.push(old.credentials.generation());
            for list in [&mut self.answered, &mut self.same_bytes] {
                list.drain(..list.len().saturating_sub(MAX_REMEMBERED));
            }
        }
        self
    }

    pub(super) fn is_usable(&self, now: SystemTime) -> bool {
        self.usable_until.is_none_or(|until| now < until)
    }

    pub(super) fn is_refresh_due(&self, now: SystemTime) -> bool {
        self.refresh_at.is_some_and(|at| now >= at)
    }

    /// After a failed background fetch: not again before half of what is left has passed.
    pub(super) fn postpone_refresh(&mut self, now: SystemTime) {
        let left = self.usable_until.and_then(|until| until.duration_since(now).ok());
        self.refresh_at = left.map(|left| now + left / 2);
    }

    /// Whether these are what the refused request carried. Nothing at all is a part of every request.
    pub(super) fn is_of(&self, used: &Credentials) -> bool {
        self.credentials.is_empty()
            || used.includes_generation(self.credentials.generation())
            || includes_any(used, &self.same_bytes)
            || used.carry(&self.credentials)
    }

    /// Whether the refused request carried what these are the answer to, and they are the same bytes. A generation that is
    /// not remembered, because what was held then is forgotten, is known by its bytes.
    pub(super) fn is_answer_to(&self, used: &Credentials) -> bool {
        let is_remembered =
            used.includes_generation(self.credentials.generation()) || includes_any(used, &self.same_bytes);
        let is_forgotten = !self.answered.is_empty() && !is_remembered && used.carry(&self.credentials);
        includes_any(used, &self.answered) || is_forgotten
    }
}

/// How long before the end of a `lifetime` what it is about is fetched again: a tenth of it, and no more than `margin`.
pub(crate) fn ahead(lifetime: Duration, margin: Duration) -> Duration {
    (lifetime / MARGIN_PART).min(margin)
}

fn includes_any(used: &Credentials, generations: &[u64]) -> bool {
    generations.iter().any(|generation| used.includes_generation(*generation))
}
