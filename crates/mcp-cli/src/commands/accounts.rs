//! `mcplink accounts [NAME|URL]`: the sign-ins that are kept. It reads their files, or the database that machines share:
//! no server is contacted, no keyring is asked, and no token is decoded.

use std::collections::BTreeSet;
use std::time::SystemTime;

use mcp_auth::AuthErrorKind;
use mcp_auth::oauth::Identity;
use mcp_auth::oauth::store::SignInRecord;
use serde::Serialize;

use crate::app::App;
use crate::args::AccountsArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::loaded::LoadedConfig;
use crate::shared_store;
use crate::view::shown;
use crate::view::text::columns;
use crate::view::time::{clock, rfc3339};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    accounts: Vec<AccountRow>,
    /// Files of the store that cannot be read, and why.
    unreadable: Vec<String>,
}

/// Who signed in.
#[derive(Debug, Serialize)]
struct AccountOwner {
    subject: Option<String>,
    name: Option<String>,
    organization: Option<String>,
}

/// One sign-in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountRow {
    /// The entry that it belongs to, whether there still is one of that name here.
    server: String,
    has_entry: bool,
    /// The URL that the tokens are for.
    url: String,
    /// The name that it was given, where there are several; `null` is the one without a name.
    account: Option<String>,
    /// By which way the server is reached, where the file of a project says that; it is used on no other.
    route: Option<String>,
    /// Who it is, as far as the tokens tell.
    who: Option<AccountOwner>,
    issuer: String,
    client_id: String,
    scopes: Vec<String>,
    obtained_at: String,
    expires_at: Option<String>,
    is_expired: bool,
    /// `null` where only the keyring knows.
    renewable: Option<bool>,
    renewals: u64,
    kept_in: &'static str,
    /// `null` where it is in a database.
    file: Option<String>,
}

pub(super) async fn run(app: &App, args: &AccountsArgs) -> Result<ExitStatus, CliError> {
    let loaded = app.load_as_is()?;
    let name = args.name.as_deref();
    let survey = app.host.sign_ins().await.map_err(|error| {
        // A database that does not answer now may answer the next time; a folder is looked for by its path.
        let (exit, next) = match error.kind() {
            AuthErrorKind::StoreUnavailable => (ExitStatus::Failed, "mcplink accounts"),
            _ => (ExitStatus::Internal, "mcplink paths"),
        };
        CliError::new(exit, "store", "the sign-ins cannot be read").why(error.to_string()).next(next)
    })?;
    let (mut kept, mut unreadable) = (Vec::new(), Vec::new());
    let mut cures = BTreeSet::new();
    for record in survey {
        match record {
            Ok(record) => kept.push(record),
            Err(error) => {
                unreadable.push(shown::line(&error.to_string()));
                cures.extend(error.hint().map(shown::line));
            }
        }
    }
    let account = app.host.options().account.as_deref();
    kept.retain(|record| {
        let is_asked_for = account.is_none_or(|account| record.key.account() == Some(account));
        is_asked_for && name.is_none_or(|name| is_meant(record, name))
    });
    if let (true, Some(name)) = (kept.is_empty(), name) {
        let is_known = loaded.entry(name).is_some() || loaded.is_address(name);
        if !is_known && unreadable.is_empty() {
            return Err(loaded.unknown(name));
        }
    }
    let now = SystemTime::now();
    if app.json {
        let accounts = kept.iter().map(|record| row(record, &loaded, now)).collect();
        app.print_json(&Document { schema_version: 1, accounts, unreadable });
        return Ok(ExitStatus::Success);
    }
    for error in &unreadable {
        app.output.note(&format!("warning: a sign-in is passed over: {error}\n"));
    }
    for cure in &cures {
        app.output.note(&format!("next: {cure}\n"));
    }
    match (kept.is_empty() && unreadable.is_empty(), name) {
        (true, None) => app.output.note("no sign-in is kept; `mcplink login NAME` makes one\n"),
        (true, Some(name)) => app.output.note(&format!(
            "no sign-in of {} is kept; `{}` makes one\n",
            shown::name(name),
            app.steps.line(&format!("mcplink login {}", mcp_text::shell_word(name)))
        )),
        _ => {}
    }
    let several = kept.len() > 1;
    for (number, record) in kept.iter().enumerate() {
        if number > 0 {
            app.output.out("\n");
        }
        app.output.out(&block(record, &loaded, now, app));
    }
    if several {
        app.output.note("\nan end: mcplink logout NAME\n");
    }
    Ok(ExitStatus::Success)
}

