//! Which fields there are.

use super::reader::Reader;
use super::shape::Shape;
use super::tools::{self, UnknownPolicy};
use crate::display::display_key;
use crate::entry::RemoteKind;
use crate::remark::is_remark;
use crate::{EntryTransport, ProblemCode, Severity};

/// The kinds of entry; each has its own fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Stdio,
    Remote(RemoteKind),
    InProcess,
}

impl Kind {
    pub(super) const WORDS: [&'static str; 6] = ["stdio", "http", "streamable-http", "sse", "ws", "sdk"];

    /// Those that a server can be reached by: the ones to suggest in an editor.
    pub(super) const USABLE: [&'static str; 4] = ["stdio", "http", "streamable-http", "sse"];

    pub(super) fn transport(self) -> EntryTransport {
        match self {
            Self::Stdio => EntryTransport::Stdio,
            Self::Remote(kind) => EntryTransport::Remote(kind),
            Self::InProcess => EntryTransport::InProcess,
        }
    }
}

/// The kinds of entry that have a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum EntryKinds {
    All,
    Stdio,
    Remote,
    /// WebSocket has no challenge to answer.
    Http,
    InProcess,
}

/// A field of an entry: the reader knows it, and so does the schema.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) of: EntryKinds,
    pub(super) shape: Shape,
    pub(super) about: &'static str,
}

impl Field {
    const fn new(name: &'static str, of: EntryKinds, shape: Shape, about: &'static str) -> Self {
        Self { name, of, shape, about }
    }

    fn is_of(&self, kind: Kind) -> bool {
        match self.of {
            EntryKinds::All => true,
            EntryKinds::Stdio => kind == Kind::Stdio,
            EntryKinds::Remote => matches!(kind, Kind::Remote(_)),
            EntryKinds::Http => matches!(kind, Kind::Remote(RemoteKind::Http | RemoteKind::Sse)),
            EntryKinds::InProcess => kind == Kind::InProcess,
        }
    }
}

const LEAST_MS: u64 = super::MIN_TIMEOUT_MS;

