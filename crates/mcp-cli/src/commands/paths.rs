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
    /// Where sign-ins are kept; absent where nothing is kept beyond a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<Store>,
}

/// Where sign-ins are kept.
#[derive(Serialize)]
struct Store {
    place: String,
    role: &'static str,
}

impl Store {
    fn of(app: &App) -> Option<Self> {
        if let Some(url) = &app.store_url {
            let role = "sign-ins, in a database of several machines (MCPLINK_TOKEN_STORE)";
            return Some(Self { place: url.clone(), role });
        }
        let place = app.host.sign_in_files()?.display().to_string();
        let role = match cfg!(feature = "keyring") {
            true => "sign-ins, with their secrets in the keyring where there is one",
            false => "sign-ins",
        };
        Some(Self { place, role })
    }
}

pub(super) fn run(app: &App) -> Result<ExitStatus, CliError> {
    let loaded = app.load_as_is()?;
    let (paths, store) = (loaded.config.paths(), Store::of(app));
    if app.json {
        app.print_json(&Document { schema_version: 1, paths, store });
        return Ok(ExitStatus::Success);
    }
    // A place that is never looked at matters where there is something.
    for path in paths.iter().filter(|path| path.exists || !path.never_read()) {
        let mark = match (path.used, path.exists) {
            (true, _) => "read   ",
            (false, false) => "absent ",
            (false, true) => "ignored",
        };
        let about = match (path.never_read(), path.exists) {
            (true, _) => path.why.clone(),
            (false, true) => format!("{}; {}", path.role, path.why),
            (false, false) => path.role.to_owned(),
        };
        tell(app, mark, &path.place.to_string(), &about);
    }
    if let Some(store) = store {
        tell(app, "store  ", &store.place, store.role);
    }
    Ok(ExitStatus::Success)
}

/// A place, and below it what there is to say of it.
fn tell(app: &App, mark: &str, place: &str, about: &str) {
    let style = app.style();
    app.output.out(&format!("{mark}  {}\n", shown::line(place)));
    let indent = " ".repeat(mark.len() + 2);
    let room = style.room().unwrap_or(usize::MAX).saturating_sub(indent.len());
    for line in wrap(&shown::line(about), room) {
        app.output.out(&format!("{indent}{}\n", style.dim(&line)));
    }
}
