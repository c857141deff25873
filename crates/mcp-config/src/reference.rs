//! Secrets by reference, wherever they stand: what is written, and where it leads.

use std::path::{Path, PathBuf};

use crate::redacted::RedactedText;

/// A secret by reference: where it is, in the place of what it says. It is looked up when it is needed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SecretReference {
    /// `${env:NAME}` or `${NAME}`: a variable of the environment.
    Variable(String),
    /// `${file:PATH}`: the content of a file, without the line break at its end.
    File(RedactedText<PathBuf>),
    /// `${cmd:COMMAND}`: what a command prints.
    Command(RedactedText<String>),
    /// `${keyring:SERVICE/NAME}`: in the keyring of the operating system.
    Keyring {
        /// Whose it is.
        service: String,
        /// Its name.
        name: String,
    },
}

/// The service in the keyring under which sign-ins are kept: no reference leads to one.
const SIGN_INS: &str = crate::Locations::NAME;

/// What a reference says, before paths are made absolute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReferenceText<'t> {
    Variable(&'t str),
    File(&'t str),
    Command(&'t str),
    Keyring(&'t str, &'t str),
}

impl ReferenceText<'_> {
    /// Why it leads to nothing that may be used, and what to write.
    pub(crate) fn fault(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::File(path) if path == "~" || path.starts_with("~/") => {
                Some(("begins with `~`, which is not expanded", "write the whole path"))
            }
            // Security: what a sign-in has brought is for its own server.
            Self::Keyring(SIGN_INS, _) => Some((
                "leads to the sign-ins that are kept, which go to their own servers alone",
                "use `auth` or a sign-in",
            )),
            _ => None,
        }
    }

    /// Where it leads, a relative path from `base`.
    pub(crate) fn resolved(self, base: &Path) -> SecretReference {
        match self {
            Self::Variable(name) => SecretReference::Variable(name.to_owned()),
            Self::File(path) => SecretReference::File(RedactedText::new(base.join(path))),
            Self::Command(command) => SecretReference::Command(RedactedText::new(command.to_owned())),
            Self::Keyring(service, name) => {
                SecretReference::Keyring { service: service.to_owned(), name: name.to_owned() }
            }
        }
    }
}

/// The words that a reference begins with.
pub(crate) const KINDS: [&str; 4] = ["env", "file", "cmd", "keyring"];

/// Whether `rest`, which stands behind the colon, is what a shell cuts one of its own variables by: a default, or the numbers of
/// a part (`1:2`, ` -3`, `(1+2)`). A file `2fa.txt`, a service `1password/x` and a command in parentheses are none.
pub(crate) fn is_of_a_shell(rest: &str) -> bool {
    let counts = |c: char| c.is_ascii_digit() || c.is_whitespace() || "+-*/%():".contains(c);
    rest.starts_with(['-', '+', '=', '?'])
        || rest.starts_with(char::is_whitespace)
        || !rest.is_empty() && rest.chars().all(counts)
}

/// The first reference to a secret in `text` that is not a variable.
pub(crate) fn in_text(text: &str) -> Option<ReferenceText<'_>> {
    text.match_indices("${")
        .filter_map(|(at, _)| leading(&text[at..]))
        .map(|(_, written)| written)
        .find(|written| !matches!(written, ReferenceText::Variable(_)))
}

/// The reference that `text` begins with, and its length: braces in it come in pairs. What a shell would read as a part of
/// one of its own variables (`${file:1:2}`) is none.
pub(crate) fn leading(text: &str) -> Option<(usize, ReferenceText<'_>)> {
    let inner = text.strip_prefix("${")?;
    let length = 2 + closing_brace(inner)? + 1;
    let (word, rest) = text[2..length - 1].split_once(':')?;
    if !KINDS.contains(&word) || is_of_a_shell(rest) {
        return None;
    }
    reference(&text[..length]).map(|written| (length, written))
}

