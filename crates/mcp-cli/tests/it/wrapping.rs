//! `wrap` and `unwrap`: this program between a host and its servers, and the host's file byte for byte as it was.
//!
//! Longer than 500 lines because each host and each kind of entry goes the same way there and back.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use mcp_testkit::{Accept, FakeMcpServer};
use serde_json::{Value, json};

use crate::borrowed::published;
use crate::importing::{cases, others};
use crate::setting::Setting;

const CURSOR: &str = ".cursor/mcp.json";

fn own(setting: &Setting) -> Value {
    let text = fs::read_to_string(setting.home.home().join(".config/mcplink/mcp.json"));
    serde_json::from_str(&text.unwrap_or_else(|_| "{}".to_owned())).unwrap()
}

/// Every server of a host, by name, that is in the first of its files with that name.
fn names(setting: &Setting, host: &str) -> Vec<String> {
    let plan = setting.run(&["import", host, "--json"], 0).json();
    let mut names: Vec<String> = Vec::new();
    for one in plan["servers"].as_array().unwrap().iter().filter(|one| one["state"] == "new") {
        names.push(one["name"].as_str().unwrap().to_owned());
    }
    // VS Code reads the files of Copilot CLI as well: an entry there is wrapped as Copilot's.
    if host == "vscode" {
        let of_copilot =
            [setting.home.project().join(".mcp.json"), setting.home.home().join(".copilot/mcp-config.json")];
        let shared: String = of_copilot.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
        names.retain(|name| !shared.contains(&format!("\"{name}\"")));
    }
    names
}

#[test]
fn fh_h5_the_published_file_of_each_host_is_wrapped_and_unwrapped_byte_for_byte() {
    for (case, host) in cases() {
        let setting = published(&case);
        let before = others(&setting);
        let names = names(&setting, &host);
        let line = |verb: &str, names: &[String], more: &[&str]| -> Vec<String> {
            let words = [verb, &host].into_iter().map(str::to_owned);
            words.chain(names.iter().cloned()).chain(more.iter().map(|word| (*word).to_owned())).collect()
        };
        let run = |words: &[String], code| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            setting.run(&words, code)
        };
        // Without a yes it is shown, and nothing is written.
        let shown =
            setting.mcplink(&line("wrap", &names, &[]).iter().map(String::as_str).collect::<Vec<_>>()).run();
        assert_eq!(others(&setting), before, "{case}: {shown}");
        if host == "goose" {
            assert!(
                shown.stdout.contains("put this into") && shown.stdout.contains("cmd: "),
                "{case}: {shown}"
            );
            assert!(shown.stderr.contains("YAML"), "{case}: {shown}");
            continue;
        }
        let wrapped = run(&line("wrap", &names, &["--yes", "--no-check"]), 0);
        assert_ne!(others(&setting), before, "{case}: {wrapped}");
        for name in &names {
            let places = [own(&setting)["mcpServers"].clone(), own_of(&setting, &setting.home.project())];
            let has = places.iter().filter(|place| place.get(name).is_some()).count();
            assert_eq!(has, 1, "{case}: {name} is in our own file, for every project or for this one");
        }
        // What the host has now leads through this program, and is read as that.
        let found = setting.run(&["hosts", "--json", "--from", &host], 0).json();
        let pointers: u64 =
            found["found"].as_array().unwrap().iter().map(|file| file["pointers"].as_u64().unwrap()).sum();
        assert!(pointers >= names.len() as u64, "{case}: {found:#}");
        // Twice is once: in each format that is edited, and where a project has a file as well.
        if ["cursor", "codex", "opencode", "zed"].contains(&&*host) {
            let twice = others(&setting);
            let _ = run(&line("wrap", &names, &["--yes", "--no-check"]), 0);
            assert_eq!(others(&setting), twice, "{case}");
        }
        // In another order than they were put there.
        let mut back = names.clone();
        back.rotate_left(1);
        let _ = run(&line("unwrap", &back, &[]), 0);
        assert_eq!(others(&setting), before, "{case}: byte for byte");
        let left = own(&setting);
        assert!(left.get("projects").is_none(), "{case}: and what was moved is out again: {left}");
        assert!(left.get("mcpServers").is_none_or(|of_all| *of_all == json!({})), "{case}: {left}");
    }
}

/// What stands there is nowhere else, and the other hosts that read the file know their own words.
#[test]
fn fh_h5_an_entry_of_a_file_that_hosts_share_is_moved_and_stays_one_for_all_of_them() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new()
        .project_file(json!({ "docs": { "type": "http", "url": server.url().as_str(), "tools": ["*"] } }));
    let path = setting.home.project().join(".mcp.json");
    let text = fs::read_to_string(&path).unwrap();
    let wrapped = setting.run(&["wrap", "copilot", "docs", "--yes"], 0);
    assert!(
        wrapped.stdout.contains("its server is in mcplink's own file now, for this project"),
        "{wrapped}"
    );
    assert!(wrapped.stdout.contains("connected"), "{wrapped}");
    assert_eq!(setting.status("docs")["status"], "connected");
    assert_eq!(setting.run(&["validate"], 0).stderr, "");
    let again = setting.run(&["wrap", "copilot", "docs", "--yes"], 0);
    assert!(again.stderr.contains("already"), "{again}");
    let _ = setting.run(&["unwrap", "copilot", "--all"], 0);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert!(own_of(&setting, &setting.home.project()).is_null(), "{}", own(&setting));
    // Another server of that name is not overwritten.
    let folder = setting.home.project();
    let other =
        json!({ "projects": { folder.to_str().unwrap(): { "mcpServers": { "docs": { "command": "x" } } } } });
    setting.home.write(".config/mcplink/mcp.json", other.to_string()).unwrap();
    let refused = setting.run(&["wrap", "copilot", "docs", "--yes"], 2);
    assert!(refused.stderr.contains("mcplink has another server named docs"), "{refused}");
    assert_eq!((own(&setting), fs::read_to_string(&path).unwrap()), (other, text));
}

/// It would stand in the way of every `unwrap --all`.
#[test]
fn fh_h5_an_entry_that_was_taken_out_meanwhile_is_forgotten() {
    for (file, host, text, left) in [
        (
            CURSOR,
            "cursor",
            "{\"mcpServers\": {\"web\": {\"url\": \"https://w.example\"}}}",
            Some("{\"mcpServers\": {}}"),
        ),
        (CURSOR, "cursor", "{\"mcpServers\": {\"web\": {\"url\": \"https://w.example\"}}}", None),
        (
            ".codex/config.toml",
            "codex",
            "[mcp_servers.web]\nurl = \"https://w.example\"\n",
            Some("model = 'x'\n"),
        ),
        (
            ".claude.json",
            "claude-code",
            "{\"mcpServers\": {\"web\": {\"url\": \"https://w.example\", \"type\": \"http\"}}}",
            Some("{}"),
        ),
    ] {
        let setting = Setting::new();
        let path = setting.home.write(file, text).unwrap();
        let _ = setting.run(&["wrap", host, "web", "--yes", "--no-check"], 0);
        match left {
            Some(left) => fs::write(&path, left).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        for more in [&["--dry-run"][..], &[]] {
            let told = setting.run(&[&["unwrap", host, "--all"], more].concat(), 0);
            assert!(told.stdout.starts_with("web is no longer in "), "{host}: {told}");
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), left, "{host}");
        }
        assert_eq!(
            own(&setting)["mcpServers"]["web"]["url"],
            "https://w.example",
            "{host}: it is in our own file still"
        );
        assert!(setting.run(&["unwrap", host, "--all"], 0).stdout.contains("nothing of"), "{host}");
    }
}

