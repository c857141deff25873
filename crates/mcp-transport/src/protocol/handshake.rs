//! What the answers of a handshake mean: pure decisions over statuses and JSON (versioning, 2026-07-28;
//! lifecycle, 2025-11-25).
//!
//! Longer than 500 lines because each form of a refusal is a row of its tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mcp_status::{ChallengeKind, Phase};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::bounded::{MAX_WORD, few_members, few_words, shortened};
use super::lenient;
use crate::error::{TransportError, TransportErrorKind};
use crate::lease::Lease;
use crate::message::{
    Era, HEADER_MISMATCH, MISSING_CAPABILITY, Members, Payload, ProtocolRevision, UNSUPPORTED_VERSION, meta,
    methods,
};

const MAX_NAME: usize = 1000;

/// A legacy server may take a request that it does not know and never answer it (F110). The probe gives up
/// after this, or after a third of the attempt, so that the handshake has its time.
const MAX_PROBE: Duration = Duration::from_secs(10);

/// How long the first probe of an endpoint may take. Silence says nothing about a server, and every connect to a legacy one
/// that is silent waits for it; a modern one that is slower than this refuses the handshake, and is asked again.
#[cfg(feature = "http")]
const FIRST_PROBE: Duration = Duration::from_secs(1);

/// How long the first probe of an endpoint may take where an attempt to connect may take `attempt`.
#[cfg(feature = "http")]
pub(crate) fn first_probe_limit(attempt: Duration) -> Duration {
    probe_limit(attempt).min(FIRST_PROBE)
}

/// How long a probe may take where an attempt to connect may take `attempt`.
pub(crate) fn probe_limit(attempt: Duration) -> Duration {
    (attempt / 3).min(MAX_PROBE)
}

/// Whether a request that came in is ours, sent back: no server asks its client for a handshake, and none in the middle of one.
pub(crate) fn is_echo(method: &str) -> bool {
    methods::is_handshake(method)
}

/// What answers sends back what it is sent.
pub(crate) fn echoed() -> TransportError {
    let said = "it sends back what it is sent, as `cat` does, or a terminal (`docker run -t`)";
    TransportError::new(TransportErrorKind::Protocol, "the answer is the request")
        .with_said(Some(said.to_owned()))
}

/// Name and version of a piece of software, as it says itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
pub struct Implementation {
    /// A name for programs.
    pub name: String,
    /// A name for people.
    #[serde(default, deserialize_with = "lenient::owned_text")]
    pub title: Option<String>,
    /// Its version.
    #[serde(default, deserialize_with = "lenient::label")]
    pub version: String,
}

impl Implementation {
    fn read(raw: &RawValue) -> Option<Self> {
        let Self { name, title, version } = serde_json::from_str(raw.get()).ok()?;
        let shortened = |text| shortened(text, MAX_NAME);
        Some(Self { name: shortened(name), title: title.map(shortened), version: shortened(version) })
    }
}

/// What a server said about itself when the connection was made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerDescription {
    /// The revision that the connection speaks.
    pub revision: ProtocolRevision,
    /// Its name and version. Self-reported: for people, never for decisions.
    pub info: Option<Implementation>,
    /// The same as it was sent, with what else it says of itself (`icons`, `websiteUrl`, …).
    pub identity: Option<Box<RawValue>>,
    /// Its capabilities by name, each as sent.
    pub capabilities: BTreeMap<String, Box<RawValue>>,
    /// What it tells a model about its use.
    pub instructions: Option<String>,
    /// What it takes of the budget that all connections share.
    pub(crate) held: Option<Arc<Lease>>,
}

impl ServerDescription {
    /// A server of which nothing but its revision is known.
    pub fn new(revision: ProtocolRevision) -> Self {
        Self {
            revision,
            info: None,
            identity: None,
            capabilities: BTreeMap::new(),
            instructions: None,
            held: None,
        }
    }

    /// The same server with this identity.
    #[must_use]
    pub fn with_identity(mut self, identity: Option<Box<RawValue>>) -> Self {
        self.info = identity.as_deref().and_then(Implementation::read);
        self.identity = identity.filter(|_| self.info.is_some());
        self
    }

    /// Whether the server declares this capability (`tools`, `resources`, `prompts`, …).
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.contains_key(capability)
    }
}

