//! `login A B C` and `login --all`: one sign-in after the other, each told as it ends, and the whole at the end.

use futures_util::StreamExt as _;
use mcp_connect::{ConfiguredServer, Probe};
use mcp_status::NextStep;
use mcp_transport::connect::ConnectPolicy;
use serde_json::{Value, json};

use super::{Person, Way, plugin, row, sign_in};
use crate::app::App;
use crate::args::LoginArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::loaded::LoadedConfig;
use crate::sign_in::attempt;
use crate::view::shown;

pub(super) async fn run(app: &App, loaded: &LoadedConfig, args: &LoginArgs) -> Result<ExitStatus, CliError> {
    let servers = loaded.wired_named(app, &args.names).await?;
    let servers = if args.all { wanting(app, servers).await } else { servers };
    let (mut rows, mut exits) = (Vec::new(), Vec::new());
    let mut signed_in = 0;
    for server in &servers {
        if let Some(done) = plugin::sign_in(app, server).await {
            match done {
                Ok(()) => {
                    signed_in += 1;
                    rows.push(plugin::row(server));
                    if !app.json {
                        app.output.out(&format!("{}\n", plugin::told(server)));
                    }
                }
                Err(error) => {
                    exits.push(error.exit);
                    rows.push(refused(&server.description.name, app, &error));
                    if !app.json {
                        app.output.error(&error.to_lines(app.stderr_room()));
                    }
                }
            }
            continue;
        }
        match Box::pin(sign_in(app, server, Way::of(args), Person::AtTheTerminal)).await {
            Ok(done) => {
                signed_in += 1;
                rows.push(row(server, &done));
                if !app.json {
                    app.output.out(&format!("{}\n", attempt::conclusion(&server.description, &done)));
                }
            }
            Err(error) => {
                exits.push(error.exit);
                rows.push(refused(&server.description.name, app, &error));
                if !app.json {
                    app.output.error(&error.to_lines(app.stderr_room()));
                }
            }
        }
    }
    if app.json {
        app.print_json(&json!({ "schemaVersion": 1, "signIns": rows }));
    } else if rows.is_empty() {
        app.output.note("no server wants a sign-in now; `mcplink accounts` lists those that are kept\n");
    } else {
        app.output.note(&format!("{signed_in} of {} signed in\n", rows.len()));
    }
    Ok(ExitStatus::combine(exits))
}

/// Those of `servers` whose next step is a sign-in, as each says now: one that a helper answers for, that offers none or that is
/// not there wants none.
async fn wanting(app: &App, servers: Vec<ConfiguredServer>) -> Vec<ConfiguredServer> {
    let policy = ConnectPolicy::glance();
    let until = app.deadline.map(|deadline| deadline.at);
    let could = servers.into_iter().filter(|server| server.has_plugin() || server.check_sign_in().is_ok());
    let policy = &policy;
    let asked = could.map(|server| async move {
        let probe = Probe::run(app.host.connector(), &server, policy, until, |_| {}).await;
        if let Some(connection) = probe.connection {
            connection.close().await;
        }
        let next = probe.report.reason.and_then(|reason| reason.next);
        matches!(next, Some(NextStep::SignIn { .. })).then_some(server)
    });
    let asked: Vec<_> = futures_util::stream::iter(asked).buffered(app.remote_batch()).collect().await;
    asked.into_iter().flatten().collect()
}

fn refused(name: &str, app: &App, error: &CliError) -> Value {
    let mut report = error.to_value();
    if let Some(next) = &error.next {
        report["next"] = app.steps.step(next.clone()).as_str().into();
    }
    json!({ "name": shown::name(name), "signedIn": false, "error": report })
}
