//! `mcplink call NAME TOOL [ARGS..]`: calls a tool once and prints what it answered.

use std::path::PathBuf;
use std::time::Duration;

use mcp_status::{EntryPart, NextStep};
use mcp_transport::tools::{Tool, ToolResult};
use mcp_transport::{Payload, RequestOptions, TransportError, TransportErrorKind};

use super::login;
use crate::app::App;
use crate::args::CallArgs;
use crate::arguments::{ArgumentError, Arguments, Mismatch};
use crate::confirmation::Answers;
use crate::connected::{ConnectionNeeds, OpenServer, connected, failed, unknown_tool};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::inputs;
use crate::printed_step::PrintedStep;
use crate::two_names;
use crate::view::content::Sink;
use crate::view::progress::ProgressLine;
use crate::view::shown;
use crate::view::signature::{self, Argument};

/// How long the list of tools may take, which only helps with a call.
const LIST: Duration = Duration::from_secs(3);

/// The call that a command line means.
struct CallRequest {
    name: String,
    tool: String,
    /// As they were typed.
    arguments: Vec<String>,
    output: Option<PathBuf>,
}

impl CallRequest {
    /// `NAME TOOL ARGS`, or `NAME/TOOL ARGS` where no server is named that.
    fn by(app: &App, args: &CallArgs) -> Result<Self, CliError> {
        let CallArgs { name, tool, arguments, output, .. } = args;
        let (output, arguments) = (output.clone(), arguments.iter().cloned());
        if two_names::may_be_two(name)
            && let Some((name, meant)) = app.load()?.addressed(name)
        {
            // What stands in the place of the tool is the first argument.
            return Ok(Self {
                name,
                tool: meant,
                arguments: tool.iter().cloned().chain(arguments).collect(),
                output,
            });
        }
        match tool {
            Some(tool) => {
                Ok(Self { name: name.clone(), tool: tool.clone(), arguments: arguments.collect(), output })
            }
            None => {
                let loaded = app.load()?;
                // A word that may be two names has a tool in it, as far as the person is concerned.
                if two_names::may_be_two(name) && loaded.config.entry(name).is_none() {
                    return Err(loaded.unknown(name));
                }
                Err(CliError::usage("usage", format!("which tool of {} is to be called?", shown::name(name)))
                    .why("the command is mcplink call NAME TOOL [ARGS]...")
                    .next(format!("mcplink tools {}", mcp_text::shell_word(name))))
            }
        }
    }
}

pub(super) async fn run(app: &App, args: &CallArgs) -> Result<ExitStatus, CliError> {
    let args = &CallRequest::by(app, args)?;
    let unusable = |error| unusable(&args.name, &args.tool, &error);
    let mut arguments = inputs::read(&args.arguments, app.directory()?).await.map_err(unusable)?;
    let mut open = connected(app, &args.name, ConnectionNeeds::Questions).await?;
    let mut ended = called(app, args, &open, &mut arguments).await;
    if let Err(Failure { wants_sign_in: true, error }) = &ended
        && signed_in(app, &open, error).await?
    {
        app.open.end(open.connection.clone()).await;
        open = connected(app, &args.name, ConnectionNeeds::Questions).await?;
        ended = called(app, args, &open, &mut arguments).await;
    }
    // The result is told first, and the server then: it may be silent.
    ended.map_err(|failure| failure.error)
}

/// Why a call has no result.
struct Failure {
    error: CliError,
    /// A sign-in would change it: the server refused this call, before it ran, and said where to sign in.
    wants_sign_in: bool,
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Self { error, wants_sign_in: false }
    }
}

/// Whether the person at this terminal has signed in now. What only this refusal said of the sign-in is known to this process
/// alone: nothing of a refusal is kept, and a `login` of later could not find it.
async fn signed_in(app: &App, open: &OpenServer, error: &CliError) -> Result<bool, CliError> {
    if !app.asks() || open.configured.check_sign_in().is_err() {
        return Ok(false);
    }
    let name = open.configured.description.name.clone();
    let mut answers = Answers::of_terminal();
    answers.forget_typed();
    app.output.error(&format!(
        "{}Type yes to sign in to {} now, and to call again: ",
        error.to_lines(app.stderr_room()),
        shown::name(&name)
    ));
    if answers.yes().await != Some(true) {
        return Ok(false);
    }
    login::sign_in(app, &open.configured, login::Way::default(), login::Person::AtTheTerminal).await?;
    Ok(true)
}

