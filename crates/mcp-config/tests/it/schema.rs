//! The JSON Schema says what the reader says.

use std::fs;
use std::path::Path;

use mcp_config::validate::validate_text;
use mcp_config::{ConfigSource, Env, json_schema};
use serde_json::{Value, json};

/// Whether `value` is valid, by the keywords that the schema uses; any other one is a failure of the test.
fn is_valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else { return schema.as_bool().unwrap() };
    keywords.iter().all(|(keyword, said)| match keyword.as_str() {
        "$schema" | "$defs" | "title" | "description" => true,
        "$ref" => {
            is_valid(root, root.pointer(said.as_str().unwrap().strip_prefix('#').unwrap()).unwrap(), value)
        }
        "type" => match said.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64() || value.is_i64(),
            other => panic!("{other}"),
        },
        "enum" => said.as_array().unwrap().contains(value),
        "minimum" => value.as_u64().is_none_or(|number| number >= said.as_u64().unwrap()),
        "maximum" => value.as_u64().is_none_or(|number| number <= said.as_u64().unwrap()),
        "required" => said.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
        "anyOf" => said.as_array().unwrap().iter().any(|schema| is_valid(root, schema, value)),
        "pattern" => {
            assert_eq!(said, &json!(r"^\$\{.+\}$"));
            value.as_str().is_none_or(|text| text.starts_with("${") && text.ends_with('}'))
        }
        "items" => value.as_array().into_iter().flatten().all(|item| is_valid(root, said, item)),
        "properties" => members(value)
            .all(|(name, value)| said.get(name).is_none_or(|schema| is_valid(root, schema, value))),
        "patternProperties" => {
            assert_eq!(said, &json!({ r"^(_|\$|#|//)": {} }));
            true
        }
        "additionalProperties" => members(value).all(|(name, value)| {
            let known = schema["properties"].get(name).is_some();
            let remark = schema.get("patternProperties").is_some()
                && ["_", "$", "#", "//"].iter().any(|start| name.starts_with(start));
            known || remark || is_valid(root, said, value)
        }),
        other => panic!("the schema uses {other}"),
    })
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn entry_is_valid(entry: &Value) -> bool {
    let schema = json_schema();
    is_valid(&schema, &schema, &json!({ "mcpServers": { "x": entry } }))
}

fn reader_is_content(entry: &Value) -> bool {
    let text = json!({ "mcpServers": { "x": entry } }).to_string();
    validate_text(ConfigSource::File("x.json".into()), &text, &Env::from([("A", "a")])).is_empty()
}

