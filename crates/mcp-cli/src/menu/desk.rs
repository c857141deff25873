//! What goes on beside the menu, one thing at a time: a list of tools, a call, a sign-in, a log. It tells its [`TaskEvent`], and ends when
//! something else is begun or the menu is over.
//!
//! Longer than 500 lines because whatever goes on is begun, heard and ended by one type.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mcp_auth::oauth::{AuthorizationPrompt, DevicePrompt, LoopbackAuthorizer, SignInPrompt};
use mcp_auth::{AuthError, AuthErrorKind, AuthFuture, Secret};
use mcp_connect::ConfiguredServer;
use mcp_text::Secrets;
use mcp_transport::supervisor::{Decision, RequestError, RequestErrorKind};
use mcp_transport::tools::{Tool, ToolList, ToolResult};
use mcp_transport::{Payload, RequestOptions, SupervisorHandle};
use serde_json::value::RawValue;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use super::child_command::ChildCommand;
use super::exchange::{CallEnd, Consent, ServerTools, Stage, TaskEvent, ToolEntry, Work};
use crate::app::App;
use crate::browser::{self, Browser, Machine};
use crate::consent::{ApprovalSubject, ToolsOffer, TrustSubject};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::failed_request::failed;
use crate::live::watched::WatchedServers;
use crate::live::{self, SessionSelector};
use crate::session_log::reading::{LineSelection, Logs, shown as said};
use crate::session_log::{self, folder};
use crate::sign_in::attempt;
use crate::view::content::Sink;
use crate::view::{shown, signature};

/// How much of a result is shown, in lines and in bytes.
const MOST_LINES: usize = 5_000;
const MOST_BYTES: usize = 1024 * 1024;
/// How much of a log is shown, in lines, and how often it is looked at.
const LOG_LINES: usize = 200;
const LOG_PAUSE: Duration = Duration::from_millis(400);

/// Where one thing at a time is done.
#[derive(Debug)]
pub(super) struct Desk {
    app: Arc<App>,
    news: UnboundedSender<(u64, TaskEvent)>,
    /// Of what goes on; news of what went on before are none.
    number: u64,
    task: Option<AbortHandle>,
    answers: Option<UnboundedSender<Answer>>,
}

/// What a sign-in or a decision that goes on is told by its person.
#[derive(Debug)]
enum Answer {
    Pasted(Secret),
    Confirmed,
}

/// Tells news of one thing.
#[derive(Clone, Debug)]
struct TaskEventSender {
    number: u64,
    news: UnboundedSender<(u64, TaskEvent)>,
}

impl TaskEventSender {
    fn tell(&self, news: TaskEvent) {
        // Who listened may be gone.
        drop(self.news.send((self.number, news)));
    }
}

impl Desk {
    pub(super) fn new(app: &Arc<App>, news: UnboundedSender<(u64, TaskEvent)>) -> Self {
        Self { app: app.clone(), news, number: 0, task: None, answers: None }
    }

    /// Whether news of this number are of what goes on. Zero is of what is not work of the desk.
    pub(super) fn is_current(&self, number: u64) -> bool {
        number == 0 || number == self.number
    }

    /// Begins `work` and ends what went on; hands an answer to what goes on.
    pub(super) fn begin(&mut self, work: Work, watched: &WatchedServers) {
        let answer = match work {
            Work::Paste(text) => Some(Answer::Pasted(Secret::new(text.trim()))),
            Work::Confirm => Some(Answer::Confirmed),
            work => return self.replace(work, watched),
        };
        if let (Some(answers), Some(answer)) = (&self.answers, answer) {
            drop(answers.send(answer));
        }
    }

