//! A sign-in that was made elsewhere, as a pipeline hands it over: a token response, or a refresh token alone.

use std::fmt;

use serde_json::Value;

use super::super::super::client_auth::{AuthMethod, ClientIdentity};
use super::super::super::discover::discovery::DiscoverySource;
use super::super::super::failure::{Answer, Failure, Step};
use super::super::super::store::StoredTokens;
use super::super::super::urls::{redacted, same_issuer};
use super::super::token::TokenAnswer;
use super::{LoginProbe, PendingLogin, SignedIn};
use crate::{AuthError, AuthErrorKind, Secret};

/// The longest token that is taken, in bytes.
const MAX_TOKEN: usize = 64 << 10;

/// What a sign-in is made from without a person. `Debug` shows no token.
#[derive(Clone)]
pub struct SignInSeed {
    /// The tokens, where it has an access token.
    answer: Option<TokenAnswer>,
    refresh_token: Option<Secret>,
    client_id: Option<String>,
    issuer: Option<String>,
}

impl SignInSeed {
    /// Reads a token response (RFC 6749 section 5.1) as JSON, with `client_id` and `issuer` beside it where the entry does not
    /// name them; or one line that is a refresh token.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::Misconfigured`] where it is neither. Nothing of the text is repeated.
    pub fn parse(text: &Secret) -> Result<Self, AuthError> {
        let wrong =
            |why: &str| AuthError::new(AuthErrorKind::Misconfigured, format!("read the sign-in: {why}"));
        let text = text.expose().trim();
        if text.len() > MAX_TOKEN {
            return Err(wrong("it is longer than 64 KiB"));
        }
        if !text.starts_with('{') {
            // What begins as another value of JSON is not a token (RFC 6749 appendix A.17 would allow it, and no server writes it).
            let is_token = !text.is_empty()
                && !text.starts_with(['[', '"'])
                && text.bytes().all(|byte| byte.is_ascii_graphic());
            return match is_token {
                true => Ok(Self {
                    answer: None,
                    refresh_token: Some(Secret::new(text)),
                    client_id: None,
                    issuer: None,
                }),
                false => Err(wrong("expected a token response as JSON, or a refresh token on one line")),
            };
        }
        let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) else {
            return Err(wrong("it begins as JSON and is none"));
        };
        let member = |name: &str| {
            let text = object.get(name).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let refresh_token = member("refresh_token").map(Secret::from);
        let (client_id, issuer) = (member("client_id"), member("issuer"));
        let access_token = member("access_token");
        if access_token.as_ref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(wrong("its `access_token` has characters that no header can carry"));
        }
        let has_access_token = access_token.is_some();
        if !has_access_token && refresh_token.is_none() {
            return Err(wrong("it has neither `access_token` nor `refresh_token`"));
        }
        let answer = match has_access_token {
            true => Some(
                serde_json::from_value(Value::Object(object))
                    .map_err(|_| wrong("a field of the token response is of the wrong type"))?,
            ),
            false => None,
        };
        Ok(Self { answer, refresh_token, client_id, issuer })
    }
}