/// How a text begins that is not read for references: it ends with the brace that closes it.
pub(crate) const LITERAL: &str = "${literal:";

/// The length of the `${literal:TEXT}` that `text` begins with, which stands for TEXT whatever that looks like. What a shell
/// would cut by (`${literal:0:3}`) is none.
pub(crate) fn leading_literal(text: &str) -> Option<usize> {
    let inner = text.strip_prefix(LITERAL)?;
    let end = closing_brace(inner)?;
    (!is_of_a_shell(&inner[..end])).then_some(LITERAL.len() + end + 1)
}

/// The reference that a whole text is.
pub(crate) fn reference(text: &str) -> Option<ReferenceText<'_>> {
    let inner = text.strip_prefix("${")?.strip_suffix('}')?;
    let filled = |text: &str| !text.trim().is_empty() && !text.contains('\0');
    match inner.split_once(':') {
        Some(("env", name)) => mcp_text::is_variable_name(name).then_some(ReferenceText::Variable(name)),
        Some(("file", path)) => filled(path).then_some(ReferenceText::File(path)),
        Some(("cmd", command)) => filled(command).then_some(ReferenceText::Command(command)),
        Some(("keyring", item)) => {
            let (service, name) = item.split_once('/')?;
            (filled(service) && filled(name)).then_some(ReferenceText::Keyring(service, name))
        }
        Some(_) => None,
        None => mcp_text::is_variable_name(inner).then_some(ReferenceText::Variable(inner)),
    }
}

/// How many braces may stand in each other: what a person writes has a few. Security: each `${` of a text begins a search, so
/// that without an end to it a repository's text of 100 KiB took minutes.
const MAX_BRACES: usize = 32;

/// The brace that ends a default; braces inside it (JSON, another reference) come in pairs.
pub(crate) fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if open == MAX_BRACES => return None,
            b'{' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_in_braces_are_followed_as_far_as_a_person_writes_them() {
        let nested = |depth: usize| format!("{}{}}}", "{".repeat(depth), "}".repeat(depth));
        assert_eq!(closing_brace(&nested(MAX_BRACES)), Some(2 * MAX_BRACES));
        assert_eq!(closing_brace(&nested(MAX_BRACES + 1)), None);
        // Each of these begins a search, and each ends after a few steps.
        let text = crate::expand::Text::expand(&"${A:-".repeat(200_000), &crate::Env::new());
        assert_eq!(text.expose().len(), 1_000_000);
    }

    #[test]
    fn a_text_that_is_not_read_ends_with_its_brace() {
        for (text, length) in [
            ("${literal:${MODE:-dev}} ${X}", Some(23)),
            ("${literal:}", Some(11)),
            ("${literal:a{b}c}", Some(16)),
            ("${literal:${X}", None),
            ("${literal:0:3}", None),
            ("${literal:-x}", None),
            ("x${literal:y}", None),
        ] {
            assert_eq!(leading_literal(text), length, "{text}");
        }
    }

    #[test]
    fn a_reference_is_a_whole_text() {
        for (text, expected) in [
            ("${V}", Some(ReferenceText::Variable("V"))),
            ("${env:V_1}", Some(ReferenceText::Variable("V_1"))),
            ("${file:/run/t}", Some(ReferenceText::File("/run/t"))),
            (
                "${cmd:printf '%s' \"${X:-}\" | tr a b}",
                Some(ReferenceText::Command("printf '%s' \"${X:-}\" | tr a b")),
            ),
            ("${env:}", None),
            ("${env:A B}", None),
            ("${file: }", None),
            ("${cmd:}", None),
            ("${keyring:a/b/c}", Some(ReferenceText::Keyring("a", "b/c"))),
            ("${keyring:a}", None),
            ("${keyring:/b}", None),
            ("${V:-default}", None),
            ("x${V}", None),
            ("${V}x", None),
            ("", None),
        ] {
            assert_eq!(reference(text), expected, "{text}");
        }
    }
}