    fn replace(&mut self, work: Work, watched: &WatchedServers) {
        self.end();
        self.number += 1;
        let teller = TaskEventSender { number: self.number, news: self.news.clone() };
        let app = self.app.clone();
        let held = |name: &str| watched.held(name);
        self.task = match work {
            Work::List(name) => held(&name).map(|(handle, configured)| {
                tokio::spawn(list(app, handle, configured, teller)).abort_handle()
            }),
            Work::Call { server, tool, arguments } => held(&server).map(|(handle, configured)| {
                tokio::spawn(call(app, handle, configured, tool, arguments, teller)).abort_handle()
            }),
            Work::SignIn(name) => {
                let (answers, given) = unbounded_channel();
                self.answers = Some(answers);
                let handle = held(&name).map(|(handle, _)| handle);
                Some(tokio::spawn(sign_in(app, name, handle, given, teller)).abort_handle())
            }
            Work::Log(name) => Some(tokio::spawn(log(app, name, teller)).abort_handle()),
            Work::Run(command) => Some(tokio::spawn(run(app, command, teller)).abort_handle()),
            Work::Consent(consent) => {
                let (answers, given) = unbounded_channel();
                self.answers = Some(answers);
                Some(match consent {
                    Consent::Tools(name) => {
                        tokio::spawn(decide_tools(app, name, given, teller)).abort_handle()
                    }
                    consent => tokio::spawn(decide(app, consent, given, teller)).abort_handle(),
                })
            }
            Work::Nothing | Work::Paste(_) | Work::Confirm => None,
        };
    }

    /// Ends what goes on. A call is taken back from its server, and nothing of a sign-in is kept.
    fn end(&mut self) {
        self.answers = None;
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.end();
    }
}

/// An error as its command tells it, in lines.
fn lines(app: &App, mut error: CliError) -> Vec<String> {
    error.next = error.next.map(|next| app.steps.step(next));
    error.to_text().lines().map(shown::line).collect()
}

fn refused(app: &App, configured: &ConfiguredServer, error: &RequestError) -> CliError {
    match error.kind() {
        RequestErrorKind::Transport(error) => failed(&app.steps, configured, error),
        RequestErrorKind::NotConnected(snapshot) => {
            let name = &configured.description.name;
            let report =
                configured.without_secrets(snapshot.report_with(&configured.context(), configured.facts()));
            let why = report.reason.map(|reason| reason.message).unwrap_or_default();
            CliError::new(
                ExitStatus::Failed,
                "not-connected",
                format!("{} is not connected", shown::name(name)),
            )
            .why(why)
            .next(format!("mcplink doctor {}", mcp_text::shell_word(name)))
        }
        _ => CliError::new(ExitStatus::Internal, "internal", error.to_string()),
    }
}

/// Tells the tools of a server, and tells them again when they are others.
async fn list(
    app: Arc<App>,
    handle: SupervisorHandle,
    configured: Arc<ConfiguredServer>,
    teller: TaskEventSender,
) {
    let mut status = handle.status();
    loop {
        match listed(&handle).await {
            Ok((list, secrets)) => teller.tell(TaskEvent::Tools(Ok(entries(&list, &secrets)))),
            Err(error) => {
                return teller.tell(TaskEvent::Tools(Err(lines(&app, refused(&app, &configured, &error)))));
            }
        }
        let outcome = status.borrow_and_update().tools.as_ref().map(Arc::as_ptr).map(|tools| tools as usize);
        let is_other = |now: &mcp_transport::supervisor::StatusSnapshot| {
            let now = now.tools.as_ref().map(Arc::as_ptr).map(|tools| tools as usize);
            now.is_some() && now != outcome
        };
        if status.wait_for(is_other).await.is_err() {
            return;
        }
    }
}

/// The tools that are known, or those that it lists now, and what it was sent.
async fn listed(handle: &SupervisorHandle) -> Result<(Arc<ToolList>, Secrets), RequestError> {
    let lease = handle.lease().await?;
    let known = handle.snapshot().tools;
    let list = match known {
        Some(list) => list,
        None => Arc::new(handle.list_tools(&RequestOptions::new()).await?),
    };
    Ok((list, lease.credentials_sent()))
}

