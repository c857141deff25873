//! `mcplink secret set|list|delete`: secrets that entries refer to by `${keyring:SERVICE/NAME}`. A value is typed unseen or read
//! from stdin; it is never an argument, which other accounts can see, and never printed.

use std::io::Read as _;

use mcp_auth::Secret;
use mcp_auth::secret_store::{MAX_BYTES, SERVICE, SecretBackend, SecretRecord, SecretStore};
use serde::Serialize;

use crate::app::App;
use crate::args::{SecretAction, SecretArgs};
use crate::confirmation::Answers;
use crate::error::{CliError, SEE_TO_PLACE};
use crate::exit::ExitStatus;
use crate::printed_step::PrintedStep;
use crate::secret_name::{self, is_plain};
use crate::view::shown;
use crate::view::text::columns;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    secrets: Vec<SecretRow>,
}

/// One secret, without what it says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecretRow {
    service: String,
    name: String,
    reference: String,
    kept_in: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SetDocument {
    schema_version: u32,
    #[serde(flatten)]
    secret: SecretRow,
    replaced: bool,
    /// Why the keyring did not take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not_keyring: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteDocument {
    schema_version: u32,
    service: String,
    name: String,
    deleted: bool,
}

pub(super) async fn run(app: &App, args: &SecretArgs) -> Result<ExitStatus, CliError> {
    let store = SecretStore::new(app.host.options().state_dir.clone());
    match (args.action, &args.name) {
        (SecretAction::List, None) => list(app, &store).await,
        (SecretAction::List, Some(_)) => {
            Err(CliError::usage("usage", "`secret list` takes no name").next("mcplink secret list"))
        }
        (SecretAction::Set, Some(name)) => set(app, &store, &Item::parse(name)?).await,
        (SecretAction::Delete, Some(name)) => delete(app, &store, &Item::parse(name)?).await,
        (action, None) => {
            let action = if action == SecretAction::Set { "set" } else { "delete" };
            Err(CliError::usage("usage", format!("`secret {action}` needs a name"))
                .next("mcplink secret list"))
        }
    }
}

/// A name of a secret, as a command has it and as a reference has it.
struct Item {
    service: String,
    name: String,
}

impl Item {
    /// `NAME`, or `SERVICE/NAME`.
    fn parse(text: &str) -> Result<Self, CliError> {
        let (service, name) = text.split_once('/').unwrap_or((SERVICE, text));
        if text.is_empty() {
            return Err(CliError::usage("invalid-name", "the name of the secret is empty")
                .why("a secret is kept by its name: NAME, or SERVICE/NAME")
                .next("mcplink secret --help"));
        }
        if !is_plain(service) || !is_plain(name) {
            return Err(CliError::usage(
                "invalid-name",
                format!("{} is not a name of a secret", mcp_text::shell_word(&shown::name(text))),
            )
            .why(match text.len() > secret_name::MAX {
                true => format!("a name has at most {} bytes", secret_name::MAX),
                false => "a name has no blanks, braces or `$`: NAME, or SERVICE/NAME".to_owned(),
            })
            .next("mcplink secret list"));
        }
        if service == mcp_config::Locations::NAME {
            return Err(CliError::usage("invalid-name", format!("{service} is where sign-ins are kept"))
                .why("a secret of a service of its own can be referred to, a sign-in cannot")
                .next(format!("mcplink secret set {}", mcp_text::shell_word(name))));
        }
        Ok(Self { service: service.to_owned(), name: name.to_owned() })
    }

    /// As `secret` takes it.
    fn argument(&self) -> String {
        secret_name::argument(&self.service, &self.name)
    }

    fn reference(&self) -> String {
        format!("${{keyring:{}/{}}}", self.service, self.name)
    }

    fn row(&self, backend: SecretBackend) -> SecretRow {
        let kept_in = if backend == SecretBackend::Keyring { "keyring" } else { "file" };
        SecretRow {
            service: self.service.clone(),
            name: self.name.clone(),
            reference: self.reference(),
            kept_in,
        }
    }
}

async fn set(app: &App, store: &SecretStore, item: &Item) -> Result<ExitStatus, CliError> {
    let secret = Secret::new(value(app, item).await?);
    let kept =
        store.write(&item.service, &item.name, &secret).await.map_err(|error| not_kept(&error, item))?;
    let file = store.file().map(|file| file.display().to_string()).unwrap_or_default();
    if app.json {
        let why_not_keyring = kept.why_not_keyring.as_deref().map(shown::line);
        let secret = item.row(kept.backend);
        app.print_json(&SetDocument { schema_version: 1, secret, replaced: kept.replaced, why_not_keyring });
        return Ok(ExitStatus::Success);
    }
    if let Some(why) = kept.why_not_keyring.as_ref().filter(|_| !kept.beside_others) {
        // Once, with the first one that is kept there: its later readers cannot change it.
        app.output.note(&format!(
            "note: the keyring did not take it ({}), so it is in {}, which only you can read\n",
            shown::line(why),
            shown::line(&file)
        ));
    }
    let done = if kept.replaced { "replaced" } else { "kept" };
    app.output.out(&format!("{done}: an entry refers to it by {}\n", item.reference()));
    Ok(ExitStatus::Success)
}

