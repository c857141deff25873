//! The names that each era defines, and whether a message keeps to them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::HostEra;

/// Objects whose keys are not the protocol's: a tool's arguments and results, schemas, settings of extensions, ids of questions.
const FREE: [&str; 13] = [
    "arguments",
    "structuredContent",
    "experimental",
    "extensions",
    "inputSchema",
    "outputSchema",
    "requestedSchema",
    "metadata",
    "input",
    "inputResponses",
    "x-vendor",
    "variables",
    "sampling",
];
/// Objects whose keys are free, and whose values are the protocol's.
const MAPS: [&str; 1] = ["inputRequests"];

/// What an era defines.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    codes: BTreeSet<i64>,
    methods: BTreeSet<&'static str>,
    members: BTreeSet<&'static str>,
}

impl Vocabulary {
    pub(crate) fn of(era: HostEra) -> Self {
        let text = match era {
            HostEra::Legacy => include_str!("vocabulary/legacy.txt"),
            HostEra::Modern => include_str!("vocabulary/modern.txt"),
        };
        let all = |kind: &str| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines
                .filter_map(|line| line.split_once(' '))
                .filter(|(of, _)| *of == kind)
                .map(|(_, name)| name)
                .collect()
        };
        let codes: Vec<&str> = all("code");
        Self {
            codes: codes.iter().map(|code| code.parse().unwrap()).collect(),
            methods: all("method").into_iter().collect(),
            members: all("member").into_iter().collect(),
        }
    }

    /// What of this message is not of the era, each with its place.
    pub(crate) fn foreign(&self, message: &Value) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(method) = message["method"].as_str()
            && !self.methods.contains(method)
            && !method.starts_with("x/")
        {
            found.push(format!("method {method}"));
        }
        if let Some(code) = message["error"]["code"].as_i64()
            && (-32_768..=-32_000).contains(&code)
            && !self.codes.contains(&code)
        {
            found.push(format!("code {code}"));
        }
        self.walk(message, "", &mut found);
        found
    }

    fn walk(&self, value: &Value, place: &str, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item, place, found)),
            Value::Object(members) => {
                for (name, value) in members {
                    let here = format!("{place}/{name}");
                    let in_meta = place.ends_with("/_meta");
                    let of_us = place == "/error" && name == "data" && value["source"] == "acme";
                    let reserved = name.starts_with("io.modelcontextprotocol/");
                    let of_a_log = place == "/params" && name == "data";
                    let free = name.starts_with("x-") || (in_meta && !reserved);
                    if !free && !self.members.contains(name.as_str()) {
                        found.push(here);
                    } else if FREE.contains(&name.as_str()) || of_us || of_a_log || free {
                        // Names of a vendor.
                    } else if MAPS.contains(&name.as_str()) {
                        value
                            .as_object()
                            .into_iter()
                            .flatten()
                            .for_each(|(_, value)| self.walk(value, &here, found));
                    } else {
                        self.walk(value, &here, found);
                    }
                }
            }
            _ => {}
        }
    }
}

#[test]
fn what_only_the_other_era_defines_is_found() {
    use serde_json::json;
    let (legacy, modern) = (Vocabulary::of(HostEra::Legacy), Vocabulary::of(HostEra::Modern));
    for (message, of) in [
        (json!({"result": {"resultType": "complete"}}), HostEra::Modern),
        (json!({"result": {"tools": [], "ttlMs": 1}}), HostEra::Modern),
        (json!({"result": {"_meta": {"io.modelcontextprotocol/serverInfo": {}}}}), HostEra::Modern),
        (json!({"params": {"_meta": {"io.modelcontextprotocol/subscriptionId": 1}}}), HostEra::Modern),
        (json!({"error": {"code": -32021}}), HostEra::Modern),
        (json!({"method": "notifications/subscriptions/acknowledged"}), HostEra::Modern),
        (json!({"result": {"capabilities": {"extensions": {}}}}), HostEra::Modern),
        (json!({"result": {"tools": [{"execution": {}}]}}), HostEra::Legacy),
        (json!({"params": {"elicitationId": "1"}}), HostEra::Legacy),
        (json!({"result": {"_meta": {"io.modelcontextprotocol/related-task": {}}}}), HostEra::Legacy),
        (json!({"error": {"code": -32042}}), HostEra::Legacy),
        (json!({"method": "notifications/elicitation/complete"}), HostEra::Legacy),
        (json!({"result": {"serverInfo": {}}}), HostEra::Legacy),
    ] {
        let (own, other) = match of {
            HostEra::Legacy => (&legacy, &modern),
            HostEra::Modern => (&modern, &legacy),
        };
        assert_eq!(own.foreign(&message), Vec::<String>::new(), "{message}");
        assert_eq!(other.foreign(&message).len(), 1, "{message}");
    }
    let neither = json!({"method": "x/y", "params": {"arguments": {"resultType": 1}, "x-a": {"b": 1}, "_meta": {"a/b": {"c": 1}}}});
    assert_eq!(legacy.foreign(&neither), Vec::<String>::new());
    assert_eq!(legacy.foreign(&json!({"result": {"made-up": 1}})), ["/result/made-up"]);
}
