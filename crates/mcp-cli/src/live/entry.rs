//! The entry of a long-lived session: read again for every connection, and looked at in between.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use mcp_auth::oauth::OAuthProvider;
use mcp_config::Config;
use mcp_connect::{ConfiguredServer, EntryTools, Fingerprint};
use mcp_files::Stamp;
use mcp_status::{ActionFacts, NextStep, Reason};
use mcp_transport::Server;
use mcp_transport::supervisor::NoContact;

use crate::app::App;
use crate::error::CliError;
use crate::loaded::LoadedConfig;
use crate::session_log::{LoggingProvider, SessionLog};

/// Why there is no entry, and where it may be.
pub(crate) fn absent(error: &CliError, hint: &str) -> String {
    let mut said = error.message.clone();
    if !hint.is_empty() {
        said = format!("{said} {hint}");
    }
    match &error.why {
        Some(why) => format!("{said}: {why}"),
        None => said,
    }
}

/// What a session leads to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    name: String,
}

impl Target {
    /// The server of this name.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The entry as it is configured now, for a command that begins: what is wrong with the files is told.
    pub(crate) async fn configured(&self, app: &App) -> Result<ConfiguredServer, CliError> {
        app.load()?.configured(app, &self.name).await
    }

    /// The same for one that goes on, and has told it.
    async fn wired_again(&self, app: &App) -> Result<ConfiguredServer, CliError> {
        app.load()?.found(app, &self.name).await
    }
}

/// What an entry comes to, as far as it decides about a connection: equal where a connection would be the same one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EntryState {
    /// Whether it may be contacted, and which server that would be.
    pub(crate) state: Result<Fingerprint, NoContact>,
    /// When the sign-in was made or renewed that is used with it.
    pub(crate) sign_in: Option<SystemTime>,
    /// What the files are that its secrets and credentials come from, those that a helper's command names among them.
    pub(crate) helper: Vec<Stamp>,
    /// Which of its tools may be used, where not all may.
    pub(crate) tools: Option<Arc<EntryTools>>,
}

impl EntryState {
    fn of(app: &App, configured: &ConfiguredServer) -> Self {
        let state = match &configured.state {
            Ok(_) => Ok(configured.fingerprint(&app.host)),
            Err(withheld) => Err(withheld.clone()),
        };
        let oauth = configured.auth.as_ref().and_then(|auth| auth.oauth.as_ref());
        let sign_in = oauth.filter(|oauth| oauth.is_kept()).and_then(OAuthProvider::obtained_at);
        Self { state, sign_in, helper: Vec::new(), tools: configured.tools.clone() }
    }

    fn with_helper(self, helper: Vec<Stamp>) -> Self {
        Self { helper, ..self }
    }
}

/// One look at an entry, for which no server was contacted and nothing was run.
#[derive(Debug)]
pub(crate) struct EntryReading {
    pub(crate) standing: EntryState,
    /// A file could not be read or understood: what it said of the entry is not known.
    pub(crate) is_in_doubt: bool,
    /// No person has signed in, or the one who had has signed out; not where the place of sign-ins could not be read.
    pub(crate) is_signed_out: bool,
    /// What has to be looked at to notice that it is another one; `None` where that could not be found out.
    pub(crate) files: Option<Vec<PathBuf>>,
}

/// What has to be looked at to notice that `loaded`, or a sign-in, is another one.
pub(super) fn watched(app: &App, loaded: &LoadedConfig) -> Vec<PathBuf> {
    let mut files = loaded.config.watched().to_vec();
    files.extend(app.host.token_store().watched());
    files
}

/// What these files are now. A network drive may take its time over it.
async fn stamps(files: Vec<PathBuf>) -> Vec<Stamp> {
    let stamps = move || files.iter().map(|file| Stamp::of(file)).collect();
    tokio::task::spawn_blocking(stamps).await.unwrap_or_default()
}

/// An entry while a session lives.
#[derive(Debug)]
pub(crate) struct Entry {
    app: Arc<App>,
    target: Target,
    /// Where its helper runs and refusals are written down.
    log: Option<SessionLog>,
    /// What is told beside it where there is no such entry.
    hint: String,
    read: Mutex<LastReading>,
}

/// The entry as it was read last for a connection.
#[derive(Debug)]
struct LastReading {
    /// Or why it was not there.
    found: Result<Arc<ConfiguredServer>, EntryState>,
    /// The last one that was there: a session goes on telling what it knows.
    known: Arc<ConfiguredServer>,
    /// What the files of its credentials were then.
    helper: Vec<Stamp>,
}

impl Entry {
    /// The entry of `target`, which was read as `configured`.
    pub(crate) fn new(
        app: Arc<App>,
        target: Target,
        log: Option<SessionLog>,
        configured: Arc<ConfiguredServer>,
    ) -> Self {
        let read = LastReading { found: Ok(configured.clone()), known: configured, helper: Vec::new() };
        Self { app, target, log, hint: String::new(), read: Mutex::new(read) }
    }

    /// The entry of `target`, which is not there: `missing` stands in its place until it is, and `hint` says where it may be.
    pub(crate) fn missing(
        app: Arc<App>,
        target: Target,
        log: Option<SessionLog>,
        missing: Arc<ConfiguredServer>,
        hint: String,
    ) -> Self {
        let state = missing.state.as_ref().map(|_| missing.fingerprint(&app.host)).map_err(NoContact::clone);
        let standing = EntryState { state, sign_in: None, helper: Vec::new(), tools: None };
        let read = LastReading { found: Err(standing), known: missing, helper: Vec::new() };
        Self { app, target, log, hint, read: Mutex::new(read) }
    }

