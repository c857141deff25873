//! Sign-ins that do not succeed, and those that no browser on this machine is part of.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use mcp_harness::{Consent, process_is_alive};
use mcp_testkit::FakeBrowser;
use serde_json::json;

use crate::desk::{browser, desk};

#[test]
fn consent_that_is_denied_is_told_on_page_and_terminal_and_costs_nothing() {
    let Some(desk) = desk() else { return };
    desk.login(&["work"], "alice");
    let before = desk.tokens("work").unwrap();

    let chromium = browser("alice", Consent::Cancel).unwrap();
    let output = desk.mcplink(&["login", "work"]).env("BROWSER", chromium.command()).run().expect_code(3);
    assert!(output.stderr.contains("error: signing in to work failed\n"), "{output}");
    assert!(output.stderr.contains("access_denied"), "{output}");
    // There is nothing wrong with the entry.
    assert!(output.stderr.contains("  next: begin the sign-in once more"), "{output}");
    let page = chromium.end();
    assert_eq!(page.title, "Sign-in failed");
    assert!(page.text.contains("access_denied") && page.text.contains("work"), "{page:?}");

    assert_eq!(desk.tokens("work").unwrap().content, before.content);
    assert_eq!(desk.whoami("work"), "alice: mcp:tools");
}

#[test]
fn ctrl_c_in_the_middle_leaves_the_old_tokens_and_no_process() {
    let Some(desk) = desk() else { return };
    desk.login(&["work"], "alice");
    let before = desk.tokens("work").unwrap();

    let chromium = browser("bob", Consent::Wait).unwrap();
    let login = desk.mcplink(&["login", "work"]).env("BROWSER", chromium.command()).start();
    chromium.wait_for_consent_page();
    // As a terminal does it: to the whole group, in which the browser is not.
    let group = format!("-{}", login.pid());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    let interrupted = Instant::now();
    while process_is_alive(login.pid()) {
        assert!(interrupted.elapsed() < Duration::from_secs(2), "{}", login.stderr());
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = login.wait().expect_code(130);
    assert_eq!(output.stdout, "");

    assert_eq!(desk.tokens("work").unwrap().content, before.content);
    assert_eq!(desk.whoami("work"), "alice: mcp:tools");
    assert!(chromium.is_open(), "a browser is not ended with the command that opened it");
}

#[test]
fn a_callback_port_that_is_taken_is_named_at_once() {
    let Some(desk) = desk() else { return };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let desk = desk.with("fixed", json!({ "callbackPort": port }));
    let idle = FakeBrowser::idle().unwrap();
    let output = desk.mcplink(&["login", "fixed"]).env("BROWSER", idle.command()).run().expect_code(2);
    assert!(output.stderr.contains(&format!("port {port}")), "{output}");
    assert!(output.stderr.contains("another program is using it"), "{output}");
    assert!(idle.arguments().is_empty(), "no person is sent to a page that cannot lead back");
    assert_eq!(desk.provider.count(&json!({ "event": "registered" })), 0);

    drop(taken);
    let chromium = browser("alice", Consent::Grant).unwrap();
    let login = desk.mcplink(&["login", "fixed"]).env("BROWSER", chromium.command());
    assert!(login.run().expect_code(0).stderr.contains(&format!("localhost%3A{port}%2Fcallback")));
    assert!(chromium.end().url.starts_with(&format!("http://localhost:{port}/callback?")));
}

#[test]
fn where_no_browser_can_lead_back_the_address_is_pasted() {
    let Some(desk) = desk() else { return };
    // What a fixed registration has for a browser on another machine.
    let redirect = "https://elsewhere.example/callback";
    let desk = desk.with("remote", json!({ "redirectUri": redirect }));
    let mut login = desk.mcplink(&["login", "remote", "--no-browser"]).start();
    let url_of = |text: &str| {
        text.lines()
            .find_map(|line| Some(line.trim()).filter(|line| line.starts_with("http://")).map(str::to_owned))
    };
    let prompt = |text: &str| text.contains("paste its whole address here: ");
    let shown = login.wait_for_stderr("a place to paste", prompt);
    let chromium = browser("alice", Consent::Grant).unwrap();
    chromium.open(&url_of(&shown).unwrap());
    let first = chromium.end().url;
    assert!(first.starts_with(&format!("{redirect}?")), "{first}");

    login.write("no address\n").unwrap();
    login.wait_for_stderr("that this is nothing", |text| text.contains("Paste it again: "));
    login.write(format!("{first}\n")).unwrap();
    // The provider wants its consent page to be seen before it gives a refresh token: a second round.
    let shown = login
        .wait_for_stderr("a second place to paste", |text| text.matches("whole address here: ").count() == 2);
    let second = url_of(shown.rsplit_once("Paste it again: ").unwrap().1).unwrap();
    assert!(second.contains("prompt=consent"), "{second}");
    let chromium = browser("alice", Consent::Grant).unwrap();
    chromium.open(&second);
    login.write(format!("{}\n", chromium.end().url)).unwrap();

    let output = login.wait().expect_code(0);
    assert!(output.stdout.starts_with("signed in to remote with "), "{output}");
    assert_eq!(desk.whoami("remote"), "alice: mcp:tools");
    assert!(desk.provider.is_active(desk.tokens("remote").unwrap().refresh()));
}

#[test]
fn a_device_code_is_entered_on_another_device() {
    let Some(desk) = desk() else { return };
    let login = desk.mcplink(&["login", "work", "--device"]).start();
    let shown = login.wait_for_stderr("the page with the code filled in", |text| text.contains("user_code="));
    let page = shown.lines().map(str::trim).find(|line| line.contains("user_code=")).unwrap();
    let chromium = browser("alice", Consent::Grant).unwrap();
    chromium.open(page);
    let output = login.wait().expect_code(0);
    assert!(output.stdout.starts_with("signed in to work with "), "{output}");
    assert_eq!(desk.whoami("work"), "alice: mcp:tools");
    assert_eq!(desk.provider.count(&json!({ "event": "registered" })), 1);
}
