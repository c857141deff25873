//! The harness must fail when it should: each check is broken once here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mcp_harness::Mcplink;
use mcp_testkit::TempHome;

fn shell<'a>(home: &'a TempHome, script: &str) -> Mcplink<'a> {
    Mcplink::new("/bin/sh", home).args(["-c", script])
}

fn complaint(run: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(run)).expect_err("this must fail");
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()))
        .unwrap()
}

#[test]
fn output_code_stdin_and_environment() {
    let home = TempHome::new().unwrap();
    let output = shell(&home, "cat; echo to-stderr >&2; echo $HOME; pwd; exit 3")
        .stdin("input\n")
        .run()
        .expect_code(3);
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(lines, ["input", &home.home().to_string_lossy(), &home.project().to_string_lossy()]);
    assert_eq!(output.stderr, "to-stderr\n");
    let clean = shell(&home, "env").env("EXTRA", "1").run();
    assert!(clean.stdout.contains("EXTRA=1") && !clean.stdout.contains("CARGO"), "{clean}");
    assert_eq!(shell(&home, "echo '{\"a\":1}'").run().json()["a"], 1);
}

#[test]
fn a_secret_in_the_output_or_in_a_new_file_fails_the_run() {
    let home = TempHome::new().unwrap();
    let secret = home.secret("token");
    home.write("known", &secret).unwrap();
    let _ = shell(&home, "cat $HOME/known >/dev/null").run();
    let said = complaint(|| drop(shell(&home, "cat $HOME/known").run()));
    assert!(said.contains("stdout") && said.contains("token") && !said.contains(&secret), "{said}");
    let said = complaint(|| drop(shell(&home, "base64 <$HOME/known >&2").run()));
    assert!(said.contains("stderr"), "{said}");
    let said = complaint(|| drop(shell(&home, "cp $HOME/known $HOME/copy").run()));
    assert!(said.contains("home/copy"), "{said}");
    let _ = shell(&home, "cp $HOME/known $HOME/allowed").may_hold_secrets("home/allowed").run();
    let said = complaint(|| drop(shell(&home, "echo >>$HOME/known").run()));
    assert!(said.contains("home/known"), "a changed file is looked at too: {said}");
}

#[test]
fn a_process_that_outlives_the_run_fails_it() {
    let home = TempHome::new().unwrap();
    // In a session of its own and with its own pipes, as a careless daemon would be.
    let said = complaint(|| drop(shell(&home, "setsid sleep 60 >/dev/null 2>&1 </dev/null &").run()));
    assert!(said.contains("left processes behind") && said.contains("sleep 60"), "{said}");
}

#[test]
fn a_process_that_hides_and_holds_the_output_open_fails_the_run() {
    let home = TempHome::new().unwrap();
    let said = complaint(|| drop(shell(&home, "env -i sleep 8 &").run()));
    assert!(said.contains("still holds its stdout open"), "{said}");
}

#[test]
fn a_run_that_takes_too_long_is_killed_and_fails() {
    let home = TempHome::new().unwrap();
    let said = complaint(|| drop(shell(&home, "echo begun; sleep 60").timeout(Duration::from_secs(2)).run()));
    assert!(said.contains("took more than 2s") && said.contains("begun"), "{said}");
}

#[test]
fn a_running_program_is_talked_to_and_signalled() {
    let home = TempHome::new().unwrap();
    let mut running = shell(
        &home,
        "trap 'echo bye; exit 4' TERM; echo ready; read line; echo got $line; while :; do sleep 0.05; done",
    )
    .start();
    running.wait_for_stdout("ready", |text| text.contains("ready"));
    running.write("hello\n").unwrap();
    running.wait_for_stdout("the echo", |text| text.contains("got hello"));
    running.signal("TERM");
    let output = running.wait();
    assert_eq!((output.stdout.as_str(), output.code), ("ready\ngot hello\nbye\n", Some(4)));
}

#[test]
fn dropping_a_running_program_kills_it_with_its_children() {
    let home = TempHome::new().unwrap();
    let running = shell(&home, "sleep 60 & echo $!; wait").start();
    let printed = running.wait_for_stdout("a pid", |text| text.ends_with('\n'));
    let child = printed.trim().parse().unwrap();
    assert!(mcp_harness::process_is_alive(child));
    drop(running);
    for _ in 0..200 {
        if !mcp_harness::process_is_alive(child) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{child} is still alive");
}
