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
        let told = home.load_in("tmp/clone").problems;
        assert!(
            told.iter().any(|problem| problem.message.contains("once its folder is trusted")),
            "{told:?}"
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
        let told: Vec<_> = config.problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(told, ["it belongs to another account"], "{file}");
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
        let told = config.problems.iter().filter(|problem| problem.message.contains("the server stays off"));
        assert_eq!(told.count(), if wrong { 2 } else { 0 }, "{text}: {:?}", config.problems);
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
    let told = |files: &[(&str, &str)]| {
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
    assert_eq!(told(&[(PERSON, denies_name)]), (one, false));
    // Where both say so, the administrator's is what has to be changed, however either says it.
    let both = "blocked by deniedMcpServers[1] in /managed/managed-settings.d/10-x.json:1".to_owned();
    assert_eq!(told(&[(PERSON, denies_name), (ADMINISTRATOR, denies_command)]), (both, true));
    let list = "not among allowedMcpServers in /managed/managed-settings.d/10-x.json:1".to_owned();
    let allows = r#"{"allowedMcpServers": []}"#;
    assert_eq!(told(&[(PERSON, allows), (ADMINISTRATOR, allows)]), (list, true));
    let own = "not among allowedMcpServers in /home/.claude/settings.json:1".to_owned();
    assert_eq!(told(&[(PERSON, allows)]), (own, false));
    let (broken, by_administrator) = told(&[(ADMINISTRATOR, "{")]);
    assert!(broken.ends_with("nothing is allowed: /managed/managed-settings.d/10-x.json"), "{broken}");
    assert!(by_administrator);
}
