//! What a person sees while signing in on a terminal: the URL, the place to paste, the device code.

pub(crate) mod attempt;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mcp_auth::oauth::{
    AuthorizationPrompt, Authorizer, AuthorizerSession, CallbackParams, DevicePrompt, RedirectPreference,
    SignInPrompt,
};
use mcp_auth::{AuthError, AuthErrorKind, AuthFuture, Secret};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::browser::Browser;
use crate::deadline::CommandProgress;
use crate::output::Output;
use crate::view::shown;

/// A terminal, or what is left of one without a person.
#[derive(Debug)]
pub(crate) struct TerminalPrompt {
    output: Arc<Output>,
    browser: Browser,
    /// Something may be pasted on standard input.
    pastes: bool,
    /// A program reads standard error: each prompt is a line of JSON.
    json: bool,
    /// The last line asks for it, and has no end yet.
    asks: AtomicBool,
}

impl TerminalPrompt {
    pub(crate) fn new(output: Arc<Output>, browser: Browser, pastes: bool) -> Self {
        Self { output, browser, pastes, json: false, asks: AtomicBool::new(false) }
    }

    /// With prompts for a program that shows them to its person.
    #[must_use]
    pub(crate) fn in_json(self, json: bool) -> Self {
        Self { json, ..self }
    }

    /// A prompt for people, or the same for a program.
    fn say(&self, text: &str, prompt: impl FnOnce() -> Value) {
        if self.json {
            let line = json!({ "prompt": prompt() }).to_string();
            self.output.error(&format!("{}\n", mcp_text::json(&line)));
        } else {
            self.output.error(text);
        }
    }

    /// Ends the line that asks for something, where nothing was entered: what is said next has one of its own.
    pub(crate) fn end_line(&self) {
        if self.asks.swap(false, Ordering::Relaxed) {
            self.output.error("\n");
        }
    }

    fn ask(&self, text: &str) {
        self.asks.store(true, Ordering::Relaxed);
        self.output.error(text);
    }
}

impl SignInPrompt for TerminalPrompt {
    fn authorization<'a>(&'a self, prompt: AuthorizationPrompt<'a>) -> AuthFuture<'a, ()> {
        Box::pin(async move {
            let url = prompt.url.as_str();
            // A second round begins below what was asked in the first.
            self.end_line();
            let opened = self.browser.open(prompt.url);
            let text = match &opened {
                Ok(()) => format!(
                    "Your browser opens to sign in to {}. If it does not, open this URL:\n\n  {url}\n\n",
                    shown::name(prompt.server_name)
                ),
                Err(why) => format!(
                    "Open this URL in a browser to sign in to {} ({}):\n\n  {url}\n\n",
                    shown::name(prompt.server_name),
                    shown::line(why)
                ),
            };
            self.say(&text, || {
                json!({
                    "kind": "authorization",
                    "server": prompt.server_name,
                    "url": url,
                    "browserOpened": opened.is_ok(),
                    "takesPaste": self.pastes,
                })
            });
            if self.pastes && !self.json {
                self.ask(
                    "If the browser ends on a page that cannot be reached, paste its whole address here: ",
                );
            }
            Ok(())
        })
    }

    fn pasted(&self) -> AuthFuture<'_, Secret> {
        if !self.pastes {
            return Box::pin(std::future::pending());
        }
        Box::pin(async move {
            let mut line = String::new();
            let read = BufReader::new(tokio::io::stdin()).read_line(&mut line).await;
            match read {
                // Nothing comes here any more; the browser may still come back.
                Ok(0) => {
                    self.end_line();
                    std::future::pending().await
                }
                Ok(_) => {
                    self.asks.store(false, Ordering::Relaxed);
                    Ok(Secret::new(line.trim()))
                }
                Err(error) => {
                    let error =
                        AuthError::new(AuthErrorKind::Cancelled, "read what was pasted").with_source(error);
                    Err(error)
                }
            }
        })
    }

    fn paste_refused(&self) -> AuthFuture<'_, ()> {
        let text = "That is neither the address of the last page nor a code. Paste it again: ";
        self.asks.store(!self.json, Ordering::Relaxed);
        self.say(text, || json!({ "kind": "paste-refused" }));
        Box::pin(std::future::ready(Ok(())))
    }

    fn unproven<'a>(&'a self, said: &'a str) -> AuthFuture<'a, ()> {
        let said = shown::line(said);
        self.end_line();
        let text = format!(
            "An error came back that does not say which sign-in it belongs to: {said}\nIf it is the answer to yours, press Ctrl-C; it is still waited for.\n"
        );
        self.say(&text, || json!({ "kind": "unproven-error", "said": said.to_string() }));
        Box::pin(std::future::ready(Ok(())))
    }

    fn foreign_answer(&self) -> AuthFuture<'_, ()> {
        self.end_line();
        let text = "An answer came back that is not of this sign-in (its `state` is another one), and is not used. The right one is still \
                    waited for: use the newest tab.\nIf it came from there, the authorization server does not send back what it was sent: \
                    press Ctrl-C, and ask who runs it.\n";
        self.say(text, || json!({ "kind": "foreign-answer" }));
        Box::pin(std::future::ready(Ok(())))
    }

    fn device<'a>(&'a self, prompt: DevicePrompt<'a>) -> AuthFuture<'a, ()> {
        let limit = mcp_text::time_limit(prompt.expires_in);
        let mut text = format!(
            "To sign in to {}, open this page on any device and enter the code within {limit}:\n\n  {}\n  {}\n\n",
            shown::name(prompt.server_name),
            prompt.verification_uri,
            shown::line(prompt.user_code)
        );
        if let Some(complete) = prompt.verification_uri_complete {
            text.push_str(&format!("or, with the code filled in:\n\n  {complete}\n\n"));
        }
        self.say(&text, || {
            json!({
                "kind": "device",
                "server": prompt.server_name,
                "verificationUri": prompt.verification_uri.to_string(),
                "verificationUriComplete": prompt.verification_uri_complete.map(ToString::to_string),
                "userCode": prompt.user_code,
                "expiresInSeconds": prompt.expires_in.as_secs(),
            })
        });
        Box::pin(std::future::ready(Ok(())))
    }
}

