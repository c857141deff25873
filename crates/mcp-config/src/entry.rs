//! A server entry: parsed once, expanded, and with every fact that others would have to infer from paths.
//!
//! Longer than 500 lines because what an entry answers for itself stands with its types.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use url::Url;

use crate::chain::{Chain, Link};
use crate::consent::{Change, Terms};
use crate::hosts::KnownHost;
use crate::network::Network;
use crate::policy::PolicyBlock;
use crate::tool_policy::ToolPolicy;
use crate::transport::EntryTransport;
use crate::unattended::MachineSignIn;
use crate::{Origin, display};

// What an entry consists of is found beside it, wherever it is defined.
pub use crate::env_file::EnvFile;
pub use crate::expand::Text;
pub use crate::extra::Extra;
pub use crate::field::Field;
pub use crate::redacted::RedactedText;
pub use crate::reference::SecretReference;
pub use crate::scope::Scope;
pub use crate::stdio::Stdio;
pub use crate::transport::RemoteKind;

/// One server of the configuration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerEntry {
    /// Its name, as written.
    pub name: String,
    /// Where it was defined.
    pub scope: Scope,
    /// The exact place.
    pub origin: Origin,
    /// What it is, and where.
    pub server: EntryServer,
    /// The limit of one tool call.
    pub timeout: Option<Duration>,
    /// Which sign-in is used, where there are several (`account`).
    pub account: Option<String>,
    /// What it may cost.
    pub limits: EntryLimits,
    /// The host is to load its tools at once.
    pub always_load: bool,
    /// Which of its tools may be used.
    pub tools: ToolPolicy,
    /// Whether a person switched it off.
    pub switch: Switch,
    /// The same without what this tool's own file overrides.
    pub(crate) below: Switch,
    /// Whether a person agreed to it, for entries that a project brings along.
    pub approval: Approval,
    /// Why the administrator's lists forbid it, if they do.
    pub blocked: Option<PolicyBlock>,
    /// How it leads back to itself, if starting it here would: a fragment for people.
    pub self_reference: Option<String>,
    /// What it was read under.
    pub(crate) chain: Option<Arc<Chain>>,
    pub(crate) link: OnceLock<Link>,
    pub(crate) terms: Terms,
    /// A decision about its name counts for it, and what it says has not been kept yet.
    pub(crate) first_use: bool,
    /// How the secrets that it refers to are looked up.
    pub(crate) lookups: Lookups,
    /// The other account that its file or folder belongs to, where it does.
    pub(crate) foreign: Option<u32>,
    /// The folder of the project that this person's own file has it for, where it is for one alone.
    pub(crate) folder: Option<PathBuf>,
    /// The root of the plugin that brought it along, where one did.
    pub(crate) plugin: Option<PathBuf>,
    /// The host whose file it stands in, where that is another one.
    pub(crate) host: Option<&'static KnownHost>,
    /// The fields that the program reads itself.
    pub(crate) extras: Vec<(String, Extra)>,
    pub(crate) transport: EntryTransport,
    pub(crate) fields: Vec<Field>,
}

/// How the secrets are looked up that an entry refers to outside of its `auth`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookups {
    /// The working directory of their commands, as for a helper.
    pub(crate) cwd: PathBuf,
    /// Whether credential-like variables are kept from them, as from a helper that a repository brought along.
    pub(crate) scrubbed: bool,
    /// Whether the folder is trusted.
    pub(crate) trusted: bool,
}

