//! What the menu shows and what a key does to it: values, and no I/O.

use std::sync::Arc;
use std::time::SystemTime;

use mcp_status::{Action, ReasonCode, ServerStatus};

use super::exchange::{Step, TaskEvent, Work};
use super::form::Form;
use super::keys::{ActionKey, Key, PageKey};
use super::log::Log;
use super::room::Room;
use super::signing::SignInPanel;
use super::tools::Tools;
use crate::live::watched::ServerView;
use crate::steps::Steps;
use crate::view::overview::Group;
use crate::view::row::Row;

/// What is remembered of a server while the menu runs, in changes.
const MOST_MOMENTS: usize = 20;
/// What can be typed to look for a server.
const MOST_FILTER: usize = 60;
/// How far one key scrolls.
const PAGE: usize = 5;

/// One server, with what became of it while the menu ran.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) row: Row,
    /// The line of its file where it begins.
    pub(crate) line: Option<usize>,
    pub(crate) since: SystemTime,
    /// It is not merely being connected to for the first time.
    pub(crate) is_known: bool,
    /// A command gives it its headers.
    pub(crate) has_helper: bool,
    /// The oldest first.
    pub(crate) history: Vec<StatusRecord>,
}

/// A status that a server had.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct StatusRecord {
    pub(crate) at: SystemTime,
    pub(crate) status: Option<ServerStatus>,
    pub(crate) code: Option<ReasonCode>,
}

/// What is to be done outside of the model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    Quit,
    Interrupt,
    Suspend,
    /// Connect afresh to the server of this name, here and in live sessions.
    Reconnect(String),
    /// Goes on beside the menu, in the place of what went on before.
    Begin(Work),
    /// Run this command of ours on the usual screen.
    Run(String),
    /// Open a file at a line.
    Edit {
        file: String,
        line: Option<usize>,
    },
}

/// What stands beside the list, or in its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Page {
    Detail,
    /// The command that does the same, for each key.
    Commands,
    Help,
}

/// What a page that is open shows of itself, where not all of it fits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Follow {
    /// What it was scrolled to.
    #[default]
    Scrolled,
    /// What has the focus.
    Focus,
    /// What has come.
    Mark,
}

/// The state of the menu.
#[derive(Clone, Debug)]
pub(crate) struct Menu {
    steps: Arc<Steps>,
    /// Trouble first.
    servers: Vec<Server>,
    /// By its name: a server moves in the list when its status changes.
    selected: Option<String>,
    /// A key was pressed: from then on no server takes the focus from another.
    is_used: bool,
    pub(crate) filter: String,
    /// Keys are letters of the filter.
    pub(crate) is_typing: bool,
    pub(crate) page: Page,
    /// The page has the screen to itself.
    pub(crate) is_open: bool,
    /// What is open in the place of the list, one over the other.
    rooms: Vec<Room>,
    pub(crate) follow: Follow,
    /// The lines of the page that are above the screen; the view knows how many there are.
    pub(crate) scrolled: usize,
    /// What the last key came to.
    pub(crate) message: String,
    /// What is wrong with the files.
    pub(crate) problems: Vec<String>,
}

impl Menu {
    /// A menu without servers. Commands are as `steps` words them.
    pub(crate) fn new(steps: Arc<Steps>) -> Self {
        Self {
            steps,
            servers: Vec::new(),
            selected: None,
            is_used: false,
            filter: String::new(),
            is_typing: false,
            page: Page::Detail,
            is_open: false,
            rooms: Vec::new(),
            follow: Follow::default(),
            scrolled: 0,
            message: String::new(),
            problems: Vec::new(),
        }
    }

