//! The Rust files of the workspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use crate::Problems;
use crate::lexer::{Token, lex};
use crate::shell::root;

/// One Rust file.
pub(crate) struct Source {
    /// Its path from the root of the workspace, with `/` on every platform.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
    /// Its text without comments.
    pub(crate) tokens: Vec<Token>,
}

impl Source {
    /// A file with this text.
    ///
    /// # Errors
    ///
    /// The text is not Rust.
    pub(crate) fn new(path: &str, text: &str) -> Result<Self, Problems> {
        let tokens = lex(text).map_err(|error| vec![format!("{path}: {error}")])?;
        Ok(Self { path: path.to_owned(), text: text.to_owned(), tokens })
    }

    /// The folder of its crate under `crates/`, or `xtask`.
    pub(crate) fn crate_name(&self) -> &str {
        let path = self.path.strip_prefix("crates/").unwrap_or(&self.path);
        path.split('/').next().unwrap_or(path)
    }

    /// The tokens before the tests at the end of the file.
    pub(crate) fn shipped_tokens(&self) -> &[Token] {
        const TESTS: [&str; 6] = ["cfg", "(", "test", ")", "]", "mod"];
        let begins = |window: &[Token]| window.iter().map(|token| token.text.as_str()).eq(TESTS);
        let end = self.tokens.windows(TESTS.len()).position(begins).unwrap_or(self.tokens.len());
        &self.tokens[..end]
    }

    /// Whether it is part of what the crate ships, rather than a test, bench or example.
    pub(crate) fn is_shipped(&self) -> bool {
        self.path.split('/').any(|part| part == "src") && !self.path.ends_with("/tests.rs")
    }
}

/// Every Rust file under `crates/` and `xtask/`, in the order of their paths.
pub(crate) fn read_all() -> Result<Vec<Source>, Problems> {
    let mut paths = Vec::new();
    for folder in ["crates", "xtask"] {
        collect(&root().join(folder), &mut paths)
            .map_err(|error| vec![format!("{folder} cannot be read: {error}")])?;
    }
    paths.sort();
    // Most of the time goes into the tokens of files that have nothing to do with each other.
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let read_part = |part: &[PathBuf]| part.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>();
    thread::scope(|scope| {
        let parts: Vec<_> = paths
            .chunks(paths.len().div_ceil(workers).max(1))
            .map(|part| scope.spawn(|| read_part(part)))
            .collect();
        let mut sources = Vec::new();
        for part in parts {
            let ended = |_| vec!["a file could not be read to its end".to_owned()];
            sources.extend(part.join().map_err(ended)??);
        }
        Ok(sources)
    })
}

fn read(path: &Path) -> Result<Source, Problems> {
    let text = fs::read_to_string(path)
        .map_err(|error| vec![format!("{} cannot be read: {error}", path.display())])?;
    let path = path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/");
    Source::new(&path, &text)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            // Fixtures are peers from elsewhere: their sources are no part of what is built on these rules.
            if !matches!(entry.file_name().to_str(), Some("target" | "node_modules" | ".venv" | "fixtures")) {
                collect(&path, paths)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}
