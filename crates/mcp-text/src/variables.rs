//! Names of variables that stand where a value should: they are no secrets, and what a person needs to know.

use std::borrow::Cow;

use crate::names;
use crate::scheme::is_scheme;

/// The longest name.
const MAX_NAME: usize = 64;

/// The variable that a whole word names instead of a value: `${NAME}`, or what other programs write for it.
///
/// Without brackets around it, only a name in capitals is one: a password may begin with `$` or stand between `%`.
#[must_use]
pub fn variable(word: &str) -> Option<&str> {
    let between = |open: &str, close: &str| word.strip_prefix(open)?.strip_suffix(close).map(str::trim);
    let bracketed = between("{env:", "}")
        .or_else(|| between("${env:", "}"))
        .or_else(|| between("${env.", "}"))
        .or_else(|| between("${input:", "}"))
        .or_else(|| between("{file:", "}"))
        .or_else(|| between("{{", "}}"))
        .or_else(|| between("${", "}"))
        .or_else(|| word.strip_prefix("$env:"))
        .map(|name| name.strip_prefix("env.").unwrap_or(name));
    let bare = || {
        let name = between("%", "%").or_else(|| word.strip_prefix('$'))?;
        (!name.contains(|c: char| c.is_ascii_lowercase())).then_some(name)
    };
    bracketed.or_else(bare).filter(|name| is_variable_name(name))
}

/// How references to secrets begin.
const REFERENCES: [&str; 4] = ["${env:", "${file:", "${cmd:", "${keyring:"];

/// `value` with each reference to a secret in it as a variable of one name: what it says of a file, a command or an entry of a
/// keyring is not a secret, and may hold words of any sentence.
pub(crate) fn without_references(value: &str) -> Cow<'_, str> {
    let begin = |text: &str| REFERENCES.iter().filter_map(|start| text.find(start)).min();
    let Some(first) = begin(value) else { return Cow::Borrowed(value) };
    let (mut left, mut rest) = (value[..first].to_owned(), &value[first..]);
    while let Some(end) = end_of_reference(rest) {
        left.push_str("${REFERENCE}");
        rest = &rest[end..];
        let Some(next) = begin(rest) else { break };
        left.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    Cow::Owned(left + rest)
}

/// Where the reference ends that `text` begins with; braces in it come in pairs.
fn end_of_reference(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.bytes()
        .position(|byte| {
            match byte {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => return false,
            }
            depth == 0
        })
        .map(|at| at + 1)
}

/// The first `${NAME}` in `text`.
#[must_use]
pub fn unexpanded(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("${")?;
    let (name, _) = rest.split_once('}')?;
    is_variable_name(name).then_some(name)
}

/// What languages write where there is no value.
const NOTHING: [&str; 7] = ["undefined", "null", "none", "nil", "nan", "false", "[object Object]"];

/// The word that languages write where there is no value, if this is one. It is not a secret, and what a person needs to know.
#[must_use]
pub fn nothing(word: &str) -> Option<&'static str> {
    NOTHING.iter().copied().find(|nothing| nothing.eq_ignore_ascii_case(word))
}

/// What of `value` is a secret, once a variable that was never filled in at its end, or a word for nothing, and a scheme
/// before that, are left out; empty where that is all of it.
pub(crate) fn filled(value: &str) -> &str {
    let value = value.trim();
    // A whole line was pasted: the name of the header is what a message about it needs.
    let name = "authorization:";
    let value = match value.get(..name.len()) {
        Some(start) if start.eq_ignore_ascii_case(name) => value[name.len()..].trim_start(),
        _ => value,
    };
    let token = match value.split_once(char::is_whitespace) {
        Some((scheme, token)) if is_scheme(scheme) => token.trim_start(),
        _ => value,
    };
    if nothing(token).is_some() {
        return "";
    }
    let (before, last) = value.rsplit_once(char::is_whitespace).unwrap_or(("", value));
    match variable(last) {
        Some(_) if is_scheme(before.trim()) => "",
        Some(_) => before,
        None => value,
    }
}

/// Whether this could be the name of a variable, and is not rather a token.
#[must_use]
pub fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && !names::looks_like_token(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_known_in_the_spellings_of_many_programs() {
        for (word, expected) in [
            ("${MY_TOKEN}", Some("MY_TOKEN")),
            ("${my-token}", Some("my-token")),
            ("{env:T}", Some("T")),
            ("${env:T}", Some("T")),
            ("${env.T}", Some("T")),
            ("${input:api-key}", Some("api-key")),
            ("{{ api_token }}", Some("api_token")),
            ("{{env.T}}", Some("T")),
            ("$env:T", Some("T")),
            ("$MY_TOKEN", Some("MY_TOKEN")),
            ("%MY_TOKEN%", Some("MY_TOKEN")),
            ("$ecret", None),
            ("%secret%", None),
            ("$0a1b2c", None),
            ("${}", None),
            ("${ghp_abcdefghijklmnopqrstuvwxyz0123456789}", None),
            ("a${T}", None),
            ("pa$$w0rd", None),
            ("", None),
        ] {
            assert_eq!(variable(word), expected, "{word}");
        }
    }

    #[test]
    fn a_reference_is_a_variable_whatever_it_says() {
        for (value, expected) in [
            ("Bearer ${keyring:mcp/secret-token}", "Bearer ${REFERENCE}"),
            ("http://h/?k=${cmd:echo ${A}; x}&l=${file:/a/b}", "http://h/?k=${REFERENCE}&l=${REFERENCE}"),
            ("a${env:V}b", "a${REFERENCE}b"),
            ("${keyring:open", "${keyring:open"),
            ("${V} é", "${V} é"),
        ] {
            assert_eq!(without_references(value), expected, "{value}");
        }
    }

    #[test]
    fn of_a_value_what_is_filled_in_is_left() {
        for (value, expected) in [
            ("Bearer ${TOKEN}", ""),
            (" ${TOKEN} ", ""),
            ("hunter2-S3cret ${TOKEN}", "hunter2-S3cret"),
            ("Bearer abc", "Bearer abc"),
            ("Bearer $ecret", "Bearer $ecret"),
        ] {
            assert_eq!(filled(value), expected, "{value}");
        }
    }
}
