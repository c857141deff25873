//! The secrets of a sign-in, repeated by the servers that gave or received them: client secret, registration access token, code, verifier,
//! device code, access, refresh and ID token, at each step that can fail, with everything logged.

use std::time::Duration;

use mcp_harness::{Output, Running};

use crate::repeating::{Refusals, Repeating};
use crate::setting::Setting;

/// A home with an entry for a server that repeats what it knows.
fn repeating(refusals: Refusals) -> (Setting, Repeating) {
    let setting = Setting::new();
    let server = Repeating::start(setting.home.canaries(), refusals);
    let setting = setting.with("s", server.entry());
    (setting, server)
}

fn start<'a>(setting: &'a Setting, args: &[&str]) -> Running<'a> {
    let program =
        setting.mcplink(&[args, &["-vv"]].concat()).env("RUST_LOG", "trace").env("MCP_TIMEOUT", "20000");
    program.may_hold_secrets("state").start()
}

/// The harness looks for the secrets in what it printed and wrote.
#[track_caller]
fn run(setting: &Setting, args: &[&str]) -> Output {
    let output = start(setting, args).wait();
    assert!(output.stderr.contains("TRACE"), "nothing was logged, so nothing was tested: {output}");
    output
}

/// Signs in, a person and a browser included.
#[track_caller]
fn login(setting: &Setting, server: &Repeating) -> Output {
    let login = start(setting, &["login", "s", "--no-browser"]);
    let is_page = |word: &&str| word.starts_with("http://") && word.contains("code_challenge=");
    let shown = login.wait_for_stderr("the page", |text| {
        text.split_whitespace().any(|word| is_page(&word) && text.contains("paste"))
    });
    let page = shown.split_whitespace().find(is_page).unwrap().to_owned();
    server.come_back(&page);
    let output = login.wait();
    // The state is in the address that a person is given, and nowhere else.
    let page = url::Url::parse(&page).unwrap();
    let state = page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    for line in output.stderr.lines().chain(output.stdout.lines()).filter(|line| line.contains(&state)) {
        assert!(line.trim().starts_with("http://") && line.contains("code_challenge="), "{line}");
    }
    output
}

fn assert_known(server: &Repeating, names: &[&str]) {
    let known = server.known();
    assert!(names.iter().all(|name| known.iter().any(|known| known == name)), "{known:?}");
}

#[test]
fn s_m11_k5_a_registration_that_is_refused_repeats_nothing() {
    let (setting, _server) = repeating(Refusals { registration: true, ..Refusals::default() });
    let output = run(&setting, &["login", "s", "--no-browser", "--non-interactive"]);
    assert!(output.code != Some(0) && output.stderr.contains("no:"), "{output}");
}

#[test]
fn s_m11_k5_a_code_that_is_refused_is_not_shown_and_neither_is_what_proves_it() {
    let (setting, server) = repeating(Refusals { token: true, ..Refusals::default() });
    let output = login(&setting, &server);
    assert_known(&server, &["client_secret", "registration_access_token", "code", "code_verifier"]);
    assert!(output.code != Some(0) && output.stderr.contains("no:"), "{output}");
}

#[test]
fn s_m11_k5_tokens_are_not_shown_when_they_are_used_renewed_refused_and_given_back() {
    let (setting, server) = repeating(Refusals { served: true, ..Refusals::default() });
    drop(login(&setting, &server).expect_code(0));
    assert_known(&server, &["access_token", "refresh_token", "id_token"]);
    // It lives for a second, and so it is renewed by what comes next.
    std::thread::sleep(Duration::from_secs(2));
    drop(run(&setting, &["status", "s"]).expect_code(0));
    // The server refuses what was given, and says so with all of it.
    server.refuses(Refusals { refresh: true, ..Refusals::default() });
    for command in [&["status", "s"][..], &["status", "s", "--json"], &["tools", "s"], &["reconnect", "s"]] {
        assert_ne!(run(&setting, command).code, Some(0), "{command:?}");
    }
    let _ = start(&setting, &["get", "s"]).wait();
    server.refuses(Refusals { served: true, revocation: true, ..Refusals::default() });
    drop(login(&setting, &server).expect_code(0));
    let output = run(&setting, &["logout", "s"]);
    assert!(output.stdout.contains("signed out of s"), "{output}");
    assert_known(&server, &["token"]);
}

#[test]
fn s_m11_k5_a_device_code_is_for_the_server_alone() {
    let (setting, server) = repeating(Refusals { devices_only: true, token: true, ..Refusals::default() });
    let output = run(&setting, &["login", "s", "--device"]);
    assert_known(&server, &["device_code"]);
    assert!(output.code != Some(0) && output.stderr.contains("no:"), "{output}");
    let (setting, _server) = repeating(Refusals { devices_only: true, device: true, ..Refusals::default() });
    assert!(run(&setting, &["login", "s", "--device"]).stderr.contains("no:"));
}
