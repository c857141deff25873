//! The providers that FastMCP has for services and for tokens, all at their defaults: in one process, in front of certified
//! providers that are laid out as the services are.
//!
//! What the others are in front of is hard-wired (see `docs/interop.md`).

use mcp_harness::{CertifiedProvider, RealServer, real_or_skip};
use serde_json::{Value, json};

use crate::journey::{Desk, Expected, short_journey};

/// Of each service how it is laid out (`fixtures/oidc/oidc.mjs` of the harness), and what the tool says about the caller.
fn services() -> Vec<(&'static str, Value, &'static str)> {
    let metadata = "/.well-known/oauth-authorization-server";
    vec![
        ("auth0", json!({ "path": "/tenant", "scopes": ["openid"] }), "user: mcp:tools"),
        ("auth0-proxy", json!({ "path": "/tenant", "scopes": ["openid"] }), "user: openid"),
        (
            "authkit",
            json!({ "path": "/authkit", "routes": { "/authkit/oauth2/jwks": "/jwks" } }),
            "user: mcp:tools",
        ),
        (
            "descope",
            json!({ "path": "/v1/apps/P2abc", "scopes": ["openid"], "audience": "P2abc", "routes": {
                "/P2abc/.well-known/jwks.json": "/jwks",
            } }),
            "user: openid",
        ),
        ("introspection", json!({ "path": "/as", "opaque": true }), "user: mcp:tools"),
        (
            "keycloak",
            json!({ "path": "/realms/work", "scopes": ["openid"], "routes": {
                "/realms/work/protocol/openid-connect/certs": "/jwks",
            } }),
            "user: openid",
        ),
        ("oci", json!({ "path": "/domain", "scopes": ["openid"] }), "user: openid"),
        (
            "propelauth",
            json!({ "path": "/oauth/2.1", "opaque": true, "routes": {
                "/oauth/2.1/introspect": "/token/introspection", format!("{metadata}/oauth/2.1"): metadata,
            } }),
            "user: mcp:tools",
        ),
        (
            "scalekit",
            json!({ "path": "/resources/res_1", "audience": "res_1", "routes": {
                "/keys": "/jwks", format!("{metadata}/resources/res_1"): metadata,
            } }),
            "user: mcp:tools",
        ),
        (
            "supabase",
            json!({ "path": "/auth/v1", "audience": "authenticated", "routes": {
                "/auth/v1/.well-known/jwks.json": "/jwks",
            } }),
            "user: mcp:tools",
        ),
        (
            "workos",
            json!({ "path": "/authkit", "opaque": true, "routes": {
                "/authkit/oauth2/authorize": "/auth",
                "/authkit/oauth2/token": "/token",
                "/authkit/oauth2/userinfo": "userinfo",
            } }),
            "user: mcp:tools",
        ),
    ]
}

#[test]
fn fb_o40_each_provider_that_fastmcp_has_for_a_service() {
    let services = services();
    let shapes: Value = services.iter().map(|(name, shape, _)| ((*name).to_owned(), shape.clone())).collect();
    let Some(provider) = real_or_skip(CertifiedProvider::start_as_services(&shapes)) else { return };
    let Some(server) = real_or_skip(RealServer::fastmcp_services(provider.issuers())) else { return };
    let server = server.start_http();
    for (name, _, whoami) in services {
        // Shown where it fails.
        eprintln!("{name}");
        short_journey(&server.url_of(name), Expected { refreshes: true, whoami, ..Expected::default() });
    }
    // And a sign-in with a token beside it, and one that takes any token.
    short_journey(
        &server.url_of("multi"),
        Expected { refreshes: true, whoami: "user:", ..Expected::default() },
    );
    for (name, token, whoami) in
        [("multi", "of-the-console", "user: read"), ("debug", "of-any-kind", "user:")]
    {
        let headers = json!({ "Authorization": format!("Bearer {token}") });
        let desk =
            Desk::of(&json!({ "type": "http", "url": server.url_of(name).as_str(), "headers": headers }));
        assert_eq!(desk.status()["status"], "connected", "{name}");
        assert_eq!(desk.run(&["call", "work", "whoami"], 0).stdout.trim_end(), whoami, "{name}");
    }
}
