//! `WWW-Authenticate` challenges (RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9728 section 5.1).
//!
//! The field is a stranger's text, and real servers write it in many ways: several challenges in one field or
//! in several, a forgotten comma, an unclosed quote. So the parser takes what it can read and skips the rest;
//! it never fails, never panics, and looks at a bounded number of bytes once each.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// How much of all fields together is read. Header sections beyond this are refused by most HTTP peers anyway.
const MAX_BYTES: usize = 64 * 1024;
/// How many challenges are kept.
const MAX_CHALLENGES: usize = 32;
/// How many parameters of one challenge are kept.
const MAX_PARAMS: usize = 32;

/// One parsed challenge.
///
/// # Examples
///
/// ```
/// use mcp_auth::Challenge;
///
/// let field = r#"Bearer error="invalid_token", scope="files:read", Basic realm="x""#;
/// let challenges = Challenge::parse(field);
/// assert_eq!(challenges.len(), 2);
/// let bearer = Challenge::bearer(&challenges).unwrap();
/// assert_eq!(bearer.param("error"), Some("invalid_token"));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Challenge {
    scheme: String,
    params: Vec<(String, String)>,
    token68: Option<String>,
}

impl Challenge {
    /// Every challenge of the `WWW-Authenticate` fields of an answer, in order.
    ///
    /// What cannot be read is skipped. Several fields mean the same as one field with commas between them
    /// (RFC 9110 section 5.3), so parameters may continue in the next field.
    pub fn parse_all(headers: &HeaderMap) -> Vec<Self> {
        let mut parser = Parser::default();
        for field in headers.get_all(WWW_AUTHENTICATE) {
            parser.field(field.as_bytes());
        }
        parser.challenges
    }

    /// Every challenge of one field value.
    pub fn parse(field: &str) -> Vec<Self> {
        let mut parser = Parser::default();
        parser.field(field.as_bytes());
        parser.challenges
    }

    /// The first challenge of this scheme (compared without case).
    pub fn find<'a>(challenges: &'a [Self], scheme: &str) -> Option<&'a Self> {
        challenges.iter().find(|challenge| challenge.is(scheme))
    }

    /// The first `Bearer` challenge (RFC 6750 section 3).
    pub fn bearer(challenges: &[Self]) -> Option<&Self> {
        Self::find(challenges, "Bearer")
    }

    /// The scheme as the server spelled it; compare with [`is`](Self::is).
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether the scheme is this one (compared without case).
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The parameter of this name (compared without case). A name given twice is an error of the server; its
    /// first value counts.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every parameter in order, names as the server spelled them.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The token68 form, where the challenge has one.
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// The `error` code, such as `invalid_token` or `insufficient_scope` (RFC 6750 section 3.1).
    pub fn error(&self) -> Option<&str> {
        self.param("error")
    }

    /// The `error_description`: for people, never for decisions (RFC 6750 section 3).
    pub fn error_description(&self) -> Option<&str> {
        self.param("error_description")
    }

    /// The scopes that the server asks for, in its order (RFC 6750 section 3); empty where it names none.
    pub fn scope(&self) -> Vec<&str> {
        self.param("scope").map(|scope| scope.split_ascii_whitespace().collect()).unwrap_or_default()
    }

    /// Where the protected resource metadata is (RFC 9728 section 5.1). Unchecked: a stranger's text.
    pub fn resource_metadata(&self) -> Option<&str> {
        self.param("resource_metadata").filter(|url| !url.is_empty())
    }
}

#[derive(Default)]
struct Parser {
    challenges: Vec<Challenge>,
    bytes_read: usize,
    /// Parameters belong to no kept challenge: either none was seen yet, or there are too many.
    detached: bool,
}

impl Parser {
    fn field(&mut self, field: &[u8]) {
        let left = MAX_BYTES.saturating_sub(self.bytes_read);
        let field = &field[..field.len().min(left)];
        self.bytes_read += field.len();
        let mut input = Input { rest: field };
        loop {
            // Empty list elements are allowed (RFC 9110 section 5.6.1.2), and a forgotten comma is forgiven.
            input.skip(|byte| is_space(byte) || byte == b',');
            if input.rest.is_empty() {
                return;
            }
            let word = input.take(is_token);
            if word.is_empty() {
                input.resynchronise();
                continue;
            }
            let spaced = input.skip(is_space) > 0;
            match input.peek() {
                Some(b'=') => {
                    input.bump();
                    input.skip(is_space);
                    let value = input.value();
                    self.param(word, value);
                }
                _ => {
                    self.scheme(word);
                    if spaced && let Some(token) = input.token68() {
                        self.token68(token);
                    }
                }
            }
        }
    }

    fn scheme(&mut self, word: &[u8]) {
        self.detached = self.challenges.len() >= MAX_CHALLENGES;
        if !self.detached {
            self.challenges.push(Challenge { scheme: text(word), params: Vec::new(), token68: None });
        }
    }

