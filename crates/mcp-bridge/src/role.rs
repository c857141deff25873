//! What a bridge is to others that use its connection, as it says itself. Plain data: where no connection is shared, it
//! can still be read.

use serde::{Deserialize, Serialize};

/// What a bridge is on a shared connection.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum SharingRole {
    /// It keeps the connection.
    Owner {
        /// How many other bridges are on it.
        guests: usize,
    },
    /// It is on the connection of another process.
    Guest {
        /// That process.
        via: u32,
    },
}
