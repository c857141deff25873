//! Which URLs are requested, in which order, and what is made of the answers.
//!
//! Longer than 500 lines because every document that was met is a short case in the same network.

use serde_json::{Value, json};

use super::super::super::fake::{FakeNet, SERVER, answer, challenges, metadata, redirect, text};
use super::*;
use crate::AuthError;

const NEEDS: MetadataNeeds<'_> =
    MetadataNeeds { person: true, registration: true, metadata_issuer: None, grant: false };
const PRM_PATH: &str = "GET https://mcp.example/.well-known/oauth-protected-resource/mcp";
const PRM_ROOT: &str = "GET https://mcp.example/.well-known/oauth-protected-resource";
const AS: &str = "https://as.example";
const AS_ROOT: &str = "GET https://as.example/.well-known/oauth-authorization-server";
const AS_OIDC: &str = "GET https://as.example/.well-known/openid-configuration";

fn prm(issuer: &str) -> Value {
    json!({ "resource": SERVER, "authorization_servers": [issuer] })
}

async fn run(net: &FakeNet, challenge: &str) -> Result<Discovery, AuthError> {
    let server = Url::parse(SERVER).unwrap();
    Ok(discover(net, &server, Pins::default(), &challenges(challenge), NEEDS).await?)
}

#[tokio::test]
async fn f064_resource_metadata_comes_first_and_the_challenge_says_where() {
    let net = FakeNet::default();
    net.json("GET https://mcp.example/custom.json", 200, prm(AS));
    net.json(AS_ROOT, 200, metadata(AS));
    for challenge in [
        "Bearer resource_metadata=\"https://mcp.example/custom.json\"",
        "DPoP resource_metadata=\"/custom.json\"",
    ] {
        let found = run(&net, challenge).await.unwrap();
        assert_eq!((found.issuer.as_str(), found.found), (AS, DiscoverySource::ResourceMetadata));
        assert_eq!(
            net.take_lines(),
            ["GET https://mcp.example/custom.json", AS_ROOT],
            "nothing else is probed"
        );
    }
}

#[tokio::test]
async fn without_a_challenge_the_path_is_tried_before_the_root() {
    let net = FakeNet::default();
    net.json(AS_ROOT, 200, metadata(AS));
    net.json(PRM_ROOT, 200, json!({ "resource": "https://mcp.example", "authorization_servers": [AS] }));
    let found = run(&net, "").await.unwrap();
    assert_eq!(found.resource, "https://mcp.example", "exactly as published: no slash");
    assert_eq!(net.take_lines(), [PRM_PATH, PRM_ROOT, AS_ROOT]);

    net.json(PRM_PATH, 200, prm(AS));
    assert_eq!(run(&net, "").await.unwrap().resource, SERVER);
    assert_eq!(net.take_lines(), [PRM_PATH, AS_ROOT], "the root is not asked when the path answers");
}

#[tokio::test]
async fn f065_an_issuer_with_a_path_is_looked_up_in_three_places_and_never_at_its_root() {
    let places = [
        "GET https://as.example/.well-known/oauth-authorization-server/tenant1",
        "GET https://as.example/.well-known/openid-configuration/tenant1",
        "GET https://as.example/tenant1/.well-known/openid-configuration",
    ];
    for (index, place) in places.iter().enumerate() {
        let net = FakeNet::default();
        net.json(PRM_PATH, 200, prm("https://as.example/tenant1"));
        net.json(place, 200, metadata("https://as.example/tenant1"));
        assert!(run(&net, "").await.is_ok());
        assert_eq!(net.take_lines()[1..], places[..=index]);
    }
    let net = FakeNet::default();
    net.json(PRM_PATH, 200, prm("https://as.example/tenant1"));
    let error = run(&net, "").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "read the authorization server metadata: https://as.example/.well-known/oauth-authorization-server/tenant1: the authorization server publishes no metadata here, nor elsewhere where the specifications have it; if you know where it is, name the document in `oauth.authServerMetadataUrl`"
    );
    assert_eq!(net.take_lines()[1..], places);
}