async fn called(
    app: &App,
    args: &CallRequest,
    open: &OpenServer,
    arguments: &mut Arguments,
) -> Result<ExitStatus, Failure> {
    let mut listed = ToolList { app, open, tools: None, left_out: Vec::new() };
    // What was written out as an object is sent as it stands, and nothing is open about it.
    if !arguments.is_whole() || arguments.has_plain() {
        listed.tools().await;
        fitted(args, &listed, arguments)?;
    }
    let progress = ProgressLine::new(app.output.clone(), open.connection.credentials_sent());
    let mut options = RequestOptions::new();
    options.timeout = app.deadline.map(|deadline| deadline.left());
    options.progress = progress.sink();
    let called = open.connection.call_tool(&args.tool, Some(&arguments.to_json()), &options).await;
    drop(progress);
    match called {
        Ok(result) => {
            let ended = show(app, args, open, &result)?;
            if ended == ExitStatus::ToolError && !app.json {
                // A server says in words of its own that there is no such tool, or that an argument is wrong.
                if let Some((fact, next)) = doubt(listed.tools().await, args, arguments) {
                    app.output.note(&format!("note: {fact}\n  next: {}\n", app.steps.step(next)));
                }
            }
            Ok(ended)
        }
        Err(error) => match overrun(app, args, open, &error) {
            Some(overrun) => Err(overrun.into()),
            None => {
                // One that is known not to begin is not offered.
                let wants_sign_in = matches!(error.kind(), TransportErrorKind::Challenged { .. })
                    && error.evidence().auth.hindrance.is_none();
                Err(Failure { error: refused(listed, args, arguments, &error).await, wants_sign_in })
            }
        },
    }
}

/// Gives each argument the type that the tool wants. What its list and its schema leave no doubt about is told before anything
/// is sent, unless the arguments were written out as a JSON object: a server may take what it does not tell.
fn fitted(args: &CallRequest, listed: &ToolList<'_>, arguments: &mut Arguments) -> Result<(), CliError> {
    let tools = listed.tools.as_deref().unwrap_or_default();
    let Some(tool) = tools.iter().find(|tool| tool.name == args.tool) else {
        let is_told_later = arguments.is_whole() || listed.left_out.contains(&args.tool);
        let unknown = unknown_tool(tools, &args.name, &args.tool).filter(|_| !is_told_later);
        return unknown.map_or(Ok(()), |unknown| {
            let near = unknown.why.as_deref().map(|near| format!("{near} ")).unwrap_or_default();
            Err(CliError { why: Some(format!("{near}nothing was sent; {ALL_THE_SAME}")), ..unknown })
        });
    };
    let Some(schema) = signature::schema(tool) else { return Ok(()) };
    arguments.coerce(schema);
    if let Some(mismatch) = arguments.mismatch(schema) {
        return Err(of_another_type(args, &mismatch));
    }
    if let Some((name, listed)) = arguments.unlisted(schema) {
        return Err(unlisted(args, name, &listed));
    }
    if arguments.is_whole() {
        return Ok(());
    }
    let missing = signature::surely_missing(schema.get(), |name| arguments.has(name));
    if !missing.is_empty() {
        return Err(incomplete(args, &missing, &misnamed(arguments, schema.get())));
    }
    match arguments.forbidden(schema) {
        Some(name) => Err(forbidden(args, name, schema.get())),
        None => Ok(()),
    }
}

/// How what is checked here is sent unchecked.
const ALL_THE_SAME: &str = "a JSON object of arguments, such as '{}', is sent all the same";

/// A call with an argument that the schema of its tool does not let in.
fn forbidden(args: &CallRequest, name: &str, schema: &str) -> CliError {
    let known = signature::arguments(schema);
    let near = mcp_config::nearest(name, known.iter().map(|argument| argument.name.as_str()));
    let near = near.map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
    let message = format!("{} takes no argument {name:?}", shown::line(&args.tool));
    CliError::usage("invalid-argument", message)
        .why(shown::line(&format!("{near}nothing was sent; {ALL_THE_SAME}")))
        .next(signature_of(args))
}

/// How many values of a list are told.
const MOST_LISTED: usize = 12;

/// A call with an argument that is not one of the values that the schema of its tool lists.
fn unlisted(args: &CallRequest, name: &str, listed: &[String]) -> CliError {
    let more = if listed.len() > MOST_LISTED { ", …" } else { "" };
    let words: Vec<String> = listed.iter().take(MOST_LISTED).map(|word| shown::name(word)).collect();
    let message =
        format!("{} of {} is one of {}{more}", shown::name(name), shown::line(&args.tool), words.join(", "));
    CliError::usage("invalid-argument", message)
        .why(format!("its schema says so, and nothing was sent; {ALL_THE_SAME}"))
        .next(signature_of(args))
}

/// The tools of the server, asked for once, when they are needed first.
struct ToolList<'a> {
    app: &'a App,
    open: &'a OpenServer,
    tools: Option<Vec<Tool>>,
    /// Those that the server has and this connection does not call, which says why when it is asked to.
    left_out: Vec<String>,
}