/// A person who looks for a line that is shown finds it in the file.
/// What is written into a host's file, and what the check runs, is read by the command line as what it was made of.
#[test]
fn fh_h4_a_name_that_looks_like_an_option_reaches_its_server_all_the_same() {
    let names = ["--help", "--project", "-x", "a=b", "it's -q"];
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let entries: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!({ "url": server.url() }))).collect();
    let file = setting.home.home().join(CURSOR);
    setting.home.write(&file, json!({ "mcpServers": entries }).to_string()).unwrap();
    let before = fs::read(&file).unwrap();
    let wrapped = setting.run(&["wrap", "cursor", "--all", "--yes", "--json"], 0).json();
    for row in wrapped["servers"].as_array().unwrap() {
        assert_eq!(row["check"]["status"], "connected", "{row:#}");
    }
    let written: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for name in names {
        let args = written["mcpServers"][name]["args"].as_array().unwrap();
        let args: Vec<&str> = args.iter().map(|word| word.as_str().unwrap()).collect();
        assert_eq!(args[0], "bridge");
        setting.run(&args, 0);
    }
    let found = setting.run(&["hosts", "--json", "--from", "cursor"], 0).json();
    assert_eq!(found["found"][0]["pointers"], names.len(), "{found:#}");
    let found = setting.run(&["hosts"], 0);
    assert!(found.stdout.contains("5 through mcplink") && !found.stdout.contains("0 servers"), "{found}");
    assert!(
        found.stderr.contains("mcplink unwrap cursor --all") && !found.stderr.contains("import"),
        "{found}"
    );
    setting.run(&["unwrap", "cursor", "--all"], 0);
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn fh_h5_the_difference_is_of_the_lines_of_the_file_without_their_secrets() {
    let setting = Setting::new();
    let text = "{\n  // mine\n  \"mcpServers\": {\n    \"a\": {\n      \"url\" :\"https://a.example/mcp\",\n      \"headers\": {\"X-Key\": \"canary\"}\n    },\n    \"b\": {\"url\": \"https://b.example\"}\n  }\n}\n";
    let path = setting.home.write(CURSOR, text).unwrap();
    let told = setting.run(&["wrap", "cursor", "--all", "--dry-run"], 0);
    let mut lines = told.stdout.lines().filter_map(|line| line.strip_prefix("- "));
    assert_eq!(lines.next(), Some("      \"url\" :\"https://a.example/mcp\","), "{told}");
    assert!(told.stdout.contains("\"X-Key\": \"[redacted]\"") && !told.stdout.contains("canary"), "{told}");
    for line in lines.filter(|line| !line.contains("[redacted]")) {
        assert!(text.contains(&format!("{line}\n")), "{line:?}: {told}");
    }
    assert_eq!(told.stdout.matches("mcp.json\n").count(), 1, "once for the file: {told}");
    // What is put in is what stands there afterwards.
    let _ = setting.run(&["wrap", "cursor", "--all", "--yes", "--no-check"], 0);
    let wrapped = fs::read_to_string(path).unwrap();
    let put: Vec<&str> = told.stdout.lines().filter_map(|line| line.strip_prefix("+ ")).collect();
    assert!(
        put.len() >= 3 && put.iter().all(|line| wrapped.contains(&format!("{line}\n"))),
        "{told}{wrapped}"
    );
}

#[test]
fn fh_h5_a_host_whose_file_cannot_be_used_is_not_one_without_servers() {
    for (text, told) in [
        ("{\"mcpServers\": ", "mcp.json:1:"),
        ("[]", "expected an object, found an array"),
        ("{\"mcp_servers\": {\"a\": {\"url\": \"https://a.example\"}}}", "the name is `mcpServers`"),
    ] {
        let setting = Setting::new();
        let path = setting.home.write(CURSOR, text).unwrap();
        for line in [
            &["wrap", "cursor", "--all", "--yes"][..],
            &["wrap", "cursor", "a", "--yes"],
            &["--from", "cursor", "list"],
            &["hosts"],
        ] {
            let output = setting.run(line, 2);
            assert!(output.stderr.contains(told), "{line:?}: {output}");
            assert_eq!(output.stderr.matches("error: ").count(), 1, "{line:?}: {output}");
        }
        let list = setting.run(&["list"], 0);
        assert!(format!("{list}").contains("Cursor cannot be read: mcplink hosts"), "{list}");
        assert_eq!(fs::read_to_string(path).unwrap(), text);
    }
    // Another file of the same host goes on.
    let setting = Setting::new();
    setting.home.write_project(CURSOR, "[]").unwrap();
    setting.home.write(CURSOR, r#"{"mcpServers": {"a": {"url": "https://a.example"}}}"#).unwrap();
    let told = setting.run(&["wrap", "cursor", "--all", "--yes", "--no-check"], 0);
    assert!(told.stdout.contains("wrapped a") && told.stderr.contains("one file is left as it is"), "{told}");
}

#[test]
fn fh_h5_what_is_to_be_pasted_is_printed_once_and_leads_to_a_server() {
    let setting = published("host_goose");
    for (more, next) in
        [(&[][..], "next: mcplink wrap goose kiwi --yes"), (&["--yes", "--no-check"], "next: paste it into")]
    {
        let told = setting.run(&[&["wrap", "goose", "kiwi"], more].concat(), 2);
        assert_eq!(told.stdout.matches("cmd: ").count(), 1, "{told}");
        assert!(told.stderr.contains(next), "{told}");
    }
    assert_eq!(own(&setting)["mcpServers"]["kiwi"]["url"], "https://mcp.kiwi.com");
}

/// Whether a host starts it, and what it calls without a question, is the host's.
#[test]
fn fh_h5_what_a_host_says_for_itself_stays_in_its_file() {
    for (file, host, mine) in [
        (CURSOR, "cursor", json!({ "disabled": true })),
        (".kiro/settings/mcp.json", "kiro", json!({ "autoApprove": ["a"], "disabled": false })),
        (".gemini/settings.json", "gemini", json!({ "trust": true, "timeout": 90_000 })),
    ] {
        let setting = Setting::new();
        let mut entry = json!({ "url": "https://a.example/mcp", "headers": { "X-A": "1" } });
        entry.as_object_mut().unwrap().extend(mine.as_object().unwrap().clone());
        let text = format!("{:#}\n", json!({ "mcpServers": { "a": entry } }));
        let path = setting.home.write(file, &text).unwrap();
        let output = setting.run(&["wrap", host, "a", "--yes", "--no-check"], 0);
        let wrapped: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let wrapped = &wrapped["mcpServers"]["a"];
        for (key, value) in mine.as_object().unwrap() {
            assert_eq!(&wrapped[key], value, "{host}: {output}");
        }
        assert!(wrapped["url"].is_null() && wrapped["headers"].is_null(), "{host}: {wrapped:#}");
        let _ = setting.run(&["unwrap", host, "a"], 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{host}: byte for byte");
    }
}

#[test]
fn fh_h5_what_was_edited_since_stays_and_the_entry_comes_back_as_its_bytes() {
    for (file, host, text, edit) in [
        (
            CURSOR,
            "cursor",
            "{ // mine\n\t\"mcpServers\": {\n\t\t\"a\": { \"url\" :\"https://a.example/mcp\" , }, // a\n\t\t\"b\": {\"url\": \"https://b.example\"}\n\t},\n}\n",
            ("// mine", "// mine, edited"),
        ),
        (
            ".codex/config.toml",
            "codex",
            "model = 'x'\r\n\r\n[mcp_servers.a] # a\r\nurl = \"https://a.example/mcp\" # there\r\n\r\n[mcp_servers.a.http_headers]\r\nX-A = \"1\"\r\n\r\n# b\r\n[mcp_servers.b]\r\nurl = 'https://b.example'\r\n",
            ("'x'", "'y'"),
        ),
        (
            ".codex/config.toml",
            "codex",
            "[mcp_servers]\na = { url = \"https://a.example/mcp\", scopes = [ \"x\" ] } # a\nb = {url = 'https://b.example'}\n",
            ("# a", "# ab"),
        ),
        // Keys with dots, of the whole file and of a table, with what the host says for itself.
        (
            ".codex/config.toml",
            "codex",
            "model = 'x'\r\nmcp_servers.a.url = \"https://a.example/mcp\" # there\r\nmcp_servers.a.http_headers.X-A = \"1\"\r\nmcp_servers.a.scopes = [\r\n  \"x\", # [\r\n]\r\nmcp_servers.a.enabled = true\r\nmcp_servers.b.url = 'https://b.example'\r\n\r\n[mcp_servers.a.tools.search]\r\napproval_mode = \"approve\"\r\n",
            ("'x'", "'y'"),
        ),
        (
            ".codex/config.toml",
            "codex",
            "# x\n[mcp_servers] # all\n\"a\" . url = \"https://a.example/mcp\"\n  # b\n  b = {url = 'https://b.example'}\n[other]\na.url = \"https://o.example\"\n",
            ("# x", "# y"),
        ),
    ] {
        let setting = Setting::new();
        let path = setting.home.write(file, text).unwrap();
        let _ = setting.run(&["wrap", host, "a", "--yes", "--no-check"], 0);
        let wrapped = fs::read_to_string(&path).unwrap();
        assert!(wrapped.contains("bridge") && !wrapped.contains("a.example"), "{wrapped}");
        fs::write(&path, wrapped.replace(edit.0, edit.1)).unwrap();
        let _ = setting.run(&["unwrap", host, "--all"], 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), text.replace(edit.0, edit.1), "{host}");
        // What was there before anything was wrapped is not put back over what came since: not by the last of two, whenever
        // it came.
        for (first, second) in [(&["a", "b"][..], &[][..]), (&["a"], &["b"])] {
            let wrap = |names: &[&str]| {
                let line = [&["wrap", host], names, &["--yes", "--no-check"]].concat();
                let _ = setting.run(&line, 0);
            };
            fs::write(&path, text).unwrap();
            wrap(first);
            let wrapped = fs::read_to_string(&path).unwrap();
            fs::write(&path, wrapped.replace(edit.0, edit.1)).unwrap();
            if !second.is_empty() {
                wrap(second);
            }
            let _ = setting.run(&["unwrap", host, "a"], 0);
            let _ = setting.run(&["unwrap", host, "b"], 0);
            assert_eq!(fs::read_to_string(&path).unwrap(), text.replace(edit.0, edit.1), "{host} {first:?}");
        }
        fs::write(&path, text.replace(edit.0, edit.1)).unwrap();
        // An entry that a person made something else of is not touched.
        let _ = setting.run(&["wrap", host, "a", "--yes", "--no-check"], 0);
        let other = fs::read_to_string(&path).unwrap().replace(env!("CARGO_BIN_EXE_mcplink"), "/opt/other");
        fs::write(&path, &other).unwrap();
        assert!(setting.run(&["unwrap", host, "a"], 2).stderr.contains("not what was put there"));
        assert_eq!(fs::read_to_string(&path).unwrap(), other);
    }
}

#[test]
fn fh_h5_s_b2_a_host_whose_file_is_ours_as_well_reaches_the_server_and_not_itself() {
    let server = FakeMcpServer::start().unwrap();
    let text = format!(
        "{{\"numStartups\": 7, \"mcpServers\": {{\"web\": {{ \"type\":\"http\", \"url\": \"{}\" }}}}}}\n",
        server.url()
    );
    let setting = Setting::new();
    let path = setting.home.write(".claude.json", &text).unwrap();
    let wrapped = setting.run(&["wrap", "claude-code", "web", "--yes", "--json"], 0).json();
    assert_eq!(wrapped["servers"][0]["check"]["status"], "connected", "{wrapped:#}");
    assert_eq!(wrapped["servers"][0]["moved"], true);
    assert_eq!(setting.status("web")["scope"], "mcplink");
    assert_eq!(setting.status("web")["status"], "connected");
    let _ = setting.run(&["unwrap", "claude-code", "web"], 0);
    assert_eq!(fs::read_to_string(path).unwrap(), text);
    assert_eq!(setting.status("web")["scope"], "user");
}

#[cfg(unix)]
#[test]
fn fh_h5_it_is_asked_as_the_host_will_and_what_it_would_not_find_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let helper = setting.home.write("bin/my-sso", "#!/bin/sh\necho '{\"X-Team\": \"a\"}'\n").unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let entry =
        json!({"mcpServers": {"web": {"url": server.url().as_str(), "headersHelper": "my-sso headers"}}});
    for (host, file, works) in [("cursor", CURSOR, false), ("amp", ".config/amp/settings.json", true)] {
        let text = entry
            .to_string()
            .replace("mcpServers", if host == "amp" { "amp.mcpServers" } else { "mcpServers" });
        setting.home.write(file, text).unwrap();
        let path = format!("{}:/usr/bin:/bin", helper.parent().unwrap().display());
        let line = ["wrap", host, "web", "--yes", "--json"];
        let wrapped = setting.mcplink(&line).env("PATH", path).run().expect_code(0).json();
        let check = &wrapped["servers"][0]["check"];
        assert_eq!(check["status"] == "connected", works, "{host}: {wrapped:#}");
        assert_eq!(check["notFound"] == "my-sso", !works, "{host}: {wrapped:#}");
        let _ = setting.run(&["unwrap", host, "web"], 0);
    }
}

