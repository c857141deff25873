//! One text that was read, parsed, with problems and origins that know their place in it.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::hosts::KnownHost;
use crate::json::{self, LineIndex, Node, Object, Pointer, Span};
use crate::syntax::syntax;
use crate::{ConfigSource, Origin, Problem, ProblemCode, Severity};

/// Where what stands at a place of the text is, in the host's own words.
pub(crate) type Origins = HashMap<(usize, usize), Pointer>;

/// A parsed file or argument.
#[derive(Clone, Debug)]
pub(crate) struct Document<'a> {
    pub(crate) place: ConfigSource,
    text: Text<'a>,
    lines: LineIndex,
    pub(crate) root: Node,
    /// The other account that the file or its folder belongs to, where it does.
    pub(crate) foreign: Option<u32>,
    /// The host whose file it is, where that is another one.
    pub(crate) host: Option<&'static KnownHost>,
    /// Where values stand in a file that is written in another host's words.
    origins: Option<Origins>,
    /// The folder where relative paths of a project's file begin, where it is not the file's own.
    pub(crate) folder: Option<PathBuf>,
    /// The root of the plugin that it is of, where it is of one.
    pub(crate) plugin: Option<PathBuf>,
}

/// The text, which may hold secrets: not shown by `Debug`.
#[derive(Clone)]
struct Text<'a>(&'a str);

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<'a> Document<'a> {
    /// Parses `text`; a text that cannot be parsed is one problem with its position.
    pub(crate) fn parse(place: ConfigSource, text: &'a str) -> Result<Self, Box<Problem>> {
        let parsed = json::parse(text);
        Self::of(place, text, parsed, syntax)
    }

    /// Of a file that is not read: enough to see whether there are servers in it.
    pub(crate) fn glance(place: ConfigSource, text: &'a str) -> Result<Self, Box<Problem>> {
        Self::of(place, text, json::parse_to(text, 2), syntax)
    }

    /// Of what was read of a text in another format than JSON.
    pub(crate) fn parsed(
        place: ConfigSource,
        text: &'a str,
        parsed: Result<Node, json::SyntaxError>,
    ) -> Result<Self, Box<Problem>> {
        Self::of(place, text, parsed, |_, error| error.message.to_owned())
    }

    /// The same text told in our own words; `origins` is where everything is in those of its host.
    pub(crate) fn retold(&self, host: &'static KnownHost, root: Node, origins: Origins) -> Self {
        Self { root, host: Some(host), origins: Some(origins), ..self.clone() }
    }

    /// The same text, some of it told in our own words; it is of no other host for that.
    pub(crate) fn told(&self, root: Node, origins: Origins) -> Self {
        Self { root, origins: Some(origins), ..self.clone() }
    }

    /// The same text with `node`, a part of it, told in our own words: enough to read that part with.
    pub(crate) fn part_told(&self, node: Node, mut origins: Origins) -> Self {
        origins.extend(self.origins.iter().flatten().map(|(at, path)| (*at, path.clone())));
        Self {
            place: self.place.clone(),
            text: self.text.clone(),
            lines: self.lines.clone(),
            root: node,
            foreign: self.foreign,
            host: self.host,
            origins: Some(origins),
            folder: self.folder.clone(),
            plugin: self.plugin.clone(),
        }
    }

    fn of(
        place: ConfigSource,
        text: &'a str,
        parsed: Result<Node, json::SyntaxError>,
        syntax: impl FnOnce(&str, &json::SyntaxError) -> String,
    ) -> Result<Self, Box<Problem>> {
        let lines = LineIndex::new(text);
        match parsed {
            Ok(root) => {
                let text = Text(text);
                let (foreign, host, origins, folder) = (None, None, None, None);
                Ok(Self { place, text, lines, root, foreign, host, origins, folder, plugin: None })
            }
            Err(error) => {
                let (line, column) = lines.position(text, error.offset);
                let mut problem =
                    Problem::new(Severity::Error, ProblemCode::Syntax, syntax(text, &error)).in_place(&place);
                problem.line = Some(line);
                problem.column = Some(column);
                problem.field = Some(error.pointer.dotted());
                problem.pointer = Some(error.pointer.to_string());
                // There is no file that could be left.
                let hint = match place.path() {
                    Some(_) => "correct it by hand; the file is left as it is",
                    None => "correct what was given",
                };
                problem.hint = Some(hint.to_owned());
                Err(Box::new(problem))
            }
        }
    }

    /// As [`Self::parse`], where anything but an object is a problem too.
    pub(crate) fn parse_object(place: ConfigSource, text: &'a str) -> Result<Self, Box<Problem>> {
        let document = Self::parse(place, text)?;
        if document.object().is_some() {
            return Ok(document);
        }
        let message = format!("expected an object, found {}", document.root.kind());
        let (severity, code) = (Severity::Error, ProblemCode::WrongShape);
        let problem = document.problem(severity, code, &Pointer::default(), document.root.span, message);
        let hint = "servers stand in an object by their names: {\"mcpServers\": {\"NAME\": {..}}}";
        Err(Box::new(problem.with_hint(hint)))
    }

    /// The members of the document, unless it is not an object.
    pub(crate) fn object(&self) -> Option<&Object> {
        self.root.as_object()
    }

    /// The text of a value, which may be a secret.
    pub(crate) fn written(&self, span: Span) -> &'a str {
        self.text.0.get(span.start()..span.end()).unwrap_or_default()
    }

    /// The path of what stands at `span`, in the words of the file.
    fn path<'p>(&'p self, pointer: &'p Pointer, span: Span) -> &'p Pointer {
        let origins = self.origins.as_ref();
        origins.and_then(|origins| origins.get(&(span.start(), span.end()))).unwrap_or(pointer)
    }

    /// The line of a value, from 1.
    pub(crate) fn line(&self, span: Span) -> usize {
        self.lines.line(span.start())
    }

    pub(crate) fn origin(&self, pointer: &Pointer, span: Span) -> Origin {
        let (pointer, field) = self.path(pointer, span).both();
        Origin { place: self.place.clone(), pointer, field, line: self.line(span) }
    }

    pub(crate) fn problem(
        &self,
        severity: Severity,
        code: ProblemCode,
        pointer: &Pointer,
        span: Span,
        message: impl Into<String>,
    ) -> Problem {
        let pointer = self.path(pointer, span);
        let (line, column) = self.lines.position(self.text.0, span.start());
        let mut problem = Problem::new(severity, code, message).in_place(&self.place);
        problem.line = Some(line);
        problem.column = Some(column);
        let (pointer, field) = pointer.both();
        problem.field = Some(field);
        problem.pointer = Some(pointer);
        problem
    }
}
