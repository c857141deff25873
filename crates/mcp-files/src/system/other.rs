//! Where files have no owner and no mode of this kind: the rights of the profile directory are inherited.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use crate::error::NotRegular;
use crate::read::Links;

pub(crate) fn account() -> Option<u32> {
    None
}

pub(crate) fn owner(_: &Metadata) -> Option<u32> {
    None
}

pub(crate) type Identity = ();

pub(crate) fn identity(_: &Metadata) -> Identity {}

pub(crate) fn special(_: &Metadata) -> NotRegular {
    NotRegular::Other
}

pub(crate) fn open(path: &Path, _: Links, _: bool) -> io::Result<File> {
    File::open(path)
}

pub(crate) fn open_private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.open(path)
}

pub(crate) fn is_link(_: &io::Error) -> bool {
    false
}

pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

pub(crate) fn is_writable_by_others(_: &Metadata) -> bool {
    false
}

pub(crate) fn is_open_to_all(_: &Metadata) -> bool {
    false
}

pub(crate) fn is_open_to_others(_: &Metadata) -> bool {
    false
}

pub(crate) fn close_to_others(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

pub(crate) fn is_writable(found: &Metadata) -> bool {
    !found.permissions().readonly()
}

pub(crate) fn open_as(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

pub(crate) fn open_as_directory(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// A rename is on disk when its directory is; here directories cannot be opened as files, and the file system keeps
/// renames in order by itself.
pub(crate) fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}
