//! What is wrong with a text that is not JSON, for people.

use crate::json;

/// What is wrong at a place of a text, with what of it a person cannot see.
pub(crate) fn syntax(text: &str, error: &json::SyntaxError) -> String {
    let line = text.get(..error.offset).map_or(0, |before| before.rfind('\n').map_or(0, |at| at + 1));
    let line = text.get(line..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    if ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].iter().any(|mark| line.starts_with(mark)) {
        return format!("{}; the mark of a merge that was not finished stands there", error.message);
    }
    if let Some(format) = format(text) {
        return format!("{}; the file looks like {format}, and JSON is read here", error.message);
    }
    let at = text.get(error.offset..).and_then(|rest| rest.chars().next());
    // Line ends and tabs are hidden as well, and stand everywhere.
    match at.filter(|c| !matches!(c, '\n' | '\r' | '\t')) {
        Some('\0') if text.bytes().skip(1).step_by(2).take(8).all(|byte| byte == 0) => {
            format!("{}; the file looks like UTF-16: save it as UTF-8", error.message)
        }
        Some(c) if mcp_text::is_hidden(c) || c.is_ascii_control() => {
            format!("{}; the character U+{:04X} stands there, which is not seen", error.message, c as u32)
        }
        Some(c) if "\u{201c}\u{201d}\u{201e}\u{2018}\u{2019}\u{00ab}\u{00bb}".contains(c) => {
            format!(
                "{}; the quotation mark `{c}` stands there, where only a straight one (\") is one",
                error.message
            )
        }
        Some('\'') => format!("{}; strings have double quotes (\") here", error.message),
        _ => error.message.to_owned(),
    }
}

/// What a text that is not JSON looks like, by the first line that is not a comment.
pub(crate) fn format(text: &str) -> Option<&'static str> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let is_name = |name: &str| {
        let name = name.trim().trim_matches('"');
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_. \"".contains(c))
    };
    let table = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let table = table.map(|table| table.strip_prefix('[').unwrap_or(table).trim_end_matches(']'));
    if table.is_some_and(|table| {
        is_name(table) && table.starts_with(|c: char| c.is_ascii_alphabetic() || c == '"')
    }) || line.split_once('=').is_some_and(|(name, _)| is_name(name))
    {
        return Some("TOML");
    }
    if line == "---" || line.split_once(':').is_some_and(|(name, _)| is_name(name) && !name.starts_with('"'))
    {
        return Some("YAML");
    }
    if line.starts_with("```") {
        return Some("Markdown");
    }
    line.starts_with('<').then_some("XML or HTML")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fa_a48_what_stands_where_json_ends_is_called_by_its_name() {
        let utf16: String = "{\"a\": 1}".chars().flat_map(|c| [c, '\0']).collect();
        for (text, said) in [
            ("{\"a\": {\0\"b\": 1}}", "the character U+0000"),
            ("{}\u{1a}", "the character U+001A"),
            (&*utf16, "looks like UTF-16"),
            ("{\u{201c}a\u{201d}: 1}", "the quotation mark `\u{201c}`"),
            ("{'a': 1}", "double quotes (\")"),
            ("{\"a\": 1,\n<<<<<<< HEAD\n\"b\": 2\n=======\n}", "the mark of a merge"),
            ("<<<<<<< HEAD\n{}\n", "the mark of a merge"),
        ] {
            let error = json::parse(text).unwrap_err();
            assert!(syntax(text, &error).contains(said), "{text:?}: {}", syntax(text, &error));
        }
        let error = json::parse("{\"a\": }").unwrap_err();
        assert_eq!(syntax("{\"a\": }", &error), error.message, "nothing is odd there");
    }

    #[test]
    fn fa_a49_a_text_of_another_format_is_called_by_its_name() {
        for (text, expected) in [
            ("# Codex\n[mcp_servers.x]\ncommand = \"x\"", Some("TOML")),
            ("model = \"x\"\n", Some("TOML")),
            ("[[servers]]\n", Some("TOML")),
            ("mcpServers:\n  x:\n", Some("YAML")),
            ("---\na: 1", Some("YAML")),
            ("```json\n{}\n```", Some("Markdown")),
            ("<html>", Some("XML or HTML")),
            ("[1, 2", None),
            ("{\"a\": }", None),
            ("\"mcpServers\": {}", None),
            ("", None),
        ] {
            assert_eq!(format(text), expected, "{text:?}");
        }
    }
}
