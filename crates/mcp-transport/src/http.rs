//! MCP over HTTP.

pub(crate) mod answer;
pub(crate) mod client;
mod coding;
pub(crate) mod cookies;
mod forgotten;
pub(crate) mod form;
mod frame;
pub(crate) mod legacy_sse;
pub(crate) mod listen;
pub(crate) mod negotiate;
mod pace;
pub(crate) mod said;
pub(crate) mod session;
pub(crate) mod streamable;
mod tls;
