//! The source of a token that another program keeps in a file, and replaces: it is looked at with every request, and read
//! when it is another one.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use http::header::AUTHORIZATION;
use mcp_files::Stamp;

use crate::secret_source::text_of;
use crate::settings::unattended::FILE_NAME;
use crate::{AuthError, AuthErrorKind, AuthFuture, CredentialSource, Credentials, FetchReason, helper};

/// How long a file that had a token is waited for while it has none: a writer that does not put another file in its place
/// leaves nothing there for a moment.
const REPLACEMENT: Duration = Duration::from_secs(1);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(50);
/// What a person reads of it in an error.
const WHAT: &str = "the token";

/// A token in a file: the token alone, `Bearer TOKEN` or another scheme, or what a headers helper prints. A replaced file
/// counts from the next request on; its expiry is read from a JWT or from `expiresAt`. Where there is none for a moment, the last one
/// serves until it ends or is refused.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was at the path when it was read last.
    seen: Option<Stamp>,
    /// What it held when it held a token.
    last: Option<Credentials>,
}

impl TokenFile {
    /// The token at `path`. Nothing is read until credentials are asked for.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is there now, or what was there last.
    async fn supply(&self, why: FetchReason<'_>) -> Result<Credentials, AuthError> {
        let mut read = self.read().await;
        let Some(last) = self.state().last.clone() else { return read };
        let is_over = last.expires_at().is_some_and(|end| end <= SystemTime::now());
        if read.is_err() && !is_over && !matches!(why, FetchReason::Rejected(_)) {
            return Ok(last);
        }
        let mut waited = Duration::ZERO;
        while read.is_err() && waited < REPLACEMENT {
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
            read = self.read().await;
        }
        read
    }

    /// A file that is not what it should be stays so until a person or its writer sees to it.
    async fn read(&self) -> Result<Credentials, AuthError> {
        let read = self.text().await.map_err(|error| {
            let path = self.path.display();
            error.with_hint(match self.path.is_dir() {
                true => format!("name a file of {path} as `file` of `auth`"),
                false => format!("put the token into {path}, or change `file` of `auth`"),
            })
        })?;
        self.state().last = Some(read.clone());
        Ok(read)
    }

    async fn text(&self) -> Result<Credentials, AuthError> {
        // Before it is read: what is written meanwhile is news to the next request.
        let stamp = Stamp::of(&self.path);
        self.state().seen = Some(stamp);
        let text = text_of(&self.path, WHAT).await?;
        let failed = |why: String| {
            let message = format!("read {WHAT}: {}: {why}", self.path.display());
            AuthError::new(AuthErrorKind::SourceFailed, message).of_this_machine()
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim();
        if text.starts_with('{') {
            let (headers, expiry) = helper::headers_in(text.as_bytes()).map_err(failed)?;
            return Ok(Credentials::new(FILE_NAME, headers).with_expiry(expiry));
        }
        // Two lines are another format, or half of one, and may be a secret of something else.
        let lines = text.lines().count();
        if lines > 1 {
            return Err(failed(format!("it has {lines} lines, and a token is one")));
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

    fn fetch<'a>(&'a self, why: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(self.supply(why))
    }

    fn is_outdated(&self) -> bool {
        let seen = self.state().seen;
        seen.is_some_and(|seen| seen != Stamp::of(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::contract::{self, Subject};
    use crate::{AuthProvider as _, Recovery, Rejection, SingleFlight};

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
            ("canary\ncanary\n", "it has 2 lines, and a token is one"),
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

    #[tokio::test(start_paused = true)]
    async fn a_file_that_has_no_token_for_a_moment_costs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "monday").unwrap();
        let provider = Arc::new(provider(&path));
        let monday = provider.credentials().await.unwrap();
        for (gone, next) in [(true, "tuesday"), (false, "on wednesday")] {
            if gone {
                std::fs::remove_file(&path).unwrap();
            } else {
                std::fs::write(&path, "").unwrap();
            }
            let meanwhile = provider.credentials().await.unwrap();
            assert!(sent(&meanwhile).ends_with("day"), "the last one serves: {gone}");
            std::fs::write(&path, next).unwrap();
            assert!(sent(&provider.credentials().await.unwrap()).ends_with(next));
        }
        // One that is refused is not sent again, and the next one is waited for.
        let headers = HeaderMap::new();
        let refuse = |used| Rejection::new(StatusCode::UNAUTHORIZED, &[], &headers, used);
        std::fs::remove_file(&path).unwrap();
        let used = provider.credentials().await.unwrap();
        let writer = tokio::spawn({
            let path = path.clone();
            async move {
                tokio::time::sleep(LOOK * 3).await;
                std::fs::write(path, "thursday").unwrap();
            }
        });
        let recovered = provider.on_rejected(refuse(&used)).await.unwrap();
        writer.await.unwrap();
        assert!(
            matches!(&recovered, Recovery::Retry(new) if sent(new) == "Bearer thursday"),
            "{recovered:?}"
        );
        std::fs::remove_file(&path).unwrap();
        let used = provider.credentials().await.unwrap();
        assert!(provider.on_rejected(refuse(&used)).await.is_err(), "it does not come");
        assert_ne!(sent(&monday), sent(&used));
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_has_ended_does_not_serve_for_a_file_that_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, r#"{"headers": {"Authorization": "Bearer t"}, "expiresAt": 1}"#).unwrap();
        let provider = provider(&path);
        provider.credentials().await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let error = provider.credentials().await.unwrap_err();
        assert!(error.to_string().contains("does not exist"), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_says_where_the_token_is_to_be() {
        let error = provider(Path::new("/nowhere/token")).credentials().await.unwrap_err();
        assert_eq!(
            error.hint(),
            Some("put the token into /nowhere/token, or change `file` of `auth`"),
            "{error}"
        );
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
