//! `mcplink login NAME`: a person signs in; the tokens count only once the server itself has accepted them.

use std::sync::Arc;

use mcp_auth::oauth::{LoopbackAuthorizer, SignedIn};
use mcp_auth::{AuthError, AuthErrorKind};
use mcp_connect::{ConfiguredServer, Login, LoginError, LoginRefusal};
use serde_json::json;

use crate::app::App;
use crate::args::LoginArgs;
use crate::browser::{self, Browser, Machine};
use crate::confirmation::Answers;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::sign_in::{SignInSteps, TerminalPrompt, ToldAuthorizer, ToldPrompt};
use crate::view::shown;
use crate::view::time::rfc3339;

pub(super) async fn run(app: &App, args: &LoginArgs) -> Result<ExitStatus, CliError> {
    let name = &args.name;
    let loaded = app.load()?;
    let wired = loaded.wired(app, name).await?;
    // A word that means nothing would be missed on another's page.
    if !app.json {
        loaded.note_problems_of(app, std::slice::from_ref(name), &[]);
    }
    let signed_in = sign_in(app, &wired, args, Person::AtTheTerminal).await?;
    show(app, &wired, &signed_in);
    Ok(ExitStatus::Success)
}

/// Where the person is who signs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Person {
    /// At the terminal of this command, if it has one.
    AtTheTerminal,
    /// Before the host that started this command, which has the standard streams: there is nothing to paste into.
    BeforeTheHost,
}

/// Signs a person in; tells about it on stderr only.
pub(super) async fn sign_in(
    app: &App,
    wired: &ConfiguredServer,
    args: &LoginArgs,
    person: Person,
) -> Result<SignedIn, CliError> {
    let name = &args.name;
    if let Err(refusal) = wired.check_sign_in() {
        return Err(refused(app, wired, &refusal));
    }
    let steps = SignInSteps::new(app.reached.clone(), name);
    steps.discovers(wired.auth.as_ref().map_or("the server", |auth| &auth.origin));
    let login = app.host.login(wired, &app.oauth_scopes).await.map_err(|error| match error {
        LoginError::Failed(error) => auth_error(name, &error),
        LoginError::Refused(refusal) => refused(app, wired, &refusal),
        LoginError::NotWanted => not_wanted(name),
        other => CliError::new(ExitStatus::Internal, "internal", other.to_string()),
    })?;

    // Who says how a person gets to the page, or to the code, has one somewhere.
    let has_said = args.no_browser || args.device || app.environment.text("BROWSER").is_some();
    let is_implied = person == Person::AtTheTerminal && !app.interactive && !has_said;
    if app.non_interactive || is_implied {
        // Whichever way it is done, it takes a person. What is wrong beside that has been told by now.
        let word = mcp_text::shell_word(name);
        let message = format!("{} is signed in to by a person", shown::name(name));
        let error = CliError::new(ExitStatus::NeedsAuth, "needs-a-person", message);
        return Err(match app.non_interactive {
            true => error
                .why("--non-interactive says that there is none")
                .next(format!("mcplink get {word}")),
            false => error
                .why("standard input is no terminal; --no-browser prints the page and waits for a person elsewhere")
                .next(format!("mcplink login {word} --no-browser")),
        });
    }
    let login = confirmed(app, name, login, person).await?;

    let browser = match browser::choose(&app.environment, Machine::current()) {
        _ if args.no_browser => Browser::Absent("as you asked"),
        browser => browser,
    };
    // Who asks for no browser pastes, if not on a terminal then through a pipe.
    let pastes = person == Person::AtTheTerminal && (app.interactive || args.no_browser);
    let prompt = Arc::new(TerminalPrompt::new(app.output.clone(), browser, pastes).in_json(app.json));
    steps.registers(login.issuer());
    let signed_in = if args.device {
        login.complete_with_device(&ToldPrompt { inner: prompt.clone(), steps }).await
    } else {
        let inner = LoopbackAuthorizer::new(prompt.clone());
        login.complete(&ToldAuthorizer { inner, steps }).await
    };
    prompt.end_line();
    let signed_in = signed_in.map_err(|error| auth_error(name, &error))?;
    if signed_in.keeps_secret {
        app.output.note(&format!(
            "note: the client secret is kept with the sign-in, to renew it; `mcplink logout {}` removes it\n",
            mcp_text::shell_word(name)
        ));
    }
    Ok(signed_in)
}

