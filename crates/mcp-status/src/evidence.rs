//! What was seen: the typed facts that a verdict is made from. Message text decides nothing.
//!
//! Longer than 500 lines because every fact stands beside the others, with what may be sent of it to another process.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Phase, Restriction};

/// How one connection or request ended, with what is needed to say what it means.
///
/// It can be handed to another process at the moment it was seen, which then classifies it by itself; a status cannot.
///
/// # Examples
///
/// ```
/// use mcp_status::{Evidence, Outcome, Phase, ReasonCode, classify};
///
/// let evidence = Evidence::new(Phase::Connect, Outcome::Http { status: 503, retry_after: None }).with_attempts(3);
/// assert_eq!(classify(&evidence).code(), Some(ReasonCode::Unavailable));
/// assert!(classify(&evidence).is_retryable());
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Evidence {
    /// Before or after the first handshake.
    pub phase: Phase,
    /// What was seen.
    pub outcome: Outcome,
    /// What is known about the credentials that were sent.
    pub auth: AuthFacts,
    /// How many requests decided this outcome, the first attempt included.
    pub attempts: u32,
    /// How long these took together, where that is worth telling: of several attempts of a status query.
    #[serde(default)]
    pub took: Option<Duration>,
    /// What the other side said, shortened and redacted: for people, never for decisions.
    ///
    /// Of a source of credentials that failed: its own account, a fragment that reads well after "failed to".
    pub detail: Option<String>,
    /// The proxy that the request went by, and what named it; without its credentials.
    #[serde(default)]
    pub proxy: Option<String>,
    /// The limit that ran out, where one of ours did.
    #[serde(default)]
    pub limit: Option<Limit>,
    /// How many of the tools that the server lists are withheld because their definitions are not approved.
    #[serde(default)]
    pub unapproved: usize,
    /// How many of the tools that the server lists the entry leaves out, and why the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<(usize, String)>,
    /// How many of the tools that the server lists no client can call, and why the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncallable: Option<(usize, String)>,
    /// What the entry says of tools that the server does not have, each a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmatched_tools: Vec<String>,
    /// What was wrong with TLS, where that failed.
    #[serde(default)]
    pub tls: Option<TlsFault>,
    /// No one has the name of its host. It may be that of a network which is not there now, and as a rule it is misspelt.
    #[serde(default)]
    pub unknown_host: bool,
    /// An answer was longer than a limit of the entry, which the detail names.
    #[serde(default)]
    pub over_limit: bool,
    /// What a process lacks, where that is known: of a local server, or of a command that gets credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lack: Option<ProcessLack>,
    /// What kept another way from being tried, where this answer is one after which it would have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restriction: Option<Restriction>,
}

impl Evidence {
    /// Evidence of one attempt without credentials; set the other fields with the `with_` methods.
    pub fn new(phase: Phase, outcome: Outcome) -> Self {
        Self {
            phase,
            outcome,
            auth: AuthFacts::default(),
            attempts: 1,
            took: None,
            detail: None,
            proxy: None,
            limit: None,
            unapproved: 0,
            left_out: None,
            uncallable: None,
            unmatched_tools: Vec::new(),
            tls: None,
            unknown_host: false,
            over_limit: false,
            lack: None,
            restriction: None,
        }
    }

    /// With how many tools are withheld because their definitions are not approved.
    #[must_use]
    pub fn with_unapproved(mut self, unapproved: usize) -> Self {
        self.unapproved = unapproved;
        self
    }

    /// With how many tools the entry leaves out, and why the first of them; nothing where it leaves out none.
    #[must_use]
    pub fn with_left_out(mut self, tools: &[(String, String)]) -> Self {
        self.left_out = tools.first().map(|(name, why)| (tools.len(), format!("{name} {why}")));
        self
    }

    /// With how many tools no client can call, and why the first of them; nothing where each can be called.
    #[must_use]
    pub fn with_uncallable(mut self, tools: &[(String, String)]) -> Self {
        self.uncallable = tools.first().map(|(name, why)| (tools.len(), format!("{name}, because {why}")));
        self
    }

    /// With what the entry says of tools that the server does not have.
    #[must_use]
    pub fn with_unmatched_tools(mut self, sentences: &[String]) -> Self {
        self.unmatched_tools = sentences.to_vec();
        self
    }

