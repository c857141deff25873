//! What the page shows, as a document, and what it may ask to be done: the same as the menu on a terminal, and no I/O.

use std::time::SystemTime;

use mcp_status::{Action, ServerStatus};
use serde::{Deserialize, Serialize};

use super::super::exchange::{News, Stage, Work};
use super::super::model::{Menu, Server, place};
use super::super::page::facts;
use crate::view::overview::summary;
use crate::view::shown;
use crate::view::text::{count_of_tools, glyph, word};

/// All of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    folder: String,
    summary: String,
    problems: Vec<String>,
    message: &'a str,
    servers: Vec<ServerDocument>,
    panel: Option<PanelDocument<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerDocument {
    /// What it is asked about by.
    id: String,
    name: String,
    status: &'static str,
    sign: &'static str,
    /// Beside its name.
    said: String,
    reason: String,
    next: String,
    facts: Vec<[String; 2]>,
    actions: Vec<ActionDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActionDocument {
    key: char,
    label: &'static str,
    command: String,
    /// It can be done from here, and not only by a person at a terminal.
    runs: bool,
}

/// What came of what was asked for last.
#[derive(Debug)]
pub(super) enum Panel {
    Command { server: String, command: String, ended: Option<(Vec<String>, bool)> },
    SignIn { server: String, command: String, stage: Stage, problem: Option<&'static str> },
    Log { server: String, command: String, lines: Vec<String> },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PanelDocument<'a> {
    server: String,
    command: &'a str,
    /// `running`, `ended`, `log`, `asks`, `doubts`, `waits`.
    stage: &'static str,
    lines: Vec<String>,
    is_error: bool,
    url: Option<&'a str>,
}

/// What a person presses on the page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "act")]
pub(super) enum Press {
    /// The key of something that is offered for a server.
    Key {
        server: String,
        key: char,
    },
    Paste {
        text: String,
    },
    Confirm,
    Close,
}

/// What is to be done.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Deed {
    Reconnect(String),
    Begin(Work),
}

/// The state of the page, beside the menu.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) panel: Option<Panel>,
}

impl Page {
    /// What becomes of a press; `None` for what is not offered.
    pub(super) fn press(&mut self, menu: &Menu, press: Press) -> Option<Deed> {
        match (press, &mut self.panel) {
            (Press::Key { server, key }, _) => self.key(menu, &server, key),
            (Press::Close, panel) => {
                *panel = None;
                Some(Deed::Begin(Work::Nothing))
            }
            (Press::Confirm, Some(Panel::SignIn { stage: Stage::Doubts { .. }, .. })) => {
                Some(Deed::Begin(Work::Confirm))
            }
            (Press::Paste { text }, Some(Panel::SignIn { stage: Stage::Waits { .. }, problem, .. })) => {
                *problem = Some("trying what was pasted");
                Some(Deed::Begin(Work::Paste(text)))
            }
            _ => None,
        }
    }

    fn key(&mut self, menu: &Menu, name: &str, key: char) -> Option<Deed> {
        let server = menu.all().iter().find(|server| server.row.name == name)?;
        let name = || name.to_owned();
        if let Some(look) = menu.looks_of(server).into_iter().find(|look| look.key == key) {
            let command = look.command;
            if key == 'l' {
                self.panel = Some(Panel::Log { server: name(), command, lines: Vec::new() });
                return Some(Deed::Begin(Work::Log(name())));
            }
            return Some(self.run(name(), command));
        }
        let own = server.actions().into_iter().find(|own| own.key == key)?;
        let command = menu.command_of(server, own.action);
        match own.action {
            Action::Reconnect => Some(Deed::Reconnect(name())),
            Action::Authenticate | Action::ReAuthenticate => {
                self.panel =
                    Some(Panel::SignIn { server: name(), command, stage: Stage::Asks, problem: None });
                Some(Deed::Begin(Work::SignIn(name())))
            }
            action if runs(action) => Some(self.run(name(), command)),
            _ => None,
        }
    }

    fn run(&mut self, server: String, command: String) -> Deed {
        self.panel = Some(Panel::Command { server, command: command.clone(), ended: None });
        Deed::Begin(Work::Run(command))
    }

