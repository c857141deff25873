//! `${VAR}`, `${VAR:-default}` and `${env:VAR}`; and where a secret is: `${file:PATH}`, `${cmd:COMMAND}`,
//! `${keyring:SERVICE/NAME}`, which stays as it is written until it is needed. `${literal:TEXT}` is TEXT, whatever that looks
//! like: what a shell is to replace, or what another host leaves as it stands.
//!
//! Expanded are `command`, `args`, the values of `env` and `headers`, and `url`. A variable that is not set
//! and has no default keeps its text, so the entry still loads; [`Text::missing`] tells which. Written as `${env:VAR}` it is
//! a reference to a secret, without which nothing is sent. A variable
//! that is set to nothing counts as set. A default is taken as written: it is not expanded again.
//!
//! Everything else between `${` and `}` is left alone, because a shell further down may mean it
//! (`${file%.*}` in an argument); the spellings of other hosts are told apart by [`Text::foreign`].

mod spelling;

use std::fmt;
use std::path::Path;

pub(crate) use spelling::{escaped, replaced_length, unescaped, with_plain_variables};

use crate::Env;
use crate::reference::{self, LITERAL, ReferenceText, SecretReference, closing_brace};

/// A string of a configuration file, as written and as expanded.
///
/// Both may hold secrets, so `Debug` shows neither; what may be shown is made from the text as written.
#[derive(Clone, Eq, PartialEq)]
pub struct Text {
    pieces: Vec<Piece>,
    value: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    Literal(String),
    Variable(Variable),
    /// A secret that is read when it is needed.
    Secret(WrittenReference),
    /// A text that is not read for references.
    Escaped(EscapedText),
}

/// `${literal:TEXT}`, as it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct EscapedText(String);

impl EscapedText {
    /// What it stands for.
    fn text(&self) -> &str {
        &self.0[LITERAL.len()..self.0.len() - 1]
    }

    /// As it is written.
    pub(crate) fn written(&self) -> &str {
        &self.0
    }
}

/// A reference to a secret that is not a variable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WrittenReference {
    pub(crate) reference: SecretReference,
    /// Why it leads to nothing that may be used, and what to write.
    pub(crate) fault: Option<(&'static str, &'static str)>,
    /// As it stands there, paths and commands in it.
    pub(crate) written: String,
}

/// One `${..}` that was understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) default: Option<String>,
    pub(crate) from: VariableSource,
    /// It is written as a reference to a secret: its text does not go out in the place of its value.
    pub(crate) is_required: bool,
    value: String,
}

/// Where the value of a variable came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum VariableSource {
    Environment,
    Default,
    Missing,
}

impl Text {
    /// Expands `written` with `env`.
    pub(crate) fn expand(written: &str, env: &Env) -> Self {
        Self::expand_in(written, env, Path::new(""))
    }

    /// The same; the relative path of a secret begins at `base`.
    pub(crate) fn expand_in(written: &str, env: &Env, base: &Path) -> Self {
        let mut pieces = Vec::new();
        let mut literal = 0;
        let mut at = 0;
        while let Some(open) = written[at..].find("${").map(|offset| at + offset) {
            let Some((length, piece)) = piece(&written[open..], env, base) else {
                at = open + 2;
                continue;
            };
            if literal < open {
                pieces.push(Piece::Literal(written[literal..open].to_owned()));
            }
            pieces.push(piece);
            at = open + length;
            literal = at;
        }
        if literal < written.len() || pieces.is_empty() {
            pieces.push(Piece::Literal(written[literal..].to_owned()));
        }
        let value = pieces.iter().map(Piece::value).collect();
        Self { pieces, value }
    }

    /// The expanded value. Marks the boundary: it must not reach a log, an error or a screen.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// As [`Self::expose`], with what came from the variables that `hide` accepts replaced by `mask`.
    pub fn expose_masked(&self, hide: impl Fn(&str) -> bool, mask: &str) -> String {
        let masked = |piece: &Piece| match piece {
            Piece::Variable(variable)
                if variable.from == VariableSource::Environment && hide(&variable.name) =>
            {
                mask.to_owned()
            }
            Piece::Secret(_) => mask.to_owned(),
            piece => piece.value().to_owned(),
        };
        self.pieces.iter().map(masked).collect()
    }

