//! What must hold for every output of a local server; see [`crate::fuzzing`].

use crate::message::lines::Lines;
use crate::seeded::Random;

/// Lines: the same ones wherever the reads end, none of them longer than the limit. The first byte of the input
/// chooses the limit, the second where the reads end.
pub fn stdio_lines(bytes: &[u8]) {
    let [limit, seed, output @ ..] = bytes else { return };
    let roomy = output.len() + 1;
    let by_the_book: Vec<&[u8]> = output.split(|byte| *byte == b'\n').collect();
    let (_unfinished, complete) = by_the_book.split_last().expect("splitting gives at least one part");
    assert_eq!(
        read(output, roomy, || usize::MAX),
        (complete.iter().map(|line| line.to_vec()).collect(), false)
    );
    for limit in [roomy, usize::from(*limit)] {
        let whole = read(output, limit, || usize::MAX);
        let mut random = Random::new(u64::from(*seed));
        for (lines, too_long) in
            [read(output, limit, || 1 + random.below(9)), read(output, limit, || 1), whole.clone()]
        {
            assert!(lines.iter().all(|line| line.len() <= limit));
            assert_eq!((&lines, too_long), (&whole.0, whole.1));
        }
    }
}

/// The lines up to the first that is too long, and whether one is.
fn read(mut output: &[u8], limit: usize, mut length: impl FnMut() -> usize) -> (Vec<Vec<u8>>, bool) {
    let mut lines = Lines::new(limit);
    let mut taken = Vec::new();
    while !output.is_empty() {
        let (chunk, rest) = output.split_at(length().min(output.len()));
        output = rest;
        lines.room().extend_from_slice(chunk);
        loop {
            match lines.next_line() {
                Ok(Some(line)) => taken.push(line.to_vec()),
                Ok(None) => break,
                Err(_) => return (taken, true),
            }
        }
    }
    (taken, false)
}
