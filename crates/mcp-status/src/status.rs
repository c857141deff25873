//! The words: five statuses, the reasons beside them, the phases of a connection.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The one truthful status of a server.
///
/// Output only. A status is what was seen, so none can come back from disk:
///
/// ```compile_fail
/// let _: mcp_status::ServerStatus = serde_json::from_str("\"needs-auth\"").unwrap();
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "the five words are the contract; a sixth would be a new product"
)]
pub enum ServerStatus {
    /// The handshake succeeded.
    Connected,
    /// It does not work, and signing in would not help.
    Failed,
    /// It wants other credentials than it received, or credentials could not be obtained.
    NeedsAuth,
    /// Connecting, waiting between attempts, or waiting for a person's approval.
    Pending,
    /// Switched off, or not configured; never contacted.
    Disabled,
}

impl ServerStatus {
    /// The word as it is shown and as it is in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Failed => "failed",
            Self::NeedsAuth => "needs-auth",
            Self::Pending => "pending",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for ServerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the server has answered its first handshake yet.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "a connection is before or after its handshake")]
pub enum Phase {
    /// Until the server has answered its first handshake.
    Connect,
    /// Afterwards.
    Session,
}

/// Why a status is what it is; the codes are stable and stand in JSON.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReasonCode {
    /// Challenged with 401 and no credentials were held.
    Unauthorized,
    /// Challenged with a bare 403 and no credentials were held.
    Forbidden,
    /// Answered with a redirect to a sign-in page, or with the page itself.
    LoginRedirect,
    /// A 403 from something in between (a firewall, a geo-block).
    Blocked,
    /// The credentials that were sent were refused.
    CredentialsRejected,
    /// The token lacks scope (RFC 6750 section 3.1).
    InsufficientScope,
    /// The command that mints headers failed.
    HelperFailed,
    /// Credentials could not be obtained, and no command is to blame: the store of sign-ins cannot be read, say.
    CredentialsFailed,
    /// The command was not run because its folder is not trusted.
    HelperUntrusted,
    /// The authorization server refused the refresh token.
    SignInExpired,
    /// The sign-in is another account's than the entry expects.
    WrongAccount,
    /// 404.
    NotFound,
    /// Answered that it is at another address now (307, 308, or to https).
    Moved,
    /// Another permanent 4xx.
    Rejected,
    /// 408, 425 or 5xx.
    Unavailable,
    /// 429.
    RateLimited,
    /// Refused, reset, or no such host.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// Certificate or TLS handshake.
    Tls,
    /// 407.
    ProxyAuth,
    /// What answered does not speak MCP.
    Protocol,
    /// No common protocol version.
    Version,
    /// The command of a stdio server could not be started.
    Spawn,
    /// The command of a stdio server ended.
    Exited,
    /// An attempt is under way.
    Connecting,
    /// Waiting before the next attempt.
    Retrying,
    /// A project entry that is not approved yet.
    AwaitingApproval,
    /// An entry that was approved and is not what it was then.
    ChangedSinceApproval,
    /// A project entry that a person rejected.
    Declined,
    /// The entry has an empty URL.
    NotConfigured,
    /// The entry is invalid.
    Config,
    /// Starting the entry would start it again below itself, without an end; or it is not a server but a way to one.
    SelfReference,
    /// A list of the administrator, or of the person, forbids the entry.
    Policy,
    /// Connected, but the tools could not be listed.
    ToolsUnavailable,
    /// Connected, but the server lists no tool although it declares the capability.
    NoTools,
    /// Connected, but some of the tools are not approved as the server defines them now.
    ToolsUnapproved,
    /// Connected without the command that gets its credentials, which may not run here.
    WithoutHelper,
}

