//! The command lines of Claude Code and Codex as their makers publish them: they list a server that was wrapped, and call a tool
//! of it. Their model is one of our own on loopback, and what would go out of this machine goes to a port where nothing listens.

use std::path::Path;
use std::time::Duration;

use mcp_harness::{Mcplink, Model, claude_code, codex, real_or_skip};
use mcp_testkit::{Accept, FakeMcpServer};
use serde_json::json;

use crate::setting::Setting;

/// The host, in the home and the project of `setting`.
fn host<'s>(program: &Path, setting: &'s Setting, words: &[&str]) -> Mcplink<'s> {
    let closed = "http://127.0.0.1:9";
    Mcplink::new(program, &setting.home)
        .args(words.iter().copied())
        .env("HTTPS_PROXY", closed)
        .env("HTTP_PROXY", closed)
        .env("NO_PROXY", "127.0.0.1,localhost")
        .timeout(Duration::from_secs(90))
}

/// What the model was told of the tool.
#[track_caller]
fn assert_called(model: &Model, server: &FakeMcpServer) {
    let asked = model.requests();
    let results: Vec<_> =
        asked.iter().flat_map(|one| one["results"].as_array().into_iter().flatten()).collect();
    let said = |text: &str| results.iter().any(|result| result.as_str().unwrap().contains(text));
    assert!(said("from the host"), "{asked:#?}");
    let calls = server.recorder().matching(|request| request.rpc_method().as_deref() == Some("tools/call"));
    assert_eq!(calls.len(), 1, "through this program to the server");
}

#[test]
fn fh_h5_claude_code_lists_and_calls_a_wrapped_server() {
    let Some(program) = real_or_skip(claude_code()) else { return };
    let server = FakeMcpServer::start().unwrap();
    let model = Model::that_calls("echo", &json!({"text": "from the host"}));
    let setting = Setting::of("web", json!({"type": "http", "url": server.url().as_str()}));
    let _ = setting.run(&["wrap", "claude-code", "web", "--yes", "--no-check"], 0);
    let run = |words: &[&str]| {
        host(&program, &setting, words)
            .env("ANTHROPIC_BASE_URL", model.url())
            .env("ANTHROPIC_API_KEY", "of-no-use")
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            .env("ENABLE_TOOL_SEARCH", "false")
            .run()
            .expect_code(0)
    };
    let listed = run(&["mcp", "list"]);
    let line = format!("web: {} bridge web", env!("CARGO_BIN_EXE_mcplink"));
    let found = listed.stdout.lines().find(|shown| shown.starts_with(&line));
    assert!(found.is_some_and(|shown| shown.contains("Connected")), "{listed}");
    let said = run(&["-p", "call it", "--allowedTools", "mcp__web__echo"]);
    assert!(said.stdout.contains("from the host"), "{said}");
    assert_called(&model, &server);
    // Unwrapped, it is as it was.
    let _ = setting.run(&["unwrap", "claude-code", "web"], 0);
}

#[test]
fn fh_h5_codex_lists_and_calls_a_wrapped_server() {
    let Some(program) = real_or_skip(codex()) else { return };
    // It hands a local server few of its variables, and the token is in one.
    let server = FakeMcpServer::builder().accept(Accept::bearer("of-the-shell")).start().unwrap();
    let model = Model::that_calls("echo", &json!({"text": "from the host"}));
    let setting = Setting::new();
    let text = format!(
        "model = \"of-ours\"\nmodel_provider = \"ours\"\ncheck_for_update_on_startup = false\n\n[analytics]\nenabled = false\n\n\
         [model_providers.ours]\nname = \"ours\"\nbase_url = \"{}/v1\"\nwire_api = \"responses\"\n\n\
         [mcp_servers.web] # mine\nurl = \"{}\"\nbearer_token_env_var = \"WEB_TOKEN\"\n",
        model.url(),
        server.url()
    );
    let file = setting.home.write(".codex/config.toml", &text).unwrap();
    let _ = setting.run(&["wrap", "codex", "web", "--yes", "--no-check"], 0);
    let listed = host(&program, &setting, &["mcp", "list", "--json"]).run().expect_code(0);
    let server_row = &listed.json()[0];
    assert_eq!(server_row["name"], "web", "{listed}");
    assert_eq!(server_row["transport"]["command"], env!("CARGO_BIN_EXE_mcplink"), "{listed}");
    let words = ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "call it"];
    let said = host(&program, &setting, &words).env("WEB_TOKEN", "of-the-shell").run().expect_code(0);
    assert!(said.stdout.contains("from the host"), "{said}");
    assert_called(&model, &server);
    let _ = setting.run(&["unwrap", "codex", "web"], 0);
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
}
