//! What an MCP connection's evidence means.
//!
//! The design decision of this crate: **a status is derived, never remembered.** What was seen
//! ([`Evidence`]) goes through one table ([`classify()`]) to what it means ([`Verdict`]). The loop that
//! retries, the [`StatusMachine`] that keeps a server's state, and the [`StatusReport`] that a person
//! reads all ask that same table, so "what does a 403 mean" has one answer. Everything is a pure
//! function of values: no clock, no network, no file, and no way to read a status back from disk.
//!
//! ```text
//! Evidence ─classify─► Verdict ─StatusMachine─► ServerStatus ─StatusReport─► text or JSON
//!                         └─────────────────────────────────── actions ─────────┘
//! ```
#![doc = "\n# The ten lines\n"]
#![doc = include_str!("../README.md")]

mod actions;
mod classify;
mod evidence;
mod exit;
mod machine;
mod next;
mod phrase;
mod refusal;
mod report;
mod restriction;
mod status;

pub use actions::{Action, ActionFacts, EntryFacts, SignInState, TransportKind, actions, wants_a_person};
pub use classify::{Verdict, classify};
pub use evidence::{
    AddressHeader, AuthFacts, ChallengeKind, CredentialOrigin, Evidence, Limit, LimitSubject, Outcome,
    ProcessLack, SignInHindrance, SignInRemedy, SpawnCause, TlsFault,
};
pub use machine::{Effect, Event, ExhaustionPolicy, FailureRun, MachinePolicy, Schedule, StatusMachine};
pub use next::{EntryPart, NextStep, next_step};
pub use phrase::{MessageContext, message};
pub use report::{Reason, ServerInfo, StatusReport};
pub use restriction::Restriction;
pub use status::{Phase, ReasonCode, ServerStatus};
