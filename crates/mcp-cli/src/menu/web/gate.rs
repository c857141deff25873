//! Who is let in to the page: pure decisions about one request.
//!
//! Security: every program of this machine can connect, and every page that a browser has open can send requests here. So the
//! page itself holds nothing. What is in it is asked for with a token in a header, which no other page knows or may send; the
//! host and the origin have to be ours, so that a name that is led to this machine (DNS rebinding) is not. The address that a
//! browser is started with is seen by other accounts (`ps`), so it has a code that is taken once, in exchange for the token.

use http::{HeaderMap, Method, StatusCode, Uri, header};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// The header that carries the token.
pub(super) const TOKEN: &str = "x-mcplink-token";

/// What may be asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Route {
    Page,
    /// The token, for the code.
    Begin,
    /// What is shown, now and whenever it is something else.
    Events,
    /// That something is done.
    Act,
}

/// The keys of one run of the page.
#[derive(Debug)]
pub(super) struct Gate {
    port: u16,
    token: String,
    code: String,
}

impl Gate {
    pub(super) fn new(port: u16) -> Option<Self> {
        Some(Self { port, token: random()?, code: random()? })
    }

    /// The address of the page, for one browser.
    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/#code={}", self.port, self.code)
    }

    /// What the request is about, or how it is refused.
    pub(super) fn admit(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Route, StatusCode> {
        let one = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let first = values.next().map(|value| value.to_str().unwrap_or("\u{fffd}"));
            // Two that say different things are none.
            if values.next().is_some() { Some("\u{fffd}") } else { first }
        };
        let is_ours = |authority: &str| {
            ["127.0.0.1", "localhost"].iter().any(|host| authority == format!("{host}:{}", self.port))
        };
        if uri.authority().is_some() || !one("host").is_some_and(is_ours) {
            return Err(StatusCode::MISDIRECTED_REQUEST);
        }
        let is_own_origin = |origin: &str| origin.strip_prefix("http://").is_some_and(is_ours);
        if one("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"))
            || one("origin").is_some_and(|origin| !is_own_origin(origin))
        {
            return Err(StatusCode::FORBIDDEN);
        }
        let asked = match uri.path() {
            "/" => Route::Page,
            "/begin" => Route::Begin,
            "/events" => Route::Events,
            "/act" => Route::Act,
            _ => return Err(StatusCode::NOT_FOUND),
        };
        let is_post = matches!(asked, Route::Begin | Route::Act);
        if *method != if is_post { Method::POST } else { Method::GET } {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        if is_post {
            // A form of another page has neither.
            if one("origin").is_none() {
                return Err(StatusCode::FORBIDDEN);
            }
            if one(header::CONTENT_TYPE.as_str()) != Some("application/json") {
                return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            }
        }
        if matches!(asked, Route::Events | Route::Act)
            && !one(TOKEN).is_some_and(|token| same(token, &self.token))
        {
            return Err(StatusCode::UNAUTHORIZED);
        }
        Ok(asked)
    }

    /// The token, for the code of the address. It is taken once; the address is another one afterwards.
    pub(super) fn exchange(&mut self, code: &str) -> Option<&str> {
        if !same(code, &self.code) {
            return None;
        }
        self.code = random()?;
        Some(&self.token)
    }
}

/// Compares in a time that tells nothing of either: their digests are compared.
fn same(given: &str, wanted: &str) -> bool {
    digest(&SHA256, given.as_bytes()).as_ref() == digest(&SHA256, wanted.as_bytes()).as_ref()
}

/// 256 bits that cannot be guessed.
fn random() -> Option<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(gate: &Gate, method: &str, uri: &str, headers: &[(&'static str, &str)]) -> Result<Route, u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let admitted = gate.admit(&method.parse().unwrap(), &uri.parse().unwrap(), &map);
        admitted.map_err(|status| status.as_u16())
    }

    #[test]
    fn s_w1_only_our_own_page_with_its_token_is_let_in() {
        let gate = Gate { port: 7, token: "t".into(), code: "c".into() };
        let host = ("host", "127.0.0.1:7");
        let own = ("origin", "http://127.0.0.1:7");
        let json = ("content-type", "application/json");
        let token = (TOKEN, "t");
        for (method, uri, headers, expected) in [
            ("GET", "/", &[host][..], Ok(Route::Page)),
            ("GET", "/", &[("host", "localhost:7")], Ok(Route::Page)),
            ("GET", "/", &[host, ("sec-fetch-site", "none")], Ok(Route::Page)),
            ("GET", "/events", &[host, token], Ok(Route::Events)),
            ("POST", "/act", &[host, own, json, token], Ok(Route::Act)),
            ("POST", "/begin", &[host, own, json], Ok(Route::Begin)),
            // A name that is led here, a port of another program, no name at all, two of them.
            ("GET", "/", &[("host", "evil.example:7")], Err(421)),
            ("GET", "/", &[("host", "127.0.0.1")], Err(421)),
            ("GET", "/", &[("host", "127.0.0.1:8")], Err(421)),
            ("GET", "/", &[("host", "127.0.0.1:7.evil.example")], Err(421)),
            ("GET", "/", &[("host", "evil@127.0.0.1:7")], Err(421)),
            ("GET", "/", &[], Err(421)),
            ("GET", "/", &[host, ("host", "evil.example")], Err(421)),
            ("GET", "http://evil.example/", &[host], Err(421)),
            // Another page.
            ("GET", "/events", &[host, token, ("origin", "https://evil.example")], Err(403)),
            ("POST", "/act", &[host, json, token, ("origin", "null")], Err(403)),
            ("POST", "/act", &[host, json, token, ("origin", "http://127.0.0.1:8")], Err(403)),
            ("POST", "/act", &[host, json, token, ("origin", "https://127.0.0.1:7")], Err(403)),
            ("POST", "/act", &[host, json, token], Err(403)),
            ("POST", "/act", &[host, own, json, token, ("sec-fetch-site", "cross-site")], Err(403)),
            ("GET", "/", &[host, ("sec-fetch-site", "same-site")], Err(403)),
            ("POST", "/act", &[host, own, token, ("content-type", "text/plain")], Err(415)),
            // No token, a wrong one, the code in its place, two.
            ("GET", "/events", &[host], Err(401)),
            ("GET", "/events", &[host, (TOKEN, "")], Err(401)),
            ("GET", "/events", &[host, (TOKEN, "c")], Err(401)),
            ("GET", "/events", &[host, token, (TOKEN, "x")], Err(401)),
            ("GET", "/events?token=t", &[host], Err(401)),
            ("POST", "/act", &[host, own, json], Err(401)),
            // What there is not.
            ("GET", "/act", &[host, token], Err(405)),
            ("POST", "/", &[host, own, json], Err(405)),
            ("OPTIONS", "/act", &[host, own], Err(405)),
            ("GET", "/../etc/passwd", &[host], Err(404)),
        ] {
            assert_eq!(asked(&gate, method, uri, headers), expected, "{method} {uri} {headers:?}");
        }
    }

    #[test]
    fn s_w1_a_code_is_taken_once() {
        let mut gate = Gate::new(1).unwrap();
        let code = gate.address().split_once("#code=").unwrap().1.to_owned();
        assert_eq!((code.len(), gate.exchange("").is_some()), (64, false));
        let token = gate.exchange(&code).unwrap().to_owned();
        assert_eq!(gate.exchange(&code), None);
        let next = gate.address();
        assert!(!next.contains(&code) && !next.contains(&token));
        let next = next.split_once("#code=").unwrap().1.to_owned();
        assert_eq!(gate.exchange(&next), Some(&*token), "a second browser");
    }
}
