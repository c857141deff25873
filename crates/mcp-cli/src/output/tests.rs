use std::process::Command;

use super::*;

const TEST: &str = "output::tests::fh_h12_a_panic_gives_the_terminal_back_before_it_is_told";
const SWITCH: &str = "MCPLINK_TEST_PANICS";

const AWAY: &str = "\u{1b}[H\u{1b}[J\u{1b}[?25h\u{1b}[?1049l";
const WRITES: &str = "output::tests::fh_h13_what_is_drawn_goes_before_anything_else_is_written";

/// Runs itself once more as a process that writes below what it has drawn: a line, an error, raw bytes.
#[test]
#[expect(clippy::disallowed_methods, reason = "a switch between the two processes of this test")]
fn fh_h13_what_is_drawn_goes_before_anything_else_is_written() {
    if std::env::var_os(SWITCH).is_some() {
        let output = Output::of_process(ColorArg::Never, true, false, false);
        let draw = || output.paint(&["a row".to_owned()]);
        draw();
        output.out("a line\n");
        draw();
        output.error("an error\n");
        draw();
        output.out_bytes(b"bytes\n");
        draw();
        output.clear();
        output.out("the end\n");
        return;
    }
    let program = std::env::current_exe().unwrap();
    let writes =
        Command::new(program).args(["--exact", WRITES, "--nocapture"]).env(SWITCH, "").output().unwrap();
    let stdout = String::from_utf8_lossy(&writes.stdout);
    let drawn: Vec<&str> = stdout.split("a row\u{1b}[K\u{1b}[J").skip(1).collect();
    assert_eq!(drawn.len(), 4, "{stdout:?}");
    for (after, next) in drawn.iter().zip(["a line\n", "", "bytes\n", "the end\n"]) {
        assert!(after.starts_with(&format!("{AWAY}{next}")), "{next:?}: {stdout:?}");
    }
}

/// Runs itself once more as a process that panics, in the middle of writing as well.
#[test]
#[expect(clippy::disallowed_methods, reason = "a switch between the two processes of this test")]
fn fh_h12_a_panic_gives_the_terminal_back_before_it_is_told() {
    if let Some(how) = std::env::var_os(SWITCH) {
        let output = Arc::new(Output::of_process(ColorArg::Never, true, false, false));
        clear_at_panics(&output);
        output.paint(&["a table".to_owned()]);
        let _held = (how == "while it writes").then(|| output.state());
        panic!("as it happens");
    }
    for (how, is_back) in [("between", true), ("while it writes", false)] {
        let program = std::env::current_exe().unwrap();
        let panics =
            Command::new(program).args(["--exact", TEST, "--nocapture"]).env(SWITCH, how).output().unwrap();
        assert!(!panics.status.success());
        let (stdout, stderr) =
            (String::from_utf8_lossy(&panics.stdout), String::from_utf8_lossy(&panics.stderr));
        assert!(stdout.contains("\u{1b}[?1049h"), "{stdout:?}");
        assert_eq!(stdout.contains(&format!("a table\u{1b}[K\u{1b}[J{AWAY}")), is_back, "{stdout:?}");
        assert!(stderr.contains("as it happens"), "it is told, and does not wait without end: {stderr}");
    }
}

#[test]
fn fh_h13_what_is_waited_for_gives_way_to_everything() {
    let mut line = WaitingLine::default();
    assert_eq!(line.before("a note\n"), "", "nothing is there");
    assert_eq!(line.replace("connecting to wiki … 1 s", 80).unwrap(), "\r\u{1b}[Kconnecting to wiki … 1 s");
    assert_eq!(line.before("a note\n"), LINE_AWAY);
    assert_eq!(line.before("a note\n"), "", "once");
    assert_eq!(line.replace("connecting to wiki … 2 s", 12).unwrap(), "\r\u{1b}[Kconnecting…");
    // A question that waits for an answer, and a bar, keep their line.
    for (taken, free) in [("What is it? ", "\n"), ("\r\u{1b}[K[###---]  1/2", "\r\u{1b}[K")] {
        assert_eq!(line.before(taken), LINE_AWAY);
        assert_eq!(line.replace("connecting", 80), None, "{taken:?}");
        assert_eq!(line.before(free), "");
        assert!(line.replace("connecting", 80).is_some(), "{taken:?}");
    }
    assert_eq!(line.away(), LINE_AWAY);
}
