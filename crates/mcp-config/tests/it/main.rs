//! Whole configurations: directories of files in, resolved entries out.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be laid out is a failed test")]

mod cases;
#[cfg(unix)]
mod consent;
mod editing;
mod env_files;
#[cfg(unix)]
mod heard;
mod leaks;
mod reload;
mod schema;
#[cfg(unix)]
mod surroundings;
mod work;
