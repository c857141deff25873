//! `mcplink menu` in a real terminal (tmux): what a person sees, presses and gets back.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mcp_testkit::{Accept, FakeHelper, FakeMcpServer};

use crate::setting::{Setting, http, with_helper};

/// What is waited for at most. A second on a machine with nothing else to do.
const SEEN: Duration = Duration::from_secs(30);

/// A terminal that a person types in.
struct Tmux<'a> {
    setting: &'a Setting,
    program: &'static str,
}

impl<'a> Tmux<'a> {
    /// A terminal in which `line` runs; `None` where there is no tmux.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn start(setting: &'a Setting, line: &str) -> Option<Self> {
        let program = ["/usr/bin/tmux", "/usr/local/bin/tmux", "/opt/homebrew/bin/tmux"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let Some(program) = program else {
            eprintln!("SKIPPED: no tmux to make a terminal with");
            return None;
        };
        let tmux = Self { setting, program };
        // It stays when the command has ended.
        let line = format!("{line}; sleep 600");
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "/bin/sh", "-c", &line]);
        Some(tmux)
    }

    fn run(&self, arguments: &[&str]) -> String {
        let home = self.setting.home.home();
        let output = Command::new(self.program)
            .args(["-u", "-S"])
            .arg(home.join("tmux"))
            .args(arguments)
            .env_clear()
            .envs(self.setting.home.environment("/usr/bin:/bin"))
            .env("TERM", "xterm-256color")
            .current_dir(self.setting.home.project())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn press(&self, key: &str) {
        self.run(&["send-keys", key]);
    }

    /// Waits until the screen has this.
    #[track_caller]
    fn shows(&self, what: &str) -> String {
        self.until(what, |screen| screen.contains(what))
    }

    #[track_caller]
    fn until(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.run(&["capture-pane", "-p"]);
            if is_it(&screen) {
                return screen;
            }
            assert!(began.elapsed() < SEEN, "never {what:?}:\n{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

#[test]
fn a_person_looks_finds_the_cause_acts_and_gets_the_terminal_back() {
    let up = FakeMcpServer::start().unwrap();
    let refusing = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer("old");
    let setting = Setting::of("files", http(&up))
        .with("tickets", with_helper(&refusing, &helper))
        .with("日本語", http(&up));
    let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
    let line = format!("stty -g >\"$HOME/before\"; {program} menu; echo code $?; stty -g >\"$HOME/after\"");
    let Some(tmux) = Tmux::start(&setting, &line) else { return };
    let screen = tmux.shows("3 servers: 2 connected, 1 needs you");
    assert!(screen.contains("> ! tickets"), "trouble first:\n{screen}");
    assert!(screen.contains("│   ✔ 日本語 ") && screen.contains(".claude.json"), "{screen}");
    let ran = helper.runs();
    tmux.press("r");
    tmux.shows("tickets: needs-auth");
    assert!(helper.runs() > ran, "its helper ran again");
    tmux.press("o");
    tmux.shows("mcplink reconnect tickets");
    tmux.press("o");
    // A filter, by typing; `q` is a letter of it.
    tmux.press("/");
    tmux.press("q");
    tmux.shows("none has that");
    tmux.press("BSpace");
    tmux.press("f");
    tmux.press("Enter");
    tmux.until("files alone", |screen| screen.contains("> ✔ files") && !screen.contains("! tickets"));
    // On the usual screen, and back.
    tmux.press("x");
    let screen = tmux.shows("Enter: back to the menu");
    assert!(screen.contains("$ mcplink disable files"), "{screen}");
    tmux.press("Enter");
    tmux.shows("x enable");
    tmux.run(&["resize-window", "-x", "44", "-y", "12"]);
    tmux.until("one pane", |screen| screen.contains("files") && !screen.contains('┬'));
    tmux.press("q");
    let screen = tmux.shows("code 0");
    assert!(!screen.contains("3 servers") && screen.contains("Enter: back to the menu"), "{screen}");
    let tty = |name: &str| std::fs::read_to_string(setting.home.home().join(name)).unwrap_or_default();
    tmux.until("the settings of the terminal", |_| !tty("after").is_empty());
    assert_eq!(tty("before"), tty("after"), "echo and all the rest");
}

#[test]
fn the_terminal_is_as_it_was_however_a_menu_is_ended() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("web", http(&server));
    let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
    for (signal, code) in [("TERM", 143), ("HUP", 143)] {
        let line = format!(
            "stty cols 80 rows 24; stty -g >\"$HOME/before\"; {program} menu </dev/tty & \
             sleep 2; kill -{signal} $!; wait $!; code=$?; stty -g >\"$HOME/after\"; echo after $code"
        );
        let Some(shell) = setting.shell_on_a_terminal(&line) else { return };
        let text = shell.run().expect_code(0).stdout;
        let at = |what: &str| text.rfind(what).unwrap_or_else(|| panic!("{signal}: no {what:?} in {text:?}"));
        assert!(at("\u{1b}[?1049h") < at("\u{1b}[?1049l"), "{text:?}");
        assert!(at("\u{1b}[?1049l") < at(&format!("after {code}")), "{text:?}");
        let hidden = text.rfind("\u{1b}[?25l");
        assert!(hidden < Some(at("\u{1b}[?25h")), "the cursor is there: {text:?}");
        let tty = |name: &str| std::fs::read_to_string(setting.home.home().join(name)).unwrap();
        assert_eq!(tty("before"), tty("after"), "echo and all the rest");
    }
}

#[test]
fn without_a_terminal_it_is_the_status() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("web", http(&server));
    let shown = setting.run(&["menu"], 0).stdout;
    assert!(shown.contains("web") && shown.contains("connected") && !shown.contains('\u{1b}'), "{shown}");
    assert_eq!(setting.run(&["menu", "--json"], 0).json()["servers"][0]["status"], "connected");
    setting.run(&["menu", "--plain", "--color", "always"], 0);
}
