//! What must not be shown wherever it appears: the one redactor.
//!
//! Two things are hidden. *Values that are known*, in the spellings that servers and commands repeat them in; and *what
//! looks like a credential* although it is not known ([`shape`](crate::shape)). Values are hidden
//!
//! - as they are, in any case, and with `+` for a blank;
//! - percent-encoded, JSON- or HTML-escaped, wholly or in part, up to three times over;
//! - quoted-printable, in Base64 (both alphabets, any alignment, as part of something longer) and in hexadecimal, as a
//!   run or byte by byte, below any of the escapes, and letter by letter as od(1) dumps them;
//! - cut: 8 bytes or more of a credential are hidden wherever they stand;
//! - by their parts: what follows an authorization scheme, user and password of `Basic`, the values of cookies and
//!   parameters, user, password, query and secret-looking path segments of a URL.
//!
//! The name of a variable that was never filled in (`Bearer ${TOKEN}`) is not a secret, nor is a word for nothing
//! (`Bearer undefined`): it is what a person needs to know. Nor is the text of a reference (`${keyring:mcp/wiki}`), which says
//! where a secret is and not which.
//!
//! A value of 4 to 7 bytes is hidden where it stands as a word, one of fewer than 4 is not looked for: it is found in every
//! other text, and hiding it would hide nothing. Not promised: a value that is compressed, encrypted, reversed, spelled
//! with marks between its characters, or in an encoding within an encoding other than the escapes above.
//!
//! The time is linear in the text, and so is the memory.

mod index;
mod parts;
mod shared;
mod view;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use index::Index;
pub use shared::SharedSecrets;
use view::View;

use crate::{line, names, plain, sentence, shape, variables};

/// What stands for a secret.
pub const REDACTED: &str = "[redacted]";

/// A shorter value is found in every other text.
const MIN_BYTES: usize = 4;
/// How often escapes are taken off: `%252F` needs two.
const MAX_ESCAPES: usize = 3;

/// How much of a value is hidden.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Grade {
    /// It is a credential: so is each piece of it.
    Credential,
    /// It was set for a reason that is not known, such as a variable or an argument: only the whole is hidden.
    Setting,
}

/// Values that no output may show.
/// # Examples
///
/// ```
/// use mcp_text::Secrets;
///
/// let mut secrets = Secrets::default();
/// secrets.insert("hunter2-hunter2");
/// secrets.insert_url("https://ada:correct-horse@example.com/mcp");
///
/// assert_eq!(secrets.hide("got hunter2-hunter2"), "got [redacted]");
/// // In Base64, as a server may repeat it.
/// assert!(!secrets.hide("aHVudGVyMi1odW50ZXIy").contains("aHVudGVy"));
/// assert!(!secrets.line("bad password correct%2Dhorse", 80).contains("horse"));
/// ```
#[derive(Clone, Default)]
pub struct Secrets {
    values: HashSet<(String, Grade)>,
    /// Those of all servers of the program.
    shared: Option<SharedSecrets>,
    /// Made when something is hidden for the first time: nothing is paid for secrets that no failure repeats.
    index: OnceLock<Arc<Index>>,
}

impl Secrets {
    /// Adds a credential: a header's value, a token, a password. It is hidden whole and in pieces.
    pub fn insert(&mut self, value: &str) {
        self.add(value, Grade::Credential);
    }

    /// The same, for all that share its layer below as well.
    pub fn insert_for_all(&mut self, value: &str) {
        self.insert(value);
        if let Some(shared) = &self.shared {
            shared.learn(&[value].into_iter().collect());
        }
    }

    /// Adds the value of a variable, parameter or member: a credential where its name or its look says so. Of any other
    /// value only the whole is hidden, and what in it is a credential. A path of ordinary words stays, and so does a short word or
    /// a host where the name says that it is one (`LOG_LEVEL`, `DB_HOST`): it is what a failure is about.
    pub fn insert_named(&mut self, name: &str, value: &str) {
        if plain::is_evidence(name, value) {
            return;
        }
        let is_credential = names::is_credential_name(name) || names::looks_like_token(value);
        self.add(value, if is_credential { Grade::Credential } else { Grade::Setting });
    }

    /// The same where names and addresses are what a person has to read: a value that is not a credential stays, but for what in it
    /// is one.
    pub fn insert_credential_of(&mut self, name: &str, value: &str) {
        match names::is_credential_name(name) || names::looks_like_token(value) {
            true => self.insert(value),
            false => {
                self.insert_found_in(value);
                self.insert_url(value);
            }
        }
    }

    /// Adds what is secret in a URL: user, password, parameters, and the segments of its path that look like it.
    pub fn insert_url(&mut self, url: &str) {
        self.add_all(parts::of_url(&variables::without_references(url)));
    }

    /// Adds what looks like a credential in a text of ours, such as a command line: that is then hidden wherever else it
    /// stands.
    pub fn insert_found_in(&mut self, text: &str) {
        for range in shape::marks(text) {
            if let Some(found) = text.get(range) {
                self.add(found, Grade::Credential);
            }
        }
    }

    fn add(&mut self, value: &str, grade: Grade) {
        self.add_all(parts::of(variables::filled(&variables::without_references(value)), grade));
    }

    fn add_all(&mut self, parts: Vec<(String, Grade)>) {
        for (part, grade) in parts {
            let is_filled = variables::variable(&part).is_none() && variables::nothing(&part).is_none();
            if part.len() >= MIN_BYTES && is_filled {
                self.values.insert((part, grade));
            }
        }
        self.index = OnceLock::new();
    }

    /// With a layer below, of what is secret whichever server repeats it.
    #[must_use]
    pub fn with_shared(self, shared: &SharedSecrets) -> Self {
        Self { shared: Some(shared.clone()), ..self }
    }