/// What an answer to the probe (`server/discover`) means.
#[derive(Debug)]
pub(crate) enum Probe {
    /// A modern server that speaks a revision of ours.
    Modern(Box<ServerDescription>),
    /// A modern server that wants to be asked again, in this revision of ours.
    Retry(ProtocolRevision),
    /// A server of the legacy era, as far as can be told: shake hands.
    Legacy,
    /// An answer that does not speak MCP, or none: a crash, a gateway, a refusal that names no scheme. It is about
    /// a request that only this client asks, so `initialize` decides; the error stands where that fails as well.
    Doubtful(TransportError),
    /// Neither; the error says what.
    Failed(TransportError),
}

impl Probe {
    /// What it is, for a log.
    pub(crate) fn description(&self) -> &'static str {
        match self {
            Self::Modern(_) => "modern era",
            Self::Retry(_) => "modern era, another revision",
            Self::Legacy => "legacy era",
            Self::Doubtful(_) => "nothing about the era",
            Self::Failed(_) => "refused",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DiscoverResult {
    #[serde(deserialize_with = "few_words")]
    supported_versions: Vec<String>,
    #[serde(deserialize_with = "few_members")]
    capabilities: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    server_info: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "lenient::owned_text")]
    instructions: Option<String>,
    #[serde(default, rename = "_meta")]
    meta: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InitializeResult {
    #[serde(default, deserialize_with = "lenient::owned_text")]
    protocol_version: Option<String>,
    #[serde(default, deserialize_with = "few_members")]
    capabilities: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    server_info: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "lenient::owned_text")]
    instructions: Option<String>,
}

#[derive(Deserialize)]
struct UnsupportedVersion {
    #[serde(deserialize_with = "few_words")]
    supported: Vec<String>,
}

/// Judges the answer to `server/discover`.
///
/// A recognised modern error keeps the connection modern; anything that a legacy server may say to a request
/// that it does not know leads to `initialize`, whatever the id of the body: also a 200 whose result is not a
/// valid `DiscoverResult`, because legacy servers exist that answer anything.
///
/// A refusal of the version is worth one retry, also with the version that was just refused: some servers refuse
/// every first request. `retried` tells that this was it.
pub(crate) fn judge_probe(answer: Result<Payload, TransportError>, retried: bool) -> Probe {
    let error = match answer {
        Ok(result) => {
            let mut judged = judge_discovery(result.get());
            if let Probe::Modern(server) = &mut judged {
                server.held = result.lease();
            }
            return judged;
        }
        Err(error) => error,
    };
    use TransportErrorKind as Kind;
    match error.rpc_error().map(|rpc| rpc.code) {
        Some(UNSUPPORTED_VERSION) => {
            let again = refused_again(&error);
            return match judge_refusal(error, Era::Modern) {
                Ok(revision) if revision.era() == Era::Modern && retried => Probe::Failed(again),
                Ok(revision) if revision.era() == Era::Modern => Probe::Retry(revision),
                Ok(_) => Probe::Legacy,
                Err(error) => Probe::Failed(error),
            };
        }
        Some(HEADER_MISMATCH | MISSING_CAPABILITY) => return Probe::Failed(error),
        _ => {}
    }
    match *error.kind() {
        // A refusal in JSON-RPC terms, with whatever HTTP status.
        Kind::Rpc { .. } => Probe::Legacy,
        _ if error.rpc_error().is_some() && !matches!(error.kind(), Kind::Challenged { .. }) => Probe::Legacy,
        Kind::Http { status, .. } => match status {
            // "Not you": never reached, because a refusal is a challenge.
            _ if ChallengeKind::of_status(status, Phase::Connect).is_some() => Probe::Failed(error),
            // A proxy of ours says that otherwise.
            407 | 408 | 425 | 429 => Probe::Doubtful(error),
            // A legacy server's word for "unknown"; 501 is the HTTP word for it.
            400..=499 | 501 => Probe::Legacy,
            _ => Probe::Doubtful(error),
        },
        // No proxy is in use: it is the server's own word, or that of something in front of it.
        Kind::Proxy { status: Some(_) } if error.proxy().is_none() => Probe::Doubtful(error),
        // For this request alone the server may be somewhere else.
        Kind::Dropped | Kind::Moved { .. } => Probe::Doubtful(error),
        // Without a challenge it may be a legacy server that misses its session; and what asks for a password, where
        // nothing was sent, may be what stands in front of what it does not know.
        Kind::Challenged { .. } if error.challenge_scheme().is_none() || error.asks_for_no_token() => {
            Probe::Doubtful(error)
        }
        // It took the request and never answered it, or answered with something that is not an answer.
        Kind::Timeout { stage } if stage != crate::error::TimeoutStage::Connect => Probe::Legacy,
        Kind::Protocol => Probe::Legacy,
        _ => Probe::Failed(error),
    }
}

