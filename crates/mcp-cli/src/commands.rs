//! The verbs: one file per command, each from parsed arguments to an exit status.

mod accounts;
mod add;
mod approve_tools;
mod auth_plugin;
mod bridge;
mod call;
mod candidates;
mod change;
mod complete;
mod completions;
mod conclusion;
mod decide;
#[cfg_attr(not(feature = "demo"), path = "commands/no_demo.rs")]
mod demo;
mod doctor;
mod get;
mod headers;
mod hosts;
mod import;
mod in_place;
mod list;
mod login;
mod logout;
mod logs;
mod man;
mod paths;
mod ping;
mod prompts;
mod ps;
mod reconnect;
mod remove;
mod reset;
mod resources;
mod schema;
mod secret;
mod secrets;
mod status;
mod support_bundle;
mod switch;
mod tools;
mod validate;
pub(crate) mod version;
mod wait;
mod watch;
mod wrap;

use std::sync::Arc;

use self::conclusion::Conclusion;
use crate::app::App;
use crate::args::{Command, StatusArgs};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::menu;

/// Runs one command.
pub(crate) async fn run(command: Command, app: &Arc<App>) -> Result<ExitStatus, CliError> {
    in_place::refuse(app, command.changes_entries())?;
    let conclusion = Conclusion::of(&command, app);
    conclusion.draw(app, dispatch(command, app).await)
}

async fn dispatch(command: Command, app: &Arc<App>) -> Result<ExitStatus, CliError> {
    match command {
        Command::List => list::run(app).await,
        Command::Status(args) => status::run(app, &args).await,
        Command::Menu(args) if args.web => menu::run_in_a_browser(app, &args).await,
        Command::Menu(args) if menu::can_be_shown(app) => menu::run(app, &args).await,
        Command::Menu(_) => status::run(app, &StatusArgs::default()).await,
        Command::Wait(args) => wait::run(app, &args).await,
        Command::Doctor(args) => doctor::run(app, &args).await,
        Command::Get(args) => get::run(app, &args.name).await,
        Command::Reconnect(args) => reconnect::run(app, &args).await,
        Command::Ps => ps::list(app).await,
        Command::Stop(args) => ps::stop(app, &args).await,
        Command::Reset(args) => reset::run(app, &args).await,
        Command::Login(args) => login::run(app, &args).await,
        Command::Logout(args) => logout::run(app, &args).await,
        Command::Accounts(args) => accounts::run(app, &args).await,
        Command::AuthPlugin(args) => Box::pin(auth_plugin::run(app, &args)).await,
        Command::Secret(args) => Box::pin(secret::run(app, &args)).await,
        Command::Headers(args) => headers::run(app, &args).await,
        Command::Logs(args) => logs::run(app, &args).await,
        Command::SupportBundle(args) => support_bundle::run(app, &args).await,
        Command::Trust(args) => decide::trust(app, args.path.path.as_deref(), &args.agreed).await,
        Command::Untrust(args) => decide::untrust(app, args.path.as_deref()),
        Command::Approve(args) => decide::approve(app, &args.names.names, &args.agreed).await,
        Command::Reject(args) => decide::reject(app, &args.names),
        Command::ApproveTools(args) => approve_tools::run(app, &args).await,
        Command::Tools(args) => tools::run(app, &args).await,
        Command::Call(args) => call::run(app, &args).await,
        Command::Resources(args) => resources::list(app, &args.name).await,
        Command::Read(args) => resources::read(app, &args).await,
        Command::Prompts(args) => prompts::list(app, &args.name).await,
        Command::Prompt(args) => prompts::get(app, &args).await,
        Command::Complete(args) => complete::run(app, &args).await,
        Command::Ping(args) => ping::run(app, &args.name).await,
        Command::Bridge(args) => bridge::run(app, &args).await,
        Command::Add(args) => add::run(app, &args).await,
        Command::AddJson(args) => add::json(app, &args).await,
        Command::Remove(args) => remove::run(app, &args).await,
        Command::Enable(args) => switch::run(app, &args, true),
        Command::Disable(args) => switch::run(app, &args, false),
        Command::Import(args) => import::run(app, &args).await,
        Command::Wrap(args) => wrap::run(app, &args).await,
        Command::Unwrap(args) => wrap::undo(app, &args),
        Command::Hosts => hosts::run(app),
        Command::Validate(args) => validate::run(app, args.file.as_deref()),
        Command::Schema => schema::run(app),
        Command::Paths => paths::run(app),
        Command::Demo(args) => demo::run(app, &args).await,
        Command::Completions(args) => completions::run(app, args.shell),
        Command::Candidates(args) => candidates::run(app, &args).await,
        Command::Man(args) => man::run(app, &args),
        Command::Version => version::run(app),
        // An answer before there is an application.
        Command::Help(_) => Ok(ExitStatus::Success),
    }
}
