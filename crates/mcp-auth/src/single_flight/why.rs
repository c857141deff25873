//! A [`FetchReason`] that outlives the call that gave it.

use http::{HeaderMap, StatusCode};

use crate::{Challenge, Credentials, FetchReason, Rejection};

/// See the module.
pub(super) enum FetchCause {
    First,
    Expired,
    Rejected(Box<Refusal>),
}

/// A [`Rejection`] that outlives its request.
pub(super) struct Refusal {
    status: StatusCode,
    challenges: Vec<Challenge>,
    headers: HeaderMap,
    used: Credentials,
    recoveries: u32,
}

impl FetchCause {
    pub(super) fn rejected(rejection: &Rejection<'_>) -> Self {
        Self::Rejected(Box::new(Refusal {
            status: rejection.status,
            challenges: rejection.challenges.to_vec(),
            headers: rejection.headers.clone(),
            used: rejection.used.clone(),
            recoveries: rejection.recoveries,
        }))
    }

    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }

    pub(super) fn borrowed(&self) -> FetchReason<'_> {
        match self {
            Self::First => FetchReason::First,
            Self::Expired => FetchReason::Expired,
            Self::Rejected(refusal) => FetchReason::Rejected(
                Rejection::new(refusal.status, &refusal.challenges, &refusal.headers, &refusal.used)
                    .after(refusal.recoveries),
            ),
        }
    }
}
