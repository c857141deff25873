//! The two traits of this crate, and the values that pass through them.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use url::Url;

use crate::{AuthError, AuthFuture, Challenge, Credentials, LoginHindrance};

/// Supplies headers for one server, and says what to do when the server rejects them.
///
/// Most authors implement [`CredentialSource`] instead and wrap it in [`SingleFlight`](crate::SingleFlight).
pub trait AuthProvider: fmt::Debug + Send + Sync + 'static {
    /// A stable, kebab-case name for people and JSON (`headers-helper`).
    fn name(&self) -> &str;

    /// What this provider can do; statuses and actions are derived from it, never from the name.
    fn capabilities(&self) -> Capabilities;

    /// The credentials in force now. Asked for on every attempt; cheap when nothing has changed.
    fn credentials(&self) -> AuthFuture<'_, Credentials>;

    /// The server refused `rejection.used`. Never opens a browser and never prompts.
    fn on_rejected<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Recovery>;

    /// The server took `acceptance.used`: told of every answer that concerns the request itself, errors of the call included.
    /// It is called for each of them on the way to the caller, so it must not wait: keep what is worth keeping, such as a
    /// nonce for the next request.
    ///
    /// # Errors
    ///
    /// The answer is not one of the server that was meant (mutual authentication). It is not used then; the request may have
    /// been acted on all the same.
    fn on_answer(&self, acceptance: Acceptance<'_>) -> Result<(), AuthError> {
        let _ = acceptance;
        Ok(())
    }

    /// Forgets credentials that are held, so that the next request gets fresh ones: for one who sees from outside that there
    /// is something new.
    fn invalidate(&self) {}

    /// What can be told about the provider without asking anyone. Holds no secret.
    fn snapshot(&self) -> ProviderSnapshot {
        ProviderSnapshot::default()
    }
}

/// What most authors implement: get credentials once. No cache, no lock, no replay.
pub trait CredentialSource: fmt::Debug + Send + Sync + 'static {
    /// A stable, kebab-case name for people and JSON.
    fn name(&self) -> &str;

    /// Gets fresh credentials; `why` says what made it necessary.
    fn fetch<'a>(&'a self, why: FetchReason<'a>) -> AuthFuture<'a, Credentials>;

    /// What a refusal means to this source, before anything is fetched. `None`: fetch again, with
    /// [`FetchReason::Rejected`]. With anything else nothing is fetched; [`Recovery::Retry`] hands over credentials that were
    /// at hand, and they are in force from then on.
    ///
    /// Unless the source says otherwise, one request is answered by one fetch, and its second refusal is final. A source
    /// whose exchange takes more legs says `None` for each of them.
    fn judge<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Option<Recovery>> {
        let verdict = (rejection.recoveries > 0).then_some(Recovery::Exhausted);
        Box::pin(std::future::ready(Ok(verdict)))
    }

    /// The server took these credentials; as [`AuthProvider::on_answer`].
    ///
    /// # Errors
    ///
    /// The answer is not one of the server that was meant (mutual authentication).
    fn on_answer(&self, acceptance: Acceptance<'_>) -> Result<(), AuthError> {
        let _ = acceptance;
        Ok(())
    }

    /// What the source can do. Unless it says otherwise: mint different credentials without a person.
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, false)
    }

    /// Whether what was fetched last no longer holds, whatever its expiry says: another program has put something else in the
    /// place that it came from. Asked with every request, so it has to be as quick as a look at a file's time, and then the
    /// request fetches. A program that watches the place calls [`SingleFlight::invalidate`](crate::SingleFlight::invalidate).
    fn is_outdated(&self) -> bool {
        false
    }

    /// Whether a fetch runs a command, so that a successful one is reported with exit code 0.
    fn runs_command(&self) -> bool {
        false
    }
}

/// What a provider can do.
///
/// # Examples
///
/// ```
/// use mcp_auth::Capabilities;
///
/// // Fresh credentials without a person, and five legs of one exchange.
/// let negotiating = Capabilities::new(true, false).with_recoveries(5);
/// assert_eq!(negotiating.bound(), 5);
/// // One that would go on without end is stopped.
/// assert_eq!(negotiating.with_recoveries(1_000).bound(), Capabilities::MOST_RECOVERIES);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Capabilities {
    /// It can mint different credentials without a person.
    pub refreshable: bool,
    /// A person can sign in to it.
    pub login: bool,
    /// How many refusals of one request it may answer with other credentials: [`RECOVERIES`](Self::RECOVERIES) unless it says
    /// otherwise, and [`MOST_RECOVERIES`](Self::MOST_RECOVERIES) whatever it says.
    pub recoveries: u32,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { refreshable: false, login: false, recoveries: Self::RECOVERIES }
    }
}

impl Capabilities {
    /// Capabilities with these two answers.
    pub fn new(refreshable: bool, login: bool) -> Self {
        Self { refreshable, login, ..Self::default() }
    }

    /// Recoveries of one request: one of the provider that supplied the credentials, and one of a fallback behind it.
    pub const RECOVERIES: u32 = 2;