    fn param(&mut self, name: &[u8], value: String) {
        if let Some(challenge) = self.current().filter(|challenge| challenge.params.len() < MAX_PARAMS) {
            challenge.params.push((text(name), value));
        }
    }

    fn token68(&mut self, token: &[u8]) {
        if let Some(challenge) = self.current() {
            challenge.token68 = Some(text(token));
        }
    }

    fn current(&mut self) -> Option<&mut Challenge> {
        if self.detached { None } else { self.challenges.last_mut() }
    }
}

/// What is left of one field. Every method either consumes bytes or leaves the input alone.
struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn bump(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !wanted(*byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) -> usize {
        self.take(wanted).len()
    }

    /// A parameter's value: a quoted string or a token. Servers also write URLs and scopes without quotes, so
    /// an unquoted value runs up to the next space or comma.
    fn value(&mut self) -> String {
        if self.peek() == Some(b'"') {
            self.bump();
            return self.quoted();
        }
        text(self.take(|byte| !is_space(byte) && byte != b','))
    }

    /// The rest of a quoted string (RFC 9110 section 5.6.4). Without its closing quote it ends with the field.
    fn quoted(&mut self) -> String {
        let mut value = Vec::new();
        while let Some(byte) = self.peek() {
            self.bump();
            match byte {
                b'"' => break,
                b'\\' => {
                    if let Some(escaped) = self.peek() {
                        value.push(escaped);
                        self.bump();
                    }
                }
                _ => value.push(byte),
            }
        }
        text(&value)
    }

    /// A token68 (RFC 9110 section 11.2), if that is what stands here up to the next comma. `a=b` and `a="b"`
    /// are parameters; `a` and `a==` are token68.
    fn token68(&mut self) -> Option<&'a [u8]> {
        let start = self.rest;
        let mut ahead = Input { rest: start };
        let body = ahead.skip(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        let token = body + ahead.skip(|byte| byte == b'=');
        ahead.skip(is_space);
        if body == 0 || ahead.peek().is_some_and(|byte| byte != b',') {
            return None;
        }
        self.rest = ahead.rest;
        Some(&start[..token])
    }

    /// After something unreadable: on to what follows the next comma that no quote hides.
    fn resynchronise(&mut self) {
        while let Some(byte) = self.peek() {
            self.bump();
            match byte {
                b',' => return,
                b'"' => drop(self.quoted()),
                _ => {}
            }
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use mcp_harness::Random;

    use super::*;

    fn fields(fields: &[&str]) -> Vec<Challenge> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(field.as_bytes()).unwrap());
        }
        Challenge::parse_all(&headers)
    }

    /// `scheme[token68](name=value;...)` of every challenge, so that a row of a table is one line.
    fn shown(challenges: &[Challenge]) -> String {
        let one = |challenge: &Challenge| {
            let params: Vec<_> = challenge.params().map(|(name, value)| format!("{name}={value}")).collect();
            let token = challenge.token68().map(|token| format!("[{token}]")).unwrap_or_default();
            format!("{}{token}({})", challenge.scheme(), params.join(";"))
        };
        challenges.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_forms_of_rfc_9110_are_read() {
        let table = [
            ("Bearer", "Bearer()"),
            ("Basic realm=\"simple\"", "Basic(realm=simple)"),
            ("Bearer realm=\"a, b\", error=invalid_token", "Bearer(realm=a, b;error=invalid_token)"),
            (
                "Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\"",
                "Basic(realm=simple) Newauth(realm=apps;type=1;title=Login to \"apps\")",
            ),
            ("Negotiate, Basic realm=x", "Negotiate() Basic(realm=x)"),
            ("Negotiate YWJj/+-._~==, Bearer", "Negotiate[YWJj/+-._~==]() Bearer()"),
            ("Negotiate abc", "Negotiate[abc]()"),
            (", ,Bearer ,, realm = \"x\" ,", "Bearer(realm=x)"),
            ("DPoP algs=\"ES256 RS256\"", "DPoP(algs=ES256 RS256)"),
            ("Bearer scope=\"\"", "Bearer(scope=)"),
        ];
        for (input, expected) in table {
            assert_eq!(shown(&Challenge::parse(input)), expected, "{input}");
        }
    }

    #[test]
    fn bad_input_costs_what_is_bad_and_nothing_else() {
        let table = [
            ("", ""),
            (" , ,", ""),
            ("=", ""),
            ("realm=\"no one's\"", ""),
            ("Bearer realm=\"unclosed", "Bearer(realm=unclosed)"),
            ("Bearer realm=\"trailing\\", "Bearer(realm=trailing)"),
            // A forgotten comma, and a URL without its quotes: both seen in the field.
            ("Bearer realm=\"x\" error=\"invalid_token\"", "Bearer(realm=x;error=invalid_token)"),
            (
                "Bearer resource_metadata=https://h/.well-known/x?a=b",
                "Bearer(resource_metadata=https://h/.well-known/x?a=b)",
            ),
            ("@\"a, b\" @, Bearer error=x", "Bearer(error=x)"),
            // By the grammar this is a parameter named "Bearer", and there is no challenge that it belongs to.
            ("Bearer =x, error=y", ""),
            ("Bearer error=", "Bearer[error=]()"),
        ];
        for (input, expected) in table {
            assert_eq!(shown(&Challenge::parse(input)), expected, "{input}");
        }
    }

    #[test]
    fn several_fields_read_like_one_with_commas() {
        let parts = ["Basic realm=\"b\"", "Bearer realm=\"r\"", "error=\"invalid_token\""];
        assert_eq!(fields(&parts), Challenge::parse(&parts.join(", ")));
        assert_eq!(shown(&fields(&parts)), "Basic(realm=b) Bearer(realm=r;error=invalid_token)");
    }

    #[test]
    fn the_bearer_accessors_read_the_right_challenge() {
        let challenges = fields(&[
            "Basic realm=\"decoy\", error=\"no\"",
            "bearer ERROR=\"insufficient_scope\", scope=\"files:read  files:write\", resource_metadata=\"https://h/m\"",
        ]);
        let bearer = Challenge::bearer(&challenges).unwrap();
        assert_eq!(bearer.error(), Some("insufficient_scope"));
        assert_eq!(bearer.scope(), ["files:read", "files:write"]);
        assert_eq!(bearer.resource_metadata(), Some("https://h/m"));
        assert_eq!(Challenge::find(&challenges, "BASIC").and_then(Challenge::error), Some("no"));
        assert!(Challenge::find(&challenges, "DPoP").is_none());
        let empty = &Challenge::parse("Bearer resource_metadata=\"\"")[0];
        assert_eq!((empty.resource_metadata(), empty.scope().len()), (None, 0));
    }

    #[test]
    fn the_first_of_two_values_counts() {
        let challenges = Challenge::parse("Bearer error=a, error=b");
        assert_eq!(challenges[0].error(), Some("a"));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let many = "Scheme a=b, ".repeat(10_000);
        let challenges = Challenge::parse(&many);
        assert_eq!(challenges.len(), MAX_CHALLENGES);
        // The parameters of challenges that were not kept must not pile up on the last one that was.
        assert!(challenges.iter().all(|challenge| challenge.params.len() == 1));
        let wide = format!("Bearer {}", "a=b,".repeat(10_000));
        assert_eq!(Challenge::parse(&wide)[0].params.len(), MAX_PARAMS);
        let long = format!("Bearer realm=\"{}\"", "x".repeat(1 << 20));
        assert!(Challenge::parse(&long)[0].param("realm").unwrap().len() < MAX_BYTES);
    }

    #[test]
    fn no_input_makes_it_panic_or_exceed_its_bounds() {
        let pieces: &[&[u8]] = &[
            b"Bearer",
            b"Basic",
            b" ",
            b"\t",
            b",",
            b"=",
            b"\"",
            b"\\",
            b"realm",
            b"==",
            b"@",
            b"\x80\xff",
            b"(",
            b"a/b",
            b"~",
            b"error=\"x\"",
            b"scope=a",
        ];
        let mut random = Random::new(1);
        for _ in 0..50_000 {
            let mut headers = HeaderMap::new();
            for _ in 0..=random.below(2) {
                let field: Vec<u8> =
                    (0..random.below(24)).flat_map(|_| pieces[random.below(pieces.len())]).copied().collect();
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(&field).unwrap());
            }
            for challenge in Challenge::parse_all(&headers) {
                assert!(!challenge.scheme().is_empty() && challenge.scheme().bytes().all(is_token));
                assert!(challenge.params().all(|(name, _)| !name.is_empty() && name.bytes().all(is_token)));
            }
        }
    }

    #[test]
    fn whatever_is_written_by_the_rules_is_read_back() {
        let mut random = Random::new(7);
        let alphabet: Vec<char> = "ab ,=\"\\é~/".chars().collect();
        for _ in 0..5_000 {
            let mut expected = Vec::new();
            let mut written = Vec::new();
            for number in 0..=random.below(3) {
                let scheme = format!("S{number}");
                let params: Vec<(String, String)> = (0..=random.below(3))
                    .map(|index| {
                        let value =
                            (0..random.below(8)).map(|_| alphabet[random.below(alphabet.len())]).collect();
                        (format!("p{index}"), value)
                    })
                    .collect();
                let quoted: Vec<String> = params
                    .iter()
                    .map(|(name, value)| {
                        format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
                    })
                    .collect();
                written.push(format!("{scheme} {}", quoted.join(", ")));
                expected.push(Challenge { scheme, params, token68: None });
            }
            let joined = written.join(", ");
            assert_eq!(Challenge::parse(&joined), expected, "{joined}");
            let split: Vec<&str> = written.iter().map(String::as_str).collect();
            assert_eq!(fields(&split), expected);
        }
    }
}
