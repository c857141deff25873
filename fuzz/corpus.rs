//! The committed corpus, for the tests that replay it. Included by path: each parser lives in another crate.

use std::fs;
use std::path::Path;

/// Runs `check` on every input of `target`. A panic names the input that caused it.
pub(crate) fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths.sort();
    for path in paths {
        // Captured by the test harness, and shown only where the test fails.
        println!("{}", path.display());
        check(&fs::read(&path).unwrap());
    }
}
