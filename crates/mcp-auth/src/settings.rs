//! What is configured for one server, as plain data: the input of `AuthPlan::resolve`.
//!
//! Plans can be made and printed without any provider compiled in.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::Secret;

pub(crate) mod unattended;

pub use self::unattended::{
    AwsSpec, GrantKind, GrantSpec, IdentityProviderSpec, KeyringItem, MachineSignInSource, MachineSignInSpec,
    PluginSpec, SecretSource, SourcedText, TextPart, TokenSpec,
};

/// The server that credentials are for.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Target {
    /// The name of the server entry.
    pub name: String,
    /// The MCP endpoint. Credentials go to its origin only.
    pub url: Url,
    /// Which of several sign-ins to this server it is, by the name that a person gave it; `None` is the one without a name.
    pub account: Option<String>,
    /// By which way it is reached, where a stranger's file says that: a proxy, an authority to trust. What was given on one way
    /// goes on no other, because who is on it reads it.
    pub route: Option<String>,
}

impl Target {
    /// The server `name` at `url`.
    pub fn new(name: impl Into<String>, url: Url) -> Self {
        Self { name: name.into(), url, account: None, route: None }
    }

    /// The same server for another account.
    #[must_use]
    pub fn with_account(mut self, account: Option<String>) -> Self {
        self.account = account;
        self
    }

    /// The same server by a way of its own.
    #[must_use]
    pub fn with_route(mut self, route: Option<String>) -> Self {
        self.route = route;
        self
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: userinfo and query of a URL are credentials as often as not; the origin is enough to recognise it.
        let origin = self.url.origin().ascii_serialization();
        f.debug_struct("Target")
            .field("name", &self.name)
            .field("origin", &origin)
            .field("account", &self.account)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

/// Everything that an entry says about auth.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct AuthSettings {
    /// Headers of the entry, in order, already expanded.
    pub static_headers: Vec<(String, Secret)>,
    /// The `Authorization` among them is user and password of the address.
    pub authorization_of_url: bool,
    /// Headers of the entry whose values have secrets by reference in them: read when a connection is made, and again when the
    /// server refuses them.
    pub sourced_headers: Vec<(String, SourcedText)>,
    /// The names of headers whose values have variables of the environment in them, with those variables.
    pub header_variables: Vec<(String, Vec<String>)>,
    /// The variables in values of headers that are set, and to nothing, with the names of those headers.
    pub empty_variables: Vec<(String, String)>,
    /// The process that uses them lives on, so that its environment may be older than what a person has set since.
    pub lives_on: bool,
    /// The provider of the program's own, which has the place of the helper and comes before it.
    pub custom: Option<CustomSpec>,
    /// How credentials are obtained without a person, where the entry says that (`auth`). It comes before the helper as well.
    pub unattended: Option<MachineSignInSpec>,
    /// The command that mints headers.
    pub helper: Option<HelperSpec>,
    /// Why the helper may not run, if so.
    pub helper_withheld: Option<WithholdReason>,
    /// The `oauth` block; present only where the entry has one.
    pub oauth: Option<OAuthSpec>,
    /// The entry says `oauth: false`: there is no sign-in to this server.
    pub oauth_off: bool,
}

impl AuthSettings {
    /// The names of the headers that the entry has itself, as it spells them.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &str> {
        let fixed = self.static_headers.iter().map(|(name, _)| &**name);
        fixed.chain(self.sourced_headers.iter().map(|(name, _)| &**name))
    }

    /// The files that its credentials are read from, and those that the commands for them name: one who waits for other credentials
    /// looks at these.
    pub fn files(&self) -> Vec<PathBuf> {
        let client = self.oauth.iter().filter_map(|oauth| oauth.client_secret_source.as_ref());
        let texts = self.sourced_headers.iter().map(|(_, value)| value).chain(client);
        let mut files: Vec<PathBuf> = self.helper.iter().flat_map(HelperSpec::files).collect();
        files.extend(texts.flat_map(SourcedText::files));
        files.extend(self.unattended.iter().flat_map(MachineSignInSpec::files));
        files
    }

    /// The commands that secrets by reference come from, to change what is not a part of what they are.
    pub fn commands_mut(&mut self) -> impl Iterator<Item = &mut HelperSpec> {
        let client = self.oauth.iter_mut().filter_map(|oauth| oauth.client_secret_source.as_mut());
        let texts = self.sourced_headers.iter_mut().map(|(_, value)| value).chain(client);
        let references = texts.flat_map(SourcedText::commands_mut);
        references.chain(self.unattended.iter_mut().flat_map(MachineSignInSpec::commands_mut))
    }
}

/// A provider of the program's own, as an entry configures it. What it is made of is for the program to know: the plan has its
/// place, and [`Parts::with_authority`](crate::Parts::with_authority) the provider itself.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct CustomSpec {
    /// The name of the provider, as [`AuthProvider::name`](crate::AuthProvider::name) has it.
    pub name: Arc<str>,
    /// What the entry says to it, in whatever form: two that differ are different settings.
    pub settings: Option<Secret>,
}

impl CustomSpec {
    /// A provider of this name, without settings.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), settings: None }
    }

    /// With what the entry says to it.
    #[must_use]
    pub fn with_settings(mut self, settings: Secret) -> Self {
        self.settings = Some(settings);
        self
    }
}