fn entries(list: &ToolList, secrets: &Secrets) -> ServerTools {
    let entry = |tool: &Tool| {
        let view = tool.view();
        let described = view.description.as_deref().or(view.title.as_deref()).unwrap_or_default();
        // What it was given it may repeat in its tools.
        let described = mcp_text::block(&secrets.hide_known(described.trim())).into_owned();
        let schema = view.input_schema.map(|schema| schema.get()).unwrap_or_default();
        let schema = secrets.hide_known(schema).into_owned();
        ToolEntry { name: tool.name.clone(), described, arguments: signature::arguments(&schema), schema }
    };
    let note = |what: &str, (tool, why): &(String, String)| {
        shown::line(&format!("{what}: {} {why}", shown::without(secrets, tool)))
    };
    let mut notes: Vec<String> = list.withheld.iter().map(|one| note("withheld", one)).collect();
    notes.extend(list.unapproved.iter().map(|one| note("not approved", one)));
    notes.extend(list.rejected.iter().map(|one| note("cannot be called", one)));
    ServerTools { tools: list.tools.iter().map(entry).collect(), notes }
}

async fn call(
    app: Arc<App>,
    handle: SupervisorHandle,
    configured: Arc<ConfiguredServer>,
    tool: String,
    arguments: String,
    teller: TaskEventSender,
) {
    let began = Instant::now();
    let arguments = RawValue::from_string(arguments).unwrap_or_default();
    let called = handle.call_tool(&tool, Some(&arguments), &RequestOptions::new()).await;
    let took = began.elapsed();
    let ended = match &called {
        Ok(result) => match texts(result, &tool) {
            Ok((lines, is_error)) => CallEnd { lines, is_error, took },
            Err(error) => {
                CallEnd { lines: lines(&app, failed(&app.steps, &configured, &error)), is_error: true, took }
            }
        },
        Err(error) => {
            let mut lines = lines(&app, refused(&app, &configured, error));
            if error.may_have_been_sent() {
                lines.push("it may have run".to_owned());
            }
            CallEnd { lines, is_error: true, took }
        }
    };
    teller.tell(TaskEvent::Called(ended));
}

/// What a result says, in lines that may be shown, and whether it is a failure.
fn texts(result: &Payload, tool: &str) -> Result<(Vec<String>, bool), mcp_transport::TransportError> {
    let view = ToolResult::read(result.get())?;
    let sink = Sink { directory: None, stem: tool.to_owned() };
    let mut lines = Vec::new();
    let mut bytes = 0;
    let structured = view.structured_content.filter(|_| view.content.is_empty());
    let blocks = view.content.iter().map(|block| sink.show(block).unwrap_or_default());
    for text in blocks.chain(structured.map(|structured| structured.get().into())) {
        for line in mcp_text::block(&text).lines() {
            bytes += line.len();
            if lines.len() >= MOST_LINES || bytes > MOST_BYTES {
                lines.push("… and more; the command shows all of it".to_owned());
                return Ok((lines, view.is_error));
            }
            lines.push(line.replace('\t', "    "));
        }
    }
    if lines.is_empty() {
        lines.push("it says nothing".to_owned());
    }
    Ok((lines, view.is_error))
}

/// Runs a command of ours without a terminal, and tells what it prints. It ends with the task.
async fn run(app: Arc<App>, command: String, teller: TaskEventSender) {
    let ran = match ChildCommand::of_command(&app, &command) {
        Ok(command) => command.ran(MOST_BYTES).await,
        Err(why) => Err(why),
    };
    let (text, is_error) = match ran {
        Ok((text, is_success)) => (text, !is_success),
        Err(why) => (why, true),
    };
    let lines = mcp_text::block(&text).lines().take(MOST_LINES).map(str::to_owned).collect();
    teller.tell(TaskEvent::Ran { lines, is_error });
}

/// As `mcplink reconnect NAME`: the connection that is held here, which `decided` is of, and each live session.
pub(super) fn reconnect(
    app: &Arc<App>,
    name: &str,
    decided: Decision,
    outcome: UnboundedSender<(u64, TaskEvent)>,
) {
    let (app, name) = (app.clone(), name.to_owned());
    tokio::spawn(async move {
        let which = SessionSelector::Name(name.clone());
        let sessions = live::reconnect(&app.environment, &which, &[]);
        let ((reconnected, left_alone), snapshot) = tokio::join!(sessions, decided);
        let sessions =
            |count: usize| if count == 1 { "1 session".to_owned() } else { format!("{count} sessions") };
        let mut said = format!("{}: {}", shown::name(&name), snapshot.status);
        if !reconnected.is_empty() {
            said.push_str(&format!("; {} reconnected as well", sessions(reconnected.len())));
        }
        if !left_alone.is_empty() {
            said.push_str(&format!("; {} left alone", sessions(left_alone.len())));
        }
        // The menu may be over.
        drop(outcome.send((0, TaskEvent::Said(said))));
    });
}

