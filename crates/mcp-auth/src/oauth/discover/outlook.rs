//! Whether a sign-in could begin, as far as that is known without one: what is published is looked at, and no one is registered.

use std::time::Duration;

use super::super::context::Context;
use super::discovery::{Discovery, DiscoverySource, challenge_param};
use crate::{Challenge, LoginHindrance, LoginRemedy};

/// How long is looked: the refusal itself is known by then, and a caller waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// What hinders a sign-in to a server that refused with `challenges`. Who takes their time over it may still answer a person, and
/// hinders none.
pub(crate) async fn look(ctx: &Context, challenges: &[Challenge]) -> Option<LoginHindrance> {
    match tokio::time::timeout(PATIENCE, ctx.discover(challenges)).await.ok()? {
        Ok(found) => of_discovery(ctx, &found).or_else(|| of_nothing(challenges, &found)),
        Err(failure) => LoginHindrance::of(&failure.into()),
    }
}

/// What hinders a sign-in where a challenge says that it is published where to sign in, and nothing is.
fn of_nothing(challenges: &[Challenge], found: &Discovery) -> Option<LoginHindrance> {
    if found.found != DiscoverySource::DefaultEndpoints {
        return None;
    }
    let mut named = url::Url::parse(challenge_param(challenges, "resource_metadata")?).ok()?;
    named.set_query(None);
    named.set_fragment(None);
    let why = format!(
        "the challenge names {}, and neither that nor the origin of the server publishes where to sign in",
        mcp_text::line(named.as_str(), 200)
    );
    Some(LoginHindrance::new(why, LoginRemedy::AuthorizationServer))
}

/// What hinders a sign-in at the authorization server that was found.
pub(crate) fn of_discovery(ctx: &Context, found: &Discovery) -> Option<LoginHindrance> {
    // Nothing is published, so nothing is known.
    if found.found == DiscoverySource::DefaultEndpoints {
        return None;
    }
    let (issuer, server) = (&found.issuer, &found.server);
    if server.authorization_endpoint.is_none() && server.device_authorization_endpoint.is_none() {
        let why = format!("{issuer} names no page to sign in at (`authorization_endpoint`)");
        return Some(LoginHindrance::new(why, LoginRemedy::operator_of(issuer)?));
    }
    if server.token_endpoint.is_none() {
        let why = format!("{issuer} does not say where tokens come from (`token_endpoint`)");
        return Some(LoginHindrance::new(why, LoginRemedy::operator_of(issuer)?));
    }
    if !server.supports_s256() {
        let why = format!(
            "{issuer} does not say that it knows PKCE with S256 (`oauth.pkce: \"assumed\"` where it is known to)"
        );
        return Some(LoginHindrance::new(why, LoginRemedy::Settings));
    }
    let spec = &ctx.settings.spec;
    let by_document =
        spec.client_metadata_url.is_some() && server.client_id_metadata_document_supported == Some(true);
    if spec.client_id.is_none() && server.registration_endpoint.is_none() && !by_document {
        let why = format!("a client has to be registered by hand at {issuer} (`oauth.clientId`)");
        return Some(LoginHindrance::new(why, LoginRemedy::Client));
    }
    None
}
