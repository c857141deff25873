//! How a text is written that is to be expanded as another one is, or not at all.

use std::borrow::Cow;

use super::{Piece, Text, variable};
use crate::Env;
use crate::reference::{self, LITERAL};

/// The length of what `text` begins with, where that is replaced.
pub(crate) fn replaced_length(text: &str) -> Option<usize> {
    let variable = variable(text).map(|(length, ..)| length);
    variable
        .or_else(|| reference::leading_literal(text))
        .or_else(|| reference::leading(text).map(|(length, _)| length))
}

/// `text` with `${env:NAME}` as `${NAME}`, to be compared.
pub(crate) fn with_plain_variables(text: &str) -> Cow<'_, str> {
    if !text.contains("${env:") {
        return Cow::Borrowed(text);
    }
    let read = Text::expand(text, &Env::new());
    let plain = |piece: &Piece| match piece.as_variable() {
        Some((name, Some(default))) => format!("${{{name}:-{default}}}"),
        Some((name, None)) => format!("${{{name}}}"),
        None => piece.written().to_owned(),
    };
    Cow::Owned(read.pieces.iter().map(plain).collect())
}

/// `text`, which begins with what is replaced, as what stands for itself.
pub(crate) fn escaped(text: &str) -> String {
    format!("{LITERAL}{text}}}")
}

/// `text` without what keeps references in it from being read: as another program reads it that replaces them itself.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(LITERAL) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let whole = reference::leading_literal(from);
        out.push_str(whole.map_or(LITERAL, |length| &from[LITERAL.len()..length - 1]));
        rest = &from[whole.unwrap_or(LITERAL.len())..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_from_being_read_comes_back() {
        let text = "a ${X:-{b}} ${keyring:s/n}c";
        let at = text.find("${").unwrap();
        let length = replaced_length(&text[at..]).unwrap();
        let kept = format!("{}{}{}", &text[..at], escaped(&text[at..at + length]), &text[at + length..]);
        assert_eq!(kept, "a ${literal:${X:-{b}}} ${keyring:s/n}c");
        assert_eq!(unescaped(&kept), text);
        assert_eq!(unescaped("${literal:${X} ${literal:a}"), "${literal:${X} a");
    }

    #[test]
    fn s_b1_texts_are_compared_without_what_only_looks_like_a_variable() {
        for (written, compared) in [
            ("Bearer ${env:A} ${B:-c}", "Bearer ${A} ${B:-c}"),
            ("${env:cmd:evil} ${env:A}", "${env:cmd:evil} ${A}"),
            ("${literal:${env:A}} ${cmd:x ${env:A}}", "${literal:${env:A}} ${cmd:x ${env:A}}"),
            ("${B:-${env:A}}", "${B:-${env:A}}"),
            ("plain", "plain"),
        ] {
            assert_eq!(with_plain_variables(written), compared);
        }
    }
}
