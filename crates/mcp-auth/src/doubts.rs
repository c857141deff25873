//! What is odd about credentials that were refused, as far as their text tells, without any of their values.
//!
//! A server says 401 and no more. Whether a variable was never set, a placeholder never filled in, or a token has ended can
//! be seen on this side, and is worth more than the number.

use std::time::SystemTime;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use mcp_text::{is_scheme, scheme_of, unexpanded, variable};
use url::Url;

use crate::Credentials;
use crate::credentials::is_credential;

/// Words that people put where a secret belongs, in documentation and templates.
const PLACEHOLDERS: [&str; 14] = [
    "YOUR_",
    "YOUR-",
    "YOURTOKEN",
    "YOURKEY",
    "YOURAPI",
    "_HERE",
    "-HERE",
    "CHANGEME",
    "CHANGE_ME",
    "REPLACE_",
    "REPLACE-",
    "INSERT_",
    "PLACEHOLDER",
    "XXXXXX",
];

/// What of an audience is shown, in columns.
const MAX_AUDIENCE: usize = 200;

/// How references into stores of secrets begin.
const STORES: [&str; 6] = ["op://", "vault:", "arn:aws:", "keychain:", "secret://", "gcp://"];

/// What is odd about `credentials` at `now`: fragments that name headers and variables, and hold no value.
pub fn doubts(credentials: &Credentials, now: SystemTime) -> Vec<String> {
    let mut doubts = Vec::new();
    for (name, _) in credentials.names() {
        let Some(value) = credentials.header(name) else { continue };
        let name_shown = if *name == AUTHORIZATION { "Authorization" } else { name.as_str() };
        let Ok(text) = value.to_str() else {
            doubts.push(format!("`{name_shown}` has characters beyond ASCII"));
            continue;
        };
        if let Some(variable) = unexpanded(text) {
            doubts.push(format!("`{name_shown}` holds a variable that is not set here: {variable}"));
        } else if *name == AUTHORIZATION {
            doubts.extend(of_authorization(value, text, now).map(|doubt| format!("`{name_shown}` {doubt}")));
        } else if is_credential(name) {
            doubts.extend(of_token(text).map(|doubt| format!("`{name_shown}` {doubt}")));
        }
    }
    doubts.extend(token_document(credentials));
    doubts.extend(time_as_header(credentials));
    // Where they come from is where a person has to look.
    for (name, _) in credentials.names().filter(|(name, _)| is_credential(name)) {
        let name_shown = if *name == AUTHORIZATION { "Authorization" } else { name.as_str() };
        doubts.extend(credentials.note(name).map(|note| format!("`{name_shown}` {note}")));
    }
    // What their source printed while it succeeded is the best guess after that.
    doubts.extend(credentials.remark().map(str::to_owned));
    doubts
}

/// That the token among `credentials` says that it is for other servers than the one at `server`: a fragment with what may be
/// shown of them. Identifiers that are no URLs say nothing of it, and one that is for a whole origin is for each of its paths.
pub fn other_audience(credentials: &Credentials, server: &Url) -> Option<String> {
    let audiences = audiences(credentials.header(&AUTHORIZATION)?);
    let origins: Vec<_> = audiences
        .iter()
        .map(|audience| Url::parse(audience).ok().filter(Url::has_host).map(|url| url.origin()))
        .collect::<Option<_>>()?;
    let first = origins.first()?;
    let is_other = origins.iter().all(|origin| *origin != server.origin());
    is_other.then(|| {
        let shown = mcp_text::line(&first.ascii_serialization(), MAX_AUDIENCE);
        format!("`Authorization` has a token (a JWT) for {shown} (`aud`), and not for this server")
    })
}

/// The first variable that has no value: one that is not set, and whose name is in `credentials` in the place of its value; or one that is
/// empty, and leaves nothing of a credential.
pub fn unset_variable(credentials: &Credentials) -> Option<String> {
    credentials.names().find_map(|(name, _)| {
        let text = credentials.header(name)?.to_str().ok()?;
        unexpanded(text).or_else(|| credentials.empty_variable(name)).map(str::to_owned)
    })
}

/// Members of the documents in which token endpoints and clouds' command lines hand out a token, in lower case.
const TOKEN_DOCUMENT: [&str; 8] = [
    "access_token",
    "accesstoken",
    "token",
    "id_token",
    "token_type",
    "tokentype",
    "expires_in",
    "expireson",
];

