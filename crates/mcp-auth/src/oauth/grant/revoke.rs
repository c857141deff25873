//! Token revocation (RFC 7009).
//!
//! Not through `oauth2`, which refuses revocation URLs without TLS: loopback servers are allowed here.

use super::super::client_auth::ClientIdentity;
use super::super::clock::Clock;
use super::super::endpoint::OAuthEndpoint;
use super::super::failure::{Failure, Step};
use super::super::store::StoredTokens;
use crate::HttpExchange;
use crate::url_policy::UrlSource;

/// Revokes the refresh token, which ends the sign-in, and then the access token, which some servers keep
/// valid otherwise (RFC 7009 section 2.1).
pub(crate) async fn revoke(
    http: &dyn HttpExchange,
    (url, named_by): (&str, &UrlSource),
    issuer: &str,
    client: &ClientIdentity,
    tokens: &StoredTokens,
    clock: &Clock,
) -> Result<(), Failure> {
    let refresh = tokens.refresh_token.as_ref().map(|token| (token, "refresh_token"));
    let access = Some((&tokens.access_token, "access_token"));
    for (token, hint) in [refresh, access].into_iter().flatten() {
        let endpoint = OAuthEndpoint::new(http, Step::Revocation, url, named_by)?;
        let assertion = client.assertion(issuer, clock)?;
        let pairs = [("token", token.expose()), ("token_type_hint", hint)];
        match endpoint.form(client, &assertion, &pairs).await {
            // Revoking access tokens is optional; the sign-in is over without it (RFC 7009 section 2.2.1).
            Err(failure) if failure.code() == Some("unsupported_token_type") => {}
            other => drop(other?),
        }
    }
    Ok(())
}