/// The sign-ins, for a report to another person; none where the files cannot be listed.
pub(super) async fn rows(app: &App, loaded: &LoadedConfig) -> Vec<impl Serialize> {
    let now = SystemTime::now();
    let survey = app.host.sign_ins().await.unwrap_or_default();
    survey.iter().flatten().map(|record| row(record, loaded, now)).collect::<Vec<_>>()
}

/// Whether a sign-in is of this server, or for this URL.
fn is_meant(record: &SignInRecord, name: &str) -> bool {
    record.key.server_name() == name || mcp_config::display_url(record.key.resource()) == name
}

fn row(record: &SignInRecord, loaded: &LoadedConfig, now: SystemTime) -> AccountRow {
    AccountRow {
        server: record.key.server_name().to_owned(),
        has_entry: loaded.config.entry(record.key.server_name()).is_some(),
        url: mcp_config::display_url(record.key.resource()),
        account: record.key.account().map(str::to_owned),
        route: record.key.route().map(str::to_owned),
        who: record.identity.as_ref().map(|identity| AccountOwner {
            subject: identity.subject.clone(),
            name: identity.names.first().cloned(),
            organization: identity.organizations.first().cloned(),
        }),
        issuer: mcp_config::display_url(record.key.issuer()),
        client_id: record.client_id.clone(),
        scopes: record.scopes.clone(),
        obtained_at: rfc3339(record.obtained_at),
        expires_at: record.expires_at.map(rfc3339),
        is_expired: record.expires_at.is_some_and(|at| at <= now),
        renewable: record.is_renewable,
        renewals: record.renewals,
        kept_in: record.place.as_str(),
        file: record.file.as_ref().map(|file| file.display().to_string()),
    }
}

/// A sign-in for people: whose it is, and a line for each fact.
fn block(record: &SignInRecord, loaded: &LoadedConfig, now: SystemTime, app: &App) -> String {
    let row = row(record, loaded, now);
    let style = app.style();
    let entry = if row.has_entry { "" } else { "  (no entry of this name here)" };
    let account = row.account.map(|account| format!("  account {}", shown::line(&account)));
    let scopes = if row.scopes.is_empty() { "none were named".to_owned() } else { row.scopes.join(" ") };
    let who = record.identity.as_ref().map_or_else(|| "not told".to_owned(), Identity::to_line);
    let facts = [
        ("for", row.url),
        ("who", who),
        ("only by", row.route.unwrap_or_default()),
        ("from", row.issuer),
        ("client", row.client_id),
        ("scopes", scopes),
        ("token", until(record, now)),
        ("kept in", format!("{}: {}", row.kept_in, row.file.as_deref().unwrap_or(shared_store::URL))),
    ];
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    let facts = facts.map(|(label, value)| [format!("  {label}"), shown::line(&value)]);
    format!(
        "{}{}{entry}\n{}",
        style.bold(&shown::name(&row.server)),
        account.unwrap_or_default(),
        columns(facts, style.plain_labels())
    )
}

/// Until when the token is good, and what comes then.
fn until(record: &SignInRecord, now: SystemTime) -> String {
    let since = format!("since {}", clock(record.obtained_at, now));
    let end = match record.expires_at {
        None => "used until refused".to_owned(),
        Some(at) if at <= now => format!("ended {}", clock(at, now)),
        Some(at) => format!("good until {}", clock(at, now)),
    };
    let renewed = match record.is_renewable {
        Some(true) => "renewed automatically",
        Some(false) => "not renewed: sign in again then",
        None => "whether it is renewed, the keyring knows",
    };
    format!("{since}, {end}; {renewed}")
}
