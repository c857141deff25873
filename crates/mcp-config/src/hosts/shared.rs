//! Entries of a project's `.mcp.json` in words of other hosts that read this file: Copilot CLI and VS Code.
//!
//! An entry with none of their words is read as it stands. One that has some is told in our words first, as in a file that is
//! theirs alone; what has no equal is said with its place. It stays an entry of the project: approvals and switches are ours.

use crate::document::Document;
use crate::hosts::entry::Entries;
use crate::hosts::variables::Inputs;
use crate::hosts::{EditorVariables, Form, KnownHost};
use crate::json::{Member, Node, Object, Pointer, Value};
use crate::{Locations, Problem, Project};

const SERVERS: &str = "mcpServers";

/// What those hosts say, and no other reader of the file.
const WORDS: [&str; 11] = [
    "oauthClientId",
    "oauthScopes",
    "oauthPublicClient",
    "oauthGrantType",
    "oidc",
    "headersRefreshTtlMs",
    "deferTools",
    "slowConnectionThresholdMs",
    "sandbox",
    "sandboxEnabled",
    "dev",
];

/// The file is ours as well, and so are its references; those of an editor are VS Code's.
const FORMS: &[Form] = &[Form::Ours, Form::Editor, Form::Input];

/// The document with such entries in our words.
pub(crate) fn told<'a>(
    document: Document<'a>,
    project: &Project,
    locations: &Locations,
    problems: &mut Vec<Problem>,
) -> Document<'a> {
    let Some(root) = document.object() else { return document };
    let Some(servers) = root.get(SERVERS).and_then(Node::as_object) else { return document };
    let is_theirs = |member: &Member| member.node.as_object().is_some_and(has_their_words);
    let Some(host) = KnownHost::named("copilot").filter(|_| servers.iter().any(is_theirs)) else {
        return document;
    };
    let home = locations.home.clone();
    let around = EditorVariables { folder: project.root.clone(), home, changes: false };
    let mut inputs = Inputs::default();
    let mut entries = Entries::new(host, &document, &around, &mut inputs, problems).written_in(FORMS);
    let path = Pointer::default().key(SERVERS);
    let told = servers.iter().map(|member| match is_theirs(member) {
        true => entries.entry(member, &path.key(&member.key)).unwrap_or_else(|| member.clone()),
        false => member.clone(),
    });
    let told: Vec<Member> = told.collect();
    let origins = entries.into_origins();
    let members = root.iter().map(|member| match &*member.key {
        SERVERS => Member {
            node: Node { span: member.node.span, value: Value::Object(Object::of(told.clone())) },
            ..member.clone()
        },
        _ => member.clone(),
    });
    let root = Node { span: document.root.span, value: Value::Object(Object::of(members.collect())) };
    document.told(root, origins)
}

fn has_their_words(entry: &Object) -> bool {
    let is_local = entry.get("type").and_then(Node::as_str) == Some("local");
    // Ours has a grant, a file or a provider in it.
    let auth = entry.get("auth").and_then(Node::as_object);
    let is_their_auth = auth.is_some_and(|auth| auth.get("redirectPort").is_some());
    is_local || is_their_auth || entry.iter().any(|member| WORDS.contains(&&*member.key))
}
