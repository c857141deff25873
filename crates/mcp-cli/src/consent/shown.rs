//! What a decision allows, for the person who makes it and for programs.

use std::path::PathBuf;

use mcp_config::consent::{Change, Term};
use mcp_config::{Config, EntryServer, Project, ServerEntry};
use serde::Serialize;

use super::line;
use crate::environment::Environment;
use crate::view::shown::name as shown_name;
use crate::view::wrap::behind;

/// What an approval allows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApprovalView<'a> {
    file: String,
    line: usize,
    /// SHA-256 of what is allowed, in its canonical form.
    digest: String,
    /// Each field that decides what runs, where data goes and what is sent there.
    allowed: Vec<&'a Term>,
    /// The variables that the entry names.
    variables: Vec<&'a str>,
    /// What a command that the entry starts gets of the environment; `null` where it starts none.
    environment: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    helper: Option<Helper<'a>>,
    /// Files of the project that a command names. What is in them is not part of the approval.
    files_not_covered: Vec<PathBuf>,
    /// The account that the file belongs to, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_account: Option<u32>,
    /// What is different since the last approval.
    changes: &'a [Change],
    #[serde(skip)]
    name: &'a str,
}

/// The fields of an entry at this place and what they say, as a person would type it: what runs or is asked, and then with what;
/// and what has to be known of them.
fn labelled<'t>(terms: impl Iterator<Item = &'t Term>, file: &str, at: usize) -> Vec<(String, String)> {
    // What is hidden is many a line, and what decides stands next to the question.
    let rank = |term: &Term| match &*term.field {
        "command" | "url" => 0,
        "args" => 1,
        _ if term.shown == mcp_text::REDACTED => 2,
        _ => 3,
    };
    let mut terms: Vec<_> = terms.collect();
    terms.sort_by_key(|term| rank(term));
    let mut lines: Vec<_> = terms.iter().map(|term| (line(&term.field), term.shown.clone())).collect();
    if terms.iter().any(|term| hides_what_runs(term)) {
        lines.push(("not shown".to_owned(), hidden_in(file, at)));
    }
    // A sign-in is kept for a name and a URL, so one that is there goes this way as well.
    if terms.iter().any(|term| term.field == "proxy" || term.field.starts_with("tls.")) {
        let reads = "who holds this proxy or these certificates reads every request, your sign-in to the server included";
        lines.push(("mind".to_owned(), reads.to_owned()));
    }
    lines
}

/// What an entry runs and where its data goes, whole and indented, for a person who takes it over from a project: from then on it
/// needs no approval.
pub(crate) fn taken_over(entry: &ServerEntry, indent: usize, columns: Option<usize>) -> String {
    let lines = labelled(entry.terms().iter(), &entry.origin.place.to_string(), entry.origin.line);
    let width = lines.iter().map(|(label, _)| mcp_text::width(label)).max().unwrap_or(0).min(40);
    let shown = |(label, value): (String, String)| {
        behind(&format!("{}{label:<width$}  ", " ".repeat(indent)), &value, columns)
    };
    lines.into_iter().map(shown).collect()
}

/// A helper that trust in the folder lets run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Helper<'a> {
    name: &'a str,
    scope: &'static str,
    file: String,
    line: usize,
    /// Its command line; of secrets by reference, each field that has one.
    command: String,
    #[serde(skip)]
    runs: bool,
    cwd: PathBuf,
    /// Credential-like variables are kept from it.
    scrubbed: bool,
    /// The address that it is told (`MCP_SERVER_URL`) has credentials of its own in it.
    #[serde(skip)]
    told_secrets: bool,
    files_not_covered: Vec<PathBuf>,
}

impl<'a> ApprovalView<'a> {
    pub(crate) fn of(entry: &'a ServerEntry, config: &'a Config, environment: &Environment) -> Self {
        let remote = entry.remote().and_then(|remote| remote.helper.as_ref());
        let least = environment.text("CLAUDE_CODE_MCP_ALLOWLIST_ENV") == Some("1");
        Self {
            file: entry.origin.place.to_string(),
            line: entry.origin.line,
            digest: entry.terms().digest(),
            allowed: entry.terms().iter().collect(),
            variables: entry.terms().variables(),
            environment: match entry.server {
                EntryServer::Stdio(_) if least => Some("baseline"),
                EntryServer::Stdio(_) => Some("whole"),
                _ => None,
            },
            helper: remote.map(|_| Helper::of(entry, &config.project)),
            files_not_covered: entry.files_of(&config.project),
            other_account: entry.foreign_owner(),
            changes: entry.changes(),
            name: &entry.name,
        }
    }

    /// Where the rest of it stands, where there is more than is shown.
    pub(crate) fn rest(&self) -> Option<String> {
        let is_whole = self.allowed.iter().all(|term| term.is_whole());
        (!is_whole).then(|| format!("{}:{}", line(&self.file), self.line))
    }

