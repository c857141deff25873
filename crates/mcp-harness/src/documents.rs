//! The command lines that a Markdown page shows.
//!
//! A block marked `sh` is a story: a test runs its lines in order, in a home that is new for each page. In one marked `sh each`, every
//! line stands for itself, and is run in a home where what it speaks of is there. One marked `sh not-run` cannot be run (it installs, or
//! waits for a person); its lines are still read as command lines of the program. `sh script` is a program, and has no lines of its own.

use std::path::Path;

/// Every page of the project at `root`: its own, those of `docs/`, of packaging and of each crate, by path, in order.
///
/// # Panics
///
/// One cannot be read.
#[must_use]
pub fn pages(root: &Path) -> Vec<(String, String)> {
    let mut folders = ["", "docs", "docs/json", "packaging"].map(|folder| root.join(folder)).to_vec();
    let crates = std::fs::read_dir(root.join("crates")).expect("the folder of the crates can be read");
    folders.extend(crates.map(|folder| folder.expect("it can be read").path()));
    let mut pages = Vec::new();
    for file in folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten() {
        let path = file.expect("a folder can be read").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let text = std::fs::read_to_string(&path).expect("a page is text");
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            pages.push((name, text));
        }
    }
    pages.sort();
    pages
}

/// That the file at `path` is what follows from the code; `UPDATE_EXPECT=1` makes it so.
///
/// # Panics
///
/// It is not.
#[track_caller]
pub fn is_kept(path: &Path, wanted: &str) {
    #[expect(clippy::disallowed_methods, reason = "a switch for the developer, not for the code under test")]
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, wanted).expect("the file can be written");
    }
    let has = std::fs::read_to_string(path).unwrap_or_default();
    let first =
        wanted.lines().zip(has.lines().chain(std::iter::repeat(""))).find(|(wanted, has)| wanted != has);
    assert!(
        has == wanted,
        "{} is stale (UPDATE_EXPECT=1 writes it): wanted and has: {first:?}",
        path.display()
    );
}

/// One line of a shell, as a page shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PageLine {
    /// Its number in the page, from 1.
    pub number: usize,
    /// As it stands there, without the remark at its end.
    pub text: String,
    /// How a test runs it, as its block is marked.
    pub runs: Runs,
    /// How the command ends, where its remark says so (`exits 4`); 0 otherwise.
    pub exit: i32,
}

/// How a line is run by a test.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Runs {
    /// After the lines before it.
    InOrder,
    /// By itself.
    Each,
    /// Not at all.
    Never,
}

/// The lines of every block of a shell in `page`, without empty ones and remarks.
#[must_use]
pub fn shown_lines(page: &str) -> Vec<PageLine> {
    let mut lines = Vec::new();
    let mut inside = None;
    let mut more = String::new();
    for (at, line) in page.lines().enumerate() {
        let line = line.trim();
        if let Some(fence) = line.strip_prefix("```") {
            inside = match inside {
                Some(_) => None,
                None => Some(fence.trim()),
            };
            continue;
        }
        let Some(runs) = inside.and_then(runs_of) else { continue };
        let (line, remark) = split_remark(line);
        more.push_str(line);
        if let Some(begun) = more.strip_suffix('\\') {
            more = begun.to_owned();
            continue;
        }
        let text = std::mem::take(&mut more);
        if !text.is_empty() {
            lines.push(PageLine { number: at + 1, text, runs, exit: exit_of(remark) });
        }
    }
    lines
}

/// Whether a block is one of a shell, and which kind.
fn runs_of(fence: &str) -> Option<Runs> {
    match fence {
        "sh" => Some(Runs::InOrder),
        "sh each" => Some(Runs::Each),
        "sh not-run" => Some(Runs::Never),
        _ => None,
    }
}

/// How a command ends, as its remark has it.
fn exit_of(remark: &str) -> i32 {
    let code = remark.split_once("exits ").map(|(_, code)| code.split(|c: char| !c.is_ascii_digit()).next());
    code.flatten().and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// `line`, and what a shell would not read of it: from a `#` that begins a word, outside of quotation marks.
fn split_remark(line: &str) -> (&str, &str) {
    let (mut quote, mut before) = (None, ' ');
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#') if before == ' ' => return (line[..at].trim_end(), &line[at..]),
            _ => {}
        }
        before = c;
    }
    (line, "")
}

/// The words of the commands of `program` in a line, as a shell splits them: blanks, two kinds of quotation marks, and what stands
/// between commands.
#[must_use]
pub fn invocations(line: &str, program: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word = None::<String>;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            // `eval "$(program ..)"`: what stands between these is a command as well.
            (Some('"') | None, '(' | ')') if line.contains("$(") => {
                quote = None;
                push(&mut commands, word.take());
                commands.push(Vec::new());
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => push(&mut commands, word.take()),
            (None, '|' | '>' | '<' | ';' | '&') => {
                push(&mut commands, word.take());
                commands.push(Vec::new());
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    push(&mut commands, word.take());
    commands.retain(|words| words.first().is_some_and(|first| first == program));
    commands
}

fn push(commands: &mut [Vec<String>], word: Option<String>) {
    if let (Some(last), Some(word)) = (commands.last_mut(), word) {
        last.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_shell_are_found_and_others_are_not() {
        let page = "a\n```sh\nmcplink a  # b; exits 4\n\n# c\nmcplink 'x # y' \\\n  z\n```\n```json\nmcplink no\n```\n```sh each\ne\n```\n```sh not-run\nb\n```\n";
        let lines = shown_lines(page);
        let texts: Vec<_> = lines.iter().map(|line| (line.number, &*line.text, line.runs)).collect();
        assert_eq!(
            texts,
            [
                (3, "mcplink a", Runs::InOrder),
                (7, "mcplink 'x # y' z", Runs::InOrder),
                (13, "e", Runs::Each),
                (16, "b", Runs::Never),
            ]
        );
        assert_eq!(lines.iter().map(|line| line.exit).collect::<Vec<_>>(), [4, 0, 0, 0]);
    }

    #[test]
    fn each_command_of_a_line_is_found_with_its_words() {
        for (line, expected) in [
            ("p a 'b c' \"d\"", vec![vec!["p", "a", "b c", "d"]]),
            ("p a && p b | jq .", vec![vec!["p", "a"], vec!["p", "b"]]),
            ("eval \"$(p x bash)\"", vec![vec!["p", "x", "bash"]]),
            ("cargo run -p p", vec![]),
            ("p a '{\"x\": \"&\"}' > f", vec![vec!["p", "a", "{\"x\": \"&\"}"]]),
        ] {
            assert_eq!(invocations(line, "p"), expected, "{line}");
        }
    }
}
