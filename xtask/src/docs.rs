//! The tables in `docs/` that follow from the code.
//!
//! `docs/field-failures.md` has a row for each failure that was met in the field. Its statements are
//! written by hand; its column of tests is generated from the names of the tests (`f004_…` covers
//! number 4), so it can neither name a test that does not exist nor miss one that does.

use std::fs;

use crate::Problems;
use crate::shell::root;
use crate::sources::read_all;
use crate::tests_found::{Test, find, find_cases};

const FIELD_FAILURES: &str = "docs/field-failures.md";

/// How many failures the table has to cover.
const COUNT: usize = 138;

/// Fails if the tables are not what [`update`] would write.
pub(crate) fn check() -> Result<(), Problems> {
    let (old, new) = rendered()?;
    let stale = old.lines().zip(new.lines()).filter(|(old, new)| old != new).map(|(old, new)| {
        format!("{FIELD_FAILURES} is stale; run `cargo xtask docs`\n  has:   {old}\n  wants: {new}")
    });
    let stale: Problems = stale.collect();
    if !stale.is_empty() {
        return Err(stale);
    }
    let open =
        new.lines().filter(|line| cells(line).is_some_and(|row| row.covered.starts_with(NOT_YET))).count();
    println!("{FIELD_FAILURES}: {} of {COUNT} covered, {open} not yet", COUNT - open);
    Ok(())
}

/// Brings the tables up to date.
pub(crate) fn update() -> Result<(), Problems> {
    let (old, new) = rendered()?;
    if old != new {
        fs::write(root().join(FIELD_FAILURES), new)
            .map_err(|error| vec![format!("{FIELD_FAILURES} cannot be written: {error}")])?;
        println!("{FIELD_FAILURES} brought up to date");
    }
    Ok(())
}

fn rendered() -> Result<(String, String), Problems> {
    let text = fs::read_to_string(root().join(FIELD_FAILURES))
        .map_err(|error| vec![format!("{FIELD_FAILURES} cannot be read: {error}")])?;
    let mut tests = find(&read_all()?);
    tests.extend(find_cases()?);
    let new = render(&text, &tests)?;
    Ok((text, new))
}

const NOT_YET: &str = "not yet: ";

/// One row of the table.
struct Row<'a> {
    number: usize,
    statement: &'a str,
    covered: &'a str,
}

/// The cells of a numbered row; `None` for any other line.
fn cells(line: &str) -> Option<Row<'_>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    let (number, rest) = inner.split_once('|')?;
    let (statement, covered) = rest.rsplit_once('|')?;
    Some(Row { number: number.trim().parse().ok()?, statement: statement.trim(), covered: covered.trim() })
}

/// `text` with the column of tests that `tests` gives.
fn render(text: &str, tests: &[Test]) -> Result<String, Problems> {
    let mut problems = Problems::new();
    let mut lines = Vec::new();
    let mut numbers = Vec::new();
    for line in text.lines() {
        let Some(row) = cells(line) else {
            lines.push(line.to_owned());
            continue;
        };
        numbers.push(row.number);
        let mut covering: Vec<&Test> =
            tests.iter().filter(|test| test.field_failures().contains(&row.number)).collect();
        covering.sort_by_key(|test| test.shown());
        covering.dedup_by_key(|test| test.shown());
        let covered = if covering.is_empty() {
            if row.covered.strip_prefix(NOT_YET).is_none_or(str::is_empty) {
                problems.push(format!(
                    "{FIELD_FAILURES}: number {} has no test, and its last column says `{}` rather than `{NOT_YET}WHY`",
                    row.number, row.covered
                ));
            }
            row.covered.to_owned()
        } else {
            covering.iter().map(|test| format!("`{}`", test.shown())).collect::<Vec<_>>().join("<br>")
        };
        lines.push(format!("| {} | {} | {covered} |", row.number, row.statement));
    }
    if numbers != (1..=COUNT).collect::<Vec<_>>() {
        problems.push(format!(
            "{FIELD_FAILURES}: the rows are not the numbers 1 to {COUNT}, once each, in order"
        ));
    }
    for test in tests {
        for number in test.field_failures() {
            if !(1..=COUNT).contains(&number) {
                problems
                    .push(format!("{}: `{}` names number {number}, which no row has", test.place, test.name));
            }
            if test.ignored {
                problems.push(format!(
                    "{}: `{}` is ignored, so number {number} is not covered",
                    test.place, test.name
                ));
            }
        }
    }
    if problems.is_empty() { Ok(lines.join("\n") + "\n") } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(first: &str) -> String {
        let rest = (2..=COUNT).map(|n| format!("| {n} | it works | not yet: later |\n")).collect::<String>();
        format!("# Title\n\n| number | statement | test |\n|---|---|---|\n{first}\n{rest}")
    }

    fn test(name: &str) -> Test {
        Test { crate_name: "mcp-x".into(), name: name.into(), place: "x.rs:1".into(), ignored: false }
    }

    #[test]
    fn tests_fill_the_last_column_and_nothing_else() {
        let old = table("| 1 | a \\| b | not yet: because |");
        let new = render(&old, &[test("f001_two"), test("f001_one"), test("other")]).unwrap();
        assert_eq!(new, table("| 1 | a \\| b | `mcp-x::f001_one`<br>`mcp-x::f001_two` |"));
        assert_eq!(render(&new, &[test("f001_one"), test("f001_two")]).unwrap(), new);
    }

    #[test]
    fn a_row_whose_test_is_gone_is_a_problem_rather_than_silently_open() {
        let old = table("| 1 | a | `mcp-x::f001_one` |");
        assert_eq!(render(&old, &[]).unwrap_err().len(), 1);
        assert_eq!(render(&table("| 1 | a | not yet: |"), &[]).unwrap_err().len(), 1);
    }

    #[test]
    fn every_number_has_one_row() {
        let text = table("| 1 | a | not yet: x |");
        assert!(render(&text, &[]).is_ok());
        assert!(render(&text.replace("| 7 |", "| 6 |"), &[]).is_err());
        assert!(render(&text.replace("| 138 |", "| 139 |"), &[]).is_err());
    }

    #[test]
    fn a_test_of_an_unknown_number_and_an_ignored_one_are_problems() {
        let text = table("| 1 | a | not yet: x |");
        assert!(render(&text, &[test("f139_x")]).is_err());
        assert!(render(&text, &[Test { ignored: true, ..test("f002_x") }]).is_err());
    }
}
