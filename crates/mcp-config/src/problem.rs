//! What is wrong with the configuration, as values: nothing here stops a load.

use std::fmt;

use serde::Serialize;

use crate::{ConfigSource, Origin};

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing; everything works as written.
    Note,
    /// Something is ignored, or is not what it looks like.
    Warning,
    /// A file, an entry or a request cannot be used.
    Error,
}

/// The kind of a [`Problem`], stable for programs.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProblemCode {
    /// A file cannot be parsed.
    Syntax,
    /// A file cannot be read.
    Unreadable,
    /// A file parses and is not what it should be: another host's shape, the wrong type at the top.
    WrongShape,
    /// A field of an entry is missing, or has the wrong type or an impossible value.
    InvalidConfig,
    /// `type` is not one of the known ones.
    UnknownType,
    /// `url` without `type`.
    UrlMissingType,
    /// The name belongs to a built-in server of a host.
    ReservedName,
    /// A field that is not read.
    UnknownField,
    /// A field that means nothing for this kind of server.
    UnusedField,
    /// A field whose value is ignored.
    IgnoredValue,
    /// A name is written twice in one object; the last one wins.
    DuplicateName,
    /// A variable is not set and has no default; its text is used as it stands.
    MissingVariable,
    /// A spelling of a variable that is not expanded here.
    UnsupportedVariable,
    /// Leading or trailing whitespace in a value that is used as written.
    Whitespace,
    /// The same name in two scopes, with different endpoints.
    ConflictingScopes,
    /// Definitions in a file or place that is never read.
    NeverRead,
    /// A name in the disabled list hides an entry that was asked for explicitly.
    DisabledOverride,
    /// A managed file or policy forbids what was asked for.
    ManagedPolicy,
    /// An entry of an allow or deny list is unusable.
    InvalidPolicy,
    /// A project entry is not approved and leaves its name to another scope.
    NotApproved,
    /// An entry is how a host reaches a server, and no server.
    Pointer,
    /// What a person agreed to could not be kept.
    NotKept,
    /// Something in the file of another host has no equal here, or another form.
    NotTakenOver,
    /// Certificates of a server are not checked.
    NotVerified,
    /// Every account of this machine may change a file that is believed without a person's consent.
    OpenToAll,
    /// A word about which tools may be used that is none, or is misspelt. What it may forbid stays forbidden.
    ToolPolicy,
}

impl ProblemCode {
    /// Whether what is sent to the server, how it is reached, or what of it may be used, is another thing than was meant: told at
    /// each use of the server.
    pub fn is_of_each_use(self) -> bool {
        matches!(
            self,
            Self::MissingVariable
                | Self::UnsupportedVariable
                | Self::Whitespace
                | Self::NotVerified
                | Self::ToolPolicy
        )
    }
}

/// One thing that is wrong, and where.
///
/// No text in it holds a value of a file or of a variable: names, kinds and places only.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Its kind.
    pub code: ProblemCode,
    /// The file or argument that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<ConfigSource>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The value, for people: `mcpServers.x.type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The value, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The server entry that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// Whether it is about a whole file, so that what is in it is not known.
    pub fn is_of_whole_file(&self) -> bool {
        let code =
            matches!(self.code, ProblemCode::Syntax | ProblemCode::Unreadable | ProblemCode::WrongShape);
        self.severity == Severity::Error && code && self.server.is_none()
    }

    /// What is wrong and where, and what to do about it: one line for people, of any length.
    pub fn to_line(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{self} ({hint})"),
            None => self.to_string(),
        }
    }

    pub(crate) fn new(severity: Severity, code: ProblemCode, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            file: None,
            line: None,
            column: None,
            field: None,
            pointer: None,
            server: None,
            message: message.into(),
            hint: None,
        }
    }

    /// What is wrong with a variable of the environment, found where it is used: `message` is what stands after its name,
    /// such as "names FILE, which is not there", and `hint` what to do.
    pub fn of_variable(name: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let problem = Self::new(Severity::Warning, ProblemCode::IgnoredValue, message).with_hint(hint);
        Self { field: Some(name.to_owned()), ..problem }
    }

    pub(crate) fn in_place(mut self, place: &ConfigSource) -> Self {
        self.file = Some(place.clone());
        self
    }

    pub(crate) fn at(mut self, origin: &Origin) -> Self {
        self.file = Some(origin.place.clone());
        self.line = Some(origin.line);
        self.field = Some(origin.field.clone());
        self.pointer = Some(origin.pointer.clone());
        self
    }

    /// The same where it is about what was typed with a URL: its option in the place of a line, a column and a field.
    pub(crate) fn told_by_option(mut self) -> Self {
        if self.file == Some(ConfigSource::Url)
            && let Some(pointer) = self.pointer.take()
        {
            (self.line, self.column) = (None, None);
            self.field = Some(crate::typed::option(&pointer));
            self.message = crate::typed::in_options(&self.message);
            self.hint = self.hint.as_deref().map(crate::typed::in_options);
        }
        self
    }

    pub(crate) fn of_server(mut self, name: &str) -> Self {
        self.server = Some(name.to_owned());
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = self.file.as_ref().filter(|file| **file != ConfigSource::Url) {
            // A place in a file is written as editors open it; what was typed is not a file.
            let [line, column] = if file.path().is_some() { [":", ":"] } else { [", line ", ", column "] };
            write!(f, "{file}")?;
            for (before, number) in [(line, self.line), (column, self.column)] {
                if let Some(number) = number {
                    write!(f, "{before}{number}")?;
                }
            }
            f.write_str(": ")?;
        }
        if let Some(field) = self.field.as_deref().filter(|field| !field.is_empty()) {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)
    }
}
