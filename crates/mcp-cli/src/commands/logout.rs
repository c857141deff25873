//! `mcplink logout NAME`: revokes the tokens where that is possible, and forgets them in any case.

use mcp_auth::oauth::Revocation;
use mcp_connect::LoginError;
use mcp_text::shell_word;
use serde_json::json;

use super::login::failed;
use crate::app::App;
use crate::args::LogoutArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::loaded::LoadedConfig;
use crate::sign_in::attempt;
use crate::view::shown;

pub(super) async fn run(app: &App, args: &LogoutArgs) -> Result<ExitStatus, CliError> {
    let name = &args.name;
    let (loaded, without_entry) = app.load_with_kept(std::slice::from_ref(name)).await?;
    let configured = loaded.known(app, name).await?;
    let Some(auth) = &configured.auth else {
        return Err(CliError::usage(
            "no-oauth",
            format!("{name} is a command, and commands have no sign-in"),
        )
        .next("mcplink list"));
    };
    if let Some(done) = app.host.plugin_sign_out(&configured).await {
        done.map_err(|error| match error {
            LoginError::Failed(error) => failed(app, "signing out of", "logout", name, &error),
            other => attempt::login_error(app, &configured, other),
        })?;
        if app.json {
            app.print_json(
                &json!({"schemaVersion": 1, "name": name, "forgotten": 1, "clientSecretForgotten": false,
                    "revocations": [], "others": []}),
            );
        } else {
            app.output.out(&format!("signed out of {}\n", shown::name(name)));
        }
        return Ok(ExitStatus::Success);
    }
    let login = auth.sign_in(&app.host);
    // Of what has no entry, no account is meant more than another.
    let done = match (args.no_revoke, args.all || without_entry.contains(name)) {
        (true, true) => login.forget_all().await,
        (true, false) => login.forget().await,
        (false, true) => login.logout_all().await,
        (false, false) => login.logout().await,
    };
    let done = done.map_err(|error| failed(app, "signing out of", "logout", name, &error))?;
    let outcomes: Vec<(String, String)> = done
        .revocations
        .iter()
        .map(|(issuer, outcome)| {
            let text = match outcome {
                Revocation::Revoked => "revoked".to_owned(),
                Revocation::NotOffered => "not-offered".to_owned(),
                Revocation::OfAnother => "of-another-sign-in".to_owned(),
                Revocation::Failed(error) => format!("failed: {error}"),
                _ => "unknown".to_owned(),
            };
            (issuer.clone(), text)
        })
        .collect();
    if app.json {
        let revocations: Vec<_> =
            outcomes.iter().map(|(issuer, outcome)| json!({"issuer": issuer, "outcome": outcome})).collect();
        app.print_json(&json!({"schemaVersion": 1, "name": name, "forgotten": done.forgotten,
                "clientSecretForgotten": done.secret_forgotten, "revocations": revocations,
                "others": done.others}));
        return Ok(ExitStatus::Success);
    }
    if done.forgotten == 0 {
        app.output.out(&format!("{} had no sign-in\n", shown::name(name)));
    } else {
        app.output.out(&format!("signed out of {}\n", shown::name(name)));
    }
    for note in sharing(&loaded, name, &done.others) {
        app.output.note(&note);
    }
    if done.unreadable > 0 {
        app.output.note("note: what was kept of it could not be read, and so could not be revoked\n");
    }
    if done.secret_forgotten {
        app.output.note("note: the client secret that was kept for it is removed, too\n");
    }
    for (issuer, outcome) in &outcomes {
        match outcome.as_str() {
            "revoked" => {}
            "of-another-sign-in" => app.output.note(&note_of(&format!(
                "note: the access token is one of a sign-in of another server at {issuer}, which a revocation would end; it \
                 works until it expires"
            ))),
            "not-offered" => app.output.note(&note_of(&format!(
                "note: {issuer} offers no revocation; the access token works until it expires"
            ))),
            _ => {
                app.output.note(&note_of(&format!("warning: {issuer} did not revoke the tokens: {outcome}")))
            }
        }
    }
    Ok(ExitStatus::Success)
}

/// What a shared sign-in (`oauth.share`) makes of the end of one: who still has it, and what ends that as well.
fn sharing(loaded: &LoadedConfig, name: &str, others: &[String]) -> Vec<String> {
    let shares = |name: &str| {
        let remote = loaded.entry(name).and_then(|entry| entry.remote());
        remote.and_then(|remote| remote.oauth.as_ref()).is_some_and(|oauth| oauth.shares_issuer)
    };
    let (sharing, signed_in): (Vec<_>, Vec<_>) = others.iter().partition(|other| shares(other));
    let ended = |names: &[&String]| {
        names
            .iter()
            .map(|name| format!("mcplink logout {}", shell_word(name)))
            .collect::<Vec<_>>()
            .join(" && ")
    };
    let named = |names: &[&String]| {
        names.iter().map(|name| shown::name(name).to_string()).collect::<Vec<_>>().join(", ")
    };
    let mut notes = Vec::new();
    if shares(name) && !signed_in.is_empty() {
        notes.push(format!(
            "note: {} shares the sign-in of {}, and is signed in by it again at its next connection; to end that: {}\n",
            shown::name(name),
            named(&signed_in),
            ended(&signed_in)
        ));
    }
    if !sharing.is_empty() {
        notes.push(format!(
            "note: {} may have a token of the same sign-in (oauth.share), which is kept; to end that: {}\n",
            named(&sharing),
            ended(&sharing)
        ));
    }
    notes
}

fn note_of(text: &str) -> String {
    format!("{}\n", shown::line(text))
}
