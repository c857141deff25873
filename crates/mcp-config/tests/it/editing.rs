//! Files that are changed: where entries belong, how they are switched, what is refused.

use std::fs;

use mcp_config::edit::{self, Change, Value};
use mcp_config::editor::Editor;
use mcp_config::{Config, ConfigError, ConfigErrorKind, Gate, Scope};

use crate::cases::Case;

fn editor(config: &Config) -> Editor {
    Editor::new(config.locations.state_dir.as_ref().unwrap())
}

/// Switches `name` and says what is in force afterwards.
fn switch(case: &Case, name: &str, on: bool) -> Gate {
    let config = Config::load(&case.request);
    let switching = config.switching(name, on).unwrap();
    editor(&config)
        .edit(switching.place(), |text| {
            switching.apply(text).map_err(|error| switching.place().refused(error))
        })
        .unwrap();
    Config::load(&case.request).entry(name).unwrap().gate()
}

const OWN: &str = "home/.config/mcplink/mcp.json";

#[test]
fn fa_a60_what_stands_in_files_of_others_is_switched_in_our_own() {
    let case = Case::new("every_scope");
    let read = |path: &str| fs::read_to_string(case.path(path)).unwrap();
    let (user, project, own) = (read("home/.claude.json"), read("project/.mcp.json"), read(OWN));
    for name in ["l", "p", "d"] {
        assert_eq!(switch(&case, name, false), Gate::Disabled, "{name}");
    }
    let written = read(OWN);
    let folder = case.path("project").to_str().unwrap().to_owned();
    let at = |path: &[&str]| edit::value_at(&written, path).unwrap();
    for name in ["l", "p"] {
        assert_eq!(at(&["projects", &folder, "overrides", name, "disabled"]), Some(Value::Bool(true)));
    }
    assert_eq!(at(&["overrides", "d", "disabled"]), Some(Value::Bool(true)));
    for name in ["d", "p", "l"] {
        assert_eq!(switch(&case, name, true), Gate::Ready, "{name}");
    }
    // Nothing is left of it, and no file of others was touched.
    assert_eq!((read(OWN), read("home/.claude.json"), read("project/.mcp.json")), (own, user, project));
}

#[test]
fn fa_a60_an_entry_of_our_own_says_it_itself() {
    let case = Case::new("every_scope");
    let own = fs::read_to_string(case.path(OWN)).unwrap();
    assert_eq!(switch(&case, "m", false), Gate::Disabled);
    let off = fs::read_to_string(case.path(OWN)).unwrap();
    let path = ["mcpServers", "m", "disabled"];
    assert_eq!(edit::value_at(&off, &path).unwrap(), Some(Value::Bool(true)));
    assert_eq!(switch(&case, "m", false), Gate::Disabled);
    assert_eq!(fs::read_to_string(case.path(OWN)).unwrap(), off, "it is off already");
    assert_eq!(switch(&case, "m", true), Gate::Ready);
    assert_eq!(fs::read_to_string(case.path(OWN)).unwrap(), own);
    // Whatever the spelling, and with the override of a project that says the opposite.
    let folder = case.path("project").to_str().unwrap().to_owned();
    let mut text =
        edit::apply(&own, &["mcpServers", "m", "enabled"], &Change::Set(Value::Bool(false))).unwrap();
    for (key, value) in [("isActive", Value::Bool(true)), ("disabled", Value::from("yes"))] {
        text = edit::apply(&text, &["mcpServers", "m", key], &Change::Set(value)).unwrap();
    }
    let path = ["projects", &folder, "overrides", "m", "disabled"];
    text = edit::apply(&text, &path, &Change::Set(Value::Bool(true))).unwrap();
    fs::write(case.path(OWN), &text).unwrap();
    assert_eq!(switch(&case, "m", true), Gate::Ready);
    let kept = ["mcpServers", "m", "isActive"];
    let text = fs::read_to_string(case.path(OWN)).unwrap();
    assert_eq!(edit::value_at(&text, &kept).unwrap(), Some(Value::Bool(true)), "what says on may stay");
}

#[test]
fn fa_a60_what_others_switched_off_is_switched_on_for_us_alone() {
    let case = Case::new("overrides_by_name_and_project");
    fs::remove_file(case.path(OWN)).unwrap();
    for name in ["off", "listed"] {
        assert_eq!(Config::load(&case.request).entry(name).unwrap().gate(), Gate::Disabled);
        assert_eq!(switch(&case, name, true), Gate::Ready, "{name}");
        assert_eq!(switch(&case, name, false), Gate::Disabled, "{name}");
        assert_eq!(switch(&case, name, true), Gate::Ready, "{name}");
    }
    // Said of every project, and overruled for this one.
    fs::write(case.path(OWN), "{\"overrides\": {\"db\": {\"disabled\": true}}}\n").unwrap();
    assert_eq!(switch(&case, "db", true), Gate::AwaitingApproval);
    let text = fs::read_to_string(case.path(OWN)).unwrap();
    assert_eq!(edit::value_at(&text, &["overrides", "db", "disabled"]).unwrap(), Some(Value::Bool(true)));
}

