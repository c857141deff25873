//! Reads the fields of one entry, and collects what is wrong with them.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::display;
use crate::document::Document;
use crate::expand::Text;
use crate::field::Field;
use crate::json::{Member, Node, Object, Pointer, Span, Value};
use crate::misspelt::{Readers, misspelt};
use crate::{Env, Origin, Problem, ProblemCode, Severity};

/// How many headers or variables an entry may have: each costs what is made of it.
const MAX_MEMBERS: usize = 10_000;

pub(super) struct Reader<'a, 'p> {
    document: &'a Document<'a>,
    /// Where the name of the entry stands.
    name_span: Span,
    object: &'a Object,
    path: &'a Pointer,
    env: &'a Env,
    /// Where relative paths of the entry begin.
    pub(super) base: &'a Path,
    pub(super) problems: &'p mut Vec<Problem>,
    /// The file is that of a project.
    pub(super) of_project: bool,
    /// Something was found that makes the whole entry unusable.
    pub(super) invalid: bool,
    /// What may be shown, in the order in which it was read.
    pub(super) fields: Vec<Field>,
}

/// One step of the path from an entry to a value in it.
pub(super) type Steps<'s> = &'s [&'s str];

impl<'a, 'p> Reader<'a, 'p> {
    pub(super) fn new(
        document: &'a Document<'a>,
        member: &Member,
        object: &'a Object,
        path: &'a Pointer,
        env: &'a Env,
        base: &'a Path,
        problems: &'p mut Vec<Problem>,
    ) -> Self {
        Self {
            document,
            name_span: member.key_span,
            object,
            path,
            env,
            base,
            problems,
            of_project: false,
            invalid: false,
            fields: Vec::new(),
        }
    }

    /// The value of a field; `null` is as good as absent.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.object.get(key).filter(|node| !node.is_null())
    }

    pub(super) fn base(&self) -> &'a Path {
        self.base
    }

    pub(super) fn object(&self) -> &'a Object {
        self.object
    }

    /// The path of a value in this entry. A step that is a number in brackets is an index.
    fn pointer(&self, steps: Steps<'_>) -> Pointer {
        extended(self.path, steps)
    }

    pub(super) fn problem(
        &self,
        severity: Severity,
        code: ProblemCode,
        steps: Steps<'_>,
        span: Span,
        message: impl Into<String>,
    ) -> Problem {
        self.document.problem(severity, code, &self.pointer(steps), span, message)
    }

    pub(super) fn error(
        &mut self,
        code: ProblemCode,
        steps: Steps<'_>,
        span: Span,
        message: impl Into<String>,
        hint: Option<&str>,
    ) {
        let mut problem = self.problem(Severity::Error, code, steps, span, message);
        problem.hint = hint.map(str::to_owned);
        self.problems.push(problem);
        self.invalid = true;
    }

    pub(super) fn warn(
        &mut self,
        code: ProblemCode,
        steps: Steps<'_>,
        span: Span,
        message: impl Into<String>,
        hint: Option<&str>,
    ) {
        let mut problem = self.problem(Severity::Warning, code, steps, span, message);
        problem.hint = hint.map(str::to_owned);
        self.problems.push(problem);
    }

    /// An error about a field that is not there, or about the whole entry; shown where the entry has its name.
    pub(super) fn entry_error(&mut self, code: ProblemCode, steps: Steps<'_>, message: &str, hint: &str) {
        self.error(code, steps, self.name_span, message, Some(hint));
    }

    pub(super) fn wrong_type(&mut self, key: &str, node: &Node, expected: &str) {
        self.misshapen(key, node, expected, None);
    }

    /// The same with what to write instead.
    pub(super) fn misshapen(&mut self, key: &str, node: &Node, expected: &str, hint: Option<&str>) {
        let message = format!("expected {expected}, found {}", node.kind());
        self.error(ProblemCode::InvalidConfig, &[key], node.span, message, hint);
    }

    /// Records a value that may be shown.
    pub(super) fn show(&mut self, name: &str, node: &Node, value: String) {
        self.show_at(&[name], node, value, Vec::new());
    }

    pub(super) fn show_at(&mut self, steps: Steps<'_>, node: &Node, value: String, missing: Vec<String>) {
        let name = extended(&Pointer::default(), steps).dotted();
        let origin = self.document.origin(&self.pointer(steps), node.span);
        self.fields.push(Field { name, value, origin, missing });
    }

    /// Where a value of this entry stands.
    pub(super) fn origin(&self, steps: Steps<'_>, span: Span) -> Origin {
        self.document.origin(&self.pointer(steps), span)
    }

    /// A field that must be a string where it is present.
    pub(super) fn string(&mut self, key: &str) -> Option<&'a str> {
        let node = self.get(key)?;
        let value = node.as_str();
        if value.is_none() {
            self.wrong_type(key, node, "a string");
        }
        value
    }

    /// A switch; anything but a boolean is ignored with a warning.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        let Some(node) = self.get(key) else { return false };
        match node.as_bool() {
            Some(value) => {
                self.show(key, node, value.to_string());
                value
            }
            None => {
                let message = format!("expected true or false, found {}; it is ignored", node.kind());
                self.warn(ProblemCode::IgnoredValue, &[key], node.span, message, None);
                false
            }
        }
    }

    /// A duration in whole milliseconds, at least 1; anything else is ignored with a warning.
    pub(super) fn milliseconds(&mut self, key: &str) -> Option<u64> {
        let node = self.get(key)?;
        match node.as_u64().filter(|ms| *ms > 0) {
            Some(ms) => {
                self.show(key, node, ms.to_string());
                Some(ms)
            }
            None => {
                let found = match (node.as_u64(), &node.value) {
                    (Some(_), _) => "0",
                    (None, Value::Number(_)) => "one that is negative or not whole",
                    _ => node.kind(),
                };
                let message = format!("expected milliseconds as a number, found {found}; it is ignored");
                self.warn(ProblemCode::IgnoredValue, &[key], node.span, message, None);
                None
            }
        }
    }

    /// Expands a string that no secret is a part of, and reports what is odd about it. `steps` is its path in the entry.
    pub(super) fn text(&mut self, node: &Node, steps: Steps<'_>) -> Option<Text> {
        self.text_with(node, steps, self.env)
    }

    /// The same with another environment.
    pub(super) fn text_with(&mut self, node: &Node, steps: Steps<'_>, env: &Env) -> Option<Text> {
        let text = self.any_text(node, steps, env)?;
        let Some(secret) = text.secrets().next() else { return Some(text) };
        let message =
            format!("has {} in it, and no secret is read for this field", display::display_referred(secret));
        self.error(
            ProblemCode::UnsupportedVariable,
            steps,
            node.span,
            message,
            Some("write it out, or use ${NAME}"),
        );
        None
    }

    /// Expands a string that may have secrets by reference in it, which are read when they are needed.
    pub(super) fn text_with_secrets(&mut self, node: &Node, steps: Steps<'_>) -> Option<Text> {
        let text = self.any_text(node, steps, self.env)?;
        for (message, hint) in text.secrets().filter_map(|secret| secret.fault) {
            self.error(ProblemCode::InvalidConfig, steps, node.span, message, Some(hint));
        }
        Some(text)
    }

    /// What the text of a field of `oauth` comes to; where a variable is not there, nothing: what would go out as the name of a client
    /// would be that of another one. Without a client of its own a sign-in may go on; without what else is said there it may not.
    pub(super) fn oauth_text(&mut self, key: &str, node: &Node, written: &str) -> Option<String> {
        if !written.contains("${") {
            return Some(written.to_owned());
        }
        let text = Text::expand(written, self.env);
        let missing = text.missing().next().map(str::to_owned);
        let (code, message) = match missing {
            // Security: a repository would say which variable of the person's leaves, and where it goes.
            _ if self.of_project => (
                ProblemCode::UnsupportedVariable,
                "variables are not expanded in `oauth` of a project's file".to_owned(),
            ),
            Some(name) => (ProblemCode::MissingVariable, format!("the variable {name} is not set")),
            None if text.secrets().next().is_some() => (
                ProblemCode::UnsupportedVariable,
                "a secret by reference is read for `clientSecret` alone".to_owned(),
            ),
            None if text.foreign().next().is_some() => {
                (ProblemCode::UnsupportedVariable, "holds a reference that is not read here".to_owned())
            }
            None => return Some(text.expose().to_owned()),
        };
        let steps = ["oauth", key];
        match key {
            "clientId" => self.warn(code, &steps, node.span, format!("{message}; it is left out"), None),
            _ => self.error(code, &steps, node.span, message, None),
        }
        None
    }

    fn any_text(&mut self, node: &Node, steps: Steps<'_>, env: &Env) -> Option<Text> {
        let Some(written) = node.as_str() else {
            let message = format!("expected a string, found {}", node.kind());
            let quote = matches!(node.kind(), "a number" | "a boolean").then_some("put it in double quotes");
            self.error(ProblemCode::InvalidConfig, steps, node.span, message, quote);
            return None;
        };
        let text = Text::expand_in(written, env, self.base);
        let lacking: Vec<&str> = text.lacking().collect();
        for name in unique(text.missing()) {
            // What is written as a secret by reference is read for a connection, and what it would be a part of does not go out.
            let is_lacking = lacking.contains(&&*name);
            let stays = format!("; ${{{name}}} is used as it stands");
            let message = format!("the variable {name} is not set{}", if is_lacking { "" } else { &*stays });
            let default = format!(", or write ${{{name}:-default}}");
            let hint = format!("set {name}{}", if is_lacking { "" } else { &*default });
            self.warn(ProblemCode::MissingVariable, steps, node.span, message, Some(&hint));
        }
        // What a program is given may well be empty; an address, a header or a path that is made of nothing is a slip.
        let is_given = matches!(steps.first(), Some(&("args" | "env")));
        for name in unique(text.empty().filter(|_| !is_given)) {
            let message = format!("the variable {name} is set, and empty");
            let hint = format!("give {name} a value");
            self.warn(ProblemCode::MissingVariable, steps, node.span, message, Some(&hint));
        }
        for reference in unique(text.foreign()) {
            let message = format!("${{{reference}}} is not expanded here; it is used as it stands");
            let hint = match reference.split_once(':') {
                Some(("env", name)) => format!("write ${{{name}}}"),
                _ => "write ${NAME} for the environment variable NAME".to_owned(),
            };
            self.warn(ProblemCode::UnsupportedVariable, steps, node.span, message, Some(&hint));
        }
        // Security: as it stands it would go where the secret was to go, unsaid.
        let shell = matches!(steps.first(), Some(&("command" | "args" | "env")));
        for found in misspelt(&text, if shell { Readers::Shell } else { Readers::Server }) {
            let code = ProblemCode::UnsupportedVariable;
            match found.certain {
                true => self.error(code, steps, node.span, found.message, Some(&found.hint)),
                false => self.warn(code, steps, node.span, found.message, Some(&found.hint)),
            }
        }
        if text.has_outer_whitespace() {
            let message = "has leading or trailing whitespace; it is used as written";
            self.warn(ProblemCode::Whitespace, steps, node.span, message, None);
        }
        Some(text)
    }

    /// An object of strings, such as `headers`, each expanded; shown with secrets replaced.
    pub(super) fn text_map(&mut self, key: &str) -> Vec<(String, Text)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let Some(object) = node.as_object() else {
            let hint = "write {\"NAME\": \"value\"}, with a member for each";
            self.misshapen(key, node, "an object of strings", Some(hint));
            return Vec::new();
        };
        if object.iter().count() > MAX_MEMBERS {
            let message = format!("has more than {MAX_MEMBERS} members");
            let hint = Some("take out what is too much");
            self.error(ProblemCode::InvalidConfig, &[key], node.span, &message, hint);
            return Vec::new();
        }
        let path = self.pointer(&[key]);
        super::duplicates(self.document, object, &path, self.problems);
        let mut texts = Vec::new();
        for member in object.iter() {
            let steps = [key, &member.key];
            let Some(text) = self.text_with_secrets(&member.node, &steps) else { continue };
            if member.key.trim().len() != member.key.len() {
                let message = "its name has leading or trailing whitespace";
                self.warn(ProblemCode::Whitespace, &steps, member.key_span, message, None);
            }
            let missing = text.missing().map(str::to_owned).collect();
            let shown = display::display_secret_text(&text);
            self.show_at(&steps, &member.node, shown, missing);
            texts.push((member.key.to_string(), text));
        }
        texts
    }

    /// Where the value of each member of an object field stands, for a problem about it.
    pub(super) fn member_spans(&self, key: &str) -> HashMap<&'a str, Span> {
        let object = self.get(key).and_then(Node::as_object);
        object.into_iter().flat_map(Object::iter).map(|member| (&*member.key, member.node.span)).collect()
    }
}

fn extended(path: &Pointer, steps: Steps<'_>) -> Pointer {
    steps.iter().fold(path.clone(), |path, step| {
        let index = step.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match index.and_then(|index| index.parse().ok()) {
            Some(index) => path.index(index),
            None => path.key(step),
        }
    })
}

/// Each name once, in order.
fn unique<'t>(names: impl Iterator<Item = &'t str>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}
