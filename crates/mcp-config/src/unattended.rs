//! The `auth` of an entry as it is written: words and references, of which nothing was read.
//!
//! `lower` makes `mcp_auth::settings::MachineSignInSpec` of it, which says what is to be done: sources that can be read, and
//! commands with their environment. The two have like fields and are apart, because this one exists without the feature `auth`, and
//! an entry is shown, compared and approved as it is written.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::redacted::RedactedText;
use crate::reference::SecretReference;

/// The field.
pub(crate) const KEY: &str = "auth";

/// The limit of a command that a secret comes from: that of a helper.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// An `auth` block that this crate knows: a grant, or a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MachineSignIn {
    /// Where the credentials come from.
    pub supply: MachineSignInMethod,
    /// The working directory of its commands: as for a helper.
    pub cwd: PathBuf,
    /// The limit after which a command is killed.
    pub timeout: Duration,
    /// Whether it may be used: where it runs a command, that waits for trust as a helper does.
    pub may_run: bool,
}

/// Where credentials come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum MachineSignInMethod {
    /// An authorization server gives a token (`grant`).
    Grant(Box<GrantEntry>),
    /// Another program keeps a token in a file (`file`).
    File(RedactedText<PathBuf>),
    /// A program of its own is asked (`provider`).
    Plugin {
        /// The program: a path, or a name that is looked for on the `PATH`.
        program: RedactedText<String>,
        /// `settings`: what it is told, an object of JSON.
        settings: Option<RedactedText<String>>,
    },
    /// Each request is signed for AWS (`sign`).
    Aws(Aws),
}

/// What a request to AWS is signed for, and whose keys sign it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Aws {
    /// `service`.
    pub service: String,
    /// `region`; without one, that of the profile or of the environment.
    pub region: Option<String>,
    /// `profile`; without one, the keys in the environment or the profile that it names.
    pub profile: Option<String>,
}

/// The word of `sign`.
pub(crate) const AWS_WORD: &str = "aws-sigv4";

/// What the name of a plug-in begins with on the `PATH`.
pub(crate) const PLUGIN_PREFIX: &str = "mcplink-auth-";

/// What a `grant` needs. Which of the fields it has, [`GrantWord`] says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GrantEntry {
    /// Which one.
    pub word: GrantWord,
    /// `clientId`: the client, as it is registered.
    pub client_id: String,
    /// `clientSecret`.
    pub client_secret: Option<SecretReference>,
    /// `key` or `keyFile`: its private key, in PEM.
    pub key: Option<SecretReference>,
    /// `kid`.
    pub key_id: Option<String>,
    /// `alg`.
    pub algorithm: Option<String>,
    /// `issuer`: who issues tokens.
    pub issuer: Option<String>,
    /// `tokenEndpoint`: where, so that nothing is discovered.
    pub token_endpoint: Option<Url>,
    /// `scopes`, in order.
    pub scopes: Option<Vec<String>>,
    /// `audience`.
    pub audience: Option<String>,
    /// `resource`; an empty string leaves it out.
    pub resource: Option<String>,
    /// `assertion`, `token`, `subjectToken` or `idToken`: what is exchanged.
    pub token: Option<SecretReference>,
    /// `subjectTokenType`.
    pub token_type: Option<String>,
    /// `actorToken`.
    pub actor: Option<SecretReference>,
    /// `actorTokenType`.
    pub actor_type: Option<String>,
    /// `requestedTokenType`.
    pub requested_token_type: Option<String>,
    /// `idpTokenEndpoint`: that of the organisation's identity provider.
    pub idp_token_endpoint: Option<Url>,
    /// `idpClientId`: the client as it is registered there.
    pub idp_client_id: Option<String>,
    /// `idpClientSecret`.
    pub idp_client_secret: Option<SecretReference>,
}

impl GrantEntry {
    pub(crate) fn new(word: GrantWord) -> Self {
        Self {
            word,
            client_id: String::new(),
            client_secret: None,
            key: None,
            key_id: None,
            algorithm: None,
            issuer: None,
            token_endpoint: None,
            scopes: None,
            audience: None,
            resource: None,
            token: None,
            token_type: None,
            actor: None,
            actor_type: None,
            requested_token_type: None,
            idp_token_endpoint: None,
            idp_client_id: None,
            idp_client_secret: None,
        }
    }

    fn references(&self) -> impl Iterator<Item = &SecretReference> {
        [&self.client_secret, &self.key, &self.token, &self.actor, &self.idp_client_secret]
            .into_iter()
            .flatten()
    }
}

impl MachineSignIn {
    /// The commands that it runs.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        let plugin = match &self.supply {
            MachineSignInMethod::Plugin { program, .. } => Some(program.expose().as_str()),
            _ => None,
        };
        let commands = self.references().filter_map(|reference| match reference {
            SecretReference::Command(command) => Some(command.expose().as_str()),
            _ => None,
        });
        commands.chain(plugin)
    }

    /// The variables of the environment that hold its secrets.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.references().filter_map(|reference| match reference {
            SecretReference::Variable(name) => Some(name.as_str()),
            _ => None,
        })
    }

    fn references(&self) -> impl Iterator<Item = &SecretReference> {
        let grant = match &self.supply {
            MachineSignInMethod::Grant(grant) => Some(grant),
            MachineSignInMethod::File(_)
            | MachineSignInMethod::Plugin { .. }
            | MachineSignInMethod::Aws(_) => None,
        };
        grant.into_iter().flat_map(|grant| grant.references())
    }
}

/// The words of `grant`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum GrantWord {
    /// `client_credentials`, with a secret.
    ClientCredentials,
    /// `private_key_jwt`: the same with a key.
    PrivateKeyJwt,
    /// `jwt_bearer`.
    JwtBearer,
    /// `token_exchange`.
    TokenExchange,
    /// `enterprise_managed`.
    EnterpriseManaged,
    /// `workload_identity`.
    WorkloadIdentity,
}

impl GrantWord {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ClientCredentials,
        Self::PrivateKeyJwt,
        Self::JwtBearer,
        Self::TokenExchange,
        Self::EnterpriseManaged,
        Self::WorkloadIdentity,
    ];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::JwtBearer => "jwt_bearer",
            Self::TokenExchange => "token_exchange",
            Self::EnterpriseManaged => "enterprise_managed",
            Self::WorkloadIdentity => "workload_identity",
        }
    }
}