    /// The secrets that are a part of it and are read when they are needed. In [`expose`](Self::expose) they are as they are
    /// written.
    pub fn references(&self) -> impl Iterator<Item = &SecretReference> {
        self.secrets().map(|secret| &secret.reference)
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = &WrittenReference> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Secret(secret) => Some(secret),
            _ => None,
        })
    }

    /// The value with `mark` in the place of each secret that is read later.
    pub(crate) fn with_mark(&self, mark: &str) -> String {
        let marked = |piece: &Piece| match piece {
            Piece::Secret(_) => mark.to_owned(),
            piece => piece.value().to_owned(),
        };
        self.pieces.iter().map(marked).collect()
    }

    /// The variables that are not set and have no default.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.variables().filter(|variable| variable.from == VariableSource::Missing).map(|v| &*v.name)
    }

    /// Those of them that are written as references to secrets.
    pub(crate) fn lacking(&self) -> impl Iterator<Item = &str> {
        self.variables().filter(|variable| variable.is_lacking()).map(|variable| &*variable.name)
    }

    /// The variables that are set, and to nothing but blanks.
    pub(crate) fn empty(&self) -> impl Iterator<Item = &str> {
        self.variables().filter(|variable| variable.is_empty()).map(|variable| &*variable.name)
    }

    /// The variables whose value came from the environment.
    pub fn from_environment(&self) -> impl Iterator<Item = &str> {
        self.variables().filter(|variable| variable.from == VariableSource::Environment).map(|v| &*v.name)
    }

    /// Whether a part of it is kept from being read for references.
    pub(crate) fn is_escaped(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Escaped(_)))
    }

    /// Spellings that another host expands and this one does not, such as `env:TOKEN`.
    pub(crate) fn foreign(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().flat_map(|piece| match piece {
            Piece::Literal(text) => foreign(text),
            Piece::Variable(_) | Piece::Secret(_) | Piece::Escaped(_) => Vec::new(),
        })
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(variable) => Some(variable),
            Piece::Literal(_) | Piece::Secret(_) | Piece::Escaped(_) => None,
        })
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether leading or trailing whitespace is part of the value.
    pub(crate) fn has_outer_whitespace(&self) -> bool {
        self.value.trim().len() != self.value.len()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(mcp_text::REDACTED)
    }
}

impl Piece {
    /// A literal, or where a secret is, as it is written; nothing of a variable.
    pub(crate) fn written(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Secret(WrittenReference { written: text, .. }) => text,
            Self::Escaped(escaped) => escaped.written(),
            Self::Variable(_) => "",
        }
    }

    /// What is written out.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Escaped(escaped) => Some(escaped.written()),
            Self::Variable(_) | Self::Secret(_) => None,
        }
    }

    /// The name of a variable, and its default.
    pub(crate) fn as_variable(&self) -> Option<(&str, Option<&str>)> {
        match self {
            Self::Literal(_) | Self::Secret(_) | Self::Escaped(_) => None,
            Self::Variable(variable) => Some((&variable.name, variable.default.as_deref())),
        }
    }

    pub(crate) fn value(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Secret(WrittenReference { written: text, .. }) => text,
            Self::Escaped(escaped) => escaped.text(),
            Self::Variable(variable) => &variable.value,
        }
    }
}

impl Variable {
    fn resolve(name: &str, default: Option<&str>, is_required: bool, env: &Env) -> Self {
        let (from, value) = match (env.var(name), default) {
            (Some(value), _) => (VariableSource::Environment, value.to_owned()),
            (None, Some(default)) => (VariableSource::Default, default.to_owned()),
            (None, None) => (VariableSource::Missing, format!("${{{name}}}")),
        };
        Self { name: name.to_owned(), default: default.map(str::to_owned), from, is_required, value }
    }

    /// Whether there is nothing to go out in its place, though there has to be.
    pub(crate) fn is_lacking(&self) -> bool {
        self.is_required && self.from == VariableSource::Missing
    }

