//! What a file of servers is, as a whole: an object `mcpServers`, written once, by its name.

use std::borrow::Cow;

use crate::document::Document;
use crate::entry::{Scope, ServerEntry};
use crate::hosts::{elsewhere, own_bridges};
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
        (Severity::Error, place.first_key(), message, Cow::Owned(place.hint()))
    } else if let Some((key, what, hint)) = other_document(object) {
        (Severity::Error, key, format!("is {what}, and no file of servers"), hint.into())
    } else if object.iter().any(is_misspelled) {
        return;
    } else if let Some(member) = object.iter().find(|member| is_entry(&member.node)) {
        let message = "looks like a server entry outside of `mcpServers`, where it is not read";
        let hint = "put the entries into an object `mcpServers`";
        (Severity::Error, &*member.key, message.to_owned(), hint.into())
    } else if is_entry(&document.root) && object.get(overrides::KEY).is_none() {
        (Severity::Error, "", "is one server entry, and not a file of them".to_owned(), WRAPPED.into())
    } else if object.get(overrides::KEY).is_some() {
        // A file of this tool that has nothing else to say.
        return;
    } else {
        let hint = "an empty configuration is {\"mcpServers\": {}}";
        (Severity::Warning, "", "has no `mcpServers`".to_owned(), hint.into())
    };
    let path = if key.is_empty() { Pointer::default() } else { Pointer::of(&[key]) };
    let span = object.get(key).map_or(document.root.span, |node| node.span);
    let problem = document.problem(severity, ProblemCode::WrongShape, &path, span, message);
    problems.push(problem.with_hint(hint));
}

/// What a file is that people find servers in, and that configures none: its first key, what it is, and what to do with it.
fn other_document(object: &Object) -> Option<(&'static str, &'static str, &'static str)> {
    let list = |key: &str| object.get(key).and_then(Node::as_array);
    let has = |key: &str| object.get(key).is_some();
    if has("name") && (list("remotes").is_some() || list("packages").is_some()) {
        let key = if has("remotes") { "remotes" } else { "packages" };
        return Some((
            key,
            "what a registry says of a server",
            "`mcplink add NAME` adds it, with the `name` in it",
        ));
    }
    if (has("manifest_version") || has("dxt_version")) && has("server") {
        let hint =
            "what its `server.mcp_config` says is an entry; the files of the bundle have to be somewhere";
        return Some(("server", "the manifest of a bundle", hint));
    }
    let is_of_api = |key: &str| {
        let mut members = list(key).into_iter().flatten().filter_map(Node::as_object);
        members.any(|member| member.get("server_url").is_some() || member.get("url").is_some())
    };
    let key = ["mcp_servers", "tools"].into_iter().find(|key| is_of_api(key))?;
    Some((key, "a request to the API of a model", "`mcplink add URL` adds the server of an address in it"))
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
    let path = path.key(SERVERS);
    match own_bridges::led_to(document, node, &path, problems) {
        Some((document, node)) => schema::servers(&document, &node, &path, scope, context, problems),
        None => schema::servers(document, node, &path, scope, context, problems),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Config, Env, Request, Severity};

    #[test]
    fn fa_a36_a37_what_is_another_document_or_has_another_word_says_what_to_write() {
        let entry = |fields: &str| format!(r#"{{"mcpServers": {{"a": {{{fields}}}}}}}"#);
        for (text, told) in [
            (
                r#"{"name": "io.x/y", "remotes": [{"type": "sse", "url": "https://h/mcp"}]}"#.to_owned(),
                "mcplink add NAME",
            ),
            (r#"{"name": "io.x/y", "packages": []}"#.to_owned(), "what a registry says of a server"),
            (
                r#"{"manifest_version": "0.3", "server": {"mcp_config": {}}}"#.to_owned(),
                "the manifest of a bundle",
            ),
            (
                r#"{"tools": [{"type": "mcp", "server_url": "https://h/mcp"}]}"#.to_owned(),
                "a request to the API of a model",
            ),
            (r#"{"mcp_servers": [{"type": "url", "url": "https://h/mcp"}]}"#.to_owned(), "mcp_servers"),
            (
                r#"{"mcp": {"x": {"type": "remote", "url": "https://h/mcp"}}}"#.to_owned(),
                "`mcplink import opencode` takes over what opencode has",
            ),
            (
                r#"{"mcpServers": {"mcpServers": {"a": {"command": "x"}}}}"#.to_owned(),
                "it holds entries: put them where it stands",
            ),
            (entry(r#""type": "http", "url": "https://h/mcp", "auth": "oauth""#), "leave it out"),
            (
                entry(r#""type": "http", "url": "https://h/mcp", "auth": "hunter2""#),
                "a token goes into a header",
            ),
            (entry(r#""cmd": "python3""#), "`cmd` is written `command`"),
            (entry(r#""server_url": "https://h/mcp""#), "`url`"),
            (entry(r#""type": "docker", "image": "x""#), "\"command\": \"docker\""),
            (entry(r#""type": "node", "script": "s.js""#), "has the type \"stdio\""),
            (entry(r#""type": "inMemory""#), "in reach of that program alone"),
        ] {
            let mut request = Request::new("/nowhere", Env::new());
            request.mcp_config.push(text.clone());
            let config = Config::load(&request);
            let said: Vec<String> = config
                .problems
                .iter()
                .filter(|problem| problem.severity == Severity::Error)
                .map(|problem| format!("{} {}", problem.message, problem.hint.as_deref().unwrap_or_default()))
                .collect();
            assert!(said.iter().any(|said| said.contains(told)), "{text}: {:?}", config.problems);
            assert!(!said.concat().contains("hunter2"), "{said:?}");
        }
        // A file of settings that has nothing to say about servers is not one of them.
        for text in [r#"{"tools": ["a"]}"#, r#"{"name": "x"}"#, r#"{"server": {}}"#] {
            let mut request = Request::new("/nowhere", Env::new());
            request.mcp_config.push(text.to_owned());
            let config = Config::load(&request);
            assert!(config.problems.iter().all(|problem| problem.severity != Severity::Error), "{text}");
        }
    }
}
