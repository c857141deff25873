//! The lists `allowedMcpServers` and `deniedMcpServers` of settings files.
//!
//! No allow list allows everything, an empty one nothing. Denied is denied, whatever is allowed. Deny lists of all
//! settings files count together; so do allow lists, unless the administrator's settings say
//! `allowManagedMcpServersOnly`: so it is with Claude Code, and one set of lists serves both. The lists of a project's
//! own settings count, either way, once its folder is trusted. One unusable list entry is dropped with a warning; an allow list
//! without a usable entry allows nothing, and administrator's settings that cannot be read allow nothing
//! either: a mistake in a security knob must not open it.

mod block;
mod url_pattern;

use std::collections::HashMap;

use crate::decisions::{ParsedFile, SettingsGate, unheard};
use crate::document::Document;
use crate::entry::{EntryServer, ServerEntry};
use crate::expand::Text;
use crate::json::{Node, Object, Pointer};
use crate::source::FilePurpose;
use crate::{ConfigSource, Env, Origin, Problem, ProblemCode, Scope, Severity};
pub use block::{PolicyBlock, PolicyRule};
use url_pattern::UrlPattern;

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// `None` allows everything.
    allow: Option<Rules>,
    /// The allow lists that there are.
    allow_lists: Vec<PolicyRule>,
    deny: Rules,
    /// The administrator's settings that cannot be read.
    unreadable: Vec<ConfigSource>,
}

/// The rules of one kind of list; names apart, because there may be as many of them as entries.
#[derive(Debug, Default)]
struct Rules {
    names: HashMap<String, PolicyRule>,
    /// What is said of commands and URLs.
    others: Vec<Rule>,
}

impl Rules {
    fn add(&mut self, rules: Vec<Rule>) {
        for rule in rules {
            match rule.matcher {
                Matcher::Name(name) => drop(self.names.entry(name).or_insert(rule.rule)),
                _ => self.others.push(rule),
            }
        }
    }

    /// The rule that fits `entry`, of the administrator where there is one: to change another one would not help.
    fn fitting(&self, entry: &ServerEntry) -> Option<&PolicyRule> {
        let others = self.others.iter().filter(|rule| rule.matcher.fits(entry)).map(|rule| &rule.rule);
        self.names.get(&entry.name).into_iter().chain(others).min_by_key(|rule| !rule.by_administrator)
    }
}

#[derive(Debug)]
struct Rule {
    matcher: Matcher,
    rule: PolicyRule,
}

enum Matcher {
    Name(String),
    Command(Vec<String>),
    Url(UrlPattern),
}

// Security: commands and URLs of the lists are expanded; only the kind is shown.
impl std::fmt::Debug for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Name(_) => "serverName",
            Self::Command(_) => "serverCommand",
            Self::Url(_) => "serverUrl",
        })
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Side {
    Allow,
    Deny,
}

impl Side {
    const ALL: [Self; 2] = [Self::Allow, Self::Deny];

    fn key(self) -> &'static str {
        match self {
            Self::Allow => "allowedMcpServers",
            Self::Deny => "deniedMcpServers",
        }
    }
}

