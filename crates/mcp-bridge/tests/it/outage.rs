//! A server that is down, comes up, wants credentials, and what the host hears meanwhile.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, header};
use mcp_auth::StaticHeaders;
use mcp_testkit::{FakeEra, FakeMcpServer, GetStream, HttpAnswer, ScriptedAnswer};
use serde_json::json;

use crate::support::{HostEra, Setup, eventually, text_of};

const BOTH: [HostEra; 2] = [HostEra::Legacy, HostEra::Modern];

fn bearer(token: &str) -> Arc<StaticHeaders> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    value.set_sensitive(true);
    Arc::new(StaticHeaders::new([(header::AUTHORIZATION, value)]))
}

#[tokio::test]
async fn fb_b35_fa_a114_a_host_is_answered_while_the_server_is_down_and_served_when_it_comes_up() {
    for era in BOTH {
        let server = FakeMcpServer::builder().era(FakeEra::Dual).start().unwrap();
        server.go_down();
        let host = Setup::new(server.url()).start_silent(era);
        let described = host.introduce().await;
        assert!(described["capabilities"]["tools"]["listChanged"] == true, "{described}");
        if era == HostEra::Modern {
            host.send("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}));
        }
        let tools = host.ask("tools/list", json!({})).await;
        assert_eq!(tools["tools"], json!([]), "{era:?}");
        let call = host.send("tools/call", json!({"name": "echo", "arguments": {"text": "first"}}));
        server.come_up().unwrap();
        let response = host.response(call).await;
        assert_eq!(text_of(&response["result"]), "first", "{era:?}: waited for, not refused");
        host.heard("notifications/tools/list_changed").await;
        assert!(!host.ask("tools/list", json!({})).await["tools"].as_array().unwrap().is_empty(), "{era:?}");
        server.go_down();
        let known = host.ask("tools/list", json!({})).await;
        assert_eq!(known["tools"].as_array().unwrap().len(), 5, "{era:?}: the last known list");
    }
}

#[tokio::test]
async fn fb_b36_a_call_that_cannot_be_made_says_why_and_what_to_do() {
    for era in BOTH {
        let server = FakeMcpServer::builder().era(FakeEra::Dual).accept("right").start().unwrap();
        let setup = Setup::new(server.url()).auth(bearer("wrong"));
        let host = setup.start(era).await;
        let error = host.refused("tools/call", json!({"name": "echo", "arguments": {}})).await;
        assert_eq!(error["code"], mcp_bridge::UNAVAILABLE, "{era:?}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("internal needs authentication: "), "{message}");
        assert!(message.ends_with("; next: acme fix internal (connect again)"), "{message}");
        assert!(
            !message.contains("::") && !message.contains("Error {") && !message.contains("wrong"),
            "{message}"
        );
        let data = &error["data"];
        assert_eq!(data["status"], "needs-auth", "{era:?}");
        assert_eq!(data["reason"]["code"], "credentials-rejected", "{era:?}");
        assert_eq!(data["next"], "acme fix internal (connect again)", "{era:?}");
        assert_eq!(data["reason"]["next"], data["next"], "{era:?}");
        assert_eq!(data["source"], "acme", "{era:?}");
        assert_eq!(data["mayHaveRun"], false, "{era:?}");
        assert_eq!(host.ask("tools/list", json!({})).await["tools"], json!([]), "{era:?}");
        let pong = if era == HostEra::Modern { json!({"resultType": "complete"}) } else { json!({}) };
        assert_eq!(host.ask("ping", json!({})).await, pong, "{era:?}");
    }
}

#[tokio::test]
async fn a_host_whose_only_call_failed_hears_when_the_server_is_back() {
    for era in BOTH {
        let server = FakeMcpServer::builder().era(FakeEra::Dual).accept("right").start().unwrap();
        let (handle, started) = tokio::sync::oneshot::channel();
        let handle = std::sync::Mutex::new(Some(handle));
        let setup = Setup::new(server.url()).auth(bearer("wrong")).started(move |supervisor| {
            drop(handle.lock().unwrap().take().unwrap().send(supervisor));
        });
        let host = setup.start(era).await;
        if era == HostEra::Modern {
            host.send("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}));
        }
        // It has listed nothing, and knows nothing but this failure.
        host.refused("tools/call", json!({"name": "echo", "arguments": {}})).await;
        server.accept("wrong");
        started.await.unwrap().reconnect().await;
        host.heard("notifications/tools/list_changed").await;
    }
}

/// It is told what was so when the patience was over, and not after another one what is so no more.
#[tokio::test]
async fn a_call_to_a_server_that_is_gone_waits_once() {
    for era in BOTH {
        let server = FakeMcpServer::builder().era(FakeEra::Dual).start().unwrap();
        let host = Setup::new(server.url()).patience(Duration::from_secs(2)).start(era).await;
        host.ask("tools/list", json!({})).await;
        server.go_down();
        // So that no socket is left which a request could break off on.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let call = host.refused("tools/call", json!({"name": "echo", "arguments": {}}));
        // Half as long again, and not twice as long.
        let error = tokio::time::timeout(Duration::from_secs(3), call).await;
        let error = error.unwrap_or_else(|_| panic!("{era:?}: it waits a second time"));
        assert_eq!(error["data"]["reason"]["code"], "retrying", "{era:?}: {error}");
    }
}

/// Some give their lists to everyone, and want a sign-in for a call.
#[tokio::test]
async fn a_call_that_is_refused_takes_no_list_away_that_the_server_gives_freely() {
    for era in BOTH {
        for auth in [None, Some(bearer("x"))] {
            let server = FakeMcpServer::builder().era(FakeEra::Dual).start().unwrap();
            let setup = Setup::new(server.url());
            let host = match auth {
                Some(auth) => setup.auth(auth),
                None => setup,
            };
            let host = host.start(era).await;
            server.always_to("tools/call", ScriptedAnswer::status(401));
            for _ in 0..2 {
                let error = host.refused("tools/call", json!({"name": "echo", "arguments": {}})).await;
                assert_eq!(error["data"]["status"], "needs-auth", "{era:?}: {error}");
                let tools = host.ask("tools/list", json!({})).await;
                assert_eq!(tools["tools"].as_array().unwrap().len(), 5, "{era:?}");
            }
            assert!(server.count("tools/list") >= 2, "{era:?}: it is the server that gives them");
        }
    }
}

#[tokio::test]
async fn a_window_of_refusals_closes_without_a_restart() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).accept("A").start().unwrap();
    let (handle, started) = tokio::sync::oneshot::channel();
    let handle = std::sync::Mutex::new(Some(handle));
    let setup = Setup::new(server.url()).auth(bearer("A")).started(move |supervisor| {
        drop(handle.lock().unwrap().take().unwrap().send(supervisor));
    });
    let host = setup.start(HostEra::Legacy).await;
    let supervisor = started.await.unwrap();
    assert_eq!(host.ask("tools/list", json!({})).await["tools"].as_array().unwrap().len(), 5);
    server.accept("B");
    let error = host.refused("tools/call", json!({"name": "echo", "arguments": {}})).await;
    assert_eq!(error["data"]["status"], "needs-auth", "{error}");
    let known = host.ask("tools/list", json!({})).await;
    assert_eq!(known["tools"].as_array().unwrap().len(), 5, "the last known list, not none");
    server.accept("A");
    host.forget();
    supervisor.reconnect().await;
    assert_eq!(text_of(&host.call("echo", json!({"text": "back"})).await), "back");
    for list in ["tools", "resources", "prompts"] {
        host.heard(&format!("notifications/{list}/list_changed")).await;
    }
}

#[tokio::test]
async fn a_call_waits_for_a_connection_within_a_limit() {
    // A server that takes connections and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap()).parse().unwrap();
    let setup = Setup::new(url).patience(Duration::from_millis(200));
    let host = setup.start(HostEra::Legacy).await;
    let error = host.refused("tools/call", json!({"name": "echo", "arguments": {}})).await;
    assert_eq!(error["data"]["status"], "pending", "{error}");
    assert!(error["message"].as_str().unwrap().starts_with("internal is not connected yet"), "{error}");
    assert_eq!(host.ask("tools/list", json!({})).await["tools"], json!([]));
    drop(listener);
}

#[tokio::test]
async fn subscriptions_and_levels_outlive_a_connection() {
    for server_era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(server_era).start().unwrap();
        let host = Setup::new(server.url()).start(HostEra::Legacy).await;
        host.ask("resources/subscribe", json!({"uri": "fake://greeting"})).await;
        host.ask("logging/setLevel", json!({"level": "info"})).await;
        host.call("echo", json!({"text": "x"})).await;
        let streams = if server_era == FakeEra::Legacy { 1 } else { 2 };
        server.wait_for_streams(streams).await;
        if server_era == FakeEra::Legacy {
            eventually("the subscription", || server.count("resources/subscribe") == 1).await;
        }
        server.go_down();
        eventually("the loss", || server.open_streams() == 0).await;
        server.expire_sessions();
        server.come_up().unwrap();
        // Without effects, so it may be repeated over the new connection; a call might have run.
        assert_eq!(host.ask("prompts/get", json!({"name": "greet"})).await["messages"][0]["role"], "user");
        if server_era == FakeEra::Legacy {
            let told_again = |method: &str| {
                let session =
                    |r: &mcp_testkit::RecordedRequest| r.header("mcp-session-id") == Some("session-2");
                !server
                    .recorder()
                    .matching(|r| r.rpc_method().as_deref() == Some(method) && session(r))
                    .is_empty()
            };
            eventually("the wishes", || told_again("resources/subscribe") && told_again("logging/setLevel"))
                .await;
        } else {
            server.wait_for_streams(streams).await;
        }
    }
}