fn judge_discovery(result: &str) -> Probe {
    let Ok(discovered) = serde_json::from_str::<DiscoverResult>(result) else { return Probe::Legacy };
    let offered = discovered.supported_versions;
    match ProtocolRevision::newest_of(offered.iter().map(String::as_str)) {
        Some(revision) if revision.era() == Era::Modern => {
            let info = discovered
                .meta
                .and_then(|raw| Members::read(raw.get())?.get(meta::SERVER_INFO).map(ToOwned::to_owned))
                .or(discovered.server_info);
            let mut server = ServerDescription::new(revision).with_identity(info);
            server.capabilities = discovered.capabilities;
            server.instructions = discovered.instructions;
            Probe::Modern(Box::new(server))
        }
        Some(_) => Probe::Legacy,
        None => Probe::Failed(no_common_version(offered)),
    }
}

/// Whether a server refused a request, or a handshake, because of its version. It has not acted on it.
pub(crate) fn refuses_version(error: &TransportError) -> bool {
    error.rpc_error().is_some_and(|rpc| rpc.code == UNSUPPORTED_VERSION)
}

/// Whether the server refused a handshake because it speaks a modern revision of ours, and no legacy one.
pub(crate) fn wants_modern(refusal: &TransportError) -> bool {
    let newest = |supported: Vec<String>| ProtocolRevision::newest_of(supported.iter().map(String::as_str));
    refuses_version(refusal)
        && supported(refusal).and_then(newest).is_some_and(|revision| revision.era() == Era::Modern)
}

/// Which revision to speak from now on, after a request in the terms of `era` was
/// [refused](refuses_version) because of its version (2026-07-28, versioning, protocol version negotiation). Where it is
/// a legacy one, hands are shaken first.
///
/// # Errors
///
/// [`Version`](TransportErrorKind::Version) where there is no revision in common; the refusal itself where a legacy
/// server uses the number for something of its own.
pub(crate) fn judge_refusal(refusal: TransportError, era: Era) -> Result<ProtocolRevision, TransportError> {
    if era == Era::Legacy && !wants_modern(&refusal) {
        return Err(refusal);
    }
    let offered = supported(&refusal).unwrap_or_default();
    ProtocolRevision::newest_of(offered.iter().map(String::as_str)).ok_or_else(|| no_common_version(offered))
}

/// What it means that a request was [refused](refuses_version) again, in a revision that the server offered.
pub(crate) fn refused_again(refusal: &TransportError) -> TransportError {
    let offered = supported(refusal).unwrap_or_default();
    let kind = TransportErrorKind::Version { offered };
    TransportError::new(kind, "the server refuses the version that it offers")
}

/// What it means that a handshake was refused when nothing is left to offer: where the server names what it speaks, and none
/// of it is ours, there is no version in common, whatever the code.
pub(crate) fn final_refusal(refusal: TransportError) -> TransportError {
    match supported(&refusal) {
        Some(offered)
            if !offered.is_empty()
                && ProtocolRevision::newest_of(offered.iter().map(String::as_str)).is_none() =>
        {
            no_common_version(offered)
        }
        _ => refusal,
    }
}

/// The revisions that a server names when it refuses one.
fn supported(refusal: &TransportError) -> Option<Vec<String>> {
    let data = refusal.rpc_error()?.data.as_deref()?;
    let UnsupportedVersion { supported } = serde_json::from_str(data.get()).ok()?;
    Some(supported)
}

