//! Sign-ins without a person, as the `auth` block of an entry configures them: plain data, like all [settings](crate::AuthSettings).
//!
//! Their place in the plan is the helper's, and they come before it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use url::Url;

use super::{HelperSpec, OAuthSpec, WithholdReason};
use crate::Secret;

/// The name of the provider that reads a token from a file.
pub(crate) const FILE_NAME: &str = "token-file";
/// The name of the provider that asks a plug-in.
pub(crate) const PLUGIN_NAME: &str = "auth-plugin";

/// The name of the provider that signs for AWS.
pub(crate) const AWS_NAME: &str = "aws-sigv4";

/// What is kept by name in the state directory: the names, and what no keyring took.
pub(crate) const SECRETS_FILE: &str = "secrets.json";

/// How credentials are obtained without a person.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct MachineSignInSpec {
    /// Where they come from.
    pub supply: MachineSignInSource,
    /// Why that may not be used, if so.
    pub withheld: Option<WithholdReason>,
}

/// Where credentials come from that need no person.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum MachineSignInSource {
    /// An authorization server gives a token for what this client has.
    Grant(Box<GrantSpec>),
    /// Another program keeps a token in this file, and replaces it.
    File(PathBuf),
    /// A program of its own that is asked.
    Plugin(PluginSpec),
    /// Each request is signed with keys of AWS.
    Aws(AwsSpec),
}

/// Keys of AWS, and what they sign for.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct AwsSpec {
    /// The service, such as `bedrock-agentcore`.
    pub service: String,
    /// The region; that of the profile or of `AWS_REGION` where `None`.
    pub region: Option<String>,
    /// The profile; where `None`, the keys in the environment, or the profile that it names, or `default`.
    pub profile: Option<String>,
    /// How the command of a profile (`credential_process`) runs. Its environment says where the files are.
    pub process: HelperSpec,
}

impl AwsSpec {
    /// Keys for this service, from where `process` runs.
    pub fn new(service: impl Into<String>, process: HelperSpec) -> Self {
        Self { service: service.into(), region: None, profile: None, process }
    }

    /// A variable of the environment, where it says anything.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.process.env.get(OsStr::new(name))?.to_str()?;
        (!value.trim().is_empty()).then_some(value)
    }

    /// `credentials` and `config`, where AWS's own programs look for them.
    pub(crate) fn files(&self) -> [Option<PathBuf>; 2] {
        let home = self.variable("HOME").or_else(|| self.variable("USERPROFILE"));
        [("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config")].map(
            |(variable, name)| match self.variable(variable) {
                Some(path) => Some(self.process.cwd.join(path)),
                None => home.map(|home| Path::new(home).join(".aws").join(name)),
            },
        )
    }
}

/// A plug-in: a program that is started once for a connection, and asked in lines of JSON.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct PluginSpec {
    /// The program, which is started without a shell, with the environment and the limit of a helper; the limit is for each question.
    pub command: HelperSpec,
    /// What the entry says to it: an object of JSON.
    pub settings: Option<Secret>,
}

impl PluginSpec {
    /// The program of this command, which is told nothing by the entry.
    pub fn new(command: HelperSpec) -> Self {
        Self { command, settings: None }
    }

    /// With what the entry says to it.
    #[must_use]
    pub fn with_settings(mut self, settings: Option<Secret>) -> Self {
        self.settings = settings;
        self
    }

    /// What people call it: the name of the program.
    pub fn called(&self) -> String {
        let name = self.command.command.rsplit(['/', '\\']).next().unwrap_or_default();
        mcp_text::name(name, 60).to_string()
    }
}

impl MachineSignInSpec {
    /// Credentials from there.
    pub fn new(supply: MachineSignInSource) -> Self {
        Self { supply, withheld: None }
    }

