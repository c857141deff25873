//! Discovery, registration, authorization, and servers behind the fake authorization server.

use std::net::TcpListener;

use mcp_testkit::{
    AuthEndpoint, Canaries, Echo, FakeAuthServer, FakeMcpServer, HttpAnswer, MetadataAt, ProtectedResource,
    ScriptedAnswer, visit,
};
use serde_json::{Value, json};
use url::Url;

use crate::raw;

use super::*;

#[test]
fn metadata_is_where_the_settings_say_and_nowhere_else() {
    let auth = FakeAuthServer::start_with(|settings| settings.issuer_path = "/tenant1".into()).unwrap();
    let places = [
        (MetadataAt::Rfc8414, "/.well-known/oauth-authorization-server/tenant1"),
        (MetadataAt::OidcInserted, "/.well-known/openid-configuration/tenant1"),
        (MetadataAt::OidcAppended, "/tenant1/.well-known/openid-configuration"),
    ];
    for (at, _) in places {
        auth.set(|settings| settings.metadata_at = at);
        for (other, path) in places {
            let answer = get(&auth, path);
            if other == at {
                assert_eq!(answer.json()["issuer"], json!(format!("{}/tenant1", auth.origin())));
            } else {
                assert_eq!(answer.status, 404, "{at:?} {path}");
            }
        }
    }
    auth.set(|settings| settings.metadata_at = MetadataAt::Nowhere);
    assert_eq!(get(&auth, places[0].1).status, 404);
    assert_eq!(auth.url_of(AuthEndpoint::Metadata), None);
}

