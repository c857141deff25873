//! Each step of a sign-in: what the server publishes, its authorization server, the client, the tokens, their renewal, and
//! where they are kept; each with the requests that were made for it and their answers.

use std::collections::HashSet;

use mcp_auth::oauth::store::{SecretPlace, SignInRecord};
use mcp_auth::oauth::{Discovery, DiscoverySource};
use mcp_auth::{AuthError, LoginRemedy};
use mcp_text::elapsed;
use mcp_transport::exchange::{Exchange, ExchangeOutcome};

use super::super::check::{Check, CheckState, CheckTopic};
use super::Findings;

/// Where a server says who issues tokens for it (RFC 9728 section 3.1).
const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";

impl Findings<'_> {
    /// The steps; none where nothing asks for a sign-in, and none is kept.
    pub(super) fn sign_in(&self) -> Vec<Check> {
        let is_kept = !self.kept.is_empty() || self.server.snapshot().signed_in;
        let steps = [CheckTopic::Token, CheckTopic::Refresh, CheckTopic::Store, CheckTopic::Keyring];
        let is_blamed = self.blamed().is_some_and(|topic| steps.contains(&topic));
        if self.sign_in.is_none() && !is_kept && !is_blamed {
            return Vec::new();
        }
        let mut checks = Vec::new();
        if let Some(discovery) = self.discovery() {
            checks.push(self.resource_metadata(discovery.as_ref().ok()));
            checks.push(self.authorization_server());
            if let Ok(discovery) = discovery {
                checks.extend(self.registration(discovery));
            }
        }
        checks.push(self.token());
        if is_kept || is_blamed {
            checks.extend([self.refresh(), self.store()]);
            checks.extend(self.keyring());
        }
        checks
    }

    /// The requests that were made on the way to know where a person signs in.
    pub(super) fn on_the_way(&self) -> impl Iterator<Item = &Exchange> {
        let own = self.exchanges.iter().find(|exchange| exchange.asks.is_some()).map(|one| &one.url);
        let is_of_server = move |exchange: &&Exchange| exchange.asks.is_none() && Some(&exchange.url) != own;
        self.exchanges.iter().filter(is_of_server)
    }

    /// Those for tokens: nothing else is sent to an authorization server by looking.
    pub(super) fn for_tokens(&self) -> impl Iterator<Item = &Exchange> {
        self.on_the_way().filter(|exchange| exchange.method == "POST")
    }

    /// Those for the metadata of the server, or for that of an authorization server.
    fn for_metadata(&self, of_server: bool) -> impl Iterator<Item = &Exchange> {
        let asked = self.on_the_way().filter(|exchange| exchange.method == "GET");
        // A server may name any place of its own for it; the first answer in JSON is that then.
        asked.filter(move |exchange| is_resource_metadata(exchange) == of_server)
    }

    fn line(&self, exchange: &Exchange) -> String {
        let Exchange { method, url, outcome, took, .. } = exchange;
        self.hidden(&format!("{method} {url}: {outcome}, after {}", elapsed(*took)))
    }

    pub(super) fn with_exchanges<'e>(
        &self,
        check: Check,
        exchanges: impl Iterator<Item = &'e Exchange>,
    ) -> Check {
        // Where the attempt looked already, the same is seen twice.
        let mut seen = HashSet::new();
        let is_news = |exchange: &&Exchange| {
            seen.insert((exchange.method.clone(), exchange.url.clone(), exchange.outcome.to_string()))
        };
        exchanges.filter(is_news).map(|exchange| self.line(exchange)).fold(check, Check::with)
    }

    fn resource_metadata(&self, discovery: Option<&Discovery>) -> Check {
        let topic = CheckTopic::ResourceMetadata;
        let published = discovery.and_then(|discovery| discovery.resource_metadata.as_ref());
        let issuers = published.and_then(|published| published.authorization_servers.as_ref());
        let check = match (published, issuers, discovery) {
            (Some(_), Some(issuers), _) if !issuers.is_empty() => {
                let check = Check::good(topic, format!("tokens come from {}", issuers.join(", ")));
                let resource = discovery.map(|found| format!("they are for {}", found.resource));
                resource.into_iter().fold(check, Check::with)
            }
            (Some(_), ..) => Check::new(topic, CheckState::Noted, "it does not say who issues tokens"),
            (None, _, Some(found)) if found.found == DiscoverySource::Configured => {
                Check::skipped(topic, "not asked for: the entry says who issues tokens")
            }
            (None, ..) if self.is_metadata_blamed() => {
                Check::bad(topic, self.discovery_error().unwrap_or_default())
            }
            (None, ..) if self.for_metadata(true).any(is_answered) => {
                Check::good(topic, "the server names who issues tokens")
            }
            (None, ..) => Check::skipped(topic, "the server publishes nothing about who issues tokens"),
        };
        self.with_exchanges(check, self.for_metadata(true))
    }

    /// Whether what failed in the discovery is the first step of it: nothing else was asked.
    fn is_metadata_blamed(&self) -> bool {
        let asked_further = self.for_metadata(false).next().is_some();
        self.discovery_error().is_some() && !asked_further && self.for_metadata(true).next().is_some()
    }

    fn discovery_error(&self) -> Option<String> {
        let error = self.discovery()?.as_ref().err()?;
        Some(self.hidden(&error.to_string()))
    }

    fn authorization_server(&self) -> Check {
        let topic = CheckTopic::AuthorizationServer;
        let check = match self.discovery() {
            Some(Ok(found)) if found.found == DiscoverySource::DefaultEndpoints => {
                Check::skipped(topic, "none publishes anything")
            }
            Some(Ok(found)) => {
                let issuer = format!("{}, {}", found.issuer, named(found.found));
                let check = match self.hindrance(|remedy| *remedy != LoginRemedy::Client) {
                    Some(why) => Check::bad(topic, why).with(issuer),
                    None => Check::good(topic, issuer),
                };
                let metadata = &found.server;
                let endpoints = metadata.authorization_endpoint.iter().zip(&metadata.token_endpoint);
                let endpoints = endpoints.map(|(page, tokens)| format!("page {page}, tokens from {tokens}"));
                let check = endpoints.fold(check, Check::with);
                match &metadata.scopes_supported {
                    Some(scopes) if !scopes.is_empty() => check.with(format!("scopes: {}", scopes.join(" "))),
                    _ => check,
                }
            }
            _ if self.is_metadata_blamed() => Check::skipped(topic, "not reached"),
            _ => Check::bad(topic, self.discovery_error().unwrap_or_default()),
        };
        self.with_exchanges(check, self.for_metadata(false))
    }

    fn registration(&self, discovery: &Discovery) -> Option<Check> {
        let topic = CheckTopic::Registration;
        if discovery.found == DiscoverySource::DefaultEndpoints {
            return None;
        }
        let metadata = &discovery.server;
        let kept = self.kept.iter().find(|record| record.key.issuer() == discovery.issuer);
        if let Some(why) = self.hindrance(|remedy| *remedy == LoginRemedy::Client) {
            return Some(Check::bad(topic, why));
        }
        Some(match (kept, &metadata.registration_endpoint) {
            _ if self.is_known_there() => Check::good(topic, "the client is the one of the entry"),
            (Some(record), _) => Check::good(topic, format!("known there as {}", record.client_id)),
            _ if metadata.client_id_metadata_document_supported == Some(true) => {
                Check::good(topic, "a client may say who it is by a document of its own")
            }
            (None, Some(at)) => {
                Check::good(topic, format!("a client registers itself at {at}, when a person signs in"))
            }
            // What else is wrong there is told before it.
            (None, None) => Check::skipped(topic, "no client registers itself there"),
        })
    }

    fn discovery(&self) -> Option<&Result<Discovery, AuthError>> {
        self.sign_in.map(|sign_in| &sign_in.found)
    }

    /// What stands in the way of a sign-in, where it has such a remedy.
    fn hindrance(&self, is_it: impl FnOnce(&LoginRemedy) -> bool) -> Option<String> {
        let hindrance = self.sign_in?.hindrance.as_ref()?;
        is_it(&hindrance.remedy).then(|| self.hidden(&hindrance.message))
    }

    /// Whether the entry names the client.
    fn is_known_there(&self) -> bool {
        let spec = self.server.auth.as_ref().and_then(|auth| auth.plan.settings().oauth.as_ref());
        spec.is_some_and(|spec| spec.client_id.is_some())
    }

    fn token(&self) -> Check {
        let topic = CheckTopic::Token;
        let tokens = self.kept.iter().map(|record| self.hidden(&self.kept_token(record)));
        let tokens: Vec<String> = tokens.collect();
        let check = match (self.blames(topic), tokens.is_empty()) {
            (Some(message), _) => Check::bad(topic, message),
            // What cannot be read may be there.
            (None, true) if !self.unreadable.is_empty() => {
                return Check::skipped(topic, "not known: what is kept cannot be read");
            }
            (None, true) => {
                let route = self.server.auth.as_ref().and_then(|auth| auth.target.route.as_deref());
                return Check::skipped(topic, none_kept(route));
            }
            (None, false) => Check::good(topic, tokens[0].clone()),
        };
        let first = usize::from(check.state == CheckState::Good);
        tokens.into_iter().skip(first).fold(check, Check::with)
    }

    fn kept_token(&self, record: &SignInRecord) -> String {
        let until = match record.expires_at.map(|at| at.duration_since(self.now)) {
            None => "used until refused".to_owned(),
            Some(Ok(left)) => format!("good for {} more", elapsed(left)),
            Some(Err(past)) => format!("ended {} ago", elapsed(past.duration())),
        };
        let scopes = match record.scopes.is_empty() {
            true => "no scopes named".to_owned(),
            false => format!("scopes {}", record.scopes.join(" ")),
        };
        let account = record.key.account().map_or_else(String::new, |account| format!("account {account}: "));
        format!("{account}of {} for {}, {scopes}, {until}", record.key.issuer(), record.client_id)
    }

    fn refresh(&self) -> Check {
        let topic = CheckTopic::Refresh;
        let last = self.for_tokens().last();
        let renewable = self.kept.first().map(|record| record.is_renewable);
        let check = match (self.blames(topic), last, renewable) {
            (Some(message), ..) => Check::bad(topic, message),
            (None, Some(exchange), _) if is_answered(exchange) => Check::good(topic, "the token was renewed"),
            (None, Some(_), _) => Check::new(topic, CheckState::Noted, "the token was not renewed"),
            (None, None, Some(Some(true))) => {
                Check::good(topic, "not needed now; it is renewed automatically")
            }
            (None, None, Some(Some(false))) => {
                Check::skipped(topic, "there is no refresh token: a person signs in again when it ends")
            }
            (None, None, None) => Check::skipped(topic, "there is nothing to renew"),
            (None, None, Some(None)) => {
                Check::skipped(topic, "not needed now; only the keyring knows whether it can be")
            }
        };
        self.with_exchanges(check, self.for_tokens())
    }

    fn store(&self) -> Check {
        let topic = CheckTopic::Store;
        let file = |record: &SignInRecord| {
            let renewals = match record.renewals {
                0 => String::new(),
                1 => ", renewed once since".to_owned(),
                times => format!(", renewed {times} times since"),
            };
            let age = self.now.duration_since(record.obtained_at).unwrap_or_default();
            format!("{}: a token of {} ago{renewals}", record.to_place(), elapsed(age))
        };
        let mut files = self.kept.iter().map(file);
        let check = match self.blames(topic) {
            Some(message) => Check::bad(topic, message),
            None => match files.next() {
                Some(first) => Check::good(topic, first),
                None => Check::skipped(topic, "nothing is kept of this server"),
            },
        };
        let check = files.fold(check, Check::with);
        self.unreadable.iter().cloned().fold(check, Check::with)
    }

    fn keyring(&self) -> Option<Check> {
        let topic = CheckTopic::Keyring;
        let record = self.kept.first()?;
        Some(match (self.blames(topic), record.place) {
            (Some(message), _) => Check::bad(topic, message),
            (None, SecretPlace::Keyring) if self.server.snapshot().signed_in => {
                Check::good(topic, "it gave the secrets of the sign-in")
            }
            (None, SecretPlace::Keyring) => {
                Check::new(topic, CheckState::Noted, "it did not give the secrets of the sign-in")
            }
            (None, SecretPlace::File) if cfg!(feature = "keyring") => Check::skipped(
                topic,
                "not in use: the secrets are in the file, as none could be used when they were kept",
            ),
            (None, SecretPlace::Database) => {
                Check::skipped(topic, "not in use: the secrets are in a database, encrypted")
            }
            (None, _) => Check::skipped(topic, "not in use: the secrets are in the file"),
        })
    }
}

fn is_resource_metadata(exchange: &Exchange) -> bool {
    exchange.url.contains(RESOURCE_METADATA)
}

fn is_answered(exchange: &Exchange) -> bool {
    matches!(exchange.outcome, ExchangeOutcome::Answered { status: 200..300, .. })
}

/// Another sign-in may be there, which a person would miss.
fn none_kept(route: Option<&str>) -> String {
    match route {
        None => "none: no sign-in of this server is kept".to_owned(),
        Some(route) => format!(
            "none of this way ({}), which the project's file names: a sign-in that was made without it is not used on it",
            mcp_text::line(route, 200)
        ),
    }
}

/// Who named the authorization server.
fn named(found: DiscoverySource) -> &'static str {
    match found {
        DiscoverySource::Configured => "which the entry names",
        DiscoverySource::ResourceMetadata => "which the server names in its metadata",
        DiscoverySource::Origin => "found at the server's own address",
        _ => "with the usual paths, as nothing is published there",
    }
}
