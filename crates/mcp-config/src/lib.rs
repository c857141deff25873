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
//! - **Facts, not kinds.** The connecting side reads [`ServerEntry::gate`], [`Helper::may_run`], [`Helper::cwd`]; it ranks
//!   no scopes and looks at no paths.
//! - **Secrets do not show themselves.** Expanded text is a [`Text`] or [`RedactedText`], whose `Debug` is a mark. What may be
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
mod address;
mod administrator;
mod bundle;
mod chain;
mod config;
mod consent;
mod control;
mod decision_file;
mod decisions;
mod display;
mod document;
pub mod edit;
mod editor;
mod entry;
mod env;
mod env_file;
mod error;
mod expand;
mod explain;
mod extra;
mod field;
mod foreign;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod hosts;
mod import;
mod json;
mod launch;
mod load;
mod locations;
#[cfg(feature = "auth")]
mod lower;
mod misspelt;
mod network;
mod never_read;
mod origin;
mod overrides;
mod own;
mod paths;
mod plugin;
mod pointer;
mod policy;
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
mod shape;
mod source;
mod sources;
mod stdio;
mod suggest;
mod switching;
mod syntax;
mod tool_pins;
mod tool_policy;
mod transport;
mod trust;
mod unattended;
mod validate;
mod variables;
mod wildcard;
mod wrap;

pub use account::account_name;
pub use address::{Address, AddressError};
pub use bundle::{Bundle, BundleError, BundleInput};
pub use chain::VARIABLE as CHAIN_VARIABLE;
pub use config::Config;
pub use consent::{Change, Term, Terms};
pub use decisions::Trust;
pub use display::display_url;
pub use editor::{Editor, EntryPlace, FileEdit};
pub use entry::{
    Approval, EntryChange, EntryServer, Field, Gate, Helper, Limits, OAuth, Remote, RemoteKind, Scope,
    ServerEntry, Stdio, Switch,
};
pub use env::Env;
pub use env_file::EnvFile;
pub use error::{ConfigError, ConfigErrorKind};
pub use expand::Text;
pub use explain::{Explanation, HelperFacts, HiddenDefinition};
pub use extra::Extra;
pub use hosts::{AddressOption, HostListing, HostServer, Input, KnownHost};
pub use import::{Candidate, CandidateState, FoundPlace, ImportPlan};
pub use launch::Launch;
pub use locations::{Locations, Platform};
#[cfg(feature = "auth")]
pub use lower::SecretPlace;
pub use network::{NamedFile, Network, Protocol, Proxy, Tls};
pub use origin::{ConfigSource, Origin};
pub use paths::PathReport;
pub use pointer::Pointer;
pub use policy::{PolicyBlock, PolicyRule};
pub use precedence::ShadowedEntry;
pub use problem::{Problem, ProblemCode, Severity};
pub use project::Project;
pub use redacted::RedactedText;
pub use reference::SecretReference;
pub use schema::json_schema;
pub use sources::{Pipes, Request, Sources};
pub use suggest::nearest;
pub use switching::SwitchPlan;
pub use tool_pins::{PinStore, ToolApproval, ToolPins};
pub use tool_policy::{HidingRule, ToolPolicy};
pub use transport::EntryTransport;
pub use trust::TrustStore;
pub use unattended::{Aws, Grant, GrantWord, Unattended, UnattendedMethod};
pub use validate::{validate_file, validate_text};
pub use wrap::{
    BridgeCommand, BridgeRemark, ChangedLine, HostTarget, KeptNames, LineChange, WrapEdit, WrapError,
    WrapFailure, WrapRecord, WrappedEntry, project_of,
};
