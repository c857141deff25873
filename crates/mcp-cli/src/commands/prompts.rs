//! `mcplink prompts NAME` and `mcplink prompt NAME PROMPT [ARGS..]`.

use mcp_transport::message::INVALID_PARAMS;
use mcp_transport::{RequestOptions, TransportErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::resources::{listed, print_blocks, without};
use crate::app::App;
use crate::args::PromptArgs;
use crate::completion::names::{ListedArgument, ListedName, ListedNames};
use crate::connected::{ConnectionNeeds, connected, failed, said};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::inputs;
use crate::view::content::Sink;
use crate::view::shown;
use crate::view::text::columns;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    prompts: Vec<Box<RawValue>>,
}

/// The members of a prompt that are shown.
#[derive(Default, Deserialize)]
#[serde(default)]
struct View {
    name: String,
    description: Option<String>,
    arguments: Vec<Argument>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Argument {
    name: String,
    required: bool,
}

/// What completion offers of a prompt.
fn listed_name(view: View) -> ListedName {
    let arguments = view.arguments.into_iter();
    let arguments =
        arguments.map(|argument| ListedArgument { name: argument.name, ..ListedArgument::default() });
    ListedName {
        name: view.name,
        about: view.description.unwrap_or_default(),
        arguments: arguments.collect(),
    }
}

/// Lists the prompts with their arguments; those in brackets may be left out.
pub(super) async fn list(app: &App, name: &str) -> Result<ExitStatus, CliError> {
    let open = connected(app, name, ConnectionNeeds::Nothing).await?;
    let prompts = listed(app, &open, "prompts/list", "prompts").await;
    let prompts = prompts?;
    let names = prompts.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).map(listed_name);
    ListedNames::keep_prompts(app, &open.configured, names.collect(), &open.connection.credentials_sent());
    if app.json {
        app.print_json(&Document { schema_version: 1, prompts });
        return Ok(ExitStatus::Success);
    }
    if prompts.is_empty() {
        app.output.note(&format!("{} lists no prompts\n", shown::name(name)));
    }
    let secrets = open.connection.credentials_sent();
    let redacted = |text: &str| shown::without(&secrets, text);
    let rows = prompts.iter().map(|raw| {
        let view: View = serde_json::from_str(raw.get()).unwrap_or_default();
        let arguments: Vec<String> = view.arguments.iter().map(Argument::shown).collect();
        [
            shown::name(&secrets.hide_known(&view.name)),
            shown::cell(&redacted(&arguments.join(" "))),
            shown::line(&redacted(&view.description.unwrap_or_default())),
        ]
    });
    app.output.out(&columns(rows, app.style()));
    Ok(ExitStatus::Success)
}

impl Argument {
    fn shown(&self) -> String {
        if self.required { format!("{}=", self.name) } else { format!("[{}=]", self.name) }
    }
}

/// Gets one prompt.
pub(super) async fn get(app: &App, args: &PromptArgs) -> Result<ExitStatus, CliError> {
    let arguments = inputs::read(&args.arguments, app.directory()?).await.map_err(|error| {
        CliError::usage("invalid-argument", format!("the argument {:?} {}", error.argument, error.problem))
            .next(format!("mcplink prompts {}", mcp_text::shell_word(&args.server.name)))
    })?;
    let open = connected(app, &args.server.name, ConnectionNeeds::Questions).await?;
    let params =
        to_raw_value(&json!({"name": args.prompt, "arguments": arguments.to_json()})).unwrap_or_default();
    let got = open.connection.request("prompts/get", Some(&params), &RequestOptions::new()).await;
    let has_any = open.connection.server().has("prompts");
    let result = got.map_err(|error| match error.kind() {
        TransportErrorKind::Rpc { .. } if !has_any => without(&open, "prompts", &error),
        // -32602 is what the specification asks for where the name or an argument is wrong (prompts, error handling).
        TransportErrorKind::Rpc { code: INVALID_PARAMS } => {
            let message =
                format!("{} has no prompt {:?} with these arguments", args.server.name, args.prompt);
            CliError::new(ExitStatus::ToolError, "unknown-prompt", message)
                .why(said(&error))
                .next(format!("mcplink prompts {}", mcp_text::shell_word(&args.server.name)))
        }
        TransportErrorKind::Rpc { .. } => failed(&app.steps, &open.configured, &error)
            .next(format!("mcplink prompts {}", mcp_text::shell_word(&args.server.name))),
        _ => failed(&app.steps, &open.configured, &error),
    })?;
    if app.json {
        app.output.out_line(result.get());
    } else {
        show(app, args, result.get())?;
    }
    Ok(ExitStatus::Success)
}

fn show(app: &App, args: &PromptArgs, result: &str) -> Result<(), CliError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Messages {
        messages: Vec<Message>,
    }
    #[derive(Deserialize)]
    struct Message {
        #[serde(default)]
        role: String,
        content: Box<RawValue>,
    }
    let prompt: Messages = serde_json::from_str(result).unwrap_or_default();
    let sink = Sink { directory: None, stem: args.prompt.clone() };
    for message in &prompt.messages {
        app.output.out(&format!("{}:\n", app.style().bold(&shown::line(&message.role))));
        print_blocks(app, &sink, std::iter::once(&*message.content))?;
    }
    Ok(())
}
