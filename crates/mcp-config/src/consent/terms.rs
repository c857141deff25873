//! The terms of an entry: its fields in one canonical form.

use mcp_text::Secrets;
use serde::Serialize;

use super::line::{self, FieldIndex};
use crate::document::Document;
use crate::env_file::EnvFile;
use crate::field::Field;
use crate::json::{Node, Object, Pointer, Value};
use crate::remark::is_remark;

/// Fields that neither decide what runs nor where data goes nor what is sent there. All others count.
const WITHOUT_EFFECT: [&str; 10] = [
    // How long something is waited for.
    "timeout",
    "request_timeout_ms",
    "headersHelperTimeoutMs",
    "headersHelperTtlMs",
    "startupTimeoutMs",
    // When a host loads its tools, and what it calls the server.
    "alwaysLoad",
    "displayName",
    // Switched off, it does nothing; switched on, it does what was agreed to.
    "disabled",
    "enabled",
    "isActive",
];

/// What a person agrees to with an entry: everything in it that has an effect, before variables are expanded.
///
/// Two entries with the same terms do the same, whatever the order of their members and however they are formatted.
#[derive(Clone, Debug, Default)]
pub struct Terms(Vec<Term>);

/// One field of it.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct Term {
    /// Its path in the entry: `headers.Authorization`.
    pub field: String,
    /// What it says, for the person who decides: whole, but for what looks like a secret.
    #[serde(rename = "value")]
    pub shown: String,
    /// The environment variables that it names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
    /// What may be kept of it: no literal that could be a secret.
    #[serde(skip)]
    pub(super) kept: String,
    /// What it says, in the form that is compared.
    #[serde(skip)]
    pub(super) canonical: String,
}

// Security: the canonical form holds literals of the file.
impl std::fmt::Debug for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.kept)
    }
}

impl Terms {
    /// The terms of the entry `object`, which speaks `transport`; `fields` are its fields as they may be shown.
    pub(crate) fn of(document: &Document<'_>, object: &Object, transport: &str, fields: &[Field]) -> Self {
        let mut terms = Self(vec![Term::plain("type", transport)]);
        let fields = line::by_name(fields);
        let commands = ["command", "args", "headersHelper"].into_iter().filter_map(|key| object.get(key));
        let named: Vec<String> = commands.flat_map(line::variables).collect();
        for member in sorted(object) {
            let key = &*member.key;
            if key != "type" && !is_remark(key) && !WITHOUT_EFFECT.contains(&key) && !member.node.is_null() {
                terms.add(document, &Pointer::of(&[key]), &member.node, (&fields, &named));
            }
        }
        terms
    }

    /// These terms.
    pub(crate) fn of_terms(terms: Vec<Term>) -> Self {
        Self(terms)
    }

    /// The terms of these members of the entry alone.
    pub(crate) fn only(&self, names: &[&str]) -> Self {
        let member = |field: &str| names.contains(&field.split(['.', '[']).next().unwrap_or(field));
        Self(self.0.iter().filter(|term| member(&term.field)).cloned().collect())
    }

    /// The terms that have secrets by reference in them, which are no variables.
    pub fn referring(&self) -> impl Iterator<Item = &Term> {
        const WORDS: [&str; 3] = ["${cmd:", "${file:", "${keyring:"];
        self.0.iter().filter(|term| WORDS.iter().any(|word| term.canonical.contains(word)))
    }

    /// The terms of what runs a command for credentials: these members, and whatever has `${cmd:..}` in it.
    pub(crate) fn minting(&self, names: &[&str]) -> Self {
        let Self(members) = self.only(names);
        let runs = |term: &&Term| term.canonical.contains("${cmd:");
        let others =
            self.0.iter().filter(runs).filter(|term| members.iter().all(|member| member.field != term.field));
        Self(members.iter().chain(others).cloned().collect())
    }

