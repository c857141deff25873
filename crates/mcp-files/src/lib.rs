//! The files of an account: read with care where others may have put them, written for this account alone.
//!
//! The design decision of this crate: **what is behind a name is judged before its content is.** Another account can put a
//! pipe, a device, a link or a terabyte where a file is expected; so a file is looked at before it is opened, opened
//! without waiting, looked at again through its handle, which cannot be exchanged any more, and read up to a limit.
//! What is written is for its owner only, whatever the umask, and never goes through a link; what people and other
//! programs keep is rewritten where links lead, and stays as open as it was.
#![doc = "\n# The ten lines\n"]
#![doc = include_str!("../README.md")]

mod error;
mod lock;
mod owner;
mod peer;
#[cfg(unix)]
mod pipe;
mod private;
mod read;
mod rewrite;
mod stamp;
#[cfg_attr(unix, path = "system/unix.rs")]
#[cfg_attr(not(unix), path = "system/other.rs")]
mod system;

pub use error::{FileError, FileErrorKind, NotRegular, reason};
pub use lock::{Lock, lock};
pub use owner::{OpenPlaces, Owner, account, is_readable_by_all, is_withheld_from_owner};
pub use peer::is_trusted_peer;
#[cfg(unix)]
pub use pipe::{PipeEnd, reopen_pipe};
pub use private::{
    append, check_private_dir, lock_file, private_dir, publish, read_private, replace, replace_after, sweep,
    sync_dir,
};
pub use read::{Links, Policy, first_line, is_pipe, open, read, read_within};
pub use rewrite::{NewFile, Rewrite, RewriteOutcome, remove, rewrite};
pub use stamp::Stamp;
