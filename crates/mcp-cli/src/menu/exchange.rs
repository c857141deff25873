//! What passes between what is open in the menu, the model and the desk.

use std::time::Duration;

use super::keys::Key;
use super::look::Text;
use crate::view::signature::Argument;

/// One tool. What is shown of it holds no secret of its server's entry.
#[derive(Clone, Debug)]
pub(crate) struct ToolEntry {
    /// As the server knows it.
    pub(crate) name: String,
    /// All that it says it does.
    pub(crate) described: String,
    pub(crate) arguments: Vec<Argument>,
    /// The JSON Schema of its arguments.
    pub(crate) schema: String,
}

/// What a server listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerTools {
    pub(crate) tools: Vec<ToolEntry>,
    /// What is to be said beside it: what was left out, and why.
    pub(crate) notes: Vec<String>,
}

/// What came of a call. Everything in it may be shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CallEnd {
    pub(crate) lines: Vec<String>,
    /// The tool says that it failed, or there was no answer.
    pub(crate) is_error: bool,
    pub(crate) took: Duration,
}

/// How a sign-in stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// It is found out where.
    Asks,
    /// The secret of the client would go to an authorization server that no person has confirmed.
    Doubts { issuer: String, server: String },
    /// A person has the page.
    Waits { url: String, not_opened: Option<String> },
    /// What was pasted is not an answer.
    Refuses,
    /// With the words of the command.
    Ended { said: Vec<String>, is_error: bool },
}

/// What is to be done outside, for as long as a room is open. One at a time: what is begun ends what went on before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Work {
    Nothing,
    /// Has this server list its tools.
    List(String),
    /// The arguments are a JSON object.
    Call {
        server: String,
        tool: String,
        arguments: String,
    },
    /// A person signs in to this server.
    SignIn(String),
    /// Runs this command of ours and tells what it prints.
    Run(String),
    /// Tells what a decision would allow, and makes it once it is confirmed.
    Consent(Consent),
    /// Tells the lines of the log of this server, and those that come.
    Log(String),
    /// The answer that a sign-in or a decision waits for: what was pasted, or that it may go on. It ends nothing.
    Paste(String),
    Confirm,
}

/// A decision about what may be started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Consent {
    /// Of this server, as its entry is now.
    Approve(String),
    /// Of the folder.
    Trust,
    /// Of the tools of this server, as it lists them now.
    Tools(String),
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) enum TaskEvent {
    /// Of something that goes on beside any room.
    Said(String),
    Tools(Result<ServerTools, Vec<String>>),
    Called(CallEnd),
    SignIn(Stage),
    /// What a decision would allow, in lines, and the command that allows just that, where there is one.
    Offered {
        lines: Vec<String>,
        command: Option<String>,
    },
    /// A command has ended, or a decision is made.
    Ran {
        lines: Vec<String>,
        is_error: bool,
    },
    Log(Vec<String>),
}

/// What a key leads to.
#[derive(Debug)]
pub(super) enum Step {
    Stay,
    /// To what was open before.
    Back,
    Quit,
    /// A form for this tool of this server.
    Open {
        server: String,
        tool: ToolEntry,
    },
    Do(Work),
    /// The key moves the page, and not the focus.
    Scroll(Key),
}

/// A room as it has lines.
#[derive(Debug)]
pub(super) struct RoomView {
    pub(super) lines: Vec<Text>,
    /// Its line and column.
    pub(super) focus: (usize, usize),
    /// The line that is gone to when something has come.
    pub(super) mark: usize,
}
