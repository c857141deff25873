//! Who is heard: settings of a folder once it is trusted, files of this account or root, switches in any file.

use std::fs;
use std::path::{Path, PathBuf};

use mcp_config::{Config, Env, Gate, Request};

struct Home {
    _dir: tempfile::TempDir,
    base: PathBuf,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(dir.path()).unwrap();
        Self { _dir: dir, base }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.base.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn servers(&self, trusted: bool) {
        let project = self.base.join("tmp/clone").display().to_string();
        self.write(
            "home/.claude.json",
            &format!(
                r#"{{"mcpServers": {{"mine": {{"command": "m"}}, "other": {{"command": "o"}}}},
                    "projects": {{"{project}": {{"hasTrustDialogAccepted": {trusted}}}}}}}"#
            ),
        );
    }

    fn load_in(&self, folder: &str) -> Config {
        let folder = self.base.join(folder);
        fs::create_dir_all(&folder).unwrap();
        let env = Env::from([("HOME", self.base.join("home"))]);
        let mut request = Request::new(folder, env);
        request.managed_dir = Some(self.base.join("managed"));
        Config::load(&request)
    }

    fn gates(&self) -> (Gate, Gate) {
        let config = self.load_in("tmp/clone");
        let gate = |name: &str| config.entry(name).unwrap().gate();
        (gate("mine"), gate("other"))
    }
}

const OWN: &str = r#"{"allowedMcpServers": [{"serverName": "mine"}]}"#;
const ALLOW_OTHER: &str = r#"{"allowedMcpServers": [{"serverName": "other"}]}"#;

#[test]
fn s_m13_settings_of_an_untrusted_folder_widen_nothing() {
    for list in ["home/.claude/settings.json", "managed/managed-settings.json"] {
        for theirs in ["tmp/clone/.claude/settings.json", "tmp/clone/.claude/settings.local.json"] {
            let home = Home::new();
            home.write("tmp/clone/.git/HEAD", "ref\n");
            home.write(list, OWN);
            home.write(theirs, ALLOW_OTHER);
            home.servers(false);
            assert_eq!(home.gates(), (Gate::Ready, Gate::Blocked), "{list} {theirs}");
            // As with Claude Code, lists of a trusted folder join the others.
            home.servers(true);
            assert_eq!(home.gates(), (Gate::Ready, Gate::Ready), "{list} {theirs}");
        }
        // Unless the administrator says that only theirs count.
        let home = Home::new();
        home.write("tmp/clone/.claude/settings.json", ALLOW_OTHER);
        home.write(
            "managed/managed-settings.json",
            r#"{"allowManagedMcpServersOnly": true, "allowedMcpServers": [{"serverName": "mine"}]}"#,
        );
        home.servers(true);
        assert_eq!(home.gates(), (Gate::Ready, Gate::Blocked));
    }
}

#[test]
fn s_m13_settings_of_an_untrusted_folder_narrow_nothing() {
    for theirs in [
        r#"{"allowedMcpServers": []}"#,
        r#"{"deniedMcpServers": [{"serverName": "mine"}, {"serverName": "other"}]}"#,
    ] {
        let home = Home::new();
        home.write("tmp/clone/.claude/settings.json", theirs);
        home.servers(false);
        assert_eq!(home.gates(), (Gate::Ready, Gate::Ready), "{theirs}");
        let problems = home.load_in("tmp/clone").problems;
        assert!(
            problems.iter().any(|problem| problem.message.contains("once its folder is trusted")),
            "{problems:?}"
        );
        home.servers(true);
        assert_eq!(home.gates(), (Gate::Blocked, Gate::Blocked), "{theirs}");
    }
}

