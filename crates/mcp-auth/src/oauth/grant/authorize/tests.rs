use super::super::super::discover::discovery::DiscoverySource;
use super::super::super::discover::metadata::ServerMetadata;
use super::*;

const ISSUER: &str = "https://as.example";
const REDIRECT: &str = "http://localhost:1/cb";

fn discovery(endpoint: &str, iss: bool) -> Discovery {
    Discovery {
        resource: "https://x.example/mcp".into(),
        resource_metadata: None,
        issuer: ISSUER.into(),
        server: ServerMetadata {
            authorization_endpoint: Some(endpoint.into()),
            code_challenge_methods_supported: Some(vec!["plain".into(), "S256".into()]),
            authorization_response_iss_parameter_supported: Some(iss),
            ..ServerMetadata::default()
        },
        found: DiscoverySource::ResourceMetadata,
        named_by: crate::url_policy::UrlSource::person(),
    }
}

fn request(endpoint: &str, iss: bool) -> Result<AuthorizationRequest, Failure> {
    let scopes = ["a".to_owned(), "b".to_owned()];
    AuthorizationRequest::new(
        &discovery(endpoint, iss),
        "client",
        "http://localhost:1234/callback",
        &scopes,
        Some("http://localhost:9"),
        None,
        &BTreeMap::new(),
    )
}

#[test]
fn f079_each_parameter_occurs_once_and_none_is_forced() {
    let request =
        request("https://as.example/authorize?p=policy&scope=all&prompt=login&state=x", false).unwrap();
    let pairs: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "client_id",
            "code_challenge",
            "code_challenge_method",
            "p",
            "prompt",
            "redirect_uri",
            "resource",
            "response_type",
            "scope",
            "state"
        ]
    );
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name).unwrap().1.as_str();
    assert_eq!(value("resource"), "http://localhost:9", "no slash is added");
    assert_eq!(value("redirect_uri"), "http://localhost:1234/callback");
    assert_eq!(
        (value("scope"), value("code_challenge_method"), value("response_type")),
        ("a b", "S256", "code")
    );
    assert_eq!(value("state"), request.state.expose());
}

#[test]
fn a_prompt_that_is_asked_for_takes_the_place_of_the_endpoints_own() {
    let discovery = discovery("https://as.example/authorize?prompt=login&p=policy", false);
    let request =
        AuthorizationRequest::new(&discovery, "c", REDIRECT, &[], None, Some("consent"), &BTreeMap::new());
    let url = request.unwrap().url;
    let prompts: Vec<_> = url.query_pairs().filter(|(name, _)| name == "prompt").collect();
    assert_eq!(prompts, [("prompt".into(), "consent".into())]);
    assert!(url.query_pairs().any(|(name, _)| name == "p"));
}

#[test]
fn fb_o55_parameters_of_the_entry_go_along_once_and_take_the_place_of_none_of_ours() {
    let discovery = discovery("https://as.example/authorize?audience=theirs&p=policy", false);
    let mut extra: BTreeMap<String, String> =
        [("audience", "api://x y"), ("access_type", "offline"), ("prompt", "select_account")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    extra.extend(OWN_AUTHORIZE_PARAMS.map(|name| (name.to_owned(), "forged".to_owned())));
    let request = AuthorizationRequest::new(
        &discovery,
        "c",
        REDIRECT,
        &["a".to_owned()],
        Some("http://localhost:9"),
        Some("consent"),
        &extra,
    );
    let url = request.unwrap().url;
    let of = |wanted: &str| {
        url.query_pairs().filter(|(name, _)| name == wanted).map(|(_, value)| value).collect::<Vec<_>>()
    };
    assert_eq!(of("audience"), ["api://x y"], "{url}");
    assert_eq!((of("access_type"), of("p")), (vec!["offline".into()], vec!["policy".into()]), "{url}");
    assert_eq!(of("prompt"), ["select_account"], "the entry's word is a person's: {url}");
    assert!(!url.as_str().contains("forged"), "{url}");
    assert!(of("request").is_empty() && of("request_uri").is_empty() && of("response_mode").is_empty());
}

#[test]
fn authorization_urls_that_carry_a_payload_are_refused() {
    for payload in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,x",
        "vscode://x/y",
        "http://as.example/authorize",
        "https://as.example/authorize?x=$(touch%20x)",
        "https://as.example/authorize?x=`id`",
        "https://as.example/a;calc",
        "https://as.example/a|calc",
        "https://as.example/a\" --new-window \"b",
        "https://as.example/a\nb",
        "https://user:pass@as.example/authorize",
        "-new-window",
        "",
    ] {
        let failure = request(payload, false).err().unwrap_or_else(|| panic!("{payload:?} was accepted"));
        assert!(!failure.to_string().contains("touch"), "{failure}");
    }
    assert!(request("http://localhost:4000/authorize", false).is_ok());
}

