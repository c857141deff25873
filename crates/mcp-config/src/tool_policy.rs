//! Which tools of a server may be used, as the person or the project says it in any host's words.
//!
//! What a host calls *without asking* (`autoApprove`, `alwaysAllow`, `trust`) is no part of it: that hides no tool.

use std::collections::HashSet;
use std::fmt;

use crate::Origin;

/// How many names are told that no tool has, and what is shown of one, in characters.
const MOST_UNMATCHED: usize = 3;
const MAX_NAME: usize = 60;

/// Which tools of an entry there are. Every rule has to let a tool through.
///
/// # Examples
///
/// ```
/// use mcp_config::{Config, Env, Request};
///
/// let mut request = Request::new(".", Env::new());
/// request.mcp_config.push(r#"{"mcpServers": {"db": {"command": "db", "disabledTools": ["drop_*"]}}}"#.into());
/// let config = Config::load(&request);
/// let tools = &config.entry("db").expect("it was just defined").tools;
/// assert!(tools.hides("drop_table").is_some() && tools.hides("list_tables").is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct ToolPolicy {
    rules: Vec<ToolRule>,
    /// Where it says that only definitions count that a person approved.
    pins: Option<Origin>,
}

/// Equal where the same tools may be used, wherever that is written.
impl PartialEq for ToolPolicy {
    fn eq(&self, other: &Self) -> bool {
        let said = |policy: &Self| -> Vec<(bool, Vec<String>)> {
            policy.rules.iter().map(|rule| (rule.only, rule.patterns.clone())).collect()
        };
        said(self) == said(other) && self.pins.is_some() == other.pins.is_some()
    }
}

impl Eq for ToolPolicy {}

/// One rule of it.
#[derive(Clone, Debug)]
struct ToolRule {
    /// Whether the patterns are the tools that there are, or those that there are not.
    only: bool,
    patterns: Vec<String>,
    origin: Origin,
}

/// The rule that hides a tool.
#[derive(Clone, Copy, Debug)]
pub struct HidingRule<'a>(&'a ToolRule);

impl HidingRule<'_> {
    /// Where it stands.
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }
}

impl fmt::Display for HidingRule<'_> {
    /// Goes on after the name of a tool.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { field, .. } = &self.0.origin;
        let verb = if self.0.only { "is not among" } else { "is hidden by" };
        write!(f, "{verb} {field} in {}", self.0.origin)
    }
}

impl ToolPolicy {
    /// Where its rules stand.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.rules.iter().map(|rule| &rule.origin).chain(&self.pins)
    }

    /// Where it says that a tool may be used only with a definition that a person approved (`pinTools`), if it does.
    pub fn pins(&self) -> Option<&Origin> {
        self.pins.as_ref()
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.pins.is_none()
    }

    /// The rule by which no tool of this name may be used, if there is one.
    ///
    /// In a rule, `*` stands for any characters, and what follows a `(` is about the arguments of a call, which are not looked
    /// at: such a tool is meant as a whole.
    pub fn hides(&self, name: &str) -> Option<HidingRule<'_>> {
        self.rules.iter().find(|rule| rule.hides(name)).map(HidingRule)
    }

    /// What of it is about no tool of a server that lists `names`, each as a sentence with the nearest name and where it is
    /// written: a name that is misspelt leaves out, or lets through, something else than was meant. A pattern with `*` may be
    /// for tools that come and go.
    pub fn unmatched<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
        let named = |rule: &ToolRule| -> Vec<String> {
            let plain = rule.patterns.iter().filter(|pattern| !pattern.contains('*'));
            plain.map(|pattern| tool_of(pattern).to_owned()).filter(|name| !name.is_empty()).collect()
        };
        // A list of tools is long, and as a rule each name is one of it.
        let wanted: Vec<(&Origin, String)> = self
            .rules
            .iter()
            .flat_map(|rule| named(rule).into_iter().map(|name| (&rule.origin, name)))
            .collect();
        if wanted.is_empty() {
            return Vec::new();
        }
        let names: HashSet<&str> = names.into_iter().collect();
        let mut sentences = Vec::new();
        for (origin, name) in wanted.iter().filter(|(_, name)| !names.contains(&**name)) {
            let near = crate::suggest::nearest(name, names.iter().copied());
            let near = near.map(|near| format!(" (did you mean {}?)", mcp_text::name(near, MAX_NAME)));
            let (name, near) = (mcp_text::name(name, MAX_NAME), near.unwrap_or_default());
            sentences.push(format!("no tool is called {name}{near}, as {} in {origin} has it", origin.field));
            if sentences.len() == MOST_UNMATCHED {
                break;
            }
        }
        sentences
    }

    /// Only the tools of these patterns, of those that other rules let through.
    pub(crate) fn only(&mut self, patterns: Vec<String>, origin: Origin) {
        // It lets every tool through, so it is not a rule that takes any away.
        if patterns.iter().any(|pattern| pattern.trim() == "*") {
            return;
        }
        self.rules.push(ToolRule { only: true, patterns, origin });
    }

    /// None of the tools of these patterns.
    pub(crate) fn without(&mut self, patterns: Vec<String>, origin: Origin) {
        if !patterns.is_empty() {
            self.rules.push(ToolRule { only: false, patterns, origin });
        }
    }

    /// Its rules and the others.
    pub(crate) fn add(&mut self, other: &Self) {
        self.rules.extend(other.rules.iter().cloned());
        if self.pins.is_none() {
            self.pins.clone_from(&other.pins);
        }
    }

    /// Only tools with a definition that a person approved.
    pub(crate) fn pin(&mut self, origin: Origin) {
        self.pins = Some(origin);
    }
}

