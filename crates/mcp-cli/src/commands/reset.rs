//! `mcplink reset NAME..|--all`: forgets registrations, discovery and tokens, without asking anyone.

use serde_json::json;

use super::login::failed;
use crate::app::App;
use crate::args::ResetArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::description::DescriptionFile;
use crate::view::shown;

pub(super) async fn run(app: &App, args: &ResetArgs) -> Result<ExitStatus, CliError> {
    let (loaded, _) = app.load_with_kept(&args.names).await?;
    let configured = loaded.wired_named(app, &args.names).await?;
    if args.names.is_empty() && !app.json {
        loaded.note_broken(app);
    }
    let descriptions = configured.iter().filter_map(|configured| DescriptionFile::of(app, configured));
    let described = descriptions.filter(DescriptionFile::forget).count();
    if described > 0 {
        tracing::info!(described, "forgot what servers said of themselves");
    }
    let mut reset = Vec::new();
    for (configured, auth) in
        configured.iter().filter_map(|configured| Some((configured, configured.auth.as_ref()?)))
    {
        let name = &configured.description.name;
        let login = auth.sign_in(&app.host);
        let forgotten =
            if args.keep_tokens { login.reset_registrations().await } else { login.reset().await };
        reset.push((name, forgotten.map_err(|error| failed(app, "forgetting", "reset", name, &error))?));
    }
    if app.json {
        let servers: Vec<_> =
            reset.iter().map(|(name, forgotten)| json!({"name": name, "forgotten": forgotten})).collect();
        app.print_json(&json!({"schemaVersion": 1, "servers": servers}));
        return Ok(ExitStatus::Success);
    }
    for (name, forgotten) in &reset {
        let name = shown::name(name);
        app.output.out(&match forgotten {
            0 => format!("{name}: nothing was kept\n"),
            1 => format!("{name}: forgot 1 record\n"),
            more => format!("{name}: forgot {more} records\n"),
        });
    }
    if reset.is_empty() {
        app.output.note("no server of these has anything to forget\n");
    }
    Ok(ExitStatus::Success)
}
