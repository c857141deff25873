//! Which words the code of a library must not hold, as the table in ARCHITECTURE.md says: a library that names one program, or
//! one provider, tells the users of every other one what is not so.

use std::fs;

use crate::Problems;
use crate::lexer::Token;
use crate::shell::root;
use crate::sources::Source;

/// The header of the table in ARCHITECTURE.md that this file reads: what is in backticks counts, all else is prose.
const HEADER: &str = "| in the code of | no word of | but |";

/// One row of the table.
#[derive(Debug, Eq, PartialEq)]
struct Rule {
    crates: Vec<String>,
    words: Vec<String>,
    /// Texts that are names on the wire, or of the environment.
    but: Vec<String>,
}

impl Rule {
    fn read(row: &str) -> Option<Self> {
        let cells: Vec<&str> = row.trim().trim_matches('|').split('|').collect();
        let [crates, words, but] = cells[..] else { return None };
        let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some(Self { crates: quoted(crates), words: quoted(words), but: quoted(but) })
    }

    /// The word that `token` must not hold.
    fn broken_by(&self, token: &Token) -> Option<&str> {
        let rest = self.but.iter().fold(token.text.clone(), |text, name| text.replace(name, ""));
        self.words.iter().map(String::as_str).find(|word| rest.contains(word))
    }
}

/// Checks the code that is shipped, without the tests in it, against the table.
pub(super) fn check(sources: &[Source]) -> Result<Problems, Problems> {
    let document = fs::read_to_string(root().join("ARCHITECTURE.md"))
        .map_err(|error| vec![format!("ARCHITECTURE.md cannot be read: {error}")])?;
    let rules = read_table(&document)?;
    Ok(sources.iter().flat_map(|source| check_one(&rules, source)).collect())
}

fn read_table(document: &str) -> Result<Vec<Rule>, Problems> {
    let rows =
        document.lines().skip_while(|line| *line != HEADER).skip(2).take_while(|row| row.starts_with('|'));
    let read =
        |row| Rule::read(row).ok_or_else(|| vec![format!("ARCHITECTURE.md: no row of three cells: {row}")]);
    let rules = rows.map(read).collect::<Result<Vec<_>, _>>()?;
    if rules.is_empty() {
        return Err(vec![format!("ARCHITECTURE.md has no table that begins with {HEADER:?}")]);
    }
    Ok(rules)
}

fn check_one(rules: &[Rule], source: &Source) -> Problems {
    if !source.is_shipped() || source.path.contains("/tests/") || source.path.contains("/contract/") {
        return Problems::new();
    }
    let rules: Vec<&Rule> =
        rules.iter().filter(|rule| rule.crates.iter().any(|name| name == source.crate_name())).collect();
    source
        .shipped_tokens()
        .iter()
        .flat_map(|token| rules.iter().filter_map(move |rule| Some((token.line, rule.broken_by(token)?))))
        .map(|(line, word)| format!("{}:{line}: a library has no word for `{word}`", source.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "x

| in the code of | no word of | but |
|---|---|---|
| `mcp-status`, `mcp-bridge` | a program: `acme`; a field: `acmeHelper` | `io.acme/chain` |
| `mcp-auth` | `acme` | – |

| `mcp-config` | `x` | – |
";

    fn problems(path: &str, text: &str) -> usize {
        let rules = read_table(DOCUMENT).unwrap();
        check_one(&rules, &Source::new(path, text).unwrap()).len()
    }

    #[test]
    fn no_program_is_named_in_a_library() {
        for (path, text, expected) in [
            ("crates/mcp-status/src/next.rs", "const A: &str = \"acme reconnect\";", 1),
            ("crates/mcp-status/src/next.rs", "fn f() { format!(\"run the {} of acmeHelper\", x) }", 1),
            ("crates/mcp-bridge/src/a.rs", "mod acme;", 1),
            ("crates/mcp-bridge/src/a.rs", "const CHAIN: &str = \"io.acme/chain\";", 0),
            ("crates/mcp-auth/src/a.rs", "const CHAIN: &str = \"io.acme/chain\";", 1),
            ("crates/mcp-status/src/next.rs", "// acme is elsewhere\n", 0),
            (
                "crates/mcp-status/src/a.rs",
                "fn f() {}\n#[cfg(test)]\nmod tests { const A: &str = \"acme\"; }",
                0,
            ),
            ("crates/mcp-bridge/tests/it/a.rs", "const A: &str = \"acme\";", 0),
            ("crates/mcp-config/src/a.rs", "const A: &str = \"acme\";", 0),
            ("crates/mcp-cli/src/steps.rs", "const A: &str = \"acme\";", 0),
        ] {
            assert_eq!(problems(path, text), expected, "{path}: {text}");
        }
    }

    #[test]
    fn the_table_must_be_there_and_be_read() {
        assert_eq!(read_table(DOCUMENT).unwrap().len(), 2);
        assert!(read_table("| in the code of | other |").is_err());
        assert!(read_table(&format!("{HEADER}\n|---|---|---|\n| `a` | `b` |\n")).is_err());
    }
}
