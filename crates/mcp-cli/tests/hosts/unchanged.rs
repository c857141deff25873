//! What the bridge may change of a conversation, and that it changes nothing else.
//!
//! Between sides of one era, every request, answer, question and notification that went over one side went over the
//! other, byte for byte; only ids differ. Where the eras differ, single members of objects come and go as
//! [`Translation`] says, and the bytes of every other member stay.

use std::collections::BTreeMap;

use mcp_testkit::FakeEra;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::host::HostRun;
use crate::wire::{Conversation, Exchange, Outcome};

/// What a bridge answers by itself, and what it asks a server by itself.
const OWN: [&str; 8] = [
    "initialize",
    "server/discover",
    "ping",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
    "subscriptions/listen",
    // Asked before the first call of a tool in the modern era, for the parameters that are mirrored in headers.
    "tools/list",
];

/// What a modern request says about itself, beside what it is about.
const ABOUT_ITSELF: [&str; 4] = [
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/logLevel",
];

/// The eras of the host and of the server.
type Translation = (FakeEra, FakeEra);

/// Compares both sides of the bridge.
#[track_caller]
pub(crate) fn assert_unchanged(report: &HostRun, host: FakeEra, server: FakeEra) {
    let eras = (host, server);
    let (ours, theirs) = (&report.host_side, &report.server_side);
    assert_requests(ours, theirs, eras);
    assert_questions(ours, theirs, eras);
    for method in ["notifications/progress", "notifications/message", "notifications/resources/updated"] {
        assert_notices(report, method, eras);
    }
    assert_cancelled(ours, theirs, eras);
    assert_introduced(ours, theirs, eras);
}

/// Each request of the host has one of the server's side that agrees with it, and no other was made.
#[track_caller]
fn assert_requests(ours: &Conversation, theirs: &Conversation, eras: Translation) {
    let mut left: Vec<_> =
        theirs.requests.iter().filter(|request| !is_turned_into_a_question(request, eras)).collect();
    for request in &ours.requests {
        let is_own = OWN.contains(&request.method.as_str()) && request.method != "tools/list";
        if is_own || is_made_of_a_question(request, eras) {
            continue;
        }
        let at = left.iter().position(|other| agree(request, other, eras));
        let near: Vec<_> = left.iter().filter(|other| other.method == request.method).collect();
        let at = at.unwrap_or_else(|| panic!("{eras:?}: {request:#?}\nis not among {near:#?}"));
        left.remove(at);
    }
    left.retain(|request| !OWN.contains(&request.method.as_str()));
    assert!(left.is_empty(), "{eras:?}: not asked for: {left:#?}");
}

/// A modern server asks in a result; a legacy host is asked by a request and sees the last result only.
fn is_turned_into_a_question(request: &Exchange, eras: Translation) -> bool {
    eras == (FakeEra::Legacy, FakeEra::Modern) && asks(request)
}

/// A legacy server asks by a request; a modern host is asked in a result, which no server wrote.
fn is_made_of_a_question(request: &Exchange, eras: Translation) -> bool {
    eras == (FakeEra::Modern, FakeEra::Legacy) && asks(request)
}