    /// The servers are like this now.
    pub(crate) fn update(&mut self, seen: Vec<ServerView>, problems: &[String]) {
        let mut before = std::mem::take(&mut self.servers);
        self.servers = seen
            .into_iter()
            .map(|seen| {
                let at = before.iter().position(|server| server.row.name == seen.row.name);
                let history = at.map(|at| before.swap_remove(at).history).unwrap_or_default();
                let (row, since) = (seen.row, seen.since);
                let (is_known, has_helper) = (seen.is_known, seen.has_helper);
                let mut server = Server { row, line: seen.line, since, is_known, has_helper, history };
                server.note();
                server
            })
            .collect();
        self.servers.sort_by_key(|server| Group::of(&server.row));
        self.problems = problems.to_vec();
        if !self.is_used {
            // What turns out to be in trouble while servers become known.
            self.selected = None;
        }
        self.keep_selection();
    }

    /// Those that the filter leaves, in order.
    pub(crate) fn shown(&self) -> Vec<&Server> {
        let wanted = self.filter.to_lowercase();
        let has = |text: Option<&str>| text.is_some_and(|text| text.to_lowercase().contains(&wanted));
        self.servers
            .iter()
            .filter(|Server { row, .. }| {
                let status = row.status.map(ServerStatus::as_str);
                has(Some(&row.name)) || has(row.url.as_deref()) || has(row.command.as_deref()) || has(status)
            })
            .collect()
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Server] {
        &self.servers
    }

    /// Which of those that are shown has the focus.
    pub(crate) fn position(&self) -> Option<usize> {
        let name = self.selected.as_ref()?;
        self.shown().iter().position(|server| server.row.name == *name)
    }

    /// The server that has the focus.
    pub(crate) fn focus(&self) -> Option<&Server> {
        let name = self.selected.as_ref()?;
        self.shown().into_iter().find(|server| server.row.name == *name)
    }

    /// The keys that do something about the server that has the focus: its actions, and nothing else.
    pub(crate) fn actions(&self) -> Vec<ActionKey> {
        self.focus().map(Server::actions).unwrap_or_default()
    }

    /// What does the same as an action of the server that has the focus, as a person would type it.
    pub(crate) fn command(&self, action: Action) -> Option<String> {
        self.focus().map(|server| self.command_of(server, action))
    }

    /// The same of any server.
    pub(super) fn command_of(&self, server: &Server, action: Action) -> String {
        let command = self.steps.action(action, &server.row.name);
        command.unwrap_or_else(|| format!("edit {}", place(server)))
    }

    /// A command about the server that has the focus, or about all where it takes no name.
    pub(crate) fn step(&self, command: &str) -> String {
        self.steps.line(command)
    }

    /// What is open in the place of the list.
    pub(super) fn room(&self) -> Option<&Room> {
        self.rooms.last()
    }

    /// Something has come.
    pub(crate) fn hear(&mut self, news: TaskEvent) {
        match (news, self.rooms.last_mut()) {
            (TaskEvent::Said(said), _) => self.message = said,
            (news, Some(room)) => {
                let follow = match news {
                    TaskEvent::Called(_) => Follow::Mark,
                    // A person who has scrolled back is reading.
                    TaskEvent::Log(_) if self.follow == Follow::Scrolled => Follow::Scrolled,
                    _ => Follow::Focus,
                };
                if room.hear(news) {
                    self.follow = follow;
                }
            }
            // Of a room that was left.
            (_, None) => {}
        }
    }

    /// A text was pasted.
    pub(crate) fn paste(&mut self, text: &str) {
        if let Some(room) = self.rooms.last_mut() {
            room.paste(text);
            self.follow = Follow::Focus;
        } else if self.is_typing {
            text.chars().for_each(|letter| drop(self.press(Key::Char(letter))));
        }
    }

