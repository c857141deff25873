//! No real server lacks a row: what is not in a list is not missed by anything else.

use mcp_harness::REAL_SERVERS;

use crate::{died, proxied, restarted};

#[test]
fn fa_a105_fa_a88_every_real_server_has_a_row_for_a_restart_and_one_for_a_proxy() {
    let restarted = [restarted::ROWS, restarted::gateways::ROWS].concat();
    let proxied = [proxied::ROWS, proxied::gateways::ROWS].concat();
    for name in REAL_SERVERS {
        let made = format!("RealServer::{name}()");
        // A gateway has no stdio of its own.
        let died = if name == "supergateway" { &restarted[..] } else { died::ROWS };
        for (kind, rows) in [("restart", &restarted[..]), ("proxy", &proxied), ("death", died)] {
            let has_one = rows.iter().any(|row| row.replace(char::is_whitespace, "").contains(&made));
            assert!(has_one, "{name} has no row for a {kind}: {rows:?}");
        }
    }
}
