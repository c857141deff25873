//! What `import` shows: the files, the servers to choose from, what is not taken over, and what is to be done.

use std::collections::BTreeSet;

use mcp_config::edit::Value;
use mcp_config::entry::Switch;
use mcp_config::hosts::{HostListing, Input, KnownHost};
use mcp_config::import::{Candidate, CandidateState};
use mcp_config::{Problem, Severity};

use super::{Import, differs, file_of, is_new, is_same};
use crate::app::App;
use crate::args::ImportArgs;
use crate::commands::change::entry_lines;
use crate::consent::taken_over;
use crate::hosts::{short, without_servers};
use crate::problems::problem_text;
use crate::view::shown;
use crate::view::text::{columns, rows_of};
use crate::view::wrap::{leading_to, paragraph};

/// The settings of an editor are there whether it has servers or not.
pub(super) fn says_something(file: &HostListing) -> bool {
    !file.servers.is_empty() || file.pointers > 0 || file.unreadable.is_some()
}

/// What a table of files needs beside their names.
const NARROW_TABLE: usize = 44;

/// The same where a table has no room: a line of counts for each file, and where it is.
fn narrow(app: &App, import: &Import, files: &[&HostListing]) -> String {
    let room = app.style().room();
    let mut out = String::new();
    for file in files {
        let counts = [
            (import.count(file, is_new), "new"),
            (import.count(file, is_same), "same"),
            (import.count(file, differs), "different"),
            (file.pointers, "through mcplink"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
        let text = match file.unreadable {
            Some(_) => format!("{}: cannot be read", file.host.title),
            None => format!("{}: {} servers, {}", file.host.title, file.servers.len(), counts.join(", ")),
        };
        out.push_str(&paragraph(text.trim_end_matches(", "), room));
        out.push_str(&format!("  {}\n", app.style().cut(&short(app, &file_of(&file.place)), 2)));
    }
    for problem in files.iter().filter_map(|file| file.unreadable.as_deref()) {
        out.push_str(&paragraph(&format!("warning: {}", problem_text(problem)), room));
    }
    out
}

/// The table of files.
pub(super) fn found(app: &App, import: &Import) -> String {
    let files: Vec<&HostListing> = import.found.iter().filter(|file| says_something(file)).collect();
    if files.is_empty() {
        let text = match import.host {
            Some(host) => without_servers(host),
            None => "no other host has servers here; `mcplink hosts` says which are looked for".to_owned(),
        };
        return paragraph(&text, app.style().room());
    }
    if !app.style().has_room(NARROW_TABLE) {
        return narrow(app, import, &files);
    }
    let head = ["found", "servers", "new", "same", "differs", ""].map(str::to_owned);
    let rows = files.iter().map(|file| {
        let count = |number: usize| format!("{number:>4}");
        let [servers, new, same, differ] = match file.unreadable {
            Some(_) => ["cannot be read", "", "", ""].map(str::to_owned),
            None => [
                count(file.servers.len()),
                count(import.count(file, is_new)),
                count(import.count(file, is_same)),
                count(import.count(file, differs)),
            ],
        };
        let through = match file.pointers {
            0 => String::new(),
            1 => "  (1 goes through mcplink already)".to_owned(),
            more => format!("  ({more} go through mcplink already)"),
        };
        let file_name = format!("{}{through}", short(app, &file_of(&file.place)));
        [file.host.title.to_owned(), servers, new, same, differ, file_name]
    });
    let mut out = columns(std::iter::once(head).chain(rows), app.style());
    for problem in files.iter().filter_map(|file| file.unreadable.as_deref()) {
        out.push_str(&paragraph(&format!("warning: {}", problem_text(problem)), app.style().room()));
    }
    out
}

/// The servers to choose from, each with what becomes of it.
pub(super) fn candidates(app: &App, import: &Import) -> String {
    let shown_ones: Vec<(usize, &Candidate)> =
        import.candidates().filter(|(_, one)| !is_same(&one.standing)).collect();
    if shown_ones.is_empty() {
        return String::new();
    }
    let rows = shown_ones.iter().map(|(number, one)| {
        let mark = match (&one.standing, import.is_chosen(*number)) {
            (CandidateState::Unusable(_), _) => "[-]",
            (_, true) => "[x]",
            (_, false) => "[ ]",
        };
        [
            format!("{:>2} {mark}", number + 1),
            shown::name(&one.name),
            one.entry.transport().to_string(),
            sources(one),
            shown::cell(&one.entry.display_endpoint().unwrap_or_default()),
        ]
    });
    let mut out = String::from("\n");
    for ((_, one), row) in shown_ones.iter().zip(rows_of(rows, app.style())) {
        out.push_str(&row);
        for text in details(app, one) {
            out.push_str(&paragraph(&format!("       {text}"), app.style().room()));
        }
        if one.is_of_project() && one.can_be_taken() {
            out.push_str(&taken_over(&one.entry, 9, app.style().room()));
        }
        if differs(&one.standing) {
            out.push_str(&difference(one));
        }
    }
    out
}

/// The hosts that have it.
fn sources(one: &Candidate) -> String {
    let mut titles: Vec<&str> = Vec::new();
    for source in &one.sources {
        if !titles.contains(&source.host.title) {
            titles.push(source.host.title);
        }
    }
    titles.join(", ")
}

/// What is to be known before it is chosen.
fn details(app: &App, one: &Candidate) -> Vec<String> {
    let mut texts = Vec::new();
    match &one.standing {
        CandidateState::Unusable(why) => texts.push(shown::line(&format!("cannot be used: {why}"))),
        CandidateState::Differs(origin) => {
            let at = short(app, &file_of(&origin.place));
            texts.push(format!("another server has its name ({at}:{})", origin.line));
        }
        CandidateState::DiffersFrom(host) => {
            texts.push(format!("{} has another server of that name", host.title));
        }
        _ => {}
    }
    if one.can_be_taken() && one.entry.switch != Switch::On {
        let host = one.sources.first().map_or("its host", |source| source.host.title);
        texts.push(format!("switched off in {host}, and here as well"));
    }
    if one.is_of_project() && one.can_be_taken() {
        texts.push("is in a project's file, so it is taken over only when it is chosen".to_owned());
    }
    let words = other_words(one);
    if !words.is_empty() {
        texts.push(shown::line(&words.join(", ")));
    }
    let notes = one.problems.iter().filter(|problem| {
        problem.severity == Severity::Note && problem.code == mcp_config::ProblemCode::NotTakenOver
    });
    texts.extend(notes.map(|note| {
        let line = note.line.map(|line| format!(" (line {line})")).unwrap_or_default();
        let field = in_entry(note.field.as_deref().unwrap_or_default(), &one.name);
        shown::line(&format!("{field}: {}{line}", note.message))
    }));
    texts
}

/// The words for credentials that have another name here: `http_headers_helper -> headersHelper`.
fn other_words(one: &Candidate) -> Vec<String> {
    let is_auth = |name: &str| ["headers", "oauth"].iter().any(|group| name.starts_with(group));
    let mut words = Vec::new();
    for field in one.entry.fields().iter().filter(|field| is_auth(&field.name)) {
        let theirs = in_entry(&field.origin.field, &one.name);
        let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
        // What stands among the words of a command is told as what it is.
        if last(theirs) == last(&field.name) || theirs.contains('[') || theirs == "command" {
            continue;
        }
        let word = format!("{theirs} -> {}", field.name);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// A field without the way to its entry.
fn in_entry<'f>(field: &'f str, name: &str) -> &'f str {
    // A short name is a part of other words as well.
    let is_step = |at: &usize| field[..*at].ends_with('.');
    let found = field.match_indices(name).map(|(at, _)| at).filter(is_step);
    found.filter_map(|at| field[at + name.len()..].strip_prefix('.')).next().unwrap_or(field)
}

/// The entry that is here, and the one that would take its place.
fn difference(one: &Candidate) -> String {
    let Some(before) = &one.before else { return entry_lines('+', &one.name, &one.value) };
    let [old, new] = [entry_lines('-', &one.name, before), entry_lines('+', &one.name, &one.value)];
    // Two that look the same are told apart by what is hidden of them.
    let fields = match before.shown() == one.value.shown() {
        true => fields_that_differ(before, &one.value),
        false => Vec::new(),
    };
    match fields.is_empty() {
        true => format!("{old}{new}"),
        false => {
            format!("{old}{new}  they differ in a part that is hidden: {}\n", shown::line(&fields.join(", ")))
        }
    }
}

/// The fields whose values differ; of an address, the names of its parameters.
fn fields_that_differ(before: &Value, after: &Value) -> Vec<String> {
    let fields = after.members().filter(|(key, value)| before.get(key) != Some(value));
    let named = fields.map(|(key, value)| {
        let urls = [before.get(key), Some(value)].map(|value| url::Url::parse(value?.as_str()?).ok());
        let [Some(old), Some(new)] = urls else { return key.to_owned() };
        let pairs = |url: &url::Url| url.query_pairs().into_owned().collect::<Vec<_>>();
        let old = pairs(&old);
        let names: Vec<String> = pairs(&new)
            .into_iter()
            .filter(|pair| !old.contains(pair))
            // A word alone may be the secret.
            .map(|(name, value)| if value.is_empty() { "?..".to_owned() } else { format!("?{name}=..") })
            .collect();
        if names.is_empty() { key.to_owned() } else { format!("{key} ({})", names.join(" ")) }
    });
    named.collect()
}

/// What has no equal here, line by line: host, server, field, place, what to do.
pub(super) fn lost(app: &App, import: &Import) -> String {
    let mut out = String::new();
    for (host, one, problem) in import.lost().filter(|(_, one, _)| !is_same(&one.standing)) {
        let text = left_out(app, host, &one.name, problem);
        out.push_str(&paragraph(&shown::line(&text), app.stderr_room()));
    }
    out
}

/// What of a server has no equal here: host, server, field, place, what to do.
pub(in crate::commands) fn left_out(app: &App, host: &KnownHost, name: &str, problem: &Problem) -> String {
    let file = problem.file.as_ref().map(|place| short(app, &file_of(place))).unwrap_or_default();
    let line = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
    let field = problem.field.as_deref().unwrap_or_default();
    let message = problem.message.strip_prefix("is not taken over: ").unwrap_or(&problem.message);
    let hint = problem.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("not taken over: {} {} {field} ({file}{line}): {message}{hint}", host.title, shown::name(name))
}

/// Whether a person has to set the variable that stands in the place of what a host asks for.
pub(in crate::commands) fn is_to_set(app: &App, input: &Input) -> bool {
    app.environment.text(&input.variable).is_none() && (input.secret || !input.has_default())
}

pub(super) fn question(app: &App, import: &Import) -> String {
    let file = short(app, &import.place.file.display().to_string());
    match import.chosen.len() {
        0 => format!("\nnumbers or names to take over into {file} (none): "),
        count => format!("\ntake over {count} into {file}? [Y/n, or numbers and names] "),
    }
}

/// What was done, or how to do it.
pub(super) fn done(app: &App, import: &Import, wrote: bool, asked: bool, args: &ImportArgs) -> String {
    let file = short(app, &import.place.file.display().to_string());
    let names: Vec<String> =
        import.chosen.iter().map(|number| shown::name(&import.plan.candidates[*number].name)).collect();
    let room = app.style().room();
    let took = paragraph(&format!("took over {} into {file}: {}", names.len(), names.join(", ")), room);
    if wrote && asked {
        return format!("{took}next: mcplink status\n");
    }
    if asked {
        return "nothing is taken over\n".to_owned();
    }
    let host =
        args.host.as_deref().map(|host| format!(" {}", mcp_text::shell_word(host))).unwrap_or_default();
    let named = |names: &[String]| -> String {
        names.iter().map(|name| format!(" --name {}", mcp_text::shell_word(name))).collect()
    };
    let step = |line: String| app.steps.line(&line);
    let mut out = String::new();
    if wrote {
        out.push_str(&took);
    } else if names.is_empty() {
        if import.plan.candidates.iter().any(|one| !matches!(one.standing, CandidateState::Unusable(_))) {
            out.push_str("nothing new to take over\n");
        }
    } else {
        let line = step(format!("mcplink import{host}{} --yes", named(&args.names)));
        let would = format!("would take over {} into {file}: {}", names.len(), names.join(", "));
        out.push_str(&paragraph(&would, room));
        out.push_str(&leading_to("nothing is written yet; to do it:", &line, room));
    }
    let others = import.candidates().filter(|(number, one)| one.can_be_taken() && !import.is_chosen(*number));
    let first = others.filter(|_| args.names.is_empty()).map(|(_, one)| one).next();
    if let Some(one) = first {
        let host = one.sources.first().map_or("", |source| source.host.name);
        let line = step(format!("mcplink import {host}{} --yes", named(std::slice::from_ref(&one.name))));
        out.push_str(&leading_to("what is not marked is taken over by its name:", &line, room));
    }
    if wrote {
        out.push_str("next: mcplink status\n");
    }
    out
}

/// The variables that have to be set for what was chosen, and the secrets that are copied with it.
pub(super) fn to_set(app: &App, import: &Import) -> String {
    let chosen = || import.chosen.iter().map(|number| &import.plan.candidates[*number]);
    let mut out = String::new();
    let mut variables = BTreeSet::new();
    for input in chosen().flat_map(|one| &one.inputs) {
        if is_to_set(app, input) && variables.insert(input.variable.clone()) {
            let what = input.description.as_deref().unwrap_or(&input.id);
            let text = format!("note: set {} wherever mcplink runs ({})", input.variable, shown::line(what));
            out.push_str(&paragraph(&text, app.stderr_room()));
        }
    }
    for one in chosen() {
        let literal = crate::commands::secrets::literal(&one.value);
        if !literal.is_empty() {
            let text = format!(
                "note: {} of {} is a secret, and is copied as it stands; ${{NAME}} instead keeps it out of the file",
                literal.join(", "),
                shown::name(&one.name)
            );
            out.push_str(&paragraph(&text, app.stderr_room()));
        }
    }
    out
}
