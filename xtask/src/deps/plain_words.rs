//! Which words of a dialect do not come back: the second table of "Words" in CONTRIBUTING.md, kept by code, comments, tests,
//! messages and pages alike.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Problems;
use crate::shell::root;
use crate::sources::Source;

/// The header of the table: what is in backticks in its first column is not written.
const HEADER: &str = "| not | but |";
/// Where the table is, and so where the words are.
const HOME: &str = "CONTRIBUTING.md";
/// Folders with pages that people wrote. `docs/api` is generated.
const FOLDERS: [&str; 6] = ["", "docs", "docs/adr", "docs/shared-sign-ins", "packaging", "fuzz"];

/// Checks all sources and pages against the table.
pub(super) fn check(sources: &[Source]) -> Result<Problems, Problems> {
    let words = read_table(&read(&root().join(HOME))?)?;
    let mut problems = Problems::new();
    for source in sources {
        // The check names words in its own tests.
        if source.path != "xtask/src/deps/plain_words.rs" {
            problems.extend(check_one(&words, &source.path, &source.text));
        }
    }
    for path in pages() {
        let name = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        problems.extend(check_one(&words, &name, &read(&path)?));
    }
    Ok(problems)
}

fn read(path: &Path) -> Result<String, Problems> {
    fs::read_to_string(path).map_err(|error| vec![format!("{} cannot be read: {error}", path.display())])
}

fn pages() -> Vec<PathBuf> {
    let crates =
        fs::read_dir(root().join("crates")).into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = FOLDERS.iter().map(|folder| root().join(folder)).chain(crates);
    let entries = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut pages: Vec<_> = entries.map(|entry| entry.path()).filter(|path| is_page(path)).collect();
    pages.sort();
    pages
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md") && !path.ends_with(HOME)
}

fn read_table(document: &str) -> Result<Vec<String>, Problems> {
    let rows =
        document.lines().skip_while(|line| *line != HEADER).skip(2).take_while(|row| row.starts_with('|'));
    let first = rows.filter_map(|row| row.split('|').nth(1));
    let words: Vec<String> =
        first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_lowercase).collect();
    if words.is_empty() {
        return Err(vec![format!("{HOME} has no table that begins with {HEADER:?}")]);
    }
    Ok(words)
}

fn check_one(words: &[String], path: &str, text: &str) -> Problems {
    let lines = text.lines().map(str::to_lowercase).enumerate();
    let found = lines.flat_map(|(at, line)| {
        words.iter().filter(move |word| holds(&line, word)).map(move |word| (at + 1, word))
    });
    found.map(|(line, word)| format!("{path}:{line}: `{word}`; {HOME} has the word for it")).collect()
}

/// Whether `line` has `word` as a whole, or as a part of a name (`a_word_of_it`).
fn holds(line: &str, word: &str) -> bool {
    let is_letter = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    line.match_indices(word).any(|(at, _)| {
        !is_letter(line[..at].chars().next_back()) && !is_letter(line[at + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_dialect_are_found_wherever_they_stand() {
        let table = format!("x\n\n{HEADER}\n|---|---|\n| `olden`, `of yore` | old |\n\n| `x` | y |\n");
        let words = read_table(&table).unwrap();
        assert_eq!(words, ["olden", "of yore"]);
        for (text, expected) in [
            ("// Olden days.", 1),
            ("fn an_olden_test() {}", 1),
            ("\"in days of yore\"", 1),
            ("olden\nolden", 2),
            ("goldene Zeiten, oldenburg", 0),
            ("x y", 0),
        ] {
            assert_eq!(check_one(&words, "a", text).len(), expected, "{text}");
        }
        assert!(read_table("| other |").is_err());
    }

    #[test]
    fn pages_of_people_are_read_and_generated_ones_are_not() {
        let pages = pages();
        let has = |name: &str| pages.iter().any(|path| path.ends_with(name));
        assert!(has("README.md") && has("docs/entries.md") && has("crates/mcp-auth/README.md"));
        assert!(!has(HOME) && pages.iter().all(|path| !path.ends_with("api")));
    }
}
