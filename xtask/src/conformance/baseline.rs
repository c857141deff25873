//! The score that must not fall: the runs that pass, listed in a file of the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::json;

use super::ways::Way;
use crate::Problems;

/// The runs that must pass, by one way.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Baseline(BTreeSet<String>);

/// Those of all ways, as the file has them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Score(BTreeMap<Way, Baseline>);

impl Score {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When there is none, or it is not one.
    pub(super) fn read(path: &Path) -> Result<Self, Problems> {
        let text = fs::read_to_string(path).map_err(|error| vec![format!("{}: {error}", path.display())])?;
        Self::parse(&text).ok_or_else(|| vec![format!("{} is not a list of passing runs", path.display())])
    }

    fn parse(text: &str) -> Option<Self> {
        let document: BTreeMap<String, Vec<String>> = serde_json::from_str(text).ok()?;
        let way =
            |(way, ids): (String, Vec<String>)| Some((Way::of(&way)?, Baseline(ids.into_iter().collect())));
        document.into_iter().map(way).collect::<Option<_>>().map(Self)
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<(), Problems> {
        let ways: BTreeMap<&str, &BTreeSet<String>> =
            self.0.iter().map(|(way, baseline)| (way.name(), &baseline.0)).collect();
        let text = format!("{:#}\n", json!(ways));
        fs::write(path, text).map_err(|error| vec![format!("{}: {error}", path.display())])
    }

    /// What passes by this way.
    pub(super) fn of(&self, way: Way) -> Baseline {
        self.0.get(&way).cloned().unwrap_or_default()
    }

    /// With this in place of what was known of a way.
    pub(super) fn set(&mut self, way: Way, baseline: Baseline) {
        self.0.insert(way, baseline);
    }
}

impl Baseline {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many of them are such runs.
    pub(super) fn count(&self, is_one: impl Fn(&str) -> bool) -> usize {
        self.0.iter().filter(|id| is_one(id)).count()
    }

    /// What is wrong with these outcomes. `all` is whether every run of the suite is among them.
    pub(super) fn compare(&self, outcomes: &BTreeMap<String, bool>, all: bool) -> Problems {
        let mut problems = Problems::new();
        for (id, passed) in outcomes {
            match (self.0.contains(id), passed) {
                (true, false) => problems.push(format!("{id} fails and has passed before")),
                (false, true) => problems.push(format!("{id} passes: add it with --update")),
                _ => {}
            }
        }
        if all {
            let missing = self.0.iter().filter(|id| !outcomes.contains_key(*id));
            problems.extend(missing.map(|id| format!("{id} has passed before and was not run")));
        }
        problems
    }

    /// With the runs that pass now as well. Nothing is taken away.
    #[must_use]
    pub(super) fn raised(mut self, outcomes: &BTreeMap<String, bool>) -> Self {
        self.0.extend(outcomes.iter().filter(|(_, passed)| **passed).map(|(id, _)| id.clone()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(list: &[(&str, bool)]) -> BTreeMap<String, bool> {
        list.iter().map(|(id, passed)| ((*id).to_owned(), *passed)).collect()
    }

    fn list(ids: &[&str]) -> Baseline {
        Baseline(ids.iter().map(|id| (*id).to_owned()).collect())
    }

    fn baseline() -> Baseline {
        list(&["a", "b"])
    }

    #[test]
    fn what_falls_rises_or_is_missing_is_a_problem() {
        assert_eq!(baseline().compare(&outcomes(&[("a", true), ("b", true), ("c", false)]), true), [""; 0]);
        let problems = baseline().compare(&outcomes(&[("a", false), ("c", true)]), true);
        let expected = [
            "a fails and has passed before",
            "c passes: add it with --update",
            "b has passed before and was not run",
        ];
        assert_eq!(problems, expected);
        assert_eq!(baseline().compare(&outcomes(&[("a", true)]), false), [""; 0]);
    }

    #[test]
    fn raising_adds_and_never_takes_away() {
        let raised = baseline().raised(&outcomes(&[("a", false), ("c", true), ("d", false)]));
        assert_eq!(raised, list(&["a", "b", "c"]));
    }

    #[test]
    fn each_way_has_a_score_of_its_own() {
        let mut score = Score::parse(r#"{"crates":["a","b"],"bridge":["a"]}"#).unwrap();
        assert_eq!(score.of(Way::Crates), baseline());
        assert_eq!((score.of(Way::Bridge).len(), score.of(Way::Commands).len()), (1, 0));
        score.set(Way::Commands, list(&["auth/x", "y"]));
        assert_eq!(score.of(Way::Commands).count(|run| run.starts_with("auth/")), 1);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", "[]", r#"{"passing":[]}"#, r#"{"crates":[1]}"#, r#"{"crates":{}}"#] {
            assert_eq!(Score::parse(text), None, "{text}");
        }
    }
}
