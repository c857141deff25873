//! Who signed in, as the tokens tell: to show it, and to notice the wrong account before anything is sent.
//!
//! Read from an ID token (OpenID Connect Core section 2) that came straight from the token endpoint over TLS, which section
//! 3.1.3.7 takes in the place of its signature; where there is none, from an access token that is a JWT (RFC 9068). It is a
//! guard against a mistake of the person. What a token is good for is for the server to say.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::urls::redacted;
use crate::settings::OAuthSpec;

/// What providers call the person, besides `sub`.
const NAMES: [&str; 4] = ["email", "preferred_username", "upn", "unique_name"];
/// What providers call the tenant: Entra, Auth0 and WorkOS, Okta, Google.
const ORGANIZATIONS: [&str; 9] =
    ["tid", "tenant_id", "tenant", "org_id", "org_name", "organization_id", "organization", "org", "hd"];
/// What of one claim is kept, in characters.
const MOST: usize = 200;

/// Who signed in. No part of it is a secret.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Identity {
    /// The `sub`, which one issuer gives to one person, or one of each of its clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The names that people know: an address of mail, a user name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The tenant or organisation, by its number and its name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<String>,
    /// Whether an ID token says so: it is about the person, and an access token is about the server.
    pub from_id_token: bool,
}

impl Identity {
    /// Whose tokens these are, as far as they tell.
    pub(crate) fn of(id_token: Option<&str>, access_token: &str) -> Option<Self> {
        let of_person = id_token.and_then(claims).and_then(|claims| Self::of_claims(&claims, true));
        of_person.or_else(|| claims(access_token).and_then(|claims| Self::of_claims(&claims, false)))
    }

