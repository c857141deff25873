//! The fields that say which tools of a server there are, in the words of every host that has one.
//!
//! What they forbid must not be used because of a typing error, so a wrong value makes the entry unusable, and a field whose name
//! is misspelt counts as the one that was meant ([`meant`]).

use super::reader::{Reader, Steps};
use crate::ProblemCode;
use crate::json::{Node, Object, Span};
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
const TOOLS: &str = "tools";
const PERMISSIONS_FIELD: &str = "toolPermissions";
const MOST: &str = "orgMaxPermission";

/// What an unknown field is, whose name is about tools.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum UnknownPolicy {
    /// This field, misspelt or in the word of another program.
    TakenFor(&'static str),
    /// Nothing that is understood.
    NotUnderstood,
}

/// What hides tools, and what lets them through, in names of fields.
const BANS: [&str; 11] =
    ["deny", "denied", "block", "ban", "exclu", "disallow", "disab", "forbid", "reject", "hide", "hidden"];
const LETS: [&str; 5] = ["allow", "includ", "enable", "permit", "avail"];
/// What is about questions, calls or searches, and hides no tool.
const OF_OTHERS: [&str; 9] =
    ["auto", "always", "approv", "confirm", "timeout", "search", "prompt", "output", "call"];

/// Whether the name of a field is about tools that may not be used.
pub(super) fn sounds_like_ban(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    lower.contains("tool") && BANS.iter().any(|word| lower.contains(word))
}

/// What the unknown field `key` is, where its name is about tools; `None` where it is about anything else.
pub(crate) fn meant(key: &str, node: &Node) -> Option<UnknownPolicy> {
    let lower: String =
        key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let bans = sounds_like_ban(key);
    if !lower.contains("tool") && lower != "orgmaxpermissions" || !bans && has(&OF_OTHERS) {
        return None;
    }
    // A set of them has a name that no tool has.
    if lower.contains("toolset") {
        return (bans || has(&LETS)).then_some(UnknownPolicy::NotUnderstood);
    }
    let lists = LISTS.iter().map(|(list, _)| *list);
    let mut fields = lists.chain([TOOLS, PERMISSIONS_FIELD, MOST, PINS]);
    let same = fields.find(|field| {
        let field = field.replace('_', "").to_ascii_lowercase();
        field == lower || field.strip_suffix('s').unwrap_or(&field) == lower || format!("{field}s") == lower
    });
    let field = match same {
        Some(field) => field,
        // The nearest word may be its opposite.
        None if bans => "blockedTools",
        None if has(&LETS) => "allowedTools",
        None if lower.contains("permission") => PERMISSIONS_FIELD,
        None => return None,
    };
    let is_readable = match field {
        TOOLS => names(node).is_some() || node.as_object().is_some(),
        PERMISSIONS_FIELD => node.as_object().is_some(),
        MOST => node.as_str().is_some(),
        PINS => node.as_bool().is_some(),
        _ => names(node).is_some(),
    };
    Some(if is_readable { UnknownPolicy::TakenFor(field) } else { UnknownPolicy::NotUnderstood })
}

/// Reads what the entry says of its tools. What is unknown to `is_known` may be misspelt.
pub(super) fn read(reader: &mut Reader<'_, '_>, is_known: impl Fn(&str) -> bool) -> ToolPolicy {
    let mut policy = ToolPolicy::default();
    for (key, only) in LISTS {
        list(reader, &mut policy, key, only);
    }
    tools(reader, &mut policy, TOOLS);
    permissions(reader, &mut policy, PERMISSIONS_FIELD);
    most(reader, &mut policy, MOST);
    pins(reader, &mut policy, PINS);
    // Security: what forbids a tool does so however it is spelled. What is said of it, `fields` says.
    for member in reader.object().iter().filter(|member| !is_known(&member.key)) {
        let Some(UnknownPolicy::TakenFor(field)) = meant(&member.key, &member.node) else { continue };
        let key = &*member.key;
        match (field, LISTS.iter().find(|(list, _)| *list == field)) {
            (_, Some((_, only))) => list(reader, &mut policy, key, *only),
            (TOOLS, _) => tools(reader, &mut policy, key),
            (PERMISSIONS_FIELD, _) => permissions(reader, &mut policy, key),
            (MOST, _) => most(reader, &mut policy, key),
            _ => pins(reader, &mut policy, key),
        }
    }
    policy
}