    /// The most that a provider can ask for: a negotiation of nine legs. Behind that stands a server or a provider that goes
    /// round in circles.
    pub const MOST_RECOVERIES: u32 = 8;

    /// The same for a provider whose exchange takes more legs: each refusal of a request brings the next one, `recoveries`
    /// times at most. A provider that does not end it before is stopped there.
    #[must_use]
    pub fn with_recoveries(mut self, recoveries: u32) -> Self {
        self.recoveries = recoveries.min(Self::MOST_RECOVERIES);
        self
    }

    /// How many recoveries one request gets.
    pub fn bound(&self) -> u32 {
        self.recoveries.min(Self::MOST_RECOVERIES)
    }
}

/// Why a source is asked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum FetchReason<'a> {
    /// Nothing has been fetched on this connection yet.
    First,
    /// What was fetched has expired, or is about to.
    Expired,
    /// The server refused what was fetched, or a request before anything was.
    Rejected(Rejection<'a>),
}

/// An answer that says "not with these credentials".
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Rejection<'a> {
    /// The HTTP status of the answer.
    pub status: StatusCode,
    /// Every challenge of its `WWW-Authenticate` fields (RFC 9110 section 11.6.1).
    pub challenges: &'a [Challenge],
    /// The answer's header fields (a DPoP nonce travels there).
    pub headers: &'a HeaderMap,
    /// The credentials that the refused request carried.
    pub used: &'a Credentials,
    /// How many recoveries this request has had before: 0 for the first rejection.
    pub recoveries: u32,
}

impl<'a> Rejection<'a> {
    /// A rejection of a request that has not been recovered before.
    pub fn new(
        status: StatusCode,
        challenges: &'a [Challenge],
        headers: &'a HeaderMap,
        used: &'a Credentials,
    ) -> Self {
        Self { status, challenges, headers, used, recoveries: 0 }
    }

    /// The same rejection after `recoveries` earlier ones of the same request.
    #[must_use]
    pub fn after(mut self, recoveries: u32) -> Self {
        self.recoveries = recoveries;
        self
    }
}

/// An answer that concerns the request itself: its credentials were taken.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Acceptance<'a> {
    /// The HTTP status of the answer. It may be an error that is not about the credentials.
    pub status: StatusCode,
    /// The URL that answered.
    pub url: &'a Url,
    /// The answer's header fields.
    pub headers: &'a HeaderMap,
    /// The credentials that the request carried.
    pub used: &'a Credentials,
}

impl<'a> Acceptance<'a> {
    /// An answer to a request with these credentials.
    pub fn new(status: StatusCode, url: &'a Url, headers: &'a HeaderMap, used: &'a Credentials) -> Self {
        Self { status, url, headers, used }
    }
}

impl fmt::Debug for Acceptance<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: the URL may hold a key, and a header of the answer a token.
        f.debug_struct("Acceptance")
            .field("status", &self.status)
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}

/// What a provider makes of a rejection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Recovery {
    /// Send the request again with these. The caller does so only if the bytes differ.
    Retry(Credentials),
    /// Only a person can help: sign in (again, or with more scope).
    LoginRequired,
    /// Others were asked for, and they are the refused ones, byte for byte. There is nothing more to try.
    Unchanged,
    /// There is nothing more to try.
    Exhausted,
}

/// One run of a credential source.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FetchReport {
    /// When it ended.
    pub at: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// The exit code, for a source that is a command and ended by itself.
    pub exit_code: Option<i32>,
    /// Whether it supplied credentials.
    pub succeeded: bool,
}

impl FetchReport {
    /// A run that ended at `at` after `duration` and supplied credentials.
    pub fn new(at: SystemTime, duration: Duration, exit_code: Option<i32>) -> Self {
        Self { at, duration, exit_code, succeeded: true }
    }

    /// The same run, but it failed.
    #[must_use]
    pub fn failed(mut self) -> Self {
        self.succeeded = false;
        self
    }
}

/// What a provider tells about itself, without secrets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ProviderSnapshot {
    /// When the credentials in hand expire.
    pub expires_at: Option<SystemTime>,
    /// The last run of a command that mints headers.
    pub last_fetch: Option<FetchReport>,
    /// How many times credentials were fetched.
    pub fetches: u64,
    /// A person has signed in, and the tokens are still held.
    pub signed_in: bool,
    /// Why it is not known whether a person has signed in: what is kept of sign-ins could not be read when it was last looked at.
    pub sign_in_unknown: Option<String>,
    /// The server or its settings said that a person can sign in.
    pub login_offered: bool,
    /// What people call the provider that answers and was not allowed to (an untrusted folder): static headers went out
    /// alone.
    pub withheld: Option<String>,
    /// What was found to stand in the way of a sign-in when the server last refused.
    pub login_hindrance: Option<LoginHindrance>,
    /// Which authorization server is being asked for new tokens, as it may be shown: what does not answer then is that one.
    pub asks: Option<String>,
}
