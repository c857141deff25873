//! The two eras of the protocol, and what one has to be told in the terms of the other. Pure functions.
//!
//! | | legacy (… 2025-11-25) | modern (2026-07-28) |
//! |---|---|---|
//! | who, what version, which capabilities | once, in `initialize` | in `_meta` of every request |
//! | a result | anything | says its `resultType`; lists say how long they are good for |
//! | the server asks its client | by a request | by a result, answered in a repeated request |
//! | changes | told at any time | told to a `subscriptions/listen` |
//! | log messages | from a level that is set | for a request that wants them |

use mcp_transport::message::methods::is_cacheable;
use mcp_transport::message::{
    Era, INVALID_PARAMS, Members, ProtocolRevision, RpcError, UNSUPPORTED_VERSION, meta,
};
use serde_json::value::RawValue;

use crate::splice::{raw, string, text, with_members, with_meta};

/// What a modern request says about itself.
#[derive(Debug)]
pub struct RequestMeta<'a> {
    pub(crate) version: String,
    pub(crate) client: Option<&'a RawValue>,
    pub(crate) capabilities: Option<&'a RawValue>,
    /// From which level on it wants log messages.
    pub log_level: Option<String>,
    pub(crate) progress_token: Option<&'a RawValue>,
}

impl<'a> RequestMeta<'a> {
    /// Reads it; `None` where the request is not of the modern era.
    pub fn read(params: Option<&'a RawValue>) -> Option<Self> {
        let params = params?.get();
        // Most requests of the legacy era are told apart without being parsed.
        if !params.contains("protocolVersion") && !params.contains("\\u") {
            return None;
        }
        let members = Members::read(Members::read(params)?.get("_meta")?.get())?;
        Some(Self {
            version: text(members.get(meta::PROTOCOL_VERSION)?)?,
            client: members.get(meta::CLIENT_INFO),
            capabilities: members.get(meta::CLIENT_CAPABILITIES),
            log_level: members.get(meta::LOG_LEVEL).and_then(text),
            progress_token: members.get(meta::PROGRESS_TOKEN),
        })
    }

    /// Whether it can be served.
    pub(crate) fn check(&self) -> Result<(), RpcError> {
        let revision = ProtocolRevision::from_wire(&self.version);
        if revision.map(ProtocolRevision::era) != Some(Era::Modern) {
            let data =
                format!(r#"{{"supported":{},"requested":{}}}"#, supported_versions(), string(&self.version));
            let error = RpcError::new(UNSUPPORTED_VERSION, "Unsupported protocol version");
            return Err(error.with_data(raw(data)));
        }
        if !self.capabilities.is_some_and(|capabilities| capabilities.get().starts_with('{')) {
            return Err(RpcError::new(INVALID_PARAMS, format!("_meta lacks {}", meta::CLIENT_CAPABILITIES)));
        }
        Ok(())
    }
}

/// Every version that a host may use, newest first, as a JSON array.
pub(crate) fn supported_versions() -> String {
    let names: Vec<String> =
        ProtocolRevision::ALL.iter().rev().map(|revision| string(revision.as_str())).collect();
    format!("[{}]", names.join(","))
}

/// The parameters of a modern request for a legacy server. A server of both eras would take the request for a
/// modern one otherwise.
pub(crate) fn params_for_legacy(params: Option<&RawValue>) -> Box<RawValue> {
    let ours = [meta::PROTOCOL_VERSION, meta::CLIENT_INFO, meta::CLIENT_CAPABILITIES, meta::LOG_LEVEL];
    // A call that is repeated with answers is a new one for a server that asked by an error.
    let answers = ["inputResponses", "requestState"];
    let asks = params.is_some_and(|params| answers.iter().any(|name| params.get().contains(name)));
    let plain = asks.then(|| with_members(params, &answers, &[]));
    with_meta(plain.as_deref().or(params), |key| ours.contains(&key), &[])
}

/// The parameters of a legacy request for a modern server, beside what the connection adds to every request.
pub(crate) fn params_for_modern(params: Option<&RawValue>, log_level: Option<&str>) -> Option<Box<RawValue>> {
    match log_level {
        Some(level) => Some(with_meta(params, |_| false, &[(meta::LOG_LEVEL, &string(level))])),
        None => params.map(ToOwned::to_owned),
    }
}

/// What the result of a legacy server lacks for a modern host, as members without braces.
pub(crate) fn missing_in_legacy_result(method: &str, result: &str) -> &'static str {
    let says = |name: &str| {
        // Only a result that may have the member is looked into.
        result.contains(name) && Members::read(result).is_some_and(|members| members.get(name).is_some())
    };
    match (says("resultType"), is_cacheable(method) && !says("ttlMs")) {
        (false, true) => r#""resultType":"complete","ttlMs":0,"cacheScope":"private""#,
        (false, false) => r#""resultType":"complete""#,
        (true, true) => r#""ttlMs":0,"cacheScope":"private""#,
        (true, false) => "",
    }
}