/// Reads the answer to `initialize`.
///
/// # Errors
///
/// [`Protocol`](TransportErrorKind::Protocol) where it is not an `InitializeResult`, and
/// [`Version`](TransportErrorKind::Version) where the server chose a version that this client does not speak.
pub(crate) fn read_initialize(result: &str) -> Result<ServerDescription, TransportError> {
    let result: InitializeResult = serde_json::from_str(result).map_err(|error| {
        TransportError::new(TransportErrorKind::Protocol, "the answer to `initialize` is not valid")
            .with_source(error)
    })?;
    let Some(version) = result.protocol_version else {
        let message = "the answer to `initialize` names no `protocolVersion`";
        return Err(
            TransportError::new(TransportErrorKind::Protocol, message).with_said(Some(message.to_owned()))
        );
    };
    let revision = ProtocolRevision::from_wire(&version)
        .filter(|revision| revision.era() == Era::Legacy)
        .ok_or_else(|| no_common_version(vec![shortened(version, MAX_WORD)]))?;
    let mut server = ServerDescription::new(revision).with_identity(result.server_info);
    server.capabilities = result.capabilities;
    server.instructions = result.instructions;
    Ok(server)
}

fn no_common_version(offered: Vec<String>) -> TransportError {
    TransportError::new(TransportErrorKind::Version { offered }, "no protocol version in common")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::TimeoutStage;
    use crate::message::RpcError;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn http(status: u16, rpc: Option<RpcError>) -> TransportError {
        let error = TransportError::new(TransportErrorKind::Http { status, retry_after: None }, "");
        match rpc {
            Some(rpc) => error.with_rpc(rpc),
            None => error,
        }
    }

    fn word(answer: Result<Payload, TransportError>) -> String {
        match judge_probe(answer, false) {
            Probe::Modern(server) => format!("modern {}", server.revision),
            Probe::Retry(revision) => format!("retry {revision}"),
            Probe::Legacy => "legacy".to_owned(),
            Probe::Doubtful(error) => format!("doubtful {:?}", error.kind()),
            Probe::Failed(error) => format!("failed {:?}", error.kind()),
        }
    }

    #[test]
    fn results_are_modern_only_when_valid_and_offering_a_modern_revision() {
        let ok = |text| word(Ok(raw(text).into()));
        assert_eq!(ok(r#"{"supportedVersions":["2026-07-28"],"capabilities":{}}"#), "modern 2026-07-28");
        assert_eq!(ok(r#"{"supportedVersions":["2025-11-25"],"capabilities":{}}"#), "legacy");
        assert_eq!(
            ok(r#"{"supportedVersions":["2099-01-01"],"capabilities":{}}"#),
            r#"failed Version { offered: ["2099-01-01"] }"#
        );
        for invalid in
            ["{}", "null", "[]", r#"{"supportedVersions":["2026-07-28"]}"#, r#"{"capabilities":{}}"#]
        {
            assert_eq!(ok(invalid), "legacy", "{invalid}");
        }
    }

    #[test]
    fn a_4xx_is_legacy_unless_it_is_a_modern_error_or_a_refusal() {
        for status in [400, 404, 405, 406, 415, 422, 501] {
            assert_eq!(word(Err(http(status, None))), "legacy", "{status}");
            let id_null = RpcError::new(-32000, "Unsupported protocol version");
            assert_eq!(word(Err(http(status, Some(id_null)))), "legacy", "{status}");
        }
        for status in [407, 408, 425, 429, 500, 502, 503, 504] {
            assert!(word(Err(http(status, None))).starts_with("doubtful"), "{status}");
            let busy = TransportErrorKind::Http { status, retry_after: Some(Duration::ZERO) };
            assert!(word(Err(TransportError::new(busy, ""))).starts_with("doubtful"), "{status}");
        }
        for status in [401, 403] {
            assert!(word(Err(http(status, None))).starts_with("failed"), "{status}");
        }
        assert_eq!(word(Err(http(500, Some(RpcError::new(-32603, ""))))), "legacy");
        for code in [HEADER_MISMATCH, MISSING_CAPABILITY] {
            assert!(word(Err(TransportError::rpc(RpcError::new(code, "")))).starts_with("failed"), "{code}");
        }
        assert_eq!(word(Err(TransportError::rpc(RpcError::new(-32601, "")))), "legacy");
    }

    #[test]
    fn an_unsupported_version_names_what_to_retry_with() {
        let unsupported = |supported: &str| {
            let data = raw(&format!(r#"{{"supported":{supported},"requested":"2026-07-28"}}"#));
            word(Err(TransportError::rpc(RpcError::new(UNSUPPORTED_VERSION, "").with_data(data))))
        };
        // Even where it is the version that was sent: one server rejects every first request.
        assert_eq!(unsupported(r#"["2026-07-28"]"#), "retry 2026-07-28");
        assert_eq!(unsupported(r#"["2025-11-25","2025-06-18"]"#), "legacy");
        assert_eq!(unsupported(r#"["1999-01-01"]"#), r#"failed Version { offered: ["1999-01-01"] }"#);
    }

    #[test]
    fn only_a_refusal_that_names_a_modern_revision_asks_for_it() {
        let wants = |code, data: Option<&str>| {
            let rpc = RpcError::new(code, "");
            wants_modern(&TransportError::rpc(match data {
                Some(data) => rpc.with_data(raw(data)),
                None => rpc,
            }))
        };
        let modern = Some(r#"{"supported":["2025-11-25","2026-07-28"]}"#);
        assert!(wants(UNSUPPORTED_VERSION, modern));
        assert!(!wants(UNSUPPORTED_VERSION, Some(r#"{"supported":["2025-11-25"]}"#)));
        assert!(!wants(UNSUPPORTED_VERSION, None));
        assert!(!wants(-32602, modern));
        assert!(!wants_modern(&http(400, None)));
    }

    #[test]
    fn a_refusal_in_a_session_names_what_to_speak_and_is_believed_of_its_own_era_alone() {
        let judged = |data: Option<&str>, era| {
            let rpc = RpcError::new(UNSUPPORTED_VERSION, "");
            let error = TransportError::rpc(match data {
                Some(data) => rpc.with_data(raw(data)),
                None => rpc,
            });
            assert!(refuses_version(&error));
            judge_refusal(error, era).map_err(|error| format!("{:?}", error.kind()))
        };
        let modern = Some(r#"{"supported":["2025-11-25","2026-07-28"]}"#);
        let legacy = Some(r#"{"supported":["2025-06-18","2025-11-25"]}"#);
        let other = Some(r#"{"supported":["2099-01-01"]}"#);
        assert_eq!(judged(modern, Era::Modern), Ok(ProtocolRevision::V2026_07_28));
        assert_eq!(judged(legacy, Era::Modern), Ok(ProtocolRevision::V2025_11_25));
        assert_eq!(judged(other, Era::Modern).unwrap_err(), r#"Version { offered: ["2099-01-01"] }"#);
        assert_eq!(judged(None, Era::Modern).unwrap_err(), "Version { offered: [] }");
        assert_eq!(judged(modern, Era::Legacy), Ok(ProtocolRevision::V2026_07_28));
        // The number was not reserved then.
        for data in [legacy, other, None] {
            assert_eq!(judged(data, Era::Legacy).unwrap_err(), "Rpc { code: -32022 }");
        }
        assert!(!refuses_version(&http(400, None)));
    }

    #[test]
    fn f110_a_probe_that_is_never_answered_falls_back() {
        let timeout = |stage| word(Err(TransportError::new(TransportErrorKind::Timeout { stage }, "")));
        assert_eq!(timeout(TimeoutStage::FirstByte), "legacy");
        assert_eq!(timeout(TimeoutStage::Total), "legacy");
        assert!(timeout(TimeoutStage::Connect).starts_with("failed"));
    }

    #[test]
    fn initialize_accepts_every_legacy_revision_and_no_other() {
        let read = |version: &str| {
            read_initialize(&format!(r#"{{"protocolVersion":"{version}","capabilities":{{"tools":{{}}}}}}"#))
        };
        for revision in ProtocolRevision::ALL.into_iter().filter(|r| r.era() == Era::Legacy) {
            let server = read(revision.as_str()).unwrap();
            assert_eq!(server.revision, revision);
            assert!(server.has("tools") && !server.has("prompts"));
        }
        for version in ["2026-07-28", "1.0"] {
            let offered = vec![version.to_owned()];
            assert_eq!(*read(version).unwrap_err().kind(), TransportErrorKind::Version { offered });
        }
        assert_eq!(*read_initialize("{}").unwrap_err().kind(), TransportErrorKind::Protocol);
    }

    #[test]
    fn fb_v0_an_answer_without_a_version_is_told_as_that() {
        for version in ["null", "[]", "20250618", "{}"] {
            let error = read_initialize(&format!(r#"{{"protocolVersion":{version}}}"#)).unwrap_err();
            assert!(error.to_string().ends_with("names no `protocolVersion`"), "{version}: {error}");
        }
    }
}
