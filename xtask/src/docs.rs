//! The tables in `docs/` that follow from the code.
//!
//! Some pages list what was met or tried: failures of the field, attacks. Each row of such a table has an id,
//! statements written by hand, and a column of tests, which is generated from the names of the tests:
//! `f004_…` covers row 4 of the field failures, `s_m04_…` row M4 of the threats. So a page can neither
//! name a test that does not exist nor miss one that does.

use std::collections::HashSet;
use std::fs;

use crate::shell::root;
use crate::sources::read_all;
use crate::tests_found::{Test, find, find_cases};
use crate::{Problems, bench, conformance, json_schema};

/// A page with tables of rows that tests cover.
struct Page {
    file: &'static str,
    /// The ids of a row that a test covers, read from its name.
    ids: fn(&Test) -> Vec<String>,
    /// How many numbered rows must be there, 1 and up, in this order; rows with another id are the page's to choose.
    numbered: usize,
}

const PAGES: [Page; 2] = [
    Page { file: "docs/field-failures.md", ids: field_ids, numbered: FIELD_FAILURES },
    Page { file: "docs/security.md", ids: |test| test.family("s"), numbered: 0 },
];

/// The collections of reports that the page of field failures has beside its numbered rows: `fa_a105_…` covers row
/// `a:A105`, because two collections use the same ids for different reports.
const REPORTS: [&str; 4] = ["fa", "fb", "fc", "fh"];

fn field_ids(test: &Test) -> Vec<String> {
    let numbers = test.field_failures().into_iter().map(|number| number.to_string());
    let reports = REPORTS
        .into_iter()
        .flat_map(|family| test.family(family).into_iter().map(move |id| format!("{}:{id}", &family[1..])));
    numbers.chain(reports).collect()
}

/// How many failures the table of the field has to cover.
const FIELD_FAILURES: usize = 138;

