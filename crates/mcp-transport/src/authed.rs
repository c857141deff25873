//! Sending with credentials over this crate's own wire.
//!
//! What a refusal is by status and challenge, and how often a request is sent again because of one, is decided in
//! [`mcp_auth::replay`]. Here is what else on this wire says "not with these credentials": a page to sign in at, a firewall's page,
//! a redirect elsewhere. A caller gets either an answer that concerns the request itself, or an error that says why there is none.
//!
//! Longer than 500 lines because one request and everything that may come of it stand together.

mod asking;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use mcp_auth::plan::ANONYMOUS;
use mcp_auth::replay::{AfterRefusal, RefusalKind, Replay};
use mcp_auth::{AuthError, AuthErrorKind, AuthProvider, Challenge, Credentials};
use mcp_status::{ChallengeKind, Limit, LimitSubject, Phase};
use mcp_text::Secrets;
use tracing::Instrument as _;
use url::Url;

use crate::activity::Activity;
use crate::error::{AuthContext, TimeoutStage, TransportError, TransportErrorKind};
use crate::evidence::challenge_kind;
use crate::http::body::Body;
use crate::http::client::{Answer, HttpClient};
use crate::http::cookies::Cookies;
use crate::http::facts::{self, SentFacts};
use crate::http::form::{Form, essence};
use crate::http::page::{self, is_page};
use crate::http::said::said;
use crate::sent::SentCredentials;
use crate::trace::spans;
use crate::waiting::WaitState;

/// Redirects within the origin that one request follows.
const MAX_REDIRECTS: u32 = 5;
/// How long the body of a refusal is waited for, where what it is decides.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(5);
/// The same where it only tells more: the refusal itself is not held up for long.
const WORDS_PATIENCE: Duration = Duration::from_secs(1);
/// How much of a refusal's body is looked at, in bytes.
const MAX_REFUSAL_BYTES: usize = 16 << 10;

/// One HTTP request, ready to be sent as often as it takes.
#[derive(Clone, Debug)]
pub(crate) struct Outbound<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a Url,
    pub(crate) headers: Cow<'a, HeaderMap>,
    /// What this request has beside them.
    pub(crate) more: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    /// Before or after the first handshake: a bare 403 means different things.
    pub(crate) phase: Phase,
    /// Whether an answer of JSON or SSE is due, so that a page is a sign-in page.
    pub(crate) expects_message: bool,
    /// Whether a refusal is worth asking the provider for other credentials.
    pub(crate) recover: bool,
    /// The limit until the head of each answer. It does not run while a provider is asked: how long that may
    /// take is for the provider to know.
    pub(crate) first_byte: Option<Duration>,
    /// Told when it is on the wire, and when its server is heard.
    pub(crate) activity: Option<Activity>,
    /// Told while it waits for credentials; otherwise the client is.
    pub(crate) waiting: Option<&'a WaitState>,
}

/// An answer that concerns the request itself.
#[derive(Debug)]
pub(crate) struct AcceptedAnswer<'a> {
    pub(crate) answer: Answer,
    pub(crate) sender: Sender<'a>,
}

/// How the accepted or refused request was sent. What that means is spelled out only where something failed.
#[derive(Clone, Debug)]
pub(crate) struct Sender<'a> {
    client: &'a AuthedClient,
    used: Credentials,
    /// How many times the request was sent, redirects left aside.
    attempts: u32,
}

impl Sender<'_> {
    /// The same error with what is known about the credentials, and without the credentials themselves.
    pub(crate) fn describe(&self, error: TransportError) -> TransportError {
        self.describe_refusal(error, None)
    }

    fn describe_refusal(&self, error: TransportError, refusal: Option<&Refusal>) -> TransportError {
        error
            .with_attempts(self.attempts)
            .by_way_of(self.client.client.proxy_of(&self.client.endpoint))
            .without_secrets(&self.client.secrets())
            // Last: what it says of the credentials names variables that stand in their very values.
            .with_auth(self.client.context(&self.used, refusal))
    }
}

/// A client that sends with the credentials of one endpoint, and only to its origin.
#[derive(Clone, Debug)]
pub(crate) struct AuthedClient {
    pub(crate) client: HttpClient,
    /// Without user and password.
    pub(crate) endpoint: Url,
    /// What user and password of the URL stand for.
    userinfo: Option<Userinfo>,
    provider: Option<Arc<dyn AuthProvider>>,
    /// What its origin has set.
    pub(crate) cookies: Arc<Cookies>,
    /// Whether they are sent back to it.
    keeps_cookies: bool,
    /// What its origin was sent.
    pub(crate) sent: SentCredentials,
    /// Told while a request waits for credentials that has none to tell itself.
    pub(crate) waiting: Arc<WaitState>,
}

