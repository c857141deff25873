//! Files that entries name: of variables for a command (`envFile`), in the form that dotenv made usual.
//!
//! ```text
//! # a remark
//! export NAME=value            # a remark behind a blank
//! QUOTED="a \"b\"\nc"          double: \n \r \t \" \\ \$ are read, and it may go over lines
//! LITERAL='$as it stands'      single or backtick: nothing is read, and it may go over lines
//! ```
//!
//! No value is expanded: `$X` and `${X}` stay. The last of two lines of one name counts. A line of another form is passed
//! over, as dotenv does, and told.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcp_files::{FileError, Policy};

use crate::redacted::RedactedText;

/// The longest file, in bytes.
const MAX_BYTES: u64 = 256 * 1024;
/// How much is read for all entries of one configuration together: who clones a project has agreed to nothing yet.
const MAX_ALL: u64 = 4 * 1024 * 1024;
/// How many lines of another form are told.
const TOLD: usize = 3;

/// The variables of a file.
#[derive(Clone, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct EnvFile {
    /// Where it is.
    pub path: PathBuf,
    /// Name and value, in the order of the file; each name once.
    pub variables: Vec<(String, RedactedText<String>)>,
    /// The lines that are of another form, from 1; the first of them.
    pub(crate) odd_lines: Vec<usize>,
}

impl fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: values are secrets more often than not, and a path may be made of variables.
        f.debug_struct("EnvFile").field("variables", &self.variables.len()).finish_non_exhaustive()
    }
}

/// How a file is read: a seam, so that a configuration can be resolved where there are no files.
pub(crate) type FileReader = fn(&Path) -> Result<Vec<u8>, FileError>;

/// Reads a file with care: regular, bounded, not waited for. It decides what runs, so it is of this account or root.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    mcp_files::read(path, &Policy::surroundings(MAX_BYTES).owned())
}

/// The files that the entries of one configuration name, each read once.
#[derive(Debug)]
pub(crate) struct EnvFiles {
    read: FileReader,
    known: RefCell<HashMap<PathBuf, Result<Arc<EnvFile>, String>>>,
    /// Files of another form.
    texts: RefCell<HashMap<PathBuf, Result<Arc<str>, String>>>,
    left: Cell<u64>,
}

impl EnvFiles {
    pub(crate) fn new(read: FileReader) -> Self {
        Self { read, known: RefCell::default(), texts: RefCell::default(), left: Cell::new(MAX_ALL) }
    }

    /// The variables of the file at `path`.
    ///
    /// # Errors
    ///
    /// Why not: a fragment about "it", which the caller names.
    pub(crate) fn open(&self, path: &Path) -> Result<Arc<EnvFile>, String> {
        if let Some(known) = self.known.borrow().get(path) {
            return known.clone();
        }
        let found = self.fresh(path).map(Arc::new);
        self.known.borrow_mut().insert(path.to_owned(), found.clone());
        found
    }

    /// The text of the file at `path`, which is of another form.
    ///
    /// # Errors
    ///
    /// As of [`open`](Self::open).
    pub(crate) fn text(&self, path: &Path) -> Result<Arc<str>, String> {
        if let Some(known) = self.texts.borrow().get(path) {
            return known.clone();
        }
        let found = self.fresh_text(path).map(Arc::from);
        self.texts.borrow_mut().insert(path.to_owned(), found.clone());
        found
    }

    /// The files that were asked for, whether they are there or not.
    pub(crate) fn opened(&self) -> Vec<PathBuf> {
        let (known, texts) = (self.known.borrow(), self.texts.borrow());
        known.keys().chain(texts.keys()).cloned().collect()
    }

    fn fresh(&self, path: &Path) -> Result<EnvFile, String> {
        let text = self.fresh_text(path)?;
        let mut file = parse(&text);
        file.path = path.to_owned();
        Ok(file)
    }

    fn fresh_text(&self, path: &Path) -> Result<String, String> {
        if self.left.get() == 0 {
            return Err(format!("the files of all entries have more than {} MiB", MAX_ALL >> 20));
        }
        let bytes = (self.read)(path).map_err(|error| error.to_string())?;
        self.left.set(self.left.get().saturating_sub(bytes.len() as u64));
        let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        if text.contains('\0') {
            return Err("it has a NUL character in it".to_owned());
        }
        Ok(text)
    }
}

/// Reads the variables of a text.
pub(crate) fn parse(text: &str) -> EnvFile {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut file = EnvFile::default();
    let (mut rest, mut number) = (text, 1);
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let trimmed = line.trim();
        let mut taken = &rest[..rest.len() - after.len()];
        if !trimmed.is_empty() && !trimmed.starts_with('#') {
            match variable(rest) {
                Some((name, value, length)) => {
                    taken = &rest[..length];
                    file.variables.retain(|(known, _)| *known != name);
                    file.variables.push((name, RedactedText::new(value)));
                }
                None if file.odd_lines.len() < TOLD => file.odd_lines.push(number),
                None => {}
            }
        }
        number += taken.matches('\n').count();
        rest = &rest[taken.len()..];
    }
    file
}

