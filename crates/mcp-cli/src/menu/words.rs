//! A command as it is shown, as the words that it is run with: what is run is what is shown.

/// The words of a command that was made of [`mcp_text::shell_word`]s with blanks between them.
pub(super) fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = command.trim_start_matches(' ');
    while !rest.is_empty() {
        let (word, after) = word(rest);
        words.push(word);
        rest = after.trim_start_matches(' ');
    }
    words
}

/// The first word, and what is behind it.
fn word(text: &str) -> (String, &str) {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next().filter(|c| *c != ' ') {
        if let Some(quoted) = rest.strip_prefix("$'") {
            rest = escaped(quoted, &mut bytes);
        } else if let Some(quoted) = rest.strip_prefix('\'') {
            let (inside, after) = quoted.split_once('\'').unwrap_or((quoted, ""));
            bytes.extend_from_slice(inside.as_bytes());
            rest = after;
        } else {
            let plain = rest.strip_prefix('\\').filter(|after| !after.is_empty()).unwrap_or(rest);
            let c = plain.chars().next().unwrap_or(c);
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &plain[c.len_utf8()..];
        }
    }
    (String::from_utf8_lossy(&bytes).into_owned(), rest)
}

/// What stands in `$'…'` up to its end (POSIX.1-2024, section 2.2.4), and what is behind it.
fn escaped<'t>(text: &'t str, bytes: &mut Vec<u8>) -> &'t str {
    let mut rest = text;
    loop {
        let Some(c) = rest.chars().next() else { return rest };
        rest = &rest[c.len_utf8()..];
        match c {
            '\'' => return rest,
            '\\' => {
                let hex = rest.strip_prefix('x').and_then(|hex| hex.get(..2));
                if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    bytes.push(byte);
                    rest = &rest[3..];
                } else if let Some(c) = rest.chars().next() {
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = &rest[c.len_utf8()..];
                }
            }
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_command_is_run_with_the_names_that_it_was_made_of() {
        let names = [
            "plain-name_1",
            "two words",
            "it's",
            "$(rm -rf)",
            "-x",
            "",
            "a\u{1b}[31mb\u{202e}",
            "github ",
            "git  hub",
            "it's\n",
            "日本",
            "\\",
            "'",
            "a\\x41",
            "x\u{200b}'\\",
            " ",
        ];
        for name in names {
            let word = mcp_text::shell_word(name);
            let command = format!("mcplink disable {word} --project {word}");
            assert_eq!(words(&command), ["mcplink", "disable", name, "--project", name], "{command}");
        }
        assert_eq!(words("  a   b "), ["a", "b"]);
        assert_eq!(words("'open"), ["open"]);
        assert_eq!(words("a\\"), ["a\\"]);
    }
}