/// Every field of an entry.
pub(super) static FIELDS: [Field; 48] = [
    Field::new(
        "type",
        EntryKinds::All,
        Shape::OneOf(&Kind::USABLE),
        "How the server speaks; a command alone is `stdio`.",
    ),
    Field::new(
        "command",
        EntryKinds::Stdio,
        Shape::Text,
        "The program of a local server. `${NAME}` and `${NAME:-default}` are replaced.",
    ),
    Field::new("args", EntryKinds::Stdio, Shape::Texts, "Its arguments; variables are replaced."),
    Field::new(
        "env",
        EntryKinds::Stdio,
        Shape::TextMap,
        "Variables that it gets; variables in the values are replaced.",
    ),
    Field::new("envFile", EntryKinds::Stdio, Shape::Text, "A file of variables, NAME=VALUE on each line."),
    Field::new("cwd", EntryKinds::Stdio, Shape::Text, "The folder that it is started in."),
    Field::new(
        "startupTimeoutMs",
        EntryKinds::Stdio,
        Shape::Whole(LEAST_MS, None),
        "How long its start may take, in milliseconds.",
    ),
    Field::new(
        "url",
        EntryKinds::Remote,
        Shape::Text,
        "The address of a remote server. `${NAME}` and `${NAME:-default}` are replaced.",
    ),
    Field::new(
        "headers",
        EntryKinds::Remote,
        Shape::TextMap,
        "Headers that are sent with each request; variables in the values are replaced.",
    ),
    Field::new(
        "headersFile",
        EntryKinds::Remote,
        Shape::Text,
        "A file of more headers, `Name: value` on each line; never in the file of a project.",
    ),
    Field::new(
        "headersHelper",
        EntryKinds::Remote,
        Shape::Text,
        "A command that prints more headers, as a JSON object.",
    ),
    Field::new(
        "headersHelperTimeoutMs",
        EntryKinds::Remote,
        Shape::Whole(1, None),
        "How long the command may take, in milliseconds.",
    ),
    Field::new(
        "headersHelperTtlMs",
        EntryKinds::Remote,
        Shape::Whole(1, None),
        "How long its headers are good for, in milliseconds.",
    ),
    Field::new(
        crate::unattended::KEY,
        EntryKinds::Http,
        Shape::Auth,
        "Credentials without a person: a grant, or a token in a file; never in the file of a project.",
    ),
    Field::new("oauth", EntryKinds::Http, Shape::OAuth, "How it is signed in to; `false` for never."),
    Field::new(
        crate::account::KEY,
        EntryKinds::Http,
        Shape::Text,
        "Which of your sign-ins to it is used, by the name that `login --account` gave it.",
    ),
    Field::new(
        "tls",
        EntryKinds::Http,
        Shape::Tls,
        "Which certificates are trusted, and which one is shown.",
    ),
    Field::new(
        "proxy",
        EntryKinds::Http,
        Shape::Text,
        "The proxy of all its requests, http, https or socks5; `none` for none. Variables are replaced.",
    ),
    Field::new(
        "cookies",
        EntryKinds::Http,
        Shape::Flag,
        "`false` sends no cookie back that the server sets.",
    ),
    Field::new("ipv4", EntryKinds::Http, Shape::Flag, "`true` uses addresses of IPv4 alone."),
    Field::new(
        "fallback",
        EntryKinds::Http,
        Shape::Flag,
        "`false` tries no other transport than that of `type` where the server does not speak it.",
    ),
    Field::new(
        "protocol",
        EntryKinds::Http,
        Shape::OneOf(&super::network::PROTOCOLS),
        "`legacy` or `modern` speaks that era and no other; `auto` finds out by asking.",
    ),
    Field::new(
        "keepAliveMs",
        EntryKinds::Http,
        Shape::Whole(super::network::LEAST_KEEP_ALIVE_MS, None),
        "How long the server may say nothing before it is pinged, in milliseconds; without it, nothing is sent unasked.",
    ),
    Field::new(
        "timeout",
        EntryKinds::All,
        Shape::Whole(LEAST_MS, None),
        "The limit of one call of a tool, in milliseconds.",
    ),
    Field::new(
        "request_timeout_ms",
        EntryKinds::All,
        Shape::Whole(LEAST_MS, None),
        "As `timeout`, which counts where both stand there; an older word of Claude Code.",
    ),
    Field::new("limits", EntryKinds::All, Shape::Limits, "What the server may cost."),
    Field::new("alwaysLoad", EntryKinds::All, Shape::Flag, "The host is to load its tools at once."),
    Field::new(
        "allowedTools",
        EntryKinds::All,
        Shape::Texts,
        "The tools that may be used, and no others; `*` stands for any characters.",
    ),
    Field::new("includeTools", EntryKinds::All, Shape::Texts, "As `allowedTools`; Gemini CLI's word."),
    Field::new("enabledTools", EntryKinds::All, Shape::Texts, "As `allowedTools`."),
    Field::new("enabled_tools", EntryKinds::All, Shape::Texts, "As `allowedTools`; Codex's word."),
    Field::new(
        "blockedTools",
        EntryKinds::All,
        Shape::Texts,
        "Tools that are neither listed nor called; `*` stands for any characters.",
    ),
    Field::new(
        "excludeTools",
        EntryKinds::All,
        Shape::Texts,
        "As `blockedTools`; Gemini CLI's and Copilot CLI's word.",
    ),
    Field::new("disabledTools", EntryKinds::All, Shape::Texts, "As `blockedTools`; Kiro's word."),
    Field::new("disabled_tools", EntryKinds::All, Shape::Texts, "As `blockedTools`; Codex's word."),
    Field::new(
        "tools",
        EntryKinds::All,
        Shape::Tools,
        "As `allowedTools` where it is a list of names; or what may be done with each tool: one that is denied is neither listed nor called.",
    ),
    Field::new(
        "toolPermissions",
        EntryKinds::All,
        Shape::Permissions,
        "`blocked` for each tool that is neither listed nor called; what else is said of a tool is for hosts that ask.",
    ),
    Field::new(
        "orgMaxPermission",
        EntryKinds::All,
        Shape::OneOf(&super::tools::PERMISSIONS),
        "The most that any tool may have: `blocked` hides all of them.",
    ),
    Field::new(
        super::tools::PINS,
        EntryKinds::All,
        Shape::Flag,
        "`true`: a tool is listed and called only as long as its definition is one that you approved.",
    ),
    Field::new("disabled", EntryKinds::All, Shape::Flag, "`true` switches it off."),
    Field::new("enabled", EntryKinds::All, Shape::Flag, "`false` switches it off."),
    Field::new("isActive", EntryKinds::All, Shape::Flag, "`false` switches it off."),
    // What Claude Code shows of a server and does with it by itself; nothing of it decides how a server is reached.
    Field::new("displayName", EntryKinds::All, Shape::Any, "What a host calls it; the name counts here."),
    Field::new("role", EntryKinds::All, Shape::Any, "What a host uses it for."),
    Field::new("discoveryCache", EntryKinds::All, Shape::Any, "What a host remembers of it."),
    Field::new(
        "bareElicitationCapability",
        EntryKinds::All,
        Shape::Any,
        "How a host tells it that it asks people.",
    ),
    Field::new("name", EntryKinds::InProcess, Shape::Any, "Of a server inside of a host."),
    Field::new("instance", EntryKinds::InProcess, Shape::Any, "Of a server inside of a host."),
];