/// User and password of the endpoint's URL, as HTTP Basic; an error where they cannot be that.
type Userinfo = Result<Credentials, Arc<AuthError>>;

/// A refusal, with what a provider may want to know about it.
struct Refusal {
    kind: ChallengeKind,
    status: StatusCode,
    headers: HeaderMap,
    challenges: Vec<Challenge>,
    /// Where a redirect leads to.
    leads_to: Option<Url>,
    /// What it says is read only where it is told.
    body: Body,
}

impl Refusal {
    /// What it says beside its status: in the challenge, which is meant for developers (RFC 6750 section 3) and often the only
    /// thing that says what is wrong, or else in `body`, or where it leads to.
    fn words(&self, body: &[u8]) -> Option<String> {
        let described = self.challenges.iter().find_map(|challenge| challenge.param("error_description"));
        described
            .map(mcp_text::sentence)
            .filter(|words| !words.is_empty())
            .or_else(|| said(self.status, &essence(&self.headers), body))
            .or_else(|| {
                let to = self.leads_to.as_ref()?;
                Some(match to.origin() {
                    origin @ url::Origin::Tuple(..) => {
                        format!("it leads to {}", origin.ascii_serialization())
                    }
                    // `javascript:`, `file:` and the like are of no server.
                    url::Origin::Opaque(_) => {
                        format!("it leads to no server, but to `{}:`", mcp_text::line(to.scheme(), 40))
                    }
                })
            })
    }
}

/// What came of sending once.
enum SendOutcome {
    Accepted(Answer),
    Refused(Refusal),
}

impl AuthedClient {
    /// A client of `endpoint`. User and password in its URL are sent as HTTP Basic where the provider supplies no
    /// `Authorization`.
    pub(crate) fn new(
        client: HttpClient,
        mut endpoint: Url,
        provider: Option<Arc<dyn AuthProvider>>,
    ) -> Self {
        let userinfo = mcp_auth::userinfo::take_userinfo(&mut endpoint).map(|basic| {
            let value = HeaderValue::from_str(basic?.expose()).map_err(|error| {
                AuthError::new(AuthErrorKind::Misconfigured, "use the password in the URL").with_source(error)
            })?;
            Ok(Credentials::new(mcp_auth::userinfo::NAME, [(header::AUTHORIZATION, value)]))
        });
        let userinfo = userinfo.map(|userinfo| userinfo.map_err(Arc::new));
        Self {
            client,
            endpoint,
            userinfo,
            provider,
            cookies: Arc::default(),
            keeps_cookies: true,
            sent: SentCredentials::default(),
            waiting: Arc::default(),
        }
    }

    /// Everything that the server was sent and must not be repeated in what is told about it.
    pub(crate) fn secrets(&self) -> Secrets {
        self.with_places(self.sent.values(|_, _| true))
    }

    /// The same without headers that only route: the name of a team may well be a part of the name of a tool.
    pub(crate) fn credentials_sent(&self) -> Secrets {
        self.with_places(self.sent.values(Credentials::is_credential))
    }

    fn with_places(&self, secrets: Secrets) -> Secrets {
        let mut secrets = secrets.with_shared(&self.client.options().shared_secrets);
        secrets.insert_url(self.endpoint.as_str());
        self.cookies.hide_in(&mut secrets);
        secrets
    }

    /// Who supplies its credentials.
    pub(crate) fn provider(&self) -> Option<&dyn AuthProvider> {
        self.provider.as_deref()
    }

    /// Whether it sends cookies back.
    pub(crate) fn with_cookies(self, keeps: bool) -> Self {
        Self { keeps_cookies: keeps, ..self }
    }