impl ToolRule {
    fn hides(&self, name: &str) -> bool {
        let fits = |name: &str| self.patterns.iter().any(|pattern| fits(pattern, name));
        if self.only {
            return !fits(name);
        }
        // Security: a name that looks like a forbidden one to a reader is forbidden, too.
        let visible: String = name.chars().filter(|c| !mcp_text::is_hidden(*c)).collect();
        fits(name) || fits(visible.trim())
    }
}

/// What of a pattern is about the name of a tool.
fn tool_of(pattern: &str) -> &str {
    pattern.split_once('(').map_or(pattern, |(tool, _)| tool).trim()
}

/// Whether a pattern is of this name.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = tool_of(pattern).split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConfigSource;

    fn origin(field: &str) -> Origin {
        let place = ConfigSource::File("/f".into());
        Origin { place, pointer: String::new(), field: field.to_owned(), line: 3 }
    }

    #[test]
    fn patterns_are_of_whole_names() {
        for (pattern, name, is_of) in [
            ("get", "get", true),
            ("get", "get_all", false),
            ("get", "Get", false),
            ("get_*", "get_all", true),
            ("*_all", "get_all", true),
            ("*", "anything", true),
            ("g*t*l", "get_all", true),
            ("g*tt*l", "get_all", false),
            ("a*a", "a", false),
            ("run(git status)", "run", true),
            ("run(rm *)", "run", true),
            (" run ", "run", true),
            ("", "run", false),
        ] {
            assert_eq!(fits(pattern, name), is_of, "{pattern} {name}");
        }
    }

    #[test]
    fn every_rule_has_to_let_a_tool_through_and_the_one_that_does_not_is_named() {
        let mut policy = ToolPolicy::default();
        assert!(policy.is_empty() && policy.hides("any").is_none());
        policy.without(Vec::new(), origin("none"));
        policy.only(vec!["x".to_owned(), "*".to_owned()], origin("all"));
        assert!(policy.is_empty());
        policy.only(vec!["get_*".to_owned(), "delete".to_owned()], origin("includeTools"));
        policy.without(vec!["delete".to_owned()], origin("excludeTools"));
        let hides = |name: &str| policy.hides(name).map(|rule| rule.to_string());
        assert_eq!(hides("get_all"), None);
        assert_eq!(hides("put").as_deref(), Some("is not among includeTools in /f:3"));
        assert_eq!(hides("delete").as_deref(), Some("is hidden by excludeTools in /f:3"));
        let mut none = ToolPolicy::default();
        none.only(Vec::new(), origin("tools"));
        assert!(none.hides("any").is_some());
    }

    #[test]
    fn fh_h15_a_name_that_no_tool_has_is_told_with_the_nearest_one() {
        let mut policy = ToolPolicy::default();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        policy
            .only(words(&["ecko", "fail", "get_*", " ", "run(git status)", "slow "]), origin("allowedTools"));
        policy.without(words(&["zzzzzz\u{1b}[2J", "fail"]), origin("blockedTools"));
        assert_eq!(
            policy.unmatched(["echo", "fail", "slow"]),
            [
                "no tool is called ecko (did you mean echo?), as allowedTools in /f:3 has it",
                "no tool is called run, as allowedTools in /f:3 has it",
                "no tool is called \"zzzzzz\\u001b[2J\", as blockedTools in /f:3 has it",
            ]
        );
        assert!(policy.unmatched(["ecko", "fail", "slow", "run", "zzzzzz\u{1b}[2J"]).is_empty());
        // A few are enough to see what is wrong.
        let mut many = ToolPolicy::default();
        many.only((0..100).map(|n| format!("tool{n}")).collect(), origin("tools"));
        assert_eq!(many.unmatched([]).len(), 3);
    }

    #[test]
    fn a_name_that_only_looks_allowed_is_not_and_one_that_looks_forbidden_is() {
        let (mut only, mut without) = (ToolPolicy::default(), ToolPolicy::default());
        only.only(vec!["delete".to_owned()], origin("a"));
        without.without(vec!["delete".to_owned()], origin("b"));
        for name in ["dele\u{200b}te", "delete\u{202e}", "delete ", "\u{e0061}delete"] {
            assert!(only.hides(name).is_some(), "{name:?}");
            assert!(without.hides(name).is_some(), "{name:?}");
        }
        assert!(without.hides("deleted").is_none());
    }
}
