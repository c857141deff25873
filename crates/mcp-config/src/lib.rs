//! Finds, parses, expands and merges MCP server configuration, and remembers where every value came from.

mod decisions;
mod display;
mod document;
mod entry;
mod env;
mod error;
mod expand;
mod explain;
mod json;
mod launch;
mod load;
mod locations;
#[cfg(feature = "auth")]
mod lower;
mod never_read;
mod origin;
mod paths;
mod policy;
mod precedence;
mod problem;
mod project;
mod redacted;
mod schema;
mod sources;
mod suggest;
mod trust;
mod validate;

pub use decisions::Trust;
pub use display::display_url;
pub use entry::{
    Approval, Blocked, Field, Gate, Helper, OAuth, Remote, RemoteKind, Scope, Server, ServerEntry, Stdio,
    Switch,
};
pub use env::Env;
pub use error::{ConfigError, ConfigErrorKind};
pub use expand::Text;
pub use explain::{Explanation, HelperFacts, Hidden};
pub use launch::Launch;
pub use load::Config;
pub use locations::{Locations, Platform};
pub use origin::{Origin, Place};
pub use paths::PathReport;
pub use precedence::Shadowed;
pub use problem::{Problem, ProblemCode, Severity};
pub use project::Project;
pub use redacted::Redacted;
pub use sources::{Request, Sources};
pub use suggest::nearest;
pub use trust::TrustStore;
pub use validate::{validate_file, validate_text};