    /// With facts about the credentials.
    #[must_use]
    pub fn with_auth(mut self, auth: AuthFacts) -> Self {
        self.auth = auth;
        self
    }

    /// With the number of requests that decided it.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// With the time that all attempts took together.
    #[must_use]
    pub fn with_took(mut self, took: Duration) -> Self {
        self.took = Some(took);
        self
    }

    /// With the proxy that the request went by.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Option<String>) -> Self {
        self.proxy = proxy;
        self
    }

    /// With the limit that ran out.
    #[must_use]
    pub fn with_limit(mut self, limit: Option<Limit>) -> Self {
        self.limit = limit;
        self
    }

    /// With what was wrong with TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<TlsFault>) -> Self {
        self.tls = tls;
        self
    }

    /// With whether no one has the name of its host.
    #[must_use]
    pub fn with_unknown_host(mut self, unknown: bool) -> Self {
        self.unknown_host = unknown;
        self
    }

    /// With whether an answer was longer than a limit of the entry.
    #[must_use]
    pub fn with_over_limit(mut self, over: bool) -> Self {
        self.over_limit = over;
        self
    }

    /// With what a process lacks.
    #[must_use]
    pub fn with_lack(mut self, lack: Option<ProcessLack>) -> Self {
        self.lack = lack;
        self
    }

    /// With what kept another way from being tried.
    #[must_use]
    pub fn with_restriction(mut self, restriction: Option<Restriction>) -> Self {
        self.restriction = restriction;
        self
    }

    /// With what the other side said.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// A limit that ran out.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Limit {
    /// How long it was.
    pub length: Duration,
    /// What it was a limit of.
    pub of: LimitSubject,
    /// What people know the setting by that moves it, such as a variable; `None` where there is none, or it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<Cow<'static, str>>,
}

impl Limit {
    /// A limit of this length.
    pub fn new(length: Duration, of: LimitSubject) -> Self {
        Self { length, of, setting: None }
    }

    /// With the setting that moves it.
    #[must_use]
    pub fn with_setting(mut self, setting: Option<Cow<'static, str>>) -> Self {
        self.setting = setting;
        self
    }
}

/// What a limit is a limit of, and so what moves it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LimitSubject {
    /// An attempt to connect, its handshake included; and a list, which is a part of one.
    Attempt,
    /// The start of a local server, its handshake included.
    Start,
    /// The silence of a server that has been asked.
    Silence,
    /// One request, by its caller.
    Caller,
    /// Each request to this server, by its entry.
    Entry,
    /// Each request to any server.
    Requests,
}

/// Where credentials come from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CredentialOrigin {
    /// They stand in the configuration, and are what they are until that is edited.
    Configuration,
    /// They stand there as well, as user and password of the address.
    Address,
    /// A command of the entry makes them.
    Command,
    /// A person signed in.
    SignIn,
}

impl CredentialOrigin {
    /// Whether they stand in the entry itself, and so are what they are until that is edited.
    pub fn is_of_entry(self) -> bool {
        matches!(self, Self::Configuration | Self::Address)
    }
}

/// What stands in the way of a sign-in, found out by looking for one.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SignInHindrance {
    /// It in words: a fragment without secrets, for people.
    pub why: String,
    /// What takes it out of the way.
    pub remedy: SignInRemedy,
}

impl SignInHindrance {
    /// What hinders, and what takes it out of the way.
    pub fn new(why: impl Into<String>, remedy: SignInRemedy) -> Self {
        Self { why: why.into(), remedy }
    }
}

/// What makes a sign-in possible that is not.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SignInRemedy {
    /// Only who runs what is at this origin can mend it.
    Operator {
        /// Scheme, host and port.
        origin: String,
    },
    /// The entry names a client that is registered by hand.
    Client,
    /// The entry names who issues tokens, or where that is published.
    AuthorizationServer,
    /// The entry names the certificate authority that vouches for the authorization server.
    Authority,
    /// The entry changes what the reason names.
    Settings,
}

