//! What was right when it was reported: how a file is read, and what is said of what is in it.
//!
//! A test is named by its reports (`fa_…`: docs/field-failures.md). Reports of one kind are one table.
#![cfg(unix)]

use mcp_testkit::{Accept, FakeMcpServer};
use serde_json::{Value, json};

use crate::local::{SERVER, shell};
use crate::setting::{Setting, http};

/// An entry of a server that is not there, with these members.
fn entry(members: Value) -> Value {
    let mut entry = json!({ "type": "http", "url": "https://mcp.example.com/mcp" });
    for (name, value) in members.as_object().unwrap() {
        match value.is_null() {
            true => drop(entry.as_object_mut().unwrap().remove(name)),
            false => entry[name] = value.clone(),
        }
    }
    entry
}

#[test]
fn fa_a33_a34_a35_a41_a42_a45_a46_a65_what_an_entry_says_in_other_words_is_told_with_ours() {
    for (code, members, words) in [
        (2, json!({ "type": null }), vec!["\"type\": \"http\""]),
        (2, json!({ "url": null, "url ": "https://h/mcp" }), vec!["did you mean `url`?"]),
        (2, json!({ "url": null, "URL": "https://h/mcp" }), vec!["did you mean `url`?"]),
        (2, json!({ "type": "streamableHttp" }), vec!["write \"type\": \"http\""]),
        (2, json!({ "type": "streamable_http" }), vec!["write \"type\": \"http\""]),
        (2, json!({ "type": "HTTP" }), vec!["did you mean \"http\"?"]),
        (2, json!({ "type": "http " }), vec!["did you mean \"http\"?"]),
        (
            2,
            json!({ "oauth": { "scope": "a", "clientSecret": "hunter2hunter2", "callbackPort": "80" } }),
            vec!["use `scopes`", "write \"${env:NAME}\"", "expected a port number"],
        ),
        (0, json!({ "headersHelper": "x", "headersHelperTtlSec": 5 }), vec!["use `headersHelperTtlMs`"]),
        (0, json!({ "timeout": 30 }), vec!["30 seconds are 30000"]),
        (
            0,
            json!({ "alwaysAllow": ["a"], "autoApprove": [], "trust": true, "gallery": "x" }),
            vec!["\"alwaysAllow\"", "\"autoApprove\"", "\"trust\"", "\"gallery\""],
        ),
        (
            0,
            json!({ "headers": { "A": "${input:token}" } }),
            vec!["write ${NAME} for the environment variable"],
        ),
    ] {
        let setting = Setting::of("x", entry(members.clone()));
        let output = setting.run(&["validate"], code);
        for words in words {
            assert_eq!(output.stdout.matches(words).count(), 1, "{members}: {words}\n{output}");
        }
        assert!(!output.to_string().contains("hunter2"), "{output}");
    }
}

#[test]
fn fa_a31_an_entry_that_is_switched_off_in_itself_is_not_started() {
    for off in [json!({ "disabled": true }), json!({ "enabled": false })] {
        let mut entry = shell(&format!("touch \"$HOME/ran\"\n{SERVER}"));
        for (name, value) in off.as_object().unwrap() {
            entry[name] = value.clone();
        }
        let setting = Setting::of("x", entry);
        assert_eq!(setting.status("x")["status"], "disabled", "{off}");
        setting.run(&["call", "x", "hello"], 2);
        assert!(!setting.home.home().join("ran").exists(), "{off}");
    }
}

#[test]
fn fa_a38_entries_without_their_wrapper_and_a_list_of_them_are_named() {
    for (file, words) in [
        (json!({ "x": { "command": "sh" } }), "mcpServers"),
        (json!({ "mcpServers": [{ "name": "x", "command": "sh" }] }), "found an array"),
    ] {
        let setting = Setting::new();
        setting.home.write_project(".mcp.json", file.to_string()).unwrap();
        let output = setting.run(&["list"], 2);
        assert!(output.stderr.contains(words), "{file}\n{output}");
    }
}

#[test]
fn fa_a47_files_in_other_encodings_are_read_or_named() {
    let server = FakeMcpServer::start().unwrap();
    let text = json!({ "mcpServers": { "x": http(&server) }, "é": 1 }).to_string();
    let utf_16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let latin_1: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    for (bytes, words) in [
        (format!("\u{feff}{text}").into_bytes(), None),
        (text.replace(',', ",\r\n").into_bytes(), None),
        (utf_16, Some("it is UTF-16; save it as UTF-8")),
        (latin_1, Some("is not valid UTF-8")),
    ] {
        let setting = Setting::new();
        setting.home.write(".claude.json", &bytes).unwrap();
        match words {
            None => drop(setting.run(&["ping", "x"], 0)),
            Some(words) => {
                let output = setting.run(&["status", "x"], 2);
                assert!(output.stderr.contains(words), "{output}");
            }
        }
    }
}

#[test]
fn fa_a52_a_folder_in_place_of_a_file_is_named() {
    let setting = Setting::new();
    std::fs::create_dir(setting.home.project().join(".mcp.json")).unwrap();
    let output = setting.run(&["list"], 2);
    assert!(output.stderr.contains("it is a directory"), "{output}");
}

#[test]
fn fa_a56_names_with_blanks_dots_dashes_and_those_of_commands_are_usable() {
    let names = ["a b", "ü.x", "-d", "status"];
    let mut setting = Setting::new();
    for name in names {
        setting.write(name, shell(SERVER));
    }
    for name in names {
        let output = setting.run(&["call", "--", name, "hello"], 0);
        assert_eq!(output.stdout.trim_end(), "hello", "{name}: {output}");
    }
}

#[test]
fn fa_a71_user_and_password_of_the_url_are_sent_as_basic() {
    let server = FakeMcpServer::start().unwrap();
    server.accept(Accept::header("authorization", "Basic dTpodW50ZXIy"));
    let mut url = server.url();
    url.set_username("u").unwrap();
    url.set_password(Some("hunter2")).unwrap();
    let setting = Setting::of("x", json!({ "type": "http", "url": url.as_str() }));
    setting.run(&["ping", "x"], 0);
    let shown = setting.run(&["get", "x"], 0);
    assert!(!shown.to_string().contains("hunter2"), "{shown}");
}

#[test]
fn fa_a79_a_token_document_in_place_of_headers_is_told_as_that() {
    let server = FakeMcpServer::builder().accept(Accept::bearer("good")).start().unwrap();
    for (printed, words) in [
        (
            r#"{"accessToken":"hunter2","expiresOn":"2030","tokenType":"Bearer"}"#,
            "it printed a token document, as token endpoints answer, not headers",
        ),
        (r#"{"token":"hunter2","expiry":"2030-01-01T00:00:00Z"}"#, "it printed a token document"),
        (r#"{"token":"hunter2"}"#, "there is no `Authorization` among the headers that were sent: `token`"),
        ("hunter2", "a bare token is not a header"),
        ("Welcome!\n{\"Authorization\":\"Bearer hunter2\"}", "the object must stand alone"),
    ] {
        let mut entry = http(&server);
        entry["headersHelper"] = json!(format!("cat <<'END'\n{printed}\nEND"));
        let setting = Setting::of("x", entry);
        let row = setting.status("x");
        let message = row["reason"]["message"].as_str().unwrap();
        assert!(message.contains(words) && !message.contains("hunter2"), "{message}");
    }
}