#[tokio::test]
async fn f066_pages_and_empty_documents_are_skipped() {
    for junk in ["<html>sign in</html>", "{}", "null", ""] {
        let net = FakeNet::default();
        net.on(PRM_PATH, move |_| text(200, junk));
        net.json(PRM_ROOT, 200, prm(AS));
        net.on(AS_ROOT, move |_| text(200, junk));
        net.json("GET https://as.example/.well-known/openid-configuration", 200, metadata(AS));
        assert!(run(&net, "").await.is_ok(), "{junk}");
        assert_eq!(net.take_lines().len(), 4);
    }
}

#[tokio::test]
async fn f067_configured_metadata_replaces_discovery() {
    let net = FakeNet::default();
    net.json("GET https://login.example/meta", 200, metadata("https://login.example/tenant"));
    let (server, url) = (Url::parse(SERVER).unwrap(), Url::parse("https://login.example/meta").unwrap());
    let found = discover(&net, &server, pin(&url), &challenges("Bearer resource_metadata=\"/x\""), NEEDS)
        .await
        .unwrap();
    assert_eq!(
        (found.issuer.as_str(), found.found),
        ("https://login.example/tenant", DiscoverySource::Configured)
    );
    assert_eq!(found.resource, SERVER);
    assert_eq!(net.take_lines(), ["GET https://login.example/meta"]);

    let insecure = Url::parse("http://login.example/meta").unwrap();
    let failure = discover(&net, &server, pin(&insecure), &[], NEEDS).await.unwrap_err();
    assert!(failure.to_string().contains("plain http"), "{failure}");
    assert!(net.take_lines().is_empty());
}

#[tokio::test]
async fn a_server_of_2025_03_26_is_its_own_authorization_server() {
    let net = FakeNet::default();
    let at = "GET https://mcp.example/.well-known/oauth-authorization-server";
    for issuer in ["https://mcp.example", "https://mcp.example/"] {
        let mut listed = metadata("https://mcp.example/oauth");
        listed["issuer"] = json!(issuer);
        net.json(at, 200, listed);
        let found = run(&net, "Bearer").await.unwrap();
        assert_eq!((found.issuer.as_str(), found.found), (issuer, DiscoverySource::Origin));
        assert_eq!(found.server.token_endpoint.as_deref(), Some("https://mcp.example/oauth/token"));
        assert_eq!(net.take_lines(), [PRM_PATH, PRM_ROOT, at]);
    }
    net.json(at, 200, metadata("https://evil.example"));
    let error = run(&net, "").await.unwrap_err();
    assert!(error.to_string().contains("issuer mismatch"), "{error}");
}

#[tokio::test]
async fn a_server_that_publishes_nothing_has_the_default_endpoints() {
    let net = FakeNet::default();
    let found = run(&net, "").await.unwrap();
    assert_eq!(found.found, DiscoverySource::DefaultEndpoints);
    assert_eq!(found.issuer, "https://mcp.example");
    assert_eq!(found.server.authorization_endpoint.as_deref(), Some("https://mcp.example/authorize"));
    assert_eq!(found.server.token_endpoint.as_deref(), Some("https://mcp.example/token"));
    assert_eq!(found.server.registration_endpoint.as_deref(), Some("https://mcp.example/register"));
}

#[tokio::test]
async fn a_server_that_is_down_does_not_pass_for_an_old_one() {
    for line in [PRM_PATH, PRM_ROOT, "GET https://mcp.example/.well-known/oauth-authorization-server"] {
        let net = FakeNet::default();
        net.json(line, 503, Value::Null);
        let error = run(&net, "").await.unwrap_err();
        assert_eq!(error.kind(), crate::AuthErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("answered 503"), "{error}");
        let net = FakeNet::default();
        net.take_down(line);
        let error = run(&net, "").await.unwrap_err();
        assert_eq!(error.kind(), crate::AuthErrorKind::Unavailable, "{error}");
    }
    // But trouble at one place does not hide what the next one has.
    let net = FakeNet::default();
    net.json(PRM_PATH, 500, Value::Null);
    net.json(PRM_ROOT, 200, prm(AS));
    net.json(AS_ROOT, 200, metadata(AS));
    assert!(run(&net, "").await.is_ok());
    // Nor what the server itself publishes, which needs no other document.
    for trouble in [Some(500), None] {
        let net = FakeNet::default();
        for place in [PRM_PATH, PRM_ROOT] {
            match trouble {
                Some(status) => net.json(place, status, Value::Null),
                None => net.take_down(place),
            }
        }
        net.json(
            "GET https://mcp.example/.well-known/oauth-authorization-server",
            200,
            metadata("https://mcp.example"),
        );
        let found = run(&net, "").await.unwrap();
        assert_eq!((found.found, &*found.issuer), (DiscoverySource::Origin, "https://mcp.example"));
    }
}