/// What is known about the credentials of a request.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuthFacts {
    /// The refused request carried credentials.
    pub sent: bool,
    /// The provider that supplied them, or that failed to.
    pub provider: Option<String>,
    /// What kind of source that is; `None` for one that is not known here.
    #[serde(default)]
    pub supplied_by: Option<CredentialOrigin>,
    /// Their source was asked again because of the refusal, and supplied the very same.
    #[serde(default)]
    pub unchanged: bool,
    /// What people call that provider, where its name is not what they know it by.
    pub called: Option<String>,
    /// What people call a provider that was configured but not allowed to run (untrusted folder).
    pub withheld: Option<String>,
    /// The exit code of a credential command that failed.
    pub exit_code: Option<i32>,
    /// The scheme that the server's challenge asks for (RFC 9110 section 11.1), as the server spelled it.
    pub scheme: Option<String>,
    /// The challenge says where to sign in (RFC 9728 section 5.1).
    pub sign_in: bool,
    /// What refused it says that it wants credentials, in words that are no challenge, and none were sent.
    #[serde(default)]
    pub asked_in_words: bool,
    /// What their source lacks is a file or a variable of this machine: to look again asks no one for anything.
    #[serde(default)]
    pub of_this_machine: bool,
    /// What is known of the refused credentials: fragments that name headers and variables, and hold no value.
    pub doubts: Vec<String>,
    /// What their source says that a person can do, such as "run `corp login`": a stranger's words, on one line and without
    /// secrets.
    #[serde(default)]
    pub hint: Option<String>,
    /// The secret that is not kept where their source looks for it: the service of a keyring, and its name there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<(String, String)>,
    /// The variable of the environment that the refused credentials were to come from, and that has no value: its name, or nothing,
    /// went out in the place of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unset: Option<String>,
    /// What stands in the way of the sign-in that the server asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hindrance: Option<SignInHindrance>,
}

impl AuthFacts {
    /// Facts about credentials of `provider`.
    pub fn new(sent: bool, provider: Option<String>) -> Self {
        Self { sent, provider, ..Self::default() }
    }

    /// With what people call the provider.
    #[must_use]
    pub fn with_called(mut self, called: Option<String>) -> Self {
        self.called = called;
        self
    }

    /// With what people call the provider that was not allowed to run.
    #[must_use]
    pub fn with_withheld(mut self, withheld: Option<String>) -> Self {
        self.withheld = withheld;
        self
    }

    /// With the kind of their source.
    #[must_use]
    pub fn with_supplied_by(mut self, supplied_by: Option<CredentialOrigin>) -> Self {
        self.supplied_by = supplied_by;
        self
    }

    /// With whether their source was asked again and supplied the very same.
    #[must_use]
    pub fn with_unchanged(mut self, unchanged: bool) -> Self {
        self.unchanged = unchanged;
        self
    }

    /// With the exit code of the command that failed.
    #[must_use]
    pub fn with_exit_code(mut self, exit_code: Option<i32>) -> Self {
        self.exit_code = exit_code;
        self
    }

    /// With whether the challenge says where to sign in.
    #[must_use]
    pub fn with_sign_in(mut self, sign_in: bool) -> Self {
        self.sign_in = sign_in;
        self
    }

    /// With whether credentials are wanted in words that are no challenge.
    #[must_use]
    pub fn with_asked_in_words(mut self, asked_in_words: bool) -> Self {
        self.asked_in_words = asked_in_words;
        self
    }

    /// With whether what their source lacks is of this machine.
    #[must_use]
    pub fn with_of_this_machine(mut self, of_this_machine: bool) -> Self {
        self.of_this_machine = of_this_machine;
        self
    }

    /// With what is known of the refused credentials.
    #[must_use]
    pub fn with_doubts(mut self, doubts: Vec<String>) -> Self {
        self.doubts = doubts;
        self
    }

    /// With what their source says that a person can do.
    #[must_use]
    pub fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// With the secret that is not kept: its service, and its name.
    #[must_use]
    pub fn with_lacking_secret(mut self, lacks: Option<(String, String)>) -> Self {
        self.lacks = lacks;
        self
    }

    /// With the variable that is not set, and whose name was sent in the place of its value.
    #[must_use]
    pub fn with_unset(mut self, unset: Option<String>) -> Self {
        self.unset = unset;
        self
    }

    /// With what stands in the way of the sign-in that the server asks for.
    #[must_use]
    pub fn with_hindrance(mut self, hindrance: Option<SignInHindrance>) -> Self {
        self.hindrance = hindrance;
        self
    }

    /// With the scheme that the server's challenge asks for.
    #[must_use]
    pub fn with_scheme(mut self, scheme: Option<String>) -> Self {
        self.scheme = scheme;
        self
    }
}

