//! Why a server is as it is: each part of the way to it looked at by itself, one cause, and what to do about that.
//!
//! One attempt to connect is made and listened to; beside it only the way there is looked at, without a request, and, where the
//! server wants a sign-in, what its authorization server publishes. A helper runs no more often than for any other attempt.
//! Nothing is registered and nothing is kept.

mod check;
mod checks;
mod referred;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use mcp_auth::oauth::Discovery;
use mcp_auth::oauth::store::SignInRecord;
use mcp_auth::{AuthError, LoginHindrance, LoginRemedy};
use mcp_config::{Config, Pointer, ServerEntry};
use mcp_status::{NextStep, Reason, ReasonCode, ServerStatus};
use mcp_transport::Endpoint;
use mcp_transport::connect::{ConnectPolicy, Reach};
use mcp_transport::exchange::{Exchange, ExchangeSink};
use tokio::time::Instant;

pub use self::check::{Check, CheckState, CheckTopic};
use self::checks::Findings;
use self::referred::ReferredSecret;
use crate::{ConfiguredServer, Host, Probe};

/// What an examination found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Examination {
    /// The server that was looked at.
    pub server: ConfiguredServer,
    /// Each part that was looked at, on the way from the files to the tools.
    pub checks: Vec<Check>,
    /// What came of the attempt. Its connection is closed.
    pub probe: Probe,
    /// Every exchange over HTTP, in the order in which their answers came.
    pub exchanges: Vec<Exchange>,
    /// Why the server is not usable; none where it is.
    pub cause: Option<Cause>,
}

/// The one cause.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Cause {
    /// The check that shows it, as an index into [`Examination::checks`].
    pub check: Option<usize>,
    /// It in words, without secrets.
    pub message: String,
    /// What changes it.
    pub next: Option<NextStep>,
}

/// Where a person would sign in, and what stands in the way.
#[derive(Debug)]
struct SignInOutlook {
    found: Result<Discovery, AuthError>,
    hindrance: Option<LoginHindrance>,
}

impl Host {
    /// Looks at everything that decides about `entry`, within `deadline`.
    pub async fn examine(
        &self,
        entry: &ServerEntry,
        config: &Config,
        deadline: Option<Instant>,
    ) -> Examination {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listening = self.listening(heard.clone());
        let is_it = |pointer: &&Pointer| std::ptr::eq(&raw const pointer.entry, entry);
        let pointer = config.pointers_of(&entry.name).find(is_it);
        let server = match pointer.zip(config.dead_end(&entry.name)) {
            Some((pointer, why)) => ConfiguredServer::of_pointer(&listening, pointer, &why, config).await,
            None => listening.configured(entry, config).await,
        };
        let reach = async {
            let Ok(Endpoint::Http(endpoint)) = server.state.as_ref().map(|server| &server.endpoint) else {
                return None;
            };
            Some(listening.connector().http().reach(endpoint).await)
        };
        let policy = ConnectPolicy::glance();
        let attempt = Probe::run(listening.connector(), &server, &policy, deadline, |_| ());
        let secrets = async {
            match &server.state {
                Ok(_) => Box::pin(ReferredSecret::all(entry, &self.options().env)).await,
                // What is not contacted has none of them read.
                Err(_) => Vec::new(),
            }
        };
        let (reach, mut probe, secrets) = tokio::join!(reach, attempt, secrets);
        let mut strayed = None;
        if let Some(connection) = probe.connection.take() {
            strayed = connection.side_output().filter(|printed| printed.stray_lines > 0);
            connection.close().await;
        }
        let sign_in = listening.discovered(&server, &probe).await;
        let exchanges = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
        let speaks_tls = listening.speaks_tls(&server, &probe, reach.as_ref()).await;
        let (kept, unreadable) = listening.kept_of(&server).await;
        let explanation = config.explain(&entry.name);
        let findings = Findings {
            server: &server,
            entry,
            explanation: explanation.as_ref(),
            probe: &probe,
            secrets: &secrets,
            reach: reach.as_ref(),
            exchanges: &exchanges,
            sign_in: sign_in.as_ref(),
            strayed: strayed.as_ref(),
            speaks_tls,
            kept: &kept,
            unreadable: &unreadable,
            now: SystemTime::now(),
        };
        let checks = findings.checks();
        let cause = findings.cause(&checks);
        Examination { checks, cause, probe, exchanges, server }
    }

    /// The same host, whose exchanges are heard.
    fn listening(&self, heard: Arc<Mutex<Vec<Exchange>>>) -> Self {
        self.with_exchange_sink(ExchangeSink::new(move |exchange| {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(exchange.clone());
        }))
    }

    /// Whether TLS is spoken at an address without it, which ends a connection and says nothing.
    async fn speaks_tls(&self, server: &ConfiguredServer, probe: &Probe, reach: Option<&Reach>) -> bool {
        let is_it = |code| matches!(code, ReasonCode::Unreachable | ReasonCode::Protocol);
        let broke_off = probe.report.reason.as_ref().is_some_and(|reason| is_it(reason.code));
        let is_reached = reach.is_some_and(|reach| {
            reach.proxy.is_none() && reach.connected.as_ref().is_some_and(Result::is_ok)
        });
        match server.state.as_ref().map(|server| &server.endpoint) {
            Ok(Endpoint::Http(endpoint)) if broke_off && is_reached && endpoint.url.scheme() == "http" => {
                self.connector().http().speaks_tls(endpoint).await
            }
            _ => false,
        }
    }

    /// The sign-ins of this server that are kept, and why a file of the store cannot be read. No keyring is asked.
    async fn kept_of(&self, server: &ConfiguredServer) -> (Vec<SignInRecord>, Vec<String>) {
        let Some(auth) = server.auth.as_ref().filter(|auth| auth.oauth.is_some()) else {
            return (Vec::new(), Vec::new());
        };
        let (mut kept, mut unreadable) = (Vec::new(), Vec::new());
        match self.sign_ins().await {
            Err(error) => unreadable.push(error.to_string()),
            Ok(survey) => {
                for record in survey {
                    match record {
                        Ok(record) if record.key.is_for(&auth.target) => kept.push(record),
                        Ok(_) => {}
                        Err(error) => unreadable.push(error.to_string()),
                    }
                }
            }
        }
        (kept, unreadable)
    }

    /// Where a person would sign in, where the server wants that or a person has done so.
    async fn discovered(&self, server: &ConfiguredServer, probe: &Probe) -> Option<SignInOutlook> {
        let auth = server.auth.as_ref()?;
        let oauth = auth.oauth.as_ref()?;
        // Without a refusal nothing asked for it.
        let is_asked =
            |reason: &Reason| reason.http_status.is_some() || reason.code == ReasonCode::SignInExpired;
        let is_wanted = probe.report.status == ServerStatus::NeedsAuth
            && probe.report.reason.as_ref().is_some_and(is_asked);
        if !is_wanted && oauth.challenges().is_empty() {
            return None;
        }
        let begun = self.oauth_login(auth, &[]).begin(&oauth.challenges()).await;
        Some(match begun {
            Ok(pending) => {
                SignInOutlook { hindrance: pending.hindrance(), found: Ok(pending.discovery().clone()) }
            }
            Err(error) => {
                // What no one here knows a remedy for, the entry at least leads to.
                let unnamed = || LoginHindrance::new(error.to_string(), LoginRemedy::Settings);
                let hindrance = LoginHindrance::of(&error).unwrap_or_else(unnamed);
                SignInOutlook { hindrance: Some(hindrance), found: Err(error) }
            }
        })
    }
}
