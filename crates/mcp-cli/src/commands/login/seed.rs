//! `login NAME --from-stdin`: a sign-in that was made elsewhere, for pipelines and machines without a person.

use std::io::{IsTerminal as _, Read as _};

use mcp_auth::Secret;
use mcp_auth::oauth::{SignInSeed, SignedIn};
use mcp_connect::ConfiguredServer;

use super::{SignInSteps, attempt, auth_error};
use crate::app::App;
use crate::error::CliError;
use crate::view::shown;

/// Longer than any sign-in, so that too long a one is told.
const MOST: u64 = 70 << 10;

pub(super) async fn sign_in(app: &App, configured: &ConfiguredServer) -> Result<SignedIn, CliError> {
    let name = &configured.description.name;
    attempt::check(app, configured)?;
    // Security: what is typed is seen, and kept by the terminal.
    if std::io::stdin().is_terminal() {
        return Err(CliError::usage(
            "usage",
            "--from-stdin reads a pipe or a file, and standard input is a terminal",
        )
        .next(format!("mcplink login {} --from-stdin < FILE", mcp_text::shell_word(name))));
    }
    let seed = read().await.and_then(|text| SignInSeed::parse(&text).map_err(|error| error.to_string()));
    let seed = seed.map_err(|why| {
        CliError::usage("invalid-sign-in", "standard input has no sign-in")
            .why(why)
            .next("mcplink login --help")
    })?;
    let steps = SignInSteps::new(app.reached.clone(), name, " --from-stdin");
    steps.discovers(configured.auth.as_ref().map_or("the server", |auth| &auth.origin));
    let login = attempt::begun(app, configured).await?;
    if let Some(issuer) = login.unconfirmed_issuer().map(shown::line) {
        return Err(attempt::not_confirmed(name, login.origin(), &issuer));
    }
    login.complete_with_seed(seed).await.map_err(|error| auth_error(app, name, &error))
}

/// What stands on standard input, or why it cannot be read.
async fn read() -> Result<Secret, String> {
    let read = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        std::io::stdin().take(MOST).read_to_string(&mut text).map(|_| Secret::new(text))
    });
    match read.await {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(mcp_files::reason(&error)),
        Err(_) => Err("it cannot be read".to_owned()),
    }
}
