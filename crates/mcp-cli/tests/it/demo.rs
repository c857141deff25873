//! The demo checks what it claims by itself.

use std::time::{Duration, Instant};

use mcp_testkit::{FakeMcpServer, visit};
use serde_json::json;

use crate::setting::Setting;

#[test]
fn the_demo_runs_and_all_of_it_happens_as_told() {
    let setting = Setting::new();
    // Servers of this person, one of which is called as one of the demo is: they are left alone.
    let own = FakeMcpServer::start().unwrap();
    let entry = json!({ "type": "http", "url": own.url().as_str() });
    let servers = json!({ "mcpServers": { "helper": entry, "mine": entry } });
    setting.home.write(".config/mcplink/mcp.json", servers.to_string()).unwrap();
    let before = setting.home.snapshot();
    let output = setting.run(&["demo"], 0);
    assert!(own.requests().is_empty(), "{output}");
    assert!(output.stdout.ends_with("All of it happened as told.\n"), "{output}");
    assert!(!output.stdout.contains("NOT TRUE"), "{output}");
    assert!(!output.stdout.contains("[redacted]"), "{output}");
    assert_eq!(before.changes_until(&setting.home.snapshot()), mcp_testkit::FileChanges::default());
}

/// Wherever it is: in the middle of a command that it runs, and while it waits to be played with.
#[test]
fn the_demo_ends_at_a_signal_and_leaves_nothing_behind() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        for (options, report) in [
            (&["demo"][..], "One truthful status per server"),
            (&["demo"], "waiting "),
            (&["demo", "--keep"], "In another terminal:"),
        ] {
            let setting = Setting::new();
            let folder = setting.home.root().join("tmp");
            std::fs::create_dir_all(&folder).unwrap();
            let before = setting.home.snapshot();
            let demo = setting
                .mcplink(options)
                .env("TMPDIR", folder.to_str().unwrap())
                .timeout(Duration::from_secs(120))
                .start();
            demo.wait_for_stdout(report, |text| text.contains(report));
            let made = std::fs::read_dir(&folder).unwrap().count();
            assert!(made > 0, "its files are here, so that what is left would be seen");
            let began = Instant::now();
            demo.signal(signal);
            // That no process of it is left is seen to by the harness.
            let output = demo.wait().expect_code(code);
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
            let left: Vec<_> =
                std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert!(left.is_empty(), "{report}: {left:?}\n{output}");
            assert_eq!(before.changes_until(&setting.home.snapshot()), mcp_testkit::FileChanges::default());
            for word in ["panicked", "NOT TRUE"] {
                assert!(!format!("{}{}", output.stdout, output.stderr).contains(word), "{output}");
            }
        }
    }
}

#[test]
fn what_the_demo_leaves_running_can_be_played_with_as_it_says() {
    let setting = Setting::new();
    let demo = setting.mcplink(&["demo", "--keep"]).timeout(Duration::from_secs(120)).start();
    let report = demo.wait_for_stdout("where the servers are", |text| text.contains("The configuration is "));
    assert!(report.contains("\nAll of it happened as told.\n"), "{report}");
    let (_, report) = report.split_once("In another terminal:").unwrap();
    let of =
        |start: &str| report.lines().find_map(|line| line.trim().strip_prefix(start)).unwrap().to_owned();
    let play = |args: &[&str]| {
        setting
            .mcplink(args)
            .current_dir(of("cd "))
            .env("CLAUDE_CONFIG_DIR", of("export CLAUDE_CONFIG_DIR="))
            .env("MCPLINK_STATE_DIR", of("export MCPLINK_STATE_DIR="))
    };
    // Nothing is installed where this program is.
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_mcplink")).parent().unwrap();
    assert!(of("export PATH=").starts_with(program.to_str().unwrap()), "{report}");

    for (name, options) in
        [("oauth", "--no-browser"), ("oauth", "--device"), ("helper-and-oauth", "--no-browser")]
    {
        play(&["status", "oauth"]).run().expect_code(3);
        let login = play(&["login", name, options]).start();
        let page = |text: &str| text.lines().rev().find_map(|line| line.trim().parse::<url::Url>().ok());
        let shown = login.wait_for_stderr("the page to open", |text| {
            page(text).is_some_and(|page| options != "--device" || page.query().is_some())
        });
        let last = visit(&page(&shown).unwrap()).unwrap().pop().unwrap();
        assert_eq!(last.status, 200, "{}", last.body);
        let output = login.wait().expect_code(0);
        assert!(output.stdout.starts_with(&format!("signed in to {name} with ")), "{output}");
        if options == "--no-browser" {
            assert!(output.stderr.ends_with("paste its whole address here: \n"), "{output}");
        }
        play(&["status", name]).run().expect_code(0);
        play(&["logout", name]).run().expect_code(0);
    }
    demo.signal("INT");
    demo.wait().expect_code(130);
}
