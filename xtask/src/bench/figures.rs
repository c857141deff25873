//! What the rounds measured, kept as a file beside the page.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Map, Value, json};

use super::{page, plot};
use crate::Problems;
use crate::shell::root;

pub(super) const KEPT: &str = "docs/performance/figures.json";

/// Of each work and client, each figure in each round; `None` where a round had none.
#[derive(Debug)]
pub(super) struct Figures {
    /// When and where, in words.
    pub(super) about: String,
    pub(super) rounds: usize,
    pub(super) works: BTreeMap<String, BTreeMap<String, Measures>>,
}

/// Each figure of one client, round by round.
type Measures = BTreeMap<String, Vec<Option<f64>>>;

/// The middle of some figures, and where the middle half of them lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) low: f64,
    pub(super) median: f64,
    pub(super) high: f64,
}

impl Spread {
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let at = |part: f64| values.get(((values.len() as f64 - 1.0) * part).round() as usize).copied();
        Some(Self { low: at(0.25)?, median: at(0.5)?, high: at(0.75)? })
    }
}

impl Figures {
    pub(super) fn begun(quick: bool) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let first = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output().ok()?;
            Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let date = first("date", &["+%Y-%m-%d"]).unwrap_or_default();
        let rustc = first("rustc", &["--version"]).unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default().to_owned();
        let length = if quick { ", a short run" } else { "" };
        let about = format!("{date}, {processors} processors (load {load} at the start), {rustc}{length}");
        Self { about, rounds: 0, works: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.works.is_empty()
    }

    pub(super) fn add(&mut self, work: &str, client: &str, measured: BTreeMap<String, f64>) {
        let client = self.works.entry(work.to_owned()).or_default().entry(client.to_owned()).or_default();
        for (name, value) in measured {
            let row = client.entry(name).or_default();
            row.resize(self.rounds, None);
            row.push(Some(value));
        }
    }

    /// Figures that one round says all of, in place of what was there.
    pub(super) fn set_alone(&mut self, work: &str, client: &str, measured: BTreeMap<String, f64>) {
        let rounds = self.rounds;
        let row = |(name, value)| {
            let mut row = vec![Some(value)];
            row.resize(rounds.max(1), None);
            (name, row)
        };
        let clients = self.works.entry(work.to_owned()).or_default();
        clients.insert(client.to_owned(), measured.into_iter().map(row).collect());
    }

    /// The works of another run in the place of those of this one.
    pub(super) fn take(&mut self, other: Self) {
        for (work, clients) in other.works {
            self.works.insert(work, clients);
        }
        let rows = self.works.values_mut().flat_map(BTreeMap::values_mut).flat_map(BTreeMap::values_mut);
        rows.for_each(|row| row.resize(self.rounds, None));
    }

    pub(super) fn end_round(&mut self) {
        self.rounds += 1;
        let rows = self.works.values_mut().flat_map(BTreeMap::values_mut).flat_map(BTreeMap::values_mut);
        rows.for_each(|row| row.resize(self.rounds, None));
    }

    fn row(&self, work: &str, client: &str, figure: &str) -> Option<&Vec<Option<f64>>> {
        self.works.get(work)?.get(client)?.get(figure)
    }

    /// A figure by itself.
    pub(super) fn figure(&self, work: &str, client: &str, figure: &str) -> Option<Spread> {
        Spread::of(self.row(work, client, figure)?.iter().flatten().copied().collect())
    }

    /// A figure as so many times that of `floor`, round by round.
    pub(super) fn ratio(&self, work: &str, client: &str, floor: &str, figure: &str) -> Option<Spread> {
        let (ours, floor) = (self.row(work, client, figure)?, self.row(work, floor, figure)?);
        let pairs = ours.iter().zip(floor).filter_map(|(ours, floor)| Some((*ours)? / (*floor)?));
        Spread::of(pairs.filter(|ratio| ratio.is_finite()).collect())
    }

    fn to_json(&self) -> Value {
        let rounded = |value: &Option<f64>| value.map(|value| (value * 1000.0).round() / 1000.0);
        let mut works = Map::new();
        for (work, clients) in &self.works {
            let mut told = Map::new();
            for (client, figures) in clients {
                let rows = figures.iter().map(|(name, row)| {
                    (name.clone(), row.iter().map(rounded).map(|value| json!(value)).collect::<Value>())
                });
                told.insert(client.clone(), Value::Object(rows.collect()));
            }
            works.insert(work.clone(), Value::Object(told));
        }
        json!({ "about": self.about, "rounds": self.rounds, "works": works })
    }

