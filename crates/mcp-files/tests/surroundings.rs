//! What others may put where a file is expected, and what of it is read.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use mcp_files::{
    FileError, FileErrorKind, Links, NotRegular, Owner, Policy, account, append, check_private_dir,
    first_line, lock, private_dir, publish, read, read_private, replace, sweep,
};
use tempfile::{TempDir, tempdir};

const LIMIT: u64 = 1024;
const AROUND: Policy = Policy::surroundings(LIMIT);

/// Runs `work` in a thread of its own: what hangs fails instead of hanging the tests.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    result.recv_timeout(Duration::from_secs(20)).expect("it waits for a file that others put there")
}

fn kind(path: &Path, policy: Policy) -> Option<FileErrorKind> {
    let path = path.to_owned();
    in_time(move || read(&path, &policy).map_err(|error| error.kind()).err())
}

fn pipe(home: &TempDir, name: &str) -> PathBuf {
    let path = home.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

fn link(home: &TempDir, name: &str, target: impl AsRef<Path>) -> PathBuf {
    let path = home.path().join(name);
    symlink(target, &path).unwrap();
    path
}

/// Gives `path` to another account; only the superuser can, and elsewhere the test says what it leaves out.
fn given_away(path: &Path) -> bool {
    let given = account() == Some(0) && chown(path, Some(4242), None).is_ok();
    if !given {
        println!("SKIPPED: only the superuser can give a file away");
    }
    given
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn s_m15_pipes_devices_sockets_and_directories_are_named_and_not_read() {
    let home = tempdir().unwrap();
    let fifo = pipe(&home, "pipe");
    let socket = home.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let table = [
        (fifo.clone(), NotRegular::Pipe),
        (link(&home, "to-pipe", &fifo), NotRegular::Pipe),
        (link(&home, "zero", "/dev/zero"), NotRegular::Device),
        (PathBuf::from("/dev/null"), NotRegular::Device),
        (socket, NotRegular::Socket),
        (home.path().to_owned(), NotRegular::Directory),
    ];
    for (path, what) in table {
        assert_eq!(kind(&path, AROUND), Some(FileErrorKind::NotRegular(what)), "{}", path.display());
        let line = in_time(move || first_line(&path, &AROUND).map_err(|error| error.kind()));
        assert_eq!(line, Err(FileErrorKind::NotRegular(what)));
    }
}

#[test]
fn s_k7_what_is_larger_than_the_limit_is_not_read_at_all() {
    let home = tempdir().unwrap();
    let too_large = Some(FileErrorKind::TooLarge { limit: LIMIT });
    let sparse = home.path().join("sparse");
    File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(kind(&sparse, AROUND), too_large);
    let exact = home.path().join("exact");
    fs::write(&exact, vec![b'x'; 1024]).unwrap();
    assert_eq!(read(&exact, &AROUND).unwrap().len(), 1024);
    fs::write(&exact, vec![b'x'; 1025]).unwrap();
    assert_eq!(kind(&exact, AROUND), too_large);
    // No length that could be known before: it is the reading that stops.
    let maps = Path::new("/proc/self/maps");
    if maps.exists() {
        assert_eq!(kind(maps, AROUND), too_large);
        assert_eq!(kind(&link(&home, "mem", "/proc/self/mem"), AROUND), Some(FileErrorKind::Io));
    }
    // A line is bounded and not its file.
    fs::write(&exact, format!("gitdir: x \n{}", "x".repeat(4096))).unwrap();
    assert_eq!(first_line(&exact, &AROUND).unwrap(), "gitdir: x");
    assert_eq!(first_line(&sparse, &AROUND).unwrap_err().kind(), FileErrorKind::TooLarge { limit: LIMIT });
}

#[test]
fn s_k7_a_link_counts_for_what_it_leads_to_or_not_at_all() {
    let home = tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "x").unwrap();
    let to_file = link(&home, "link", &file);
    assert_eq!(read(&to_file, &AROUND).unwrap(), b"x");
    assert_eq!(kind(&to_file, AROUND.with_links(Links::Refuse)), Some(FileErrorKind::Link));
    assert_eq!(kind(&to_file, Policy::decision(LIMIT)), Some(FileErrorKind::Link));
    assert_eq!(kind(&link(&home, "nowhere", "/nowhere/at/all"), AROUND), Some(FileErrorKind::Absent));
    let round = link(&home, "round", home.path().join("round"));
    assert_eq!(kind(&round, AROUND), Some(FileErrorKind::Io));
    assert_eq!(read(&round, &AROUND).unwrap_err().to_string(), "too many levels of symbolic links");
    assert_eq!(kind(&file.join("below"), AROUND), Some(FileErrorKind::Absent));
}

#[test]
fn s_n02_what_decides_belongs_to_this_account_or_root() {
    let home = tempdir().unwrap();
    let file = home.path().join("trust.json");
    fs::write(&file, "{}").unwrap();
    assert_eq!(read(&file, &Policy::decision(LIMIT)).unwrap(), b"{}");
    assert_eq!(Owner::of(&file), Some(Owner::Account));
    assert!(Owner::of(Path::new("/etc/passwd")).unwrap().is_trusted());
    assert_eq!(Owner::of(&home.path().join("none")), None);
    if !given_away(&file) {
        return;
    }
    assert_eq!(Owner::of(&file), Some(Owner::Other(4242)));
    assert_eq!(kind(&file, Policy::decision(LIMIT)), Some(FileErrorKind::Owner));
    assert_eq!(kind(&file, AROUND.owned()), Some(FileErrorKind::Owner));
    assert_eq!(kind(&link(&home, "ours", &file), AROUND.owned()), Some(FileErrorKind::Owner));
    assert_eq!(kind(&file, AROUND), None);
    // A link of another account to a file of ours.
    let theirs = link(&home, "theirs", home.path().join("own"));
    fs::write(home.path().join("own"), "{}").unwrap();
    std::os::unix::fs::lchown(&theirs, Some(4242), None).unwrap();
    assert_eq!(kind(&theirs, AROUND.owned()), Some(FileErrorKind::Owner));
}

#[test]
fn s_p3_a_pipe_that_a_person_named_is_read_up_to_the_limit() {
    let home = tempdir().unwrap();
    let fifo = pipe(&home, "pipe");
    let named = Policy::named(LIMIT);
    let write = |length: usize| {
        let fifo = fifo.clone();
        std::thread::spawn(move || drop(fs::write(fifo, vec![b'x'; length])))
    };
    write(1024);
    assert_eq!(
        in_time({
            let fifo = fifo.clone();
            move || read(&fifo, &named)
        })
        .unwrap()
        .len(),
        1024
    );
    write(1 << 20);
    assert_eq!(kind(&fifo, named), Some(FileErrorKind::TooLarge { limit: LIMIT }));
    assert_eq!(
        kind(&link(&home, "zero", "/dev/zero"), named),
        Some(FileErrorKind::NotRegular(NotRegular::Device))
    );
}

#[test]
fn s_n15_directories_and_files_are_private_under_any_umask() {
    const CHILD: &str = "MCP_FILES_UMASK_CHILD";
    #[expect(clippy::disallowed_methods, reason = "how this test tells its child from itself")]
    let is_child = std::env::var(CHILD).is_ok();
    if !is_child {
        for umask in ["000", "022", "277", "777"] {
            let child = Command::new("sh")
                .args(["-c", r#"umask "$1"; exec "$0" --exact "$2""#])
                .arg(std::env::current_exe().unwrap())
                .args([umask, "s_n15_directories_and_files_are_private_under_any_umask"])
                .env(CHILD, "1")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout).into_owned();
            assert!(child.status.success() && said.contains("1 passed"), "umask {umask}: {said}");
        }
        return;
    }
    let home = tempdir().unwrap();
    // Whatever the temporary directory got from the umask.
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let dir = home.path().join("a/b");
    private_dir(&dir, Links::Refuse).unwrap();
    append(&dir.join("log")).unwrap();
    replace(&dir.join("trust.json"), b"{}").unwrap();
    drop(lock(&dir.join("trust.json.lock"), Duration::ZERO).unwrap());
    for (path, expected) in [("", 0o700), ("log", 0o600), ("trust.json", 0o600), ("trust.json.lock", 0o600)] {
        assert_eq!(mode(&dir.join(path)), expected, "{path:?}");
    }
    assert_eq!(mode(&home.path().join("a")), 0o700);
}

#[test]
fn s_n15_nothing_is_written_through_links_or_into_pipes() {
    let home = tempdir().unwrap();
    let precious = home.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let to_precious = link(&home, "log", &precious);
    let fifo = pipe(&home, "pipe");
    let kinds = |error: FileError| error.kind();
    assert_eq!(append(&to_precious).map(drop).map_err(kinds), Err(FileErrorKind::Link));
    let dangling = link(&home, "dangling", home.path().join("made"));
    assert_eq!(append(&dangling).map(drop).map_err(kinds), Err(FileErrorKind::Link));
    let pipes = Err(FileErrorKind::NotRegular(NotRegular::Pipe));
    assert_eq!(
        in_time({
            let fifo = fifo.clone();
            move || append(&fifo).map(drop).map_err(kinds)
        }),
        pipes
    );
    assert_eq!(in_time(move || lock(&fifo, Duration::ZERO).map(drop).map_err(kinds)), pipes);
    // A link is replaced by a file, and what it leads to stays.
    replace(&to_precious, b"new").unwrap();
    assert_eq!(fs::read_to_string(&to_precious).unwrap(), "new");
    assert!(!fs::symlink_metadata(&to_precious).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    assert!(!home.path().join("made").exists());
}

#[test]
fn s_k7_a_directory_is_private_ours_and_no_link() {
    let home = tempdir().unwrap();
    let kinds = |error: FileError| error.kind();
    let dir = home.path().join("run");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(check_private_dir(&dir, Links::Refuse).map_err(kinds), Err(FileErrorKind::Open));
    private_dir(&dir, Links::Refuse).unwrap();
    assert_eq!(mode(&dir), 0o700);
    check_private_dir(&dir, Links::Refuse).unwrap();
    let to_dir = link(&home, "link", &dir);
    assert_eq!(private_dir(&to_dir, Links::Refuse).map_err(kinds), Err(FileErrorKind::Link));
    assert_eq!(check_private_dir(&to_dir, Links::Refuse).map_err(kinds), Err(FileErrorKind::Link));
    private_dir(&to_dir, Links::Follow).unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let a_file = Err(FileErrorKind::NotRegular(NotRegular::File));
    assert_eq!(private_dir(&file, Links::Refuse).map_err(kinds), a_file);
    assert_eq!(
        check_private_dir(&home.path().join("none"), Links::Refuse).map_err(kinds),
        Err(FileErrorKind::Absent)
    );
    if given_away(&dir) {
        for refused in [
            private_dir(&dir, Links::Refuse),
            check_private_dir(&dir, Links::Refuse),
            private_dir(&to_dir, Links::Follow),
        ] {
            assert_eq!(refused.map_err(kinds), Err(FileErrorKind::Owner));
        }
    }
}

#[test]
fn s_k7_what_an_owner_took_from_itself_stays_taken() {
    let home = tempdir().unwrap();
    for (given, left) in [
        (0o500, 0o500),
        (0o555, 0o500),
        (0o300, 0o300),
        (0o700, 0o700),
        (0o775, 0o700),
        (0o2750, 0o700),
        (0o1777, 0o700),
    ] {
        let dir = home.path().join(format!("{given:o}"));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(given)).unwrap();
        private_dir(&dir, Links::Refuse).unwrap();
        assert_eq!(mode(&dir), left, "{given:o}");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    }
    for (given, left) in [(0o400, 0o400), (0o444, 0o400), (0o600, 0o600), (0o664, 0o600)] {
        let file = home.path().join(format!("file {given:o}"));
        fs::write(&file, "x").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(given)).unwrap();
        assert_eq!(read_private(&file, LIMIT).unwrap(), b"x");
        assert_eq!(mode(&file), left, "{given:o}");
    }
}

#[test]
fn s_p4_a_file_that_is_not_written_leaves_the_old_one_and_says_why() {
    let home = tempdir().unwrap();
    let missing = replace(&home.path().join("none/file"), b"x").unwrap_err();
    assert_eq!(missing.to_string(), "it does not exist");
    let dir = home.path().join("dir");
    fs::create_dir(&dir).unwrap();
    assert_eq!(replace(&dir, b"x").unwrap_err().to_string(), "it is a directory");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "a draft was left behind");
    // The device that is always full.
    let full = std::io::Write::write_all(&mut File::create("/dev/full").unwrap(), b"x").unwrap_err();
    assert_eq!(mcp_files::reason(&full), "the disk is full");
}

#[test]
fn what_is_published_once_stays() {
    let home = tempdir().unwrap();
    let path = home.path().join("key");
    assert!(publish(&path, b"first").unwrap());
    assert!(!publish(&path, b"second").unwrap());
    assert_eq!(read(&path, &Policy::secret(LIMIT)).unwrap(), b"first");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(kind(&path, Policy::secret(LIMIT)), Some(FileErrorKind::Readable));
}

#[test]
fn drafts_of_writers_that_died_are_swept_and_others_stay() {
    let home = tempdir().unwrap();
    for name in [".trust.json.new-1-0", ".other.json.new-1-0", "trust.json"] {
        fs::write(home.path().join(name), "x").unwrap();
    }
    sweep(&home.path().join("trust.json")).unwrap();
    let mut left: Vec<_> =
        fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".other.json.new-1-0", "trust.json"]);
}

#[test]
fn a_lock_is_held_by_one() {
    let home = tempdir().unwrap();
    let path = home.path().join("lock");
    let held = lock(&path, Duration::ZERO).unwrap();
    assert_eq!(lock(&path, Duration::from_millis(20)).unwrap_err().kind(), FileErrorKind::Busy);
    drop(held);
    lock(&path, Duration::ZERO).unwrap();
}
