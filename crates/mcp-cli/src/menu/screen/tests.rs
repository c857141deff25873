use crossterm::event::KeyEvent;

use super::*;

#[test]
fn a_key_is_what_it_says_and_its_release_is_none() {
    let pressed = |code, modifiers| key(&Event::Key(KeyEvent::new(code, modifiers)));
    assert_eq!(pressed(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Interrupt));
    assert_eq!(pressed(KeyCode::Char('r'), KeyModifiers::NONE), Some(Key::Char('r')));
    assert_eq!(pressed(KeyCode::Char('r'), KeyModifiers::CONTROL), None);
    assert_eq!(pressed(KeyCode::Enter, KeyModifiers::NONE), Some(Key::Enter));
    let release = KeyEvent::new_with_kind(KeyCode::Enter, KeyModifiers::NONE, KeyEventKind::Release);
    assert_eq!(key(&Event::Key(release)), None);
    assert_eq!(key(&Event::Resize(80, 24)), None);
}

const SWITCH: &str = "MCPLINK_TEST_PANICS";
const TEST: &str = "menu::screen::tests::a_panic_gives_the_terminal_back_before_it_is_told";

/// Runs itself once more on a terminal of its own, as a process that panics.
#[cfg(unix)]
#[test]
#[expect(clippy::disallowed_methods, reason = "a switch between the two processes of this test")]
fn a_panic_gives_the_terminal_back_before_it_is_told() {
    if std::env::var_os(SWITCH).is_some() {
        let _screen = Screen::take().unwrap();
        assert!(Screen::is_taken());
        // Beside the menu, which learns by that that it is over.
        drop(std::thread::spawn(|| panic!("as it happens")).join());
        assert!(!Screen::is_taken(), "the terminal was given back, and the menu would draw on");
        return;
    }
    let script =
        ["/usr/bin/script", "/bin/script"].into_iter().find(|path| std::path::Path::new(path).exists());
    let Some(script) = script else { return };
    let program = mcp_text::shell_word(&std::env::current_exe().unwrap().display().to_string());
    let line = format!("stty -g; {program} --exact {TEST} --nocapture; stty -g");
    let ended = std::process::Command::new(script)
        .args(["-qec", &line, "/dev/null"])
        .env(SWITCH, "")
        .env("TERM", "xterm")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ended.stdout);
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what:?} is missing: {text:?}"));
    assert!(at("\u{1b}[?1049h") < at("\u{1b}[?1049l"), "{text:?}");
    assert!(at("\u{1b}[?1049l") < at("as it happens"), "{text:?}");
    assert!(at("as it happens") > at("\u{1b}[?25h"), "{text:?}");
    let (first, last) = (text.lines().next().unwrap(), text.lines().last().unwrap());
    assert!(first.contains(':') && first == last, "echo and all the rest: {text:?}");
}
