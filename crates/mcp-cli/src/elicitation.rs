//! Answers a server's questions: on a terminal by asking the person, otherwise by declining.
//!
//! What a form field wants, and whether an answer fits, is decided by pure functions; the terminal is at the edge.

use std::sync::Arc;

use mcp_transport::{ClientCapabilities, HandlerFuture, RpcError, ServerRequestHandler};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Stdin};
use tokio::sync::Mutex;

use crate::browser::Browser;
use crate::error::one_line;
use crate::output::Output;

/// Asks the person at this terminal, if there is one.
#[derive(Debug)]
pub(crate) struct TerminalQuestions {
    output: Arc<Output>,
    browser: Browser,
    /// One question at a time; `None` where nobody can answer.
    lines: Option<Mutex<BufReader<Stdin>>>,
}

impl TerminalQuestions {
    pub(crate) fn new(output: Arc<Output>, browser: Browser, interactive: bool) -> Self {
        let lines = interactive.then(|| Mutex::new(BufReader::new(tokio::io::stdin())));
        Self { output, browser, lines }
    }

    async fn elicit(&self, params: Option<Box<RawValue>>) -> Value {
        let Some(lines) = &self.lines else { return json!({"action": "decline"}) };
        let mut lines = lines.lock().await;
        let params: Value =
            params.and_then(|params| serde_json::from_str(params.get()).ok()).unwrap_or_default();
        let message = one_line(params["message"].as_str().unwrap_or("The server has a question."));
        self.output.error(&format!("\nThe server asks: {message}\n"));
        if params["mode"] == "url" {
            return self.visit(&params, &mut lines).await;
        }
        let mut content = Map::new();
        for field in Field::of_schema(&params["requestedSchema"]) {
            loop {
                self.output.error(&format!("  {}: ", field.prompt()));
                let Some(line) = read_line(&mut lines).await else { return json!({"action": "cancel"}) };
                match field.answer(&line) {
                    Ok(Some(value)) => drop(content.insert(field.name.clone(), value)),
                    Ok(None) => {}
                    Err(problem) => {
                        self.output.error(&format!("  {problem}\n"));
                        continue;
                    }
                }
                break;
            }
        }
        match self.confirm("Send this answer?", &mut lines).await {
            Some(true) => json!({"action": "accept", "content": content}),
            Some(false) => json!({"action": "decline"}),
            None => json!({"action": "cancel"}),
        }
    }

    /// URL mode: the person sees the whole address and decides before anything is opened.
    async fn visit(&self, params: &Value, lines: &mut BufReader<Stdin>) -> Value {
        let url = params["url"].as_str().and_then(|text| url::Url::parse(text).ok());
        let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
            self.output.error("The address it wants you to open is no web address; declined.\n");
            return json!({"action": "decline"});
        };
        let host = url.host_str().unwrap_or_default();
        self.output.error(&format!("It wants you to open a page at {host}:\n\n  {url}\n\n"));
        match self.confirm("Open it?", lines).await {
            Some(true) => {
                if let Err(why) = self.browser.open(&url) {
                    self.output.error(&format!("Open it yourself: {}.\n", one_line(&why)));
                }
                json!({"action": "accept"})
            }
            Some(false) => json!({"action": "decline"}),
            None => json!({"action": "cancel"}),
        }
    }

    async fn confirm(&self, question: &str, lines: &mut BufReader<Stdin>) -> Option<bool> {
        self.output.error(&format!("{question} [Y/n] "));
        let line = read_line(lines).await?;
        Some(matches!(line.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes"))
    }
}

async fn read_line(lines: &mut BufReader<Stdin>) -> Option<String> {
    let mut line = String::new();
    match lines.read_line(&mut line).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
    }
}

impl ServerRequestHandler for TerminalQuestions {
    fn capabilities(&self) -> ClientCapabilities {
        let settings = if self.lines.is_some() { r#"{"form":{},"url":{}}"# } else { r#"{"form":{}}"# };
        match RawValue::from_string(settings.to_owned()) {
            Ok(settings) => ClientCapabilities::default().with("elicitation", settings),
            Err(_) => ClientCapabilities::default(),
        }
    }

    fn handle<'a>(&'a self, _method: &'a str, params: Option<Box<RawValue>>) -> HandlerFuture<'a> {
        Box::pin(async move {
            // Only elicitation is advertised, so only elicitation arrives.
            to_raw_value(&self.elicit(params).await)
                .map_err(|error| RpcError::new(INTERNAL_ERROR, error.to_string()))
        })
    }
}

/// JSON-RPC 2.0 section 5.1.
const INTERNAL_ERROR: i64 = -32603;

/// One question of a form (2025-11-25, elicitation, requested schema: flat, primitive types only).
#[derive(Debug)]
struct Field {
    name: String,
    label: String,
    kind: Kind,
    choices: Vec<Value>,
    default: Option<Value>,
    required: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    /// Several of the choices, separated by commas.
    Many,
}

impl Field {
    fn of_schema(schema: &Value) -> Vec<Self> {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema["properties"].as_object().into_iter().flatten();
        properties
            .map(|(name, property)| Self::of_property(name, property, required.contains(&&**name)))
            .collect()
    }

