//! From the text of an entry to a [`ServerEntry`].
//!
//! A field that decides what is contacted, or with which credentials, makes its entry invalid where it is
//! wrong: half a configuration must not reach a server. Any other wrong field is ignored with a warning.
//! Either way the other entries are read.

mod auth;
mod fields;
mod headers_file;
mod json_schema;
mod limits;
mod missing;
mod network;
mod oauth;
mod placeholder;
mod reader;
mod remote;
mod shape;
mod stdio;
mod tools;

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use crate::consent::Terms;
use crate::document::Document;
use crate::entry::RemoteKind;
use crate::entry::{Approval, EntryLimits, EntryServer, Lookups, Scope, ServerEntry, Stdio, Switch};
use crate::env_file::EnvFiles;
use crate::json::{Member, Node, Object, Pointer, Value};
use crate::tool_policy::ToolPolicy;
use crate::{EntryTransport, Env, Problem, ProblemCode, Severity, extra};
pub use json_schema::json_schema;
pub(crate) use tools::{
    LISTS as TOOL_LISTS, PINS, UnknownPolicy, meant as meant_of_tools, names as tool_names, says_nothing,
    shown as shown_tools,
};

use fields::Kind;
pub(crate) use fields::is_plain;
use reader::Reader;
pub(crate) use remote::url_fault;

/// Names of servers that are built into hosts; an entry of that name would never be used by them.
const RESERVED_NAMES: [&str; 5] =
    ["workspace", "claude-in-chrome", "computer-use", "Claude Preview", "Claude Browser"];

/// Limits below this would end every call, so they are taken for a mistake in the unit.
const MIN_TIMEOUT_MS: u64 = 1_000;

/// The entries of one file that a project brings along. No list that a person can oversee has more, and each costs memory
/// before a person has agreed to anything.
const MAX_PROJECT_ENTRIES: usize = 5_000;

/// What is told of one entry, or of the names of one object; more of it does not help.
const MAX_TOLD: usize = 100;

/// What an entry is read with, besides its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) env: &'a Env,
    /// The directory that the tool was started in.
    pub(crate) launch_dir: &'a Path,
    /// The working directory of helpers that belong to the person.
    pub(crate) person_dir: &'a Path,
    /// They are a person's own, for the project in this folder alone.
    pub(crate) for_project: bool,
    /// The folder itself is trusted.
    pub(crate) trusted: bool,
    /// The files of variables that entries name.
    pub(crate) env_files: &'a EnvFiles,
    /// The fields of entries that the program reads itself.
    pub(crate) known: &'a [String],
}

/// The members by which an entry is known for one.
pub(crate) const ENTRY_KEYS: [&str; 2] = ["command", "url"];

/// Where an entry belongs.
pub(crate) const WRAPPED: &str = "write {\"mcpServers\": {\"NAME\": {..}}}, with the entry in place of {..}";

