//! A bridge between a host that the test plays and a fake server on a real socket.
//!
//! | module | tells |
//! |---|---|
//! | `matrix` | both eras on both sides: lists, calls, progress, cancellation, questions, subscriptions, logging |
//! | `apart` | what must not be mixed up: ids, calls and questions at the same time, and wishes that have ended |
//! | `bytes` | what is passed on without a change |
//! | `eras` | that no name of one era reaches a host of the other one |
//! | `described` | what a host is told of the server, also while that is slow or away |
//! | `other_era` | a server that goes on in another era in the middle of a connection |
//! | `outage` | a server that is down, comes up, wants credentials, and what the host hears meanwhile |
//! | `embedded` | a bridge of another program, which is the example |
//! | `opening` | what a host may tell, and how it is turned away |
//! | `ending` | how a bridge ends |
//! | `reports` | what hosts of the field write, in which order |

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failed test; clippy only knows functions marked as such"
)]

mod apart;
mod bytes;
mod described;
mod embedded;
mod ending;
mod eras;
mod matrix;
mod opening;
mod other_era;
mod outage;
mod reports;
mod support;
mod vocabulary;
