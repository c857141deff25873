//! What the administrator's settings say beside their lists: servers that they provide, and doors that they close.
//!
//! | setting | effect |
//! |---|---|
//! | `managedMcpServers` | each person gets these remote servers beside their own; they win over a server of the same name in a file of the person or a project, and need no entry of an allow list |
//! | `disableSideloadFlags` | servers of the command line (`--mcp-config`, a URL) are not used |
//! | `strictPluginOnlyCustomization` with `mcp` | servers of the person's and of a project's files are not used |
//!
//! They count in the administrator's files alone. As with Claude Code, a provided server names no program and no variable and is reached
//! over https; one that does not fit is left out, and the others are used. Of two files that provide a name, the later one counts, whole.

use crate::control::Control;
use crate::decisions::ParsedFile;
use crate::document::Document;
use crate::entry::{Scope, ServerEntry};
use crate::json::{Member, Node, Object, Pointer, Value};
use crate::schema::{self, Context};
use crate::source::FilePurpose;
use crate::sources::Sources;
use crate::{Origin, Problem, ProblemCode, Severity};

const PROVIDED: &str = "managedMcpServers";
const SIDELOAD: &str = "disableSideloadFlags";
const PLUGINS_ONLY: &str = "strictPluginOnlyCustomization";

/// The doors that the administrator closes.
#[derive(Debug, Default)]
pub(crate) struct Administrator {
    sideload: Option<Origin>,
    plugins_only: Option<Origin>,
}

