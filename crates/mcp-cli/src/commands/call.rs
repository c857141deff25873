//! `mcplink call NAME TOOL [ARGS..]`: calls a tool once and prints what it answered.

use mcp_transport::{Payload, RequestOptions, Tool, ToolResult, TransportError, TransportErrorKind};

use super::connected::{Open, Want, connected, failed};
use crate::app::App;
use crate::args::CallArgs;
use crate::arguments::{ArgumentError, Arguments};
use crate::deadline::duration;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::inputs;
use crate::view::content::Sink;
use crate::view::progress::ProgressLine;

pub(super) async fn run(app: &App, args: &CallArgs) -> Result<ExitStatus, CliError> {
    let unusable = |error| unusable(&args.name, &error);
    let mut arguments = inputs::read(&args.arguments, app.directory()?).await.map_err(unusable)?;
    let open = connected(app, &args.name, Want::Questions).await?;
    let ended = called(app, args, &open, &mut arguments).await;
    open.connection.close().await;
    ended
}

async fn called(
    app: &App,
    args: &CallArgs,
    open: &Open,
    arguments: &mut Arguments,
) -> Result<ExitStatus, CliError> {
    // Only `key=text` leaves a type open; what is certain needs no list.
    if arguments.has_plain() {
        let tools = open.connection.list_tools(&RequestOptions::new()).await.unwrap_or_default().tools;
        if let Some(schema) =
            tools.iter().find(|tool| tool.name == args.tool).and_then(|tool| tool.view().input_schema)
        {
            arguments.coerce(schema).map_err(|error| unusable(&args.name, &error))?;
        }
    }
    let progress = ProgressLine::new(app.output.clone());
    let mut options = RequestOptions::new();
    options.timeout = app.deadline.map(|deadline| deadline.left());
    options.progress = progress.sink();
    let called = open.connection.call_tool(&args.tool, Some(&arguments.to_json()), &options).await;
    drop(progress);
    match called {
        Ok(result) => show(app, args, open, &result),
        Err(error) => match overrun(app, args, open, &error) {
            Some(overrun) => Err(overrun),
            None => Err(refused(open, args, &error).await),
        },
    }
}

fn unusable(name: &str, error: &ArgumentError) -> CliError {
    CliError::usage("invalid-argument", format!("the argument {:?} {}", error.argument, error.problem))
        .next(format!("mcplink tools {} --json", mcp_text::shell_word(name)))
}

/// A call that took longer than it may, with the setting that moves the limit. It is no failure of the server: it may still
/// be at it.
fn overrun(app: &App, args: &CallArgs, open: &Open, error: &TransportError) -> Option<CliError> {
    let TransportErrorKind::Timeout { .. } = error.kind() else { return None };
    let name = mcp_text::shell_word(&args.name);
    let of_entry = open.wired.state.as_ref().ok().and_then(|ready| ready.server.timeout);
    let of_all = app.connector.options().request_timeout;
    let (limit, next) = match (app.deadline, of_entry, of_all) {
        (Some(deadline), _, _) if deadline.is_over() => (deadline.told(), format!("mcplink status {name}")),
        (None, Some(limit), _) => {
            (format!("{} (`timeout` of its entry)", duration(limit)), format!("mcplink get {name}"))
        }
        (None, None, Some(limit)) => (
            format!("{} (MCP_TOOL_TIMEOUT)", duration(limit)),
            format!("mcplink call {name} {} --timeout 10m", mcp_text::shell_word(&args.tool)),
        ),
        _ => return None,
    };
    let message = format!("{} of {} took longer than {limit}", args.tool, args.name);
    let why = if error.may_have_been_sent() { "it may have run" } else { "it was not sent" };
    Some(CliError::new(ExitStatus::Pending, "timeout", message).why(why).next(next))
}

/// Why a call has no result: no such tool, or what the wire says.
async fn refused(open: &Open, args: &CallArgs, error: &TransportError) -> CliError {
    if !matches!(error.kind(), TransportErrorKind::Rpc { .. }) {
        return failed(&open.wired, error);
    }
    // Servers spell "no such tool" in many ways; the list says it in one.
    let listed = open.connection.list_tools(&RequestOptions::new()).await.unwrap_or_default().tools;
    match unknown_tool(&listed, args) {
        Some(unknown) => unknown,
        None => failed(&open.wired, error),
    }
}

/// The error of a tool that is not in the list, if there is a list and it is not.
fn unknown_tool(listed: &[Tool], args: &CallArgs) -> Option<CliError> {
    if listed.is_empty() || listed.iter().any(|tool| tool.name == args.tool) {
        return None;
    }
    let message = format!("{} has no tool {:?}", args.name, args.tool);
    let error = CliError::new(ExitStatus::ToolError, "unknown-tool", message)
        .next(format!("mcplink tools {}", mcp_text::shell_word(&args.name)));
    Some(match mcp_config::nearest(&args.tool, listed.iter().map(|tool| tool.name.as_str())) {
        Some(nearest) => error.why(format!("did you mean {nearest:?}?")),
        None => error,
    })
}

/// Prints the result: as sent with `--json`, otherwise text as it is and one line for anything else.
fn show(app: &App, args: &CallArgs, open: &Open, result: &Payload) -> Result<ExitStatus, CliError> {
    let view = ToolResult::read(result).map_err(|error| failed(&open.wired, &error))?;
    if app.json {
        app.output.out_line(result);
    } else {
        let sink = Sink { directory: args.output.clone(), stem: args.tool.clone() };
        super::resources::print_blocks(app, &sink, view.content.iter().copied())?;
        if let (true, Some(structured)) = (view.content.is_empty(), view.structured_content) {
            app.output.content(structured.get());
        }
    }
    Ok(if view.is_error { ExitStatus::ToolError } else { ExitStatus::Success })
}
