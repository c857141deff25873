//! The `auth` of an entry, how credentials are had without a person; and secrets by reference, wherever they stand.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::{RedactedText, display};

/// The field.
pub(crate) const KEY: &str = "auth";

/// The limit of a command that a secret comes from: that of a helper.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// A program of its own is asked (`provider`).
    Plugin {
        /// The program: a path, or a name that is looked for on the `PATH`.
        program: RedactedText<String>,
        /// `settings`: what it is told, an object of JSON.
        settings: Option<RedactedText<String>>,
    },
}

/// What the name of a plug-in begins with on the `PATH`.
pub(crate) const PLUGIN_PREFIX: &str = "mcplink-auth-";

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
        let plugin = match &self.supply {
            Supply::Plugin { program, .. } => Some(program.expose().as_str()),
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
            Supply::Grant(grant) => Some(grant),
            Supply::File(_) | Supply::Plugin { .. } => None,
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
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SecretReference {
    /// `${env:NAME}` or `${NAME}`: a variable of the environment.
    Variable(String),
    /// `${file:PATH}`: the content of a file, without the line break at its end.
    File(RedactedText<PathBuf>),
    /// `${cmd:COMMAND}`: what a command prints.
    Command(RedactedText<String>),
    /// `${keyring:SERVICE/NAME}`: in the keyring of the operating system.
    Keyring {
        /// Whose it is.
        service: String,
        /// Its name.
        name: String,
    },
}

/// The service in the keyring under which sign-ins are kept: no reference leads to one.
const SIGN_INS: &str = crate::Locations::NAME;

/// What a reference says, before paths are made absolute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Written<'t> {
    Variable(&'t str),
    File(&'t str),
    Command(&'t str),
    Keyring(&'t str, &'t str),
}

impl Written<'_> {
    /// As it may be shown.
    pub(crate) fn shown(self) -> String {
        match self {
            Self::Variable(name) => format!("${{env:{name}}}"),
            Self::File(path) => format!("${{file:{}}}", display::display_url(path)),
            Self::Command(command) => format!("${{cmd:{}}}", display::display_command(command)),
            Self::Keyring(service, name) => {
                format!("${{keyring:{}/{}}}", mcp_text::line(service, 60), mcp_text::line(name, 60))
            }
        }
    }

    /// Why it leads to nothing that may be used, and what to write.
    pub(crate) fn fault(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::File(path) if path == "~" || path.starts_with("~/") => {
                Some(("begins with `~`, which is not expanded", "write the whole path"))
            }
            // Security: what a sign-in has brought is for its own server.
            Self::Keyring(SIGN_INS, _) => Some((
                "leads to the sign-ins that are kept, which go to their own servers alone",
                "use `auth` or a sign-in",
            )),
            _ => None,
        }
    }

    /// Where it leads, a relative path from `base`.
    pub(crate) fn resolved(self, base: &Path) -> SecretReference {
        match self {
            Self::Variable(name) => SecretReference::Variable(name.to_owned()),
            Self::File(path) => SecretReference::File(RedactedText::new(base.join(path))),
            Self::Command(command) => SecretReference::Command(RedactedText::new(command.to_owned())),
            Self::Keyring(service, name) => {
                SecretReference::Keyring { service: service.to_owned(), name: name.to_owned() }
            }
        }
    }
}

/// The reference that `text` begins with, and its length: braces in it come in pairs. What a shell would read as a part of
/// one of its own variables (`${file:1:2}`) is none.
pub(crate) fn leading(text: &str) -> Option<(usize, Written<'_>)> {
    let inner = text.strip_prefix("${")?;
    let length = 2 + crate::expand::closing_brace(inner)? + 1;
    let (word, rest) = text[2..length].split_once(':')?;
    let of_a_shell = |c: char| c.is_ascii_digit() || c.is_whitespace() || "-+=?(".contains(c);
    if !["env", "file", "cmd", "keyring"].contains(&word) || rest.starts_with(of_a_shell) {
        return None;
    }
    reference(&text[..length]).map(|written| (length, written))
}

/// The reference that a whole text is.
pub(crate) fn reference(text: &str) -> Option<Written<'_>> {
    let inner = text.strip_prefix("${")?.strip_suffix('}')?;
    let filled = |text: &str| !text.trim().is_empty() && !text.contains('\0');
    match inner.split_once(':') {
        Some(("env", name)) => mcp_text::is_variable_name(name).then_some(Written::Variable(name)),
        Some(("file", path)) => filled(path).then_some(Written::File(path)),
        Some(("cmd", command)) => filled(command).then_some(Written::Command(command)),
        Some(("keyring", item)) => {
            let (service, name) = item.split_once('/')?;
            (filled(service) && filled(name)).then_some(Written::Keyring(service, name))
        }
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
            ("${keyring:a/b/c}", Some(Written::Keyring("a", "b/c"))),
            ("${keyring:a}", None),
            ("${keyring:/b}", None),
            ("${V:-default}", None),
            ("x${V}", None),
            ("${V}x", None),
            ("", None),
        ] {
            assert_eq!(reference(text), expected, "{text}");
        }
    }
}