#[test]
fn an_administrators_switch_is_not_overruled() {
    let case = Case::new("managed_file_is_exclusive");
    let managed = r#"{"mcpServers": {"m": {"command": "m", "disabled": true}, "n": {"command": "n"}}}"#;
    fs::write(case.path("managed/managed-mcp.json"), managed).unwrap();
    fs::create_dir_all(case.path(OWN).parent().unwrap()).unwrap();
    let own = r#"{"overrides": {"m": {"disabled": false}, "n": {"disabled": true}}}"#;
    fs::write(case.path(OWN), own).unwrap();
    let config = Config::load(&case.request);
    assert_eq!(config.entry("m").unwrap().gate(), Gate::Disabled);
    assert_eq!(config.entry("n").unwrap().gate(), Gate::Disabled, "every file may switch an entry off");
}

#[test]
fn each_scope_has_its_place() {
    let case = Case::new("every_scope");
    let config = Config::load(&case.request);
    let folder = case.path("project").to_str().unwrap().to_owned();
    for (scope, file, path) in [
        (Scope::Mcplink, OWN, vec!["mcpServers", "n"]),
        (Scope::User, "home/.claude.json", vec!["mcpServers", "n"]),
        (Scope::Local, "home/.claude.json", vec!["projects", &folder, "mcpServers", "n"]),
        (Scope::Project, "project/.mcp.json", vec!["mcpServers", "n"]),
    ] {
        let place = config.place_of(scope).unwrap();
        assert_eq!(
            (place.file.clone(), place.path("", "n")),
            (case.path(file), path.iter().map(ToString::to_string).collect())
        );
        let value = Value::parse(r#"{"type": "http", "url": "https://n.example/mcp"}"#).unwrap();
        let edited = editor(&config)
            .edit(&place, |text| {
                let path = place.path(text, "n");
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                edit::apply(text, &path, &Change::Set(value.clone())).map_err(|error| place.refused(error))
            })
            .unwrap();
        assert!(edited.changed() && edited.line_of(&path).unwrap() > 1, "{edited:?}");
        let loaded = Config::load(&case.request);
        assert!(loaded.definitions("n").any(|entry| entry.scope == scope), "{scope}");
    }
    assert_eq!(config.place_of(Scope::Managed), None);
    assert_eq!(config.place_of(Scope::Dynamic), None);
}

#[test]
fn what_is_not_understood_is_left_as_it_is() {
    let case = Case::new("every_scope");
    let config = Config::load(&case.request);
    let place = config.place_of(Scope::Mcplink).unwrap();
    let set = |text: &str| -> Result<String, ConfigError> {
        edit::apply(text, &["mcpServers", "n"], &Change::Set(Value::Null))
            .map_err(|error| place.refused(error))
    };
    for (content, kind, said) in [
        (&b"{\n \"a\": tru"[..], ConfigErrorKind::Edit, "mcp.json:2:7: "),
        (b"{\"a\": \"\xff\"}", ConfigErrorKind::Encoding, "it is not UTF-8"),
    ] {
        fs::write(case.path(OWN), content).unwrap();
        for error in [
            editor(&config).edit(&place, set).unwrap_err(),
            editor(&config).dry_run(&place, set).unwrap_err(),
        ] {
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(said), "{error}");
        }
        assert_eq!(fs::read(case.path(OWN)).unwrap(), content);
    }
    fs::remove_file(case.path(OWN)).unwrap();
    let edited = editor(&config).dry_run(&place, set).unwrap();
    assert!(edited.is_new && edited.changed() && !case.path(OWN).exists());
    fs::create_dir(case.path(OWN)).unwrap();
    let error = editor(&config).edit(&place, set).unwrap_err();
    assert_eq!(error.to_string(), format!("write {}: it is a directory", case.path(OWN).display()));
}

#[test]
fn an_entry_of_our_own_for_one_project_is_switched_where_it_stands() {
    let case = Case::new("own_servers_of_one_project");
    let own = fs::read_to_string(case.path(OWN)).unwrap();
    let entry = |text: &str, folder: &str, name: &str| {
        let path = ["projects", folder, "mcpServers", name, "disabled"];
        edit::value_at(text, &path).unwrap()
    };
    // The main checkout's, met in its worktree; the top has one of the name as well.
    let main = format!("{}/", case.path("project").display());
    let tree = case.path("tree").display().to_string();
    for (folder, name) in [(&main, "helped"), (&tree, "db")] {
        assert_eq!(switch(&case, name, false), Gate::Disabled, "{name}");
        let off = fs::read_to_string(case.path(OWN)).unwrap();
        assert_eq!(entry(&off, folder, name), Some(Value::Bool(true)), "{off}");
        assert_eq!(off.matches("\"disabled\": true").count(), 2, "the one of `mine`, and this one: {off}");
        assert_eq!(switch(&case, name, true), Gate::Ready, "{name}");
        assert_eq!(fs::read_to_string(case.path(OWN)).unwrap(), own, "{name}");
    }
    // It is removed from where it stands, and its project with the last.
    let config = Config::load(&case.request);
    let place = config.place_of_entry("db", Scope::Mcplink).unwrap();
    let without = place.without(&own, "db").unwrap();
    assert!(!without.contains("tree.example") && !without.contains("/tree\""), "{without}");
    assert!(without.contains("main.example") && without.contains("everywhere.example"), "{without}");
}
