//! Each endpoint, each grant and each misbehaviour of the fake authorization server, once.

mod endpoints;
mod grants;

use std::collections::HashMap;

use mcp_testkit::FakeAuthServer;
use serde_json::Value;
use url::Url;

use crate::raw::{self, Response};

pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const CALLBACK: &str = "http://127.0.0.1:1/callback";
pub(super) const RESOURCE: &str = "http://127.0.0.1/mcp";

/// What a request or a redirect carries.
pub(super) type Fields = HashMap<String, String>;

pub(super) fn address(auth: &FakeAuthServer) -> std::net::SocketAddr {
    auth.origin().trim_start_matches("http://").parse().unwrap()
}

pub(super) fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes()
}

pub(super) fn post(
    auth: &FakeAuthServer,
    path: &str,
    headers: &[(&str, &str)],
    fields: &[(&str, &str)],
) -> Response {
    let form_type = [("Content-Type", "application/x-www-form-urlencoded")];
    raw::request(address(auth), "POST", path, &[&form_type, headers].concat(), &form(fields)).unwrap()
}

pub(super) fn get(auth: &FakeAuthServer, path: &str) -> Response {
    raw::request(address(auth), "GET", path, &[], b"").unwrap()
}

/// Asks for authorization and returns the parameters of the redirect.
pub(super) fn authorize(auth: &FakeAuthServer, more: &[(&str, &str)]) -> Fields {
    let usual = [
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "xyz"),
        ("scope", "read write"),
        ("resource", RESOURCE),
    ];
    let replaced = |name: &str| more.iter().any(|(key, _)| *key == name);
    let fields: Vec<_> =
        usual.into_iter().filter(|(key, _)| !replaced(key)).chain(more.iter().copied()).collect();
    let answer = get(auth, &format!("/authorize?{}", String::from_utf8(form(&fields)).unwrap()));
    assert_eq!(answer.status, 302, "{}", answer.text());
    Url::parse(answer.header("location").unwrap()).unwrap().query_pairs().into_owned().collect()
}

pub(super) fn exchange(auth: &FakeAuthServer, code: &str, more: &[(&str, &str)]) -> Response {
    let usual = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("resource", RESOURCE),
    ];
    let replaced = |name: &str| more.iter().any(|(key, _)| *key == name);
    let fields: Vec<_> =
        usual.into_iter().filter(|(key, _)| !replaced(key)).chain(more.iter().copied()).collect();
    post(auth, "/token", &[], &fields)
}

pub(super) fn refresh(auth: &FakeAuthServer, token: &str) -> Response {
    post(
        auth,
        "/token",
        &[],
        &[("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", token)],
    )
}

/// A server with the public client `app`, and the tokens of one sign-in.
pub(super) fn signed_in() -> (FakeAuthServer, Value) {
    let auth = FakeAuthServer::start().unwrap();
    auth.add_public_client("app", &[CALLBACK]);
    let redirect = authorize(&auth, &[]);
    let tokens = exchange(&auth, &redirect["code"], &[]).json();
    (auth, tokens)
}

pub(super) fn error(response: &Response) -> (u16, String) {
    (response.status, response.json()["error"].as_str().unwrap().to_owned())
}