/// Reads the `mcpServers` object `node` of `document`.
pub(crate) fn servers(
    document: &Document<'_>,
    node: &Node,
    path: &Pointer,
    scope: Scope,
    context: Context<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<ServerEntry> {
    let Some(object) = node.as_object() else {
        if !node.is_null() {
            let message = format!("expected an object of server entries, found {}", node.kind());
            let code = ProblemCode::WrongShape;
            let problem = document.problem(Severity::Error, code, path, node.span, message);
            problems.push(problem.with_hint(format!("each entry has a name: {WRAPPED}")));
        }
        return Vec::new();
    };
    duplicates(document, object, path, problems);
    let most = if scope == Scope::Project { MAX_PROJECT_ENTRIES } else { usize::MAX };
    if let Some(member) = object.iter().nth(most) {
        let message = format!("the file has more than {most} entries; this one and what follows is not read");
        let code = ProblemCode::InvalidConfig;
        problems.push(document.problem(Severity::Error, code, path, member.key_span, message));
    }
    object
        .iter()
        .take(most)
        .map(|member| {
            let path = path.key(&member.key);
            let mut found = Vec::new();
            let entry = server(document, member, &path, scope, context, &mut found);
            tell_some(&mut found);
            problems.extend(found.into_iter().map(|problem| problem.of_server(&member.key)));
            entry
        })
        .collect()
}

fn server(
    document: &Document<'_>,
    member: &Member,
    path: &Pointer,
    scope: Scope,
    context: Context<'_>,
    problems: &mut Vec<Problem>,
) -> ServerEntry {
    let mut entry = ServerEntry {
        name: member.key.to_string(),
        scope,
        origin: document.origin(path, member.key_span),
        server: EntryServer::Invalid,
        timeout: None,
        account: None,
        limits: EntryLimits::default(),
        always_load: false,
        tools: ToolPolicy::default(),
        switch: Switch::On,
        below: Switch::On,
        approval: Approval::NotNeeded,
        blocked: None,
        self_reference: None,
        chain: None,
        link: OnceLock::new(),
        terms: Terms::default(),
        first_use: false,
        lookups: Lookups::default(),
        folder: None,
        foreign: document.foreign,
        plugin: document.plugin.clone(),
        host: document.host,
        extras: Vec::new(),
        transport: EntryTransport::Unknown,
        fields: Vec::new(),
    };
    let Some(object) = member.node.as_object() else {
        let message = format!("expected a server entry, an object, found {}", member.node.kind());
        let code = ProblemCode::InvalidConfig;
        let mut problem = document.problem(Severity::Error, code, path, member.node.span, message);
        if ENTRY_KEYS.contains(&&*member.key) {
            problem = problem.with_hint(format!("an entry has a name: {WRAPPED}"));
        } else if let Some(text) = member.node.as_str() {
            problem = problem.with_hint(match text.contains("://") {
                true => "write {\"type\": \"http\", \"url\": \"..\"}, with the address in place of ..",
                false => "write {\"command\": \"..\", \"args\": [..]}, with the command and its words in place of ..",
            });
        }
        problems.push(problem);
        return entry;
    };
    duplicates(document, object, path, problems);
    let mut reader =
        Reader::new(document, member, object, path, context.env, base(document, scope, context), problems);
    reader.of_project = scope == Scope::Project;
    let named = check_name(&mut reader, member);
    let kind = kind(&mut reader, scope);
    if let Some(kind) = kind {
        entry.transport = kind.transport();
        fields::check(&mut reader, kind, context.known);
    }
    entry.extras = extra::read(document, member, object, context.known, |field| {
        document.origin(&path.key(&field.key), field.key_span)
    });
    let older = timeout(&mut reader, "request_timeout_ms");
    entry.timeout = timeout(&mut reader, "timeout").or(older);
    entry.account = account(&mut reader);
    entry.limits = limits::read(&mut reader);
    entry.always_load = reader.flag("alwaysLoad");
    entry.tools = tools::read(&mut reader, |key| fields::is_known(key, context.known));
    let server = kind.and_then(|kind| match kind {
        Kind::Stdio => {
            stdio::read(&mut reader, scope, context, base(document, scope, context)).map(EntryServer::Stdio)
        }
        Kind::Remote(kind) => {
            let base = base_of_remote(document, scope, context);
            reader.base = base;
            remote::read(&mut reader, kind, scope, context, base)
        }
        Kind::InProcess => {
            let hint = "take the entry out, or write how it is reached from outside: `url` or `command`";
            let message = "lives inside a host program, and nothing outside can reach it";
            let mut problem =
                reader.problem(Severity::Error, ProblemCode::InvalidConfig, &[], member.key_span, message);
            problem.hint = Some(hint.to_owned());
            reader.problems.push(problem);
            Some(EntryServer::InProcess)
        }
    });
    let of_person = !scope.is_of_project();
    let begins = base(document, scope, context);
    let cwd = if of_person && scope != Scope::Dynamic { context.person_dir } else { begins };
    entry.lookups =
        Lookups { cwd: cwd.to_owned(), scrubbed: scope == Scope::Project, trusted: context.trusted };
    entry.switch = switch(&mut reader);
    entry.fields = reader.fields;
    entry.terms = Terms::of(document, object, entry.transport.as_str(), &entry.fields);
    if let Some(EntryServer::Stdio(Stdio { env_file: Some(file), .. })) = &server {
        entry.terms.add_file(file);
    }
    if let (true, Some(server)) = (named && !reader.invalid, server) {
        entry.server = server;
    }
    entry
}

/// Leaves out what of one entry is too much, and says so. Errors come before warnings: they are why it is not used.
fn tell_some(found: &mut Vec<Problem>) {
    let Some(more) = found.len().checked_sub(MAX_TOLD).filter(|more| *more > 0) else { return };
    found.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    found.truncate(MAX_TOLD);
    if let Some(last) = found.last_mut() {
        last.message.push_str(&format!("; {more} more problems of this entry are not told"));
    }
}

/// Where a relative path of an entry begins.
fn base<'a>(document: &'a Document<'_>, scope: Scope, context: Context<'a>) -> &'a Path {
    let own = || document.place.path().and_then(Path::parent);
    let folder = document.folder.as_deref().or_else(own).filter(|_| scope == Scope::Project);
    folder.unwrap_or(context.launch_dir)
}

