//! The `auth` of an entry: how credentials are had without a person.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::RedactedText;

/// The field.
pub(crate) const KEY: &str = "auth";

/// An `auth` block that this crate knows: a grant, or a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Unattended {
    /// Where the credentials come from.
    pub supply: Supply,
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
pub enum Supply {
    /// An authorization server gives a token (`grant`).
    Grant(Box<Grant>),
    /// Another program keeps a token in a file (`file`).
    File(RedactedText<PathBuf>),
}

/// What a `grant` needs. Which of the fields it has, [`GrantWord`] says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Grant {
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

impl Grant {
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

impl Unattended {
    /// The commands that it runs.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.references().filter_map(|reference| match reference {
            SecretReference::Command(command) => Some(command.expose().as_str()),
            _ => None,
        })
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
            Supply::Grant(grant) => Some(grant),
            Supply::File(_) => None,
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

/// A secret by reference: where it is, in the place of what it says. It is looked up when it is needed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SecretReference {
    /// `${env:NAME}` or `${NAME}`: a variable of the environment.
    Variable(String),
    /// `${file:PATH}`: the content of a file, without the line break at its end.
    File(RedactedText<PathBuf>),
    /// `${cmd:COMMAND}`: what a command prints.
    Command(RedactedText<String>),
}

/// What a reference says, before paths are made absolute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Written<'t> {
    Variable(&'t str),
    File(&'t str),
    Command(&'t str),
}

/// The reference that a whole text is.
pub(crate) fn reference(text: &str) -> Option<Written<'_>> {
    let inner = text.strip_prefix("${")?.strip_suffix('}')?;
    let filled = |text: &str| !text.trim().is_empty() && !text.contains('\0');
    match inner.split_once(':') {
        Some(("env", name)) => mcp_text::is_variable_name(name).then_some(Written::Variable(name)),
        Some(("file", path)) => filled(path).then_some(Written::File(path)),
        Some(("cmd", command)) => filled(command).then_some(Written::Command(command)),
        Some(_) => None,
        None => mcp_text::is_variable_name(inner).then_some(Written::Variable(inner)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_whole_text() {
        for (text, expected) in [
            ("${V}", Some(Written::Variable("V"))),
            ("${env:V_1}", Some(Written::Variable("V_1"))),
            ("${file:/run/t}", Some(Written::File("/run/t"))),
            (
                "${cmd:printf '%s' \"${X:-}\" | tr a b}",
                Some(Written::Command("printf '%s' \"${X:-}\" | tr a b")),
            ),
            ("${env:}", None),
            ("${env:A B}", None),
            ("${file: }", None),
            ("${cmd:}", None),
            ("${keyring:a/b}", None),
            ("${V:-default}", None),
            ("x${V}", None),
            ("${V}x", None),
            ("", None),
        ] {
            assert_eq!(reference(text), expected, "{text}");
        }
    }
}
