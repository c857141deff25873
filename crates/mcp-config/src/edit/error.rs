//! Why a text could not be edited.

use std::error::Error;
use std::fmt;

use crate::json::{LineIndex, Node, Pointer, SyntaxError};
use crate::syntax::syntax;

/// The kind of an [`EditError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum EditErrorKind {
    /// The text is not JSON, so it is not known what stands where.
    Syntax,
    /// Something else stands in the place of an object.
    WrongShape,
    /// The change would touch more than it names.
    Unsafe,
}

/// Why a text could not be edited; the text stays as it is. Names a place and never quotes a value.
#[derive(Clone, Debug)]
pub struct EditError {
    kind: EditErrorKind,
    /// Line and column, both from 1.
    position: Option<(usize, usize)>,
    message: String,
}

impl EditError {
    pub(super) fn new(kind: EditErrorKind) -> Self {
        let message = "cannot be changed there without changing more; change it by hand".to_owned();
        Self { kind, position: None, message }
    }

    pub(super) fn syntax(text: &str, error: &SyntaxError) -> Self {
        let position = Some(LineIndex::new(text).position(text, error.offset));
        Self { kind: EditErrorKind::Syntax, position, message: syntax(text, error) }
    }

    pub(super) fn wrong_shape(text: &str, node: &Node, path: &Pointer) -> Self {
        let position = Some(LineIndex::new(text).position(text, node.span.start()));
        let field = path.dotted();
        let what = if field.is_empty() { String::new() } else { format!("{field}: ") };
        let message = format!("{what}expected an object, found {}", node.kind());
        Self { kind: EditErrorKind::WrongShape, position, message }
    }

    /// What kind of error it is.
    pub fn kind(&self) -> EditErrorKind {
        self.kind
    }

    /// Line and column that it is about, both from 1.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.position
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "{line}:{column}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl Error for EditError {}
