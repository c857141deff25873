//! Nothing is remembered between two loads: what changed outside is seen.

use std::fs;

use mcp_config::validate::validate_file;
use mcp_config::{Config, Gate, TrustStore};

use crate::cases::Case;

#[test]
fn f039_variables_are_looked_up_at_each_load() {
    let mut case = Case::new("f031_headers_are_expanded_for_every_type");
    let header = |case: &Case| {
        let config = Config::load(&case.request);
        config.entry("http").unwrap().remote().unwrap().headers[0].1.expose().to_owned()
    };
    assert_eq!(header(&case), "Bearer canary");
    case.request.env = case.request.env.clone().with("TOKEN", "rotated");
    assert_eq!(header(&case), "Bearer rotated");
}

#[test]
fn f133_edits_are_seen_by_the_next_load() {
    let case = Case::new("f052_empty_url_is_not_configured");
    assert_eq!(Config::load(&case.request).entry("x").unwrap().gate(), Gate::NotConfigured);
    let edited = r#"{"mcpServers": {"x": {"type": "http", "url": "https://h.example/mcp"}}}"#;
    fs::write(case.path("home/.claude.json"), edited).unwrap();
    assert_eq!(Config::load(&case.request).entry("x").unwrap().gate(), Gate::Ready);
}

#[test]
fn decisions_given_to_this_tool_are_in_force_at_once() {
    let case = Case::new("f014_untrusted_project_helper_does_not_run");
    let config = Config::load(&case.request);
    let store = TrustStore::new(config.locations.state_dir.as_ref().unwrap());
    let folder = config.project.trust_folder();
    let state = || {
        let config = Config::load(&case.request);
        let entry = config.entry("p").unwrap();
        (entry.gate(), entry.remote().unwrap().helper.as_ref().unwrap().may_run)
    };
    assert_eq!(state(), (Gate::Ready, false));
    assert!(store.trust(&config.project, &config.entries).unwrap());
    assert_eq!(state(), (Gate::Ready, true));
    assert!(store.reject(folder, "p").unwrap());
    assert_eq!(state().0, Gate::Rejected);
    assert!(store.approve(folder, config.entry("p").unwrap()).unwrap());
    assert!(store.untrust(folder).unwrap());
    assert_eq!(state(), (Gate::Ready, false));
}

#[test]
fn f121_a_broken_file_is_never_rewritten() {
    let case = Case::new("f121_broken_files_are_reported");
    let path = case.path("home/.claude.json");
    let before = fs::read(&path).unwrap();
    let config = Config::load(&case.request);
    let store = TrustStore::new(config.locations.state_dir.as_ref().unwrap());
    store.trust(&config.project, &config.entries).unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
    let problems = validate_file(&path, &case.request.env);
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].line, problems[0].column), (Some(3), Some(26)));
}

#[test]
fn unknown_names_have_a_nearest_one_and_paths_say_why() {
    let case = Case::new("every_scope");
    let config = Config::load(&case.request);
    assert_eq!(config.nearest("al"), Some("all"));
    assert_eq!(config.nearest("something-else"), None);
    assert_eq!(config.definitions("all").count(), 5);
    let explanation = config.explain("all").unwrap();
    assert_eq!(explanation.shadowed.len(), 4);
    let used: Vec<_> = config.paths().iter().filter(|path| path.used).map(|path| path.role).collect();
    let expected = [
        "--mcp-config servers",
        "user and local servers",
        "mcplink's own servers",
        "project servers",
        "user settings",
    ];
    assert_eq!(used, expected);
    let managed = config.paths().iter().find(|path| path.role == "managed servers").unwrap();
    assert_eq!((managed.exists, managed.why.as_str()), (false, "there is no such file"));
}
