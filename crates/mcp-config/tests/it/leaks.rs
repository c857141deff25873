//! No value of a file or a variable reaches anything that can be printed.

use std::path::Path;

use mcp_config::validate::validate_text;
use mcp_config::{Config, ConfigSource, Env, Request, Sources};
use mcp_harness::Random;

/// Every canary contains this and nothing else does.
const CANARY: &str = "cnry";

/// A configuration with a secret in every place that may hold one, and with every kind of mistake.
const TEXT: &str = r#"{"mcpServers": {
  "remote": {"type": "http", "url": "https://cnry:cnry@h.example/mcp?k=cnry&t=${TOKEN}#cnry",
    "headers": {"Authorization": "Bearer cnry", "X-Env": "${TOKEN}", "X-Default": "${UNSET:-cnry}", "X-Space": " cnry "},
    "headersHelper": "echo '{\"Authorization\": \"cnry\"}'",
    "oauth": {"clientSecret": "cnry", "callbackPort": "cnry", "scopes": 5}},
  "path": {"type": "http", "url": "${URL}/mcp", "headers": {"X": "${TOKEN}"}, "timeout": "cnry"},
  "stdio": {"command": "run", "args": ["--token", "cnry", "--key=cnry", "${TOKEN}"], "env": {"A": "cnry", "B": "${TOKEN}"}},
  "broken-url": {"type": "http", "url": "ftp://cnry@${TOKEN}/?cnry"},
  "broken-header": {"type": "http", "url": "https://h.example", "headers": {"X": "cnry\ncnry"}},
  "broken-env": {"command": "run", "env": {"A=": "cnry"}},
  "no-type": {"url": "https://cnry@h.example"},
  "array": ["cnry"], "text": "cnry"
}}"#;

fn env(home: &Path) -> Env {
    Env::from([("HOME", home.as_os_str())])
        .with("TOKEN", "cnry-token")
        .with("URL", "https://cnry:cnry@h.example")
}

fn assert_clean(place: &str, shown: &str) {
    assert!(!shown.contains(CANARY), "{place}: {}", shown.replace(CANARY, "<<CANARY>>"));
}

#[test]
fn f057_nothing_that_can_be_printed_holds_a_secret() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".claude.json"), TEXT).unwrap();
    // The same entries again in another scope, so that conflicts and shadowed entries are made too.
    std::fs::write(home.path().join(".mcp.json"), TEXT.replace("h.example", "other.example")).unwrap();
    let mut request = Request::new(home.path(), env(home.path()));
    request.mcp_config =
        vec![TEXT.replace("\"remote\"", "\"inline\""), "{\"mcpServers\": {\"cnry".to_owned()];
    let sources = Sources::read(&request);
    let config = Config::resolve(&sources);
    assert!(config.entries.len() > 9 && !config.shadowed.is_empty());

    assert_clean("request", &format!("{request:?}"));
    assert_clean("sources", &format!("{sources:?}"));
    assert_clean("config", &format!("{config:#?}"));
    assert_clean("paths", &serde_json::to_string(config.paths()).unwrap());
    for problem in &config.problems {
        assert_clean("problem", &format!("{problem} {:?}", problem.hint));
        assert_clean("problem as JSON", &serde_json::to_string(problem).unwrap());
    }
    for entry in &config.entries {
        let name = &entry.name;
        let shown = serde_json::to_string(&config.explain(name).unwrap()).unwrap();
        assert_clean(name, &shown);
        assert_clean(name, &format!("{:?} {:?}", entry.display_endpoint(), entry.gate_detail()));
        assert_clean(name, &format!("{:?}", entry.launch(&request.env, &config.project)));
        #[cfg(feature = "auth")]
        assert_clean(name, &format!("{:?}", entry.lower(&request.env)));
    }
}

#[test]
fn f057_no_truncated_file_is_quoted_in_an_error() {
    let env = Env::from([("TOKEN", "cnry-token")]);
    for end in (0..TEXT.len()).filter(|end| TEXT.is_char_boundary(*end)) {
        for problem in validate_text(ConfigSource::File("f.json".into()), &TEXT[..end], &env) {
            assert_clean("truncated", &format!("{problem} {:?}", problem.hint));
        }
    }
}

#[test]
fn no_change_of_a_byte_makes_a_panic() {
    let env = Env::from([("TOKEN", "cnry-token")]);
    const MARKS: &[u8] = b"{}[]\",:\\/*$-0a\n";
    let mut random = Random::new(42);
    for _ in 0..5_000 {
        let mut bytes = TEXT.as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = random.one(MARKS);
        }
        let text = String::from_utf8(bytes).unwrap();
        validate_text(ConfigSource::Argument(1), &text, &env);
    }
}
