//! `mcplink menu`: the servers on a screen of their own, held as `status --watch` holds them, with the actions of each as keys.
//!
//! What is shown and what a key does are values ([`model`], [`view`]); here are the terminal, the connections and the commands
//! that are run. Nothing can be done here that no command does.

mod child_command;
mod desk;
mod exchange;
mod form;
mod keys;
mod line;
mod lines;
mod log;
mod look;
mod model;
mod page;
mod room;
mod screen;
mod signing;
mod tools;
mod view;
mod web;

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::child_command::ChildCommand;
use self::desk::Desk;
use self::exchange::TaskEvent;
use self::keys::Key;
use self::look::Look;
use self::model::{Effect, Follow, Menu};
use self::screen::Screen;
use crate::app::App;
use crate::args::MenuArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::watched::{Intervals, WatchedServers};
use crate::signals::{self, Terminal, TerminalEvent};
use crate::view::shown;

pub(crate) use self::web::run as run_in_a_browser;

/// Whether there is a person with a terminal to draw on.
pub(crate) fn can_be_shown(app: &App) -> bool {
    app.interactive && !app.json && app.output.draws()
}

/// Runs until a person or a signal ends it.
pub(crate) async fn run(app: &Arc<App>, args: &MenuArgs) -> Result<ExitStatus, CliError> {
    let watched = WatchedServers::start(app, &[], Intervals::watch()).await?;
    let folder = app.folder().ok();
    let folder = folder.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let (sender, news) = unbounded_channel();
    let mut session = Session {
        app,
        watched,
        menu: Menu::new(app.steps.clone()),
        look: Look {
            is_plain: args.plain,
            has_color: app.output.color,
            now: SystemTime::now(),
            folder: folder.unwrap_or_default(),
        },
        desk: Desk::new(app, sender.clone()),
        sender,
        news,
        signal: Box::pin(signals::signal()),
    };
    let ended = session.run().await;
    session.watched.close().await;
    ended.map_err(|error| {
        CliError::new(ExitStatus::Internal, "terminal", "the terminal cannot be drawn on")
            .why(mcp_files::reason(&error))
            .next("mcplink status")
    })
}

struct Session<'a> {
    app: &'a Arc<App>,
    watched: WatchedServers,
    menu: Menu,
    look: Look,
    desk: Desk,
    /// What came of things that take a while, each with the number that the desk gave it.
    sender: UnboundedSender<(u64, TaskEvent)>,
    news: UnboundedReceiver<(u64, TaskEvent)>,
    signal: Pin<Box<dyn Future<Output = ExitStatus>>>,
}

