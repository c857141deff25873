//! Names as words of a shell.

use crate::line;
use crate::line::is_hidden;

/// No name that a person chose is longer, in columns.
const LIMIT: usize = 200;

/// `name` as one word of a POSIX shell, quoted where it must be.
///
/// What [`line()`] would leave out or turn into a blank stands there as bytes in `$'…'` (POSIX.1-2024, section 2.2.4): a
/// command that is printed for a person to run neither does to a terminal what the name of a stranger's file would, nor
/// names another server. A name that is longer than any that a person chose is cut, and cannot be run as printed.
///
/// ```
/// assert_eq!(mcp_text::shell_word("plain-name.1"), "plain-name.1");
/// assert_eq!(mcp_text::shell_word("it's"), r"'it'\''s'");
/// assert_eq!(mcp_text::shell_word("--all"), "'--all'");
/// assert_eq!(mcp_text::shell_word("github\u{200b}"), r"$'github\xe2\x80\x8b'");
/// ```
#[must_use]
pub fn shell_word(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '@');
    if !name.is_empty() && name.len() <= LIMIT && !name.starts_with('-') && name.chars().all(plain) {
        return name.to_owned();
    }
    let shown = line(name, LIMIT);
    if name.len() > LIMIT || shown == name || name.trim_matches(' ') == shown {
        let whole = if name.len() > LIMIT { &shown } else { name };
        return format!("'{}'", whole.replace('\'', r"'\''"));
    }
    let mut word = String::from("$'");
    for c in name.chars() {
        match c {
            '\'' | '\\' => word.extend(['\\', c]),
            // The second of two blanks would be lost where the command is shown on a line.
            ' ' if word.ends_with(' ') => word.push_str("\\x20"),
            c if !is_hidden(c) => word.push(c),
            c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| word.push_str(&format!("\\x{byte:02x}"))),
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_of_a_shell_whatever_it_holds() {
        for (name, word) in [
            ("plain-name_1", "plain-name_1"),
            ("plugin:a:b", "plugin:a:b"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("$(rm -rf)", "'$(rm -rf)'"),
            ("-x", "'-x'"),
            ("", "''"),
            ("a\u{1b}[31mb\u{202e}", r"$'a\x1b[31mb\xe2\x80\xae'"),
            ("github ", "'github '"),
            ("git  hub", r"$'git \x20hub'"),
            ("it's\n", r"$'it\'s\x0a'"),
            ("日本", "'日本'"),
        ] {
            assert_eq!(shell_word(name), word);
        }
        assert!(shell_word(&"x".repeat(10 << 20)).len() < 300);
        assert!(shell_word(&"'".repeat(10 << 20)).len() < 1_000);
    }
}