#[test]
fn metadata_tells_what_is_offered_and_what_the_test_wants_told() {
    let auth = FakeAuthServer::start().unwrap();
    let path = "/.well-known/oauth-authorization-server";
    let honest = get(&auth, path).json();
    assert_eq!(honest["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(honest["authorization_response_iss_parameter_supported"], true);
    auth.set(|settings| {
        settings.metadata_issuer = Some("https://foreign.example".into());
        settings.authorization_endpoint = Some("javascript:alert(1)".into());
        settings.advertise_pkce = false;
        settings.registration = false;
        settings.device = false;
        settings.scopes = vec!["offline_access".into()];
    });
    let odd = get(&auth, path).json();
    assert_eq!(odd["issuer"], "https://foreign.example");
    assert_eq!(odd["authorization_endpoint"], "javascript:alert(1)");
    assert_eq!(odd["scopes_supported"], json!(["offline_access"]));
    for absent in
        ["code_challenge_methods_supported", "registration_endpoint", "device_authorization_endpoint"]
    {
        assert!(odd.get(absent).is_none(), "{absent}");
    }
    auth.next_answers_to(
        AuthEndpoint::Metadata,
        [ScriptedAnswer::json(json!({})), ScriptedAnswer::login_page(), ScriptedAnswer::redirect(302, "/x")],
    );
    assert_eq!(get(&auth, path).json(), json!({}));
    assert!(get(&auth, path).text().contains("<!doctype html>"));
    assert_eq!(get(&auth, path).status, 302);
    assert_eq!(auth.requests_to(AuthEndpoint::Metadata).len(), 5);
}

#[test]
fn a_client_registers_signs_in_and_is_forgotten() {
    let auth = FakeAuthServer::start().unwrap();
    let wanted = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none", "application_type": "native" });
    let register = |metadata: &Value| {
        raw::request(address(&auth), "POST", "/register", &raw::MEDIA, metadata.to_string().as_bytes())
            .unwrap()
    };
    let registered = register(&wanted);
    assert_eq!((registered.status, registered.json().get("client_secret")), (201, None));
    assert_eq!(auth.registrations(), [wanted]);
    let id = registered.json()["client_id"].as_str().unwrap().to_owned();
    let redirect = authorize(&auth, &[("client_id", &id)]);
    assert_eq!((redirect["state"].as_str(), redirect["iss"].clone()), ("xyz", auth.issuer()));
    let tokens = exchange(&auth, &redirect["code"], &[("client_id", &id)]).json();
    let facts = auth.tokens().facts(tokens["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(
        (facts.scopes, facts.resource.as_deref()),
        (vec!["read".to_owned(), "write".to_owned()], Some(RESOURCE))
    );
    assert_eq!(tokens["expires_in"], 3600);

    auth.forget_clients();
    let refused = post(
        &auth,
        "/token",
        &[],
        &[
            ("grant_type", "refresh_token"),
            ("client_id", &id),
            ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ],
    );
    assert_eq!(error(&refused), (401, "invalid_client".into()));
    let page = get(&auth, &format!("/authorize?client_id={id}&redirect_uri={CALLBACK}"));
    assert_eq!(page.status, 400, "an unknown client is not redirected");
    assert_eq!(error(&register(&json!({ "redirect_uris": [] }))), (400, "invalid_redirect_uri".into()));
    auth.set(|settings| settings.registered_auth_method = Some("client_secret_post".into()));
    assert!(register(&json!({ "redirect_uris": [CALLBACK] })).json()["client_secret"].is_string());
}

#[test]
fn an_authorization_request_needs_pkce_and_a_registered_redirect() {
    let auth = FakeAuthServer::start().unwrap();
    auth.add_public_client("app", &[CALLBACK]);
    assert_eq!(authorize(&auth, &[("code_challenge_method", "plain")])["error"], "invalid_request");
    assert_eq!(authorize(&auth, &[("response_type", "token")])["error"], "unsupported_response_type");
    let elsewhere = get(&auth, "/authorize?client_id=app&redirect_uri=https://evil.example/");
    assert_eq!((elsewhere.status, elsewhere.header("location")), (400, None));
    auth.set(|settings| settings.resource_required = true);
    let fields = [
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let answer = get(&auth, &format!("/authorize?{}", String::from_utf8(form(&fields)).unwrap()));
    assert!(answer.header("location").unwrap().contains("error=invalid_target"));
}

#[test]
fn redirects_lie_about_state_and_issuer_when_told_to() {
    let auth = FakeAuthServer::start().unwrap();
    auth.add_public_client("app", &[CALLBACK]);
    auth.set(|settings| (settings.iss, settings.state) = (Echo::Missing, Echo::Missing));
    let redirect = authorize(&auth, &[]);
    assert!(
        !redirect.contains_key("iss") && !redirect.contains_key("state") && redirect.contains_key("code")
    );
    auth.set(|settings| {
        (settings.iss, settings.state) = (Echo::Wrong("https://evil".into()), Echo::Wrong("abc".into()))
    });
    let redirect = authorize(&auth, &[]);
    assert_eq!((redirect["iss"].as_str(), redirect["state"].as_str()), ("https://evil", "abc"));
    auth.set(|settings| {
        (settings.iss, settings.state) = (Echo::Right, Echo::Right);
        settings.advertise_iss = false;
        settings.authorize_error = Some("access_denied".into());
    });
    let redirect = authorize(&auth, &[]);
    assert!(!redirect.contains_key("iss") && !redirect.contains_key("code"));
    assert_eq!((redirect["error"].as_str(), redirect["state"].as_str()), ("access_denied", "xyz"));
}

#[test]
fn a_protected_server_names_its_metadata_and_takes_the_right_tokens_only() {
    let auth = FakeAuthServer::start().unwrap();
    let server = FakeMcpServer::start().unwrap();
    auth.protect_as(&server, ProtectedResource::new().scopes(["read"]).challenge_scope("read"));
    let refused = raw::modern(server.address(), "tools/list", json!({}), &[]);
    let prm = format!("{}/.well-known/oauth-protected-resource/mcp", server.origin());
    assert_eq!(
        (refused.status, refused.header("www-authenticate").unwrap().to_owned()),
        (401, format!("Bearer resource_metadata=\"{prm}\", scope=\"read\""))
    );
    let metadata =
        raw::request(server.address(), "GET", "/.well-known/oauth-protected-resource/mcp", &[], b"")
            .unwrap()
            .json();
    assert_eq!(metadata["authorization_servers"], json!([auth.issuer()]));
    assert_eq!(
        (&metadata["resource"], &metadata["scopes_supported"]),
        (&json!(server.url().as_str()), &json!(["read"]))
    );

    auth.add_public_client("app", &[CALLBACK]);
    let token_for = |resource: &str| {
        let redirect = authorize(&auth, &[("resource", resource)]);
        let tokens = exchange(&auth, &redirect["code"], &[("resource", resource)]).json();
        format!("Bearer {}", tokens["access_token"].as_str().unwrap())
    };
    let status = |token: &str| {
        raw::modern(server.address(), "tools/list", json!({}), &[("Authorization", token)]).status
    };
    assert_eq!(status(&token_for(server.url().as_str())), 200);
    assert_eq!(status(&token_for("http://other/mcp")), 401, "a token for another resource");
    auth.protect_as(&server, ProtectedResource::new().any_audience().at("/custom").not_in_challenge());
    assert_eq!(status(&token_for("http://other/mcp")), 200);
    let bare = raw::modern(server.address(), "tools/list", json!({}), &[]);
    assert_eq!(bare.header("www-authenticate"), Some("Bearer"));
}

#[test]
fn issued_secrets_are_noted() {
    let canaries = Canaries::new();
    let auth = FakeAuthServer::start().unwrap();
    auth.note_secrets_in(&canaries);
    auth.add_public_client("app", &[CALLBACK]);
    let redirect = authorize(&auth, &[]);
    assert_eq!(canaries.found_in(redirect["code"].as_bytes()), ["code"]);
    let tokens = exchange(&auth, &redirect["code"], &[]).text();
    assert_eq!(canaries.found_in(tokens.as_bytes()), ["access", "refresh"]);
}

#[test]
fn a_visitor_is_led_back_to_the_client() {
    let auth = FakeAuthServer::start().unwrap();
    auth.add_public_client("app", &[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let callback = format!("http://{}/callback", listener.local_addr().unwrap());
    let page = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone").unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    let mut url = auth.url_of(AuthEndpoint::Authorize).unwrap();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", &callback),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "s"),
    ]);
    let visits = visit(&url).unwrap();
    assert_eq!(visits.iter().map(|visit| visit.status).collect::<Vec<_>>(), [302, 200]);
    assert_eq!(visits[1].body, "done");
    assert!(page.join().unwrap().starts_with("GET /callback?code=code-"));
    assert!(visit(&Url::parse("https://example.com/").unwrap()).is_err(), "it never leaves the machine");
    auth.route("/decoy", HttpAnswer::new(200).body("text/plain", "x"));
    assert_eq!(get(&auth, "/decoy").text(), "x");
}
