//! `mcplink validate`: what is wrong with the configuration, without contacting a server.

use std::path::Path;

use mcp_config::{Config, EntryServer, Problem, Severity};
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::problems::problem_text;
use crate::view::row::ProblemRow;
use crate::view::text::Style;
use crate::view::wrap::paragraph;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    valid: bool,
    problems: Vec<ProblemRow>,
}

pub(super) fn run(app: &App, file: Option<&Path>) -> Result<ExitStatus, CliError> {
    let mut nothing = false;
    let (problems, what, usable) = match file {
        Some(file) => {
            let path = app.directory()?.join(file);
            let problems = mcp_config::validate::validate_file(&path, app.environment.variables());
            (problems, file.display().to_string(), String::new())
        }
        None => {
            let config = app.load_as_is()?.config;
            nothing = config.entries.is_empty() && config.pointers.is_empty() && config.problems.is_empty();
            let usable = usable(&config);
            (config.problems, "the configuration".to_owned(), usable)
        }
    };
    let valid = !problems.iter().any(|problem| problem.severity == Severity::Error);
    if app.json {
        let problems = problems.iter().map(ProblemRow::from).collect();
        app.print_json(&Document { schema_version: 1, valid, problems });
    } else if nothing {
        app.output.out(
            "no servers are configured, so there is nothing to check; `mcplink paths` shows where they are \
                        looked for\n",
        );
    } else {
        app.output.out(&text(&problems, &what, &usable, app.style()));
    }
    Ok(if valid { ExitStatus::Success } else { ExitStatus::Usage })
}

/// What the configuration comes to, whatever is wrong with it.
fn usable(config: &Config) -> String {
    let all = config.entries.len();
    let unusable = config.entries.iter().filter(|entry| matches!(entry.server, EntryServer::Invalid)).count();
    let rest = if unusable == 0 {
        "all of them can be used".to_owned()
    } else {
        format!("{unusable} cannot be used")
    };
    let broken = config.broken_files().next().is_some();
    let sentence = match all {
        0 if broken => "what is in a file that cannot be understood is not known".to_owned(),
        0 => "no server is defined".to_owned(),
        1 if unusable == 0 => "the one server that is defined can be used".to_owned(),
        1 => "the one server that is defined cannot be used".to_owned(),
        _ => format!("{all} servers are defined; {rest}"),
    };
    match broken && all > 0 {
        true => format!("{sentence}; what is in a file that cannot be understood is not known"),
        false => sentence,
    }
}

fn text(problems: &[Problem], what: &str, usable: &str, style: Style) -> String {
    let mut text = String::new();
    for problem in problems {
        let line = format!("{}: {}", ProblemRow::from(problem).severity, problem_text(problem));
        text.push_str(&paragraph(&line, style.room()));
    }
    if problems.is_empty() {
        text.push_str(&format!("{what} is valid\n"));
    } else if !usable.is_empty() {
        text.push_str(&format!("{usable}\n"));
    }
    text
}
