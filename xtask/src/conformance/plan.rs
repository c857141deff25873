//! Which runs there are: every client scenario of the suite, and every scenario of a revision's requirement set at the
//! wire of that revision.

use std::collections::BTreeMap;

use super::ways::Way;
use crate::Problems;

/// One scenario at one wire, by one way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Run {
    /// How the client reaches the server.
    pub(super) way: Way,
    /// How it is listed: the scenario, and the revision where that is not the usual one of the scenario.
    pub(super) id: String,
    /// The name that the suite has for it.
    pub(super) scenario: String,
    /// The revision to force; the suite chooses where `None`.
    pub(super) revision: Option<String>,
}

/// The one revision that has a wire of its own; all before it share one.
const MODERN: &str = "2026-07-28";
/// What the suite runs a scenario at which is not of the modern era alone.
const USUAL: &str = "2025-11-25";

/// Every run, by every way that can express it.
///
/// # Errors
///
/// As [`runs`], and where a scenario that a way is said not to express is not one of the suite's.
pub(super) fn runs_by_all_ways(
    listing: &str,
    requirements: &BTreeMap<String, String>,
) -> Result<Vec<Run>, Problems> {
    let runs = runs(listing, requirements)?;
    let mut all = Vec::new();
    for way in Way::ALL {
        let named = way.closed().iter().flat_map(|closed| closed.but.iter().chain([&closed.beginning]));
        for beginning in named {
            if !runs.iter().any(|run| run.scenario.starts_with(*beginning)) {
                return Err(vec![format!("{}: no scenario begins with {beginning}", way.name())]);
            }
        }
        let open = runs.iter().filter(|run| way.is_open_to(&run.scenario));
        all.extend(open.map(|run| Run { way, ..run.clone() }));
    }
    Ok(all)
}

/// Every run by one way: the scenarios by name, and then what each revision requires.
///
/// # Errors
///
/// When the suite is not as expected: a run that is left out unnoticed would be a score that is not one.
fn runs(listing: &str, requirements: &BTreeMap<String, String>) -> Result<Vec<Run>, Problems> {
    let scenarios = scenarios(listing);
    if scenarios.is_empty() || requirements.is_empty() {
        return Err(vec!["the suite lists no scenarios, or no requirements".to_owned()]);
    }
    let mut runs: Vec<Run> = scenarios.keys().map(|name| run(name, None)).collect();
    for (revision, text) in requirements {
        for name in required(text).map_err(|line| vec![format!("requirements {revision}: {line:?}")])? {
            let Some(revisions) = scenarios.get(name) else {
                return Err(vec![format!("requirements {revision}: no scenario {name}")]);
            };
            let usual = if revisions == &[MODERN] { MODERN } else { USUAL };
            if usual != revision {
                runs.push(run(name, Some(revision)));
            }
        }
    }
    Ok(runs)
}

fn run(scenario: &str, revision: Option<&str>) -> Run {
    let id = match revision {
        Some(revision) => format!("{scenario}@{revision}"),
        None => scenario.to_owned(),
    };
    Run { way: Way::Crates, id, scenario: scenario.to_owned(), revision: revision.map(str::to_owned) }
}

/// The scenarios of `list --client`, with the revisions they apply to: lines such as `  - tools_call [2025-11-25]`.
fn scenarios(listing: &str) -> BTreeMap<&str, Vec<&str>> {
    let lines =
        listing.lines().filter_map(|line| line.strip_prefix("  - ")?.strip_suffix(']')?.split_once(" ["));
    lines.map(|(name, revisions)| (name, revisions.split(',').collect())).collect()
}

