//! Which account a connection of this machine comes from.
//!
//! Security: every account can connect to a port of this machine, and the address that a browser is started with, its code
//! included, stands in the list of processes. Linux tells whose the other end of a connection is; where a system does not,
//! the code alone decides.

use std::net::{IpAddr, SocketAddr};

use mcp_files::Policy;

/// A longer table of connections is not read.
const MAX_TABLE: u64 = 16 * 1024 * 1024;

/// A connection that is open at both ends, in the tables of Linux.
const ESTABLISHED: &str = "01";

/// The other end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Caller {
    account: u32,
    /// Nothing of it was closed: what is closed is shown as root's.
    is_open: bool,
}

/// Whether a connection from `from` to `to`, which is ours, is of this account, or of root.
pub(super) fn is_ours(from: SocketAddr, to: SocketAddr) -> bool {
    let table = |name: &str| {
        let path = format!("/proc/{}/net/{name}", std::process::id());
        let table = mcp_files::read(path.as_ref(), &Policy::surroundings(MAX_TABLE)).ok()?;
        String::from_utf8(table).ok()
    };
    let (Some(own), Some(plain)) = (mcp_files::account(), table("tcp")) else { return true };
    let caller = find(&plain, from, to, false).or_else(|| find(&table("tcp6")?, from, to, true));
    admits(own, caller)
}

/// What is not in the tables has ended already, and reads no answer.
fn admits(own: u32, caller: Option<Caller>) -> bool {
    caller.is_none_or(|caller| caller.account == own || caller.account == 0 && caller.is_open)
}

/// The line of the other end: proc_pid_net(5).
fn find(table: &str, from: SocketAddr, to: SocketAddr, mapped: bool) -> Option<Caller> {
    let written = |address: SocketAddr| {
        let IpAddr::V4(ip) = address.ip() else { return None };
        // As this machine has the number in memory.
        let ip = format!("{:08X}", u32::from_ne_bytes(ip.octets()));
        let before = if mapped {
            format!("{:016X}{:08X}", 0, u32::from_ne_bytes([0, 0, 0xff, 0xff]))
        } else {
            String::new()
        };
        Some(format!("{before}{ip}:{:04X}", address.port()))
    };
    let (from, to) = (written(from)?, written(to)?);
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut ends = lines.filter(|fields| fields.get(1) == Some(&&*from) && fields.get(2) == Some(&&*to));
    let fields = ends.next()?;
    Some(Caller { account: fields.get(7)?.parse().ok()?, is_open: fields.get(3) == Some(&ESTABLISHED) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_w1_only_this_account_and_root_reach_the_page() {
        let caller = |account, is_open| Some(Caller { account, is_open });
        for (own, found, is_let_in) in [
            (1000, caller(1000, true), true),
            (1000, caller(1000, false), true),
            (1000, caller(0, true), true),
            // What another account has closed is shown as root's.
            (1000, caller(0, false), false),
            (1000, caller(1001, true), false),
            (0, caller(65534, true), false),
            (1000, None, true),
        ] {
            assert_eq!(admits(own, found), is_let_in, "{own} {found:?}");
        }
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn the_other_end_is_found_in_the_tables_of_linux() {
        let plain = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
             0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 1 1\n   \
             1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 65534        0 2 1\n   \
             2: 0100007F:C351 0100007F:1F90 06 00000000:00000000 00:00000000 00000000     0        0 0 1\n";
        let mapped = "  sl  local_address rem_address st\n   \
             0: 0000000000000000FFFF00000100007F:C352 0000000000000000FFFF00000100007F:1F90 01 0:0 0:0 0 33 0 4 1\n";
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let of = |table, port, is_mapped| find(table, address(port), address(8080), is_mapped);
        assert_eq!(of(plain, 50000, false), Some(Caller { account: 65534, is_open: true }));
        assert_eq!(of(plain, 50001, false), Some(Caller { account: 0, is_open: false }));
        assert_eq!(of(plain, 50002, false), None);
        assert_eq!(of(mapped, 50002, true), Some(Caller { account: 33, is_open: true }));
    }
}