/// Tells what a decision would allow, and makes it once a person has confirmed it: what was told is what is agreed to.
async fn decide(
    app: Arc<App>,
    consent: Consent,
    mut answers: UnboundedReceiver<Answer>,
    teller: TaskEventSender,
) {
    let outcome = teller.clone();
    let reading = app.clone();
    // Files are read, and a question waits: not on a thread that others need.
    let decided = tokio::task::spawn_blocking(move || {
        let mut ask = |text: String| {
            outcome
                .tell(TaskEvent::Offered { lines: text.lines().map(str::to_owned).collect(), command: None });
            matches!(answers.blocking_recv(), Some(Answer::Confirmed))
        };
        match consent {
            Consent::Approve(name) => {
                let loaded = reading.load()?;
                let offer = ApprovalSubject::of(&reading, &loaded, &name)?;
                if ask(offer.lines_to_ask()?) {
                    offer.approve().map(|changed| Some(offer.outcome(changed)))
                } else {
                    Ok(None)
                }
            }
            Consent::Trust => {
                let offer = TrustSubject::of(&reading, &reading.folder()?)?;
                if ask(offer.lines_to_ask(&reading)?) {
                    offer.trust().map(|changed| Some(offer.outcome(changed)))
                } else {
                    Ok(None)
                }
            }
            Consent::Tools(_) => Ok(None),
        }
    });
    let (lines, is_error) = match decided.await {
        Ok(Ok(Some(said))) => (vec![said], false),
        // Who asked is gone.
        Ok(Ok(None)) | Err(_) => return,
        Ok(Err(error)) => (lines(&app, error), true),
    };
    teller.tell(TaskEvent::Ran { lines, is_error });
}

/// As [`decide`], of the tools that a server lists.
async fn decide_tools(
    app: Arc<App>,
    name: String,
    mut answers: UnboundedReceiver<Answer>,
    teller: TaskEventSender,
) {
    let reading = app.clone();
    let decided = async {
        let loaded = tokio::task::spawn_blocking(move || reading.load()).await;
        let loaded = loaded.map_err(|_| CliError::usage("config", "the configuration cannot be read"))??;
        let offer = ToolsOffer::listed(&app, &loaded, &name, &[]).await?;
        let mut lines: Vec<String> = offer.trouble().into_iter().collect();
        lines.extend(offer.lines(None).lines().map(str::to_owned));
        let Some(digest) = offer.digest() else { return Ok(Some(lines)) };
        let command = Some(app.steps.line(&offer.agreement(&digest)));
        teller.tell(TaskEvent::Offered { lines, command });
        match answers.recv().await {
            Some(Answer::Confirmed) => offer.approve().map(|()| Some(vec![offer.outcome()])),
            _ => Ok(None),
        }
    };
    let (lines, is_error) = match decided.await {
        Ok(Some(said)) => (said, false),
        Ok(None) => return,
        Err(error) => (lines(&app, error), true),
    };
    teller.tell(TaskEvent::Ran { lines, is_error });
}

async fn log(app: Arc<App>, name: String, teller: TaskEventSender) {
    let folder = folder(app.cache_dir());
    let path = session_log::file(&folder, &name);
    let mut logs = Logs::new(LineSelection::Server(path), folder);
    let mut last = Vec::new();
    let mut is_told = false;
    loop {
        // It may be on a slow drive.
        let read = tokio::task::spawn_blocking(move || {
            let more = logs.more(|_| {});
            (logs, more)
        });
        let Ok((back, more)) = read.await else { return };
        logs = back;
        match more {
            Ok(more) => {
                let has_more = !more.is_empty();
                last.extend(more.iter().map(|line| shown::line(said(line, false, None).trim_end())));
                last.drain(..last.len().saturating_sub(LOG_LINES));
                if has_more || !is_told {
                    teller.tell(TaskEvent::Log(last.clone()));
                }
                is_told = true;
            }
            Err(error) => return teller.tell(TaskEvent::Log(lines(&app, error))),
        }
        tokio::time::sleep(LOG_PAUSE).await;
    }
}