#[tokio::test]
async fn metadata_of_a_foreign_issuer_is_not_used() {
    for issuer in ["https://honest.example", "https://as.example//", "https://AS.example"] {
        let net = FakeNet::default();
        net.json(PRM_PATH, 200, prm(AS));
        net.json(AS_ROOT, 200, metadata(issuer));
        let error = run(&net, "").await.unwrap_err();
        assert_eq!(error.kind(), crate::AuthErrorKind::Protocol);
        assert!(error.to_string().contains("issuer mismatch"), "{error}");
    }
}

#[tokio::test]
async fn a_resource_of_another_origin_is_refused_before_anyone_is_asked() {
    for resource in ["https://evil.example/mcp", "https://mcp.example/other", "http://mcp.example/mcp"] {
        let net = FakeNet::default();
        net.json(PRM_PATH, 200, json!({ "resource": resource, "authorization_servers": [AS] }));
        let error = run(&net, "").await.unwrap_err();
        assert!(error.to_string().contains("for another resource"), "{error}");
        assert_eq!(net.take_lines(), [PRM_PATH, PRM_ROOT], "no authorization server is asked");
    }
}

#[tokio::test]
async fn an_authorization_server_without_tls_on_another_machine_is_not_contacted() {
    let net = FakeNet::default();
    net.json(PRM_PATH, 200, prm("http://as.example"));
    let error = run(&net, "").await.unwrap_err();
    assert!(error.to_string().contains("plain http on another machine"), "{error}");
    assert_eq!(net.take_lines(), [PRM_PATH]);
}

#[tokio::test]
async fn redirects_are_followed_within_their_origin_only() {
    let net = FakeNet::default();
    net.on(PRM_PATH, |_| redirect("/elsewhere"));
    net.json("GET https://mcp.example/elsewhere", 200, prm(AS));
    net.on(AS_ROOT, |_| redirect("https://evil.example/metadata"));
    net.json("GET https://evil.example/metadata", 200, metadata(AS));
    let error = run(&net, "").await.unwrap_err();
    assert!(error.to_string().contains("a redirect, which is not followed"), "{error}");
    assert_eq!(net.take_lines(), [PRM_PATH, "GET https://mcp.example/elsewhere", AS_ROOT, AS_OIDC]);

    net.on(AS_ROOT, |_| redirect("/.well-known/oauth-authorization-server"));
    let error = run(&net, "").await.unwrap_err();
    assert!(error.to_string().contains("redirects in a circle"), "{error}");
}

/// Places of this machine and its network, as a stranger would spell them.
const INSIDE: [&str; 9] = [
    "http://127.0.0.1:8500",
    "http://localhost:8500",
    "https://localhost.:8500",
    "http://2130706433:8500",
    "http://[::1]:8500",
    "https://[::ffff:127.0.0.1]",
    "https://10.0.0.1",
    "https://169.254.169.254",
    "https://vault.internal",
];

#[tokio::test]
async fn s_m14_the_challenge_of_a_remote_server_cannot_point_inside() {
    for inside in INSIDE {
        let net = FakeNet::default();
        let challenge = format!("Bearer resource_metadata=\"{inside}/v1/kv?token=canary\"");
        let error = run(&net, &challenge).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("where https://mcp.example may not send anyone"), "{error}");
        assert!(text.contains("/v1/kv") && !text.contains("canary"), "{error}");
        assert_eq!(net.take_lines(), [PRM_PATH, PRM_ROOT]);
    }
    let net = FakeNet::default();
    let error = run(&net, "Bearer resource_metadata=\"file:///etc/passwd\"").await.unwrap_err();
    assert!(error.to_string().contains("neither https nor"), "{error}");
}

