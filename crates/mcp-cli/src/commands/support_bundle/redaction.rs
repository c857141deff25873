//! What is taken out of a bundle, whichever part it stands in.

use mcp_text::{Secrets, is_credential_name};
use serde_json::Value;

use crate::app::App;
use crate::loaded::LoadedConfig;

/// The members whose text is a place on this machine.
const PLACES: [&str; 6] = ["file", "path", "place", "source", "folder", "cwd"];

/// What is known to be secret on this machine, and the home of its person.
pub(super) struct Redaction {
    secrets: Secrets,
    home: Option<String>,
}

impl Redaction {
    pub(super) async fn of(app: &App, loaded: &LoadedConfig) -> Self {
        let mut secrets = app.host.kept_secrets().await;
        let variables = app.environment.variables();
        for (name, value) in
            variables.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
        {
            if is_credential_name(name) { secrets.insert(value) } else { secrets.insert_url(value) }
        }
        let config = &loaded.config;
        for entry in config.entries.iter().chain(config.pointers.iter().map(|pointer| &pointer.entry)) {
            secrets.include(&app.host.configured(entry, config).await.secrets);
        }
        Self::new(secrets, app.environment.text("HOME"))
    }

    fn new(secrets: Secrets, home: Option<&str>) -> Self {
        let home = home.filter(|home| home.len() > 1).map(|home| home.trim_end_matches('/').to_owned());
        Self { secrets, home }
    }

    /// `value` without them: its texts, and the names of its members.
    pub(super) fn apply(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.apply(item)).collect(),
            Value::Object(members) => {
                let members = members.into_iter();
                let members = members.map(|(name, value)| match value {
                    Value::String(path) if PLACES.contains(&&*name) => {
                        (name, Value::String(self.place(&path)))
                    }
                    value => (self.name(&name), self.apply(value)),
                });
                Value::Object(members.collect())
            }
            other => other,
        }
    }

    fn name(&self, name: &str) -> String {
        self.secrets.hide_known(name).into_owned()
    }

    /// A place on this machine: the digest in the name of a file looks like a secret, and is none.
    fn place(&self, path: &str) -> String {
        self.without_home(&self.secrets.hide_known(path))
    }

    fn text(&self, text: &str) -> String {
        // Lines are searched one by one, as a key of several of them is recognised.
        let hidden = match text.contains('\n') {
            true => self.secrets.lines(text).join("\n"),
            false => self.secrets.hide(text).into_owned(),
        };
        self.without_home(&hidden)
    }

    fn without_home(&self, text: &str) -> String {
        self.home.as_ref().map_or_else(|| text.to_owned(), |home| without_home(text, home))
    }
}

/// `~` in the place of the home, whose last part is often a name. `/home/annabel` is not within `/home/anna`.
fn without_home(text: &str, home: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(home) {
        let behind = &rest[at + home.len()..];
        out.push_str(&rest[..at]);
        let is_whole = !behind.starts_with(|c: char| c.is_alphanumeric() || "-_.".contains(c));
        out.push_str(if is_whole { "~" } else { home });
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s_k5_what_is_known_is_found_in_texts_and_in_the_names_of_members() {
        let secrets: Secrets = ["canary-value-1"].into_iter().collect();
        let redaction = Redaction::new(secrets, Some("/home/anna"));
        let given = json!({
            "canary-value-1": ["x canary-value-1", { "deep": "a\ncanary-value-1\nb" }, 1, null],
            "path": "/home/anna/.mcp.json and /home/annabel/x, /home/anna",
            "file": "/home/anna/logs/web-4b5e57f6eb2f42b9039b3d1e.jsonl",
            "source": "/x/canary-value-1",
            "word": "Authorization: Bearer abcdef123456",
            "key": "kept:\n-----BEGIN PRIVATE KEY-----\nMIIBody\n-----END PRIVATE KEY-----\n",
        });
        let shown = redaction.apply(given);
        assert!(!shown.to_string().contains("canary-value-1"), "{shown}");
        assert!(!shown.to_string().contains("MIIBody"), "a key of several lines: {shown}");
        assert_eq!(shown["path"], "~/.mcp.json and /home/annabel/x, ~");
        assert_eq!(shown["file"], "~/logs/web-4b5e57f6eb2f42b9039b3d1e.jsonl");
        assert_eq!(shown["word"], "Authorization: [redacted]");
        assert_eq!(shown["[redacted]"][2], 1);
    }
}
