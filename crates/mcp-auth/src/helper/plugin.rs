//! The provider that is a program of its own: started once for a connection and spoken to in lines of JSON.
//!
//! | module | does |
//! |---|---|
//! | `process` | start, ask, limit, end |
//! | `answer` | what it answers → credentials, signatures, errors |
//! | `check` | the rules that a plug-in keeps, for its author |
//! | `person` | signing a person in and out |
//!
//! It is held to the rules of a helper: environment, limit, process group. What hangs, ends or speaks another language is the
//! plug-in's own failure, and never an answer of the server.

mod answer;
mod check;
mod person;
mod process;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, OwnedMutexGuard};

pub use self::answer::PluginPrompt;
pub use self::check::{PluginFinding, check_plugin};
pub use self::person::{sign_in, sign_out};
use self::process::{Failure, Process};
use crate::settings::unattended::PLUGIN_NAME;
use crate::settings::{HelperSpec, PluginSpec};
use crate::signing::{RequestSigner, SigningRequest};
use crate::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, Capabilities, CredentialSource, Credentials,
    FetchReason, Recovery, Rejection, SingleFlight, Target,
};

/// The version of the protocol that is spoken.
const PROTOCOL: u64 = 1;

/// The provider of `spec` for `target`. Nothing is started until credentials are asked for; the program ends with it.
pub fn provider(spec: &PluginSpec, target: &Target) -> impl AuthProvider {
    // The command has a limit of its own for each question, and says more of itself when that is over.
    let limit = spec.command.timeout.saturating_mul(3);
    SingleFlight::new(PluginSource { link: Link::new(spec, target) }).with_timeout(limit)
}

/// The plug-in of one connection: cheap to clone.
#[derive(Clone)]
struct Link(Arc<Inner>);

struct Inner {
    spec: PluginSpec,
    target: Target,
    running: Arc<Mutex<Option<Process>>>,
    /// How many refusals of one request it answers.
    legs: AtomicU32,
    /// Whether it can sign a person in.
    has_login: AtomicBool,
}

impl Link {
    fn new(spec: &PluginSpec, target: &Target) -> Self {
        let running = Arc::default();
        let (legs, has_login) = (AtomicU32::new(1), AtomicBool::new(false));
        Self(Arc::new(Inner { spec: spec.clone(), target: target.clone(), running, legs, has_login }))
    }

    fn legs(&self) -> u32 {
        self.0.legs.load(Ordering::Acquire)
    }

    /// Asks it something, in a task of its own: a caller that stops waiting does not break off in the middle of a line.
    async fn ask(&self, method: &'static str, params: Value) -> Result<Map<String, Value>, AuthError> {
        let this = self.clone();
        let asked = tokio::spawn(async move {
            let running = this.0.running.clone().lock_owned().await;
            this.exchange(running, method, params).await
        });
        asked.await.unwrap_or_else(|_| Err(this_failed(&self.0.spec, method, "asking it broke off")))
    }

    async fn exchange(
        &self,
        mut running: OwnedMutexGuard<Option<Process>>,
        method: &'static str,
        params: Value,
    ) -> Result<Map<String, Value>, AuthError> {
        let Inner { spec, target, .. } = &*self.0;
        if running.is_none() {
            let (process, hello) = started(spec, target).await?;
            let legs = hello.get("legs").and_then(Value::as_u64).unwrap_or(1).clamp(1, u64::from(u32::MAX));
            // How many of them a request gets at most is for `Capabilities` to say.
            self.0.legs.store(u32::try_from(legs).unwrap_or(1), Ordering::Release);
            self.0.has_login.store(offers(&hello, "login"), Ordering::Release);
            *running = Some(process);
        }
        let Some(process) = running.as_mut() else {
            return Err(this_failed(spec, method, "it is not there"));
        };
        match process.ask(method, params).await {
            Ok(answer) => Ok(answer),
            // An error is an answer too: the program goes on.
            Err(Failure::Reported(said)) => {
                let error = said.into_error(spec, method);
                let is_for_a_person = error.kind() == AuthErrorKind::SignInExpired && error.hint().is_none();
                Err(match is_for_a_person && !self.0.has_login.load(Ordering::Acquire) {
                    true => error.with_hint(elsewhere(spec)),
                    false => error,
                })
            }
            Err(failure) => match running.take() {
                Some(process) => Err(process.end(spec, method, failure).await),
                None => Err(this_failed(spec, method, "it is not there")),
            },
        }
    }
}

impl Link {
    /// The credentials of an answer. One that gives none that can be used ends the plug-in, and is told with what it wrote on its
    /// stderr.
    async fn read(
        &self,
        method: &'static str,
        answer: &Map<String, Value>,
    ) -> Result<answer::PluginCredentials, AuthError> {
        let why = match answer::credentials(answer) {
            Ok(given) => return Ok(given),
            Err(why) => why,
        };
        let running = self.0.running.lock().await.take();
        Err(match running {
            Some(process) => process.end(&self.0.spec, method, Failure::Broken(why)).await,
            None => this_failed(&self.0.spec, method, &why),
        })
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plugin").field(&self.0.spec).finish()
    }
}