/// The client scenarios that a requirement set wants to be run, scored or not. Of YAML it is read what these files use:
/// lists of names, and lists of entries with `scenario` and `leg` among others. The error is the line that is something
/// else.
fn required(text: &str) -> Result<Vec<&str>, &str> {
    let mut names = Vec::new();
    let mut section = "";
    // An entry whose `leg` has not been read yet, and its line.
    let mut entry: Option<(&str, &str)> = None;
    for line in text.lines() {
        let line = line.split_once(" #").map_or(line, |(line, _)| line).trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(member) = line.strip_prefix("    ") {
            if let Some(leg) = member.strip_prefix("leg: ") {
                let (name, _) = entry.take().ok_or(line)?;
                names.extend((leg == "client").then_some(name));
            }
            // The other members are for people.
            continue;
        }
        if let Some((_, unfinished)) = entry {
            return Err(unfinished);
        }
        if let Some(name) = line.strip_suffix(':').filter(|name| is_name(name)) {
            section = name;
        } else if let Some(name) = line.strip_prefix("  - scenario: ").filter(|name| is_name(name)) {
            entry = Some((name, line));
        } else if let Some(name) = line.strip_prefix("  - ").filter(|name| is_name(name)) {
            names.extend((section == "client").then_some(name));
        } else {
            return Err(line);
        }
    }
    entry.map_or(Ok(names), |(_, unfinished)| Err(unfinished))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains([' ', ':', '[', '{'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "Client scenarios (test against a client):
  - initialize [2025-06-18,2025-11-25]
  - tools_call [2025-11-25,2026-07-28]
  - auth/dpop [extension]
  - request-metadata [2026-07-28]
";
    const MODERN_SET: &str = "# about this file
server:
  - tools-list
client:
  - tools_call   # at this wire, too
  - request-metadata

not_scored:
  - scenario: auth/dpop
    leg: client
    reason: extension
  - scenario: tools-list
    leg: server
    reason: extension
    note: >-
      Text for people: leg or not.
";

    fn requirements(modern: &str) -> BTreeMap<String, String> {
        let legacy = "client:\n  - initialize\n  - tools_call\n";
        [(USUAL, legacy), (MODERN, modern)].map(|(name, text)| (name.to_owned(), text.to_owned())).into()
    }

    #[test]
    fn every_scenario_is_run_and_again_where_a_revision_requires_it_at_another_wire() {
        let runs = runs(LISTING, &requirements(MODERN_SET)).unwrap();
        let ids: Vec<_> = runs.iter().map(|run| run.id.as_str()).collect();
        let expected = [
            "auth/dpop",
            "initialize",
            "request-metadata",
            "tools_call",
            "tools_call@2026-07-28",
            "auth/dpop@2026-07-28",
        ];
        assert_eq!(ids, expected);
        let last = runs.last().unwrap();
        assert_eq!((&*last.scenario, last.revision.as_deref()), ("auth/dpop", Some(MODERN)));
    }

    #[test]
    fn every_way_has_the_runs_that_it_can_express() {
        let listing = "  - tools_call [2025-11-25]\n  - elicitation-a [2025-11-25]\n  - sep-2640-a [2025-11-25]\n  \
                       - auth/client-credentials-a [x]\n  - auth/enterprise-managed-authorization [x]\n  \
                       - auth/wif-jwt-bearer [x]\n";
        let none = [(USUAL.to_owned(), "client:\n".to_owned())].into();
        let runs = runs_by_all_ways(listing, &none).unwrap();
        let of = |way| runs.iter().filter(|run| run.way == way).map(|run| &*run.id).collect::<Vec<_>>();
        assert_eq!(of(Way::Crates).len(), 6);
        let grants =
            ["auth/client-credentials-a", "auth/enterprise-managed-authorization", "auth/wif-jwt-bearer"];
        let with_grants = |runs: &[&'static str]| [&grants[..], runs].concat();
        assert_eq!(of(Way::Commands), with_grants(&["tools_call"]));
        assert_eq!(of(Way::Bridge), with_grants(&["elicitation-a", "sep-2640-a", "tools_call"]));
        let renamed = listing.replace("wif-jwt-bearer", "wif");
        assert!(runs_by_all_ways(&renamed, &none).is_err());
    }

    #[test]
    fn a_suite_that_is_not_as_expected_is_an_error_and_no_smaller_plan() {
        assert!(runs("", &requirements(MODERN_SET)).is_err());
        assert!(runs(LISTING, &BTreeMap::new()).is_err());
        assert!(runs(LISTING, &requirements("client:\n  - no-such-scenario\n")).is_err());
        for odd in [
            "client: [tools_call]\n",
            "  - a: b\n",
            "not_scored:\n  - scenario: auth/dpop\n",
            "    leg: client\n",
        ] {
            assert!(runs(LISTING, &requirements(odd)).is_err(), "{odd}");
        }
    }
}