    /// A key where a room is open.
    fn press_in(&mut self, key: Key) -> Option<Effect> {
        let room = self.rooms.last_mut()?;
        self.follow = Follow::Focus;
        match room.press(key) {
            Step::Stay => {}
            Step::Quit => return Some(Effect::Quit),
            Step::Do(work) => return Some(Effect::Begin(work)),
            Step::Open { server, tool } => {
                self.scrolled = 0;
                self.rooms.push(Room::Form(Box::new(Form::new(&server, &tool))));
                return Some(Effect::Begin(Work::Nothing));
            }
            Step::Back => {
                self.scrolled = 0;
                let left = self.rooms.pop();
                let was_under_way = left.is_some_and(|room| room.is_under_way());
                let work = self.rooms.last().map_or(Work::Nothing, Room::work);
                return (was_under_way || work != Work::Nothing).then_some(Effect::Begin(work));
            }
            Step::Scroll(key) => {
                self.follow = Follow::Scrolled;
                match key {
                    Key::Up | Key::Char('k') => self.scroll_back(1),
                    Key::Down | Key::Char('j') => self.scrolled += 1,
                    Key::PageUp => self.scroll_back(PAGE),
                    Key::PageDown => self.scrolled += PAGE,
                    Key::First => self.scrolled = 0,
                    // The end of it is found out when it is drawn.
                    Key::Last => self.scrolled = usize::MAX / 2,
                    _ => {}
                }
            }
        }
        None
    }

    fn open(&mut self, room: Room, work: Work) -> Option<Effect> {
        (self.scrolled, self.follow) = (0, Follow::Focus);
        (self.page, self.is_open) = (Page::Detail, false);
        self.rooms = vec![room];
        Some(Effect::Begin(work))
    }

    /// What a key does.
    pub(crate) fn press(&mut self, key: Key) -> Option<Effect> {
        self.message.clear();
        self.is_used = true;
        match key {
            Key::Interrupt => return Some(Effect::Interrupt),
            Key::Suspend => return Some(Effect::Suspend),
            key if !self.rooms.is_empty() => return self.press_in(key),
            Key::Char(letter) if self.is_typing => {
                if self.filter.chars().count() < MOST_FILTER && !letter.is_control() {
                    self.filter.push(letter);
                    self.keep_selection();
                }
            }
            Key::Erase if self.is_typing => {
                // An empty filter that is erased is given up.
                self.is_typing = self.filter.pop().is_some();
            }
            Key::Enter if self.is_typing => self.is_typing = false,
            Key::Escape => self.step_back(),
            Key::Up if self.is_open => self.scroll_back(1),
            Key::Down if self.is_open => self.scrolled += 1,
            Key::Up => self.go(|at, _| at.saturating_sub(1)),
            Key::Down => self.go(|at, last| (at + 1).min(last)),
            Key::First => self.go(|_, _| 0),
            Key::Last => self.go(|_, last| last),
            Key::PageUp => self.scroll_back(PAGE),
            Key::PageDown => self.scrolled += PAGE,
            // What a server that works is there for; what is wrong with the others.
            Key::Enter if self.has_tools() => {
                let name = self.focus()?.row.name.clone();
                return self.open(Room::Tools(Tools::new(&name)), Work::List(name));
            }
            Key::Enter => self.open_facts(),
            Key::Char('i') => {
                let is_there = self.is_open && self.page == Page::Detail;
                self.page = Page::Detail;
                if is_there { self.is_open = false } else { self.open_facts() }
            }
            Key::Char('q') => return Some(Effect::Quit),
            Key::Char('/') => (self.is_typing, self.is_open) = (true, false),
            Key::Char('?') => self.turn_to(Page::Help),
            Key::Char('o') if self.focus().is_some() => self.turn_to(Page::Commands),
            Key::Char('k') => return self.press(Key::Up),
            Key::Char('j') => return self.press(Key::Down),
            Key::Char(letter) => return self.act(letter),
            Key::Erase | Key::Delete | Key::Left | Key::Right | Key::Tab | Key::Backtab => {}
        }
        None
    }

    fn open_facts(&mut self) {
        self.is_open = self.focus().is_some();
        self.scrolled = 0;
    }

    /// Whether the server that has the focus can list tools.
    pub(crate) fn has_tools(&self) -> bool {
        self.focus().is_some_and(|server| server.row.status == Some(ServerStatus::Connected))
    }

    /// The keys that show something of the server that has the focus, each with the command that does the same.
    pub(crate) fn looks(&self) -> Vec<PageKey> {
        self.focus().map(|server| self.looks_of(server)).unwrap_or_default()
    }

