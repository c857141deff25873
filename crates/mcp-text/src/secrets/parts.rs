//! The parts of a value that are secrets by themselves: a repeated credential seldom comes with its whole line.

use super::Grade;
use super::view::View;
use crate::names;
use crate::scheme::is_scheme;

/// `value` and its parts, each as it is spelled and as it is meant.
pub(super) fn of(value: &str, grade: Grade) -> Vec<(String, Grade)> {
    let value = value.trim();
    let mut parts = Parts(Vec::new());
    let scheme = value.split_once(' ').map_or("", |(word, _)| word);
    // A scheme is not a secret: a piece of the whole may be little more than that, as in a challenge (`Bearer error=..`).
    let whole = if is_scheme(scheme) { Grade::Setting } else { grade };
    parts.push(value, whole);
    if let Some((scheme, rest)) = value.split_once(' ')
        && grade == Grade::Credential
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        parts.push(rest.trim(), grade);
        if scheme.eq_ignore_ascii_case("basic")
            && let Some(pair) = View::of(rest.trim()).base64()
        {
            parts.pair(&pair);
        }
    }
    parts.parameters(value, grade);
    parts.members(value);
    parts.url(value);
    let is_pair = |value: &str| !value.contains(|c: char| c.is_whitespace() || "/=?&".contains(c));
    if grade == Grade::Credential && is_pair(value) {
        parts.pair(value);
    }
    parts.0
}

/// What is secret in a URL.
pub(super) fn of_url(url: &str) -> Vec<(String, Grade)> {
    let mut parts = Parts(Vec::new());
    parts.url(url);
    parts.0
}

struct Parts(Vec<(String, Grade)>);

impl Parts {
    fn push(&mut self, part: &str, grade: Grade) {
        self.add(part, grade);
        if let Some(meant) = View::of(part).unescaped().as_ref().and_then(View::as_str) {
            self.add(meant, grade);
        }
    }

    fn add(&mut self, part: &str, grade: Grade) {
        self.0.push((part.to_owned(), grade));
        // In a form, a blank is a plus (URL standard, application/x-www-form-urlencoded).
        if part.contains(' ') {
            self.0.push((part.replace(' ', "+"), grade));
        }
        if part.contains('+') {
            self.0.push((part.replace('+', " "), grade));
        }
    }

    /// `user:password`.
    fn pair(&mut self, pair: &str) {
        let Some((user, password)) = pair.split_once(':') else { return };
        // `host:8080` is not a pair, and a port is not a secret.
        if password.bytes().all(|byte| byte.is_ascii_digit()) && password.len() < 6 {
            return;
        }
        self.push(pair, Grade::Credential);
        self.push(password, Grade::Credential);
        self.push(user, Grade::Setting);
    }

    /// Cookies (RFC 6265 section 4.2.1), parameters of a scheme (RFC 9110 section 11.4) and of a URL.
    fn parameters(&mut self, value: &str, grade: Grade) {
        for piece in value.split(['?', '&', ';', ',', '#', '\n']) {
            let Some((name, value)) = piece.split_once('=') else { continue };
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            let secret = grade == Grade::Credential
                || names::is_credential_name(name)
                || names::looks_like_token(value);
            if secret {
                self.push(value, Grade::Credential);
            }
        }
    }

    /// The strings of a JSON value that are, or follow the name of, a credential.
    fn members(&mut self, value: &str) {
        if !value.starts_with(['{', '[']) {
            return;
        }
        let mut name = "";
        for piece in value.split('"') {
            if names::looks_like_token(piece) || names::is_credential_name(name) {
                self.push(piece, Grade::Credential);
            }
            if piece.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
                name = piece;
            } else if piece.contains(',') {
                name = "";
            }
        }
    }

    /// What is secret in an address, or in each of those that stand in a line of words: an address ends there where its word does,
    /// and what follows is a sentence of a script.
    fn url(&mut self, value: &str) {
        let Some((before, _)) = value.split_once("://") else { return };
        match before.contains(char::is_whitespace) {
            true => value
                .split_whitespace()
                .for_each(|word| self.address(word.trim_end_matches(['"', '\'', ';', ',', ')', ']', '}']))),
            false => self.address(value),
        }
    }

    /// User, password, parameters and the secret-looking segments of the path (RFC 3986 section 3).
    fn address(&mut self, value: &str) {
        let Some((_, rest)) = value.split_once("://") else { return };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if let Some((userinfo, _)) = authority.rsplit_once('@') {
            match userinfo.split_once(':') {
                Some((user, password)) => {
                    self.push(user, Grade::Setting);
                    self.push(password, Grade::Credential);
                }
                None => self.push(userinfo, Grade::Credential),
            }
        }
        let path = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
        let mut before = "";
        for segment in path.split('/') {
            if names::is_secret_segment(before, segment) {
                self.push(segment, Grade::Credential);
            }
            before = segment;
        }
        let query = &rest[path.len()..];
        self.parameters(query, Grade::Credential);
        // `?TOKEN` alone.
        let bare = query.split(['?', '&', '#']).filter(|piece| !piece.contains('='));
        bare.for_each(|piece| self.push(piece, Grade::Credential));
    }
}
