//! The score on its page: what passes by each way, and what a way cannot express.

use std::fmt::Write as _;
use std::fs;

use super::SCORE;
use super::baseline::Score;
use super::ways::Way;
use crate::Problems;
use crate::shell::root;

const PAGE: &str = "docs/conformance.md";
/// Between these lines the page is made from the score.
const MARKS: (&str, &str) =
    ("<!-- the score, from conformance/baseline.json -->\n", "<!-- the end of the score -->\n");

/// Fails if the page is not what [`update_page`] would write.
pub(crate) fn check_page() -> Result<(), Problems> {
    let (old, new) = rendered()?;
    if old == new { Ok(()) } else { Err(vec![format!("{PAGE} is stale; run `cargo xtask docs`")]) }
}

/// Brings the page up to date.
pub(crate) fn update_page() -> Result<(), Problems> {
    let (old, new) = rendered()?;
    if old != new {
        fs::write(root().join(PAGE), new)
            .map_err(|error| vec![format!("{PAGE} cannot be written: {error}")])?;
        println!("{PAGE} brought up to date");
    }
    Ok(())
}

/// The page as it is, and as it should be.
fn rendered() -> Result<(String, String), Problems> {
    let score = Score::read(&root().join(SCORE))?;
    let page = fs::read_to_string(root().join(PAGE))
        .map_err(|error| vec![format!("{PAGE} cannot be read: {error}")])?;
    let new = with_score(&page, &score).ok_or_else(|| vec![format!("{PAGE} has no place for the score")])?;
    Ok((page, new))
}

fn with_score(page: &str, score: &Score) -> Option<String> {
    let (before, rest) = page.split_once(MARKS.0)?;
    let (_, after) = rest.split_once(MARKS.1)?;
    Some(format!("{before}{}{}{}{after}", MARKS.0, tables(score), MARKS.1))
}

fn tables(score: &Score) -> String {
    let all = score.of(Way::Crates);
    let mut text = "| way | what the suite drives | runs | pass |\n|---|---|---|---|\n".to_owned();
    for way in Way::ALL {
        let closed: usize = way.closed().iter().map(|closed| all.count(|run| closed.holds(run))).sum();
        let (runs, passing) = (all.len() - closed, score.of(way).len());
        let _ = writeln!(text, "| {} | {} | {runs} | **{passing}** |", way.name(), way.described());
    }
    text += "\n| cannot be expressed by | runs | scenarios | why |\n|---|---|---|---|\n";
    for way in Way::ALL {
        for closed in way.closed() {
            let runs = all.count(|run| closed.holds(run));
            let spelled = |beginning: &&str| {
                format!("`{beginning}{}`", if beginning.ends_with(['-', '/']) { "…" } else { "" })
            };
            let but: Vec<_> = closed.but.iter().map(spelled).collect();
            let but = if but.is_empty() { String::new() } else { format!(" but {}", but.join(", ")) };
            let (name, beginning, why) = (way.name(), spelled(&closed.beginning), closed.why);
            let _ = writeln!(text, "| {name} | {runs} | {beginning}{but} | {why} |");
        }
    }
    let by_binary = all.count(|run| {
        [Way::Commands, Way::Bridge].into_iter().any(|way| score.of(way).count(|passes| passes == run) > 0)
    });
    let _ = writeln!(
        text,
        "\nBy the binary with a configuration file, as a script or as a host uses it, **{by_binary}** of the {} runs pass.",
        all.len()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_stands_between_its_marks_and_nothing_else_changes() {
        let page = format!("before\n{}old\n{}after\n", MARKS.0, MARKS.1);
        let score = with_score(&page, &Score::default()).unwrap();
        assert!(score.starts_with("before\n") && score.ends_with("after\n") && !score.contains("old"));
        assert_eq!(with_score(&score, &Score::default()).as_deref(), Some(score.as_str()));
        assert_eq!(with_score("nothing", &Score::default()), None);
    }
}
