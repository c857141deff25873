//! Credentials for MCP connections: one trait, several providers, one place for each decision.
//!
//! # The design decision
//!
//! A connection sees **one provider** ([`AuthProvider`]), and that provider is a value made from what is *configured*,
//! before anything runs ([`AuthPlan`]). It is never chosen by what happened to succeed. A transport asks it for
//! [`Credentials`] before each request, and tells it when the server refused them; it does not know whether a file,
//! a command or an authorization server stands behind it. So a failing command is a failing command, and not the
//! beginning of a sign-in that was not asked for; and a stranger's provider gets the same treatment as ours, because
//! everything is derived from its [`Capabilities`].
//!
//! Two things follow. *Caching exists once*: a source of credentials ([`CredentialSource`]) only knows how
//! to get them, and [`SingleFlight`] decides when, for all of them. *Recovery is an outcome*: a [`Recovery`] says
//! "send again with these", "a person must sign in" or "nothing more to try", while an [`AuthError`] means that
//! credentials could not even be obtained, in which case the server is not contacted.
//!
//! Credentials know [which fetch they came from](Credentials#generations), so of many requests refused at the same
//! time one causes a fetch, and a late refusal of credentials that were replaced meanwhile causes none.
//!
//! | to | use |
//! |---|---|
//! | see who would answer for a server, and why | [`AuthPlan::resolve`], and print it |
//! | connect | [`AuthPlan::build`], once per connection |
//! | send with a client of your own | [`replay::send`] |
//! | supply credentials in another way | [`CredentialSource`] and [`SingleFlight`], or [`AuthProvider`] |
//! | give that its place among the others | [`CustomSpec`](settings::CustomSpec) in the settings, and [`Parts::with_authority`] |
//! | read what the server asks for | [`Challenge`] |
//!
//! # A provider of your own
//!
//! ```no_run
#![doc = include_str!("../examples/custom_provider.rs")]
//! ```
//!
//! # Features
//!
//! `helper` and `oauth` (both on by default) bring the providers of these names; `contract-tests` brings the test
//! suite that any provider must pass. Without features this crate has the traits and everything that is pure.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "helper", feature = "oauth"))]
pub mod aws;
mod build;
mod chain;
mod challenge;
pub mod children;
#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
mod credentials;
pub mod doubts;
pub mod error;
mod exchange;
mod flight;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "helper")]
mod helper;
mod hindrance;
#[cfg(any(feature = "helper", feature = "oauth"))]
mod jwt;
mod login_remedy;
mod named;
#[cfg(feature = "oauth")]
pub mod oauth;
mod outline;
mod pause;
pub mod plan;
pub mod provider;
mod renewals;
pub mod replay;
mod reserved;
pub mod retry_after;
mod secret;
#[cfg(all(feature = "helper", feature = "oauth"))]
mod secret_source;
#[cfg(feature = "oauth")]
pub mod secret_store;
pub mod settings;
pub mod signing;
mod single_flight;
#[cfg(all(feature = "helper", feature = "oauth"))]
mod sourced_headers;
#[cfg(any(feature = "helper", feature = "oauth"))]
mod spans;
mod static_headers;
#[cfg(all(feature = "helper", feature = "oauth"))]
mod token_file;
pub mod url_policy;
pub mod userinfo;

pub use build::Parts;
pub use challenge::Challenge;
pub use credentials::Credentials;
pub use doubts::doubts;
pub use error::{AuthError, AuthErrorKind, AuthFuture};
pub use exchange::HttpExchange;
#[cfg(feature = "helper")]
pub use helper::{HeadersHelper, HelperRun, plugin};
pub use hindrance::LoginHindrance;
pub use login_remedy::LoginRemedy;
pub use outline::outline;
pub use plan::AuthPlan;
pub use provider::{AuthProvider, Capabilities, CredentialSource, FetchReason, Recovery, Rejection};
pub use renewals::Renewals;
pub use secret::Secret;
pub use settings::{AuthSettings, Target};
pub use single_flight::SingleFlight;
pub use static_headers::StaticHeaders;
#[cfg(all(feature = "helper", feature = "oauth"))]
pub use token_file::TokenFile;

/// The code in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
