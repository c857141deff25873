//! The words of a line that a shell has not taken apart yet, and one word as it is put into such a line.

/// The words of `line`, the last of which is at the cursor, and the mark of the quotation that it stands in, if one is open.
pub(crate) fn split(line: &str) -> (Vec<String>, Option<char>) {
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
    (words, quote)
}

/// A candidate as bash wants it: it takes a word apart at `=` and `:`, and replaces what is behind the last of them. `None` where
/// no spelling of it can stand in the quotation that is open.
pub(crate) fn bash_word(candidate: &str, current: &str, quotation: Option<char>) -> Option<String> {
    let kept = current.rfind(['=', ':']).map_or(0, |at| at + 1);
    let rest = candidate.get(kept..).unwrap_or(candidate);
    Some(match (quotation, rest.strip_suffix('=')) {
        (Some(mark), _) => return within(mark, rest),
        // What follows is typed.
        (None, Some(key)) if !key.is_empty() => mcp_text::shell_word(key) + "=",
        _ => mcp_text::shell_word(rest),
    })
}

/// Security: a name of a server's that is put into a quotation ends it nowhere, and starts nothing in it.
fn within(mark: char, text: &str) -> Option<String> {
    match mark {
        '\'' => (!text.contains('\'')).then(|| text.to_owned()),
        // What a mark of exclamation stands for is replaced first, and nothing keeps it from that here.
        _ if text.contains('!') => None,
        _ => {
            let mut escaped = String::with_capacity(text.len());
            for c in text.chars() {
                if matches!(c, '$' | '`' | '"' | '\\') {
                    escaped.push('\\');
                }
                escaped.push(c);
            }
            Some(escaped)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_a_shell_does() {
        for (line, words, open) in [
            ("mcplink ", &["mcplink", ""][..], None),
            ("mcplink sta", &["mcplink", "sta"], None),
            ("a  'b c' \"d \\\" e\" f\\ g", &["a", "b c", "d \" e", "f g"], None),
            ("a 'b c", &["a", "b c"], Some('\'')),
            ("a \"b c", &["a", "b c"], Some('"')),
            ("a '' ", &["a", "", ""], None),
            ("", &[""], None),
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
            assert_eq!(bash_word(candidate, current, None).as_deref(), Some(expected));
        }
        assert_eq!(bash_word("a b", "a", Some('"')).as_deref(), Some("a b"));
    }

    #[test]
    fn a_candidate_starts_nothing_in_a_quotation_and_does_not_end_it() {
        let within = |mark, candidate: &str| bash_word(candidate, "z", Some(mark));
        for (candidate, in_double, in_single) in [
            ("z$(touch x)", Some(r"z\$(touch x)"), Some("z$(touch x)")),
            ("z`touch x`", Some(r"z\`touch x\`"), Some("z`touch x`")),
            ("z';touch x;'", Some("z';touch x;'"), None),
            (r#"z";touch x;""#, Some(r#"z\";touch x;\""#), Some(r#"z";touch x;""#)),
            (r"z\", Some(r"z\\"), Some(r"z\")),
            ("z!!", None, Some("z!!")),
        ] {
            assert_eq!(within('"', candidate).as_deref(), in_double, "{candidate}");
            assert_eq!(within('\'', candidate).as_deref(), in_single, "{candidate}");
        }
    }
}
