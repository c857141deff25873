//! What all servers of one program share.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use mcp_auth::oauth::store::{FileTokenStore, MemoryTokenStore, SignInRecord, TokenStore};
use mcp_auth::oauth::{OAuthLogin, OAuthProvider, OAuthSettings, Renewals};
use mcp_auth::{AuthError, AuthSettings, HttpExchange, Secret, Target};
use mcp_config::{Config, ServerEntry};
use mcp_status::{ActionFacts, StatusReport};
use mcp_text::{Secrets, SharedSecrets};
use mcp_transport::exchange::ExchangeSink;
use mcp_transport::fleet::FleetEntry;
use mcp_transport::supervisor::{NoContact, StatusSnapshot};
use mcp_transport::{Connector, Server};

use crate::{ConfiguredServer, HostOptions, ServerAuth};

/// Makes servers of entries, with one HTTP client, one set of sign-ins and one environment. Cheap to clone.
///
/// # Examples
///
/// ```
/// use mcp_config::{Config, Env, Request};
/// use mcp_connect::{Host, HostOptions};
/// use mcp_transport::ClientInfo;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let home = tempfile::tempdir().unwrap();
/// # let env = Env::from([("HOME", home.path())]);
/// let program = ClientInfo::new("my-agent", "1.0");
/// let host = Host::new(HostOptions::from_env(&env, home.path(), program));
/// let mut request = Request::new(home.path(), env);
/// request.mcp_config.push(r#"{"mcpServers": {"web": {"type": "http", "url": "https://example.com/mcp"}}}"#.to_owned());
/// let config = Config::load(&request);
/// for entry in &config.entries {
///     match host.server(entry, &config).await {
///         Ok(server) => println!("{} is at {:?}", entry.name, server.endpoint),
///         Err(withheld) => println!("{} is not contacted: {withheld:?}", entry.name),
///     }
/// }
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: HostOptions,
    connector: Connector,
    token_store: Arc<dyn TokenStore>,
    renewals: Renewals,
    /// Where this process stands among those that use the same sign-ins, so that they do not renew at one moment.
    share: f64,
    /// The servers of [`Host::entries`], as they were read last.
    known: Mutex<BTreeMap<String, Arc<ConfiguredServer>>>,
    /// What of the environment is secret: the same for every local server, and looked for once.
    inherited: OnceLock<Secrets>,
    /// The reading of the files whose credentials are known to all servers.
    learned: Mutex<Option<Arc<()>>>,
}

impl Host {
    /// A host with these options. Nothing is contacted or read yet.
    pub fn new(options: HostOptions) -> Self {
        Self(Arc::new(Inner {
            connector: Connector::new(options.client.clone()),
            token_store: token_store(&options),
            renewals: Renewals::default(),
            share: share(),
            known: Mutex::default(),
            inherited: OnceLock::new(),
            learned: Mutex::default(),
            options,
        }))
    }

    /// The same host with connections of its own, whose exchanges are told to `sink`. The sign-ins are the same, and so are
    /// the renewals that a program waits for before it ends.
    pub(crate) fn with_exchange_sink(&self, sink: ExchangeSink) -> Self {
        let mut options = self.options().clone();
        options.client.exchange_sink = Some(sink);
        Self(Arc::new(Inner {
            connector: Connector::new(options.client.clone()),
            token_store: self.token_store().clone(),
            renewals: self.renewals().clone(),
            share: self.0.share,
            known: Mutex::default(),
            inherited: OnceLock::new(),
            learned: Mutex::default(),
            options,
        }))
    }

    /// The options.
    pub fn options(&self) -> &HostOptions {
        &self.0.options
    }

    /// Makes the connections.
    pub fn connector(&self) -> &Connector {
        &self.0.connector
    }

    /// The sign-ins of this person.
    pub fn token_store(&self) -> &Arc<dyn TokenStore> {
        &self.0.token_store
    }

