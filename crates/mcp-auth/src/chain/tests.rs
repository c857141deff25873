use std::collections::VecDeque;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use url::Url;

use super::*;
use crate::settings::{HelperSpec, OAuthSpec, WithholdReason};
use crate::{AuthPlan, AuthSettings, Parts, Secret, Target};

const ADVERTISED: &str = "Bearer resource_metadata=\"https://h/.well-known/oauth-protected-resource\"";

/// A provider that follows a script and notes every call that could do I/O.
#[derive(Debug)]
struct ScriptedProvider {
    name: &'static str,
    header: &'static str,
    login: bool,
    signed_in: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Credentials>,
    next: VecDeque<Result<&'static str, AuthErrorKind>>,
    calls: Vec<&'static str>,
}

impl ScriptedProvider {
    fn helper(tokens: impl IntoIterator<Item = &'static str>) -> Arc<Self> {
        Self::new("headers-helper", "authorization", tokens.into_iter().map(Ok), false)
    }

    fn oauth(tokens: impl IntoIterator<Item = &'static str>) -> Arc<Self> {
        Self::new("oauth", "authorization", tokens.into_iter().map(Ok), true)
    }

    fn new(
        name: &'static str,
        header: &'static str,
        next: impl IntoIterator<Item = Result<&'static str, AuthErrorKind>>,
        login: bool,
    ) -> Arc<Self> {
        let next: VecDeque<_> = next.into_iter().collect();
        let signed_in = login && !next.is_empty();
        Arc::new(Self {
            name,
            header,
            login,
            signed_in,
            state: Mutex::new(State { next, ..State::default() }),
        })
    }

    fn mint(&self, state: &mut State) -> Result<Credentials, AuthError> {
        let token = match state.next.pop_front() {
            Some(Ok(token)) => token,
            Some(Err(kind)) => return Err(AuthError::new(kind, "do as the script says")),
            None => return Ok(Credentials::none()),
        };
        let header = (HeaderName::from_static(self.header), HeaderValue::from_static(token));
        let fresh = Credentials::new(self.name, [header]);
        state.held = Some(fresh.clone());
        Ok(fresh)
    }

    fn calls(&self) -> Vec<&'static str> {
        self.state.lock().unwrap().calls.clone()
    }
}

impl AuthProvider for ScriptedProvider {
    fn name(&self) -> &str {
        self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, self.login)
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        let mut state = self.state.lock().unwrap();
        state.calls.push("credentials");
        let outcome = match state.held.clone() {
            Some(held) => Ok(held),
            None => self.mint(&mut state),
        };
        Box::pin(async { outcome })
    }

    fn on_rejected<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        let mut state = self.state.lock().unwrap();
        state.calls.push("on_rejected");
        let outcome = match state.held.clone() {
            _ if rejection.recoveries > 0 => Ok(Recovery::Exhausted),
            Some(held) if !rejection.used.includes_generation(held.generation()) => Ok(Recovery::Retry(held)),
            None if self.login => Ok(Recovery::LoginRequired),
            held if state.next.is_empty() => {
                drop(held);
                Ok(if self.login { Recovery::LoginRequired } else { Recovery::Exhausted })
            }
            _ => self.mint(&mut state).map(Recovery::Retry),
        };
        Box::pin(async { outcome })
    }

    fn snapshot(&self) -> ProviderSnapshot {
        ProviderSnapshot { signed_in: self.signed_in, ..ProviderSnapshot::default() }
    }
}

fn header(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(name), HeaderValue::from_static(value))
}

fn base(headers: &[(&'static str, &'static str)]) -> Credentials {
    Credentials::new("static-headers", headers.iter().map(|(name, value)| header(name, value)))
}

fn helper_chain(helper: &Arc<ScriptedProvider>, oauth: &Arc<ScriptedProvider>, configured: bool) -> Chain {
    let fallback = Fallback::new(oauth.clone() as Arc<dyn AuthProvider>, configured);
    Chain::authority(base(&[("x-team", "t")]), helper.clone() as Arc<dyn AuthProvider>, Some(fallback))
}

/// `name=value` of every header, sorted.
fn shown(credentials: &Credentials) -> String {
    let mut headers = HeaderMap::new();
    credentials.apply(&mut headers);
    let mut all: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
    all.sort();
    all.join(" ")
}

/// Sends one request to a server that accepts what `accepts` says, and refuses the rest with this challenge:
/// the loop of a transport. Returns what was sent, and how it ended.
async fn send(chain: &Chain, challenge: &str, accepts: impl Fn(&str) -> bool) -> (Vec<String>, String) {
    send_to(chain, StatusCode::UNAUTHORIZED, challenge, accepts).await
}

