//! The token endpoint: every grant, and the rules of each.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use ring::digest;
use serde_json::{Value, json};

use super::client;
use super::form::{Form, OAuthError};
use super::settings::AuthServerSettings;
use super::state::{Decision, Device, Grant, State};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const JWT_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const EXCHANGE_GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
/// RFC 8693 section 3.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The grants that the metadata lists.
pub(crate) fn supported(settings: &AuthServerSettings) -> Vec<&'static str> {
    let mut grants = vec!["authorization_code", "client_credentials", JWT_GRANT, EXCHANGE_GRANT];
    if settings.refresh_tokens {
        grants.push("refresh_token");
    }
    if settings.device {
        grants.push(DEVICE_GRANT);
    }
    grants
}

/// Answers a token request.
pub(crate) fn token(
    state: &mut State,
    headers: &HeaderMap,
    form: &Form,
    audiences: &[String],
) -> Result<Value, OAuthError> {
    let grant_type = form.need("grant_type")?;
    if state.settings.resource_required && form.get("resource").is_none() && grant_type != EXCHANGE_GRANT {
        return Err(OAuthError::new("invalid_target", "resource is required"));
    }
    // A workload presents its own assertion and may have no other identity (RFC 7523, 2.1).
    let is_anonymous =
        grant_type == JWT_GRANT && form.get("client_id").is_none() && !headers.contains_key("authorization");
    let client = if is_anonymous {
        "anonymous".to_owned()
    } else {
        client::authenticate(state, headers, form, audiences)?
    };
    match grant_type {
        "authorization_code" => exchange_code(state, form, &client),
        "refresh_token" => refresh(state, form, &client),
        "client_credentials" => {
            let is_public = client::known(state, &client).is_some_and(|client| client.auth_method == "none");
            if is_public {
                return Err(OAuthError::new("unauthorized_client", "public clients have no credentials"));
            }
            let grant = Grant { client, scopes: form.scopes(), resource: form.resource() };
            Ok(tokens(state, &grant, None))
        }
        DEVICE_GRANT => poll_device(state, form, &client),
        JWT_GRANT => {
            accepted(state, form.need("assertion")?)?;
            let grant = Grant { client, scopes: form.scopes(), resource: form.resource() };
            Ok(tokens(state, &grant, None))
        }
        EXCHANGE_GRANT => exchange_token(state, form, client),
        other => Err(OAuthError::new("unsupported_grant_type", other)),
    }
}

fn accepted(state: &State, assertion: &str) -> Result<(), OAuthError> {
    if state.settings.accepted_assertions.contains(assertion) {
        Ok(())
    } else {
        Err(OAuthError::new("invalid_grant", "the assertion is not accepted"))
    }
}

fn exchange_code(state: &mut State, form: &Form, client: &str) -> Result<Value, OAuthError> {
    let invalid = |why: &str| OAuthError::new("invalid_grant", why);
    let presented = form.need("code")?;
    let code = state.codes.get(presented).cloned().ok_or_else(|| invalid("unknown code"))?;
    if let Some(family) = code.used_by {
        // "the authorization server ... SHOULD revoke (when possible) all tokens previously issued" (RFC 6749, 4.1.2).
        state.end_family(family);
        return Err(invalid("the code was used before"));
    }
    if code.grant.client != client {
        return Err(invalid("the code was given to another client"));
    }
    if form.get("redirect_uri") != Some(&code.redirect_uri) {
        return Err(invalid("redirect_uri is not the one that was authorized"));
    }
    let verifier = form.need("code_verifier")?;
    if s256(verifier) != code.challenge {
        return Err(invalid("code_verifier does not match code_challenge"));
    }
    if form.get("resource").is_some() && form.resource() != code.grant.resource {
        return Err(OAuthError::new("invalid_target", "resource is not the one that was authorized"));
    }
    let family = state.new_family();
    if let Some(code) = state.codes.get_mut(presented) {
        code.used_by = Some(family);
    }
    Ok(tokens(state, &code.grant, Some(family)))
}

/// The S256 transformation of PKCE (RFC 7636, 4.2).
pub(crate) fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