/// What the secret is: typed unseen, or from stdin.
async fn value(app: &App, item: &Item) -> Result<String, CliError> {
    let text = if app.asks() {
        let question = format!("Value of {} (it is not shown): ", item.argument());
        let typed = Answers::of_terminal().unseen_line(|| app.output.error(&question)).await;
        app.output.error("\n");
        typed.unwrap_or_default()
    } else {
        let read = tokio::task::spawn_blocking(|| {
            let mut bytes = Vec::new();
            std::io::stdin().take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
        });
        let read = read.await.map_err(|_| CliError::usage("no-value", "stdin cannot be read"))?;
        let bytes = read.map_err(|error| {
            CliError::usage("no-value", "stdin cannot be read").why(mcp_files::reason(&error))
        })?;
        String::from_utf8(bytes)
            .map_err(|_| CliError::usage("no-value", "the value on stdin is not UTF-8"))?
    };
    if text.len() > MAX_BYTES {
        return Err(CliError::usage(
            "too-large",
            format!("the value is longer than {} KiB", MAX_BYTES >> 10),
        ));
    }
    // A line break behind it is the shell's, or the editor's.
    let text = text.trim_matches(['\r', '\n']);
    if text.trim().is_empty() {
        return Err(CliError::usage("no-value", "there is no value")
            .why("it is read from stdin, or typed at a terminal")
            .next(format!("printf %s \"$VALUE\" | mcplink secret set {}", item.argument())));
    }
    Ok(text.to_owned())
}

async fn list(app: &App, store: &SecretStore) -> Result<ExitStatus, CliError> {
    let records = store.list().await.map_err(|error| unreadable(&error))?;
    let items = records
        .into_iter()
        .map(|SecretRecord { service, name, backend, .. }| (Item { service, name }, backend));
    let items: Vec<_> = items.collect();
    if app.json {
        let secrets = items.iter().map(|(item, backend)| item.row(*backend)).collect();
        app.print_json(&Document { schema_version: 1, secrets });
        return Ok(ExitStatus::Success);
    }
    if items.is_empty() {
        app.output.note("no secret is kept; `mcplink secret set NAME` keeps one\n");
        return Ok(ExitStatus::Success);
    }
    let rows = items.iter().map(|(item, backend)| {
        let row = item.row(*backend);
        [shown::line(&item.argument()), format!("in the {}", row.kept_in), shown::line(&row.reference)]
    });
    app.output.out(&columns(rows, app.style().plain_labels()));
    Ok(ExitStatus::Success)
}

async fn delete(app: &App, store: &SecretStore, item: &Item) -> Result<ExitStatus, CliError> {
    let deleted = store.delete(&item.service, &item.name).await.map_err(|error| not_kept(&error, item))?;
    if !deleted {
        return Err(CliError::usage(
            "unknown-secret",
            format!("there is no secret {}", shown::name(&item.name)),
        )
        .next("mcplink secret list"));
    }
    if app.json {
        let (service, name) = (item.service.clone(), item.name.clone());
        app.print_json(&DeleteDocument { schema_version: 1, service, name, deleted });
        return Ok(ExitStatus::Success);
    }
    app.output.out(&format!("forgotten: {}\n", shown::line(&item.argument())));
    Ok(ExitStatus::Success)
}

/// The names of the secrets that are kept, as `secret` takes them.
pub(super) async fn names(app: &App) -> Vec<(String, String)> {
    let store = SecretStore::new(app.host.options().state_dir.clone());
    let records = store.list().await.unwrap_or_default();
    let item = |record: SecretRecord| Item { service: record.service, name: record.name };
    records.into_iter().map(item).map(|item| (item.argument(), item.reference())).collect()
}

fn unreadable(error: &mcp_auth::AuthError) -> CliError {
    CliError::new(ExitStatus::Internal, "store", "the secrets cannot be read")
        .why(shown::line(&error.to_string()))
        .next(
            error
                .hint()
                .map_or_else(|| "mcplink paths".into(), |hint| PrintedStep::Sentence(shown::line(hint))),
        )
}

fn not_kept(error: &mcp_auth::AuthError, item: &Item) -> CliError {
    CliError::new(
        ExitStatus::Internal,
        "store",
        format!("the secret {} is as it was", shown::name(&item.name)),
    )
    .why(shown::line(&error.to_string()))
    .next(match error.hint() {
        Some(hint) => PrintedStep::Sentence(shown::line(hint)),
        None => format!("{SEE_TO_PLACE}, then repeat it").into(),
    })
}
