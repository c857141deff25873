//! What of an endpoint is only known when a connection is made: secrets in its address, its arguments, its environment.

use std::fmt;
use std::hash::Hasher;

use mcp_auth::{AuthError, AuthFuture};

use crate::endpoint::Endpoint;
use crate::error::{AuthContext, TransportError, TransportErrorKind};

/// The name under which a failure of it is told, where a provider has its own.
pub(crate) const NAME: &str = "secrets";

/// Completes an endpoint for one connection, as late as that is possible.
///
/// # Examples
///
/// ```
/// use std::hash::Hasher;
///
/// use mcp_auth::AuthFuture;
/// use mcp_transport::{Endpoint, LateEndpoint};
///
/// /// Gives a local server a variable that is made for each start of it.
/// #[derive(Debug)]
/// struct Session;
///
/// impl LateEndpoint for Session {
///     fn complete(&self, mut endpoint: Endpoint) -> AuthFuture<'_, Endpoint> {
///         if let Endpoint::Stdio(stdio) = &mut endpoint {
///             stdio.env.insert("SESSION".into(), "s3cret".into());
///             stdio.secrets.insert("s3cret");
///         }
///         Box::pin(async { Ok(endpoint) })
///     }
///
///     fn identify(&self, state: &mut dyn Hasher) {
///         state.write(b"session");
///     }
/// }
/// ```
pub trait LateEndpoint: fmt::Debug + Send + Sync + 'static {
    /// `endpoint` with what was not known before. It leads to the same server.
    ///
    /// # Errors
    ///
    /// Why that cannot be obtained: the server is not contacted then.
    fn complete(&self, endpoint: Endpoint) -> AuthFuture<'_, Endpoint>;

    /// Feeds `state` with what decides about the outcome: two that come to the same endpoint are equal.
    fn identify(&self, state: &mut dyn Hasher);
}

impl TransportError {
    /// Credentials that could not be obtained.
    pub(crate) fn credentials(error: AuthError, provider: &str) -> Self {
        let context = AuthContext { provider: Some(provider.to_owned()), ..AuthContext::default() };
        Self::new(TransportErrorKind::Credentials, "no credentials available")
            .with_auth(context)
            .with_source(error)
    }
}

#[cfg(all(test, feature = "stdio"))]
mod tests {
    use mcp_auth::AuthErrorKind;
    use mcp_status::{MessageContext, ReasonCode, classify, message};

    use super::*;
    use crate::connect::{Connector, Server};
    use crate::endpoint::StdioEndpoint;
    use crate::options::{ClientInfo, ClientOptions};

    #[derive(Debug)]
    struct LockedEndpoint;

    impl LateEndpoint for LockedEndpoint {
        fn complete(&self, _: Endpoint) -> AuthFuture<'_, Endpoint> {
            let error = AuthError::new(AuthErrorKind::SourceFailed, "read the key of env.KEY: it is locked");
            Box::pin(async { Err(error) })
        }

        fn identify(&self, _: &mut dyn Hasher) {}
    }

    #[tokio::test]
    async fn what_cannot_be_completed_is_not_contacted_and_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let mut endpoint = StdioEndpoint::new("/bin/sh");
        endpoint.args = vec!["-c".into(), format!("touch {}/started", dir.path().display()).into()];
        let mut server = Server::new(Endpoint::Stdio(endpoint));
        server.late = Some(std::sync::Arc::new(LockedEndpoint));
        let connector = Connector::new(ClientOptions::new(ClientInfo::new("t", "1")));
        let evidence = connector.attempt(&server).await.unwrap_err().evidence();
        assert_eq!(classify(&evidence).code(), Some(ReasonCode::CredentialsFailed));
        let said = message(&evidence, &MessageContext::new("web"));
        assert_eq!(said, "failed to read the key of env.KEY: it is locked");
        assert!(!dir.path().join("started").exists());
    }
}