/// The variable that `text` begins with, and how much of the text it takes, with its line end.
fn variable(text: &str) -> Option<(String, String, usize)> {
    let line_end = text.find('\n').map_or(text.len(), |at| at + 1);
    let (before, _) = text[..line_end].split_once('=')?;
    let name = before.trim();
    let name =
        name.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(name).trim();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if !is_name {
        return None;
    }
    let start = before.len() + 1;
    let value = text[start..].trim_start_matches([' ', '\t']);
    let at = text.len() - value.len();
    if let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))
        && let Some((quoted, length)) = quoted(&value[1..], quote)
    {
        // Behind it is a remark, at most.
        let end = at + 1 + length;
        let line_end = text[end..].find('\n').map_or(text.len(), |offset| end + offset + 1);
        return Some((name.to_owned(), quoted, line_end));
    }
    let value = text[start..line_end].trim();
    let remark = value
        .char_indices()
        .find(|(at, c)| *c == '#' && (*at == 0 || value[..*at].ends_with(char::is_whitespace)));
    let value = remark.map_or(value, |(at, _)| value[..at].trim_end());
    Some((name.to_owned(), value.to_owned(), line_end))
}

/// The value up to the closing `quote`, and how much of the text it takes with that; `None` where there is none.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return Some((value, at + 1)),
            '\\' if quote == '"' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                c @ ('"' | '\\' | '$') => value.push(c),
                other => value.extend(['\\', other]),
            },
            // The line ends of Windows are those of the file, not of the value.
            '\r' if text[at + 1..].starts_with('\n') => {}
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(text: &str) -> Vec<(String, String)> {
        let file = parse(text);
        file.variables.iter().map(|(name, value)| (name.clone(), value.expose().clone())).collect()
    }

    #[test]
    fn fa_a30_the_form_of_dotenv_is_read() {
        let table = [
            ("A=1", "1"),
            ("A = 1 ", "1"),
            ("export A=1", "1"),
            ("\u{feff}A=1\r\n", "1"),
            ("A=", ""),
            ("A=x # remark", "x"),
            ("A=#remark", ""),
            ("A=x#y", "x#y"),
            ("A=a=b==", "a=b=="),
            ("A=\"x # y\" # remark", "x # y"),
            (r#"A="a \"b\"\n\\\$c\d""#, "a \"b\"\n\\$c\\d"),
            ("A='a\\n$B'", "a\\n$B"),
            ("A=`'\"`", "'\""),
            ("A=\"one\r\ntwo\"\nB=2", "one\ntwo"),
            ("A=\"open", "\"open"),
            ("A=$B ${C}", "$B ${C}"),
            ("A=old\nA=new", "new"),
            ("# A=no\n\n  A=yes", "yes"),
            ("A=ä日", "ä日"),
        ];
        for (text, value) in table {
            assert_eq!(read_of(text).first(), Some(&("A".to_owned(), value.to_owned())), "{text:?}");
        }
        assert_eq!(
            read_of("A=\"one\ntwo\"\nB=2")[1],
            ("B".to_owned(), "2".to_owned()),
            "what follows is read"
        );
        let names = |text: &str| read_of(text).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(
            names("a.b-c_1=x\n_X=1\n1X=2\nexportA=3\nnonsense\nset -e\n=4\n"),
            ["a.b-c_1", "_X", "exportA"]
        );
        assert_eq!(parse("A=1\nB=\"2\n\n\"\nnonsense\nset -e\n1X=2\n=4\n").odd_lines, [5, 6, 7]);
    }

    #[test]
    fn a_file_is_read_once_and_all_files_have_one_bound() {
        let files = EnvFiles::new(|path| match path.ends_with("gone") {
            true => Err(std::io::Error::from(std::io::ErrorKind::NotFound).into()),
            false => Ok([b"A=1\n#".as_slice(), &vec![b'x'; 200_000]].concat()),
        });
        let first = files.open(Path::new("/e0")).unwrap();
        assert!(Arc::ptr_eq(&first, &files.open(Path::new("/e0")).unwrap()));
        assert_eq!(files.open(Path::new("/gone")).unwrap_err(), "it does not exist");
        let refused = (1..100).find(|number| files.open(Path::new(&format!("/e{number}"))).is_err());
        assert_eq!(refused, Some(21), "4 MiB of 200 kB each");
        let bad = |bytes: FileReader| EnvFiles::new(bytes).open(Path::new("/e")).unwrap_err();
        assert_eq!(bad(|_| Ok(vec![0xff])), "it is not UTF-8");
        assert_eq!(bad(|_| Ok(b"A=\0".to_vec())), "it has a NUL character in it");
    }

    #[test]
    fn debug_shows_no_value() {
        assert!(!format!("{:?}", parse("TOKEN=canary\ncanary")).contains("canary"));
    }
}