/// The sign-in, once it is clear that the client's secret may go where it would go. A server names its authorization server
/// by itself, so the person is asked the first time; who cannot be asked says it in the entry.
async fn confirmed<'a>(
    app: &App,
    name: &str,
    login: Login<'a>,
    person: Person,
) -> Result<Login<'a>, CliError> {
    let Some(issuer) = login.unconfirmed_issuer().map(shown::line) else { return Ok(login) };
    let server = login.origin().to_owned();
    // A program that reads lines of JSON is no person to ask.
    if app.interactive && !app.json && person == Person::AtTheTerminal {
        let mut answers = Answers::of_terminal();
        answers.forget_typed();
        app.output.error(&format!(
            "The client secret of {} would be sent to {issuer}, which {server} names as its authorization server.\n\
             Type yes if it belongs there: ",
            shown::name(name)
        ));
        if answers.yes().await == Some(true) {
            return Ok(login.confirm_issuer());
        }
    }
    Err(CliError::usage(
        "issuer-not-confirmed",
        format!("the client secret of {name} is not sent to {issuer}"),
    )
    .why(format!("{server} names that authorization server, and it is not confirmed"))
    .next(format!("set \"issuer\": \"{issuer}\" in `oauth` of an entry of your own")))
}

/// There is nothing to sign in to.
fn refused(app: &App, wired: &ConfiguredServer, refusal: &LoginRefusal) -> CliError {
    let name = &wired.description.name;
    let (code, message) = match refusal {
        LoginRefusal::SwitchedOff => ("disabled", format!("{name} is switched off")),
        LoginRefusal::Withheld(reason) => {
            (reason.code.as_str(), format!("{name} cannot be signed in to: {}", reason.message))
        }
        LoginRefusal::Local => ("no-oauth", format!("{name} is a command, and commands have no sign-in")),
        LoginRefusal::NoOAuth(why) => ("no-oauth", format!("{name} does not use OAuth: {why}")),
        other => ("no-oauth", format!("{name} cannot be signed in to: {other}")),
    };
    let look = format!("mcplink get {}", mcp_text::shell_word(name));
    let next = wired.offline_report().reason.and_then(|reason| reason.next);
    CliError::usage(code, message).next(next.and_then(|step| app.steps.words(&step, name)).unwrap_or(look))
}

fn not_wanted(name: &str) -> CliError {
    CliError::usage("no-sign-in-wanted", format!("{} wants no sign-in", shown::name(name)))
        .why("it is connected without one, and names no authorization server")
        .next(format!("mcplink tools {}", mcp_text::shell_word(name)))
}

fn show(app: &App, wired: &ConfiguredServer, signed_in: &SignedIn) {
    let name = &wired.description.name;
    if app.json {
        app.print_json(&json!({
            "schemaVersion": 1,
            "name": name,
            "signedIn": true,
            "issuer": signed_in.issuer,
            "scopes": signed_in.scopes,
            "expiresAt": signed_in.expires_at.map(rfc3339),
            "refreshable": signed_in.refreshable,
        }));
        return;
    }
    let mut text = format!("signed in to {name} with {}", signed_in.issuer);
    if !signed_in.scopes.is_empty() {
        text.push_str(&format!(" ({})", signed_in.scopes.join(" ")));
    }
    if !signed_in.refreshable {
        match signed_in.expires_at {
            Some(at) => text.push_str(&format!("; sign in again after {}", rfc3339(at))),
            None => text.push_str("; until the server refuses it"),
        }
    }
    app.output.out(&format!("{}\n", crate::view::shown::line(&text)));
}

/// A failed sign-in: what, why (with every cause, each already without secrets), next.
pub(super) fn auth_error(name: &str, error: &AuthError) -> CliError {
    failed("signing in to", "login", name, error)
}

/// The same of another thing that is done to a sign-in, by the command `verb`.
pub(super) fn failed(doing: &str, verb: &str, name: &str, error: &AuthError) -> CliError {
    let (exit, code) = match error.kind() {
        AuthErrorKind::Misconfigured => (ExitStatus::Usage, "misconfigured"),
        AuthErrorKind::Unavailable => (ExitStatus::Failed, "authorization-server-unavailable"),
        AuthErrorKind::Protocol => (ExitStatus::Protocol, "authorization-protocol"),
        AuthErrorKind::Store => (ExitStatus::Usage, "token-store"),
        _ => (ExitStatus::NeedsAuth, "sign-in-failed"),
    };
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !why.contains(&cause_text) {
            why.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    let word = mcp_text::shell_word(name);
    let next = match error.kind() {
        // The disk is full, read-only, or another account's: the same command alone would fail again.
        AuthErrorKind::Store => format!("see to the place that it names, then mcplink {verb} {word}"),
        // It was not finished, or not answered: the same again may work. Everything else is for the entry to change.
        AuthErrorKind::Cancelled | AuthErrorKind::Unavailable => format!("mcplink {verb} {word}"),
        _ => format!("mcplink get {word}"),
    };
    CliError::new(exit, code, format!("{doing} {name} failed")).why(why).next(next)
}