    /// The stable, kebab-case name of the provider: that of the grant, `token-file`, `auth-plugin` or `aws-sigv4`.
    pub fn name(&self) -> &'static str {
        match &self.supply {
            MachineSignInSource::Grant(grant) => grant.kind.name(),
            MachineSignInSource::File(_) => FILE_NAME,
            MachineSignInSource::Plugin(_) => PLUGIN_NAME,
            MachineSignInSource::Aws(_) => AWS_NAME,
        }
    }

    /// The files that it reads, and those that its commands name.
    pub fn files(&self) -> Vec<PathBuf> {
        match &self.supply {
            MachineSignInSource::Grant(grant) => grant.sources().flat_map(SecretSource::files).collect(),
            MachineSignInSource::File(path) => vec![path.clone()],
            MachineSignInSource::Plugin(plugin) => plugin.command.files(),
            MachineSignInSource::Aws(aws) => aws.files().into_iter().flatten().collect(),
        }
    }

    /// The commands that it may run, to change what is not a part of what they are.
    pub fn commands_mut(&mut self) -> impl Iterator<Item = &mut HelperSpec> {
        let (grant, plugin) = match &mut self.supply {
            MachineSignInSource::Grant(grant) => (Some(grant), None),
            MachineSignInSource::File(_) => (None, None),
            MachineSignInSource::Plugin(plugin) => (None, Some(&mut plugin.command)),
            MachineSignInSource::Aws(aws) => (None, Some(&mut aws.process)),
        };
        let sources = grant.into_iter().flat_map(|grant| {
            let GrantSpec { client_secret, key, token, actor, identity_provider, .. } = &mut **grant;
            let provider = identity_provider.as_mut().and_then(|provider| provider.client_secret.as_mut());
            let tokens = [token, actor].into_iter().flatten().map(|token| &mut token.source);
            [client_secret, key].into_iter().flatten().chain(tokens).chain(provider)
        });
        let commands = sources.filter_map(|source| match source {
            SecretSource::Command(command) => Some(command),
            _ => None,
        });
        commands.chain(plugin)
    }
}

/// The grants that need no person.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum GrantKind {
    /// The client itself has access, and proves itself with a secret (RFC 6749 section 4.4).
    ClientCredentials,
    /// The same, proved with a key (RFC 7523 section 2.2).
    PrivateKeyJwt,
    /// An assertion is exchanged (RFC 7523 section 2.1).
    JwtBearer,
    /// A token is exchanged for another one (RFC 8693).
    TokenExchange,
    /// The identity provider of an organisation says who may use what (enterprise-managed authorization).
    EnterpriseManaged,
    /// The identity that a platform gives to what runs on it is exchanged (RFC 7523 section 2.1).
    WorkloadIdentity,
}

impl GrantKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ClientCredentials,
        Self::PrivateKeyJwt,
        Self::JwtBearer,
        Self::TokenExchange,
        Self::EnterpriseManaged,
        Self::WorkloadIdentity,
    ];

    /// Its stable, kebab-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client-credentials",
            Self::PrivateKeyJwt => "private-key-jwt",
            Self::JwtBearer => "jwt-bearer",
            Self::TokenExchange => "token-exchange",
            Self::EnterpriseManaged => "enterprise-managed",
            Self::WorkloadIdentity => "workload-identity",
        }
    }
}

/// A grant with what it needs.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct GrantSpec {
    /// Which grant.
    pub kind: GrantKind,
    /// The client, its issuer, scopes and resource, as for a person's sign-in.
    pub oauth: OAuthSpec,
    /// The token endpoint, where it is not to be discovered.
    pub token_endpoint: Option<Url>,
    /// The `audience` parameter, which some servers want in the place of `resource` or beside it.
    pub audience: Option<String>,
    /// The secret of the client.
    pub client_secret: Option<SecretSource>,
    /// The private key of the client, in PEM.
    pub key: Option<SecretSource>,
    /// The `kid` in what is signed with it (RFC 7515 section 4.1.4).
    pub key_id: Option<String>,
    /// The `alg` that it has to have.
    pub algorithm: Option<String>,
    /// The assertion, the subject token or the ID token that is exchanged.
    pub token: Option<TokenSpec>,
    /// Who acts for the subject (RFC 8693 section 2.1).
    pub actor: Option<TokenSpec>,
    /// What kind of token is asked for (RFC 8693 section 2.1).
    pub requested_token_type: Option<String>,
    /// The identity provider of an organisation.
    pub identity_provider: Option<IdentityProviderSpec>,
}

