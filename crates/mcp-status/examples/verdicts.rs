//! What pieces of evidence mean: the status of each, and whether trying again is worth it. `verdicts COUNT` judges them so many
//! times more, for who counts the instructions of it.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::hint::black_box;
use std::time::Duration;

use mcp_status::{ChallengeKind, Evidence, Outcome, Phase, classify};

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(0_u32);
    let seen = [
        Outcome::Connected { tools: Some(3) },
        Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 },
        Outcome::Http { status: 503, retry_after: Some(Duration::from_secs(7)) },
        Outcome::Http { status: 404, retry_after: None },
        Outcome::Unreachable,
        Outcome::Timeout,
    ]
    .map(|outcome| Evidence::new(Phase::Connect, outcome));
    for evidence in &seen {
        let verdict = classify(evidence);
        let again = if verdict.is_retryable() { "is tried again" } else { "is not tried again" };
        println!("{:?}: {}, {again}", evidence.outcome, verdict.status());
    }
    for _ in 0..count {
        for evidence in &seen {
            black_box(classify(black_box(evidence)));
        }
    }
}
