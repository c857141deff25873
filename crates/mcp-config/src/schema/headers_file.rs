//! `headersFile`: headers in a file, one `Name: value` on each line and remarks behind `#`, so that they stand in no command line
//! and in no file that is shared.

use std::path::Path;

use super::Context;
use super::reader::Reader;
use super::stdio::place;
use crate::ProblemCode;
use crate::entry::Scope;
use crate::expand::Text;

const KEY: &str = "headersFile";

/// Adds the headers of the file to those of the entry, which come first: one that is written out in it counts. Without them the
/// request is not what was meant, so a file that cannot be read makes the entry unusable.
pub(super) fn read(
    reader: &mut Reader<'_, '_>,
    scope: Scope,
    context: Context<'_>,
    base: &Path,
    headers: &mut Vec<(String, Text)>,
) {
    let Some(node) = reader.get(KEY) else { return };
    if scope == Scope::Project {
        // Security: a repository would name a file of the person's, and the server that gets it.
        let message =
            "is not taken from the file of a project: it would send a file of this machine to its server";
        let hint = "put the server into a file of your own, or use `headers` with ${NAME}";
        return reader.error(ProblemCode::InvalidConfig, &[KEY], node.span, message, Some(hint));
    }
    let Some(place) = place(reader, context, base, &[KEY], node) else { return };
    let text = match context.env_files.text(&place.path) {
        Ok(text) => text,
        Err(why) => {
            let message = format!("cannot be used: {}: {why}", place.shown);
            let hint = "make the file readable, or leave `headersFile` out";
            return reader.error(ProblemCode::InvalidConfig, &[KEY], node.span, message, Some(hint));
        }
    };
    let mut read: Vec<(String, Text)> = Vec::new();
    for (number, line) in lines(&text) {
        let Some((name, value)) = line else {
            // Security: not repeated, it may be a secret.
            let message = format!("line {number} of {} is not a `Name: value`", place.shown);
            let hint = Some("begin remarks with #");
            reader.error(ProblemCode::InvalidConfig, &[KEY], node.span, message, hint);
            continue;
        };
        let value = Text::expand_in(value, context.env, base);
        if let Some(missing) = value.missing().next() {
            let message = format!(
                "line {number} of {}: the variable {missing} is not set; it is used as it stands",
                place.shown
            );
            reader.warn(ProblemCode::MissingVariable, &[KEY], node.span, message, None);
        }
        read.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        read.push((name.to_owned(), value));
    }
    read.retain(|(name, _)| !headers.iter().any(|(known, _)| known.trim().eq_ignore_ascii_case(name)));
    headers.extend(read);
}

/// Name and value of each line that is not a remark, with its number; none where it is not a header.
fn lines(text: &str) -> impl Iterator<Item = (usize, Option<(&str, &str)>)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let header = line.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
        let header = header
            .filter(|(name, value)| is_token(name) && !value.chars().any(|c| c.is_control() && c != '\t'));
        Some((index + 1, header))
    })
}

/// Whether it can be the name of a header: RFC 9110 section 5.6.2.
pub(super) fn is_token(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_and_empty_lines_are_passed_over_and_what_is_no_header_is_numbered() {
        let text = "\u{feff}# a remark\r\nAuthorization: Bearer a:b\r\n\n  X-Empty:\n  # more\nno header\nX A: b\n: c\nX-Y: a\tb";
        let read: Vec<_> = lines(text).collect();
        assert_eq!(
            read,
            [
                (2, Some(("Authorization", "Bearer a:b"))),
                (4, Some(("X-Empty", ""))),
                (6, None),
                (7, None),
                (8, None),
                (9, Some(("X-Y", "a\tb")))
            ]
        );
    }
}
