//! `mcplink get NAME`: the resolved entry, where each part came from, the auth chain, the actions. It contacts no
//! server: it reads files, and the sign-ins wherever they are kept.

use mcp_config::entry::Field;
use mcp_config::explain::Explanation;
use mcp_config::{ConfigSource, Pointer, ProblemCode};
use mcp_connect::ConfiguredServer;
use mcp_status::Action;
use mcp_transport::Endpoint;
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::exit::{self, ExitStatus};
use crate::problems::problem_text;
use crate::view::row::{PointerRow, Row};
use crate::view::shown;
use crate::view::text::Style;
use crate::view::wrap::behind;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    server: Row,
    entry: &'a Explanation,
    auth_plan: Vec<String>,
    /// How hosts reach it, by this name.
    pointers: Vec<PointerRow>,
}

pub(super) async fn run(app: &App, name: &str) -> Result<ExitStatus, CliError> {
    let loaded = app.load()?;
    if loaded.dead_end(name).is_some() {
        return Err(loaded.unknown(name));
    }
    let configured = loaded.configured(app, name).await?;
    let Some(entry) = loaded.config.explain(name) else { return Err(loaded.unknown(name)) };
    let plan = plan_lines(&configured);
    if app.json {
        let server = Row::offline(&configured, &app.steps).for_list();
        let pointers = loaded.pointer_rows(&[name.to_owned()]);
        app.print_json(&Document { schema_version: 1, server, entry: &entry, auth_plan: plan, pointers });
    } else {
        let pointers: Vec<&Pointer> = loaded.config.pointers_of(name).collect();
        let mut decides = if app.verbose { decides(app, &configured) } else { Vec::new() };
        if let Some(signed_in) = Row::offline(&configured, &app.steps).auth.sign_in() {
            decides.insert(0, ("signed in", signed_in));
        }
        let trust = app.steps.line("mcplink trust");
        app.output.out(&text(&configured, &entry, &plan, &decides, &pointers, &trust, app.style()));
    }
    Ok(exit::of_entries(&[configured]))
}

pub(super) fn plan_lines(configured: &ConfiguredServer) -> Vec<String> {
    configured
        .auth
        .as_ref()
        .map(|auth| auth.plan.to_string().lines().map(shown::line).collect())
        .unwrap_or_default()
}

/// What decides about a connection and stands nowhere in the entry: the way to the server, and the limits.
fn decides(app: &App, configured: &ConfiguredServer) -> Vec<(&'static str, String)> {
    let options = app.host.connector().options();
    let set = |variable: &str| {
        let word = if app.environment.text(variable).is_some() { "" } else { "usual, " };
        format!("({word}{variable})")
    };
    let mut facts = Vec::new();
    if let Some(auth) = &configured.auth {
        let client = app.host.connector().http();
        let client = match configured.state.as_ref().map(|server| &server.endpoint) {
            Ok(Endpoint::Http(endpoint)) => client.for_endpoint(endpoint),
            _ => client.clone(),
        };
        let proxy = client.proxy_of(&auth.target.url);
        facts.push(("proxy", proxy.unwrap_or_else(|| "none for this address".to_owned())));
    }
    let own_start = match configured.state.as_ref().map(|server| &server.endpoint) {
        Ok(Endpoint::Stdio(endpoint)) => endpoint.startup_timeout,
        _ => None,
    };
    facts.push((
        "connects within",
        match (own_start, configured.is_stdio()) {
            (Some(limit), _) => format!("{} (startupTimeoutMs of its entry)", mcp_text::time_limit(limit)),
            (None, true) => {
                format!("{} {}", mcp_text::time_limit(options.startup_timeout), set("MCP_TIMEOUT"))
            }
            (None, false) => {
                format!("{} {}", mcp_text::time_limit(options.connect_timeout), set("MCP_TIMEOUT"))
            }
        },
    ));
    let of_entry = configured.state.as_ref().ok().and_then(|server| server.timeout);
    facts.push((
        "a call within",
        match (of_entry, options.request_timeout) {
            (Some(limit), _) => format!("{} (timeout of its entry)", mcp_text::time_limit(limit)),
            (None, Some(limit)) => format!("{} (MCP_TOOL_TIMEOUT)", mcp_text::time_limit(limit)),
            (None, None) => "any time (timeout of its entry, MCP_TOOL_TIMEOUT)".to_owned(),
        },
    ));
    facts
}