    /// Whether it is set, and to nothing but blanks.
    pub(crate) fn is_empty(&self) -> bool {
        self.from == VariableSource::Environment && self.value.trim().is_empty()
    }
}

/// The piece that `text` begins with, and its length.
fn piece(text: &str, env: &Env, base: &Path) -> Option<(usize, Piece)> {
    if let Some((length, name, default)) = variable(text) {
        return Some((length, Piece::Variable(Variable::resolve(name, default, false, env))));
    }
    if let Some(length) = reference::leading_literal(text) {
        return Some((length, Piece::Escaped(EscapedText(text[..length].to_owned()))));
    }
    let (length, written) = reference::leading(text)?;
    let piece = match written {
        ReferenceText::Variable(name) => Piece::Variable(Variable::resolve(name, None, true, env)),
        written => Piece::Secret(WrittenReference {
            reference: written.resolved(base),
            fault: written.fault(),
            written: text[..length].to_owned(),
        }),
    };
    Some((length, piece))
}

/// Reads the variable that `text` begins with: its length, name and default.
fn variable(text: &str) -> Option<(usize, &str, Option<&str>)> {
    let body = text.strip_prefix("${")?;
    let length = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
    let (name, rest) = body.split_at(length);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if rest.starts_with('}') {
        return Some((2 + length + 1, name, None));
    }
    let default = rest.strip_prefix(":-")?;
    let end = closing_brace(default)?;
    Some((2 + length + 2 + end + 1, name, Some(&default[..end])))
}

/// What other hosts replace, besides `env`: VS Code's words.
pub(crate) const HOST_WORDS: [&str; 5] =
    ["input", "command", "config", "workspaceFolder", "extensionInstallFolder"];

/// A name as other hosts have them.
pub(crate) fn is_foreign_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
}

