//! Whatever a loop goes through, it ends at its first repetition, with its name, and leaves no process behind.

use std::path::Path;
use std::time::{Duration, Instant};

use mcp_harness::marked_processes;
use mcp_testkit::{Accept, FakeMcpServer};
use serde_json::{Value, json};

use crate::bridge::{INITIALIZE, INITIALIZED, ask, response, say};
use crate::local::{SERVER, shell};
use crate::loops::{BINARY, Stage, contains, entry, exec, message};
use crate::setting::{http, row};

/// The row tells the loop, the command ends as a configuration error, and the scripts were started this often.
#[track_caller]
fn ends(stage: &Stage, name: &str, trail: &str, starts: &[&str]) {
    let document = stage.mcplink(&["status", name, "--json"]).run().expect_code(2).json();
    let row = row(&document, name);
    let reason = &row["reason"];
    assert_eq!((&row["status"], &reason["code"]), (&json!("failed"), &json!("self-reference")), "{row:#}");
    assert_eq!(reason["retryable"], false);
    // The entry has to be changed, and this is where it stands.
    contains(reason["next"].as_str().unwrap(), &format!("correct the entry of {name} in /"));
    contains(message(&row), ".claude.json:");
    contains(message(&row), &format!("leads back to itself: {trail}"));
    assert!(row["actions"].as_array().unwrap().contains(&json!("edit-config")), "{row:#}");
    assert_eq!(stage.starts(), starts);
    leaves_nothing(stage);
}