    /// Sends `out` with the credentials in force, and once more with recovered ones where the server refuses
    /// them and the provider has others.
    ///
    /// # Errors
    ///
    /// [`Challenged`](TransportErrorKind::Challenged) where no recovery helped,
    /// [`Credentials`](TransportErrorKind::Credentials) where none could be obtained (then nothing was sent, or
    /// nothing more), or what the wire failed with.
    pub(crate) async fn send(&self, out: &Outbound<'_>) -> Result<AcceptedAnswer<'_>, TransportError> {
        let waiting = self.waiting(out);
        let mut replay = waiting.for_credentials(self.begin()).await?;
        loop {
            let sent = self.send_once(out, &replay).await;
            let sender = || self.sender(&replay);
            let refusal = match sent.map_err(|error| sender().describe(error))? {
                SendOutcome::Accepted(answer) => return Ok(AcceptedAnswer { answer, sender: sender() }),
                SendOutcome::Refused(refusal) => refusal,
            };
            let recovering = Box::pin(self.recover(out, &refusal, &mut replay));
            match waiting.for_credentials(recovering).await? {
                AfterRefusal::SendAgain => {}
                after => return Err(Box::pin(self.challenged(refusal, &replay, after)).await),
            }
        }
    }

    /// Asks the provider for others in place of the refused credentials.
    async fn recover(
        &self,
        out: &Outbound<'_>,
        refusal: &Refusal,
        replay: &mut Replay<'_>,
    ) -> Result<AfterRefusal, TransportError> {
        if !out.recover || !replay.is_open() {
            return Ok(AfterRefusal::Exhausted);
        }
        let span = spans::recovery(self.provider_name(), refusal.status);
        let refused = replay.refused(refusal.status, &refusal.challenges, &refusal.headers);
        let after = refused.instrument(span.clone()).await;
        if matches!(after, Ok(AfterRefusal::SendAgain)) {
            span.record(spans::RECOVERED, true);
        }
        after.map_err(|error| {
            let error = TransportError::credentials(error, self.provider_name());
            self.sender(replay).describe_refusal(error, Some(refusal))
        })
    }

    async fn challenged(
        &self,
        mut refusal: Refusal,
        replay: &Replay<'_>,
        after: AfterRefusal,
    ) -> TransportError {
        let body = match refusal.leads_to {
            None => refusal.body.head(MAX_REFUSAL_BYTES, WORDS_PATIENCE).await,
            // A redirect says where, and its body the same again.
            Some(_) => Vec::new(),
        };
        let error = match refusal.kind {
            // Asked for other credentials, as for a page to sign in at, because it might have been one.
            ChallengeKind::LoginRedirect
                if refusal.leads_to.is_none() && !page::asks_for_a_sign_in(&body) =>
            {
                TransportError::new(TransportErrorKind::Protocol, "the answer is a web page")
                    .with_said(Some(page::described(&essence(&refusal.headers), &body)))
            }
            ref kind => {
                let kind =
                    TransportErrorKind::Challenged { kind: kind.clone(), status: refusal.status.as_u16() };
                TransportError::new(kind, "the server refused the credentials")
                    .with_said(refusal.words(&body))
            }
        };
        self.sender(replay).describe_refusal(error, Some(&refusal)).with_recovery(after)
    }

    fn sender(&self, replay: &Replay<'_>) -> Sender<'_> {
        Sender { client: self, used: replay.credentials().clone(), attempts: replay.attempts() }
    }

    fn context(&self, used: &Credentials, refusal: Option<&Refusal>) -> AuthContext {
        let supplier = used
            .names()
            .find(|(name, _)| **name == header::AUTHORIZATION)
            .or_else(|| used.names().next())
            .map(|(_, provider)| provider.to_owned());
        let asked = self.provider.as_ref().map(|provider| provider.name()).filter(|name| *name != ANONYMOUS);
        let challenges = refusal.map(|refusal| &refusal.challenges[..]).unwrap_or_default();
        let mut doubts = refusal.map(|_| mcp_auth::doubts(used, SystemTime::now())).unwrap_or_default();
        doubts.extend(refusal.and_then(|_| mcp_auth::doubts::other_audience(used, &self.endpoint)));
        let known = self.provider.as_ref().map(|provider| provider.snapshot()).unwrap_or_default();
        AuthContext {
            sent: used.prove_something(),
            provider: supplier.or_else(|| asked.map(str::to_owned)),
            withheld: known.withheld,
            scheme: challenges.first().map(|challenge| challenge.scheme().to_owned()),
            sign_in: challenges.iter().any(|challenge| challenge.resource_metadata().is_some()),
            doubts,
            unset: refusal.and_then(|_| mcp_auth::doubts::unset_variable(used)),
            hindrance: known.login_hindrance.filter(|_| refusal.is_some()),
            unchanged: false,
            answerable: known.login_offered,
            asked_in_words: false,
        }
    }

    /// Sends with these credentials, follows redirects within the origin, and says whether it was refused.
    async fn send_once(
        &self,
        out: &Outbound<'_>,
        replay: &Replay<'_>,
    ) -> Result<SendOutcome, TransportError> {
        let used = replay.credentials();
        let mut url = Cow::Borrowed(out.url);
        for _ in 0..=MAX_REDIRECTS {
            let mut headers = HeaderMap::clone(&out.headers);
            for (name, value) in &out.more {
                headers.append(name, value.clone());
            }
            // Security: whatever URL a caller or a server came up with, credentials stay in their origin.
            let at_home = *url == self.endpoint || url.origin() == self.endpoint.origin();
            let mut is_signed = false;
            if at_home {
                if self.sent.remember(used) {
                    self.client.options().shared_secrets.learn(&SentCredentials::of(used));
                }
                used.apply(&mut headers);
                self.cookies.add(&url, &mut headers);
                if used.signs() {
                    let had = headers.contains_key(header::AUTHORIZATION);
                    Box::pin(self.sign(out, &url, &mut headers, used)).await?;
                    is_signed = !had && headers.contains_key(header::AUTHORIZATION);
                }
            }
            let began = facts::are_observed(&self.client).then(SystemTime::now);
            let sent = self.client.send(out.method.clone(), &url, headers, out.body.clone());
            let beat = out.activity.as_ref().map(Activity::asked);
            let outcome = match out.first_byte {
                Some(limit) => tokio::time::timeout(limit, sent)
                    .await
                    .unwrap_or_else(|_| Err(first_byte_timeout(limit, out.phase))),
                None => sent.await,
            };
            if let Some(began) = began {
                let names = used.names().filter(|(name, _)| at_home && used.is_credential(name));
                let signature = is_signed.then(|| header::AUTHORIZATION.to_string());
                let credentials = names.map(|(name, _)| name.to_string()).chain(signature).collect();
                let asked = SentFacts { method: &out.method, url: &url, credentials, body: &out.body, began };
                facts::tell(&self.client, asked, outcome.as_ref(), &self.secrets());
            }
            let mut answer = outcome?;
            if let Some(beat) = &beat {
                beat.heard();
            }
            answer.body.count(beat);
            if at_home && self.keeps_cookies {
                self.cookies.take(&url, &answer.headers);
            }
            match redirection(&url, &answer) {
                None => {
                    answer.led_to = matches!(url, Cow::Owned(_)).then(|| Box::new(url.clone().into_owned()));
                    let sent = judge(out, answer, replay).await?;
                    if let (SendOutcome::Accepted(answer), true) = (&sent, at_home) {
                        Self::accept(&url, answer, replay)?;
                    }
                    return Ok(sent);
                }
                Some(target) if target.origin() == url.origin() => url = Cow::Owned(target),
                Some(target) if has_moved(&url, &target, answer.status) => {
                    return Err(moved(&url, &target, answer.status, &self.secrets()));
                }
                Some(target) => {
                    let challenges = Challenge::parse_all(&answer.headers);
                    let refusal = refusal(ChallengeKind::LoginRedirect, challenges, answer);
                    return Ok(SendOutcome::Refused(Refusal { leads_to: Some(target), ..refusal }));
                }
            }
        }
        let circles = "the server redirects in circles";
        Err(TransportError::new(TransportErrorKind::Protocol, circles).with_said(Some(circles.to_owned())))
    }
}

/// Whether an answer is about the credentials, and in what way.
async fn judge(
    out: &Outbound<'_>,
    mut answer: Answer,
    replay: &Replay<'_>,
) -> Result<SendOutcome, TransportError> {
    let connecting = out.phase == Phase::Connect;
    let others_may_help = || connecting || replay.is_refreshable();
    let challenges = Challenge::parse_all(&answer.headers);
    if let Some(kind) = RefusalKind::of_challenges(answer.status, &challenges, others_may_help) {
        // What a server says in a challenge is its own word; a bare 403 may be that of something in front of it.
        let is_bare = RefusalKind::of_challenges(answer.status, &challenges, || false).is_none();
        let mut kind = challenge_kind(kind);
        if is_bare {
            let is_page = is_page(&answer.headers);
            // The refusal stands, whatever becomes of its body.
            let body = answer.body.look(MAX_REFUSAL_BYTES, REFUSAL_PATIENCE).await;
            if let Some(header) = page::refused_address(answer.status, body).filter(|_| connecting) {
                let said = said(answer.status, &essence(&answer.headers), body);
                return Err(TransportError::misaddressed(header, answer.status, said));
            }
            let blocks =
                || is_page || page::looks_like_a_page(body) || page::names_a_firewall(&answer.headers, body);
            if let Some(scopes) = page::missing_scopes(body) {
                kind = ChallengeKind::InsufficientScope { scopes };
            } else if connecting && blocks() {
                kind = ChallengeKind::Blocked;
            }
        }
        return Ok(SendOutcome::Refused(refusal(kind, challenges, answer)));
    }
    Ok(match answer.status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            let kind = TransportErrorKind::Proxy { status: Some(407) };
            return Err(TransportError::new(kind, "the proxy wants credentials"));
        }
        status if status.is_success() && out.expects_message && is_page(&answer.headers) => {
            match is_message_all_the_same(&mut answer).await {
                true => SendOutcome::Accepted(answer),
                false => SendOutcome::Refused(refusal(ChallengeKind::LoginRedirect, challenges, answer)),
            }
        }
        _ => SendOutcome::Accepted(answer),
    })
}

