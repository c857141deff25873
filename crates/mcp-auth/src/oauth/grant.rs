//! How tokens are obtained, renewed and given up: by a person in a browser or with a code, by a machine, by a refresh token.

pub(crate) mod authorize;
pub(crate) mod authorizer;
pub(crate) mod callback;
pub(crate) mod grants;
pub(crate) mod login;
pub(crate) mod loopback;
pub(crate) mod machine;
pub(crate) mod page;
pub(crate) mod renewal;
pub(crate) mod revoke;
pub(crate) mod share;
pub(crate) mod token;
