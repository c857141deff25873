//! `mcplink bridge NAME|URL`: the server as a local one, on standard streams, for any host.
//!
//! Only wiring: what a bridge does is `mcp-bridge`. Standard output is the host's; everything else goes to stderr.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mcp_bridge::{Bridge, BridgeConfig, EndReason, SignIn};
use mcp_status::{EntryPart, NextStep, Reason};
use mcp_transport::supervisor::{NoContact, ServerSource};
use tokio::sync::Notify;

use super::login;
use crate::app::App;
use crate::args::BridgeArgs;
use crate::environment::PROGRAM;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::description::DescriptionFile;
use crate::live::elsewhere::{self, OtherFolder};
use crate::live::entry::{Entry, Target, absent};
use crate::live::follow::{RecheckRequests, follow};
use crate::live::serve::OpenSession;
use crate::live::session::OwnSession;
use crate::live::{self, Share};
use crate::session_log::{self, SessionLog};
use crate::signals;
use mcp_connect::ConfiguredServer;

/// The columns of what a host calls itself.
const HOST_COLUMNS: usize = 60;
/// How long a bridge that does not serve waits for the first words of its host, to answer them.
const OPENING_LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn run(app: &Arc<App>, args: &BridgeArgs) -> Result<ExitStatus, CliError> {
    let target = Target::new(&args.server);
    // Now, so that a name that does not exist is told to the person who configures the host. The host is served all the same: the
    // name may come, and until then each call says where it was looked for.
    let (configured, missing) = match found(app, &target).await {
        Ok(configured) => (configured, None),
        Err((error, _)) if std::io::stdin().is_terminal() => return Err(error),
        Err((error, hint)) => {
            app.output.error(&if app.json { error.to_json() } else { error.to_text() });
            (ConfiguredServer::missing(target.name(), Reason::config(&absent(&error, &hint))), Some(hint))
        }
    };
    if let Some(reason) = configured.self_reference() {
        // A loop ends here. Serving the host in its place would keep every turn of it alive.
        if !std::io::stdin().is_terminal() {
            turn_away(app, &configured, reason).await?;
        }
        return Err(not_started(app, target.name(), reason));
    }
    let (input, output) = streams()?;
    let log = app.cache_dir().map(|cache| SessionLog::new(&cache.join(session_log::FOLDER), target.name()));
    let configured = Arc::new(configured);
    let was_there = missing.is_none();
    let entry = Arc::new(match missing {
        None => Entry::new(app.clone(), target, log.clone(), configured.clone()),
        Some(hint) => Entry::missing(app.clone(), target, log.clone(), configured.clone(), hint),
    });
    let source = entry.clone();
    let read = move || {
        let entry = source.clone();
        async move { entry.read().await }
    };
    let share = if args.shared { Some(live::share(app, read)?) } else { None };
    let (source, known) = (entry.clone(), entry.clone());
    let read = move || {
        let entry = source.clone();
        async move { entry.read().await.map(|(server, _)| server) }
    };
    let mut config = bridge_config(app, entry.target().name(), read).with_facts(move || known.facts());
    if let Ok(Some(limits)) = configured.state.as_ref().map(|server| &server.limits) {
        (config.max_requests, config.max_line_bytes) = (limits.requests, limits.host_bytes);
    }
    if was_there && let Some(file) = DescriptionFile::of(app, &configured) {
        config = config.with_memory(Arc::new(file));
    }
    let refused = Arc::new(Mutex::new(None));
    let (admitting, slot) = (entry.clone(), refused.clone());
    config = config.with_opening(Arc::new(move |chain| {
        let (entry, slot) = (admitting.clone(), slot.clone());
        Box::pin(async move {
            let admitted = entry.admit(chain).await;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = admitted.clone().err();
            admitted
        })
    }));
    let (looks, asked) = RecheckRequests::new();
    let asked = Mutex::new(Some(asked));
    config = config.with_before_request(Arc::new(move || {
        let looks = looks.clone();
        Box::pin(async move { looks.look().await })
    }));
    let opened = Arc::new(Mutex::new(None));
    let host = Arc::new(Mutex::new(None));
    let introduced = host.clone();
    config = config.with_introduced(move |client| {
        *introduced.lock().unwrap_or_else(PoisonError::into_inner) = client.map(|client| {
            let name = client.title.unwrap_or(client.name);
            mcp_text::line(format!("{name} {}", client.version).trim_end(), HOST_COLUMNS)
        });
    });
    let stop = Arc::new(Notify::new());
    let stopped = stop.clone();
    let calls = config.calls.clone();
    let (slot, seen, shared) = (opened.clone(), entry.clone(), share.clone());
    config = config.with_started(move |handle| {
        seen.app().telemetry.follow(&handle);
        let facts = seen.clone();
        // Once: one session has one supervisor.
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let asked = asked.unwrap_or_else(|| RecheckRequests::new().1);
        let following = tokio::spawn(follow(seen.clone(), handle.clone(), shared.clone(), asked));
        let steps = seen.app().steps.clone();
        let session =
            OwnSession::new(handle, &configured, Arc::new(move || facts.facts()), steps, log.clone())
                .with_share(shared.clone())
                .with_calls(calls.clone())
                .with_circumstances(
                    host.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                    seen.app().folder().ok().as_deref(),
                    seen.app().variables().above(),
                    stopped.clone(),
                );
        let opened = OpenSession::open(seen.app(), session, following);
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
    });
    if args.interactive_login {
        config = config.with_sign_in(sign_in(entry.clone(), share.clone()));
    }
    if let Some(share) = share {
        config = live::join(config, share);
    }
    let renewals = app.host.renewals().clone();
    config = config.with_settled(Arc::new(move || {
        let renewals = renewals.clone();
        Box::pin(async move { renewals.settled().await })
    }));
    let mut signalled = None;
    let asked_to_end = async {
        tokio::select! {
            signal = signals::signal() => signalled = Some(signal),
            () = stop.notified() => {}
        }
    };
    let ended = Bridge::new(app.host.connector().clone(), config).run(input, output, asked_to_end).await;
    drop(opened.lock().unwrap_or_else(PoisonError::into_inner).take());
    let refused = refused.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (ended, signalled, refused) {
        (EndReason::TurnedAway, _, Some(reason)) => Err(not_started(app, entry.target().name(), &reason)),
        (EndReason::Asked, Some(signal), _) => Ok(signal),
        // It never was anything but a name.
        _ if !was_there && !entry.is_there() => Ok(ExitStatus::Usage),
        _ => Ok(ExitStatus::Success),
    }
}

