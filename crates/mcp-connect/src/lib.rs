//! From an entry of an MCP configuration to a running server: what every program that embeds MCP servers needs, and what the
//! command line of this workspace is built on. It prints nothing and reads no environment of its own.
//!
//! | behaviour | lives in |
//! |---|---|
//! | what all servers of one program share: options, client, sign-ins | [`Host`] |
//! | an entry with its endpoint, its auth chain, its gate and what may not be repeated of it | [`ConfiguredServer`] |
//! | one attempt, and what came of it | [`Probe`] |
//! | why a server is as it is | [`Examination`] |
//! | which headers a server would get, and from where | [`HeaderReport`] |
//! | a provider of credentials of one's own, which entries name | [`Providers`] |
//! | a person signs in | [`Login`] |
//! | what a registry says of a server, and which address it may name | [`Registry`] |
//! | which tools of a server may be used | [`EntryTools`] |
//! | whether two entries come to the same connection | [`Fingerprint`] |
//!
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod description;
mod examination;
mod fingerprint;
mod headers;
mod host;
mod late;
mod login;
mod network;
mod options;
mod probe;
mod providers;
mod registry;
mod secrets;
mod server;
mod tools;

pub use description::Description;
pub use examination::{Cause, Check, CheckState, CheckTopic, Examination};
pub use fingerprint::Fingerprint;
pub use headers::{HeaderOutline, HeaderReport};
pub use host::Host;
pub use login::{Login, LoginError, LoginRefusal};
pub use options::HostOptions;
pub use probe::Probe;
pub use providers::{AUTH_FIELD, ProviderError, ProviderFactory, ProviderRequest, Providers};
pub use registry::{Registry, RegistryError, RegistryErrorKind, RegistrySearch};
pub use server::{ConfiguredServer, ServerAuth};
pub use tools::EntryTools;
