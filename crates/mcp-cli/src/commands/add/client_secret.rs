//! The secret of a client that is registered beforehand: typed unseen, and kept with the sign-ins, in no file of servers.

use mcp_auth::Secret;
use mcp_auth::oauth::store::{ClientKey, StoredClient};

use crate::app::App;
use crate::args::AddArgs;
use crate::confirmation::Answers;
use crate::error::CliError;
use crate::view::shown;
use crate::written::written;

/// A client with the secret that was typed for it.
#[derive(Debug)]
pub(super) struct TypedClient {
    server: String,
    client: StoredClient,
}

/// Asks at a terminal for the secret of the client that `args` name; none where it is in the environment, or left for later.
pub(super) async fn ask(app: &App, args: &AddArgs, server: &str) -> Option<TypedClient> {
    let id = args.oauth.client_id.as_deref().filter(|_| args.oauth.client_secret)?;
    if !app.asks() || args.write.dry_run || app.environment.text("MCP_CLIENT_SECRET").is_some() {
        return None;
    }
    let mut answers = Answers::of_terminal();
    let question = format!("Secret of the client {} (it is not shown; Enter for later): ", shown::line(id));
    let secret = answers.unseen_line(|| app.output.error(&question)).await;
    app.output.error("\n");
    let secret = secret.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())?;
    let mut client = StoredClient::new(id, server);
    client.client_secret = Some(Secret::new(secret));
    Some(TypedClient { server: server.to_owned(), client })
}

impl TypedClient {
    /// Keeps it where the sign-ins are.
    pub(super) async fn keep(&self, app: &App) -> Result<(), CliError> {
        let (store, key) = (app.host.token_store(), ClientKey::configured(&self.server));
        let saved = async {
            let _guard = store.lock_client(&key).await?;
            store.save_client(&key, &self.client).await
        };
        saved.await.map_err(|error| {
            CliError::usage(
                "secret-not-kept",
                "the server is added, and the secret of its client is not kept",
            )
            .why(shown::line(&error.to_string()))
            .next("set MCP_CLIENT_SECRET wherever mcplink runs")
        })?;
        let command = written(&format!("mcplink reset {}", mcp_text::shell_word(&self.server)));
        app.output
            .note(&format!("note: the secret of its client is kept with the sign-ins, until {command}\n"));
        Ok(())
    }
}
