//! Providers for what headers from a file cannot do: one that signs bodies, one whose exchange takes five legs, and two with
//! faults. `custom_provider.rs` has the usual one. Each is held to the contract that the built-in ones keep.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

mod faulty;
mod negotiate;
mod sigv4;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use mcp_auth::{AuthError, AuthProvider, Challenge, Recovery, Rejection, Secret, SingleFlight};
use url::Url;

use self::negotiate::Negotiation;
use self::sigv4::AwsKeys;

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
    let keys = AwsKeys {
        access_key: "AKIDEXAMPLE".to_owned(),
        secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: None,
        region: "us-east-1".to_owned(),
        service: "lambda".to_owned(),
        clock: SystemTime::now,
    };
    let provider = SingleFlight::new(keys);
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
        let keys = || SingleFlight::new(sigv4::tests::keys("lambda"));
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
