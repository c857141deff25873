//! Fields of an entry that are not this crate's to know: what a program reads itself, with the place where it stands.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::document::Document;
use crate::json::{Member, Node, Object, Value};
use crate::{Origin, Problem, ProblemCode, Severity, display};

/// A field of an entry that the program reads itself ([`Request::with_known_fields`](crate::Request::with_known_fields)).
///
/// Its values are as they are written: no variable is replaced. They may be secrets, and none is shown.
///
/// # Examples
///
/// ```
/// use mcp_config::{Config, Env, Request};
///
/// #[derive(serde::Deserialize)]
/// struct Acme {
///     tenant: String,
/// }
///
/// # let home = tempfile::tempdir().unwrap();
/// # let env = Env::from([("HOME", home.path())]);
/// let mut request = Request::new(home.path(), env).with_known_fields(["acme"]);
/// let entry = r#"{"type": "http", "url": "https://mcp.example", "acme": {"tenant": "a"}}"#;
/// request.mcp_config.push(format!(r#"{{"mcpServers": {{"web": {entry}}}}}"#));
/// let config = Config::load(&request);
/// let acme = config.entry("web").unwrap().extra("acme").unwrap();
/// assert_eq!(acme.read::<Acme>().unwrap().tenant, "a");
/// // What is wrong in it is told with file, line and field, as everything else is.
/// let problem = acme.read::<u8>().unwrap_err();
/// assert_eq!(problem.line, Some(1));
/// ```
#[derive(Clone)]
pub struct Extra {
    name: String,
    server: String,
    /// JSON without comments, each value in the line in which it is in the file.
    json: Box<str>,
    origin: Origin,
}

impl Extra {
    pub(crate) fn of(document: &Document<'_>, server: &str, member: &Member, origin: Origin) -> Self {
        let mut writer = Writer { document, text: String::new(), line: origin.line };
        writer.value(&member.node);
        let (name, server) = (member.key.to_string(), server.to_owned());
        Self { name, server, json: writer.text.into(), origin }
    }

    /// Its value as JSON. Marks the boundary: it may hold secrets.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Where it stands.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Its value as a type of the program's own.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in which line; no value is repeated.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Box<Problem>> {
        serde_json::from_str(&self.json).map_err(|error| {
            // The lines are those of the file, counted from the one that it begins in.
            let line = self.origin.line + error.line().saturating_sub(1);
            let mut problem = self.refuse(without_values(&error.to_string()));
            problem.line = Some(line);
            problem
        })
    }

    /// That its value does not do, for this reason: a lowercase fragment without a value.
    pub fn refuse(&self, message: impl Into<String>) -> Box<Problem> {
        let problem = Problem::new(Severity::Error, ProblemCode::InvalidConfig, message.into());
        Box::new(problem.at(&self.origin).of_server(&self.server))
    }
}

// Security: the value may be a secret.
impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extra")
            .field("name", &self.name)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// What a parser says, without what it quotes of the text: a secret in the wrong place is one all the same.
fn without_values(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let quotes = ["invalid type: ", "invalid value: ", "invalid length "];
    if quotes.iter().any(|start| message.starts_with(start)) || message.starts_with("unknown variant ") {
        return match message.rsplit_once(", expected ") {
            Some((_, expected)) => format!("expected {}", mcp_text::line(expected, 200)),
            None => "is not what it has to be".to_owned(),
        };
    }
    mcp_text::Secrets::default().line(message, 200)
}

/// Writes a value as JSON, with the line ends of its file.
struct Writer<'a, 'd> {
    document: &'a Document<'d>,
    text: String,
    /// The line of the file that the end of the text is in.
    line: usize,
}

impl Writer<'_, '_> {
    fn value(&mut self, node: &Node) {
        self.go_to(self.document.line(node.span));
        match &node.value {
            Value::Null => self.text.push_str("null"),
            Value::Bool(value) => self.text.push_str(if *value { "true" } else { "false" }),
            Value::Number(_) => self.text.push_str(self.document.written(node.span)),
            Value::String(value) => self.string(value),
            Value::Array(items) => {
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.separate(index);
                    self.value(item);
                }
                self.text.push(']');
            }
            Value::Object(object) => self.object(object),
        }
    }

    fn object(&mut self, object: &Object) {
        self.text.push('{');
        for (index, member) in object.iter().enumerate() {
            self.separate(index);
            self.go_to(self.document.line(member.key_span));
            self.string(&member.key);
            self.text.push(':');
            self.value(&member.node);
        }
        self.text.push('}');
    }

    fn string(&mut self, text: &str) {
        self.text.push_str(&serde_json::Value::from(text).to_string());
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.text.push(',');
        }
    }

    fn go_to(&mut self, line: usize) {
        for _ in self.line..line {
            self.text.push('\n');
        }
        self.line = self.line.max(line);
    }
}

