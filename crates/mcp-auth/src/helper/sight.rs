//! One run for a person who looks at it: what it did, beside what it supplied.

use std::time::Duration;

use super::complaint::StderrExcerpt;
use super::run::RunEnd;
use super::{HeadersHelper, outcome, ran};
use crate::{AuthError, Credentials};

/// What came of one run of a helper.
#[derive(Debug)]
#[non_exhaustive]
pub struct HelperRun {
    /// How long it took.
    pub took: Duration,
    /// How it ended; `None` where a signal or the limit ended it, or where it could not be started.
    pub exit_code: Option<i32>,
    /// How many bytes it printed where headers belong.
    pub printed: usize,
    /// The last lines that it printed to stderr, without what is or looks secret.
    pub stderr: Vec<String>,
    /// What it supplied, or why that is nothing.
    pub supplied: Result<Credentials, AuthError>,
}

impl HeadersHelper {
    /// Runs the command once, now, for a person who looks at it. Neither shared with another run nor remembered.
    pub async fn observe(&self) -> HelperRun {
        let began = tokio::time::Instant::now();
        let output = match ran(&self.invocation, self.spec.timeout, super::TASK).await {
            Ok(output) => output,
            Err(error) => {
                let took = began.elapsed();
                return HelperRun {
                    took,
                    exit_code: None,
                    printed: 0,
                    stderr: Vec::new(),
                    supplied: Err(error),
                };
            }
        };
        let took = began.elapsed();
        let exit_code = match &output.ended {
            RunEnd::Exited(status) => status.code(),
            _ => None,
        };
        let complaint = StderrExcerpt::new(&output, &self.invocation);
        let lines = complaint.tail().lines().map(str::to_owned).filter(|line| !line.trim().is_empty());
        let supplied = outcome(&output, &self.invocation, self.spec.timeout);
        HelperRun {
            took,
            exit_code,
            printed: output.stdout.len(),
            stderr: lines.collect(),
            supplied: supplied.map(|run| self.credentials(run)),
        }
    }
}