    /// Adds what a file of variables says: a change of it is a change of what was agreed to.
    pub(crate) fn add_file(&mut self, file: &EnvFile) {
        let mut variables: Vec<_> = file.variables.iter().collect();
        variables.sort_by_key(|(name, _)| name);
        self.0.extend(variables.into_iter().map(|(name, value)| Term {
            field: format!("envFile.{name}"),
            shown: line::shown_variable(name, value.expose()),
            variables: Vec::new(),
            kept: crate::display::REDACTED.to_owned(),
            canonical: value.expose().clone(),
        }));
    }

    fn add(
        &mut self,
        document: &Document<'_>,
        path: &Pointer,
        node: &Node,
        (fields, named): (&FieldIndex<'_>, &[String]),
    ) {
        let field = path.dotted();
        match &node.value {
            Value::Object(object) => {
                for member in sorted(object) {
                    self.add(document, &path.key(&member.key), &member.node, (fields, named));
                }
            }
            Value::Array(items) if items.is_empty() => {}
            _ => self.0.push(Term {
                shown: line::shown(document, &field, node, named),
                variables: line::variables(node),
                kept: line::kept(document, &field, node, fields),
                canonical: canonical(document, node),
                field,
            }),
        }
    }

    /// These terms without the values of `secrets`.
    pub(crate) fn hiding(mut self, secrets: &Secrets) -> Self {
        for term in &mut self.0 {
            term.canonical = secrets.hide_known(&term.canonical).into_owned();
        }
        self
    }

    /// The fields, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &Term> {
        self.0.iter()
    }

    /// The environment variables that the entry names, each once.
    pub fn variables(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.0.iter().flat_map(|term| &term.variables).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// SHA-256 of the canonical form: equal for two entries exactly if they do the same.
    pub fn digest(&self) -> String {
        format!("sha256:{}", hex(ring::digest::digest(&ring::digest::SHA256, &self.canonical()).as_ref()))
    }

    /// Fields and values with their lengths, so that no value can pass for two fields.
    pub(super) fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for term in &self.0 {
            for part in [&term.field, &term.canonical] {
                bytes.extend((part.len() as u64).to_be_bytes());
                bytes.extend(part.as_bytes());
            }
        }
        bytes
    }
}

impl Term {
    /// Whether [`shown`](Self::shown) is all that it says, but for secrets: what is longer than a person reads is cut.
    pub fn is_whole(&self) -> bool {
        line::is_whole(&self.shown)
    }

    /// A term of something that is not an entry.
    pub(crate) fn new(field: String, shown: String, kept: String, canonical: String) -> Self {
        Self { field, shown, variables: Vec::new(), kept, canonical }
    }

    pub(crate) fn plain(field: &str, value: &str) -> Self {
        let value = value.to_owned();
        Self {
            field: field.to_owned(),
            shown: value.clone(),
            variables: Vec::new(),
            kept: value.clone(),
            canonical: value,
        }
    }
}

/// The members by name. Names that differ in case alone keep their order, because for headers the last one counts.
fn sorted(object: &Object) -> Vec<&crate::json::Member> {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_by_cached_key(|member| member.key.to_ascii_lowercase());
    members
}

/// A value as JSON without blanks, members by name, numbers in one spelling.
fn canonical(document: &Document<'_>, node: &Node) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let list = |items: Vec<String>| items.join(",");
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(_) => match node.as_u64() {
            Some(number) => number.to_string(),
            None => document.written(node.span).to_owned(),
        },
        // Both are this variable, however a host spells it.
        Value::String(value) => text(&crate::expand::with_plain_variables(value)),
        Value::Array(items) => {
            format!("[{}]", list(items.iter().map(|item| canonical(document, item)).collect()))
        }
        Value::Object(object) => {
            let member = |member: &crate::json::Member| {
                format!("{}:{}", text(&member.key), canonical(document, &member.node))
            };
            format!("{{{}}}", list(sorted(object).into_iter().map(member).collect()))
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
