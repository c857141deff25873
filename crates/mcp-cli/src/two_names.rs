//! A server and a tool in one word: `NAME/TOOL`, or `NAME.TOOL`.
//!
//! Names may hold either sign themselves, so what is configured decides: a name that is there is never taken apart, and of
//! several that a word begins with the longest is meant.

/// The server and the tool that `word` names together, where `exists` tells which servers there are.
pub(crate) fn split(word: &str, exists: impl Fn(&str) -> bool) -> Option<(&str, &str)> {
    if exists(word) {
        return None;
    }
    parts(word).filter(|(name, tool)| !tool.is_empty() && exists(name)).last()
}

/// Whether `word` may be two names in one: no URL is.
pub(crate) fn may_be_two(word: &str) -> bool {
    parts(word).next().is_some()
}

/// Each way to take `word` apart, the shortest name first.
pub(crate) fn parts(word: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_url = word.contains("://");
    let signs = word.match_indices(['/', '.']).filter(move |(at, _)| !is_url && *at > 0);
    signs.map(move |(at, sign)| (&word[..at], &word[at + sign.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fh_h15_a_server_and_a_tool_in_one_word() {
        let exists = |name: &str| matches!(name, "everything" | "a" | "a.b" | "io.github.x/y" | "ünï");
        for (word, expected) in [
            ("everything/echo", Some(("everything", "echo"))),
            ("everything.echo", Some(("everything", "echo"))),
            ("everything/files/read.all", Some(("everything", "files/read.all"))),
            ("a.b.c", Some(("a.b", "c"))),
            ("a.c", Some(("a", "c"))),
            ("io.github.x/y/search", Some(("io.github.x/y", "search"))),
            ("ünï/wörk", Some(("ünï", "wörk"))),
            // Names that are there, whole.
            ("a.b", None),
            ("io.github.x/y", None),
            ("everything", None),
            ("everything/", None),
            ("/echo", None),
            ("nope/echo", None),
            ("https://everything/echo", None),
            ("", None),
        ] {
            assert_eq!(split(word, exists), expected, "{word}");
        }
    }
}
