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
//!
//! | module | knows |
//! |---|---|
//! | `discover` | where to sign in: published metadata, the client that is known there, the scopes |
//! | `grant` | how tokens are obtained, renewed and given up |
//! | [`store`] | where they are kept, and the one way to spend a refresh token |
//! | `provider` | how credentials are made of them; *when* is for [`SingleFlight`](crate::SingleFlight) |

mod agent;
mod assertion;
mod client_auth;
mod clock;
mod context;
mod discover;
mod dpop;
mod endpoint;
mod failure;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod grant;
mod identity;
mod jwt;
mod numbers;
mod provider;
mod said;
mod settings;
#[cfg(feature = "helper")]
mod unattended;
mod urls;

pub mod store;

pub use crate::Renewals;
pub use assertion::AssertionSource;
pub use discover::discovery::{Discovery, DiscoverySource};
pub use discover::metadata::{ResourceMetadata, ServerMetadata};
pub use grant::authorize::CallbackParams;
pub use grant::authorizer::{
    AuthorizationPrompt, Authorizer, AuthorizerSession, DevicePrompt, RedirectPreference, SignInPrompt,
};
pub use grant::callback::LoopbackAuthorizer;
pub use grant::login::{
    CompletedSignOut, LoginProbe, OAuthLogin, PendingLogin, ProbeRequest, Revocation, SignInSeed, SignedIn,
};
pub use identity::Identity;
pub use jwt::SigningKey;
pub use mcp_text::{OWN_AUTHORIZE_PARAMS, OWN_CLIENT_METADATA};
pub use provider::OAuthProvider;
pub use settings::{Grant, IdentityProvider, OAuthSettings, TokenExchange};

#[cfg(test)]
mod fake;