    /// What `--yes=` takes to agree to this, and to nothing that comes later.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// For people, on lines of so many columns: what it is, what it gets, what is different.
    pub(crate) fn lines(&self, columns: Option<usize>) -> String {
        let mut lines = labelled(self.allowed.iter().copied(), &self.file, self.line);
        match self.environment {
            Some("whole") => lines.push(("gets".to_owned(), "every variable of your environment".to_owned())),
            Some(_) => {
                lines.push(("gets".to_owned(), "HOME, PATH and the like of your environment".to_owned()))
            }
            None => {}
        }
        if !self.variables.is_empty() {
            lines.push(("reads".to_owned(), line(&self.variables.join(", "))));
        }
        if let Some(helper) = &self.helper {
            lines.push((
                "helper".to_owned(),
                format!("runs in {} once the folder is trusted", helper.place()),
            ));
        }
        for file in &self.files_not_covered {
            let file = line(&file.display().to_string());
            lines.push((
                "not covered".to_owned(),
                format!("{file}: what is in it may change without asking again"),
            ));
        }
        if let Some(account) = self.other_account {
            lines.push(("belongs to".to_owned(), format!("another account (number {account})")));
        }
        for change in self.changes {
            lines.push(("changed".to_owned(), line(&change.to_string())));
        }
        let width = lines.iter().map(|(label, _)| mcp_text::width(label)).max().unwrap_or(0).min(40);
        let place = format!("{}:{}", line(&self.file), self.line);
        let mut text = behind(&format!("{}  ", shown_name(self.name)), &place, columns);
        for (label, value) in lines {
            text.push_str(&behind(&format!("  {label:<width$}  "), &value, columns));
        }
        text
    }
}

/// Whether a part of what runs is hidden, because it looks like a secret.
fn hides_what_runs(term: &Term) -> bool {
    let redacted = mcp_text::REDACTED;
    let runs = matches!(&*term.field, "command" | "args" | "headersHelper") || term.shown.contains("${cmd:");
    // Of a variable that decides what runs, only a part is hidden.
    let decides = term.field.starts_with("env") && term.shown != redacted;
    (runs || decides) && term.shown.contains(redacted)
}

/// Security: a program may be spelled as a token is, and what is hidden here runs all the same.
fn hidden_in(file: &str, at: usize) -> String {
    let redacted = mcp_text::REDACTED;
    format!("{redacted} looks like a secret and may be part of what runs: read it in {}:{at}", line(file))
}

impl<'a> Helper<'a> {
    pub(crate) fn of(entry: &'a ServerEntry, project: &Project) -> Self {
        let helper = entry.remote().and_then(|remote| remote.helper.as_ref());
        let command = entry.terms().iter().find(|term| term.field == "headersHelper");
        let referring = || {
            let runs = |term: &&Term| term.field == "auth.provider";
            let terms = entry.terms().referring().chain(entry.terms().iter().filter(runs));
            let terms = terms.map(|term| format!("{} {}", line(&term.field), term.shown));
            terms.collect::<Vec<_>>().join(", ")
        };
        let (place, scrubbed) = entry.lookup_place();
        Self {
            name: &entry.name,
            scope: entry.scope.as_str(),
            file: entry.origin.place.to_string(),
            line: entry.origin.line,
            command: command.map_or_else(referring, |term| term.shown.clone()),
            runs: entry.mints_by_command(),
            cwd: helper.map_or_else(|| place.to_owned(), |helper| helper.cwd.clone()),
            scrubbed: helper.map_or(scrubbed, |helper| helper.scrubbed),
            told_secrets: entry.remote().is_some_and(|remote| {
                let url = remote.url.expose();
                let in_query = url.query().is_some_and(|query| !query.is_empty());
                remote.helper.is_some()
                    && (in_query || !url.username().is_empty() || url.password().is_some())
            }),
            files_not_covered: entry.files_of(project),
        }
    }

    fn place(&self) -> String {
        let environment =
            if self.scrubbed { "without credential-like variables" } else { "with your environment" };
        let told =
            if self.told_secrets { " and the whole address (user, password and query too)" } else { "" };
        format!("{}, {environment}{told},", line(&self.cwd.display().to_string()))
    }

    /// For people, on lines of so many columns.
    pub(crate) fn lines(&self, columns: Option<usize>) -> String {
        let (name, file) = (shown_name(self.name), line(&self.file));
        let what = if self.runs { "  lets run: " } else { "  lets read: " };
        let mut text = behind(what, &self.command, columns);
        let place = self.place();
        let place = format!(
            "for {name} ({} scope, {file}:{}), in {}",
            self.scope,
            self.line,
            place.trim_end_matches(',')
        );
        text.push_str(&behind("    ", &place, columns));
        if self.command.contains(mcp_text::REDACTED) {
            text.push_str(&behind("    not shown: ", &hidden_in(&self.file, self.line), columns));
        }
        for file in &self.files_not_covered {
            let file = line(&file.display().to_string());
            let words = format!("{file}: what is in it may change without asking again");
            text.push_str(&behind("    not covered: ", &words, columns));
        }
        text
    }
}
