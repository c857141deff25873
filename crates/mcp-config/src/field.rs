//! One field of an entry, as it may be shown.

use serde::Serialize;

use crate::Origin;

/// One field of an entry as it may be shown, with its place.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Field {
    /// Its path in the entry: `headers.Authorization`.
    pub name: String,
    /// Its value as written, with secrets replaced. Never the expanded value.
    pub value: String,
    /// Where it stands.
    pub origin: Origin,
    /// The variables in it that are not set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}