/// Whether the value of a field is one switch or one number, of which nothing is left where it is wrong.
pub(crate) fn is_plain(key: &str) -> bool {
    let field = FIELDS.iter().find(|field| field.name == key);
    field.is_some_and(|field| matches!(field.shape, Shape::Flag | Shape::Whole(..)))
}

/// Whether a field is one of an entry, of whatever kind, of the program, or a remark.
pub(super) fn is_known(key: &str, of_the_program: &[String]) -> bool {
    let is_field = FIELDS.iter().any(|field| field.name == key);
    is_field || of_the_program.iter().any(|name| name == key) || is_remark(key)
}

/// Warns of fields that are not read, and of fields that mean nothing for this kind of entry.
/// Those that the program reads itself are for it to check.
pub(super) fn check(reader: &mut Reader<'_, '_>, kind: Kind, of_the_program: &[String]) {
    for member in reader.object().iter() {
        let key = &*member.key;
        let known = FIELDS.iter().find(|field| field.name == key);
        let is_the_programs = of_the_program.iter().any(|name| name == key);
        if known.is_some_and(|field| field.is_of(kind)) || is_the_programs || is_remark(key) {
            continue;
        }
        let (code, message, hint) = if known.is_some() && key != "name" {
            let message = format!("has no effect on a server of type {}", kind.transport());
            (ProblemCode::UnusedField, message, None)
        } else {
            let field = format!("unknown field {:?}; it is", display_key(key));
            match tools::meant(key, &member.node) {
                Some(UnknownPolicy::TakenFor(meant)) => {
                    let hint = format!("write `{meant}`");
                    (ProblemCode::ToolPolicy, format!("{field} taken for `{meant}`"), Some(hint))
                }
                Some(UnknownPolicy::NotUnderstood) => {
                    (ProblemCode::ToolPolicy, format!("{field} ignored, and hides no tool"), hint(key, kind))
                }
                None => (ProblemCode::UnknownField, format!("{field} ignored"), hint(key, kind)),
            }
        };
        let mut problem = reader.problem(Severity::Warning, code, &[key], member.key_span, message);
        problem.hint = hint;
        reader.problems.push(problem);
    }
}

fn hint(key: &str, kind: Kind) -> Option<String> {
    if let Some(instead) = crate::foreign::field(key) {
        return Some(instead);
    }
    // The nearest word may be its opposite.
    if tools::sounds_like_ban(key) {
        return Some("use `blockedTools`: a list of names, with * for any characters".to_owned());
    }
    let fields = FIELDS.iter().filter(|field| field.is_of(kind)).map(|field| field.name);
    crate::suggest::nearest(key, fields).map(|near| format!("did you mean `{near}`?"))
}