#[test]
fn fh_h5_a_host_without_servers_of_its_own_gets_one_of_ours() {
    let setting = Setting::of("tickets", json!({"type": "http", "url": "https://t.example/mcp"}));
    let file = setting.home.home().join(".config/Claude/claude_desktop_config.json");
    assert!(
        setting
            .run(&["wrap", "claude-desktop", "--all", "--yes"], 2)
            .stderr
            .contains("no servers of its own")
    );
    assert!(
        setting
            .run(&["wrap", "claude-desktop", "tickts", "--yes"], 2)
            .stderr
            .contains("did you mean \"tickets\"?")
    );
    let _ = setting.run(&["wrap", "claude-desktop", "tickets", "--yes", "--no-check"], 0);
    let written: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let entry = &written["mcpServers"]["tickets"];
    assert_eq!(entry["command"], json!(env!("CARGO_BIN_EXE_mcplink")));
    assert_eq!(entry["args"], json!(["bridge", "tickets"]));
    // Where our own files are not where a desktop would look for them, the entry says where.
    assert_eq!(entry["env"]["MCPLINK_STATE_DIR"], json!(setting.home.state_dir()));
    // Another server of the name here is not what the host had.
    setting
        .home
        .write(CURSOR, r#"{"mcpServers": {"tickets": {"url": "https://other.example/mcp"}}}"#)
        .unwrap();
    let refused = setting.run(&["wrap", "cursor", "tickets", "--yes"], 2);
    assert!(refused.stderr.contains("has another server named tickets"), "{refused}");
    assert!(refused.stderr.contains("Claude Desktop reaches that one through mcplink"), "{refused}");

    // There was no file, and there is none again.
    let undone = setting.run(&["unwrap", "claude-desktop", "tickets"], 0);
    assert!(!file.exists() && undone.stdout.contains("the file that was made for it is gone"), "{undone}");
    let refused = setting.run(&["wrap", "cursor", "tickets", "--yes"], 2);
    assert!(refused.stderr.contains("mcplink import cursor --name tickets"), "{refused}");
    setting.run(&["hosts"], 0);
    // One that a person wrote into meanwhile is theirs, and an empty one stays one.
    let edited = |text: &str| {
        let now: Value = serde_json::from_str(text).unwrap();
        let mut now = now.as_object().unwrap().clone();
        now.insert("globalShortcut".to_owned(), json!("Ctrl+Space"));
        Value::from(now).to_string()
    };
    setting.run(&["wrap", "claude-desktop", "tickets", "--yes", "--no-check"], 0);
    fs::write(&file, edited(&fs::read_to_string(&file).unwrap())).unwrap();
    setting.run(&["unwrap", "claude-desktop", "tickets"], 0);
    let left: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(left, json!({"mcpServers": {}, "globalShortcut": "Ctrl+Space"}));
    for before in [None, Some(""), Some("# mine\n")] {
        let file = setting.home.home().join(".codex/config.toml");
        let _ = fs::remove_file(&file);
        if let Some(text) = before {
            setting.home.write(".codex/config.toml", text).unwrap();
        }
        setting.run(&["wrap", "codex", "tickets", "--yes", "--no-check"], 0);
        assert!(fs::read_to_string(&file).unwrap().contains("[mcp_servers.tickets]"));
        setting.run(&["unwrap", "codex", "tickets"], 0);
        assert_eq!(fs::read_to_string(&file).ok().as_deref(), before);
    }
}

#[test]
fn s_b1_fh_h5_all_leaves_what_a_project_brings_along() {
    let setting = Setting::new();
    let arguments = ["/tmp/x", &"x".repeat(300), "the-end"];
    let text = json!({"mcpServers": {"evil": {"command": "touch", "args": arguments}}}).to_string();
    let path = setting.home.write_project(CURSOR, &text).unwrap();
    setting.home.write(CURSOR, r#"{"mcpServers": {"mine": {"url": "https://m.example/mcp"}}}"#).unwrap();
    let output = setting.run(&["wrap", "cursor", "--all", "--yes", "--no-check"], 0);
    assert!(output.stderr.contains("1 of a project's file left as they are"), "{output}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert!(own(&setting)["mcpServers"].get("evil").is_none());
    // By its name it is taken over, and nothing asks about it later: so what will run is shown to its end.
    let named = setting.run(&["wrap", "cursor", "evil"], 0);
    assert!(
        named.stdout.contains("evil comes from the project") && named.stdout.contains("the-end"),
        "{named}"
    );
    // What is kept of a host's file is for this account alone.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let kept = fs::read_dir(setting.home.state_dir().join("backups")).unwrap();
        let mut kept: Vec<PathBuf> = kept.map(|one| one.unwrap().path()).collect();
        kept.push(setting.home.state_dir().join("wrapped.json"));
        assert_eq!(kept.len(), 2);
        for file in kept {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}

fn sixteen() -> String {
    let servers: serde_json::Map<String, Value> = (0..16)
        .map(|number| (format!("n{number}"), json!({"url": format!("https://n{number}.example/mcp")})))
        .collect();
    format!("{:#}\n", json!({ "mcpServers": servers }))
}

#[test]
fn sixteen_wraps_at_once_lose_nothing_and_all_come_back() {
    let setting = Setting::new();
    let text = sixteen();
    let path = setting.home.write(CURSOR, &text).unwrap();
    for verb in ["wrap", "unwrap"] {
        let more: &[&str] = if verb == "wrap" { &["--yes", "--no-check"] } else { &[] };
        let names: Vec<String> = (0..16).map(|number| format!("n{number}")).collect();
        let children: Vec<_> =
            names.iter().map(|name| setting.spawn([&[verb, "cursor", name], more].concat())).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success(), "{verb}");
        }
        let now = fs::read_to_string(&path).unwrap();
        assert_eq!(now.matches("\"bridge\"").count(), if verb == "wrap" { 16 } else { 0 }, "{now}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn killed_at_any_moment_a_wrap_can_be_taken_back() {
    let setting = Setting::new();
    let text = sixteen();
    let path = setting.home.write(CURSOR, &text).unwrap();
    for number in 0..16_u64 {
        let mut child = setting.spawn(["wrap", "cursor", &format!("n{number}"), "--yes", "--no-check"]);
        std::thread::sleep(Duration::from_millis(number * 4));
        child.kill().unwrap();
        let _ = child.wait().unwrap();
        let now = fs::read_to_string(&path).unwrap();
        let value: Value = serde_json::from_str(&now).expect("old or new");
        assert_eq!(value["mcpServers"].as_object().unwrap().len(), 16);
    }
    let _ = setting.run(&["unwrap", "cursor", "--all"], 0);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

/// The servers of our own file for a folder.
fn own_of(setting: &Setting, folder: &std::path::Path) -> Value {
    own(setting)["projects"][folder.to_str().unwrap()]["mcpServers"].clone()
}

#[test]
fn fh_h5_two_projects_with_a_server_of_one_name_are_both_wrapped_and_meet_none_of_the_other() {
    let setting = Setting::new();
    let projects = ["a", "b"].map(|name| setting.home.home().join(name));
    let text = |name: &str| {
        format!("{{\"mcpServers\": {{\"db\": {{ \"url\":\"https://{name}.example/mcp\" }}}}}}\n")
    };
    for (folder, name) in projects.iter().zip(["a", "b"]) {
        setting.home.write(folder.join(CURSOR), text(name)).unwrap();
    }
    let run = |folder: &std::path::Path, line: &[&str]| {
        setting.run(&[&["--project", folder.to_str().unwrap()], line].concat(), 0)
    };
    for folder in &projects {
        let _ = run(folder, &["wrap", "cursor", "db", "--yes", "--no-check"]);
    }
    for (folder, name) in projects.iter().zip(["a", "b"]) {
        assert_eq!(own_of(&setting, folder)["db"]["url"], json!(format!("https://{name}.example/mcp")));
        let listed = run(folder, &["get", "db", "--json"]).json();
        assert_eq!(listed["server"]["url"], json!(format!("https://{name}.example/mcp")), "{listed:#}");
        // The host starts the bridge wherever it likes, so the bridge is told.
        let written = fs::read_to_string(folder.join(CURSOR)).unwrap();
        let written: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(written["mcpServers"]["db"]["args"], json!(["bridge", "db", "--project", folder]));
    }
    assert!(own(&setting).get("mcpServers").is_none(), "no other project meets one: {}", own(&setting));
    assert_eq!(setting.run(&["list", "--json"], 0).json()["servers"], json!([]));
    // One is not taken out for the other, and from elsewhere neither is.
    assert!(setting.run(&["unwrap", "cursor", "db"], 2).stderr.contains("another folder"));
    let output = run(&projects[0], &["unwrap", "cursor", "--all"]);
    assert!(output.stderr.contains("1 of other folders left as they are"), "{output}");
    assert_eq!(fs::read_to_string(projects[0].join(CURSOR)).unwrap(), text("a"));
    assert!(own_of(&setting, &projects[0]).is_null());
    assert_eq!(own_of(&setting, &projects[1])["db"]["url"], "https://b.example/mcp");
    let _ = run(&projects[1], &["unwrap", "cursor", "db"]);
    assert_eq!(fs::read_to_string(projects[1].join(CURSOR)).unwrap(), text("b"));
    assert_eq!(own(&setting), json!({}));
}

#[test]
fn fh_h5_two_projects_in_one_file_of_a_host_and_the_file_itself_keep_their_entries_apart() {
    let setting = Setting::new();
    let [a, b] = ["a", "b"].map(|name| {
        let folder = setting.home.home().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    });
    let entry = |name: &str| json!({"mcpServers": {"db": {"type": "http", "url": format!("https://{name}.example/mcp")}}});
    let mut all = entry("user");
    all["projects"] = json!({ a.to_str().unwrap(): entry("a"), b.to_str().unwrap(): entry("b") });
    let text = format!("{all:#}\n");
    let path = setting.home.write(".claude.json", &text).unwrap();
    let run = |folder: &std::path::Path, line: &[&str]| {
        setting.run(&[&["--project", folder.to_str().unwrap()], line].concat(), 0)
    };
    for folder in [&a, &b, &setting.home.project()] {
        let _ = run(folder, &["wrap", "claude-code", "db", "--yes", "--no-check"]);
    }
    let now: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    for (folder, name) in [(&a, "a"), (&b, "b")] {
        let args = &now["projects"][folder.to_str().unwrap()]["mcpServers"]["db"]["args"];
        assert_eq!(*args, json!(["bridge", "db", "--project", folder]));
        assert_eq!(own_of(&setting, folder)["db"]["url"], json!(format!("https://{name}.example/mcp")));
    }
    assert_eq!(now["mcpServers"]["db"]["args"], json!(["bridge", "db"]));
    assert_eq!(own(&setting)["mcpServers"]["db"]["url"], "https://user.example/mcp");
    // Twice is once.
    let twice = run(&a, &["wrap", "claude-code", "db", "--yes", "--no-check"]);
    assert!(twice.stderr.contains("goes through mcplink already"), "{twice}");
    // In any order each comes back, and the last brings the file back as it was.
    for folder in [&b, &setting.home.project(), &a] {
        let _ =
            setting.mcplink(&["--project", folder.to_str().unwrap(), "unwrap", "claude-code", "db"]).run();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(own(&setting), json!({"mcpServers": {}}));
}

/// What came into a wrapped entry is the host's or its people's and stays; what was said to the bridge goes with it, and is told.
#[test]
fn fh_h5_what_was_said_to_the_bridge_is_told_and_what_a_host_says_later_is_kept() {
    let url = "\"url\": \"https://a.example/mcp\"";
    let bridge = "\"bridge\", \"a\"";
    for (file, host, text, (from, to), kept, told) in [
        (
            CURSOR,
            "cursor",
            format!("{{\"mcpServers\": {{\"a\": {{{url}}}}}}}\n"),
            (
                format!("[{bridge}]"),
                format!(
                    "[{bridge}, \"-H\", \"X-Team: red\", \"--token\", \"hunter2-canary\"], \"cwd\": \"/tmp\", \
                     \"disabledTools\": [\"rm\"], \"newInTheHost\": {{\"x\": [1]}}"
                ),
            ),
            format!(
                "{{\"mcpServers\": {{\"a\": {{{url}, \"disabledTools\": [\"rm\"], \"newInTheHost\": {{\"x\": [1]}}}}}}}}\n"
            ),
            &["args -H ", "--token", "cwd /tmp"][..],
        ),
        (
            ".config/opencode/opencode.json",
            "opencode",
            format!("{{\"mcp\": {{\"a\": {{\"type\": \"remote\", {url}}}}}}}\n"),
            (format!("{bridge}]"), format!("{bridge}, \"--shared\"], \"color\": \"red\"")),
            format!("{{\"mcp\": {{\"a\": {{\"type\": \"remote\", {url}, \"color\": \"red\"}}}}}}\n"),
            &["args --shared"],
        ),
        (
            ".codex/config.toml",
            "codex",
            "\u{feff}[mcp_servers.a]\nurl = \"https://a.example/mcp\"\n\n[other]\nx = 1\n".to_owned(),
            (
                format!("[{bridge}]\n"),
                format!(
                    "[{bridge}, \"--shared\"]\ncwd = \"/tmp\" # mine\nnew_word = 1.5 # theirs\n"
                ),
            ),
            "\u{feff}[mcp_servers.a]\nurl = \"https://a.example/mcp\"\nnew_word = 1.5 # theirs\n\n\
             [mcp_servers.a.tools.search]\napproval_mode = \"approve\"\n\n[other]\nx = 1\n"
                .to_owned(),
            &["args --shared", "cwd /tmp"],
        ),
        (
            ".codex/config.toml",
            "codex",
            "[mcp_servers]\na = { url = \"https://a.example/mcp\" } # a\n".to_owned(),
            (format!("[{bridge}]"), format!("[{bridge}], tools = {{ search = {{ approval_mode = \"approve\" }} }}")),
            "[mcp_servers]\na = { url = \"https://a.example/mcp\" , tools = { search = { approval_mode = \"approve\" } } } # a\n"
                .to_owned(),
            &[],
        ),
        (
            ".codex/config.toml",
            "codex",
            "mcp_servers.a.url = \"https://a.example/mcp\"\nmodel = \"x\"".to_owned(),
            (
                format!("[{bridge}]\n"),
                format!(
                    "[{bridge}, \"--shared\"]\nmcp_servers.a.cwd = \"/tmp\"\nmcp_servers.a.new_word = 1.5 # theirs\n"
                ),
            ),
            "mcp_servers.a.url = \"https://a.example/mcp\"\nmcp_servers.a.new_word = 1.5 # theirs\nmodel = \"x\""
                .to_owned(),
            &["args --shared", "cwd /tmp"],
        ),
    ] {
        let setting = Setting::new();
        let path = setting.home.write(file, &text).unwrap();
        let _ = setting.run(&["wrap", host, "a", "--yes", "--no-check"], 0);
        let wrapped = fs::read_to_string(&path).unwrap();
        assert!(wrapped.contains(&from), "{host}: {wrapped}");
        let mut edited = wrapped.replacen(&from, &to, 1);
        // A home of tests is not where it usually is, so that the entry has variables of ours as well.
        let said = [("\"env\": {", "\"DEBUG\": \"canary\","), ("\"environment\": {", "\"DEBUG\": \"canary\","), ("env = { ", "DEBUG = \"canary\", ")];
        for (before, more) in said {
            edited = edited.replacen(before, &format!("{before}{more}"), 1);
        }
        assert!(edited.contains("DEBUG"), "{host}: {wrapped}");
        let table = "\n[mcp_servers.a.tools.search]\napproval_mode = \"approve\"\n";
        edited = edited.replacen("\n[other]", &format!("{table}\n[other]"), 1);
        fs::write(&path, edited).unwrap();
        let dry = setting.run(&["unwrap", host, "a", "--dry-run"], 0);
        let report = setting.run(&["unwrap", host, "a"], 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), kept, "{host}: {report}");
        for words in told.iter().chain(&["env DEBUG=[redacted]\n"]) {
            assert!(report.stdout.contains(words) && dry.stdout.contains(words), "{host} {words}: {report}");
        }
        let remarks = report.stdout.matches("to which it was said").count();
        assert!((1..=3).contains(&remarks), "{host}: {report}");
        assert!(!format!("{report}{dry}").contains("canary"), "{host}: {report}");
        assert_eq!(own(&setting)["mcpServers"], json!({}), "{host}: {report}");
    }
}

/// Its record is kept, so that it comes back once it has its name again.
#[test]
fn fh_h5_an_entry_with_another_name_is_not_taken_for_one_that_is_gone() {
    for (file, host, text, name, other) in [
        (
            CURSOR,
            "cursor",
            "{\"mcpServers\": {\"web\": {\"url\": \"https://w.example\"}}}\n",
            "\"web\": {",
            "\"site\": {",
        ),
        (
            ".codex/config.toml",
            "codex",
            "[mcp_servers.web]\nurl = \"https://w.example\"\n",
            "servers.web]",
            "servers.site]",
        ),
    ] {
        let setting = Setting::new();
        let path = setting.home.write(file, text).unwrap();
        let _ = setting.run(&["wrap", host, "web", "--yes", "--no-check"], 0);
        let wrapped = fs::read_to_string(&path).unwrap();
        fs::write(&path, wrapped.replacen(name, other, 1)).unwrap();
        let refused = setting.run(&["unwrap", host, "--all"], 2);
        assert!(refused.stderr.contains("next: call site web again in"), "{refused}");
        let removed = setting.run(&["remove", "web", "--dry-run"], 0);
        assert!(removed.stderr.contains(&format!("mcplink unwrap {host} web")), "{removed}");
        fs::write(&path, wrapped).unwrap();
        let _ = setting.run(&["unwrap", host, "--all"], 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{host}");
        // What nothing leads to is removed without a word of it.
        setting
            .home
            .write(".config/mcplink/mcp.json", "{\"mcpServers\": {\"web\": {\"command\": \"x\"}}}")
            .unwrap();
        assert_eq!(setting.run(&["remove", "web"], 0).stderr, "");
    }
}

/// Before anybody agrees to it.
#[test]
fn fh_h5_what_is_lost_by_a_wrap_and_what_it_needs_then_is_told() {
    for (file, host, text, words) in [
        (
            CURSOR,
            "cursor",
            json!({ "mcpServers": { "a": { "url": "https://a.example/mcp", "auth": { "CLIENT_ID": "x", "CLIENT_SECRET": "canary" }, "colour": 1 } } }),
            &["mcpServers.a.auth.CLIENT_SECRET", "unknown field \"colour\""][..],
        ),
        (
            ".config/Code/User/mcp.json",
            "vscode",
            json!({
                "inputs": [{ "id": "wiki-key", "type": "promptString", "password": true, "description": "The key" }],
                "servers": { "a": { "type": "http", "url": "https://a.example/mcp", "headers": { "K": "${input:wiki-key}" } } },
            }),
            &["set WIKI_KEY where VS Code runs (The key)"],
        ),
    ] {
        let setting = Setting::new();
        setting.home.write(file, text.to_string()).unwrap();
        let notes = setting.run(&["wrap", host, "a", "--dry-run", "--json"], 0).json()["notes"].clone();
        let dry = setting.run(&["wrap", host, "a"], 0);
        let done = setting.run(&["wrap", host, "a", "--yes", "--no-check"], 0);
        for word in words {
            assert!(
                notes.as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains(word)),
                "{notes}"
            );
            assert!(dry.stderr.contains(word) && done.stderr.contains(word), "{word}: {dry}{done}");
        }
        assert!(!format!("{dry}{done}").contains("canary"), "{dry}");
    }
}

/// A tool that a host does not show is not shown while its server is wrapped, and the host finds its own word there.
#[test]
fn fh_h5_which_tools_a_host_has_is_kept_in_its_file_while_it_is_wrapped() {
    for (file, host, text) in [
        (
            ".kiro/settings/mcp.json",
            "kiro",
            "{\"mcpServers\": {\"a\": {\"url\": \"https://a.example/mcp\", \"disabledTools\": [\"rm\"]}}}\n",
        ),
        (
            ".codex/config.toml",
            "codex",
            "[mcp_servers.a]\r\nurl = \"https://a.example/mcp\"\r\ndisabled_tools = [\"rm\"]\r\n\r\n[mcp_servers.a.tools.x]\r\napproval_mode = \"approve\"\r\n",
        ),
    ] {
        let setting = Setting::new();
        let path = setting.home.write(file, text).unwrap();
        let report = setting.run(&["wrap", host, "a", "--yes", "--no-check"], 0);
        let wrapped = fs::read_to_string(&path).unwrap();
        let words: &[&str] =
            if host == "codex" { &["disabled_tools", "approval_mode"] } else { &["disabledTools"] };
        for word in words {
            assert!(wrapped.contains(word), "{host} {word}: {report} {wrapped}");
        }
        assert!(
            !wrapped.replace("\r\n", "").contains('\r') && !wrapped.contains("a.example"),
            "{host}: {wrapped}"
        );
        // Something else was edited, so that the entry alone is put back.
        fs::write(&path, format!("{wrapped}\n")).unwrap();
        let _ = setting.run(&["unwrap", host, "a"], 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}\n"), "{host}");
    }
}

/// A host would start a bridge to what it makes of the name, and text that is pasted is no better.
#[test]
fn fh_h5_a_name_that_a_host_replaces_is_to_be_changed_and_nothing_is_pasted() {
    let setting = Setting::new();
    let text = "{\"mcpServers\": {\"a$b\": {\"url\": \"https://a.example/mcp\"}}}\n";
    let path = setting.home.write(CURSOR, text).unwrap();
    for more in [&[][..], &["--yes"], &["--dry-run"]] {
        let refused = setting.run(&[&["wrap", "cursor", "a$b"], more].concat(), 2);
        assert!(refused.stderr.contains("next: give it a name without $"), "{refused}");
        assert!(!refused.stdout.contains("put this into"), "{refused}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(own(&setting), json!({}), "its server is not taken over for nothing");
}

/// What a host's file could not be given is in no other file either, and the next step is one for that file.
#[cfg(unix)]
#[test]
fn fh_h5_a_file_that_cannot_be_written_leaves_nothing_behind() {
    let setting = Setting::new();
    let text = "{\"mcpServers\": {\"web\": {\"url\": \"https://w.example/mcp\"}}}\n";
    let path = setting.home.write(CURSOR, text).unwrap();
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let ours = "{\n  // mine\n  \"mcpServers\": {}\n}\n";
    let own = setting.home.write(".config/mcplink/mcp.json", ours).unwrap();
    let refused = setting.run(&["wrap", "cursor", "web", "--yes", "--no-check"], 1);
    assert!(refused.stderr.contains("next: chmod u+w "), "{refused}");
    assert_eq!(fs::read_to_string(&own).unwrap(), ours, "{refused}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[cfg(target_os = "linux")]
#[test]
fn fh_h5_what_cannot_be_kept_is_not_replaced() {
    let setting = Setting::new();
    let text = "{\"mcpServers\": {\"web\": {\"url\": \"https://w.example/mcp\"}}}\n";
    let path = setting.home.write(CURSOR, text).unwrap();
    // It can be read, as a record that is not there, and not be written.
    fs::create_dir_all(setting.home.state_dir()).unwrap();
    let record = setting.home.state_dir().join("wrapped.json");
    std::os::unix::fs::symlink("/proc/nothing/wrapped.json", &record).unwrap();
    let refused = setting.run(&["wrap", "cursor", "web", "--yes", "--no-check"], 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "{refused}");
    fs::remove_file(&record).unwrap();
    let _ = setting.run(&["wrap", "cursor", "web", "--yes", "--no-check"], 0);
    // A record that cannot be read is not one of nothing, which the next one would take the place of.
    let kept = fs::read_to_string(&record).unwrap();
    let broken = &kept[..kept.len() / 2];
    fs::write(&record, broken).unwrap();
    for line in [&["unwrap", "cursor", "web"][..], &["wrap", "cursor", "web", "--yes", "--no-check"]] {
        let refused = setting.run(line, 2);
        assert!(refused.stderr.contains("wrapped.json"), "{refused}");
        assert_eq!(fs::read_to_string(&record).unwrap(), broken);
    }
    fs::write(&record, format!("// mine\n{kept}")).unwrap();
    let _ = setting.run(&["unwrap", "cursor", "web"], 0);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[cfg(unix)]
#[test]
fn fh_h5_a_person_at_a_terminal_is_shown_the_difference_and_asked() {
    for (typed, is_wrapped) in [("n\n", false), ("what\n", false), ("\n", true), ("y\n", true)] {
        let setting = Setting::new();
        let text = "{\"mcpServers\": {\"web\": {\"url\": \"https://w.example/mcp\"}}}\n";
        let path = setting.home.write(CURSOR, text).unwrap();
        let Some(wrap) = setting.on_a_terminal(&["wrap", "cursor", "web", "--no-check"]) else { return };
        let mut running = wrap.start();
        running.wait_for_stdout("the question", |shown| shown.contains("change 1 entry?"));
        running.write(typed).unwrap();
        running.close_stdin();
        let output = running.wait().expect_code(0);
        assert!(output.stdout.contains("- ") && output.stdout.contains("+ "), "{output}");
        assert_eq!(fs::read_to_string(&path).unwrap() != text, is_wrapped, "{typed:?}: {output}");
        assert_eq!(output.stdout.contains("nothing is changed"), !is_wrapped, "{typed:?}: {output}");
    }
}

/// An update may put the program elsewhere, and no host would start it any more.
#[test]
fn fh_h5_a_program_that_is_elsewhere_now_is_told_of_and_written_again() {
    for (file, host, text) in [
        (CURSOR, "cursor", "{\"mcpServers\": {\"a\": {\"url\": \"https://a.example/mcp\"}}}\n"),
        (".codex/config.toml", "codex", "[mcp_servers.a]\nurl = \"https://a.example/mcp\"\nenabled = true\n"),
        (
            ".claude.json",
            "claude-code",
            "{\"mcpServers\": {\"a\": {\"type\": \"http\", \"url\": \"https://a.example/mcp\"}}}\n",
        ),
    ] {
        let setting = Setting::new();
        let path = setting.home.write(file, text).unwrap();
        let _ = setting.run(&["wrap", host, "a", "--yes", "--no-check"], 0);
        let wrapped = fs::read_to_string(&path).unwrap();
        let record = setting.home.state_dir().join("wrapped.json");
        let program = env!("CARGO_BIN_EXE_mcplink");
        for place in [&path, &record] {
            let moved = fs::read_to_string(place).unwrap().replace(program, "/nowhere/mcplink");
            fs::write(place, moved).unwrap();
        }
        for look in [&["doctor"][..], &["status", "--hosts", "--offline"], &["hosts"]] {
            let said = setting.mcplink(look).run().stderr;
            let told = said.matches("a starts /nowhere/mcplink, which is not there any more").count();
            assert_eq!(told, 1, "{host} {look:?}: {said}");
            assert!(!said.contains("no entry named"), "{host} {look:?}: {said}");
        }
        let again = setting.run(&["wrap", host, "--all", "--yes", "--no-check"], 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), wrapped, "{host}: {again}");
        assert!(!setting.mcplink(&["doctor"]).run().stderr.contains("not there any more"), "{host}");
        let _ = setting.run(&["unwrap", host, "--all"], 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{host}");
        assert_eq!(own(&setting)["mcpServers"], json!({}), "{host}");
    }
}

/// A home by its link, and a repository by its worktree: what was put there is found, and what is still used stays.
#[cfg(unix)]
#[test]
fn fh_h5_a_linked_home_and_a_worktree_are_the_places_that_they_lead_to() {
    let setting = Setting::new();
    let text = "{\"mcpServers\": {\"a\": {\"url\": \"https://a.example/mcp\"}}}\n";
    let path = setting.home.write(CURSOR, text).unwrap();
    let link = setting.home.home().with_file_name("link");
    std::os::unix::fs::symlink(setting.home.home(), &link).unwrap();
    let link = link.to_str().unwrap();
    for (first, then) in [(Some(link), None), (None, Some(link))] {
        let run = |home: Option<&str>, line: &[&str]| {
            let command = setting.mcplink(line);
            home.iter().fold(command, |command, home| command.env("HOME", *home)).run().expect_code(0)
        };
        let _ = run(first, &["wrap", "cursor", "a", "--yes", "--no-check"]);
        assert!(run(then, &["wrap", "cursor", "a", "--yes"]).stderr.contains("already"));
        let back = run(then, &["unwrap", "cursor", "--all"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{back}");
    }

    let main = setting.home.home().join("main");
    let tree = setting.home.home().join("tree");
    let git = main.join(".git/worktrees/tree");
    for (file, text) in [
        (main.join(".git/HEAD"), "ref: refs/heads/x\n".to_owned()),
        (git.join("commondir"), "../..\n".to_owned()),
        (git.join("gitdir"), format!("{}\n", tree.join(".git").display())),
        (tree.join(".git"), format!("gitdir: {}\n", git.display())),
        (main.join(CURSOR), text.replace("\"a\"", "\"db\"")),
        (tree.join(CURSOR), text.replace("\"a\"", "\"db\"")),
    ] {
        setting.home.write(file, text).unwrap();
    }
    let run = |folder: &PathBuf, line: &[&str]| {
        setting.run(&[&["--project", folder.to_str().unwrap()], line].concat(), 0)
    };
    for folder in [&main, &tree] {
        let _ = run(folder, &["wrap", "cursor", "db", "--yes", "--no-check"]);
    }
    let _ = run(&main, &["unwrap", "cursor", "--all"]);
    assert!(run(&tree, &["list"]).stdout.contains("https://a.example/mcp"), "{}", own(&setting));
    let back = run(&tree, &["unwrap", "cursor", "--all"]);
    assert_eq!(fs::read_to_string(tree.join(CURSOR)).unwrap(), text.replace("\"a\"", "\"db\""), "{back}");
    assert!(own_of(&setting, &main).is_null(), "the last one takes it out: {}", own(&setting));

    // So it is with two hosts.
    setting.home.write(".codex/config.toml", "[mcp_servers.a]\nurl = \"https://a.example/mcp\"\n").unwrap();
    for host in ["cursor", "codex"] {
        let _ = setting.run(&["wrap", host, "a", "--yes", "--no-check"], 0);
    }
    for (host, left) in [("cursor", 1), ("codex", 0)] {
        let back = setting.run(&["unwrap", host, "a"], 0);
        assert_eq!(own(&setting)["mcpServers"].as_object().unwrap().len(), left, "{host}: {back}");
    }
}

/// Codex hands on a few variables and those that its file names: what worked by another one is to work through a bridge.
#[test]
fn fh_h5_a_host_that_hands_on_little_is_told_which_variables_a_bridge_needs() {
    let setting = Setting::new();
    let server = |accept: Accept| FakeMcpServer::builder().accept(accept).start().unwrap();
    let (bearer, keyed) = (server(Accept::bearer("good")), server(Accept::header("x-key", "key-good")));
    let text = format!(
        "[mcp_servers.bearer]\nurl = \"{}\"\nbearer_token_env_var = \"CX_TOKEN\"\n\n\
         [mcp_servers.keyed]\nurl = \"{}\"\nenv_http_headers = {{ X-Key = \"CX_KEY\" }}\n\n\
         [mcp_servers.local]\ncommand = \"sh\"\nargs = [\"-c\", \"exec x\"]\nenv_vars = [\"FOO\"] # mine\n",
        bearer.url(),
        keyed.url(),
    );
    let file = setting.home.write(".codex/config.toml", &text).unwrap();
    let variables = [
        ("CX_TOKEN", "good"),
        ("CX_KEY", "key-good"),
        ("FOO", "foo-good"),
        ("HTTPS_PROXY", "http://127.0.0.1:9"),
    ];
    let with = |args: &[&str]| {
        variables.iter().fold(setting.mcplink(args), |command, (name, value)| command.env(*name, *value))
    };
    let document = with(&["wrap", "codex", "bearer", "keyed", "--yes", "--json"]).run().expect_code(0).json();
    for row in document["servers"].as_array().unwrap() {
        assert_eq!(row["check"]["status"], "connected", "{row:#}");
    }
    let _ = with(&["wrap", "codex", "local", "--yes", "--no-check"]).run().expect_code(0);
    let wrapped = fs::read_to_string(&file).unwrap();
    for (name, needs) in [("bearer", "CX_TOKEN"), ("keyed", "CX_KEY"), ("local", "FOO")] {
        let entry = wrapped.split(&format!("[mcp_servers.{name}]")).nth(1).unwrap();
        let named = entry.lines().find(|line| line.starts_with("env_vars = ")).unwrap();
        let has = |name: &str| named.contains(&format!("\"{name}\""));
        assert!(has(needs) && has("HTTPS_PROXY") && !has("HOME") && !has("PATH"), "{name}: {named}");
    }
    // Looked at in its place, it has them; and without the line it has not, whatever the terminal has.
    let there = with(&["doctor", "bearer", "--as", "codex"]).run().expect_code(0);
    let without = fs::read_to_string(&file).unwrap().replace("\"CX_TOKEN\", ", "");
    let put_back = fs::read_to_string(&file).unwrap();
    fs::write(&file, without).unwrap();
    with(&["doctor", "bearer", "--as", "codex"]).run().expect_code(3);
    fs::write(&file, put_back).unwrap();
    // A variable that is not set here is named all the same, and the check says so.
    let _ = setting.run(&["unwrap", "codex", "bearer"], 0);
    let missing = setting.run(&["wrap", "codex", "bearer", "--yes", "--json"], 0).json();
    assert_eq!(missing["servers"][0]["check"]["status"], "needs-auth", "{missing:#}{there}");
    assert!(fs::read_to_string(&file).unwrap().contains("env_vars = [\"CX_TOKEN\""), "{missing:#}");
    let _ = setting.run(&["unwrap", "codex", "--all"], 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    // Another host is told nothing of the kind.
    setting.home.write(CURSOR, json!({"mcpServers": {"c": {"url": bearer.url(), "headers": {"Authorization": "Bearer ${env:CX_TOKEN}"}}}}).to_string()).unwrap();
    let _ = with(&["wrap", "cursor", "c", "--yes"]).run().expect_code(0);
    assert!(!fs::read_to_string(setting.home.home().join(CURSOR)).unwrap().contains("env_vars"));
}

#[test]
fn fh_h5_a_server_of_another_host_by_the_same_name_is_not_taken_away_from_it() {
    let setting = Setting::new();
    setting
        .home
        .write(CURSOR, json!({"mcpServers": {"t": {"url": "https://a.example/mcp"}}}).to_string())
        .unwrap();
    setting.home.write(".codex/config.toml", "[mcp_servers.t]\nurl = \"https://b.example/mcp\"\n").unwrap();
    let _ = setting.run(&["wrap", "cursor", "t", "--yes", "--no-check"], 0);
    let refused = setting.run(&["wrap", "codex", "t", "--yes", "--no-check"], 2).stderr;
    assert!(refused.contains("Cursor reaches that one through mcplink"), "{refused}");
    assert!(refused.contains("next: give the server another name in the file of Codex"), "{refused}");
}

#[test]
fn fh_h5_a_server_is_wrapped_by_its_url_under_the_name_that_it_gets() {
    let setting = Setting::of("tickets", json!({"type": "http", "url": "https://t.example/mcp"}));
    // One that is here already is that one.
    let _ = setting.run(&["wrap", "cursor", "https://t.example/mcp", "--yes", "--no-check"], 0);
    let _ = setting.run(&["wrap", "cursor", "https://wiki.example.com/mcp", "--yes", "--no-check"], 0);
    let text = fs::read_to_string(setting.home.home().join(CURSOR)).unwrap();
    let written: Value = serde_json::from_str(&text).unwrap();
    let mut names: Vec<&String> = written["mcpServers"].as_object().unwrap().keys().collect();
    names.sort_unstable();
    let ours = own(&setting);
    let added = ours["mcpServers"].as_object().unwrap().keys().next().unwrap();
    assert_eq!(ours["mcpServers"][added]["url"], "https://wiki.example.com/mcp");
    assert!(names.contains(&added) && names.len() == 2, "{text}");
    assert_eq!(written["mcpServers"]["tickets"]["args"][1], "tickets");
    let _ = setting.run(&["unwrap", "cursor", "--all"], 0);
    assert_eq!(own(&setting)["mcpServers"], json!({}));
}

/// What `wrap` writes as variables of the entry is in the environment that `doctor --as` looks from.
#[test]
fn fh_h5_doctor_in_the_place_of_a_host_finds_the_files_that_wrap_pins() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let ours = setting
        .home
        .write(
            "elsewhere.json",
            json!({"mcpServers": {"s": {"type": "http", "url": server.url()}}}).to_string(),
        )
        .unwrap();
    for host in ["cursor", "claude-desktop", "codex"] {
        let _ = setting
            .mcplink(&["doctor", "s", "--as", host])
            .env("MCPLINK_CONFIG", ours.display().to_string())
            .run()
            .expect_code(0);
    }
}

/// What a host says for itself stays in its file, and is not said twice: switched on there, its bridge works.
#[test]
fn fh_h5_the_switch_of_a_host_stays_with_the_host() {
    let server = FakeMcpServer::start().unwrap();
    for (file, host, text) in [
        (
            CURSOR,
            "cursor",
            format!("{{\"mcpServers\": {{\"a\": {{\"url\": \"{}\", \"disabled\": true}}}}}}\n", server.url()),
        ),
        (
            ".codex/config.toml",
            "codex",
            format!("[mcp_servers.a]\nurl = \"{}\"\nenabled = false\n", server.url()),
        ),
        (
            ".config/opencode/opencode.json",
            "opencode",
            format!(
                "{{\"mcp\": {{\"servers\": {{\"a\": {{\"type\": \"remote\", \"url\": \"{}\", \"disabled\": true}}}}}}}}\n",
                server.url()
            ),
        ),
    ] {
        let setting = Setting::new();
        let path = setting.home.write(file, &text).unwrap();
        let _ = setting.run(&["wrap", host, "a", "--yes", "--no-check"], 0);
        let wrapped = fs::read_to_string(&path).unwrap();
        assert!(wrapped.contains("\"disabled\": true") || wrapped.contains("enabled = false"), "{wrapped}");
        // The newer form of opencode has no other word for it.
        assert!(!wrapped.contains("\"enabled\""), "{wrapped}");
        let ours = own(&setting);
        let ours = ours["mcpServers"]["a"].as_object().unwrap();
        assert!(!ours.contains_key("disabled") && !ours.contains_key("enabled"), "{ours:?}");
        assert_eq!(setting.status("a")["status"], "connected", "{host}");
        let _ = setting.run(&["unwrap", host, "a"], 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{host}");
        assert_eq!(own(&setting)["mcpServers"], json!({}), "{host}");
    }
}

/// A state folder that was cleared, or another machine's file: what stood there is not guessed, and what is there is named.
#[test]
fn fh_h5_an_entry_without_a_record_is_told_with_what_is_left_of_it() {
    let text = "{\"mcpServers\": {\"a\": {\"url\": \"https://a.example/mcp\"}}}\n";
    let wrapped = || {
        let setting = Setting::new();
        let path = setting.home.write(CURSOR, text).unwrap();
        let _ = setting.run(&["wrap", "cursor", "a", "--yes", "--no-check"], 0);
        let record = setting.home.state_dir().join("wrapped.json");
        fs::remove_file(&record).unwrap();
        (setting, path)
    };
    // The file as it was is kept.
    let (setting, path) = wrapped();
    let before = fs::read_to_string(&path).unwrap();
    let told = setting.run(&["unwrap", "cursor", "a"], 2);
    let named = told.stderr.split_once("put back its entry of ").unwrap().1;
    let backup = named.split(", where").next().unwrap().replace('\n', " ");
    assert_eq!(fs::read_to_string(backup.trim()).unwrap(), text, "{told}");
    assert!(told.stderr.contains(".cursor/mcp.json:") && told.stderr.contains("no record"), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), before, "{told}");
    // Its server alone is left, in our own file.
    let (setting, _) = wrapped();
    fs::remove_dir_all(setting.home.state_dir().join("backups")).unwrap();
    let told = setting.run(&["unwrap", "cursor", "a"], 2);
    let next = told.stderr.split_once("next: ").unwrap().1;
    assert!(next.contains(".config/mcplink/mcp.json:") && next.contains("in the words of Cursor"), "{told}");
    // Neither.
    fs::remove_file(setting.home.home().join(".config/mcplink/mcp.json")).unwrap();
    let told = setting.run(&["unwrap", "cursor", "a"], 2);
    assert!(told.stderr.contains("no server of that name") && told.stderr.contains("take it out"), "{told}");
    // What was never wrapped is told as that.
    let told = Setting::new().run(&["unwrap", "cursor", "a"], 2);
    assert!(told.stderr.contains("a is not wrapped in Cursor"), "{told}");
}

/// Whatever says that it is off: the entry, a list beside it, a rule. Its command is not started to be looked at.
#[test]
fn fh_h5_what_a_host_has_switched_off_is_wrapped_and_not_asked() {
    let started = |setting: &Setting| setting.home.home().join("started").exists();
    let command = "\"command\": \"sh\", \"args\": [\"-c\", \"touch ~/started\"]";
    for (file, host, text) in [
        (
            ".codex/config.toml",
            "codex",
            "[mcp_servers.a]\ncommand = \"sh\"\nargs = [\"-c\", \"touch ~/started\"]\nenabled = false\n"
                .to_owned(),
        ),
        (CURSOR, "cursor", format!("{{\"mcpServers\": {{\"a\": {{{command}, \"disabled\": true}}}}}}\n")),
        (
            ".gemini/settings.json",
            "gemini",
            format!("{{\"mcpServers\": {{\"a\": {{{command}}}}}, \"mcp\": {{\"excluded\": [\"a\"]}}}}\n"),
        ),
    ] {
        let setting = Setting::new();
        setting.home.write(file, &text).unwrap();
        let told = setting.run(&["wrap", host, "a", "--yes"], 0);
        assert!(
            told.stderr.contains("a is switched off in ") && !told.stdout.contains("asked the way"),
            "{told}"
        );
        assert!(!started(&setting), "{host}: {told}");
        let _ = setting.run(&["unwrap", host, "a"], 0);
        // One that is on is asked.
        setting.home.write(CURSOR, format!("{{\"mcpServers\": {{\"b\": {{{command}}}}}}}\n")).unwrap();
        let told = setting.run(&["wrap", "cursor", "b", "--yes"], 0);
        assert!(told.stdout.contains("asked the way") && started(&setting), "{told}");
    }
    // What is pasted leaves it off, and has what the host says of it for itself.
    let setting = published("host_goose");
    let told = setting.run(&["wrap", "goose", "kiwi"], 2);
    assert!(told.stdout.contains("    enabled: false\n") && !told.stdout.contains("enabled: true"), "{told}");
    assert!(told.stdout.contains("    available_tools: []\n") && !told.stdout.contains("uri"), "{told}");
    let told = setting.run(&["wrap", "goose", "github"], 2);
    assert!(told.stdout.contains("    name: \"GitHub\"\n    enabled: true\n    timeout: 300\n"), "{told}");
}

/// What moves out of a project's file means the places that it meant there.
#[test]
fn fh_h5_a_project_s_command_runs_in_the_folder_of_its_file_when_it_is_wrapped() {
    let setting = Setting::new().project_file(json!({
        "a": { "command": "sh", "args": ["./server.sh"] },
        "b": { "type": "http", "url": "https://b.example", "tls": { "ca": "ca.pem" } },
    }));
    setting.home.write_project("server.sh", mcp_testkit::SHELL_SERVER).unwrap();
    let _ = setting.run(&["approve", "a", "--yes"], 0);
    let _ = setting.run(&["wrap", "claude-code", "a", "b", "--yes", "--no-check"], 0);
    let folder = setting.home.project();
    let ours = own_of(&setting, &folder);
    assert_eq!(ours["a"]["cwd"], json!(folder), "{ours:#}");
    assert_eq!(ours["b"]["tls"]["ca"], json!(folder.join("ca.pem")), "{ours:#}");
    assert!(ours["b"].get("cwd").is_none(), "{ours:#}");
    assert_eq!(setting.status("a")["status"], "connected");
}

/// A host is told of a file that stays: the link on the `PATH`, and none of a package runner's cache.
#[cfg(unix)]
#[test]
fn fh_h5_a_host_is_told_of_a_file_of_this_program_that_stays() {
    let program = env!("CARGO_BIN_EXE_mcplink");
    for (folder, works) in [("cellar/bin", true), (".npm/_npx/c37e/node_modules/.bin", false)] {
        let setting = Setting::of("t", json!({"type": "http", "url": "http://127.0.0.1:1/mcp"}));
        let real = setting.home.home().join(folder).join("mcplink");
        fs::create_dir_all(real.parent().unwrap()).unwrap();
        fs::hard_link(program, &real).or_else(|_| fs::copy(program, &real).map(drop)).unwrap();
        let bin = setting.home.home().join("bin");
        fs::create_dir_all(&bin).unwrap();
        if works {
            std::os::unix::fs::symlink(&real, bin.join("mcplink")).unwrap();
        }
        let line = ["wrap", "cursor", "t", "--yes", "--no-check"];
        let command = mcp_harness::Mcplink::new(&real, &setting.home).args(line);
        let output = command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).run();
        if works {
            let text = fs::read_to_string(setting.home.home().join(CURSOR)).unwrap();
            let written: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(written["mcpServers"]["t"]["command"], json!(bin.join("mcplink")), "{output}");
        } else {
            let output = output.expect_code(2);
            assert!(output.stderr.contains("install it first: npm install -g mcplink"), "{output}");
            assert!(!setting.home.home().join(CURSOR).exists(), "{output}");
        }
        // A command that is printed runs as it is printed: one that is installed by its name, another one by what runs it.
        let command = mcp_harness::Mcplink::new(&real, &setting.home).args(["status", "t"]);
        let output = command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).run();
        let step = crate::reasons::step_of(&output).unwrap();
        let begin = if works { "mcplink " } else { "npx mcplink " };
        assert!(step.starts_with(begin), "{step}: {output}");
    }
}

#[test]
fn fa_a50_a_name_that_may_stand_in_a_broken_file_of_ours_leads_to_that_file() {
    let setting = Setting::new();
    setting.home.write(".claude.json", "{\"mcpServers\": {\n").unwrap();
    let output = setting.run(&["wrap", "cursor", "x", "--yes"], 2);
    assert!(
        output.stderr.contains("next: correct line ") && output.stderr.contains(".claude.json"),
        "{output}"
    );
}
