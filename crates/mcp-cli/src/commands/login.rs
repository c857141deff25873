//! `mcplink login NAME`: a person signs in; the tokens count only once the server itself has accepted them.

mod plugin;
mod seed;
mod several;

use std::sync::Arc;

use mcp_auth::oauth::{Identity, LoopbackAuthorizer, SignedIn};
use mcp_connect::{ConfiguredServer, Login};
use serde_json::{Value, json};

use crate::app::App;
use crate::args::LoginArgs;
use crate::browser::{self, Browser, Machine};
use crate::confirmation::Answers;
use crate::error::CliError;
use crate::exit::ExitStatus;
pub(super) use crate::sign_in::attempt::{auth_error, failed};
use crate::sign_in::{ReportingAuthorizer, ReportingPrompt, SignInSteps, TerminalPrompt, attempt};
use crate::view::shown;
use crate::view::time::rfc3339;

pub(super) async fn run(app: &App, args: &LoginArgs) -> Result<ExitStatus, CliError> {
    let loaded = app.load()?;
    let [name] = &args.names[..] else {
        if args.from_stdin {
            return Err(
                CliError::usage("usage", "--from-stdin is for one server").next("mcplink login --help")
            );
        }
        // Boxed, as the compiler looks only so deep into a future.
        return Box::pin(several::run(app, &loaded, args)).await;
    };
    let configured = loaded.known(app, name).await?;
    // A word that means nothing would be missed on another's page.
    if !app.json {
        loaded.note_problems_of(app, std::slice::from_ref(name), &[]);
    }
    if !args.from_stdin
        && let Some(done) = plugin::sign_in(app, &configured).await
    {
        done?;
        show(app, row_document(plugin::row(&configured)), &plugin::told(&configured));
        return Ok(ExitStatus::Success);
    }
    let signed_in = match args.from_stdin {
        true => Box::pin(seed::sign_in(app, &configured)).await?,
        false => Box::pin(sign_in(app, &configured, Way::of(args), Person::AtTheTerminal)).await?,
    };
    show(
        app,
        row_document(row(&configured, &signed_in)),
        &attempt::conclusion(&configured.description, &signed_in),
    );
    Ok(ExitStatus::Success)
}

/// How a person gets to the page.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Way {
    /// No browser is opened.
    no_browser: bool,
    /// A code is entered on another device.
    device: bool,
}

impl Way {
    fn of(args: &LoginArgs) -> Self {
        Self { no_browser: args.no_browser, device: args.device }
    }

    /// As they are written, with a blank before.
    fn options(self) -> &'static str {
        match self {
            Self { no_browser: true, .. } => " --no-browser",
            Self { device: true, .. } => " --device",
            _ => "",
        }
    }
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
    configured: &ConfiguredServer,
    way: Way,
    person: Person,
) -> Result<SignedIn, CliError> {
    let name = &configured.description.name;
    attempt::check(app, configured)?;
    let steps = SignInSteps::new(app.reached.clone(), name, way.options());
    steps.discovers(configured.auth.as_ref().map_or("the server", |auth| &auth.origin));
    let login = attempt::begun(app, configured).await?;

    // A command that says how a person gets to the page or the code has a person somewhere.
    let has_said = way.no_browser || way.device || app.environment.text("BROWSER").is_some();
    let is_implied = person == Person::AtTheTerminal && !app.interactive && !has_said;
    if app.non_interactive || is_implied {
        // Whichever way it is done, it takes a person. What is wrong beside that has been told by now.
        let word = mcp_text::shell_word(name);
        if login.is_guessed() {
            return Err(attempt::not_published(app, name));
        }
        let message = format!("only a person can sign in to {}", shown::name(name));
        let error = CliError::new(ExitStatus::NeedsAuth, "needs-a-person", message);
        return Err(match app.non_interactive {
            true => error
                .why("--non-interactive says that there is none")
                .next(format!("have a person run `mcplink login {word}`")),
            false => error
                .why("standard input is not a terminal; --no-browser prints the page and waits for a person elsewhere")
                .next(format!("mcplink login {word} --no-browser")),
        });
    }
    let login = confirmed(app, name, login, person).await?;

    let browser = match browser::choose(&app.environment, Machine::current()) {
        _ if way.no_browser => Browser::Absent("as you asked"),
        browser => browser,
    };
    // Without a browser the address is pasted, on a terminal or through a pipe.
    let pastes = person == Person::AtTheTerminal && (app.interactive || way.no_browser);
    let prompt = Arc::new(TerminalPrompt::new(app.output.clone(), browser, pastes).in_json(app.json));
    steps.registers(login.issuer());
    let signed_in = if way.device {
        login.complete_with_device(&ReportingPrompt { inner: prompt.clone(), steps }).await
    } else {
        let inner = LoopbackAuthorizer::new(prompt.clone());
        login.complete(&ReportingAuthorizer { inner, steps }).await
    };
    prompt.end_line();
    let signed_in = signed_in.map_err(|error| auth_error(app, name, &error))?;
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
    // A program that reads lines of JSON is not a person to ask.
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
    Err(attempt::not_confirmed(name, &server, &issuer))
}

fn show(app: &App, document: Value, told: &str) {
    if app.json {
        app.print_json(&document);
        return;
    }
    app.output.out(&format!("{told}\n"));
}

/// One sign-in as a document.
fn row_document(row: Value) -> Value {
    let mut document = json!({ "schemaVersion": 1 });
    if let (Some(document), Value::Object(row)) = (document.as_object_mut(), row) {
        document.extend(row);
    }
    document
}

/// A sign-in that has succeeded, for a program.
fn row(configured: &ConfiguredServer, signed_in: &SignedIn) -> Value {
    json!({
        "name": configured.description.name,
        "account": configured.description.account,
        "signedIn": true,
        "who": signed_in.identity.as_ref().map(Identity::to_line),
        "issuer": signed_in.issuer,
        "scopes": signed_in.scopes,
        "expiresAt": signed_in.expires_at.map(rfc3339),
        "refreshable": signed_in.refreshable,
    })
}
