//! The one thing to do next about a server, as a value. The program that shows it has the words, and the commands.
//!
//! Longer than 500 lines because its table has a row for every reason, and each kind of step says when it is the one.

mod mending;

use std::fmt;
use std::time::Duration;

use mcp_text::sentence;

use crate::phrase::seconds;
use crate::refusal::{gave_nothing, unset_variable};
use crate::{
    ActionFacts, AuthFacts, ChallengeKind, CredentialOrigin, Evidence, Outcome, Phase, ReasonCode,
    Restriction, SignInRemedy, SignInState, TlsFault, TransportKind,
};

/// More scopes than these few are an attack or an accident.
const MAX_SCOPES: usize = 12;
/// What one scope may hold, in bytes.
const MAX_SCOPE_BYTES: usize = 200;
/// What of the name of a secret is shown, in characters.
const MAX_NAME: usize = 60;
/// What of a provider's own words is shown, in characters.
const MAX_HINT: usize = 200;
/// What of an origin is shown, in columns.
const MAX_ORIGIN: usize = 200;
/// What of a path is shown, in columns.
const MAX_PATH: usize = 400;
/// JSON-RPC 2.0, section 5.1: what answers is not a MCP server.
const METHOD_NOT_FOUND: i64 = -32601;

/// What brings a person further with one server: the first thing to do or to look at.
///
/// No step names a program. One with a command line makes a command of it; one with a menu marks an item. Where neither is at
/// hand, its `Display` is a plain fragment.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum NextStep {
    /// Get fresh credentials, and connect again.
    Reconnect,
    /// Sign in.
    SignIn {
        /// What the sign-in asks for in addition (RFC 6749 section 3.3): without it, it would bring the same token again.
        /// Each is legal, and none looks like an option.
        scopes: Vec<String>,
    },
    /// Allow the entry.
    Approve,
    /// Switch the entry on.
    Enable,
    /// Allow the commands that the entries of this folder name.
    Trust,
    /// Change what the entry says: until then, every attempt ends as this one did. The reason says what is wrong with it.
    ChangeEntry {
        /// What of it.
        part: EntryPart,
    },
    /// Nothing that the entry says would help: only the people who run the server, or what stands in front of it, can mend it.
    AskOperator,
    /// The same of a local server: only the people who make it can mend it.
    AskMaker,
    /// The same of another party on the way, such as its authorization server.
    AskOperatorOf {
        /// Scheme, host and port.
        origin: String,
    },
    /// See what its own command for credentials gives, and what is wrong with that.
    LookAtCredentials,
    /// See what became of it.
    LookAtStatus,
    /// Start the proxy on the way, or have it be another one.
    ChangeProxy {
        /// Where it is, and what names it; without its credentials.
        proxy: String,
        /// Whether it answers.
        is_there: bool,
    },
    /// Wait until it works: it comes back by itself, or when a person starts it.
    Wait {
        /// Whether something answers in its place already, so that there is nothing to start.
        answers: bool,
    },
    /// Leave it alone for as long as the server asks for.
    ComeBack {
        /// How long that is, from now.
        after: Duration,
    },
    /// Install what its program comes with.
    Install {
        /// What that is.
        package: String,
    },
    /// Put a file there that its command names, or have it name another one.
    ProvideFile {
        /// Where it was looked for.
        path: String,
    },
    /// Let a file be executed.
    AllowToRun {
        /// Where it is.
        path: String,
    },
    /// Start another program that it needs.
    StartService {
        /// What people call it.
        name: String,
    },
    /// Give it a variable of its environment.
    GiveVariable {
        /// Its name.
        name: String,
    },
    /// Have a newer version of this program: the server speaks none of the older revisions.
    Update,
    /// Let it have more memory, or see what ends it.
    FreeMemory,
    /// List its tools.
    ListTools,
    /// Look at the tools that are not approved, and approve them.
    ApproveTools,
    /// Have a rule changed that forbids the entry.
    ChangePolicy {
        /// The rule and where it stands, as a fragment.
        rule: String,
        /// Whether only the administrator of this machine can.
        by_administrator: bool,
    },
    /// Keep the secret that the entry refers to, and that is not there.
    KeepSecret {
        /// Whose it is: the service of a keyring.
        service: String,
        /// Its name there.
        name: String,
    },
    /// Set a variable of the environment that the entry names, and that is not set where it is needed.
    SetVariable {
        /// Its name.
        name: String,
    },
    /// What the source of the credentials says that a person can do, in its own words: it knows, and nothing else does.
    Provider {
        /// A fragment that stands by itself, such as "run `corp login`"; on one line and without secrets. It is for people, and
        /// no command to run.
        hint: String,
    },
    /// What a command of the person's own, which gets the credentials, says that it needs, and then connect again.
    Cure {
        /// A command of plain words ([`mcp_text::cure`]). Its words are those of the one that failed: it is for a person to read
        /// and to run, and nothing here runs it.
        command: String,
    },
}

/// What of an entry has to be changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum EntryPart {
    /// The address of a remote server.
    Url,
    /// The host name in that, unless those who run the server let it take that one.
    Host,
    /// The command of a local one.
    Command,
    /// What that is told.
    Arguments,
    /// The folder that it runs in.
    WorkingDirectory,
    /// One of these three, or its environment: what it printed says what is wrong.
    Process,
    /// The headers that it sends.
    Headers,
    /// Its credentials: it has none, and the server wants some.
    Credentials,
    /// The command that gets the headers.
    Helper,
    /// Where its credentials come from, without a person.
    Source,
    /// Its address, or the proxy that it goes by.
    Proxy,
    /// Its address, or the name that its certificate is expected to have.
    ServerName,
    /// The authority that vouches for its server.
    Authority,
    /// The certificate that it shows to its server.
    ClientCertificate,
    /// The client that it is at its authorization server.
    Client,
    /// Who issues tokens for it, or where that is published.
    AuthorizationServer,
    /// How long its requests may take.
    Timeout,
    /// How long its command may take to start, or that command.
    StartTime,
    /// What its server may cost.
    Limits,
    /// Its address or its headers: what is asked for is a part of either.
    Request,
    /// How a person signs in to it.
    SignIn,
    /// The one era of the protocol that it allows.
    Protocol,
    /// The one transport that it allows.
    Transport,
    /// The one family of addresses that it allows.
    AddressFamily,
    /// What the reason names.
    Named,
}

