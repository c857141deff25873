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

/// What stands behind the colon where a shell cuts one of its own variables.
pub(crate) fn of_a_shell(c: char) -> bool {
    c.is_ascii_digit() || c.is_whitespace() || "-+=?(".contains(c)
}

/// The first reference to a secret in `text` that is no variable.
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
    let (word, rest) = text[2..length].split_once(':')?;
    if !KINDS.contains(&word) || rest.starts_with(of_a_shell) {
        return None;
    }
    reference(&text[..length]).map(|written| (length, written))
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

/// The brace that ends a default; braces inside it (JSON, another reference) come in pairs.
pub(crate) fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
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