#[test]
fn a_server_without_pkce_s256_is_refused() {
    for methods in [None, Some(vec!["plain".to_owned()])] {
        let mut discovery = discovery("https://as.example/authorize", false);
        discovery.server.code_challenge_methods_supported = methods;
        let failure = AuthorizationRequest::new(&discovery, "c", REDIRECT, &[], None, None, &BTreeMap::new())
            .err()
            .unwrap();
        assert!(failure.to_string().contains("PKCE"), "{failure}");
    }
}

fn answer(request: &AuthorizationRequest, rest: &str) -> CallbackParams {
    CallbackParams::from_query(&format!("state={}&{rest}", request.state.expose()))
}

#[test]
fn the_state_must_match() {
    let request = request("https://as.example/authorize", false).unwrap();
    assert_eq!(request.check(&answer(&request, "code=c")).unwrap().expose(), "c");
    for query in ["code=c", "code=c&state=other", "code=c&state="] {
        let failure = request.check(&CallbackParams::from_query(query)).unwrap_err();
        assert!(failure.to_string().contains("state mismatch"), "{failure}");
    }
    let doubled = format!("code=c&state={0}&state={0}", request.state.expose());
    assert!(request.check(&CallbackParams::from_query(&doubled)).is_err());
}

#[test]
fn fb_o42_an_error_without_a_state_is_an_error_and_nothing_else() {
    let request = request("https://as.example/authorize", true).unwrap();
    let check = |query: &str| request.check(&CallbackParams::from_query(query)).unwrap_err();
    let failure = check("error=invalid_scope&error_description=not+known");
    assert_eq!(failure.code(), Some("invalid_scope"));
    assert!(failure.to_string().contains("not known; the answer has no state"), "{failure}");
    assert!(check("error=x&code=c").to_string().contains("state mismatch"));
    assert!(check("error=x&state=other").to_string().contains("state mismatch"));
    let foreign = check("error=canary&iss=https%3A%2F%2Fevil.example");
    assert!(foreign.to_string().contains("issuer mismatch") && !foreign.to_string().contains("canary"));
}

#[test]
fn f078_fb_o05b_the_issuer_of_an_answer_is_compared_as_a_string() {
    let table = [
        (true, "iss=https%3A%2F%2Fas.example", true),
        (true, "", false),
        (true, "iss=https%3A%2F%2Fevil.example", false),
        (true, "iss=https%3A%2F%2Fas.example%2F", false),
        (false, "iss=https%3A%2F%2FAS.example", false),
        (false, "iss=https%3A%2F%2Fas.example", true),
        (false, "", true),
    ];
    for (advertised, iss, accepted) in table {
        let request = request("https://as.example/authorize", advertised).unwrap();
        let checked = request.check(&answer(&request, &format!("code=c&{iss}")));
        assert_eq!(checked.is_ok(), accepted, "{advertised} {iss}");
        let error = request.check(&answer(&request, &format!("error=canary&{iss}"))).unwrap_err();
        assert_eq!(
            error.to_string().contains("canary"),
            accepted,
            "nothing of a foreign answer is shown: {error}"
        );
    }
}

#[test]
fn f073_a_whole_url_a_query_or_a_code_can_be_pasted() {
    for text in [
        "http://localhost:1/callback?code=abc&state=s&iss=i",
        "  \"http://localhost:1/callback?code=abc&state=s&iss=i\"\n",
        "?code=abc&state=s&iss=i",
        "code=abc&state=s&iss=i",
        "http://localhost:1/callback?code=abc&amp;state=s&amp;iss=i",
    ] {
        let params = CallbackParams::from_pasted(text).unwrap();
        assert_eq!(params.code.unwrap().expose(), "abc", "{text}");
        assert_eq!((params.state.unwrap().expose(), params.iss.as_deref()), ("s", Some("i")));
        assert!(!params.pasted_code);
    }
    for code in ["abc-1_2~x", "4/0Af==", "code-1"] {
        let params = CallbackParams::from_pasted(code).unwrap();
        assert_eq!(params.code.unwrap().expose(), code);
        assert!(params.pasted_code);
    }
    for nonsense in [
        "",
        "  ",
        "two words",
        "abc",
        "yes",
        "Yes",
        "A-1",
        "cancel",
        "http://localhost:1/callback",
        "https://as.example/authorize?client_id=x",
    ] {
        assert!(CallbackParams::from_pasted(nonsense).is_none(), "{nonsense}");
    }
}

#[test]
fn a_pasted_code_alone_is_refused_where_the_issuer_has_to_be_seen() {
    let pasted = CallbackParams::from_pasted("abc-1_2~x").unwrap();
    assert!(request("https://as.example/authorize", false).unwrap().check(&pasted).is_ok());
    let failure = request("https://as.example/authorize", true).unwrap().check(&pasted).unwrap_err();
    assert!(failure.to_string().contains("whole redirect URL"), "{failure}");
}

#[test]
fn an_answer_does_not_show_its_code() {
    let params = CallbackParams::from_query("code=canary-code&state=canary-state");
    assert!(!format!("{params:?}").contains("canary"));
}
