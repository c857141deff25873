//! Local servers that die, under a supervisor: real processes of a few lines of shell.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mcp_status::{ReasonCode, ServerStatus};
use mcp_testkit::shell_server_with;
use mcp_transport::retry::RetryPolicy;
use mcp_transport::supervisor::{RequestError, RequestErrorKind, SupervisorConfig, SupervisorPolicy};
use mcp_transport::{
    Endpoint, RequestOptions, Server, StdioEndpoint, Supervisor, SupervisorHandle, TransportErrorKind,
};
use serde_json::json;

use crate::support::{connector, raw, text_of};

/// A server that notes each of its starts, and does in a call what it is told.
fn server() -> String {
    let cases = r#"
    *'"tools/list"'*) eval "$AT_LIST"; result='{"tools":[{"name":"hello","inputSchema":{"type":"object"}}]}' ;;
    *'exit 0'*) exit 0 ;;
    *'exit 1'*) echo 'out of luck' >&2; exit 1 ;;
    *'kill'*) kill -9 $$ ;;"#;
    format!("echo $$ >>\"$STARTS\"\neval \"$AT_START\"\n{}", shell_server_with(cases))
}

struct Local {
    dir: tempfile::TempDir,
    handle: SupervisorHandle,
}

impl Local {
    async fn start(variables: &[(&str, &str)], policy: SupervisorPolicy) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut endpoint = StdioEndpoint::new("/bin/sh");
        endpoint.args = vec!["-c".into(), server().into()];
        endpoint.env.insert("PATH".into(), "/usr/bin:/bin".into());
        endpoint.env.insert("STARTS".into(), starts_of(dir.path()).into());
        endpoint.env.insert("DIR".into(), dir.path().into());
        for (name, value) in variables {
            endpoint.env.insert(name.into(), value.into());
        }
        let server = Server::new(Endpoint::Stdio(endpoint));
        let source = move || std::future::ready(Ok(server.clone()));
        let config = SupervisorConfig::new("local", source).with_policy(policy);
        let handle = Supervisor::start(connector(), config);
        handle.decided().await;
        Self { dir, handle }
    }

    fn starts(&self) -> usize {
        std::fs::read_to_string(starts_of(self.dir.path())).unwrap_or_default().lines().count()
    }

    async fn call(&self, what: &str) -> Result<String, RequestError> {
        let arguments = raw(&json!({ "what": what }));
        let result = self.handle.call_tool("hello", Some(&arguments), &RequestOptions::new()).await?;
        Ok(text_of(&result))
    }
}

fn starts_of(dir: &Path) -> PathBuf {
    dir.join("starts")
}

/// No start by itself for as long as a test lasts, so that what callers cause can be told apart.
fn patient() -> SupervisorPolicy {
    let mut policy = SupervisorPolicy::long_lived();
    policy.session.jitter = 0.0;
    policy.list = Some(RetryPolicy::none());
    policy
}

#[tokio::test]
async fn fa_a22_a_death_in_a_call_fails_that_call_and_heals_at_the_next() {
    for (what, code, signal) in
        [("exit 0", Some(0), None), ("exit 1", Some(1), None), ("kill", None, Some(9))]
    {
        let local = Local::start(&[], patient()).await;
        let error = local.call(what).await.unwrap_err();
        match error.kind() {
            RequestErrorKind::Transport(error) => {
                assert_eq!(*error.kind(), TransportErrorKind::Exited { code, signal });
                assert!(error.may_have_been_sent(), "a call that may have run is not repeated");
            }
            other => panic!("{other:?}"),
        }
        let began = Instant::now();
        assert_eq!(local.call("work").await.unwrap(), "hello", "after {what}");
        assert!(began.elapsed() < Duration::from_secs(20));
        assert_eq!(local.starts(), 2, "one start for each");
        assert_eq!(local.handle.snapshot().status, ServerStatus::Connected);
        local.handle.close().await;
    }
}

