//! Agreeing with a server on an era and a revision, over any wire: which revision is offered, asked for again, or spoken
//! after a refusal (2025-11-25, lifecycle; 2026-07-28, versioning).
//!
//! What an answer means is `handshake`; how a message of the handshake travels is the wire's, behind [`Exchange`].

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{MutexGuard, watch};

use super::handshake::{Probe, ServerDescription, final_refusal, judge_probe, read_initialize};
use super::offer::{next_offer, offer_after_drop};
use crate::error::{TransportError, TransportErrorKind};
use crate::message::{Era, Payload, ProtocolRevision};

/// How the two requests of a handshake travel.
pub(crate) trait Exchange: Sync {
    /// What comes beside the answer to `initialize`, such as the id of a session.
    type Session: Send;

    /// Asks who the server is, in the terms of `revision` (`server/discover`).
    fn discover(
        &self,
        revision: ProtocolRevision,
    ) -> impl Future<Output = Result<Payload, TransportError>> + Send;

    /// Offers `revision` to a server of the legacy era (`initialize`).
    fn initialize(
        &self,
        revision: ProtocolRevision,
    ) -> impl Future<Output = Result<(Payload, Self::Session), TransportError>> + Send;

    /// Whether another revision is offered where the connection ends instead of an answer: where nothing is agreed yet, and the
    /// wire outlives that. A server that restarts ends connections as well, and is to be spoken to as before.
    fn outlives_a_drop(&self) -> bool {
        false
    }

    /// Takes back what came beside an answer on which nothing is agreed.
    fn give_up(&self, session: Self::Session) {
        drop(session);
    }
}

/// What a probe found.
#[derive(Debug)]
pub(crate) enum Discovery {
    /// A server of the modern era.
    Modern(ServerDescription),
    /// A server of the legacy era: hands are to be shaken.
    Legacy,
    /// It took the probe and was silent: hands are to be shaken, and the probe is worth another look where it refuses them.
    Silent,
    /// Nothing that says which. The error stands where a handshake fails as well.
    Doubt(TransportError),
}

/// What was agreed in place of what the server refused.
#[derive(Debug)]
pub(crate) enum Outcome<S> {
    /// The same as before. Some servers refuse a request for no reason that the next one would share.
    Unchanged,
    /// A revision of the modern era.
    Modern(ServerDescription),
    /// A revision of the legacy era. The notification that ends the handshake is still to be sent.
    Legacy(ServerDescription, S),
}

/// Asks a server who it is, first in the terms of `revision`.
///
/// # Errors
///
/// It is of the modern era, and there is no connection to it.
pub(crate) async fn discover(
    exchange: &impl Exchange,
    mut revision: ProtocolRevision,
) -> Result<Discovery, TransportError> {
    let mut retried = false;
    loop {
        let answer = exchange.discover(revision).await;
        let silent =
            answer.as_ref().is_err_and(|error| matches!(error.kind(), TransportErrorKind::Timeout { .. }));
        let probe = judge_probe(answer, retried);
        tracing::info!(asked = "server/discover", %revision, tells = probe.description(), "era");
        match probe {
            Probe::Modern(server) => return Ok(Discovery::Modern(*server)),
            Probe::Legacy if silent => return Ok(Discovery::Silent),
            Probe::Legacy => return Ok(Discovery::Legacy),
            Probe::Doubtful(error) => return Ok(Discovery::Doubt(error)),
            Probe::Failed(error) => return Err(error),
            Probe::Retry(wanted) => (revision, retried) = (wanted, true),
        }
    }
}

/// Shakes hands in the legacy era, up to the notification that ends it.
///
/// # Errors
///
/// The server refuses every revision that this client speaks, or the handshake for another reason.
pub(crate) async fn shake_hands<E: Exchange>(
    exchange: &E,
) -> Result<(ServerDescription, E::Session), TransportError> {
    shake_hands_after(exchange, &mut vec![ProtocolRevision::NEWEST_LEGACY]).await
}

/// The same, with what has been `offered` before: the last of it is offered now, and what follows is added.
///
/// # Errors
///
/// As [`shake_hands`].
pub(crate) async fn shake_hands_after<E: Exchange>(
    exchange: &E,
    offered: &mut Vec<ProtocolRevision>,
) -> Result<(ServerDescription, E::Session), TransportError> {
    let (answer, session) = loop {
        let revision = offered.last().copied().unwrap_or(ProtocolRevision::NEWEST_LEGACY);
        let answer = exchange.initialize(revision).await;
        let tells = if answer.is_ok() { "legacy era" } else { "refused" };
        tracing::info!(asked = "initialize", %revision, tells, "era");
        match answer {
            Ok(answer) => break answer,
            Err(refusal) => {
                let after_drop =
                    || exchange.outlives_a_drop().then(|| offer_after_drop(&refusal, offered))?;
                match next_offer(&refusal, offered).or_else(after_drop) {
                    Some(next) => offered.push(next),
                    None => return Err(final_refusal(refusal)),
                }
            }
        }
    };
    match read_initialize(answer.get()) {
        Ok(mut server) => {
            server.held = answer.lease();
            Ok((server, session))
        }
        Err(error) => {
            exchange.give_up(session);
            Err(error)
        }
    }
}