    /// What the files, or the database, tell of the kept sign-ins, without their secrets; no keyring is asked.
    ///
    /// # Errors
    ///
    /// They cannot be listed; one that cannot be read is an element of its own.
    pub async fn sign_ins(&self) -> Result<Vec<Result<SignInRecord, AuthError>>, AuthError> {
        if let Some(shared) = &self.options().shared_store {
            return shared.survey().await;
        }
        match files(self.options().state_dir.as_deref()) {
            Some(files) => files.survey().await,
            None => Ok(Vec::new()),
        }
    }

    /// The secrets of the kept sign-ins that stand in files or in a database: what may be shown of anything else has none of
    /// them in it. No keyring is asked, and what cannot be read is left out.
    pub async fn kept_secrets(&self) -> Secrets {
        let files = files(self.options().state_dir.as_deref());
        match (&self.options().shared_store, &files) {
            (Some(shared), _) => secrets_in(shared).await,
            (None, Some(files)) => secrets_in(files).await,
            (None, None) => Secrets::default(),
        }
    }

    /// The renewals of tokens that are under way. A program does not end before they have: the old token may be used up, and
    /// the new one not kept yet.
    pub fn renewals(&self) -> &Renewals {
        &self.0.renewals
    }

    /// `entry` with everything that is needed to contact it. Contacts no server and runs no command
    /// of the entry; reads the sign-ins, which a keyring or a database may hold.
    pub async fn configured(&self, entry: &ServerEntry, config: &Config) -> ConfiguredServer {
        ConfiguredServer::new(self, entry, config).await
    }

    /// What `entry` connects to.
    ///
    /// # Errors
    ///
    /// Why it is not contacted: it is switched off, not approved, invalid, or leads back to itself.
    pub async fn server(&self, entry: &ServerEntry, config: &Config) -> Result<Server, NoContact> {
        self.configured(entry, config).await.state
    }

    /// Every server of `config` for [`Fleet::apply`](mcp_transport::fleet::Fleet::apply), with fingerprints that differ where
    /// anything does that decides about a connection, a secret included.
    pub async fn entries(&self, config: &Config) -> Vec<FleetEntry> {
        let config = Arc::new(config.clone());
        let mut entries = Vec::with_capacity(config.entries.len());
        for entry in &config.entries {
            let server = Arc::new(self.configured(entry, &config).await);
            let fingerprint = server.fingerprint(self).to_text();
            self.known().insert(entry.name.clone(), server);
            let (host, config, entry) = (self.clone(), config.clone(), Arc::new(entry.clone()));
            entries.push(FleetEntry::new(&*entry.name.clone(), fingerprint, move || {
                let (host, config, entry) = (host.clone(), config.clone(), entry.clone());
                async move {
                    // Again for each connection: a person may have signed in since.
                    let server = Arc::new(host.configured(&entry, &config).await);
                    host.known().insert(entry.name.clone(), server.clone());
                    server.state.clone()
                }
            }));
        }
        entries
    }

    /// What the actions of a supervised server are derived from, where [`entries`](Self::entries) made it.
    pub fn facts(&self, snapshot: &StatusSnapshot) -> Option<ActionFacts> {
        Some(self.known_as(&snapshot.name)?.facts().with_session(true))
    }

    /// What is shown about a supervised server that [`entries`](Self::entries) made, with what a person can do about it, and
    /// without its secrets.
    pub fn report(&self, snapshot: &StatusSnapshot) -> Option<StatusReport> {
        let server = self.known_as(&snapshot.name)?;
        Some(
            server
                .without_secrets(snapshot.report_with(&server.context(), server.facts().with_session(true))),
        )
    }

