//! Where values stand in a text: one pass over it, however many they are.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::view::View;
use super::{Grade, MIN_BYTES};

/// So many bytes of a credential are as good as the whole.
pub(super) const WINDOW: usize = 8;
/// How many windows are kept: values of a quarter of a megabyte in all. Of what is longer, only the whole is found.
const MAX_WINDOWS: usize = 1 << 18;

/// The values of one set, in lower case, ready to be found.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// Every run of [`WINDOW`] bytes of every credential.
    windows: HashSet<[u8; WINDOW]>,
    /// The values of which only the whole counts, by how they begin.
    wholes: HashMap<[u8; MIN_BYTES], Vec<Box<[u8]>>>,
    /// Which two bytes either of them begins with: nearly every place of a text is done with after this one look.
    beginnings: Box<[u64; 1024]>,
}

impl Default for Index {
    fn default() -> Self {
        Self { windows: HashSet::new(), wholes: HashMap::new(), beginnings: Box::new([0; 1024]) }
    }
}

impl Index {
    pub(super) fn new<'a>(values: impl IntoIterator<Item = (&'a str, Grade)>) -> Self {
        let mut index = Self::default();
        values.into_iter().for_each(|(value, grade)| index.add(value, grade));
        index
    }

    pub(super) fn add(&mut self, value: &str, grade: Grade) {
        let value = value.to_ascii_lowercase().into_bytes();
        let fits = self.windows.len() + value.len() <= MAX_WINDOWS;
        if grade == Grade::Credential && value.len() >= WINDOW && fits {
            for window in value.windows(WINDOW).filter_map(|window| window.try_into().ok()) {
                self.windows.insert(window);
                self.note(window[0], window[1]);
            }
        } else if let Some(Ok(head)) = value.get(..MIN_BYTES).map(<[u8; MIN_BYTES]>::try_from) {
            self.note(head[0], head[1]);
            self.wholes.entry(head).or_default().push(value.into());
        }
    }

    fn note(&mut self, first: u8, second: u8) {
        self.beginnings[usize::from(first) << 2 | usize::from(second >> 6)] |= 1 << (second & 63);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.wholes.is_empty()
    }

    /// Adds every place of `view` where a value, or enough of one, stands.
    pub(super) fn search(&self, view: &View, marks: &mut Vec<Range<usize>>) {
        if self.is_empty() {
            return;
        }
        let bytes = view.bytes().to_ascii_lowercase();
        for (at, pair) in bytes.windows(2).enumerate() {
            let noted = self.beginnings[usize::from(pair[0]) << 2 | usize::from(pair[1] >> 6)];
            if noted & 1 << (pair[1] & 63) == 0 {
                continue;
            }
            if bytes.get(at..at + WINDOW).is_some_and(|window| self.windows.contains(window)) {
                push(marks, view.source(at..at + WINDOW));
            }
            let values = bytes.get(at..at + MIN_BYTES).and_then(|head| self.wholes.get(head));
            for value in values.into_iter().flatten() {
                let end = at + value.len();
                let is_there = bytes.get(at..end).is_some_and(|there| there == &**value);
                if is_there && (value.len() >= WINDOW || is_word(&bytes, at..end)) {
                    push(marks, view.source(at..end));
                }
            }
        }
    }
}

/// Adds a mark, to the last one where they touch: a long value is many windows.
fn push(marks: &mut Vec<Range<usize>>, mark: Range<usize>) {
    match marks.last_mut() {
        Some(last) if last.start <= mark.start && mark.start <= last.end => last.end = last.end.max(mark.end),
        _ => marks.push(mark),
    }
}

/// Whether no letter or digit stands right before or behind; nor a hyphen, where it could be a word of any sentence: `tool` is
/// no secret in `secret-tool`.
fn is_word(bytes: &[u8], range: Range<usize>) -> bool {
    let is_common = bytes[range.clone()].iter().all(u8::is_ascii_lowercase);
    let is_part = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80 || (is_common && *byte == b'-'))
    };
    !is_part(range.start.checked_sub(1).and_then(|before| bytes.get(before)))
        && !is_part(bytes.get(range.end))
}
