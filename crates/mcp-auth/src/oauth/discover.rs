//! Where to sign in: what the server and its authorization server publish, the client that is known there, and the scopes.

pub(crate) mod client_metadata;
pub(crate) mod discovery;
pub(crate) mod metadata;
pub(crate) mod offer;
pub(crate) mod outlook;
pub(crate) mod registration;
pub(crate) mod scope;
