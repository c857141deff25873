//! Whole configurations: directories of files in, resolved entries out.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be laid out is a failed test")]

mod cases;
mod leaks;
mod reload;
#[cfg(unix)]
mod surroundings;
mod work;
