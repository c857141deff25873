//! What the real servers offer, under which names, and what must come of it.
//!
//! One home for all who tell a story to them: our own client, the hosts that others wrote, and the bridge in between.

use serde_json::{Value, json};

use mcp_testkit::FakeEra;

/// A tool or a prompt with its arguments, and what its answer holds.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ask {
    /// Its name.
    pub name: &'static str,
    /// Its arguments: a JSON object.
    pub arguments: &'static str,
    /// A part of the text of the answer.
    pub answer: &'static str,
}

/// What a server offers. `None` is what it does not.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Surface {
    /// How many tools it has at least.
    pub tools: usize,
    /// Says what it is told.
    pub echo: Ask,
    /// Adds two numbers.
    pub add: Ask,
    /// Reports `1` to `4` of `4`.
    pub progress: Ask,
    /// Takes longer than any test waits, and reports progress before that.
    pub endless: Ask,
    /// A tool that tells how many calls of `endless` were cancelled.
    pub cancelled: Option<&'static str>,
    /// A tool that says that it failed.
    pub failing: Option<Ask>,
    /// A resource in the list, and a part of its text.
    pub resource: (&'static str, &'static str),
    /// A template in the list, a resource that it describes, and a part of its text.
    pub template: (&'static str, &'static str, &'static str),
    /// A prompt with arguments.
    pub prompt: Ask,
    /// A prompt, one of its arguments with the beginning of a value, and a value that completes it.
    pub completion: Option<(&'static str, &'static str, &'static str, &'static str)>,
    /// Asks the person for a name. The answer is what it holds once `Ada` has been told.
    pub ask: Ask,
    /// What the answer holds after a refusal.
    pub declined: &'static str,
    /// Has the client's model say something, which is [`Surface::SAMPLED`].
    pub sampling: Option<Ask>,
    /// Tells the roots of the client, among which is [`Surface::ROOT`].
    pub roots: Option<Ask>,
    /// Logs what the answer holds.
    pub log: Option<Ask>,
    /// Whether the message may follow the result of the call that had it logged.
    pub log_follows: bool,
    /// A tool that says that the list of tools has changed.
    pub change: Option<&'static str>,
    /// A tool that says that a subscribed resource has changed.
    pub update: Option<&'static str>,
}

impl Surface {
    /// How many steps [`Surface::progress`] tells of.
    pub const STEPS: u32 = 4;
    /// What the model of a client says in the stories.
    pub const SAMPLED: &'static str = "a word of the model";
    /// The root of a client in the stories.
    pub const ROOT: &'static str = "file:///a/root/of/the/host";

    /// What of it a host of this era can see, whatever the era of the server.
    ///
    /// A modern host hears what is logged during its requests. It has no roots here: a legacy server may ask for them at
    /// any time, which would travel with any call.
    #[must_use]
    pub fn seen_from(mut self, era: FakeEra) -> Self {
        if era == FakeEra::Modern {
            self.roots = None;
            self.log = self.log.filter(|_| !self.log_follows);
        }
        self
    }

    /// As the hosts of `fixtures/hosts` read it.
    #[must_use]
    pub fn story(&self) -> Value {
        json!({
            "echo": self.echo.call(),
            "add": self.add.call(),
            "progress": self.progress.call(),
            "endless": self.endless.call(),
            "cancelled": self.cancelled,
            "failing": self.failing.as_ref().map(Ask::call),
            "resource": self.resource.0,
            "template": self.template.1,
            "prompt": self.prompt.call(),
            "completion": self.completion.map(|(prompt, argument, start, _)| [prompt, argument, start]),
            "ask": self.ask.call(),
            "sampling": self.sampling.as_ref().map(Ask::call),
            "sampled": Self::SAMPLED,
            "roots": self.roots.as_ref().map(Ask::call),
            "root": Self::ROOT,
            "log": self.log.as_ref().map(Ask::call),
            "change": self.change,
            "update": self.update,
        })
    }
}

impl Ask {
    /// # Panics
    ///
    /// When the arguments are not JSON.
    fn call(&self) -> Value {
        let arguments: Value = serde_json::from_str(self.arguments).expect("arguments are written as JSON");
        json!({ "name": self.name, "arguments": arguments })
    }
}

/// The fixtures of the test kit, one per SDK, all alike.
pub(crate) const FIXTURE: Surface = Surface {
    tools: 9,
    echo: Ask {
        name: "echo",
        arguments: r#"{"text":"grüße \"1\"\n \u2028\ud83e\udd80"}"#,
        answer: "grüße \"1\"\n \u{2028}🦀",
    },
    add: Ask { name: "add", arguments: r#"{"a":19,"b":23}"#, answer: "42" },
    progress: Ask {
        name: "slow-progress",
        arguments: r#"{"steps":4,"delay_ms":20}"#,
        answer: "4 steps done",
    },
    endless: Ask { name: "hang", arguments: "{}", answer: "" },
    cancelled: Some("cancelled"),
    failing: Some(Ask { name: "fail", arguments: "{}", answer: "fail" }),
    resource: ("fixture://greeting", "hello"),
    template: ("fixture://greeting/{name}", "fixture://greeting/Ada", "hello Ada"),
    prompt: Ask { name: "greet", arguments: r#"{"name":"Ada"}"#, answer: "Say hello to Ada." },
    completion: None,
    ask: Ask { name: "ask", arguments: "{}", answer: "accept Ada" },
    declined: "decline",
    sampling: None,
    roots: None,
    log: Some(Ask { name: "log", arguments: r#"{"text":"a line"}"#, answer: "a line" }),
    log_follows: false,
    change: Some("change"),
    update: None,
};

/// `@modelcontextprotocol/server-everything`.
pub(crate) const EVERYTHING: Surface = Surface {
    tools: 13,
    echo: Ask { name: "echo", arguments: r#"{"message":"grüße"}"#, answer: "Echo: grüße" },
    add: Ask { name: "get-sum", arguments: r#"{"a":19,"b":23}"#, answer: "42" },
    progress: Ask {
        name: "trigger-long-running-operation",
        arguments: r#"{"duration":0.2,"steps":4}"#,
        answer: "completed",
    },
    endless: Ask {
        name: "trigger-long-running-operation",
        arguments: r#"{"duration":600,"steps":6000}"#,
        answer: "",
    },
    cancelled: None,
    failing: None,
    resource: ("demo://resource/static/document/features.md", "Features"),
    template: ("demo://resource/dynamic/text/{resourceId}", "demo://resource/dynamic/text/7", "Resource 7"),
    prompt: Ask { name: "args-prompt", arguments: r#"{"city":"Zürich"}"#, answer: "weather in Zürich" },
    completion: Some(("completable-prompt", "department", "Ma", "Marketing")),
    ask: Ask { name: "trigger-elicitation-request", arguments: "{}", answer: "Name: Ada" },
    declined: "declined",
    sampling: Some(Ask {
        name: "trigger-sampling-request",
        arguments: r#"{"prompt":"Say a word.","maxTokens":7}"#,
        answer: Surface::SAMPLED,
    }),
    roots: Some(Ask { name: "get-roots-list", arguments: "{}", answer: Surface::ROOT }),
    log: Some(Ask { name: "toggle-simulated-logging", arguments: "{}", answer: "level" }),
    log_follows: true,
    change: None,
    update: Some("toggle-subscriber-updates"),
};