impl ReasonCode {
    /// Every code, in the order of declaration.
    pub const ALL: [Self; 37] = [
        Self::Unauthorized,
        Self::Forbidden,
        Self::LoginRedirect,
        Self::Blocked,
        Self::CredentialsRejected,
        Self::InsufficientScope,
        Self::HelperFailed,
        Self::CredentialsFailed,
        Self::HelperUntrusted,
        Self::SignInExpired,
        Self::WrongAccount,
        Self::NotFound,
        Self::Moved,
        Self::Rejected,
        Self::Unavailable,
        Self::RateLimited,
        Self::Unreachable,
        Self::Timeout,
        Self::Tls,
        Self::ProxyAuth,
        Self::Protocol,
        Self::Version,
        Self::Spawn,
        Self::Exited,
        Self::Connecting,
        Self::Retrying,
        Self::AwaitingApproval,
        Self::ChangedSinceApproval,
        Self::Declined,
        Self::NotConfigured,
        Self::Config,
        Self::SelfReference,
        Self::Policy,
        Self::ToolsUnavailable,
        Self::NoTools,
        Self::ToolsUnapproved,
        Self::WithoutHelper,
    ];

    /// The code as it is in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::LoginRedirect => "login-redirect",
            Self::Blocked => "blocked",
            Self::CredentialsRejected => "credentials-rejected",
            Self::InsufficientScope => "insufficient-scope",
            Self::HelperFailed => "helper-failed",
            Self::CredentialsFailed => "credentials-failed",
            Self::HelperUntrusted => "helper-untrusted",
            Self::SignInExpired => "sign-in-expired",
            Self::WrongAccount => "wrong-account",
            Self::NotFound => "not-found",
            Self::Moved => "moved",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::RateLimited => "rate-limited",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::ProxyAuth => "proxy-auth",
            Self::Protocol => "protocol",
            Self::Version => "version",
            Self::Spawn => "spawn",
            Self::Exited => "exited",
            Self::Connecting => "connecting",
            Self::Retrying => "retrying",
            Self::AwaitingApproval => "awaiting-approval",
            Self::ChangedSinceApproval => "changed-since-approval",
            Self::Declined => "declined",
            Self::NotConfigured => "not-configured",
            Self::Config => "config",
            Self::SelfReference => "self-reference",
            Self::Policy => "policy",
            Self::ToolsUnavailable => "tools-unavailable",
            Self::NoTools => "no-tools",
            Self::ToolsUnapproved => "tools-unapproved",
            Self::WithoutHelper => "without-helper",
        }
    }

    /// The status that stands beside this reason. Each reason belongs to exactly one.
    pub fn status(self) -> ServerStatus {
        match self {
            Self::ToolsUnavailable | Self::NoTools | Self::ToolsUnapproved | Self::WithoutHelper => {
                ServerStatus::Connected
            }
            Self::Unauthorized
            | Self::Forbidden
            | Self::LoginRedirect
            | Self::Blocked
            | Self::CredentialsRejected
            | Self::InsufficientScope
            | Self::HelperFailed
            | Self::CredentialsFailed
            | Self::HelperUntrusted
            | Self::SignInExpired
            | Self::WrongAccount => ServerStatus::NeedsAuth,
            Self::Connecting | Self::Retrying | Self::AwaitingApproval | Self::ChangedSinceApproval => {
                ServerStatus::Pending
            }
            Self::Declined | Self::NotConfigured => ServerStatus::Disabled,
            Self::NotFound
            | Self::Moved
            | Self::Rejected
            | Self::Unavailable
            | Self::RateLimited
            | Self::Unreachable
            | Self::Timeout
            | Self::Tls
            | Self::ProxyAuth
            | Self::Protocol
            | Self::Version
            | Self::Spawn
            | Self::Exited
            | Self::Config
            | Self::SelfReference
            | Self::Policy => ServerStatus::Failed,
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once_and_spelled_alike_in_json_and_text() {
        for (index, code) in ReasonCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, index, "{code} is out of the order of declaration");
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
        }
        // As declared: one that was added at the end and not listed has no other trace here.
        let declared = include_str!("status.rs").split_once("pub enum ReasonCode {").unwrap().1;
        let declared = declared.split_once("\n}").unwrap().0;
        let variants = declared.lines().filter(|line| line.starts_with("    ") && line.ends_with(','));
        assert_eq!(variants.count(), ReasonCode::ALL.len());
    }

    #[test]
    fn every_status_is_spelled_alike_in_json_and_text() {
        let all = [
            ServerStatus::Connected,
            ServerStatus::Failed,
            ServerStatus::NeedsAuth,
            ServerStatus::Pending,
            ServerStatus::Disabled,
        ];
        for status in all {
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{status}\""));
        }
    }
}