#[test]
fn the_schema_and_the_reader_agree_about_every_entry() {
    let entries = [
        json!({ "command": "x" }),
        json!({ "type": "stdio", "command": "x", "args": ["${A}"], "env": { "K": "v" }, "cwd": "/", "startupTimeoutMs": 1000,
            "timeout": 1000, "request_timeout_ms": 1000, "displayName": "d", "role": "r", "discoveryCache": {},
            "bareElicitationCapability": true, "alwaysLoad": true, "disabled": false, "enabled": true, "isActive": true,
            "_note": 1, "$x": 2, "#": 3, "// why": [], "description": "d", "comment": "c" }),
        json!({ "type": "http", "url": "https://h.example/", "headers": { "A": "b" }, "headersHelper": "x",
            "headersHelperTimeoutMs": 1, "headersHelperTtlMs": 1, "oauth": { "clientId": "i", "callbackPort": 1, "scopes": "a b",
            "pkce": "assumed", "clientMetadata": { "client_name": "n", "contacts": ["a"] }, "useIdToken": true }, "limits": { "pages": 3, "errorMs": 100 }, "proxy": "socks5h://p.example:1080",
            "tls": { "ca": "/c.pem", "cert": "/m.pem", "key": "/m.key", "serverName": "h.example" },
            "cookies": false, "ipv4": true,
            "fallback": false, "protocol": "legacy", "keepAliveMs": 1000 }),
        json!({ "type": "http", "url": "https://h.example/", "auth": { "file": "/t" } }),
        json!({ "type": "sse", "url": "https://h.example/", "auth": { "grant": "token_exchange", "clientId": "i",
            "clientSecret": "${A}", "issuer": "https://as.example", "subjectToken": "${file:/t}", "actorToken": "${cmd:x}",
            "requestedTokenType": "urn:x", "scopes": "a", "audience": "b", "resource": "" } }),
        json!({ "type": "http", "url": "https://h.example/", "auth": { "grant": "private_key_jwt", "clientId": "i",
            "keyFile": "k.pem", "kid": "k", "alg": "ES256" } }),
        json!({ "type": "sse", "url": "https://h.example/", "oauth": false, "account": "work" }),
        json!({ "type": "streamable-http", "url": "https://h.example/", "oauth": true }),
        json!({ "command": "x", "allowedTools": ["a*"], "includeTools": [], "enabledTools": ["a"], "enabled_tools": ["a"],
            "blockedTools": ["b"], "excludeTools": ["b"], "disabledTools": ["b"], "disabled_tools": ["b"], "tools": ["*"],
            "toolPermissions": { "a": "allow", "b": "blocked" }, "orgMaxPermission": "ask", "pinTools": true }),
        json!({ "command": "x", "tools": [{ "name": "a", "permission_policy": "always_deny" }] }),
        json!({ "command": "x", "tools": { "a": false, "b": { "approval_mode": "prompt" } } }),
    ];
    for entry in &entries {
        assert!(entry_is_valid(entry) && reader_is_content(entry), "{entry}");
    }
    for entry in [
        json!([]),
        json!({}),
        json!({ "url": "https://h.example/" }),
        json!({ "type": "http" }),
        json!({ "type": "ws", "url": "wss://h.example/", "headers": {} }),
        json!({ "type": "sdk", "name": "n", "instance": {} }),
        json!({ "url": "wss://h.example/" }),
        json!({ "type": "websocket", "url": "wss://h.example/" }),
        json!({ "type": "htpp", "url": "https://h.example/" }),
        json!({ "command": 1 }),
        json!({ "command": "x", "url": "https://h.example/" }),
        json!({ "command": "x", "args": "y" }),
        json!({ "command": "x", "env": { "A": 1 } }),
        json!({ "command": "x", "timeout": 30 }),
        json!({ "command": "x", "timeout": "30" }),
        json!({ "command": "x", "disabled": "yes" }),
        json!({ "command": "x", "cmd": "y" }),
        json!({ "command": "x", "limits": { "pages": 0 } }),
        json!({ "command": "x", "limits": { "_x": 1 } }),
        json!({ "type": "http", "url": "https://h.example/", "oauth": { "clientID": "i" } }),
        json!({ "type": "http", "url": "https://h.example/", "oauth": { "callbackPort": 0 } }),
        json!({ "type": "http", "url": "https://h.example/", "oauth": { "pkce": "on" } }),
        json!({ "type": "http", "url": "https://h.example/", "oauth": { "clientMetadata": [] } }),
        json!({ "type": "http", "url": "https://h.example/", "oauth": { "useIdToken": "yes" } }),
        json!({ "type": "http", "url": "https://h.example/", "tls": { "ca": 1 } }),
        json!({ "type": "http", "url": "https://h.example/", "tls": { "cacert": "/c.pem" } }),
        json!({ "type": "http", "url": "https://h.example/", "tls": true }),
        json!({ "type": "http", "url": "https://h.example/", "auth": {} }),
        json!({ "type": "http", "url": "https://h.example/", "auth": { "file": "/t", "kid": "k" } }),
        json!({ "type": "http", "url": "https://h.example/", "auth": { "type": "acme" } }),
        json!({ "type": "http", "url": "https://h.example/", "auth": { "grant": "client_credentials", "clientId": "i",
            "clientSecret": "s3cret", "issuer": "https://as.example" } }),
        json!({ "type": "http", "url": "https://h.example/", "auth": { "grant": "private_key_jwt", "clientId": "i",
            "keyFile": "k.pem", "alg": "HS256" } }),
        json!({ "type": "ws", "url": "wss://h.example/", "auth": { "file": "/t" } }),
        json!({ "type": "http", "url": "https://h.example/", "cookies": "no" }),
        json!({ "type": "http", "url": "https://h.example/", "fallback": 1 }),
        json!({ "type": "http", "url": "https://h.example/", "protocol": "2026" }),
        json!({ "type": "http", "url": "https://h.example/", "keepAliveMs": 999 }),
        json!({ "type": "http", "url": "https://h.example/", "headersFile": 1 }),
        json!({ "command": "x", "headersFile": "h.txt" }),
        json!({ "type": "ws", "url": "wss://h.example/", "proxy": "none" }),
        json!({ "command": "x", "tls": {} }),
        json!({ "command": "x", "excludeTools": "a" }),
        json!({ "command": "x", "allowedTools": [1] }),
        json!({ "command": "x", "tools": 1 }),
        json!({ "command": "x", "tools": ["a", { "name": "b" }] }),
        json!({ "command": "x", "toolPermissions": { "a": "never" } }),
        json!({ "command": "x", "orgMaxPermission": "most" }),
        json!({ "command": "x", "pinTools": "yes" }),
    ] {
        assert!(!entry_is_valid(&entry), "the schema has nothing against {entry}");
        assert!(!reader_is_content(&entry), "the reader has nothing against {entry}");
    }
    // Every field is in one of the entries above, so that no row of the table is there for the schema alone.
    let schema = json_schema();
    for (field, _) in members(&schema["$defs"]["server"]["properties"]) {
        // Files that are read, and the fields of a server inside of another program, which none of ours is.
        let used = matches!(&**field, "envFile" | "headersFile" | "name" | "instance")
            || entries.iter().any(|entry| entry.get(field).is_some());
        assert!(used, "{field}");
    }
}

