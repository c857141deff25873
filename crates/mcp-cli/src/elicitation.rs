//! Answers a server's questions: on a terminal by asking the person, otherwise by declining.
//!
//! What a form field wants, and whether an answer fits, is decided by pure functions; the terminal is at the edge.

use std::sync::{Arc, OnceLock};

use mcp_auth::url_policy::UrlSource;
use mcp_text::Secrets;
use mcp_transport::Connection;
use mcp_transport::connection::WeakConnection;
use mcp_transport::handler::{ClientCapabilities, HandlerFuture, ServerRequest, ServerRequestHandler};
use mcp_transport::message::{INTERNAL_ERROR, RpcError};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::browser::Browser;
use crate::confirmation::Answers;
use crate::output::Output;
use crate::view::shown;

/// The longest address that is shown and opened, in bytes; browsers take few that are longer.
const MAX_URL: usize = 8 * 1024;

/// Asks the person at this terminal, if there is one.
#[derive(Debug)]
pub(crate) struct TerminalQuestions {
    output: Arc<Output>,
    browser: Browser,
    /// One question at a time; `None` where no person can answer.
    answers: Option<Mutex<Answers>>,
    /// The server that asks, which decides where it may send a person.
    server: UrlSource,
    /// What its words may not repeat. What a person answers and the address of a page are shown in full nevertheless: they
    /// are what is decided about.
    secrets: Secrets,
    /// What else they may not repeat: what the connection was sent, once there is one.
    connection: OnceLock<WeakConnection>,
}

impl TerminalQuestions {
    pub(crate) fn new(
        output: Arc<Output>,
        browser: Browser,
        interactive: bool,
        server: UrlSource,
        secrets: Secrets,
    ) -> Self {
        let answers = interactive.then(|| Mutex::new(Answers::of_terminal()));
        Self { output, browser, answers, server, secrets, connection: OnceLock::new() }
    }

    /// The connection that the questions come by.
    pub(crate) fn come_by(&self, connection: &Connection) {
        // There is one connection for one set of questions.
        drop(self.connection.set(connection.downgrade()));
    }

    /// A text of the server without the secrets that it was given.
    fn hidden(&self, text: &str) -> String {
        let text = self.secrets.hide_known(text);
        let sent = self.connection.get().and_then(WeakConnection::upgrade);
        sent.map_or_else(|| text.to_string(), |sent| sent.credentials_sent().hide_known(&text).into_owned())
    }

