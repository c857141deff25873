//! The secrets that an entry refers to, each looked up by itself.

use mcp_auth::Target;
use mcp_auth::settings::{SecretSource, TextPart};
use mcp_config::{Env, ServerEntry};

use super::check::{Check, CheckState, CheckTopic};
use crate::late::of_a_command;

/// A secret that an entry refers to.
pub(super) struct ReferredSecret {
    /// The reference, its field and its place.
    called: String,
    /// Whether it can be read; none for a command, which runs no more often than for any other attempt.
    read: Option<Result<(), String>>,
}

impl ReferredSecret {
    /// Those of `entry`, outside of its `auth`, each once.
    pub(super) async fn all(entry: &ServerEntry, env: &Env) -> Vec<Self> {
        let lowered = entry.lower(env);
        let target = lowered.as_ref().map(|(target, _)| target.clone()).or_else(|| of_a_command(&entry.name));
        let settings = lowered.map(|(_, settings)| settings).unwrap_or_default();
        let headers = settings.sourced_headers.into_iter().map(|(_, text)| text);
        let client = settings.oauth.and_then(|oauth| oauth.client_secret_source);
        let places = entry.secret_places(env).into_iter().map(|(_, text)| text);
        let mut found: Vec<Self> = Vec::new();
        for part in places.chain(headers).chain(client).flat_map(|text| text.parts) {
            let TextPart::Read { source, called } = part else { continue };
            if found.iter().any(|known| known.called == called) {
                continue;
            }
            let read = match (&source, &target) {
                (SecretSource::Command(_), _) | (_, None) => None,
                (source, Some(target)) => Some(looked_up(source, &called, target).await),
            };
            found.push(Self { called, read });
        }
        found
    }

    /// What was found, `failure` being what the attempt says of credentials that could not be obtained.
    pub(super) fn check(&self, failure: Option<&str>) -> Check {
        let topic = CheckTopic::Secret;
        match (&self.read, failure) {
            (Some(Err(why)), _) => Check::bad(topic, why),
            (_, Some(message)) if message.contains(&self.called) => Check::bad(topic, message),
            (Some(Ok(())), _) => Check::good(topic, &*self.called),
            (None, None) => Check::good(topic, format!("{}: it ran", self.called)),
            (None, Some(_)) => {
                Check::new(topic, CheckState::Skipped, format!("{}: did not run", self.called))
            }
        }
    }

    /// Whether this message is about it.
    pub(super) fn is_blamed(&self, message: &str) -> bool {
        message.contains(&self.called)
    }
}

async fn looked_up(source: &SecretSource, called: &str, target: &Target) -> Result<(), String> {
    source.read(called, target).await.map(|_| ()).map_err(|error| format!("failed to {error}"))
}