fn text(
    configured: &ConfiguredServer,
    entry: &Explanation,
    plan: &[String],
    decides: &[(&'static str, String)],
    pointers: &[&Pointer],
    trust: &str,
    style: Style,
) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut line = |label: &str, value: &str| lines.push((shown::cell(label), shown::line(value)));
    line("scope", entry.scope.as_str());
    line(
        "defined in",
        &match entry.origin.place {
            // It has no field there.
            ConfigSource::Url => entry.origin.to_string(),
            _ => format!("{} ({})", entry.origin, entry.origin.field),
        },
    );
    if let Some(detail) = &entry.gate_detail {
        line("held back", detail);
    }
    for change in &entry.changes {
        line("changed", &change.to_string());
    }
    if !entry.fields.iter().any(|field| field.name == "type") {
        line("type", entry.transport.as_str());
    }
    for field in &entry.fields {
        line(&field.name, &field_value(field, entry));
    }
    if let Some(helper) = &entry.helper {
        let scrubbed = if helper.scrubbed { ", without credential-like variables" } else { "" };
        let allowed = if helper.may_run {
            String::new()
        } else {
            format!("; waits until its folder is trusted ({trust})")
        };
        line(
            "helper",
            &format!("runs in {}, limit {} ms{scrubbed}{allowed}", helper.cwd.display(), helper.timeout_ms),
        );
    }
    if let Some(account) = &configured.description.account
        && !entry.fields.iter().any(|field| field.name == "account" && field.value == *account)
    {
        line("account", &format!("{account}  (--account)"));
    }
    for (index, link) in plan.iter().enumerate() {
        line(if index == 0 { "auth chain" } else { "" }, link);
    }
    for (label, value) in decides {
        line(label, value);
    }
    for hidden in &entry.shadowed {
        let endpoint = hidden.endpoint.as_deref().unwrap_or("no endpoint");
        line("hides", &format!("{} scope, {}: {endpoint}", hidden.scope, hidden.origin));
    }
    for pointer in pointers {
        let origin = &pointer.entry.origin;
        line("pointer", &format!("{pointer} ({origin}, {})", origin.field));
    }
    let report = configured.offline_report();
    let actions: Vec<String> = report.actions.iter().map(|action| message(*action, configured)).collect();
    line("actions", &actions.join(", "));
    // What there is to say about its pointers has been said.
    for note in entry.notes.iter().filter(|note| note.code != ProblemCode::Pointer) {
        line("note", &problem_text(note));
    }
    let width = shown::widest(lines.iter().map(|(label, _)| label.as_str()));
    let mut text = format!("{}\n", style.bold(&shown::name(&entry.name)));
    for (label, value) in &lines {
        // A pipe has room for everything; on a terminal a value stands below itself, not below its label, where that leaves room.
        let lines = behind(&format!("  {}  ", shown::pad(label, width)), value, style.room());
        text.extend(lines.lines().map(|line| format!("{}\n", line.trim_end())));
    }
    text
}

/// An action; with the place where it is done, where no command does it.
fn message(action: Action, configured: &ConfiguredServer) -> String {
    match (action, configured.description.line) {
        (Action::EditConfig, Some(line)) => {
            format!("{} ({}:{line})", action.as_str(), configured.description.source)
        }
        _ => action.as_str().to_owned(),
    }
}

/// The value, and where it came from if not from the entry's own file.
fn field_value(field: &Field, entry: &Explanation) -> String {
    let mut value = field.value.clone();
    if field.origin.place != entry.origin.place {
        value.push_str(&format!("  ({})", field.origin));
    }
    // What is hidden can be read where it stands.
    if field.name == "headersHelper" && value.contains(mcp_text::REDACTED) {
        value.push_str(&format!("  (line {})", field.origin.line));
    }
    if !field.missing.is_empty() {
        value.push_str(&format!("  (not set: {})", field.missing.join(", ")));
    }
    value
}
