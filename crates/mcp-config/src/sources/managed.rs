//! The administrator's settings: one file, and a directory of further ones.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file;
use crate::ConfigSource;
use crate::source::{Content, FilePurpose, Source};

/// The directory of the administrator's drop-in files.
pub(super) fn drop_ins(dir: &Path) -> PathBuf {
    dir.join("managed-settings.d")
}

/// `managed-settings.json` and, after it, the drop-in files in the order of their names.
pub(super) fn settings(dir: &Path) -> Vec<Source> {
    let mut sources = vec![file(FilePurpose::ManagedSettings, dir.join("managed-settings.json"))];
    let folder = drop_ins(dir);
    let listed: io::Result<Vec<PathBuf>> = fs::read_dir(&folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    match listed {
        Ok(mut paths) => {
            paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
            paths.retain(|path| {
                !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
            });
            paths.sort();
            sources.extend(paths.into_iter().map(|path| file(FilePurpose::ManagedSettings, path)));
        }
        // A link that leads nowhere is one.
        Err(_)
            if fs::symlink_metadata(&folder).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) => {}
        // Security: what cannot be listed may hold a denial.
        Err(error) => {
            let why = format!("it cannot be listed: {}", mcp_files::reason(&error));
            sources.push(Source::of(
                FilePurpose::ManagedSettings,
                ConfigSource::File(folder),
                Content::Unreadable(why),
            ));
        }
    }
    sources
}
