//! What is kept of an agreement: enough to notice a change and to name it, and no value.

use std::collections::BTreeMap;

use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Terms;
use super::terms::hex;
use crate::json::{Node, Object};

/// The number of the canonical form. A record of another form equals nothing: it is asked for again.
const FORM: u64 = 1;

/// Which list of a folder's decisions a record is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Slot {
    /// Entries of project files, whole.
    Contents,
    /// Helpers of the person's own entries for this folder.
    Helpers,
}

impl Slot {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Contents => "contents",
            Self::Helpers => "helpers",
        }
    }
}

/// An agreement as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    form: u64,
    salt: String,
    digest: String,
    fields: Vec<StoredApproval>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct StoredApproval {
    field: String,
    shown: String,
    mark: String,
}

/// One field that is not as it was when a person agreed to the entry.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// Its path in the entry.
    pub field: String,
    /// What it said then, with secrets replaced; absent where it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it says now, with secrets replaced; absent where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.before, &self.now) {
            (Some(before), Some(now)) if before == now => {
                write!(f, "{}: {now} with another hidden value", self.field)
            }
            (before, now) => {
                let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "(none)".to_owned());
                write!(f, "{}: {} → {}", self.field, side(before), side(now))
            }
        }
    }
}

impl Record {
    /// What is kept of `terms`.
    pub(crate) fn of(terms: &Terms) -> Self {
        let mut salt = [0; 16];
        // Without randomness marks are merely unsalted: they still tell a change.
        let _ = SystemRandom::new().fill(&mut salt);
        Self::with_salt(terms, hex(&salt))
    }

    fn with_salt(terms: &Terms, salt: String) -> Self {
        let kept = |term: &super::Term| StoredApproval {
            field: term.field.clone(),
            shown: term.kept.clone(),
            mark: seal(&salt, &term.field, term.canonical.as_bytes()),
        };
        let fields = terms.iter().map(kept).collect();
        Self { form: FORM, digest: seal(&salt, "", &terms.canonical()), fields, salt }
    }

    /// Whether a person agreed to exactly this.
    pub(crate) fn covers(&self, terms: &Terms) -> bool {
        self.form == FORM && self.digest == seal(&self.salt, "", &terms.canonical())
    }

    /// What is not as it was.
    pub(crate) fn changes(&self, terms: &Terms) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut gone: BTreeMap<&str, &StoredApproval> =
            self.fields.iter().map(|kept| (kept.field.as_str(), kept)).collect();
        for term in terms.iter() {
            let before = gone.remove(term.field.as_str());
            if before.is_none_or(|kept| kept.mark != seal(&self.salt, &term.field, term.canonical.as_bytes()))
            {
                let before = before.map(|kept| kept.shown.clone());
                changes.push(Change { field: term.field.clone(), before, now: Some(term.kept.clone()) });
            }
        }
        changes.extend(gone.into_values().map(|kept| Change {
            field: kept.field.clone(),
            before: Some(kept.shown.clone()),
            now: None,
        }));
        if changes.is_empty() && !self.covers(terms) {
            // Header names that differ in case alone, the other way round; or a record of another form.
            let text = |text: &str| Some(text.to_owned());
            changes.push(Change {
                field: "order".to_owned(),
                before: text("as approved"),
                now: text("another"),
            });
        }
        changes
    }

    pub(crate) fn to_json(&self) -> Value {
        let field =
            |kept: &StoredApproval| (kept.field.clone(), json!({"shown": kept.shown, "mark": kept.mark}));
        let fields: Map<String, Value> = self.fields.iter().map(field).collect();
        json!({"form": self.form, "salt": self.salt, "digest": self.digest, "fields": fields})
    }

    /// As it was written. What cannot be understood becomes a record that covers nothing: it is asked for again.
    pub(crate) fn from_node(node: &Node) -> Self {
        let object = node.as_object();
        let text = |object: Option<&Object>, key: &str| {
            object.and_then(|object| object.get(key)).and_then(Node::as_str).unwrap_or_default().to_owned()
        };
        let fields = object.and_then(|object| object.get("fields")).and_then(Node::as_object);
        let fields = fields.into_iter().flat_map(Object::iter).map(|member| StoredApproval {
            field: member.key.to_string(),
            shown: text(member.node.as_object(), "shown"),
            mark: text(member.node.as_object(), "mark"),
        });
        Self {
            form: object.and_then(|object| object.get("form")).and_then(Node::as_u64).unwrap_or(0),
            salt: text(object, "salt"),
            digest: text(object, "digest"),
            fields: fields.collect(),
        }
    }

    /// Whether `stored` is of the same terms.
    pub(crate) fn is_stored_as(stored: &Value, terms: &Terms) -> bool {
        let text = |key: &str| stored.get(key).and_then(Value::as_str).unwrap_or_default();
        stored.get("form").and_then(Value::as_u64) == Some(FORM)
            && text("digest") == seal(text("salt"), "", &terms.canonical())
    }
}

/// Salted, so that a short secret in an entry cannot be looked up from what is kept.
fn seal(salt: &str, field: &str, value: &[u8]) -> String {
    let mut context = Context::new(&SHA256);
    for part in [salt.as_bytes(), field.as_bytes()] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.update(value);
    hex(context.finish().as_ref())
}