#[test]
fn s_k8_rejections_and_approvals_of_an_untrusted_folder_are_as_little_heard() {
    let home = Home::new();
    home.write("tmp/.mcp.json", r#"{"mcpServers": {"above": {"command": "x"}}}"#);
    home.write("tmp/clone/.git/HEAD", "ref\n");
    home.write("home/.claude/settings.json", r#"{"enabledMcpjsonServers": ["above"]}"#);
    home.write(
        "tmp/clone/.claude/settings.json",
        r#"{"disabledMcpjsonServers": ["above"], "enableAllProjectMcpServers": true}"#,
    );
    home.write("tmp/clone/.mcp.json", r#"{"mcpServers": {"own": {"command": "y"}}}"#);
    home.servers(false);
    let gate = |name: &str| home.load_in("tmp/clone").entry(name).unwrap().gate();
    assert_eq!((gate("above"), gate("own")), (Gate::Ready, Gate::AwaitingApproval));
    home.servers(true);
    assert_eq!((gate("above"), gate("own")), (Gate::Rejected, Gate::Ready));
}

fn give_away(path: &Path) {
    std::os::unix::fs::lchown(path, Some(4242), None).unwrap();
}

/// Whether the test can give things away.
#[expect(clippy::print_stderr, reason = "a test that leaves something out says so")]
fn can_give_away() -> bool {
    let can = mcp_files::account() == Some(0);
    if !can {
        eprintln!("SKIPPED: only the superuser can give a file away");
    }
    can
}

#[test]
fn s_m13_a_repository_that_another_account_put_above_is_none_of_ours() {
    if !can_give_away() {
        return;
    }
    for theirs in ["tmp/.git", "tmp"] {
        let home = Home::new();
        home.write("tmp/.git/HEAD", "ref: refs/heads/main\n");
        home.write("tmp/.claude/settings.json", r#"{"allowedMcpServers": []}"#);
        home.servers(true);
        assert_eq!(home.load_in("tmp/clone").project.root, home.base.join("tmp"));
        give_away(&home.base.join(theirs));
        assert_eq!(home.load_in("tmp/clone").project.root, home.base.join("tmp/clone"), "{theirs}");
        assert_eq!(home.gates(), (Gate::Ready, Gate::Ready), "{theirs}");
    }
}

#[test]
fn s_k8_settings_that_another_account_put_into_a_trusted_folder_are_not_heard() {
    if !can_give_away() {
        return;
    }
    let home = Home::new();
    home.write("tmp/clone/.claude/settings.json", r#"{"allowedMcpServers": []}"#);
    home.servers(true);
    assert_eq!(home.gates(), (Gate::Blocked, Gate::Blocked));
    give_away(&home.base.join("tmp/clone/.claude/settings.json"));
    assert_eq!(home.gates(), (Gate::Ready, Gate::Ready));
}

#[test]
fn s_k1_files_of_a_person_that_belong_to_another_account_are_not_read() {
    if !can_give_away() {
        return;
    }
    for file in ["home/.claude.json", "home/.claude/settings.json"] {
        let home = Home::new();
        home.write("home/.claude/settings.json", r#"{"allowedMcpServers": []}"#);
        home.servers(false);
        assert_eq!(home.gates(), (Gate::Blocked, Gate::Blocked));
        give_away(&home.base.join(file));
        let config = home.load_in("tmp/clone");
        assert!(config.entries.iter().all(|entry| entry.gate() == Gate::Ready), "{file}");
        let messages: Vec<_> = config.problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, ["it belongs to another account"], "{file}");
    }
}

#[test]
fn s_k8_an_entry_that_says_it_is_off_is_off_in_any_file() {
    for (text, field) in [
        (r#""disabled": true"#, "disabled"),
        (r#""enabled": false"#, "enabled"),
        (r#""isActive": false"#, "isActive"),
        (r#""enabled": true, "disabled": true"#, "disabled"),
        (r#""disabled": false, "isActive": false"#, "isActive"),
        // The wrong type: what is meant is unknown, so it stays off.
        (r#""disabled": "no""#, "disabled"),
        (r#""enabled": 1"#, "enabled"),
        (r#""isActive": [true]"#, "isActive"),
    ] {
        let home = Home::new();
        let entry =
            |name: &str| format!("{{\"mcpServers\": {{\"{name}\": {{\"command\": \"x\",\n{text}}}}}}}");
        home.write("home/.claude.json", &entry("user"));
        home.write("tmp/clone/.mcp.json", &entry("project"));
        home.write("home/.claude/settings.json", r#"{"enableAllProjectMcpServers": true}"#);
        let config = home.load_in("tmp/clone");
        for name in ["user", "project"] {
            let entry = config.entry(name).unwrap();
            assert_eq!(entry.gate(), Gate::Disabled, "{name} {text}");
            let detail = entry.gate_detail().unwrap();
            assert!(
                detail.starts_with(&format!("switched off by mcpServers.{name}.{field} in ")),
                "{detail}"
            );
            assert!(detail.ends_with("json:2"), "{detail}");
        }
        let wrong = ["\"no\"", "1", "[true]"].iter().any(|value| text.contains(value));
        let cautions =
            config.problems.iter().filter(|problem| problem.message.contains("the server stays off"));
        assert_eq!(cautions.count(), if wrong { 2 } else { 0 }, "{text}: {:?}", config.problems);
    }
}

#[test]
fn s_k8_no_entry_switches_itself_on() {
    let home = Home::new();
    let project = home.base.join("tmp/clone").display().to_string();
    for text in [r#""enabled": true"#, r#""disabled": false"#, r#""isActive": true"#, r#""enabled": null"#] {
        let entry = format!(r#"{{"x": {{"command": "x", {text}}}}}"#);
        home.write("home/.claude.json", &format!(r#"{{"mcpServers": {entry}}}"#));
        assert_eq!(home.load_in("tmp/clone").entry("x").unwrap().gate(), Gate::Ready, "{text}");
        home.write(
            "home/.claude.json",
            &format!(
                r#"{{"mcpServers": {entry}, "projects": {{"{project}": {{"disabledMcpServers": ["x"]}}}}}}"#
            ),
        );
        assert_eq!(home.load_in("tmp/clone").entry("x").unwrap().gate(), Gate::Disabled, "{text}");
    }
}

/// A person who cannot use a server has to know whom to ask, and about which line.
#[test]
fn who_forbids_a_server_is_told_with_the_file_and_the_rule() {
    let block_of_mine = |files: &[(&str, &str)]| {
        let home = Home::new();
        home.servers(true);
        files.iter().for_each(|(file, text)| home.write(file, text));
        let config = home.load_in("tmp/clone");
        let block = config.entry("mine").unwrap().blocked.clone().unwrap();
        let text = block.to_string().replace(home.base.to_str().unwrap(), "");
        (text, block.is_by_administrator())
    };
    const PERSON: &str = "home/.claude/settings.json";
    const ADMINISTRATOR: &str = "managed/managed-settings.d/10-x.json";
    let denies_name = r#"{"deniedMcpServers": [{"serverName": "mine"}]}"#;
    let denies_command = r#"{"deniedMcpServers": [{"serverName": "x"}, {"serverCommand": ["m"]}]}"#;
    let one = "blocked by deniedMcpServers[0] in /home/.claude/settings.json:1".to_owned();
    assert_eq!(block_of_mine(&[(PERSON, denies_name)]), (one, false));
    // Where both say so, the administrator's is what has to be changed, however either says it.
    let both = "blocked by deniedMcpServers[1] in /managed/managed-settings.d/10-x.json:1".to_owned();
    assert_eq!(block_of_mine(&[(PERSON, denies_name), (ADMINISTRATOR, denies_command)]), (both, true));
    let list = "not among allowedMcpServers in /managed/managed-settings.d/10-x.json:1".to_owned();
    let allows = r#"{"allowedMcpServers": []}"#;
    assert_eq!(block_of_mine(&[(PERSON, allows), (ADMINISTRATOR, allows)]), (list, true));
    let own = "not among allowedMcpServers in /home/.claude/settings.json:1".to_owned();
    assert_eq!(block_of_mine(&[(PERSON, allows)]), (own, false));
    let (broken, by_administrator) = block_of_mine(&[(ADMINISTRATOR, "{")]);
    assert!(broken.ends_with("nothing is allowed: /managed/managed-settings.d/10-x.json"), "{broken}");
    assert!(by_administrator);
}

/// What the administrator provides, by name, with what becomes of it beside servers of the person.
fn provided(home: &Home, settings: &str, change: impl FnOnce(&mut Request)) -> Config {
    home.servers(true);
    home.write("managed/managed-settings.json", settings);
    let folder = home.base.join("tmp/clone");
    fs::create_dir_all(&folder).unwrap();
    let mut request = Request::new(folder, Env::from([("HOME", home.base.join("home"))]));
    request.managed_dir = Some(home.base.join("managed"));
    change(&mut request);
    Config::load(&request)
}

const PROVIDES: &str = r#"{"allowedMcpServers": [{"serverName": "none"}], "managedMcpServers": {
    "search": {"type": "http", "url": "https://search.example/mcp"},
    "mine": {"type": "sse", "url": "https://mine.example/sse"}}}"#;

#[test]
fn s_a1_servers_that_the_administrator_provides_win_over_the_persons_and_need_no_allow_list() {
    let home = Home::new();
    let config = provided(&home, PROVIDES, |_| {});
    for name in ["search", "mine"] {
        let entry = config.entry(name).unwrap();
        assert_eq!((entry.scope, entry.gate()), (mcp_config::Scope::Managed, Gate::Ready), "{name}");
    }
    assert_eq!(config.entry("other").unwrap().gate(), Gate::Blocked, "the person's own need one");
    assert_eq!(config.shadowed[0].entry.name, "mine");
    // A denial holds, the person's own as well; a later file counts whole; strict and --mcp-config are the person's.
    home.write("home/.claude/settings.json", r#"{"deniedMcpServers": [{"serverName": "search"}]}"#);
    home.write(
        "managed/managed-settings.d/10-x.json",
        r#"{"managedMcpServers": {"mine": {"type": "http", "url": "https://later.example/mcp"}}}"#,
    );
    let config = provided(&home, PROVIDES, |_| {});
    assert_eq!(config.entry("search").unwrap().gate(), Gate::Blocked);
    assert_eq!(config.entry("mine").unwrap().display_url().as_deref(), Some("https://later.example/mcp"));
    let config = provided(&home, PROVIDES, |request| request.strict = true);
    assert!(config.entries.is_empty());
    let given = r#"{"mcpServers": {"mine": {"type": "http", "url": "https://given.example/"}}}"#;
    let config = provided(&home, PROVIDES, |request| request.mcp_config.push(given.to_owned()));
    let mine = config.entry("mine").unwrap();
    assert_eq!((mine.scope, mine.gate()), (mcp_config::Scope::Dynamic, Gate::Blocked), "and is checked");
    // Beside the exclusive file, which wins a name.
    let only = r#"{"mcpServers": {"mine": {"type": "http", "url": "https://only.example/"}}}"#;
    home.write("managed/managed-mcp.json", only);
    let config = provided(&home, PROVIDES, |_| {});
    let names: Vec<_> = config.entries.iter().map(|entry| &*entry.name).collect();
    assert_eq!(names, ["mine", "search"]);
    assert_eq!(config.entry("mine").unwrap().display_url().as_deref(), Some("https://only.example/"));
}

#[test]
fn s_a1_what_a_provided_server_may_not_say_leaves_it_out_and_the_others_in() {
    for (name, entry) in [
        ("a b", r#"{"type": "http", "url": "https://h/"}"#),
        ("x", r#"{"url": "https://h/"}"#),
        ("x", r#"{"type": "stdio", "command": "evil"}"#),
        ("x", r#"{"type": "http", "url": "http://localhost/"}"#),
        ("x", r#"{"type": "ws", "url": "wss://h/"}"#),
        ("x", r#"{"type": "http", "url": "https://h/", "headersHelper": "evil"}"#),
        ("x", r#"{"type": "http", "url": "https://h/", "command": "evil"}"#),
        ("x", r#"{"type": "http", "url": "https://h/", "headers": {"A": "${HOME}"}}"#),
        ("x", r#"{"type": "http", "url": "https://h/${env:HOME}"}"#),
        ("x", r#"{"type": "http", "url": "https://h/", "headers": {"A": "b\u202ec"}}"#),
        ("x", r#"{"type": "http", "url": "https://h/", "headers": {"A\u200b": "b"}}"#),
        ("x", "1"),
    ] {
        let good = r#""good": {"type": "http", "url": "https://good.example/"}"#;
        let settings = format!(r#"{{"managedMcpServers": {{"{name}": {entry}, {good}}}}}"#);
        let config = provided(&Home::new(), &settings, |_| {});
        assert!(config.entry(name).is_none() && config.entry("good").is_some(), "{name} {entry}");
        assert!(config.problems.iter().any(|p| p.message.ends_with("the server is left out")), "{entry}");
    }
    let list = r#"{"managedMcpServers": [{"name": "x", "url": "https://h/"}]}"#;
    let config = provided(&Home::new(), list, |_| {});
    assert!(config.problems.iter().any(|p| p.message.contains("expected an object of servers by name")));
    // In any other file it is not a word of the administrator.
    let home = Home::new();
    home.write("home/.claude/settings.json", PROVIDES);
    home.write("tmp/clone/.claude/settings.json", PROVIDES);
    let config = provided(&home, "{}", |_| {});
    assert!(config.entry("search").is_none());
    assert_eq!(
        config.problems.iter().filter(|p| p.message.contains("administrator's settings alone")).count(),
        2
    );
}

#[test]
fn s_a2_the_administrator_closes_the_command_line_and_files_of_others() {
    let given = r#"{"mcpServers": {"given": {"command": "x"}}}"#;
    for (value, is_open) in [("true", false), ("\"no\"", false), ("false", true), ("null", true)] {
        let settings = format!(r#"{{"disableSideloadFlags": {value}}}"#);
        let config = provided(&Home::new(), &settings, |request| {
            request.mcp_config.push(given.to_owned());
            request.addresses.push(mcp_config::address::Address::new("https://h.example/mcp", []).unwrap());
        });
        assert_eq!(config.entry("given").is_some(), is_open, "{value}");
        assert_eq!(config.entry("https://h.example/mcp").is_some(), is_open, "{value}");
        assert!(config.entry("mine").is_some(), "what is in files is not given on the command line");
        let of_policy =
            |problem: &&mcp_config::Problem| problem.code == mcp_config::ProblemCode::ManagedPolicy;
        assert_eq!(config.problems.iter().find(of_policy).is_some(), !is_open, "{value}");
    }
    for (value, is_open) in
        [("true", false), (r#"["mcp"]"#, false), ("1", false), (r#"["skills"]"#, true), ("false", true)]
    {
        let settings = format!(
            r#"{{"strictPluginOnlyCustomization": {value}, "managedMcpServers": {{"search": {{"type": "http", "url": "https://s.example/"}}}}}}"#
        );
        let config = provided(&Home::new(), &settings, |_| {});
        assert_eq!(config.entry("mine").is_some(), is_open, "{value}");
        assert!(config.entry("search").is_some(), "{value}");
    }
}

/// A variable is the person's to set: where it leads is not the administrator's word.
#[test]
fn s_a3_a_server_of_the_administrator_with_variables_needs_an_allow_list_as_any_other() {
    for (entry, gate) in [
        (r#"{"type": "http", "url": "https://fixed.example/mcp", "headers": {"A": "b"}}"#, Gate::Ready),
        (r#"{"command": "fixed", "args": ["x"]}"#, Gate::Ready),
        (r#"{"type": "http", "url": "https://fixed.example/${WHERE}"}"#, Gate::Blocked),
        (
            r#"{"type": "http", "url": "https://fixed.example/mcp", "headers": {"A": "${WHERE:-b}"}}"#,
            Gate::Blocked,
        ),
        (r#"{"command": "${WHERE}"}"#, Gate::Blocked),
        (r#"{"command": "fixed", "env": {"A": "${env:WHERE}"}}"#, Gate::Blocked),
    ] {
        let home = Home::new();
        home.write("managed/managed-mcp.json", &format!(r#"{{"mcpServers": {{"own": {entry}}}}}"#));
        let list = |name: &str| format!(r#"{{"allowedMcpServers": [{{"serverName": "{name}"}}]}}"#);
        assert_eq!(provided(&home, &list("none"), |_| {}).entry("own").unwrap().gate(), gate, "{entry}");
        assert_eq!(
            provided(&home, &list("own"), |_| {}).entry("own").unwrap().gate(),
            Gate::Ready,
            "{entry}"
        );
    }
}

/// What is in a repository must not run because a person has an entry for it.
#[cfg(feature = "auth")]
#[test]
fn a_plugin_that_the_own_file_has_for_one_project_runs_once_its_folder_is_trusted() {
    let home = Home::new();
    let project = home.base.join("tmp/clone").display().to_string();
    let with = |more: &str| format!(r#"{{"type": "http", "url": "https://x.example/mcp", {more}}}"#);
    let plugin = with(r#""auth": {"provider": "./plug"}"#);
    let file = with(r#""auth": {"file": "token"}"#);
    home.write(
        "home/.config/mcplink/mcp.json",
        &format!(
            r#"{{"mcpServers": {{"far": {plugin}}}, "projects": {{"{project}": {{"mcpServers":
                {{"plugin": {plugin}, "file": {file}}}}}}}}}"#
        ),
    );
    for trusted in [false, true] {
        home.servers(trusted);
        let config = home.load_in("tmp/clone");
        let env = Env::from([("HOME", home.base.join("home"))]);
        let auth = |name: &str| config.entry(name).unwrap().lower(&env).unwrap().1;
        let waits = |name: &str| auth(name).unattended.unwrap().withheld.is_some();
        assert_eq!(waits("plugin"), !trusted);
        // What runs nothing, and what is no project's.
        assert!(!waits("file") && !waits("far"), "{trusted}");
        let of = |name: &str| format!("{:?}", auth(name).unattended.unwrap().supply);
        assert!(
            of("far").contains("home/.config/mcplink/./plug"),
            "where a person stands runs nothing: {}",
            of("far")
        );
        assert!(of("plugin").contains("tmp/clone/./plug"), "{}", of("plugin"));
    }
}
