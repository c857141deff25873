//! "Did you mean": the nearest of several words.

/// Longer words are not compared: no name that people type is longer.
const MAX_WORD: usize = 200;

/// The candidate nearest to `word`, unless none is near enough to be what was meant.
///
/// # Examples
///
/// ```
/// assert_eq!(mcp_config::nearest("githb", ["github", "gitlab", "docs"]), Some("github"));
/// assert_eq!(mcp_config::nearest("weather", ["github", "gitlab", "docs"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word_length = word.chars().count();
    if word_length > MAX_WORD {
        return None;
    }
    // Work grows with both lengths, and no word is near one that is much longer or shorter.
    let comparable = |candidate: &&str| {
        let length = candidate.chars().take(MAX_WORD + 1).count();
        length <= MAX_WORD && word_length.abs_diff(length) <= (word_length.max(length) / 3).max(1)
    };
    candidates
        .into_iter()
        .filter(comparable)
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            let longer = word_length.max(candidate.chars().count());
            // One slip in three characters, at least one: `gihub` is `github`, `db` is not `ci`.
            *distance <= (longer / 3).max(1) && *distance < longer
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many insertions, deletions, substitutions and swaps of neighbours lie between two words
/// (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let substituted = last[j] + usize::from(a[i] != b[j]);
            let mut best = substituted.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("a", "", 1), ("github", "gihub", 1), ("abcd", "abdc", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn only_near_words_are_suggested() {
        let names = ["github", "sentry", "db"];
        assert_eq!(nearest("gihtub", names), Some("github"));
        assert_eq!(nearest("GitHub", names), Some("github"));
        assert_eq!(nearest("dv", names), Some("db"));
        assert_eq!(nearest("xy", names), None);
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest("unrelated", names), None);
        assert_eq!(nearest("", names), None);
    }

    #[test]
    fn s_m16_a_word_of_a_megabyte_is_not_compared() {
        let long = "y".repeat(1 << 20);
        assert_eq!(nearest(&long, ["url", &long]), None);
        assert_eq!(nearest("ulr", [long.as_str(), "url"]), Some("url"));
        let many = vec!["y".repeat(1 << 16); 64];
        assert_eq!(nearest(&"z".repeat(200), many.iter().map(String::as_str)), None);
    }
}