impl ToolList<'_> {
    /// How long it may take: half of what is left at most, so that it never takes the time of the call.
    fn limit(&self) -> Duration {
        self.app.deadline.map_or(LIST, |deadline| LIST.min(deadline.left() / 2))
    }

    async fn tools(&mut self) -> &[Tool] {
        if self.tools.is_none() {
            let limit = self.limit();
            // The limit is of all pages together, and not of each.
            let options = RequestOptions::new();
            let listed = tokio::time::timeout(limit, self.open.connection.list_tools(&options)).await;
            if listed.is_err() && !self.app.json {
                let name = shown::name(&self.open.configured.description.name);
                let limit = mcp_text::time_limit(limit);
                self.app.output.note(&format!(
                    "note: {name} did not list its tools within {limit}; the arguments go as they were typed\n"
                ));
            }
            let list = listed.ok().and_then(Result::ok).unwrap_or_default();
            let left_out = [list.withheld, list.unapproved, list.rejected].into_iter().flatten();
            self.left_out = left_out.map(|(tool, _)| tool).collect();
            self.tools = Some(list.tools);
        }
        self.tools.as_deref().unwrap_or_default()
    }
}

fn unusable(name: &str, tool: &str, error: &ArgumentError) -> CliError {
    CliError::usage("invalid-argument", format!("the argument {:?} {}", error.argument, error.problem))
        .next(format!("mcplink tools {} {}", mcp_text::shell_word(name), mcp_text::shell_word(tool)))
}

/// A call with an argument of another type than the schema of its tool wants.
fn of_another_type(args: &CallRequest, mismatch: &Mismatch) -> CliError {
    CliError::usage("invalid-argument", clash(mismatch))
        .why(format!("its schema says so, and nothing was sent; write {}", shown::line(&mismatch.example())))
        .next(signature_of(args))
}

fn clash(mismatch: &Mismatch) -> String {
    shown::line(&mismatch.to_string())
}

/// The names of arguments that its schema does not have, which are told where another one is missing: one may be meant.
fn misnamed(given: &Arguments, schema: &str) -> Vec<String> {
    let known = signature::arguments(schema);
    let is_known = |name: &&str| known.iter().any(|argument| argument.name == **name);
    given.names().filter(|name| !is_known(name)).map(|name| format!("`{}`", shown::line(name))).collect()
}

/// A call that lacks what the schema of its tool requires.
fn incomplete(args: &CallRequest, missing: &[Argument], misnamed: &[String]) -> CliError {
    let wanted: Vec<String> = missing.iter().map(Argument::wanted).collect();
    let message = format!("{} needs {}", shown::line(&args.tool), wanted.join(", "));
    CliError::usage("missing-argument", message)
        .why(match misnamed {
            [] => "its schema says so, and nothing was sent".to_owned(),
            [one] => format!("its schema says so, and has no {one}; nothing was sent"),
            more => format!("its schema says so, and has none of {}; nothing was sent", more.join(", ")),
        })
        .next(signature_of(args))
}

/// A call that took longer than it may, with the setting that moves the limit. It is not a failure of the server: it may still
/// be at it.
fn overrun(app: &App, args: &CallRequest, open: &OpenServer, error: &TransportError) -> Option<CliError> {
    let TransportErrorKind::Timeout { .. } = error.kind() else { return None };
    let name = mcp_text::shell_word(&args.name);
    let of_entry = open.configured.state.as_ref().ok().and_then(|server| server.timeout);
    let of_all = app.host.connector().options().request_timeout;
    let (limit, next) = match (app.deadline, of_entry, of_all) {
        (Some(deadline), _, _) if deadline.is_over() => {
            (deadline.text(), format!("mcplink status {name}").into())
        }
        (None, Some(limit), _) => (
            format!("{} (`timeout` of its entry)", mcp_text::time_limit(limit)),
            app.steps.words(&NextStep::ChangeEntry { part: EntryPart::Timeout }, &args.name),
        ),
        (None, None, Some(limit)) => (
            format!("{} (MCP_TOOL_TIMEOUT)", mcp_text::time_limit(limit)),
            again(args, "--timeout 10m").into(),
        ),
        _ => return None,
    };
    let message = format!("{} of {} took longer than {limit}", args.tool, args.name);
    let why = if error.may_have_been_sent() { "it may have run" } else { "it was not sent" };
    Some(CliError::new(ExitStatus::Pending, "timeout", message).why(why).next(next))
}