fn refusal(kind: ChallengeKind, challenges: Vec<Challenge>, answer: Answer) -> Refusal {
    let Answer { status, headers, mut body, .. } = answer;
    // The server has answered: it owes nothing while other credentials are asked for.
    body.count(None);
    Refusal { kind, status, headers, challenges, leads_to: None, body }
}

/// Whether a redirect to another origin says that the server is there now. 307 and 308 want the same request made again
/// (RFC 9110 sections 15.4.8 and 15.4.9), which no sign-in page can take; and who only adds TLS is the same server.
fn has_moved(from: &Url, to: &Url, status: StatusCode) -> bool {
    let adds_tls = from.scheme() == "http" && to.scheme() == "https" && from.host() == to.host();
    // `javascript:`, `file:` and the like are of no server.
    let is_server = matches!(to.scheme(), "http" | "https");
    adds_tls || is_server && matches!(status.as_u16(), 307 | 308)
}

/// It is not followed: what goes there is for a person to decide.
fn moved(from: &Url, to: &Url, status: StatusCode, secrets: &Secrets) -> TransportError {
    let kind = TransportErrorKind::Moved { status: status.as_u16() };
    let shown = facts::shown(to, secrets);
    let words = match from.host() == to.host() {
        true => format!("the server has moved to {shown}; change `url`"),
        // Security: an answer may come of another party, and what the entry sends would go wherever it says.
        false => format!(
            "the server says that it has moved to {shown}, another host; change `url` if that is right: what the entry sends \
             goes there then"
        ),
    };
    TransportError::new(kind, "the server is somewhere else").with_said(Some(words))
}

