//! `mcplink list`: what is configured. It contacts no server: it reads files, and the sign-ins wherever they are kept.

use crate::app::App;
use crate::error::CliError;
use crate::exit::{self, ExitStatus};

use crate::view::row::{Row, Servers};
use crate::view::shown;
use crate::view::text;
use crate::view::wrap::paragraph;

pub(super) async fn run(app: &App) -> Result<ExitStatus, CliError> {
    let loaded = app.load()?;
    let configured = loaded.wired_all(app).await;
    let rows: Vec<Row> =
        configured.iter().map(|configured| Row::offline(configured, &app.steps).for_list()).collect();
    let status = exit::of_entries(&configured);
    if app.json {
        let (problems, pointers) = (loaded.problem_rows(), loaded.pointer_rows(&[]));
        app.print_json(&Servers::new(None, &rows, &problems).with_pointers(&pointers));
        return Ok(status);
    }
    loaded.note_problems(app, &[]);
    loaded.note_barred(app);
    if rows.is_empty() {
        loaded.note_nothing(app);
    }
    app.output.out(&text::list_lines(&rows, app.style()));
    for pointer in &loaded.config.pointers {
        let (entry, origin) = (&pointer.entry, &pointer.entry.origin);
        let line = format!("{}: {pointer} ({origin}, {})", shown::name(&entry.name), origin.field);
        app.output.note(&paragraph(&shown::line(&line), app.stderr_room()));
    }
    Ok(status)
}
