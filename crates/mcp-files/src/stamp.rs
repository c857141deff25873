//! Noticing that what is behind a name is something else, without reading it.

use std::fs::Metadata;
use std::path::Path;
use std::time::SystemTime;

use crate::system;

/// What a name led to at a moment. Two that differ tell a change; two that are equal tell that there was none, but for
/// changes within the same tick of the clock of the file system, which is some milliseconds long: who needs to be sure
/// reads once more a moment after a change.
///
/// Files and directories have one (that of a directory changes with the names in it). Anything else, and nothing at all,
/// have none: a pipe changes by being used.
///
/// # Examples
///
/// ```
/// use mcp_files::Stamp;
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("settings");
/// let before = Stamp::of(&file);
/// std::fs::write(&file, "new")?;
/// assert_ne!(Stamp::of(&file), before);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stamp(Option<FileState>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct FileState {
    length: u64,
    modified: Option<SystemTime>,
    identity: system::Identity,
}

impl Stamp {
    /// What is at `path` now, where links lead. Opens nothing.
    pub fn of(path: &Path) -> Self {
        let found = std::fs::metadata(path).ok().filter(|found| found.is_file() || found.is_dir());
        Self(found.as_ref().map(FileState::of))
    }
}

impl FileState {
    fn of(found: &Metadata) -> Self {
        Self { length: found.len(), modified: found.modified().ok(), identity: system::identity(found) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_kind_of_change_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        let mut before = Stamp::of(&path);
        assert_eq!(before, Stamp::default());
        let mut changed = |what: &str, change: &dyn Fn()| {
            sleep(Duration::from_millis(20));
            change();
            let now = Stamp::of(&path);
            assert_ne!(now, before, "{what}");
            before = now;
        };
        changed("made", &|| fs::write(&path, "1").unwrap());
        changed("written in place, as long as before", &|| fs::write(&path, "2").unwrap());
        changed("replaced", &|| {
            fs::write(&other, "3").unwrap();
            fs::rename(&other, &path).unwrap();
        });
        changed("removed", &|| fs::remove_file(&path).unwrap());
        changed("a directory", &|| fs::create_dir(&path).unwrap());
        changed("a name in it", &|| fs::write(path.join("c"), "").unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_what_it_leads_to_and_a_device_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "1").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(Stamp::of(&link), Stamp::of(&file));
        assert_eq!(Stamp::of(Path::new("/dev/null")), Stamp::default());
    }
}
