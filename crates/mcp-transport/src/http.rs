//! MCP over HTTP.

pub(crate) mod answer;
pub(crate) mod body;
mod certificate;
mod charset;
pub(crate) mod client;
mod coding;
pub(crate) mod cookies;
mod dial;
pub(crate) mod exchanges;
pub(crate) mod facts;
mod forgotten;
pub(crate) mod form;
mod frame;
mod idle;
mod leaving;
pub(crate) mod legacy_sse;
pub(crate) mod listen;
pub(crate) mod negotiate;
mod own;
mod pace;
pub(crate) mod page;
pub(crate) mod reach;
mod reagree;
pub(crate) mod route;
pub(crate) mod said;
pub(crate) mod session;
#[cfg(test)]
pub(crate) mod simulated;
mod sounding;
pub(crate) mod streamable;
mod tls;
pub(crate) mod trouble;
mod witness;
