//! The source of a token that another program keeps in a file, and replaces: it is looked at with every request, and read
//! when it is another one.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderValue;
use http::header::AUTHORIZATION;
use mcp_files::Stamp;

use crate::secret_source::text_of;
use crate::settings::unattended::FILE_NAME;
use crate::{AuthError, AuthErrorKind, AuthFuture, CredentialSource, Credentials, FetchReason, helper};

/// What a person reads of it in an error.
const WHAT: &str = "the token";

/// A token in a file: the token alone, `Bearer TOKEN` or another scheme, or what a headers helper prints. A replaced file
/// counts from the next request on; its expiry is read from a JWT or from `expiresAt`.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    /// What was at the path when it was read last.
    seen: Mutex<Stamp>,
}

impl TokenFile {
    /// The token at `path`. Nothing is read until credentials are asked for.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Stamp> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file that is not what it should be stays so until a person or its writer sees to it.
    async fn read(&self) -> Result<Credentials, AuthError> {
        let hint = || format!("put it into {}, or change `file` of `auth`", self.path.display());
        self.text().await.map_err(|error| error.with_hint(hint()))
    }

    async fn text(&self) -> Result<Credentials, AuthError> {
        // Before it is read: what is written meanwhile is news to the next request.
        let stamp = Stamp::of(&self.path);
        *self.seen() = stamp;
        let text = text_of(&self.path, WHAT).await?;
        let failed = |why: String| {
            let message = format!("read {WHAT}: {}: {why}", self.path.display());
            AuthError::new(AuthErrorKind::SourceFailed, message)
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim();
        if text.starts_with('{') {
            let (headers, expiry) = helper::headers_in(text.as_bytes()).map_err(failed)?;
            return Ok(Credentials::new(FILE_NAME, headers).with_expiry(expiry));
        }
        let value = match text.split_whitespace().collect::<Vec<_>>()[..] {
            [] => return Err(failed("it is empty".to_owned())),
            [token] => format!("Bearer {token}"),
            [scheme, token] => format!("{scheme} {token}"),
            _ => return Err(failed("it holds more than a token".to_owned())),
        };
        let value = HeaderValue::try_from(value)
            .map_err(|_| failed("it has characters that a header cannot carry".to_owned()))?;
        let expiry = crate::jwt::times(&value).and_then(|times| times.ends);
        Ok(Credentials::new(FILE_NAME, [(AUTHORIZATION, value)]).with_expiry(expiry))
    }
}

impl CredentialSource for TokenFile {
    fn name(&self) -> &str {
        FILE_NAME
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(self.read())
    }

    fn is_outdated(&self) -> bool {
        let seen = *self.seen();
        seen != Stamp::default() && seen != Stamp::of(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::contract::{self, Subject};
    use crate::{AuthProvider as _, SingleFlight};

    fn provider(path: &Path) -> SingleFlight<TokenFile> {
        SingleFlight::new(TokenFile::new(path))
    }

    fn sent(credentials: &Credentials) -> &str {
        credentials.header(&AUTHORIZATION).unwrap().to_str().unwrap()
    }

    #[tokio::test]
    async fn another_token_in_the_file_is_sent_with_the_next_request() {
        let dir = tempfile::tempdir().unwrap();
        let (path, new) = (dir.path().join("token"), dir.path().join("new"));
        std::fs::write(&path, "monday\n").unwrap();
        let provider = Arc::new(provider(&path));
        assert_eq!(sent(&provider.credentials().await.unwrap()), "Bearer monday");
        assert_eq!(sent(&provider.credentials().await.unwrap()), "Bearer monday");
        assert_eq!(provider.snapshot().fetches, 1, "it is not read again while it is the same");
        std::fs::write(&new, "tuesday").unwrap();
        std::fs::rename(&new, &path).unwrap();
        let mut many = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let provider = Arc::clone(&provider);
            many.spawn(async move { provider.credentials().await });
        }
        for credentials in many.join_all().await {
            assert_eq!(sent(&credentials.unwrap()), "Bearer tuesday");
        }
        assert_eq!(provider.snapshot().fetches, 2, "twenty requests at a time read it once");
    }

    #[tokio::test]
    async fn every_form_of_a_token_is_read_and_its_expiry_with_it() {
        // {"exp": 2000000000}
        let jwt = "e30.eyJleHAiOjIwMDAwMDAwMDB9.c2ln";
        let end = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000));
        let json = r#"{"headers": {"Authorization": "Bearer t"}, "expiresAt": 2000000000}"#;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for (text, value, expiry) in [
            ("t", "Bearer t", None),
            ("\u{feff}Bearer t\r\n", "Bearer t", None),
            ("Token t", "Token t", None),
            (jwt, &*format!("Bearer {jwt}"), end),
            (json, "Bearer t", end),
            (r#"{"Authorization": "Basic t"}"#, "Basic t", None),
        ] {
            std::fs::write(&path, text).unwrap();
            let credentials = provider(&path).credentials().await.unwrap();
            assert_eq!((sent(&credentials), credentials.expires_at()), (value, expiry), "{text}");
        }
        for (text, said) in [
            ("", "it is empty"),
            ("canary canary canary", "more than a token"),
            ("canary\u{7f}", "characters that a header cannot carry"),
            (r#"{"canary": 1}"#, "is a number, not a string"),
            (r#"{"canary"#, "is not JSON"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = provider(&path).credentials().await.unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::SourceFailed);
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(said), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_says_where_the_token_is_to_be() {
        let error = provider(Path::new("/nowhere/token")).credentials().await.unwrap_err();
        assert_eq!(error.hint(), Some("put it into /nowhere/token, or change `file` of `auth`"), "{error}");
    }

    #[tokio::test]
    async fn it_keeps_the_contract_of_providers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "canary").unwrap();
        contract::check(|| Subject::new(provider(&path)).with_secret("canary")).await.unwrap();
        contract::check_failing(|| Subject::new(provider(&dir.path().join("gone")))).await.unwrap();
    }
}
