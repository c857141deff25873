//! Which lines of two texts differ.
//!
//! Fifty lines of our own in the place of `similar` or `imara-diff`: one algorithm is enough for files of this size, and a piece above
//! the bound is told whole, which needs neither their deadlines nor their other algorithms.

use std::ops::Range;

/// Above so many pairs of lines, what differs is told as one piece.
const MAX_PAIRS: usize = 1 << 20;

/// The lines that are not common to both, by the longest common subsequence.
pub(super) fn changed(old: &[&str], new: &[&str]) -> Vec<(Range<usize>, Range<usize>)> {
    let same = |(a, b): &(&&str, &&str)| a == b;
    let first = old.iter().zip(new).take_while(same).count();
    let (old_rest, new_rest) = (&old[first..], &new[first..]);
    let last = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(same).count();
    let old_rest = &old_rest[..old_rest.len() - last];
    let new_rest = &new_rest[..new_rest.len() - last];
    let (rows, columns) = (old_rest.len(), new_rest.len());
    if rows == 0 && columns == 0 {
        return Vec::new();
    }
    if rows == 0 || columns == 0 || rows.saturating_mul(columns) > MAX_PAIRS {
        return vec![(first..first + rows, first..first + columns)];
    }
    // How many lines the ends of both have in common from here.
    let mut common = vec![0_u32; (rows + 1) * (columns + 1)];
    let at = |row: usize, column: usize| row * (columns + 1) + column;
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            common[at(row, column)] = if old_rest[row] == new_rest[column] {
                common[at(row + 1, column + 1)] + 1
            } else {
                common[at(row + 1, column)].max(common[at(row, column + 1)])
            };
        }
    }
    let mut pieces: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    let (mut row, mut column) = (0, 0);
    while row < rows || column < columns {
        if row < rows && column < columns && old_rest[row] == new_rest[column] {
            (row, column) = (row + 1, column + 1);
            continue;
        }
        let (from_row, from_column) = (row, column);
        while row < rows || column < columns {
            if row < rows && column < columns && old_rest[row] == new_rest[column] {
                break;
            }
            let is_out =
                column == columns || row < rows && common[at(row + 1, column)] >= common[at(row, column + 1)];
            if is_out { row += 1 } else { column += 1 }
        }
        pieces.push((first + from_row..first + row, first + from_column..first + column));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_in_the_difference_or_common_to_both() {
        // Small texts over three lines, all of them.
        let texts = || {
            (0..81_u32).map(|n| {
                (0..4).map(|at| ["a\n", "b\n", "c\n"][(n / 3_u32.pow(at) % 3) as usize]).collect::<Vec<_>>()
            })
        };
        for old in texts() {
            for new in texts() {
                let (mut row, mut column) = (0, 0);
                for (out, put) in changed(&old, &new) {
                    assert_eq!(old[row..out.start], new[column..put.start], "{old:?} {new:?}");
                    assert!(out.len() + put.len() > 0);
                    (row, column) = (out.end, put.end);
                }
                assert_eq!(old[row..], new[column..], "{old:?} {new:?}");
            }
        }
    }
}
