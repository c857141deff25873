//! One directory per case: `home/`, `project/` and what else the case needs, copied to a temporary directory.
//!
//! - `$ROOT` in files and variables stands for that directory, and comes back in what is expected.
//! - `dot-git` becomes `.git`, which cannot be committed under its own name.
//! - `env.json` holds variables besides `HOME`; `request.json` may set `cwd`, `mcpConfig`, `strict`, and a host as `from`:
//!   then what could be carried over from its files is a part of what is expected.
//! - `managed/`, where there is one, is the administrator's directory.
//!
//! `UPDATE_EXPECT=1 cargo test -p mcp-config` writes what is expected again; read the difference.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use mcp_config::edit::{Change, apply};
use mcp_config::entry::Approval;
use mcp_config::hosts::{HostListing, KnownHost};
use mcp_config::{Config, Env, Request, ServerEntry, Trust};
use serde_json::Value;

/// A case that has been laid out.
pub(crate) struct Case {
    dir: PathBuf,
    _temp: tempfile::TempDir,
    root: PathBuf,
    pub(crate) request: Request,
}

impl Case {
    pub(crate) fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name);
        // Too short to be taken for a password, which would not be shown.
        let temp = tempfile::Builder::new().prefix("config-").rand_bytes(3).tempdir().unwrap();
        let root = fs::canonicalize(temp.path()).unwrap();
        let place = |text: &str| text.replace("$ROOT", root.to_str().unwrap());
        copy(&dir, &root, &place);
        let json = |file: &str| -> Value {
            let text = fs::read_to_string(dir.join(file)).unwrap_or_else(|_| "{}".to_owned());
            serde_json::from_str(&place(&text)).unwrap()
        };
        let variables = json("env.json");
        let variables = variables.as_object().unwrap().iter();
        let env = Env::from([("HOME", root.join("home"))]);
        let env = variables.fold(env, |env, (name, value)| env.with(name, value.as_str().unwrap()));
        let options = json("request.json");
        let cwd = options["cwd"].as_str().unwrap_or("project");
        let mut request = Request::new(root.join(cwd), env);
        request.managed_dir = Some(root.join("managed"));
        request.strict = options["strict"] == true;
        request.host = options["from"].as_str().map(|name| KnownHost::named(name).unwrap());
        let arguments = options["mcpConfig"].as_array().cloned().unwrap_or_default();
        request.mcp_config = arguments.iter().map(|value| value.as_str().unwrap().to_owned()).collect();
        Self { dir, _temp: temp, root, request }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn check(&self) {
        let mut shown = render(&Config::load(&self.request));
        if let Some(host) = self.request.host {
            render_found(&mut shown, &HostListing::read_by(host, &self.request));
        }
        let shown = shown.replace(self.root.to_str().unwrap(), "$ROOT");
        let expected = self.dir.join("expect.txt");
        #[expect(
            clippy::disallowed_methods,
            reason = "a switch for the developer, not for the code under test"
        )]
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &shown).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        assert!(shown == expected, "{}:\n--- expected\n{expected}\n+++ found\n{shown}", self.dir.display());
    }
}

fn copy(from: &Path, to: &Path, place: &impl Fn(&str) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        let to = to.join(if name == "dot-git" { ".git".as_ref() } else { name.as_os_str() });
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to, place);
        } else {
            fs::write(to, place(&fs::read_to_string(entry.path()).unwrap())).unwrap();
        }
    }
}

fn render(config: &Config) -> String {
    let mut out = String::new();
    if let Trust::Trusted(by) = &config.trust {
        writeln!(out, "trusted by {} in {by}", by.field).unwrap();
    }
    for entry in &config.entries {
        render_entry(&mut out, entry);
    }
    for shadowed in &config.shadowed {
        let entry = &shadowed.entry;
        let endpoint = entry.display_endpoint().unwrap_or_default();
        writeln!(out, "shadowed {} {} by {}: {endpoint}", entry.name, entry.origin, shadowed.by).unwrap();
    }
    for problem in &config.problems {
        let severity = serde_json::to_value(problem.severity).unwrap();
        let code = serde_json::to_value(problem.code).unwrap();
        writeln!(out, "{} {} {problem}", severity.as_str().unwrap(), code.as_str().unwrap()).unwrap();
        if let Some(hint) = &problem.hint {
            writeln!(out, "    hint: {hint}").unwrap();
        }
    }
    out
}

/// What could be carried over, as it would stand in a file of ours.
fn render_found(out: &mut String, found: &[HostListing]) {
    for file in found {
        writeln!(
            out,
            "{}: {}, {} servers, {} pointers",
            file.place,
            file.host.title,
            file.servers.len(),
            file.pointers
        )
        .unwrap();
        for server in &file.servers {
            let value = Change::Set(server.value.clone());
            let text = apply("", &[&server.entry.name], &value).unwrap();
            text.lines().for_each(|line| writeln!(out, "        {line}").unwrap());
            for input in &server.inputs {
                writeln!(
                    out,
                    "        asks for {} as {} (secret: {})",
                    input.id, input.variable, input.secret
                )
                .unwrap();
            }
        }
    }
}

