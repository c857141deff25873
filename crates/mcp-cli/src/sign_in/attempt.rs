//! A sign-in as far as it is the same for every way in which a person takes part: how it begins, and what is told of its end.

use mcp_auth::oauth::SignedIn;
use mcp_auth::plan::LinkReason;
use mcp_auth::{AuthError, AuthErrorKind};
use mcp_connect::{ConfiguredServer, Description, Login, LoginError, LoginRefusal};
use mcp_status::{EntryPart, NextStep, ReasonCode, StatusReport};
use mcp_transport::evidence::sign_in_remedy;

use crate::app::App;
use crate::error::{CliError, SEE_TO_PLACE};
use crate::exit::{ExitStatus, of_status, of_waiting_for_a_person};
use crate::printed_step::PrintedStep;
use crate::view::shown;
use crate::view::time::rfc3339;

/// Whether a person can sign in to `configured`.
pub(crate) fn check(app: &App, configured: &ConfiguredServer) -> Result<(), CliError> {
    configured.check_sign_in().map_err(|refusal| refused(app, configured, &refusal))
}

/// The sign-in to `configured`, once it is known where.
pub(crate) async fn begun<'a>(app: &'a App, configured: &'a ConfiguredServer) -> Result<Login<'a>, CliError> {
    app.host.login(configured, &app.oauth_scopes).await.map_err(|error| login_error(app, configured, error))
}

/// Why there is no sign-in.
pub(crate) fn login_error(app: &App, configured: &ConfiguredServer, error: LoginError) -> CliError {
    let name = &configured.description.name;
    match error {
        LoginError::Failed(error) => auth_error(app, name, &error),
        LoginError::Refused(refusal) => refused(app, configured, &refusal),
        LoginError::NotWanted => not_wanted(name),
        LoginError::NotOffered(report) => not_offered(app, name, &report),
        LoginError::NotThere(report) => not_there(app, name, &report),
        other => CliError::new(ExitStatus::Internal, "internal", other.to_string()),
    }
}

/// The secret of the client is not sent: no person has said that it belongs to `issuer`, which `server` names.
pub(crate) fn not_confirmed(name: &str, server: &str, issuer: &str) -> CliError {
    CliError::usage("issuer-not-confirmed", format!("the client secret of {name} is not sent to {issuer}"))
        .why(format!("{server} names that authorization server, and it is not confirmed"))
        .next(format!("set \"issuer\": \"{issuer}\" in `oauth` of an entry of your own"))
}

/// A sign-in that has succeeded, in one line.
pub(crate) fn conclusion(server: &Description, signed_in: &SignedIn) -> String {
    let account = server.account.as_ref().map(|account| format!(", account {account},"));
    let mut text =
        format!("signed in to {}{} with {}", server.name, account.unwrap_or_default(), signed_in.issuer);
    if !signed_in.scopes.is_empty() {
        text.push_str(&format!(" ({})", signed_in.scopes.join(" ")));
    }
    if !signed_in.refreshable {
        match signed_in.expires_at {
            Some(at) => text.push_str(&format!("; sign in again after {}", rfc3339(at))),
            None => text.push_str("; until the server refuses it"),
        }
    }
    shown::line(&text)
}

