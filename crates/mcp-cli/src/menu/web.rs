//! `mcplink menu --web`: the list and the facts of the menu in a browser on this machine, live.
//!
//! What is shown and what may be asked for are values ([`shown`], [`panel`]), as is who is let in ([`gate`]); here are the socket, the
//! connections and the commands that are run.

mod gate;
mod panel;
mod press;
mod serve;
mod shown;

use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

use self::gate::Gate;
use self::serve::{BrowserRequest, PageConnections, ServerContext};
use self::shown::{Page, PersonStep};
use super::desk::{Desk, reconnect};
use super::exchange::TaskEvent;
use super::model::Menu;
use crate::app::App;
use crate::args::MenuArgs;
use crate::browser::{self, Machine};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::watched::{Intervals, WatchedServers};
use crate::signals;
use crate::view::shown as view;

/// How long a failed `accept` is waited out.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves the page until a signal ends it.
pub(crate) async fn run(app: &Arc<App>, args: &MenuArgs) -> Result<ExitStatus, CliError> {
    let mut signal = pin!(signals::signal());
    // Heard from the beginning: what is started has to be ended.
    tokio::select! {
        biased;
        status = &mut signal => return Ok(status),
        () = std::future::ready(()) => {}
    }
    let port = args.port.unwrap_or(0);
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| not_listening(port, &error))?;
    let port = listener.local_addr().map_err(|error| not_listening(port, &error))?.port();
    let gate = Gate::new(port).ok_or_else(|| {
        CliError::new(ExitStatus::Internal, "internal", "the system gives no random numbers")
    })?;
    let address = gate.address();
    let mut watched = WatchedServers::start(app, &[], Intervals::watch()).await?;
    let folder = app.folder().ok();
    let folder = folder.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let folder = folder.unwrap_or_default();
    let (report, mut news) = unbounded_channel();
    let (asks, mut asked) = unbounded_channel();
    let (document, shown) = watch::channel(Arc::from(""));
    let mut desk = Desk::new(app, report.clone());
    let mut menu = Menu::new(app.steps.clone());
    let mut page = Page::default();
    let mut guests = PageConnections::default();
    let door = Arc::new(ServerContext { gate: Mutex::new(gate), asks, shown });
    menu.update(watched.seen(), watched.problems());
    document.send_replace(page.document(&menu, &folder, SystemTime::now()).into());
    open(app, &address);
    let ended = loop {
        tokio::select! {
            status = &mut signal => break status,
            event = watched.next_event() => watched.apply(event).await,
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let is_ours = stream.local_addr().is_ok_and(|to| mcp_files::is_trusted_peer(from, to));
                    guests.admit(stream, &door, is_ours);
                }
                // It is about that connection alone, or there are too many.
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some((number, news)) = news.recv() => match news {
                TaskEvent::Said(said) => menu.message = said,
                news if desk.is_current(number) => page.hear(news),
                _ => {}
            },
            Some(ask) = asked.recv() => match ask {
                BrowserRequest::Opened => tell_again(app, &door),
                BrowserRequest::PageAction(press) => {
                    menu.message.clear();
                    match page.press(&menu, press) {
                        Some(PersonStep::Reconnect(name)) => {
                            if let Some(decided) = watched.reconnect(&name) {
                                menu.message = format!("reconnecting {}", view::name(&name));
                                reconnect(app, &name, decided, report.clone());
                            }
                        }
                        Some(PersonStep::Begin(work)) => desk.begin(work, &watched),
                        None => {}
                    }
                }
            }
        }
        menu.update(watched.seen(), watched.problems());
        let now = page.document(&menu, &folder, SystemTime::now());
        document.send_if_modified(|shown| {
            let is_other = **shown != *now;
            if is_other {
                *shown = now.into();
            }
            is_other
        });
    };
    drop((guests, desk));
    watched.close().await;
    Ok(ended)
}

fn not_listening(port: u16, error: &std::io::Error) -> CliError {
    CliError::usage("port", format!("port {port} of this machine cannot be listened on"))
        .why(mcp_files::reason(error))
        .next("mcplink menu --web")
}

/// Shows the page to the person: opens it where there is one with a browser, and says where it is.
fn open(app: &App, address: &str) {
    if app.json {
        return app.print_json_line(&json!({ "schemaVersion": 1, "url": address }));
    }
    let opened = match address.parse() {
        Ok(url) if !app.non_interactive => browser::choose(&app.environment, Machine::current()).open(&url),
        _ => Err("as you asked".to_owned()),
    };
    let how = match opened {
        Ok(()) => "Your browser opens. If it does not, open this address:".to_owned(),
        Err(why) => format!("Open this address in a browser of this machine ({}):", view::line(&why)),
    };
    app.output
        .out(&format!("{how}\n\n  {address}\n\nIt works once, and as long as this runs; Ctrl-C ends it.\n"));
}

/// The address that was taken works no more; there is another one for another browser.
fn tell_again(app: &App, door: &ServerContext) {
    let address = door.gate.lock().unwrap_or_else(PoisonError::into_inner).address();
    if app.json {
        app.print_json_line(&json!({ "schemaVersion": 1, "url": address }));
    } else {
        app.output.out(&format!("\nThe page was opened. For another browser:\n\n  {address}\n"));
    }
}
