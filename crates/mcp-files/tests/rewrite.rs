//! Files that people and other programs keep: rewritten whole or not at all, and as open as they were.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mcp_files::{
    FileError, FileErrorKind, Lock, NewFile, NotRegular, Rewrite, RewriteOutcome, account, rewrite,
};
use tempfile::{TempDir, tempdir};

const LIMIT: u64 = 1 << 20;

fn how(locks: &Path) -> Rewrite<'_> {
    Rewrite::new(locks, LIMIT, NewFile::Private)
}

fn append(path: &Path, locks: &Path, line: &str) -> Result<RewriteOutcome, FileError> {
    rewrite(path, &how(locks), |content| Ok(Some([content.unwrap_or_default(), line.as_bytes()].concat())))
}

fn file(home: &TempDir, name: &str, mode: u32) -> PathBuf {
    let path = home.path().join(name);
    fs::write(&path, "old\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// What is in a directory, but for the locks.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name != "locks");
    names.sort();
    names
}

#[test]
fn mode_and_group_stay_and_a_new_file_is_as_open_as_it_is_asked_to_be() {
    let home = tempdir().unwrap();
    let locks = home.path().join("locks");
    for bits in [0o600, 0o644, 0o664, 0o755] {
        let path = file(&home, "a", bits);
        let other_group = account() == Some(0) && chown(&path, None, Some(4242)).is_ok();
        let done = append(&path, &locks, "new\n").unwrap();
        assert!(done.changed && !done.is_new);
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("old\nnew\n", bits));
        if other_group {
            assert_eq!(fs::metadata(&path).unwrap().gid(), 4242);
        }
    }
    // Nothing to do is nothing done.
    let before = fs::metadata(home.path().join("a")).unwrap().ino();
    let same =
        rewrite::<FileError>(&home.path().join("a"), &how(&locks), |content| Ok(content.map(<[u8]>::to_vec)));
    let none = rewrite::<FileError>(&home.path().join("a"), &how(&locks), |_| Ok(None));
    assert!(!same.unwrap().changed && !none.unwrap().changed);
    assert_eq!(fs::metadata(home.path().join("a")).unwrap().ino(), before);

    let deep = home.path().join("x/y/new");
    assert!(append(&deep, &locks, "1").unwrap().is_new);
    assert_eq!((mode(&deep), mode(&home.path().join("x"))), (0o600, 0o700));
    let open = home.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o775)).unwrap();
    let shared = Rewrite::new(&locks, LIMIT, NewFile::AsDirectory);
    rewrite::<FileError>(&open.join("new"), &shared, |_| Ok(Some(b"1".to_vec()))).unwrap();
    assert_eq!((mode(&open.join("new")), mode(&open)), (0o664, 0o775));
    assert_eq!(names(&open), ["new"], "no draft is left");
}

#[test]
fn a_link_stays_a_link_and_what_it_leads_to_is_changed() {
    let home = tempdir().unwrap();
    let locks = home.path().join("locks");
    fs::create_dir(home.path().join("dotfiles")).unwrap();
    let target = file(&home, "dotfiles/real", 0o640);
    let (link, second) = (home.path().join("link"), home.path().join("second"));
    symlink("dotfiles/real", &link).unwrap();
    symlink(&link, &second).unwrap();
    let done = append(&second, &locks, "new\n").unwrap();
    assert_eq!(done.file, fs::canonicalize(&target).unwrap());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!((fs::read_to_string(&link).unwrap().as_str(), mode(&target)), ("old\nnew\n", 0o640));
    // One that leads to nothing yet.
    let dangling = home.path().join("dangling");
    symlink("dotfiles/later", &dangling).unwrap();
    assert!(append(&dangling, &locks, "1").unwrap().is_new);
    assert_eq!(fs::read_to_string(home.path().join("dotfiles/later")).unwrap(), "1");
    symlink("circle", home.path().join("circle")).unwrap();
    let error = append(&home.path().join("circle"), &locks, "1").unwrap_err();
    assert_eq!(error.to_string(), "its links lead in a circle");
}

#[test]
fn what_is_not_ours_to_change_is_refused_by_name_and_left() {
    let home = tempdir().unwrap();
    let locks = home.path().join("locks");
    let kind = |path: &Path| append(path, &locks, "x").map_err(|error| error.kind()).unwrap_err();
    let pipe = home.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(kind(&pipe), FileErrorKind::NotRegular(NotRegular::Pipe));
    assert_eq!(kind(home.path()), FileErrorKind::NotRegular(NotRegular::Directory));
    assert_eq!(kind(&home.path().join("..")), FileErrorKind::NotRegular(NotRegular::Directory));
    let closed = file(&home, "closed", 0o444);
    assert_eq!(kind(&closed), FileErrorKind::ReadOnly);
    let large = file(&home, "large", 0o600);
    fs::write(&large, vec![b'x'; LIMIT as usize]).unwrap();
    assert_eq!(kind(&large), FileErrorKind::TooLarge { limit: LIMIT }, "it would not be read again");
    if account() == Some(0) {
        let foreign = file(&home, "foreign", 0o666);
        chown(&foreign, Some(4242), None).unwrap();
        assert_eq!(kind(&foreign), FileErrorKind::Owner);
        let link = home.path().join("theirs");
        symlink(&closed, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(4242), None).unwrap();
        assert_eq!(kind(&link), FileErrorKind::Owner);
        assert_eq!(fs::read(&foreign).unwrap(), b"old\n");
    } else {
        println!("SKIPPED: only the superuser can give a file away");
        let folder = home.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a"), "old\n").unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
        assert_eq!(kind(&folder.join("a")), FileErrorKind::Io);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert_eq!(fs::read(&closed).unwrap(), b"old\n");
    assert!(!names(home.path()).iter().any(|name| name.contains(".new-")));
}

#[test]
fn what_another_program_wrote_meanwhile_is_read_again() {
    let home = tempdir().unwrap();
    let (locks, path) = (home.path().join("locks"), file(&home, "a", 0o600));
    let mut calls = 0;
    let done = rewrite::<FileError>(&path, &how(&locks), |content| {
        calls += 1;
        if calls == 1 {
            fs::write(&path, "other, and longer\n").unwrap();
        }
        Ok(Some([content.unwrap(), b"new\n"].concat()))
    });
    assert!(done.unwrap().changed);
    assert_eq!((calls, fs::read_to_string(&path).unwrap().as_str()), (2, "other, and longer\nnew\n"));
    let error = rewrite::<FileError>(&path, &how(&locks), |content| {
        let more = [content.unwrap(), b"."].concat();
        fs::write(&path, &more).unwrap();
        Ok(Some(b"lost".to_vec()))
    });
    assert_eq!(error.unwrap_err().kind(), FileErrorKind::Changing);
    assert_eq!(names(home.path()), ["a"], "no draft is left");
}

/// This test again, in a process of its own, with `WHAT` to do at `PATH`.
fn again(test: &str, what: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("REWRITE_WHAT", what)
        .env("REWRITE_PATH", path)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "what this very test handed to its other process")]