    fn of_json(kept: &Value) -> Option<Self> {
        let mut works = BTreeMap::new();
        for (work, clients) in kept["works"].as_object()? {
            let mut told = BTreeMap::new();
            for (client, figures) in clients.as_object()? {
                let rows = figures.as_object()?.iter().map(|(name, row)| {
                    (name.clone(), row.as_array().into_iter().flatten().map(Value::as_f64).collect())
                });
                told.insert(client.clone(), rows.collect());
            }
            works.insert(work.clone(), told);
        }
        let rounds = usize::try_from(kept["rounds"].as_u64()?).ok()?;
        Some(Self { about: kept["about"].as_str()?.to_owned(), rounds, works })
    }

    /// Those of the last run.
    pub(super) fn kept() -> Result<Self, Problems> {
        let unread = |why: String| vec![format!("{KEPT}: {why}; `cargo xtask bench` makes it")];
        let text = fs::read_to_string(root().join(KEPT)).map_err(|error| unread(error.to_string()))?;
        let kept = serde_json::from_str(&text).map_err(|error| unread(error.to_string()))?;
        Self::of_json(&kept).ok_or_else(|| unread("it is not of this shape".to_owned()))
    }

    pub(super) fn keep(&self) -> Result<(), Problems> {
        write(KEPT, &serde_json::to_string_pretty(&self.to_json()).unwrap_or_default())
    }

    /// Every page that follows from these figures, by its path.
    pub(super) fn pages(&self) -> Vec<(&'static str, String)> {
        let mut pages = vec![("docs/performance.md", page::render(self))];
        pages.extend(plot::all(self));
        pages
    }

    pub(super) fn publish(&self) -> Result<(), Problems> {
        self.pages().into_iter().try_for_each(|(path, text)| write(path, &text))
    }
}

fn write(path: &str, text: &str) -> Result<(), Problems> {
    let place = root().join(path);
    let written = fs::create_dir_all(place.parent().unwrap_or(&place))
        .and_then(|()| fs::write(&place, format!("{}\n", text.trim_end())));
    written.map_err(|error| vec![format!("{path}: {error}")])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_rounds() -> Figures {
        let mut figures = Figures { about: "then".to_owned(), rounds: 0, works: BTreeMap::new() };
        let one = |value| BTreeMap::from([("p50_us".to_owned(), value)]);
        figures.add("w", "reqwest", one(10.0));
        figures.add("w", "mcplink", one(11.0));
        figures.end_round();
        // In this one the floor failed; what is left has nothing to be compared with.
        figures.add("w", "mcplink", one(50.0));
        figures.end_round();
        figures
    }

    #[test]
    fn rounds_are_compared_with_themselves_alone() {
        let figures = two_rounds();
        let ratio = figures.ratio("w", "mcplink", "reqwest", "p50_us").unwrap();
        assert_eq!(ratio, Spread { low: 1.1, median: 1.1, high: 1.1 });
        assert_eq!(figures.figure("w", "mcplink", "p50_us").map(|spread| spread.median), Some(50.0));
        assert_eq!(figures.ratio("w", "mcplink", "another", "p50_us"), None);
    }

    #[test]
    fn works_of_another_run_take_the_place_of_those_that_were() {
        let mut figures = two_rounds();
        let mut other = Figures { about: "now".to_owned(), rounds: 0, works: BTreeMap::new() };
        for value in [1.0, 2.0, 3.0] {
            other.add("new", "mcplink", BTreeMap::from([("p50_us".to_owned(), value)]));
            other.end_round();
        }
        figures.take(other);
        assert_eq!(figures.row("new", "mcplink", "p50_us"), Some(&vec![Some(1.0), Some(2.0)]));
        assert!(figures.row("w", "mcplink", "p50_us").is_some() && figures.about == "then");
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let figures = two_rounds();
        let again = Figures::of_json(&figures.to_json()).unwrap();
        assert_eq!((again.about, again.rounds, again.works), (figures.about, figures.rounds, figures.works));
    }

    #[test]
    fn the_middle_half_is_told() {
        let spread = Spread::of((1..=9).map(f64::from).collect()).unwrap();
        assert_eq!(spread, Spread { low: 3.0, median: 5.0, high: 7.0 });
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
