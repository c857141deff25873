//! What became of a run, judged more strictly than the suite does: nothing proven is not passed.

use serde_json::Value;

/// What was seen of one run.
#[derive(Clone, Debug, Default)]
pub(super) struct RunObservation {
    /// Whether the suite, asked about this one scenario, ended with success. It looks at failures, at warnings, at the
    /// client's exit status unless the scenario is one in which a client may fail, and at its own limit.
    pub(super) approved: bool,
    /// The suite did not end and was killed.
    pub(super) killed: bool,
    /// Processes of the client that were still there after their time or after the run.
    pub(super) left_behind: usize,
    /// What the suite printed.
    pub(super) log: String,
    /// Its findings, where it got as far as that.
    pub(super) checks: Option<Vec<Value>>,
}

impl RunObservation {
    /// How many checks succeeded, and how many were judged.
    pub(super) fn counts(&self) -> (usize, usize) {
        let count = |status: &[&str]| {
            let checks = self.checks.iter().flatten();
            checks.filter(|check| check["status"].as_str().is_some_and(|own| status.contains(&own))).count()
        };
        (count(&["SUCCESS"]), count(&["SUCCESS", "FAILURE", "WARNING"]))
    }
}

/// Whether the run passed; the error says why not.
pub(super) fn judge(scenario: &str, seen: &RunObservation) -> Result<(), String> {
    if seen.killed {
        return Err("the suite did not end".to_owned());
    }
    if seen.log.contains("SKIPPED: scenario") {
        return Err("the scenario does not apply at this revision".to_owned());
    }
    let Some(checks) = &seen.checks else {
        let last = seen.log.trim_end().lines().next_back().unwrap_or_default();
        return Err(format!("the suite reported nothing: {last}"));
    };
    let mut reasons = Vec::new();
    if seen.log.contains("Client timed out after") {
        reasons.push("the client did not end in time".to_owned());
    } else if let Some(code) = client_exit(&seen.log).filter(|code| *code != "0" && !seen.approved) {
        reasons.push(format!("the client ended with status {code}"));
    }
    for check in checks {
        if let Some(status @ ("FAILURE" | "WARNING")) = check["status"].as_str() {
            let reason =
                format!("{} {}", status.to_lowercase(), check["id"].as_str().unwrap_or("without id"));
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
    }
    if seen.left_behind > 0 {
        reasons.push(format!("the client left {} process(es) behind", seen.left_behind));
    }
    if reasons.is_empty() {
        // A client that does nothing breaks no rule either.
        let is_idle =
            scenario.starts_with("auth/") && !checks.iter().any(|check| check["id"] == "incoming-request");
        if is_idle {
            reasons.push("nothing was shown: no request reached the server".to_owned());
        } else if seen.counts().0 == 0 {
            reasons.push("nothing was shown: no check succeeded".to_owned());
        } else if !seen.approved {
            reasons.push("the suite does not approve and does not say why".to_owned());
        }
    }
    if reasons.is_empty() { Ok(()) } else { Err(reasons.join(", ")) }
}

/// The exit status of the client, where the suite mentions it.
fn client_exit(log: &str) -> Option<&str> {
    let (_, rest) = log.split_once("Client exited with code ")?;
    rest.split(|letter: char| !letter.is_ascii_digit() && letter != '-').next()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(checks: &[(&str, &str)]) -> RunObservation {
        let checks = checks.iter().map(|(id, status)| json!({ "id": id, "status": status })).collect();
        RunObservation { approved: true, checks: Some(checks), ..RunObservation::default() }
    }

    fn reason(scenario: &str, seen: &RunObservation) -> String {
        judge(scenario, seen).err().unwrap_or_else(|| "passed".to_owned())
    }

    #[test]
    fn a_run_passes_with_a_success_and_nothing_against_it() {
        let good = seen(&[("a", "SUCCESS"), ("b", "SKIPPED"), ("c", "INFO")]);
        assert_eq!(reason("tools_call", &good), "passed");
        assert_eq!(good.counts(), (1, 1));
        // The suite knows the scenarios in which a client is right to fail.
        let log = "Client exited with code 1".to_owned();
        assert_eq!(reason("tools_call", &RunObservation { log, ..good }), "passed");
    }

    #[test]
    fn what_proves_nothing_is_not_passed() {
        assert_eq!(reason("x", &seen(&[])), "nothing was shown: no check succeeded");
        assert_eq!(reason("x", &seen(&[("a", "SKIPPED")])), "nothing was shown: no check succeeded");
        let silent = seen(&[("a", "SUCCESS")]);
        assert_eq!(reason("auth/a", &silent), "nothing was shown: no request reached the server");
        let heard = seen(&[("a", "SUCCESS"), ("incoming-request", "INFO")]);
        assert_eq!(reason("auth/a", &heard), "passed");
    }

    #[test]
    fn failures_warnings_exit_codes_limits_and_leftovers_count() {
        let bad = seen(&[("a", "SUCCESS"), ("b", "WARNING"), ("c", "FAILURE"), ("c", "FAILURE")]);
        assert_eq!(reason("x", &bad), "warning b, failure c");
        let good = seen(&[("a", "SUCCESS")]);
        let left = RunObservation { left_behind: 2, ..good.clone() };
        assert_eq!(reason("x", &left), "the client left 2 process(es) behind");
        let refused = RunObservation { approved: false, ..good };
        let with = |log: &str| reason("x", &RunObservation { log: log.to_owned(), ..refused.clone() });
        assert_eq!(with("Client exited with code 101\n"), "the client ended with status 101");
        assert_eq!(with("Client timed out after 30000ms"), "the client did not end in time");
        assert_eq!(with(""), "the suite does not approve and does not say why");
    }

    #[test]
    fn a_suite_that_failed_itself_says_so() {
        let log = "starting\nError: no port\n".to_owned();
        assert_eq!(
            reason("x", &RunObservation { log, ..RunObservation::default() }),
            "the suite reported nothing: Error: no port"
        );
        let killed = RunObservation { killed: true, ..seen(&[("a", "SUCCESS")]) };
        assert_eq!(reason("x", &killed), "the suite did not end");
        let skipped = RunObservation { log: "SKIPPED: scenario x".to_owned(), ..seen(&[("a", "SUCCESS")]) };
        assert_eq!(reason("x", &skipped), "the scenario does not apply at this revision");
    }
}
