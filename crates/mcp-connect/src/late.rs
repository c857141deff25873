//! The secrets in the address of a server, or in what it is started with: read when a connection is made.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use mcp_auth::settings::{SourcedText, TextPart};
use mcp_auth::{AuthError, AuthErrorKind, AuthFuture, Secret, Target};
use mcp_config::{Env, SecretField, ServerEntry};
use mcp_transport::{Endpoint, LateEndpoint, StdioEndpoint};
use url::Url;

/// Variables that every shell and terminal sets for itself. No credential is found by them.
pub(crate) const OF_THE_TERMINAL: [&str; 6] = ["_", "SHLVL", "OLDPWD", "PWD", "COLUMNS", "LINES"];

/// What is read of an entry for each connection.
pub(crate) struct LateSecrets {
    places: Vec<(SecretField, SourcedText)>,
    target: Target,
}

/// What completes the endpoint of `entry`, where secrets are a part of it.
pub(crate) fn late(entry: &ServerEntry, target: Option<&Target>, env: &Env) -> Option<Arc<LateSecrets>> {
    let places = entry.secret_places(env);
    if places.is_empty() {
        return None;
    }
    let target = target.cloned().or_else(|| of_a_command(&entry.name))?;
    Some(Arc::new(LateSecrets { places, target }))
}

/// For whom a command for a secret runs where the server has no address.
pub(crate) fn of_a_command(name: &str) -> Option<Target> {
    Url::parse("stdio:").ok().map(|url| Target::new(name, url))
}

impl LateSecrets {
    /// The files by which it shows that one of them may be another one.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.places.iter().flat_map(|(_, text)| text.files())
    }

    async fn completed(&self, mut endpoint: Endpoint) -> Result<Endpoint, AuthError> {
        for (place, text) in &self.places {
            match (place, &mut endpoint) {
                (SecretField::Address, Endpoint::Http(http)) => {
                    http.url = self.address(text, &http.url).await?
                }
                (SecretField::Argument(index), Endpoint::Stdio(stdio)) => {
                    let value = self.resolved(text, stdio).await?;
                    if let Some(argument) = stdio.args.get_mut(*index) {
                        *argument = value.into();
                    }
                }
                (SecretField::Variable(name), Endpoint::Stdio(stdio)) => {
                    let value = self.resolved(text, stdio).await?;
                    stdio.env.insert(name.into(), value.into());
                }
                _ => {}
            }
        }
        Ok(endpoint)
    }

    /// A value for a local server, which is told it, and may repeat it.
    async fn resolved(&self, text: &SourcedText, stdio: &mut StdioEndpoint) -> Result<String, AuthError> {
        let mut value = String::new();
        for (part, secret) in self.parts(text).await? {
            if secret {
                stdio.secrets.insert_for_all(part.expose());
            }
            value.push_str(part.expose());
        }
        Ok(value)
    }

    /// The address with its secrets, each of which stays within its part of path or query.
    async fn address(&self, text: &SourcedText, before: &Url) -> Result<Url, AuthError> {
        let mut written = String::new();
        for (part, secret) in self.parts(text).await? {
            match secret {
                true => part.expose().bytes().for_each(|byte| encoded(byte, &mut written)),
                false => written.push_str(part.expose()),
            }
        }
        let url = Url::parse(&written).ok().and_then(|mut url| {
            // It is a header by now.
            let _ = mcp_auth::userinfo::take_userinfo(&mut url);
            (url.origin() == before.origin()).then_some(url)
        });
        url.ok_or_else(|| {
            AuthError::new(AuthErrorKind::Misconfigured, "put its secrets into the address of the server")
        })
    }

    /// The parts of a value, and whether each is a secret.
    async fn parts(&self, text: &SourcedText) -> Result<Vec<(Secret, bool)>, AuthError> {
        let mut parts = Vec::with_capacity(text.parts.len());
        for part in &text.parts {
            parts.push(match part {
                TextPart::Read { source, called } => (source.read(called, &self.target).await?, true),
                TextPart::Fixed(text) => (text.clone(), false),
                _ => continue,
            });
        }
        Ok(parts)
    }
}

/// Without what differs between any two terminals.
pub(crate) fn forget_terminal(environment: &mut BTreeMap<OsString, OsString>) {
    environment.retain(|name, _| !OF_THE_TERMINAL.iter().any(|own| name == own));
}

/// RFC 3986 section 2.3: everything else is written in hexadecimal, so that no secret begins another part of an address.
fn encoded(byte: u8, url: &mut String) {
    match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => url.push(char::from(byte)),
        _ => url.push_str(&format!("%{byte:02X}")),
    }
}

impl LateEndpoint for LateSecrets {
    fn complete(&self, endpoint: Endpoint) -> AuthFuture<'_, Endpoint> {
        Box::pin(self.completed(endpoint))
    }

    fn identify(&self, state: &mut dyn Hasher) {
        let mut places = self.places.clone();
        places
            .iter_mut()
            .flat_map(|(_, text)| text.commands_mut())
            .for_each(|command| forget_terminal(&mut command.env));
        let mut state = state;
        places.hash(&mut state);
    }
}

impl fmt::Debug for LateSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.places.iter().map(|(place, _)| place)).finish()
    }
}