    /// The server of this name as it was read last for [`entries`](Self::entries).
    pub fn known_as(&self, name: &str) -> Option<Arc<ConfiguredServer>> {
        self.known().get(name).cloned()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Arc<ConfiguredServer>>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an entry says about OAuth, under this program's name.
    fn oauth_settings(&self, settings: &AuthSettings, target: &Target) -> OAuthSettings {
        let mut oauth = OAuthSettings::new(settings.oauth.clone().unwrap_or_default())
            .with_client_name(&*self.options().client.client_info.name);
        if oauth.spec.client_metadata_url.is_none() {
            oauth.spec.client_metadata_url.clone_from(&self.options().client_metadata_url);
        }
        oauth.with_secret_of_spec(target)
    }

    /// The OAuth provider of one server, which knows whether a person has signed in.
    pub(crate) async fn oauth_provider(
        &self,
        target: &Target,
        settings: &AuthSettings,
        http: Arc<dyn HttpExchange>,
    ) -> OAuthProvider {
        let settings = self
            .oauth_settings(settings, target)
            .with_renewals(self.renewals().clone())
            .with_look_ahead()
            .with_share(self.0.share);
        OAuthProvider::open(target.clone(), settings, http, self.token_store().clone()).await
    }

    /// What is secret of every entry of `config`, so that no server is heard with a credential of another one. Looked for once
    /// in each reading of the files.
    pub(crate) fn learn(&self, config: &Config) -> &SharedSecrets {
        let shared = &self.options().client.shared_secrets;
        let mut learned = self.0.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if !learned.as_ref().is_some_and(|reading| Arc::ptr_eq(reading, config.reading())) {
            shared.learn(&crate::secrets::of_all(config, &self.options().env));
            *learned = Some(config.reading().clone());
        }
        shared
    }

    pub(crate) fn inherited_secrets(&self) -> &Secrets {
        self.0.inherited.get_or_init(|| crate::secrets::inherited(&self.options().env))
    }

    /// The folder in which sign-ins are kept, where no store is shared and there is a place for them.
    pub fn sign_in_files(&self) -> Option<PathBuf> {
        let options = self.options();
        options.state_dir.as_deref().filter(|_| options.shared_store.is_none()).map(sign_in_files)
    }

    /// The sign-in of one server: to begin it, to end it, or to forget what is kept of it.
    pub(crate) fn oauth_login(&self, auth: &ServerAuth, scopes: &[String]) -> OAuthLogin {
        let mut settings = self.oauth_settings(auth.plan.settings(), &auth.target);
        settings.requested_scopes = scopes.to_vec();
        OAuthLogin::new(auth.target.clone(), settings, auth.http.clone(), self.token_store().clone())
    }
}

fn token_store(options: &HostOptions) -> Arc<dyn TokenStore> {
    if let Some(shared) = &options.shared_store {
        return Arc::new(shared.clone());
    }
    match files(options.state_dir.as_deref()) {
        Some(files) => {
            #[cfg(feature = "keyring")]
            let files = mcp_auth::oauth::store::KeyringTokenStore::new(mcp_config::Locations::NAME, files);
            Arc::new(files)
        }
        // Without a home directory nothing can be kept beyond this process.
        None => Arc::new(MemoryTokenStore::new()),
    }
}

async fn secrets_in(store: &dyn TokenStore) -> Secrets {
    let mut secrets = Secrets::default();
    for key in store.list(None).await.unwrap_or_default() {
        let Ok(Some(tokens)) = store.load(&key).await else { continue };
        let all = [Some(&tokens.access_token), tokens.refresh_token.as_ref(), tokens.dpop_key.as_ref()];
        secrets.extend(all.into_iter().flatten().map(Secret::expose));
    }
    for key in store.list_clients(None).await.unwrap_or_default() {
        let Ok(Some(client)) = store.load_client(&key).await else { continue };
        secrets.extend(client.client_secret.as_ref().map(Secret::expose));
    }
    secrets
}

/// The files of the sign-ins.
fn files(state_dir: Option<&Path>) -> Option<FileTokenStore> {
    state_dir.map(|directory| FileTokenStore::new(sign_in_files(directory)))
}

fn sign_in_files(state_dir: &Path) -> PathBuf {
    state_dir.join("tokens")
}

/// By chance, and no secret.
fn share() -> f64 {
    let chance = RandomState::new().hash_one(std::process::id());
    (chance >> 11) as f64 / (1_u64 << 53) as f64
}