/// Whether what was sent is a whole token document, each of its members a header, and none of them the one that is wanted.
fn token_document(credentials: &Credentials) -> Option<String> {
    let names: Vec<&str> = credentials.names().map(|(name, _)| name.as_str()).collect();
    let of_a_document = names.iter().filter(|name| TOKEN_DOCUMENT.contains(name)).count();
    let is_one = of_a_document > 0 && !names.contains(&AUTHORIZATION.as_str());
    is_one.then(|| {
        let shown: Vec<String> = names.iter().take(4).map(|name| format!("`{name}`")).collect();
        format!("there is no `Authorization` among the headers that were sent: {}", shown.join(", "))
    })
}

/// The name of the time that a helper may print beside `headers`, as a header has it.
const TIME_NAME: &str = "expiresat";

/// Whether the time was printed among the headers, and so was sent as one of them.
fn time_as_header(credentials: &Credentials) -> Option<String> {
    let is_sent = credentials.names().any(|(name, _)| name.as_str() == TIME_NAME);
    is_sent.then(|| {
        "`expiresAt` was sent as a header: it is a time only where the headers are in `headers`".to_owned()
    })
}

/// What is wrong with a value that cannot be a credential at all, such as a scheme without a token.
pub(crate) fn void(name: &http::HeaderName, value: &HeaderValue) -> Option<&'static str> {
    let text = value.to_str().ok()?.trim();
    if *name == AUTHORIZATION {
        return match text.split_once(char::is_whitespace) {
            None if text.is_empty() => Some("is empty"),
            None if is_scheme(text) => Some("has a scheme and no token behind it"),
            _ => None,
        };
    }
    (text.is_empty() && is_credential(name)).then_some("is empty")
}

fn of_authorization(value: &HeaderValue, text: &str, now: SystemTime) -> Option<String> {
    if let Some(void) = void(&AUTHORIZATION, value) {
        return Some(void.to_owned());
    }
    // Whole lines are pasted, from a manual or from another file.
    if text.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("authorization:")) {
        return Some(
            "begins with the name of the header, which belongs before the colon of the entry".to_owned(),
        );
    }
    if is_quoted(text) {
        return Some("is in quotation marks, which are sent along".to_owned());
    }
    // Before the blank is looked for: there may be none.
    if text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)) {
        return Some("has a colon behind its scheme, where a blank belongs".to_owned());
    }
    let Some((scheme, token)) = text.split_once(' ') else {
        return of_token(text).or_else(|| {
            // Some services take a bare key; most want a scheme.
            Some("has no scheme, such as `Bearer`, before the token".to_owned())
        });
    };
    let token = token.trim();
    if scheme_of(token).is_some() {
        return Some("has its scheme twice".to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") && token.contains(':') {
        return Some("has a user and a password that are not encoded (Base64, RFC 7617)".to_owned());
    }
    of_token(token).or_else(|| of_jwt(value, now))
}

fn is_quoted(text: &str) -> bool {
    ['"', '\''].iter().any(|quote| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote))
}

