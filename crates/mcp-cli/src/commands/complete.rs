//! `mcplink complete NAME (--prompt PROMPT | --resource TEMPLATE) ARGUMENT [TYPED]`.

use mcp_transport::completion::CompletionTarget;
use mcp_transport::message::{INVALID_PARAMS, METHOD_NOT_FOUND};
use mcp_transport::{RequestOptions, TransportErrorKind};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::app::App;
use crate::args::CompleteArgs;
use crate::connected::{ConnectionNeeds, connected, failed, said};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::shown;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    /// As the server sent it.
    completion: Option<Box<RawValue>>,
}

/// Prints the values that the server suggests, one per line, best first.
pub(super) async fn run(app: &App, args: &CompleteArgs) -> Result<ExitStatus, CliError> {
    let target = match (&args.prompt, &args.resource) {
        (Some(name), _) => CompletionTarget::Prompt { name },
        (None, uri) => CompletionTarget::Resource { uri: uri.as_deref().unwrap_or_default() },
    };
    let open = connected(app, &args.server.name, ConnectionNeeds::Nothing).await?;
    let (argument, typed) = (args.argument.as_str(), args.typed.as_deref().unwrap_or_default());
    let asked =
        open.connection.complete(target, (argument, typed), &args.given, &RequestOptions::new()).await;
    let word = mcp_text::shell_word(&args.server.name);
    let completion = asked.map_err(|error| match error.kind() {
        // The codes that the specification asks for (completion, error handling).
        TransportErrorKind::Rpc { code: METHOD_NOT_FOUND } => CliError::new(
            ExitStatus::ToolError,
            "no-completions",
            format!("{} suggests no values", args.server.name),
        )
        .why(said(&error))
        .next(format!("mcplink {} {word}", if args.prompt.is_some() { "prompts" } else { "resources" })),
        TransportErrorKind::Rpc { code: INVALID_PARAMS } => {
            let list = if args.prompt.is_some() { "prompts" } else { "resources" };
            let message =
                format!("{} has no argument {argument:?} to suggest values for there", args.server.name);
            CliError::new(ExitStatus::ToolError, "unknown-argument", message)
                .why(said(&error))
                .next(format!("mcplink {list} {word}"))
        }
        TransportErrorKind::Rpc { .. } => {
            let list = if args.prompt.is_some() { "prompts" } else { "resources" };
            failed(&app.steps, &open.configured, &error).next(format!("mcplink {list} {word}"))
        }
        _ => failed(&app.steps, &open.configured, &error),
    })?;
    if app.json {
        #[derive(serde::Deserialize)]
        struct Answer {
            completion: Box<RawValue>,
        }
        let answer: Option<Answer> = serde_json::from_str(completion.raw.get()).ok();
        app.print_json(&Document { schema_version: 1, completion: answer.map(|answer| answer.completion) });
        return Ok(ExitStatus::Success);
    }
    for value in &completion.values {
        app.output.out(&format!("{}\n", shown::line(value)));
    }
    if completion.has_more {
        let total = completion.total.map(|total| format!(" ({total} in all)")).unwrap_or_default();
        app.output.note(&format!("there are more{total}\n"));
    }
    Ok(ExitStatus::Success)
}