    /// Whether its sign-ins are kept in a database: no file tells that there is another one.
    pub(super) fn signs_in_elsewhere(&self) -> bool {
        self.app.host.options().shared_store.is_some()
    }

    /// Whether the entry was there when it was read last.
    pub(crate) fn is_there(&self) -> bool {
        self.last().found.is_ok()
    }

    /// An entry that is not there, or cannot be read.
    fn unreadable(&self, error: &CliError) -> EntryState {
        // Where it is missing, the files are well: it is for the command that would have found it.
        let next = error.next.clone().map(|next| self.app.steps.step(next).to_string());
        let next = next.map(|hint| NextStep::Provider { hint });
        let reason = Reason::config(&absent(error, &self.hint)).with_next(next);
        let state = Err(NoContact::Because(reason));
        EntryState { state, sign_in: None, helper: Vec::new(), tools: None }
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        &self.app
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Whether a host is served that tells which entries it runs under: not where this one is among them, because then it
    /// leads back to itself.
    pub(crate) async fn admit(&self, report: Option<String>) -> Result<(), Reason> {
        let Some(report) = report else { return Ok(()) };
        self.app.set_above(report);
        // What cannot be read now is told at every call.
        let Ok(configured) = self.target.wired_again(&self.app).await.map(Arc::new) else { return Ok(()) };
        let helper = stamps(configured.credential_files()).await;
        *self.last() = LastReading { found: Ok(configured.clone()), known: configured.clone(), helper };
        configured.self_reference().cloned().map_or(Ok(()), Err)
    }

    /// The server, and the entry that it is of, for a connection that is made now.
    pub(crate) async fn read(&self) -> Result<(Server, Arc<ConfiguredServer>), NoContact> {
        let configured = match self.target.wired_again(&self.app).await {
            Ok(configured) => Arc::new(configured),
            // The name was there when the session began; the person who took it away may bring it back.
            Err(error) => {
                let standing = self.unreadable(&error);
                self.last().found = Err(standing.clone());
                return Err(standing.state.err().unwrap_or(NoContact::SwitchedOff));
            }
        };
        let server = match &configured.state {
            Ok(server) => Ok((self.logged(server.clone()), configured.clone())),
            Err(withheld) => Err(withheld.clone()),
        };
        // Before it runs: what is changed after that is news.
        let helper = stamps(configured.credential_files()).await;
        *self.last() = LastReading { found: Ok(configured.clone()), known: configured, helper };
        server
    }

    /// The entry as it is now, without any consequence.
    pub(crate) async fn look(&self) -> EntryReading {
        let app = self.app.clone();
        // A file may be on a network drive, and large: the messages of the session do not wait for it.
        match tokio::task::spawn_blocking(move || app.load()).await {
            Ok(Ok(loaded)) => self.look_in(&loaded).await,
            Ok(Err(error)) => self.look_in_vain(&error),
            Err(_) => self.look_in_vain(&CliError::usage("config", "the configuration cannot be read")),
        }
    }

    fn look_in_vain(&self, error: &CliError) -> EntryReading {
        let standing = self.unreadable(error);
        EntryReading { standing, is_in_doubt: true, is_signed_out: false, files: None }
    }

    /// The same in what has been read already.
    pub(crate) async fn look_in(&self, loaded: &LoadedConfig) -> EntryReading {
        let mut files = watched(&self.app, loaded);
        let mut is_signed_out = false;
        let standing = match loaded.found(&self.app, &self.target.name).await {
            Ok(configured) => {
                let oauth = configured.auth.as_ref().and_then(|auth| auth.oauth.as_ref());
                is_signed_out = oauth.is_some_and(OAuthProvider::is_signed_out);
                let own = configured.credential_files();
                files.extend(own.iter().cloned());
                EntryState::of(&self.app, &configured).with_helper(stamps(own).await)
            }
            Err(error) => self.unreadable(&error),
        };
        let is_in_doubt = self.is_in_doubt(&loaded.config);
        EntryReading { standing, is_in_doubt, is_signed_out, files: Some(files) }
    }

    /// Whether a file cannot be understood that the entry stands in, or that holds what this person decided. Others may be
    /// as broken as they like: that of another person may stay so.
    fn is_in_doubt(&self, config: &Config) -> bool {
        let source = self.latest().description.source.clone();
        let of_person = config.locations.user_file.as_ref().map(|file| file.display().to_string());
        config.problems.iter().any(|problem| {
            let file = problem.file.as_ref().map(ToString::to_string);
            problem.is_of_whole_file() && file.is_some_and(|file| file == source || Some(file) == of_person)
        })
    }

    /// What the session acts on.
    pub(crate) fn standing(&self) -> EntryState {
        let (found, helper) = {
            let last = self.last();
            (last.found.clone(), last.helper.clone())
        };
        match found {
            Ok(configured) => EntryState::of(&self.app, &configured).with_helper(helper),
            Err(missing) => missing,
        }
    }

    /// The entry as it was when it was last there.
    pub(crate) fn latest(&self) -> Arc<ConfiguredServer> {
        self.last().known.clone()
    }

    /// What actions are derived from.
    pub(crate) fn facts(&self) -> ActionFacts {
        self.latest().facts().with_session(true)
    }

    fn logged(&self, server: Server) -> Server {
        match (&self.log, server.auth.clone()) {
            (Some(log), Some(provider)) => {
                server.with_auth(Arc::new(LoggingProvider::new(provider, log.clone())))
            }
            _ => server,
        }
    }

    fn last(&self) -> MutexGuard<'_, LastReading> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
