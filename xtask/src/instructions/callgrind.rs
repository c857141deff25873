//! Callgrind of valgrind: a program that is counted, and what was counted.

use std::fs;
use std::path::Path;

/// The words that stand before a command line for its instructions to be counted, into this file.
pub(crate) fn words(counts: &Path) -> Vec<String> {
    let file = format!("--callgrind-out-file={}", counts.display());
    vec!["valgrind".to_owned(), "--tool=callgrind".to_owned(), "--quiet".to_owned(), file]
}

/// The instructions of all threads.
pub(crate) fn total(counts: &Path) -> Result<u64, String> {
    let text = fs::read_to_string(counts).map_err(|error| format!("no counts: {error}"))?;
    total_in(&text).ok_or_else(|| "counts without a total".to_owned())
}

fn total_in(text: &str) -> Option<u64> {
    let line = text.lines().rev().find_map(|line| line.strip_prefix("totals:"));
    line?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found_in_what_callgrind_writes() {
        assert_eq!(total_in("events: Ir\nsummary: 12\n\ntotals: 345\n"), Some(345));
        assert_eq!((total_in("events: Ir\n"), total_in("totals: \n")), (None, None));
    }
}
