//! A pluggable auth trait for MCP connections.

mod build;
mod chain;
mod challenge;
#[cfg(feature = "contract-tests")]
pub mod contract;
mod credentials;
mod error;
mod exchange;
mod flight;
#[cfg(feature = "helper")]
mod helper;
#[cfg(feature = "oauth")]
pub mod oauth;
mod plan;
mod provider;
mod scrub;
mod secret;
mod settings;
mod single_flight;
mod static_headers;

pub use build::Parts;
pub use challenge::Challenge;
pub use credentials::{Credentials, RequestSigner};
pub use error::{AuthError, AuthErrorKind};
pub use exchange::HttpExchange;
#[cfg(feature = "helper")]
pub use helper::HeadersHelper;
pub use plan::{AuthPlan, Link, ProviderKind, Role, Why};
pub use provider::{
    AuthFuture, AuthProvider, Capabilities, CredentialSource, FetchReason, FetchReport, ProviderSnapshot,
    Recovery, Rejection,
};
pub use secret::Secret;
pub use settings::{AuthSettings, EnvPolicy, HelperSpec, OAuthSpec, Target, Withheld};
pub use single_flight::SingleFlight;
pub use static_headers::StaticHeaders;
