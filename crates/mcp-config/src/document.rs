//! One text that was read, parsed, with problems and origins that know their place in it.

use crate::json::{self, Lines, Node, Object, Pointer, Span};
use crate::{Origin, Place, Problem, ProblemCode, Severity};

/// A parsed file or argument.
#[derive(Clone, Debug)]
pub(crate) struct Document<'a> {
    pub(crate) place: Place,
    text: Text<'a>,
    lines: Lines,
    pub(crate) root: Node,
    /// The other account that the file or its folder belongs to, where it does.
    pub(crate) foreign: Option<u32>,
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
    pub(crate) fn parse(place: Place, text: &'a str) -> Result<Self, Box<Problem>> {
        Self::of(place, text, json::parse(text))
    }

    /// Of a file that nobody reads: enough to see whether there are servers in it.
    pub(crate) fn glance(place: Place, text: &'a str) -> Result<Self, Box<Problem>> {
        Self::of(place, text, json::parse_to(text, 2))
    }

    fn of(
        place: Place,
        text: &'a str,
        parsed: Result<Node, json::SyntaxError>,
    ) -> Result<Self, Box<Problem>> {
        let lines = Lines::new(text);
        match parsed {
            Ok(root) => Ok(Self { place, text: Text(text), lines, root, foreign: None }),
            Err(error) => {
                let (line, column) = lines.position(text, error.offset);
                let mut problem =
                    Problem::new(Severity::Error, ProblemCode::Syntax, syntax(text, &error)).in_place(&place);
                problem.line = Some(line);
                problem.column = Some(column);
                problem.field = Some(error.pointer.dotted());
                problem.pointer = Some(error.pointer.to_string());
                problem.hint = Some("correct it by hand; the file is left as it is".to_owned());
                Err(Box::new(problem))
            }
        }
    }

    /// As [`Self::parse`], where anything but an object is a problem too.
    pub(crate) fn parse_object(place: Place, text: &'a str) -> Result<Self, Box<Problem>> {
        let document = Self::parse(place, text)?;
        if document.object().is_some() {
            return Ok(document);
        }
        let message = format!("expected an object, found {}", document.root.kind());
        let (severity, code) = (Severity::Error, ProblemCode::WrongShape);
        let problem = document.problem(severity, code, &Pointer::default(), document.root.span, message);
        Err(Box::new(problem))
    }

    /// The members of the document, unless it is no object.
    pub(crate) fn object(&self) -> Option<&Object> {
        self.root.as_object()
    }

    /// The text of a value, which may be a secret.
    pub(crate) fn written(&self, span: Span) -> &'a str {
        self.text.0.get(span.start()..span.end()).unwrap_or_default()
    }

    pub(crate) fn origin(&self, pointer: &Pointer, span: Span) -> Origin {
        Origin {
            place: self.place.clone(),
            pointer: pointer.to_string(),
            field: pointer.dotted(),
            line: self.lines.line(span.start()),
        }
    }

    pub(crate) fn problem(
        &self,
        severity: Severity,
        code: ProblemCode,
        pointer: &Pointer,
        span: Span,
        message: impl Into<String>,
    ) -> Problem {
        let (line, column) = self.lines.position(self.text.0, span.start());
        let mut problem = Problem::new(severity, code, message).in_place(&self.place);
        problem.line = Some(line);
        problem.column = Some(column);
        problem.field = Some(pointer.dotted());
        problem.pointer = Some(pointer.to_string());
        problem
    }
}

/// What is wrong at a place of a text, with what of it a person cannot see.
pub(crate) fn syntax(text: &str, error: &json::SyntaxError) -> String {
    if let Some(format) = crate::foreign::format(text) {
        return format!("{}; the file looks like {format}, and JSON is read here", error.message);
    }
    let at = text.get(error.offset..).and_then(|rest| rest.chars().next());
    match at.filter(|c| mcp_text::is_hidden(*c) && !c.is_ascii()) {
        Some(c) => {
            format!("{}; the character U+{:04X} stands there, which is not seen", error.message, c as u32)
        }
        None => error.message.to_owned(),
    }
}
