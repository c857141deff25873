//! `mcplink paths`: which files are read, which are not, and why.

use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::shown;
use crate::view::wrap::wrap;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    paths: &'a [mcp_config::explain::PathReport],
}

pub(super) fn run(app: &App) -> Result<ExitStatus, CliError> {
    let loaded = app.load_as_is()?;
    let paths = loaded.config.paths();
    if app.json {
        app.print_json(&Document { schema_version: 1, paths });
        return Ok(ExitStatus::Success);
    }
    let style = app.style();
    // A place that is never looked at matters where there is something.
    for path in paths.iter().filter(|path| path.exists || !path.never_read()) {
        let mark = match (path.used, path.exists) {
            (true, _) => "read   ",
            (false, false) => "absent ",
            (false, true) => "ignored",
        };
        let place = shown::line(&path.place.to_string());
        app.output.out(&format!("{mark}  {place}\n"));
        let about = match (path.never_read(), path.exists) {
            (true, _) => path.why.clone(),
            (false, true) => format!("{}; {}", path.role, path.why),
            (false, false) => path.role.to_owned(),
        };
        let indent = " ".repeat(mark.len() + 2);
        for line in
            wrap(&shown::line(&about), style.room().unwrap_or(usize::MAX).saturating_sub(indent.len()))
        {
            app.output.out(&format!("{indent}{}\n", style.dim(&line)));
        }
    }
    Ok(ExitStatus::Success)
}
