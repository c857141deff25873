//! A sign-in that a plug-in does with a person: it says in its `hello` that it can, and what it keeps is its own.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{AuthError, AuthErrorKind, PluginPrompt, PluginSpec, Target, elsewhere, offers, started};

/// How long a person has.
const PATIENCE: Duration = Duration::from_secs(300);

/// Has the plug-in of `spec` sign a person in for `target`; `show` is told what there is for the person to do. The process is
/// one of its own, and ends with it.
///
/// # Errors
///
/// [`AuthErrorKind::Misconfigured`] where the plug-in has no `login`, what it says itself, or that it hangs (after 5 minutes),
/// ends or breaks the protocol.
pub async fn sign_in(
    spec: &PluginSpec,
    target: &Target,
    show: &(dyn Fn(PluginPrompt) + Send + Sync),
) -> Result<(), AuthError> {
    asked(spec, target, "login", PATIENCE, show).await.map(drop)
}

/// Has the plug-in of `spec` forget the sign-in for `target`.
///
/// # Errors
///
/// As for [`sign_in`], of `logout`, and within the limit of its other answers.
pub async fn sign_out(spec: &PluginSpec, target: &Target) -> Result<(), AuthError> {
    asked(spec, target, "logout", spec.command.timeout, &|_| {}).await.map(drop)
}

async fn asked(
    spec: &PluginSpec,
    target: &Target,
    method: &'static str,
    limit: Duration,
    show: &(dyn Fn(PluginPrompt) + Send + Sync),
) -> Result<Map<String, Value>, AuthError> {
    let (mut process, hello) = started(spec, target).await?;
    if !offers(&hello, method) {
        process.stop().await;
        let message = format!("ask the plug-in {} for a {method}: it has none", spec.called());
        return Err(AuthError::new(AuthErrorKind::Misconfigured, message).with_hint(elsewhere(spec)));
    }
    match process.ask_within(limit, method, json!({}), show).await {
        Ok(answer) => {
            process.stop().await;
            Ok(answer)
        }
        Err(failure) => Err(process.end(spec, method, failure).await),
    }
}