    async fn elicit(&self, params: Option<Box<RawValue>>) -> Value {
        let Some(answers) = &self.answers else { return json!({"action": "decline"}) };
        let mut answers = answers.lock().await;
        let params: Value =
            params.and_then(|params| serde_json::from_str(params.get()).ok()).unwrap_or_default();
        let message = shown::line(params["message"].as_str().unwrap_or("The server has a question."));
        self.output.error(&format!("\nThe server asks: {}\n", self.hidden(&message)));
        if params["mode"] == "url" {
            return self.visit(&params, &mut answers).await;
        }
        let mut content = Map::new();
        for field in Field::of_schema(&params["requestedSchema"]) {
            loop {
                self.output.error(&format!("  {}: ", self.hidden(&field.prompt())));
                let Some(line) = answers.line().await else { return json!({"action": "cancel"}) };
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
        match self.confirm("Send this answer?", &mut answers).await {
            Some(true) => json!({"action": "accept", "content": content}),
            Some(false) => json!({"action": "decline"}),
            None => json!({"action": "cancel"}),
        }
    }

    /// URL mode: the person sees the whole address and decides before anything is opened. What may be opened at all is
    /// decided as for a page to sign in at.
    async fn visit(&self, params: &Value, answers: &mut Answers) -> Value {
        let text = params["url"].as_str().unwrap_or_default();
        let may_open = if text.len() > MAX_URL { Err("is too long".to_owned()) } else { self.may_open(text) };
        let url = match may_open {
            Ok(url) => url,
            Err(why) => {
                let text = shown::line(text);
                self.output.error(&format!("  {text}\n\nThe address {why}; it is not opened.\n"));
                return json!({"action": "decline"});
            }
        };
        let host = url.host_str().unwrap_or_default();
        answers.forget_typed();
        self.output.error(&format!(
            "It wants you to open a page at {host}:\n\n  {url}\n\nType yes to open it, anything else not to: "
        ));
        match answers.yes().await {
            Some(true) => {
                if let Err(why) = self.browser.open(&url) {
                    self.output.error(&format!("Open it yourself: {}.\n", shown::line(&why)));
                }
                json!({"action": "accept"})
            }
            Some(false) => json!({"action": "decline"}),
            None => json!({"action": "cancel"}),
        }
    }

    fn may_open(&self, text: &str) -> Result<url::Url, String> {
        self.server.may_open(text).map_err(|refusal| refusal.to_string())
    }

    async fn confirm(&self, question: &str, answers: &mut Answers) -> Option<bool> {
        self.output.error(&format!("{question} [Y/n] "));
        let line = answers.line().await?;
        Some(matches!(line.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes"))
    }
}

/// RecheckRequests at a server as a call does, which may be asked something, and declines: a glance asks no one.
#[derive(Debug)]
pub(crate) struct NoQuestions {
    /// Whether a person could answer a call.
    pub(crate) interactive: bool,
}

impl ServerRequestHandler for NoQuestions {
    fn capabilities(&self) -> ClientCapabilities {
        elicitation(self.interactive)
    }

    fn handle<'a>(&'a self, _request: ServerRequest<'a>) -> HandlerFuture<'a> {
        Box::pin(async {
            to_raw_value(&json!({"action": "decline"}))
                .map_err(|error| RpcError::new(INTERNAL_ERROR, error.to_string()))
        })
    }
}

/// A form can be declined by no one; a page is opened by a person.
fn elicitation(interactive: bool) -> ClientCapabilities {
    let settings = if interactive { r#"{"form":{},"url":{}}"# } else { r#"{"form":{}}"# };
    match RawValue::from_string(settings.to_owned()) {
        Ok(settings) => ClientCapabilities::default().with("elicitation", settings),
        Err(_) => ClientCapabilities::default(),
    }
}

impl ServerRequestHandler for TerminalQuestions {
    fn capabilities(&self) -> ClientCapabilities {
        elicitation(self.answers.is_some())
    }

    fn handle<'a>(&'a self, request: ServerRequest<'a>) -> HandlerFuture<'a> {
        Box::pin(async move {
            // Only elicitation is advertised, so only elicitation arrives.
            to_raw_value(&self.elicit(request.params).await)
                .map_err(|error| RpcError::new(INTERNAL_ERROR, error.to_string()))
        })
    }
}

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
            label: shown::line(label),
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
    value.as_str().map_or_else(|| value.to_string(), shown::line)
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

    /// What a server at `server` is told when it asks for `url` to be opened and a person types `typed`, and whether a
    /// browser was started. The browser is a program that leaves a mark.
    async fn asked_to_visit(server: &str, url: &str, typed: &'static str) -> (String, bool) {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("opened");
        let script = format!("printf %s \"$0\" > '{}'", mark.display());
        let browser = Browser::Open {
            program: "sh".into(),
            arguments: ["-c", &script].map(std::ffi::OsString::from).into(),
        };
        let output = Arc::new(Output::of_process(crate::args::ColorArg::Never, false, false, true));
        let server = UrlSource::server(&url::Url::parse(server).unwrap());
        // The keyboard speaks after the question, as a person does.
        let (mut keyboard, terminal) = tokio::io::duplex(64);
        let answers = Some(Mutex::new(Answers::of(terminal)));
        let (secrets, connection) = (Secrets::default(), OnceLock::new());
        let handler = TerminalQuestions { output, browser, answers, server, secrets, connection };
        let params = json!({"mode": "url", "message": "pay", "url": url, "elicitationId": "1"});
        let params = Some(to_raw_value(&params).unwrap());
        let answer = handler.handle(ServerRequest::new("elicitation/create", params));
        let typing = async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            // There is no reader where nothing is asked.
            drop(tokio::io::AsyncWriteExt::write_all(&mut keyboard, typed.as_bytes()).await);
            std::future::pending::<()>().await
        };
        let answer = tokio::select! { answer = answer => answer.unwrap(), () = typing => unreachable!() };
        let answer: Value = serde_json::from_str(answer.get()).unwrap();
        let action = answer["action"].as_str().unwrap().to_owned();
        let mut opened = false;
        for _ in 0..200 {
            opened = std::fs::read_to_string(&mark).is_ok_and(|text| text == url);
            if opened || action != "accept" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        (action, opened || mark.exists())
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn s_n14_a_strangers_page_is_opened_on_a_typed_yes_only() {
        const SERVER: &str = "https://mcp.example/mcp";
        let page = "https://pay.example/checkout?id=7";
        assert_eq!(asked_to_visit(SERVER, page, "yes\n").await, ("accept".to_owned(), true));
        for typed in ["\n", "y\n", "Y\n", "no\n"] {
            assert_eq!(asked_to_visit(SERVER, page, typed).await, ("decline".to_owned(), false), "{typed:?}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn s_n14_what_may_not_be_opened_is_declined_without_a_question() {
        for url in [
            "http://a@b@evil.example/$(id)",
            "https://a@evil.example/",
            "https://evil.example/`id`",
            "http://evil.example/",
            "http://localhost:8500/admin/wipe",
            "https://[::ffff:127.0.0.1]/",
            "https://192.168.0.1/reboot",
            "https://evil.example/\u{202e}",
            "https://evil.example/\u{1b}]52;c;x\u{7}",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "",
        ] {
            let answer = asked_to_visit("https://mcp.example/mcp", url, "yes\n").await;
            assert_eq!(answer, ("decline".to_owned(), false), "{url:?}");
        }
        let long = format!("https://evil.example/{}", "x".repeat(MAX_URL));
        assert_eq!(asked_to_visit("https://mcp.example/mcp", &long, "yes\n").await.0, "decline");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn s_k6_a_server_on_this_machine_may_have_its_own_page_opened() {
        let answer = asked_to_visit("http://127.0.0.1:3000/mcp", "http://localhost:3000/pay", "yes\n").await;
        assert_eq!(answer, ("accept".to_owned(), true));
    }

    #[tokio::test]
    async fn an_absent_person_declines() {
        let output = Arc::new(Output::of_process(crate::args::ColorArg::Never, false, false, true));
        let handler = TerminalQuestions::new(
            output,
            Browser::Absent("test"),
            false,
            UrlSource::this_machine(),
            Secrets::default(),
        );
        let answer = handler.handle(ServerRequest::new("elicitation/create", None)).await.unwrap();
        assert_eq!(answer.get(), r#"{"action":"decline"}"#);
        assert!(handler.capabilities().has("elicitation"));
    }
}
