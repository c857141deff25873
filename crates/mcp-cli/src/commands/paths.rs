//! `mcplink paths`: which files are read, which are not, and why.

use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::shown;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    paths: &'a [mcp_config::PathReport],
}

pub(super) fn run(app: &App) -> Result<ExitStatus, CliError> {
    let loaded = app.load_as_is()?;
    let paths = loaded.config.paths();
    if app.json {
        app.print_json(&Document { schema_version: 1, paths });
        return Ok(ExitStatus::Success);
    }
    let width = paths.iter().map(|path| path.role.chars().count()).max().unwrap_or(0);
    let style = app.style();
    for path in paths {
        let mark = match (path.used, path.exists) {
            (true, _) => "read   ",
            (false, false) => "absent ",
            (false, true) => "ignored",
        };
        let place = shown::line(&path.place.to_string());
        app.output.out(&format!("{mark}  {:width$}  {place}\n", path.role));
        app.output.out(&format!("{}{}\n", " ".repeat(11 + width), style.dim(&shown::line(&path.why))));
    }
    Ok(ExitStatus::Success)
}
