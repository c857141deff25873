use super::*;

fn bundle(entry: &str) -> Bundle {
    Bundle::of("tickets.eu", &Value::parse(entry).unwrap()).unwrap()
}

#[test]
fn no_secret_is_in_a_bundle_and_each_is_asked_for() {
    let bundle = bundle(
        r#"{"type": "http", "url": "https://t.example/mcp", "timeout": 5000, "//": "canary", "headersHelper": "printf canary",
            "headers": {"Authorization": "Bearer canary", "X-Team": "canary", "X-Key": "${KEY:-canary}", "X-Two": "${KEY}${B}"},
            "oauth": {"clientId": "abc", "callbackPort": 3118, "scopes": "a b", "useIdToken": true, "clientMetadata": {"client_name": "x"}, "authorizeParams": {"prompt": "consent"}}, "ipv4": true, "cookies": true,
            "excludeTools": ["drop*"], "fallback": false, "keepAliveMs": 30000, "protocol": "legacy"}"#,
    );
    let manifest = bundle.manifest(Platform::MacOs, "1.2.3");
    assert!(!manifest.contains("canary"), "{manifest}");
    assert_eq!(
        bundle.words,
        [
            "bridge",
            "https://t.example/mcp",
            "-t",
            "http-only",
            "-H",
            "Authorization: Bearer ${env:TICKETS_EU_AUTHORIZATION}",
            "-H",
            "X-Team: ${env:TICKETS_EU_X_TEAM}",
            "-H",
            "X-Key: ${env:TICKETS_EU_X_KEY}",
            "-H",
            "X-Two: ${env:KEY}${env:B}",
            "--client-id",
            "abc",
            "--callback-port",
            "3118",
            "--oauth-scopes",
            "a b",
            "--use-id-token",
            "--client-metadata",
            r#"{"client_name": "x"}"#,
            "--authorize-param",
            "prompt=consent",
            "--ipv4",
            "--block-tool",
            "drop*",
            "--keep-alive",
            "30000ms",
            "--protocol",
            "legacy"
        ]
    );
    assert_eq!(bundle.lost, ["timeout", "headersHelper"]);
    let names: Vec<_> = bundle.inputs.keys().map(String::as_str).collect();
    assert_eq!(names, ["B", "KEY", "TICKETS_EU_AUTHORIZATION", "TICKETS_EU_X_KEY", "TICKETS_EU_X_TEAM"]);
    assert!(bundle.inputs.values().all(|input| input.sensitive && input.default.is_none()));
    let manifest: Json = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["server"]["mcp_config"]["env"]["KEY"], "${user_config.KEY}");
    assert_eq!(manifest["user_config"]["KEY"]["sensitive"], true);
    assert_eq!(manifest["name"], "mcplink-tickets-eu");
    assert_eq!(manifest["compatibility"]["platforms"], json!(["darwin"]));
}

#[test]
fn fh_h5_what_only_this_machine_has_is_asked_for_and_what_is_open_is_told() {
    let bundle = bundle(
        r#"{"type": "http", "url": "https://t.example/mcp", "headersFile": "/home/me/h.txt",
            "headers": {"X-F": "${file:/home/me/token}", "Authorization": "Bearer ${keyring:mcp/a}", "X-C": "${cmd:pass x}"},
            "tls": {"ca": "/home/me/ca.pem", "cert": "./c.pem", "key": "${KEY_FILE}", "insecureSkipVerify": true}}"#,
    );
    let manifest = bundle.manifest(Platform::Unix, "1.2.3");
    for here in ["/home/me", "./c.pem", "keyring", "cmd:", "pass x"] {
        assert!(!manifest.contains(here), "{here}: {manifest}");
    }
    let manifest: Json = serde_json::from_str(&manifest).unwrap();
    let types: Vec<(&str, &Json)> =
        bundle.inputs.keys().map(|name| (&**name, &manifest["user_config"][name]["type"])).collect();
    let (text, file) = (json!("string"), json!("file"));
    assert_eq!(
        types,
        [
            ("KEY_FILE", &text),
            ("TICKETS_EU_AUTHORIZATION", &text),
            ("TICKETS_EU_HEADERSFILE", &file),
            ("TICKETS_EU_TLS_CA", &file),
            ("TICKETS_EU_TLS_CERT", &file),
            ("TICKETS_EU_X_C", &text),
            ("TICKETS_EU_X_F", &text),
        ]
    );
    assert!(bundle.inputs["TICKETS_EU_X_F"].sensitive && !bundle.inputs["TICKETS_EU_TLS_CA"].sensitive);
    assert!(bundle.words.contains(&"${env:TICKETS_EU_TLS_CA}".to_owned()), "{:?}", bundle.words);
    assert_eq!(bundle.notes, ["it takes every certificate, wherever it is installed"]);
}

