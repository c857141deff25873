//! What an entry of a host says beside how its server is reached, and what was said in it while it led through this program.
//!
//! What the host says for itself stays in its file all the time. What came meanwhile stays too, known to us or not, because
//! only the host and the people in it wrote it; only what was said to the bridge itself goes with the bridge, and is told.

use super::{BridgeCommand, HostTarget};
use crate::edit::Value;
use crate::hosts::KnownHost;
use crate::hosts::words::{self, FieldMeaning};

/// What a host says of a server for itself: whether it starts it, how long it waits for it, when it loads its tools, and which
/// of them it calls without a question. None of it is about how the server is reached, so it stays where the host looks for it.
const OF_HOST: [&str; 19] = [
    "disabled",
    "enabled",
    "isActive",
    "required",
    "alwaysLoad",
    "deferTools",
    "displayName",
    "autoApprove",
    "auto_approve",
    "alwaysAllow",
    "default_tools_approval_mode",
    "trust",
    "timeout",
    "requestTimeoutMs",
    "toolTimeoutMs",
    "tool_timeout_sec",
    "startup_timeout_sec",
    "startup_timeout_ms",
    "slowConnectionThresholdMs",
];

/// What was said to the bridge in a host's entry, and has no place where the bridge has none.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BridgeRemark {
    /// The field.
    pub field: String,
    /// What was put into it, word by word and without secrets.
    pub words: Vec<String>,
}

fn meaning(host: &KnownHost, key: &str) -> Option<FieldMeaning> {
    let own = host.fields.iter().find(|(word, _)| *word == key).map(|(_, means)| *means);
    own.or_else(|| words::FIELDS.iter().find(|row| row.word == key).map(|row| row.means))
}

/// Whether a field stays in the host's file while the entry leads through this program. Which tools there are is said by the
/// host as well, which shows its people what it has of them.
pub(super) fn is_of_host(host: &KnownHost, key: &str) -> bool {
    OF_HOST.contains(&key) || meaning(host, key) == Some(FieldMeaning::Tools)
}

/// Whether a field says how a server is reached, or with which credentials.
pub(super) fn is_way(host: &KnownHost, key: &str) -> bool {
    !is_of_host(host, key) && !matches!(meaning(host, key), None | Some(FieldMeaning::Nothing))
}

/// What of the entry `original` stays in the host's file.
pub(super) fn of_host(host: &KnownHost, original: Value) -> Vec<(String, Value)> {
    let Value::Object(members) = original else { return Vec::new() };
    members.into_iter().filter(|(key, _)| is_of_host(host, key)).collect()
}

pub(super) fn with(entry: Value, more: Vec<(String, Value)>) -> Value {
    let Value::Object(mut members) = entry else { return entry };
    for (key, value) in more {
        match members.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => members.push((key, value)),
        }
    }
    Value::Object(members)
}

/// The fields of an entry that are otherwise now than they were put there (`was`), and are not the bridge's: of those that it
/// had not, every one that says nothing of the way.
pub(super) fn changed<'v>(
    host: &KnownHost,
    was: &'v Value,
    now: &'v Value,
) -> Vec<(&'v str, Option<&'v Value>)> {
    let known = was.members().filter(|(key, _)| is_of_host(host, key));
    let known = known.map(|(key, value)| (key, Some(value), now.get(key)));
    let new = now.members().filter(|(key, _)| was.get(key).is_none() && !is_way(host, key));
    let new = new.map(|(key, value)| (key, None, Some(value)));
    known.chain(new).filter(|(_, was, now)| was != now).map(|(key, _, now)| (key, now)).collect()
}

/// The program that an entry starts.
pub(super) fn program(entry: &Value) -> Option<&str> {
    match entry.get("command")? {
        Value::Array(words) => words.first()?.as_str(),
        word => word.as_str(),
    }
}

impl HostTarget {
    /// What the entry `name` of `text` says to the bridge besides what `through` does: words, variables, another way to the
    /// server. [`unwrapped`](Self::unwrapped) keeps none of it.
    pub fn said_to_bridge(&self, text: &str, name: &str, through: &BridgeCommand) -> Vec<BridgeRemark> {
        let Some(now) = self.entry(text, name) else { return Vec::new() };
        let wrote = self.value(text, name, through);
        if program(&now) != program(&wrote) {
            return Vec::new();
        }
        let said = now.members().filter_map(|(key, now)| {
            let is_told = is_way(self.host, key) && meaning(self.host, key) != Some(FieldMeaning::Transport);
            let more = if is_told { more(wrote.get(key), now) } else { None };
            let key = match key {
                "environment" | "envs" => "env",
                // The first word of it is the program, which stays.
                "command" => "args",
                key => key,
            };
            let shown = Value::Object(vec![(key.to_owned(), more?)]).shown();
            Some(BridgeRemark { field: key.to_owned(), words: spelled(shown.get(key)?) })
        });
        said.collect()
    }

    /// The entry that is what `name` was put there as, under the name that a person gave it since; none where `name` is there, or
    /// more than one could be it.
    pub(super) fn renamed(&self, text: &str, name: &str, through: &BridgeCommand) -> Option<String> {
        if self.entry(text, name).is_some() {
            return None;
        }
        let servers = self.servers(text)?;
        let wrote = self.value(text, name, through);
        let mut same = servers
            .members()
            .filter(|(_, entry)| ["command", "args"].into_iter().all(|key| entry.get(key) == wrote.get(key)));
        let found = same.next().map(|(name, _)| name.to_owned());
        found.filter(|_| same.next().is_none())
    }
}

/// What `now` says more than `wrote`; words that come first are the same ones.
fn more(wrote: Option<&Value>, now: &Value) -> Option<Value> {
    match (wrote, now) {
        (Some(wrote), now) if wrote == now => None,
        (Some(Value::Array(wrote)), Value::Array(now)) => {
            let same = wrote.iter().zip(now).take_while(|(wrote, now)| wrote == now).count();
            (same < now.len()).then(|| Value::Array(now[same..].to_vec()))
        }
        (Some(Value::Object(wrote)), Value::Object(now)) => {
            let more: Vec<_> = now.iter().filter(|member| !wrote.contains(member)).cloned().collect();
            (!more.is_empty()).then_some(Value::Object(more))
        }
        (_, now) => Some(now.clone()),
    }
}

fn spelled(shown: &Value) -> Vec<String> {
    match shown {
        Value::String(word) => vec![word.clone()],
        Value::Array(items) => items.iter().flat_map(spelled).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| format!("{key}={}", spelled(value).join(" "))).collect()
        }
        other => vec![other.to_json()],
    }
}
