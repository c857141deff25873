//! The terminal while the menu has it: raw, on its other screen, and as it was before when the menu goes, however it goes.

use std::io::{self, Stdout, Write as _};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{
    DisableBracketedPaste, EnableBracketedPaste, Event, KeyCode, KeyEventKind, KeyModifiers,
};
use crossterm::terminal::ClearType;
use crossterm::{cursor, execute, terminal};
use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;

use super::keys::Key;

/// Whether the terminal has to be given back: to a panic as to an end.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, taken. Dropping it gives the terminal back.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn take() -> io::Result<Self> {
        give_back_at_panics();
        IS_TAKEN.store(true, Ordering::SeqCst);
        // Nothing is asked of the terminal: not every one answers, and what is typed meanwhile would be in the way.
        let taken = terminal::enable_raw_mode()
            .and_then(|()| {
                execute!(
                    io::stdout(),
                    terminal::EnterAlternateScreen,
                    terminal::Clear(ClearType::All),
                    // A line end in what is pasted is not a key.
                    EnableBracketedPaste
                )
            })
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match taken {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }
}

impl Screen {
    /// Whether the terminal is still taken: a panic of something that goes on beside the menu has given it back.
    pub(super) fn is_taken() -> bool {
        IS_TAKEN.load(Ordering::SeqCst)
    }
}

/// The terminal as it says each key at once, on the usual screen. Dropping it ends that.
#[derive(Debug)]
pub(super) struct Keys;

impl Keys {
    pub(super) fn take() -> io::Result<Self> {
        give_back_at_panics();
        IS_TAKEN.store(true, Ordering::SeqCst);
        terminal::enable_raw_mode().map(|()| Self)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if IS_TAKEN.swap(false, Ordering::SeqCst) {
            drop(terminal::disable_raw_mode());
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Brings the terminal back as it was, once.
fn give_back() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing.
        drop(execute!(io::stdout(), DisableBracketedPaste, cursor::Show, terminal::LeaveAlternateScreen));
        drop(terminal::disable_raw_mode());
        drop(io::stdout().flush());
    }
}

/// Has a panic give the terminal back before it is told: what is told would be gone with the other screen.
fn give_back_at_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            hook(panic);
        }));
    });
}

/// The key that was pressed, where the menu knows it.
pub(super) fn key(event: &Event) -> Option<Key> {
    let Event::Key(key) = event else { return None };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if is_control => Key::Interrupt,
        KeyCode::Char('z') if is_control => Key::Suspend,
        KeyCode::Char(_) if is_control || key.modifiers.contains(KeyModifiers::ALT) => return None,
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::Backtab,
        KeyCode::Delete => Key::Delete,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::First,
        KeyCode::End => Key::Last,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Erase,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
