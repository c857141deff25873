//! Ten thousand machines that share sign-ins, on a clock and a network that a seed decides.
//!
//! ```text
//! cargo run --release -p mcp-stores --example simulation            # writes docs/shared-sign-ins/*
//! cargo run --release -p mcp-stores --example simulation -- 10000 7 # machines, seed; prints alone
//! ```
//!
//! What is simulated is the database, the authorization server, the network between them and the deaths of machines. The store,
//! its leases and the refresh are those of `mcp-auth`, as they run everywhere.
#![expect(clippy::print_stdout, reason = "an example for people, whose output is the point")]

mod machines;
mod plot;
mod world;

use std::path::Path;

use machines::run;
use world::{Plan, Report};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let machines = arguments.first().map_or(Ok(10_000), |text| text.parse())?;
    let seed = arguments.get(1).map_or(Ok(1), |text| text.parse())?;
    let report = simulate(Plan::new(machines, seed));
    print!("{}", report.to_table());
    if arguments.is_empty() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/shared-sign-ins");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("figures.md"), report.to_table())?;
        std::fs::write(folder.join("refreshes.svg"), plot::refreshes(&report))?;
        std::fs::write(folder.join("waits.svg"), plot::waits(&report))?;
    }
    Ok(())
}

/// One simulation; the same plan gives the same report.
fn simulate(plan: Plan) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(run(plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sign_in_is_lost_and_none_is_spent_twice_whatever_the_seed() {
        for seed in 1..=2 {
            let report = simulate(Plan::new(100, seed));
            assert_eq!(report.revoked, 0, "seed {seed}: {report:?}");
            assert_eq!(report.signed_out, 0, "seed {seed}: {report:?}");
            assert!(report.deaths > 0 && report.refreshes > 0, "seed {seed}: nothing happened: {report:?}");
            // Machines that die in the middle, and servers that are busy, leave a request to another machine.
            assert!(
                report.requests <= report.refreshes + report.deaths + report.busy,
                "seed {seed}: {report:?}"
            );
        }
    }

    #[test]
    fn a_seed_is_replayed() {
        let (one, other) = (simulate(Plan::new(20, 5)), simulate(Plan::new(20, 5)));
        assert_eq!(one.to_table(), other.to_table());
        assert_ne!(one.to_table(), simulate(Plan::new(20, 6)).to_table());
    }
}
