//! The fake helper, run as a client would run it: by the shell.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use mcp_testkit::process::process_is_alive;
use mcp_testkit::{Accept, FakeHelper, FakeMcpServer};
use serde_json::{Value, json};

use crate::raw;

fn run(helper: &FakeHelper) -> Output {
    Command::new("sh").args(["-c", &helper.command()]).env("MARK", "m=1\nn").output().unwrap()
}

fn printed(helper: &FakeHelper) -> Value {
    serde_json::from_slice(&run(helper).stdout).unwrap()
}

#[test]
fn what_it_prints_can_change_between_runs() {
    let helper = FakeHelper::new().unwrap();
    assert_eq!(printed(&helper), json!({}));
    helper.prints_bearer("it's \"A\"");
    assert_eq!(printed(&helper), json!({ "Authorization": "Bearer it's \"A\"" }));
    helper.prints_headers(&[("X-A", "1"), ("X-B", "2")]);
    assert_eq!(printed(&helper), json!({ "X-A": "1", "X-B": "2" }));
    helper.prints("not json %s");
    assert_eq!(run(&helper).stdout, b"not json %s\n");
    assert_eq!(helper.runs(), 4);
}

#[test]
fn it_prints_one_token_after_the_other_and_the_last_ever_after() {
    let helper = FakeHelper::new().unwrap();
    let _ = run(&helper);
    helper.prints_bearers_in_turn(&["A", "B", "C"]);
    for token in ["A", "B", "C", "C"] {
        assert_eq!(printed(&helper), json!({ "Authorization": format!("Bearer {token}") }));
    }
}

#[test]
fn concurrent_runs_are_all_counted_with_what_they_found() {
    let helper = FakeHelper::new().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| run(&helper));
        }
    });
    assert_eq!(helper.runs(), 20);
    let history = helper.history();
    assert_eq!(history.len(), 20);
    assert_eq!(history[0].environment["MARK"], "m=1\nn");
    assert_eq!(history[0].directory, std::env::current_dir().unwrap());
}

#[test]
fn it_fails_with_its_code_and_its_words() {
    let helper = FakeHelper::new().unwrap();
    helper.fails(7, "no vault today");
    let output = run(&helper);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(7), b"no vault today\n".as_slice()));
    helper.prints_bearer("A");
    assert_eq!(run(&helper).status.code(), Some(0), "printing something else heals it");
}

#[test]
fn it_sleeps_floods_stderr_and_leaves_a_grandchild() {
    let helper = FakeHelper::new().unwrap();
    helper.sleeps(Duration::from_millis(120));
    helper.floods_stderr(300_000);
    helper.leaves_grandchild(Duration::from_secs(30));
    let before = Instant::now();
    let mut child = Command::new("sh")
        .args(["-c", &helper.command()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Not `wait_with_output`: the grandchild holds the pipe open, which is its purpose.
    let mut noise = vec![0; 300_000];
    std::io::Read::read_exact(&mut child.stderr.take().unwrap(), &mut noise).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(before.elapsed() >= Duration::from_millis(120));
    let grandchildren = helper.grandchild_pids();
    assert_eq!(grandchildren.len(), 1);
    assert!(process_is_alive(grandchildren[0]));
    drop(helper);
    for _ in 0..500 {
        if !process_is_alive(grandchildren[0]) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the grandchild outlived the helper's handle");
}

#[test]
fn its_stamped_and_jwt_tokens_are_accepted_and_expire() {
    let helper = FakeHelper::new().unwrap();
    let server = FakeMcpServer::start().unwrap();
    let status = || {
        let token = printed(&helper)["Authorization"].as_str().unwrap().to_owned();
        raw::modern(server.address(), "tools/list", json!({}), &[("Authorization", &token)]).status
    };
    server.accept(Accept::Stamped { prefix: "demo-".into(), valid_for: Duration::from_secs(60) });
    helper.prints_stamped("demo-");
    assert_eq!(status(), 200);
    server.accept(Accept::Stamped { prefix: "demo-".into(), valid_for: Duration::ZERO });
    assert_eq!(status(), 401);
    server.accept(Accept::Jwt { signature: "sig".into() });
    helper.prints_jwt(Duration::from_secs(60), "sig");
    assert_eq!(status(), 200);
    helper.prints_jwt(Duration::ZERO, "sig");
    assert_eq!(status(), 401);
}
