//! `mcplink`: a thin program over the library crates. It parses, wires, prints and exits. What is decided about a
//! server is decided in `mcp-config`, `mcp-auth`, `mcp-transport` or `mcp-status`, and put together in `mcp-connect`; what is decided
//! here is how a person is told and asked.
//!
//! | behaviour | lives in |
//! |---|---|
//! | the command line as typed, and its help | `args` |
//! | help as an answer | `command_line` |
//! | what is said of a command line that is none | `mistake` |
//! | a server and a tool in one word | `two_names` |
//! | what can stand at the cursor of a shell | `completion` |
//! | one file per command | `commands` |
//! | one server, connected for a command, or why not | `connected` |
//! | a request that has no result, in words | `failed_request` |
//! | what servers are told when a command ends, however that is | `open_connections` |
//! | what a decision of a person allows, and how it is kept | `consent` |
//! | words, tables, JSON | `view` |
//! | exit codes | `exit` |
//! | what a reason means in general, and what mends it | `explanation` |
//! | what is wrong with the files, as it is told | `problems` |
//! | what a broken file is to each command | `commands::conclusion` |
//! | what other hosts have, as it is told | `hosts` |
//! | the screen of `menu`, with the feature `menu` | `menu` |
//! | the next step as it is printed | `steps` |
//! | a command that can be pasted, whatever its names are | `written` |
//! | which runner of packages started the program | `runner` |
//! | traces and metrics, with the feature `otel` | `telemetry` |

#[cfg(target_os = "linux")]
mod ancestors;
mod app;
mod args;
mod arguments;
mod broken;
mod browser;
mod command_line;
mod commands;
mod completion;
mod confirmation;
mod connected;
mod consent;
mod deadline;
mod elicitation;
mod environment;
mod error;
mod exit;
mod explanation;
mod failed_request;
mod hosts;
mod inputs;
mod live;
mod loaded;
mod logging;
#[cfg_attr(not(feature = "menu"), path = "menu/absent.rs")]
mod menu;
mod mistake;
mod open_connections;
mod output;
mod printed_step;
mod problems;
mod runner;
mod secret_name;
mod session_log;
mod shared_store;
mod sign_in;
mod signals;
mod steps;
mod surroundings;
#[cfg_attr(not(feature = "otel"), path = "telemetry/absent.rs")]
mod telemetry;
mod terminal;
mod two_names;
mod view;
mod written;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::telemetry::Telemetry;

pub use crate::environment::Environment;

/// Runs the command line `args` (the program's name first) and says how the process ends.
pub fn run(args: impl IntoIterator<Item = OsString>, environment: Environment) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut cli = match command_line::parse(&args) {
        Ok(cli) => cli,
        Err(ended) => return ended.into(),
    };
    // Not for help or a version: every process above this one is looked at.
    let environment = environment.with_ancestors();
    let (telemetry, layers) = Telemetry::start(&environment);
    logging::start(cli.global.verbose, cli.global.json, &environment, layers);
    telemetry.explain();
    let app = match App::new(&mut cli, environment, telemetry) {
        Ok(app) => Arc::new(app),
        Err(error) => {
            command_line::tell(&error, cli.global.json);
            return error.exit.into();
        }
    };
    output::clear_at_panics(&app.output);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error =
                CliError::new(ExitStatus::Internal, "internal", "cannot start").why(error.to_string());
            app.output.error(&if app.json { error.to_json() } else { error.to_lines(app.stderr_room()) });
            return error.exit.into();
        }
    };
    let ends_by_itself = matches!(cli.command, args::Command::Bridge(_));
    let ended = runtime.block_on(async {
        // Where a menu runs another program, a signal may be for that.
        let is_menu =
            matches!(&cli.command, args::Command::Menu(args) if args.web || menu::can_be_shown(&app));
        let hears_signals = ends_by_itself || is_menu;
        let span = app.telemetry.command(&args);
        let command = commands::run(cli.command, &app);
        let command = async {
            match (app.output.shows_waiting(), app.deadline) {
                (true, _) => deadline::telling(&app.reached, |text| app.output.waits(text), command).await,
                (false, None) => {
                    deadline::reminding(&app.reached, |text| app.output.note(text), command).await
                }
                (false, Some(_)) => command.await,
            }
        };
        let command =
            deadline::within(app.deadline, &app.reached, &app.steps, command).instrument(span.clone());
        let ended = if hears_signals { command.await } else { signals::or_interrupted(command).await };
        let exit = ended.as_ref().map_or_else(|error| error.exit, |status| *status);
        app.telemetry.ended(&span, exit);
        ended
    });
    // A person who interrupts a table is not left with half of it.
    app.output.clear();
    let is_interrupted = matches!(ended, Ok(ExitStatus::Interrupted | ExitStatus::Terminated));
    let code = told(&app, ended);
    // A bridge has let it come to its end within the time that its host gives it.
    if !ends_by_itself {
        runtime.block_on(let_go(&app, is_interrupted));
    }
    // A thread that still waits for standard input must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    // Last, because the caller has the result by now.
    app.telemetry.finish();
    code
}

/// Says how the command ended, where that is not said yet.
fn told(app: &App, ended: Result<ExitStatus, CliError>) -> ExitCode {
    match ended {
        Ok(ExitStatus::Interrupted) => ExitStatus::Interrupted.into(),
        Ok(ExitStatus::Terminated) => ExitStatus::Terminated.into(),
        Ok(status) => match app.output.lost() {
            None => status.into(),
            Some(why) => {
                let error = command_line::unwritten(&why);
                app.output.error(&if app.json { error.to_json() } else { error.to_lines(app.stderr_room()) });
                error.exit.into()
            }
        },
        Err(mut error) => {
            error.next = error.next.map(|next| app.steps.step(next));
            app.output.error(&if app.json { error.to_json() } else { error.to_lines(app.stderr_room()) });
            error.exit.into()
        }
    }
}

/// How long a command that a person interrupts may take to tell its servers, and how long until its end.
const INTERRUPTED: (Duration, Duration) = (Duration::from_millis(700), Duration::from_millis(850));
/// The same of one that has ended: a local server has its time to end by itself, and a renewal of tokens its own.
const ENDED: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(10));

/// Lets go of what the command has left. The result has been shown, also where its limit struck. The servers of connections that
/// are still open are told; and a refresh token that was spent is lost with the process that waits for its successor, so that
/// is waited for, within reason.
async fn let_go(app: &App, is_interrupted: bool) {
    let (closing, limit) = match is_interrupted {
        true => INTERRUPTED,
        false => (deadline::closing_time(app.deadline, ENDED.0), ENDED.1),
    };
    let gone = async {
        app.reached.is("telling its servers that this is over", "");
        app.open.close(closing).await;
        // Last: what is told may need new tokens.
        app.reached.is("waiting for a token that is being renewed, to keep it", "");
        app.host.renewals().settled().await;
        Ok(ExitStatus::Success)
    };
    let gone = async {
        match app.output.shows_waiting() {
            true => deadline::telling(&app.reached, |text| app.output.waits(text), gone).await,
            false => gone.await,
        }
    };
    // A person who presses Ctrl-C again means it.
    let _ = tokio::time::timeout(limit, signals::or_interrupted(gone)).await;
    app.output.clear();
}

/// The snippets of the page for programs that embed the crates compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embed.md")]
struct Embed;
