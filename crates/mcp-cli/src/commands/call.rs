//! `mcplink call NAME TOOL [ARGS..]`: calls a tool once and prints what it answered.

use std::path::PathBuf;

use mcp_transport::{RequestOptions, ToolResult, TransportError, TransportErrorKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::connected::{Open, connected, failed};
use crate::app::App;
use crate::args::CallArgs;
use crate::arguments::{self, Inputs};
use crate::error::{CliError, one_line};
use crate::exit::ExitStatus;

pub(super) async fn run(app: &App, args: &CallArgs) -> Result<ExitStatus, CliError> {
    let inputs = Files { directory: app.directory()? };
    let arguments = arguments::parse(&args.arguments, &inputs).map_err(|error| {
        CliError::usage("invalid-argument", format!("the argument {:?} {}", error.argument, error.problem))
            .next(format!("mcplink tools {} --json", args.name))
    })?;
    let arguments = serde_json::value::to_raw_value(&arguments)
        .map_err(|error| CliError::new(ExitStatus::Internal, "internal", error.to_string()))?;
    let open = connected(app, &args.name, false).await?;
    let options =
        args.timeout.map_or_else(RequestOptions::new, |limit| RequestOptions::new().with_timeout(limit));
    let called = open.connection.call_tool(&args.tool, Some(&arguments), &options).await;
    let answer = match called {
        Ok(result) => show(app, &result).map_err(|error| failed(&open.wired, &error)),
        Err(error) => Err(refused(&open, args, &error).await),
    };
    open.connection.close().await;
    answer
}

/// Why a call has no result: no such tool, or what the wire says.
async fn refused(open: &Open, args: &CallArgs, error: &TransportError) -> CliError {
    if !matches!(error.kind(), TransportErrorKind::Rpc { .. }) {
        return failed(&open.wired, error);
    }
    // Servers spell "no such tool" in many ways; the list says it in one.
    let listed = open.connection.list_tools(&RequestOptions::new()).await.unwrap_or_default().tools;
    if listed.is_empty() || listed.iter().any(|tool| tool.name == args.tool) {
        return failed(&open.wired, error);
    }
    let error = CliError::new(
        ExitStatus::ToolError,
        "unknown-tool",
        format!("{} has no tool {:?}", args.name, args.tool),
    )
    .next(format!("mcplink tools {}", args.name));
    match mcp_config::nearest(&args.tool, listed.iter().map(|tool| tool.name.as_str())) {
        Some(nearest) => error.why(format!("did you mean {nearest:?}?")),
        None => error,
    }
}

/// Prints the result: as sent with `--json`, otherwise text as it is and one line for anything else.
fn show(app: &App, result: &RawValue) -> Result<ExitStatus, TransportError> {
    let view = ToolResult::read(result)?;
    if app.json {
        app.output.out(&format!("{}\n", result.get()));
    } else {
        for block in &view.content {
            app.output.out(&block_text(block));
        }
        if let (true, Some(structured)) = (view.content.is_empty(), view.structured_content) {
            app.output.out(&format!("{}\n", structured.get()));
        }
    }
    Ok(if view.is_error { ExitStatus::ToolError } else { ExitStatus::Success })
}

/// The members of a content block that are shown.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Block {
    r#type: String,
    text: Option<String>,
    data: Option<String>,
    mime_type: Option<String>,
    uri: Option<String>,
}

fn block_text(block: &RawValue) -> String {
    let view: Block = serde_json::from_str(block.get()).unwrap_or_default();
    match (view.r#type.as_str(), view.text) {
        ("text", Some(text)) if text.ends_with('\n') => text,
        ("text", Some(text)) => text + "\n",
        (kind, _) => {
            let mut line = format!("[{}", if kind.is_empty() { "unknown content" } else { kind });
            if let Some(mime_type) = &view.mime_type {
                line.push_str(&format!(", {mime_type}"));
            }
            match (&view.data, &view.uri) {
                // Base64 (RFC 4648): four characters for three bytes.
                (Some(data), _) => {
                    line.push_str(&format!(", {} bytes", data.trim_end_matches('=').len() * 3 / 4))
                }
                (None, Some(uri)) => line.push_str(&format!(", {uri}")),
                (None, None) => line.push_str(&format!(", {} bytes of JSON", block.get().len())),
            }
            format!("{}]\n", one_line(&line))
        }
    }
}

/// Files relative to the current directory, and standard input.
struct Files {
    directory: PathBuf,
}

impl Inputs for Files {
    fn file(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(self.directory.join(path))
            .map_err(|error| format!("names a file that cannot be read: {error}"))
    }

    fn stdin(&self) -> Result<String, String> {
        std::io::read_to_string(std::io::stdin())
            .map_err(|error| format!("cannot be read from stdin: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(block: &str) -> String {
        block_text(&RawValue::from_string(block.to_owned()).unwrap())
    }

    #[test]
    fn text_is_printed_as_it_is_and_the_rest_is_named() {
        for (block, expected) in [
            (r#"{"type":"text","text":"a\nb"}"#, "a\nb\n"),
            (r#"{"type":"text","text":"a\n"}"#, "a\n"),
            (r#"{"type":"image","data":"AAAA","mimeType":"image/png"}"#, "[image, image/png, 3 bytes]\n"),
            (r#"{"type":"audio","data":"AAA=","mimeType":"audio/wav"}"#, "[audio, audio/wav, 2 bytes]\n"),
            (r#"{"type":"resource_link","uri":"file:///x"}"#, "[resource_link, file:///x]\n"),
            (r#"{"type":"new","x":1}"#, "[new, 20 bytes of JSON]\n"),
            (r#"{"x":1}"#, "[unknown content, 7 bytes of JSON]\n"),
        ] {
            assert_eq!(shown(block), expected);
        }
    }
}
