//! Takes out of a stranger's words what the configuration keeps secret: a local server may print its own environment
//! when it fails.

use mcp_config::ServerEntry;

const REDACTED: &str = "[redacted]";
/// Shorter values are words that a message may contain for other reasons.
const SHORTEST: usize = 6;

/// The values of one entry that no output may show.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Those of a local server: what its entry puts into the environment and what follows its program.
    pub(crate) fn of(entry: &ServerEntry) -> Self {
        let Some(stdio) = entry.stdio() else { return Self::default() };
        let environment = stdio.env.iter().map(|(_, value)| value.expose());
        let expanded = stdio.args.iter().filter(|arg| arg.from_environment().next().is_some());
        Self::from_values(environment.chain(expanded.map(|arg| arg.expose())))
    }

    fn from_values<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut values: Vec<String> =
            values.filter(|value| value.len() >= SHORTEST).map(str::to_owned).collect();
        // The longest first: a value may contain another one.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self(values)
    }

    /// The values, for whoever else hears the server.
    pub(crate) fn values(&self) -> &[String] {
        &self.0
    }

    /// `text` without them.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED))
    }
}

// Security: the values are what must not be shown.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_leave_a_message_and_short_words_stay() {
        let secrets = Secrets::from_values(["sekrit", "sekrit-longer", "on"].into_iter());
        assert_eq!(secrets.redact("sekrit-longer is on, sekrit too"), "[redacted] is on, [redacted] too");
        assert_eq!(format!("{secrets:?}"), "Secrets(2)");
    }
}