    pub(super) fn hear(&mut self, news: News) {
        match (news, &mut self.panel) {
            (News::Ran { lines, is_error }, Some(Panel::Command { ended, .. })) => {
                *ended = Some((lines, is_error));
            }
            (News::Log(new), Some(Panel::Log { lines, .. })) => *lines = new,
            (News::SignIn(Stage::Refuses), Some(Panel::SignIn { problem, .. })) => {
                *problem = Some("That is neither the address of the last page nor a code. Paste it again.");
            }
            (News::SignIn(new), Some(Panel::SignIn { stage, problem, .. })) => {
                (*stage, *problem) = (new, None);
            }
            _ => {}
        }
    }

    /// The document that a browser is given.
    pub(super) fn document(&self, menu: &Menu, folder: &str, now: SystemTime) -> String {
        let servers = menu.all().iter().map(|server| of_server(menu, server, now)).collect();
        let document = Document {
            folder: shown::cell(folder),
            summary: summary(menu.all().iter().map(|server| &server.row)),
            problems: menu.problems.iter().map(|problem| shown::line(problem)).collect(),
            message: &menu.message,
            servers,
            panel: self.panel.as_ref().map(of_panel),
        };
        serde_json::to_string(&document).unwrap_or_default()
    }
}

/// What a command does that asks nothing. A decision about what may be started is made where it is shown in full: at a terminal.
fn runs(action: Action) -> bool {
    !matches!(action, Action::Approve | Action::Trust | Action::EditConfig)
}

fn of_server(menu: &Menu, server: &Server, now: SystemTime) -> ServerDocument {
    let row = &server.row;
    let status = row.status.unwrap_or(ServerStatus::Pending);
    let reason = row.reason();
    let said = match row.tools {
        Some(tools) if status == ServerStatus::Connected && reason.is_none() => count_of_tools(tools),
        _ => word(row).to_owned(),
    };
    let mut actions: Vec<ActionDocument> = server
        .actions()
        .iter()
        .map(|own| ActionDocument {
            key: own.key,
            label: own.label,
            command: shown::line(&menu.command_of(server, own.action)),
            runs: runs(own.action),
        })
        .collect();
    actions.extend(menu.looks_of(server).into_iter().map(|look| ActionDocument {
        key: look.key,
        label: look.label,
        command: shown::line(&look.command),
        runs: true,
    }));
    let next = reason.and_then(|reason| reason.next.as_ref()).filter(|_| server.is_known);
    let mut facts: Vec<[String; 2]> =
        vec![["file".to_owned(), shown::line(&format!("{} ({})", place(server), row.scope))]];
    facts
        .extend(self::facts(server, now).into_iter().skip(1).map(|(label, value)| [label.to_owned(), value]));
    ServerDocument {
        id: row.name.clone(),
        name: shown::name(&row.name),
        status: status.as_str(),
        sign: glyph(status),
        said,
        reason: reason.map(|reason| shown::line(&reason.message)).unwrap_or_default(),
        next: next.map(|next| shown::line(next)).unwrap_or_default(),
        facts,
        actions,
    }
}

fn of_panel(panel: &Panel) -> PanelDocument<'_> {
    let (server, command) = match panel {
        Panel::Command { server, command, .. }
        | Panel::SignIn { server, command, .. }
        | Panel::Log { server, command, .. } => (shown::name(server), command),
    };
    let mut document =
        PanelDocument { server, command, stage: "running", lines: Vec::new(), is_error: false, url: None };
    match panel {
        Panel::Command { ended: None, .. } => {}
        Panel::Command { ended: Some((lines, is_error)), .. } => {
            (document.stage, document.lines, document.is_error) = ("ended", lines.clone(), *is_error);
        }
        Panel::Log { lines, .. } => (document.stage, document.lines) = ("log", lines.clone()),
        Panel::SignIn { stage, problem, .. } => {
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
                Stage::Waits { url, .. } => (document.stage, document.url) = ("waits", Some(url.as_str())),
                Stage::Ended { said, is_error } => {
                    (document.stage, document.lines, document.is_error) = ("ended", said.clone(), *is_error);
                }
            }
            document.lines.extend(problem.map(str::to_owned));
        }
    }
    document
}

#[cfg(test)]
mod tests;
