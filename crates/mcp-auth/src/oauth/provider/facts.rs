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

    /// Whether the tokens in hand are in the store as well, so that they are gone from there where a person has signed out.
    pub fn is_kept(&self) -> bool {
        self.flight.source().is_kept()
    }

    /// Whether the store was read and has no tokens, where a person signs in. A store that cannot be read says nothing of that.
    pub fn is_signed_out(&self) -> bool {
        self.flight.source().is_signed_out()
    }
}