/// There is nothing to sign in to.
fn refused(app: &App, configured: &ConfiguredServer, refusal: &LoginRefusal) -> CliError {
    let name = &configured.description.name;
    let (code, message) = match refusal {
        LoginRefusal::SwitchedOff => ("disabled", format!("{name} is switched off")),
        LoginRefusal::Withheld(reason) => {
            (reason.code.as_str(), format!("{name} cannot be signed in to: {}", reason.message))
        }
        LoginRefusal::Local => ("no-oauth", format!("{name} is a command, and commands have no sign-in")),
        LoginRefusal::NoOAuth(why) => ("no-oauth", format!("{name} does not use OAuth: {why}")),
        LoginRefusal::Unattended => {
            return CliError::usage(
                "no-sign-in-wanted",
                format!("{} signs in on its own", shown::name(name)),
            )
            .why("`auth` of its entry says where its credentials come from, and no person is asked")
            .next(status_of(app, name));
        }
        other => ("no-oauth", format!("{name} cannot be signed in to: {other}")),
    };
    let next = configured.offline_report().reason.and_then(|reason| reason.next);
    let exit = match refusal {
        LoginRefusal::Withheld(reason) => of_waiting_for_a_person(reason.code.status(), Some(reason.code)),
        _ => ExitStatus::Usage,
    };
    let error = CliError::new(exit, code, message);
    match (refusal, next) {
        (LoginRefusal::SwitchedOff, _) => CliError { next: switched_on_by(app, name), ..error },
        (_, Some(step)) => error.next(app.steps.words(&step, name)),
        (LoginRefusal::NoOAuth(why), None) => error.next(in_place_of_sign_in(app, name, *why)),
        // Nothing is wrong with it: how it is, is what there is to know.
        (_, None) => error.next(status_of(app, name)),
    }
}

/// What there is to do about a server whose plan has no place for a sign-in.
fn in_place_of_sign_in(app: &App, name: &str, why: LinkReason) -> PrintedStep {
    match why {
        LinkReason::SwitchedOff => app.steps.words(&NextStep::ChangeEntry { part: EntryPart::SignIn }, name),
        LinkReason::StaticAuthorization => {
            app.steps.words(&NextStep::ChangeEntry { part: EntryPart::Headers }, name)
        }
        LinkReason::HelperWithheld | LinkReason::UnattendedWithheld => {
            app.steps.words(&NextStep::Trust, name)
        }
        _ => status_of(app, name).into(),
    }
}

fn status_of(app: &App, name: &str) -> String {
    // The account that was said is said again, and no command about this server alone takes one.
    if app.account.is_some() {
        return "mcplink list".to_owned();
    }
    format!("mcplink status {}", mcp_text::shell_word(name))
}

/// What switches a server on, by where it was switched off.
fn switched_on_by(app: &App, name: &str) -> Option<PrintedStep> {
    app.load().ok().map(|loaded| loaded.switched_on_by(name))
}

/// Nothing says that there is a sign-in, and no person is there to find out.
pub(crate) fn not_published(app: &App, name: &str) -> CliError {
    let message = format!("{} publishes no sign-in", shown::name(name));
    CliError::new(ExitStatus::NeedsAuth, "no-sign-in-offered", message)
        .why("it asks for credentials, and neither it nor its origin says where to sign in")
        .next(app.steps.words(&NextStep::ChangeEntry { part: EntryPart::Credentials }, name))
}

fn not_wanted(name: &str) -> CliError {
    CliError::usage("no-sign-in-wanted", format!("{} wants no sign-in", shown::name(name)))
        .why("it is connected without one, and names no authorization server")
        .next(format!("mcplink tools {}", mcp_text::shell_word(name)))
}

/// The server does not work, and has no sign-in that would change this.
fn not_offered(app: &App, name: &str, report: &StatusReport) -> CliError {
    let exit = of_status(report.status, report.reason.as_ref().map(|reason| reason.code));
    let error = CliError::new(exit, "no-sign-in-offered", format!("{} offers no sign-in", shown::name(name)));
    let Some(reason) = &report.reason else { return error };
    let error = error.why(format!("it names no authorization server, and {}", reason.message));
    let next = reason.next.as_ref().map(|step| app.steps.words(step, name));
    CliError { next, ..error }
}

fn not_there(app: &App, name: &str, report: &StatusReport) -> CliError {
    let code = report.reason.as_ref().map(|reason| reason.code);
    let message = format!("{} is not there to sign in to", shown::name(name));
    let exit = of_status(report.status, code);
    let error = CliError::new(exit, code.map_or("unreachable", |code| code.as_str()), message);
    let Some(reason) = &report.reason else { return error };
    let next = reason.next.as_ref().map(|step| app.steps.words(step, name));
    CliError { next, ..error.why(reason.message.clone()) }
}