    /// The same of any server.
    pub(super) fn looks_of(&self, server: &Server) -> Vec<PageKey> {
        let name = mcp_text::shell_word(&server.row.name);
        let mut looks = vec![
            PageKey {
                key: 'd',
                label: "doctor",
                command: self.steps.line(&format!("mcplink doctor {name}")),
            },
            PageKey { key: 'l', label: "log", command: self.steps.line(&format!("mcplink logs {name}")) },
        ];
        if server.has_helper {
            let command = self.steps.line(&format!("mcplink headers {name} --run"));
            looks.insert(0, PageKey { key: 'h', label: "run helper", command });
        }
        looks
    }

    fn act(&mut self, letter: char) -> Option<Effect> {
        let server = self.focus()?;
        let name = server.row.name.clone();
        match self.looks().into_iter().find(|own| own.key == letter) {
            Some(PageKey { key: 'l', .. }) => return self.open(Room::Log(Log::new(&name)), Work::Log(name)),
            Some(look) => return Some(Effect::Run(look.command)),
            None => {}
        }
        let action = self.actions().into_iter().find(|own| own.key == letter)?.action;
        if matches!(action, Action::Authenticate | Action::ReAuthenticate) {
            return self.open(Room::SignInPanel(Box::new(SignInPanel::new(&name))), Work::SignIn(name));
        }
        let server = self.focus()?;
        match (action, self.steps.action(action, &name)) {
            (Action::Reconnect, _) => Some(Effect::Reconnect(name)),
            (_, Some(command)) => Some(Effect::Run(command)),
            (_, None) => Some(Effect::Edit { file: server.row.source.clone(), line: server.line }),
        }
    }

    fn step_back(&mut self) {
        self.scrolled = 0;
        if self.is_typing {
            self.is_typing = false;
            self.filter.clear();
        } else if self.page != Page::Detail {
            (self.page, self.is_open) = (Page::Detail, false);
        } else if self.is_open {
            self.is_open = false;
        } else {
            self.filter.clear();
        }
        self.keep_selection();
    }

    /// The same key again turns back.
    fn turn_to(&mut self, page: Page) {
        self.scrolled = 0;
        let is_there = self.page == page;
        (self.page, self.is_open) = if is_there { (Page::Detail, false) } else { (page, true) };
    }

    fn scroll_back(&mut self, lines: usize) {
        self.scrolled = self.scrolled.saturating_sub(lines);
    }

    fn go(&mut self, to: impl FnOnce(usize, usize) -> usize) {
        let names: Vec<String> = self.shown().iter().map(|server| server.row.name.clone()).collect();
        let Some(last) = names.len().checked_sub(1) else { return };
        let at = to(self.position().unwrap_or(0), last);
        self.selected = names.into_iter().nth(at);
        self.scrolled = 0;
    }

    /// What has the focus keeps it as long as it is shown.
    fn keep_selection(&mut self) {
        if self.position().is_none() {
            self.selected = self.shown().first().map(|server| server.row.name.clone());
            self.scrolled = 0;
        }
    }
}

impl Server {
    /// What can be done about it.
    pub(super) fn actions(&self) -> Vec<ActionKey> {
        self.row.actions.iter().filter_map(|action| ActionKey::of(*action)).collect()
    }

    /// Remembers how it is, where that is new.
    fn note(&mut self) {
        let code = self.row.reason().map(|reason| reason.code);
        let now = StatusRecord { at: self.since, status: self.row.status, code };
        let is_new =
            self.history.last().is_none_or(|last| (last.status, last.code) != (now.status, now.code));
        if is_new && self.is_known {
            self.history.push(now);
            if self.history.len() > MOST_MOMENTS {
                self.history.remove(0);
            }
        }
    }
}

/// `~/.claude.json:5`: where an entry stands.
pub(crate) fn place(server: &Server) -> String {
    match server.line {
        Some(line) => format!("{}:{line}", server.row.source),
        None => server.row.source.clone(),
    }
}

#[cfg(test)]
pub(super) mod tests;