impl ChallengeKind {
    /// What a mere status is a challenge of, where no more of the answer is known: 401 in every phase, 403 while connecting.
    /// In a session a 403 is about the request, unless the wire has seen that it is about the credentials
    /// ([`Outcome::Challenged`]).
    pub fn of_status(status: u16, phase: Phase) -> Option<Self> {
        match status {
            401 => Some(Self::Unauthorized),
            403 if phase == Phase::Connect => Some(Self::Forbidden),
            _ => None,
        }
    }
}

impl Outcome {
    /// What an HTTP answer of this status is, where no more of it is known: a challenge by
    /// [`ChallengeKind::of_status`], and otherwise an answer that is not a success. `retry_after` is its `Retry-After`, as a wait
    /// from now.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use mcp_status::{Evidence, Outcome, Phase, ServerStatus, classify};
    ///
    /// let verdict = |status, retry_after| {
    ///     classify(&Evidence::new(Phase::Connect, Outcome::from_status(status, Phase::Connect, retry_after)))
    /// };
    /// assert_eq!(verdict(401, None).status(), ServerStatus::NeedsAuth);
    /// assert_eq!(verdict(503, Some(Duration::from_secs(7))).retry_after(), Some(Duration::from_secs(7)));
    /// ```
    pub fn from_status(status: u16, phase: Phase, retry_after: Option<Duration>) -> Self {
        match ChallengeKind::of_status(status, phase) {
            Some(kind) => Self::Challenged { kind, http_status: status },
            None => Self::Http { status, retry_after },
        }
    }

    /// The HTTP status of the answer that decided it, where there was one.
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Challenged { http_status, .. } => Some(*http_status),
            Self::Http { status, .. }
            | Self::Misaddressed { status, .. }
            | Self::SessionRefused { status }
            | Self::Proxy { status: Some(status) } => Some(*status),
            Self::ToolsUnavailable { cause } => cause.http_status(),
            _ => None,
        }
    }
}

/// A header that says for whom a request is, or where it comes from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AddressHeader {
    /// The host name of the address (RFC 9110 section 7.2).
    Host,
    /// The page that a browser sends it for (RFC 6454 section 7).
    Origin,
}

/// What was seen at the end of an attempt.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Outcome {
    /// Handshake and tool list are fine (`None`: the server declares no tools capability).
    Connected {
        /// How many tools it lists.
        tools: Option<usize>,
    },
    /// The handshake is fine, the tool list is not; `cause` is what the list request ended with.
    ToolsUnavailable {
        /// What the list request ended with.
        cause: Box<Outcome>,
    },
    /// The server said "not with these credentials", and no recovery helped.
    Challenged {
        /// In which way it said so.
        kind: ChallengeKind,
        /// The HTTP status of the answer.
        http_status: u16,
    },
    /// The source of the credentials failed; the server was not contacted.
    CredentialSourceFailed,
    /// Credentials could not be obtained for another reason, such as a store that cannot be read; the server was not contacted.
    CredentialsFailed,
    /// The authorization server refused the refresh token, gave none, or has no place any more where one is taken.
    SignInExpired,
    /// The sign-in is another account's than the entry expects; the server was not contacted.
    WrongAccount,
    /// The authorization server could not be reached; what is stored is kept.
    AuthorizationServerUnavailable {
        /// Its `Retry-After`, as a wait from now.
        retry_after: Option<Duration>,
    },
    /// No TLS connection to the authorization server could be made; what is stored is kept.
    AuthorizationServerTls,
    /// The place where sign-ins are kept did not answer, or others have been using this one for too long; what is stored is kept.
    SignInStoreUnavailable,
    /// An HTTP answer that is neither success nor challenge.
    Http {
        /// Its status.
        status: u16,
        /// Its `Retry-After`, as a wait from now.
        retry_after: Option<Duration>,
    },
    /// The handshake is fine, and every request after it is refused, in a session that was made once more as well.
    SessionRefused {
        /// The status of what refuses; 200 where that is a JSON-RPC error in a proper answer.
        status: u16,
    },
    /// The server takes no requests under this name, as its guard against DNS rebinding does (MCP, transports, security): it has
    /// looked at no credentials, and others change nothing.
    Misaddressed {
        /// What of the request it has something against.
        header: AddressHeader,
        /// The status of its answer.
        status: u16,
    },
    /// A redirect that says that the server is at another address now (RFC 9110 section 15.4).
    Moved {
        /// Its status.
        status: u16,
    },
    /// No connection: refused, no such host, network down.
    Unreachable,
    /// A connection that ended before the answer did. The server may have acted.
    Dropped,
    /// The proxy cannot be reached (`None`), or does not let the request through.
    Proxy {
        /// The status of its answer.
        status: Option<u16>,
    },
    /// No answer within the limit.
    Timeout,
    /// TLS handshake or certificate.
    Tls,
    /// Not MCP: bad JSON, wrong content type, bad JSON-RPC; or a JSON-RPC error where the handshake needs a result.
    Protocol {
        /// The JSON-RPC error code, where the peer sent one.
        rpc_code: Option<i64>,
    },
    /// No protocol version in common.
    Version {
        /// What the server offers.
        offered: Vec<String>,
    },
    /// The command of a stdio server could not be started.
    Spawn {
        /// What is wrong with it.
        cause: SpawnCause,
    },
    /// The command of a stdio server was started, and had not spoken MCP when its limit was over. A start is not a request:
    /// to try again throws away what it has done so far, such as half an installation.
    SlowStart {
        /// How long it was waited for.
        limit: Duration,
    },
    /// The command of a stdio server ended.
    Exited {
        /// Its exit code, unless a signal ended it.
        code: Option<i32>,
        /// The signal that ended it (POSIX).
        signal: Option<i32>,
    },
    /// The command of a stdio server is this program again, for an entry that it runs under; the detail names the loop.
    SelfReference,
    /// The transport's own settings are unusable (a URL that no client can send to, an unreadable CA file).
    Misconfigured,
}

