//! Which fields there are.

use super::reader::Reader;
use crate::display::display_key;
use crate::entry::RemoteKind;
use crate::{ProblemCode, Severity};

/// The kinds of entry; each has its own fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Stdio,
    Remote(RemoteKind),
    InProcess,
}

impl Kind {
    pub(super) const WORDS: [&'static str; 6] = ["stdio", "http", "streamable-http", "sse", "ws", "sdk"];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Remote(kind) => kind.as_str(),
            Self::InProcess => "sdk",
        }
    }

    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Stdio => &STDIO,
            Self::Remote(RemoteKind::Ws) => &REMOTE[..5],
            Self::Remote(_) => &REMOTE,
            Self::InProcess => &IN_PROCESS,
        }
    }
}

static COMMON: [&str; 7] = ["type", "timeout", "limits", "alwaysLoad", "disabled", "enabled", "isActive"];
static STDIO: [&str; 6] = ["command", "args", "env", "envFile", "cwd", "startupTimeoutMs"];
/// `oauth` is last: WebSocket has no challenge to answer, so it has all but that.
static REMOTE: [&str; 6] =
    ["url", "headers", "headersHelper", "headersHelperTimeoutMs", "headersHelperTtlMs", "oauth"];
static IN_PROCESS: [&str; 2] = ["name", "instance"];

/// Warns of fields that nobody reads, and of fields that mean nothing for this kind of entry.
pub(super) fn check(reader: &mut Reader<'_, '_>, kind: Kind) {
    for member in reader.object().iter() {
        let key = &*member.key;
        if COMMON.contains(&key) || kind.fields().contains(&key) || is_remark(key) {
            continue;
        }
        let elsewhere = STDIO.contains(&key) || REMOTE.contains(&key) || IN_PROCESS.contains(&key);
        let (code, message, hint) = if elsewhere && key != "name" {
            let message = format!("has no effect on a server of type {}", kind.word());
            (ProblemCode::UnusedField, message, None)
        } else {
            let hint = hint(key, kind);
            (ProblemCode::UnknownField, format!("unknown field {:?}; it is ignored", display_key(key)), hint)
        };
        let mut problem = reader.problem(Severity::Warning, code, &[key], member.key_span, message);
        problem.hint = hint;
        reader.problems.push(problem);
    }
}

/// Keys that people use for remarks, because plain JSON has no comments.
pub(crate) fn is_remark(key: &str) -> bool {
    key.starts_with(['_', '$', '#']) || key.starts_with("//") || key == "description" || key == "comment"
}

fn hint(key: &str, kind: Kind) -> Option<String> {
    if let Some(instead) = crate::foreign::field(key) {
        return Some(instead);
    }
    let fields = COMMON.iter().chain(kind.fields()).copied();
    crate::suggest::nearest(key, fields).map(|near| format!("did you mean `{near}`?"))
}