impl fmt::Debug for SignInSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInSeed")
            .field("client_id", &self.client_id)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl PendingLogin {
    /// Signs in with what was made elsewhere. A refresh token alone is spent for this, as every renewal does: where refresh
    /// tokens rotate, the one that was handed over is of no use afterwards.
    ///
    /// # Errors
    ///
    /// As [`complete`](Self::complete); [`AuthErrorKind::Misconfigured`] where only the server has named the issuer that
    /// a refresh token would go to, or the client is not known that it was issued to.
    pub async fn complete_with_seed(
        &self,
        seed: SignInSeed,
        probe: &dyn LoginProbe,
    ) -> Result<SignedIn, AuthError> {
        self.check_confirmed()?;
        self.seeded(seed, probe).await.map_err(|failure| {
            let error = AuthError::from(failure);
            // It is the tokens that were refused, and neither the entry nor who runs the server can change them.
            let is_refused = matches!(
                error.kind(),
                AuthErrorKind::Refused | AuthErrorKind::SignInExpired | AuthErrorKind::SourceFailed
            );
            match is_refused && error.hint().is_none() {
                true => {
                    error.with_hint("hand over a sign-in that is fresh: the one that was given is not taken")
                }
                false => error,
            }
        })
    }

    async fn seeded(&self, seed: SignInSeed, probe: &dyn LoginProbe) -> Result<SignedIn, Failure> {
        let (ctx, issuer) = (&self.ctx, &*self.discovery.issuer);
        let refuse = |why: String| Err(Failure::new(Step::Refresh, issuer, Answer::Misconfigured(why)));
        if let Some(other) = seed.issuer.as_deref().filter(|other| !same_issuer(other, issuer)) {
            let other = redacted(other);
            return refuse(format!(
                "the tokens are from {other}, and the server names this authorization server"
            ));
        }
        let client = match seed.client_id.as_ref().or(ctx.settings.spec.client_id.as_ref()) {
            Some(id) => {
                let key = ctx.key(issuer);
                ctx.identity_of(&key, &StoredTokens::new(Secret::new(""), id, ctx.clock.now())).await?
            }
            None if seed.refresh_token.is_some() => {
                return refuse(
                    "a refresh token is good for the client alone that it was issued to: name that as `oauth.clientId`, or as \
                     `client_id` beside the token"
                        .to_owned(),
                );
            }
            None => ClientIdentity {
                id: String::new(),
                secret: None,
                key: None,
                method: AuthMethod::choose(None, None, false, false),
            },
        };
        // Security: a server names its authorization server by itself, and must not be handed a refresh token by that.
        if seed.refresh_token.is_some() && seed.issuer.is_none() && !self.is_named_by_person() {
            return refuse(
                "the refresh token would be sent there, and only the server has named it: set `oauth.issuer` in an entry of \
                 your own, or `issuer` beside the token"
                    .to_owned(),
            );
        }
        let resource = ctx.resource_parameter(&self.discovery);
        let answer = match (seed.answer, &seed.refresh_token) {
            (Some(answer), _) => answer.of_seed(),
            (None, Some(token)) => {
                let grants =
                    ctx.grants(&self.discovery, &client, resource.as_deref(), self.dpop.as_deref())?;
                grants.refresh(token, &[]).await?.or_refresh_token(token)
            }
            (None, None) => return refuse("there is no token".to_owned()),
        };
        self.accept(answer, &client, &[], resource, probe).await
    }

    /// Whether a person has said that this is the authorization server.
    fn is_named_by_person(&self) -> bool {
        let spec = &self.ctx.settings.spec;
        let is_pinned = spec.issuer.is_some() || self.discovery.found == DiscoverySource::Configured;
        is_pinned && spec.issuer_is_confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_token_response_or_a_refresh_token_and_is_never_repeated() {
        let of = |text: &str| SignInSeed::parse(&Secret::new(text));
        let whole = of(
            r#"{"access_token":"canary-a","refresh_token":"canary-r","client_id":"c","issuer":"https://as"}"#,
        )
        .unwrap();
        assert!(whole.answer.is_some() && whole.refresh_token.is_some());
        assert_eq!((whole.client_id.as_deref(), whole.issuer.as_deref()), (Some("c"), Some("https://as")));
        assert!(!format!("{whole:?}").contains("canary"), "{whole:?}");
        for text in [" canary-r\n", r#"{"refresh_token":"canary-r"}"#] {
            let seed = of(text).unwrap();
            assert_eq!((seed.answer.is_none(), seed.refresh_token.unwrap().expose()), (true, "canary-r"));
        }
        for bad in [
            "",
            "canary two",
            "canary\nline",
            "{canary",
            "{\"a\":\"canary\"}",
            r#"{"access_token":7}"#,
            r#"{"access_token":"x","token_type":["canary"]}"#,
            "[\"canary\"]x y",
            "[\"canary\"]",
            "\"canary\"",
            "{\"access_token\":\"canary\\nline\"}",
            &"canary".repeat(20_000),
        ] {
            let error = of(bad).unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::Misconfigured, "{bad:.40}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }
}
