//! `account`: which of several sign-ins to a server is used, by a name that a person gives it.

use crate::json::Node;

/// The field of an entry and of an override.
pub(crate) const KEY: &str = "account";

/// What a name may hold, in characters.
const MOST: usize = 100;

/// The name of an account as it is kept: without blanks around it.
///
/// # Errors
///
/// Why it is none, as a fragment.
pub fn account_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() {
        return Err("expected the name of an account, such as work".to_owned());
    }
    // It is shown, and is in commands.
    if name.starts_with('-') || mcp_text::line(name, MOST) != name {
        return Err(format!(
            "expected a name of {MOST} characters at the most, on one line, that does not begin with -"
        ));
    }
    Ok(name.to_owned())
}

/// The same of a value in a file.
pub(crate) fn of(node: &Node) -> Result<String, String> {
    match node.as_str() {
        Some(text) => account_name(text),
        None => Err(format!("expected the name of an account, found {}", node.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_of_what_can_be_shown() {
        for (text, name) in [(" work ", "work"), ("me@example.com", "me@example.com"), ("Büro 2", "Büro 2")]
        {
            assert_eq!(account_name(text).as_deref(), Ok(name));
        }
        for bad in ["", "  ", "-x", "a\nb", "a\u{1b}[1m", "a\u{202e}b", &"x".repeat(MOST + 1)] {
            assert!(account_name(bad).is_err(), "{bad:?}");
        }
    }
}
