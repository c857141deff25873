//! The servers, each a row.

use mcp_harness::{CertifiedProvider, Missing, RealServer, real_or_skip};
use serde_json::json;

use crate::journey::{Desk, Expected, journey};

/// Whether a server gives out what renews a token.
const RENEWS: bool = true;
const EXPIRES: bool = false;

#[track_caller]
fn signs_in_and_out(server: Result<RealServer, Missing>, refreshes: bool, whoami: &'static str) {
    let Some(server) = real_or_skip(server) else { return };
    journey(&server.start_http().url(), Expected { refreshes, whoami, ..Expected::default() });
}

#[test]
fn fb_n01_the_python_sdk_1_as_its_examples_have_it() {
    signs_in_and_out(RealServer::python_1_oauth("plain"), EXPIRES, "user:");
}

#[test]
fn fb_n01_the_python_sdk_2_as_its_examples_have_it() {
    signs_in_and_out(RealServer::python_oauth("plain"), EXPIRES, "user:");
}

#[test]
fn fb_o40_the_python_sdk_1_with_a_scope_that_is_needed() {
    signs_in_and_out(RealServer::python_1_oauth("scopes"), RENEWS, "user: user");
}

#[test]
fn fb_o40_the_python_sdk_2_with_a_scope_that_is_needed() {
    signs_in_and_out(RealServer::python_oauth("scopes"), RENEWS, "user: user");
}

#[test]
fn fb_a01_the_python_sdk_1_that_says_nothing_of_its_metadata() {
    signs_in_and_out(RealServer::python_1_oauth("legacy"), EXPIRES, "user: user");
}

#[test]
fn fb_a01_the_python_sdk_2_that_says_nothing_of_its_metadata() {
    signs_in_and_out(RealServer::python_oauth("legacy"), EXPIRES, "user: user");
}

#[test]
fn the_python_sdk_1_with_an_authorization_server_apart() {
    signs_in_and_out(RealServer::python_1_oauth("apart"), EXPIRES, "user: user");
}

#[test]
fn the_python_sdk_2_with_an_authorization_server_apart() {
    signs_in_and_out(RealServer::python_oauth("apart"), EXPIRES, "user: user");
}

#[test]
fn the_typescript_sdk_with_its_demo_provider() {
    for mode in ["together", "apart"] {
        let Some(server) = real_or_skip(RealServer::typescript_1_oauth(mode)) else { return };
        journey(
            &server.start_http().url(),
            Expected { stumbles: true, whoami: "user: mcp:tools", ..Expected::default() },
        );
    }
}

#[test]
fn fb_n01_fastmcp_with_its_provider_in_memory() {
    signs_in_and_out(RealServer::fastmcp_oauth("in-memory", None), RENEWS, "user:");
}

#[test]
fn fb_o40_fastmcp_with_scopes_that_may_be_asked_for() {
    signs_in_and_out(RealServer::fastmcp_oauth("in-memory-scopes", None), RENEWS, "user: read");
}

#[track_caller]
fn fastmcp_in_front_of_a_certified_provider(mode: &str) {
    let Some(provider) = real_or_skip(CertifiedProvider::start_for_others()) else { return };
    let server = RealServer::fastmcp_oauth(mode, Some(provider.issuer()));
    signs_in_and_out(server, RENEWS, "user: mcp:tools");
}

#[test]
fn fastmcp_as_a_proxy_of_a_certified_provider() {
    fastmcp_in_front_of_a_certified_provider("proxy");
}

#[test]
fn fastmcp_as_a_proxy_that_finds_out_about_its_provider() {
    fastmcp_in_front_of_a_certified_provider("oidc-proxy");
}

#[test]
fn fastmcp_that_leaves_signing_in_to_a_certified_provider() {
    fastmcp_in_front_of_a_certified_provider("remote");
}

#[test]
fn a_certified_provider_through_its_own_pages() {
    let Some(provider) = real_or_skip(CertifiedProvider::start()) else { return };
    journey(provider.url(), Expected { refreshes: true, whoami: "alice: mcp:tools", ..Expected::default() });
}

#[test]
fn fb_a36_fastmcp_that_knows_its_tokens_offers_nothing_to_sign_in_to() {
    let Some(server) = real_or_skip(RealServer::fastmcp_oauth("static", Some("of-the-console"))) else {
        return;
    };
    let server = server.start_http();
    let entry = |headers| json!({ "type": "http", "url": server.url().as_str(), "headers": headers });
    let desk = Desk::of(&entry(json!({})));
    let row = desk.status();
    assert_eq!(
        (&row["status"], &row["auth"]["oauthCapable"]),
        (&json!("needs-auth"), &json!(false)),
        "{row:#}"
    );
    let output = desk.mcplink(&["login", "work", "--no-browser"]).run();
    assert_ne!(output.code, Some(0));
    assert!(
        output.stderr.contains("neither the server nor its origin publishes where to sign in"),
        "{output}"
    );

    let desk = Desk::of(&entry(json!({ "Authorization": "Bearer of-the-console" })));
    assert_eq!(desk.status()["status"], "connected");
    assert_eq!(desk.run(&["call", "work", "whoami"], 0).stdout.trim_end(), "user: read");
}