fn render_entry(out: &mut String, entry: &ServerEntry) {
    let gate = serde_json::to_value(entry.gate()).unwrap();
    let gate = gate.as_str().unwrap();
    writeln!(out, "{} ({}, {}) {gate}, {}", entry.name, entry.scope, entry.transport(), entry.origin)
        .unwrap();
    if let Some(detail) = entry.gate_detail() {
        writeln!(out, "    {detail}").unwrap();
    }
    if let Approval::Approved(by) = &entry.approval {
        writeln!(out, "    approved by {} in {by}", by.field).unwrap();
    }
    for field in entry.fields() {
        writeln!(out, "    {} = {}", field.name, field.value).unwrap();
    }
    // What a few names come to.
    let names = ["a", "b", "c", "d", "e", "f", "put", "get_x", "run"];
    let hidden: Vec<&str> = names.into_iter().filter(|name| entry.tools.hides(name).is_some()).collect();
    if let Some(rule) = hidden.last().and_then(|name| entry.tools.hides(name)) {
        writeln!(out, "    hides {}, which {rule}", hidden.join(", ")).unwrap();
    }
    if let Some(timeout) = entry.timeout {
        writeln!(out, "    timeout in force: {timeout:?}").unwrap();
    }
    if let Some(helper) = entry.remote().and_then(|remote| remote.helper.as_ref()) {
        let run = if helper.may_run { "runs" } else { "does not run" };
        let env = if helper.scrubbed { "scrubbed" } else { "whole" };
        let (cwd, limit) = (helper.cwd.display(), helper.timeout);
        writeln!(out, "    helper {run} in {cwd}, {env} environment, limit {limit:?}").unwrap();
    }
}

macro_rules! cases {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            Case::new(stringify!($name)).check();
        })*

        const LISTED: &[&str] = &[$(stringify!($name)),*];
    };
}

cases! {
    approval_needs_trust_in_the_project
    approval_of_all_project_servers
    comments_and_unusual_spellings
    config_dir_variable
    empty_variables_are_told
    entry_types
    every_scope
    f014_untrusted_project_helper_does_not_run
    f015_trusted_parent_does_not_count
    f016_project_helper_runs_scrubbed
    f018_helper_directory_per_scope
    f020_user_config_in_a_helper
    f031_headers_are_expanded_for_every_type
    f035_whitespace_in_a_header
    f051_disabled_is_its_own_state
    f052_empty_url_is_not_configured
    f053_unapproved_project_server_waits
    f107_timeout_of_two_minutes
    f108_timeout_below_a_second_is_ignored
    f119_url_without_type
    f120_servers_key
    f121_broken_files_are_reported
    f122_missing_variable_keeps_the_entry
    f123_shell_expansion_is_not_a_variable
    f124_foreign_variable_spelling
    f126_scopes_with_different_endpoints
    f129_disabled_list_that_is_no_list
    f130_unknown_fields
    f131_reserved_names
    f132_files_of_nearly_the_right_name
    f132_files_that_are_never_read
    f134_worktree_sees_local_servers
    f135_policy_applies_to_every_scope
    f136_allow_list_that_is_no_list
    f136_bad_policy_entries
    f136_managed_lists_only
    f137_entries_that_differ_by_env
    f138_disabled_list_hides_mcp_config
    fa_a62_parent_walk_nearest_wins
    host_amp
    host_antigravity
    host_claude_desktop
    host_cline
    host_cline_flat
    host_codex
    host_copilot
    host_cursor
    host_fx
    host_gemini
    host_goose
    host_grok
    host_junie
    host_kilo
    host_kimi
    host_kiro
    host_mastra
    host_mcp_remote
    host_mcporter
    host_opencode
    host_opencode_servers
    host_pi
    host_qwen
    host_vscode
    host_vscode_settings
    host_windsurf
    host_zed
    invalid_entries_do_not_take_others_down
    managed_file_is_exclusive
    managed_settings_that_cannot_be_read
    mcp_config_and_strict
    oauth_block
    overrides_by_name_and_project
    own_decisions_count
    own_servers_of_one_project
    rejected_project_entry_yields
    s_k2_limits_of_an_entry
    same_endpoint_is_no_conflict
    tool_policy_of_every_spelling
}

#[test]
fn every_case_directory_is_a_test() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, LISTED);
}

/// The files of a host as it documents them are a case, and what is read of them is a part of what is expected.
#[test]
fn every_host_has_a_case() {
    for host in KnownHost::all().filter(|host| !host.is_read_anyway()) {
        let name = format!("host_{}", host.name.replace('-', "_"));
        assert!(LISTED.contains(&&*name), "{name}");
    }
}
