//! MCP authorization: sign-in, refresh, and where sign-ins are kept.

mod authorize;
mod authorizer;
mod callback;
mod client_auth;
mod clock;
mod discovery;
mod dpop;
mod endpoint;
mod failure;
mod grants;
mod http;
mod jwt;
mod metadata;
mod page;
mod revoke;
mod scope;
mod settings;
mod token;
mod urls;

pub mod store;
pub use callback::LoopbackAuthorizer;