/// How severe a log message is (RFC 5424 section 6.2.1): 0 for `debug`, 7 for `emergency`.
pub fn severity(level: &str) -> Option<u8> {
    let levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
    levels.iter().position(|name| *name == level).and_then(|at| u8::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"roots":{}},"io.modelcontextprotocol/logLevel":"info","progressToken":"p"}"#;

    #[test]
    fn a_request_is_modern_by_its_metadata_alone() {
        let params = raw(format!(r#"{{"_meta":{META}}}"#));
        let meta = RequestMeta::read(Some(&params)).unwrap();
        assert_eq!((meta.version.as_str(), meta.log_level.as_deref()), ("2026-07-28", Some("info")));
        assert!(meta.check().is_ok());
        for text in [r#"{}"#, r#"{"protocolVersion":"2025-11-25"}"#, r#"{"_meta":{"protocolVersion":"x"}}"#] {
            assert!(RequestMeta::read(Some(&raw(text))).is_none(), "{text}");
        }
        assert!(RequestMeta::read(None).is_none());
    }

    #[test]
    fn a_version_that_is_not_spoken_is_answered_with_those_that_are() {
        let params = raw(r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"1900-01-01"}}"#);
        let error = RequestMeta::read(Some(&params)).unwrap().check().unwrap_err();
        assert_eq!(error.code, UNSUPPORTED_VERSION);
        let data = error.data.unwrap();
        assert!(data.get().starts_with(r#"{"supported":["2026-07-28","2025-11-25""#), "{data}");
        assert!(data.get().ends_with(r#""requested":"1900-01-01"}"#), "{data}");
        let params = raw(r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#);
        assert_eq!(RequestMeta::read(Some(&params)).unwrap().check().unwrap_err().code, INVALID_PARAMS);
    }

    #[test]
    fn a_legacy_server_sees_no_modern_metadata_and_all_the_rest() {
        let params = raw(format!(r#"{{"name":"x","_meta":{META},"arguments":{{"n":1.0}}}}"#));
        assert_eq!(
            params_for_legacy(Some(&params)).get(),
            r#"{"_meta":{"progressToken":"p"},"name":"x","arguments":{"n":1.0}}"#
        );
        let plain = raw(r#"{"name":"x"}"#);
        assert_eq!(params_for_modern(Some(&plain), None).unwrap().get(), plain.get());
        assert_eq!(
            params_for_modern(Some(&plain), Some("error")).unwrap().get(),
            r#"{"_meta":{"io.modelcontextprotocol/logLevel":"error"},"name":"x"}"#
        );
    }

    #[test]
    fn a_legacy_result_gets_what_a_modern_one_must_say() {
        let missing = |method, result: &str| missing_in_legacy_result(method, result);
        assert_eq!(missing("tools/call", "{}"), r#""resultType":"complete""#);
        assert!(missing("tools/list", r#"{"tools":[]}"#).contains("ttlMs"));
        assert_eq!(missing("tools/call", r#"{"resultType":"x"}"#), "");
        assert_eq!(missing("tools/call", r#"{"text":"resultType"}"#), r#""resultType":"complete""#);
    }

    #[test]
    fn log_levels_are_ordered() {
        assert!(severity("debug") < severity("info") && severity("alert") < severity("emergency"));
        assert_eq!(severity("loud"), None);
    }
}
