//! What a file of a host says of all its servers, beside each of them.

use crate::hosts::entry::Entries;
use crate::hosts::{FieldMeaning, KnownHost};
use crate::json::{Member, Node, Object, Pointer, Value};

/// A file as a whole.
pub(super) struct Whole<'o> {
    pub(super) host: &'static KnownHost,
    pub(super) root: Option<&'o Object>,
}

impl<'o> Whole<'o> {
    fn at(&self, keys: &[&str]) -> Option<&'o Node> {
        let (last, outer) = keys.split_last()?;
        outer.iter().try_fold(self.root?, |object, key| object.get(key)?.as_object())?.get(last)
    }

    /// Switches off what the file lists as off, or does not list as on.
    pub(super) fn switch_off(&self, members: &mut [Member], entries: &mut Entries<'_, '_>) {
        let list = |keys: &[&str]| self.at(keys).and_then(|node| Some((node, node.as_array()?)));
        if let Some((_, off)) = list(self.host.off) {
            for (index, item) in off.iter().enumerate() {
                let path = Pointer::of(self.host.off).index(index);
                for member in members.iter_mut().filter(|member| item.as_str() == Some(&*member.key)) {
                    entries.stands(item.span, &path);
                    disable(member, item);
                }
            }
        }
        if let Some((list, on)) = list(self.host.on) {
            entries.stands(list.span, &Pointer::of(self.host.on));
            for member in members.iter_mut() {
                if !on.iter().any(|item| item.as_str() == Some(&*member.key)) {
                    disable(member, list);
                }
            }
        }
    }

    /// Switches off a server that the host's rules refuse: the first rule that fits the entry as it is written decides.
    pub(super) fn refuse(&self, written: &Member, read: &mut Member, entries: &mut Entries<'_, '_>) {
        let keys = self.host.rules;
        let Some(entry) = written.node.as_object() else { return };
        let rules = self.at(keys).and_then(Node::as_array).into_iter().flatten();
        for (index, rule) in rules.enumerate() {
            let Some(object) = rule.as_object() else { continue };
            let refuses = object.get("action").and_then(Node::as_str) == Some("reject");
            let fits = match object.get("matches").and_then(Node::as_object) {
                Some(matches) => matches.iter().all(|one| fits(one, entry, refuses)),
                // Security: a ban that is not understood is one of everything.
                None => refuses,
            };
            if fits {
                if refuses {
                    entries.stands(rule.span, &Pointer::of(keys).index(index));
                    disable(read, rule);
                }
                return;
            }
        }
    }

    /// Gives each server that may be signed in to what the file says of sign-ins to all of them.
    pub(super) fn supply(&self, members: &mut [Member], entries: &mut Entries<'_, '_>) {
        for (word, means) in self.host.of_all {
            let (FieldMeaning::OAuthField(key), Some(node)) = (means, self.at(&[word])) else { continue };
            entries.stands(node.span, &Pointer::of(&[word]));
            for member in members.iter_mut() {
                supply(member, key, node);
            }
        }
    }
}

fn supply(member: &mut Member, key: &str, node: &Node) {
    let Value::Object(object) = &member.node.value else { return };
    let headers = object.get("headers").and_then(Node::as_object);
    let has_its_own = object.get("headersHelper").is_some()
        || headers.is_some_and(|headers| {
            headers.iter().any(|header| header.key.eq_ignore_ascii_case("authorization"))
        });
    let block = object.get("oauth");
    let is_off = block.is_some_and(|block| block.as_object().is_none());
    let said = block.and_then(Node::as_object);
    if object.get("url").is_none()
        || has_its_own
        || is_off
        || said.is_some_and(|block| block.get(key).is_some())
    {
        return;
    }
    let field = Member { key: key.into(), key_span: node.span, node: node.clone(), overridden: false };
    let fields = said.into_iter().flat_map(Object::iter).cloned().chain([field]).collect();
    let span = block.map_or(node.span, |block| block.span);
    put(member, "oauth", Node { span, value: Value::Object(Object::of(fields)) });
}

/// Whether a pattern of a rule fits what the entry has by that name; an array is its words with blanks between them. A
/// pattern that is none fits where the rule refuses.
fn fits(pattern: &Member, entry: &Object, refuses: bool) -> bool {
    let Some(wanted) = pattern.node.as_str() else { return refuses };
    let Some(node) = entry.get(&pattern.key) else { return false };
    let words =
        node.as_array().map(|items| items.iter().filter_map(Node::as_str).collect::<Vec<_>>().join(" "));
    words.as_deref().or(node.as_str()).is_some_and(|text| crate::wildcard::wildcard(wanted, text))
}

fn disable(member: &mut Member, at: &Node) {
    put(member, "disabled", Node { span: at.span, value: Value::Bool(true) });
}

/// Gives an entry a field, in the place of one that it has.
fn put(member: &mut Member, key: &str, node: Node) {
    let Value::Object(object) = &member.node.value else { return };
    let mut fields: Vec<Member> = object.iter().filter(|field| *field.key != *key).cloned().collect();
    fields.push(Member { key: key.into(), key_span: node.span, node, overridden: false });
    member.node.value = Value::Object(Object::of(fields));
}