/// What shows that a token was never filled in, or not as it should be.
fn of_token(token: &str) -> Option<String> {
    if is_quoted(token) {
        return Some("has its token in quotation marks, which are sent along".to_owned());
    }
    if token.starts_with("{file:") {
        return Some("holds a file in a spelling that is not read here: write ${file:PATH}".to_owned());
    }
    let of_code = ["env:", "process.env.", "env."].iter().find_map(|start| token.strip_prefix(start));
    let in_braces = token.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let other = of_code.or(in_braces).filter(|name| {
        // Security: what a person pasted between braces may be the token.
        mcp_text::is_variable_name(name) && !name.contains(|c: char| c.is_ascii_lowercase())
    });
    if let Some(name) = variable(token).or(other) {
        return Some(format!(
            "holds the variable {name} in a spelling that is not read here: write ${{NAME}}"
        ));
    }
    if let Some(word) = mcp_text::nothing(token) {
        return Some(format!(
            "holds the word `{word}`, which is what a value that is not there is written as"
        ));
    }
    if let Some(store) = STORES.iter().find(|store| token.starts_with(**store)) {
        return Some(format!("holds where a secret is kept (`{store}`), and not the secret"));
    }
    if token.starts_with("${") && !token.contains('}') {
        return Some("holds the beginning of a variable, `${`, without its `}`".to_owned());
    }
    if ["$(", "`", "${{"].iter().any(|open| token.starts_with(open)) {
        return Some("holds what a shell or a workflow would have replaced".to_owned());
    }
    let upper = token.to_ascii_uppercase();
    let is_within = |open, close| token.len() > 2 && token.starts_with(open) && token.ends_with(close);
    let in_brackets = is_within('<', '>') || is_within('[', ']');
    let is_word = matches!(&*upper, "TODO" | "FIXME" | "TBD" | "TOKEN" | "SECRET" | "API_KEY" | "APIKEY")
        || token.len() >= 3 && upper.bytes().all(|byte| byte == b'X');
    let dots = !token.is_empty() && token.chars().all(|c| matches!(c, '.' | '*' | '…'));
    let cut = token.ends_with("...") || token.ends_with('…');
    let in_marks = ["@", "__"].iter().any(|mark| {
        token
            .strip_prefix(mark)
            .and_then(|rest| rest.strip_suffix(mark))
            .is_some_and(mcp_text::is_variable_name)
    });
    if in_brackets
        || is_word
        || dots
        || cut
        || in_marks
        || PLACEHOLDERS.iter().any(|word| upper.contains(word))
    {
        return Some("still holds a placeholder".to_owned());
    }
    if token.contains(char::is_whitespace) {
        return Some("has a blank in its token".to_owned());
    }
    None
}

/// Without `oauth` there is no JSON parser, and so nothing reads the token.
#[cfg(not(any(feature = "helper", feature = "oauth")))]
fn of_jwt(_: &HeaderValue, _: SystemTime) -> Option<String> {
    None
}

#[cfg(not(any(feature = "helper", feature = "oauth")))]
fn audiences(_: &HeaderValue) -> Vec<String> {
    Vec::new()
}

#[cfg(any(feature = "helper", feature = "oauth"))]
use crate::jwt::audiences;