async fn send_to(
    chain: &Chain,
    status: StatusCode,
    challenge: &str,
    accepts: impl Fn(&str) -> bool,
) -> (Vec<String>, String) {
    let challenges = Challenge::parse(challenge);
    let headers = HeaderMap::new();
    let mut sent = Vec::new();
    let mut used = match chain.credentials().await {
        Ok(used) => used,
        Err(error) => return (sent, format!("{:?}", error.kind())),
    };
    for recoveries in 0..10 {
        sent.push(shown(&used));
        if accepts(&shown(&used)) {
            return (sent, "accepted".into());
        }
        let rejection = Rejection::new(status, &challenges, &headers, &used).after(recoveries);
        match chain.on_rejected(rejection).await {
            Ok(Recovery::Retry(fresh)) => {
                assert!(!fresh.same_headers(&used), "the same bytes are never offered again");
                used = fresh;
            }
            Ok(other) => return (sent, format!("{other:?}")),
            Err(error) => return (sent, format!("{:?}", error.kind())),
        }
    }
    panic!("recoveries are not bounded");
}

#[tokio::test]
async fn f001_a_refused_helper_token_runs_the_helper_and_touches_oauth_never() {
    recovers_by_the_helper_alone(StatusCode::UNAUTHORIZED, ADVERTISED).await;
}

#[tokio::test]
async fn f002_a_403_recovers_like_a_401() {
    recovers_by_the_helper_alone(StatusCode::FORBIDDEN, "").await;
}

async fn recovers_by_the_helper_alone(status: StatusCode, challenge: &str) {
    let (helper, oauth) = (ScriptedProvider::helper(["A", "B"]), ScriptedProvider::oauth(["O"]));
    let chain = helper_chain(&helper, &oauth, true);
    let (sent, end) = send_to(&chain, status, challenge, |headers| headers.contains("authorization=B")).await;
    assert_eq!(sent, ["authorization=A x-team=t", "authorization=B x-team=t"]);
    assert_eq!(end, "accepted");
    assert!(oauth.calls().is_empty(), "{:?}", oauth.calls());
}

#[tokio::test]
async fn f003_fresh_helper_headers_that_are_refused_too_end_it() {
    let (helper, oauth) = (ScriptedProvider::helper(["A", "B", "C"]), ScriptedProvider::oauth([]));
    // Not offered and no sign-in; then offered, but no sign-in.
    for (challenge, end) in [("Bearer", "Exhausted"), (ADVERTISED, "LoginRequired")] {
        let chain = helper_chain(&helper, &oauth, false);
        let (sent, ended) = send(&chain, challenge, |_| false).await;
        assert_eq!((sent.len(), ended.as_str()), (2, end));
        assert!(oauth.calls().is_empty());
    }
}

#[tokio::test]
async fn oauth_answers_only_when_the_helper_failed_and_it_is_offered_and_someone_signed_in() {
    for (challenge, configured, signed_in, reached) in [
        ("Bearer", false, true, false),
        ("", false, true, false),
        ("Basic realm=\"x\"", false, true, false),
        (ADVERTISED, false, true, true),
        ("Bearer", true, true, true),
        (ADVERTISED, false, false, false),
        ("Bearer", true, false, false),
    ] {
        let helper = ScriptedProvider::helper(["A", "B"]);
        let oauth = ScriptedProvider::oauth(signed_in.then_some("O"));
        let chain = helper_chain(&helper, &oauth, configured);
        let (sent, _) = send(&chain, challenge, |headers| headers.contains("authorization=O")).await;
        assert_eq!(sent.len() == 3, reached, "{challenge} {configured} {signed_in}: {sent:?}");
        assert_eq!(!oauth.calls().is_empty(), reached);
        if reached {
            assert_eq!(sent[2], "authorization=O x-team=t");
        }
    }
}