#[tokio::test]
async fn the_second_authorization_server_is_used_where_the_first_is_gone() {
    let net = FakeNet::default();
    net.json(
        PRM_PATH,
        200,
        json!({ "resource": SERVER, "authorization_servers": ["https://old.example", AS] }),
    );
    net.on(AS_ROOT, |_| answer(200, &metadata(AS)));
    assert_eq!(run(&net, "").await.unwrap().issuer, AS);
}

/// Metadata of `AS` without some members.
fn without(members: &[&str]) -> Value {
    let mut document = metadata(AS);
    for member in members {
        document.as_object_mut().unwrap().remove(*member);
    }
    document
}

#[tokio::test]
async fn fb_o01_a_host_is_an_issuer_with_and_without_its_slash() {
    for (named, says) in [("https://as.example/", AS), (AS, "https://as.example/")] {
        let net = FakeNet::default();
        net.json(PRM_PATH, 200, prm(named));
        net.json(AS_ROOT, 200, metadata(says));
        let found = run(&net, "").await.unwrap();
        assert_eq!(
            found.issuer, says,
            "what `iss` is compared with is the authorization server's own spelling"
        );
    }
}

#[tokio::test]
async fn fb_o03_o04_o05_another_issuer_is_another_issuer() {
    for (named, says) in [
        ("https://as.example/t", "https://as.example/t/"),
        ("https://as.example/t/", "https://as.example/t"),
        (AS, "https://as.example/t"),
        (AS, "https://other.example"),
        (AS, "https://as.example:8443"),
        (AS, "http://as.example"),
    ] {
        let net = FakeNet::default();
        net.json(PRM_PATH, 200, prm(named));
        for place in ["oauth-authorization-server", "openid-configuration"] {
            for path in ["", "/t"] {
                net.json(&format!("GET {AS}/.well-known/{place}{path}"), 200, metadata(says));
                net.json(&format!("GET {AS}{path}/.well-known/{place}"), 200, metadata(says));
            }
        }
        let error = run(&net, "").await.unwrap_err();
        assert!(error.to_string().contains("issuer mismatch"), "{named} {says}: {error}");
    }
}

#[tokio::test]
async fn fb_o03b_an_issuer_whose_path_ends_with_a_slash_everywhere_is_itself() {
    let issuer = format!("{AS}/t/");
    for place in ["/.well-known/oauth-authorization-server/t", "/t/.well-known/openid-configuration"] {
        let net = FakeNet::default();
        net.json(PRM_PATH, 200, prm(&issuer));
        net.json(&format!("GET {AS}{place}"), 200, metadata(&issuer));
        assert_eq!(run(&net, "").await.unwrap().issuer, issuer, "{place}");
    }
}

#[tokio::test]
async fn fb_o09_o10_a_json_error_with_status_200_is_no_document() {
    for junk in [
        r#"{"detail":"Not Found"}"#,
        r#"{"message":"route not found"}"#,
        r#"{"error":{"code":404}}"#,
        r#"{"resource":null,"authorization_servers":"x","issuer":7}"#,
        r#"[{"issuer":"https://as.example"}]"#,
        "\u{feff}",
    ] {
        let net = FakeNet::default();
        net.on(PRM_PATH, move |_| text(200, junk));
        net.json(PRM_ROOT, 200, prm(AS));
        net.on(AS_ROOT, move |_| text(200, junk));
        net.json(AS_OIDC, 200, metadata(AS));
        let found = run(&net, "").await.unwrap_or_else(|error| panic!("{junk}: {error}"));
        assert_eq!(found.found, DiscoverySource::ResourceMetadata);
        assert_eq!(net.take_lines(), [PRM_PATH, PRM_ROOT, AS_ROOT, AS_OIDC], "{junk}");
    }
}

