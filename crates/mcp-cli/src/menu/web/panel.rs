//! What is open on the page below the deeds of a server: what came of one, the tools and the form of one, a question. No I/O.

use serde::Serialize;

use super::super::exchange::{ServerTools, Stage, Step, TaskEvent, ToolEntry, Work};
use super::super::form::Form;
use super::press::PageAction;
use crate::view::shown;
use crate::view::signature::Argument;
use crate::written::written;

/// What came of what was asked for last.
#[derive(Debug)]
pub(super) enum Panel {
    Command {
        server: String,
        command: String,
        ended: Option<(Vec<String>, bool)>,
    },
    SignIn {
        server: String,
        command: String,
        stage: Stage,
        problem: Option<&'static str>,
    },
    Log {
        server: String,
        command: String,
        lines: Vec<String>,
    },
    Tools {
        server: String,
        command: String,
        listed: Option<Result<ServerTools, Vec<String>>>,
        form: Option<Box<Form>>,
    },
    Consent {
        server: String,
        command: String,
        mark: u64,
        state: ConsentState,
    },
}

/// How a decision about what may be started stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ConsentState {
    /// It is found out what it would allow.
    Asks,
    /// A person has this before them.
    Offers(Vec<String>),
    /// It was confirmed, and is being kept.
    Confirmed,
    Ended {
        said: Vec<String>,
        is_error: bool,
    },
}

/// A panel as a browser is told it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PanelDocument<'a> {
    server: String,
    command: String,
    /// `running`, `ended`, `log`, `asks`, `doubts`, `waits`, `offers`, `tools`, `form`.
    stage: &'static str,
    lines: Vec<String>,
    is_error: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    /// What a confirmation has to name.
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolDocument<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<FormDocument>,
}

