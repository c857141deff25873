//! How a client authenticates at the token endpoint (RFC 6749 section 2.3, RFC 7523 section 2.2).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use url::form_urlencoded;

use super::clock::Clock;
use super::jwt::{SigningKey, fresh_id};
use crate::{AuthError, Secret};

/// How long a client assertion is good for, in seconds: long enough for a slow network, too short to be stolen.
const ASSERTION_LIFETIME: u64 = 60;

/// The `client_assertion_type` of a JWT (RFC 7523 section 2.2).
const JWT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client authentication method (RFC 7591 section 2, OpenID Connect Core section 9).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AuthMethod {
    None,
    Basic,
    Post,
    PrivateKeyJwt,
}

impl AuthMethod {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "client_secret_basic" => Self::Basic,
            "client_secret_post" => Self::Post,
            "private_key_jwt" => Self::PrivateKeyJwt,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// The method to use: the registered one if the client can, else the first that both sides can.
    pub(crate) fn choose(
        registered: Option<&str>,
        supported: Option<&[String]>,
        secret: bool,
        key: bool,
    ) -> Self {
        let able = |method: Self| match method {
            Self::None => true,
            Self::Basic | Self::Post => secret,
            Self::PrivateKeyJwt => key,
        };
        if let Some(method) = registered.and_then(Self::parse).filter(|method| able(*method)) {
            return method;
        }
        // RFC 8414 section 2: a server that lists nothing supports client_secret_basic.
        let lists = |method: Self| match supported {
            Some(list) => list.iter().any(|name| name == method.as_str()),
            None => method == Self::Basic,
        };
        // A key was configured on purpose: it is used whatever the list says, or authentication would
        // silently become weaker.
        if key {
            return Self::PrivateKeyJwt;
        }
        [Self::Basic, Self::Post]
            .into_iter()
            .find(|method| able(*method) && lists(*method))
            .unwrap_or(if secret && !lists(Self::None) { Self::Basic } else { Self::None })
    }

    /// The method to register for: none, as a native application keeps no secrets (RFC 8252 section 8.5), else the first
    /// of those that carry a secret.
    pub(crate) fn to_register(supported: Option<&[String]>) -> Self {
        let lists = |method: Self| {
            supported.is_none_or(|list| list.is_empty() || list.iter().any(|name| name == method.as_str()))
        };
        [Self::None, Self::Post, Self::Basic].into_iter().find(|method| lists(*method)).unwrap_or(Self::None)
    }

    /// The other method to try, once, where a server that lists both does not recognise the client by this one.
    pub(crate) fn other(self, supported: Option<&[String]>, secret: bool) -> Option<Self> {
        let other = match self {
            Self::None | Self::Basic => Self::Post,
            Self::Post => Self::Basic,
            Self::PrivateKeyJwt => return None,
        };
        let listed = supported.is_none_or(|list| list.iter().any(|name| name == other.as_str()));
        (secret && listed).then_some(other)
    }
}

/// Who we are at one authorization server.
#[derive(Clone, Debug)]
pub(crate) struct ClientIdentity {
    pub(crate) id: String,
    pub(crate) secret: Option<Secret>,
    pub(crate) key: Option<Arc<SigningKey>>,
    pub(crate) method: AuthMethod,
}

impl ClientIdentity {
    /// The parameters that authenticate the client in the body, besides `client_id`.
    pub(crate) fn assertion(
        &self,
        issuer: &str,
        clock: &Clock,
    ) -> Result<Vec<(&'static str, String)>, AuthError> {
        let (AuthMethod::PrivateKeyJwt, Some(key)) = (self.method, &self.key) else { return Ok(Vec::new()) };
        let now = clock.unix();
        let claims = json!({
            "iss": self.id,
            "sub": self.id,
            // The issuer and not the token endpoint: what RFC 7523bis asks for, against audience injection.
            "aud": issuer,
            "jti": fresh_id()?,
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
        });
        let jwt = key.sign(json!({ "typ": "JWT" }), &claims)?;
        Ok(vec![("client_assertion_type", JWT_ASSERTION.to_owned()), ("client_assertion", jwt)])
    }

