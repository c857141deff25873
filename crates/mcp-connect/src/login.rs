//! A person signs in; the tokens count only once the server itself has accepted them.

use std::fmt;

use mcp_auth::oauth::{
    Authorizer, DiscoverySource, LoginProbe, OAuthProvider, PendingLogin, ProbeRequest, SignInPrompt,
    SignInSeed, SignedIn,
};
use mcp_auth::plan::{LinkReason, ProviderKind};
use mcp_auth::plugin::{self, PluginPrompt};
use mcp_auth::settings::{MachineSignInSource, PluginSpec};
use mcp_auth::{AuthError, AuthErrorKind, AuthFuture, LoginRemedy};
use mcp_status::{
    Evidence, MessageContext, Outcome, Reason, ReasonCode, StatusReport, Verdict, classify, message,
};
use mcp_transport::supervisor::NoContact;
use mcp_transport::{Connector, RequestOptions, Server, TransportError};

use crate::{ConfiguredServer, Host, ServerAuth};

/// Why there is nothing to sign in to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LoginRefusal {
    /// The entry is switched off.
    SwitchedOff,
    /// It is not contacted for another reason.
    Withheld(Reason),
    /// It is a command, and commands have no sign-in.
    Local,
    /// Its plan has no place for OAuth.
    NoOAuth(LinkReason),
    /// It gets its tokens without a person, by what `auth` of its entry names.
    Unattended,
}

impl fmt::Display for LoginRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SwitchedOff => f.write_str("it is switched off"),
            Self::Withheld(reason) => f.write_str(&reason.message),
            Self::Local => f.write_str("it is a command, and commands have no sign-in"),
            Self::NoOAuth(why) => write!(f, "it does not use OAuth: {why}"),
            Self::Unattended => f.write_str("it signs in on its own, with what `auth` of its entry names"),
        }
    }
}

/// Why a sign-in has not begun.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoginError {
    /// There is nothing to sign in to.
    Refused(LoginRefusal),
    /// The server works without a sign-in, and nothing says that it has one.
    NotWanted,
    /// The server asked for no sign-in, names no authorization server, and does not work for another reason.
    NotOffered(Box<StatusReport>),
    /// The server itself is not there to say where a sign-in would be.
    NotThere(Box<StatusReport>),
    /// The authorization server could not be found, or cannot be used.
    Failed(AuthError),
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "cannot sign in: {refusal}"),
            Self::NotWanted => f.write_str("the server wants no sign-in"),
            Self::NotOffered(_) => f.write_str("the server has no sign-in"),
            Self::NotThere(_) => f.write_str("the server cannot be reached"),
            Self::Failed(_) => f.write_str("the sign-in failed"),
        }
    }
}

impl std::error::Error for LoginError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(_) | Self::NotWanted | Self::NotOffered(_) | Self::NotThere(_) => None,
            Self::Failed(error) => Some(error),
        }
    }
}

impl From<AuthError> for LoginError {
    fn from(error: AuthError) -> Self {
        Self::Failed(error)
    }
}

/// A sign-in that has begun: the authorization server is known, and the person is to be shown the way to it.
#[derive(Debug)]
pub struct Login<'a> {
    pending: PendingLogin,
    probe: ServerProbe<'a>,
}

impl Host {
    /// Begins to sign in to `server`, for these scopes on top of those that it asks for: asks the server what it wants, and
    /// finds its authorization server.
    ///
    /// # Errors
    ///
    /// There is nothing to sign in to, or no usable authorization server was found.
    pub async fn login<'a>(
        &'a self,
        server: &'a ConfiguredServer,
        scopes: &[String],
    ) -> Result<Login<'a>, LoginError> {
        let (auth, oauth, endpoint) = server.sign_in().map_err(LoginError::Refused)?;
        // What the server says when it is asked without the new sign-in: where its metadata is, and which scopes it wants.
        // Whatever the outcome, the search goes on: its metadata may be at the well-known places.
        let trouble = match self.connector().attempt(endpoint).await {
            Ok(connection) => {
                if oauth.challenges().is_empty() {
                    // Some servers let everyone connect, and ask for a sign-in when their tools are listed.
                    let _ = connection.list_tools(&RequestOptions::new()).await;
                }
                connection.close().await;
                None
            }
            Err(error) => match lacking_beside_sign_in(auth, &error) {
                // A person would sign in for nothing: what else the server is to get is not there.
                Some(lacking) => return Err(lacking.into()),
                None => Some(error.evidence()),
            },
        };
        let login = self.oauth_login(auth, scopes);
        let challenges = oauth.challenges();
        // The default endpoints of 2025-03-26 are tried only where the server said that credentials are missing. They are not
        // guessed for what is not a MCP server, or refuses everything.
        let is_asked_for = trouble.as_ref().is_some_and(asks_for_a_sign_in);
        let is_wanted = is_asked_for || !challenges.is_empty() || auth.plan.settings().oauth.is_some();
        let pending = match login.begin(&challenges).await {
            // A sign-in that was found, or that the server asked for; a guess alone is not enough.
            Ok(pending) if is_wanted || pending.discovery().found != DiscoverySource::DefaultEndpoints => {
                pending
            }
            // What was looked up stands at the server, and that is not there.
            Err(error)
                if challenges.is_empty()
                    && matches!(error.kind(), AuthErrorKind::Unavailable | AuthErrorKind::Tls)
                    && trouble.as_ref().is_some_and(is_not_there) =>
            {
                let Some(seen) = trouble else { return Err(error.into()) };
                let report = StatusReport::from_evidence(&seen, &server.context(), server.facts());
                return Err(LoginError::NotThere(Box::new(server.without_secrets(report))));
            }
            // Nothing could be looked up now, so there may be a sign-in all the same.
            Err(error)
                if is_wanted
                    || matches!(
                        error.kind(),
                        AuthErrorKind::Unavailable | AuthErrorKind::Tls | AuthErrorKind::StoreUnavailable
                    ) =>
            {
                return Err(error.into());
            }
            _ => {
                let Some(seen) = trouble else { return Err(LoginError::NotWanted) };
                let report = StatusReport::from_evidence(&seen, &server.context(), server.facts());
                return Err(LoginError::NotOffered(Box::new(server.without_secrets(report))));
            }
        };
        Ok(Login { pending, probe: ServerProbe { connector: self.connector(), auth, server: endpoint } })
    }
}

