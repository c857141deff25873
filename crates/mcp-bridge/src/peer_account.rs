//! Who is at the other end of a socket.

use std::io;

use tokio::net::UnixStream;

/// Insists that the process at the other end acts as this account. The directory keeps others away from its sockets;
/// this holds where it did not do so always.
///
/// # Errors
///
/// It acts as another account ([`PermissionDenied`](io::ErrorKind::PermissionDenied)), or the system does not tell.
pub fn check_peer(stream: &UnixStream) -> io::Result<()> {
    check_account(stream.peer_cred()?.uid())
}

fn check_account(peer: u32) -> io::Result<()> {
    if Some(peer) == mcp_files::account() {
        return Ok(());
    }
    let text = "the process at the other end belongs to another account";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_account_passes_and_no_other_one() {
        let (end, _other) = UnixStream::pair().unwrap();
        assert!(check_peer(&end).is_ok());
        let error = check_account(mcp_files::account().unwrap() + 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
}