/// A plug-in that has answered `hello`, and what it can do.
async fn started(spec: &PluginSpec, target: &Target) -> Result<(Process, Map<String, Value>), AuthError> {
    let mut process = Process::start(spec, target)
        .map_err(|why| this_failed(spec, "hello", &why).with_hint(cure(spec, &why)))?;
    let hello = match process.ask("hello", hello(spec, target)).await {
        Ok(hello) => hello,
        Err(failure) => return Err(process.end(spec, "hello", failure).await),
    };
    if hello.get("protocol").and_then(Value::as_u64) != Some(PROTOCOL) {
        let why = format!("its `hello` speaks another protocol than {PROTOCOL}");
        return Err(process.end(spec, "hello", Failure::Broken(why)).await);
    }
    Ok((process, hello))
}

/// Whether its `hello` says that it has this.
fn offers(hello: &Map<String, Value>, method: &str) -> bool {
    hello.get(method).and_then(Value::as_bool) == Some(true)
}

/// What a person does about a sign-in that has ended, where the plug-in has no `login`.
fn elsewhere(spec: &PluginSpec) -> String {
    format!("renew the sign-in in the program that {} takes it from", spec.called())
}

/// What lets a plug-in start that did not, for `why`.
fn cure(spec: &PluginSpec, why: &str) -> String {
    let (HelperSpec { command, cwd, .. }, name) = (&spec.command, spec.called());
    let is_path = command.contains(['/', '\\']);
    let shown = if is_path { mcp_text::name(command, 200).to_string() } else { name };
    match is_path {
        _ if why.contains("may not be run") => format!("make {shown} executable (chmod +x)"),
        // What is not there is what its first line names.
        true if cwd.join(command).exists() => {
            format!("correct the first line of {shown}, which names what runs it")
        }
        true => format!("put the program at {shown}, or change `provider` of `auth`"),
        false => format!("put {shown} on PATH, or change `provider` of `auth`"),
    }
}

/// The parameters of `hello`: the server that it works for, and its settings in the entry.
fn hello(spec: &PluginSpec, target: &Target) -> Value {
    let settings = spec.settings.as_ref().and_then(|text| serde_json::from_str::<Value>(text.expose()).ok());
    let server = json!({ "name": target.name, "url": target.url.as_str() });
    json!({ "protocol": PROTOCOL, "server": server, "settings": settings.unwrap_or_else(|| json!({})) })
}

/// It does not speak the protocol, or not any more; `why` goes on after a colon.
fn this_failed(spec: &PluginSpec, method: &str, why: &str) -> AuthError {
    let message = format!("ask the plug-in {} ({method}): {why}", spec.called());
    AuthError::new(AuthErrorKind::Protocol, message)
}

#[derive(Debug)]
struct PluginSource {
    link: Link,
}

impl PluginSource {
    async fn get(&self, why: FetchReason<'_>) -> Result<Credentials, AuthError> {
        let (method, params) = match why {
            FetchReason::Rejected(rejection) => ("rejected", refusal(rejection)),
            FetchReason::Expired => ("get", json!({ "reason": "expired" })),
            FetchReason::First => ("get", json!({ "reason": "first" })),
        };
        let answer = self.link.ask(method, params).await?;
        let given = self.link.read(method, &answer).await?;
        let credentials = Credentials::new(PLUGIN_NAME, given.headers).with_expiry(given.until);
        Ok(match given.signs {
            true => credentials.with_signer(Arc::new(PluginSigner { link: self.link.clone() })),
            false => credentials,
        })
    }
}

/// What was refused, with the challenges as they came.
fn refusal(rejection: Rejection<'_>) -> Value {
    let challenges = rejection.headers.get_all(WWW_AUTHENTICATE).iter();
    let challenges: Vec<_> = challenges.filter_map(|value| value.to_str().ok()).collect();
    json!({ "status": rejection.status.as_u16(), "challenges": challenges, "attempt": rejection.recoveries + 1 })
}

impl CredentialSource for PluginSource {
    fn name(&self) -> &str {
        PLUGIN_NAME
    }

    fn fetch<'a>(&'a self, why: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(self.get(why))
    }

    fn judge<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Option<Recovery>> {
        let verdict = (rejection.recoveries >= self.link.legs()).then_some(Recovery::Exhausted);
        Box::pin(std::future::ready(Ok(verdict)))
    }

    fn capabilities(&self) -> Capabilities {
        match self.link.legs() {
            1 => Capabilities::new(true, false),
            legs => Capabilities::new(true, false).with_recoveries(legs.max(Capabilities::RECOVERIES + 1)),
        }
    }
}

/// Has the plug-in sign each request.
#[derive(Debug)]
struct PluginSigner {
    link: Link,
}

impl RequestSigner for PluginSigner {
    fn sign<'a>(&'a self, request: SigningRequest<'a>) -> AuthFuture<'a, HeaderMap> {
        Box::pin(async move {
            let digest = ring::digest::digest(&ring::digest::SHA256, request.body);
            let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            let headers = request
                .headers
                .iter()
                .filter_map(|(name, value)| Some(json!([name.as_str(), value.to_str().ok()?])));
            let params = json!({
                "method": request.method.as_str(),
                "url": request.url.as_str(),
                "headers": headers.collect::<Vec<_>>(),
                "body": { "length": request.body.len(), "sha256": hex, "sha256Base64": STANDARD.encode(digest.as_ref()) },
            });
            let answer = self.link.ask("sign", params).await?;
            let given = self.link.read("sign", &answer).await?;
            Ok(given.headers.into_iter().collect())
        })
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests;