#[tokio::test]
async fn fa_a22_the_status_tells_the_truth_until_then() {
    let local = Local::start(&[("AT_START", "[ $(wc -l <\"$STARTS\") = 1 ] || sleep 2")], patient()).await;
    local.call("exit 1").await.unwrap_err();
    let seen = local.handle.snapshot();
    assert_eq!(seen.status, ServerStatus::Pending, "{seen:?}");
    let reason = seen.reason().unwrap();
    assert!(
        matches!(reason.code, ReasonCode::Retrying | ReasonCode::Connecting)
            && (reason.code == ReasonCode::Connecting
                || reason.message.contains("exited with code 1: out of luck")),
        "{reason:?}"
    );
    local.handle.close().await;
}

#[tokio::test]
async fn fa_a22_a_process_that_dies_in_every_call_is_not_started_by_every_call() {
    let local = Local::start(&[], patient()).await;
    let began = Instant::now();
    let mut deaths = 0;
    while began.elapsed() < Duration::from_millis(2500) {
        assert!(local.call("exit 1").await.is_err());
        deaths += 1;
    }
    // At 0, 0, 1 and 3 s; as fast as they come, it would be dozens.
    assert!(deaths <= 5 && local.starts() <= 6, "{deaths} deaths, {} starts", local.starts());
    assert_eq!(local.call("work").await.unwrap(), "hello", "it is only slowed down");
    local.handle.close().await;
}

#[tokio::test]
async fn fa_a22_a_successor_that_comes_too_early_for_a_port_is_started_once_more() {
    // The second start finds a lock that its predecessor left, the third does not.
    let lock = "[ $(wc -l <\"$STARTS\") = 2 ] && { echo 'address already in use' >&2; exit 98; }";
    let local = Local::start(&[("AT_START", lock)], patient()).await;
    local.call("kill").await.unwrap_err();
    assert_eq!(local.call("work").await.unwrap(), "hello");
    assert_eq!(local.starts(), 3);
    local.handle.close().await;
}

#[tokio::test]
async fn fa_a23_a_list_is_asked_again_of_the_next_process() {
    // It has no effects, so a death in it costs nothing.
    let once = "[ -e \"$DIR/dead\" ] || { [ -e \"$DIR/armed\" ] && { : >\"$DIR/dead\"; exit 1; }; }";
    let local = Local::start(&[("AT_LIST", once)], patient()).await;
    std::fs::write(local.dir.path().join("armed"), "").unwrap();
    let tools = local.handle.list_tools(&RequestOptions::new()).await.unwrap();
    assert_eq!((tools.tools.len(), local.starts()), (1, 2));
    local.handle.close().await;
}

#[tokio::test]
async fn fa_a22_a_process_that_dies_when_it_is_asked_for_its_tools_is_not_connected() {
    let local = Local::start(&[("AT_LIST", "echo 'no database' >&2; exit 4")], patient()).await;
    let seen = local.handle.snapshot();
    assert_eq!((seen.status, seen.code), (ServerStatus::Failed, Some(ReasonCode::Exited)));
    let message = seen.reason().unwrap().message;
    assert!(message.contains("code 4") && message.ends_with("no database"), "{message}");
    assert_eq!(local.starts(), 1, "it never worked");
    local.handle.close().await;
}

impl Local {
    /// Stops the process that was started last, as Ctrl-Z of a job or a debugger does.
    #[cfg(target_os = "linux")]
    fn stop_process(&self) -> String {
        let starts = std::fs::read_to_string(starts_of(self.dir.path())).unwrap();
        let pid = starts.lines().last().unwrap().to_owned();
        assert!(std::process::Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
        pid
    }
}

/// It lives, answers nothing, and is no busy one: a call does not wait for it without end, and the next one is served.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_that_is_stopped_ends_its_call_and_is_started_again() {
    let local = Local::start(&[], patient()).await;
    let pid = local.stop_process();
    let error = tokio::time::timeout(Duration::from_secs(20), local.call("work")).await.unwrap().unwrap_err();
    let RequestErrorKind::Transport(error) = error.kind() else { panic!("{error:?}") };
    assert!(matches!(error.kind(), TransportErrorKind::Timeout { .. }), "{error:?}");
    assert!(error.may_have_been_sent());
    let told = format!("process {pid} of the command is stopped");
    assert!(error.said().is_some_and(|said| said.starts_with(&told)), "{error:?}");
    assert_eq!(local.call("work").await.unwrap(), "hello");
    assert_eq!(local.starts(), 2);
    assert!(!Path::new("/proc").join(&pid).exists(), "it is gone");
    local.handle.close().await;
}

