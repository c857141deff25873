//! What stands in the way of a sign-in: found out where one would begin, and told where the server is shown.

use crate::{AuthError, LoginRemedy};

/// What stands in the way of a sign-in that a person would begin.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct LoginHindrance {
    /// It in words, as a fragment without secrets.
    pub message: String,
    /// What takes it out of the way.
    pub remedy: LoginRemedy,
}

impl LoginHindrance {
    /// What hinders, and what takes it out of the way.
    pub fn new(message: impl Into<String>, remedy: LoginRemedy) -> Self {
        Self { message: message.into(), remedy }
    }

    /// What hinders a sign-in whose beginning failed so; `None` where nothing that a person can do is known.
    pub fn of(error: &AuthError) -> Option<Self> {
        let mut message = error.to_string();
        // Why there was no answer is all that tells one silence from another.
        if let Some(cause) = std::error::Error::source(error).map(ToString::to_string)
            && !message.contains(&cause)
        {
            message.push_str(&format!(": {cause}"));
        }
        Some(Self::new(message, error.login_remedy()?.clone()))
    }
}
