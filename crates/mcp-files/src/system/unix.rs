//! What only the system knows: accounts, special files, flags of opening.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::error::NotRegular;
use crate::read::Links;

pub(crate) fn account() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

#[expect(clippy::unnecessary_wraps, reason = "other systems do not tell")]
pub(crate) fn owner(metadata: &Metadata) -> Option<u32> {
    Some(metadata.uid())
}

/// Device, number, and when it was last changed in any way: a program may set the time of the content as it likes.
pub(crate) type Identity = (u64, u64, i64, i64);

pub(crate) fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

pub(crate) fn special(metadata: &Metadata) -> NotRegular {
    let kind = metadata.file_type();
    if kind.is_fifo() {
        NotRegular::Pipe
    } else if kind.is_socket() {
        NotRegular::Socket
    } else if kind.is_char_device() || kind.is_block_device() {
        NotRegular::Device
    } else {
        NotRegular::Other
    }
}

pub(crate) fn open(path: &Path, links: Links, waits: bool) -> io::Result<File> {
    let mut flags = OFlags::NOCTTY;
    flags.set(OFlags::NONBLOCK, !waits);
    flags.set(OFlags::NOFOLLOW, links == Links::Refuse);
    open_with(OpenOptions::new().read(true), path, flags)
}

/// For this account alone, and not through a link. It does not wait for the reader of a pipe.
pub(crate) fn open_private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    open_with(options.mode(0o600), path, OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::NOFOLLOW)
}

/// Whether it is for a link that it was not opened.
pub(crate) fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// A directory itself, not what a link leads to, unless it may.
pub(crate) fn open_dir(path: &Path, links: Links) -> io::Result<File> {
    let mut flags = OFlags::DIRECTORY;
    flags.set(OFlags::NOFOLLOW, links == Links::Refuse);
    open_with(OpenOptions::new().read(true), path, flags)
}

fn open_with(options: &mut OpenOptions, path: &Path, flags: OFlags) -> io::Result<File> {
    // The bits of the flags are the system's own, in a type that differs in sign only.
    options.custom_flags(flags.bits().cast_signed()).open(path)
}

pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

/// What others may do with it, or its owner may not.
pub(crate) fn is_mode(metadata: &Metadata, mode: u32) -> bool {
    metadata.mode() & 0o777 == mode
}

/// Whether others may write to it.
pub(crate) fn is_writable_by_others(metadata: &Metadata) -> bool {
    metadata.mode() & 0o022 != 0
}

/// Whether every account may write to it, or rename what is in it.
pub(crate) fn is_open_to_all(metadata: &Metadata) -> bool {
    const WRITES: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    let mode = metadata.mode();
    mode & WRITES != 0 && !(metadata.is_dir() && mode & STICKY != 0)
}

/// Whether others may do anything with it.
pub(crate) fn is_open_to_others(metadata: &Metadata) -> bool {
    metadata.mode() & 0o077 != 0
}

/// Through the handle: the name may be another one's by now.
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

/// Takes away what others may do with it, and nothing else.
pub(crate) fn close_to_others(file: &File, found: &Metadata) -> io::Result<()> {
    set_mode(file, found.mode() & 0o7700)
}

/// Whether its owner may write to it.
pub(crate) fn is_writable(found: &Metadata) -> bool {
    found.mode() & 0o200 != 0
}

/// Makes a file of this account as open as one that it takes the place of, to the same group. Where that group cannot be
/// had, there is none.
pub(crate) fn open_as(file: &File, found: &Metadata) -> io::Result<()> {
    let mut mode = found.mode() & 0o7777;
    let other_group = file.metadata()?.gid() != found.gid();
    if other_group && std::os::unix::fs::fchown(file, None, Some(found.gid())).is_err() {
        mode &= !0o2070;
    }
    set_mode(file, mode)
}

/// Makes a file as open as the directory that it is in, for those who do not run it.
pub(crate) fn open_as_directory(file: &File, directory: &Metadata) -> io::Result<()> {
    set_mode(file, directory.mode() & 0o666)
}

pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    open_dir(path, Links::Follow)?.sync_all()
}
