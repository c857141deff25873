//! The fake browser, started as a program would start one.

use std::process::Command;
use std::time::Duration;

use mcp_testkit::{FakeBrowser, FakeMcpServer, HttpAnswer};

#[test]
fn it_notes_its_arguments_follows_redirects_and_keeps_the_page() {
    let server = FakeMcpServer::start().unwrap();
    server.route("/start", HttpAnswer::new(302).header("location", "/end?code=1"));
    server.route("/end", HttpAnswer::new(200).body("text/html", "<p>signed in"));
    let url = server.url_of("/start?a=$HOME&b=;id").to_string();
    let browser = FakeBrowser::new().unwrap();
    assert!(Command::new(browser.command()).arg(&url).status().unwrap().success());
    assert_eq!(browser.arguments(), [url.as_str()], "one argument, untouched by a shell");
    for _ in 0..1000 {
        if browser.page() == "<p>signed in" {
            assert_eq!(server.recorder().requests_to("/end").len(), 1);
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the browser ended on {:?}", browser.page());
}

#[test]
fn an_idle_browser_visits_nothing() {
    let server = FakeMcpServer::start().unwrap();
    let browser = FakeBrowser::idle().unwrap();
    assert!(Command::new(browser.command()).arg(server.url().as_str()).status().unwrap().success());
    assert_eq!((browser.arguments().len(), server.requests().len()), (1, 0));
}