/// An authorizer that tells how far the sign-in has come.
#[derive(Debug)]
pub(crate) struct ReportingAuthorizer<A> {
    pub(crate) inner: A,
    pub(crate) steps: SignInSteps,
}

/// The steps of a sign-in, for the case that a limit strikes in one of them.
#[derive(Clone, Debug)]
pub(crate) struct SignInSteps {
    reached: Arc<CommandProgress>,
    next: String,
}

impl SignInSteps {
    /// Those of a sign-in to `name`, begun with these options.
    pub(crate) fn new(reached: Arc<CommandProgress>, name: &str, options: &str) -> Self {
        // With an option of its own it is another command than the one that was just run.
        let next = format!("mcplink login {}{options} --timeout 10m", mcp_text::shell_word(name));
        Self { reached, next }
    }

    /// It asks where to sign in.
    pub(crate) fn discovers(&self, server: &str) {
        self.are(format!("asking {server}, and what it names, where to sign in (discovery)"));
    }

    /// It makes itself known.
    pub(crate) fn registers(&self, issuer: &str) {
        self.are(format!("preparing the sign-in with {issuer} (registration of this client)"));
    }

    /// A person has the page, or the code, and has not finished.
    fn waits_for_a_person(&self, url: &url::Url) {
        let place = url.origin().ascii_serialization();
        self.are(format!("waiting for a person to finish the sign-in at {place}"));
    }

    fn exchanges(&self) {
        self.are("exchanging the code for tokens, and trying them with the server".to_owned());
    }

    fn are(&self, doing: String) {
        self.reached.is(shown::line(&doing), &self.next);
    }
}

impl<A: Authorizer> Authorizer for ReportingAuthorizer<A> {
    fn prepare<'a>(&'a self, wish: &'a RedirectPreference) -> AuthFuture<'a, Box<dyn AuthorizerSession>> {
        Box::pin(async move {
            let inner = self.inner.prepare(wish).await?;
            Ok(Box::new(ReportingSession { inner, steps: self.steps.clone() }) as Box<dyn AuthorizerSession>)
        })
    }
}

#[derive(Debug)]
struct ReportingSession {
    inner: Box<dyn AuthorizerSession>,
    steps: SignInSteps,
}

impl AuthorizerSession for ReportingSession {
    fn redirect_uri(&self) -> &str {
        self.inner.redirect_uri()
    }

    fn authorize<'a>(&'a mut self, request: AuthorizationPrompt<'a>) -> AuthFuture<'a, CallbackParams> {
        Box::pin(async move {
            self.steps.waits_for_a_person(request.url);
            let params = self.inner.authorize(request).await?;
            self.steps.exchanges();
            Ok(params)
        })
    }

    fn finish<'a>(
        &'a mut self,
        server_name: &'a str,
        outcome: Result<(), &'a AuthError>,
    ) -> AuthFuture<'a, ()> {
        self.inner.finish(server_name, outcome)
    }
}

/// A prompt for a device code that tells how far the sign-in has come.
#[derive(Debug)]
pub(crate) struct ReportingPrompt {
    pub(crate) inner: Arc<TerminalPrompt>,
    pub(crate) steps: SignInSteps,
}

impl SignInPrompt for ReportingPrompt {
    fn authorization<'a>(&'a self, prompt: AuthorizationPrompt<'a>) -> AuthFuture<'a, ()> {
        self.inner.authorization(prompt)
    }

    fn device<'a>(&'a self, prompt: DevicePrompt<'a>) -> AuthFuture<'a, ()> {
        self.steps.waits_for_a_person(prompt.verification_uri);
        self.inner.device(prompt)
    }
}
