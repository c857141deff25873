//! A provider of one's own: a token in a file that some agent on the machine keeps fresh.
//!
//! It implements [`CredentialSource`], the small trait: get credentials once. [`SingleFlight`] adds the cache, the expiry,
//! and the rule that many refusals cost one fetch, and makes it an [`AuthProvider`] that any connection takes.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::path::{Path, PathBuf};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use mcp_auth::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, CredentialSource, Credentials, FetchReason, Recovery,
    Rejection, SingleFlight,
};

#[derive(Debug)]
struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    async fn read(&self) -> Result<Credentials, AuthError> {
        let path = self.path.clone();
        let failed = || {
            let message = format!("read the token file `{}`", self.path.display());
            AuthError::new(AuthErrorKind::SourceFailed, message)
        };
        // Reading a file can block, and a provider must not block the threads that serve other connections.
        let token = tokio::task::spawn_blocking(move || std::fs::read_to_string(path))
            .await
            .map_err(|error| failed().with_source(error))?
            .map_err(|error| failed().with_source(error))?;
        // The cause is not kept: an error must not carry the value.
        let value = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| failed())?;
        Ok(Credentials::new(self.name().to_owned(), [(AUTHORIZATION, value)]))
    }
}

impl CredentialSource for TokenFile {
    fn name(&self) -> &str {
        "token-file"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(self.read())
    }
}

/// What a transport does with a provider: send, and once more with other credentials if there are any.
async fn request(provider: &dyn AuthProvider, accepted: &str) -> Result<&'static str, AuthError> {
    let used = provider.credentials().await?;
    if used.header(&AUTHORIZATION).is_some_and(|value| value == accepted) {
        return Ok("accepted");
    }
    let headers = HeaderMap::new();
    let rejection = Rejection::new(StatusCode::UNAUTHORIZED, &[], &headers, &used);
    match provider.on_rejected(rejection).await? {
        Recovery::Retry(fresh) if fresh.header(&AUTHORIZATION).is_some_and(|value| value == accepted) => {
            Ok("accepted after one recovery")
        }
        _ => Ok("refused"),
    }
}

/// What happens to a token that is rotated and then gone, line by line.
async fn story(file: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    std::fs::write(file, "monday")?;
    let provider = SingleFlight::new(TokenFile { path: file.to_owned() });
    let mut said = vec![format!("first request: {}", request(&provider, "Bearer monday").await?)];
    std::fs::write(file, "tuesday")?;
    said.push(format!("the server rotated: {}", request(&provider, "Bearer tuesday").await?));
    said.push(format!("nothing new to offer: {}", request(&provider, "Bearer wednesday").await?));
    std::fs::remove_file(file)?;
    let error = request(&provider, "Bearer wednesday").await.expect_err("the file is gone");
    said.push(format!("the source fails: failed to {error}"));
    said.push(format!("{} fetches in all", provider.snapshot().fetches));
    Ok(said)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    story(&folder.path().join("token")).await?.iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// The same rules that the built-in providers are held to.
#[cfg(feature = "contract-tests")]
#[tokio::test]
async fn it_keeps_the_contract() -> Result<(), Box<dyn std::error::Error>> {
    use mcp_auth::contract::{self, Subject};

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("token");
    std::fs::write(&path, "canary")?;
    contract::check(|| {
        Subject::new(SingleFlight::new(TokenFile { path: path.clone() })).with_secret("canary")
    })
    .await?;
    contract::check_failing(|| {
        Subject::new(SingleFlight::new(TokenFile { path: folder.path().join("gone") }))
    })
    .await?;
    Ok(())
}

/// What `main` prints is so.
#[cfg(test)]
#[tokio::test]
async fn a_rotated_token_is_read_again_and_a_file_that_is_gone_is_the_sources_failure() {
    let folder = tempfile::tempdir().unwrap();
    let said = story(&folder.path().join("token")).await.unwrap();
    assert_eq!(
        said[..3],
        [
            "first request: accepted",
            "the server rotated: accepted after one recovery",
            "nothing new to offer: refused",
        ]
    );
    assert!(said[3].starts_with("the source fails: failed to read"), "{said:?}");
}
