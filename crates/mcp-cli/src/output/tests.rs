use std::process::Command;

use super::*;

const TEST: &str = "output::tests::fh_h12_a_panic_gives_the_terminal_back_before_it_is_told";
const SWITCH: &str = "MCPLINK_TEST_PANICS";

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
        assert_eq!(stdout.contains("a table\u{1b}[K\u{1b}[J\u{1b}[?25h\u{1b}[?1049l"), is_back, "{stdout:?}");
        assert!(stderr.contains("as it happens"), "it is told, and does not wait without end: {stderr}");
    }
}
