//! What the servers offer, under which names, and how they are reached.

use mcp_testkit::{RealServer, RunningServer};
use mcp_transport::{Endpoint, HttpEndpoint, StdioEndpoint};

/// How a server is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Over {
    /// As a child process.
    Stdio,
    /// By its URL; what it speaks there is found out.
    Http,
    /// By its URL, which is known to be one of 2024-11-05.
    Sse,
}

/// A tool or a prompt with its arguments, and what its answer holds.
pub(crate) struct Ask {
    pub(crate) name: &'static str,
    /// A JSON object.
    pub(crate) arguments: &'static str,
    pub(crate) answer: &'static str,
}

/// What a server offers. `None` is what it does not.
pub(crate) struct Surface {
    pub(crate) tools: usize,
    pub(crate) echo: Ask,
    pub(crate) add: Ask,
    /// Reports `1` to `4` of `4`.
    pub(crate) progress: Ask,
    /// Takes longer than the test waits, and reports progress before that.
    pub(crate) endless: Ask,
    /// Tells how many calls of `endless` were cancelled.
    pub(crate) cancelled: Option<&'static str>,
    pub(crate) failing: Option<Ask>,
    /// A resource in the list, and a part of its text.
    pub(crate) resource: (&'static str, &'static str),
    /// A template in the list, a resource that it describes, and a part of its text.
    pub(crate) template: (&'static str, &'static str, &'static str),
    pub(crate) prompt: Ask,
    /// Asks the person for a name. The answer is what it holds once `Ada` has been told.
    pub(crate) ask: Ask,
    /// What the answer holds after a refusal.
    pub(crate) declined: &'static str,
    /// Logs.
    pub(crate) log: Ask,
    /// Says that the list of tools has changed.
    pub(crate) change: Option<&'static str>,
    /// Says that a resource that somebody has subscribed to has changed (legacy era).
    pub(crate) update: Option<&'static str>,
}

/// The fixtures of the test kit, one per SDK, all alike.
pub(crate) const FIXTURE: Surface = Surface {
    tools: 9,
    echo: Ask { name: "echo", arguments: r#"{"text":"grüße \"1\"\n"}"#, answer: "grüße \"1\"\n" },
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
    ask: Ask { name: "ask", arguments: "{}", answer: "accept Ada" },
    declined: "decline",
    log: Ask { name: "log", arguments: r#"{"text":"a line"}"#, answer: "a line" },
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
    ask: Ask { name: "trigger-elicitation-request", arguments: "{}", answer: "Name: Ada" },
    declined: "declined",
    log: Ask { name: "toggle-simulated-logging", arguments: "{}", answer: "level" },
    change: None,
    update: Some("toggle-subscriber-updates"),
};

/// The address of a server, and what keeps it alive.
pub(crate) fn start(server: &RealServer, over: Over) -> (Endpoint, Option<RunningServer>) {
    if over == Over::Stdio {
        let mut endpoint = StdioEndpoint::new(&server.program);
        endpoint.args = server.stdio_arguments.iter().map(Into::into).collect();
        endpoint.env = inherited_environment();
        return (Endpoint::Stdio(endpoint), None);
    }
    let running = server.start_http();
    let endpoint = match over {
        Over::Sse => HttpEndpoint::legacy_sse(running.url()),
        _ => HttpEndpoint::new(running.url()),
    };
    (Endpoint::Http(endpoint), Some(running))
}

#[expect(
    clippy::disallowed_methods,
    reason = "an interpreter needs the environment that the test was started in"
)]
fn inherited_environment() -> std::collections::BTreeMap<std::ffi::OsString, std::ffi::OsString> {
    std::env::vars_os().collect()
}