#[tokio::test]
async fn the_helpers_other_headers_go_along_with_the_fallback_and_it_stays_active() {
    let helper = ScriptedProvider::new("headers-helper", "x-gateway", [Ok("g1"), Ok("g2"), Ok("g3")], false);
    let oauth = ScriptedProvider::oauth(["O"]);
    let chain = helper_chain(&helper, &oauth, false);
    // The helper supplies no Authorization: its fresh headers alone are not worth a request.
    let (sent, end) = send(&chain, ADVERTISED, |headers| headers.contains("authorization=O")).await;
    assert_eq!(sent, ["x-gateway=g1 x-team=t", "authorization=O x-gateway=g2 x-team=t"]);
    assert_eq!(end, "accepted");
    // Later requests carry both at once.
    let (sent, _) = send(&chain, ADVERTISED, |_| true).await;
    assert_eq!(sent, ["authorization=O x-gateway=g2 x-team=t"]);
    // The gateway's header expires: the helper is run, OAuth's token stays.
    let (sent, end) = send(&chain, ADVERTISED, |headers| headers.contains("x-gateway=g3")).await;
    assert_eq!(sent[1..], ["authorization=O x-gateway=g3 x-team=t"]);
    assert_eq!(end, "accepted");
    assert!(!oauth.calls().contains(&"on_rejected"));
}

#[tokio::test]
async fn each_provider_is_asked_once_per_request_whatever_the_server_does() {
    let helper = ScriptedProvider::helper(["A", "B", "C", "D", "E"]);
    let oauth = ScriptedProvider::oauth(["O", "P", "Q", "R"]);
    let chain = helper_chain(&helper, &oauth, true);
    let (sent, end) = send(&chain, ADVERTISED, |_| false).await;
    assert_eq!((sent.len(), end.as_str()), (3, "Exhausted"));
    // The fallback is active now: a refusal asks the helper, then OAuth for another token, then no provider.
    let (sent, end) = send(&chain, ADVERTISED, |_| false).await;
    assert_eq!((sent.len(), end.as_str()), (2, "Exhausted"), "{sent:?}");
    assert_eq!(helper.calls().iter().filter(|call| **call == "on_rejected").count(), 2);
    assert_eq!(oauth.calls().iter().filter(|call| **call == "on_rejected").count(), 1);
}

#[tokio::test]
async fn the_same_helper_bytes_again_are_not_resent() {
    let (helper, oauth) = (ScriptedProvider::helper(["A", "A"]), ScriptedProvider::oauth([]));
    let chain = helper_chain(&helper, &oauth, false);
    let (sent, end) = send(&chain, "Bearer", |_| false).await;
    assert_eq!((sent.len(), end.as_str()), (1, "Unchanged"));
}

#[tokio::test]
async fn a_failing_helper_is_its_own_failure_and_never_a_reason_for_oauth() {
    let steps = [Ok("A"), Err(AuthErrorKind::SourceFailed)];
    let helper = ScriptedProvider::new("headers-helper", "authorization", steps, false);
    let oauth = ScriptedProvider::oauth(["O"]);
    let chain = helper_chain(&helper, &oauth, true);
    let (sent, end) = send(&chain, ADVERTISED, |_| false).await;
    assert_eq!((sent.len(), end.as_str()), (1, "SourceFailed"));
    assert!(oauth.calls().is_empty());
}

#[tokio::test]
async fn a_sign_in_that_ends_leaves_the_helper_alone_in_charge_again() {
    let helper = ScriptedProvider::helper(["A", "B", "C"]);
    let steps = [Ok("O"), Err(AuthErrorKind::SignInExpired)];
    let oauth = ScriptedProvider::new("oauth", "authorization", steps, true);
    let chain = helper_chain(&helper, &oauth, true);
    let (_, end) = send(&chain, ADVERTISED, |headers| headers.contains("authorization=O")).await;
    assert_eq!(end, "accepted");
    let (_, end) = send(&chain, ADVERTISED, |_| false).await;
    assert_eq!(end, "SignInExpired");
    let (sent, end) = send(&chain, ADVERTISED, |_| true).await;
    assert_eq!((sent, end.as_str()), (vec!["authorization=C x-team=t".to_owned()], "accepted"));
}

#[tokio::test]
async fn f010_helper_headers_replace_same_named_static_ones() {
    let helper = ScriptedProvider::helper(["from-helper"]) as Arc<dyn AuthProvider>;
    let chain = Chain::authority(base(&[("authorization", "static"), ("x-team", "t")]), helper, None);
    assert_eq!(shown(&chain.credentials().await.unwrap()), "authorization=from-helper x-team=t");
}

#[tokio::test]
async fn unchanged_parts_keep_one_generation() {
    let chain = helper_chain(&ScriptedProvider::helper(["A"]), &ScriptedProvider::oauth([]), false);
    let (one, two) = (chain.credentials().await.unwrap(), chain.credentials().await.unwrap());
    assert_eq!(one.generation(), two.generation());
}

