//! The fake authorization server.

mod client;
mod form;
mod grant;
mod handle;
mod protect;
mod settings;
mod state;

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use url::Url;

pub use protect::ProtectedResource;
pub use settings::{AuthEndpoint, AuthServerSettings, Echo, MetadataAt};

use crate::accept::TokenLedger;
use crate::canary::Canaries;
use crate::mcp::ScriptedAnswer;
use crate::sync::lock;
use crate::wire::{ListeningServer, RecordedRequest, Recorder};
use handle::AuthServerState;
use state::{Client, Decision, State};

/// An authorization server on loopback: discovery, registration, authorization code with PKCE, refresh with rotation,
/// client credentials, device code, token exchange, JWT bearer and revocation, each with its rules enforced.
///
/// Its consent pages are a person who always agrees: `/authorize` answers at once with a redirect back to the client,
/// and opening `/device?user_code=…` signs the device in.
///
/// ```
/// use mcp_testkit::{FakeAuthServer, FakeMcpServer};
///
/// let auth = FakeAuthServer::start()?;
/// let server = FakeMcpServer::start()?;
/// auth.protect(&server); // a challenge, its metadata, and only tokens of `auth` for this server
/// auth.set(|settings| settings.omit_expires_in = true);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FakeAuthServer {
    shared: Arc<AuthServerState>,
    serving: ListeningServer,
}

impl FakeAuthServer {
    /// Starts a well-behaved server.
    ///
    /// # Errors
    ///
    /// When no loopback port can be bound or no thread be started.
    pub fn start() -> io::Result<Self> {
        let shared = Arc::new(AuthServerState {
            state: Mutex::new(State::default()),
            recorder: Recorder::new(true),
            origin: Mutex::default(),
        });
        let serving = ListeningServer::http(0, Arc::clone(&shared))?;
        *lock(&shared.origin) = format!("http://{}", serving.address());
        Ok(Self { shared, serving })
    }

    /// Starts a server with other settings than the defaults.
    ///
    /// # Errors
    ///
    /// As [`FakeAuthServer::start`].
    pub fn start_with(change: impl FnOnce(&mut AuthServerSettings)) -> io::Result<Self> {
        let this = Self::start()?;
        this.set(change);
        Ok(this)
    }

    /// Changes settings from the next request on.
    pub fn set(&self, change: impl FnOnce(&mut AuthServerSettings)) {
        change(&mut lock(&self.shared.state).settings);
    }

