//! A tool as its server describes it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::protocol::lenient;

/// A tool as the server describes it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tool {
    /// Its name: what a call names.
    pub name: String,
    /// The whole definition, as sent.
    pub raw: Box<RawValue>,
}

/// The members of a tool's definition that this crate knows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolView<'a> {
    /// A name for people.
    #[serde(borrow, default, deserialize_with = "lenient::text")]
    pub title: Option<Cow<'a, str>>,
    /// What it does, for a model.
    #[serde(borrow, default, deserialize_with = "lenient::text")]
    pub description: Option<Cow<'a, str>>,
    /// The JSON Schema of its arguments.
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    pub input_schema: Option<&'a RawValue>,
    /// The JSON Schema of its structured result.
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    pub output_schema: Option<&'a RawValue>,
    /// Hints about its behaviour, as the server claims them.
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    pub annotations: Option<&'a RawValue>,
}

impl Tool {
    /// The known members; empty where the definition does not have them in their proper types.
    pub fn view(&self) -> ToolView<'_> {
        serde_json::from_str(self.raw.get()).unwrap_or_default()
    }
}
