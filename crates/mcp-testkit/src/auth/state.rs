//! What the authorization server remembers.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use serde_json::Value;

use super::settings::{AuthEndpoint, AuthServerSettings};
use crate::accept::{TokenFacts, TokenLedger};
use crate::canary::{Canaries, random};
use crate::mcp::ScriptedAnswer;

/// A registered client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) secret: Option<String>,
    pub(crate) auth_method: String,
    /// Empty for clients that never redirect.
    pub(crate) redirect_uris: Vec<String>,
    /// The uncompressed point of a P-256 key, for `private_key_jwt`.
    pub(crate) public_key: Option<Vec<u8>>,
}

/// What was agreed at the authorization endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) client: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) resource: Option<String>,
}

/// An authorization code.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) grant: Grant,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    /// The family of the tokens it was exchanged for.
    pub(crate) used_by: Option<u64>,
}

/// A refresh token. Those that descend from one sign-in are a family, and end together.
#[derive(Clone, Debug)]
pub(crate) struct RefreshToken {
    pub(crate) grant: Grant,
    pub(crate) family: u64,
    pub(crate) used: bool,
}

/// Where a device flow stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Decision {
    Pending,
    Approved,
    Denied,
}

/// A device code.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) grant: Grant,
    pub(crate) user_code: String,
    pub(crate) decision: Decision,
    pub(crate) expires: Instant,
    pub(crate) last_poll: Option<Instant>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) settings: AuthServerSettings,
    pub(crate) next_to: HashMap<AuthEndpoint, VecDeque<ScriptedAnswer>>,
    pub(crate) always_to: HashMap<AuthEndpoint, ScriptedAnswer>,
    pub(crate) routes: HashMap<String, ScriptedAnswer>,
    pub(crate) clients: HashMap<String, Client>,
    pub(crate) registrations: Vec<Value>,
    pub(crate) codes: HashMap<String, Code>,
    pub(crate) refresh_tokens: HashMap<String, RefreshToken>,
    /// Family of each access token that has one.
    pub(crate) access_families: HashMap<String, u64>,
    pub(crate) devices: HashMap<String, Device>,
    pub(crate) tokens: TokenLedger,
    pub(crate) reuses: u64,
    /// The `jti` of client assertions: each may be used once (RFC 7523, section 3).
    pub(crate) assertions_seen: Vec<String>,
    /// Where issued secrets are noted.
    pub(crate) canaries: Option<Canaries>,
    serial: u64,
}

impl State {
    /// A name that was not given before.
    pub(crate) fn fresh(&mut self, kind: &str) -> String {
        self.serial += 1;
        format!("{kind}-{}", self.serial)
    }

    /// A secret: unique over processes, so that finding it somewhere means something.
    pub(crate) fn fresh_secret(&mut self, kind: &str) -> String {
        self.serial += 1;
        let secret = format!("{kind}-{}-{:016x}", self.serial, random());
        if let Some(canaries) = &self.canaries {
            canaries.add(kind, secret.clone());
        }
        secret
    }

    pub(crate) fn new_family(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(crate) fn scripted(&mut self, endpoint: AuthEndpoint) -> ScriptedAnswer {
        let next = self.next_to.get_mut(&endpoint).and_then(VecDeque::pop_front);
        next.or_else(|| self.always_to.get(&endpoint).cloned()).unwrap_or(ScriptedAnswer::Honest)
    }

    /// Issues an access token.
    pub(crate) fn issue_access(&mut self, grant: &Grant, family: Option<u64>) -> String {
        let token = self.fresh_secret("access");
        let facts = TokenFacts {
            expires: Some(Instant::now() + self.settings.token_lifetime),
            scopes: grant.scopes.clone(),
            resource: grant.resource.clone(),
            client: Some(grant.client.clone()),
        };
        self.tokens.insert(token.clone(), facts);
        if let Some(family) = family {
            self.access_families.insert(token.clone(), family);
        }
        token
    }

    /// Issues a refresh token.
    pub(crate) fn issue_refresh(&mut self, grant: &Grant, family: u64) -> String {
        let token = self.fresh_secret("refresh");
        self.refresh_tokens.insert(token.clone(), RefreshToken { grant: grant.clone(), family, used: false });
        token
    }

    /// Ends all tokens of one sign-in.
    pub(crate) fn end_family(&mut self, family: u64) {
        self.refresh_tokens.retain(|_, token| token.family != family);
        let tokens = self.tokens.clone();
        self.access_families.retain(|token, own| {
            let ends = *own == family;
            if ends {
                tokens.revoke(token);
            }
            !ends
        });
    }
}
