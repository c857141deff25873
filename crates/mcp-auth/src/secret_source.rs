//! Reading a secret where it is: at the moment it is needed, so that one that was replaced is taken as it is now.

use std::path::Path;

use mcp_files::Policy;

use crate::oauth::AssertionSource;
use crate::secret_store::SecretStore;
use crate::settings::{SecretSource, SourcedText, TextPart};
use crate::{AuthError, AuthErrorKind, AuthFuture, Secret, Target, helper};

/// No token and no key is longer.
const MAX_BYTES: u64 = 64 * 1024;

impl SecretSource {
    /// The secret as it is now. `what` says whose it is in an error, such as "the client's secret".
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::SourceFailed`]: the variable is not set, the file cannot be read, the command failed, or there is
    /// nothing in its place. No error repeats any of it.
    pub async fn read(&self, what: &str, target: &Target) -> Result<Secret, AuthError> {
        match self {
            Self::Value(secret) => Ok(secret.clone()),
            Self::Variable { name, value: None } => {
                let message = format!("read {what}: the variable {name} is not set");
                let error = AuthError::new(AuthErrorKind::SourceFailed, message).of_this_machine();
                Err(error.with_hint(format!("set {name}")))
            }
            Self::Variable { name, value: Some(secret) } => {
                stripped(secret.expose(), what, &format!("the variable {name}"))
                    .map_err(|error| error.of_this_machine().with_hint(format!("set {name} to the secret")))
            }
            Self::File(path) => {
                let place = format!("the file {}", path.display());
                let cure = |error: AuthError| {
                    let place = path.display();
                    error.of_this_machine().with_hint(match path.is_dir() {
                        true => format!("name a file: {place} is a directory"),
                        false => format!("write the secret to {place}"),
                    })
                };
                let text = text_of(path, what).await.map_err(cure)?;
                stripped(&text, what, &place).map_err(cure)
            }
            Self::Command(spec) => {
                let printed = helper::printed(spec, target, what).await;
                let printed = printed.map_err(|error| match error.hint() {
                    Some(_) => error,
                    None => error.with_hint(format!("correct the command for {what}")),
                })?;
                let text = stripped(&printed, what, "");
                text.map_err(|_| {
                    let message = format!("read {what}: its command ended well and printed nothing");
                    AuthError::new(AuthErrorKind::SourceFailed, message)
                        .with_hint("have the command print the secret, and nothing else, to stdout")
                })
            }
            Self::Keyring(item) => {
                let failed =
                    |why: String| AuthError::new(AuthErrorKind::SourceFailed, format!("read {what}: {why}"));
                let lacking = |error: AuthError| error.with_lacking_secret(&*item.service, &*item.name);
                let shown = |name: &str| mcp_text::name(name, 60);
                let store = SecretStore::new(item.state_dir.clone());
                match store.read(&item.service, &item.name).await {
                    Ok(Some(secret)) => stripped(secret.expose(), what, "the keyring"),
                    Ok(None) => Err(lacking(failed(format!(
                        "there is no secret {} of {}",
                        shown(&item.name),
                        shown(&item.service)
                    )))),
                    Err(error) if error.lacking_secret().is_some() => Err(lacking(failed(error.to_string()))),
                    Err(error) => Err(match error.hint() {
                        Some(hint) => failed(error.to_string()).with_hint(hint),
                        None => failed(error.to_string()),
                    }),
                }
            }
        }
    }
}

impl SourcedText {
    /// The whole value, with the secrets in it as they are now.
    ///
    /// # Errors
    ///
    /// As for [`SecretSource::read`], of the first secret that cannot be obtained.
    pub async fn read(&self, target: &Target) -> Result<Secret, AuthError> {
        let mut value = String::new();
        for part in &self.parts {
            match part {
                TextPart::Fixed(text) => value.push_str(text.expose()),
                TextPart::Read { source, called } => {
                    value.push_str(source.read(called, target).await?.expose());
                }
            }
        }
        Ok(Secret::new(value))
    }
}

/// The text of a file that another program may be replacing.
pub(crate) async fn text_of(path: &Path, what: &str) -> Result<String, AuthError> {
    let failed = |why: String| {
        let message = format!("read {what}: {}: {why}", path.display());
        AuthError::new(AuthErrorKind::SourceFailed, message).of_this_machine()
    };
    let file = path.to_owned();
    // Owned by this account or root: another owner could replace the identity that is used.
    let policy = Policy::surroundings(MAX_BYTES).owned();
    let read = tokio::task::spawn_blocking(move || mcp_files::read(&file, &policy)).await;
    let bytes = read.map_err(|_| failed("it could not be read".to_owned()))?;
    let bytes = bytes.map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8".to_owned()))
}

fn stripped(text: &str, what: &str, place: &str) -> Result<Secret, AuthError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    if text.is_empty() {
        let message = format!("read {what}: there is nothing in {place}");
        return Err(AuthError::new(AuthErrorKind::SourceFailed, message));
    }
    Ok(Secret::new(text))
}

/// A secret of one server, read whenever an authorization server is to get it.
#[derive(Debug)]
pub(crate) struct SourcedSecret {
    pub(crate) source: SecretSource,
    pub(crate) what: &'static str,
    pub(crate) target: Target,
}

impl AssertionSource for SourcedSecret {
    fn assertion<'a>(&'a self, _: &'a str) -> AuthFuture<'a, Secret> {
        Box::pin(self.source.read(self.what, &self.target))
    }
}

/// A value of one server, put together whenever an authorization server is to get it.
#[derive(Debug)]
pub(crate) struct SourcedValue {
    pub(crate) text: SourcedText,
    pub(crate) target: Target,
}

impl AssertionSource for SourcedValue {
    fn assertion<'a>(&'a self, _: &'a str) -> AuthFuture<'a, Secret> {
        Box::pin(self.text.read(&self.target))
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::HelperSpec;

    async fn read(source: SecretSource) -> Result<String, String> {
        let target = Target::new("web", "https://h.example/mcp".parse().unwrap());
        let read = source.read("the client's secret", &target).await;
        read.map(|secret| secret.expose().to_owned()).map_err(|error| error.to_string())
    }

    fn command(line: &str) -> SecretSource {
        let mut spec = HelperSpec::new(line, "/");
        spec.env.insert("PATH".into(), "/usr/bin:/bin".into());
        SecretSource::Command(spec)
    }

    #[tokio::test]
    async fn a_secret_is_read_where_it_is_without_the_line_break_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "\u{feff}s3cret\r\n").unwrap();
        let variable = SecretSource::Variable { name: "V".into(), value: Some(Secret::new("s3cret\n")) };
        let value = SecretSource::Value(Secret::new("s3cret"));
        for source in [value, variable, SecretSource::File(file.clone()), command("echo s3cret")] {
            assert_eq!(read(source).await.as_deref(), Ok("s3cret"));
        }
        std::fs::write(&file, "replaced").unwrap();
        assert_eq!(read(SecretSource::File(file)).await.as_deref(), Ok("replaced"));
    }

    #[tokio::test]
    async fn what_fails_says_where_and_shows_nothing_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        let absent = SecretSource::Variable { name: "CI_SECRET".into(), value: None };
        assert!(read(absent).await.unwrap_err().contains("the variable CI_SECRET is not set"));
        assert!(read(SecretSource::File(file.clone())).await.unwrap_err().contains("token: "));
        std::fs::write(&file, " \n").unwrap();
        assert!(read(SecretSource::File(file)).await.unwrap_err().contains("there is nothing in the file"));
        for (line, said) in [
            ("echo canary; exit 7", "it exited with code 7"),
            ("echo canary; echo 'no session of canary' >&2; exit 1", "(stderr: no session of [redacted])"),
            ("true", "its command ended well and printed nothing"),
        ] {
            let error = read(command(line)).await.unwrap_err();
            assert!(error.contains(said) && !error.contains("canary"), "{line}: {error}");
        }
    }
}
