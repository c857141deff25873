//! A pluggable auth trait for MCP connections.

mod challenge;
mod credentials;
mod error;
mod exchange;
mod flight;
#[cfg(feature = "oauth")]
pub mod oauth;
mod provider;
mod secret;
mod settings;
mod single_flight;

pub use challenge::Challenge;
pub use credentials::{Credentials, RequestSigner};
pub use error::{AuthError, AuthErrorKind};
pub use exchange::HttpExchange;
pub use provider::{
    AuthFuture, AuthProvider, Capabilities, CredentialSource, FetchReason, FetchReport, ProviderSnapshot,
    Recovery, Rejection,
};
pub use secret::Secret;
pub use settings::{AuthSettings, EnvPolicy, HelperSpec, OAuthSpec, Target, Withheld};
pub use single_flight::SingleFlight;
