//! `mcplink bridge NAME|URL`: the server as a local one, on standard streams, for any host.
//!
//! Only wiring: what a bridge does is `mcp-bridge`. Standard output is the host's; everything else goes to stderr.

use std::sync::{Arc, Mutex, PoisonError};

use mcp_bridge::{Bridge, BridgeConfig, Ended, SignIn};
use mcp_status::{ActionFacts, Reason, TransportKind};
use mcp_transport::{Server, Withheld};
use url::Url;

use super::login;
use crate::app::App;
use crate::args::{BridgeArgs, LoginArgs};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::serve::{Opened, Session};
use crate::live::{self, Sharing};
use crate::session_log::{Logged, SessionLog};
use crate::signals;
use crate::wire::{Closed, Wired};

pub(super) async fn run(app: &Arc<App>, args: &BridgeArgs) -> Result<ExitStatus, CliError> {
    let target = Target::new(args);
    // Now, so that a name that does not exist is told to whoever configures the host.
    let wired = target.wired(app).await?;
    if let Some(reason) = wired.self_reference() {
        // A loop ends here. Answering in its place would keep every turn of it alive, and of what this prints the bridge
        // above shows the first line.
        let name = &wired.described.name;
        return Err(CliError::usage(
            reason.code.as_str(),
            format!("{name:?} is not started: {}", reason.message),
        )
        .next(format!("mcplink get {}", mcp_text::shell_word(name))));
    }
    let (input, output) = mcp_bridge::stdio::open().map_err(|error| {
        CliError::new(ExitStatus::Usage, "no-streams", "standard input or output is closed")
            .why(error.to_string())
            .next("let an MCP host start it")
    })?;
    let log = app.log_dir().map(|directory| SessionLog::new(&directory, &target.name));
    let wired = Arc::new(wired);
    let entry = Arc::new(Entry {
        app: app.clone(),
        target,
        log: log.clone(),
        latest: Mutex::new(Some(wired.clone())),
    });
    let source = entry.clone();
    let read = move || {
        let entry = source.clone();
        async move { entry.read().await }
    };
    let sharing = if args.shared { Some(live::share(app, read)?) } else { None };
    let (source, known) = (entry.clone(), entry.clone());
    let read = move || {
        let entry = source.clone();
        async move { entry.read().await.map(|(server, _)| server) }
    };
    let mut config = BridgeConfig::new(&*entry.target.name, env!("CARGO_PKG_VERSION"), read)
        .with_facts(move || known.facts());
    if let Ok(Some(limits)) = wired.state.as_ref().map(|ready| &ready.server.limits) {
        config.max_requests = limits.requests;
    }
    let opened = Arc::new(Mutex::new(None));
    let (slot, seen, share) = (opened.clone(), entry.clone(), sharing.clone());
    config = config.with_started(move |handle| {
        seen.app.telemetry.follow(&handle);
        let facts = seen.clone();
        let session = Session::new(handle, &wired, Arc::new(move || facts.facts()), log.clone())
            .with_sharing(share.clone());
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Opened::open(&seen.app, session));
    });
    if args.interactive_login {
        config = config.with_sign_in(sign_in(entry.clone(), sharing.clone()));
    }
    if let Some(sharing) = sharing {
        config = live::join(config, sharing);
    }
    let renewals = app.renewals.clone();
    config = config.with_settled(Arc::new(move || {
        let renewals = renewals.clone();
        Box::pin(async move { renewals.settled().await })
    }));
    let mut signalled = None;
    let asked_to_end = async { signalled = Some(signals::signal().await) };
    let ended = Bridge::new(app.connector.clone(), config).run(input, output, asked_to_end).await;
    drop(opened.lock().unwrap_or_else(PoisonError::into_inner).take());
    Ok(match (ended, signalled) {
        (Ended::Asked, Some(signal)) => signal,
        _ => ExitStatus::Success,
    })
}

/// What a bridge leads to.
#[derive(Debug)]
struct Target {
    /// The name of the entry; the host of the URL where there is none.
    name: String,
    /// Where it was given as a URL.
    url: Option<Url>,
}

impl Target {
    fn new(args: &BridgeArgs) -> Self {
        let url = Url::parse(&args.server).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let name = match url.as_ref().and_then(Url::host_str) {
            Some(host) => host.to_owned(),
            None => args.server.clone(),
        };
        Self { name, url }
    }

    /// The entry as it is configured now.
    async fn wired(&self, app: &App) -> Result<Wired, CliError> {
        let loaded = match &self.url {
            Some(url) => app.load_with_url(&self.name, url)?,
            None => app.load()?,
        };
        loaded.wired(app, &self.name).await
    }
}

/// The entry, read again for every connection.
#[derive(Debug)]
struct Entry {
    app: Arc<App>,
    target: Target,
    /// Where its helper runs and refusals are written down.
    log: Option<SessionLog>,
    /// As it was read last. The first reading is used for the first connection.
    latest: Mutex<Option<Arc<Wired>>>,
}

impl Entry {
    /// The server, and the entry that it is of.
    async fn read(&self) -> Result<(Server, Arc<Wired>), Withheld> {
        let read = self.target.wired(&self.app).await.map_err(|error| {
            // The name was there when the bridge began; whoever took it away may bring it back.
            Withheld::Because(Reason::config(&error.message))
        })?;
        let read = Arc::new(read);
        let server = match &read.state {
            Ok(ready) => Ok((self.logged(ready.server.clone()), read.clone())),
            Err(Closed::Disabled) => Err(Withheld::SwitchedOff),
            Err(Closed::Reason(reason)) => Err(Withheld::Because(reason.clone())),
        };
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
        server
    }

    fn logged(&self, server: Server) -> Server {
        match (&self.log, server.auth.clone()) {
            (Some(log), Some(provider)) => server.with_auth(Arc::new(Logged::new(provider, log.clone()))),
            _ => server,
        }
    }

    fn latest(&self) -> Option<Arc<Wired>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn facts(&self) -> ActionFacts {
        self.latest().map_or_else(|| ActionFacts::new(TransportKind::Remote), |wired| wired.facts())
    }
}

/// Signs the person in who sits in front of the host, in the browser.
fn sign_in(entry: Arc<Entry>, sharing: Option<Sharing>) -> SignIn {
    Arc::new(move || {
        let (entry, sharing) = (entry.clone(), sharing.clone());
        Box::pin(async move {
            let Some(wired) = entry.latest() else { return false };
            let args = LoginArgs { name: entry.target.name.clone(), no_browser: false, device: false };
            match login::sign_in(&entry.app, &wired, &args, login::Person::BeforeTheHost).await {
                Ok(_) => {
                    if let Some(sharing) = sharing {
                        // Whoever keeps the connection has been refused without it.
                        sharing.reconnect().await;
                    }
                    true
                }
                Err(error) => {
                    entry.app.output.error(&error.to_text());
                    false
                }
            }
        })
    })
}