/// The same call with an option more; in words, where its arguments are long or hold what looks like a secret.
fn again(args: &CallRequest, option: &str) -> String {
    const COLUMNS: usize = 400;
    let output = args.output.as_ref().map(|directory| directory.to_string_lossy());
    let words = [&*args.name, &*args.tool].into_iter().chain(args.arguments.iter().map(String::as_str));
    let words = words.chain(output.as_deref().into_iter().flat_map(|directory| ["-o", directory]));
    // An option of ours is not one of the arguments, and `shell_word` keeps a word from being one.
    let words: Vec<String> = words
        .map(|word| {
            if word == "-o" || word == "-" { word.to_owned() } else { mcp_text::shell_word(word).to_string() }
        })
        .collect();
    let command = format!("mcplink call {} {option}", words.join(" "));
    match mcp_text::Secrets::default().line(&command, COLUMNS) == command {
        true => command,
        false => format!("repeat the call with {option}"),
    }
}

/// Why a call has no result: no such tool, or what the wire says.
async fn refused(
    mut listed: ToolList<'_>,
    args: &CallRequest,
    arguments: &Arguments,
    error: &TransportError,
) -> CliError {
    let (open, steps) = (listed.open, &listed.app.steps);
    if *error.kind() == TransportErrorKind::ToolWithheld {
        return super::tools::withheld(&args.name, error);
    }
    if *error.kind() == TransportErrorKind::ToolUnapproved {
        return super::tools::unapproved(&args.name, error);
    }
    if !matches!(error.kind(), TransportErrorKind::Rpc { .. }) {
        let failed = failed(steps, &open.configured, error);
        if !error.may_have_been_sent() {
            return failed;
        }
        // Who calls it again has to know that it may be the second time.
        let why = failed.why.as_deref().map(|why| format!("{why}; ")).unwrap_or_default();
        return CliError { why: Some(format!("{why}it may have run")), ..failed };
    }
    // Servers spell "no such tool" in many ways; the list says it in one.
    let tools = listed.tools().await;
    if let Some(unknown) = unknown_tool(tools, &args.name, &args.tool) {
        return unknown;
    }
    let failed = failed(steps, &open.configured, error);
    match lacking(tools, args, arguments) {
        Some(lacking) => {
            let why = failed.why.as_deref().map(|why| format!("{why}; ")).unwrap_or_default();
            CliError { why: Some(format!("{why}{lacking}")), ..failed }.next(signature_of(args))
        }
        // Whatever the server has against this call, it is in there what it takes.
        None if !tools.is_empty() => failed.next(signature_of(args)),
        None => failed,
    }
}

/// What the list of tools says against a call that failed, and what to do about it.
fn doubt(listed: &[Tool], args: &CallRequest, arguments: &Arguments) -> Option<(String, PrintedStep)> {
    match unknown_tool(listed, &args.name, &args.tool) {
        Some(unknown) => {
            let nearest = unknown.why.map(|why| format!("; {why}")).unwrap_or_default();
            Some((format!("{}{nearest}", unknown.message), unknown.next?))
        }
        None => Some((lacking(listed, args, arguments)?, signature_of(args).into())),
    }
}

/// What is wrong with the arguments as the schema has it, in words: those that are required and were not given, else one of
/// another type.
fn lacking(listed: &[Tool], args: &CallRequest, arguments: &Arguments) -> Option<String> {
    let tool = listed.iter().find(|tool| tool.name == args.tool)?;
    let schema = signature::schema(tool)?;
    let wanted = signature::arguments(schema.get());
    let missing = signature::missing(&wanted, |name| arguments.has(name));
    let missing: Vec<String> = missing.iter().map(|one| one.wanted()).collect();
    if missing.is_empty() {
        return arguments.mismatch(schema).map(|mismatch| clash(&mismatch));
    }
    Some(format!("missing: {}", missing.join(", ")))
}

fn signature_of(args: &CallRequest) -> String {
    format!("mcplink tools {} {}", mcp_text::shell_word(&args.name), mcp_text::shell_word(&args.tool))
}

/// Prints the result: as sent with `--json`, otherwise text as it is and one line for anything else.
fn show(app: &App, args: &CallRequest, open: &OpenServer, result: &Payload) -> Result<ExitStatus, CliError> {
    let view =
        ToolResult::read(result.get()).map_err(|error| failed(&app.steps, &open.configured, &error))?;
    if app.json {
        app.output.out_line(result.get());
    } else {
        let sink = Sink { directory: args.output.clone(), stem: args.tool.clone() };
        super::resources::print_blocks(app, &sink, view.content.iter().copied())?;
        if let (true, Some(structured)) = (view.content.is_empty(), view.structured_content) {
            app.output.content(structured.get());
        }
    }
    Ok(if view.is_error { ExitStatus::ToolError } else { ExitStatus::Success })
}
