//! What a file of servers is, as a whole: an object `mcpServers`, written once, by its name.

use crate::document::Document;
use crate::entry::{Scope, ServerEntry};
use crate::hosts::elsewhere;
use crate::json::{Member, Node, Object, Pointer};
use crate::schema::{self, Context, ENTRY_KEYS, WRAPPED};
use crate::{Problem, ProblemCode, Severity, foreign, overrides};

/// The member that has the servers.
const SERVERS: &str = "mcpServers";

/// The most names that are told in one problem.
const MAX_NAMES: usize = 5;

/// A file of servers without `mcpServers` is a mistake, and most often one of another host, or of one line too few.
pub(crate) fn check(document: &Document<'_>, object: &Object, problems: &mut Vec<Problem>) {
    if object.get(SERVERS).is_some() {
        return;
    }
    let (severity, key, message, hint) = if let Some(place) = elsewhere::place(object) {
        let message =
            format!("has `{}`, where {} keeps its servers, and no `mcpServers`", place.key(), place.host);
        let hint = "copy the entries into an object `mcpServers`, in this form; the other program needs its own file";
        (Severity::Error, place.first_key(), message, hint)
    } else if object.iter().any(is_misspelled) {
        return;
    } else if let Some(member) = object.iter().find(|member| is_entry(&member.node)) {
        let message = "looks like a server entry outside of `mcpServers`, where it is not read";
        (Severity::Error, &*member.key, message.to_owned(), "put the entries into an object `mcpServers`")
    } else if is_entry(&document.root) && object.get(overrides::KEY).is_none() {
        (Severity::Error, "", "is one server entry, and not a file of them".to_owned(), WRAPPED)
    } else if object.get(overrides::KEY).is_some() {
        // A file of this tool that has nothing else to say.
        return;
    } else {
        let hint = "an empty configuration is {\"mcpServers\": {}}";
        (Severity::Warning, "", "has no `mcpServers`".to_owned(), hint)
    };
    let path = if key.is_empty() { Pointer::default() } else { Pointer::of(&[key]) };
    let span = object.get(key).map_or(document.root.span, |node| node.span);
    let problem = document.problem(severity, ProblemCode::WrongShape, &path, span, message);
    problems.push(problem.with_hint(hint));
}

/// Servers that are lost, because their object is written once more, or by another name than its own. `path` is where `object`
/// stands: the file, or a project in it.
pub(crate) fn check_names(
    document: &Document<'_>,
    object: &Object,
    path: &Pointer,
    problems: &mut Vec<Problem>,
) {
    let problem = |severity, member: &Member, message: String, hint: &str| {
        let (code, path) = (ProblemCode::DuplicateName, path.key(&member.key));
        let code = if *member.key == *SERVERS { code } else { ProblemCode::WrongShape };
        document.problem(severity, code, &path, member.key_span, message).with_hint(hint)
    };
    let in_force = object.iter().find(|member| *member.key == *SERVERS);
    for member in object.overridden().filter(|member| *member.key == *SERVERS) {
        let line = in_force.map_or(0, |last| document.line(last.key_span));
        let lost = lost(&member.node, in_force.map(|last| &last.node));
        let message = format!("is written twice; the last one counts, in line {line}{lost}");
        problems.push(problem(
            Severity::Warning,
            member,
            message,
            "write the entries of both into one `mcpServers`",
        ));
    }
    // What another host calls so has been told as that.
    let of_host = elsewhere::place(object).filter(|_| in_force.is_none());
    let is_told = |member: &Member| of_host.is_some_and(|place| *place.first_key() == *member.key);
    for member in object.iter().filter(|member| is_misspelled(member) && !is_told(member)) {
        let name = mcp_text::name(&member.key, 40);
        let lost = lost(&member.node, in_force.map(|last| &last.node));
        let message = format!("`{name}` is not read: the name is `mcpServers`{lost}");
        let hint = match in_force {
            Some(_) => "put its entries into the `mcpServers` that the file has",
            None => "write `mcpServers`",
        };
        problems.push(problem(Severity::Error, member, message, hint));
    }
}

/// The servers that are only in `there`.
fn lost(there: &Node, in_force: Option<&Node>) -> String {
    let servers =
        |node: &Node| node.as_object().map(|object| object.iter().map(|member| member.key.clone()).collect());
    let here: Vec<Box<str>> = in_force.and_then(servers).unwrap_or_default();
    let there: Vec<Box<str>> = servers(there).unwrap_or_default();
    let lost: Vec<&str> = there.iter().filter(|name| !here.contains(name)).map(|name| &**name).collect();
    if lost.is_empty() {
        return String::new();
    }
    let names: Vec<String> = lost.iter().take(MAX_NAMES).map(|name| mcp_text::name(name, 40)).collect();
    let more = if lost.len() > MAX_NAMES { ", .." } else { "" };
    format!(", and without {}{more}", names.join(", "))
}

/// Whether a member would be the servers if it were spelled as they are.
fn is_misspelled(member: &Member) -> bool {
    let letters: String =
        member.key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let is_like = matches!(&*letters, "mcpservers" | "mcpserver") && *member.key != *SERVERS;
    is_like && member.node.as_object().is_some()
}

fn is_entry(node: &Node) -> bool {
    let Some(entry) = node.as_object() else { return false };
    // A file may have such a member as an object of another kind.
    let has = |key: &str| entry.get(key).is_some_and(|node| node.as_object().is_none());
    ENTRY_KEYS.into_iter().any(has) || foreign::url(entry).is_some()
}

/// The entries of a map of servers.
pub(crate) fn map_of_servers(
    document: &Document<'_>,
    object: Option<&Object>,
    path: &Pointer,
    scope: Scope,
    context: Context<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<ServerEntry> {
    if let Some(object) = object.filter(|_| document.host.is_none()) {
        check_names(document, object, path, problems);
    }
    let Some(node) = object.and_then(|object| object.get("mcpServers")) else { return Vec::new() };
    schema::servers(document, node, &path.key("mcpServers"), scope, context, problems)
}