/// Nor is it connected: a status query finds out, and what is so is told until the next process is there.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_that_is_stopped_while_it_is_idle_is_not_shown_as_connected() {
    let local = Local::start(&[("AT_START", "[ $(wc -l <\"$STARTS\") = 1 ] || sleep 2")], patient()).await;
    let pid = local.stop_process();
    let mut status = local.handle.status();
    let lost = status.wait_for(|snapshot| snapshot.status != ServerStatus::Connected);
    let seen = async {
        // Asked as often as it takes: a machine may be busy.
        loop {
            local.handle.verify().await;
        }
    };
    let lost = tokio::select! {
        lost = tokio::time::timeout(Duration::from_secs(20), lost) => lost.unwrap().unwrap().clone(),
        () = seen => unreachable!("it asks without end"),
    };
    let message = lost.reason().unwrap().message;
    assert!(message.contains(&format!("process {pid} of the command is stopped")), "{message}");
    assert_eq!(local.call("work").await.unwrap(), "hello");
    assert_eq!((local.starts(), local.handle.snapshot().status), (2, ServerStatus::Connected));
    local.handle.close().await;
}

/// What is printed of an answer that is not a message on one line: as it can be read, or as what it is, and never nothing.
#[tokio::test]
async fn fb_t4_an_answer_that_is_no_line_of_json_is_read_or_told_and_never_waited_for() {
    const ANSWER: &str =
        r#"{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"hello"}]%s}}"#;
    let answer = |more: &str| ANSWER.replacen("]%s", &format!("]{more}"), 1);
    let read = [
        ("latin1", format!(r#"printf '{}\n' "$id""#, answer(r#","note":"gr\374\337e""#))),
        ("NaN", format!(r#"printf '{}\n' "$id""#, answer(r#","score":NaN,"most":-Infinity"#))),
        ("behind", format!(r#"printf '{} # took 3 ms\n' "$id""#, answer(""))),
        ("before", format!(r#"printf 'INFO: sending {}\n' "$id""#, answer(""))),
        ("lines", format!(r#"printf '{}\n' "$id""#, answer("").replace(',', ",\\n  ").replace('{', "{\\n "))),
        // What is said of the request is not an answer, and the answer comes behind it.
        ("echo", format!(r#"printf 'got %s\n' "$line"; printf '{}\n' "$id""#, answer(""))),
        ("log", format!(r#"printf '{{"id":%s,"level":"info"}}\n' "$id"; printf '{}\n' "$id""#, answer(""))),
    ];
    let local = |print: &str| {
        let cases = format!("    *'\"tools/call\"'*) {print}; continue ;;");
        let mut endpoint = StdioEndpoint::new("/bin/sh");
        endpoint.args = vec!["-c".into(), shell_server_with(&cases).into()];
        endpoint.secrets = ["canary"].into_iter().collect();
        Server::new(Endpoint::Stdio(endpoint))
    };
    let call = async |print: &str| {
        let connection = connector().attempt(&local(print)).await.unwrap();
        let arguments = raw(&json!({}));
        let options = RequestOptions::new().with_timeout(Duration::from_secs(20));
        let outcome = connection.call_tool("hello", Some(&arguments), &options).await;
        connection.close().await;
        outcome.map(|result| text_of(&result))
    };
    for (name, print) in read {
        assert_eq!(call(&print).await.unwrap_or_else(|error| panic!("{name}: {error:?}")), "hello", "{name}");
    }
    for (print, told) in [
        (r#"printf '{"jsonrpc":"2.0","id":%s,"result":{"a":canary}}\n' "$id""#, "breaks at its column"),
        (r#"printf '{"jsonrpc":"2.0","id":%s,"result":{"a":\n' "$id""#, "has no end"),
        (r#"printf 'Content-Length: 20\r\n\r\n'"#, "frames its messages"),
        (r#"printf 'WARN {"jsonrpc":"2.0","id":%s,"result":{"a":\n' "$id""#, "has no end"),
    ] {
        let error = call(print).await.unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Protocol, "{print}: {error:?}");
        let said = error.said().unwrap_or_default();
        assert!(said.contains(told) && !said.contains("canary"), "{print}: {said}");
        assert!(error.may_have_been_sent());
    }
}