    /// The `Authorization` header of `client_secret_basic`: both parts form-encoded before they are joined
    /// (RFC 6749 section 2.3.1).
    pub(crate) fn basic(&self) -> Option<String> {
        let (AuthMethod::Basic, Some(secret)) = (self.method, &self.secret) else { return None };
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        Some(format!(
            "Basic {}",
            STANDARD.encode(format!("{}:{}", encode(&self.id), encode(secret.expose())))
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::jwt::tests::{pem, verified};
    use super::*;

    fn methods(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn f074_the_method_is_the_registered_one_else_one_that_both_sides_can() {
        use AuthMethod::{Basic, None as Public, Post, PrivateKeyJwt};
        type Row<'a> = (Option<&'a str>, Option<&'a [&'a str]>, bool, bool, AuthMethod);
        let table: &[Row<'_>] = &[
            (Some("client_secret_post"), Some(&["client_secret_basic"]), true, false, Post),
            (Some("client_secret_post"), None, false, false, Public),
            (Some("none"), Some(&["client_secret_basic"]), true, false, Public),
            (None, Some(&["client_secret_post", "client_secret_basic"]), true, false, Basic),
            (Some("client_secret_basic"), Some(&["client_secret_post"]), true, false, Basic),
            (None, Some(&["client_secret_post"]), true, false, Post),
            (None, None, true, false, Basic),
            (None, None, false, false, Public),
            (None, Some(&["none"]), true, false, Public),
            (None, Some(&["tls_client_auth"]), true, false, Basic),
            (None, Some(&["private_key_jwt"]), false, true, PrivateKeyJwt),
            (None, Some(&["none"]), false, true, PrivateKeyJwt),
        ];
        for (registered, supported, secret, key, expected) in table {
            let supported = supported.map(methods);
            assert_eq!(
                AuthMethod::choose(*registered, supported.as_deref(), *secret, *key),
                *expected,
                "{registered:?} {supported:?}"
            );
        }
    }

    #[test]
    fn fb_n01_what_is_registered_for_is_none_then_the_form_then_basic() {
        use AuthMethod::{Basic, None as Public, Post};
        let table: &[(Option<&[&str]>, AuthMethod)] = &[
            (None, Public),
            (Some(&[]), Public),
            (Some(&["client_secret_basic", "none"]), Public),
            (Some(&["client_secret_basic", "client_secret_post"]), Post),
            (Some(&["private_key_jwt", "client_secret_basic"]), Basic),
            (Some(&["private_key_jwt", "tls_client_auth"]), Public),
        ];
        for (supported, expected) in table {
            assert_eq!(
                AuthMethod::to_register(supported.map(methods).as_deref()),
                *expected,
                "{supported:?}"
            );
        }
        let both = methods(&["client_secret_basic", "client_secret_post"]);
        assert_eq!(Basic.other(Some(&both), true), Some(Post));
        assert_eq!(Post.other(Some(&both), true), Some(Basic));
        assert_eq!(Post.other(Some(&both[1..]), true), None, "never one that is not listed");
        assert_eq!(Public.other(Some(&both), false), None, "never without a secret");
    }

    #[test]
    fn basic_encodes_both_parts_before_joining_them() {
        let identity = ClientIdentity {
            id: "a:b".into(),
            secret: Some(Secret::new("p%w +")),
            key: None,
            method: AuthMethod::Basic,
        };
        let header = identity.basic().unwrap();
        let decoded = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(decoded, b"a%3Ab:p%25w+%2B");
        assert!(!format!("{identity:?}").contains("p%w"));
    }

    #[test]
    fn an_assertion_names_the_client_twice_and_the_issuer_as_audience() {
        let key = Arc::new(SigningKey::from_pem(&pem(&SigningKey::generate_pkcs8().unwrap())).unwrap());
        let method = AuthMethod::PrivateKeyJwt;
        let identity = ClientIdentity { id: "me".into(), secret: None, key: Some(Arc::clone(&key)), method };
        let params = identity.assertion("http://localhost:1", &Clock::system()).unwrap();
        assert_eq!(params[0], ("client_assertion_type", JWT_ASSERTION.to_owned()));
        let (_, claims) = verified(&params[1].1, Some(&key));
        assert_eq!(
            (&claims["iss"], &claims["sub"], &claims["aud"]),
            (&"me".into(), &"me".into(), &"http://localhost:1".into())
        );
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), ASSERTION_LIFETIME);
    }
}
