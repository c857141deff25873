//! What the programs of a bench share: the words they say, and what they measure of themselves.

pub mod measure;
pub mod words;