fn list(reader: &mut Reader<'_, '_>, policy: &mut ToolPolicy, key: &str, only: bool) {
    let Some(node) = reader.get(key) else { return };
    let Some(names) = names(node) else {
        return reader.wrong_type(key, node, "an array of names of tools");
    };
    let origin = reader.origin(&[key], node.span);
    reader.show(key, node, shown(&names));
    if only { policy.only(names, origin) } else { policy.without(names, origin) }
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
fn tools(reader: &mut Reader<'_, '_>, policy: &mut ToolPolicy, key: &str) {
    let Some(node) = reader.get(key) else { return };
    let origin = reader.origin(&[key], node.span);
    if let Some(names) = names(node) {
        reader.show(key, node, shown(&names));
        if names.is_empty() {
            let hint = "write [\"*\"] for all of them, or leave it out";
            // It counts as it stands.
            reader.warn(
                ProblemCode::InvalidConfig,
                &[key],
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
            for (index, item) in items.iter().enumerate() {
                let name = item.as_object().and_then(|item| item.get("name")).and_then(Node::as_str);
                match name {
                    Some(name) if bans(reader, &[key, &format!("[{index}]")], item) => {
                        blocked.push(name.to_owned());
                    }
                    Some(_) => {}
                    None => is_wrong = true,
                }
            }
        }
        (None, Some(object)) => {
            for member in object.iter() {
                if bans(reader, &[key, &*member.key], &member.node) {
                    blocked.push(member.key.to_string());
                }
            }
        }
        _ => is_wrong = true,
    }
    if is_wrong {
        return reader.wrong_type(key, node, "an array of names of tools");
    }
    if !blocked.is_empty() {
        reader.show(key, node, format!("without {}", shown(&blocked)));
    }
    policy.without(blocked, origin);
}

/// Whether what is said of one tool bans it; a word that is none says so, too.
fn bans(reader: &mut Reader<'_, '_>, steps: Steps<'_>, said: &Node) -> bool {
    let words = words_of(said);
    for word in words.iter().filter_map(|node| node.as_str().map(|word| (word, node.span))) {
        warn_of_word(reader, steps, word, "the tool stays hidden");
    }
    words.into_iter().any(is_ban)
}

/// What is said of one tool: a word or a switch, or those that stand in an object.
fn words_of(said: &Node) -> Vec<&Node> {
    const SAYING: [&str; 5] = ["enabled", "permissionpolicy", "permission", "policy", "allowed"];
    let Some(object) = said.as_object() else { return vec![said] };
    let letters = |key: &str| key.replace(['_', '-'], "").to_ascii_lowercase();
    object
        .iter()
        .filter(|member| SAYING.contains(&&*letters(&member.key)))
        .map(|member| &member.node)
        .collect()
}

fn is_ban(node: &Node) -> bool {
    node.as_bool() == Some(false) || is_banned(node.as_str())
}

/// Says that a word is not one of those that there are.
fn warn_of_word(reader: &mut Reader<'_, '_>, steps: Steps<'_>, (word, span): (&str, Span), so: &str) {
    if is_banned(Some(word)) && !PERMISSIONS.contains(&&*word.to_ascii_lowercase()) {
        let message = format!("is not one of allow, ask and blocked; {so}");
        reader.warn(ProblemCode::ToolPolicy, steps, span, message, None);
    }
}

fn is_banned(word: Option<&str>) -> bool {
    word.is_some_and(|word| !PERMISSIONS[..HARMLESS].contains(&&*word.to_ascii_lowercase()))
}

/// `toolPermissions`: a word for each tool.
fn permissions(reader: &mut Reader<'_, '_>, policy: &mut ToolPolicy, key: &str) {
    let Some(node) = reader.get(key) else { return };
    let Some(object) = node.as_object() else {
        return reader.wrong_type(key, node, "an object of words by tool");
    };
    for member in object.iter() {
        let steps = [key, &*member.key];
        let Some(word) = member.node.as_str() else {
            let message = format!("expected allow, ask or blocked, found {}", member.node.kind());
            reader.error(ProblemCode::InvalidConfig, &steps, member.node.span, message, None);
            continue;
        };
        reader.show_at(&steps, &member.node, word.to_owned(), Vec::new());
        if is_banned(Some(word)) {
            let origin = reader.origin(&steps, member.node.span);
            warn_of_word(reader, &steps, (word, member.node.span), "the tool stays hidden");
            policy.without(vec![member.key.to_string()], origin);
        }
    }
}

/// `orgMaxPermission`: the most that any tool may have.
fn most(reader: &mut Reader<'_, '_>, policy: &mut ToolPolicy, key: &str) {
    let Some(node) = reader.get(key) else { return };
    let Some(word) = reader.string(key) else { return };
    reader.show(key, node, word.to_owned());
    if is_banned(Some(word)) {
        let origin = reader.origin(&[key], node.span);
        warn_of_word(reader, &[key], (word, node.span), "no tool may be used");
        policy.only(Vec::new(), origin);
    }
}

/// `pinTools`: only definitions count that a person approved.
fn pins(reader: &mut Reader<'_, '_>, policy: &mut ToolPolicy, key: &str) {
    let Some(node) = reader.get(key) else { return };
    match node.as_bool() {
        Some(said) => {
            reader.show(key, node, said.to_string());
            if said {
                policy.pin(reader.origin(&[key], node.span));
            }
        }
        None => reader.wrong_type(key, node, "true or false"),
    }
}

/// Whether `tools` in this form says nothing about which tools there are.
pub(crate) fn says_nothing(tools: &Object) -> bool {
    tools.iter().all(|member| !words_of(&member.node).into_iter().any(is_ban))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ban that is misspelt is one; what is about questions or times is none.
    #[test]
    fn fh_h5_a_misspelt_word_for_tools_is_the_one_that_was_meant() {
        use UnknownPolicy::{NotUnderstood, TakenFor};
        for (key, value, expected) in [
            ("blockedTool", r#"["a"]"#, Some(TakenFor("blockedTools"))),
            ("blocked_tools", r#"["a"]"#, Some(TakenFor("blockedTools"))),
            ("Disabled-Tools", r#"["a"]"#, Some(TakenFor("disabledTools"))),
            ("denyTools", r#"["a"]"#, Some(TakenFor("blockedTools"))),
            ("hiddenTools", r#"["a"]"#, Some(TakenFor("blockedTools"))),
            ("allowTools", r#"["a"]"#, Some(TakenFor("allowedTools"))),
            ("include_tools", r#"["a"]"#, Some(TakenFor("includeTools"))),
            ("tool", r#"["a"]"#, Some(TakenFor("tools"))),
            ("toolPermission", r#"{"a": "blocked"}"#, Some(TakenFor("toolPermissions"))),
            ("tool_permissions", r#"{"a": "blocked"}"#, Some(TakenFor("toolPermissions"))),
            ("orgMaxPermissions", r#""blocked""#, Some(TakenFor("orgMaxPermission"))),
            ("pinTool", "true", Some(TakenFor("pinTools"))),
            ("denyTools", r#""a""#, Some(NotUnderstood)),
            ("enabledToolsets", r#"["a"]"#, Some(NotUnderstood)),
            ("readOnlyTools", r#"["a"]"#, None),
            ("blockedToolsRegex", r#""a""#, Some(NotUnderstood)),
            ("alwaysAllowTools", r#"["a"]"#, None),
            ("autoApproveTools", r#"["a"]"#, None),
            ("toolTimeout", "5", None),
            ("toolsets", r#"["a"]"#, None),
            ("enableToolSearch", "true", None),
            ("blocked", r#"["a"]"#, None),
            ("color", r#""red""#, None),
        ] {
            let node = crate::json::parse(value).unwrap();
            assert_eq!(meant(key, &node), expected, "{key}");
        }
    }
}
