//! What a provider tells of itself, without asking anyone.

use std::time::SystemTime;

use super::OAuthProvider;
use crate::Challenge;

impl OAuthProvider {
    /// The challenges of the server's last refusal: what [`OAuthLogin::begin`](crate::oauth::OAuthLogin::begin) wants to know.
    pub fn challenges(&self) -> Vec<Challenge> {
        self.flight.source().challenges()
    }

    /// When the tokens in hand were issued; `None` where there are none. It tells one sign-in, or one renewal, from another.
    pub fn obtained_at(&self) -> Option<SystemTime> {
        self.flight.source().obtained_at()
    }
}
