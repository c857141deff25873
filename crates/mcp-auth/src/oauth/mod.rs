//! MCP authorization: sign in anywhere, never lose a token.
//!
//! [`OAuthProvider`] turns stored tokens into credentials and renews them; it never asks a person.
//! [`OAuthLogin`] is what a command uses to sign in and out. Both take the network as an
//! [`HttpExchange`](crate::HttpExchange), such as the client of `mcp-transport`, and keep what they get in a
//! [`TokenStore`](store::TokenStore).
//!
//! The rules are those of the MCP authorization specification of 2026-07-28, and of the revisions before it for the
//! servers that follow them. `oauth2` does what it knows (types, PKCE, the code, refresh, client credentials and
//! device grants); its name does not leave this module.

mod agent;
mod authorize;
mod authorizer;
mod callback;
mod client_auth;
mod clock;
mod context;
mod discovery;
mod dpop;
mod endpoint;
mod failure;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod grants;
mod jwt;
mod login;
mod loopback;
mod machine;
mod metadata;
mod numbers;
mod offer;
mod page;
mod provider;
mod registration;
mod renewal;
mod revoke;
mod said;
mod scope;
mod settings;
mod token;
mod urls;

pub mod store;

pub use crate::Renewals;
pub use authorize::CallbackParams;
pub use authorizer::{
    AuthorizationPrompt, Authorizer, AuthorizerSession, DevicePrompt, RedirectWish, SignInPrompt,
};
pub use callback::LoopbackAuthorizer;
pub use discovery::{Discovery, Found};
pub use jwt::SigningKey;
pub use login::{LoginProbe, OAuthLogin, PendingLogin, Revocation, SignedIn, SignedOut};
pub use metadata::{ResourceMetadata, ServerMetadata};
pub use provider::OAuthProvider;
pub use settings::{AssertionSource, Grant, IdentityProvider, OAuthSettings};

#[cfg(test)]
mod fake;