#[tokio::test]
async fn what_was_offered_too_generously_is_empty_and_no_error() {
    let server =
        FakeMcpServer::builder().era(FakeEra::Legacy).get_stream(GetStream::Unsupported).start().unwrap();
    let unknown = || mcp_testkit::ScriptedAnswer::RpcError { code: -32601, message: "unknown".into() };
    server.always_to("completion/complete", unknown());
    let host = Setup::new(server.url()).start(HostEra::Legacy).await;
    let completion = host.ask("completion/complete", json!({"ref": {}, "argument": {}})).await;
    assert_eq!(completion, json!({"completion": {"values": []}}));
    // What the server says it has, and then does not know, is its own contradiction to tell.
    server.always_to("prompts/list", unknown());
    assert_eq!(host.refused("prompts/list", json!({})).await["code"], -32601);
}

/// Nothing in its answers says that it forgot the session, and a `ping` is answered no better.
#[tokio::test]
async fn fb_t49_a_session_that_is_forgotten_without_a_word_costs_one_refusal_and_names_its_server() {
    for answer in [
        HttpAnswer::new(200).body("application/json", ""),
        HttpAnswer::new(202),
        HttpAnswer::new(200).body("text/plain", "OK"),
    ] {
        let shown = format!("{answer:?}");
        let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
        server.say_of_unknown_sessions(answer);
        let host = Setup::new(server.url()).start(HostEra::Legacy).await;
        assert_eq!(text_of(&host.call("echo", json!({"text": "one"})).await), "one", "{shown}");
        server.expire_sessions();
        let error = host.refused("tools/call", json!({"name": "echo", "arguments": {"text": "two"}})).await;
        let message = error["message"].as_str().unwrap();
        let origin = server.url().origin().ascii_serialization();
        assert!(
            message.contains(&format!("what came from {origin}")) && message.contains("is not MCP"),
            "{shown}: {message}"
        );
        let mut last = json!(null);
        for _ in 0..100 {
            last = host.exchange("tools/call", json!({"name": "echo", "arguments": {"text": "three"}})).await;
            if last.get("result").is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(text_of(&last["result"]), "three", "{shown}: {last}");
    }
}

/// Where the answer was lost, and not where nothing was sent.
#[tokio::test]
async fn a_call_whose_answer_was_lost_may_have_run_and_is_told_so() {
    for era in BOTH {
        let server = FakeMcpServer::builder().era(FakeEra::Dual).start().unwrap();
        let host = Setup::new(server.url()).start(era).await;
        host.call("echo", json!({"text": "x"})).await;
        server.always_to("tools/call", ScriptedAnswer::Drop);
        let error = host.refused("tools/call", json!({"name": "echo", "arguments": {}})).await;
        assert_eq!(error["data"]["mayHaveRun"], true, "{era:?}: {error}");
        assert!(error["message"].as_str().unwrap().contains("; it may have run; next: "), "{era:?}: {error}");
    }
}

#[tokio::test]
async fn a_person_is_asked_to_sign_in_by_the_first_call_that_wants_it_and_once() {
    for era in BOTH {
        let server = FakeMcpServer::builder().era(FakeEra::Dual).start().unwrap();
        let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = asked.clone();
        let setup = Setup::new(server.url()).sign_in(Arc::new(move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Box::pin(async { false })
        }));
        let host = setup.start(era).await;
        host.call("echo", json!({"text": "x"})).await;
        // It gives its lists to everyone, so the connection stands all the while.
        server.always_to("tools/call", ScriptedAnswer::status(401));
        for _ in 0..3 {
            host.refused("tools/call", json!({"name": "echo", "arguments": {}})).await;
            let known = host.ask("tools/list", json!({})).await;
            assert_eq!(known["tools"].as_array().unwrap().len(), 5, "{era:?}");
        }
        eventually("a person is asked", || asked.load(std::sync::atomic::Ordering::Relaxed) == 1).await;
    }
}

#[tokio::test]
async fn f100_a_renewed_session_is_told_to_the_host_once() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let host = Setup::new(server.url()).start(HostEra::Legacy).await;
    host.ask("tools/list", json!({})).await;
    host.forget();
    server.expire_sessions();
    const CHANGED: &str = "notifications/tools/list_changed";
    // The call that renews it may be answered before it is known that there is something to tell.
    for number in 0..20 {
        host.call("echo", json!({"text": "x"})).await;
        if host.count(CHANGED) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10 * number)).await;
    }
    host.heard(CHANGED).await;
    for _ in 0..3 {
        host.call("echo", json!({"text": "x"})).await;
    }
    assert_eq!(host.count(CHANGED), 1, "{:#?}", host.lines());
}