impl fmt::Display for EntryPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "the address",
            Self::Host => "the host name",
            Self::Command => "the command",
            Self::Arguments => "the arguments",
            Self::WorkingDirectory => "the working directory",
            Self::Process => "the command, the arguments or the environment",
            Self::Headers => "the headers",
            Self::Credentials => "the credentials",
            Self::Helper => "the command for credentials",
            Self::Source => "the source of its credentials",
            Self::Proxy => "the address or the proxy",
            Self::ServerName => "the address or the expected name",
            Self::Authority => "the trusted authority",
            Self::ClientCertificate => "the client certificate",
            Self::Client => "the client id",
            Self::AuthorizationServer => "the authorization server",
            Self::Timeout => "the time limit",
            Self::StartTime => "the time limit of the start, or the command",
            Self::Limits => "the limits",
            Self::Request => "the address or the headers",
            Self::SignIn => "the settings of the sign-in",
            Self::Protocol => "the protocol that alone is allowed",
            Self::Transport => "the transport that alone is allowed",
            Self::AddressFamily => "the addresses that alone are allowed",
            Self::Named => "what the reason names",
        })
    }
}

impl fmt::Display for NextStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reconnect => "connect again",
            Self::SignIn { scopes } if scopes.is_empty() => "sign in",
            Self::SignIn { scopes } => return write!(f, "sign in, and ask for {}", scopes.join(" ")),
            Self::Enable => "switch it on",
            Self::Approve => "approve the entry",
            Self::Trust => "trust the folder of the entry",
            Self::ChangeEntry { part: EntryPart::Credentials } => "give the entry credentials",
            Self::ChangeEntry { part } => return write!(f, "change {part} of the entry"),
            Self::AskOperator => "ask the operator of the server",
            Self::AskMaker => "ask who makes the server",
            Self::AskOperatorOf { origin } => {
                return write!(f, "ask the operator of {}", mcp_text::line(origin, MAX_ORIGIN));
            }
            Self::ChangeProxy { proxy, is_there } => {
                let verb = if *is_there { "correct" } else { "start or correct" };
                return write!(f, "{verb} the proxy {}", sentence(proxy));
            }
            Self::LookAtCredentials => "look at what its command for credentials gives",
            Self::LookAtStatus => "look at the status",
            Self::Wait { .. } => "wait until it is back",
            Self::ComeBack { after } => return write!(f, "try again in {}", seconds(*after)),
            Self::Install { package } => return write!(f, "install {}", mcp_text::name(package, MAX_NAME)),
            Self::ProvideFile { path } => return write!(f, "put {} there", mcp_text::line(path, MAX_PATH)),
            Self::AllowToRun { path } => {
                return write!(f, "allow {} to be executed", mcp_text::line(path, MAX_PATH));
            }
            Self::StartService { name } => return write!(f, "start {}", mcp_text::name(name, MAX_NAME)),
            Self::GiveVariable { name } => {
                return write!(f, "give it the variable {}", mcp_text::name(name, MAX_NAME));
            }
            Self::Update => "update this program",
            Self::FreeMemory => "free memory, or look at what ends it",
            Self::ListTools => "list the tools",
            Self::ApproveTools => "look at its tools, and approve them",
            Self::ChangePolicy { rule, by_administrator: true } => {
                return write!(f, "ask your administrator about {rule}");
            }
            Self::ChangePolicy { rule, .. } => return write!(f, "change {rule}"),
            Self::KeepSecret { service, name } => {
                let (service, name) = (mcp_text::name(service, MAX_NAME), mcp_text::name(name, MAX_NAME));
                return write!(f, "keep the secret {name} of {service}");
            }
            Self::SetVariable { name } => return write!(f, "set {}", mcp_text::name(name, MAX_NAME)),
            Self::Provider { hint } => hint,
            Self::Cure { command } => return write!(f, "run `{command}`, and connect again"),
        })
    }
}

/// What makes a sign-in possible that is not.
impl From<&SignInRemedy> for NextStep {
    fn from(remedy: &SignInRemedy) -> Self {
        let part = match remedy {
            SignInRemedy::Operator { origin } => return Self::AskOperatorOf { origin: origin.clone() },
            SignInRemedy::Client => EntryPart::Client,
            SignInRemedy::AuthorizationServer => EntryPart::AuthorizationServer,
            SignInRemedy::Authority => EntryPart::Authority,
            SignInRemedy::Settings => EntryPart::SignIn,
        };
        Self::ChangeEntry { part }
    }
}

