//! Providers of credentials of the program's own, which entries name: `"auth": {"type": "acme", ...}`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use mcp_auth::settings::CustomSpec;
use mcp_auth::{AuthError, AuthProvider, AuthSettings, Secret, Target};
use mcp_config::entry::Extra;
use mcp_config::{Config, Problem, ServerEntry};
use serde::Deserialize;

use crate::description::at;

/// The field of an entry that names a provider of the program's own in its member `type`, and has its settings beside that.
/// With `grant` or `file` in the place of `type` it is this crate's to read, whatever the program has.
pub const AUTH_FIELD: &str = "auth";

/// What makes a provider for one server.
pub type ProviderFactory =
    dyn Fn(ProviderRequest<'_>) -> Result<Arc<dyn AuthProvider>, ProviderError> + Send + Sync;

/// A server whose entry names a provider of the program's own.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProviderRequest<'a> {
    /// Whose credentials they are.
    pub target: &'a Target,
    /// The entry.
    pub entry: &'a ServerEntry,
    /// What it says to the provider, `type` included: [`Extra::read`] makes a type of it.
    pub settings: &'a Extra,
    /// Whether the entry is the person's own, or that of a folder that the person trusts. What another person wrote should not
    /// decide about a command that runs, or which of a person's secrets is sent.
    pub is_trusted: bool,
}

/// Why a provider could not be made: the server is not contacted then.
#[derive(Clone, Debug)]
pub struct ProviderError(Cause);

#[derive(Clone, Debug)]
enum Cause {
    Settings(Box<Problem>),
    Auth(AuthError),
}

impl From<Box<Problem>> for ProviderError {
    fn from(problem: Box<Problem>) -> Self {
        Self(Cause::Settings(problem))
    }
}

impl From<AuthError> for ProviderError {
    fn from(error: AuthError) -> Self {
        Self(Cause::Auth(error))
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Settings(problem) => problem.fmt(f),
            Cause::Auth(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ProviderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Cause::Settings(_) => None,
            Cause::Auth(error) => error.source(),
        }
    }
}

/// The providers of the program's own, by the `type` that entries name them by.
#[derive(Clone, Default)]
pub struct Providers(BTreeMap<String, Arc<ProviderFactory>>);

impl Providers {
    /// With what makes the providers of this type.
    #[must_use]
    pub fn with(
        mut self,
        kind: impl Into<String>,
        make: impl Fn(ProviderRequest<'_>) -> Result<Arc<dyn AuthProvider>, ProviderError> + Send + Sync + 'static,
    ) -> Self {
        self.0.insert(kind.into(), Arc::new(make));
        self
    }

    /// The provider that `entry` names, which from then on is a part of `settings`; an error is why there is none, with file
    /// and line.
    pub(crate) fn make(
        &self,
        target: &Target,
        entry: &ServerEntry,
        config: &Config,
        settings: &mut AuthSettings,
    ) -> Result<Option<Arc<dyn AuthProvider>>, String> {
        // A grant or a file is not one of the program's own: it has no `type`.
        let Some(extra) = entry.extra(AUTH_FIELD).filter(|_| settings.unattended.is_none()) else {
            return Ok(None);
        };
        let Kind { kind } = extra.read().map_err(|problem| problem.to_line())?;
        let Some(make) = self.0.get(&kind) else {
            let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
            let kind = mcp_text::name(&kind, 60);
            let message = format!("this program has no provider {kind:?}; it has {}", known.join(", "));
            return Err(extra.refuse(message).to_line());
        };
        let is_trusted = config.trusts(entry);
        let made = make(ProviderRequest { target, entry, settings: extra, is_trusted });
        let provider = made.map_err(|error| match error.0 {
            Cause::Settings(problem) => problem.to_line(),
            Cause::Auth(error) => format!("{}: failed to {error}", at(entry)),
        })?;
        settings.custom = Some(CustomSpec::new(provider.name()).with_settings(Secret::new(extra.json())));
        Ok(Some(provider))
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Providers").field(&self.0.keys()).finish()
    }
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}
