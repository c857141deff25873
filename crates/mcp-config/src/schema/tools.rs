//! The fields that say which tools of a server there are, in the words of every host that has one.
//!
//! What they forbid must not be used because of a typing error, so a wrong value makes the entry unusable.

use super::reader::Reader;
use crate::ProblemCode;
use crate::json::{Node, Object};
use crate::tool_policy::ToolPolicy;

/// The lists of names, and whether they name what may be used, or what may not.
pub(crate) const LISTS: [(&str, bool); 8] = [
    ("allowedTools", true),
    ("includeTools", true),
    ("enabledTools", true),
    ("enabled_tools", true),
    ("blockedTools", false),
    ("excludeTools", false),
    ("disabledTools", false),
    ("disabled_tools", false),
];

/// Words of permissions: those that hide nothing, and two that hide a tool. Every other word is taken for a ban.
pub(super) const PERMISSIONS: [&str; 8] =
    ["allow", "ask", "always_allow", "always_ask", "auto", "prompt", "blocked", "always_deny"];
const HARMLESS: usize = 6;

/// The field that has definitions of tools approved by a person.
pub(crate) const PINS: &str = "pinTools";

pub(super) fn read(reader: &mut Reader<'_, '_>) -> ToolPolicy {
    let mut policy = ToolPolicy::default();
    for (key, only) in LISTS {
        let Some(node) = reader.get(key) else { continue };
        let Some(names) = names(node) else {
            reader.wrong_type(key, node, "an array of names of tools");
            continue;
        };
        let origin = reader.origin(&[key], node.span);
        reader.show(key, node, shown(&names));
        if only { policy.only(names, origin) } else { policy.without(names, origin) }
    }
    tools(reader, &mut policy);
    permissions(reader, &mut policy);
    most(reader, &mut policy);
    pins(reader, &mut policy);
    policy
}

/// The names of a list.
pub(crate) fn names(node: &Node) -> Option<Vec<String>> {
    node.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

pub(crate) fn shown(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// `tools`: names of those that there are (Copilot CLI), or what may be done with each, by name or in a list (Claude Code,
/// Codex, opencode).
fn tools(reader: &mut Reader<'_, '_>, policy: &mut ToolPolicy) {
    const KEY: &str = "tools";
    let Some(node) = reader.get(KEY) else { return };
    let origin = reader.origin(&[KEY], node.span);
    if let Some(names) = names(node) {
        reader.show(KEY, node, shown(&names));
        if names.is_empty() {
            let hint = "write [\"*\"] for all of them, or leave it out";
            // It counts as it stands.
            reader.warn(
                ProblemCode::InvalidConfig,
                &[KEY],
                node.span,
                "names no tool, so none may be used",
                Some(hint),
            );
        }
        return policy.only(names, origin);
    }
    let mut blocked = Vec::new();
    let mut is_wrong = false;
    match (node.as_array(), node.as_object()) {
        (Some(items), _) => {
            for item in items {
                let text = |key: &str| item.as_object().and_then(|item| item.get(key)).and_then(Node::as_str);
                match text("name") {
                    Some(name) if is_banned(text("permission_policy")) => blocked.push(name.to_owned()),
                    Some(_) => {}
                    None => is_wrong = true,
                }
            }
        }
        (None, Some(object)) => {
            for member in object.iter() {
                let mode =
                    member.node.as_object().and_then(|tool| tool.get("enabled")).unwrap_or(&member.node);
                if mode.as_bool() == Some(false) || mode.as_str().is_some_and(|mode| is_banned(Some(mode))) {
                    blocked.push(member.key.to_string());
                }
            }
        }
        _ => is_wrong = true,
    }
    if is_wrong {
        return reader.wrong_type(KEY, node, "an array of names of tools");
    }
    if !blocked.is_empty() {
        reader.show(KEY, node, format!("without {}", shown(&blocked)));
    }
    policy.without(blocked, origin);
}

fn is_banned(word: Option<&str>) -> bool {
    word.is_some_and(|word| !PERMISSIONS[..HARMLESS].contains(&&*word.to_ascii_lowercase()))
}

/// `toolPermissions`: a word for each tool.
fn permissions(reader: &mut Reader<'_, '_>, policy: &mut ToolPolicy) {
    const KEY: &str = "toolPermissions";
    let Some(node) = reader.get(KEY) else { return };
    let Some(object) = node.as_object() else {
        return reader.wrong_type(KEY, node, "an object of words by tool");
    };
    for member in object.iter() {
        let steps = [KEY, &*member.key];
        let Some(word) = member.node.as_str() else {
            let message = format!("expected allow, ask or blocked, found {}", member.node.kind());
            reader.error(ProblemCode::InvalidConfig, &steps, member.node.span, message, None);
            continue;
        };
        reader.show_at(&steps, &member.node, word.to_owned(), Vec::new());
        if is_banned(Some(word)) {
            let origin = reader.origin(&steps, member.node.span);
            if !PERMISSIONS.contains(&word) {
                let message = "is none of allow, ask and blocked; the tool stays hidden";
                reader.warn(ProblemCode::IgnoredValue, &steps, member.node.span, message, None);
            }
            policy.without(vec![member.key.to_string()], origin);
        }
    }
}

/// `orgMaxPermission`: the most that any tool may have.
fn most(reader: &mut Reader<'_, '_>, policy: &mut ToolPolicy) {
    const KEY: &str = "orgMaxPermission";
    let Some(node) = reader.get(KEY) else { return };
    let Some(word) = reader.string(KEY) else { return };
    reader.show(KEY, node, word.to_owned());
    if is_banned(Some(word)) {
        let origin = reader.origin(&[KEY], node.span);
        if !PERMISSIONS.contains(&word) {
            let message = "is none of allow, ask and blocked; no tool may be used";
            reader.warn(ProblemCode::IgnoredValue, &[KEY], node.span, message, None);
        }
        policy.only(Vec::new(), origin);
    }
}

/// `pinTools`: only definitions count that a person approved.
fn pins(reader: &mut Reader<'_, '_>, policy: &mut ToolPolicy) {
    let Some(node) = reader.get(PINS) else { return };
    match node.as_bool() {
        Some(said) => {
            reader.show(PINS, node, said.to_string());
            if said {
                policy.pin(reader.origin(&[PINS], node.span));
            }
        }
        None => reader.wrong_type(PINS, node, "true or false"),
    }
}

/// Whether `tools` in this form says nothing about which tools there are.
pub(crate) fn says_nothing(tools: &Object) -> bool {
    tools.iter().all(|member| {
        let mode = member.node.as_object().and_then(|tool| tool.get("enabled")).unwrap_or(&member.node);
        mode.as_bool() != Some(false) && !mode.as_str().is_some_and(|mode| is_banned(Some(mode)))
    })
}