/// Where the files of an entry for a remote server begin. Security: of one for everywhere, a relative path would be one of
/// whatever folder a person stands in.
fn base_of_remote<'a>(document: &'a Document<'_>, scope: Scope, context: Context<'a>) -> &'a Path {
    let is_for_everywhere = matches!(scope, Scope::Mcplink | Scope::User) && !context.for_project;
    let folder = document.place.path().and_then(Path::parent).filter(|_| is_for_everywhere);
    folder.unwrap_or_else(|| base(document, scope, context))
}

/// Reports names that are written twice in `object`; the last one wins.
pub(crate) fn duplicates(
    document: &Document<'_>,
    object: &Object,
    path: &Pointer,
    problems: &mut Vec<Problem>,
) {
    for member in object.overridden().take(MAX_TOLD) {
        let in_force = object.iter().find(|other| other.key == member.key);
        let line = in_force.map_or(0, |other| document.line(other.key_span));
        let message = format!("is written twice; the last one counts, in line {line}");
        let (code, path) = (ProblemCode::DuplicateName, path.key(&member.key));
        problems.push(document.problem(Severity::Warning, code, &path, member.key_span, message));
    }
}

fn check_name(reader: &mut Reader<'_, '_>, member: &Member) -> bool {
    if member.key.trim().is_empty() {
        reader.entry_error(ProblemCode::InvalidConfig, &[], "a server needs a name", "give the entry a name");
        return false;
    }
    if RESERVED_NAMES.contains(&&*member.key) {
        let message = "this name is reserved for a built-in server; the entry is skipped";
        let hint = Some("give the entry another name");
        reader.warn(ProblemCode::ReservedName, &[], member.key_span, message, hint);
        return false;
    }
    let seen = without_emoji_signs(&member.key);
    if mcp_text::line(&seen, usize::MAX) != seen || member.key.trim() != &*member.key {
        let message = "its name has blanks at an end, or characters that are not seen: it is another name than it looks";
        let hint = Some("write the name with visible characters");
        reader.warn(ProblemCode::Whitespace, &[], member.key_span, message, hint);
    }
    true
}

/// The name without what makes a picture of the symbols before it (UTS #51: variation selector 16, joiner).
fn without_emoji_signs(name: &str) -> String {
    let mut before = ' ';
    let mut kept = String::with_capacity(name.len());
    for c in name.chars() {
        let is_sign = matches!(c, '\u{fe0f}' | '\u{200d}');
        if !(is_sign && !before.is_ascii() && !before.is_alphanumeric()) {
            kept.push(c);
        }
        before = c;
    }
    kept
}