impl Host {
    /// Signs a person in to `server` by the plug-in that its entry names; `show` is told what there is for the person to do. It
    /// counts once the server itself has accepted what the plug-in gives then. `None` where no plug-in answers for the server.
    ///
    /// # Errors
    ///
    /// The entry may not be used, the plug-in has no `login` or did not finish it, or the server refuses what came of it.
    pub async fn plugin_sign_in(
        &self,
        server: &ConfiguredServer,
        show: &(dyn Fn(PluginPrompt) + Send + Sync),
    ) -> Option<Result<(), LoginError>> {
        let (auth, plugin) = server.plugin()?;
        let signed_in = async {
            let endpoint = server.usable().map_err(LoginError::Refused)?;
            plugin::sign_in(plugin, &auth.target, show).await?;
            match self.connector().attempt(endpoint).await {
                Ok(connection) => {
                    connection.close().await;
                    Ok(())
                }
                Err(error) => Err(LoginError::Failed(not_accepted(auth, &error))),
            }
        };
        Some(signed_in.await)
    }

    /// Has the plug-in of the entry forget its sign-in to `server`; `None` where no plug-in answers for the server.
    ///
    /// # Errors
    ///
    /// The entry may not be used, or the plug-in has no `logout` or did not finish it.
    pub async fn plugin_sign_out(&self, server: &ConfiguredServer) -> Option<Result<(), LoginError>> {
        let (auth, plugin) = server.plugin()?;
        let signed_out = async {
            server.usable().map_err(LoginError::Refused)?;
            Ok(plugin::sign_out(plugin, &auth.target).await?)
        };
        Some(signed_out.await)
    }
}

/// Whether no answer came from a server.
fn is_not_there(seen: &Evidence) -> bool {
    matches!(seen.outcome, Outcome::Unreachable | Outcome::Tls | Outcome::Timeout | Outcome::Proxy { .. })
}

/// Whether what was seen of a server says that credentials are missing.
fn asks_for_a_sign_in(seen: &Evidence) -> bool {
    use ReasonCode::{CredentialsRejected, InsufficientScope, SignInExpired, Unauthorized, WrongAccount};
    let code = classify(seen).code();
    matches!(
        code,
        Some(Unauthorized | CredentialsRejected | InsufficientScope | SignInExpired | WrongAccount)
    )
}

/// The failure of a source that stands beside the sign-in, such as a secret by reference in a header: the server was not asked.
/// A helper is another matter, as a sign-in serves in its place.
fn lacking_beside_sign_in(auth: &ServerAuth, error: &TransportError) -> Option<AuthError> {
    let failed =
        |error: &&AuthError| matches!(error.kind(), AuthErrorKind::SourceFailed | AuthErrorKind::TimedOut);
    let own = error.auth_error().filter(failed)?;
    auth.plan.settings().helper.is_none().then(|| own.clone())
}

/// The server did not accept what a sign-in has brought.
fn not_accepted(auth: &ServerAuth, error: &TransportError) -> AuthError {
    if let Some(lacking) = lacking_beside_sign_in(auth, error) {
        return lacking;
    }
    let evidence = error.evidence();
    let kind = match classify(&evidence) {
        Verdict::Transient { .. } => AuthErrorKind::Unavailable,
        Verdict::NeedsAuth { .. } => AuthErrorKind::Refused,
        _ => AuthErrorKind::Protocol,
    };
    let context = MessageContext::new(&auth.target.name).with_origin(Some(&auth.origin));
    let why = message(&evidence, &context);
    let error = AuthError::new(kind, format!("the server did not accept the new sign-in: {why}"));
    // What it has against a token that was made for it, only who runs it can tell. A scope is for the person to ask for.
    match classify(&evidence).code() {
        Some(ReasonCode::InsufficientScope | ReasonCode::WrongAccount) => error,
        _ => error.with_login_remedy(LoginRemedy::Operator { origin: auth.origin.clone() }),
    }
}