/// What makes the sign-in possible that failed, where that is known, or where only the entry can be wrong.
fn remedy(error: &AuthError) -> Option<NextStep> {
    match (error.login_remedy(), error.kind()) {
        (Some(remedy), _) => Some(NextStep::from(&sign_in_remedy(remedy))),
        (None, AuthErrorKind::Misconfigured) => Some(NextStep::ChangeEntry { part: EntryPart::SignIn }),
        (None, _) => None,
    }
}

/// A failed sign-in: what, why (with every cause, each already without secrets), next.
pub(crate) fn auth_error(app: &App, name: &str, error: &AuthError) -> CliError {
    failed(app, "signing in to", "login", name, error)
}

/// The same of another thing that is done to a sign-in, by the command `verb`.
pub(crate) fn failed(app: &App, doing: &str, verb: &str, name: &str, error: &AuthError) -> CliError {
    let (exit, code) = match error.kind() {
        AuthErrorKind::Misconfigured => (ExitStatus::Usage, "misconfigured"),
        AuthErrorKind::Unavailable => (ExitStatus::Failed, "authorization-server-unavailable"),
        AuthErrorKind::Tls => (ExitStatus::Failed, ReasonCode::Tls.as_str()),
        AuthErrorKind::Protocol => (ExitStatus::Protocol, "authorization-protocol"),
        AuthErrorKind::Refused => (ExitStatus::NeedsAuth, "sign-in-refused"),
        AuthErrorKind::Store => (ExitStatus::Internal, "token-store"),
        AuthErrorKind::StoreUnavailable => (ExitStatus::Failed, "token-store-unavailable"),
        AuthErrorKind::WrongAccount => (ExitStatus::NeedsAuth, "wrong-account"),
        _ => (ExitStatus::NeedsAuth, "sign-in-failed"),
    };
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let of_system = cause.downcast_ref::<std::io::Error>().map(mcp_files::reason);
        let cause_text = of_system.unwrap_or_else(|| cause.to_string());
        if !why.contains(&cause_text) {
            why.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    let word = mcp_text::shell_word(name);
    let words_of = |step: Option<NextStep>| app.steps.words(&step.unwrap_or(NextStep::AskOperator), name);
    let next = match (error.kind(), error.hint()) {
        // What failed says itself what mends it.
        (_, Some(hint)) => PrintedStep::Sentence(shown::line(hint)),
        // The same again would end as this did.
        _ if error.login_remedy().is_some() && verb == "login" => words_of(remedy(error)),
        // Nothing is wrong with the entry where a person declined, or took too long.
        (AuthErrorKind::Cancelled, _) if verb == "login" => {
            PrintedStep::Sentence("begin the sign-in once more, and finish it on the page".to_owned())
        }
        // The entry is right, and the person was another one.
        (AuthErrorKind::WrongAccount, _) if verb == "login" => PrintedStep::Sentence(
            "begin the sign-in once more, and choose the account that is expected on the page".to_owned(),
        ),
        // The disk is full, read-only, or another account's: the same command alone would fail again.
        (AuthErrorKind::Store, _) => format!("{SEE_TO_PLACE}, then mcplink {verb} {word}").into(),
        (AuthErrorKind::Unavailable, _) if verb == "login" && error.retry_after().is_some() => {
            let after = error.retry_after().unwrap_or_default();
            app.steps.words(&NextStep::ComeBack { after }, name)
        }
        // The same command is not a step, and nothing in the entry is wrong.
        (AuthErrorKind::Unavailable | AuthErrorKind::StoreUnavailable, _) if verb == "login" => {
            PrintedStep::Sentence("begin the sign-in once more in a moment".to_owned())
        }
        // It was not finished, or not answered: the same again may work.
        (AuthErrorKind::Cancelled | AuthErrorKind::Unavailable | AuthErrorKind::StoreUnavailable, _) => {
            format!("mcplink {verb} {word}").into()
        }
        // What is wrong with the entry, or who answered as no authorization server does.
        _ => words_of(remedy(error)),
    };
    CliError::new(exit, code, format!("{doing} {name} failed")).why(why).next(next)
}
