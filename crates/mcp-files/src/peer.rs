//! Whose the other end of a connection of this machine is.
//!
//! Security: every account can connect to a port of this machine, and what a browser is started with, a code included, stands in
//! the list of processes. Linux tells whose each end of a connection is; where a system does not, everything is let in.

use std::net::{IpAddr, SocketAddr};

use crate::{Policy, account, read};

/// A longer table of connections is not read, in bytes.
const MAX_TABLE: u64 = 16 * 1024 * 1024;

/// States of the tables: open at both ends, and waiting for connections (`tcp_states.h` of Linux).
const ESTABLISHED: &str = "01";
const LISTEN: &str = "0A";

/// Whether a connection from `from` to `to`, which is ours, is of this account or of the superuser, as far as the system tells.
///
/// To be asked when the connection was accepted: one that has ended by then is no one's, and is not trusted, because what it has
/// sent could still be read.
pub fn is_trusted_peer(from: SocketAddr, to: SocketAddr) -> bool {
    let table = |name: &str| {
        let path = format!("/proc/{}/net/{name}", std::process::id());
        String::from_utf8(read(path.as_ref(), &Policy::surroundings(MAX_TABLE)).ok()?).ok()
    };
    let (Some(own), Some(plain)) = (account(), table("tcp")) else { return true };
    judge(own, &plain, &table("tcp6").unwrap_or_default(), from, to)
}

fn judge(own: u32, plain: &str, tcp6: &str, from: SocketAddr, to: SocketAddr) -> bool {
    let forms = [(plain, from, to), (tcp6, mapped(from), mapped(to))];
    match forms.iter().find_map(|(table, from, to)| find(table, *from, Some(*to))) {
        Some(end) => end.account == own || end.account == 0 && end.state == ESTABLISHED,
        // A table in which not even our own listener is tells nothing.
        None => !forms.iter().any(|(table, _, to)| find(table, *to, None).is_some()),
    }
}

/// One end of a connection. One that was closed is shown as the superuser's.
#[derive(Debug, Eq, PartialEq)]
struct End<'t> {
    account: u32,
    state: &'t str,
}

/// The end at `local`, of a connection to `remote`, or that listens: proc_pid_net(5).
fn find(table: &str, local: SocketAddr, remote: Option<SocketAddr>) -> Option<End<'_>> {
    let (local, remote) = (written(local), remote.map(written));
    let ends = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = *fields.get(1)? == local
            && match &remote {
                Some(remote) => fields.get(2)? == remote,
                None => *fields.get(3)? == LISTEN,
            };
        is_it.then_some(End { account: fields.get(7)?.parse().ok()?, state: fields.get(3)? })
    });
    ends.into_iter().next()
}

/// An address of IPv4 as sockets of IPv6 have it.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::from((ip.to_ipv6_mapped(), address.port())),
        IpAddr::V6(_) => address,
    }
}

/// Numbers of four bytes each, as this machine has them in memory.
fn written(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words =
        octets.chunks_exact(4).map(|four| four.try_into().map(u32::from_ne_bytes).unwrap_or_default());
    let ip: String = words.map(|word| format!("{word:08X}")).collect();
    format!("{ip}:{:04X}", address.port())
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn line(local: &str, remote: &str, state: &str, account: u32) -> String {
        format!(
            "   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000 {account:>5}        0 1 1\n"
        )
    }

    #[test]
    fn s_w1_s_n16a_only_this_account_and_root_are_trusted() {
        let ours = "0100007F:1F90";
        let listens = line(ours, "00000000:0000", LISTEN, 1000);
        let back = |from: &str| line(ours, from, ESTABLISHED, 1000);
        let from = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        for (account, state, own, is_trusted) in [
            (1000, ESTABLISHED, 1000, true),
            (1000, "05", 1000, true),
            (0, ESTABLISHED, 1000, true),
            // What another account sent and closed at once.
            (0, "05", 1000, false),
            (0, "06", 1000, false),
            (1001, ESTABLISHED, 1000, false),
            (65534, ESTABLISHED, 0, false),
        ] {
            let there = line("0100007F:C350", ours, state, account);
            let table = format!("{HEAD}{listens}{}{there}", back("0100007F:C350"));
            assert_eq!(judge(own, &table, HEAD, from(50000), from(8080)), is_trusted, "{account} {state}");
            // A socket of IPv6 reaches the same.
            let mapped = line(
                "0000000000000000FFFF00000100007F:C350",
                "0000000000000000FFFF00000100007F:1F90",
                state,
                account,
            );
            let tables = (format!("{HEAD}{listens}"), format!("{HEAD}{mapped}"));
            assert_eq!(
                judge(own, &tables.0, &tables.1, from(50000), from(8080)),
                is_trusted,
                "{account} {state}"
            );
            let v6 = |port: u16| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port));
            let own_v6 = "00000000000000000000000001000000:1F90";
            let table =
                format!("{HEAD}{}", line("00000000000000000000000001000000:C350", own_v6, state, account));
            assert_eq!(judge(own, HEAD, &table, v6(50000), v6(8080)), is_trusted, "{account} {state}");
        }
        // One that is gone, and a system whose tables are empty.
        assert!(!judge(
            1000,
            &format!("{HEAD}{listens}{}", back("0100007F:C350")),
            HEAD,
            from(50000),
            from(8080)
        ));
        assert!(judge(1000, HEAD, "", from(50000), from(8080)));
    }

    #[test]
    fn a_connection_of_our_own_is_trusted_and_one_that_never_was_is_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let dialled = std::net::TcpStream::connect(to).unwrap();
        assert!(is_trusted_peer(dialled.local_addr().unwrap(), to));
        let is_told = cfg!(target_os = "linux");
        assert_eq!(is_trusted_peer(SocketAddr::from(([127, 0, 0, 1], 1)), to), !is_told);
    }
}
