//! Token responses (RFC 6749 section 5.1), as servers really send them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oauth2::{AccessToken, RefreshToken, Scope, TokenType};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::super::identity::{self, Identity, claims};
use super::super::numbers::token_lifetime;
use super::super::store::StoredTokens;
use crate::Secret;

/// A token response. `Debug` shows no token: `oauth2`'s secret types redact themselves.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct TokenAnswer {
    access_token: AccessToken,
    #[serde(default = "bearer")]
    token_type: TokenKind,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
    #[serde(default, rename = "scope", deserialize_with = "scopes")]
    scopes: Option<Vec<Scope>>,
    #[serde(default)]
    issued_token_type: Option<String>,
    #[serde(default, deserialize_with = "token")]
    id_token: Option<AccessToken>,
    /// It was made elsewhere, and may have been some time ago.
    #[serde(skip)]
    is_seed: bool,
}

/// The `token_type` as received; compared without case (RFC 6749 section 7.1).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct TokenKind(String);

impl TokenType for TokenKind {}

fn bearer() -> TokenKind {
    TokenKind("Bearer".to_owned())
}

impl oauth2::TokenResponse for TokenAnswer {
    type TokenType = TokenKind;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &TokenKind {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

impl TokenAnswer {
    /// The access token.
    pub(crate) fn access_token(&self) -> Secret {
        Secret::new(self.access_token.secret().as_str())
    }

    /// The same with its ID token in the place of its access token, and with the end of that one (OpenID Connect Core
    /// section 2); `None` where it has no ID token. Its signature is for the server that gets it to check.
    pub(crate) fn with_id_token(mut self, now: SystemTime) -> Option<Self> {
        self.access_token = self.id_token.clone().filter(|token| !token.secret().is_empty())?;
        let ends = ends_at(self.access_token.secret());
        let left = ends.map(|end| end.duration_since(now).unwrap_or_default().as_secs());
        self.expires_in = left.or(self.expires_in).filter(|seconds| *seconds > 0);
        Some(self)
    }

    /// The same with this refresh token, where it brings none: the one that was sent stays good (RFC 6749 section 6).
    pub(crate) fn or_refresh_token(mut self, token: &Secret) -> Self {
        let has_one = self.refresh_token.as_ref().is_some_and(|token| !token.secret().is_empty());
        if !has_one {
            self.refresh_token = Some(RefreshToken::new(token.expose().to_owned()));
        }
        self
    }

    /// Whether the server says that it left `scope` out, and gave no refresh token.
    pub(crate) fn is_short_of(&self, scope: &str) -> bool {
        let refreshable = self.refresh_token.as_ref().is_some_and(|token| !token.secret().is_empty());
        let listed = self.scopes.as_ref();
        !refreshable && listed.is_some_and(|scopes| scopes.iter().all(|granted| granted.as_str() != scope))
    }

    /// Whether there is no token in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.access_token.secret().trim().is_empty() && self.id_token().is_none_or(str::is_empty)
    }

    /// Its `token_type`, as it may be shown, where a request carries tokens of that type otherwise than as a bearer token
    /// does. Any other word is taken for one: services write `bot`, `user` or `jwt`. `has_proof` says that a proof (RFC 9449)
    /// was sent.
    pub(crate) fn unspoken_type(&self, has_proof: bool) -> Option<String> {
        let TokenKind(kind) = &self.token_type;
        let is_unspoken = match kind.trim().to_ascii_lowercase().as_str() {
            "mac" | "pop" | "hoba" => true,
            "dpop" => !has_proof,
            _ => false,
        };
        is_unspoken.then(|| mcp_text::line(kind, 20))
    }

    /// What kind of token a token exchange gave (RFC 8693 section 2.2.1).
    pub(crate) fn issued_token_type(&self) -> Option<&str> {
        self.issued_token_type.as_deref()
    }

    /// The same, where it was made elsewhere.
    pub(crate) fn of_seed(self) -> Self {
        Self { is_seed: true, ..self }
    }

    fn id_token(&self) -> Option<&str> {
        self.id_token.as_ref().map(|token| token.secret().as_str())
    }

    /// Why its ID token does not say who signed in to this issuer with this client; `None` where it does, or there is none.
    pub(crate) fn id_token_fault(&self, client_id: &str, issuer: &str, now: SystemTime) -> Option<String> {
        identity::fault(&claims(self.id_token()?)?, client_id, issuer, (!self.is_seed).then_some(now))
    }

    /// What is kept of it. `requested` are the scopes that were asked for: what a server does not list, it
    /// granted as asked (RFC 6749 section 5.1).
    pub(crate) fn into_stored(
        self,
        client_id: &str,
        issuer: &str,
        requested: &[String],
        now: SystemTime,
    ) -> StoredTokens {
        let mut stored = StoredTokens::new(self.access_token(), client_id, now);
        let is_fit = self.id_token_fault(client_id, issuer, now).is_none();
        stored.identity =
            if is_fit { Identity::of(self.id_token(), self.access_token.secret()) } else { None };
        stored.refresh_token = self
            .refresh_token
            .filter(|token| !token.secret().is_empty())
            .map(|token| Secret::new(token.secret().as_str()));
        stored.token_type = self.token_type.0;
        stored.expires_at = self.expires_in.and_then(|seconds| now.checked_add(Duration::from_secs(seconds)));
        stored.scopes = match self.scopes {
            Some(granted) => granted.iter().map(|scope| scope.to_string()).collect(),
            None => requested.to_vec(),
        };
        stored
    }
}

/// When a JWT ends (RFC 7519 section 4.1.4), if it is one and says so.
fn ends_at(token: &str) -> Option<SystemTime> {
    let end = claims(token)?.get("exp")?.as_u64()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(end))
}