/// The fields that the program reads itself, of one entry.
pub(crate) fn read(
    document: &Document<'_>,
    entry: &Member,
    object: &Object,
    known: &[String],
    origin: impl Fn(&Member) -> Origin,
) -> Vec<(String, Extra)> {
    let of = |member: &Member| {
        (
            member.key.to_string(),
            Extra::of(document, &display::display_key(&entry.key), member, origin(member)),
        )
    };
    object
        .iter()
        .filter(|member| !member.node.is_null() && known.iter().any(|name| **name == *member.key))
        .map(of)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::{Config, Env, Request};

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Acme {
        #[serde(rename = "type")]
        kind: String,
        tenants: Vec<u32>,
    }

    fn load(entry: &str, known: &[&str]) -> Config {
        let home = tempfile::tempdir().unwrap();
        let env = Env::new().with("HOME", home.path());
        let mut request = Request::new(home.path(), env).with_known_fields(known.iter().copied());
        request.managed_dir = Some(home.path().join("managed"));
        request.mcp_config.push(format!("{{\"mcpServers\": {{\"web\": {entry}}}}}"));
        Config::load(&request)
    }

    fn entry(auth: &str) -> String {
        format!("{{\"type\": \"http\", \"url\": \"https://h.example/mcp\",\n  \"auth\": {auth}}}")
    }

    #[test]
    fn a_field_of_the_programs_own_is_read_and_told_of_nothing() {
        let text = entry("{ // a remark\n \"type\": \"a\\\"b\", /* another */\n \"tenants\": [1, 2,], }");
        let config = load(&text, &["auth"]);
        assert!(config.problems.is_empty(), "{:?}", config.problems);
        let auth = config.entry("web").unwrap().extra("auth").unwrap();
        assert_eq!(auth.read::<Acme>().unwrap(), Acme { kind: "a\"b".into(), tenants: vec![1, 2] });
        assert_eq!((auth.origin().line, &*auth.origin().field), (2, "mcpServers.web.auth"));
        // A program that does not know the field hears of it as before.
        let config = load(&text, &[]);
        assert!(config.entry("web").unwrap().extra("auth").is_none());
        assert!(config.problems.iter().any(|problem| problem.message.contains("this program has none")));
    }

    #[test]
    fn what_is_wrong_in_it_has_its_line_and_no_value() {
        for (auth, line, words) in [
            ("{\n\"type\": \"a\",\n\n\"tenants\": [1,\n\"canary\"]}", 6, "expected u32"),
            ("{\"type\":\n// x\n\n [\"canary\"]}", 5, "expected a string"),
            ("{\"type\": \"canary\"}", 2, "missing field `tenants`"),
            ("\"canary\"", 2, "expected struct Acme"),
            ("{\n\"other\": \"canary\"}", 3, "unknown field `other`"),
        ] {
            let config = load(&entry(auth), &["auth"]);
            let extra = config.entry("web").unwrap().extra("auth").unwrap();
            let problem = extra.read::<Acme>().unwrap_err();
            assert_eq!(problem.line, Some(line), "{auth}: {problem}");
            assert!(problem.message.contains(words), "{problem}");
            assert_eq!(problem.server.as_deref(), Some("web"));
            assert!(!format!("{problem:?} {extra:?}").contains("canary"), "{problem:?} {extra:?}");
        }
    }

    #[test]
    fn it_counts_for_what_a_person_agrees_to() {
        let digest = |auth: &str| load(&entry(auth), &["auth"]).entry("web").unwrap().terms().digest();
        assert_ne!(digest("{\"tenants\": [1]}"), digest("{\"tenants\": [2]}"));
        assert_eq!(digest("{\"tenants\": [1]}"), digest("{ \"tenants\":[1] }"));
    }
}