/// A `limits` block: what a server may cost. What is absent is as the transport has it (`mcp_transport::limits::Limits`, where
/// each is described).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct EntryLimits {
    /// `handshakeBytes`.
    pub handshake_bytes: Option<u64>,
    /// `listBytes`.
    pub list_bytes: Option<u64>,
    /// `resultBytes`.
    pub result_bytes: Option<u64>,
    /// `messageBytes`.
    pub message_bytes: Option<u64>,
    /// `hostBytes`.
    pub host_bytes: Option<u64>,
    /// `errorBytes`.
    pub error_bytes: Option<u64>,
    /// `errorMs`, in milliseconds.
    pub error_ms: Option<u64>,
    /// `pages`.
    pub pages: Option<u64>,
    /// `serverRequests`.
    pub server_requests: Option<u64>,
    /// `exchanges`.
    pub exchanges: Option<u64>,
    /// `requests`.
    pub requests: Option<u64>,
}

/// What a server is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EntryServer {
    /// Reached by URL.
    Remote(Box<Remote>),
    /// A command that speaks MCP on its standard streams.
    Stdio(Stdio),
    /// An entry with an empty URL: a place kept for later. Never contacted.
    NotConfigured {
        /// The variable that the URL was to come from, which is set, and empty.
        variable: Option<String>,
    },
    /// A server that lives inside a host program (`type: sdk`). Nothing outside can reach it.
    InProcess,
    /// The entry cannot be used; the problems of its name say why. Never contacted.
    Invalid,
}

/// A server reached by URL.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Remote {
    /// How it speaks.
    pub kind: RemoteKind,
    /// Its endpoint, expanded.
    pub url: RedactedText<Url>,
    /// The endpoint as written.
    pub url_text: Text,
    /// The headers of the entry, in its order.
    pub headers: Vec<(String, Text)>,
    /// The command that mints headers.
    pub helper: Option<Helper>,
    /// How credentials are obtained without a person, where the entry says so in its `auth`.
    pub unattended: Option<MachineSignIn>,
    /// The `oauth` block, where there is one.
    pub oauth: Option<OAuth>,
    /// `oauth: false`: there is no sign-in to this server.
    pub oauth_off: bool,
    /// How it is reached.
    pub network: Network,
}

/// A `headersHelper`, with the facts that decide how it runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Helper {
    /// The command line, as written: the shell expands it.
    pub command: RedactedText<String>,
    /// Its working directory: the launch directory for an entry that belongs to the project or the command
    /// line, the person's configuration directory for one that belongs to the person or the administrator.
    pub cwd: PathBuf,
    /// Whether credential-like variables are kept from it: so for a helper that a repository brought along.
    pub scrubbed: bool,
    /// Whether it may run. A project's or local helper waits until the folder itself is trusted.
    pub may_run: bool,
    /// The limit after which it is killed (`headersHelperTimeoutMs`); 10 s unless the entry says otherwise.
    pub timeout: Duration,
    /// How long its output is good for (`headersHelperTtlMs`).
    pub ttl: Option<Duration>,
}

/// An `oauth` block. None of its fields is a secret; in a person's own file they may name variables, and are what these hold then.
#[derive(Clone, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct OAuth {
    /// A client registered beforehand.
    pub client_id: Option<String>,
    /// Where its secret is (`clientSecret`).
    pub client_secret: Option<SecretReference>,
    /// The issuer of the authorization server, pinned.
    pub issuer: Option<String>,
    /// The port of the loopback redirect.
    pub callback_port: Option<u16>,
    /// The whole redirect URI.
    pub redirect_uri: Option<String>,
    /// Pinned scopes, in order.
    pub scopes: Option<Vec<String>>,
    /// Metadata that replaces discovery; https.
    pub auth_server_metadata_url: Option<Url>,
    /// The `resource` parameter; an empty string leaves it out.
    pub resource: Option<String>,
    /// A client ID metadata document; https.
    pub client_metadata_url: Option<Url>,
    /// `pkce: "assumed"`: the authorization server does PKCE without saying so.
    pub assume_pkce: bool,
    /// What the authorization server's metadata names as its issuer, where that is not its URL.
    pub metadata_issuer: Option<String>,
    /// More parameters of the authorization request, by name (`authorizeParams`).
    pub authorize_params: BTreeMap<String, String>,
    /// What else a registration says of this client, each as JSON (`clientMetadata`).
    pub client_metadata: BTreeMap<String, String>,
    /// `useIdToken: true`: the ID token is sent in the place of the access token.
    pub use_id_token: bool,
    /// `share: "issuer"`: a sign-in to another server of the issuer serves this one. Never from a file of a project.
    pub shares_issuer: bool,
    /// `expectSubject`: the one person whose sign-in is used.
    pub expect_subject: Option<String>,
    /// `expectOrganization`: the one organisation whose sign-ins are used.
    pub expect_organization: Option<String>,
}