impl Session<'_> {
    async fn run(&mut self) -> io::Result<ExitStatus> {
        loop {
            let effect = match self.on_the_screen().await? {
                ScreenExit::Over(status) => return Ok(status),
                ScreenExit::Away(effect) => effect,
            };
            match effect {
                Effect::Run(command) => {
                    let ended = self.run_child(ChildCommand::of_command(self.app, &command), true).await?;
                    if let Some(status) = ended {
                        return Ok(status);
                    }
                }
                Effect::Edit { file, line } => {
                    let ended = self.run_child(ChildCommand::of_editor(self.app, &file, line), false).await?;
                    if let Some(status) = ended {
                        return Ok(status);
                    }
                }
                _ => signals::stop(),
            }
        }
    }

    /// Shows the menu until something needs the usual screen.
    async fn on_the_screen(&mut self) -> io::Result<ScreenExit> {
        let mut screen = Screen::take()?;
        let mut events = EventStream::new();
        let mut terminal = Terminal::new();
        loop {
            if !Screen::is_taken() {
                return Ok(ScreenExit::Over(ExitStatus::Internal));
            }
            self.draw(&mut screen)?;
            tokio::select! {
                event = self.watched.next_event() => self.watched.apply(event).await,
                Some((number, news)) = self.news.recv() => if self.desk.is_current(number) {
                    self.menu.hear(news);
                },
                status = &mut self.signal => return Ok(ScreenExit::Over(status)),
                moved = terminal.moved() => if moved == TerminalEvent::Stopped {
                    return Ok(ScreenExit::Away(Effect::Suspend));
                },
                event = events.next() => {
                    // A terminal that is gone has nothing more to say.
                    let Some(Ok(event)) = event else { return Ok(ScreenExit::Over(ExitStatus::Success)) };
                    if let Event::Paste(text) = &event {
                        self.menu.paste(text);
                        continue;
                    }
                    let effect = screen::key(&event).and_then(|key| self.menu.press(key));
                    match effect {
                        None => {}
                        Some(Effect::Quit) => return Ok(ScreenExit::Over(ExitStatus::Success)),
                        Some(Effect::Interrupt) => return Ok(ScreenExit::Over(ExitStatus::Interrupted)),
                        Some(Effect::Reconnect(name)) => self.reconnect(&name),
                        Some(Effect::Begin(work)) => self.desk.begin(work, &self.watched),
                        Some(away) => return Ok(ScreenExit::Away(away)),
                    }
                }
            }
        }
    }

    fn draw(&mut self, screen: &mut Screen) -> io::Result<()> {
        self.menu.update(self.watched.seen(), self.watched.problems());
        self.look.now = SystemTime::now();
        let mut scrolled = 0;
        screen.terminal.draw(|frame| {
            let picture = view::draw(&self.menu, &self.look, frame.area(), frame.buffer_mut());
            frame.set_cursor_position(picture.focus);
            scrolled = picture.scrolled;
        })?;
        self.menu.scrolled = scrolled;
        if self.menu.follow == Follow::Mark {
            // It has been gone to.
            self.menu.follow = Follow::Scrolled;
        }
        Ok(())
    }

    /// As `mcplink reconnect NAME`: the connection that is held here, and each live session.
    fn reconnect(&mut self, name: &str) {
        let Some(decided) = self.watched.reconnect(name) else { return };
        self.menu.message = format!("reconnecting {}", shown::name(name));
        desk::reconnect(self.app, name, decided, self.sender.clone());
    }

    /// Has another program use the usual screen, and waits for a key before the menu takes its place where it is to be read.
    async fn run_child(
        &mut self,
        command: Result<ChildCommand, String>,
        is_read: bool,
    ) -> io::Result<Option<ExitStatus>> {
        let command = match command {
            Ok(command) => command,
            Err(why) => {
                self.menu.message = shown::line(&why);
                return Ok(None);
            }
        };
        self.app.output.out(&format!("$ {}\n", shown::line(&command.command_line)));
        let mut child = match command.start() {
            Ok(child) => child,
            Err(why) => {
                self.menu.message = shown::line(&why);
                return Ok(None);
            }
        };
        let mut terminal = Terminal::new();
        let ended = loop {
            tokio::select! {
                ended = child.wait() => break ended,
                status = &mut self.signal => {
                    // Ctrl-C is for what runs.
                    if status != ExitStatus::Interrupted {
                        child_command::end(child).await;
                        return Ok(Some(status));
                    }
                    self.signal = Box::pin(signals::signal());
                }
                // Ctrl-Z is for both of them.
                moved = terminal.moved() => if moved == TerminalEvent::Stopped {
                    signals::stop();
                },
                event = self.watched.next_event() => self.watched.apply(event).await,
            }
        };
        // What failed says why where the menu would hide it.
        let has_failed = !ended.is_ok_and(|ended| ended.success());
        if is_read || has_failed { self.wait_for_enter().await } else { Ok(None) }
    }

    async fn wait_for_enter(&mut self) -> io::Result<Option<ExitStatus>> {
        self.app.output.out("\nEnter: back to the menu\n");
        let _raw = screen::Keys::take()?;
        let mut events = EventStream::new();
        loop {
            tokio::select! {
                status = &mut self.signal => return Ok(Some(status)),
                event = self.watched.next_event() => self.watched.apply(event).await,
                event = events.next() => match event {
                    None | Some(Err(_)) => return Ok(Some(ExitStatus::Success)),
                    Some(Ok(event)) => match screen::key(&event) {
                        Some(Key::Interrupt) => return Ok(Some(ExitStatus::Interrupted)),
                        Some(Key::Enter | Key::Escape | Key::Char('q' | ' ')) => return Ok(None),
                        _ => {}
                    }
                }
            }
        }
    }
}

/// Why the menu is not on the screen any more.
enum ScreenExit {
    Over(ExitStatus),
    /// Until this is done.
    Away(Effect),
}