/// Fails if the tables are not what [`update`] would write.
pub(crate) fn check() -> Result<(), Problems> {
    let tests = all_tests()?;
    let mut problems = conformance::check_page().err().unwrap_or_default();
    problems.extend(bench::check().err().unwrap_or_default());
    for page in &PAGES {
        match page.rendered(&tests) {
            Err(found) => problems.extend(found),
            Ok((old, new)) => {
                let file = page.file;
                problems.extend(old.lines().zip(new.lines()).filter(|(old, new)| old != new).map(
                    |(old, new)| {
                        format!("{file} is stale; run `cargo xtask docs`\n  has:   {old}\n  wants: {new}")
                    },
                ));
                let rows: Vec<Row<'_>> = rows(&new).filter_map(|(_, row)| row).collect();
                let open = rows.iter().filter(|row| row.covered.starts_with(NOT_YET)).count();
                println!("{file}: {} of {} covered, {open} not yet", rows.len() - open, rows.len());
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Brings the tables up to date.
pub(crate) fn update() -> Result<(), Problems> {
    let tests = all_tests()?;
    let mut problems = conformance::update_page().err().unwrap_or_default();
    problems.extend(json_schema::update().err().unwrap_or_default());
    // What is wrong with one page keeps no other from being brought up to date.
    for page in &PAGES {
        match page.rendered(&tests) {
            Err(found) => problems.extend(found),
            Ok((old, new)) if old != new => {
                fs::write(root().join(page.file), new)
                    .map_err(|error| vec![format!("{} cannot be written: {error}", page.file)])?;
                println!("{} brought up to date", page.file);
            }
            Ok(_) => {}
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn all_tests() -> Result<Vec<Test>, Problems> {
    let mut tests = find(&read_all()?);
    tests.extend(find_cases()?);
    Ok(tests)
}

const NOT_YET: &str = "not yet: ";

/// One row of a table.
struct Row<'a> {
    id: &'a str,
    /// The cells between the first and the last, as written.
    statement: &'a str,
    covered: &'a str,
}

/// The cells of a line of a table.
fn cells(line: &str) -> Option<Row<'_>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    let (id, rest) = inner.split_once('|')?;
    let (statement, covered) = rest.rsplit_once('|')?;
    Some(Row { id: id.trim(), statement: statement.trim(), covered: covered.trim() })
}

/// Each line of `text`, with its cells where it is a row of a table from `number` or `id` to `test`.
fn rows(text: &str) -> impl Iterator<Item = (&str, Option<Row<'_>>)> {
    let mut inside = false;
    text.lines().map(move |line| {
        let Some(row) = cells(line) else {
            inside = false;
            return (line, None);
        };
        if matches!(row.id, "number" | "id") && row.covered == "test" {
            inside = true;
            return (line, None);
        }
        (line, Some(row).filter(|row| inside && !row.id.starts_with("---")))
    })
}

impl Page {
    /// The page as it is, and as it should be.
    fn rendered(&self, tests: &[Test]) -> Result<(String, String), Problems> {
        let text = fs::read_to_string(root().join(self.file))
            .map_err(|error| vec![format!("{} cannot be read: {error}", self.file)])?;
        let new = self.render(&text, tests)?;
        Ok((text, new))
    }

    /// `text` with the column of tests that `tests` gives.
    fn render(&self, text: &str, tests: &[Test]) -> Result<String, Problems> {
        let file = self.file;
        let mut problems = Problems::new();
        let mut lines = Vec::new();
        let mut known: Vec<String> = Vec::new();
        for (line, row) in rows(text) {
            let Some(row) = row else {
                lines.push(line.to_owned());
                continue;
            };
            let mut covering: Vec<&Test> =
                tests.iter().filter(|test| (self.ids)(test).iter().any(|id| id == row.id)).collect();
            covering.sort_by_key(|test| test.shown());
            covering.dedup_by_key(|test| test.shown());
            let covered = if covering.is_empty() {
                if row.covered.strip_prefix(NOT_YET).is_none_or(str::is_empty) {
                    problems.push(format!(
                        "{file}: {} has no test, and its last column says `{}` rather than `{NOT_YET}WHY`",
                        row.id, row.covered
                    ));
                }
                row.covered.to_owned()
            } else {
                covering.iter().map(|test| format!("`{}`", test.shown())).collect::<Vec<_>>().join("<br>")
            };
            lines.push(format!("| {} | {} | {covered} |", row.id, row.statement));
            known.push(row.id.to_owned());
        }
        let numbers: Vec<usize> = known.iter().filter_map(|id| id.parse().ok()).collect();
        if numbers != (1..=self.numbered).collect::<Vec<_>>() {
            problems.push(format!(
                "{file}: the numbered rows are not 1 to {}, once each, in order",
                self.numbered
            ));
        }
        let mut seen = HashSet::new();
        problems.extend(
            known
                .iter()
                .filter(|id| !seen.insert(id.as_str()))
                .map(|id| format!("{file}: {id} stands twice")),
        );
        for test in tests {
            for id in (self.ids)(test) {
                if !seen.contains(id.as_str()) {
                    problems.push(format!(
                        "{}: `{}` names {id}, which no row of {file} has",
                        test.place, test.name
                    ));
                }
                if test.ignored {
                    problems
                        .push(format!("{}: `{}` is ignored, so {id} is not covered", test.place, test.name));
                }
            }
        }
        let named: HashSet<String> = tests.iter().filter(|test| !test.ignored).map(Test::shown).collect();
        for (row, name) in by_hand(text).filter(|(_, name)| !named.contains(*name)) {
            problems.push(format!("{file}: {row} names `{name}`, which is not a test that runs"));
        }
        if problems.is_empty() { Ok(lines.join("\n") + "\n") } else { Err(problems) }
    }
}

/// The tests in the last column of the tables whose rows have no id, each with the first cell of its row: that column is
/// written by hand.
fn by_hand(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut inside = false;
    let mut named = Vec::new();
    for line in text.lines() {
        let Some(row) = cells(line) else {
            inside = false;
            continue;
        };
        if row.covered == "test" {
            inside = !matches!(row.id, "number" | "id");
        } else if inside && !row.id.starts_with("---") {
            let mut names = row.covered.split('`').skip(1).step_by(2).peekable();
            let none = names.peek().is_none().then_some("nothing");
            named.extend(names.chain(none).map(|name| (row.id, name)));
        }
    }
    named.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: &Page = &PAGES[0];
    const SECURITY: &Page = &PAGES[1];

    fn table(first: &str) -> String {
        let rest = (2..=FIELD_FAILURES)
            .map(|n| format!("| {n} | it works | not yet: later |\n"))
            .collect::<String>();
        format!("# Title\n\n| number | statement | test |\n|---|---|---|\n{first}\n{rest}")
    }

    fn test(name: &str) -> Test {
        Test { crate_name: "mcp-x".into(), name: name.into(), place: "x.rs:1".into(), ignored: false }
    }

    #[test]
    fn tests_fill_the_last_column_and_nothing_else() {
        let old = table("| 1 | a \\| b | not yet: because |");
        let new = FIELD.render(&old, &[test("f001_two"), test("f001_one"), test("other")]).unwrap();
        assert_eq!(new, table("| 1 | a \\| b | `mcp-x::f001_one`<br>`mcp-x::f001_two` |"));
        assert_eq!(FIELD.render(&new, &[test("f001_one"), test("f001_two")]).unwrap(), new);
    }

    #[test]
    fn a_row_whose_test_is_gone_is_a_problem_rather_than_silently_open() {
        let old = table("| 1 | a | `mcp-x::f001_one` |");
        assert_eq!(FIELD.render(&old, &[]).unwrap_err().len(), 1);
        assert_eq!(FIELD.render(&table("| 1 | a | not yet: |"), &[]).unwrap_err().len(), 1);
    }

    #[test]
    fn every_number_has_one_row() {
        let text = table("| 1 | a | not yet: x |");
        assert!(FIELD.render(&text, &[]).is_ok());
        assert!(FIELD.render(&text.replace("| 7 |", "| 6 |"), &[]).is_err());
        assert!(FIELD.render(&text.replace("| 138 |", "| 139 |"), &[]).is_err());
    }

    #[test]
    fn a_test_of_an_unknown_number_and_an_ignored_one_are_problems() {
        let text = table("| 1 | a | not yet: x |");
        assert!(FIELD.render(&text, &[test("f139_x")]).is_err());
        assert!(FIELD.render(&text, &[Test { ignored: true, ..test("f002_x") }]).is_err());
    }

    #[test]
    fn other_tables_of_a_page_are_left_as_they_are() {
        let text = "| limit | value |\n|---|---|\n| M1 | 16 |\n\n| id | threat | rule | test |\n|---|---|---|---|\n\
                    | M1 | a flood | a limit | not yet: x |\n";
        let new = SECURITY.render(text, &[test("s_m01_k2_it_ends")]);
        assert!(new.is_err(), "K2 has no row");
        let new = SECURITY.render(text, &[test("s_m01_it_ends")]).unwrap();
        assert_eq!(new, text.replace("not yet: x", "`mcp-x::s_m01_it_ends`"));
    }

    #[test]
    fn what_is_named_by_hand_must_be_there() {
        let text = "| limit | value | test |\n|---|---|---|\n| a | 1 | `mcp-x::one`<br>`mcp-x::two` |\n";
        assert_eq!(SECURITY.render(text, &[test("one"), test("two")]).unwrap(), text);
        assert_eq!(SECURITY.render(text, &[test("one")]).unwrap_err().len(), 1);
        assert!(SECURITY.render(text, &[test("one"), Test { ignored: true, ..test("two") }]).is_err());
        let text = "| limit | value | test |\n|---|---|---|\n| a | 1 | |\n";
        assert_eq!(SECURITY.render(text, &[test("one")]).unwrap_err().len(), 1, "a row names one at least");
    }

    #[test]
    fn reports_of_two_collections_are_told_apart() {
        let rows =
            "\n| id | report | test |\n|---|---|---|\n| a:A1 | x | not yet: x |\n| b:A1 | y | not yet: x |\n";
        let text = table("| 1 | a | not yet: x |") + rows;
        let new = FIELD.render(&text, &[test("fb_a01_it_works")]).unwrap();
        assert!(
            new.ends_with("| a:A1 | x | not yet: x |\n| b:A1 | y | `mcp-x::fb_a01_it_works` |\n"),
            "{new}"
        );
        assert!(FIELD.render(&text, &[test("fa_a02_unknown")]).is_err());
    }

    #[test]
    fn a_page_names_each_row_once() {
        let text =
            "| id | threat | test |\n|---|---|---|\n| M1 | a | not yet: x |\n| M1 | b | not yet: x |\n";
        assert_eq!(SECURITY.render(text, &[]).unwrap_err().len(), 1);
    }
}
