//! Words, tables and JSON: how results look. Nothing here decides anything.

pub(crate) mod live;
pub(crate) mod row;
pub(crate) mod text;
pub(crate) mod time;
