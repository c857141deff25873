//! The lines of what stands beside the list: a server, its commands, the help. Everything that comes from elsewhere is cleaned
//! here, by way of `shown`.

use std::time::SystemTime;

use mcp_status::ServerStatus;

use super::lines::PageLines;
use super::look::{Look, Paint, Text};
use super::model::{Menu, Page, Server, StatusRecord, place};
use crate::view::shown;
use crate::view::text::{count_of_tools, said, word};
use crate::view::time::clock;

/// The page that is turned to, in lines of at most this width.
pub(super) fn lines(menu: &Menu, look: &Look, width: usize) -> Vec<Text> {
    let mut page = PageLines::new(width);
    match (menu.page, menu.focus()) {
        (Page::Help, _) => help(&mut page),
        (Page::Commands, Some(server)) => commands(&mut page, menu, server),
        (Page::Detail, Some(server)) => detail(&mut page, server, look.now),
        (Page::Detail | Page::Commands, None) => {}
    }
    page.lines
}

fn detail(page: &mut PageLines, server: &Server, now: SystemTime) {
    let row = &server.row;
    page.text(&shown::name(&row.name), Paint::Bold);
    let status = row.status.unwrap_or(ServerStatus::Pending);
    let since = if server.is_known { format!(" since {}", clock(server.since, now)) } else { String::new() };
    page.text(&format!("{}{since}", word(row)), Paint::Status(status));
    if let Some(reason) = row.reason() {
        page.text(&shown::line(&reason.message), Paint::Plain);
        // What is merely under way needs nothing.
        if let Some(next) = reason.next.as_ref().filter(|_| server.is_known) {
            page.labelled("try", next.shown().as_str());
        }
    }
    page.blank();
    for (label, value) in facts(server, now) {
        page.labelled(label, &value);
    }
}

/// What there is to say of a server beside its status, each with its label; what goes on below has none.
pub(super) fn facts(server: &Server, now: SystemTime) -> Vec<(&'static str, String)> {
    let row = &server.row;
    let status = row.status.unwrap_or(ServerStatus::Pending);
    let mut facts = Vec::new();
    let mut fact = |label: &'static str, value: &str| facts.push((label, value.to_owned()));
    fact("file", &format!("{} ({})", shown::line(&place(server)), row.scope));
    if let Some(url) = &row.url {
        fact("url", &shown::line(url));
    }
    if let Some(command) = &row.command {
        fact("command", &shown::line(command));
    }
    if let Some(own) = &row.server {
        fact("server", &own.to_string());
    }
    if let Some(version) = &row.protocol_version {
        fact("protocol", &shown::cell(version));
    }
    if let Some(tools) = row.tools.filter(|_| status == ServerStatus::Connected) {
        fact("tools", &count_of_tools(tools));
    }
    if !row.tool_policy.is_empty() {
        fact("withheld", &shown::line(&row.tool_policy.join(", ")));
    }
    if !row.auth.chain.is_empty() {
        fact("auth", &shown::line(&row.auth.chain.join(", then ")));
    }
    if let Some(signed_in) = row.auth.sign_in() {
        fact("signed in", &shown::line(&signed_in));
    }
    if let Some(run) = &row.auth.last_helper_run {
        let exit = run.exit_code.map(|code| format!(", exit code {code}"));
        fact("helper", &format!("ran {} ms{}", run.duration_ms, exit.unwrap_or_default()));
    }
    for (number, session) in row.sessions.iter().enumerate() {
        let host = session.host.as_deref().unwrap_or(&session.kind);
        let said = said(&session.status, &session.reason);
        let label = if number == 0 { "sessions" } else { "" };
        fact(label, &format!("{} {}: {said}", shown::cell(host), session.session));
    }
    for (number, moment) in server.history.iter().enumerate() {
        fact(if number == 0 { "this run" } else { "" }, &moment_text(moment, now));
    }
    facts
}

fn moment_text(moment: &StatusRecord, now: SystemTime) -> String {
    let status = moment.status.map_or("pending", ServerStatus::as_str);
    let code = moment.code.map(|code| format!(" ({})", code.as_str())).unwrap_or_default();
    format!("{} {status}{code}", clock(moment.at, now))
}

fn commands(page: &mut PageLines, menu: &Menu, server: &Server) {
    page.text(&shown::name(&server.row.name), Paint::Bold);
    page.text("The command that does the same:", Paint::Plain);
    page.blank();
    for own in menu.actions() {
        page.text(&format!("{} {}", own.key, own.label), Paint::Bold);
        page.indented(&shown::line(&menu.command(own.action).unwrap_or_default()));
    }
    for own in menu.looks() {
        page.text(&format!("{} {}", own.key, own.label), Paint::Bold);
        page.indented(&shown::line(&own.command));
    }
    let name = mcp_text::shell_word(&server.row.name);
    for (what, command) in [
        ("enter tools", format!("mcplink tools {name}")),
        ("i facts", format!("mcplink get {name}")),
        ("this list", "mcplink status --watch".to_owned()),
    ] {
        if what == "enter tools" && !menu.has_tools() {
            continue;
        }
        page.text(what, Paint::Bold);
        page.indented(&shown::line(&menu.step(&command)));
    }
}

fn help(page: &mut PageLines) {
    page.text("Keys", Paint::Bold);
    for (key, what) in [
        ("up, down", "go through the list, or through a page that is open"),
        ("page keys", "scroll what stands beside the list"),
        ("enter", "the tools of a server that is connected, with a form for each; the facts of another one"),
        ("i", "the facts of a server"),
        ("l", "the last lines of its log"),
        ("escape", "go back; in the list, show all servers again"),
        ("/", "type a part of a name, an address or a status: only what has it is shown"),
        ("o", "the command that does the same, for each key"),
        ("q", "end"),
    ] {
        page.labelled(key, what);
    }
    page.blank();
    page.text(
        "Of the server that has the focus, the list below shows those of these that can be done now:",
        Paint::Plain,
    );
    for (key, what) in [
        ("r", "connect again"),
        ("s, c", "sign in, sign out"),
        ("x", "switch off, or on"),
        ("a, n", "approve, reject"),
        ("t", "trust the folder"),
        ("h", "run the helper in sight"),
        ("e", "open its file in your editor"),
        ("d", "examine it"),
    ] {
        page.labelled(key, what);
    }
    page.blank();
    page.text(
        "One that asks something, or shows more than a line, does it on the usual screen, and Enter comes back; a sign-in \
         takes place here.",
        Paint::Plain,
    );
    page.text(
        "Each server is connected to once and held. The files are followed. Times are UTC.",
        Paint::Plain,
    );
}
