//! The way to a server and what came back on it: proxy, name, connection, certificates, the answer, the clock.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use mcp_status::{ReasonCode, ServerStatus};
use mcp_text::elapsed;
use mcp_transport::connect::{CertificateReach, Reach, TlsReach};
use mcp_transport::exchange::ExchangeOutcome;

use super::super::check::{Check, CheckState, CheckTopic};
use super::Findings;

/// How far two clocks may be apart before tokens and certificates are judged differently: what most servers allow.
const SKEW: Duration = Duration::from_secs(60);
/// How far apart they are no server forgives: what AWS and Kerberos allow, who allow most.
const TOO_FAR: Duration = Duration::from_secs(5 * 60);
/// How long a certificate should be good for, so that there is time to have a new one.
const ENDS_SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How many names of a certificate are told.
const NAMES: usize = 5;

impl Findings<'_> {
    pub(super) fn credentials(&self) -> Check {
        let topic = CheckTopic::Credentials;
        if let Some(message) = self.blames(topic) {
            return Check::bad(topic, message);
        }
        let snapshot = self.server.snapshot();
        let Some(first) = self.exchanges.iter().find(|exchange| exchange.asks.is_some()) else {
            return Check::skipped(topic, "nothing was sent");
        };
        if first.credentials.is_empty() {
            let why = snapshot.withheld.map_or_else(String::new, |why| format!("; {why}"));
            return Check::new(topic, CheckState::Good, format!("none were sent{why}"));
        }
        let until = snapshot.expires_at.map(|at| match at.duration_since(self.now) {
            Ok(left) => format!(", good for {} more", elapsed(left)),
            Err(past) => format!(", ended {} ago", elapsed(past.duration())),
        });
        Check::good(topic, format!("{} sent{}", first.credentials.join(", "), until.unwrap_or_default()))
    }

    pub(super) fn proxy(&self, reach: &Reach) -> Check {
        let topic = CheckTopic::Proxy;
        let way = self.hidden(&reach.way);
        match self.blames(topic) {
            Some(message) => Check::bad(topic, message).with(way),
            None => Check::good(topic, way),
        }
    }

    pub(super) fn dns(&self, reach: &Reach) -> Check {
        let topic = CheckTopic::Dns;
        let host = self.hidden(&reach.host);
        let took = reach.looked_up.map(elapsed).unwrap_or_default();
        match &reach.addresses {
            Err(why) => Check::bad(topic, format!("{host}: {why}")).with(format!("asked for {took}")),
            Ok(_) if reach.looked_up.is_none() || reach.host.parse::<IpAddr>().is_ok() => {
                Check::good(topic, format!("not needed: {host} is an address"))
            }
            Ok(addresses) => {
                let mut listed: Vec<IpAddr> = addresses.iter().map(|address| address.ip()).collect();
                listed.dedup();
                let listed: Vec<String> = listed.iter().map(ToString::to_string).collect();
                Check::good(topic, format!("{host} is {}, found in {took}", listed.join(", ")))
            }
        }
    }

    /// The connection; none where there is no address to connect to.
    pub(super) fn tcp(&self, reach: &Reach) -> Option<Check> {
        let topic = CheckTopic::Tcp;
        let whose = if reach.proxy.is_some() { " (the proxy)" } else { "" };
        let check = match (reach.connected.as_ref()?, self.blames(topic)) {
            (Ok((address, took)), None) => {
                Check::good(topic, format!("{address}{whose} reached in {}", elapsed(*took)))
            }
            (Ok((address, _)), Some(message)) => {
                Check::bad(topic, message).with(format!("{address}{whose} was reached"))
            }
            (Err(why), _) => {
                let took = reach.refused.iter().map(|(_, took, _)| *took).sum();
                let place = format!("{}:{}{whose}", self.hidden(&reach.host), reach.port);
                let text = format!("{place}: {why}, after {}", elapsed(took));
                // It came up meanwhile, or is reached in another way.
                match self.probe.report.status {
                    ServerStatus::Connected => {
                        Check::good(topic, text).noted("the server was reached all the same")
                    }
                    _ => Check::bad(topic, text),
                }
            }
        };
        let check = match self.listens_beside() {
            Some(beside) => check.with(format!("{beside} takes a connection")),
            None => check,
        };
        // The only one that there is has been told of.
        let is_all = reach.refused.len() == 1 && matches!(reach.connected, Some(Err(_)));
        let refused = reach.refused.iter().filter(|_| !is_all);
        let text = refused.map(|(address, took, why)| format!("{address}: {why}, after {}", elapsed(*took)));
        Some(text.fold(check, Check::with))
    }

    /// Where it is listened at in the place of the address of this machine that the URL has.
    pub(super) fn listens_beside(&self) -> Option<SocketAddr> {
        self.reach.and_then(|reach| reach.other_loopback)
    }

    pub(super) fn tls(&self) -> Option<Check> {
        let topic = CheckTopic::Tls;
        let looked = self.reach.and_then(|reach| reach.tls.as_ref());
        let chain = self.reach.map_or(&[][..], |reach| &reach.chain);
        let check = match (self.blames(topic), looked) {
            _ if self.speaks_tls => Check::bad(topic, self.tls_is_spoken()),
            // Behind a proxy only the attempt itself has seen it.
            (Some(message), _) => Check::bad(topic, message),
            (None, looked) => match looked? {
                Err(why) => Check::bad(topic, why),
                Ok(tls) => self.shaken(tls, chain.first()),
            },
        };
        let (now, hidden) = (self.now, |line: String| self.hidden(&line));
        Some(chain.iter().map(|shown| hidden(certificate(shown, now))).fold(check, Check::with))
    }

    /// What is told where TLS is spoken at an address without it.
    pub(super) fn tls_is_spoken(&self) -> String {
        let place = self.reach.map(|reach| format!("{}:{}", self.hidden(&reach.host), reach.port));
        format!("what answers at {} speaks TLS: write https:// in its url", place.unwrap_or_default())
    }

    /// A handshake that succeeded.
    fn shaken(&self, tls: &TlsReach, shown: Option<&CertificateReach>) -> Check {
        let topic = CheckTopic::Tls;
        let left = shown.and_then(|shown| shown.valid_until.duration_since(self.now).ok());
        let until = left.map(|left| format!(", its certificate is good for {} more", elapsed(left)));
        let check = Check::good(topic, format!("{}{}", tls.version, until.unwrap_or_default()));
        match left {
            Some(left) if left < ENDS_SOON => check.noted("the certificate ends soon"),
            _ => check,
        }
    }

    pub(super) fn answer(&self) -> Check {
        let topic = CheckTopic::Answer;
        let Some(last) = self.exchanges.iter().rfind(|exchange| exchange.asks.is_some()) else {
            return match self.blames(topic) {
                Some(message) => Check::bad(topic, message),
                None => Check::skipped(topic, "not asked: there is nothing to ask it with"),
            };
        };
        let what = last.asks.as_deref().map_or_else(String::new, |asks| format!(" {asks}"));
        let text = format!("{}{what}: {} after {}", last.method, last.outcome, elapsed(last.took));
        let state = match (&last.outcome, self.blames(topic)) {
            (_, Some(_)) | (ExchangeOutcome::NoAnswer { .. }, _) => CheckState::Bad,
            (ExchangeOutcome::Answered { status: 200..300, .. }, None) => CheckState::Good,
            _ if self.probe.report.status == ServerStatus::Connected => CheckState::Good,
            _ => CheckState::Noted,
        };
        let check = Check::new(topic, state, text);
        let check = self.blames(topic).into_iter().fold(check, Check::with);
        match &last.outcome {
            ExchangeOutcome::Answered { decides, .. } => decides.iter().cloned().fold(check, Check::with),
            _ => check,
        }
    }

    pub(super) fn clock(&self) -> Option<Check> {
        let topic = CheckTopic::Clock;
        let (apart, text) = self.apart()?;
        let text = format!("this machine's is {text}");
        Some(match apart {
            apart if apart < Duration::from_secs(2) => {
                Check::good(topic, "that of the server shows the same time")
            }
            apart if apart <= SKEW => Check::good(topic, text),
            _ => Check::good(topic, text).noted("tokens and certificates seem too old or too new then"),
        })
    }

    /// How far the clock of this machine is from that of the server that answered last, and in which direction.
    fn apart(&self) -> Option<(Duration, String)> {
        let told = |of_server: bool| {
            let asked =
                self.exchanges.iter().rev().filter(move |exchange| exchange.asks.is_some() == of_server);
            asked.into_iter().find_map(|exchange| match exchange.outcome {
                ExchangeOutcome::Answered { date: Some(date), .. } => {
                    Some((date, exchange.began + exchange.took))
                }
                _ => None,
            })
        };
        // Who issues tokens may be on another machine.
        let (date, at) = told(true).or_else(|| told(false))?;
        let (apart, word) = match at.duration_since(date) {
            Ok(ahead) => (ahead, "ahead of"),
            Err(behind) => (behind.duration(), "behind"),
        };
        Some((apart, format!("{} {word} the server's", elapsed(apart))))
    }

    /// What to say of the clock, where what was refused may have been made by another one.
    pub(super) fn clock_beside(&self) -> Option<String> {
        let is_refused = self.reason().is_some_and(|reason| reason.code == ReasonCode::CredentialsRejected);
        let (apart, text) = self.apart().filter(|_| is_refused)?;
        (apart > TOO_FAR).then(|| format!("the clock of this machine is {text}"))
    }

    /// What to say of the clock, where credentials that end were refused and no server would take them by such a clock.
    pub(super) fn clock_to_blame(&self) -> Option<String> {
        let is_refused = self.reason().is_some_and(|reason| {
            matches!(reason.code, ReasonCode::CredentialsRejected | ReasonCode::SignInExpired)
        });
        // What is in a file has no time in it.
        let helper = self.server.auth.as_ref().is_some_and(|auth| auth.plan.settings().helper.is_some());
        let is_minted = helper || self.is_unattended() || self.server.snapshot().signed_in;
        let (apart, text) = self.apart().filter(|_| is_refused && is_minted)?;
        (apart > TOO_FAR)
            .then(|| format!("the clock of this machine is {text}: set it, tokens are judged by it"))
    }
}

/// A certificate in a line: whose, by whom, for which names, and when.
fn certificate(shown: &CertificateReach, now: SystemTime) -> String {
    let subject = shown.subject.as_deref().unwrap_or("a certificate without a name");
    let issuer = match (shown.is_self_signed, &shown.issuer) {
        (true, _) => "signed automatically".to_owned(),
        (false, Some(issuer)) => format!("signed by {issuer}"),
        (false, None) => "signed by an authority without a name".to_owned(),
    };
    let mut names: Vec<&str> = shown.names.iter().take(NAMES).map(String::as_str).collect();
    let more = shown.names.len().saturating_sub(NAMES);
    let more = format!("{more} more");
    if shown.names.len() > NAMES {
        names.push(&more);
    }
    let names = if names.is_empty() { String::new() } else { format!(" for {}", names.join(", ")) };
    let when = match () {
        () if now < shown.valid_from => ", not good yet",
        () if shown.valid_until < now => ", over",
        () => "",
    };
    let (first, last) = &shown.days;
    format!("{subject}{names}, {issuer}, {first} to {last}{when}")
}
