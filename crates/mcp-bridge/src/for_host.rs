//! Everything of a server that goes to a host of the other era, in the terms of that host: no member, `_meta` name, error
//! code or notification that its revisions do not have. Pure functions.
//!
//! Only what a revision *defines* is translated or left out. What neither knows (a vendor's extension) passes as it is, and
//! so does everything between two sides of one era.

use mcp_transport::message::methods::may_ask;
use mcp_transport::message::{
    HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, MISSING_CAPABILITY, Members, Object,
    Payload, RESOURCE_NOT_FOUND, RpcError, UNSUPPORTED_VERSION, meta,
};
use serde_json::value::RawValue;

use crate::era::RequestMeta;
use crate::splice::{Edit, edited, raw, string, text, with_members, with_meta};

/// What the names of `_meta` that a revision defines begin with.
const RESERVED: &str = "io.modelcontextprotocol/";
/// The names of 2026-07-28.
const MODERN_META: [&str; 6] = [
    meta::PROTOCOL_VERSION,
    meta::CLIENT_INFO,
    meta::CLIENT_CAPABILITIES,
    meta::LOG_LEVEL,
    meta::SUBSCRIPTION_ID,
    meta::SERVER_INFO,
];
/// Ties a message to a task (2025-11-25, tasks).
const META_TASK: &str = "io.modelcontextprotocol/related-task";

/// A URL has to be visited before the call can be made (2025-11-25, elicitation); not in 2026-07-28, which asks by a result.
const VISIT_REQUIRED: i64 = -32042;

/// Capabilities of a server that one era has and the other one has not.
pub(crate) const MODERN_CAPABILITY: &str = "extensions";
pub(crate) const LEGACY_CAPABILITY: &str = "tasks";

/// Methods of hosts that only the other era has.
pub(crate) fn is_of_modern_hosts(method: &str) -> bool {
    matches!(method, "server/discover" | "subscriptions/listen")
}

/// See [`is_of_modern_hosts`].
pub(crate) fn is_of_legacy_hosts(method: &str) -> bool {
    matches!(method, "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe")
}

/// A result of a modern server for a legacy host.
pub(crate) fn result_for_legacy(result: Payload) -> Payload {
    let plain = edited(result.get(), |name, value| match name {
        "resultType" | "ttlMs" | "cacheScope" => Edit::Drop,
        "_meta" if value.get().contains(RESERVED) => without_names(value, &MODERN_META),
        _ => Edit::Keep,
    });
    of_text(plain).unwrap_or(result)
}

/// A `_meta` without these names; one that is left empty goes.
fn without_names(meta: &RawValue, names: &[&str]) -> Edit {
    match edited(meta.get(), |name, _| if names.contains(&name) { Edit::Drop } else { Edit::Keep }) {
        None => Edit::Keep,
        Some(rest) if rest.trim_matches(['{', '}', ' ']).is_empty() => Edit::Drop,
        Some(rest) => Edit::Replace(raw(rest)),
    }
}

fn of_text(text: Option<String>) -> Option<Payload> {
    text.map(|text| raw(text).into())
}

/// A result of a legacy server for a modern host, beside what [it lacks](crate::era::missing_in_legacy_result).
pub(crate) fn result_for_modern(method: &str, result: Payload) -> Payload {
    let has_tools = method == "tools/list" && result.get().contains("\"execution\"");
    if !has_tools && !result.get().contains(META_TASK) {
        return result;
    }
    let plain = edited(result.get(), |name, value| match name {
        "tools" if has_tools => tools_for_modern(value),
        "_meta" => without_names(value, &[META_TASK]),
        _ => Edit::Keep,
    });
    of_text(plain).unwrap_or(result)
}

/// Tools without what 2025-11-25 says about running them as tasks.
fn tools_for_modern(tools: &RawValue) -> Edit {
    let Ok(listed) = serde_json::from_str::<Vec<&RawValue>>(tools.get()) else { return Edit::Keep };
    let plain = |tool: &&RawValue| {
        let execution = |name: &str, _: &RawValue| if name == "execution" { Edit::Drop } else { Edit::Keep };
        edited(tool.get(), execution).unwrap_or_else(|| tool.get().to_owned())
    };
    let tools: Vec<String> = listed.iter().map(plain).collect();
    Edit::Replace(raw(format!("[{}]", tools.join(","))))
}

/// An error of a modern server for a legacy host. What the codes of 2026-07-28 carry is of that revision, too; the message
/// says it in words.
pub(crate) fn error_for_legacy(mut error: RpcError) -> RpcError {
    let code = match error.code {
        // Between this program and the server.
        HEADER_MISMATCH => INTERNAL_ERROR,
        MISSING_CAPABILITY | UNSUPPORTED_VERSION => INVALID_REQUEST,
        _ => return error,
    };
    (error.code, error.data) = (code, None);
    error
}

/// An error of a legacy server for a modern host.
pub(crate) fn error_for_modern(mut error: RpcError) -> RpcError {
    match error.code {
        RESOURCE_NOT_FOUND => error.code = INVALID_PARAMS,
        // Where it cannot be asked by a result.
        VISIT_REQUIRED => (error.code, error.data) = (INVALID_REQUEST, None),
        _ => {}
    }
    error
}

