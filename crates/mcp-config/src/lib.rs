//! Finds, parses, expands and merges MCP server configuration, and remembers where every value came from.
//!
//! # The design
//!
//! Reading and deciding are two steps. [`Sources::read`] is the part of a load that touches files; it returns every text as a
//! value. [`Config::resolve`] is a pure function of that value, so precedence, approval and trust are tested with plain
//! data, and what a load saw can be kept. [`Config::load`] does both.
//!
//! ```text
//! Request ─read─► Sources ─parse─► trees with spans ─schema─► ServerEntry ─facts─► precedence ─► Config
//! ```
//!
//! - **Problems are values.** Loading has no error type: one bad file, entry or field never takes others down.
//!   Each [`Problem`] names file, line, column, field and what to do, and never quotes a value.
//! - **Everything has an [`Origin`]**, because the usual question is not "what is configured" but "where".
//! - **Facts, not kinds.** The connecting side reads [`ServerEntry::gate`], [`Helper::may_run`](entry::Helper::may_run), [`Helper::cwd`](entry::Helper::cwd); it ranks
//!   no scopes and looks at no paths.
//! - **Secrets do not show themselves.** Expanded text is a [`Text`](entry::Text) or [`RedactedText`](entry::RedactedText), whose `Debug` is a mark. What may be
//!   shown is made from the text as written.
//!
//! # Example
//!
//! ```
//! use mcp_config::{Config, Env, Gate, Request};
//!
//! let mut request = Request::new(".", Env::new());
//! request.mcp_config.push(r#"{"mcpServers": {"docs": {"type": "http", "url": "https://docs.example/mcp"}}}"#.into());
//! let config = Config::load(&request);
//! let docs = config.entry("docs").expect("it was just defined");
//! assert_eq!(docs.gate(), Gate::Ready);
//! assert_eq!(docs.display_url().as_deref(), Some("https://docs.example/mcp"));
//! assert_eq!(config.nearest("dosc"), Some("docs"));
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod account;
pub mod address;
mod administrator;
pub mod bundle;
mod chain;
pub mod client_metadata;
mod config;
pub mod consent;
mod control;
mod decision_file;
mod decisions;
mod display;
mod document;
pub mod edit;
pub mod editor;
pub mod entry;
mod env;
mod env_file;
mod error;
mod expand;
pub mod explain;
mod extra;
mod field;
mod foreign;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
pub mod hosts;
pub mod import;
mod json;
pub mod launch;
mod launchers;
mod load;
mod locations;
#[cfg(feature = "auth")]
mod lower;
mod misspelt;
pub mod network;
mod never_read;
mod origin;
mod overrides;
mod own;
mod paths;
mod plugin;
mod pointer;
pub mod policy;
mod precedence;
mod problem;
mod program;
mod project;
mod redacted;
mod reference;
pub mod registry;
mod remark;
mod schema;
mod scope;
mod script;
mod shape;
mod source;
pub mod sources;
mod stdio;
mod suggest;
pub mod switching;
mod syntax;
pub mod tool_pins;
pub mod tool_policy;
mod transport;
mod trust;
mod typed;
pub mod unattended;
pub mod validate;
mod variables;
mod wildcard;
pub mod wrap;

pub use account::account_name;
pub use chain::VARIABLE as CHAIN_VARIABLE;
pub use config::Config;
pub use decisions::Trust;
pub use display::display_url;
pub use entry::{EntryServer, Gate, Scope, ServerEntry};
pub use env::Env;
pub use error::{ConfigError, ConfigErrorKind};
pub use locations::{Locations, Platform};
#[cfg(feature = "auth")]
pub use lower::SecretField;
pub use origin::{ConfigSource, Origin};
pub use pointer::Pointer;
pub use problem::{Problem, ProblemCode, Severity};
pub use project::Project;
pub use schema::json_schema;
pub use sources::{Request, Sources};
pub use suggest::nearest;
pub use transport::EntryTransport;
pub use trust::TrustStore;