#[tokio::test]
async fn fb_o13_an_address_in_the_challenge_that_cannot_be_used_leads_to_the_well_known_ones() {
    for named in [
        "http://mcp.internal.example/.well-known/oauth-protected-resource/mcp",
        "http://127.0.0.1:8500/v1/kv",
        "https://gone.example/prm",
        "file:///etc/passwd",
        "https://[broken",
    ] {
        let net = FakeNet::default();
        net.json(PRM_PATH, 200, prm(AS));
        net.json(AS_ROOT, 200, metadata(AS));
        let challenge = format!("Bearer resource_metadata=\"{named}\"");
        run(&net, &challenge).await.unwrap_or_else(|error| panic!("{named}: {error}"));
        let lines = net.take_lines();
        assert!(lines.ends_with(&[PRM_PATH.to_owned(), AS_ROOT.to_owned()]), "{lines:?}");
        assert!(
            !lines.iter().any(|line| line.contains("127.0.0.1") || line.contains("internal")),
            "{lines:?}"
        );
    }
    // TLS ends before the server: the same host is asked over TLS.
    let net = FakeNet::default();
    net.json("GET https://mcp.example/only/here", 200, prm(AS));
    net.json(AS_ROOT, 200, metadata(AS));
    run(&net, "Bearer resource_metadata=\"http://mcp.example/only/here\"").await.unwrap();
}

#[tokio::test]
async fn fb_o08_documents_of_one_issuer_complete_each_other() {
    for missing in [
        "code_challenge_methods_supported",
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
    ] {
        let net = FakeNet::default();
        net.json(PRM_PATH, 200, prm(AS));
        net.json(AS_ROOT, 200, without(&[missing]));
        net.json(AS_OIDC, 200, without(&["revocation_endpoint"]));
        let found = run(&net, "").await.unwrap();
        assert!(NEEDS.are_met_by(&found.server), "{missing}");
        assert!(found.server.revocation_endpoint.is_some(), "what the first one knew stays");

        // Security: not with the document of another issuer.
        net.json(AS_OIDC, 200, metadata("https://evil.example"));
        let found = run(&net, "").await.unwrap();
        assert!(!NEEDS.are_met_by(&found.server), "{missing}");
    }
}

#[tokio::test]
async fn fb_a03_a_server_without_resource_metadata_is_looked_up_below_its_path_too() {
    for place in [
        "GET https://mcp.example/.well-known/oauth-authorization-server/mcp",
        "GET https://mcp.example/.well-known/openid-configuration/mcp",
        "GET https://mcp.example/mcp/.well-known/openid-configuration",
    ] {
        for issuer in ["https://mcp.example", "https://mcp.example/", "https://mcp.example/mcp"] {
            let net = FakeNet::default();
            net.json(place, 200, metadata(issuer));
            let found = run(&net, "").await.unwrap();
            assert_eq!((found.issuer.as_str(), found.found), (issuer, DiscoverySource::Origin), "{place}");
        }
        let net = FakeNet::default();
        net.json(place, 200, metadata("https://evil.example"));
        let error = run(&net, "").await.unwrap_err();
        assert!(error.to_string().contains("issuer mismatch"), "{error}");
    }
    // A JSON error at the root, and a root that leads to a sign-in page elsewhere.
    for junk in [true, false] {
        let net = FakeNet::default();
        for line in [PRM_PATH, PRM_ROOT, "GET https://mcp.example/.well-known/oauth-authorization-server"] {
            net.on(line, move |_| match junk {
                true => text(200, r#"{"detail":"Not Found"}"#),
                false => redirect("https://sso.example/login"),
            });
        }
        net.json("GET https://mcp.example/.well-known/oauth-authorization-server/mcp", 200, metadata(SERVER));
        assert_eq!(run(&net, "").await.unwrap().issuer, SERVER);
    }
}

#[tokio::test]
async fn fb_o19_a_resource_of_another_scheme_says_which_url_would_fit() {
    let net = FakeNet::default();
    let resource = json!({ "resource": "http://mcp.example:8080/mcp", "authorization_servers": [AS] });
    net.json(PRM_PATH, 200, resource);
    let error = run(&net, "").await.unwrap_err();
    assert!(error.to_string().contains("with `url` http://mcp.example:8080/mcp"), "{error}");
    net.json(PRM_PATH, 200, json!({ "resource": "http://evil.example/mcp", "authorization_servers": [AS] }));
    let error = run(&net, "").await.unwrap_err();
    assert!(
        error.to_string().contains("for another resource") && !error.to_string().contains("would fit"),
        "{error}"
    );
}

fn pin(metadata: &Url) -> Pins<'_> {
    Pins { metadata: Some(metadata), issuer: None }
}

