//! Entries that are a command.

use super::reader::Reader;
use crate::display;
use crate::entry::Stdio;
use crate::json::Node;
use crate::{ProblemCode, expand::Text};

pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<Stdio> {
    let Some(node) = reader.get("command") else {
        let hint = "add the program to run as `command`";
        reader.entry_error(ProblemCode::InvalidConfig, &["command"], "is missing", hint);
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
    reader.show_at(&["command"], node, display::display_url_text(&command), missing);
    if command.expose().trim().is_empty() {
        reader.error(ProblemCode::InvalidConfig, &["command"], node.span, "is empty", None);
    }
    let args = args(reader);
    let env = reader.text_map("env");
    let spans = reader.member_spans("env");
    for (name, value) in &env {
        // What the operating system cannot carry (POSIX: names without `=`, C strings without NUL).
        if name.is_empty() || name.contains(['=', '\0']) || value.expose().contains('\0') {
            let span = spans.get(&**name).copied().unwrap_or(node.span);
            let message = "is no variable that a process can be given";
            reader.error(ProblemCode::InvalidConfig, &["env", name], span, message, None);
        }
    }
    let startup_timeout = super::timeout(reader, "startupTimeoutMs");
    Some(Stdio { command, args, env, startup_timeout })
}

fn args(reader: &mut Reader<'_, '_>) -> Vec<Text> {
    let Some(node) = reader.get("args") else { return Vec::new() };
    let Some(items) = node.as_array() else {
        reader.wrong_type("args", node, "an array of strings");
        return Vec::new();
    };
    let read = |(index, item): (usize, &Node)| reader.text(item, &["args", &format!("[{index}]")]);
    let args: Vec<Text> = items.iter().enumerate().filter_map(read).collect();
    if args.len() == items.len() {
        for (index, (shown, item)) in display::display_args(&args).into_iter().zip(items).enumerate() {
            let missing = args[index].missing().map(str::to_owned).collect();
            let step = format!("[{index}]");
            reader.show_at(&["args", &step], item, shown, missing);
        }
    }
    args
}