impl GrantSpec {
    /// This grant for a client as `oauth` says.
    pub fn new(kind: GrantKind, oauth: OAuthSpec) -> Self {
        Self {
            kind,
            oauth,
            token_endpoint: None,
            audience: None,
            client_secret: None,
            key: None,
            key_id: None,
            algorithm: None,
            token: None,
            actor: None,
            requested_token_type: None,
            identity_provider: None,
        }
    }

    /// Where its secrets and tokens come from.
    fn sources(&self) -> impl Iterator<Item = &SecretSource> {
        let provider = self.identity_provider.as_ref().and_then(|provider| provider.client_secret.as_ref());
        let tokens = [&self.token, &self.actor].into_iter().flatten().map(|token| &token.source);
        [&self.client_secret, &self.key].into_iter().flatten().chain(tokens).chain(provider)
    }
}

/// A token that is handed over, and of what type it is (RFC 8693 section 3).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct TokenSpec {
    /// Where it comes from.
    pub source: SecretSource,
    /// Its type, where that is not the usual one.
    pub kind: Option<String>,
}

impl TokenSpec {
    /// A token from there, of the usual type.
    pub fn new(source: SecretSource) -> Self {
        Self { source, kind: None }
    }

    /// The same of another type.
    #[must_use]
    pub fn of_type(mut self, kind: Option<String>) -> Self {
        self.kind = kind;
        self
    }
}

/// The identity provider of an organisation, and this client at it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct IdentityProviderSpec {
    /// Its token endpoint.
    pub token_endpoint: Url,
    /// The client as it is registered there.
    pub client_id: String,
    /// Its secret, if it has one.
    pub client_secret: Option<SecretSource>,
}

impl IdentityProviderSpec {
    /// A client without a secret.
    pub fn new(token_endpoint: Url, client_id: impl Into<String>) -> Self {
        Self { token_endpoint, client_id: client_id.into(), client_secret: None }
    }
}

/// Where a secret is, which is read each time it is needed, and kept nowhere.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SecretSource {
    /// It is this one.
    Value(Secret),
    /// In a variable of the environment; without a value that is not set.
    Variable {
        /// Its name.
        name: String,
        /// What it says.
        value: Option<Secret>,
    },
    /// In a file, without the line breaks at its end.
    File(PathBuf),
    /// A command prints it.
    Command(HelperSpec),
    /// In the keyring of the operating system, or in the file that stands in for one.
    Keyring(KeyringItem),
}

impl SecretSource {
    /// The files by which it shows that the secret may be another one. A keyring has none of its own: the list of what is kept by name
    /// is written whenever a secret is.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Value(_) | Self::Variable { .. } => Vec::new(),
            Self::File(path) => vec![path.clone()],
            Self::Command(command) => command.files(),
            Self::Keyring(item) => item.file().into_iter().collect(),
        }
    }
}

/// Where a secret is in a keyring.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct KeyringItem {
    /// Whose it is: the *service* of the keyring.
    pub service: String,
    /// Its name there: the *account* of the keyring.
    pub name: String,
    /// Where the file is that stands in for a keyring; there is none where `None`.
    pub state_dir: Option<PathBuf>,
}

impl KeyringItem {
    /// The secret of this name, which no file stands in for.
    pub fn new(service: impl Into<String>, name: impl Into<String>) -> Self {
        Self { service: service.into(), name: name.into(), state_dir: None }
    }

    /// The list of what is kept by name, which stands in for a keyring.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        self.state_dir.as_ref().map(|directory| directory.join(SECRETS_FILE))
    }

    /// With the directory of the file that stands in for a keyring.
    #[must_use]
    pub fn with_state_dir(mut self, state_dir: Option<PathBuf>) -> Self {
        self.state_dir = state_dir;
        self
    }
}

/// A value that secrets are a part of. It is put together each time it is needed.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct SourcedText {
    /// Its parts, in order.
    pub parts: Vec<TextPart>,
}

/// A part of a [`SourcedText`].
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TextPart {
    /// It is this.
    Fixed(Secret),
    /// It is read.
    Read {
        /// Where it is.
        source: SecretSource,
        /// What it is in an error: the reference, the field, the file and the line.
        called: String,
    },
}