/// Why a configured provider is not allowed to run.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum WithholdReason {
    /// The folder that the entry belongs to is not trusted.
    UntrustedFolder,
}

/// A command that prints headers as one JSON object.
#[derive(Clone, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct HelperSpec {
    /// The command line, run through the platform's shell.
    pub command: String,
    /// The working directory.
    pub cwd: PathBuf,
    /// The whole environment of the command, before the identity variables and the scrub.
    pub env: BTreeMap<OsString, OsString>,
    /// Which variables of `env` the command gets.
    pub env_policy: EnvPolicy,
    /// The limit after which its process group is killed.
    pub timeout: Duration,
    /// How long its output is good for, where the entry says so.
    pub ttl: Option<Duration>,
    /// The value of the URL variable: expanded, and with scrubbed parts replaced by `REDACTED`.
    pub url_variable: String,
}

impl HelperSpec {
    /// A command with the default limit of 10 s, no lifetime, and the environment kept as given.
    pub fn new(command: impl Into<String>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            command: command.into(),
            cwd: cwd.into(),
            env: BTreeMap::new(),
            env_policy: EnvPolicy::Inherit,
            timeout: Duration::from_secs(10),
            ttl: None,
            url_variable: String::new(),
        }
    }
}

impl fmt::Debug for HelperSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: a command line may carry a secret; its first word is enough to recognise it.
        f.debug_struct("HelperSpec")
            .field("program", &self.command.split_whitespace().next().unwrap_or_default())
            .field("cwd", &self.cwd)
            .field("env_policy", &self.env_policy)
            .field("timeout", &self.timeout)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

/// What a helper inherits from the environment.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum EnvPolicy {
    /// Everything but what is for this program alone ([`children::OWN_SECRETS`](crate::children::OWN_SECRETS)).
    Inherit,
    /// What is plainly a setting, or named by the command, and no credential by its name or value: for helpers that a
    /// repository brought along.
    Scrubbed,
}

/// The `oauth` block of an entry (MCP authorization; field names as in the config files).
#[derive(Clone, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct OAuthSpec {
    /// A client registered beforehand (RFC 6749 section 2.2).
    pub client_id: Option<String>,
    /// Its secret; never from a config file.
    pub client_secret: Option<Secret>,
    /// Where its secret is, which is read when the authorization server is to get it, in the place of `client_secret`.
    pub client_secret_source: Option<SourcedText>,
    /// The issuer identifier of the authorization server (RFC 8414 section 2), where a person pins it: no other is used,
    /// and the client's secret goes to no other.
    pub issuer: Option<String>,
    /// Whether `issuer` and `auth_server_metadata_url` are the word of the person whose secret it is, and not of a
    /// repository that brought the entry along: then the secret is sent there without asking.
    pub issuer_is_confirmed: bool,
    /// The port of the loopback redirect.
    pub callback_port: Option<u16>,
    /// The whole redirect URI, where the registered one differs from `http://localhost:PORT/callback`.
    pub redirect_uri: Option<String>,
    /// Pinned scopes.
    pub scopes: Option<Vec<String>>,
    /// Authorization server metadata that replaces discovery (RFC 8414); https only.
    pub auth_server_metadata_url: Option<Url>,
    /// The `resource` parameter (RFC 8707): `None` discovers it, an empty string leaves it out.
    pub resource: Option<String>,
    /// A client ID metadata document to present where the server supports one.
    pub client_metadata_url: Option<Url>,
    /// An authorization server that says nothing about PKCE does it (RFC 7636 section 5: it may). One that lists
    /// methods is taken by its word.
    pub assume_pkce: bool,
    /// What the metadata names as its issuer where that is not the issuer's URL: a template, as a rule. Exactly this
    /// text is accepted, and nothing else about the comparison changes.
    pub metadata_issuer: Option<String>,
    /// More parameters of the authorization request (RFC 6749 section 3.1 leaves them to the server), such as
    /// `access_type` or `audience`. None takes the place of one that this client sets: see
    /// [`OWN_AUTHORIZE_PARAMS`](crate::oauth::OWN_AUTHORIZE_PARAMS).
    pub authorize_params: BTreeMap<String, String>,
    /// What else a dynamic registration says of this client (RFC 7591 section 2), such as `client_name`, `contacts` or
    /// `token_endpoint_auth_method`, each as JSON. None takes the place of what this client decides: see
    /// [`OWN_CLIENT_METADATA`](crate::oauth::OWN_CLIENT_METADATA). A registration that is kept already stays as it is.
    pub client_metadata: BTreeMap<String, String>,
    /// Where this server has no sign-in of its own, that of another server of its issuer is asked for a token of this one.
    /// Never the word of a repository: it is a person's sign-in that is shared.
    pub shares_issuer: bool,
    /// The one person whose sign-in may be used: a `sub`, or an address of mail or user name of the ID token.
    pub expect_subject: Option<String>,
    /// The one organisation whose sign-ins may be used: a number or name of a tenant, as the ID token has it.
    pub expect_organization: Option<String>,
    /// The ID token of a sign-in is sent in the place of its access token, as some gateways want it.
    pub use_id_token: bool,
}

// Security: what a variable of an entry holds is not for a log, whatever it is for.
impl fmt::Debug for OAuthSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthSpec").finish_non_exhaustive()
    }
}
