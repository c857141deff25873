//! The tools of the fake server.

use std::time::Duration;

use serde_json::{Value, json};

/// A tool: its definition as `tools/list` shows it, and what a call does.
#[derive(Clone, Debug)]
pub struct FakeTool {
    definition: Value,
    act: Act,
}

/// What calling a tool does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers with the `text` argument.
    Echo,
    /// Answers with the sum of the numbers `a` and `b`, also as structured content.
    Add,
    /// Takes `steps` (default 3) pauses of `delay_ms` (default 20) and tells of its progress if asked to.
    Slow,
    /// Answers with `bytes` (default given) characters.
    Big(usize),
    /// Answers `isError: true` with this text.
    Fail(String),
    /// Answers with this result.
    Respond(Value),
    /// Asks the client first (by a request on the stream, or MRTR in the modern era), then answers with what it said.
    Ask { method: String, params: Value },
}

impl FakeTool {
    fn new(name: &str, description: &str, properties: Value, required: &[&str], act: Act) -> Self {
        let definition = json!({
            "name": name,
            "description": description,
            "inputSchema": { "type": "object", "properties": properties, "required": required },
        });
        Self { definition, act }
    }

    /// `echo`: answers with its argument `text`.
    #[must_use]
    pub fn echo() -> Self {
        Self::new(
            "echo",
            "Says what it is told.",
            json!({ "text": { "type": "string" } }),
            &["text"],
            Act::Echo,
        )
    }

    /// `add`: the sum of `a` and `b`, as text and as structured content `{"sum": …}`.
    #[must_use]
    pub fn add() -> Self {
        let number = json!({ "type": "number" });
        Self::new("add", "Adds two numbers.", json!({ "a": number, "b": number }), &["a", "b"], Act::Add)
    }

    /// `slow`: `steps` pauses of `delay_ms`, with a progress notification after each when the call has a token.
    #[must_use]
    pub fn slow() -> Self {
        let properties = json!({ "steps": { "type": "integer" }, "delay_ms": { "type": "integer" } });
        Self::new("slow", "Takes its time and tells of its progress.", properties, &[], Act::Slow)
    }

    /// `big`: a text of `bytes` characters, `default_bytes` when the call does not say.
    #[must_use]
    pub fn big(default_bytes: usize) -> Self {
        let properties = json!({ "bytes": { "type": "integer" } });
        Self::new("big", "Answers at length.", properties, &[], Act::Big(default_bytes))
    }

    /// `fail`: a result with `isError: true`.
    #[must_use]
    pub fn fail() -> Self {
        Self::new("fail", "Always fails.", json!({}), &[], Act::Fail("it failed, as asked".to_owned()))
    }

    /// A tool that asks the client before it answers: `elicitation/create`, `sampling/createMessage`, `roots/list`.
    #[must_use]
    pub fn asking(name: &str, method: &str, params: Value) -> Self {
        let act = Act::Ask { method: method.to_owned(), params };
        Self::new(name, "Asks before it answers.", json!({}), &[], act)
    }

    /// A tool with any definition (its `name` is what calls use) and a fixed result.
    #[must_use]
    pub fn custom(definition: Value, result: Value) -> Self {
        Self { definition, act: Act::Respond(result) }
    }

    /// `count` tools named `tool-0000` and up, for long lists and pagination.
    #[must_use]
    pub fn many(count: usize) -> Vec<Self> {
        let result = json!({ "content": [{ "type": "text", "text": "one of many" }] });
        (0..count)
            .map(|index| {
                let definition = json!({
                    "name": format!("tool-{index:04}"),
                    "description": format!("Number {index}."),
                    "inputSchema": { "type": "object" },
                });
                Self::custom(definition, result.clone())
            })
            .collect()
    }

    /// `echo`, `add`, `slow`, `big` and `fail`.
    #[must_use]
    pub fn standard() -> Vec<Self> {
        vec![Self::echo(), Self::add(), Self::slow(), Self::big(64 * 1024), Self::fail()]
    }

    /// The name that calls use.
    #[must_use]
    pub fn name(&self) -> &str {
        self.definition["name"].as_str().unwrap_or_default()
    }

    /// The definition as `tools/list` shows it.
    #[must_use]
    pub fn definition(&self) -> &Value {
        &self.definition
    }

    pub(crate) fn act(&self) -> &Act {
        &self.act
    }
}

/// A text result.
pub(crate) fn text(text: impl Into<String>) -> Value {
    json!({ "content": [{ "type": "text", "text": text.into() }], "isError": false })
}

/// The pauses of `slow`: how many, how long.
pub(crate) fn pauses(arguments: &Value) -> (u64, Duration) {
    let number = |name: &str, default: u64| arguments.get(name).and_then(Value::as_u64).unwrap_or(default);
    (number("steps", 3), Duration::from_millis(number("delay_ms", 20)))
}

/// The result of a tool that needs no time and no question; `None` for the others.
pub(crate) fn immediate(act: &Act, arguments: &Value) -> Option<Value> {
    Some(match act {
        Act::Echo => match arguments.get("text").and_then(Value::as_str) {
            Some(said) => text(said),
            None => failure("the argument `text` is missing or not a string"),
        },
        Act::Add => {
            match (arguments.get("a").and_then(Value::as_f64), arguments.get("b").and_then(Value::as_f64)) {
                (Some(a), Some(b)) => {
                    let mut result = text((a + b).to_string());
                    result["structuredContent"] = json!({ "sum": a + b });
                    result
                }
                _ => failure("the arguments `a` and `b` must be numbers"),
            }
        }
        Act::Big(default) => {
            let bytes =
                arguments.get("bytes").and_then(Value::as_u64).and_then(|bytes| usize::try_from(bytes).ok());
            text("x".repeat(bytes.unwrap_or(*default)))
        }
        Act::Fail(why) => failure(why),
        Act::Respond(result) => result.clone(),
        Act::Slow | Act::Ask { .. } => return None,
    })
}

fn failure(why: &str) -> Value {
    let mut result = text(why);
    result["isError"] = json!(true);
    result
}
