//! Entries that are a command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Context;
use super::reader::Reader;
use crate::ProblemCode;
use crate::display;
use crate::entry::{Scope, Stdio};
use crate::env_file::EnvFile;
use crate::expand::Text;
use crate::json::{Node, Span};
use crate::redacted::RedactedText;

/// What hosts that are editors call the folder of the project (VS Code, and those made of it).
const WORKSPACE: &str = "workspaceFolder";

/// `base` is where a relative path of the entry begins: the folder of a project's file, wherever in the project a person
/// is, and else the launch directory.
pub(super) fn read(
    reader: &mut Reader<'_, '_>,
    scope: Scope,
    context: Context<'_>,
    base: &Path,
) -> Option<Stdio> {
    let Some(node) = reader.get("command") else {
        let usual = "add the program to run as `command`";
        let hint = super::missing::instead(reader.object(), "command", usual);
        reader.entry_error(ProblemCode::InvalidConfig, &["command"], "is missing", &hint);
        return None;
    };
    if node.as_array().is_some() {
        let message = "expected a string, found an array";
        let hint = "write its first word as `command` and the others as `args`";
        reader.error(ProblemCode::InvalidConfig, &["command"], node.span, message, Some(hint));
        return None;
    }
    let command = reader.text(node, &["command"])?;
    let missing = command.missing().map(str::to_owned).collect();
    reader.show_at(&["command"], node, display::display_program(&command), missing);
    if command.expose().trim().is_empty() {
        reader.error(ProblemCode::InvalidConfig, &["command"], node.span, "is empty", None);
    }
    let args = args(reader, command.expose());
    let env = reader.text_map("env");
    let spans = reader.member_spans("env");
    for (name, value) in &env {
        // What the operating system cannot carry (POSIX: names without `=`, C strings without NUL).
        if name.is_empty() || name.contains(['=', '\0']) || value.expose().contains('\0') {
            let span = spans.get(&**name).copied().unwrap_or(node.span);
            let message = "is not a variable that a process can be given";
            reader.error(ProblemCode::InvalidConfig, &["env", name], span, message, None);
        }
    }
    let cwd = reader.get("cwd").and_then(|node| place(reader, context, base, &["cwd"], node));
    let cwd = cwd.map(|place| RedactedText::new(place.path));
    let env_file = env_file(reader, context, base);
    let startup_timeout = super::timeout(reader, "startupTimeoutMs");
    // Security: where a person happens to be would decide which program a relative path means that was approved.
    let folder = (scope == Scope::Project).then(|| base.to_owned());
    Some(Stdio { command, args, env, env_file, cwd, folder, startup_timeout })
}

/// A path that a field names.
pub(super) struct PathField {
    /// Absolute, and expanded.
    pub(super) path: PathBuf,
    /// As it may be told: whole, unless it is made of variables.
    pub(super) shown: String,
    span: Span,
}

/// The path that a field names. The name of the folder that other hosts have for a project is
/// the base, so that their entries work as they are.
pub(super) fn place(
    reader: &mut Reader<'_, '_>,
    context: Context<'_>,
    base: &Path,
    steps: &[&str],
    node: &Node,
) -> Option<PathField> {
    let env = match context.env.var(WORKSPACE) {
        Some(_) => None,
        None => Some(context.env.clone().with(WORKSPACE, base)),
    };
    let text = reader.text_with(node, steps, env.as_ref().unwrap_or(context.env))?;
    let missing = text.missing().map(str::to_owned).collect();
    reader.show_at(steps, node, display::display_url_text(&text), missing);
    let wrong = if text.expose().trim().is_empty() {
        Some(("is empty", "leave it out"))
    } else if text.expose().contains('\0') {
        Some(("has a NUL character in it", "write a path"))
    } else if text.expose() == "~" || text.expose().starts_with("~/") {
        Some(("begins with `~`, which is not expanded", "write ${HOME}"))
    } else {
        None
    };
    if let Some((message, hint)) = wrong {
        reader.error(ProblemCode::InvalidConfig, steps, node.span, message, Some(hint));
        return None;
    }
    let path = base.join(text.expose());
    let shown = match text.from_environment().all(|name| env.is_some() && name == WORKSPACE) {
        true => path.display().to_string(),
        false => display::display_url_text(&text),
    };
    Some(PathField { path, shown, span: node.span })
}

/// The variables of the file that `envFile` names. Without them the command is not what was meant, so a file that cannot be
/// read makes the entry unusable.
fn env_file(reader: &mut Reader<'_, '_>, context: Context<'_>, base: &Path) -> Option<Arc<EnvFile>> {
    let node = reader.get("envFile")?;
    let PathField { path, shown, span } = place(reader, context, base, &["envFile"], node)?;
    let file = match context.env_files.open(&path) {
        Ok(file) => file,
        Err(why) => {
            let hint = "make the file readable, or leave `envFile` out";
            let message = format!("cannot be used: {shown}: {why}");
            reader.error(ProblemCode::InvalidConfig, &["envFile"], span, message, Some(hint));
            return None;
        }
    };
    for line in &file.odd_lines {
        let message = format!("line {line} of {shown} is not a NAME=VALUE; it is passed over");
        reader.warn(ProblemCode::IgnoredValue, &["envFile"], span, message, None);
    }
    if let Some((name, _)) = file.variables.iter().find(|(_, value)| value.expose().contains("${")) {
        let message =
            format!("{name} in {shown} refers to another variable; no value of the file is expanded");
        reader.warn(ProblemCode::UnsupportedVariable, &["envFile"], span, message, None);
    }
    Some(file)
}

/// More than any command line of a person has; each word costs what is made of it.
const MAX_ARGS: usize = 10_000;

fn args(reader: &mut Reader<'_, '_>, program: &str) -> Vec<Text> {
    let Some(node) = reader.get("args") else { return Vec::new() };
    let Some(items) = node.as_array() else {
        let hint = "write each word as a string of its own, as in [\"-y\", \"server\"]";
        reader.misshapen("args", node, "an array of strings", Some(hint));
        return Vec::new();
    };
    if items.len() > MAX_ARGS {
        let message = format!("has {} words; a process is given at most {MAX_ARGS}", items.len());
        let hint = Some("take out what is too much");
        reader.error(ProblemCode::InvalidConfig, &["args"], node.span, &message, hint);
        return Vec::new();
    }
    let read =
        |(index, item): (usize, &Node)| reader.text_with_secrets(item, &["args", &format!("[{index}]")]);
    let args: Vec<Text> = items.iter().enumerate().filter_map(read).collect();
    if args.len() == items.len() {
        for (index, (shown, item)) in display::display_args(program, &args).into_iter().zip(items).enumerate()
        {
            let missing = args[index].missing().map(str::to_owned).collect();
            let step = format!("[{index}]");
            reader.show_at(&["args", &step], item, shown, missing);
        }
    }
    args
}