impl ConfiguredServer {
    /// The plug-in that answers for it.
    fn plugin(&self) -> Option<(&ServerAuth, &PluginSpec)> {
        let auth = self.auth.as_ref()?;
        match &auth.plan.settings().unattended.as_ref()?.supply {
            MachineSignInSource::Plugin(plugin) => Some((auth, plugin)),
            _ => None,
        }
    }

    /// Whether a plug-in answers for it, which may have a sign-in of its own.
    pub fn has_plugin(&self) -> bool {
        self.plugin().is_some()
    }

    /// What is connected to, where that may be.
    fn usable(&self) -> Result<&Server, LoginRefusal> {
        match &self.state {
            Ok(server) => Ok(server),
            Err(NoContact::Because(reason)) => Err(LoginRefusal::Withheld(reason.clone())),
            Err(_) => Err(LoginRefusal::SwitchedOff),
        }
    }

    /// Whether a person can sign in.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_sign_in(&self) -> Result<(), LoginRefusal> {
        self.sign_in().map(drop)
    }

    /// The parts that a person can sign in to.
    fn sign_in(&self) -> Result<(&ServerAuth, &OAuthProvider, &Server), LoginRefusal> {
        let server = self.usable()?;
        let Some(auth) = &self.auth else { return Err(LoginRefusal::Local) };
        let unattended = auth.plan.settings().unattended.as_ref();
        // A plug-in may have a sign-in of its own.
        if unattended.is_some_and(|spec| !matches!(spec.supply, MachineSignInSource::Plugin(_))) {
            return Err(LoginRefusal::Unattended);
        }
        match &auth.oauth {
            Some(oauth) => Ok((auth, oauth, server)),
            None => {
                let link = auth.plan.links().iter().find(|link| link.provider == ProviderKind::OAuth);
                Err(LoginRefusal::NoOAuth(link.map_or(LinkReason::SwitchedOff, |link| link.why)))
            }
        }
    }
}

impl Login<'_> {
    /// Whether nothing says that there is a sign-in, neither the server nor the entry, and the default addresses of 2025-03-26
    /// are a guess.
    pub fn is_guessed(&self) -> bool {
        self.probe.auth.plan.settings().oauth.is_none()
            && self.pending.discovery().found == DiscoverySource::DefaultEndpoints
    }

    /// The authorization server that the client's secret would go to and that nothing but the server itself has named: the
    /// person is to be asked whether it belongs there.
    pub fn unconfirmed_issuer(&self) -> Option<&str> {
        self.pending.unconfirmed_issuer()
    }

    /// The authorization server, by its issuer.
    pub fn issuer(&self) -> &str {
        &self.pending.discovery().issuer
    }

    /// The origin of the server that named it.
    pub fn origin(&self) -> &str {
        &self.probe.auth.origin
    }

    /// The person says that the secret belongs there.
    #[must_use]
    pub fn confirm_issuer(self) -> Self {
        Self { pending: self.pending.confirm_issuer(), ..self }
    }

    /// Shows the person the way, and waits until the server has accepted the new tokens.
    ///
    /// # Errors
    ///
    /// Whatever went wrong on the way; a sign-in of before stays as it was.
    pub async fn complete(self, authorizer: &dyn Authorizer) -> Result<SignedIn, AuthError> {
        self.pending.complete(authorizer, &self.probe).await
    }

    /// The same with a sign-in that was made elsewhere, without a person.
    ///
    /// # Errors
    ///
    /// Whatever went wrong on the way; a sign-in of before stays as it was.
    pub async fn complete_with_seed(self, seed: SignInSeed) -> Result<SignedIn, AuthError> {
        self.pending.complete_with_seed(seed, &self.probe).await
    }

    /// The same with a code that the person enters on another device (RFC 8628).
    ///
    /// # Errors
    ///
    /// Whatever went wrong on the way; a sign-in of before stays as it was.
    pub async fn complete_with_device(self, prompt: &dyn SignInPrompt) -> Result<SignedIn, AuthError> {
        self.pending.complete_with_device(prompt, &self.probe).await
    }
}

/// Connects with the new tokens: the server's word is what makes a sign-in a success.
#[derive(Debug)]
struct ServerProbe<'a> {
    connector: &'a Connector,
    auth: &'a ServerAuth,
    server: &'a Server,
}

impl LoginProbe for ServerProbe<'_> {
    fn probe(&self, ProbeRequest { provider, .. }: ProbeRequest) -> AuthFuture<'_, ()> {
        Box::pin(async move {
            let chain = self.auth.chain_with(Some(provider))?;
            let server = Server::new(self.server.endpoint.clone()).with_auth(chain);
            match self.connector.attempt(&server).await {
                Ok(connection) => {
                    connection.close().await;
                    Ok(())
                }
                Err(error) => Err(not_accepted(self.auth, &error)),
            }
        })
    }
}