fn asks(request: &Exchange) -> bool {
    matches!(&request.outcome, Outcome::Result(result)
        if members(result).get("resultType").is_some_and(|kind| kind == r#""input_required""#))
}

fn agree(ours: &Exchange, theirs: &Exchange, eras: Translation) -> bool {
    ours.method == theirs.method
        && params_agree(ours.params.as_deref(), theirs.params.as_deref(), eras)
        && outcomes_agree(&ours.outcome, &theirs.outcome, eras)
}

fn params_agree(ours: Option<&str>, theirs: Option<&str>, eras: Translation) -> bool {
    if eras.0 == eras.1 {
        // A modern request always has parameters.
        return ours == theirs;
    }
    let plain = |params: Option<&str>| {
        let mut params = params.map(members).unwrap_or_default();
        // What answers questions is the business of the modern side alone.
        params.remove("inputResponses");
        params.remove("requestState");
        let mut meta = params.remove("_meta").map(|meta| members(&meta)).unwrap_or_default();
        ABOUT_ITSELF.iter().for_each(|name| drop(meta.remove(*name)));
        (params, meta)
    };
    plain(ours) == plain(theirs)
}

fn outcomes_agree(ours: &Outcome, theirs: &Outcome, eras: Translation) -> bool {
    match (ours, theirs) {
        // What the server still answers to a request that was given up, is not passed on.
        (Outcome::None, _) => true,
        (Outcome::Result(ours), Outcome::Result(theirs)) if eras == (FakeEra::Modern, FakeEra::Legacy) => {
            let (mut ours, mut theirs) = (members(ours), members(theirs));
            // The modern era knows nothing of running tools as tasks.
            if let Some(tools) = theirs.get_mut("tools") {
                *tools = without_execution(tools);
            }
            for (name, value) in
                [("resultType", r#""complete""#), ("ttlMs", "0"), ("cacheScope", r#""private""#)]
            {
                if !theirs.contains_key(name) && ours.get(name).is_some_and(|ours| ours == value) {
                    ours.remove(name);
                }
            }
            ours == theirs
        }
        (Outcome::Result(ours), Outcome::Result(theirs)) if eras == (FakeEra::Legacy, FakeEra::Modern) => {
            let (ours, mut theirs) = (members(ours), members(theirs));
            ["resultType", "ttlMs", "cacheScope"].iter().for_each(|name| drop(theirs.remove(*name)));
            let meta = |side: &BTreeMap<String, String>| {
                let mut meta = side.get("_meta").map(|meta| members(meta)).unwrap_or_default();
                meta.remove("io.modelcontextprotocol/serverInfo");
                meta
            };
            let rest = |mut side: BTreeMap<String, String>| {
                side.remove("_meta");
                side
            };
            let of_us =
                ours.get("_meta").is_none_or(|meta| !meta.contains("io.modelcontextprotocol/serverInfo"));
            of_us && meta(&ours) == meta(&theirs) && rest(ours) == rest(theirs)
        }
        (Outcome::Error(ours), Outcome::Error(theirs)) if eras == (FakeEra::Legacy, FakeEra::Modern) => {
            let (ours, mut theirs) = (members(ours), members(theirs));
            // A capability that is missing: the legacy era has no code of its own for it.
            if theirs.get("code").is_some_and(|code| code == "-32021") {
                theirs.insert("code".to_owned(), "-32600".to_owned());
                theirs.remove("data");
            }
            ours == theirs
        }
        (Outcome::Error(ours), Outcome::Error(theirs)) if eras == (FakeEra::Modern, FakeEra::Legacy) => {
            let (ours, mut theirs) = (members(ours), members(theirs));
            // No such resource: the modern era has no code of its own for it.
            if theirs.get("code").is_some_and(|code| code == "-32002") {
                theirs.insert("code".to_owned(), "-32602".to_owned());
            }
            ours == theirs
        }
        (ours, theirs) => ours == theirs,
    }
}

/// A list of tools as a modern host sees that of a legacy server, byte for byte.
fn without_execution(tools: &str) -> String {
    let tools: Vec<&RawValue> = serde_json::from_str(tools).unwrap_or_default();
    let tools: Vec<String> = tools
        .into_iter()
        .map(|tool| match members(tool.get()).get("execution") {
            Some(execution) => {
                let member = format!(r#""execution":{execution}"#);
                let text = tool.get().replace(&format!(",{member}"), "");
                text.replace(&format!("{member},"), "")
            }
            None => tool.get().to_owned(),
        })
        .collect();
    format!("[{}]", tools.join(","))
}

/// The host was asked what the server asked, and the server got the host's answer.
#[track_caller]
fn assert_questions(ours: &Conversation, theirs: &Conversation, eras: Translation) {
    let asked = |side: &Conversation, era: FakeEra| {
        let mut questions =
            if era == FakeEra::Legacy { asked_by_requests(side) } else { asked_by_results(side) };
        questions.sort();
        questions
    };
    assert_eq!(asked(ours, eras.0), asked(theirs, eras.1), "{eras:?}");
}

/// Method, parameters and answer of each question.
fn asked_by_requests(side: &Conversation) -> Vec<[String; 3]> {
    let question = |question: &Exchange| {
        let answer = match &question.outcome {
            Outcome::Result(answer) => answer.clone(),
            other => format!("{other:?}"),
        };
        [question.method.clone(), question.params.clone().unwrap_or_default(), answer]
    };
    side.questions.iter().map(question).collect()
}

fn asked_by_results(side: &Conversation) -> Vec<[String; 3]> {
    let mut found = Vec::new();
    for (index, request) in side.requests.iter().enumerate().filter(|(_, request)| asks(request)) {
        let Outcome::Result(result) = &request.outcome else { continue };
        let result = members(result);
        let state = result.get("requestState");
        for (key, question) in
            result.get("inputRequests").map(|requests| members(requests)).unwrap_or_default()
        {
            let answer = side.requests[index + 1..].iter().find_map(|later| {
                let params = members(later.params.as_deref()?);
                let is_the_same = later.method == request.method && params.get("requestState") == state;
                members(params.get("inputResponses").filter(|_| is_the_same)?).get(&key).cloned()
            });
            let question = members(&question);
            let method = question.get("method").and_then(|method| serde_json::from_str(method).ok());
            let params = question.get("params").cloned().unwrap_or_default();
            found.push([method.unwrap_or_default(), params, answer.unwrap_or_else(|| "None".to_owned())]);
        }
    }
    found
}

/// As often as they were told, and those of one request in order. The host need not hear more of what was given up, and a
/// modern host hears only what it has asked for, and nothing while it is asked something itself.
#[track_caller]
fn assert_notices(report: &HostRun, method: &str, eras: Translation) {
    let (mut ours, mut theirs) = (notices(&report.host_side, method), notices(&report.server_side, method));
    for given_up in given_up(&report.host_side).iter().filter_map(|request| request.progress_token()) {
        ours.remove(&given_up);
        theirs.remove(&given_up);
    }
    match eras {
        (FakeEra::Modern, FakeEra::Legacy) => {
            // The tokens of one call change with each answer of the host.
            let theirs: Vec<_> = theirs.into_values().flatten().collect();
            for report in ours.into_values().flatten() {
                assert!(theirs.contains(&report), "{eras:?} {method}: {report:?} was not told");
            }
        }
        (FakeEra::Modern, _) if method != "notifications/progress" => {
            assert!(
                ours.iter().all(|(of, report)| theirs.get(of) == Some(report)),
                "{method}: {ours:#?}\n{theirs:#?}"
            );
        }
        _ => assert_eq!(ours, theirs, "{eras:?} {method}"),
    }
}

/// The notifications of a method, by the token of the request that they are about.
fn notices(side: &Conversation, method: &str) -> BTreeMap<String, Vec<BTreeMap<String, String>>> {
    let mut notices: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for params in side.notified(method) {
        let mut params = members(&params);
        // A subscription has the id of the request that opened it, on either side its own.
        if let Some(meta) = params.remove("_meta") {
            let mut meta = members(&meta);
            meta.remove("io.modelcontextprotocol/subscriptionId");
            params.extend(meta.into_iter().map(|(name, value)| (format!("_meta.{name}"), value)));
        }
        notices.entry(params.remove("progressToken").unwrap_or_default()).or_default().push(params);
    }
    notices
}

/// A legacy server is told of each request that the host gave up, by the id that it knows. A modern one sees the
/// stream close, which its own count of such calls shows.
#[track_caller]
fn assert_cancelled(ours: &Conversation, theirs: &Conversation, eras: Translation) {
    let called =
        |side: &Conversation| -> Vec<_> { given_up(side).iter().map(|request| called(request)).collect() };
    assert!(
        !given_up(ours).is_empty() || ours.requests.iter().all(|request| request.outcome != Outcome::None)
    );
    if eras.1 == FakeEra::Legacy {
        assert_eq!(called(theirs), called(ours), "{eras:?}");
    }
}

/// The requests that the client has cancelled. The end of a subscription is told in the same way, and a subscription is
/// the bridge's own.
fn given_up(side: &Conversation) -> Vec<&Exchange> {
    let ids = side.said.iter().filter(|(method, _)| method == "notifications/cancelled");
    let ids = ids.filter_map(|(_, params)| members(params.as_deref()?).get("requestId").cloned());
    let request = |id: String| side.requests.iter().find(|request| request.id == id);
    ids.filter_map(request).filter(|request| !OWN.contains(&request.method.as_str())).collect()
}

/// The name and the arguments in a call.
fn called(request: &Exchange) -> (Option<String>, Option<String>) {
    let mut params = request.params.as_deref().map(members).unwrap_or_default();
    (params.remove("name"), params.remove("arguments"))
}

impl Exchange {
    fn progress_token(&self) -> Option<String> {
        members(members(self.params.as_deref()?).get("_meta")?).remove("progressToken")
    }
}

/// The server is told the capabilities of the host and who it is.
#[track_caller]
fn assert_introduced(ours: &Conversation, theirs: &Conversation, eras: Translation) {
    let introduction = |side: &Conversation, era: FakeEra| -> Option<(Value, Value)> {
        let value = |text: Option<&String>| text.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let method = if era == FakeEra::Legacy { "initialize" } else { "tools/call" };
        let request = side.requests.iter().find(|request| request.method == method)?;
        let params = members(request.params.as_deref()?);
        let (said, [client, capabilities]) = match era {
            FakeEra::Legacy => (params, ["clientInfo", "capabilities"]),
            _ => (members(params.get("_meta")?), [ABOUT_ITSELF[1], ABOUT_ITSELF[2]]),
        };
        Some((value(said.get(client))?, value(said.get(capabilities))?))
    };
    let host = introduction(ours, eras.0);
    assert!(host.is_some(), "{eras:?}: {:#?}", ours.requests.first());
    assert_eq!(introduction(theirs, eras.1), host, "{eras:?}");
}

/// The members of an object, each as it was written.
fn members(object: &str) -> BTreeMap<String, String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(object).unwrap_or_default();
    members.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect()
}
