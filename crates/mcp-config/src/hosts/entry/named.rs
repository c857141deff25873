//! Fields of hosts that name a variable, or refer to one, in the place of a value.

use super::Entries;
use crate::display::display_key;
use crate::hosts::draft::Draft;
use crate::hosts::variables;
use crate::hosts::words::SECRET;
use crate::json::{Member, Node, Pointer, Value};

impl Entries<'_, '_> {
    pub(super) fn header_variables(&mut self, member: &Member, path: &Pointer, draft: &mut Draft) {
        let Some(object) = member.node.as_object() else {
            return self.lost(path, member.key_span, "it is not an object of names of variables");
        };
        for field in object.iter() {
            let path = path.key(&field.key);
            self.stands(field.node.span, &path);
            match field.node.as_str().filter(|name| mcp_text::is_variable_name(name)) {
                Some(name) => {
                    let value = Value::String(variables::required(name).into());
                    draft.header(&field.key, field.key_span, Node { span: field.node.span, value });
                }
                None => self.lost(&path, field.key_span, "it is not a name of a variable"),
            }
        }
    }

    pub(super) fn variables(&mut self, member: &Member, path: &Pointer, draft: &mut Draft) {
        let Some(items) = member.node.as_array() else {
            return self.lost(path, member.key_span, "it is not a list of names of variables");
        };
        for (index, item) in items.iter().enumerate() {
            let path = path.index(index);
            self.stands(item.span, &path);
            let inner = item.as_object().and_then(|item| item.get("name"));
            let name = item.as_str().or_else(|| inner.and_then(Node::as_str));
            let Some(name) = name.filter(|name| mcp_text::is_variable_name(name)) else {
                self.lost(&path, item.span, "it is not a name of a variable");
                continue;
            };
            draft.spans.env.get_or_insert((member.key_span, member.node.span));
            if &*member.key == "env_keys" {
                let why = format!(
                    "the value of {} is in {}'s own keyring: set the variable",
                    display_key(name),
                    self.host.title
                );
                self.lost(&path, item.span, &why);
            }
            if draft.env.iter().any(|known| &*known.key == name) {
                continue;
            }
            let value = Value::String(variables::required(name).into());
            let node = Node { span: item.span, value };
            draft.env.push(Member { key: name.into(), key_span: item.span, node, overridden: false });
        }
    }

    /// The secret of a client: by reference as every secret is, and never from the file of a project, where our reader would
    /// not take it either.
    pub(super) fn client_secret(&mut self, member: &Member, path: &Pointer, draft: &mut Draft) {
        let text = member.node.as_str().map(|text| self.text(text, member.node.span, path));
        let variable = text.as_deref().and_then(mcp_text::variable);
        self.secret_of(variable, member, path, draft);
    }

    pub(super) fn client_secret_variable(&mut self, member: &Member, path: &Pointer, draft: &mut Draft) {
        let variable = member.node.as_str().filter(|name| mcp_text::is_variable_name(name));
        self.secret_of(variable, member, path, draft);
    }

    fn secret_of(&mut self, variable: Option<&str>, member: &Member, path: &Pointer, draft: &mut Draft) {
        // What changes with the project is this person's own file.
        let Some(name) = variable.filter(|_| self.around.changes) else {
            return self.lost(path, member.key_span, SECRET);
        };
        draft.spans.oauth.get_or_insert((member.key_span, member.node.span));
        let value = Value::String(variables::required(name).into());
        let node = Node { span: member.node.span, value };
        let key = "clientSecret".into();
        draft.oauth.push(Member { key, key_span: member.key_span, node, overridden: false });
    }
}

/// Whether a text is a host of this machine with a port and nothing else: where Kiro has sign-ins come back to.
pub(super) fn is_loopback_port(text: &str) -> bool {
    let port = ["127.0.0.1:", "localhost:"].iter().find_map(|host| text.strip_prefix(host));
    port.is_some_and(|port| port.parse::<u16>().is_ok())
}
