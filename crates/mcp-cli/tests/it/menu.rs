//! `mcplink menu` in a real terminal (tmux): what a person sees, presses and gets back.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use mcp_harness::{real_or_skip, system_program};
use mcp_testkit::{Accept, FakeAuthServer, FakeBrowser, FakeHelper, FakeMcpServer};
use serde_json::json;

use crate::setting::{Setting, http, with_helper};

/// What is waited for at most. A second on a machine with nothing else to do.
const SEEN: Duration = Duration::from_secs(30);

/// A terminal that a person types in.
pub(crate) struct Tmux<'a> {
    setting: &'a Setting,
    program: PathBuf,
}

impl<'a> Tmux<'a> {
    /// A terminal in which `line` runs; `None` where there is no tmux.
    pub(crate) fn start(setting: &'a Setting, line: &str) -> Option<Self> {
        let program = real_or_skip(system_program("tmux"))?;
        let tmux = Self { setting, program };
        // It stays when the command has ended.
        let line = format!("{line}; sleep 600");
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "/bin/sh", "-c", &line]);
        Some(tmux)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let home = self.setting.home.home();
        let output = Command::new(&self.program)
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
    pub(crate) fn until(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
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

/// No key is offered for what cannot be done, and what an editor says of its failure is not drawn over.
#[test]
fn a_helper_that_may_not_run_has_no_key_and_an_editor_that_fails_is_read() {
    let up = FakeMcpServer::start().unwrap();
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer("t");
    let setting = Setting::of("bad", json!({ "type": "http" }));
    let shared = json!({ "mcpServers": { "shared": with_helper(&up, &helper) } });
    setting.home.write_project(".mcp.json", shared.to_string()).unwrap();
    let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
    let Some(tmux) = Tmux::start(&setting, &format!("EDITOR=false {program} menu")) else { return };
    let screen = tmux.until("what waits", |screen| screen.contains("> … shared") && screen.contains("✘ bad"));
    assert!(screen.contains("a approve") && !screen.contains("run helper"), "{screen}");
    tmux.press("Down");
    tmux.shows("e edit file");
    tmux.press("e");
    let screen = tmux.shows("Enter: back to the menu");
    assert!(screen.contains("$ false "), "{screen}");
    assert_eq!(helper.runs(), 0);
}

#[test]
fn a_person_signs_in_fills_in_a_form_calls_and_gives_up_what_takes_too_long() {
    let server = FakeMcpServer::start().unwrap();
    let auth = FakeAuthServer::start().unwrap();
    auth.protect(&server);
    let setting = Setting::of("notes", http(&server));
    let browser = FakeBrowser::new().unwrap();
    let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
    let line = format!("BROWSER={} {program} menu; echo code $?", mcp_text::shell_word(&browser.command()));
    let Some(tmux) = Tmux::start(&setting, &line) else { return };
    let screen = tmux.shows("> ! notes");
    assert!(screen.contains("s sign in"), "{screen}");
    tmux.press("s");
    let screen = tmux.shows("signed in to notes with");
    assert!(screen.contains("$ mcplink login notes") && !screen.contains('│'), "{screen}");
    assert!(browser.page().contains("accepted the sign-in"), "it is tried before anything is told");
    tmux.press("Enter");
    tmux.shows("> ✔ notes");
    tmux.press("Enter");
    let screen = tmux.shows("add   ");
    assert!(screen.contains("a b") && screen.contains("$ mcplink tools notes"), "{screen}");
    // A filter leaves one.
    for key in ["/", "a", "d", "d", "Enter", "Enter"] {
        tmux.press(key);
    }
    tmux.shows("add of notes");
    for key in ["x", "Enter", "4", "0", "Enter", "Enter"] {
        tmux.press(key);
    }
    let screen = tmux.shows("`a` must be number");
    assert_eq!(server.count("tools/call"), 0, "{screen}");
    for key in ["BSpace", "2", "Enter", "Enter", "Enter"] {
        tmux.press(key);
    }
    let screen = tmux.until("the sum", |screen| screen.contains("result after") && screen.contains("42"));
    assert!(screen.contains("$ mcplink call notes add a=2 b=40"), "{screen}");
    // Each by itself: what follows an escape at once is a part of it.
    tmux.press("Escape");
    tmux.shows("notes: 5 tools");
    tmux.press("Escape");
    tmux.until("no filter", |screen| !screen.contains("filter: "));
    for key in ["/", "s", "l", "o", "Enter", "Enter"] {
        tmux.press(key);
    }
    tmux.shows("slow of notes");
    // A hundred pauses of half a minute, pasted as a terminal pastes.
    tmux.run(&["set-buffer", "100"]);
    tmux.run(&["paste-buffer", "-p"]);
    tmux.press("Enter");
    tmux.run(&["set-buffer", "30000\n"]);
    tmux.run(&["paste-buffer", "-p"]);
    tmux.shows("delay_ms: 30000");
    for key in ["Enter", "Enter"] {
        tmux.press(key);
    }
    tmux.shows("escape gives it up");
    tmux.press("Escape");
    tmux.shows("given up");
    tmux.press("C-c");
    tmux.shows("code 130");
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
