//! What the commands that use a server share: one server, connected, or the reason why not.

use std::sync::Arc;

use mcp_auth::url_policy::UrlSource;
use mcp_status::{ReasonCode, ServerStatus};
use mcp_transport::connect::ConnectPolicy;
use mcp_transport::tools::{Tool, ToolList};
use mcp_transport::{Connection, TransportError};

use crate::app::App;
use crate::browser::{self, Machine};
use crate::completion::names::ListedNames;
use crate::elicitation::TerminalQuestions;
use crate::error::CliError;
use crate::exit;
use crate::exit::ExitStatus;
use crate::view::row::Row;
use crate::view::shown;
use mcp_connect::{ConfiguredServer, Probe};
use mcp_transport::supervisor::NoContact;

pub(crate) use crate::failed_request::{failed, said};

/// A connected server.
#[derive(Debug)]
pub(crate) struct OpenServer {
    pub(crate) configured: ConfiguredServer,
    pub(crate) connection: Connection,
    /// The tools, where they were asked for and could be listed.
    pub(crate) tools: Option<ToolList>,
    /// Why the tools could not be listed.
    pub(crate) error: Option<TransportError>,
}

/// What a command wants of a connection beside its own request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ConnectionNeeds {
    /// Nothing.
    Nothing,
    /// The list of tools.
    Tools,
    /// The tools, those among them that a person has not approved.
    Definitions,
    /// That the server may ask the person something.
    Questions,
}

/// Connects to the server `name`.
pub(crate) async fn connected(app: &App, name: &str, want: ConnectionNeeds) -> Result<OpenServer, CliError> {
    let loaded = app.load()?;
    let mut configured = loaded.configured(app, name).await?;
    // A local process is on this machine.
    let server = configured
        .auth
        .as_ref()
        .map_or_else(UrlSource::this_machine, |auth| UrlSource::server(&auth.target.url));
    let mut asked = None;
    // A server may list other tools to a client that can be asked.
    if let (
        ConnectionNeeds::Questions | ConnectionNeeds::Tools | ConnectionNeeds::Definitions,
        Ok(endpoint),
    ) = (want, &mut configured.state)
    {
        let browser = browser::choose(&app.environment, Machine::current());
        let questions = Arc::new(TerminalQuestions::new(
            app.output.clone(),
            browser,
            app.interactive,
            server,
            configured.secrets.clone(),
        ));
        endpoint.handler = Some(questions.clone());
        asked = Some(questions);
    }
    if want == ConnectionNeeds::Definitions
        && let (Ok(endpoint), Some(tools)) = (&mut configured.state, &configured.tools)
    {
        endpoint.tools = Some(Arc::new(tools.without_pins()));
    }
    if let Err(NoContact::SwitchedOff) = configured.state {
        return Err(CliError::usage("disabled", format!("{} is switched off", shown::name(name)))
            .next(loaded.switched_on_by(name)));
    }
    let policy = match want {
        ConnectionNeeds::Tools | ConnectionNeeds::Definitions => ConnectPolicy::glance(),
        ConnectionNeeds::Nothing | ConnectionNeeds::Questions => ConnectPolicy::glance().without_tools(),
    };
    let look = format!("mcplink status {}", mcp_text::shell_word(name));
    app.reached.is(format!("connecting to {}", shown::name(name)), &look);
    let deadline = app.deadline;
    let mut last = String::new();
    let until = deadline.map(|deadline| deadline.at);
    let ended = Probe::run(app.host.connector(), &configured, &policy, until, |reason| {
        // Of a start that lasts, each thing that it says is told once.
        let said = reason.message.split_once(": ").map_or("", |(_, said)| said);
        if reason.attempts > 0 || (reason.phase.is_some() && last != said) {
            last = said.to_owned();
            app.output.note(&format!("{}: {}\n", shown::name(name), shown::line(&reason.message)));
        }
    })
    .await;
    match ended {
        Probe { connection: Some(connection), tools, error, .. } => {
            app.open.keep(&connection);
            asked.iter().for_each(|questions| questions.come_by(&connection));
            app.reached.is(format!("waiting for an answer of {}", shown::name(name)), &look);
            if let Some(tools) = &tools {
                ListedNames::keep_tools(app, &configured, tools, &connection.credentials_sent());
            }
            Ok(OpenServer { configured, connection, tools, error })
        }
        ended => Err(not_connected(&Row::of_probe(&configured, &ended, deadline, &app.steps))),
    }
}

fn not_connected(row: &Row) -> CliError {
    let Some((status, reason)) = row.status.zip(row.reason()) else {
        return CliError::new(
            ExitStatus::Internal,
            "internal",
            format!("{} is not connected", shown::name(&row.name)),
        );
    };
    let error = CliError::new(
        exit::of_waiting_for_a_person(status, Some(reason.code)),
        reason.code.as_str(),
        match reason.code {
            ReasonCode::Declined => format!("{} may not be started", shown::name(&row.name)),
            _ => format!("{} {}", shown::name(&row.name), stands(status)),
        },
    )
    .why(&reason.message);
    match &reason.next {
        Some(next) => error.next(next.clone()),
        None => error.next(format!("mcplink status {}", mcp_text::shell_word(&row.name))),
    }
}

/// The error of a tool that is not in the list, if there is a list and it is not.
pub(crate) fn unknown_tool(listed: &[Tool], name: &str, tool: &str) -> Option<CliError> {
    if listed.is_empty() || listed.iter().any(|listed| listed.name == tool) {
        return None;
    }
    let message = format!("{} has no tool {tool:?}", shown::name(name));
    let error = CliError::new(ExitStatus::ToolError, "unknown-tool", message)
        .next(format!("mcplink tools {}", mcp_text::shell_word(name)));
    Some(match mcp_config::nearest(tool, listed.iter().map(|tool| tool.name.as_str())) {
        Some(nearest) => error.why(format!("did you mean {nearest:?}?")),
        None => error,
    })
}

/// A status as the predicate of a sentence about a server.
pub(crate) fn stands(status: ServerStatus) -> &'static str {
    match status {
        ServerStatus::Connected => "is connected",
        ServerStatus::Failed => "is not available",
        ServerStatus::NeedsAuth => "needs authentication",
        ServerStatus::Pending => "is pending",
        ServerStatus::Disabled => "is switched off",
    }
}
