//! Names as words of a shell.

use crate::line;

/// No name that a person chose is longer, in columns.
const LIMIT: usize = 200;

/// `name` as one word of a POSIX shell, quoted where it must be.
///
/// Cleaned as [`line()`] cleans, and cut: a command that is printed for a person to run must not do to a terminal
/// what the name of a stranger's file would. A name that this changes cannot be run as printed.
///
/// ```
/// assert_eq!(mcp_text::shell_word("plain-name.1"), "plain-name.1");
/// assert_eq!(mcp_text::shell_word("it's"), r"'it'\''s'");
/// assert_eq!(mcp_text::shell_word("--all"), "'--all'");
/// ```
#[must_use]
pub fn shell_word(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '@');
    if !name.is_empty() && name.len() <= LIMIT && !name.starts_with('-') && name.chars().all(plain) {
        return name.to_owned();
    }
    format!("'{}'", line(name, LIMIT).replace('\'', r"'\''"))
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
            ("a\u{1b}[31mb\u{202e}", "'ab'"),
            ("日本", "'日本'"),
        ] {
            assert_eq!(shell_word(name), word);
        }
        assert!(shell_word(&"x".repeat(10 << 20)).len() < 300);
        assert!(shell_word(&"'".repeat(10 << 20)).len() < 1_000);
    }
}