/// The processes of this home that are still there, given time to end. (The harness looks for its own variable, which these
/// scripts take away.)
#[track_caller]
fn leaves_nothing(stage: &Stage) {
    let home = format!("HOME={}", stage.setting.home.home().display());
    let began = Instant::now();
    loop {
        let left = marked_processes(&home);
        if left.is_empty() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(15), "{left:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The ways in which a script goes on to the real binary, each losing more of what it was started with. `{}` stands for the
/// program and its arguments.
const WAYS: &[&str] = &[
    "exec {}",
    "unset MCPLINK_CHAIN; exec {}",
    "MCPLINK_CHAIN=x exec {}",
    "MCPLINK_CHAIN= exec {}",
    "env -i HOME=\"$HOME\" PATH=\"$PATH\" {}",
    // Nothing is left of a process that replaces itself and its environment.
    "exec env -i HOME=\"$HOME\" PATH=\"$PATH\" {}",
    // What stands in between passes on what is said and nothing else.
    "cat | env -i HOME=\"$HOME\" PATH=\"$PATH\" {}",
    // Of another session, without a parent: no process above tells anything.
    #[cfg(target_os = "linux")]
    "exec 3<&0; ( setsid env -i HOME=\"$HOME\" PATH=\"$PATH\" {} <&3 & ); sleep 20",
];

fn way(way: &str, args: &str) -> String {
    way.replace("{}", &format!("'{BINARY}' {args}"))
}

#[test]
fn s_b2_a_loop_through_whatever_is_lost_ends_at_the_first_repetition() {
    for lost in WAYS {
        let mut stage = Stage::new();
        let wrapper = stage.script("wrapper", &way(lost, "bridge internal"));
        stage.write("internal", entry(&[wrapper.to_str().unwrap()]));
        ends(&stage, "internal", "internal → internal", &["wrapper"]);
    }
}

#[test]
fn s_b2_the_same_with_a_shared_connection() {
    for lost in WAYS {
        let mut stage = Stage::new();
        let wrapper = stage.script("wrapper", &way(lost, "bridge --shared internal"));
        stage.write("internal", entry(&[wrapper.to_str().unwrap()]));
        ends(&stage, "internal", "internal → internal", &["wrapper"]);
    }
}

#[test]
fn s_b2_two_wrappers_that_lead_to_each_other_end_at_the_first_repetition() {
    for (lost, shared) in WAYS.iter().flat_map(|lost| [(lost, ""), (lost, "--shared ")]) {
        let mut stage = Stage::new();
        let a = stage.script("to-b", &way(lost, &format!("bridge {shared}b")));
        let b = stage.script("to-a", &way(lost, &format!("bridge {shared}a")));
        stage.write("a", entry(&[a.to_str().unwrap()]));
        stage.write("b", entry(&[b.to_str().unwrap()]));
        ends(&stage, "a", "a → b → a", &["to-b", "to-a"]);
    }
}

#[test]
fn s_b2_a_loop_of_three_names_all_of_them() {
    let mut stage = Stage::new();
    for (name, next) in [("a", "b"), ("b", "c"), ("c", "b")] {
        let script = stage.script(name, &way(WAYS[1], &format!("bridge {next}")));
        stage.write(name, entry(&[script.to_str().unwrap()]));
    }
    // `a` is not part of it, and does not work because of it.
    ends(&stage, "a", "b → c → b", &["a", "b", "c"]);
}

/// A host that is another program keeps its bridge, and each call says which loop it is.
#[test]
fn s_b2_a_host_hears_of_the_loop_at_every_call() {
    for (lost, shared) in WAYS.iter().flat_map(|lost| [(lost, false), (lost, true)]) {
        let mut stage = Stage::new();
        let flag = if shared { "--shared " } else { "" };
        let wrapper = stage.script("wrapper", &way(lost, &format!("bridge {flag}internal")));
        stage.write("internal", entry(&[wrapper.to_str().unwrap()]));
        let args = if shared { &["bridge", "--shared", "internal"][..] } else { &["bridge", "internal"] };
        let mut host = stage.mcplink(args).start();
        say(&mut host, INITIALIZE);
        response(&host, 0);
        say(&mut host, INITIALIZED);
        let error =
            ask(&mut host, 1, "tools/call", json!({ "name": "echo", "arguments": {} }))["error"].take();
        assert_eq!(error["data"]["reason"]["code"], "self-reference", "{error:#}");
        contains(error["message"].as_str().unwrap(), "leads back to itself: internal → internal");
        drop(host.wait().expect_code(0));
        assert_eq!(stage.starts(), ["wrapper"], "{lost}");
        leaves_nothing(&stage);
    }
}

#[test]
fn s_b2_an_entry_cannot_take_the_chain_away() {
    for variables in [json!({ "MCPLINK_CHAIN": "" }), json!({ "MCPLINK_CHAIN": "x" })] {
        let mut stage = Stage::new();
        let wrapper = stage.script("wrapper", &exec("bridge internal"));
        let mut wrapped = entry(&[wrapper.to_str().unwrap()]);
        wrapped["env"] = variables;
        stage.write("internal", wrapped);
        ends(&stage, "internal", "internal → internal", &["wrapper"]);
    }
}

#[test]
fn s_b2_the_least_environment_still_has_the_chain() {
    let mut stage = Stage::new();
    let wrapper = stage.script("wrapper", &exec("bridge internal"));
    stage.write("internal", entry(&[wrapper.to_str().unwrap()]));
    let run =
        stage.mcplink(&["status", "internal", "--json"]).env("CLAUDE_CODE_MCP_ALLOWLIST_ENV", "1").run();
    contains(message(&row(&run.json(), "internal")), "internal → internal");
    assert_eq!(stage.starts(), ["wrapper"]);
}

#[test]
fn s_b2_what_loops_without_a_repetition_ends_at_a_depth() {
    let mut stage = Stage::new();
    // Each turn brings an entry of a name that was not there before along.
    let script = stage.bin().join("turn");
    let then = format!(
        "name=turn$(wc -l <\"$HOME/starts\" | tr -d ' ')\n\
         exec '{BINARY}' --mcp-config \"{{\\\"mcpServers\\\":{{\\\"$name\\\":{{\\\"command\\\":\\\"{}\\\"}}}}}}\" bridge \"$name\"",
        script.display()
    );
    stage.script("turn", &then);
    stage.write("first", entry(&[script.to_str().unwrap()]));
    // Seven are above already, so that the depth is reached before the script refuses to go on.
    let output = stage.mcplink(&["call", "first", "echo"]).env("MCPLINK_CHAIN", "a,b,c,d,e,f").run();
    assert_ne!(output.code, Some(0), "{output}");
    contains(&output.stderr, "is not started below 8 others");
    assert_eq!(stage.starts(), ["turn", "turn"], "{output}");
}

#[test]
fn s_b2_a_server_that_asks_for_the_status_of_all_is_not_started_by_it() {
    let mut stage = Stage::new();
    let asks = stage.script("asks", &format!("'{BINARY}' status --json >\"$HOME/inner.json\"\n{SERVER}"));
    stage.write("asking", entry(&[asks.to_str().unwrap()]));
    stage.write("other", shell(SERVER));
    let document = stage.mcplink(&["status", "--json"]).run().expect_code(0).json();
    assert_eq!(row(&document, "asking")["status"], "connected");
    assert_eq!(stage.starts(), ["asks"]);
    let inner: Value = serde_json::from_str(&read(&stage, "inner.json")).unwrap();
    assert_eq!(row(&inner, "other")["status"], "connected");
    let asking = row(&inner, "asking");
    assert_eq!(asking["reason"]["code"], "self-reference", "{asking:#}");
    contains(message(&asking), ".claude.json:");
    contains(message(&asking), "leads back to itself: asking → asking");
}

#[test]
fn s_b2_a_helper_that_asks_for_its_own_server_runs_once() {
    let server = FakeMcpServer::builder().accept(Accept::bearer("t")).start().unwrap();
    let mut stage = Stage::new();
    let helper = stage.script("helper", &exec("call internal token"));
    let mut minted = http(&server);
    minted["headersHelper"] = json!(helper.to_str().unwrap());
    stage.write("internal", minted);
    let document = stage.mcplink(&["status", "internal", "--json"]).run().expect_code(3).json();
    let row = row(&document, "internal");
    assert_eq!(row["reason"]["code"], "helper-failed", "{row:#}");
    assert_eq!(stage.starts(), ["helper"]);
}

#[test]
fn s_b2_the_chain_of_one_entry_does_not_stop_another() {
    let server = FakeMcpServer::builder().start().unwrap();
    let mut stage = Stage::new();
    // `front` is a server that is a bridge to `back`, which is a server: no loop, however long the way.
    let front = stage.script("front", &exec("bridge back"));
    let back = stage.script("back", &exec(&format!("bridge {}", server.url())));
    stage.write("front", entry(&[front.to_str().unwrap()]));
    stage.write("back", entry(&[back.to_str().unwrap()]));
    contains(&stage.run(&["call", "front", "echo", "text=hello"], 0).stdout, "hello");
    assert_eq!(stage.starts(), ["front", "back"]);
}

fn read(stage: &Stage, file: impl AsRef<Path>) -> String {
    std::fs::read_to_string(stage.setting.home.home().join(file)).unwrap()
}

/// A live session starts its server, or runs its helper, below nothing that it was asked by: a process below it that asks for
/// another start would get one each time, without end.
#[test]
fn s_b2_what_a_session_starts_does_not_have_it_started_again() {
    let ways = [
        "'{}' reconnect internal",
        "env -i HOME=\"$HOME\" MCPLINK_RUNTIME_DIR=\"$MCPLINK_RUNTIME_DIR\" '{}' reconnect internal",
        "unset MCPLINK_CHAIN; '{}' reconnect --all",
        "cd /; '{}' --strict-mcp-config --mcp-config '{\"mcpServers\":{ }}' reconnect internal",
    ];
    for (way, of_helper) in ways.iter().flat_map(|way| [(way, false), (way, true)]) {
        let server = FakeMcpServer::builder().start().unwrap();
        let mut stage = Stage::new();
        let asks = format!("( {} ) >\"$HOME/said\" 2>&1", way.replace("{}", BINARY));
        if of_helper {
            let helper = stage.script("asks", &format!("{asks}\necho '{{\"X-A\": \"b\"}}'"));
            let mut minted = http(&server);
            minted["headersHelper"] = json!(helper.to_str().unwrap());
            stage.write("internal", minted);
        } else {
            let asks = stage.script("asks", &format!("{asks}\n{SERVER}"));
            stage.write("internal", entry(&[asks.to_str().unwrap()]));
        }
        let mut host = stage.mcplink(&["bridge", "internal"]).start();
        say(&mut host, INITIALIZE);
        response(&host, 0);
        say(&mut host, INITIALIZED);
        let tool = if of_helper { "echo" } else { "hello" };
        let answer = ask(&mut host, 1, "tools/call", json!({ "name": tool, "arguments": {"text": "hello"} }));
        contains(&answer["result"].to_string(), "hello");
        drop(host.wait().expect_code(0));
        assert_eq!(stage.starts(), ["asks"], "{way}");
        contains(
            &read(&stage, "said"),
            "was left alone: what an entry starts makes no session start it again",
        );
        leaves_nothing(&stage);
    }
}

/// An agent that is a server here, and a host of bridges itself, may have these connect again.
#[test]
fn s_b2_an_agent_below_an_entry_has_its_own_sessions_connect_again() {
    let mut stage = Stage::new();
    let agent = format!(
        "mkfifo \"$HOME/in\"\n\
         '{BINARY}' bridge other <\"$HOME/in\" >\"$HOME/out\" &\n\
         exec 3>\"$HOME/in\"\n\
         printf '%s\\n' '{INITIALIZE}' >&3\n\
         until [ -s \"$HOME/out\" ]; do sleep 0.05; done\n\
         '{BINARY}' reconnect other --json >\"$HOME/reconnected.json\"\n\
         exec 3>&-\n{SERVER}"
    );
    let agent = stage.script("agent", &agent);
    stage.write("agent", entry(&[agent.to_str().unwrap()]));
    stage.write("other", shell(SERVER));
    contains(&stage.run(&["call", "agent", "hello"], 0).stdout, "hello");
    assert_eq!(stage.starts(), ["agent"]);
    let inner: Value = serde_json::from_str(&read(&stage, "reconnected.json")).unwrap();
    let reconnected = &row(&inner, "other")["reconnected"];
    assert_eq!(reconnected[0]["status"], "connected", "{inner:#}");
    leaves_nothing(&stage);
}