/// The `${prefix:name}` and `${user_config.name}` references in a literal.
fn foreign(text: &str) -> Vec<&str> {
    let is_foreign = |reference: &str| match reference.split_once(':') {
        Some((word, name)) => (word == "env" || HOST_WORDS.contains(&word)) && is_foreign_name(name),
        None => reference.strip_prefix("user_config.").is_some_and(is_foreign_name),
    };
    text.split("${")
        .skip(1)
        .filter_map(|part| part.find('}').map(|end| &part[..end]))
        .filter(|reference| is_foreign(reference))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redacted::RedactedText;

    fn expand(written: &str) -> Text {
        Text::expand(written, &Env::from([("A", "1"), ("EMPTY", ""), ("TOKEN", "canary")]))
    }

    #[test]
    fn references_are_replaced_once() {
        for (written, value) in [
            ("", ""),
            ("plain", "plain"),
            ("${A}", "1"),
            ("x${A}y${A}z", "x1y1z"),
            ("${A:-d}", "1"),
            ("${B:-d}", "d"),
            ("${B:-}", ""),
            ("${EMPTY:-d}", ""),
            ("${B:-http://h:1/p?q=}", "http://h:1/p?q="),
            ("${B:-{\"a\":{}}}|", "{\"a\":{}}|"),
            ("${B:-${A}}", "${A}"),
            ("${B}", "${B}"),
            ("$A $${A}", "$A $1"),
            ("${A", "${A"),
            ("${A:-d", "${A:-d"),
            ("${}", "${}"),
            ("${1A}", "${1A}"),
            ("ä${A}ö", "ä1ö"),
        ] {
            assert_eq!(expand(written).expose(), value, "{written}");
        }
    }

    #[test]
    fn f122_a_missing_variable_keeps_its_text_and_is_named() {
        let text = expand("Bearer ${NOPE} ${ALSO_NOT} ${A}");
        assert_eq!(text.expose(), "Bearer ${NOPE} ${ALSO_NOT} 1");
        assert_eq!(text.missing().collect::<Vec<_>>(), ["NOPE", "ALSO_NOT"]);
        assert_eq!(text.from_environment().collect::<Vec<_>>(), ["A"]);
    }

    #[test]
    fn f123_shell_expansions_are_left_alone() {
        for written in
            ["${file%.*}", "${x##*/}", "${x:=1}", "${x:?no}", "${#x}", "${x/a/b}", "${x[0]}", "${!x}"]
        {
            let text = expand(written);
            assert_eq!(text.expose(), written);
            assert_eq!((text.missing().count(), text.foreign().count()), (0, 0), "{written}");
        }
    }

    #[test]
    fn fh_h5_a_literal_is_what_it_holds_and_is_read_by_none_of_the_readers_here() {
        for (written, value) in [
            ("echo ${literal:${MODE:-dev}} ${A}", "echo ${MODE:-dev} 1"),
            ("${literal:${A}}${literal:$}{A}", "${A}${A}"),
            ("${literal:${literal:${A}}}", "${literal:${A}}"),
            ("${literal:${cmd:rm -r /}}", "${cmd:rm -r /}"),
            ("${literal:}", ""),
            // A shell's own variable of this name.
            ("${literal:0:3} ${literal%.*} ${literal", "${literal:0:3} ${literal%.*} ${literal"),
        ] {
            let text = expand(written);
            assert_eq!(text.expose(), value, "{written}");
            assert_eq!((text.missing().count(), text.references().count()), (0, 0), "{written}");
            assert_eq!(text.foreign().count(), 0, "{written}");
        }
        assert_eq!(expand("${literal:${env:TO.KEN}}").foreign().count(), 0);
    }

    #[test]
    fn a_variable_that_is_written_as_a_secret_is_lacking_where_it_is_not_set() {
        for (written, lacking) in [
            ("${env:NOPE}", true),
            ("${NOPE}", false),
            ("${NOPE:-d}", false),
            ("${env:A}", false),
            ("${env:EMPTY}", false),
        ] {
            assert_eq!(expand(written).variables().any(Variable::is_lacking), lacking, "{written}");
        }
    }

    #[test]
    fn f124_spellings_of_other_hosts_are_told() {
        let text = expand("${env:TO.KEN} ${input:key} ${user_config.KEY} ${A}");
        assert_eq!(text.foreign().collect::<Vec<_>>(), ["env:TO.KEN", "input:key", "user_config.KEY"]);
        assert_eq!(text.expose(), "${env:TO.KEN} ${input:key} ${user_config.KEY} 1");
    }

    #[test]
    fn a_secret_by_reference_is_read_later_and_a_shells_variable_is_none() {
        let written = "Bearer ${keyring:mcp/a}, ${cmd:printf '%s' \"${X:-}\"} ${file:t} ${env:A}";
        let text = Text::expand_in(written, &Env::from([("A", "1")]), Path::new("/base"));
        assert_eq!(text.expose(), written.replace("${env:A}", "1"), "what is read later is as it is written");
        assert_eq!(text.with_mark("-"), "Bearer -, - - 1");
        let command = RedactedText::new("printf '%s' \"${X:-}\"".to_owned());
        let (service, name) = ("mcp".to_owned(), "a".to_owned());
        assert_eq!(
            text.references().cloned().collect::<Vec<_>>(),
            [
                SecretReference::Keyring { service, name },
                SecretReference::Command(command),
                SecretReference::File(RedactedText::new("/base/t".into())),
            ]
        );
        // What begins with a digit or a parenthesis is a name like any other.
        for written in ["${file:2fa.txt}", "${keyring:1password/x}", "${cmd:(echo a)}", "${cmd:7z l a}"] {
            assert_eq!(expand(written).references().count(), 1, "{written}");
        }
        for written in [
            "${file:0}",
            "${file:1:2}",
            "${cmd: -1}",
            "${cmd:=x}",
            "${env:?x}",
            "${keyring:a}",
            "${file:",
            "${cmd:{}",
        ] {
            let text = expand(written);
            assert_eq!((text.references().count(), text.expose()), (0, written), "{written}");
        }
    }

    #[test]
    fn values_of_chosen_variables_can_be_masked() {
        let text = expand("https://h/${A}?t=${TOKEN}&d=${B:-TOKEN}");
        assert_eq!(text.expose_masked(|name| name == "TOKEN", "REDACTED"), "https://h/1?t=REDACTED&d=TOKEN");
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", expand("literal ${TOKEN}")), "[redacted]");
    }
}
