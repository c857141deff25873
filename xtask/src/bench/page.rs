//! The page: each target, the floor, the best other, ours, and whether it is met.

use std::fmt::Write as _;

use serde_json::Value;

use super::figures::{Figures, Spread};
use super::works::WORKS;

const TARGETS: &str = include_str!("../../../bench/targets.json");

const HEAD: &str = "\
# Performance

Ours beside the least that each work could cost, and beside others, in one run; `cargo xtask bench` makes this page. Times by
themselves say more of the machine than of a program. So what is compared is each figure as so many times that of the floor
**in the same round**, in rounds that begin with another client each time: the middle one, and in brackets where the middle half
of them lies. The floors are in `bench/`: HTTP by hand over a socket, hyper, reqwest with one shared client, two pipe hops with
one exchange for bridges, an empty program, one that reads the same files.

## Targets

A target that is not met says why. What is measured is the work of a client: the server answers at once, on the same machine.
";

/// One line of the table.
struct Target<'a> {
    what: &'a str,
    work: &'a str,
    floor: &'a str,
    figure: &'a str,
    /// `times` the floor, `beyond` it, or `alone`.
    compared: &'a str,
    limit: f64,
    /// More is better.
    least: bool,
    unit: &'a str,
    why: &'a str,
}

fn targets(all: &Value) -> Vec<Target<'_>> {
    all.as_array()
        .into_iter()
        .flatten()
        .map(|target| {
            let text = |name: &str| target[name].as_str().unwrap_or_default();
            Target {
                what: text("what"),
                work: text("work"),
                floor: text("floor"),
                figure: text("figure"),
                compared: text("compared"),
                limit: target["limit"].as_f64().unwrap_or_default(),
                least: target["least"].as_bool().unwrap_or_default(),
                unit: text("unit"),
                why: text("why"),
            }
        })
        .collect()
}

impl Target<'_> {
    fn of(&self, figures: &Figures, client: &str) -> Option<Spread> {
        match self.compared {
            "times" => figures.ratio(self.work, client, self.floor, self.figure),
            "beyond" => {
                let floor = figures.figure(self.work, self.floor, self.figure)?.median;
                let Spread { low, median, high } = figures.figure(self.work, client, self.figure)?;
                Some(Spread { low: low - floor, median: median - floor, high: high - floor })
            }
            _ => figures.figure(self.work, client, self.figure),
        }
    }

    /// The best of the others, floors left aside.
    fn best(&self, figures: &Figures) -> Option<(&'static str, Spread)> {
        let work = WORKS.iter().find(|work| work.name == self.work)?;
        let floors = ["raw TCP", "hyper", "reqwest", "pipes", "empty program", "reading", "mcplink"];
        let others = work.clients.iter().filter(|client| !floors.contains(client));
        let measured = others.filter_map(|client| Some((*client, self.of(figures, client)?)));
        measured.min_by(|(_, one), (_, other)| {
            let order = one.median.total_cmp(&other.median);
            if self.least { order.reverse() } else { order }
        })
    }

    fn shown(&self, value: f64) -> String {
        number(value) + self.unit
    }

    fn row(&self, figures: &Figures) -> String {
        let sign = if self.least { "≥" } else { "≤" };
        let floor = figures.figure(self.work, self.floor, self.figure);
        let floor = floor.map_or("–".to_owned(), |floor| {
            format!("{} {}", number(floor.median), unit_of(self.figure)).trim().to_owned()
        });
        let best = self.best(figures);
        let best = best
            .map_or("–".to_owned(), |(client, spread)| format!("{client} {}", self.shown(spread.median)));
        let (ours, met) = match self.of(figures, "mcplink") {
            Some(Spread { low, median, high }) => {
                let met = if self.least { median >= self.limit } else { median <= self.limit };
                let spread = format!("{} ({} to {})", self.shown(median), number(low), number(high));
                (spread, if met { "yes".to_owned() } else { format!("no: {}", self.why) })
            }
            None => ("not measured".to_owned(), "–".to_owned()),
        };
        let beyond = if self.compared == "beyond" { "floor + " } else { "" };
        let limit = format!("{sign} {beyond}{}", self.shown(self.limit));
        format!("| {} | {limit} | {floor} | {best} | {ours} | {met} |", self.what)
    }
}