#[tokio::test]
async fn f013_a_server_that_offers_no_oauth_prompts_no_person() {
    let chain = helper_chain(&ScriptedProvider::helper(["A", "B"]), &ScriptedProvider::oauth([]), false);
    send(&chain, "Bearer", |_| false).await;
    assert!(chain.capabilities().refreshable);
    assert!(!chain.capabilities().login && !chain.snapshot().login_offered);
}

#[tokio::test]
async fn f012_a_helper_server_that_offers_oauth_has_both_ways_out() {
    let chain = helper_chain(&ScriptedProvider::helper(["A", "B"]), &ScriptedProvider::oauth([]), false);
    send(&chain, ADVERTISED, |_| false).await;
    let (capabilities, snapshot) = (chain.capabilities(), chain.snapshot());
    assert!(capabilities.refreshable && capabilities.login && snapshot.login_offered);
}

fn target() -> Target {
    Target::new("s", Url::parse("http://localhost/mcp").unwrap())
}

#[tokio::test]
async fn f014_a_withheld_helper_sends_static_headers_alone_and_nothing_stands_in() {
    let settings = AuthSettings {
        static_headers: vec![("X-Team".into(), Secret::new("t"))],
        helper: Some(HelperSpec::new("exit 1", "/")),
        helper_withheld: Some(WithholdReason::UntrustedFolder),
        oauth: Some(OAuthSpec::default()),
        ..AuthSettings::default()
    };
    let oauth = ScriptedProvider::oauth(["O"]);
    let provider = AuthPlan::resolve(&settings)
        .build(&target(), Parts::new().with_oauth(oauth.clone() as Arc<dyn AuthProvider>))
        .unwrap();
    let used = provider.credentials().await.unwrap();
    assert_eq!(shown(&used), "x-team=t");
    assert_eq!(provider.snapshot().withheld.as_deref(), Some("headersHelper"));
    let (headers, challenges) = (HeaderMap::new(), Challenge::parse(ADVERTISED));
    let rejection = Rejection::new(StatusCode::UNAUTHORIZED, &challenges, &headers, &used);
    assert!(matches!(provider.on_rejected(rejection).await, Ok(Recovery::Exhausted)));
    assert!(oauth.calls().is_empty());
}

#[tokio::test]
async fn f026_a_refused_static_authorization_never_starts_oauth() {
    for oauth_block in [None, Some(OAuthSpec::default())] {
        let settings = AuthSettings {
            static_headers: vec![("authorization".into(), Secret::new("Bearer static"))],
            oauth: oauth_block,
            ..AuthSettings::default()
        };
        let oauth = ScriptedProvider::oauth(["O"]);
        let provider = AuthPlan::resolve(&settings)
            .build(&target(), Parts::new().with_oauth(oauth.clone() as Arc<dyn AuthProvider>))
            .unwrap();
        let used = provider.credentials().await.unwrap();
        let (headers, challenges) = (HeaderMap::new(), Challenge::parse(ADVERTISED));
        let rejection = Rejection::new(StatusCode::UNAUTHORIZED, &challenges, &headers, &used);
        assert!(matches!(provider.on_rejected(rejection).await, Ok(Recovery::Exhausted)));
        assert!(oauth.calls().is_empty());
    }
}

#[tokio::test]
async fn without_a_helper_oauth_is_the_authority_over_the_static_base() {
    let oauth = ScriptedProvider::oauth(["O", "P"]);
    let chain = Chain::sign_in(base(&[("x-team", "t")]), oauth.clone() as Arc<dyn AuthProvider>, false);
    let (sent, end) = send(&chain, ADVERTISED, |headers| headers.contains("=P")).await;
    assert_eq!(sent, ["authorization=O x-team=t", "authorization=P x-team=t"]);
    assert_eq!(end, "accepted");
    assert!(chain.snapshot().login_offered && chain.snapshot().signed_in);
}

#[tokio::test]
async fn f037_a_server_that_asks_for_another_scheme_starts_no_oauth() {
    for (challenge, asked) in
        [("Basic realm=\"x\"", false), ("Negotiate", false), ("Bearer", true), ("", true)]
    {
        let oauth = ScriptedProvider::oauth([]);
        let chain = Chain::sign_in(base(&[]), oauth.clone() as Arc<dyn AuthProvider>, true);
        let (_, end) = send(&chain, challenge, |_| false).await;
        assert_eq!(oauth.calls().contains(&"on_rejected"), asked, "{challenge}");
        assert_eq!(end == "LoginRequired", asked);
    }
}