fn asked() -> Option<(String, PathBuf)> {
    let what = std::env::var("REWRITE_WHAT").ok()?;
    Some((what, std::env::var_os("REWRITE_PATH")?.into()))
}

#[test]
fn sixteen_processes_at_once_lose_nothing() {
    const LINES: usize = 8;
    if let Some((what, path)) = asked() {
        for line in 0..LINES {
            let locks = path.with_file_name("locks");
            let patient = how(&locks).with_patience(Duration::from_secs(60));
            rewrite::<FileError>(&path, &patient, |content| {
                Ok(Some([content.unwrap_or_default(), format!("{what}.{line}\n").as_bytes()].concat()))
            })
            .unwrap();
        }
        return;
    }
    let home = tempdir().unwrap();
    let path = home.path().join("a");
    let test = "sixteen_processes_at_once_lose_nothing";
    let writers: Vec<Child> = (0..16).map(|writer| again(test, &writer.to_string(), &path)).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    let content = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = content.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 16 * LINES);
    assert_eq!(names(home.path()), ["a"]);
}

#[test]
fn killed_at_any_moment_the_file_is_the_old_one_or_the_new_one() {
    if let Some((_, path)) = asked() {
        // Numbers that grow, each as long as the file: half of one would be seen.
        loop {
            rewrite::<FileError>(&path, &how(&path.with_file_name("locks")), |content| {
                let number = content.map_or(0, |content| u64::from(content[0]));
                Ok(Some(vec![u8::try_from((number + 1) % 251).unwrap(); 200_000]))
            })
            .unwrap();
        }
    }
    let home = tempdir().unwrap();
    let path = home.path().join("a");
    let locks = home.path().join("locks");
    fs::write(&path, vec![0; 200_000]).unwrap();
    let mut seen_drafts = 0;
    for round in 0..40 {
        let before = fs::read(&path).unwrap();
        let mut writer = again("killed_at_any_moment_the_file_is_the_old_one_or_the_new_one", "", &path);
        // It has begun once it has written; then it is killed somewhere in what it does.
        for _ in 0..2000 {
            if fs::read(&path).unwrap() != before {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(round * 137));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let content = fs::read(&path).unwrap();
        assert_eq!(content.len(), 200_000);
        assert!(
            content.iter().all(|byte| *byte == content[0]),
            "half of the old one and half of the new one"
        );
        seen_drafts += usize::from(names(home.path()).len() > 1);
        // Neither its lock nor its draft is in the way of the next one.
        append(&path, &locks, "").unwrap();
        rewrite::<FileError>(&path, &how(&locks), |content| {
            Ok(Some(vec![content.unwrap()[0].wrapping_add(1) % 251; 200_000]))
        })
        .unwrap();
        assert_eq!(names(home.path()), ["a"]);
    }
    assert!(seen_drafts > 0, "it was never killed while it wrote");
}

#[test]
fn a_lock_that_is_held_is_told() {
    let home = tempdir().unwrap();
    let (locks, path) = (home.path().join("locks"), file(&home, "a", 0o600));
    append(&path, &locks, "x").unwrap();
    let name = names(&locks).pop().unwrap();
    let held: Lock = mcp_files::lock(&locks.join(name), Duration::ZERO).unwrap();
    let hurried = how(&locks).with_patience(Duration::from_millis(20));
    let error = rewrite::<FileError>(&path, &hurried, |_| Ok(Some(Vec::new()))).unwrap_err();
    assert_eq!(error.kind(), FileErrorKind::Busy);
    drop(held);
    append(&path, &locks, "y").unwrap();
}

#[test]
fn a_file_is_removed_where_it_is_what_was_expected_and_a_link_to_it_stays() {
    let home = tempdir().unwrap();
    let locks = home.path().join("locks");
    let path = file(&home, "a", 0o600);
    symlink(&path, home.path().join("link")).unwrap();
    let link = home.path().join("link");
    let remove = |path: &Path, expected: &str| {
        mcp_files::remove(path, &how(&locks), |content| Ok::<_, FileError>(content == expected.as_bytes()))
    };
    assert!(!remove(&link, "other\n").unwrap() && path.exists());
    assert!(remove(&link, "old\n").unwrap());
    assert_eq!(names(home.path()), ["link"]);
    assert!(!remove(&link, "old\n").unwrap(), "there is nothing to remove");
    let kept = file(&home, "b", 0o400);
    assert!(account() == Some(0) || remove(&kept, "old\n").is_err());
}