/// Agrees on `revision`, in place of what is agreed with `server` and was refused.
///
/// # Errors
///
/// What the handshake failed with.
pub(crate) async fn agree_on<E: Exchange>(
    exchange: &E,
    server: &ServerDescription,
    revision: ProtocolRevision,
) -> Result<Outcome<E::Session>, TransportError> {
    match (server.revision.era(), revision.era()) {
        (Era::Modern, Era::Modern) if server.revision == revision => Ok(Outcome::Unchanged),
        (Era::Modern, Era::Modern) => Ok(Outcome::Modern(ServerDescription { revision, ..server.clone() })),
        (Era::Legacy, Era::Modern) => match discover(exchange, revision).await? {
            Discovery::Modern(server) => Ok(Outcome::Modern(server)),
            Discovery::Legacy | Discovery::Silent => Err(neither_era()),
            Discovery::Doubt(error) => Err(error),
        },
        (_, Era::Legacy) => {
            let (server, session) = shake_hands(exchange).await?;
            Ok(Outcome::Legacy(server, session))
        }
    }
}

/// A server that answers as if it were of the other era, in both.
pub(crate) fn neither_era() -> TransportError {
    let message = "the server speaks neither era";
    TransportError::new(TransportErrorKind::Protocol, message).with_said(Some(message.to_owned()))
}

/// Something that is agreed on, with its number among the agreements of one connection.
pub(crate) trait Ordinal {
    fn number(&self) -> u64;
}

/// What is agreed with a server: the last agreement holds, and many requests that find it void cause one new one.
#[derive(Debug)]
pub(crate) struct Agreements<T> {
    last: RwLock<Arc<T>>,
    /// Its number, for those who set something on the server.
    number: watch::Sender<u64>,
    renewing: tokio::sync::Mutex<()>,
}

impl<T: Ordinal> Agreements<T> {
    pub(crate) fn new(first: T) -> Self {
        let number = watch::Sender::new(first.number());
        Self { last: RwLock::new(Arc::new(first)), number, renewing: tokio::sync::Mutex::new(()) }
    }

    pub(crate) fn last(&self) -> Arc<T> {
        self.last.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of the next one.
    pub(crate) fn next_number(&self) -> u64 {
        self.last().number() + 1
    }

    /// Puts the next one in the place of the last one.
    pub(crate) fn install(&self, next: T) {
        let number = next.number();
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        self.number.send_replace(number);
    }

    /// The turn to make another one in place of number `stale`; `None` where that has been done meanwhile.
    pub(crate) async fn renew(&self, stale: u64) -> Option<MutexGuard<'_, ()>> {
        let turn = self.renewing.lock().await;
        (self.last().number() == stale).then_some(turn)
    }

    /// The number of the last one, and of each to come.
    pub(crate) fn numbers(&self) -> watch::Receiver<u64> {
        self.number.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use serde_json::value::RawValue;

    use super::*;
    use crate::message::{INVALID_PARAMS, METHOD_NOT_FOUND, RpcError, UNSUPPORTED_VERSION};

    /// A wire on which the next answer is known, and what was asked is noted.
    struct Script {
        answers: Mutex<VecDeque<Result<&'static str, RpcError>>>,
        asked: Mutex<Vec<String>>,
    }

    impl Script {
        fn new(answers: impl IntoIterator<Item = Result<&'static str, RpcError>>) -> Self {
            Self { answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default() }
        }

        fn answer(&self, method: &str, revision: ProtocolRevision) -> Result<Payload, TransportError> {
            self.asked.lock().unwrap().push(format!("{method} {revision}"));
            let answer = self.answers.lock().unwrap().pop_front().expect("one request too many");
            answer
                .map(|text| RawValue::from_string(text.to_owned()).unwrap().into())
                .map_err(TransportError::rpc)
        }

        fn asked(&self) -> String {
            self.asked.lock().unwrap().join(", ")
        }
    }

    impl Exchange for Script {
        type Session = ();

        async fn discover(&self, revision: ProtocolRevision) -> Result<Payload, TransportError> {
            self.answer("discover", revision)
        }

        async fn initialize(&self, revision: ProtocolRevision) -> Result<(Payload, ()), TransportError> {
            self.answer("initialize", revision).map(|answer| (answer, ()))
        }
    }

    const MODERN: &str = r#"{"supportedVersions":["2026-07-28"],"capabilities":{}}"#;
    const LEGACY: &str = r#"{"protocolVersion":"2025-06-18","capabilities":{}}"#;

    fn unknown() -> Result<&'static str, RpcError> {
        Err(RpcError::new(METHOD_NOT_FOUND, "no such method"))
    }