fn kind(reader: &mut Reader<'_, '_>, scope: Scope) -> Option<Kind> {
    let Some(node) = reader.get("type") else {
        if reader.get("command").is_some() {
            return Some(Kind::Stdio);
        }
        if let Some(url) = reader.get("url") {
            let is_socket = |url: &str| url.starts_with("ws://") || url.starts_with("wss://");
            // Claude Code passes the entry over; what was named for this run alone is another host's file more often than not.
            if scope == Scope::Dynamic && !url.as_str().is_some_and(is_socket) {
                let message = "is missing; it is taken for http, and for sse where the server speaks that";
                let hint = Some("add \"type\": \"http\" (or \"sse\") to this entry");
                reader.warn(ProblemCode::UrlMissingType, &["type"], url.span, message, hint);
                return Some(Kind::Remote(RemoteKind::Http));
            }
            let (message, hint) = match url.as_str() {
                Some(url) if is_socket(url) => (remote::NO_WEB_SOCKET, remote::INSTEAD_OF_WEB_SOCKET),
                _ => (
                    "is missing; with a `url` alone it is unknown how to speak to the server",
                    "add \"type\": \"http\" (or \"sse\") to this entry",
                ),
            };
            reader.entry_error(ProblemCode::UrlMissingType, &["type"], message, hint);
        } else {
            let object = reader.object();
            let hint = match missing::in_another_word(object, "") {
                Some(found) => found,
                None if is_of_servers(object) => {
                    "it holds entries: put them where it stands, without this object around them".to_owned()
                }
                None => "a local server has a `command`; a remote one has a `type` and a `url`".to_owned(),
            };
            reader.entry_error(ProblemCode::InvalidConfig, &[], "has neither `command` nor `url`", &hint);
        }
        return None;
    };
    let Some(word) = node.as_str() else {
        reader.wrong_type("type", node, "a string");
        return None;
    };
    reader.show("type", node, word.to_owned());
    let known = Kind::from_word(word);
    if known.is_none() {
        let mut problem = reader.problem(
            Severity::Error,
            ProblemCode::UnknownType,
            &["type"],
            node.span,
            format!("unknown type {:?}", short(word)),
        );
        let meant = crate::foreign::kind(word);
        let near = meant.or_else(|| crate::suggest::nearest(&word.replace(['_', '-'], ""), Kind::WORDS));
        problem.hint = Some(match near {
            Some("ws") => {
                problem.message = remote::NO_WEB_SOCKET.to_owned();
                remote::INSTEAD_OF_WEB_SOCKET.to_owned()
            }
            Some(meant) if crate::foreign::kind(word).is_some() => {
                format!("write \"type\": \"{meant}\"; {word:?} is another host's word for it")
            }
            Some(near) => format!("did you mean {near:?}? The types are {}", Kind::USABLE.join(", ")),
            None => match of_launcher(word) {
                Some(hint) => hint.to_owned(),
                None => format!("the types are {}", Kind::USABLE.join(", ")),
            },
        });
        reader.problems.push(problem);
        reader.invalid = true;
    }
    known
}

/// What to write for a `type` that says what starts a server.
fn of_launcher(word: &str) -> Option<&'static str> {
    Some(match &*word.to_ascii_lowercase() {
        "node" | "python" | "npx" | "uvx" | "binary" | "uv" => {
            "a server that is started has the type \"stdio\": write the program as `command`, and the rest as `args`"
        }
        "docker" | "container" => {
            "a container is started by a command: \"command\": \"docker\", \"args\": [\"run\", \"-i\", \"--rm\", \"IMAGE\"]"
        }
        "inmemory" | "in-memory" | "builtin" | "internal" | "sdk" => {
            "a server within another program is in reach of that program alone"
        }
        _ => return None,
    })
}

/// Whether this is not an entry, but an object of entries within the one that is for them.
fn is_of_servers(entry: &Object) -> bool {
    let is_entry = |node: &Node| {
        node.as_object().is_some_and(|inner| inner.get("command").is_some() || inner.get("url").is_some())
    };
    entry.iter().any(|member| is_entry(&member.node))
}