/// What to do next about a server of which `facts` tell, where `evidence` gave the reason; `None` where there is nothing to do.
///
/// # Examples
///
/// ```
/// use mcp_status::{ActionFacts, NextStep, ReasonCode, ServerStatus, SignInState, TransportKind, next_step};
///
/// let connected = ActionFacts::new(TransportKind::Remote);
/// assert_eq!(next_step(&connected, None), None);
/// let refused = connected.with_status(ServerStatus::NeedsAuth, Some(ReasonCode::Unauthorized)).with_sign_in(SignInState::Offered);
/// assert_eq!(next_step(&refused, None), Some(NextStep::SignIn { scopes: Vec::new() }));
/// ```
pub fn next_step(facts: &ActionFacts, evidence: Option<&Evidence>) -> Option<NextStep> {
    let code = facts.code?;
    if let Some(command) = evidence.and_then(|evidence| cure(code, &evidence.auth)) {
        return Some(NextStep::Cure { command });
    }
    if let Some((service, name)) = evidence.and_then(|evidence| evidence.auth.lacks.clone()) {
        return Some(NextStep::KeepSecret { service, name });
    }
    // The name of a variable went out in its place: no other credentials are wrong, and none will do.
    if let Some(name) = evidence.and_then(unset_variable) {
        return Some(NextStep::SetVariable { name: name.to_owned() });
    }
    if let Some(hint) = evidence.and_then(|evidence| evidence.auth.hint.as_deref()) {
        // Shown as it is, and a stranger's: made safe here as well, as evidence may come from another process.
        let hint = mcp_text::line(hint, MAX_HINT);
        if !hint.is_empty() {
            return Some(NextStep::Provider { hint });
        }
    }
    let sign_in = || {
        // One that is known not to begin leads nowhere.
        let hindered = evidence.and_then(|evidence| evidence.auth.hindrance.as_ref());
        Some(match hindered {
            Some(hindrance) => NextStep::from(&hindrance.remedy),
            None => NextStep::SignIn { scopes: evidence.map(missing_scopes).unwrap_or_default() },
        })
    };
    // A refused header of the entry's own never leads to OAuth by itself, and a helper comes before it.
    let may_sign_in = facts.sign_in != SignInState::NotOffered && !facts.entry.has_helper;
    let auth = evidence.map(|evidence| &evidence.auth);
    let change = |part| Some(NextStep::ChangeEntry { part });
    let place = match facts.transport {
        TransportKind::Stdio => EntryPart::Command,
        _ => EntryPart::Url,
    };
    let is_of_address = auth.is_some_and(|auth| auth.supplied_by == Some(CredentialOrigin::Address));
    let headers = match facts.entry.has_static_headers {
        _ if is_of_address => EntryPart::Url,
        true => EntryPart::Headers,
        false => EntryPart::Credentials,
    };
    // Its own words decide only what is done first: the status is that of its answer.
    let asked_in_words = auth.is_some_and(|auth| auth.asked_in_words && !auth.sent);
    let outcome = evidence.map(|evidence| &evidence.outcome);
    let proxy = evidence.and_then(of_proxy);
    let tls = evidence.and_then(|evidence| evidence.tls).map(|fault| match fault {
        TlsFault::OtherName => NextStep::ChangeEntry { part: EntryPart::ServerName },
        TlsFault::UnknownAuthority => NextStep::ChangeEntry { part: EntryPart::Authority },
        TlsFault::ClientCertificate => NextStep::ChangeEntry { part: EntryPart::ClientCertificate },
        TlsFault::OfServer => NextStep::AskOperator,
        TlsFault::NotSpoken => NextStep::ChangeEntry { part: place },
    });
    let restriction = evidence.and_then(|evidence| evidence.restriction);
    let by_command = |code| {
        auth.is_some_and(|auth| {
            auth.supplied_by == Some(CredentialOrigin::Command) && auth.exit_code == code && code.is_some()
        })
    };
    match code {
        ReasonCode::HelperUntrusted | ReasonCode::WithoutHelper => Some(NextStep::Trust),
        ReasonCode::AwaitingApproval | ReasonCode::ChangedSinceApproval | ReasonCode::Declined => {
            Some(NextStep::Approve)
        }
        // A file that its TLS needs: whether a proxy is on the way does not matter.
        ReasonCode::Config if tls.is_some() => tls,
        // The reason says what is wrong and where: another look at the files says the same.
        ReasonCode::Config if proxy.is_some() => proxy,
        ReasonCode::Config => change(auth.map_or(EntryPart::Named, |auth| of_settings(auth, headers))),
        ReasonCode::Connecting | ReasonCode::Retrying => Some(NextStep::LookAtStatus),
        // Who was signed in can sign in again, whatever is left of it.
        // And a person who signed in as someone else signs in again.
        ReasonCode::SignInExpired | ReasonCode::WrongAccount => sign_in(),
        ReasonCode::InsufficientScope if facts.sign_in != SignInState::NotOffered => sign_in(),
        ReasonCode::Unauthorized | ReasonCode::Forbidden | ReasonCode::LoginRedirect if may_sign_in => {
            sign_in()
        }
        // What cannot be read is put aside by the next sign-in, or that says why not. A source of a program's own has none.
        // What a local server is started with has secrets by reference, and no sign-in.
        ReasonCode::CredentialsFailed if facts.transport == TransportKind::Stdio => change(EntryPart::Named),
        ReasonCode::CredentialsFailed
            if auth.is_none_or(|auth| {
                auth.provider.is_none() || auth.supplied_by == Some(CredentialOrigin::SignIn)
            }) =>
        {
            sign_in()
        }
        // It gave nothing, or what the server does not take, and it was asked again for that: it has to be given something else.
        ReasonCode::CredentialsFailed
        | ReasonCode::CredentialsRejected
        | ReasonCode::InsufficientScope
        | ReasonCode::Unauthorized
        | ReasonCode::Forbidden
        | ReasonCode::LoginRedirect
            if auth.is_some_and(is_of_source) && evidence.is_none_or(|seen| seen.limit.is_none()) =>
        {
            change(EntryPart::Source)
        }
        // Where a secret comes from is in the entry, and what is wrong with it is in the reason.
        ReasonCode::CredentialsFailed
            if auth.is_some_and(|auth| auth.supplied_by.is_some_and(CredentialOrigin::is_of_entry)) =>
        {
            change(EntryPart::Named)
        }
        ReasonCode::CredentialsRejected if may_sign_in && !facts.entry.has_static_headers => sign_in(),
        // It is not there, or not to be run (POSIX, exit status for commands): run again, it still is not.
        ReasonCode::HelperFailed if by_command(Some(126)) || by_command(Some(127)) => {
            match evidence.and_then(|evidence| evidence.lack.as_ref()) {
                Some(lack) => Some(mending::of_lack(lack)),
                None => change(EntryPart::Helper),
            }
        }
        // It was stopped, or gave too much: run again, it takes as long and says as much.
        ReasonCode::HelperFailed
            if !facts.session
                && facts.entry.has_helper
                && auth.is_some_and(|auth| {
                    auth.supplied_by == Some(CredentialOrigin::Command) && auth.exit_code.is_none()
                }) =>
        {
            change(EntryPart::Helper)
        }
        // It ran, and gave nothing that could have been sent: run again, it does the same.
        ReasonCode::Unauthorized | ReasonCode::Forbidden | ReasonCode::LoginRedirect
            if !facts.session && auth.is_some_and(gave_nothing) =>
        {
            Some(NextStep::LookAtCredentials)
        }
        // It ended well, and gave what is none; or it said why not, in words that name no command. Run again, it does the same.
        ReasonCode::HelperFailed if by_command(Some(0)) || (!facts.session && has_ended_by_itself(auth)) => {
            Some(NextStep::LookAtCredentials)
        }
        ReasonCode::Tls if matches!(outcome, Some(Outcome::AuthorizationServerTls)) => {
            let remedy = auth.and_then(|auth| auth.hindrance.as_ref()).map(|hindrance| &hindrance.remedy);
            Some(NextStep::from(remedy.unwrap_or(&SignInRemedy::AuthorizationServer)))
        }
        ReasonCode::Tls => tls.or_else(|| change(place)),
        ReasonCode::Rejected | ReasonCode::Protocol if asked_in_words && may_sign_in => sign_in(),
        ReasonCode::Rejected | ReasonCode::Protocol if asked_in_words && !facts.entry.has_helper => {
            change(headers)
        }
        // At another address, no more would be tried.
        ReasonCode::NotFound
        | ReasonCode::Rejected
        | ReasonCode::Protocol
        | ReasonCode::Version
        | ReasonCode::Unreachable
            if restriction.is_some() =>
        {
            restriction.map(|restriction| NextStep::ChangeEntry { part: part_of(restriction) })
        }
        // Nothing will change until the entry does.
        ReasonCode::NotConfigured | ReasonCode::Moved | ReasonCode::NotFound => change(place),
        // Which limit it is stands in the reason; at another address, the answer would be as long.
        ReasonCode::Protocol if evidence.is_some_and(|evidence| evidence.over_limit) => {
            change(EntryPart::Limits)
        }
        // It speaks JSON-RPC, knows the method, and has something against it that is no matter of this entry.
        ReasonCode::Protocol
            if facts.transport != TransportKind::Stdio
                && matches!(outcome, Some(Outcome::Protocol { rpc_code: Some(code) }) if *code != METHOD_NOT_FOUND) =>
        {
            Some(NextStep::AskOperator)
        }
        // Its address is right, for it has shaken hands there.
        ReasonCode::Protocol
            if is_of_session(evidence) || matches!(outcome, Some(Outcome::SessionRefused { .. })) =>
        {
            Some(mending::people(facts.transport))
        }
        // Started again, it would begin again. The limit is in the entry, and so does a command that never speaks MCP.
        ReasonCode::Timeout if matches!(outcome, Some(Outcome::SlowStart { .. })) => {
            match evidence.and_then(|evidence| evidence.lack.as_ref()) {
                Some(lack) => Some(mending::of_lack(lack)),
                None => change(EntryPart::StartTime),
            }
        }
        // A process that lives and answers nothing. One that was there is started again.
        ReasonCode::Timeout
            if facts.transport == TransportKind::Stdio
                && evidence.is_some_and(|seen| seen.limit.is_none()) =>
        {
            match is_of_session(evidence) {
                true => Some(NextStep::Reconnect),
                false => change(EntryPart::Process),
            }
        }
        ReasonCode::Version => Some(mending::of_version(evidence, facts.transport)),
        ReasonCode::Protocol => change(place),
        ReasonCode::Spawn => Some(mending::of_process(evidence)),
        // Where the rule stands comes with the reason.
        ReasonCode::SelfReference | ReasonCode::Policy => change(EntryPart::Named),
        ReasonCode::ProxyAuth | ReasonCode::Unreachable | ReasonCode::Rejected if proxy.is_some() => proxy,
        ReasonCode::Rejected => Some(mending::of_refusal(evidence, facts.transport)),
        ReasonCode::ProxyAuth => change(EntryPart::Proxy),
        // Whatever comes back, it comes back under its own name.
        ReasonCode::Unreachable if evidence.is_some_and(|evidence| evidence.unknown_host) => change(place),
        ReasonCode::Unauthorized
        | ReasonCode::Forbidden
        | ReasonCode::LoginRedirect
        | ReasonCode::CredentialsRejected
        | ReasonCode::InsufficientScope
            if !facts.entry.has_helper =>
        {
            change(headers)
        }
        // It has just been run again. What it is, and where, is what a person has to look at; but a sign-in that is behind it
        // has its turn at the next connection.
        ReasonCode::CredentialsRejected
            if auth.is_some_and(|auth| auth.unchanged) && facts.sign_in == SignInState::NotOffered =>
        {
            let of_entry = |auth: &AuthFacts| auth.supplied_by.is_some_and(CredentialOrigin::is_of_entry);
            change(if auth.is_some_and(of_entry) { headers } else { EntryPart::Helper })
        }
        // What a command gets its token with decides about the scopes of that: run again, it gets no more of them.
        ReasonCode::InsufficientScope
            if !facts.session
                && auth.is_some_and(|auth| auth.supplied_by == Some(CredentialOrigin::Command)) =>
        {
            change(EntryPart::Helper)
        }
        // Started again it ends as it did. A session tries it when it is told to, whatever it was that has been mended since.
        // What it said is in the reason. One that ended in a call started well, and is started again for the next one.
        ReasonCode::Exited if !facts.session && is_of_session(evidence) => Some(NextStep::Reconnect),
        ReasonCode::Exited if !facts.session => Some(mending::of_process(evidence)),
        // Other credentials do not help.
        ReasonCode::Blocked if !facts.session => Some(NextStep::AskOperator),
        // What leaves them out is in the reason.
        ReasonCode::NoTools if evidence.is_some_and(|evidence| evidence.left_out.is_some()) => {
            change(EntryPart::Named)
        }
        ReasonCode::NoTools => None,
        ReasonCode::Unavailable | ReasonCode::RateLimited | ReasonCode::Unreachable | ReasonCode::Timeout => {
            Some(mending::of_waiting(code, evidence, facts.session))
        }
        ReasonCode::ToolsUnavailable => Some(mending::of_tools(evidence, facts.transport)),
        ReasonCode::ToolsUnapproved => Some(NextStep::ApproveTools),
        // A helper is run again, and a session that runs is told.
        ReasonCode::Unauthorized
        | ReasonCode::Forbidden
        | ReasonCode::LoginRedirect
        | ReasonCode::Blocked
        | ReasonCode::CredentialsRejected
        | ReasonCode::InsufficientScope
        | ReasonCode::HelperFailed
        | ReasonCode::CredentialsFailed
        | ReasonCode::Exited => Some(NextStep::Reconnect),
    }
}