/// In as many digits as mean something.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => {
            let whole = format!("{value:.0}");
            let split = whole.len() - 3;
            format!("{},{}", &whole[..split], &whole[split..])
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn unit_of(figure: &str) -> &'static str {
    match figure.rsplit('_').next() {
        Some("us") => "µs",
        Some("ms") => "ms",
        Some("kib") => "KiB",
        Some("mib") => "MiB",
        Some("ops") | None => "per s",
        Some("instructions") => "instructions",
        Some(_) => "",
    }
}

/// The figures of each work that are worth a table, the first one compared with the floor.
const COLUMNS: &[(&str, &str)] = &[
    ("p50_us", "middle call, µs"),
    ("instructions", "instructions of each"),
    ("ops", "per second"),
    ("cpu_us", "CPU of each, µs"),
    ("wall_ms", "all, ms"),
    ("peak_mib", "memory at most, MiB"),
    ("each_kib", "memory of each, KiB"),
    ("idle_ms", "CPU of 5 s idle, ms"),
    ("start_ms", "first answer, ms"),
    ("first_ms", "first call, ms"),
    ("added_us", "added to a call, µs"),
    ("ways_ops", "32 at a time, per second"),
    ("ways_cpu_us", "CPU of each, 32 at a time, µs"),
    ("start_mib", "memory, MiB"),
    ("after_mib", "memory afterwards, MiB"),
];

/// What a work is compared by, and with whom.
pub(super) fn measure_of(work: &str) -> (&'static str, &'static str) {
    match work {
        "bridge" => ("added_us", "pipes"),
        "--version" => ("wall_ms", "empty program"),
        "tools" | "call" | "status of 20" | "connect to 200" | "connect to 200, modern" => {
            ("wall_ms", "reqwest")
        }
        "list of 500" | "import of 10 hosts" => ("wall_ms", "reading"),
        work if work.starts_with("instructions") => ("instructions", "reqwest"),
        work if work.starts_with("64") => ("ops", "reqwest"),
        _ => ("p50_us", "reqwest"),
    }
}

/// The whole page.
pub(super) fn render(figures: &Figures) -> String {
    let mut page = HEAD.to_owned();
    let _ = writeln!(page, "\nMeasured on {}, in {} rounds.\n", figures.about, figures.rounds);
    page.push_str("| what | target | floor | best of the others | ours | met |\n|---|---|---|---|---|---|\n");
    let all: Value = serde_json::from_str(TARGETS).unwrap_or_default();
    for target in targets(&all) {
        let _ = writeln!(page, "{}", target.row(figures));
    }
    page.push_str("\n## Every work\n");
    for work in WORKS.iter().filter(|work| figures.works.contains_key(work.name)) {
        let (measure, floor) = measure_of(work.name);
        let _ =
            writeln!(page, "\n### {}\n\n![{}](performance/{}.svg)\n", work.name, work.name, file(work.name));
        let clients: Vec<&str> = work
            .clients
            .iter()
            .copied()
            .filter(|client| figures.works[work.name].contains_key(*client))
            .collect();
        let columns: Vec<_> = COLUMNS
            .iter()
            .filter(|(name, _)| {
                clients.iter().any(|client| {
                    figures.figure(work.name, client, name).is_some_and(|spread| spread.high > 0.0)
                })
            })
            .collect();
        let heads: String = columns.iter().map(|(_, head)| format!(" {head} |")).collect();
        let _ = writeln!(page, "| | × {floor} |{heads}\n|---|---:|{}", "---:|".repeat(columns.len()));
        for client in clients {
            let ratio = figures.ratio(work.name, client, floor, measure);
            let ratio = ratio.map_or("–".to_owned(), |ratio| number(ratio.median));
            let cells: String = columns
                .iter()
                .map(|(name, _)| {
                    let cell = figures.figure(work.name, client, name).filter(|spread| spread.high > 0.0);
                    format!(" {} |", cell.map_or("–".to_owned(), |cell| number(cell.median)))
                })
                .collect();
            let _ = writeln!(page, "| {client} | {ratio} |{cells}");
        }
    }
    page
}

