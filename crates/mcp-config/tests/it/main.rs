//! Whole configurations: directories of files in, resolved entries out.

mod cases;
mod leaks;
mod reload;
