//! What the page shows, as a document, and what it may ask to be done: the same as the menu on a terminal, and no I/O.

use std::time::SystemTime;

use mcp_status::{Action, ServerStatus};
use serde::Serialize;

use super::super::exchange::{Consent, Stage, TaskEvent, Work};
use super::super::keys::PageKey;
use super::super::model::{Menu, Server, place};
use super::super::page::facts;
use super::panel::{ConsentState, Panel, PanelDocument};
use super::press::PageAction;
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

/// What is to be done.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum PersonStep {
    Reconnect(String),
    Begin(Work),
}

/// The state of the page, beside the menu.
#[derive(Debug, Default)]
pub(super) struct Page {
    panel: Option<Panel>,
    /// How many decisions were asked for: the mark of the last one.
    offers: u64,
}

impl Page {
    /// What becomes of a press; `None` for what is not offered.
    pub(super) fn press(&mut self, menu: &Menu, press: PageAction) -> Option<PersonStep> {
        let work = match press {
            PageAction::Key { server, key } => return self.key(menu, &server, key),
            PageAction::Close => {
                self.panel = None;
                Work::Nothing
            }
            press => self.panel.as_mut()?.press(press)?,
        };
        Some(PersonStep::Begin(work))
    }

    fn key(&mut self, menu: &Menu, name: &str, key: char) -> Option<PersonStep> {
        let server = menu.all().iter().find(|server| server.row.name == name)?;
        let name = || name.to_owned();
        if let Some(look) = looks(menu, server).into_iter().find(|look| look.key == key) {
            let command = look.command;
            let (panel, work) = match key {
                TOOLS => (Panel::tools(name(), command), Work::List(name())),
                'l' => (Panel::Log { server: name(), command, lines: Vec::new() }, Work::Log(name())),
                _ => return Some(self.run(name(), command)),
            };
            return Some(self.open(panel, work));
        }
        let own = server.actions().into_iter().find(|own| own.key == key)?;
        let command = menu.command_of(server, own.action);
        let consent = match own.action {
            Action::Reconnect => return Some(PersonStep::Reconnect(name())),
            Action::Authenticate | Action::ReAuthenticate => {
                let panel = Panel::SignIn { server: name(), command, stage: Stage::Asks, problem: None };
                return Some(self.open(panel, Work::SignIn(name())));
            }
            Action::Approve => Consent::Approve(name()),
            Action::Trust => Consent::Trust,
            Action::ApproveTools => Consent::Tools(name()),
            action if runs(action) => return Some(self.run(name(), command)),
            _ => return None,
        };
        self.offers += 1;
        let panel = Panel::Consent { server: name(), command, mark: self.offers, state: ConsentState::Asks };
        Some(self.open(panel, Work::Consent(consent)))
    }

    fn open(&mut self, panel: Panel, work: Work) -> PersonStep {
        self.panel = Some(panel);
        PersonStep::Begin(work)
    }

    fn run(&mut self, server: String, command: String) -> PersonStep {
        self.open(Panel::Command { server, command: command.clone(), ended: None }, Work::Run(command))
    }

    pub(super) fn hear(&mut self, news: TaskEvent) {
        if let Some(panel) = &mut self.panel {
            panel.hear(news);
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
            panel: self.panel.as_ref().map(Panel::document),
        };
        serde_json::to_string(&document).unwrap_or_default()
    }
}

/// What can be done from a browser. An editor is a program of the person's own.
fn runs(action: Action) -> bool {
    action != Action::EditConfig
}

/// The key of the tools of a server; on a terminal it is Enter.
const TOOLS: char = 'o';

/// What can be looked at: what the menu has as keys, and the tools.
fn looks(menu: &Menu, server: &Server) -> Vec<PageKey> {
    let mut looks = menu.looks_of(server);
    if server.row.status == Some(ServerStatus::Connected) {
        let command = menu.step(&format!("mcplink tools {}", mcp_text::shell_word(&server.row.name)));
        looks.insert(0, PageKey { key: TOOLS, label: "tools", command });
    }
    looks
}

fn of_server(menu: &Menu, server: &Server, now: SystemTime) -> ServerDocument {
    let row = &server.row;
    let status = row.status.unwrap_or(ServerStatus::Pending);
    let reason = row.reason();
    let said = match row.tools {
        Some(tools) if status == ServerStatus::Connected && reason.is_none() => count_of_tools(tools),
        _ => word(row).to_owned(),
    };
    let own = server.actions().into_iter().map(|own| ActionDocument {
        key: own.key,
        label: own.label,
        command: shown::line(&menu.command_of(server, own.action)),
        runs: runs(own.action),
    });
    let looks = looks(menu, server).into_iter().map(|look| ActionDocument {
        key: look.key,
        label: look.label,
        command: shown::line(&look.command),
        runs: true,
    });
    let mut actions: Vec<ActionDocument> = own.chain(looks).collect();
    // Tools are what a server that works is there for.
    actions.sort_by_key(|action| action.key != TOOLS);
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
        next: next.map(|next| next.shown().to_string()).unwrap_or_default(),
        facts,
        actions,
    }
}

#[cfg(test)]
mod tests;