/// What the picture of a work is called.
pub(super) fn file(work: &str) -> String {
    let words: Vec<String> = work
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn figures(ours: f64) -> Figures {
        let mut figures = Figures { about: "then".to_owned(), rounds: 0, works: BTreeMap::new() };
        for (client, value) in [("reqwest", 100.0), ("mcplink", ours), ("rmcp", 180.0), ("hyper", 70.0)] {
            figures.add("sequential call, JSON", client, BTreeMap::from([("p50_us".to_owned(), value)]));
        }
        figures.end_round();
        figures
    }

    #[test]
    fn a_target_is_met_or_says_why_not() {
        let all: Value = serde_json::from_str(TARGETS).unwrap();
        let targets = targets(&all);
        let first = &targets[0];
        assert_eq!((first.work, first.limit), ("sequential call, JSON", 1.08));
        let row = first.row(&figures(105.0));
        assert!(row.contains("| 100 µs | rmcp 1.80 × | 1.05 × (1.05 to 1.05) | yes |"), "{row}");
        let row = first.row(&figures(150.0));
        assert!(row.contains("| no: "), "{row}");
        assert!(targets[1].row(&figures(1.0)).contains("not measured"));
    }

    /// A target of a work or a figure that nothing measures would never be looked at again.
    #[test]
    fn every_target_is_of_a_work_that_is_measured() {
        let all: Value = serde_json::from_str(TARGETS).unwrap();
        let targets = targets(&all);
        assert!(targets.len() >= 17, "{}", targets.len());
        for target in targets {
            let work = WORKS.iter().find(|work| work.name == target.work).unwrap();
            assert!(work.clients.contains(&target.floor), "{}", target.what);
            assert!(COLUMNS.iter().any(|(name, _)| *name == target.figure), "{}", target.what);
            assert!(["times", "beyond", "alone"].contains(&target.compared) && target.limit > 0.0);
        }
    }

    /// Every work by every client, and every picture that the page shows.
    #[test]
    fn the_page_has_a_row_for_each_target_and_each_client() {
        let mut figures = Figures { about: "then".to_owned(), rounds: 0, works: BTreeMap::new() };
        for work in WORKS {
            for client in work.clients {
                let all = COLUMNS.iter().map(|(name, _)| ((*name).to_owned(), 12.0));
                figures.add(work.name, client, all.collect());
            }
        }
        figures.end_round();
        let pages = figures.pages();
        let (path, page) = &pages[0];
        assert_eq!(*path, "docs/performance.md");
        let (targets, works) = page.split_once("## Every work").unwrap();
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let rows: Vec<_> = targets.lines().filter(|line| line.starts_with('|')).collect();
        let all: Value = serde_json::from_str(TARGETS).unwrap();
        assert_eq!(rows.len(), 2 + all.as_array().unwrap().len());
        assert!(rows.iter().all(|row| cells(row) == 7), "{targets}");
        for work in WORKS {
            let (_, section) = works.split_once(&format!("### {}\n", work.name)).unwrap();
            let section = section.split("###").next().unwrap();
            let rows: Vec<_> = section.lines().filter(|line| line.starts_with('|')).collect();
            assert_eq!(rows.len(), 2 + work.clients.len(), "{section}");
            assert!(rows.iter().all(|row| cells(row) == cells(rows[0])), "{section}");
            let picture = format!("performance/{}.svg", file(work.name));
            assert!(section.contains(&picture), "{section}");
            assert!(pages.iter().any(|(path, _)| *path == format!("docs/{picture}")), "{picture}");
        }
    }

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        let shown = [0.1234, 12.34, 123.4, 12345.6].map(number);
        assert_eq!(shown, ["0.12", "12.3", "123", "12,346"]);
        assert_eq!(file("64 calls at a time, modern"), "64-calls-at-a-time-modern");
        assert_eq!(file("--version"), "version");
    }
}
