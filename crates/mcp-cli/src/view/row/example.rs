//! A session for the tests of what shows sessions.

use serde_json::{Value, json};

use super::Session;

impl Session {
    /// A bridge of which nothing else is known.
    pub(crate) fn example(pid: u32, status: &str, reason: Option<&str>) -> Self {
        Self {
            session: pid,
            name: "web".to_owned(),
            source: "/home/me/.claude.json".to_owned(),
            url: None,
            host: None,
            folder: None,
            version: None,
            since: None,
            calls: None,
            kind: "bridge".to_owned(),
            shared: None,
            status: status.into(),
            reason: reason.map_or(Value::Null, |message| json!({ "message": message })),
        }
    }
}
