//! Headers of an entry with secrets by reference in them: read when they are needed, and again when the server refuses them.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::settings::SourcedText;
use crate::static_headers::{NAME, parse};
use crate::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, CredentialSource, Credentials, FetchReason,
    SingleFlight, Target,
};

/// Beyond the limit of each command: a person may have to unlock a keyring.
const LIMIT: Duration = Duration::from_secs(60);

/// The provider of these headers for `target`.
pub(crate) fn provider(headers: &[(String, SourcedText)], target: &Target) -> Arc<dyn AuthProvider> {
    let mut headers = headers.to_vec();
    let commands = headers.iter_mut().flat_map(|(_, value)| value.commands_mut());
    let limit = commands.fold(LIMIT, |limit, command| limit.saturating_add(command.timeout));
    let source = SourcedHeaders { headers, target: target.clone() };
    Arc::new(SingleFlight::new(source).with_timeout(limit))
}

#[derive(Debug)]
struct SourcedHeaders {
    headers: Vec<(String, SourcedText)>,
    target: Target,
}

impl SourcedHeaders {
    async fn read(&self) -> Result<Credentials, AuthError> {
        let mut read: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let secret = value.read(&self.target).await?;
            read.push(parse(name, &secret).map_err(|error| of_source(name, value, &error))?);
        }
        Ok(Credentials::new(NAME, read))
    }
}

/// The entry is right, and what it refers to is not: a file of two lines, most often.
fn of_source(name: &str, value: &SourcedText, error: &AuthError) -> AuthError {
    let Some(called) = value.called().next() else { return error.clone() };
    let message =
        format!("send {called} in the header `{name}`: it has characters that a header cannot carry");
    AuthError::new(AuthErrorKind::SourceFailed, message)
        .with_hint(format!("have {called} be one line of printable characters"))
}

impl CredentialSource for SourcedHeaders {
    /// They stand in the same field as the others.
    fn name(&self) -> &str {
        NAME
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(self.read())
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::settings::{SecretSource, TextPart};
    use crate::{AuthPlan, AuthSettings, Parts, Recovery, Rejection, Secret};

    fn bearer(path: &std::path::Path) -> SourcedText {
        let called = "${file:token} of headers.Authorization (mcp.json:4)".to_owned();
        let source = SecretSource::File(path.to_owned());
        SourcedText::new(vec![TextPart::Fixed(Secret::new("Bearer ")), TextPart::Read { source, called }])
    }

    #[tokio::test]
    async fn a_secret_in_a_header_is_read_late_and_again_when_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for name in ["Authorization", "X-Key"] {
            let settings = AuthSettings {
                static_headers: vec![("X-Team".to_owned(), Secret::new("a"))],
                sourced_headers: vec![(name.to_owned(), bearer(&path))],
                oauth_off: true,
                ..AuthSettings::default()
            };
            let target = Target::new("web", "https://h.example/mcp".parse().unwrap());
            let provider = AuthPlan::resolve(&settings).build(&target, Parts::new()).unwrap();
            let _ = std::fs::remove_file(&path);
            let error = provider.credentials().await.unwrap_err().to_string();
            assert!(error.contains("${file:token} of headers.Authorization (mcp.json:4)"), "{error}");
            let write = |token: &str| std::fs::write(&path, token).unwrap();
            write("one\n");
            let used = provider.credentials().await.unwrap();
            let header = HeaderName::try_from(name).unwrap();
            assert_eq!(used.header(&header).unwrap(), "Bearer one");
            assert_eq!(used.names().count(), 2, "beside the header that is written out");
            let headers = http::HeaderMap::new();
            let refused = |used| Rejection::new(StatusCode::UNAUTHORIZED, &[], &headers, used);
            assert!(matches!(provider.on_rejected(refused(&used)).await.unwrap(), Recovery::Unchanged));
            write("two");
            let used = provider.credentials().await.unwrap();
            let Recovery::Retry(fresh) = provider.on_rejected(refused(&used)).await.unwrap() else {
                panic!("it was replaced")
            };
            assert_eq!(fresh.header(&header).unwrap(), "Bearer two");
            write("three\nfour");
            provider.invalidate();
            let error = provider.credentials().await.unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains("three"), "{error}");
            assert!(error.contains("${file:token} of headers.Authorization (mcp.json:4)"), "{error}");
        }
    }

    #[tokio::test]
    async fn beside_a_helper_it_is_read_again_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "one").unwrap();
        let mut helper =
            crate::settings::HelperSpec::new(r#"echo '{"Authorization": "Bearer minted"}'"#, dir.path());
        helper.env.insert("PATH".into(), "/usr/bin:/bin".into());
        let settings = AuthSettings {
            sourced_headers: vec![("X-Key".to_owned(), bearer(&path))],
            helper: Some(helper),
            ..AuthSettings::default()
        };
        let target = Target::new("web", "https://h.example/mcp".parse().unwrap());
        let provider = AuthPlan::resolve(&settings).build(&target, Parts::new()).unwrap();
        let used = provider.credentials().await.unwrap();
        assert_eq!(used.names().count(), 2);
        std::fs::write(&path, "two").unwrap();
        let headers = http::HeaderMap::new();
        let refused = Rejection::new(StatusCode::UNAUTHORIZED, &[], &headers, &used);
        let Recovery::Retry(fresh) = provider.on_rejected(refused).await.unwrap() else { panic!() };
        assert_eq!(fresh.header(&HeaderName::from_static("x-key")).unwrap(), "Bearer two");
    }
}