impl Policy {
    /// Reads the lists of every settings file; `unreadable` are those of the administrator that are broken.
    pub(crate) fn read(
        files: &[ParsedFile<'_>],
        heard: &SettingsGate<'_>,
        env: &Env,
        unreadable: Vec<ConfigSource>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let managed = || files.iter().filter(|(role, _)| *role == FilePurpose::ManagedSettings);
        let env = managed().fold(env.clone(), |env, (_, document)| with_settings_env(env, document));
        let managed_only = managed().any(|(_, document)| managed_only(document, problems));
        let mut policy = Self { unreadable, ..Self::default() };
        for (role, document) in files {
            let is_managed = *role == FilePurpose::ManagedSettings;
            match role {
                FilePurpose::ManagedSettings | FilePurpose::UserSettings => {}
                // A folder that is not trusted neither widens what others allow nor takes their servers away.
                FilePurpose::ProjectSettings | FilePurpose::LocalSettings if heard.counts(document) => {}
                FilePurpose::ProjectSettings | FilePurpose::LocalSettings => {
                    problems.extend(Side::ALL.iter().filter_map(|side| unheard(document, side.key())));
                    continue;
                }
                _ => continue,
            }
            let mut reader = Reader { document, is_managed, env: &env, problems: &mut *problems };
            policy.deny.add(reader.rules(Side::Deny).unwrap_or_default());
            let allow = reader.rules(Side::Allow);
            if let Some(rules) = allow.filter(|_| is_managed || !managed_only) {
                policy.allow_lists.extend(reader.list(Side::Allow));
                policy.allow.get_or_insert_default().add(rules);
            }
        }
        policy
    }

    /// Why `entry` may not be used, if so.
    pub(crate) fn check(&self, entry: &ServerEntry) -> Option<PolicyBlock> {
        if let Some(rule) = self.deny.fitting(entry) {
            return Some(PolicyBlock::Denied(rule.clone()));
        }
        if !self.unreadable.is_empty() {
            return Some(PolicyBlock::PolicyUnreadable(self.unreadable.clone()));
        }
        if is_of_administrator(entry) {
            return None;
        }
        let rules = self.allow.as_ref()?;
        let any = |kind: fn(&Matcher) -> bool| rules.others.iter().any(|rule| kind(&rule.matcher));
        // As soon as the list speaks of URLs, a name no longer vouches for a remote server; so for commands.
        let names_count = match &entry.server {
            EntryServer::Remote(_) => !any(|matcher| matches!(matcher, Matcher::Url(_))),
            EntryServer::Stdio(_) => !any(|matcher| matches!(matcher, Matcher::Command(_))),
            _ => true,
        };
        let allowed = names_count && rules.names.contains_key(&entry.name)
            || rules.others.iter().any(|rule| rule.matcher.fits(entry));
        (!allowed).then(|| PolicyBlock::NotAllowed(self.allow_lists.clone()))
    }
}

/// Whether `entry` is the administrator's own, whole: then it needs no entry of an allow list.
///
/// Security: what has variables is what the environment of a person makes of it, and is checked as any other.
fn is_of_administrator(entry: &ServerEntry) -> bool {
    entry.scope == Scope::Managed && entry.terms().variables().is_empty()
}

impl Matcher {
    fn fits(&self, entry: &ServerEntry) -> bool {
        match self {
            Self::Name(name) => *name == entry.name,
            Self::Command(argv) => entry.stdio().is_some_and(|stdio| {
                let actual = std::iter::once(&stdio.command).chain(&stdio.args).map(Text::expose);
                argv.iter().map(String::as_str).eq(actual)
            }),
            Self::Url(pattern) => entry.remote().is_some_and(|remote| pattern.fits(remote.url.expose())),
        }
    }
}

/// The variables of the administrator's settings join the environment of the lists.
fn with_settings_env(env: Env, document: &Document<'_>) -> Env {
    let variables = document.object().and_then(|object| object.get("env")).and_then(Node::as_object);
    variables.into_iter().flat_map(Object::iter).fold(env, |env, member| match member.node.as_str() {
        Some(value) => env.with(&*member.key, value),
        None => env,
    })
}

fn managed_only(document: &Document<'_>, problems: &mut Vec<Problem>) -> bool {
    const KEY: &str = "allowManagedMcpServersOnly";
    let Some(node) = document.object().and_then(|object| object.get(KEY)) else { return false };
    node.as_bool().unwrap_or_else(|| {
        let message = format!("expected true or false, found {}; it is taken as true", node.kind());
        let (code, path) = (ProblemCode::InvalidPolicy, Pointer::of(&[KEY]));
        problems.push(document.problem(Severity::Warning, code, &path, node.span, message));
        true
    })
}

struct Reader<'a, 'p> {
    document: &'a Document<'a>,
    is_managed: bool,
    env: &'a Env,
    problems: &'p mut Vec<Problem>,
}

impl Reader<'_, '_> {
    fn warn(&mut self, path: &Pointer, node: &Node, message: impl Into<String>) {
        let (severity, code) = (Severity::Warning, ProblemCode::InvalidPolicy);
        self.problems.push(self.document.problem(severity, code, path, node.span, message));
    }

