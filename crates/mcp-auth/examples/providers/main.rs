//! Providers for what headers from a file cannot do: keys of AWS that sign bodies, one whose exchange takes five legs, and two
//! with faults. `custom_provider.rs` has the usual one. Each is held to the contract that the built-in ones keep.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

mod faulty;
mod negotiate;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use mcp_auth::aws::AwsKeys;
use mcp_auth::{
    AuthError, AuthFuture, AuthProvider, Challenge, CredentialSource, Credentials, FetchReason, Recovery,
    Rejection, Secret, SingleFlight,
};
use url::Url;

use self::negotiate::Negotiation;

/// Keys that the program has by itself. [`mcp_auth::aws::AwsSource`] finds those of AWS's own programs.
#[derive(Debug)]
struct OwnKeys(Arc<AwsKeys>);

impl CredentialSource for OwnKeys {
    fn name(&self) -> &str {
        "own-keys"
    }

    /// Temporary keys would be fetched here, and given an expiry.
    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(async move { Ok(Credentials::none().with_signer(self.0.clone())) })
    }
}

fn own_keys() -> OwnKeys {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    OwnKeys(Arc::new(AwsKeys::new("AKIDEXAMPLE", secret, "us-east-1", "lambda")))
}

/// The whole conversation with a server that takes five legs.
async fn five_legs() -> Result<(), AuthError> {
    let provider = SingleFlight::new(Negotiation::default());
    let mut used = provider.credentials().await?;
    for leg in 1.. {
        println!("leg {leg}: {:?}", used.header(&AUTHORIZATION).and_then(|value| value.to_str().ok()));
        let headers = HeaderMap::new();
        let challenges = Challenge::parse(&format!("Negotiate token-{leg}"));
        let rejection = Rejection::new(StatusCode::UNAUTHORIZED, &challenges, &headers, &used).after(leg - 1);
        match provider.on_rejected(rejection).await? {
            Recovery::Retry(fresh) => used = fresh,
            other => {
                println!("a server that never has enough: {other:?}");
                break;
            }
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = SingleFlight::new(own_keys());
    let credentials = provider.credentials().await?;
    let url = Url::parse("https://abc.lambda-url.us-east-1.on.aws/mcp")?;
    let (mut headers, body) = (HeaderMap::new(), Bytes::from_static(b"{\"jsonrpc\":\"2.0\"}"));
    credentials.apply(&mut headers);
    credentials.sign(&Method::POST, &url, &mut headers, &body).await?;
    let set: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    println!("a signed request carries {}", set.join(", "));

    five_legs().await?;

    // What a connection makes of the faulty ones: their failure, told as theirs.
    std::panic::set_hook(Box::new(|_| {}));
    let providers: [Box<dyn AuthProvider>; 2] = [
        Box::new(faulty::hanging(Duration::from_millis(20))),
        Box::new(SingleFlight::new(faulty::Panicking)),
    ];
    for provider in providers {
        let outcome = provider.credentials().await;
        println!(
            "{}: {}",
            provider.name(),
            outcome.err().map_or_else(String::new, |error| format!("failed to {error}"))
        );
    }
    Ok(())
}

/// The rules that the built-in providers are held to.
#[cfg(all(test, feature = "contract-tests"))]
mod contract {
    use mcp_auth::contract::{self, Subject};

    use super::*;

    #[tokio::test]
    async fn one_that_signs_bodies_keeps_the_contract() {
        let keys = || SingleFlight::new(own_keys());
        contract::check(|| Subject::new(keys()).with_secret("EXAMPLEKEY")).await.unwrap();
    }

    #[tokio::test]
    async fn one_whose_exchange_takes_five_legs_keeps_the_contract() {
        contract::check(|| Subject::new(SingleFlight::new(Negotiation::default()))).await.unwrap();
    }

    #[tokio::test]
    async fn one_that_hangs_fails_as_the_contract_wants_it() {
        contract::check_failing(|| Subject::new(faulty::hanging(Duration::from_millis(20)))).await.unwrap();
    }

    #[tokio::test]
    async fn one_that_panics_fails_as_the_contract_wants_it() {
        let panicking = || SingleFlight::new(faulty::Panicking);
        contract::check_failing(|| Subject::new(panicking()).with_secret("canary")).await.unwrap();
    }
}
