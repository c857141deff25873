//! Entries that are a way to a server, and no server: `{"command": "mcplink", "args": ["bridge", "internal"]}`.
//!
//! People put such an entry into the file of a host. Where this program reads that file too, the entry looks like a
//! local server whose command is this program, and starting it would start this program with the same files again, without
//! an end. It is a *pointer*: never started, probed or counted, and the next definition of its name is used, whatever its
//! scope.

mod command;
mod dead_end;
mod valued;

use std::fmt;

use crate::entry::{Approval, Scope, ServerEntry};
use crate::expand::Text;
use crate::program::Program;
use crate::redacted::RedactedText;
use crate::{Problem, ProblemCode, Severity};

/// What to do about a pointer that leads nowhere.
const HINT: &str = "put the server's own entry, its url or command, under that name into another file or scope \
                    that is read, or rename one of the two";

/// An entry that says how a host reaches a server. Never started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pointer {
    /// The entry as it is in its file.
    pub entry: ServerEntry,
    /// The name of the server that it leads to, expanded.
    name: RedactedText<String>,
    /// The same as it may be shown.
    target: String,
}

impl Pointer {
    pub(crate) fn of(entry: &ServerEntry, program: Program<'_>) -> Option<Self> {
        let stdio = entry.stdio()?;
        // Where a stranger's path leads is not looked up before a person has agreed to the entry.
        let agreed = entry.scope != Scope::Project || matches!(entry.approval, Approval::Approved(_));
        let program = Program { cwd: stdio.working_directory(program.cwd), ..program };
        let is_program = |command: &str| agreed && program.is(command);
        let args: Vec<&str> = stdio.args.iter().map(Text::expose).collect();
        let name = command::target(stdio.command.expose(), &args, &is_program)?;
        let shown = crate::display::display_args(stdio.command.expose(), &stdio.args);
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        let target = command::target(stdio.command.expose(), &shown, &is_program);
        let target = target.unwrap_or_else(|| crate::display::REDACTED.to_owned());
        Some(Self { entry: entry.clone(), name: RedactedText::new(name), target })
    }

    /// The name of the server that it leads to, most often its own, as it may be shown: as written.
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a bridge to {:?}, and no server itself", self.target)
    }
}

/// Takes the pointers out of `candidates`.
pub(crate) fn split(candidates: Vec<ServerEntry>, program: Program<'_>) -> (Vec<ServerEntry>, Vec<Pointer>) {
    let mut servers = Vec::with_capacity(candidates.len());
    let mut pointers = Vec::new();
    for entry in candidates {
        match Pointer::of(&entry, program) {
            Some(pointer) => pointers.push(pointer),
            None => servers.push(entry),
        }
    }
    (servers, pointers)
}

/// What there is to tell of each pointer: what it is, and where nothing is at its end, if `servers` are all that there are.
pub(crate) fn problems(pointers: &[Pointer], servers: Option<&[ServerEntry]>, problems: &mut Vec<Problem>) {
    let names: Option<std::collections::HashSet<&str>> =
        servers.map(|servers| servers.iter().map(|entry| &*entry.name).collect());
    for pointer in pointers {
        let ends = names.as_ref().is_none_or(|names| names.contains(pointer.name.expose().as_str()));
        let problem = if ends {
            Problem::new(Severity::Note, ProblemCode::Pointer, pointer.to_string())
        } else {
            let message = format!("{pointer}; no entry named {:?} has a `url` or `command`", pointer.target);
            Problem::new(Severity::Warning, ProblemCode::Pointer, message).with_hint(HINT)
        };
        problems.push(problem.at(&pointer.entry.origin).of_server(&pointer.entry.name));
    }
}

/// The notes on the pointers of one file, of which alone it cannot be told where they end.
pub(crate) fn notes(servers: &[ServerEntry], program: Program<'_>, problems: &mut Vec<Problem>) {
    for entry in servers {
        if let Some(pointer) = Pointer::of(entry, program) {
            let problem = Problem::new(Severity::Note, ProblemCode::Pointer, pointer.to_string());
            problems.push(problem.at(&entry.origin).of_server(&entry.name));
        }
    }
}
