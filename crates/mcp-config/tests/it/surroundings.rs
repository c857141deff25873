//! What others may put where a file of a project, or of this tool, is expected.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use mcp_config::{Config, ConfigErrorKind, Env, Gate, Project, Request, TrustStore};

/// What may be in a file's place, and how it is told.
const OBSTACLES: [(&str, &str); 5] = [
    ("pipe", "it is a pipe, not a regular file"),
    ("zero", "it is a device, not a regular file"),
    ("socket", "it is a socket, not a regular file"),
    ("huge", "it is larger than 4 MiB"),
    ("folder", "it is a directory"),
];

/// What hangs fails instead of hanging the tests.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    result.recv_timeout(Duration::from_secs(20)).expect("it waits for a file that others put there")
}

fn put(obstacle: &str, path: &Path) {
    let _ = fs::remove_file(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match obstacle {
        "pipe" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "zero" => symlink("/dev/zero", path).unwrap(),
        "socket" => drop(UnixListener::bind(path).unwrap()),
        // Sparse: it takes no room, and reads as a terabyte of NUL without a line's end.
        "huge" => File::create(path).unwrap().set_len(1 << 40).unwrap(),
        "round" => symlink(path, path).unwrap(),
        "nowhere" => symlink("/nowhere/at/all", path).unwrap(),
        _ => fs::create_dir(path).unwrap(),
    }
}

fn home() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let base = fs::canonicalize(dir.path()).unwrap();
    fs::create_dir_all(base.join("project")).unwrap();
    (dir, base)
}

fn load(base: &Path) -> Config {
    let mut request = Request::new(base.join("project"), Env::from([("HOME", base)]));
    request.managed_dir = Some(base.join("managed"));
    in_time(move || Config::load(&request))
}

/// Whether the test can give `path` away.
#[expect(clippy::print_stderr, reason = "a test that leaves something out says so")]
fn given_away(path: &Path) -> bool {
    let given = mcp_files::account() == Some(0) && chown(path, Some(4242), None).is_ok();
    if !given {
        eprintln!("SKIPPED: only the superuser can give a file away");
    }
    given
}