impl Administrator {
    /// Tells what was asked for and may not be used.
    pub(crate) fn read(files: &[ParsedFile<'_>], sources: &Sources, problems: &mut Vec<Problem>) -> Self {
        let mut doors = Self::default();
        for (role, document) in files {
            let Some(object) = document.object() else { continue };
            if *role != FilePurpose::ManagedSettings {
                if is_of_settings(*role) {
                    problems.extend(unheard(document, object));
                }
                continue;
            }
            let at = |key: &str, node: &Node| document.origin(&Pointer::of(&[key]), node.span);
            let set = |key: &str| object.get(key).filter(|node| !node.is_null());
            // A word that is not an answer closes the door: a mistake in a security knob must not open it.
            if let Some(node) = set(SIDELOAD).filter(|node| node.as_bool() != Some(false)) {
                doors.sideload.get_or_insert_with(|| at(SIDELOAD, node));
            }
            if let Some(node) = set(PLUGINS_ONLY).filter(|node| closes_mcp(node)) {
                doors.plugins_only.get_or_insert_with(|| at(PLUGINS_ONLY, node));
            }
        }
        if let Some(origin) = &doors.sideload
            && sources.with_role(FilePurpose::Dynamic).next().is_some()
        {
            let message = "the administrator has servers of the command line switched off; --mcp-config and a server by its URL cannot be used";
            let problem = Problem::new(Severity::Error, ProblemCode::ManagedPolicy, message);
            problems.push(problem.at(origin));
        }
        if let Some(origin) = &doors.plugins_only {
            let message = "servers of your own files and of projects are not used; only plugins and the administrator bring servers along";
            problems.push(Problem::new(Severity::Note, ProblemCode::ManagedPolicy, message).at(origin));
        }
        doors
    }

    /// Whether servers of files of this role may be used.
    pub(crate) fn admits(&self, role: FilePurpose) -> bool {
        match role {
            FilePurpose::Dynamic => self.sideload.is_none(),
            FilePurpose::User | FilePurpose::Own | FilePurpose::Project | FilePurpose::Host(_) => {
                self.plugins_only.is_none()
            }
            _ => true,
        }
    }
}

/// The servers that the administrator's settings provide.
pub(crate) fn provided(
    files: &[ParsedFile<'_>],
    control: Control,
    context: Context<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<ServerEntry> {
    let is_heard = match control {
        Control::Open | Control::Managed | Control::Host { native: true } => true,
        // A person who asks for other servers alone gets no more.
        Control::Strict | Control::Host { native: false } => false,
    };
    let mut entries = Vec::new();
    for (_, document) in
        files.iter().rev().filter(|(role, _)| is_heard && *role == FilePurpose::ManagedSettings)
    {
        let Some(node) = document.object().and_then(|object| object.get(PROVIDED)) else { continue };
        let path = Pointer::of(&[PROVIDED]);
        let Some(object) = node.as_object() else {
            let message =
                format!("expected an object of servers by name, found {}; none is used", node.kind());
            problems.push(invalid(document, &path, node, message));
            continue;
        };
        let mut usable: Vec<Member> = Vec::new();
        for member in object.iter() {
            match unfit(member) {
                None => usable.push(member.clone()),
                Some(why) => {
                    let message = format!("{why}; the server is left out");
                    let problem = invalid(document, &path.key(&member.key), &member.node, message);
                    problems.push(problem.of_server(&member.key));
                }
            }
        }
        let node = Node { span: node.span, value: Value::Object(Object::of(usable)) };
        entries.extend(schema::servers(document, &node, &path, Scope::Managed, context, problems));
    }
    entries
}

/// Why a provided server may not be used as it is written.
fn unfit(member: &Member) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if member.key.is_empty() || !member.key.chars().all(plain) {
        return Some("its name may have letters, digits, `-` and `_` only");
    }
    let Some(entry) = member.node.as_object() else { return Some("expected an object") };
    let text = |key: &str| entry.get(key).and_then(Node::as_str);
    if !matches!(text("type"), Some("http" | "streamable-http" | "sse")) {
        return Some("its type must be http or sse");
    }
    let url = text("url").unwrap_or_default();
    if !url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
        return Some("its url must begin with https://");
    }
    if ["command", "args", "env", "envFile", "headersHelper", "auth"]
        .iter()
        .any(|key| entry.get(key).is_some())
    {
        return Some(
            "settings name no program: command, args, env, envFile, headersHelper and auth may not be there",
        );
    }
    any_text(&member.node, &|text| text.contains("${"))
        .then_some("settings name no variable: what is written with ${ } is not replaced")
        .or_else(|| {
            let hidden = |text: &str| text.chars().any(|c| c.is_control() || mcp_text::is_hidden(c));
            any_text(&member.node, &hidden).then_some("it has characters that are not seen")
        })
}

/// Whether any key or text in `node` is such.
fn any_text(node: &Node, is_such: &dyn Fn(&str) -> bool) -> bool {
    match &node.value {
        Value::String(text) => is_such(text),
        Value::Array(items) => items.iter().any(|item| any_text(item, is_such)),
        Value::Object(object) => {
            object.all().iter().any(|member| is_such(&member.key) || any_text(&member.node, is_such))
        }
        _ => false,
    }
}

/// `true`, a list with `mcp`, or what is neither.
fn closes_mcp(node: &Node) -> bool {
    match (node.as_bool(), node.as_array()) {
        (Some(all), _) => all,
        (None, Some(items)) => items.iter().any(|item| item.as_str().is_none_or(|word| word == "mcp")),
        (None, None) => true,
    }
}

fn is_of_settings(role: FilePurpose) -> bool {
    matches!(role, FilePurpose::UserSettings | FilePurpose::ProjectSettings | FilePurpose::LocalSettings)
}

/// The problem that a file of another one than the administrator says what only the administrator's may.
fn unheard(document: &Document<'_>, object: &Object) -> Option<Problem> {
    let node = object.get(PROVIDED).filter(|node| !node.is_null())?;
    let message = "counts in the administrator's settings alone; no server of it is used";
    let (severity, code) = (Severity::Warning, ProblemCode::NeverRead);
    Some(document.problem(severity, code, &Pointer::of(&[PROVIDED]), node.span, message))
}

fn invalid(document: &Document<'_>, path: &Pointer, node: &Node, message: String) -> Problem {
    document.problem(Severity::Warning, ProblemCode::InvalidPolicy, path, node.span, message)
}