    fn of_claims(claims: &Value, from_id_token: bool) -> Option<Self> {
        let text = |name: &str| {
            let text = match claims.get(name)? {
                Value::String(text) => mcp_text::line(text, MOST),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            Some(text).filter(|text| !text.is_empty())
        };
        let all = |names: &[&str]| {
            let mut found: Vec<String> = names.iter().filter_map(|name| text(name)).collect();
            found.dedup();
            found
        };
        // An address that anyone may have typed in is no one's (OpenID Connect Core section 5.1).
        let is_unverified = matches!(claims.get("email_verified"), Some(Value::Bool(false)))
            || claims["email_verified"] == "false";
        let names = if is_unverified { &NAMES[1..] } else { &NAMES[..] };
        let identity = Self {
            subject: text("sub"),
            names: all(names),
            organizations: all(&ORGANIZATIONS),
            from_id_token,
        };
        let says_something =
            identity.subject.is_some() || !identity.names.is_empty() || !identity.organizations.is_empty();
        says_something.then_some(identity)
    }

    /// After a renewal, which may bring no ID token: what is known of the person stays.
    pub(crate) fn renewed(old: Option<&Self>, new: Option<Self>) -> Option<Self> {
        match (old, new) {
            (Some(old), Some(new)) if !new.from_id_token => Some(old.clone()),
            (old, new) => new.or_else(|| old.cloned()),
        }
    }

    /// How the person is called: by a name, else by the subject.
    pub fn name(&self) -> Option<&str> {
        self.names.first().or(self.subject.as_ref()).map(String::as_str)
    }

    /// The person and the organisation, for people.
    pub fn to_line(&self) -> String {
        match (self.name(), self.organizations.first()) {
            (Some(name), Some(organization)) => format!("{name} of {organization}"),
            (Some(name), None) => name.to_owned(),
            (None, Some(organization)) => format!("someone of {organization}"),
            (None, None) => "someone".to_owned(),
        }
    }
}

/// How far the clocks of an issuer and of this machine may be apart.
const LEEWAY: Duration = Duration::from_secs(600);

/// Why an ID token with these claims does not say who signed in to `issuer` with `client_id` (OpenID Connect Core section 3.1.3.7);
/// `None` where it does. A claim that is not there is no fault. `now`, where it has just been issued.
pub(crate) fn fault(
    claims: &Value,
    client_id: &str,
    issuer: &str,
    now: Option<SystemTime>,
) -> Option<String> {
    let shown = |text: &str| mcp_text::line(text, MOST);
    if let Some(named) = claims.get("iss")
        && !named.as_str().is_some_and(|named| is_of_issuer(named, issuer))
    {
        let named = named.as_str().map_or("something else".to_owned(), shown);
        return Some(format!("is from {named}, and the sign-in is to {}", redacted(issuer)));
    }
    let is_for_client = |audience: &Value| match audience {
        Value::Array(all) => all.iter().any(|one| one == client_id),
        one => one == client_id,
    };
    if !client_id.is_empty() && claims.get("aud").is_some_and(|audience| !is_for_client(audience)) {
        return Some("is for another client".to_owned());
    }
    let ends = claims.get("exp").and_then(Value::as_u64).map(Duration::from_secs);
    let now = now.and_then(|now| now.duration_since(UNIX_EPOCH).ok());
    match (ends, now) {
        (Some(ends), Some(now)) if ends + LEEWAY < now => {
            Some(format!("ended {} ago", mcp_text::elapsed(now.saturating_sub(ends))))
        }
        _ => None,
    }
}

/// Whether an issuer that a token names is this one: its path may be that of a tenant (Entra), its scheme left out (Google).
fn is_of_issuer(named: &str, issuer: &str) -> bool {
    let Ok(issuer) = Url::parse(issuer) else { return named == issuer };
    match Url::parse(named) {
        Ok(named) if named.has_host() => named.origin() == issuer.origin(),
        _ => Some(named) == issuer.host_str(),
    }
}

/// Why tokens are not those of the account that an entry expects; `None` where they are, or it expects none.
pub(crate) fn mismatch(spec: &OAuthSpec, identity: Option<&Identity>) -> Option<String> {
    let expectations = [
        (spec.expect_subject.as_deref(), "oauth.expectSubject", "openid and email"),
        (spec.expect_organization.as_deref(), "oauth.expectOrganization", "openid"),
    ];
    for (expected, field, scopes) in expectations {
        let Some(expected) = expected else { continue };
        let Some(identity) = identity else {
            return Some(format!(
                "whose it is cannot be told, and `{field}` expects {expected}: ask for the scopes {scopes} with `oauth.scopes`"
            ));
        };
        let is_met = if field.ends_with("Subject") {
            // Mail is not told apart by its case; a subject is (OpenID Connect Core section 2).
            let by_name = identity.names.iter().any(|name| name.eq_ignore_ascii_case(expected));
            by_name || identity.subject.as_deref() == Some(expected)
        } else {
            identity.organizations.iter().any(|name| name.eq_ignore_ascii_case(expected))
        };
        if !is_met {
            return Some(format!("it is of {}, and `{field}` expects {expected}", identity.to_line()));
        }
    }
    None
}

/// What a JWT says (RFC 7519 section 3), without a look at its signature.
pub(crate) fn claims(token: &str) -> Option<Value> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims))
    }

    fn spec(subject: Option<&str>, organization: Option<&str>) -> OAuthSpec {
        OAuthSpec {
            expect_subject: subject.map(str::to_owned),
            expect_organization: organization.map(str::to_owned),
            ..OAuthSpec::default()
        }
    }

    #[test]
    fn the_account_is_the_expected_one_by_subject_name_or_tenant() {
        let ann = jwt(r#"{"sub":"s-1","email":"Ann@corp.example","tid":"t-9","org_name":"Corp"}"#);
        let other = jwt(r#"{"sub":"app","tid":"t-8"}"#);
        let ann = Identity::of(Some(&ann), &other);
        assert_eq!(ann.as_ref().unwrap().to_line(), "Ann@corp.example of t-9");
        for (subject, organization, met) in [
            (None, None, true),
            (Some("s-1"), None, true),
            (Some("S-1"), None, false),
            (Some("ann@corp.example"), None, true),
            (Some("bob@corp.example"), None, false),
            (None, Some("t-9"), true),
            (None, Some("corp"), true),
            (None, Some("t-8"), false),
            (Some("s-1"), Some("t-8"), false),
            (Some("t-9"), None, false),
            (None, Some("s-1"), false),
        ] {
            let why = mismatch(&spec(subject, organization), ann.as_ref());
            assert_eq!(why.is_none(), met, "{subject:?} {organization:?}: {why:?}");
        }
        // A token that says nothing does not say whose it is.
        for opaque in ["opaque", "a.b.c", &jwt("[]"), &jwt(r#"{"sub":""}"#), &jwt(r#"{"sub":{"a":1}}"#)] {
            let no_one = Identity::of(Some(opaque), opaque);
            assert!(no_one.is_none(), "{no_one:?}");
            assert!(mismatch(&spec(None, None), None).is_none());
            assert!(mismatch(&spec(Some("s-1"), None), None).unwrap().contains("openid"));
        }
    }

    #[test]
    fn an_id_token_of_another_issuer_client_or_time_says_nothing() {
        let now = UNIX_EPOCH + Duration::from_secs(100_000);
        let issuer = "https://login.example/common/v2.0";
        for (claims, said) in [
            (r#"{"sub":"ann"}"#, None),
            (r#"{"iss":"https://login.example/common/v2.0","aud":"me","exp":100100}"#, None),
            (r#"{"iss":"https://login.example/tenant-7/v2.0","aud":["x","me"],"exp":99500}"#, None),
            (r#"{"iss":"login.example"}"#, None),
            (r#"{"iss":"https://evil.example"}"#, Some("is from https://evil.example, and")),
            (r#"{"iss":"http://login.example/common/v2.0"}"#, Some("is from http://login")),
            (r#"{"iss":"evil.example"}"#, Some("is from evil.example, and")),
            (r#"{"iss":7}"#, Some("is from something else")),
            (r#"{"aud":"other"}"#, Some("for another client")),
            (r#"{"aud":["other"]}"#, Some("for another client")),
            (r#"{"exp":1000}"#, Some("ended 27 h ago")),
        ] {
            let claims: Value = serde_json::from_str(claims).unwrap();
            let fault = fault(&claims, "me", issuer, Some(now));
            assert_eq!(fault.is_some(), said.is_some(), "{claims}: {fault:?}");
            assert!(said.is_none_or(|said| fault.as_ref().unwrap().contains(said)), "{fault:?}");
        }
        let old = serde_json::json!({ "exp": 1000, "aud": "other" });
        assert!(fault(&old, "", issuer, None).is_none(), "made elsewhere, by a client that is not known");
        // Who typed in an address is not who has it.
        for (verified, met) in [("true", true), ("false", false), ("\"false\"", false)] {
            let ann = jwt(&format!(r#"{{"sub":"s","email":"ann@x.example","email_verified":{verified}}}"#));
            let ann = Identity::of(Some(&ann), "opaque");
            assert_eq!(mismatch(&spec(Some("ann@x.example"), None), ann.as_ref()).is_none(), met);
        }
    }

    #[test]
    fn what_a_token_says_is_one_bounded_line_and_a_renewal_without_an_id_token_keeps_the_person() {
        let evil =
            jwt(&format!(r#"{{"sub":"a\\u001b[2J\\nb{}","hd":7}}"#, "x".repeat(500)).replace("\\\\", "\\"));
        let shown = Identity::of(None, &evil).unwrap();
        assert!(
            shown.to_line().chars().count() < 2 * MOST && !shown.to_line().contains('\u{1b}'),
            "{shown:?}"
        );
        assert_eq!(shown.organizations, ["7"]);
        let person = Identity::of(Some(&jwt(r#"{"sub":"ann"}"#)), "x");
        let of_api = Identity::of(None, &jwt(r#"{"sub":"pairwise"}"#));
        assert_eq!(Identity::renewed(person.as_ref(), of_api.clone()), person);
        assert_eq!(Identity::renewed(person.as_ref(), None), person);
        assert_eq!(Identity::renewed(None, of_api.clone()), of_api);
        let bob = Identity::of(Some(&jwt(r#"{"sub":"bob"}"#)), "x");
        assert_eq!(Identity::renewed(person.as_ref(), bob.clone()), bob, "an ID token is believed");
    }
}
