//! Requests of a program that passes on what another one asked, such as a bridge between a host and a server.

pub use crate::options::relay::RelayOptions;
