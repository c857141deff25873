//! `mcplink validate`: what is wrong with the configuration, without contacting anybody.

use std::path::Path;

use mcp_config::{Problem, Severity};
use serde::Serialize;

use crate::app::{App, problem_text};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::row::ProblemRow;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    valid: bool,
    problems: Vec<ProblemRow>,
}

pub(super) fn run(app: &App, file: Option<&Path>) -> Result<ExitStatus, CliError> {
    let (problems, what) = match file {
        Some(file) => {
            let path = app.directory()?.join(file);
            (mcp_config::validate_file(&path, app.environment.variables()), file.display().to_string())
        }
        None => (app.load_as_is()?.config.problems, "the configuration".to_owned()),
    };
    let valid = !problems.iter().any(|problem| problem.severity == Severity::Error);
    if app.json {
        let problems = problems.iter().map(ProblemRow::from).collect();
        app.print_json(&Document { schema_version: 1, valid, problems });
    } else {
        app.output.out(&text(&problems, &what));
    }
    Ok(if valid { ExitStatus::Success } else { ExitStatus::Usage })
}

fn text(problems: &[Problem], what: &str) -> String {
    let mut text = String::new();
    for problem in problems {
        text.push_str(&format!("{}: {}\n", ProblemRow::from(problem).severity, problem_text(problem)));
    }
    if problems.is_empty() {
        text.push_str(&format!("{what} is valid\n"));
    }
    text
}