    fn rule(&self, origin: Origin) -> PolicyRule {
        PolicyRule { origin, by_administrator: self.is_managed }
    }

    /// Where one list is; `None` where there is none.
    fn list(&self, side: Side) -> Option<PolicyRule> {
        let list = self.document.object()?.get(side.key())?;
        Some(self.rule(self.document.origin(&Pointer::of(&[side.key()]), list.span)))
    }

    /// The usable rules of one list; `None` where there is no list.
    fn rules(&mut self, side: Side) -> Option<Vec<Rule>> {
        let document = self.document;
        let list = document.object()?.get(side.key())?;
        let path = Pointer::of(&[side.key()]);
        let Some(items) = list.as_array() else {
            let consequence = match side {
                Side::Allow => "nothing is allowed",
                Side::Deny => "it is ignored",
            };
            self.warn(&path, list, format!("expected an array, found {}; {consequence}", list.kind()));
            return Some(Vec::new());
        };
        let rule = |(index, item): (usize, &Node)| {
            let path = path.index(index);
            match self.matcher(side, item) {
                Ok(matcher) => Some(Rule { matcher, rule: self.rule(document.origin(&path, item.span)) }),
                Err(why) => {
                    self.warn(&path, item, format!("{why}; this list entry is dropped"));
                    None
                }
            }
        };
        Some(items.iter().enumerate().filter_map(rule).collect())
    }

    fn matcher(&mut self, side: Side, item: &Node) -> Result<Matcher, String> {
        let one = "expected an object with exactly one of serverName, serverCommand and serverUrl";
        let object = item.as_object().ok_or(one)?;
        let mut members = object.iter();
        let (Some(member), None) = (members.next(), members.next()) else { return Err(one.to_owned()) };
        match &*member.key {
            "serverName" => name(side, &member.node).map(Matcher::Name),
            "serverCommand" => self.command(&member.node).map(Matcher::Command),
            "serverUrl" => self.url(side, &member.node).map(Matcher::Url),
            _ => Err(one.to_owned()),
        }
    }

    fn command(&mut self, node: &Node) -> Result<Vec<String>, String> {
        let expected = "serverCommand must be an array of strings, the program first";
        let items = node.as_array().filter(|items| !items.is_empty()).ok_or(expected)?;
        let expand =
            |item: &Node| item.as_str().map(|written| Text::expand(written, self.env).expose().to_owned());
        items.iter().map(expand).collect::<Option<_>>().ok_or_else(|| expected.to_owned())
    }

    fn url(&mut self, side: Side, node: &Node) -> Result<UrlPattern, String> {
        let written = node.as_str().filter(|text| !text.is_empty());
        let written = written.ok_or("serverUrl must be a string that is not empty")?;
        let text = Text::expand(written, self.env);
        let pattern = UrlPattern::new(text.expose());
        // Security: a person sets variables. One that could move an allowed address elsewhere is no rule
        // of the administrator any more; in a deny list it can only forbid.
        if side == Side::Allow && !pattern.same_place(&UrlPattern::new(written)) {
            return Err("serverUrl has a variable in its scheme, host or path".to_owned());
        }
        Ok(pattern)
    }
}

fn name(side: Side, node: &Node) -> Result<String, String> {
    let name = node.as_str().filter(|name| !name.is_empty());
    let name = name.ok_or("serverName must be a string that is not empty")?;
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if side == Side::Allow && !plain {
        return Err("serverName may have letters, digits, `-` and `_` only".to_owned());
    }
    Ok(name.to_owned())
}
