//! Reports of the field, at servers that do exactly what was reported.

use mcp_harness::Person;
use mcp_testkit::{
    Accept, AuthEndpoint, FakeAuthServer, FakeMcpServer, ProtectedResource, Refusal, ScriptedAnswer,
};
use serde_json::{Value, json};

use crate::journey::Desk;

/// A server that wants a sign-in, its authorization server, and a desk with an entry for it.
pub(crate) fn protected(oauth: Value) -> (FakeMcpServer, FakeAuthServer, Desk) {
    let (server, auth) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    auth.protect(&server);
    let entry = json!({ "type": "http", "url": server.url().as_str(), "oauth": oauth });
    (server, auth, Desk::of(&entry))
}

/// The arguments of a printed command.
fn arguments(command: &str) -> Vec<&str> {
    command.strip_prefix("mcplink ").unwrap().split(' ').collect()
}

#[test]
fn fb_o46_the_printed_command_brings_the_missing_scope_and_loses_none() {
    let server = FakeMcpServer::start().unwrap();
    let auth = FakeAuthServer::start_with(|settings| {
        settings.scopes = ["files:read", "files:write", "offline_access"].map(str::to_owned).to_vec();
    });
    let auth = auth.unwrap();
    auth.protect_as(&server, ProtectedResource::new().issuers([auth.issuer()]).scopes(["files:read"]));
    let desk = Desk::of(&json!({ "type": "http", "url": server.url().as_str() }));
    desk.login();
    server.require_scope("tools/call", "files:write");
    let output = desk.run(&["call", "work", "echo", "text=x"], 3);
    let next = output.stderr.lines().find_map(|line| line.trim().strip_prefix("next: ")).unwrap();
    assert_eq!(next, "mcplink login work --oauth-scope files:write", "{output}");
    let signed_in = desk.login_with(&arguments(next));
    assert_eq!(desk.run(&["call", "work", "echo", "text=x"], 0).stdout, "x\n");
    // It still lasts, and what it could do before it still can.
    assert!(!signed_in.stdout.contains("sign in again after"), "{signed_in}");
    let scopes = desk.tokens()["scopes"].clone();
    assert!(
        scopes.to_string().contains("files:read") && scopes.to_string().contains("files:write"),
        "{scopes}"
    );
}

#[test]
fn fb_o46b_scopes_that_are_asked_for_by_hand_at_first_are_all() {
    let (_server, auth, desk) = protected(json!({}));
    desk.login_with(&["login", "work", "--scope", "files:read", "--scope", "files:write"]);
    let asked = auth.requests_to(AuthEndpoint::Authorize)[0].query.clone().unwrap();
    assert!(
        asked.contains("scope=files%3Aread+files%3Awrite&")
            || asked.ends_with("scope=files%3Aread+files%3Awrite"),
        "{asked}"
    );
}