impl SourcedText {
    /// A value of these parts.
    pub fn new(parts: Vec<TextPart>) -> Self {
        Self { parts }
    }

    /// What each secret in it is called: its reference, with field, file and line.
    pub fn called(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            TextPart::Read { called, .. } => Some(&**called),
            TextPart::Fixed(_) => None,
        })
    }

    /// The files that it is read from, and those that its commands name.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.parts.iter().flat_map(|part| match part {
            TextPart::Read { source, .. } => source.files(),
            TextPart::Fixed(_) => Vec::new(),
        })
    }

    /// The commands that it may run, to change what is not a part of what they are.
    pub fn commands_mut(&mut self) -> impl Iterator<Item = &mut HelperSpec> {
        self.parts.iter_mut().filter_map(|part| match part {
            TextPart::Read { source: SecretSource::Command(command), .. } => Some(command),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_a_grant_is_found() {
        let source = || SecretSource::Command(HelperSpec::new("print", "/"));
        let mut grant = GrantSpec::new(GrantKind::EnterpriseManaged, OAuthSpec::default());
        (grant.client_secret, grant.key) = (Some(source()), Some(source()));
        (grant.token, grant.actor) = (Some(TokenSpec::new(source())), Some(TokenSpec::new(source())));
        let mut provider = IdentityProviderSpec::new("https://idp.example/token".parse().unwrap(), "me");
        provider.client_secret = Some(source());
        grant.identity_provider = Some(provider);
        let mut spec = MachineSignInSpec::new(MachineSignInSource::Grant(Box::new(grant)));
        assert_eq!(spec.commands_mut().count(), 5);
        assert_eq!(MachineSignInSpec::new(MachineSignInSource::File("/t".into())).commands_mut().count(), 0);
    }

    #[test]
    fn every_file_of_credentials_is_found() {
        use crate::AuthSettings;

        let file = |name: &str| SecretSource::File(name.into());
        let kept = SecretSource::Keyring(KeyringItem::new("mcp", "t").with_state_dir(Some("/state".into())));
        let mut grant = GrantSpec::new(GrantKind::EnterpriseManaged, OAuthSpec::default());
        (grant.client_secret, grant.key) = (Some(file("/secret")), Some(file("/key")));
        (grant.token, grant.actor) =
            (Some(TokenSpec::new(file("/token"))), Some(TokenSpec::new(file("/actor"))));
        let mut provider = IdentityProviderSpec::new("https://idp.example/token".parse().unwrap(), "me");
        provider.client_secret = Some(kept.clone());
        grant.identity_provider = Some(provider);
        let mut environment = HelperSpec::new("", "/work");
        environment.env.insert("HOME".into(), "/home/me".into());
        environment.env.insert("AWS_CONFIG_FILE".into(), "aws.ini".into());
        let text = |source| SourcedText::new(vec![TextPart::Read { source, called: String::new() }]);
        let of = |supply| AuthSettings {
            unattended: Some(MachineSignInSpec::new(supply)),
            ..AuthSettings::default()
        };
        let headers =
            AuthSettings { sourced_headers: vec![("X".to_owned(), text(kept))], ..AuthSettings::default() };
        let client = OAuthSpec { client_secret_source: Some(text(file("/client"))), ..OAuthSpec::default() };
        let client = AuthSettings { oauth: Some(client), ..AuthSettings::default() };
        let cases: [(AuthSettings, &[&str]); 5] = [
            (headers, &["/state/secrets.json"]),
            (client, &["/client"]),
            (of(MachineSignInSource::File("/t".into())), &["/t"]),
            (
                of(MachineSignInSource::Grant(Box::new(grant))),
                &["/secret", "/key", "/token", "/actor", "/state/secrets.json"],
            ),
            (
                of(MachineSignInSource::Aws(AwsSpec::new("s", environment))),
                &["/home/me/.aws/credentials", "/work/aws.ini"],
            ),
        ];
        for (settings, expected) in cases {
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(settings.files(), expected);
        }
    }
}