/// Where an answer sends the request, if it is a redirect that may be followed with method and body kept.
///
/// 307 and 308 demand that (RFC 9110 sections 15.4.8 and 15.4.9). 301 and 302 allow a client to change POST to
/// GET or not to; changing it would lose the message, and servers answer them for a missing slash, so it is
/// kept. 303 is not followed: it says that the message was taken and that its outcome is elsewhere, which
/// MCP does not know; only as a way to another origin does it mean something, namely a sign-in page.
fn redirection(from: &Url, answer: &Answer) -> Option<Url> {
    let location = answer.headers.get(header::LOCATION)?.to_str().ok()?;
    let target = from.join(location).ok()?;
    match answer.status.as_u16() {
        301 | 302 | 307 | 308 => Some(target),
        303 => Some(target).filter(|target| target.origin() != from.origin()),
        _ => None,
    }
}

/// Whether what says that it is a page is a message: frameworks write that type under everything that says nothing else.
async fn is_message_all_the_same(answer: &mut Answer) -> bool {
    let beginning = tokio::time::timeout(REFUSAL_PATIENCE, answer.body.beginning()).await;
    matches!(beginning, Ok(Ok(beginning)) if !beginning.is_empty() && Form::of("text/html", beginning) != Form::Other)
}

fn first_byte_timeout(limit: Duration, phase: Phase) -> TransportError {
    // The attempt as a whole has the same limit.
    let of = if phase == Phase::Connect { LimitSubject::Attempt } else { LimitSubject::Silence };
    let kind = TransportErrorKind::Timeout { stage: TimeoutStage::FirstByte };
    TransportError::new(kind, "the server did not begin to answer in time").at_limit(Limit::new(limit, of))
}

#[cfg(test)]
mod tests;
