//! `mcplink resources NAME` and `mcplink read NAME URI`.

use mcp_transport::message::{INVALID_PARAMS, METHOD_NOT_FOUND, RESOURCE_NOT_FOUND};
use mcp_transport::{RequestOptions, TransportError, TransportErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::app::App;
use crate::args::ReadArgs;
use crate::connected::{ConnectionNeeds, OpenServer, connected, failed, said};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::content::Sink;
use crate::view::shown;
use crate::view::text::columns;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    resources: Vec<Box<RawValue>>,
    resource_templates: Vec<Box<RawValue>>,
}

/// The members of a resource, or of a template, that are shown.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct View {
    uri: Option<String>,
    uri_template: Option<String>,
    name: String,
    mime_type: Option<String>,
}

/// Lists the resources, and the templates from which URIs can be made.
pub(super) async fn list(app: &App, name: &str) -> Result<ExitStatus, CliError> {
    let open = connected(app, name, ConnectionNeeds::Nothing).await?;
    let resources = listed(app, &open, "resources/list", "resources").await;
    let templates = listed(app, &open, "resources/templates/list", "resourceTemplates").await;
    let document = Document { schema_version: 1, resources: resources?, resource_templates: templates? };
    if app.json {
        app.print_json(&document);
        return Ok(ExitStatus::Success);
    }
    let all: Vec<_> = document.resources.iter().chain(&document.resource_templates).collect();
    if all.is_empty() {
        app.output.note(&format!("{} lists no resources\n", shown::name(name)));
    }
    let secrets = open.connection.credentials_sent();
    let redacted = |text: &str| shown::without(&secrets, text);
    let rows = all.iter().map(|raw| {
        let view: View = serde_json::from_str(raw.get()).unwrap_or_default();
        let uri = view.uri.or(view.uri_template).unwrap_or_default();
        [
            shown::line(&redacted(&uri)),
            shown::cell(&redacted(&view.name)),
            shown::cell(&redacted(&view.mime_type.unwrap_or_default())),
        ]
    });
    app.output.out(&columns(rows, app.style()));
    Ok(ExitStatus::Success)
}

/// All items of a list; none where the server does not have that kind of list at all.
pub(super) async fn listed(
    app: &App,
    open: &OpenServer,
    method: &str,
    member: &str,
) -> Result<Vec<Box<RawValue>>, CliError> {
    let capability = method.split('/').next().unwrap_or_default();
    if !open.connection.server().has(capability) {
        return Ok(Vec::new());
    }
    match open.connection.list(method, member, &RequestOptions::new()).await {
        Ok(items) => Ok(items),
        // Templates are a part of the capability that many servers leave out.
        Err(error) if *error.kind() == (TransportErrorKind::Rpc { code: METHOD_NOT_FOUND }) => Ok(Vec::new()),
        Err(error) => Err(failed(&app.steps, &open.configured, &error)),
    }
}

/// "Resource not found": the first since 2026-07-28, the second before.
const NOT_FOUND: [i64; 2] = [INVALID_PARAMS, RESOURCE_NOT_FOUND];

/// Reads one resource.
pub(super) async fn read(app: &App, args: &ReadArgs) -> Result<ExitStatus, CliError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Contents<'a> {
        #[serde(borrow)]
        contents: Vec<&'a RawValue>,
    }
    let open = connected(app, &args.server.name, ConnectionNeeds::Questions).await?;
    let params = to_raw_value(&json!({"uri": args.uri})).unwrap_or_default();
    let read = open.connection.request("resources/read", Some(&params), &RequestOptions::new()).await;
    let has_any = open.connection.server().has("resources");
    let result = read.map_err(|error| match error.kind() {
        TransportErrorKind::Rpc { .. } if !has_any => without(&open, "resources", &error),
        TransportErrorKind::Rpc { code } if NOT_FOUND.contains(code) => {
            let message = format!("{} has no resource {:?}", args.server.name, args.uri);
            CliError::new(ExitStatus::ToolError, "unknown-resource", message)
                .why(said(&error))
                .next(format!("mcplink resources {}", mcp_text::shell_word(&args.server.name)))
        }
        // Whatever it has against this one, others are in its list.
        TransportErrorKind::Rpc { .. } => failed(&app.steps, &open.configured, &error)
            .next(format!("mcplink resources {}", mcp_text::shell_word(&args.server.name))),
        _ => failed(&app.steps, &open.configured, &error),
    })?;
    if app.json {
        app.output.out_line(result.get());
        return Ok(ExitStatus::Success);
    }
    let contents: Contents<'_> = serde_json::from_str(result.get()).unwrap_or_default();
    let stem = args.uri.rsplit('/').next().unwrap_or_default().to_owned();
    let sink = Sink { directory: args.output.clone(), stem };
    print_blocks(app, &sink, contents.contents.iter().copied())?;
    Ok(ExitStatus::Success)
}

/// A server that was asked for one of its `kind` and has none at all: what it has instead are tools, most often.
pub(super) fn without(open: &OpenServer, kind: &str, error: &TransportError) -> CliError {
    let name = &open.configured.description.name;
    let message = format!("{} has no {kind}", shown::name(name));
    CliError::new(ExitStatus::ToolError, &format!("no-{kind}"), message)
        .why(open.configured.secrets.hide(&said(error)))
        .next(format!("mcplink tools {}", mcp_text::shell_word(name)))
}

/// Prints blocks of content, saving what is not text where that was asked for.
pub(super) fn print_blocks<'a>(
    app: &App,
    sink: &Sink,
    blocks: impl Iterator<Item = &'a RawValue>,
) -> Result<(), CliError> {
    for block in blocks {
        let text = sink.show(block).map_err(|error| {
            let directory = sink.directory.as_deref().unwrap_or_else(|| std::path::Path::new("."));
            CliError::unwritten("not-saved", format!("content could not be saved in {}", directory.display()))
                .why(error.to_string())
                .next("choose another directory with -o DIR")
        })?;
        app.output.content(&text);
    }
    Ok(())
}
