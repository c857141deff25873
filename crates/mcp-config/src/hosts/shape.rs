//! What a file of a host is as a whole: its servers by the name that the host reads. A file of settings may have none.

use crate::document::Document;
use crate::hosts::elsewhere;
use crate::hosts::words::holds_servers;
use crate::hosts::{HostFile, KnownHost};
use crate::json::{Node, Object, Pointer, Value};
use crate::{Problem, ProblemCode, Severity};

/// The key that most hosts have.
const PLAIN: &str = "mcpServers";

/// Why servers that a person may have meant are not read; nothing where there is no sign of any.
pub(super) fn wrong(host: &KnownHost, file: &HostFile, source: &Document<'_>) -> Option<Problem> {
    let name = file.keys.iter().min_by_key(|keys| keys.len()).map(|keys| keys.join(".")).unwrap_or_default();
    let title = host.title;
    let problem = |path: Pointer, at: &Node, message: String, hint: String| {
        let problem =
            source.problem(Severity::Error, ProblemCode::WrongShape, &path, at.span, message).with_hint(hint);
        Some(problem)
    };
    let place = format!("{title} keeps its servers in an object `{name}`");
    let Some(root) = source.object() else {
        let message = format!("expected an object, found {}", source.root.kind());
        return problem(Pointer::default(), &source.root, message, place);
    };
    let mut any = false;
    for keys in file.keys {
        let Some(node) = at(root, keys) else { continue };
        match node.value {
            Value::Object(_) | Value::Array(_) => any = true,
            // As good as absent.
            Value::Null => {}
            // A key of settings that leads to servers may say something else as well.
            _ if keys.len() < file.keys.iter().map(|keys| keys.len()).max().unwrap_or_default() => {}
            _ => {
                let message = format!("expected an object, found {}", node.kind());
                return problem(Pointer::of(keys), node, message, place);
            }
        }
    }
    let is_own = |key: &str| file.keys.iter().any(|keys| keys.first() == Some(&key));
    let is_meant = |key: &str| file.keys.iter().any(|keys| letters(&keys.join("")) == letters(key));
    let misspelt = root
        .iter()
        .find(|member| !is_own(&member.key) && is_meant(&member.key) && holds_servers(&member.node));
    if let Some(member) = misspelt {
        let key = mcp_text::name(&member.key, 40);
        let message = format!("`{key}` is not read: in the files of {title} the name is `{name}`");
        return problem(Pointer::of(&[&member.key]), &member.node, message, format!("write `{name}`"));
    }
    if any {
        return None;
    }
    let other = elsewhere::place(root).and_then(|place| {
        let whose = format!("{} keeps its", place.host);
        Some((place.node(root)?, place.key(), place.first_key(), whose))
    });
    let most = || Some((root.get(PLAIN)?, PLAIN.to_owned(), PLAIN, "most hosts keep their".to_owned()));
    if let Some((node, key, first, whose)) = other.or_else(most).filter(|(node, ..)| holds_servers(node)) {
        let message = format!("has `{key}`, where {whose} servers, and no `{name}`");
        return problem(Pointer::of(&[first]), node, message, format!("{place}: move the entries there"));
    }
    if file.is_for_servers() && holds_servers(&source.root) {
        let message = format!("has entries outside of `{name}`, where they are not read");
        return problem(Pointer::default(), &source.root, message, place);
    }
    None
}

fn at<'o>(root: &'o Object, keys: &[&str]) -> Option<&'o Node> {
    let (last, outer) = keys.split_last()?;
    outer.iter().try_fold(root, |object, key| object.get(key)?.as_object())?.get(last)
}

fn letters(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
