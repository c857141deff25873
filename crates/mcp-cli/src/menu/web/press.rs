//! What a browser may ask to be done.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What a person presses on the page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "act")]
pub(super) enum PageAction {
    /// The key of something that is offered for a server.
    Key {
        server: String,
        key: char,
    },
    /// One of the tools that are listed.
    Tool {
        name: String,
    },
    /// What is typed into the form of a tool, by the names of its arguments.
    Fill {
        arguments: BTreeMap<String, String>,
    },
    /// The same, and the tool is called.
    Call {
        arguments: BTreeMap<String, String>,
    },
    /// From the form of a tool to the list.
    Back,
    Paste {
        text: String,
    },
    /// To what is shown under this mark, and to nothing that has taken its place.
    Confirm {
        mark: u64,
    },
    Close,
}
