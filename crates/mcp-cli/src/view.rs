//! Words, tables and JSON: how results look. Nothing here decides anything.

pub(crate) mod content;
pub(crate) mod examination;
pub(crate) mod link;
pub(crate) mod live;
pub(crate) mod overview;
pub(crate) mod progress;
pub(crate) mod row;
pub(crate) mod shown;
pub(crate) mod signature;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod wrap;
