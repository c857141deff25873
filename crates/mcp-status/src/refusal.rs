//! What evidence says of the credentials that were refused: for the sentence about it, and for the step behind that.

use crate::evidence::{AuthFacts, CredentialOrigin, Evidence, Outcome};

/// The longest name of a variable that is told, in bytes: as much of it as is shown.
const MAX_NAME: usize = 60;

/// Whether a command of the person's own supplies the credentials, and supplied none.
pub(crate) fn gave_nothing(auth: &AuthFacts) -> bool {
    auth.supplied_by == Some(CredentialOrigin::Command) && !auth.sent && auth.withheld.is_none()
}

/// The variable that the configuration has in credentials that were refused, and that has no value. What a command prints is the
/// command's.
pub(crate) fn unset_variable(seen: &Evidence) -> Option<&str> {
    let is_ours =
        was_refused(&seen.outcome) && seen.auth.supplied_by.is_some_and(CredentialOrigin::is_of_entry);
    let unset = seen.auth.unset.as_deref().filter(|_| is_ours)?;
    // It may come from another process.
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!unset.is_empty() && unset.len() <= MAX_NAME && unset.chars().all(is_name)).then_some(unset)
}

/// Whether credentials were refused, of whichever request.
pub(crate) fn was_refused(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::ToolsUnavailable { cause } => was_refused(cause),
        outcome => matches!(outcome, Outcome::Challenged { .. }),
    }
}