#[tokio::test]
async fn s_m14_the_metadata_of_a_remote_server_cannot_name_an_authorization_server_inside() {
    for inside in INSIDE {
        let net = FakeNet::default();
        net.json(PRM_PATH, 200, prm(inside));
        let error = run(&net, "").await.unwrap_err();
        assert!(error.to_string().contains("the authorization server's URL is "), "{error}");
        assert!(error.to_string().contains("where https://mcp.example may not send anyone"), "{error}");
        assert_eq!(net.take_lines(), [PRM_PATH], "{inside}");
    }
}

#[tokio::test]
async fn s_k6_metadata_that_a_local_server_has_elsewhere_names_nothing_inside_either() {
    let net = FakeNet::default();
    let server = Url::parse("http://localhost:3000/mcp").unwrap();
    let challenge = challenges("Bearer resource_metadata=\"https://mcp.example/prm\"");
    let document = json!({ "resource": server, "authorization_servers": ["http://localhost:8500"] });
    net.json("GET https://mcp.example/prm", 200, document.clone());
    let failure = discover(&net, &server, Pins::default(), &challenge, NEEDS).await.unwrap_err();
    assert!(failure.to_string().contains("where https://mcp.example may not send anyone"), "{failure}");
    assert!(net.take_lines().iter().all(|line| !line.contains(":8500")));

    // In its own document, it may: it is on this machine itself.
    net.json("GET http://localhost:3000/.well-known/oauth-protected-resource/mcp", 200, document);
    let at = "GET http://localhost:8500/.well-known/oauth-authorization-server";
    net.json(at, 200, metadata("http://localhost:8500"));
    assert!(discover(&net, &server, Pins::default(), &[], NEEDS).await.is_ok());
}

#[tokio::test]
async fn s_n21_a_pinned_issuer_is_the_only_one() {
    let pins = Pins { metadata: None, issuer: Some(AS) };
    let server = Url::parse(SERVER).unwrap();
    let net = FakeNet::default();
    net.json(PRM_PATH, 200, prm("https://evil.example"));
    let failure = discover(&net, &server, pins, &[], NEEDS).await.unwrap_err();
    let text = failure.to_string();
    assert!(text.contains("it names https://evil.example") && text.contains(AS), "{text}");
    assert_eq!(net.take_lines(), [PRM_PATH], "it is not asked");

    let both = json!({ "resource": SERVER, "authorization_servers": ["https://evil.example", AS] });
    net.json(PRM_PATH, 200, both);
    net.json(AS_ROOT, 200, metadata(AS));
    let found = discover(&net, &server, pins, &[], NEEDS).await.unwrap();
    assert_eq!((found.issuer.as_str(), found.resource.as_str()), (AS, SERVER));
    assert_eq!(net.take_lines(), [PRM_PATH, AS_ROOT]);

    // Also in place of the server itself, which says nothing.
    let net = FakeNet::default();
    net.json(AS_ROOT, 200, metadata(AS));
    assert_eq!(discover(&net, &server, pins, &[], NEEDS).await.unwrap().issuer, AS);

    // And a configured document of another issuer is an accident.
    let url = Url::parse("https://login.example/meta").unwrap();
    net.json("GET https://login.example/meta", 200, metadata("https://login.example"));
    let failure =
        discover(&net, &server, Pins { metadata: Some(&url), ..pins }, &[], NEEDS).await.unwrap_err();
    assert!(failure.to_string().contains("it names https://login.example"), "{failure}");
}

#[tokio::test]
async fn s_k6_a_person_may_send_a_remote_server_to_an_issuer_inside() {
    let net = FakeNet::default();
    net.json(PRM_PATH, 200, prm("https://10.0.0.1"));
    net.json(
        "GET https://10.0.0.1/.well-known/oauth-authorization-server",
        200,
        metadata("https://10.0.0.1"),
    );
    let server = Url::parse(SERVER).unwrap();
    assert!(discover(&net, &server, Pins::default(), &[], NEEDS).await.is_err());
    let pins = Pins { metadata: None, issuer: Some("https://10.0.0.1") };
    assert!(discover(&net, &server, pins, &[], NEEDS).await.is_ok());
}

