//! `login NAME` where a plug-in has the credentials: it signs the person in, and says here what there is to do.

use mcp_auth::plugin::PluginPrompt;
use mcp_connect::ConfiguredServer;
use serde_json::json;

use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::sign_in::attempt;
use crate::view::shown;

/// Signs a person in by the plug-in of the entry; `None` where it has none.
pub(super) async fn sign_in(app: &App, configured: &ConfiguredServer) -> Option<Result<(), CliError>> {
    let name = &configured.description.name;
    if app.non_interactive && configured.has_plugin() {
        let message = format!("only a person can sign in to {}", shown::name(name));
        let error = CliError::new(ExitStatus::NeedsAuth, "needs-a-person", message);
        let next = format!("mcplink get {}", mcp_text::shell_word(name));
        return Some(Err(error.why("--non-interactive says that there is none").next(next)));
    }
    let show = |prompt: PluginPrompt| {
        if app.json {
            let line = json!({ "prompt": { "kind": "plugin", "message": prompt.message, "url": prompt.url, "code": prompt.code } });
            app.output.error(&format!("{}\n", mcp_text::json(&line.to_string())));
        } else {
            let parts = [Some(prompt.message), prompt.url, prompt.code.map(|code| format!("code: {code}"))];
            for part in parts.into_iter().flatten().filter(|part| !part.is_empty()) {
                app.output.error(&format!("{}\n", shown::line(&part)));
            }
        }
    };
    let signed_in = Box::pin(app.host.plugin_sign_in(configured, &show)).await?;
    Some(signed_in.map_err(|error| attempt::login_error(app, configured, error)))
}

pub(super) fn told(configured: &ConfiguredServer) -> String {
    let account = configured.description.account.as_ref().map(|account| format!(", account {account},"));
    shown::line(&format!(
        "signed in to {}{} by its plug-in",
        configured.description.name,
        account.unwrap_or_default()
    ))
}

/// For a program: what the plug-in keeps is its own.
pub(super) fn row(configured: &ConfiguredServer) -> serde_json::Value {
    json!({
        "name": configured.description.name,
        "account": configured.description.account,
        "signedIn": true,
        "who": null,
        "issuer": null,
        "scopes": [],
        "expiresAt": null,
        "refreshable": true,
    })
}