    fn offers(version: &str) -> Result<&'static str, RpcError> {
        let data = RawValue::from_string(format!(r#"{{"supported":["{version}"]}}"#)).unwrap();
        Err(RpcError::new(UNSUPPORTED_VERSION, "").with_data(data))
    }

    fn known(revision: ProtocolRevision) -> ServerDescription {
        ServerDescription::new(revision)
    }

    #[tokio::test]
    async fn a_server_is_asked_once_more_in_the_version_that_it_names_and_no_oftener() {
        let script = Script::new([offers("2026-07-28"), Ok(MODERN)]);
        let found = discover(&script, ProtocolRevision::NEWEST_MODERN).await.unwrap();
        assert!(matches!(found, Discovery::Modern(_)), "{found:?}");
        assert_eq!(script.asked(), "discover 2026-07-28, discover 2026-07-28");
        let stubborn = Script::new([offers("2026-07-28"), offers("2026-07-28")]);
        let error = discover(&stubborn, ProtocolRevision::NEWEST_MODERN).await.unwrap_err();
        assert!(matches!(error.kind(), TransportErrorKind::Version { .. }), "{error:?}");
        let legacy = Script::new([unknown()]);
        let found = discover(&legacy, ProtocolRevision::NEWEST_MODERN).await.unwrap();
        assert!(matches!(found, Discovery::Legacy), "{found:?}");
    }

    #[tokio::test]
    async fn a_handshake_offers_older_revisions_to_a_server_that_refuses_newer_ones() {
        let script = Script::new([Err(RpcError::new(INVALID_PARAMS, "")), Ok(LEGACY)]);
        let (server, ()) = shake_hands(&script).await.unwrap();
        assert_eq!(server.revision, ProtocolRevision::V2025_06_18);
        assert_eq!(script.asked(), "initialize 2025-11-25, initialize 2025-06-18");
        let error = shake_hands(&Script::new([unknown()])).await.unwrap_err();
        assert!(matches!(error.kind(), TransportErrorKind::Rpc { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn what_is_agreed_after_a_refusal_depends_on_both_eras() {
        use ProtocolRevision as R;
        async fn agreed(
            before: R,
            wanted: R,
            answers: impl IntoIterator<Item = Result<&'static str, RpcError>>,
        ) -> (String, String) {
            let script = Script::new(answers);
            let outcome = match agree_on(&script, &known(before), wanted).await {
                Ok(Outcome::Unchanged) => "unchanged".to_owned(),
                Ok(Outcome::Modern(server)) => format!("modern {}", server.revision),
                Ok(Outcome::Legacy(server, ())) => format!("legacy {}", server.revision),
                Err(error) => error.to_string(),
            };
            (outcome, script.asked())
        }
        let of = |outcome: &str, asked: &str| (outcome.to_owned(), asked.to_owned());
        let (old, new) = (R::V2025_11_25, R::V2026_07_28);
        assert_eq!(agreed(new, new, []).await, of("unchanged", ""));
        assert_eq!(agreed(old, new, [Ok(MODERN)]).await, of("modern 2026-07-28", "discover 2026-07-28"));
        assert_eq!(
            agreed(old, new, [unknown()]).await,
            of("the server speaks neither era", "discover 2026-07-28")
        );
        for before in [old, new] {
            assert_eq!(
                agreed(before, old, [Ok(LEGACY)]).await,
                of("legacy 2025-06-18", "initialize 2025-11-25")
            );
        }
    }

    #[tokio::test]
    async fn an_agreement_is_made_again_once_however_many_find_it_void() {
        struct AgreementNumber(u64);
        impl Ordinal for AgreementNumber {
            fn number(&self) -> u64 {
                self.0
            }
        }
        let agreements = Agreements::new(AgreementNumber(0));
        let numbers = agreements.numbers();
        let stale = agreements.last().number();
        let turn = agreements.renew(stale).await.expect("the first one makes it");
        agreements.install(AgreementNumber(agreements.next_number()));
        drop(turn);
        assert!(agreements.renew(stale).await.is_none(), "it has been made");
        assert!(agreements.renew(1).await.is_some());
        assert_eq!((*numbers.borrow(), agreements.last().number()), (1, 1));
    }
}