    fn of_property(name: &str, property: &Value, required: bool) -> Self {
        let kind = match property["type"].as_str() {
            Some("integer") => Kind::Integer,
            Some("number") => Kind::Number,
            Some("boolean") => Kind::Boolean,
            Some("array") => Kind::Many,
            _ => Kind::Text,
        };
        let source = if kind == Kind::Many { &property["items"] } else { property };
        let titled = |key: &str| source[key].as_array().cloned().unwrap_or_default();
        let mut choices = titled("enum");
        for option in titled("oneOf").into_iter().chain(titled("anyOf")) {
            choices.extend(option.get("const").cloned());
        }
        let label = property["title"].as_str().or(property["description"].as_str()).unwrap_or(name);
        Self {
            name: name.to_owned(),
            label: one_line(label),
            kind,
            choices,
            default: property.get("default").cloned(),
            required,
        }
    }

    fn prompt(&self) -> String {
        let mut prompt = self.label.clone();
        let choices: Vec<String> = self.choices.iter().map(plain).collect();
        if !choices.is_empty() {
            prompt.push_str(&format!(" ({})", choices.join(", ")));
        } else if self.kind == Kind::Boolean {
            prompt.push_str(" (yes, no)");
        }
        if let Some(default) = &self.default {
            prompt.push_str(&format!(" [{}]", plain(default)));
        } else if !self.required {
            prompt.push_str(" [none]");
        }
        prompt
    }

    /// The value of a typed answer; `None` leaves the field out.
    fn answer(&self, line: &str) -> Result<Option<Value>, String> {
        let line = line.trim();
        if line.is_empty() {
            return match (&self.default, self.required) {
                (Some(default), _) => Ok(Some(default.clone())),
                (None, false) => Ok(None),
                (None, true) => Err("an answer is needed".to_owned()),
            };
        }
        if self.kind == Kind::Many {
            return line
                .split(',')
                .map(|part| self.choose(part.trim()))
                .collect::<Result<_, _>>()
                .map(|all| Some(Value::Array(all)));
        }
        if !self.choices.is_empty() {
            return self.choose(line).map(Some);
        }
        match self.kind {
            Kind::Integer => {
                line.parse::<i64>().map(Value::from).map_err(|_| "a whole number is needed".to_owned())
            }
            Kind::Number => {
                let number = line.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                number.map(Value::Number).ok_or_else(|| "a number is needed".to_owned())
            }
            Kind::Boolean => match line.to_ascii_lowercase().as_str() {
                "y" | "yes" | "true" => Ok(Value::Bool(true)),
                "n" | "no" | "false" => Ok(Value::Bool(false)),
                _ => Err("yes or no is needed".to_owned()),
            },
            Kind::Text | Kind::Many => Ok(Value::String(line.to_owned())),
        }
        .map(Some)
    }

    fn choose(&self, text: &str) -> Result<Value, String> {
        let found = self.choices.iter().find(|choice| plain(choice) == text);
        found.cloned().ok_or_else(|| format!("{text:?} is not among the choices"))
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), one_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_questions_and_answers_become_values() {
        let schema = json!({
            "properties": {
                "age": {"type": "integer", "title": "Your age", "default": 7},
                "color": {"type": "string", "enum": ["red", "blue"]},
                "sizes": {"type": "array", "items": {"anyOf": [{"const": "s"}, {"const": "m"}]}},
                "sure": {"type": "boolean"},
                "weight": {"type": "number"},
            },
            "required": ["color"],
        });
        let fields = Field::of_schema(&schema);
        let prompts: Vec<String> = fields.iter().map(Field::prompt).collect();
        assert_eq!(
            prompts,
            [
                "Your age [7]",
                "color (red, blue)",
                "sizes (s, m) [none]",
                "sure (yes, no) [none]",
                "weight [none]"
            ]
        );
        let answer = |index: usize, line: &str| fields[index].answer(line);
        assert_eq!(answer(0, ""), Ok(Some(json!(7))));
        assert_eq!(answer(0, " 8 "), Ok(Some(json!(8))));
        assert!(answer(0, "8.5").is_err());
        assert_eq!(answer(1, "blue"), Ok(Some(json!("blue"))));
        assert!(answer(1, "green").is_err());
        assert!(answer(1, "").is_err());
        assert_eq!(answer(2, "s, m"), Ok(Some(json!(["s", "m"]))));
        assert_eq!(answer(2, ""), Ok(None));
        assert_eq!(answer(3, "Y"), Ok(Some(json!(true))));
        assert!(answer(3, "perhaps").is_err());
        assert_eq!(answer(4, "1.5"), Ok(Some(json!(1.5))));
    }

    #[tokio::test]
    async fn nobody_there_declines() {
        let output = Arc::new(Output::of_process(crate::args::ColorArg::Never, false, false, true));
        let handler = TerminalQuestions::new(output, Browser::Absent("test"), false);
        let answer = handler.handle("elicitation/create", None).await.unwrap();
        assert_eq!(answer.get(), r#"{"action":"decline"}"#);
        assert!(handler.capabilities().has("elicitation"));
    }
}