    /// The issuer, exactly as the metadata spells it: without a slash at its end.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.shared.issuer()
    }

    /// The origin, without a slash at its end.
    #[must_use]
    pub fn origin(&self) -> String {
        lock(&self.shared.origin).clone()
    }

    /// The URL of an endpoint; `None` for metadata that is nowhere.
    #[must_use]
    pub fn url_of(&self, endpoint: AuthEndpoint) -> Option<Url> {
        let path = match endpoint {
            AuthEndpoint::Metadata => handle::metadata_path(&lock(&self.shared.state).settings)?,
            AuthEndpoint::Register => "/register".to_owned(),
            AuthEndpoint::Authorize => "/authorize".to_owned(),
            AuthEndpoint::Token => "/token".to_owned(),
            AuthEndpoint::Revoke => "/revoke".to_owned(),
            AuthEndpoint::Device => "/device_authorization".to_owned(),
        };
        Url::parse(&format!("{}{path}", self.origin())).ok()
    }

    /// The tokens that it has issued; revoking there is how a test ends a sign-in from the server's side.
    #[must_use]
    pub fn tokens(&self) -> TokenLedger {
        lock(&self.shared.state).tokens.clone()
    }

    /// Stops and joins the server. Dropping does the same, but blocks the calling thread for that moment.
    pub async fn stop(self) {
        self.serving.stop().await;
    }

    /// Stops listening: connections are refused, the state is kept.
    pub fn go_down(&self) {
        self.serving.go_down();
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    ///
    /// When another process has taken the port in the meantime.
    pub fn come_up(&self) -> io::Result<()> {
        self.serving.come_up()
    }

    /// Notes every secret that it issues from now on (tokens, codes, client secrets) in a set of canaries.
    pub fn note_secrets_in(&self, canaries: &Canaries) {
        lock(&self.shared.state).canaries = Some(canaries.clone());
    }

    // ---- Scripts ---------------------------------------------------------------------------------------------

    /// Queues answers for the next requests to an endpoint, one each: a transient 503, a redirect, HTML.
    pub fn next_answers_to(&self, endpoint: AuthEndpoint, answers: impl IntoIterator<Item = ScriptedAnswer>) {
        lock(&self.shared.state).next_to.entry(endpoint).or_default().extend(answers);
    }

    /// Answers every request to an endpoint like this from now on; [`ScriptedAnswer::Honest`] ends it.
    pub fn always_to(&self, endpoint: AuthEndpoint, answer: ScriptedAnswer) {
        lock(&self.shared.state).always_to.insert(endpoint, answer);
    }

    /// Answers another path, for any HTTP method: a decoy at a well-known address, say. Other paths are 404 with HTML.
    pub fn route(&self, path: impl Into<String>, answer: impl Into<ScriptedAnswer>) {
        lock(&self.shared.state).routes.insert(path.into(), answer.into());
    }

    // ---- Clients ---------------------------------------------------------------------------------------------

    /// Registers a public client by hand; with no redirect URIs, any is accepted.
    pub fn add_public_client(&self, id: &str, redirect_uris: &[&str]) {
        self.add_client(id, None, "none", redirect_uris, None);
    }

    /// Registers a client with a secret by hand; the method is `client_secret_basic` or `client_secret_post`.
    pub fn add_secret_client(&self, id: &str, secret: &str, auth_method: &str) {
        self.add_client(id, Some(secret), auth_method, &[], None);
    }

    /// Registers a client for `private_key_jwt` (ES256) by hand, with the uncompressed point of its P-256 key.
    pub fn add_key_client(&self, id: &str, public_key: impl Into<Vec<u8>>) {
        self.add_client(id, None, "private_key_jwt", &[], Some(public_key.into()));
    }

    fn add_client(
        &self,
        id: &str,
        secret: Option<&str>,
        method: &str,
        uris: &[&str],
        public_key: Option<Vec<u8>>,
    ) {
        let client = Client {
            secret: secret.map(str::to_owned),
            auth_method: method.to_owned(),
            redirect_uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
            public_key,
        };
        lock(&self.shared.state).clients.insert(id.to_owned(), client);
    }

    /// Forgets all clients, as a server that was set up again: their ids are `invalid_client` from now on.
    pub fn forget_clients(&self) {
        lock(&self.shared.state).clients.clear();
    }

    /// The metadata that clients registered with, oldest first.
    #[must_use]
    pub fn registrations(&self) -> Vec<Value> {
        lock(&self.shared.state).registrations.clone()
    }

    // ---- Tokens ----------------------------------------------------------------------------------------------

    /// Ends every refresh token, so that the next refresh is `invalid_grant`; access tokens live on.
    pub fn forget_refresh_tokens(&self) {
        lock(&self.shared.state).refresh_tokens.clear();
    }

    /// How many refresh tokens could still be used.
    #[must_use]
    pub fn live_refresh_tokens(&self) -> usize {
        lock(&self.shared.state).refresh_tokens.values().filter(|token| !token.used).count()
    }

    /// How often a refresh token was used a second time.
    #[must_use]
    pub fn refresh_reuses(&self) -> u64 {
        lock(&self.shared.state).reuses
    }

    /// Agrees to a device's request; whether there was one with this user code.
    pub fn approve_device(&self, user_code: &str) -> bool {
        self.decide(user_code, Decision::Approved)
    }

    /// Refuses a device's request; whether there was one with this user code.
    pub fn deny_device(&self, user_code: &str) -> bool {
        self.decide(user_code, Decision::Denied)
    }

    fn decide(&self, user_code: &str, decision: Decision) -> bool {
        let mut state = lock(&self.shared.state);
        let device = state.devices.values_mut().find(|device| device.user_code == user_code);
        device.map(|device| device.decision = decision).is_some()
    }

    /// The user codes that wait for a decision.
    #[must_use]
    pub fn waiting_devices(&self) -> Vec<String> {
        let state = lock(&self.shared.state);
        let waiting = state.devices.values().filter(|device| device.decision == Decision::Pending);
        waiting.map(|device| device.user_code.clone()).collect()
    }

    // ---- What happened ---------------------------------------------------------------------------------------

    /// The recorded requests and the queries on them.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }

    /// Every request so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.recorder.requests()
    }

    /// The requests to one endpoint.
    #[must_use]
    pub fn requests_to(&self, endpoint: AuthEndpoint) -> Vec<RecordedRequest> {
        self.shared.recorder.matching(|request| self.shared.endpoint_of(&request.path) == Some(endpoint))
    }

    /// The token requests with this `grant_type`.
    #[must_use]
    pub fn token_requests(&self, grant_type: &str) -> Vec<RecordedRequest> {
        let requests = self.requests_to(AuthEndpoint::Token);
        requests
            .into_iter()
            .filter(|request| request.field("grant_type").as_deref() == Some(grant_type))
            .collect()
    }
}
