//! One part of the way to a server, and what was seen there.

/// What a check looks at, in the order of the way to a server.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum CheckTopic {
    /// What the files say.
    Configuration,
    /// Whether a person agreed to it.
    Trust,
    /// Whether the program of a helper is there.
    HelperFound,
    /// What came of its run.
    HelperRun,
    /// The credentials that went along.
    Credentials,
    /// Name, proxy and connection.
    Network,
    /// The TLS handshake and the certificate.
    Tls,
    /// What was answered over HTTP.
    Answer,
    /// The clock of this machine beside that of who answered.
    Clock,
    /// Where a person signs in.
    SignIn,
    /// The process of a local server.
    Process,
    /// The MCP handshake.
    Handshake,
    /// The list of tools.
    Tools,
}

impl CheckTopic {
    /// A stable, kebab-case word for people and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Trust => "trust",
            Self::HelperFound => "helper-found",
            Self::HelperRun => "helper-run",
            Self::Credentials => "credentials",
            Self::Network => "network",
            Self::Tls => "tls",
            Self::Answer => "answer",
            Self::Clock => "clock",
            Self::SignIn => "sign-in",
            Self::Process => "process",
            Self::Handshake => "handshake",
            Self::Tools => "tools",
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
    pub told: String,
    /// More lines.
    pub more: Vec<String>,
}

impl Check {
    pub(super) fn new(topic: CheckTopic, state: CheckState, told: impl Into<String>) -> Self {
        Self { topic, state, told: told.into(), more: Vec::new() }
    }

    pub(super) fn good(topic: CheckTopic, told: impl Into<String>) -> Self {
        Self::new(topic, CheckState::Good, told)
    }

    pub(super) fn bad(topic: CheckTopic, told: impl Into<String>) -> Self {
        Self::new(topic, CheckState::Bad, told)
    }

    pub(super) fn skipped(topic: CheckTopic, told: impl Into<String>) -> Self {
        Self::new(topic, CheckState::Skipped, told)
    }

    /// Of a good one, that something is worth a look.
    pub(super) fn noted(mut self, line: impl Into<String>) -> Self {
        if self.state == CheckState::Good {
            self.state = CheckState::Noted;
        }
        self.more.push(line.into());
        self
    }

    pub(super) fn with(mut self, line: impl Into<String>) -> Self {
        self.more.push(line.into());
        self
    }
}