/// A default may be written where the variable is not a secret, and the variable be one elsewhere.
#[test]
fn a_variable_that_is_secret_somewhere_is_secret_and_has_no_default() {
    let (oauth, headers) = (r#""oauth": {"scopes": "${V:-canary}"}"#, r#""headers": {"X-Key": "${V}"}"#);
    for members in [format!("{oauth}, {headers}"), format!("{headers}, {oauth}")] {
        let bundle = bundle(&format!(r#"{{"type": "http", "url": "https://t.example/mcp", {members}}}"#));
        assert!(bundle.inputs["V"].sensitive, "{members}");
        assert!(!bundle.manifest(Platform::Unix, "1.2.3").contains("canary"), "{members}");
    }
    let alone = bundle(&format!(r#"{{"type": "http", "url": "https://t.example/mcp", {oauth}}}"#));
    assert_eq!(alone.inputs["V"].default.as_deref(), Some("canary"));
}

#[test]
fn a_url_is_written_out_unless_it_holds_a_secret() {
    let plain = bundle(r#"{"type": "sse", "url": "https://${HOST:-h.example}/sse"}"#);
    assert_eq!(plain.words, ["bridge", "https://${env:HOST}/sse", "-t", "sse"]);
    assert_eq!(plain.inputs["HOST"].default.as_deref(), Some("h.example"));
    let secret = bundle(r#"{"url": "https://h.example/mcp?key=canary"}"#);
    assert_eq!(secret.words, ["bridge", "${env:TICKETS_EU_URL}"]);
    assert!(secret.inputs["TICKETS_EU_URL"].sensitive);
    let manifest = secret.manifest(Platform::Windows, "1.0.0");
    assert!(!manifest.contains("canary") && manifest.contains("server/mcplink.exe"), "{manifest}");
    let proxy = bundle(r#"{"url": "https://h.example", "proxy": "http://u:canary@p.example"}"#);
    assert_eq!(proxy.lost, ["proxy"], "a credential of a proxy is no part of it");
}

#[test]
fn names_in_other_letters_have_bundles_of_their_own() {
    let names = ["日本", "中国", "Почта", "a-日本", "a"].map(word);
    assert!(
        names.iter().all(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')),
        "{names:?}"
    );
    assert!(names.iter().all(|name| !name.starts_with('-') && !name.ends_with('-')), "{names:?}");
    let mut once = names.to_vec();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len(), "{names:?}");
}

#[test]
fn fh_h5_a_bundle_without_the_only_credential_is_none() {
    let of = |members: &str| {
        let entry = format!(r#"{{"type": "http", "url": "https://h.example", {members}}}"#);
        Bundle::of("a", &Value::parse(&entry).unwrap()).err()
    };
    assert_eq!(of(r#""headersHelper": "x""#), Some(BundleError::MadeHere("headersHelper")));
    assert_eq!(of(r#""auth": {"grant": "client_credentials"}"#), Some(BundleError::MadeHere("auth")));
    assert_eq!(
        of(r#""headersHelper": "x", "headers": {"X-Team": "a"}"#),
        Some(BundleError::MadeHere("headersHelper"))
    );
    assert_eq!(of(r#""headersHelper": "x", "headers": {"Authorization": "Bearer ${T}"}"#), None);
    assert_eq!(of(r#""headersHelper": "x", "headers": {"X-Api-Key": "${T}"}"#), None);
    assert_eq!(of(r#""oauth": {"clientId": "a"}"#), None);
}

#[test]
fn what_runs_here_is_in_no_bundle() {
    for entry in
        [r#"{"command": "x"}"#, r#"{"type": "ws", "url": "wss://h.example"}"#, r#"{"url": ""}"#, "{}"]
    {
        assert_eq!(Bundle::of("a", &Value::parse(entry).unwrap()).unwrap_err(), BundleError::NotRemote);
    }
}