/// Which settings of an entry cannot be used, by the source of credentials that they are of.
fn of_settings(auth: &AuthFacts, headers: EntryPart) -> EntryPart {
    match auth.supplied_by {
        Some(CredentialOrigin::SignIn) => EntryPart::SignIn,
        Some(CredentialOrigin::Command) => EntryPart::Helper,
        Some(_) => headers,
        None if is_of_source(auth) => EntryPart::Source,
        None => EntryPart::Named,
    }
}

/// What there is to do about the proxy that did not let a request through.
fn of_proxy(evidence: &Evidence) -> Option<NextStep> {
    let is_there = match evidence.outcome {
        Outcome::Proxy { status } => status.is_some(),
        Outcome::Http { status: 407, .. } => true,
        // What names it names none.
        Outcome::Misconfigured => true,
        _ => return None,
    };
    let proxy = evidence.proxy.clone()?;
    Some(NextStep::ChangeProxy { proxy, is_there })
}

/// Whether what supplies the credentials is neither a command, nor a person, nor the text of the entry: a grant, a token that another
/// program keeps in a file, a signature, a plug-in.
fn is_of_source(auth: &AuthFacts) -> bool {
    auth.supplied_by.is_none() && auth.provider.is_some() && auth.withheld.is_none()
}

/// Whether a command of the person's own has ended, with a code of its own choice.
fn has_ended_by_itself(auth: Option<&AuthFacts>) -> bool {
    auth.is_some_and(|auth| auth.supplied_by == Some(CredentialOrigin::Command) && auth.exit_code.is_some())
}

/// Whether what was seen was seen after the first handshake.
fn is_of_session(evidence: Option<&Evidence>) -> bool {
    evidence.is_some_and(|evidence| evidence.phase == Phase::Session)
}

/// The command that a person's own command for credentials asks for. What any other source says is shown as it says it.
fn cure(code: ReasonCode, auth: &AuthFacts) -> Option<String> {
    if auth.supplied_by != Some(CredentialOrigin::Command) {
        return None;
    }
    let said = match code {
        ReasonCode::HelperFailed => auth.hint.as_slice(),
        // It printed something, and what was wrong beside it.
        ReasonCode::CredentialsRejected => &auth.doubts,
        _ => &[],
    };
    said.iter().find_map(|text| mcp_text::cure(text))
}

/// What of an entry keeps another way from being tried.
fn part_of(restriction: Restriction) -> EntryPart {
    match restriction {
        Restriction::Protocol => EntryPart::Protocol,
        Restriction::Transport => EntryPart::Transport,
        Restriction::Ipv4 => EntryPart::AddressFamily,
    }
}

