//! Appending to a file that never grows past its limit: 10 MB, and two older files beside it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mcp_files::Links;

/// The size at which a file is put aside, in bytes.
const LIMIT: u64 = 10_000_000;
/// How many files there are at most, the current one included.
const FILES: u32 = 3;

/// Appends `line` to `path`, readable by its owner only, after putting a full file aside.
pub(super) fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    append_within(path, line, LIMIT)
}

fn append_within(path: &Path, line: &[u8], limit: u64) -> io::Result<()> {
    let mut file = open(path)?;
    if file.metadata()?.len() + line.len() as u64 > limit {
        rotate(path, &file, limit)?;
        file = open(path)?;
    }
    // One write of a whole line to a file that is only appended to: lines of several processes do not mix.
    file.write_all(line)
}

/// Security: what happened to a person's servers is for that person, whatever the umask; and another account's link or
/// pipe in its place must neither be written through nor waited for.
fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        mcp_files::private_dir(directory, Links::Refuse)
            .map_err(|error| io::Error::other(format!("{}: {error}", directory.display())))?;
    }
    mcp_files::append(path).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

/// Puts the full file aside. Of several processes that notice at once, one does it.
fn rotate(path: &Path, full: &File, limit: u64) -> io::Result<()> {
    full.lock()?;
    // The lock's last holder may have done it: then `path` is another file by now, and short.
    if std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.len() < limit / 2) {
        return Ok(());
    }
    for number in (1..FILES - 1).rev() {
        rename(&aside(path, number), &aside(path, number + 1))?;
    }
    rename(path, &aside(path, 1))
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

/// `web.jsonl.1`, `web.jsonl.2`.
fn aside(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_put_aside_and_the_oldest_is_dropped() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("logs").join("web.jsonl");
        for number in 0..10 {
            append_within(&path, format!("line {number}\n").as_bytes(), 16).unwrap();
        }
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(read(&path), "line 8\nline 9\n");
        assert_eq!(read(&aside(&path, 1)), "line 6\nline 7\n");
        assert_eq!(read(&aside(&path, 2)), "line 4\nline 5\n");
        assert!(!aside(&path, 3).exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("web.jsonl");
        append(&path, b"x\n").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn writers_at_once_lose_no_line() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("web.jsonl");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for number in 0..50 {
                        append_within(path, format!("{writer} {number:04}\n").as_bytes(), 1_000).unwrap();
                    }
                });
            }
        });
        let all: Vec<PathBuf> = vec![path.clone(), aside(&path, 1), aside(&path, 2)];
        let text: String = all.iter().map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect();
        assert!(text.lines().count() > 100 && text.lines().all(|line| line.len() == 6), "{text}");
    }
}
