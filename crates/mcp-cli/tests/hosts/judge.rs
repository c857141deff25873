//! What a host must have seen, whatever it is written with, of a server that offers this.

use mcp_harness::Surface;
use mcp_testkit::FakeEra;
use serde_json::Value;

use crate::host::{Host, HostRun};

/// Compares what a host saw with what the server offers.
#[track_caller]
pub(crate) fn assert_reported(message: &HostRun, host: Host, surface: &Surface) {
    let steps: Vec<_> = message.steps.iter().map(|(step, _)| step.as_str()).collect();
    assert_eq!(steps, expected_steps(host, surface), "{host:?}");
    let revision = if host.era() == FakeEra::Modern { "2026-07-28" } else { "2025-11-25" };
    assert!([&Value::Null, &Value::from(revision)].contains(&&message.seen("connect")["protocolVersion"]));

    let tools = names(message.seen("tools"), "tools", "name");
    assert!(tools.len() >= surface.tools, "{host:?} {tools:?}");
    for ask in [surface.echo, surface.add, surface.ask] {
        assert!(tools.iter().any(|tool| tool == ask.name), "{host:?} {tools:?}");
    }
    let answers = [
        ("echo", Some(surface.echo.answer)),
        ("add", Some(surface.add.answer)),
        ("accepted", Some(surface.ask.answer)),
        ("declined", Some(surface.declined)),
        ("sampling", surface.sampling.map(|ask| ask.answer)),
        ("roots", surface.roots.map(|ask| ask.answer)),
    ];
    for (step, answer) in answers.into_iter().filter_map(|(step, answer)| Some((step, answer?))) {
        let seen = message.seen(step);
        assert!(!is_error(seen) && texts(seen).contains(answer), "{host:?} {step}: {seen}");
    }
    if let Some(failing) = surface.failing {
        let seen = message.seen("failing");
        assert!(is_error(seen) && texts(seen).contains(failing.answer), "{host:?} {seen}");
    }
    assert_progress(message.seen("progress"), host, surface);
    assert_eq!(message.seen("cancel"), "given up", "{host:?}");

    let (uri, text) = surface.resource;
    assert!(
        names(message.seen("resources"), "resources", "uri").iter().any(|listed| listed == uri),
        "{host:?}"
    );
    assert_content(message.seen("resource"), uri, text);
    let (template, uri, text) = surface.template;
    let templates = names(message.seen("templates"), "resourceTemplates", "uriTemplate");
    assert!(templates.iter().any(|listed| listed == template), "{host:?} {templates:?}");
    assert_content(message.seen("template"), uri, text);

    let prompts = names(message.seen("prompts"), "prompts", "name");
    assert!(prompts.iter().any(|listed| listed == surface.prompt.name), "{host:?} {prompts:?}");
    let said = message.seen("prompt")["messages"][0]["content"]["text"].as_str().unwrap_or_default();
    assert!(said.contains(surface.prompt.answer), "{host:?} {said}");
    if let Some((.., completed)) = surface.completion {
        assert_eq!(message.seen("completion")["completion"]["values"][0], completed, "{host:?}");
    }

    // Some servers refuse it with an error, some in a result.
    let unknown = message.seen("unknown tool");
    assert!(is_error(unknown) || unknown["code"] == -32602, "{host:?} {unknown}");
    let unknown = message.seen("unknown resource");
    assert!(unknown["code"].is_i64(), "{host:?} {unknown}");

    if let Some(ask) = surface.log {
        let log = message.seen("log").to_string();
        assert!(log.contains(ask.answer), "{host:?} {log}");
    }
    if surface.update.is_some() {
        assert_eq!(message.seen("update")["uri"], surface.template.1, "{host:?}");
    }
}

/// The steps of `fixtures/hosts` for a server that offers this.
fn expected_steps(host: Host, surface: &Surface) -> Vec<&'static str> {
    let is_legacy = host.era() == FakeEra::Legacy;
    let steps = [
        ("connect", true),
        ("tools", true),
        ("echo", true),
        ("add", true),
        ("failing", surface.failing.is_some()),
        ("progress", true),
        ("cancel", true),
        ("resources", true),
        ("resource", true),
        ("templates", true),
        ("template", true),
        ("prompts", true),
        ("prompt", true),
        ("completion", surface.completion.is_some()),
        ("accepted", true),
        ("declined", true),
        ("sampling", surface.sampling.is_some()),
        ("roots", surface.roots.is_some()),
        ("unknown tool", true),
        ("unknown resource", true),
        ("level", is_legacy && surface.log.is_some()),
        ("log", surface.log.is_some()),
        ("change", surface.change.is_some()),
        ("update", surface.update.is_some()),
        ("ping", is_legacy),
        ("end", true),
    ];
    steps.into_iter().filter_map(|(step, is_offered)| is_offered.then_some(step)).collect()
}

#[track_caller]
fn assert_progress(seen: &Value, host: Host, surface: &Surface) {
    assert!(texts(&seen["result"]).contains(surface.progress.answer), "{host:?} {seen}");
    let reports = seen["reports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let reports: Vec<_> = reports.iter().map(|report| (report[0].as_f64(), report[1].as_f64())).collect();
    let total = f64::from(Surface::STEPS);
    let steps: Vec<_> = (1..=Surface::STEPS).map(|step| (Some(f64::from(step)), Some(total))).collect();
    if host.may_miss_progress() {
        assert!(steps.starts_with(&reports), "{host:?} {seen}");
    } else {
        assert_eq!(reports, steps, "{host:?}: each report once, in order, all before the result");
    }
}

#[track_caller]
fn assert_content(seen: &Value, uri: &str, text: &str) {
    let content = &seen["contents"][0];
    assert_eq!(content["uri"], uri, "{seen}");
    assert!(content["text"].as_str().is_some_and(|found| found.contains(text)), "{seen}");
}

fn is_error(result: &Value) -> bool {
    result["isError"] == true
}

/// One member of every item of a list.
fn names(list: &Value, items: &str, member: &str) -> Vec<String> {
    let items = list[items].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item[member].as_str()).map(str::to_owned).collect()
}

/// The text of all content blocks.
fn texts(result: &Value) -> String {
    let blocks = result["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
}