/// What a modern host is answered to a call that a legacy server refuses until a URL has been visited: a result that asks
/// for the visit. The host repeats the call then, which is a new one for the server. `None` where the error is another.
///
/// # Errors
///
/// The host does not visit URLs for a server.
pub(crate) fn visit_for_modern(
    method: &str,
    params: Option<&RawValue>,
    error: &RpcError,
) -> Option<Result<Box<RawValue>, RpcError>> {
    if error.code != VISIT_REQUIRED || !may_ask(method) {
        return None;
    }
    let data = Members::read(error.data.as_deref()?.get())?;
    let visits: Vec<&RawValue> = serde_json::from_str(data.get("elicitations")?.get()).ok()?;
    let meta = RequestMeta::read(params);
    if !meta.and_then(|meta| meta.capabilities).is_some_and(visits_urls) {
        let needed = raw(r#"{"requiredCapabilities":{"elicitation":{"url":{}}}}"#);
        return Some(Err(RpcError::new(MISSING_CAPABILITY, error.message.clone()).with_data(needed)));
    }
    let mut requests = Object::new();
    for (number, visit) in visits.into_iter().enumerate() {
        let mut request = Object::new();
        request.member("method", "\"elicitation/create\"");
        let params = question_for_modern("elicitation/create", Some(visit.to_owned()));
        request.member("params", params.as_deref().map_or("{}", RawValue::get));
        requests.member(&format!("visit-{}", number + 1), request.finish().get());
    }
    let mut result = Object::new();
    result.member("resultType", "\"input_required\"").member("inputRequests", requests.finish().get());
    Some(Ok(result.finish()))
}

/// Whether a host with these capabilities shows URLs to a person (2025-11-25, elicitation: no mode is the form alone).
fn visits_urls(capabilities: &RawValue) -> bool {
    let declared = Members::read(capabilities.get()).and_then(|members| members.get("elicitation"));
    declared.and_then(|settings| Members::read(settings.get())?.get("url")).is_some()
}

/// The parameters of a modern question for a legacy host. Until 2025-11-25 every URL to visit had an id.
pub(crate) fn question_for_legacy(
    method: &str,
    params: Option<Box<RawValue>>,
    id: impl FnOnce() -> u64,
) -> Option<Box<RawValue>> {
    let params = match params {
        Some(params) if params.get().contains(RESERVED) => {
            Some(with_meta(Some(&params), |name| MODERN_META.contains(&name), &[]))
        }
        params => params,
    };
    let raw = params.as_deref().filter(|_| method == "elicitation/create");
    let wanting = raw.and_then(|raw| Members::read(raw.get())).filter(|members| {
        let is_url = members.get("mode").and_then(text).as_deref() == Some("url");
        is_url && members.get("elicitationId").is_none()
    });
    match wanting {
        Some(_) => {
            let id = string(&format!("bridge-{}", id()));
            Some(with_members(raw, &[], &[("elicitationId", &id)]))
        }
        None => params,
    }
}

/// The parameters of a legacy question for a modern host, which knows neither tasks nor ids of URLs.
pub(crate) fn question_for_modern(method: &str, params: Option<Box<RawValue>>) -> Option<Box<RawValue>> {
    let params = params?;
    let members = Members::read(params.get())?;
    let is_visit = method == "elicitation/create";
    let dropped = |name: &str| name == "task" || (is_visit && name == "elicitationId");
    let has_task_meta = members.get("_meta").is_some_and(|meta| meta.get().contains(META_TASK));
    if !has_task_meta && !members.iter().any(|(name, _)| dropped(name)) {
        return Some(params);
    }
    let gone = if is_visit { &["task", "elicitationId"][..] } else { &["task"] };
    let params = with_members(Some(&params), gone, &[]);
    Some(with_meta(Some(&params), |name| name == META_TASK, &[]))
}

/// The parameters of a notification of a modern server for a legacy host; `None` where they are right as they are.
pub(crate) fn notice_for_legacy(params: Option<&RawValue>) -> Option<Box<RawValue>> {
    let tagged = params.filter(|params| params.get().contains(RESERVED))?;
    Some(with_meta(Some(tagged), |name| MODERN_META.contains(&name), &[]))
}

/// Whether a notification of a legacy server is one that a modern host does not know.
pub(crate) fn is_of_legacy_servers(method: &str) -> bool {
    matches!(method, "notifications/elicitation/complete" | "notifications/tasks/status")
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = r#"{"io.modelcontextprotocol/serverInfo":{"name":"s"},"io.modelcontextprotocol/subscriptionId":1,"x/y":[ ]}"#;

    #[test]
    fn a_modern_result_says_nothing_of_its_era_to_a_legacy_host_and_all_the_rest() {
        let of = |text: &str| result_for_legacy(raw(text).into()).get().to_owned();
        let modern = format!(
            r#"{{"resultType":"complete","tools":[ {{"ttlMs":1.0}} ],"ttlMs":5,"cacheScope":"public","_meta":{META},"x":1e2}}"#
        );
        assert_eq!(of(&modern), r#"{"tools":[ {"ttlMs":1.0} ],"_meta":{"x/y":[ ]},"x":1e2}"#);
        assert_eq!(of(r#"{"_meta":{"io.modelcontextprotocol/serverInfo":{}}}"#), "{}");
        for same in [r#"{ "a" : 1 }"#, "[1]", r#"{"_meta":{"io.modelcontextprotocol/related-task":{}}}"#] {
            assert_eq!(of(same), same);
        }
    }

    #[test]
    fn a_legacy_result_says_nothing_of_tasks_to_a_modern_host() {
        let of = |method: &str, text: &str| result_for_modern(method, raw(text).into()).get().to_owned();
        let tools =
            r#"{"tools":[{"name":"a","execution":{"taskSupport":"required"},"n":1.0},{"name":"b" }]}"#;
        assert_eq!(of("tools/list", tools), r#"{"tools":[{"name":"a","n":1.0},{"name":"b" }]}"#);
        assert_eq!(of("tools/call", tools), tools);
        let tied = r#"{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"1"}}}"#;
        assert_eq!(of("tools/call", tied), r#"{"content":[]}"#);
    }

    #[test]
    fn codes_of_the_other_era_become_codes_of_this_one() {
        for (code, legacy, modern) in [
            (-32020, -32603, -32020),
            (-32021, -32600, -32021),
            (-32022, -32600, -32022),
            (-32002, -32002, -32602),
            (-32042, -32042, -32600),
            (-32601, -32601, -32601),
        ] {
            let error = || RpcError::new(code, "m").with_data(raw("{}"));
            let (old, new) = (error_for_legacy(error()), error_for_modern(error()));
            assert_eq!((old.code, new.code), (legacy, modern), "{code}");
            assert_eq!(old.data.is_none(), code != legacy, "{code}");
            assert_eq!(new.data.is_none(), code == -32042, "{code}");
        }
    }

    #[test]
    fn a_visit_that_a_legacy_server_wants_is_asked_by_a_result() {
        let data = r#"{"elicitations":[{"mode":"url","elicitationId":"1","url":"https://x","message":"m"}]}"#;
        let error = RpcError::new(-32042, "visit it").with_data(raw(data));
        let params = |capabilities: &str| {
            raw(format!(
                r#"{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities}}}}}"#
            ))
        };
        let able = params(r#"{"elicitation":{"url":{}}}"#);
        let asked = visit_for_modern("tools/call", Some(&able), &error).unwrap().unwrap();
        assert_eq!(
            asked.get(),
            r#"{"resultType":"input_required","inputRequests":{"visit-1":{"method":"elicitation/create","params":{"mode":"url","url":"https://x","message":"m"}}}}"#
        );
        for unable in ["{}", r#"{"elicitation":{}}"#, r#"{"elicitation":{"form":{}}}"#] {
            let refused = visit_for_modern("tools/call", Some(&params(unable)), &error).unwrap().unwrap_err();
            assert_eq!(refused.code, MISSING_CAPABILITY, "{unable}");
        }
        assert!(visit_for_modern("tools/list", Some(&able), &error).is_none());
        assert!(visit_for_modern("tools/call", Some(&able), &RpcError::new(-32000, "x")).is_none());
    }

    #[test]
    fn a_url_to_visit_gets_the_id_that_legacy_hosts_want_and_loses_it_for_modern_ones() {
        let asked =
            |method: &str, params: &str| question_for_legacy(method, Some(raw(params)), || 3).unwrap();
        let with_id = r#"{"mode":"url","url":"https://x","elicitationId":"bridge-3"}"#;
        assert_eq!(asked("elicitation/create", r#"{"mode":"url","url":"https://x"}"#).get(), with_id);
        for (method, params) in [
            ("elicitation/create", r#"{"mode":"form" }"#),
            ("elicitation/create", r#"{"mode":"url","elicitationId":"own"}"#),
            ("sampling/createMessage", r#"{"mode":"url"}"#),
        ] {
            assert_eq!(asked(method, params).get(), params);
        }
        assert!(question_for_legacy("roots/list", None, || 3).is_none());
        let tagged = format!(r#"{{"_meta":{META},"message":"m"}}"#);
        assert_eq!(asked("roots/list", &tagged).get(), r#"{"_meta":{"x/y":[ ]},"message":"m"}"#);
        let of = |method: &str, params: &str| question_for_modern(method, Some(raw(params))).unwrap();
        assert_eq!(of("elicitation/create", with_id).get(), r#"{"mode":"url","url":"https://x"}"#);
        let task =
            r#"{"task":{"ttl":1},"elicitationId":"1","_meta":{"io.modelcontextprotocol/related-task":{}}}"#;
        assert_eq!(of("sampling/createMessage", task).get(), r#"{"elicitationId":"1"}"#);
        assert_eq!(of("roots/list", "{ }").get(), "{ }");
    }
}