#[derive(Debug, Serialize)]
struct ToolDocument<'a> {
    /// What it is asked for by.
    id: &'a str,
    name: String,
    takes: String,
    said: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FormDocument {
    tool: String,
    said: String,
    fields: Vec<FieldDocument>,
    problem: String,
    is_called: bool,
    /// `result after 20 ms`.
    ended: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FieldDocument {
    /// What it is filled in by.
    id: String,
    name: String,
    summary: String,
    value: String,
    /// The values that it may have, where these are few.
    choices: Vec<String>,
    is_required: bool,
    is_json: bool,
}

impl Panel {
    pub(super) fn tools(server: String, command: String) -> Self {
        Self::Tools { server, command, listed: None, form: None }
    }

    /// What a press leads to; `None` for what is not offered here.
    pub(super) fn press(&mut self, press: PageAction) -> Option<Work> {
        match (press, self) {
            (PageAction::Confirm { mark: 0 }, Self::SignIn { stage: Stage::Doubts { .. }, .. }) => {
                Some(Work::Confirm)
            }
            (PageAction::Paste { text }, Self::SignIn { stage: Stage::Waits { .. }, problem, .. }) => {
                *problem = Some("trying what was pasted");
                Some(Work::Paste(text))
            }
            (PageAction::Confirm { mark }, Self::Consent { mark: own, state, .. })
                if mark == *own && matches!(state, ConsentState::Offers(_)) =>
            {
                *state = ConsentState::Confirmed;
                Some(Work::Confirm)
            }
            (
                PageAction::Tool { name },
                Self::Tools { server, listed: Some(Ok(listed)), form: form @ None, .. },
            ) => {
                let tool = listed.tools.iter().find(|tool| tool.name == name)?;
                *form = Some(Box::new(Form::new(server, tool)));
                Some(Work::Nothing)
            }
            (PageAction::Back, Self::Tools { server, form: form @ Some(_), .. }) => {
                *form = None;
                Some(Work::List(server.clone()))
            }
            (PageAction::Fill { arguments }, Self::Tools { form: Some(form), .. }) => {
                form.fill(&arguments);
                None
            }
            (PageAction::Call { arguments }, Self::Tools { form: Some(form), .. }) => {
                form.fill(&arguments);
                match form.submit() {
                    Step::Do(work) => Some(work),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    pub(super) fn hear(&mut self, news: TaskEvent) {
        match (news, self) {
            (TaskEvent::Ran { lines, is_error }, Self::Command { ended, .. }) => {
                *ended = Some((lines, is_error))
            }
            (TaskEvent::Ran { lines, is_error }, Self::Consent { state, .. }) => {
                *state = ConsentState::Ended { said: lines, is_error };
            }
            (TaskEvent::Offered { lines, command: exact }, Self::Consent { command, state, .. }) => {
                *state = ConsentState::Offers(lines);
                if let Some(exact) = exact {
                    *command = exact;
                }
            }
            (TaskEvent::Log(new), Self::Log { lines, .. }) => *lines = new,
            (TaskEvent::Tools(new), Self::Tools { listed, .. }) => *listed = Some(new),
            (TaskEvent::Called(ended), Self::Tools { form: Some(form), .. }) => form.hear(ended),
            (TaskEvent::SignIn(Stage::Refuses), Self::SignIn { problem, .. }) => {
                *problem = Some("That is neither the address of the last page nor a code. Paste it again.");
            }
            (TaskEvent::SignIn(new), Self::SignIn { stage, problem, .. }) => (*stage, *problem) = (new, None),
            _ => {}
        }
    }

    pub(super) fn document(&self) -> PanelDocument<'_> {
        let (Self::Command { server, command, .. }
        | Self::SignIn { server, command, .. }
        | Self::Log { server, command, .. }
        | Self::Tools { server, command, .. }
        | Self::Consent { server, command, .. }) = self;
        let mut document = PanelDocument {
            server: shown::name(server),
            command: shown::line(command),
            stage: "running",
            ..PanelDocument::default()
        };
        let end = |document: &mut PanelDocument<'_>, lines: &[String], is_error: bool| {
            (document.stage, document.lines, document.is_error) = ("ended", lines.to_vec(), is_error);
        };
        match self {
            Self::Command { ended: None, .. } => {}
            Self::Command { ended: Some((lines, is_error)), .. } => end(&mut document, lines, *is_error),
            Self::Log { lines, .. } => (document.stage, document.lines) = ("log", lines.clone()),
            Self::SignIn { stage, problem, .. } => {
                match stage {
                    Stage::Asks | Stage::Refuses => {
                        (document.stage, document.lines) =
                            ("asks", vec!["asking the server where to sign in".to_owned()]);
                    }
                    Stage::Doubts { issuer, server } => {
                        let said = format!(
                            "The client secret would be sent to {issuer}, which {server} names as its authorization server."
                        );
                        (document.stage, document.lines) = ("doubts", vec![shown::line(&said)]);
                    }
                    Stage::Waits { url, .. } => {
                        (document.stage, document.url) = ("waits", Some(url.as_str()))
                    }
                    Stage::Ended { said, is_error } => end(&mut document, said, *is_error),
                }
                document.lines.extend(problem.map(str::to_owned));
            }
            Self::Consent { mark, state, .. } => match state {
                ConsentState::Asks | ConsentState::Confirmed => {}
                ConsentState::Offers(lines) => {
                    (document.stage, document.lines, document.mark) = ("offers", lines.clone(), Some(*mark));
                }
                ConsentState::Ended { said, is_error } => end(&mut document, said, *is_error),
            },
            Self::Tools { form: Some(form), .. } => {
                document.command = shown::line(&written(&form.command()));
                let ended = form.ended();
                document.stage = "form";
                document.lines = ended.map(|ended| ended.lines.clone()).unwrap_or_default();
                document.is_error = ended.is_some_and(|ended| ended.is_error);
                document.form = Some(of_form(form));
            }
            Self::Tools { listed: None, .. } => {}
            Self::Tools { listed: Some(Err(lines)), .. } => end(&mut document, lines, true),
            Self::Tools { listed: Some(Ok(listed)), .. } => {
                (document.stage, document.lines) = ("tools", listed.notes.clone());
                document.tools = listed.tools.iter().map(of_tool).collect();
            }
        }
        document
    }
}

fn of_tool(tool: &ToolEntry) -> ToolDocument<'_> {
    let takes: Vec<String> = tool.arguments.iter().map(Argument::short).collect();
    ToolDocument {
        id: &tool.name,
        name: shown::key(&tool.name),
        takes: takes.join(" "),
        said: shown::line(tool.described.lines().next().unwrap_or_default()),
    }
}

fn of_form(form: &Form) -> FormDocument {
    let fields = form.fields().map(|(argument, value)| FieldDocument {
        id: argument.name.clone(),
        name: shown::cell(&argument.name),
        summary: match argument.described() {
            "" => argument.summary(),
            described => format!("{}. {}", argument.summary(), shown::line(described)),
        },
        value: value.to_owned(),
        choices: argument.values(),
        is_required: argument.required,
        is_json: argument.is_nested(),
    });
    FormDocument {
        tool: shown::key(&form.tool().name),
        said: form.tool().described.clone(),
        fields: fields.collect(),
        problem: form.problem().unwrap_or_default().to_owned(),
        is_called: form.is_under_way(),
        ended: form.ended().map(super::super::exchange::CallEnd::summary).unwrap_or_default(),
    }
}
