//! What a field may hold: for the tables that the reader and the JSON Schema go by.

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Text,
    Texts,
    TextMap,
    Flag,
    Object,
    /// A whole number with its bounds.
    Whole(u64, Option<u64>),
    OneOf(&'static [&'static str]),
    /// A secret by reference, and nothing else.
    Secret,
    Auth,
    OAuth,
    Tls,
    Limits,
    /// Names of tools, or what may be done with each.
    Tools,
    /// A word for each tool.
    Permissions,
    Any,
}