/// The start of a word that stands where only short words belong.
fn short(word: &str) -> String {
    if word.chars().count() <= 32 { word.to_owned() } else { word.chars().take(31).chain(['…']).collect() }
}

/// A limit in milliseconds, or why it is none.
pub(crate) fn timeout_of(node: &Node) -> Result<Duration, String> {
    match node.as_u64() {
        Some(ms) if ms >= MIN_TIMEOUT_MS => Ok(Duration::from_millis(ms)),
        Some(ms) => Err(format!("{ms} ms is below {MIN_TIMEOUT_MS} ms and is ignored")),
        None => {
            let is_number = matches!(node.value, Value::Number(_));
            let found = if is_number { "one that is negative or not whole" } else { node.kind() };
            Err(format!("expected milliseconds as a number, found {found}; it is ignored"))
        }
    }
}

/// Whose sign-in is used. One that cannot be read does not become another one's.
fn account(reader: &mut Reader<'_, '_>) -> Option<String> {
    const KEY: &str = crate::account::KEY;
    let node = reader.get(KEY)?;
    match crate::account::of(node) {
        Ok(account) => {
            reader.show(KEY, node, account.clone());
            Some(account)
        }
        Err(why) => {
            reader.error(ProblemCode::InvalidConfig, &[KEY], node.span, why, None);
            None
        }
    }
}

/// A limit that a field sets.
fn timeout(reader: &mut Reader<'_, '_>, key: &str) -> Option<Duration> {
    let ms = reader.milliseconds(key)?;
    if ms < MIN_TIMEOUT_MS {
        let message = format!("{ms} ms is below {MIN_TIMEOUT_MS} ms and is ignored");
        let hint = "the unit is milliseconds: 30 seconds are 30000";
        if let Some(span) = reader.get(key).map(|node| node.span) {
            reader.warn(ProblemCode::IgnoredValue, &[key], span, message, Some(hint));
        }
        return None;
    }
    Some(Duration::from_millis(ms))
}

/// Whether the entry itself says that it is off, in any of the spellings that hosts have for it.
///
/// It can say so in any file, and nothing in it can say the opposite: `enabled: true` is no more than the
/// absence of a switch. A value of the wrong type is taken for off.
fn switch(reader: &mut Reader<'_, '_>) -> Switch {
    let mut off = Vec::new();
    for (key, off_value) in [("disabled", true), ("enabled", false), ("isActive", false)] {
        let Some(node) = reader.get(key) else { continue };
        match node.as_bool() {
            Some(value) => reader.show(key, node, value.to_string()),
            None => {
                let message = format!("expected true or false, found {}; the server stays off", node.kind());
                let problem =
                    reader.problem(Severity::Warning, ProblemCode::InvalidConfig, &[key], node.span, message);
                reader.problems.push(problem);
            }
        }
        if node.as_bool().is_none_or(|value| value == off_value) {
            off.push(reader.origin(&[key], node.span));
        }
    }
    if off.is_empty() { Switch::On } else { Switch::Off(off) }
}

impl Kind {
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "stdio" => Self::Stdio,
            "http" | "streamable-http" => Self::Remote(RemoteKind::Http),
            "sse" => Self::Remote(RemoteKind::Sse),
            "ws" => Self::Remote(RemoteKind::Ws),
            "sdk" => Self::InProcess,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::without_emoji_signs;
    #[test]
    fn signs_that_make_a_picture_of_a_symbol_hide_nothing() {
        let is_plain = |name: &str| {
            let seen = without_emoji_signs(name);
            mcp_text::line(&seen, usize::MAX) == seen
        };
        for name in ["\u{2764}\u{fe0f} \u{6587}", "\u{1f469}\u{200d}\u{1f4bb}", "docs"] {
            assert!(is_plain(name), "{name:?}");
        }
        for name in ["a\u{fe0f}", "\u{6587}\u{200d}", "\u{fe0f}a", "\u{2764}\u{fe0f}\u{fe0f}\u{202e}"] {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