/// The settings of a bridge of this program to the server `name`.
fn bridge_config(app: &App, name: &str, source: impl ServerSource) -> BridgeConfig {
    let (steps, of) = (app.steps.clone(), name.to_owned());
    BridgeConfig::new(name, env!("CARGO_PKG_VERSION"), source)
        .with_program(PROGRAM)
        .with_next(move |step| Some(steps.words(step, &of).to_string()))
}

/// The entry of a name or a URL; in the one folder that has it, where this one has not. Else why there is none, and where it
/// may be.
async fn found(app: &App, target: &Target) -> Result<ConfiguredServer, (CliError, String)> {
    let error = match target.configured(app).await {
        Ok(configured) => return Ok(configured),
        Err(error) => error,
    };
    match elsewhere::find(app, target.name()) {
        OtherFolder::In(folder) => {
            let name = mcp_text::line(target.name(), HOST_COLUMNS);
            app.output.note(&format!(
                "{name} is taken from {} (--project names another folder)\n",
                folder.display()
            ));
            app.set_folder(folder);
            target.configured(app).await.map_err(|error| (error, String::new()))
        }
        OtherFolder::Unclear(hint) => Err((error, hint)),
    }
}

/// The streams of the host.
fn streams() -> Result<(mcp_bridge::stdio::StdioInput, mcp_bridge::stdio::StdioOutput), CliError> {
    mcp_bridge::stdio::open().map_err(|error| {
        CliError::new(ExitStatus::Usage, "no-streams", "standard input or output is closed")
            .why(error.to_string())
            .next("let an MCP host start the bridge")
    })
}

/// Answers a host that opens the conversation with why there is none: one that is this program knows the loop by it.
async fn turn_away(app: &App, configured: &ConfiguredServer, reason: &Reason) -> Result<(), CliError> {
    let (input, output) = streams()?;
    let (facts, reason) = (configured.facts(), reason.clone());
    let config = bridge_config(app, &configured.description.name, || async { Err(NoContact::SwitchedOff) })
        .with_facts(move || facts)
        .with_opening(Arc::new(move |_| {
            let reason = reason.clone();
            Box::pin(async move { Err(reason) })
        }));
    let enough = async {
        tokio::select! {
            _ = signals::signal() => {}
            () = tokio::time::sleep(OPENING_LIMIT) => {}
        }
    };
    Bridge::new(app.host.connector().clone(), config).run(input, output, enough).await;
    Ok(())
}

fn not_started(app: &App, name: &str, reason: &Reason) -> CliError {
    let change = NextStep::ChangeEntry { part: EntryPart::Command };
    let next = app.steps.words(&change, name);
    CliError::usage(reason.code.as_str(), format!("{name:?} is not started: {}", reason.message)).next(next)
}

/// Signs the person in who sits in front of the host, in the browser.
fn sign_in(entry: Arc<Entry>, share: Option<Share>) -> SignIn {
    Arc::new(move || {
        let (entry, share) = (entry.clone(), share.clone());
        Box::pin(async move {
            let configured = entry.latest();
            match login::sign_in(
                entry.app(),
                &configured,
                login::Way::default(),
                login::Person::BeforeTheHost,
            )
            .await
            {
                Ok(_) => {
                    if let Some(share) = share {
                        // The process that keeps the connection has been refused without it.
                        share.reconnect().await;
                    }
                    true
                }
                Err(error) => {
                    entry.app().output.error(&error.to_text());
                    false
                }
            }
        })
    })
}