/// A token that is a string; another value counts as none.
fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<AccessToken>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_str().map(|text| AccessToken::new(text.to_owned())))
}

/// `expires_in`. Zero and nonsense mean "not said": such a token is used until it is refused, rather than refreshed for
/// ever.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(token_lifetime(&Value::deserialize(deserializer)?))
}

/// `scope`: words in a string, or a list of strings.
fn scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Scope>>, D::Error> {
    let words: Vec<String> = match Value::deserialize(deserializer)? {
        Value::String(text) => text.split_ascii_whitespace().map(str::to_owned).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Ok((!words.is_empty()).then(|| words.into_iter().map(Scope::new).collect()))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn stored(json: &str) -> StoredTokens {
        let answer: TokenAnswer = serde_json::from_str(json).unwrap();
        answer.into_stored("me", "https://as", &["asked".to_owned()], UNIX_EPOCH)
    }

    #[test]
    fn a_type_that_is_sent_otherwise_is_not_sent_as_a_bearer_token() {
        let unspoken = |kind: &str, has_proof| {
            let text = serde_json::json!({ "access_token": "t", "token_type": kind }).to_string();
            serde_json::from_str::<TokenAnswer>(&text).unwrap().unspoken_type(has_proof)
        };
        for (kind, expected) in [("MAC", Some("MAC")), ("pop", Some("pop")), ("DPoP", Some("DPoP"))] {
            assert_eq!(unspoken(kind, false).as_deref(), expected);
        }
        for (kind, has_proof) in [
            ("Bearer", false),
            ("bearer ", false),
            ("bot", false),
            ("N_A", false),
            ("", false),
            ("dpop", true),
        ] {
            assert_eq!(unspoken(kind, has_proof), None, "{kind}");
        }
        for (text, expected) in [
            (r#"{"access_token":""}"#, true),
            (r#"{"access_token":" ","id_token":""}"#, true),
            (r#"{"access_token":"","id_token":"a.b.c"}"#, false),
            (r#"{"access_token":"t"}"#, false),
        ] {
            assert_eq!(serde_json::from_str::<TokenAnswer>(text).unwrap().is_empty(), expected, "{text}");
        }
    }

    #[test]
    fn f092_a_missing_or_senseless_lifetime_means_until_refused() {
        for lifetime in [
            "",
            r#","expires_in":0"#,
            r#","expires_in":null"#,
            r#","expires_in":"soon""#,
            r#","expires_in":-5"#,
        ] {
            let tokens = stored(&format!(r#"{{"access_token":"t"{lifetime}}}"#));
            assert_eq!(tokens.expires_at, None, "{lifetime}");
            assert_eq!(tokens.token_type, "Bearer");
        }
        for lifetime in ["60", "60.0", "\"60\""] {
            let tokens = stored(&format!(r#"{{"access_token":"t","expires_in":{lifetime}}}"#));
            assert_eq!(tokens.expires_at, Some(UNIX_EPOCH + Duration::from_secs(60)), "{lifetime}");
        }
    }

    #[test]
    fn scopes_are_the_granted_ones_else_those_asked_for() {
        assert_eq!(stored(r#"{"access_token":"t"}"#).scopes, ["asked"]);
        assert_eq!(stored(r#"{"access_token":"t","scope":"a b"}"#).scopes, ["a", "b"]);
        assert_eq!(stored(r#"{"access_token":"t","scope":["a","b"]}"#).scopes, ["a", "b"]);
        assert_eq!(stored(r#"{"access_token":"t","scope":""}"#).scopes, ["asked"]);
    }

    #[test]
    fn fa_a76_an_id_token_is_kept_in_the_place_of_the_access_token_with_its_own_end() {
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        let claims = |text: &str| format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(text));
        let (ends, over, silent) =
            (claims(r#"{"exp":1300}"#), claims(r#"{"exp":900}"#), claims(r#"{"sub":"ann"}"#));
        for (id_token, lifetime) in
            [(&*ends, Some(300)), (&*silent, Some(60)), ("opaque", Some(60)), (&*over, None)]
        {
            let text = format!(
                r#"{{"access_token":"a","refresh_token":"r","expires_in":60,"id_token":"{id_token}"}}"#
            );
            let answer: TokenAnswer = serde_json::from_str(&text).unwrap();
            let kept = answer.with_id_token(now).unwrap().into_stored("me", "https://as", &[], now);
            assert_eq!(kept.access_token.expose(), id_token);
            assert_eq!(
                kept.expires_at,
                lifetime.map(|seconds| now + Duration::from_secs(seconds)),
                "{id_token}"
            );
            assert_eq!(kept.refresh_token.unwrap().expose(), "r");
        }
        for none in [
            r#"{"access_token":"a"}"#,
            r#"{"access_token":"a","id_token":""}"#,
            r#"{"access_token":"a","id_token":1}"#,
        ] {
            assert!(
                serde_json::from_str::<TokenAnswer>(none).unwrap().with_id_token(now).is_none(),
                "{none}"
            );
        }
    }

    #[test]
    fn an_answer_does_not_show_its_tokens() {
        let text = r#"{"access_token":"canary-a","refresh_token":"canary-r","id_token":"canary-i"}"#;
        let answer: TokenAnswer = serde_json::from_str(text).unwrap();
        assert!(!format!("{answer:?}").contains("canary"));
    }
}
