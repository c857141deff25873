//! Bridges of one account to one server over one connection.
//!
//! The first bridge to come keeps the connection and listens on a socket; the others are its guests. A guest keeps its
//! whole conversation with its host, and only its upstream differs: it is a `StreamEndpoint`, so the end of the owner is
//! a lost connection like any other. A bridge that notices asks again, and one of them becomes the owner. The owner's own
//! host is a guest of its own hub, over the same socket, so that there is one way to be on the connection.
//!
//! ```text
//! host ─► Session ─► Supervisor ─► StreamEndpoint ─┐                  the owner's process
//!                                                  ├─socket─► Peer ─┐ ┌──────────────────────────┐
//! host ─► Session ─► Supervisor ─► StreamEndpoint ─┘          Peer ─┼─► SupervisorHandle ─► server
//!                                                         Router ◄──┘                            │
//!                                                            └────◄── questions, notifications ──┘
//! ```
//!
//! Which bridges share is decided by [`ConnectionIdentity`] and by what the hosts say of themselves: a server is told of one client,
//! so only hosts of which it would be told the same share a connection. What the owner has seen of the server crosses
//! the socket as evidence, and each bridge classifies it by itself: there is one table for what it means.
//!
//! | module | decides |
//! |---|---|
//! | `opener` | election: which process keeps the connection |
//! | `address` | where processes meet: the lock and the socket of a connection |
//! | `listener` | admission: which processes come onto the connection, and what the others are told |
//! | `router` | which host hears what the server starts |
//! | `hub`, `peer`, `tokens` | the connection, and each bridge on it |
//! | `opening` | the first line in each direction |
//! | `socket` | what they speak over |
//! | `upstream` | what the bridge asks of its share |
#![doc = "\n# In ten lines\n"]
#![doc = include_str!("../README.md")]
#![cfg(unix)]

mod address;
mod hub;
mod identity;
mod listener;
mod opener;
mod opening;
mod peer;
mod router;
mod share;
#[cfg(test)]
mod simulation;
mod socket;
mod source;
mod tokens;
mod upstream;

pub use identity::ConnectionIdentity;
pub use share::Share;
pub use source::{SharedServerFuture, SharedSource};
