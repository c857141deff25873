//! A provider beside an HTTP client that is not one of ours: `reqwest` as it is, and the loop of [`mcp_auth::replay`].
//!
//! ```text
//! $ cargo run -p mcp-auth --example plain_http -- https://mcp.example/mcp TOKEN
//! ```

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use mcp_auth::replay::{self, ReplayOutcome, SendError};
use mcp_auth::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, CredentialSource, Credentials, FetchReason, Secret,
    SingleFlight,
};

/// A token that is another one each time that it is minted: `TOKEN-1`, `TOKEN-2`, and so on.
#[derive(Debug)]
pub(crate) struct CountingSource {
    pub(crate) token: Secret,
    pub(crate) minted: Arc<AtomicU32>,
}

impl CredentialSource for CountingSource {
    fn name(&self) -> &str {
        "minted"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        let number = self.minted.fetch_add(1, Ordering::Relaxed) + 1;
        let bad = |_| AuthError::new(AuthErrorKind::Misconfigured, "mint a token: it is not a header value");
        let value = format!("Bearer {}-{number}", self.token.expose()).parse().map_err(bad);
        let credentials = value.map(|value| Credentials::new("minted", [(AUTHORIZATION, value)]));
        Box::pin(std::future::ready(credentials))
    }
}

/// Sends one message, with whatever credentials the provider has for it.
pub(crate) async fn post(
    client: &reqwest::Client,
    provider: &dyn AuthProvider,
    url: &str,
    message: &'static str,
) -> Result<ReplayOutcome<reqwest::Body>, Box<dyn Error>> {
    let request = http::Request::post(url)
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json, text/event-stream")
        .body(Bytes::from_static(message.as_bytes()))?;
    let exchange = |request: http::Request<Bytes>| async move {
        let request = reqwest::Request::try_from(request)?;
        Ok::<_, reqwest::Error>(http::Response::from(client.execute(request).await?))
    };
    Ok(replay::send(provider, &request, exchange).await.map_err(|error: SendError<_>| Box::new(error))?)
}

/// Credentials belong to one origin, so redirects are not followed.
pub(crate) fn client() -> reqwest::Result<reqwest::Client> {
    // Only the first one counts; a program has one.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()
}

pub(crate) const PING: &str = r#"{"jsonrpc": "2.0", "id": 1, "method": "ping"}"#;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example shows what happens")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(token)) = (arguments.next(), arguments.next()) else {
        return Err("usage: plain_http URL TOKEN".into());
    };
    let provider = SingleFlight::new(CountingSource { token: token.into(), minted: Arc::default() });
    let sent = post(&client()?, &provider, &url, PING).await?;
    println!("{} after {} attempts: {:?}", sent.response.status(), sent.attempts, sent.refusal);
    Ok(())
}

#[cfg(test)]
mod tests {
    use mcp_testkit::FakeMcpServer;

    use super::*;

    #[tokio::test]
    async fn a_refused_request_is_sent_again_by_a_client_that_knows_nothing_of_it() {
        let server = FakeMcpServer::builder().accept("t-2").start().unwrap();
        let provider = SingleFlight::new(CountingSource { token: Secret::new("t"), minted: Arc::default() });
        let client = client().unwrap();
        let sent = post(&client, &provider, server.url().as_str(), PING).await.unwrap();
        assert_ne!(sent.response.status(), 401);
        assert_eq!((sent.refusal, sent.attempts), (None, 2));
        let requests = server.requests();
        let tokens: Vec<_> = requests.iter().map(|request| request.header("authorization")).collect();
        assert_eq!(tokens, [Some("Bearer t-1"), Some("Bearer t-2")]);
    }

    #[cfg(feature = "contract-tests")]
    #[tokio::test]
    async fn it_keeps_the_contract() {
        use mcp_auth::contract::{self, Subject};

        contract::check(|| {
            let minted = Arc::<AtomicU32>::default();
            let source = CountingSource { token: Secret::new("canary"), minted: minted.clone() };
            let count = move || u64::from(minted.load(Ordering::Relaxed));
            Subject::new(SingleFlight::new(source)).counting(count).with_secret("canary")
        })
        .await
        .unwrap();
    }
}