#[test]
fn what_the_reader_is_content_with_is_valid() {
    let schema = json_schema();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut checked = 0;
    for case in fs::read_dir(cases).unwrap() {
        for file in [".mcp.json", "project/.mcp.json", "home/.config/mcplink/mcp.json", "extra.json"] {
            let Ok(text) = fs::read_to_string(case.as_ref().unwrap().path().join(file)) else { continue };
            let Ok(value) = serde_json::from_str::<Value>(&text) else { continue };
            if validate_text(ConfigSource::File(file.into()), &text, &Env::new()).is_empty() {
                assert!(is_valid(&schema, &schema, &value), "{:?} {file}", case.unwrap().path());
                checked += 1;
            }
        }
    }
    assert!(checked > 10, "{checked}");
    let own = json!({ "overrides": { "x": { "disabled": true, "timeout": 1000, "$why": "" } },
        "projects": { "/p": { "overrides": { "x": { "disabled": false } } } } });
    assert!(is_valid(&schema, &schema, &own));
    for overridden in [json!({ "url": "x" }), json!({ "timeout": 1 }), json!({ "disabled": 1 }), json!([])] {
        let own = json!({ "overrides": { "x": overridden } });
        assert!(!is_valid(&schema, &schema, &own), "{own}");
        assert!(
            !validate_text(ConfigSource::File("own.json".into()), &own.to_string(), &Env::new()).is_empty(),
            "{own}"
        );
    }
}

#[test]
fn an_entry_without_a_way_names_the_field_that_is_nearly_one() {
    for (entry, hint) in [
        (json!({ "Url": "https://a.example/mcp" }), "`Url` is written `url`"),
        (json!({ "URL": "https://a.example/mcp", "Type": "http" }), "`URL` is written `url`"),
        (json!({ "comand": "x" }), "`comand` is written `command`"),
        (json!({ "note": "x" }), "a local server has a `command`; a remote one has a `type` and a `url`"),
    ] {
        let text = json!({ "mcpServers": { "x": entry } }).to_string();
        let problems = validate_text(ConfigSource::File("f".into()), &text, &Env::new());
        assert!(problems.iter().any(|problem| problem.hint.as_deref() == Some(hint)), "{problems:#?}");
    }
}
