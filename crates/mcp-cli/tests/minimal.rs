//! The program without its features: what it lacks is told, with what to do. Run by itself, because all other tests are built
//! with the features: `cargo test -p mcplink --no-default-features --test minimal`.

#![cfg(not(any(feature = "demo", feature = "share")))]

use mcp_harness::{Mcplink, Output};
use mcp_testkit::{FakeMcpServer, TempHome};

fn run(home: &TempHome, args: &[&str]) -> Output {
    Mcplink::new(env!("CARGO_BIN_EXE_mcplink"), home).args(args.iter().copied()).run()
}

#[test]
fn a_build_without_the_demo_says_so() {
    let home = TempHome::new().unwrap();
    for args in [&["demo"][..], &["demo", "--keep"]] {
        let output = run(&home, args).expect_code(2);
        assert!(output.stderr.contains("this build has none") && output.stdout.is_empty(), "{output}");
        assert!(output.stderr.contains("next: cargo install"), "{output}");
    }
    let json = run(&home, &["demo", "--json"]).expect_code(2);
    assert!(json.stderr.contains("no-demo") || json.stdout.contains("no-demo"), "{json}");
}

#[test]
fn a_build_without_sharing_refuses_it_and_bridges_alone() {
    let (home, server) = (TempHome::new().unwrap(), FakeMcpServer::start().unwrap());
    let url = server.url().to_string();
    let output = run(&home, &["bridge", &url, "--shared"]).expect_code(2);
    assert!(output.stderr.contains("this build cannot share a connection"), "{output}");
    assert!(output.stderr.contains("next: leave out --shared"), "{output}");
    run(&home, &["bridge", &url]).expect_code(0);
}
