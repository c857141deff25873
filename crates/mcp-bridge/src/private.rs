//! What is for this account alone: a directory, and who is at the other end of a socket in it.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use tokio::net::UnixStream;

/// The account that this process acts as. Must be called inside a tokio runtime.
///
/// # Errors
///
/// There are no file descriptors left, or the system does not tell.
pub(crate) fn account() -> io::Result<u32> {
    // The standard library does not tell. A socket does, of its other end, which here is this process; a file that is
    // made to see whose it is would be made in a directory that is not known to be private yet.
    let (end, _other) = UnixStream::pair()?;
    Ok(end.peer_cred()?.uid())
}

/// Insists that the process at the other end acts as this account. The directory keeps others away from its sockets;
/// this holds where it did not do so always.
///
/// # Errors
///
/// It acts as another account ([`PermissionDenied`](io::ErrorKind::PermissionDenied)), or the system does not tell.
pub(crate) fn check_peer(stream: &UnixStream) -> io::Result<()> {
    check_owner(stream.peer_cred()?.uid(), "the process at the other end")
}

/// Insists that what is found belongs to this account.
pub(crate) fn check_owner(owner: u32, what: &str) -> io::Result<()> {
    if owner == account()? {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{what} belongs to another account")))
}

/// Makes `directory` if it is missing, and insists that nobody else can enter it. Must be called inside a tokio runtime.
///
/// # Errors
///
/// It cannot be made, is no directory, or belongs to another account.
pub(crate) fn private_directory(directory: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // Security: in a shared temporary directory anybody could have made it first, or a link to another one.
    let metadata = std::fs::symlink_metadata(directory)?;
    if !metadata.is_dir() {
        let text = format!("{} is no directory", directory.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    check_owner(metadata.uid(), &directory.display().to_string())?;
    if metadata.mode() & 0o077 != 0 {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_belongs_to_this_account_passes_and_nothing_else() {
        let own = account().unwrap();
        assert!(check_owner(own, "it").is_ok());
        let error = check_owner(own + 1, "it").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(error.to_string(), "it belongs to another account");
        let (end, _other) = UnixStream::pair().unwrap();
        assert!(check_peer(&end).is_ok());
    }

    #[tokio::test]
    async fn a_directory_that_others_could_enter_is_closed_and_what_lies_in_it_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("run");
        std::fs::create_dir(&directory).unwrap();
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777)).unwrap();
        // Whatever somebody planted before: nothing is opened, so no link is followed.
        let precious = home.path().join("precious");
        std::fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, directory.join(format!(".{}-owner", std::process::id())))
            .unwrap();
        private_directory(&directory).unwrap();
        assert_eq!(std::fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_link_and_a_directory_of_another_account_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let (there, link) = (home.path().join("there"), home.path().join("link"));
        private_directory(&there).unwrap();
        std::os::unix::fs::symlink(&there, &link).unwrap();
        assert_eq!(private_directory(&link).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        // Only the superuser can give a directory away; others cannot see this refusal here.
        let own = account().unwrap();
        if own == 0 && std::os::unix::fs::chown(&there, Some(own + 1), None).is_ok() {
            assert_eq!(private_directory(&there).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
    }
}