fn refresh(state: &mut State, form: &Form, client: &str) -> Result<Value, OAuthError> {
    if let Some(error) = &state.settings.refresh_error {
        return Err(OAuthError::new(error, "as the test asked"));
    }
    let invalid = |why: &str| OAuthError::new("invalid_grant", why);
    let presented = form.need("refresh_token")?;
    let token =
        state.refresh_tokens.get(presented).cloned().ok_or_else(|| invalid("unknown refresh token"))?;
    if token.grant.client != client {
        return Err(invalid("the refresh token was given to another client"));
    }
    if token.used {
        // Reuse means that there is a copy; which of the two is the thief is not known (RFC 9700, 4.14.2).
        state.reuses += 1;
        state.end_family(token.family);
        return Err(invalid("the refresh token was used before"));
    }
    let mut grant = token.grant;
    let asked = form.scopes();
    if asked.iter().any(|scope| !grant.scopes.contains(scope)) {
        return Err(OAuthError::new("invalid_scope", "refreshing cannot widen the scope"));
    }
    if !asked.is_empty() {
        grant.scopes = asked;
    }
    let before = grant.clone();
    if form.get("resource").is_some() && form.resource() != grant.resource {
        if !state.settings.refresh_for_any_resource {
            return Err(OAuthError::new("invalid_target", "resource is not the one that was authorized"));
        }
        grant.resource = form.resource();
    }
    if !state.settings.rotation {
        let access = state.issue_access(&grant, Some(token.family));
        return Ok(token_body(&state.settings, &grant, &access, None));
    }
    if let Some(token) = state.refresh_tokens.get_mut(presented) {
        token.used = true;
    }
    // The refresh token is good for what was authorized, whatever this access token is for.
    let mut body = tokens(state, &grant, Some(token.family));
    if before.resource != grant.resource && state.settings.refresh_tokens {
        body["refresh_token"] = json!(state.issue_refresh(&before, token.family));
    }
    Ok(body)
}

fn poll_device(state: &mut State, form: &Form, client: &str) -> Result<Value, OAuthError> {
    let interval = Duration::from_secs(state.settings.device_interval);
    let presented = form.need("device_code")?;
    let error = |code: &str| OAuthError::new(code, "");
    let device: &mut Device = state.devices.get_mut(presented).ok_or_else(|| error("invalid_grant"))?;
    if device.grant.client != client {
        return Err(error("invalid_grant"));
    }
    let now = Instant::now();
    if now >= device.expires {
        return Err(error("expired_token"));
    }
    let too_early = device.last_poll.replace(now).is_some_and(|last| now.duration_since(last) < interval);
    match device.decision {
        Decision::Pending if too_early => Err(error("slow_down")),
        Decision::Pending => Err(error("authorization_pending")),
        Decision::Denied => Err(error("access_denied")),
        Decision::Approved => {
            let grant = device.grant.clone();
            state.devices.remove(presented);
            let family = state.new_family();
            Ok(tokens(state, &grant, Some(family)))
        }
    }
}

/// Token exchange (RFC 8693): a token becomes an access token, or, as enterprise-managed authorization uses it, an id token
/// an assertion that the JWT bearer grant of the resource's authorization server accepts.
fn exchange_token(state: &mut State, form: &Form, client: String) -> Result<Value, OAuthError> {
    form.need("subject_token_type")?;
    accepted(state, form.need("subject_token")?)?;
    let requested = form.get("requested_token_type").unwrap_or(ACCESS_TOKEN);
    if requested != ID_JAG {
        let grant = Grant { client, scopes: form.scopes(), resource: form.resource() };
        let mut answer = tokens(state, &grant, None);
        answer["issued_token_type"] = json!(requested);
        return Ok(answer);
    }
    let token = state.fresh_secret("id-jag");
    state.settings.accepted_assertions.insert(token.clone());
    Ok(
        json!({ "access_token": token, "issued_token_type": requested, "token_type": "N_A", "expires_in": 300 }),
    )
}

/// Issues what a grant is worth: an access token, and a refresh token for a sign-in.
fn tokens(state: &mut State, grant: &Grant, family: Option<u64>) -> Value {
    let mut grant = grant.clone();
    if let Some(scope) = &state.settings.granted_scope {
        grant.scopes = scope.split_whitespace().map(str::to_owned).collect();
    }
    let access = state.issue_access(&grant, family);
    let refresh =
        family.filter(|_| state.settings.refresh_tokens).map(|family| state.issue_refresh(&grant, family));
    token_body(&state.settings, &grant, &access, refresh)
}

fn token_body(settings: &AuthServerSettings, grant: &Grant, access: &str, refresh: Option<String>) -> Value {
    let mut body = json!({ "access_token": access, "token_type": "Bearer" });
    if !settings.omit_expires_in {
        body["expires_in"] = json!(settings.token_lifetime.as_secs());
    }
    if !grant.scopes.is_empty() {
        body["scope"] = json!(grant.scopes.join(" "));
    }
    if let Some(claims) = &settings.id_claims {
        body["id_token"] = json!(format!("e30.{}.unsigned", URL_SAFE_NO_PAD.encode(claims)));
    }
    if let Some(refresh) = refresh {
        body["refresh_token"] = json!(refresh);
    }
    body
}

/// Revokes a token (RFC 7009): a refresh token with all that came from the same sign-in. Unknown tokens are fine.
pub(crate) fn revoke(state: &mut State, form: &Form) -> Result<(), OAuthError> {
    let token = form.need("token")?;
    if let Some(family) = state.refresh_tokens.get(token).map(|token| token.family) {
        state.end_family(family);
    }
    state.tokens.revoke(token);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s256_is_that_of_rfc_7636_appendix_b() {
        assert_eq!(
            s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn repeated_parameters_count_as_absent() {
        let form = Form::parse(b"code=a&code=b&state=c&resource=d&resource=e");
        assert_eq!((form.get("code"), form.get("state"), form.get("resource")), (None, Some("c"), Some("d")));
    }
}