/// What was wrong with a TLS handshake, as far as that decides who can mend it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TlsFault {
    /// What answers does not speak TLS.
    NotSpoken,
    /// The certificate of the server is for another name than the one that was asked for.
    OtherName,
    /// No authority that is trusted here vouches for the certificate of the server.
    UnknownAuthority,
    /// The server wants a certificate of the client, or does not take the one that it was shown.
    ClientCertificate,
    /// What only the server can mend: its certificate is out of date or revoked, or it speaks an old version.
    OfServer,
}

/// Why a command could not be started.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SpawnCause {
    /// It is not where it was looked for.
    NotFound,
    /// `~` or a variable in it stands for something else where it was copied from, and for nothing here.
    Unexpanded,
    /// It is a whole command line, and arguments belong elsewhere.
    CommandLine,
    /// It is not a name of a program: a URL, a name in quotes, a blank too many.
    Misspelt,
    /// It is how a command is written on another system.
    OtherSystem,
    /// Its working directory is missing, or is none.
    WorkingDirectory,
    /// It is a script, and what its first line asks for is missing.
    Interpreter,
    /// It is there and may not be executed.
    NotExecutable,
    /// It is there and is not a program of this system.
    NotAProgram,
    /// Something else: the system's own words are all that is known.
    Other,
}

/// What a process lacks that could not be started, or that ended: it decides what is mended, and by nothing else is it known that
/// the command is right.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProcessLack {
    /// Its program is not here, and comes with something that people install.
    Program {
        /// What it comes with.
        package: String,
    },
    /// A file that its command names is not there.
    File {
        /// Where it was looked for.
        path: String,
    },
    /// Its file is there, and may not be executed.
    Permission {
        /// Where it is.
        path: String,
    },
    /// What its arguments name is not there, or they are not what its program takes.
    Arguments,
    /// A variable of its environment.
    Variable {
        /// Its name.
        name: String,
    },
    /// Another program, which has to be running.
    Service {
        /// What people call it.
        name: String,
    },
    /// Memory: the system ended it, or something else of this machine did.
    Memory,
    /// An answer to what it asks: there is no terminal, so its arguments or its environment have to say it.
    Answer,
}

/// In which way a server said "not with these credentials".
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub enum ChallengeKind {
    /// 401.
    Unauthorized,
    /// 403 without a challenge.
    Forbidden,
    /// 403 whose body is a page or names a firewall.
    Blocked,
    /// A redirect to another origin, or a page where JSON was due.
    LoginRedirect,
    /// 403 with `error="insufficient_scope"`.
    InsufficientScope {
        /// The scopes it asks for.
        scopes: Vec<String>,
    },
}