#[test]
fn s_m15_a_git_that_is_no_file_or_folder_is_passed_over() {
    let (_dir, base) = home();
    fs::create_dir_all(base.join(".git")).unwrap();
    fs::write(base.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    for (obstacle, _) in OBSTACLES.iter().chain(&[("round", ""), ("nowhere", "")]) {
        let git = base.join("project/.git");
        put(obstacle, &git);
        let cwd = base.join("project");
        let found = in_time(move || Project::find(&cwd));
        assert_eq!(found.root, base, "{obstacle}");
        if git.is_dir() { fs::remove_dir(&git).unwrap() } else { fs::remove_file(&git).unwrap() }
    }
}

#[test]
fn s_m15_pointers_of_a_worktree_may_be_anything() {
    let (_dir, base) = home();
    let private = base.join("main/.git/worktrees/project");
    fs::create_dir_all(&private).unwrap();
    fs::write(base.join("main/.git/HEAD"), "ref: refs/heads/main\n").unwrap();
    let write_all = || {
        fs::write(base.join("project/.git"), format!("gitdir: {}\n", private.display())).unwrap();
        fs::write(private.join("commondir"), "../..\n").unwrap();
        fs::write(private.join("gitdir"), format!("{}\n", base.join("project/.git").display())).unwrap();
    };
    let find = || {
        let cwd = base.join("project");
        in_time(move || Project::find(&cwd)).main_root
    };
    write_all();
    assert_eq!(find(), base.join("main"));
    for pointer in ["commondir", "gitdir"] {
        for obstacle in ["pipe", "zero", "huge", "socket", "round"] {
            put(obstacle, &private.join(pointer));
            assert_eq!(find(), base.join("project"), "{pointer} is a {obstacle}");
        }
        fs::remove_file(private.join(pointer)).unwrap();
        write_all();
    }
}

#[test]
fn s_m15_every_file_that_is_read_may_be_anything_and_is_named() {
    for (obstacle, expected) in OBSTACLES {
        for file in
            ["project/.mcp.json", "project/.claude/settings.json", "project/.claude/settings.local.json"]
        {
            let (_dir, base) = home();
            put(obstacle, &base.join(file));
            let problems = load(&base).problems;
            assert!(problems.iter().any(|problem| problem.message == expected), "{file}: {problems:?}");
        }
        for file in [
            ".claude.json",
            ".claude/settings.json",
            "managed/managed-mcp.json",
            "managed/managed-settings.json",
        ] {
            let (_dir, base) = home();
            put(obstacle, &base.join(file));
            let problems = load(&base).problems;
            let expected = expected.replace("4 MiB", "32 MiB");
            assert!(problems.iter().any(|problem| problem.message == expected), "{file}: {problems:?}");
        }
        for file in ["project/.claude/mcp.json", "project/.claude/.mcp.json", ".claude/mcp.json"] {
            let (_dir, base) = home();
            put(obstacle, &base.join(file));
            assert!(load(&base).entries.is_empty());
        }
    }
}

#[test]
fn s_p3_a_folder_of_denials_that_cannot_be_listed_closes_every_entry() {
    let closed = |obstacle: Option<&str>| {
        let (_dir, base) = home();
        let entry = r#"{"mcpServers": {"web": {"type": "http", "url": "https://h.example/mcp"}}}"#;
        fs::write(base.join(".claude.json"), entry).unwrap();
        if let Some(obstacle) = obstacle {
            put(obstacle, &base.join("managed/managed-settings.d"));
        }
        let config = load(&base);
        let is_warned = config.problems.iter().any(|problem| problem.message.contains("it cannot be listed"));
        let gate = config.entry("web").unwrap().gate();
        assert_eq!(is_warned, gate == Gate::Blocked, "{obstacle:?}: {:?}", config.problems);
        gate == Gate::Blocked
    };
    for obstacle in ["pipe", "huge", "socket", "round", "nowhere"] {
        assert!(closed(Some(obstacle)), "{obstacle}");
    }
    assert!(!closed(None) && !closed(Some("folder")), "none of them is an obstacle");
}

#[test]
fn s_p3_decisions_in_a_pipe_or_behind_one_are_an_error_that_names_it() {
    for (file, obstacle, expected) in [
        ("trust.json", "pipe", "trust.json: it is a pipe, not a regular file"),
        ("trust.json", "zero", "trust.json: it is a symbolic link"),
        ("trust.json", "huge", "trust.json: it is larger than 8 MiB"),
        ("trust.json.lock", "pipe", "trust.json.lock: it is a pipe, not a regular file"),
        ("trust.json.lock", "nowhere", "trust.json.lock: it is a symbolic link"),
        ("trust.json.lock", "folder", "trust.json.lock: it is a directory"),
    ] {
        let (_dir, base) = home();
        put(obstacle, &base.join("state").join(file));
        let store = TrustStore::new(base.join("state"));
        let error = in_time(move || store.trust(&Project::find(Path::new("/nowhere")), []).unwrap_err());
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(matches!(error.kind(), ConfigErrorKind::Read | ConfigErrorKind::Write), "{error}");
    }
}

/// A home whose decisions trust the project; what then happens to the file or its folder is up to `change`.
fn is_trusted_after(change: impl FnOnce(&Path) -> bool) -> Option<(bool, String)> {
    let (_dir, base) = home();
    let state = base.join("state");
    assert!(TrustStore::new(&state).trust(&Project::find(&base.join("project")), []).unwrap());
    if !change(&state) {
        return None;
    }
    let env = Env::from([("HOME", base.as_path()), ("MCPLINK_STATE_DIR", &state)]);
    let config = Config::load(&Request::new(base.join("project"), env));
    let why = config.problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; ");
    Some((config.trust.is_trusted(), why))
}

#[test]
fn s_n02_decisions_of_another_account_count_for_nothing() {
    assert_eq!(is_trusted_after(|_| true), Some((true, String::new())));
    let theirs = is_trusted_after(|state| given_away(&state.join("trust.json")));
    assert!(theirs.is_none_or(|(trusted, why)| !trusted && why == "it belongs to another account"));
    let folder = is_trusted_after(given_away);
    assert!(folder.is_none_or(|(trusted, why)| !trusted && why == "it belongs to another account"));
}

#[test]
fn s_n02_decisions_in_a_folder_that_others_may_write_to_count_for_nothing() {
    let open =
        |mode| is_trusted_after(|state| fs::set_permissions(state, fs::Permissions::from_mode(mode)).is_ok());
    for mode in [0o777, 0o770, 0o1777] {
        assert_eq!(open(mode), Some((false, "others may write to it".to_owned())), "{mode:o}");
    }
    assert_eq!(open(0o755), Some((true, String::new())));
    // Another file of ours, by way of a link that another account put there.
    let linked = is_trusted_after(|state| {
        fs::rename(state.join("trust.json"), state.join("mine.json")).unwrap();
        symlink(state.join("mine.json"), state.join("trust.json")).is_ok()
    });
    assert_eq!(linked, Some((false, "it is a symbolic link".to_owned())));
}
