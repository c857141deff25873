//! The words of a line that a shell has not taken apart yet, and one word as it is put into such a line.

/// The words of `line`, the last of which is at the cursor, and whether that stands in a quotation that is open.
pub(crate) fn split(line: &str) -> (Vec<String>, bool) {
    let (mut words, mut word, mut has_word, mut quote) = (Vec::new(), String::new(), false, None);
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => (quote, has_word) = (Some(c), true),
            (None | Some('"'), '\\') => {
                word.extend(characters.next());
                has_word = true;
            }
            (None, c) if c.is_whitespace() => {
                if has_word {
                    words.push(std::mem::take(&mut word));
                }
                has_word = false;
            }
            (_, c) => {
                word.push(c);
                has_word = true;
            }
        }
    }
    words.push(word);
    (words, quote.is_some())
}

/// A candidate as bash wants it: it takes a word apart at `=` and `:`, and replaces what is behind the last of them.
pub(crate) fn bash_word(candidate: &str, current: &str, in_quotes: bool) -> String {
    let kept = current.rfind(['=', ':']).map_or(0, |at| at + 1);
    let rest = candidate.get(kept..).unwrap_or(candidate);
    if in_quotes {
        return rest.to_owned();
    }
    match rest.strip_suffix('=') {
        // What follows is typed.
        Some(key) if !key.is_empty() => mcp_text::shell_word(key) + "=",
        _ => mcp_text::shell_word(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_a_shell_does() {
        for (line, words, open) in [
            ("mcplink ", &["mcplink", ""][..], false),
            ("mcplink sta", &["mcplink", "sta"], false),
            ("a  'b c' \"d \\\" e\" f\\ g", &["a", "b c", "d \" e", "f g"], false),
            ("a 'b c", &["a", "b c"], true),
            ("a '' ", &["a", "", ""], false),
            ("", &[""], false),
        ] {
            assert_eq!(split(line), (words.iter().map(|word| (*word).to_owned()).collect(), open), "{line}");
        }
    }

    #[test]
    fn a_candidate_replaces_what_bash_thinks_is_the_word() {
        for (candidate, current, expected) in [
            ("status", "st", "status"),
            ("a b", "a", "'a b'"),
            ("--scope=user", "--scope=u", "user"),
            ("text=", "te", "text="),
            ("https://h/mcp", "https:", "//h/mcp"),
        ] {
            assert_eq!(bash_word(candidate, current, false), expected);
        }
        assert_eq!(bash_word("a b", "a", true), "a b");
    }
}
