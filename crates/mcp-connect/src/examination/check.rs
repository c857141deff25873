//! One part of the way to a server, and what was seen there.

/// What a check looks at, in the order of the way to a server.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum CheckTopic {
    /// What the files say.
    Configuration,
    /// Whether a person agreed to it.
    Trust,
    /// Whether a secret that the entry refers to can be read.
    Secret,
    /// Whether the program of a helper is there.
    HelperFound,
    /// What came of its run.
    HelperRun,
    /// Where the secrets of a grant come from, or the token that another program keeps.
    GrantSource,
    /// What came of the grant.
    GrantRun,
    /// The credentials that went along.
    Credentials,
    /// Which proxy requests go by, and why.
    Proxy,
    /// The addresses of the name.
    Dns,
    /// The connection to one of them.
    Tcp,
    /// The TLS handshake and the certificates.
    Tls,
    /// What was answered over HTTP.
    Answer,
    /// The clock of this machine beside that of the server that answered.
    Clock,
    /// What the server publishes about who issues tokens for it (RFC 9728).
    ResourceMetadata,
    /// Who that is, and what it publishes of itself (RFC 8414).
    AuthorizationServer,
    /// How the client is known there (RFC 7591).
    Registration,
    /// The token of a sign-in.
    Token,
    /// Its renewal.
    Refresh,
    /// The file that the sign-in is kept in.
    Store,
    /// The keyring of the operating system, which may have its secrets.
    Keyring,
    /// The process of a local server.
    Process,
    /// The MCP handshake.
    Handshake,
    /// The list of tools.
    Tools,
    /// The live sessions of other processes, which the program that examines knows.
    Sessions,
}

impl CheckTopic {
    /// A stable, kebab-case word for people and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Trust => "trust",
            Self::Secret => "secret",
            Self::HelperFound => "helper-found",
            Self::HelperRun => "helper-run",
            Self::GrantSource => "grant-source",
            Self::GrantRun => "grant-run",
            Self::Credentials => "credentials",
            Self::Proxy => "proxy",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Answer => "answer",
            Self::Clock => "clock",
            Self::ResourceMetadata => "resource-metadata",
            Self::AuthorizationServer => "authorization-server",
            Self::Registration => "registration",
            Self::Token => "token",
            Self::Refresh => "refresh",
            Self::Store => "store",
            Self::Keyring => "keyring",
            Self::Process => "process",
            Self::Handshake => "handshake",
            Self::Tools => "tools",
            Self::Sessions => "sessions",
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum CheckState {
    /// As it should be.
    Good,
    /// It works, and something about it is worth a look.
    Noted,
    /// It stands in the way.
    Bad,
    /// It was not looked at, or not reached.
    Skipped,
}

impl CheckState {
    /// A stable word for people and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Noted => "note",
            Self::Bad => "bad",
            Self::Skipped => "skipped",
        }
    }
}

/// What was seen of one part. No part of it is a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Check {
    /// What was looked at.
    pub topic: CheckTopic,
    /// How that ended.
    pub state: CheckState,
    /// It in one line.
    pub message: String,
    /// More lines.
    pub more: Vec<String>,
}

impl Check {
    /// What was seen of `topic`.
    pub fn new(topic: CheckTopic, state: CheckState, message: impl Into<String>) -> Self {
        Self { topic, state, message: message.into(), more: Vec::new() }
    }

    pub(super) fn good(topic: CheckTopic, message: impl Into<String>) -> Self {
        Self::new(topic, CheckState::Good, message)
    }

    pub(super) fn bad(topic: CheckTopic, message: impl Into<String>) -> Self {
        Self::new(topic, CheckState::Bad, message)
    }

    pub(super) fn skipped(topic: CheckTopic, message: impl Into<String>) -> Self {
        Self::new(topic, CheckState::Skipped, message)
    }

    /// Of a good one, that something is worth a look.
    #[must_use]
    pub fn noted(mut self, line: impl Into<String>) -> Self {
        if self.state == CheckState::Good {
            self.state = CheckState::Noted;
        }
        self.more.push(line.into());
        self
    }

    /// The same with one more line.
    #[must_use]
    pub fn with(mut self, line: impl Into<String>) -> Self {
        self.more.push(line.into());
        self
    }
}