    /// Adds those of another, and its layer below where there is none here.
    pub fn include(&mut self, others: &Self) {
        self.values.extend(others.values.iter().cloned());
        self.shared = self.shared.take().or_else(|| others.shared.clone());
        self.index = OnceLock::new();
    }

    /// Those of them that are credentials, without what was set for a reason that is not known: for a text in which an
    /// ordinary word must stay, such as the name of a tool.
    #[must_use]
    pub fn credentials(&self) -> Self {
        let values = self.values.iter().filter(|(_, grade)| *grade == Grade::Credential).cloned();
        Self { values: values.collect(), shared: self.shared.clone(), index: OnceLock::new() }
    }

    /// Whether no value of its own is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// `text` without them, and without what looks like a credential.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        redacted(text, self.marks(text, true))
    }

    /// As [`hide`](Self::hide), but what only looks like a credential stays: for what is data and no sentence.
    #[must_use]
    pub fn hide_known<'a>(&self, text: &'a str) -> Cow<'a, str> {
        redacted(text, self.marks(text, false))
    }

    /// The lines of a text of many: each as [`line()`] has it, none empty, and without secrets, those of several lines
    /// included.
    #[must_use]
    pub fn lines(&self, text: &str) -> Vec<String> {
        let cleaned = |text: &str| line(text, usize::MAX);
        let lines: Vec<String> = text.lines().map(cleaned).filter(|line| !line.is_empty()).collect();
        self.hide(&lines.join("\n")).lines().map(str::to_owned).collect()
    }

    /// Where in `text` they are, as it is and as it is seen.
    fn marks(&self, text: &str, shapes: bool) -> Vec<Range<usize>> {
        let mut marks = Vec::new();
        for view in [Some(View::of(text)), View::seen(text)].into_iter().flatten() {
            self.search(&view, shapes, &mut marks);
        }
        marks
    }

    fn search(&self, text: &View, shapes: bool, marks: &mut Vec<Range<usize>>) {
        let own = || self.values.iter().map(|(value, grade)| (value.as_str(), *grade));
        let index = self.index.get_or_init(|| Arc::new(Index::new(own())));
        let shared = self.shared.as_ref().map(SharedSecrets::index);
        let indexes: Vec<&Index> = [Some(&**index), shared.as_deref()]
            .into_iter()
            .flatten()
            .filter(|index| !index.is_empty())
            .collect();
        let find = |text: &View, marks: &mut Vec<Range<usize>>| {
            indexes.iter().for_each(|index| index.search(text, marks));
        };
        let mut level = Cow::Borrowed(text);
        for escapes in 0..=MAX_ESCAPES {
            if let Some(text) = level.as_str().filter(|_| shapes) {
                marks.extend(shape::marks(text).into_iter().map(|range| level.source(range)));
            }
            find(&level, marks);
            if !indexes.is_empty() {
                for decoded in level.encodings() {
                    find(&decoded, marks);
                    if let Some(decoded) = decoded.unescaped() {
                        find(&decoded, marks);
                    }
                }
            }
            match level.unescaped() {
                Some(below) if escapes < MAX_ESCAPES => level = Cow::Owned(below),
                _ => break,
            }
        }
    }

    /// [`line()`] of `text` without them: cleaned first, so that nothing invisible takes a value apart, and cut last, so
    /// that no half of one is left at the end.
    #[must_use]
    pub fn line(&self, text: &str, limit: usize) -> String {
        line(&self.hide(&line(text, usize::MAX)), limit)
    }

    /// [`sentence`] of `text` without them.
    #[must_use]
    pub fn sentence(&self, text: &str) -> String {
        sentence(&self.hide(&line(text, usize::MAX)))
    }
}

/// `text` with [`REDACTED`] in place of the marked bytes; marks that touch are one.
fn redacted(text: &str, mut marks: Vec<Range<usize>>) -> Cow<'_, str> {
    marks.retain(|mark| mark.start < mark.end);
    if marks.is_empty() {
        return Cow::Borrowed(text);
    }
    marks.sort_unstable_by_key(|mark| mark.start);
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    let mut marks = marks.into_iter().peekable();
    while let Some(mark) = marks.next() {
        let mut end = mark.end;
        while let Some(next) = marks.next_if(|next| next.start <= end) {
            end = end.max(next.end);
        }
        // A blank at an edge is no part of a secret, and keeps words apart.
        let marked = &text.as_bytes()[mark.start.max(at)..end.min(text.len()).max(mark.start.max(at))];
        let blanks = |byte: &&u8| byte.is_ascii_whitespace();
        let leading = marked.iter().take_while(blanks).count();
        if leading == marked.len() {
            continue;
        }
        let start = floor(text, mark.start.max(at) + leading);
        end -= marked.iter().rev().take_while(blanks).count();
        shown.push_str(&text[at..start]);
        if !shown.ends_with(REDACTED) {
            shown.push_str(REDACTED);
        }
        at = ceiling(text, end);
    }
    shown.push_str(&text[at..]);
    Cow::Owned(shown)
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn ceiling(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

impl<'a> FromIterator<&'a str> for Secrets {
    fn from_iter<I: IntoIterator<Item = &'a str>>(values: I) -> Self {
        let mut secrets = Self::default();
        secrets.extend(values);
        secrets
    }
}

impl<'a> Extend<&'a str> for Secrets {
    fn extend<I: IntoIterator<Item = &'a str>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.insert(value));
    }
}

impl PartialEq for Secrets {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl Eq for Secrets {}

// Security: the values are what must not be shown.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.values.len())
    }
}

#[cfg(test)]
mod tests;