#[tokio::test]
async fn fb_o06_the_issuer_template_of_a_service_is_accepted_where_the_entry_says_so() {
    let (named, template) = ("https://as.example/common/v2.0", "https://as.example/{tenantid}/v2.0");
    let net = FakeNet::default();
    net.json(PRM_PATH, 200, prm(named));
    net.json("GET https://as.example/common/v2.0/.well-known/openid-configuration", 200, metadata(template));
    let error = run(&net, "").await.unwrap_err();
    assert!(
        error.to_string().contains("issuer mismatch") && error.to_string().contains("metadataIssuer"),
        "{error}"
    );
    let server = Url::parse(SERVER).unwrap();
    let opted = MetadataNeeds { metadata_issuer: Some(template), ..NEEDS };
    let found = discover(&net, &server, Pins::default(), &[], opted).await.unwrap();
    assert_eq!(found.issuer, named, "tokens are kept under the issuer that the server named");
    // Exactly that text, and nothing like it.
    for other in ["https://as.example/{tenantid}/v2.0/", "https://evil.example", "{tenantid}"] {
        let opted = MetadataNeeds { metadata_issuer: Some(other), ..NEEDS };
        let failure = discover(&net, &server, Pins::default(), &[], opted).await.unwrap_err();
        assert!(failure.to_string().contains("issuer mismatch"), "{failure}");
    }
}

#[tokio::test]
async fn fb_o14_o16_o17_o18_a26_challenges_and_resources_as_servers_write_them() {
    let challenged = [
        "Bearer resource_metadata=\"https://mcp.example/p\", resource_metadata=\"https://mcp.example/p\"",
        "Basic realm=\"x\", Bearer error=\"invalid_token\", resource_metadata=\"https://mcp.example/p\"",
    ];
    for challenge in challenged {
        let net = FakeNet::default();
        net.json("GET https://mcp.example/p", 200, prm(AS));
        net.json(PRM_PATH, 200, prm(AS));
        net.json(AS_ROOT, 200, metadata(AS));
        assert!(run(&net, challenge).await.is_ok(), "{challenge}");
    }
    for (published, asked) in [
        (json!("https://mcp.example"), "https://mcp.example"),
        (json!("https://mcp.example/"), "https://mcp.example/"),
        (json!("https://mcp.example/mcp/"), "https://mcp.example/mcp/"),
        (Value::Null, SERVER),
    ] {
        let net = FakeNet::default();
        net.json(PRM_PATH, 200, json!({ "resource": published, "authorization_servers": [AS] }));
        net.json(AS_ROOT, 200, metadata(AS));
        assert_eq!(run(&net, "").await.unwrap().resource, asked, "as published, byte for byte");
    }
}

#[tokio::test]
async fn fb_o12_o20_another_host_is_never_followed_to() {
    let net = FakeNet::default();
    net.json(PRM_PATH, 200, prm(AS));
    for line in [AS_ROOT, AS_OIDC] {
        net.on(line, |_| redirect("https://evil.example/metadata"));
    }
    net.json("GET https://evil.example/metadata", 200, metadata(AS));
    assert!(run(&net, "").await.is_err());
    assert!(net.take_lines().iter().all(|line| !line.contains("evil")));
}

#[tokio::test]
async fn fb_o09b_o10b_o53_o56_a34_a35_a37_what_fails_at_one_place_is_passed_over() {
    for trouble in [Some(500), Some(401), Some(406), Some(403), Some(302), None] {
        let net = FakeNet::default();
        for line in [PRM_PATH, AS_ROOT] {
            match trouble {
                Some(302) => net.on(line, |_| redirect("https://sso.example/login")),
                Some(status) => net.json(line, status, json!({ "detail": "no" })),
                None => net.take_down(line),
            }
        }
        net.json(PRM_ROOT, 200, prm(AS));
        net.json(AS_OIDC, 200, metadata(AS));
        run(&net, "").await.unwrap_or_else(|error| panic!("{trouble:?}: {error}"));
    }
}