#[cfg(any(feature = "helper", feature = "oauth"))]
fn of_jwt(value: &HeaderValue, now: SystemTime) -> Option<String> {
    let claims = crate::jwt::times(value)?;
    if let Some(ended) = claims.ends.and_then(|ends| now.duration_since(ends).ok()) {
        return Some(format!("has a token (a JWT) that ended {} ago", mcp_text::elapsed(ended)));
    }
    let early = claims.begins.and_then(|begins| begins.duration_since(now).ok());
    if let Some(early) = early.filter(|wait| wait.as_secs() > 0) {
        return Some(format!(
            "has a token (a JWT) that is not valid for another {}; is the clock of this machine right?",
            mcp_text::elapsed(early)
        ));
    }
    let name = crate::jwt::misspelt_time(value)?;
    Some(format!("has a token (a JWT) whose `{name}` is not a number, as every server expects it"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use http::HeaderName;
    use std::time::Duration;

    use super::*;

    fn doubts_about(name: &str, value: &str) -> String {
        let header = (
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
        doubts(
            &Credentials::new("static-headers", [header]),
            SystemTime::UNIX_EPOCH + Duration::from_secs(10_000),
        )
        .join("; ")
    }

    #[cfg(any(feature = "helper", feature = "oauth"))]
    #[test]
    fn a_time_of_a_token_that_is_no_number_is_told() {
        let of = |claims: &str| {
            doubts_about("Authorization", &format!("Bearer e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)))
        };
        let told = |name: &str| {
            format!(
                "`Authorization` has a token (a JWT) whose `{name}` is not a number, as every server expects it"
            )
        };
        assert_eq!(of(r#"{"exp":"20000"}"#), told("exp"));
        assert_eq!(of(r#"{"exp":20000,"nbf":"2026-01-01T00:00:00Z"}"#), told("nbf"));
        assert!(of(r#"{"exp":2000,"nbf":"1"}"#).contains("that ended"));
        assert_eq!(of(r#"{"exp":20000,"nbf":1}"#), "");
    }

    #[cfg(any(feature = "helper", feature = "oauth"))]
    #[test]
    fn a_token_for_another_server_says_so_by_its_audience() {
        let server = Url::parse("https://mcp.example/mcp").unwrap();
        let of = |claims: &str| {
            let token = format!("Bearer e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
            let header = (AUTHORIZATION, HeaderValue::from_str(&token).unwrap());
            other_audience(&Credentials::new("static-headers", [header]), &server)
        };
        let other =
            "`Authorization` has a token (a JWT) for https://api.example (`aud`), and not for this server";
        for claims in [
            r#"{"aud":"https://api.example/v1?key=canary"}"#,
            r#"{"aud":["https://api.example","https://other.example"]}"#,
        ] {
            assert_eq!(of(claims).as_deref(), Some(other), "{claims}");
        }
        for claims in [
            "{}",
            r#"{"aud":[]}"#,
            r#"{"aud":"https://mcp.example"}"#,
            r#"{"aud":["https://api.example","https://mcp.example/other"]}"#,
            // Who gives out such names knows what they stand for.
            r#"{"aud":"0b1c-client"}"#,
            r#"{"aud":"urn:service:mcp"}"#,
            r#"{"aud":["https://api.example","client"]}"#,
        ] {
            assert_eq!(of(claims), None, "{claims}");
        }
    }

    #[test]
    fn fa_a63_a64_a66_a67_a68_a69_what_was_never_a_credential_is_called_what_it_is() {
        for (value, expected) in [
            ("Bearer ${NOPE}", "holds a variable that is not set here: NOPE"),
            ("${NOPE}", "not set here: NOPE"),
            ("Bearer {env:T}", "the variable T in a spelling"),
            ("Bearer $T", "the variable T in a spelling"),
            ("Bearer %TOKEN%", "the variable TOKEN in a spelling"),
            ("Bearer {{API_TOKEN}}", "the variable API_TOKEN in a spelling"),
            ("Bearer $env:T", "the variable T in a spelling"),
            ("Bearer <YOUR_TOKEN>", "still holds a placeholder"),
            ("Bearer <token>", "still holds a placeholder"),
            ("Bearer YOUR_API_KEY", "still holds a placeholder"),
            ("Bearer your-token-here", "still holds a placeholder"),
            ("Bearer ...", "still holds a placeholder"),
            ("Bearer xxxxxxxx", "still holds a placeholder"),
            ("Bearer Bearer abc", "has its scheme twice"),
            ("Bearer: abc", "a colon behind its scheme"),
            ("Bearer:abc", "a colon behind its scheme"),
            ("Bearer {file:x}", "write ${file:PATH}"),
            ("Bearer {T}", "the variable T in a spelling"),
            ("Bearer env:TOKEN", "the variable TOKEN in a spelling"),
            ("Bearer process.env.TOKEN", "the variable TOKEN in a spelling"),
            ("Bearer [token]", "still holds a placeholder"),
            ("Bearer xxx", "still holds a placeholder"),
            ("Bearer TODO", "still holds a placeholder"),
            ("abcdef", "has no scheme"),
            ("Bearer ", "no token behind it"),
            ("Bearer", "no token behind it"),
            ("", "is empty"),
            ("Bearer \"abc\"", "in quotation marks"),
            ("Bearer a b", "a blank in its token"),
            ("Bearer undefined", "the word `undefined`"),
            ("Bearer ${TOKEN", "without its `}`"),
            ("\"Bearer abc\"", "is in quotation marks"),
            ("'Bearer abc'", "is in quotation marks"),
            ("Authorization: Bearer abc", "begins with the name of the header"),
            ("authorization:abc", "begins with the name of the header"),
            ("Basic ada:lovelace", "not encoded"),
            ("null", "the word `null`"),
            ("Bearer [object Object]", "the word `[object Object]`"),
            ("Bearer @TOKEN@", "still holds a placeholder"),
            ("Bearer __TOKEN__", "still holds a placeholder"),
            ("Bearer sk-...", "still holds a placeholder"),
            ("Bearer $(cat t)", "a shell or a workflow"),
            ("Bearer `cat t`", "a shell or a workflow"),
            ("Bearer ${{ secrets.T }}", "a shell or a workflow"),
            ("Bearer op://vault/t", "where a secret is kept (`op://`)"),
            ("Bearer t\u{f6}ken", "beyond ASCII"),
        ] {
            let found = doubts_about("Authorization", value);
            assert!(found.starts_with("`Authorization` ") && found.contains(expected), "{value}: {found}");
        }
        for good in
            ["Bearer none-of-these", "Bearer falsehood", "Bearer a__b", "Bearer vault", "Bearer {hunter}"]
        {
            assert_eq!(doubts_about("Authorization", good), "");
        }
        assert!(doubts_about("X-Api-Key", "YOUR_KEY").contains("`x-api-key` still holds a placeholder"));
        assert!(doubts_about("X-Tenant", "${TENANT}").contains("not set here: TENANT"));
    }

    #[test]
    fn fa_a72_a_refused_value_is_told_with_the_variables_that_it_was_made_from() {
        use crate::{AuthPlan, AuthSettings, Parts, Secret, Target};
        for (lives_on, since) in [
            (false, ""),
            (true, " as it was when this process started, and only a new start of it changes that"),
        ] {
            let settings = AuthSettings {
                static_headers: ["authorization", "x-tenant"]
                    .map(|h| (h.to_owned(), Secret::new("Bearer c")))
                    .into(),
                header_variables: vec![
                    ("Authorization".to_owned(), vec!["T".to_owned(), "U".to_owned()]),
                    ("X-Tenant".to_owned(), vec!["TENANT".to_owned()]),
                ],
                lives_on,
                ..AuthSettings::default()
            };
            let target = Target::new("s", "http://localhost/mcp".parse().unwrap());
            let provider = AuthPlan::resolve(&settings).build(&target, Parts::new()).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let sent = runtime.block_on(provider.credentials()).unwrap();
            let found = doubts(&sent, SystemTime::UNIX_EPOCH).join("; ");
            assert_eq!(found, format!("`Authorization` takes the variables T and U{since}"));
            // What another provider supplies in its place has nothing to do with them.
            let other = (AUTHORIZATION, HeaderValue::from_static("Bearer d"));
            let over = sent.overlaid_with(&Credentials::new("headers-helper", [other]));
            assert_eq!(doubts(&over, SystemTime::UNIX_EPOCH), Vec::<String>::new());
        }
    }

    #[test]
    fn a_time_among_the_headers_is_a_header_and_is_named() {
        let pair = |name, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let sent = Credentials::new(
            "headers-helper",
            [pair("authorization", "Bearer abc.def-ghi_123"), pair("expiresat", "2099-01-01T00:00:00Z")],
        );
        let found = doubts(&sent, SystemTime::UNIX_EPOCH);
        assert!(matches!(&*found, [one] if one.starts_with("`expiresAt` was sent as a header")), "{found:?}");
    }

    #[test]
    fn good_values_raise_no_doubt_and_none_is_repeated() {
        for value in
            ["Bearer abc.def-ghi_123", "Basic dTpw", "Token 0123456789", "Bearer pa$$w0rd", "Bearer a%20b%2F"]
        {
            assert_eq!(doubts_about("Authorization", value), "", "{value}");
        }
        assert_eq!(doubts_about("X-Tenant", "<acme>"), "", "a header that only routes is not looked at");
        for value in [
            "Bearer Bearer canary-1",
            "canary-1",
            "Bearer \"canary-1\"",
            "Bearer $0a1b2c3d4e5f60718293",
            "Bearer canary 1",
            "Bearer $canary",
            "Bearer %canary%",
        ] {
            let found = doubts_about("Authorization", value);
            assert!(!found.contains("canary") && !found.contains("0a1b2c"), "{found}");
        }
    }

    #[test]
    fn fh_h2_a_token_that_has_ended_says_since_when() {
        let bearer = |claims: &str| format!("Bearer e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert!(doubts_about("Authorization", &bearer(r#"{"exp": 9820}"#)).ends_with("ended 3 min ago"));
        assert!(doubts_about("Authorization", &bearer(r#"{"exp": 1}"#)).ends_with("ended 2 h ago"));
        assert!(
            doubts_about("Authorization", &bearer(r#"{"exp": 20000, "nbf": 10090}"#))
                .contains("not valid for another 90 s")
        );
        assert_eq!(doubts_about("Authorization", &bearer(r#"{"exp": 20000, "nbf": 1}"#)), "");
    }
}
