//! What there is to be seen of a file system.

use std::io::Read as _;
use std::path::Path;

use mcp_files::Policy;

/// How much of a program is read, in bytes: its `#!` line, which systems cut at 256, or its magic number.
const HEAD: u64 = 256;
/// How many names of a folder are looked at.
const NAMES: usize = 100;

/// What is in a place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PathKind {
    /// Nothing, or nothing that may be seen.
    Nothing,
    Folder,
    /// A file that may not be executed.
    Plain,
    /// A file that some account may execute.
    Program,
}

/// A look at a file system. It decides nothing: it only tells people why something went wrong.
pub(crate) trait FileSystemView {
    fn at(&self, path: &str) -> PathKind;

    /// What a link says that it leads to; `None` where it is not a link.
    fn link(&self, path: &str) -> Option<String>;

    /// The first bytes of a file; none where it cannot be read.
    fn head(&self, path: &str) -> Vec<u8>;

    /// What is in a folder.
    fn names(&self, folder: &str) -> Vec<String>;
}

/// The one of this machine.
#[derive(Debug)]
pub(crate) struct Disk;

impl FileSystemView for Disk {
    fn at(&self, path: &str) -> PathKind {
        match std::fs::metadata(path) {
            Err(_) => PathKind::Nothing,
            Ok(metadata) if metadata.is_dir() => PathKind::Folder,
            Ok(metadata) if is_executable(&metadata) => PathKind::Program,
            Ok(_) => PathKind::Plain,
        }
    }

    fn link(&self, path: &str) -> Option<String> {
        std::fs::read_link(path).ok().map(|target| target.to_string_lossy().into_owned())
    }

    fn head(&self, path: &str) -> Vec<u8> {
        let mut head = Vec::new();
        if let Ok(file) = mcp_files::open(Path::new(path), &Policy::surroundings(u64::MAX)) {
            // What was read before an error counts.
            let _ = file.take(HEAD).read_to_end(&mut head);
        }
        head
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().take(NAMES).flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    metadata.is_file() && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    metadata.is_file()
}