/// The scopes that the server said are missing, as far as they can be asked for.
fn missing_scopes(evidence: &Evidence) -> Vec<String> {
    let mut outcome = &evidence.outcome;
    while let Outcome::ToolsUnavailable { cause } = outcome {
        outcome = cause;
    }
    let Outcome::Challenged { kind: ChallengeKind::InsufficientScope { scopes }, .. } = outcome else {
        return Vec::new();
    };
    // RFC 6749 section 3.3; what looks like an option would become one.
    let is_legal = |scope: &&String| {
        (1..=MAX_SCOPE_BYTES).contains(&scope.len())
            && !scope.starts_with('-')
            && scope.bytes().all(|c| matches!(c, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    };
    scopes.iter().filter(is_legal).take(MAX_SCOPES).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Phase;
    use NextStep::{Approve, AskOperator, ChangeEntry, ListTools, LookAtStatus, Reconnect, Trust};

    const WAIT: NextStep = NextStep::Wait { answers: false };

    fn remote() -> ActionFacts {
        ActionFacts::new(TransportKind::Remote)
    }

    fn seen(facts: ActionFacts, code: ReasonCode) -> ActionFacts {
        facts.with_status(code.status(), Some(code))
    }

    fn change(part: EntryPart) -> NextStep {
        ChangeEntry { part }
    }

    fn sign_in() -> NextStep {
        NextStep::SignIn { scopes: Vec::new() }
    }

    #[test]
    fn the_next_step_of_every_reason() {
        let oauth = remote().with_sign_in(SignInState::Offered);
        let headers = remote().with_configured(true, false);
        let helper = remote().with_configured(false, true);
        let table = [
            (seen(remote(), ReasonCode::HelperUntrusted), Some(Trust)),
            (seen(remote(), ReasonCode::WithoutHelper), Some(Trust)),
            (seen(remote(), ReasonCode::AwaitingApproval), Some(Approve)),
            (seen(remote(), ReasonCode::ChangedSinceApproval), Some(Approve)),
            (seen(remote(), ReasonCode::Config), Some(ChangeEntry { part: EntryPart::Named })),
            (seen(remote(), ReasonCode::SelfReference), Some(change(EntryPart::Named))),
            (seen(remote(), ReasonCode::Retrying), Some(LookAtStatus)),
            (seen(remote(), ReasonCode::NotFound), Some(change(EntryPart::Url))),
            (
                seen(ActionFacts::new(TransportKind::Stdio), ReasonCode::Protocol),
                Some(change(EntryPart::Command)),
            ),
            (seen(remote(), ReasonCode::ProxyAuth), Some(change(EntryPart::Proxy))),
            (seen(remote(), ReasonCode::InsufficientScope), Some(change(EntryPart::Credentials))),
            (seen(headers, ReasonCode::InsufficientScope), Some(change(EntryPart::Headers))),
            (seen(remote(), ReasonCode::Unreachable), Some(NextStep::Wait { answers: false })),
            (seen(remote(), ReasonCode::ToolsUnavailable), Some(ListTools)),
            (seen(remote(), ReasonCode::Unauthorized), Some(change(EntryPart::Credentials))),
            (seen(headers, ReasonCode::Unauthorized), Some(change(EntryPart::Headers))),
            (seen(oauth, ReasonCode::Unauthorized), Some(sign_in())),
            (seen(oauth, ReasonCode::CredentialsRejected), Some(sign_in())),
            (seen(oauth, ReasonCode::SignInExpired), Some(sign_in())),
            (seen(remote(), ReasonCode::WrongAccount), Some(sign_in())),
            (seen(oauth, ReasonCode::InsufficientScope), Some(sign_in())),
            (seen(remote(), ReasonCode::CredentialsFailed), Some(sign_in())),
            (seen(oauth, ReasonCode::Blocked), Some(AskOperator)),
            (seen(oauth.with_session(true), ReasonCode::Blocked), Some(Reconnect)),
            (
                seen(headers.with_sign_in(SignInState::Offered), ReasonCode::CredentialsRejected),
                Some(change(EntryPart::Headers)),
            ),
            (
                seen(headers.with_session(true), ReasonCode::CredentialsRejected),
                Some(change(EntryPart::Headers)),
            ),
            (seen(helper, ReasonCode::CredentialsRejected), Some(Reconnect)),
            (
                seen(headers.with_session(true).with_restart(true), ReasonCode::CredentialsRejected),
                Some(change(EntryPart::Headers)),
            ),
            (seen(remote(), ReasonCode::NoTools), None),
            (seen(remote(), ReasonCode::ToolsUnapproved), Some(NextStep::ApproveTools)),
            (remote(), None),
        ];
        for (facts, expected) in table {
            assert_eq!(next_step(&facts, None), expected, "{facts:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_tls_decides_what_is_changed_and_by_whom() {
        use TlsFault::{ClientCertificate, NotSpoken, OfServer, OtherName, UnknownAuthority};
        let facts = seen(remote(), ReasonCode::Tls);
        let step = |fault| {
            let evidence = Evidence::new(crate::Phase::Connect, Outcome::Tls).with_tls(fault);
            next_step(&facts, Some(&evidence))
        };
        let part = |part| Some(NextStep::ChangeEntry { part });
        for (fault, expected) in [
            (None, part(EntryPart::Url)),
            (Some(NotSpoken), part(EntryPart::Url)),
            (Some(OtherName), part(EntryPart::ServerName)),
            (Some(UnknownAuthority), part(EntryPart::Authority)),
            (Some(ClientCertificate), part(EntryPart::ClientCertificate)),
            (Some(OfServer), Some(NextStep::AskOperator)),
        ] {
            assert_eq!(step(fault), expected, "{fault:?}");
        }
        // Of an authorization server, another part of the entry is wrong, and others run it.
        let of_issuer = |remedy: Option<SignInRemedy>| {
            let hindrance = remedy.map(|remedy| crate::SignInHindrance::new("x", remedy));
            let evidence = Evidence::new(Phase::Connect, Outcome::AuthorizationServerTls)
                .with_tls(Some(OtherName))
                .with_auth(AuthFacts::default().with_hindrance(hindrance));
            next_step(&facts, Some(&evidence))
        };
        let origin = || "https://as.example".to_owned();
        for (remedy, expected) in [
            (Some(SignInRemedy::Authority), part(EntryPart::Authority)),
            (
                Some(SignInRemedy::Operator { origin: origin() }),
                Some(NextStep::AskOperatorOf { origin: origin() }),
            ),
            (None, part(EntryPart::AuthorizationServer)),
        ] {
            assert_eq!(of_issuer(remedy.clone()), expected, "{remedy:?}");
        }
    }

    #[test]
    fn f013_a_helper_server_is_never_advised_to_sign_in_first() {
        let helper = remote().with_configured(false, true);
        for facts in [helper, helper.with_sign_in(SignInState::Offered)] {
            for code in [ReasonCode::CredentialsRejected, ReasonCode::HelperFailed, ReasonCode::Unauthorized]
            {
                assert_eq!(next_step(&seen(facts, code), None), Some(Reconnect));
            }
        }
    }

    #[test]
    fn a_source_that_supplied_the_same_again_is_looked_at() {
        let helper = remote().with_configured(false, true);
        let refused = Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 };
        let by = |facts: ActionFacts, unchanged, origin| {
            let auth = AuthFacts::new(true, Some("x".into())).with_unchanged(unchanged);
            let auth = auth.with_supplied_by(origin);
            let evidence = Evidence::new(Phase::Connect, refused.clone()).with_auth(auth);
            next_step(&seen(facts, ReasonCode::CredentialsRejected), Some(&evidence))
        };
        let of = |facts, unchanged| by(facts, unchanged, Some(CredentialOrigin::Command));
        for unchanged in [true, false] {
            assert_eq!(by(helper, unchanged, None), Some(change(EntryPart::Source)));
        }
        assert_eq!(of(helper, true), Some(change(EntryPart::Helper)));
        assert_eq!(of(helper, false), Some(Reconnect));
        assert_eq!(of(helper.with_sign_in(SignInState::SignedIn), true), Some(Reconnect));
    }

    #[test]
    fn a_command_whose_token_lacks_a_scope_is_looked_at() {
        let helper = remote().with_configured(false, true);
        let refused = Outcome::Challenged { kind: ChallengeKind::Forbidden, http_status: 403 };
        let auth = AuthFacts::new(true, Some("x".into())).with_supplied_by(Some(CredentialOrigin::Command));
        let evidence = Evidence::new(Phase::Connect, refused).with_auth(auth);
        let of = |facts| next_step(&seen(facts, ReasonCode::InsufficientScope), Some(&evidence));
        assert_eq!(of(helper), Some(change(EntryPart::Helper)));
        assert_eq!(of(helper.with_session(true)), Some(Reconnect));
        assert!(matches!(of(helper.with_sign_in(SignInState::SignedIn)), Some(NextStep::SignIn { .. })));
    }

    #[test]
    fn a_command_that_ended_well_and_gave_no_credentials_is_looked_at() {
        let helper = remote().with_configured(false, true);
        let of = |by, exit_code| {
            let auth = AuthFacts::new(false, Some("x".into())).with_supplied_by(by).with_exit_code(exit_code);
            let evidence = Evidence::new(Phase::Connect, Outcome::CredentialSourceFailed).with_auth(auth);
            next_step(&seen(helper, ReasonCode::HelperFailed), Some(&evidence))
        };
        let command = Some(CredentialOrigin::Command);
        assert_eq!(of(command, Some(0)), Some(NextStep::LookAtCredentials));
        for gone in [126, 127] {
            assert_eq!(of(command, Some(gone)), Some(change(EntryPart::Helper)));
        }
        // What it said names no command: it is run in sight.
        assert_eq!(of(command, Some(7)), Some(NextStep::LookAtCredentials));
        // It was stopped, or gave too much: again it takes as long, and gives as much.
        assert_eq!(of(command, None), Some(change(EntryPart::Helper)));
        for other in [of(None, None), of(None, Some(0)), of(None, Some(127))] {
            assert_eq!(other, Some(Reconnect), "it may be better the next time");
        }
    }

    #[test]
    fn fh_h3_a_command_that_gave_nothing_is_looked_at_and_named() {
        let refused = Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 };
        let of = |facts: ActionFacts, by| {
            let auth = AuthFacts::new(false, Some("x".into()))
                .with_called(Some("the helper".into()))
                .with_supplied_by(by);
            let evidence = Evidence::new(Phase::Connect, refused.clone()).with_auth(auth);
            let told = crate::message(&evidence, &crate::MessageContext::new("web"));
            (next_step(&seen(facts, ReasonCode::Unauthorized), Some(&evidence)), told)
        };
        let helper = remote().with_configured(false, true);
        let (step, told) = of(helper, Some(CredentialOrigin::Command));
        assert_eq!(step, Some(NextStep::LookAtCredentials));
        assert_eq!(told, "the server asks for credentials, and the helper returned none (401)");
        // A session is told to try once more: it may be better by then.
        assert_eq!(of(helper.with_session(true), Some(CredentialOrigin::Command)).0, Some(Reconnect));
        let (step, told) = of(remote(), Some(CredentialOrigin::SignIn));
        assert_eq!(step, Some(change(EntryPart::Credentials)));
        assert_eq!(told, "the server asks for credentials, and none were sent (401)");
    }

    #[test]
    fn fh_h3_a_filter_that_leaves_every_tool_out_is_not_put_down_to_the_server() {
        let of = |left_out: &[(&str, &str)]| {
            let left_out: Vec<(String, String)> =
                left_out.iter().map(|(name, why)| ((*name).to_owned(), (*why).to_owned())).collect();
            let evidence =
                Evidence::new(Phase::Session, Outcome::Connected { tools: Some(0) }).with_left_out(&left_out);
            let told = crate::message(&evidence, &crate::MessageContext::new("web"));
            (next_step(&seen(remote(), ReasonCode::NoTools), Some(&evidence)), told)
        };
        let why = "allowedTools in /f.json:3";
        assert_eq!(of(&[]), (None, "connected, but the server lists no tools".to_owned()));
        assert_eq!(
            of(&[("a", why), ("b", why)]),
            (
                Some(change(EntryPart::Named)),
                format!("connected, but all 2 of its tools are left out: a {why}")
            )
        );
        assert_eq!(of(&[("a", why)]).1, format!("connected, but its one tool is left out: a {why}"));
    }

    #[test]
    fn fa_a22_a_command_that_ended_in_a_call_is_started_again_and_one_that_never_began_is_changed() {
        let of = |phase| {
            let evidence = Evidence::new(phase, Outcome::Exited { code: Some(1), signal: None });
            next_step(&seen(ActionFacts::new(TransportKind::Stdio), ReasonCode::Exited), Some(&evidence))
        };
        assert_eq!(of(Phase::Session), Some(Reconnect));
        assert_eq!(of(Phase::Connect), Some(change(EntryPart::Process)));
    }

    #[test]
    fn a_source_of_a_programs_own_that_fails_is_nothing_to_sign_in_to() {
        let of = |auth: AuthFacts| {
            let evidence = Evidence::new(Phase::Connect, Outcome::CredentialSourceFailed).with_auth(auth);
            next_step(&seen(remote(), ReasonCode::CredentialsFailed), Some(&evidence))
        };
        let named =
            |supplied_by| AuthFacts::new(false, Some("corp-agent".into())).with_supplied_by(supplied_by);
        assert_eq!(of(named(None)), Some(change(EntryPart::Source)));
        assert_eq!(of(named(Some(CredentialOrigin::SignIn))), Some(sign_in()));
        assert_eq!(of(AuthFacts::default()), Some(sign_in()));
    }

    #[test]
    fn what_a_source_says_that_a_person_can_do_comes_first_and_is_made_safe() {
        let of = |code: ReasonCode, hint: &str| {
            let auth = AuthFacts::new(false, Some("corp".into())).with_hint(Some(hint.to_owned()));
            let evidence = Evidence::new(Phase::Connect, Outcome::CredentialSourceFailed).with_auth(auth);
            next_step(&seen(remote(), code), Some(&evidence))
        };
        let provider = |hint: &str| Some(NextStep::Provider { hint: hint.to_owned() });
        for code in [ReasonCode::HelperFailed, ReasonCode::CredentialsFailed, ReasonCode::SignInExpired] {
            assert_eq!(of(code, "run `corp login`"), provider("run `corp login`"), "{code:?}");
        }
        // Also while it is tried again, and whatever another process has put there.
        assert_eq!(of(ReasonCode::Retrying, "start the VPN"), provider("start the VPN"));
        let Some(NextStep::Provider { hint }) = of(ReasonCode::HelperFailed, "a\u{1b}[2J\nb\u{202e}c") else {
            panic!("no step of the provider")
        };
        assert!(!hint.chars().any(char::is_control) && !hint.contains('\u{202e}'), "{hint:?}");
        let Some(NextStep::Provider { hint }) = of(ReasonCode::HelperFailed, &"x".repeat(9_000)) else {
            panic!("no step of the provider")
        };
        assert!(hint.chars().count() <= MAX_HINT, "{}", hint.len());
        // One that says nothing is none.
        assert_eq!(of(ReasonCode::HelperFailed, " \u{1b}"), Some(Reconnect));
    }

    #[test]
    fn fh_h3_what_a_server_says_against_the_handshake_is_for_who_runs_it() {
        let of = |transport, rpc_code| {
            let evidence = Evidence::new(Phase::Connect, Outcome::Protocol { rpc_code });
            next_step(&seen(ActionFacts::new(transport), ReasonCode::Protocol), Some(&evidence))
        };
        assert_eq!(of(TransportKind::Remote, Some(-32000)), Some(AskOperator));
        for no_server in [None, Some(METHOD_NOT_FOUND)] {
            assert_eq!(of(TransportKind::Remote, no_server), Some(change(EntryPart::Url)));
        }
        assert_eq!(of(TransportKind::Stdio, Some(-32000)), Some(change(EntryPart::Command)));
    }

    #[test]
    fn fh_h3_a_command_that_was_too_slow_is_not_merely_started_again() {
        let of = |phase, outcome| {
            let facts = seen(ActionFacts::new(TransportKind::Stdio), ReasonCode::Timeout);
            next_step(&facts, Some(&Evidence::new(phase, outcome)))
        };
        let limit = std::time::Duration::from_secs(3);
        assert_eq!(of(Phase::Connect, Outcome::SlowStart { limit }), Some(change(EntryPart::StartTime)));
        // One that is stopped stops again; one that was there before is started afresh.
        assert_eq!(of(Phase::Connect, Outcome::Timeout), Some(change(EntryPart::Process)));
        assert_eq!(of(Phase::Session, Outcome::Timeout), Some(Reconnect));
    }

    #[test]
    fn a_secret_that_is_not_kept_is_to_be_kept() {
        let auth = AuthFacts::new(false, Some("headers".into()))
            .with_supplied_by(Some(CredentialOrigin::Configuration))
            .with_lacking_secret(Some(("mcp".into(), "wiki".into())));
        let evidence = Evidence::new(Phase::Connect, Outcome::CredentialSourceFailed).with_auth(auth);
        let step = next_step(&seen(remote(), ReasonCode::CredentialsFailed), Some(&evidence));
        assert_eq!(step, Some(NextStep::KeepSecret { service: "mcp".into(), name: "wiki".into() }));
        let shown = NextStep::KeepSecret { service: "a\u{1b}[2J".into(), name: "b\nc".into() }.to_string();
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }

    #[test]
    fn fh_h5_a_command_for_credentials_that_names_its_cure_is_taken_at_its_word_and_no_one_else() {
        let login = "session expired, run: my-sso login";
        let of = |by, code: ReasonCode, hint: Option<&str>, doubts: &[&str]| {
            let auth = AuthFacts::new(code == ReasonCode::CredentialsRejected, Some("helper".into()))
                .with_supplied_by(by)
                .with_hint(hint.map(str::to_owned))
                .with_doubts(doubts.iter().map(|doubt| (*doubt).to_owned()).collect());
            let evidence = Evidence::new(Phase::Connect, Outcome::CredentialSourceFailed)
                .with_auth(auth)
                .with_detail(login);
            next_step(&seen(remote().with_configured(false, true), code), Some(&evidence))
        };
        let cure = Some(NextStep::Cure { command: "my-sso login".into() });
        let command = Some(CredentialOrigin::Command);
        assert_eq!(of(command, ReasonCode::HelperFailed, Some("run `my-sso login`"), &[]), cure);
        assert_eq!(of(command, ReasonCode::CredentialsRejected, None, &["it is old", login]), cure);
        // What a server says, and what is said about something else.
        assert_eq!(of(command, ReasonCode::CredentialsRejected, None, &[]), Some(Reconnect));
        assert_eq!(of(command, ReasonCode::Unreachable, None, &[login]), Some(WAIT));
        let other =
            of(Some(CredentialOrigin::Configuration), ReasonCode::CredentialsRejected, None, &[login]);
        assert_eq!(other, Some(Reconnect));
    }

    #[test]
    fn fb_o46_the_next_sign_in_asks_for_what_was_missing() {
        let of = |scopes: &[&str], capable: bool| {
            let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            let kind = ChallengeKind::InsufficientScope { scopes };
            let refused = Outcome::Challenged { kind, http_status: 403 };
            let facts = seen(
                remote().with_sign_in(if capable { SignInState::SignedIn } else { SignInState::NotOffered }),
                ReasonCode::InsufficientScope,
            );
            let once = next_step(&facts, Some(&Evidence::new(Phase::Session, refused.clone())));
            // Wherever it was refused.
            let list = Outcome::ToolsUnavailable { cause: Box::new(refused) };
            assert_eq!(next_step(&facts, Some(&Evidence::new(Phase::Session, list))), once);
            once.unwrap()
        };
        let asks_for =
            |scopes: &[&str]| NextStep::SignIn { scopes: scopes.iter().map(|s| (*s).into()).collect() };
        assert_eq!(of(&["files:write", "b"], true), asks_for(&["files:write", "b"]));
        assert_eq!(of(&["a\u{1b}[2J", "b\"c", "", "--all", &"x".repeat(201)], true), sign_in());
        assert_eq!(of(&["x"; 40], true), asks_for(&["x"; 12]));
        assert_eq!(of(&["files:write"], false), change(EntryPart::Credentials));
    }

    #[test]
    fn fh_h3_a_sign_in_that_cannot_begin_is_no_next_step() {
        let refused = Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 };
        let oauth = seen(remote().with_sign_in(SignInState::Offered), ReasonCode::Unauthorized);
        let origin = || "https://as.example".to_owned();
        for (remedy, expected) in [
            (SignInRemedy::Operator { origin: origin() }, NextStep::AskOperatorOf { origin: origin() }),
            (SignInRemedy::Client, change(EntryPart::Client)),
            (SignInRemedy::AuthorizationServer, change(EntryPart::AuthorizationServer)),
            (SignInRemedy::Settings, change(EntryPart::SignIn)),
        ] {
            let hindrance = crate::SignInHindrance::new("no answer\u{1b}[2J", remedy);
            let auth = AuthFacts::default().with_hindrance(Some(hindrance));
            let evidence = Evidence::new(Phase::Connect, refused.clone()).with_auth(auth);
            assert_eq!(next_step(&oauth, Some(&evidence)), Some(expected));
            let told = crate::message(&evidence, &crate::MessageContext::new("web"));
            assert_eq!(
                told,
                "the server asks for credentials, and none were sent (401); no sign-in can begin: no answer"
            );
            // It travels to the process that shows it.
            let text = serde_json::to_string(&evidence).unwrap();
            assert_eq!(serde_json::from_str::<Evidence>(&text).unwrap(), evidence);
        }
        let shown = NextStep::AskOperatorOf { origin: "https://a\u{1b}[2J\nb".into() }.to_string();
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }

    #[test]
    fn fa_a86_a89_fh_h3_a_name_that_no_one_has_and_a_proxy_that_is_not_there_are_for_the_entry() {
        let of = |outcome, proxy: Option<&str>, unknown, code| {
            let evidence = Evidence::new(Phase::Connect, outcome)
                .with_proxy(proxy.map(str::to_owned))
                .with_unknown_host(unknown);
            (next_step(&seen(remote(), code), Some(&evidence)).unwrap(), evidence)
        };
        let named = "http://127.0.0.1:9 (HTTPS_PROXY)";
        let proxy = |is_there| NextStep::ChangeProxy { proxy: named.to_owned(), is_there };
        let (lost, auth) = (ReasonCode::Unreachable, ReasonCode::ProxyAuth);
        for (outcome, by, unknown, code, expected) in [
            (Outcome::Unreachable, None, true, lost, change(EntryPart::Url)),
            (Outcome::Unreachable, None, false, lost, WAIT),
            (Outcome::Dropped, None, false, lost, WAIT),
            // What is behind a proxy that let it through is no matter of the proxy.
            (Outcome::Dropped, Some(named), false, lost, WAIT),
            (Outcome::Proxy { status: None }, Some(named), false, lost, proxy(false)),
            (Outcome::Proxy { status: Some(502) }, Some(named), false, lost, proxy(true)),
            (Outcome::Http { status: 407, retry_after: None }, Some(named), false, auth, proxy(true)),
            (Outcome::Http { status: 407, retry_after: None }, None, false, auth, change(EntryPart::Proxy)),
        ] {
            let (step, evidence) = of(outcome, by, unknown, code);
            assert_eq!(step, expected, "{evidence:?}");
            let reason = crate::Reason::from_evidence(&evidence, &crate::MessageContext::new("web")).unwrap();
            let may_pass = code == lost && !unknown;
            assert_eq!(reason.retryable, may_pass, "{evidence:?}");
        }
        assert_eq!(proxy(false).to_string(), "start or correct the proxy http://127.0.0.1:9 (HTTPS_PROXY)");
        assert_eq!(proxy(true).to_string(), "correct the proxy http://127.0.0.1:9 (HTTPS_PROXY)");
    }

    /// Settings that cannot be used are named by what they are of.
    #[test]
    fn fh_h9_of_settings_that_cannot_be_used_the_part_is_named() {
        let unusable = || Evidence::new(Phase::Connect, Outcome::Misconfigured);
        let of =
            |evidence: &Evidence| next_step(&seen(remote(), ReasonCode::Config), Some(evidence)).unwrap();
        let supplied = |provider: &str, by: Option<CredentialOrigin>| {
            unusable().with_auth(AuthFacts::new(false, Some(provider.to_owned())).with_supplied_by(by))
        };
        for (evidence, part) in [
            (unusable(), EntryPart::Named),
            (supplied("client_credentials", None), EntryPart::Source),
            (supplied("oauth", Some(CredentialOrigin::SignIn)), EntryPart::SignIn),
            (supplied("minted", Some(CredentialOrigin::Command)), EntryPart::Helper),
            (unusable().with_tls(Some(TlsFault::UnknownAuthority)), EntryPart::Authority),
            (unusable().with_tls(Some(TlsFault::ClientCertificate)), EntryPart::ClientCertificate),
            (unusable().with_tls(Some(TlsFault::OtherName)), EntryPart::ServerName),
        ] {
            assert_eq!(of(&evidence), change(part), "{evidence:?}");
            if evidence.tls.is_some() {
                // The proxy on the way has not been asked.
                let by_proxy = evidence.with_proxy(Some("http://p:1 (HTTPS_PROXY)".to_owned()));
                assert_eq!(of(&by_proxy), change(part), "{by_proxy:?}");
            }
        }
    }

    #[test]
    fn every_step_is_a_plain_fragment() {
        let steps = [
            Reconnect,
            sign_in(),
            NextStep::SignIn { scopes: vec!["a".into(), "b".into()] },
            Approve,
            NextStep::Enable,
            Trust,
            change(EntryPart::Url),
            change(EntryPart::Credentials),
            AskOperator,
            NextStep::AskOperatorOf { origin: "https://as.example".into() },
            NextStep::ChangeProxy { proxy: "http://p (HTTP_PROXY)".into(), is_there: false },
            NextStep::LookAtCredentials,
            LookAtStatus,
            WAIT,
            ListTools,
            NextStep::ApproveTools,
            NextStep::ChangePolicy { rule: "deniedMcpServers[0] in /f:1".into(), by_administrator: true },
            NextStep::ChangePolicy { rule: "deniedMcpServers[0] in /f:1".into(), by_administrator: false },
            NextStep::KeepSecret { service: "mcp".into(), name: "wiki".into() },
            NextStep::Provider { hint: "run `corp login`".into() },
        ];
        for step in steps {
            let text = step.to_string();
            assert!(text.starts_with(|c: char| c.is_lowercase()) && !text.ends_with('.'), "{text}");
        }
    }
}