/// A person who has the menu before them.
#[derive(Debug)]
struct Person {
    teller: TaskEventSender,
    browser: Browser,
    answers: Mutex<UnboundedReceiver<Answer>>,
}

impl SignInPrompt for Person {
    fn authorization<'a>(&'a self, prompt: AuthorizationPrompt<'a>) -> AuthFuture<'a, ()> {
        let url = prompt.url.to_string();
        let not_opened = self.browser.open(prompt.url).err();
        self.teller.tell(TaskEvent::SignIn(Stage::Waits { url, not_opened }));
        Box::pin(std::future::ready(Ok(())))
    }

    fn pasted(&self) -> AuthFuture<'_, Secret> {
        Box::pin(async move {
            loop {
                match self.answers.lock().await.recv().await {
                    Some(Answer::Pasted(pasted)) => return Ok(pasted),
                    Some(Answer::Confirmed) => {}
                    None => std::future::pending().await,
                }
            }
        })
    }

    fn paste_refused(&self) -> AuthFuture<'_, ()> {
        self.teller.tell(TaskEvent::SignIn(Stage::Refuses));
        Box::pin(std::future::ready(Ok(())))
    }

    fn device<'a>(&'a self, _: DevicePrompt<'a>) -> AuthFuture<'a, ()> {
        let error = AuthError::new(AuthErrorKind::Cancelled, "show a device code");
        Box::pin(std::future::ready(Err(error)))
    }
}

async fn sign_in(
    app: Arc<App>,
    name: String,
    handle: Option<SupervisorHandle>,
    answers: UnboundedReceiver<Answer>,
    teller: TaskEventSender,
) {
    let (said, is_error) = match signed_in(&app, &name, answers, &teller).await {
        Ok(said) => {
            // It is known here first; other processes learn it from the files.
            drop(handle.map(|handle| handle.login_done()));
            (said, false)
        }
        Err(error) => (lines(&app, error), true),
    };
    teller.tell(TaskEvent::SignIn(Stage::Ended { said, is_error }));
}

async fn signed_in(
    app: &Arc<App>,
    name: &str,
    answers: UnboundedReceiver<Answer>,
    teller: &TaskEventSender,
) -> Result<Vec<String>, CliError> {
    let reading = app.clone();
    let loaded = tokio::task::spawn_blocking(move || reading.load()).await;
    let loaded = loaded.map_err(|_| CliError::usage("config", "the configuration cannot be read"))??;
    let configured = loaded.found(app, name).await?;
    attempt::check(app, &configured)?;
    let mut login = attempt::begun(app, &configured).await?;
    let browser = browser::choose(&app.environment, Machine::current());
    let person = Person { teller: teller.clone(), browser, answers: Mutex::new(answers) };
    if let Some(issuer) = login.unconfirmed_issuer().map(shown::line) {
        let server = login.origin().to_owned();
        teller.tell(TaskEvent::SignIn(Stage::Doubts { issuer: issuer.clone(), server: server.clone() }));
        let Some(Answer::Confirmed) = person.answers.lock().await.recv().await else {
            return Err(attempt::not_confirmed(name, &server, &issuer));
        };
        login = login.confirm_issuer();
    }
    let signed_in = login.complete(&LoopbackAuthorizer::new(Arc::new(person))).await;
    let signed_in = signed_in.map_err(|error| attempt::auth_error(app, name, &error))?;
    let mut said = vec![attempt::conclusion(&configured.description, &signed_in)];
    if signed_in.keeps_secret {
        said.push("The client secret is kept with the sign-in; signing out removes it.".to_owned());
    }
    Ok(said)
}
