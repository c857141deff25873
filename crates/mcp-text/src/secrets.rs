//! What must not be shown wherever it appears.

use std::borrow::Cow;
use std::fmt;

use crate::line;

/// What stands for a secret.
pub const REDACTED: &str = "[redacted]";

/// A shorter value is found in every other text, and hiding it there would hide nothing.
const MIN_BYTES: usize = 4;

/// Values that no output may show.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The longest first: a value may contain another one.
    values: Vec<String>,
}

impl Secrets {
    /// Adds a value.
    pub fn insert(&mut self, value: &str) {
        if value.len() < MIN_BYTES || self.values.iter().any(|known| known == value) {
            return;
        }
        let at = self.values.partition_point(|known| known.len() >= value.len());
        self.values.insert(at, value.to_owned());
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// `text` without them.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.values.iter().fold(Cow::Borrowed(text), |text, secret| {
            if text.contains(secret.as_str()) { Cow::Owned(text.replace(secret, REDACTED)) } else { text }
        })
    }

    /// [`line`] of `text` without them: cleaned first, so that nothing invisible takes a value apart, and cut last, so
    /// that no half of one is left at the end.
    #[must_use]
    pub fn line(&self, text: &str, limit: usize) -> String {
        if self.is_empty() {
            return line(text, limit);
        }
        line(&self.hide(&line(text, usize::MAX)), limit)
    }
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

// Security: the values are what must not be shown.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_hidden_the_longest_first_and_short_ones_stay() {
        let secrets: Secrets = ["sekrit", "sekrit-longer", "on", "sekrit"].into_iter().collect();
        assert_eq!(secrets.hide("sekrit-longer is on, sekrit too"), "[redacted] is on, [redacted] too");
        assert_eq!(format!("{secrets:?}"), "Secrets(2)");
        assert!(matches!(secrets.hide("nothing"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_value_is_hidden_before_a_line_is_cut_and_after_it_is_cleaned() {
        let secrets: Secrets = ["canary-value"].into_iter().collect();
        assert_eq!(secrets.line("key \u{1b}[1mcanary\u{200b}-va\u{1b}]0;x\u{7}lue", 40), "key [redacted]");
        assert!(!secrets.line("key canary-value", 10).contains("can"));
    }
}