// Security: what a variable holds is not for a log, whatever it is for.
impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth").finish_non_exhaustive()
    }
}

/// Whether a person switched an entry off.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Switch {
    /// It is on.
    On,
    /// These say so: an override, members of the entry itself, and disabled lists that have its name.
    Off(Vec<Origin>),
}

impl Switch {
    /// Off if either is.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::On, switch) | (switch, Self::On) => switch,
            (Self::Off(mut all), Self::Off(more)) => {
                all.extend(more);
                Self::Off(all)
            }
        }
    }
}

/// Whether a person agreed to an entry.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Approval {
    /// Only entries of a project's `.mcp.json` need approval.
    NotNeeded,
    /// Approved, there.
    Approved(Origin),
    /// Not decided.
    Undecided,
    /// Its name was approved in another program's settings, and what it says could not be kept, for this reason: so no check would notice
    /// that it becomes something else.
    NotKept(String),
    /// Rejected, there.
    Rejected(Origin),
    /// A person agreed to it, and it is not what it was then. For a local entry it is the helper that is not.
    Changed(Box<EntryChange>),
}

/// What became of an entry since a person agreed to it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EntryChange {
    /// Where it was agreed to.
    pub agreed: Origin,
    /// What is different, field by field.
    pub changes: Vec<Change>,
}

impl fmt::Display for EntryChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        let changes: Vec<String> =
            self.changes.iter().take(SHOWN).map(|change| mcp_text::line(&change.to_string(), 160)).collect();
        write!(f, "changed since it was approved in {}", self.agreed)?;
        if !changes.is_empty() {
            write!(f, ": {}", changes.join("; "))?;
        }
        match self.changes.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// Whether an entry may be contacted, and if not, the first reason: the one decision over all facts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Gate {
    /// It may be contacted.
    Ready,
    /// The administrator's lists forbid it.
    Blocked,
    /// Switched off by a person.
    Disabled,
    /// The entry is invalid, or of a kind that nothing outside its host can reach.
    Invalid,
    /// Its URL is empty.
    NotConfigured,
    /// It would start itself: it is among the entries that this process runs under.
    SelfReference,
    /// A person rejected it.
    Rejected,
    /// It waits for a person's approval.
    AwaitingApproval,
    /// It is not what a person approved, and waits for approval of what it is now.
    ChangedSinceApproval,
}

impl ServerEntry {
    /// Whether the entry may be contacted. Only [`Gate::Ready`] entries ever are.
    pub fn gate(&self) -> Gate {
        if self.blocked.is_some() {
            return Gate::Blocked;
        }
        // A person who switched a broken entry off does not want to hear that it is broken.
        if matches!(self.switch, Switch::Off(_)) {
            return Gate::Disabled;
        }
        match self.server {
            EntryServer::Invalid | EntryServer::InProcess => return Gate::Invalid,
            EntryServer::NotConfigured { .. } => return Gate::NotConfigured,
            EntryServer::Remote(_) | EntryServer::Stdio(_) => {}
        }
        if self.self_reference.is_some() {
            return Gate::SelfReference;
        }
        match self.approval {
            Approval::Rejected(_) => Gate::Rejected,
            Approval::Undecided | Approval::NotKept(_) => Gate::AwaitingApproval,
            Approval::Changed(_) => Gate::ChangedSinceApproval,
            Approval::NotNeeded | Approval::Approved(_) => Gate::Ready,
        }
    }