#[test]
fn fb_o55_parameters_of_the_entry_go_along_with_the_sign_in_and_nothing_else() {
    let (_server, auth, desk) = protected(json!({ "authorizeParams": {
        "audience": "api://x y", "access_type": "offline", "redirect_uri": "https://evil.example/cb", "state": "forged",
    } }));
    desk.login();
    let asked = auth.requests_to(AuthEndpoint::Authorize)[0].query.clone().unwrap();
    let of = |wanted: &str| {
        let pairs = url::form_urlencoded::parse(asked.as_bytes());
        pairs.filter(|(name, _)| name == wanted).map(|(_, value)| value.into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (of("audience"), of("access_type")),
        (vec!["api://x y".to_owned()], vec!["offline".to_owned()])
    );
    assert_eq!((of("state").len(), of("redirect_uri").len()), (1, 1), "{asked}");
    assert!(!asked.contains("forged") && !asked.contains("evil"), "{asked}");
    assert_eq!(desk.run(&["call", "work", "echo", "text=x"], 0).stdout, "x\n");
    // What is left out is told, with the field that is meant.
    let problems = desk.run(&["validate"], 0);
    let problems = format!("{}{}", problems.stdout, problems.stderr);
    for said in ["authorizeParams.state", "use `oauth.redirectUri`"] {
        assert!(problems.contains(said), "{said}: {problems}");
    }
}

#[test]
fn fa_a76_a_registration_says_what_the_entry_says_of_the_client() {
    let (_server, auth, desk) = protected(json!({ "clientMetadata": {
        "client_name": "Our robot", "contacts": ["ann@example.com"], "redirect_uris": ["https://evil.example/cb"],
    } }));
    desk.login();
    let sent = auth.requests_to(AuthEndpoint::Register)[0].json().unwrap();
    assert_eq!(
        (&sent["client_name"], &sent["contacts"][0]),
        (&json!("Our robot"), &json!("ann@example.com"))
    );
    assert!(!sent.to_string().contains("evil"), "{sent}");
    let problems = desk.run(&["validate"], 0).to_string();
    for said in ["clientMetadata.redirect_uris", "use `oauth.redirectUri`"] {
        assert!(problems.contains(said), "{said}: {problems}");
    }
}

#[test]
fn fb_a18_why_the_server_refuses_a_fresh_token_is_told() {
    let (server, _auth, desk) = protected(json!({}));
    server.accept(Accept::Nothing);
    server.refuse_with(
        Refusal::unauthorized().challenge(
            "Bearer error=\"invalid_token\", error_description=\"The audience api://x is not ours\"",
        ),
    );
    let person = Person::new().unwrap();
    let output = desk.mcplink(&["login", "work"]).env("BROWSER", person.command()).run();
    assert_ne!(output.code, Some(0));
    assert!(
        output.stderr.contains("did not accept the new sign-in") && output.stderr.contains("401"),
        "{output}"
    );
    assert!(output.stderr.contains("The audience api://x is not ours"), "{output}");
}

#[test]
fn fb_a16_what_the_entry_says_and_means_nothing_is_told_at_the_sign_in() {
    let (_server, _auth, desk) = protected(json!({ "scope": "files:read" }));
    let said = desk.login().stderr;
    assert!(said.contains("warning: ") && said.contains("work.oauth.scope"), "{said}");
    assert!(said.contains("use `scopes`"), "{said}");
}

#[test]
fn fb_o43_an_empty_resource_is_left_out_of_every_request() {
    let (server, auth, desk) = protected(json!({ "resource": "" }));
    auth.protect_as(&server, ProtectedResource::new().any_audience());
    desk.login_with(&["login", "work"]);
    let asked = auth.requests_to(AuthEndpoint::Authorize)[0].query.clone().unwrap();
    let sent = auth.token_requests("authorization_code")[0].form();
    assert!(
        !asked.contains("resource=") && sent.iter().all(|(name, _)| name != "resource"),
        "{asked} {sent:?}"
    );
}

#[test]
fn fb_o44_fa_a75_a_server_that_refuses_calls_only_is_signed_in_to_and_called() {
    let server = FakeMcpServer::start().unwrap();
    let auth = FakeAuthServer::start().unwrap();
    auth.protect(&server);
    let ledger = auth.tokens();
    server.accept(Accept::Any);
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", server.origin());
    server.refuse_with(Refusal::unauthorized().challenge(format!("Bearer resource_metadata=\"{metadata}\"")));
    server.always_to("tools/call", ScriptedAnswer::Refuse);
    let desk = Desk::of(&json!({ "type": "http", "url": server.url().as_str() }));
    assert_eq!(desk.status()["status"], "connected");
    let output = desk.run(&["call", "work", "echo", "text=x"], 3);
    assert!(output.stderr.ends_with("  next: mcplink login work\n"), "{output}");
    server.always_to("tools/call", ScriptedAnswer::Honest);
    server.accept(Accept::Issued(ledger));
    desk.login();
    assert_eq!(desk.run(&["call", "work", "echo", "text=x"], 0).stdout, "x\n");
}

#[test]
fn fb_o41_consent_that_is_denied_is_told_and_costs_nothing_of_before() {
    let (_server, auth, desk) = protected(json!({}));
    desk.login();
    let before = desk.tokens();
    auth.set(|settings| settings.authorize_error = Some("access_denied".into()));
    let person = Person::new().unwrap();
    let output = desk.mcplink(&["login", "work"]).env("BROWSER", person.command()).run().expect_code(3);
    assert!(output.stderr.contains("access_denied"), "{output}");
    assert_eq!(desk.tokens(), before);
}

#[test]
fn fb_o51_a_redirect_uri_of_the_entry_is_registered_and_listened_on_as_it_is() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redirect = format!("http://127.0.0.1:{free}/oauth/done");
    let (_server, auth, desk) = protected(json!({ "redirectUri": redirect }));
    desk.login();
    assert_eq!(auth.registrations()[0]["redirect_uris"], json!([redirect]));
}

#[test]
fn fb_a22_where_localhost_is_refused_the_entry_asks_for_the_address_and_any_port() {
    let (_server, auth, desk) = protected(json!({ "redirectUri": "http://127.0.0.1:0/callback" }));
    desk.login();
    let registered = auth.registrations()[0]["redirect_uris"][0].as_str().unwrap().to_owned();
    assert!(registered.starts_with("http://127.0.0.1:") && !registered.contains(":0/"), "{registered}");
    // A second sign-in is at home where the first was registered.
    desk.login();
    assert_eq!(auth.registrations().len(), 1);
}

#[test]
fn fb_a05_a_refresh_token_that_is_not_replaced_serves_again_and_again() {
    let (server, auth, desk) = protected(json!({}));
    auth.set(|settings| settings.rotation = false);
    desk.login();
    let first = desk.tokens()["refresh_token"].clone();
    for _ in 0..2 {
        auth.tokens().revoke_all();
        assert_eq!(desk.run(&["call", "work", "echo", "text=x"], 0).stdout, "x\n");
    }
    assert_eq!(desk.tokens()["refresh_token"], first);
    assert_eq!(auth.token_requests("refresh_token").len(), 2);
    drop(server);
}

/// A header of the entry goes to its server with every request of a sign-in, and to no authorization server.
#[test]
fn fa_a74_headers_of_the_entry_go_to_its_server_and_to_no_authorization_server() {
    let (server, auth) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    auth.protect(&server);
    let entry = json!({ "type": "http", "url": server.url().as_str(), "headers": { "X-Tenant": "blue" } });
    let desk = Desk::of(&entry);
    desk.login();
    assert_eq!(desk.run(&["call", "work", "echo", "text=x"], 0).stdout, "x\n");
    let asked = server.requests().into_iter().filter(|request| !request.path.starts_with("/.well-known"));
    for request in asked {
        assert_eq!(request.header("x-tenant"), Some("blue"), "{} {}", request.method, request.path);
    }
    let metadata = server.requests().into_iter().filter(|request| request.path.starts_with("/.well-known"));
    assert!(metadata.count() > 0, "its metadata was asked for");
    assert!(!auth.requests().is_empty());
    for request in auth.requests() {
        assert_eq!(request.header("x-tenant"), None, "{} {}", request.method, request.path);
    }
}