    /// Whether it is an entry of a project that is approved and has not been agreed to yet: what trust in its folder
    /// agrees to, in a configuration [as if trusted](crate::Config::if_trusted).
    pub fn is_approved_by_trust(&self) -> bool {
        self.scope == Scope::Project && self.is_met_first()
    }

    /// Whether it would be used for the first time since a person decided about its name.
    pub(crate) fn is_met_first(&self) -> bool {
        self.first_use && self.gate() == Gate::Ready
    }

    /// Why it waits although its name was approved, where that is so: what it says could not be kept.
    pub fn approval_not_kept(&self) -> Option<&str> {
        match &self.approval {
            Approval::NotKept(why) => Some(why),
            _ => None,
        }
    }

    /// Whether it is of one project alone: a project brings it along, or a person has it for that project.
    pub fn is_of_one_project(&self) -> bool {
        self.scope.is_of_project() || self.folder.is_some()
    }

    /// How it says that its server is reached.
    pub fn transport(&self) -> EntryTransport {
        self.transport
    }

    /// The URL as it may be shown: as written, with userinfo and query values replaced.
    pub fn display_url(&self) -> Option<String> {
        self.remote().map(|remote| display::display_url_text(&remote.url_text))
    }

    /// What a person agrees to with it.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The host whose file it stands in, where that is not one that is read anyway.
    pub fn host(&self) -> Option<&'static KnownHost> {
        self.host
    }

    /// The other account that its project's file or folder belongs to, where it does.
    pub fn foreign_owner(&self) -> Option<u32> {
        self.foreign
    }

    /// What is not as it was when a person agreed to it, where that closes the gate.
    pub fn changes(&self) -> &[Change] {
        match &self.approval {
            Approval::Changed(changed) => &changed.changes,
            _ => &[],
        }
    }

    /// URL or command line as they may be shown, for a line of a list.
    pub fn display_endpoint(&self) -> Option<String> {
        match &self.server {
            EntryServer::Remote(_) => self.display_url(),
            EntryServer::Stdio(stdio) => Some(stdio.display()),
            _ => None,
        }
    }

    /// The remote server, if it is one.
    pub fn remote(&self) -> Option<&Remote> {
        match &self.server {
            EntryServer::Remote(remote) => Some(remote),
            _ => None,
        }
    }

    /// The command, if it is one.
    pub fn stdio(&self) -> Option<&Stdio> {
        match &self.server {
            EntryServer::Stdio(stdio) => Some(stdio),
            _ => None,
        }
    }

    /// The value of `MCPLINK_CHAIN` for what it starts: names and digests of the entries that it was read under, and its own.
    pub fn chain_below(&self) -> String {
        match &self.chain {
            Some(chain) => chain.below(self.link()),
            None => Chain::default().below(self.link()),
        }
    }

    /// What a chain knows of it: its name, its place and what may be shown of what it starts. Found out once: looking for
    /// secrets among its arguments is most of what a local entry costs.
    pub(crate) fn link(&self) -> &Link {
        self.link.get_or_init(|| {
            let place = self.origin.place.to_string();
            let endpoint = self.display_endpoint().unwrap_or_default();
            Link::new(&self.name, &[self.scope.as_str(), &place, &self.origin.pointer, &endpoint])
        })
    }

    /// Whether using it starts a process: its command, or its helper.
    pub(crate) fn starts_a_process(&self) -> bool {
        match &self.server {
            EntryServer::Stdio(_) => true,
            EntryServer::Remote(_) => self.mints_by_command(),
            _ => false,
        }
    }

    /// The texts of the entry that may have secrets by reference in them: headers, address, arguments and variables.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &Text> {
        let (remote, stdio) = (self.remote(), self.stdio());
        let headers = remote.into_iter().flat_map(|remote| remote.headers.iter().map(|(_, value)| value));
        let address = remote.map(|remote| &remote.url_text);
        let started = stdio
            .into_iter()
            .flat_map(|stdio| stdio.args.iter().chain(stdio.env.iter().map(|(_, value)| value)));
        headers.chain(address).chain(started)
    }

    /// The secrets that it refers to outside of its `auth`, which are read when they are needed.
    pub fn references(&self) -> impl Iterator<Item = &SecretReference> {
        let oauth = self.remote().and_then(|remote| remote.oauth.as_ref());
        let client = oauth.and_then(|oauth| oauth.client_secret.as_ref());
        self.texts().flat_map(Text::references).chain(client)
    }

    /// Whether a secret that it refers to is read only in a folder that is trusted: any that is not a variable where a
    /// repository says which it is and who gets it, and a command in an entry of a person's own for one project.
    pub fn has_secrets_of_trust(&self) -> bool {
        let waits = |reference: &SecretReference| match (self.scope, reference) {
            (_, SecretReference::Variable(_)) => false,
            (Scope::Project, _) => true,
            (_, SecretReference::Command(_)) => self.is_of_one_project(),
            _ => false,
        };
        self.references().any(waits)
    }

    /// Whether they have to wait: the folder is not trusted.
    pub fn waits_for_trust(&self) -> bool {
        !self.lookups.trusted && self.has_secrets_of_trust()
    }

    /// Where commands for secrets run, and whether credential-like variables are kept from them, as for a helper.
    pub fn lookup_place(&self) -> (&Path, bool) {
        (&self.lookups.cwd, self.lookups.scrubbed)
    }

    /// Whether its credentials come of a command: its helper, or one that a secret comes from.
    pub fn mints_by_command(&self) -> bool {
        if self.references().any(|reference| matches!(reference, SecretReference::Command(_))) {
            return true;
        }
        self.remote().is_some_and(|remote| {
            let auth = remote.unattended.as_ref();
            remote.helper.is_some() || auth.is_some_and(|auth| auth.commands().next().is_some())
        })
    }

    /// The variable that its URL was to come from, where that is empty for it: set, and to nothing.
    pub fn empty_address_variable(&self) -> Option<&str> {
        match &self.server {
            EntryServer::NotConfigured { variable } => variable.as_deref(),
            _ => None,
        }
    }

    /// The fields of the entry, as they may be shown.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field `name`, where the entry has it and the request says that the program
    /// [reads it itself](crate::Request::with_known_fields).
    pub fn extra(&self, name: &str) -> Option<&Extra> {
        self.extras.iter().find(|(known, _)| known == name).map(|(_, extra)| extra)
    }

    /// Whether both definitions lead to the same place: the same URL, or the same command and arguments.
    pub(crate) fn same_endpoint(&self, other: &Self) -> bool {
        match (&self.server, &other.server) {
            (EntryServer::Remote(a), EntryServer::Remote(b)) => a.url.expose() == b.url.expose(),
            (EntryServer::Stdio(a), EntryServer::Stdio(b)) => {
                a.command.expose() == b.command.expose()
                    && a.args.iter().map(Text::expose).eq(b.args.iter().map(Text::expose))
            }
            _ => match (self.written_endpoint(), other.written_endpoint()) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        }
    }

    /// Where it leads, also where that cannot be used: what may be shown of it.
    pub(crate) fn written_endpoint(&self) -> Option<String> {
        let field = |name: &str| self.fields.iter().find(|field| field.name == name);
        let written = || field("url").or_else(|| field("command")).map(|field| field.value.clone());
        self.display_endpoint().or_else(written)
    }
}

impl Remote {
    /// Whether the entry has an `Authorization` header of its own.
    pub(crate) fn has_authorization(&self) -> bool {
        self.headers.iter().any(|(name, _)| name.trim().eq_ignore_ascii_case("authorization"))
    }
}
